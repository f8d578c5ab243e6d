"""Finding the operation that made a number that is none, or an infinite one.

Within `find_nan` each operation is looked at when it is done: jitted functions are run equation by
equation, loops trip by trip, and the rules of forward and reverse mode pass by the same check. A
program that does not look pays nothing.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np

from functrace.backends.compiling import evaluating
from functrace.errors import NotFiniteError
from functrace.factories import context
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.program import DIVISION, Derivative, Equation, Variable
from functrace.jitting.recordings import without_guards
from functrace.matrices import spectral
from functrace.tracebacks import boundary
from functrace.tracing.expressions import line_at, operation_at
from functrace.tracing.places import derivative_here, running_here, source_here, users_name
from functrace.tracing.tracer import Tracer
from functrace.transforms.limits import LimitRecording
from functrace.transforms.programs import Pullback
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")
R = TypeVar("R")


_WHAT = {
    "forward": "{}",
    "backward": "The derivative of {}, on the way back,",
    "tangent": "The derivative of {}, in forward mode,",
}
_WITHIN = {
    "backward": "{}, in the derivative of {} on the way back,",
    "tangent": "{}, in the derivative of {} in forward mode,",
}


@dataclass(frozen=True)
class Finding:
    """What made something that is not finite out of finite numbers.

    Attributes:
        operation: The name of the primitive.
        direction: "forward", or "backward" for the way back, where the operation is the one whose
            derivative it was; "tangent" in forward mode.
        found: "nan" or "infinite".
        operands: What it was given, in words.
        place: The user's file and line, and the function; empty where it is not known.
        line: That line of code.
        within: Where that is a line of a derivative rule of the user's: what has this rule.
        forward: The file and line, and the function, where that was applied.
    """

    operation: str
    direction: str
    found: str
    operands: str
    place: str
    line: str
    within: str = ""
    forward: str = ""

    @property
    def what(self) -> str:
        """What happened, in a sentence."""
        what = (_WITHIN if self.within else _WHAT)[self.direction]
        made = "a nan" if self.found == "nan" else "an infinite number"
        told = what.format(self.operation, self.within)
        applied = f" {self.within} was applied at {self.forward}." if self.forward else ""
        return f"{told} made {made} out of finite numbers: {self.operands}.{applied}"

    def __str__(self) -> str:
        parts = [self.what, f"  at {self.place}" if self.place else "", f"    {self.line}"]
        return "\n".join(part for part in parts if part.strip())


class _Watch:
    """What is done with what is found: it is raised, or the first is kept."""

    def __init__(self, *, infinite: bool, raises: bool) -> None:
        self.infinite = infinite
        self.raises = raises
        self.first: Finding | None = None
        self.is_over = False

    def __bool__(self) -> bool:
        return not self.is_over

    def look(
        self,
        primitive: Primitive,
        direction: str,
        given: Sequence[Any],
        found: Any,
        name: str | None = None,
    ) -> None:
        """See whether something that is not finite was made."""
        if self.first is not None or self.is_over:
            return
        bad = _worst(found, self.infinite)
        if bad is None:
            return
        equation = running_here(2)
        # Identity tells what rules say from what the user says within `np.errstate`.
        is_of_rule = isinstance(equation, Equation) and equation.handling is DIVISION
        if is_of_rule and len(given) == len(equation.inputs):
            # What is constant there a rule has computed of finite numbers, by NumPy.
            pairs = zip(given, equation.inputs, strict=True)
            given = [x for x, atom in pairs if isinstance(atom, Variable)] or given
        if any(_worst(x, True) is not None for x in given):
            return
        source = source_here(2)
        place = None if source is None else source[:2]
        name = primitive.name if name is None else name
        within = forward = ""
        derivative = (source and source.derivative) or _users_rule.get() or derivative_here()
        if derivative is not None:  # a rule's work that was recorded, or one of the user's
            direction = derivative.direction
            if derivative.place is None or derivative.place[:2] == place:
                name = derivative.operation
            else:  # the line is one of the user's rule
                name = operation_at(place) or name
                within, forward = derivative.operation, str(derivative.source)
        elif is_of_rule or primitive is spectral.limit or primitive.name.endswith("_or_zero"):
            name, direction = operation_at(place) or name, "backward"
        finding = Finding(
            name,
            direction,
            bad,
            ", ".join(map(_in_words, [*filter(_is_known, given)] or filter(None, given))),
            "" if source is None else str(source),
            line_at(place),
            within,
            forward,
        )
        if self.raises:
            raise NotFiniteError(finding.what, finding.place or None)
        self.first = finding


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)
"""Who looks, in this context; None if nobody does."""


def _worst(x: Any, infinite: bool) -> str | None:
    """Whether there is a nan, or an infinite number, in a value."""
    if isinstance(x, tuple | list):
        found = {_worst(part, infinite) for part in x}
        return "nan" if "nan" in found else "infinite" if "infinite" in found else None
    if (
        x is None
        or type(x) is Tracer
        or not isinstance(x, float | complex | np.generic | np.ndarray)
    ):
        return None
    array = np.asarray(x)
    if array.dtype.kind not in "fc" or np.isfinite(array).all():
        return None
    return "nan" if np.isnan(array).any() else "infinite" if infinite else None


def _is_known(x: Any) -> bool:
    """Whether it has numbers, or parts that may have them: a tape may keep a type alone."""
    return isinstance(x, bool | int | float | complex | np.generic | np.ndarray | tuple | list)


def _in_words(x: Any) -> str:
    """A number itself; of an array its type, and the range of its elements."""
    if isinstance(x, tuple | list):
        return ", ".join(_in_words(part) for part in x if part is not None)
    if type(x) is Tracer:
        return str(x.type)
    if not isinstance(x, bool | int | float | complex | np.generic | np.ndarray):
        return str(getattr(x, "type", type(x).__name__))  # it is traced otherwise
    array = np.asarray(x)
    if not array.shape:
        return f"{array[()]:.6g}" if array.dtype.kind in "fc" else str(array[()])
    name = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
    if not array.size or array.dtype.kind not in "iuf":
        return name
    return f"{name} from {array.min():.6g} to {array.max():.6g}"


def _is_traced(x: Any) -> bool:
    return type(x) is Tracer or (isinstance(x, tuple | list) and any(map(_is_traced, x)))


def _checked(primitive: Primitive, direction: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule of a primitive that lets whoever looks see what it gives."""

    def checked(*args: Any, **params: Any) -> Any:
        watch = _watch.get()
        # What a rule computes by NumPy on its way, it is asked for as a whole.
        is_plain = direction != "forward" and not _is_traced(args)
        before = _watch.set(None) if is_plain else None
        try:
            found = rule(*args, **params)
        finally:
            if before is not None:
                _watch.reset(before)
        if watch is not None:
            if direction == "backward":  # the cotangent, the inputs and the output
                args = (args[0], *args[1], args[2])
            elif direction == "tangent":  # the inputs, and their tangents
                args = (*args[0], *args[1])
            watch.look(primitive, direction, args, found, users_name(params))
        return found

    return checked


# Functions of the user's are looked at as a whole besides: with their rules they compute by NumPy,
# where nobody sees it.


_users_rule: ContextVar[Derivative | None] = ContextVar("users_rule", default=None)
"""What a rule of the user's, in which we are, is asked for."""


@contextmanager
def _within_rule(name: str | None, direction: str) -> Generator[None, None, None]:
    """Know that what is found is in the rule of a function of the user's, if it is one."""
    if name is None:
        yield
        return
    begun = _users_rule.set(Derivative(name, direction, source_here(3)))
    try:
        yield
    finally:
        _users_rule.reset(begun)


def _checked_residuals(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    def checked(inputs: Any, needed: Any, params: dict[str, Any]) -> Any:
        found = rule(inputs, needed, params)
        watch = _watch.get()
        if watch is not None:
            watch.look(primitive, "forward", inputs, found[0], users_name(params))
        return found

    return checked


def _checked_push(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    def checked(inputs: Any, tangents: Any, params: dict[str, Any]) -> Any:
        name = users_name(params)
        with _within_rule(name, "tangent"):
            outputs, pushed = rule(inputs, tangents, params)
        watch = _watch.get()
        if watch is not None:
            watch.look(primitive, "forward", inputs, outputs, name)
            watch.look(primitive, "tangent", (*inputs, *tangents), pushed, name)
        return outputs, pushed

    return checked


def _pulled_back(
    self: Pullback, cotangent: Any, inputs: Any, output: Any, needed: Any, **params: Any
) -> Any:
    """`Pullback.vjp`, looked at."""
    watch, name = _watch.get(), users_name(params)
    with _within_rule(name, "backward"):
        found = self.pull_back(cotangent)
    if watch is not None and name is not None:
        watch.look(self, "backward", (*cotangent, *inputs, *output), found, name)
    return found


def _record_of_series(
    self: LimitRecording, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
) -> Any:
    """`LimitRecording.record`, looked at where the series are over."""
    found = _record(self, primitive, inputs, params)
    watch = _watch.get()
    if watch is not None and primitive is spectral.limit:
        watch.look(primitive, "backward", [x.value for x in inputs], found)
    return found


_record = LimitRecording.record

_lock = Lock()
_watchers = 0
_own: list[tuple[Any, str, Any]] = []
"""What stood in the primitives before they were watched."""


def _begin() -> None:
    """Put checks in the place of the rules of all primitives; the first who looks does."""
    global _watchers  # noqa: PLW0603  (how many contexts, of any thread, look)
    with _lock:
        _watchers += 1
        if _watchers > 1:
            return

        def replace(owner: Any, name: str, rule: Any) -> None:
            _own.append((owner, name, owner.__dict__.get(name)))
            setattr(owner, name, rule)

        replace(Pullback, "vjp", _pulled_back)
        replace(LimitRecording, "record", _record_of_series)
        for primitive in [*PRIMITIVES.values()]:
            if primitive.holds_programs and not primitive.calls_python:
                continue  # what it runs is looked at
            replace(primitive, "run", _checked(primitive, "forward", primitive.run))
            if primitive.holds_programs:
                keep, push = primitive.keep_residuals, primitive.push_forward
                replace(primitive, "keep_residuals", _checked_residuals(primitive, keep))
                replace(primitive, "push_forward", _checked_push(primitive, push))
            elif not primitive.calls_python:
                replace(primitive, "vjp", _checked(primitive, "backward", primitive.vjp))
                replace(primitive, "jvp", _checked(primitive, "tangent", primitive.jvp))


def _end() -> None:
    global _watchers  # noqa: PLW0603
    with _lock:
        _watchers -= 1
        if _watchers:
            return
        for owner, name, rule in reversed(_own):  # a primitive may have two names
            if rule is None:
                delattr(owner, name)
                owner.name = owner.name  # what was kept of its rules is looked up anew
            else:
                setattr(owner, name, rule)
        _own.clear()


def _nothing(*args: Any) -> None:
    pass


@contextmanager
def _watching(watch: _Watch) -> Generator[None, None, None]:
    _begin()
    before, how = _watch.set(watch), evaluating.set(watch)
    try:
        # To call nothing is as silent as to ignore, and can be told from what rules do.
        with without_guards(), np.errstate(all="call", call=_nothing):
            yield
    finally:
        watch.is_over = True
        if _watch.get() is watch:  # generators may leave contexts in another order than they enter
            _watch.reset(before)
            evaluating.reset(how)
        _end()


@context
def find_nan(*, infinite: bool = True) -> Generator[None, None, None]:
    """Stop, within this context, at the operation that makes a nan out of finite numbers.

    It looks at all that functrace computes: under `grad`, `jvp` and `vmap`, forward and on the way
    back, in loops and within jitted functions. What plain NumPy computes outside of all
    transformations it does not see. Everything takes much longer meanwhile.

    Args:
        infinite: Whether to stop at infinite numbers, too: at ``log(0)``, say.

    Raises:
        NotFiniteError: An operation made one. The message says which, of what, and the user's line;
            on the way back the line is that of the operation whose derivative it was.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(x):
        ...     return np.sum(np.sqrt(x))
        >>> with ft.find_nan():
        ...     ft.grad(loss)(np.array([1.0, 0.0]))
        Traceback (most recent call last):
        functrace.errors.NotFiniteError: The derivative of sqrt, on the way back, made an infinite
        number out of finite numbers: ...
    """
    with _watching(_Watch(infinite=infinite, raises=True)):
        yield


@boundary
def checked(f: Callable[P, R], *, infinite: bool = True) -> Callable[P, tuple[Finding | None, R]]:
    """Make a function that returns what `find_nan` would stop at, beside its result.

    Args:
        f: Any function: one that calls `grad`, `jit` or others, or is made by them. What it
            computes outside of them, as plain NumPy, is not seen: give ``jit(f)``.
        infinite: Whether infinite numbers count, too.

    Returns:
        A function with the arguments of ``f``. It returns a pair: the first `Finding`, None if all
        was finite; and what ``f`` returns.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> finding, slope = ft.checked(ft.grad(np.log))(0.0)
        >>> finding.operation, finding.direction, finding.found
        ('log', 'forward', 'infinite')
    """
    require_callable(f, "checked")

    @transformed(f, checked)
    @boundary
    def called(*args: Any, **options: Any) -> Any:
        watch = _Watch(infinite=infinite, raises=False)
        with _watching(watch):
            result = f(*args, **options)
        return watch.first, result

    return called
