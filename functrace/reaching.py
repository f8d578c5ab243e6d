"""What a function can reach, and so use or change, besides its arguments.

Its globals, closure and defaults are looked at, and what these hold, a few steps far.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from functrace.places import LIBRARIES

STEPS = 3
"""How far an object may be from the function: a closure, an object in it, its attribute."""

MOST_ITEMS = 100
"""So many items of a container are looked at."""


def is_generator(x: Any) -> bool:
    """Whether an object draws random numbers; to ask does not import `numpy.random`."""
    module = sys.modules.get("numpy.random")
    return module is not None and isinstance(x, (module.Generator, module.RandomState))


def reached(x: Any, steps: int = STEPS, seen: set[int] | None = None) -> Iterator[Any]:
    """An object, and what is within so many steps of it; arrays and generators one step further."""
    seen = set() if seen is None else seen
    if id(x) in seen or isinstance(x, np.generic | str | int | float):
        return
    if isinstance(x, type):
        yield from _generators_of(x)
        return
    if isinstance(x, np.ndarray) or is_generator(x):
        seen.add(id(x))
        yield x
        return
    if steps < 0:
        return
    seen.add(id(x))
    yield x
    steps -= not _is_wrapper(x)
    for next_one in _next_to(x):
        yield from reached(next_one, steps, seen)


def _is_wrapper(x: Any) -> bool:
    """Whether an object only holds another one: that is no step further."""
    if isinstance(x, FunctionType):
        return x.__code__.co_filename.startswith(LIBRARIES)
    return isinstance(x, CellType | partial | MethodType)


def _next_to(x: Any) -> Iterator[Any]:
    """What an object refers to."""
    if isinstance(x, FunctionType):
        if x.__code__.co_filename.startswith(LIBRARIES):
            wrapped = getattr(x, "__wrapped__", None)
            yield from () if wrapped is None else (wrapped,)
        else:
            names = _names_in(x.__code__)
            for name, value in [*x.__globals__.items()]:
                if name in names:
                    yield value
            yield from _generators_among(x.__globals__)
            yield from x.__defaults__ or ()
            yield from (x.__kwdefaults__ or {}).values()
        yield from x.__closure__ or ()
    elif isinstance(x, CellType):
        try:
            yield x.cell_contents
        except ValueError:  # it is empty yet
            return
    elif isinstance(x, MethodType):
        yield x.__self__
        yield x.__func__
    elif isinstance(x, partial):
        yield x.func  # pyright: ignore[reportUnknownMemberType]
        yield from x.args
        yield from x.keywords.values()
    elif isinstance(x, list | tuple):
        yield from x[:MOST_ITEMS]  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(x, dict):
        yield from [*x.values()][:MOST_ITEMS]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(x, ModuleType):
        if not str(getattr(x, "__file__", None)).startswith(LIBRARIES):
            yield from _generators_among(vars(x))
    else:
        yield from [*getattr(x, "__dict__", {}).values()][:MOST_ITEMS]
        yield from _generators_of(type(x))


def _generators_of(cls: type) -> Iterator[Any]:
    """What draws random numbers among the attributes of a class."""
    for base in cls.__mro__:
        for value in [*vars(base).values()][:MOST_ITEMS]:
            if is_generator(value):
                yield value


def _generators_among(namespace: dict[str, Any]) -> Iterator[Any]:
    """The generators in a module's namespace: nearly always there is none."""
    module = sys.modules.get("numpy.random")
    if module is not None:
        values = [*namespace.values()]
        kinds = [
            kind
            for kind in set(map(type, values))
            if issubclass(kind, (module.Generator, module.RandomState))
        ]
        if kinds:
            yield from (value for value in values if type(value) in kinds)


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
