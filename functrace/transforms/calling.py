"""Calling a function that may write into its arguments, without a change to the caller's arrays.

Small arrays are copied. To copy large ones at each call would take longer than many a function, and
hardly one writes into them: they are handed over as views that cannot be written. A function that
tries to is called again, on copies. One that writes a traced value into an argument that is not
traced is called again with all its arrays traced. Both are remembered, so that it happens once.
`np.add.at` and its like do not ask whether they may write: who names them is given copies.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any
from weakref import ref

import numpy as np

from functrace import tree
from functrace.errors import ArrayWriteError, FunctraceError
from functrace.tracing.layouts import copied
from functrace.tracing.operands import as_operand
from functrace.tracing.reaching import reached
from functrace.tracing.refusals import place_raised
from functrace.tracing.tracer import Tracer
from functrace.transforms.keeping import COPIED_BYTES, owner_of
from functrace.transforms.transformed import Transformed, leaves_arguments_alone
from functrace.tree.kinds import KNOWN_LEAVES

AS_THEY_ARE, COPIED, TRACED = range(3)
"""How a function is given arrays: small ones copied, all copied, or all traced."""

_levels: dict[tuple[int, tuple[int | str, ...]], tuple[ref[CodeType], int]] = {}
"""What functions need that write into arguments, by their code and by what is made for the call."""

RESTORED_BYTES = 1 << 26
"""Larger arrays that a function can reach are not copied before its first call."""

WRITTEN = ("recording", "value", "known_as", "place", "memory", "base", "made_by")
"""What changes of a traced array that is written."""

_belonging = attrgetter("recording", "value", "known_as")

_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


def owned(value: Any) -> Any:
    """The same value in memory of its own."""
    if type(value) is Tracer:
        value = value.recording.as_constant(value)
    return value.copy() if isinstance(value, np.ndarray) else value


def apart(values: Sequence[Any], others: Iterable[Any] = ()) -> list[Any]:
    """Results in memory of their own: neither read-only, nor shared with others or each other.

    Their elements lie in row-major order, as those of all that transformations return.

    Args:
        values: What was computed.
        others: What it must not share memory with.
    """
    taken = {id(owner_of(x)) for x in others if isinstance(x, np.ndarray)}
    result: list[Any] = []
    for value in values:
        x = value.recording.as_constant(value) if type(value) is Tracer else value
        if isinstance(x, np.ndarray):
            owner = owner_of(x)
            flags = x.flags
            is_shared = owner.base is not None or id(owner) in taken
            if is_shared or not (flags.writeable and flags.c_contiguous):
                result.append(x.copy())
                continue
            taken.add(id(owner))
        result.append(x)
    return result


def call_apart(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] = _NO_KEYWORDS,
    made: tuple[int | str, ...] = (),
    tracers: Sequence[Tracer] | None = None,
) -> Any:
    """Call a function on arguments that are its own.

    Args:
        f: The function.
        args: Its arguments by position.
        kwargs: Its arguments by keyword.
        made: The positions and names of those that were made for this call.
        tracers: The tracers in the arguments, where they are known.

    Returns:
        What it returns.
    """
    if type(f) is Transformed and leaves_arguments_alone(f):
        return f(*args, **kwargs)
    arrays: list[np.ndarray] = []
    own: list[Any] = []
    for n, x in enumerate(args):
        if type(x) is np.ndarray and x.nbytes <= COPIED_BYTES and x.flags.forc:
            copy = x.__copy__()  # as `_apart` does, sooner
            arrays.append(copy)
            own.append(copy)
        else:
            own.append(x if n in made else _apart(x, arrays))
    named = kwargs and {n: x if n in made else _apart(x, arrays) for n, x in kwargs.items()}
    if not arrays:
        return f(*own, **named)
    if tracers is None:
        leaves = [leaf for x in (*own, *named.values()) for leaf in _leaves(x)]
        tracers = [x for x in leaves if type(x) is Tracer]
    before = [*map(_belonging, tracers)]
    code = getattr(f, "__code__", None)
    key = id(code), made
    known = _levels.get(key)
    state = _State(f) if known is None else None
    if state is not None:
        level = COPIED if state.writes_unseen else AS_THEY_ARE
    else:
        level = AS_THEY_ARE if known is None else known[1]
    while True:
        try:
            if level == AS_THEY_ARE:
                result = f(*own, **named)
            else:
                given = _copied if level == COPIED or not tracers else _traced
                result = f(*given(own, tracers), **given(named, tracers))
        except (ValueError, TypeError) as error:
            if level < TRACED and tracers and _is_write_of_traced(error, tracers):
                level = TRACED
            elif level < COPIED and "read-only" in str(error) and _has_view(arrays):
                level = COPIED
            else:
                raise
            if state is None:
                _remember(code, key, level)
                if any(map(_can_have_changed, reached(f))):
                    error.add_note(_CALLED_ONCE)
                    raise
            elif not state.restore():
                raise  # what it has done to arrays before, a second call would do again
        else:
            if known is None or level != known[1]:
                _remember(code, key, level)
            return result
        for tracer, belonging in zip(tracers, before, strict=True):
            tracer.recording, tracer.value, tracer.known_as = belonging
            tracer.recording.refusal = None
            tracer.memory = tracer.base = None
        # What was copied may have been written.
        own = [x if n in made else _apart(x, arrays) for n, x in enumerate(args)]
        named = {n: x if n in made else _apart(x, arrays) for n, x in kwargs.items()}


_CALLED_ONCE = (
    "  Calls before this one did not write such values, so functrace kept no copy of what the\n"
    "  function can change besides its arguments, and does not call it twice. The next call works."
)


def _remember(code: CodeType | None, key: tuple[int, tuple[int | str, ...]], level: int) -> None:
    if code is not None:
        _levels[key] = ref(code, lambda _: _levels.pop(key, None)), level


def _can_have_changed(x: Any) -> bool:
    """Whether a call may have changed what a function reaches, or, by a function, names around."""
    if isinstance(x, FunctionType):
        return any(
            step.opname == "STORE_GLOBAL"
            or (step.opname == "STORE_DEREF" and step.argval in x.__code__.co_freevars)
            for step in dis.get_instructions(x)
        )
    return not isinstance(x, CellType) and _undoing(x) is not None


class _State:
    """What a function can change besides its arguments, as it was before a call.

    Attributes:
        writes_unseen: It may write into arrays as `np.add.at` does, which asks for no permission.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self._undoing: list[Callable[[], None]] = []
        self._is_complete = True
        self.writes_unseen = False
        for x in reached(f):
            if isinstance(x, FunctionType):
                self.writes_unseen |= "at" in _names_in(x.__code__)
            if isinstance(x, np.ndarray | Tracer) and x.nbytes > RESTORED_BYTES:
                self._is_complete &= isinstance(x, np.ndarray) and not x.flags.writeable
            elif (undo := _undoing(x)) is not None:
                self._undoing.append(undo)

    def restore(self) -> bool:
        """Undo what the call has done; False if that cannot be."""
        if self._is_complete:
            for undo in self._undoing:
                undo()
        return self._is_complete


def _names_in(code: CodeType) -> set[str]:
    """The attributes and globals that a function's code names, and those of functions in it."""
    within = (x for x in code.co_consts if isinstance(x, CodeType))
    return set(code.co_names).union(*map(_names_in, within))


def _undoing(x: Any) -> Callable[[], None] | None:
    """What makes an object again what it is now; None for one that is not changed in place."""
    if isinstance(x, np.ndarray):
        return partial(np.copyto, x, x.copy("K")) if x.flags.writeable else None
    if type(x) is Tracer:
        return _undoing_writes(x)
    if type(x) is list:
        return partial(x.__setitem__, slice(None), x.copy())
    if type(x) is dict:
        return partial(_fill, x, x.copy())
    if isinstance(x, CellType):
        return None if _is_empty(x) else partial(setattr, x, "cell_contents", x.cell_contents)
    if isinstance(x, FunctionType):
        values = x.__globals__
        return partial(values.update, {n: values[n] for n in x.__code__.co_names if n in values})
    if type(getattr(x, "__dict__", None)) is not dict or isinstance(x, ModuleType | partial):
        return None
    is_own = type(x).__module__.partition(".")[0] == "functrace"
    return None if is_own else partial(_fill, x.__dict__, x.__dict__.copy())


def _undoing_writes(tracer: Tracer) -> Callable[[], None]:
    before = {name: getattr(tracer, name) for name in WRITTEN if hasattr(tracer, name)}
    value = tracer.value
    elements = value.copy("K") if type(value) is np.ndarray and value.flags.writeable else None

    def undo() -> None:
        for name, x in before.items():
            setattr(tracer, name, x)
        if elements is not None:
            np.copyto(value, elements)

    return undo


def _fill(x: dict[Any, Any], items: dict[Any, Any]) -> None:
    x.clear()
    x.update(items)


def _is_empty(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


def _apart(x: Any, arrays: list[np.ndarray]) -> Any:
    """What a function is given for an argument; the arrays in it are added to a list."""
    if isinstance(x, np.ndarray):
        if x.nbytes <= COPIED_BYTES:
            own = copied(x)
        else:
            own = x.view()
            own.flags.writeable = False
        arrays.append(own)
        return own
    if type(x) is Tracer:
        return x.twin()
    if type(x) in KNOWN_LEAVES:
        return x
    leaves = _leaves(x)
    if not any(isinstance(leaf, np.ndarray | Tracer) for leaf in leaves):
        return x
    return tree.structure(x).unflatten(
        [_apart(leaf, arrays) if isinstance(leaf, np.ndarray | Tracer) else leaf for leaf in leaves]
    )


def _has_view(arrays: Sequence[np.ndarray]) -> bool:
    return any(not array.flags.writeable for array in arrays)


def _leaves(x: Any) -> list[Any]:
    try:
        return tree.leaves(x)
    except FunctraceError:  # it is no tree: keys without an order, a list in itself
        return []


def _copied(args: Any, tracers: Sequence[Tracer]) -> Any:
    """The arguments, with what cannot be written in memory of its own."""
    return tree.map(
        lambda x: copied(x) if isinstance(x, np.ndarray) and not x.flags.writeable else x, args
    )


def _traced(args: Any, tracers: Sequence[Tracer]) -> Any:
    """The arguments, with all arrays traced by the youngest recording among those of tracers."""
    recording = max((x.recording for x in tracers), key=lambda recording: recording.birth)
    return tree.map(lambda x: recording.lift(as_operand(x)) if _can_be_traced(x) else x, args)


def _can_be_traced(x: Any) -> bool:
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "biufc":
        return False
    return not isinstance(x, np.ma.MaskedArray | np.matrix)


def _is_write_of_traced(error: BaseException, tracers: Sequence[Tracer]) -> bool:
    """Whether a traced value could not be written into an array."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ArrayWriteError):
            return True
        link = link.__cause__ or link.__context__
    # An iterator, as `x.flat`, lets NumPy hide the error.
    hidden = {id(x.recording): x.recording.refusal for x in tracers}.values()
    written = [x.place for x in hidden if x is not None and isinstance(x.error, ArrayWriteError)]
    raised, _, _ = place_raised(error.__traceback__)
    return any(place is not None and place[:2] == raised for place in written)
