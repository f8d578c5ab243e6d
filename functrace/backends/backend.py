"""What a backend is, which there are, and which of them is asked."""

from __future__ import annotations

import importlib
import importlib.util
import math
import platform
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from functrace.errors import ArgumentError, FunctraceError
from functrace.ir.primitive import Primitive
from functrace.ir.program import Equation, Program
from functrace.simplify import EXACT, Pipeline
from functrace.tracing import numpy_warnings
from functrace.tracing.places import runs_equations


class Checking(Protocol):
    """What makes functions that see themselves whether they are given what they take."""

    def checked(self, classes: Sequence[type], miss: object) -> Callable[..., Any]:
        """Make a function of the inputs, to the tuple of outputs.

        Args:
            classes: The class that each argument must have, as well as the type of the input.
            miss: What is returned for any other call.
        """
        ...

    def guard(
        self, classes: Sequence[type], miss: object, unless: list[Any], is_single: bool
    ) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        """Make a function of the tuple of inputs, and of keywords, of which there must be none.

        Args:
            classes: As for `checked`.
            miss: As for `checked`.
            unless: While it is not empty, any call is another one.
            is_single: Whether the one output itself is returned, and not a tuple.
        """
        ...


class Source:
    """A text that is made when it is asked for."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()


class Executable(NamedTuple):
    """A Program made ready to run.

    Attributes:
        run: Takes the Program's inputs, plain arrays or scalars that fit their types, and returns
            the outputs as a tuple.
        source: What runs, as text that a person can read: `str` of it.
        checking: What makes functions that do the same, if it costs them nothing to see whether
            arguments fit.
        texts: Makes other texts of it, by their names: ``"llvm"``, ``"assembly"``, and
            ``"explanation"``, of what is computed by what, and why.
        refusing: Takes a function that is called whenever NumPy has to run in its place, where
            that may be.

    Example:
        >>> import functrace as ft
        >>> program = ft.make_ir(lambda x: 2 * x)(1.0)
        >>> made = Executable(lambda *inputs: tuple(ft.evaluate(program, *inputs)), str(program))
        >>> made.run(3.0)
        (6.0,)
    """

    run: Callable[..., tuple[Any, ...]]
    source: str | Source
    checking: Checking | None = None
    texts: Mapping[str, Callable[[], str]] = MappingProxyType({})
    refusing: Callable[[Callable[[], None]], None] | None = None


Lowering = Callable[[Equation], Callable[..., Any] | None]
"""Makes what computes the output of an equation from plain inputs, or the tuple of outputs; None
where it cannot."""


class Backend:
    """What makes Programs ready to run.

    A subclass compiles; one instance of it is made known by `register`. All else is done for it:
    which Programs are compiled and when, what is kept, arguments, errors of jitted functions, and
    what is promised of outputs (see `separates`).

    Attributes:
        name: By which it is chosen; unique.
        passes: What simplifies the Programs that it is given.
        lowerings: What it computes in its own way, by primitive, for `lower`.
        separates: Whether it sees to it itself that outputs share no memory with inputs, each other
            and what is kept from call to call, and that an output without axes is an array or a
            scalar as ``functrace/backends/classes.py`` says. Else that is done after each call.

    Example:
        >>> import functrace as ft
        >>> class Reference(Backend):
        ...     name = "reference"
        ...
        ...     def compile(self, program, donated, name):
        ...         program = self.simplified(program)
        ...         run = lambda *inputs: tuple(ft.evaluate(program, *inputs))
        ...         return Executable(run, str(program))
        >>> register(Reference())
        >>> print(ft.jit(lambda x: -(-x), backend="reference").source(1.0))
        def program(a: weak_float64):
            return a
    """

    name: ClassVar[str]
    passes: Pipeline = EXACT
    lowerings: Mapping[Primitive, Lowering] = MappingProxyType({})
    separates: ClassVar[bool] = False

    def compile(self, program: Program, donated: frozenset[int], name: str) -> Executable:
        """Make a Program ready to run.

        Args:
            program: The Program as it was recorded. The result is kept with it, and should not
                hold it itself, but what `simplified` makes of it.
            donated: The numbers of the inputs whose memory may be overwritten and returned; no
                other is ever written. They own their memory, and share it with nothing else.
            name: What the function should be called where it is shown, if it can be.
        """
        raise NotImplementedError

    def simplified(self, program: Program) -> Program:
        """A Program as the passes of this backend leave it; never the same object."""
        found = self.passes(program)
        if found is program:
            return Program(program.inputs, program.equations, program.outputs)
        return found

    def saved(self, program: Program) -> float:
        """About how many seconds a run takes less than by the NumPy backend.

        It is asked before `compile` where that need not be done, and should take far less time.
        """
        return math.inf

    def lower(self, equation: Equation) -> Callable[..., Sequence[Any]]:
        """What runs one equation: this backend's own lowering, or NumPy where there is none.

        It handles what NumPy has to say as the equation asks for it, and errors and warnings name
        the user's line, whatever runs.

        Returns:
            A function of the equation's inputs, plain arrays or scalars, to its outputs.
        """
        make = self.lowerings.get(equation.primitive)
        run = None if make is None else make(equation)
        if run is None:
            run = partial(equation.primitive.compiled_run, **equation.params)
        if equation.primitive.holds_programs:
            run = partial(_run_here, self.name, run)
        return partial(_run_equation, equation, run)

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


def _run_here(name: str, run: Callable[..., Any], *inputs: Any) -> Any:
    """Run what runs Programs in its turn: those, too, belong to the backend."""
    with using(name):
        return run(*inputs)


@runs_equations("equation")
def _run_equation(equation: Equation, run: Callable[..., Any], *inputs: Any) -> Sequence[Any]:
    begun = numpy_warnings.begin_handling(equation.handling)
    try:
        output = run(*inputs)
    except FunctraceError as error:
        error.at(equation.source)
        raise
    except Exception as error:
        if equation.source is not None and not getattr(error, "__notes__", None):
            error.add_note(f"recorded at {equation.source}")
        raise
    finally:
        numpy_warnings.end(begun)
    return output if equation.primitive.multiple_outputs else (output,)


# Which there are

_registered: dict[str, Backend] = {}


def register(backend: Backend) -> None:
    """Make a backend known by its name: to `functrace.jit` and `functrace.config`.

    Raises:
        ArgumentError: There is another one of this name.

    Example:
        >>> import functrace as ft
        >>> class Plain(Backend):
        ...     name = "plain"
        ...
        ...     def compile(self, program, donated, name):
        ...         run = lambda *inputs: tuple(ft.evaluate(program, *inputs))
        ...         return Executable(run, str(program))
        >>> register(Plain())
        >>> ft.jit(lambda x: x + 1, backend="plain")(2.0)
        3.0
    """
    if _registered.setdefault(backend.name, backend) is not backend:
        raise ArgumentError(f"There is a backend {backend.name!r} already.")


def backend_named(name: Any) -> Backend:
    """The backend of a name.

    Raises:
        ArgumentError: There is none.
    """
    found = _registered.get(name) if isinstance(name, str) else None
    if found is None and name == NATIVE:
        found = _native()
    if found is None:
        raise ArgumentError(
            f"There is no backend {name!r}.",
            advice=f"There are these: {', '.join(map(repr, sorted({*_registered, NATIVE})))}.",
        )
    return found


NATIVE = "native"
"""The name of the backend that needs an extra, and is imported where it is asked for."""

AUTO = "auto"
"""The name of the backend that is NumPy's, until the native one is worth its while."""


@cache
def may_be_native() -> bool:
    """Whether there may be a native backend; nothing is imported to find out."""
    return NATIVE in _registered or importlib.util.find_spec("llvmlite") is not None


def _native() -> Backend:
    """The native backend.

    Raises:
        ArgumentError: What it needs is not installed, or it does not know this machine.
    """
    try:
        importlib.import_module("functrace.backends.native.backend")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "llvmlite":
            raise
        raise ArgumentError(
            "The native backend compiles by llvmlite, which is not installed.",
            advice='Install it by: pip install "functrace[native]"',
        ) from None
    if NATIVE not in _registered:
        raise ArgumentError(
            "The native backend does not know this interpreter or processor: "
            f"{sys.implementation.name} on {platform.machine()}.",
            advice='Everything runs by backend="numpy", too.',
        )
    return _registered[NATIVE]


# Which is asked

_default = AUTO
_here: ContextVar[str | None] = ContextVar("backend", default=None)


def default() -> str:
    """The name of the backend that is asked where nobody says which."""
    return _default


def set_default(name: str) -> None:
    """Choose the backend that is asked where nobody says which, for all threads.

    Raises:
        ArgumentError: There is none of this name.
    """
    global _default  # noqa: PLW0603  (one name, set at once)
    _default = backend_named(name).name


def chosen() -> str:
    """The name of the backend that is asked here."""
    return _here.get() or _default


@contextmanager
def using(name: str) -> Generator[None]:
    """Ask another backend within this context, in this thread.

    Raises:
        ArgumentError: There is none of this name.
    """
    before = _here.set(backend_named(name).name)
    try:
        yield
    finally:
        _here.reset(before)
