"""What a user called of SciPy's, and its twin of functrace's.

SciPy's functions are Python code around code in C. They make arrays of what they are given, or ask
it for numbers, far from the line of the user; nothing is handed over, as NumPy does it. What the
user called tells Python's stack, and functrace has a function of the same name for most of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from functrace.errors import UnsupportedFunctionError
from functrace.tracing.places import OWN_FOLDER, SCIPY_FOLDER, Place, is_library, source_of

_TWINS = f"{OWN_FOLDER}scipy{os.sep}"


def refused_in_scipy(
    request: str, frame: FrameType | None, place: Place | None
) -> UnsupportedFunctionError | None:
    """The error where a function of SciPy's asks a traced value for what it has not.

    Args:
        request: What it does, as in "makes an ordinary array of a traced float64[3]".
        frame: Any within which it asks.
        place: The user's.

    Returns:
        None where it is no public function of SciPy's that the user called.
    """
    path = _called(frame)
    if path is None:
        return None
    return UnsupportedFunctionError(
        f"{path} {request}: SciPy does not hand traced values over.",
        source_of(place),
        remedy_in_scipy(path),
    )


def raised_in_scipy(
    error: BaseException, step: TracebackType | None, place: Place | None, tracer_type: type
) -> UnsupportedFunctionError | None:
    """The error in place of what a function of SciPy's says of a traced value that it was given.

    Args:
        error: What it raised.
        step: Of the traceback, from the user's frame or without one.
        place: The user's.
        tracer_type: The class of traced values.
    """
    within = _passed(step)
    path = _first_name(within)
    if path is None or not isinstance(error, Exception):
        return None
    if not any(_holds(x, tracer_type) for x in within[0].f_locals.values()):
        return None
    return UnsupportedFunctionError(
        f"{path} does not know what to do with a traced value: {error}.",
        source_of(place),
        remedy_in_scipy(path),
    )


def remedy_for_passed(step: TracebackType | None) -> str | None:
    """What to write in place of the function of SciPy's that an error passed, if there is such."""
    path = _first_name(_passed(step))
    return None if path is None else remedy_in_scipy(path)


def _passed(step: TracebackType | None) -> list[FrameType]:
    """The frames of SciPy's that an error passed, from the outermost; none within a twin."""
    within: list[FrameType] = []
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.startswith(SCIPY_FOLDER):
            within.append(step.tb_frame)
        elif not within and file.startswith(_TWINS):
            return []
        step = step.tb_next
    return within


def _first_name(within: Iterable[FrameType]) -> str | None:
    """The name of the outermost frame that runs what is public."""
    return next(filter(None, map(_name_of, within)), None)


def _holds(x: Any, tracer_type: type) -> bool:
    """Whether an argument is a traced value, or holds one."""
    if isinstance(x, tracer_type):
        return True
    items: Any = x.values() if type(x) is dict else x if type(x) in (list, tuple) else ()
    return any(isinstance(item, tracer_type) for item in items)


def remedy_in_scipy(path: str) -> str | None:
    """What to write in place of a function of SciPy's, called by its full name.

    Args:
        path: As in "scipy.stats.norm.logpdf".
    """
    twin = f"functrace.{path}"
    module = _module_of(twin)
    if module is not None:
        name = module.__name__.removeprefix("functrace.")
        return (
            f"Write {twin}, which takes traced values: import functrace.{name} in place of {name}."
        )
    return _remedy_for_distribution(path)


def _remedy_for_distribution(path: str) -> str | None:
    """What to write in place of a distribution, or a function of samples, that has no twin."""
    if not path.startswith("scipy.stats."):
        return None
    names: list[str] = import_module("functrace.scipy.stats").__all__
    return (
        f"functrace.scipy.stats has no {path.split('.')[2]}. It has {', '.join(names)}: write it "
        "with these, as a distribution of another scale, power or sum of theirs, or its formula "
        "with NumPy and functrace.scipy.special; or give it a derivative with "
        "functrace.extend.wrap."
    )


def _module_of(path: str) -> ModuleType | None:
    """The module of functrace's in which there is what a path names, if it is made for SciPy's."""
    parts = path.split(".")
    for count in range(3, len(parts)):
        try:
            module = found = import_module(".".join(parts[:count]))  # above: for messages alone
        except ModuleNotFoundError:
            return None
        for part in parts[count:]:
            found = getattr(found, part, None)
        if str(getattr(found, "__module__", None)).startswith("functrace.scipy."):
            return module
    return None


def _called(frame: FrameType | None) -> str | None:
    """The full name of the function, the method or the class of SciPy's that the user called."""
    within: list[FrameType] = []
    while frame is not None and is_library(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith(SCIPY_FOLDER):
            within.append(frame)
        elif within and frame.f_code.co_filename.startswith(_TWINS):
            return None  # the twin has called it
        frame = frame.f_back
    return _first_name(reversed(within))


def _name_of(frame: FrameType) -> str | None:
    """The full name of what a frame runs; None for what is not public."""
    code = frame.f_code
    owner, _, name = code.co_qualname.rpartition(".")
    if "<locals>" in owner:  # of a decorator, which knows what it decorates
        inner = (x for x in frame.f_locals.values() if isinstance(x, FunctionType))
        return next(filter(None, (_full_name(x.__module__, x.__qualname__) for x in inner)), None)
    of = frame.f_locals.get(code.co_varnames[0]) if owner and code.co_argcount else None
    return _full_name(frame.f_globals["__name__"], name, of)


def _full_name(place: str, name: str, of: Any = None) -> str | None:
    """The full name of a function, or a method of an object, from a module of SciPy's."""
    for module in _public_modules(place):
        held = name if of is None else _name_in(module, of)
        if held is not None and held in vars(module):
            return f"{module.__name__}.{held}" + (
                "" if of is None or name[0] == "_" else f".{name}"
            )
    return None


def _public_modules(name: str) -> Iterator[ModuleType]:
    """The public packages of SciPy's that a module is in, from the outermost."""
    path, *parts = name.split(".")
    for part in parts:
        path = f"{path}.{part}"
        if part[0] == "_" or path not in sys.modules:
            return
        yield sys.modules[path]


def _name_in(module: ModuleType, x: Any) -> str | None:
    """What a module calls an object, the distribution that it holds, or its class."""
    for name, value in vars(module).items():
        if value is x:
            return name
    of = getattr(x, "dist", None)  # of a frozen distribution
    classes = (kind.__name__.removesuffix("_frozen") for kind in type(x).__mro__[:-1])
    names = (getattr(of, "name", None), *classes)
    return next((name for name in names if name and name in vars(module)), None)
