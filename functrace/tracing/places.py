"""Places in the user's code: of what is recorded, of errors, and whose fault an error is.

Python's stack tells where the user's code is: the innermost frame that runs no file of functrace,
NumPy, SciPy or Python's own library. While a Program runs, that is the line which runs it; the line
that the user wants to see is the one from which the equation was recorded. What runs Programs is
marked by `runs_equations`, so that a look at the stack finds that line too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import FrameType
from typing import Any, Self, TypeVar

import numpy as np

from functrace.errors import ArgumentError
from functrace.ir.primitive import Primitive
from functrace.ir.program import Derivative, Source
from functrace.tracebacks import boundary

Place = tuple[Any, ...]
"""A code object, an instruction in it, and the scope if there is one: a Source in the cheapest form
there is."""

# With the separator at the end: a user's functrace_models/ is not ours.
OWN_FOLDER = __file__.removesuffix("tracing/places.py")
NUMPY_FOLDER = np.__file__.removesuffix("__init__.py")
_SITE = NUMPY_FOLDER.removesuffix(f"numpy{os.sep}")
SCIPY_FOLDER = f"{_SITE}scipy{os.sep}"
ARRAY_LIBRARIES = (
    NUMPY_FOLDER,
    "numpy/",  # compiled code is named so
    SCIPY_FOLDER,
    *(f"{_SITE}{name}{os.sep}" for name in ("pandas", "xarray")),
)
"""What hands arrays on for its user, whose line is the one that called it."""
LIBRARIES = (OWN_FOLDER, *ARRAY_LIBRARIES)
_PYTHON = os.__file__.removesuffix("os.py")
_RUNS_EQUATIONS = "a library's, with functions that run equations"
_is_library: dict[str, Any] = {}
"""Files by their names: most looks at the stack are not for what runs equations. Of a file that is
watched it is the function that looks at its frames."""
_watched: dict[str, Callable[[FrameType], None]] = {}
"""By folders of libraries, with the separator at the end."""

users_files: set[str] = set()
"""Those of the user's that have been seen, as long as no scope asks for more than a line."""

frame_above = sys._getframe  # pyright: ignore[reportPrivateUsage]  (the documented way)
"""The frame of a function that has called this one, so many calls ago."""

F = TypeVar("F", bound=Callable[..., Any])


def is_library(file: str) -> bool:
    """Whether a file belongs to one of `LIBRARIES`, or to Python's own."""
    found = _is_library.get(file)
    if found is None:
        found = file.startswith((*LIBRARIES, "<frozen ")) or _is_pythons(file)
        looking = (look for folder, look in _watched.items() if file.startswith(folder))
        _is_library[file] = found = next(looking, found)
        if not found and not _uses_scopes:
            users_files.add(file)
    return bool(found)


def watch(folder: str, look: Callable[[FrameType], None]) -> None:
    """Have a function look at each frame of a folder's files within which something is recorded.

    Args:
        folder: A folder of a library.
        look: It may raise an error.
    """
    _watched[folder] = look


def user_place(depth: int) -> Place | None:
    """The innermost place of the user's, outside all libraries, ``depth`` frames up or more."""
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]  (the documented way)
    while frame is not None:
        code = frame.f_code
        # `is_library`, written out: every operation comes here.
        library = _is_library.get(code.co_filename)
        if library is None:
            library = is_library(code.co_filename)
        if not library:
            if _uses_scopes:
                return code, frame.f_lasti, scope_here(depth + 1)
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def source_of(place: Place | None) -> Source | None:
    """The place with its file and line."""
    if place is None or type(place) is Source:
        return place
    code, instruction = place[:2]
    return _new(Source, (code, instruction, place[2] if len(place) > 2 else "", None))


_new = tuple.__new__
"""Of named tuples, sooner than by their classes: each operation that is recorded makes one."""


# Scopes

_uses_scopes: list[None] = []
"""Not empty once there has been a scope: until then nothing asks for one."""
_scope: ContextVar[str] = ContextVar("scope", default="")


class named_scope(ContextDecorator):  # noqa: N801  (as `contextlib.suppress`: it is used as a verb)
    """Name what is recorded in a ``with`` block, or in a function.

    The name stands beside the equations of recorded Programs, beside the lines of generated source,
    and in the table of costs; scopes within scopes are written ``encoder/attention``. It changes
    nothing else.

    Args:
        name: The name.

    Raises:
        ArgumentError: The name is no text, or empty.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def layer(x):
        ...     with ft.named_scope("activation"):
        ...         return np.tanh(x)
        >>> print(ft.make_ir(layer)(1.0))  # doctest: +ELLIPSIS
        def program(a: weak_float64):
            b: float64 = tanh(a)  # ... in activation
            return b
    """

    @boundary
    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(
                f"The name of a scope must be a text, not {name!r}.",
                advice='Write named_scope("attention").',
            )
        # It ends a line of text, and must not begin another one.
        self.name = "".join(letter if letter.isprintable() else "?" for letter in name)
        self._before: list[Token[str]] = []

    def _recreate_cm(self) -> named_scope:
        return named_scope(self.name)  # one for each call of a function

    def __repr__(self) -> str:
        return f"<named scope {self.name}>"

    def __enter__(self) -> Self:
        if not _uses_scopes:
            _uses_scopes.append(None)
            users_files.clear()
        around = _scope.get()
        self._before.append(_scope.set(f"{around}/{self.name}" if around else self.name))
        return self

    def __exit__(self, *exception: object) -> None:
        _scope.reset(self._before.pop())


def scope_here(depth: int) -> str:
    """The scope in which functrace is at work, ``depth`` frames up or further.

    Where an equation is being run again, as transformations do, it is that of the equation.
    """
    around = _scope.get()
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and is_library(frame.f_code.co_filename):
        if id(frame.f_code) in _source_names:
            source = source_in(frame)
            if source is not None and source.scope:
                inside = source.scope
                is_whole = not around or f"{inside}/".startswith(f"{around}/")
                return inside if is_whole else f"{around}/{inside}"
        frame = frame.f_back
    return around


# Programs that run

PLACES = "__places__"
"""The name under which generated source finds the place in the user's code of each of its lines."""

_source_names: dict[int, str] = {}
"""By the identity of the code: a hash of all of it would take longer than the rest."""


def runs_equations(local: str) -> Callable[[F], F]:
    """Mark a function that runs one equation, or row of a tape, after another.

    Args:
        local: Its local variable that holds the equation, or the place, whose turn it is.
    """

    def mark(function: F) -> F:
        _source_names[id(function.__code__)] = local
        _is_library[function.__code__.co_filename] = _RUNS_EQUATIONS
        return function

    return mark


_of_rule: ContextVar[Place | None] = ContextVar("of_rule", default=None)
begin_rule, end_rule = _of_rule.set, _of_rule.reset
"""Around a rule of functrace's own: the place of the operation whose rule it is, or None around one
of the user's, whose lines are places themselves. It is found sooner than a frame of the stack."""

_derivative: ContextVar[Derivative | None] = ContextVar("derivative", default=None)
derivative_here, end_derivative = _derivative.get, _derivative.reset


def begin_derivative(
    primitive: Primitive,
    params: Mapping[str, Any],
    direction: str,
    place: Place | None,
    around: Derivative | None,
) -> Token[Derivative | None]:
    """Say what a rule whose work may be recorded is asked for, until `end_derivative`.

    Loops and the like are no rules: what their bodies do is not part of their derivative alone.
    """
    name = users_name(params)
    if name is None and primitive.holds_programs:
        return _derivative.set(around)
    return _derivative.set(_new(Derivative, (name or primitive.name, direction, place)))


def users_name(params: Mapping[str, Any]) -> str | None:
    """The name of the user's function that an operation calls, if it does."""
    function = params.get("function", params.get("callback")) if params else None
    return getattr(function, "name", None)


def recorded_source(place: Place | None) -> Source | None:
    """As `source_of`; of what a rule does it knows of which operation the derivative is."""
    source, derivative = source_of(place), _derivative.get()
    if derivative is None or source is None or source.derivative is not None:
        return source
    return _new(Source, (*source[:3], derivative))


def recorded_place(depth: int) -> Place | None:
    """As `user_place`; of an equation, or a row of a tape, that is being run, it is the place.

    So what the walk back records stands where the operation stands that it walks through.
    """
    place = _of_rule.get()
    if place is not None and not _uses_scopes:
        return place
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        code = frame.f_code
        if code.co_filename in users_files:
            return code, frame.f_lasti
        library = _is_library.get(code.co_filename)  # as in `user_place`
        if library is None:
            library = is_library(code.co_filename)
        if not library:
            place = code, frame.f_lasti
            return (*place, scope_here(depth + 1)) if _uses_scopes else place
        if library is _RUNS_EQUATIONS and id(code) in _source_names:
            source = source_in(frame)
            if source is not None:
                if _uses_scopes:
                    return source._replace(scope=scope_here(depth + 1))
                return source if source.derivative else source[:2]
        elif library is not True and callable(library):
            library(frame)
        frame = frame.f_back
    return None


def place_here(depth: int) -> Place | None:
    """As `recorded_place`, and sooner where nothing that runs equations is on the way."""
    frame = frame_above(depth)
    while frame is not None:
        code = frame.f_code
        if code.co_filename in users_files:
            return code, frame.f_lasti
        if _is_library.get(code.co_filename) is not True:
            break
        frame = frame.f_back
    return recorded_place(depth + 1)


def source_here(depth: int) -> Source | None:
    """The user's line for which functrace is at work, ``depth`` frames up or further.

    It is that of the equation that is being run, if one is. Looking for it takes a while: it is
    for messages.
    """
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        source = source_in(frame)
        if source is not None:
            return source
        if not is_library(frame.f_code.co_filename):
            return Source(frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return None


def running_here(depth: int) -> Any:
    """The equation, or the place of a row, for which functrace is at work; None if there is none.

    As `source_here`, of which it is the innermost: no line of the user's is nearer.
    """
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and is_library(frame.f_code.co_filename):
        local = _source_names.get(id(frame.f_code))
        if local is not None:
            return frame.f_locals.get(local)
        frame = frame.f_back
    return None


def source_in(frame: FrameType) -> Source | None:
    """The user's line from which the equation was recorded that a frame runs, if it runs one."""
    local = _source_names.get(id(frame.f_code))
    if local is None:
        places = frame.f_globals.get(PLACES)  # of generated source, unless its lines are the user's
        if places is None or not frame.f_code.co_filename.startswith("<functrace "):
            return None
        return places[frame.f_lineno - 1]
    found = frame.f_locals.get(local)
    source = getattr(found, "source", found)
    return source if source is None or isinstance(source, Source) else Source(*source)


# Whose fault an error is


def is_users(frame: FrameType) -> bool:
    """Whether a frame runs the user's own code: no library's, and none that was generated."""
    return not is_library(frame.f_code.co_filename) and PLACES not in frame.f_globals


def is_users_error(error: BaseException) -> bool:
    """Whether an exception that was caught has come out of the user's own code.

    What a function or rule of theirs raises is not functrace's to explain. It has passed through
    a frame of theirs; what NumPy says of a primitive's inputs has not.
    """
    step = error.__traceback__
    while step is not None:
        if is_users(step.tb_frame):
            return True
        step = step.tb_next
    return False


def _is_pythons(file: str) -> bool:
    """Whether a file belongs to Python's own library."""
    return file.startswith(_PYTHON) and "-packages" not in file.removeprefix(_PYTHON)
