"""What a function can reach, and so use or change, besides its arguments.

Its globals, closure and defaults are looked at, and what these hold, a few steps far.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
    NoneType,
)
from typing import Any

import numpy as np

from functrace.tracing.places import is_library

STEPS = 3
"""How far an object may be from the function: a closure, an object in it, its attribute."""

MOST_ITEMS = 100
"""So many items of a container are looked at."""

_MOST_MODULES = 1000

_LEAVES: frozenset[type] = frozenset(
    {NoneType, bool, int, float, complex, str, bytes, slice, range}
    | {BuiltinFunctionType, np.ufunc, type(np.sum), np.dtype}
    | {np.dtype(code).type for code in "?bhilqBHILQefdgFDG"}
)
"""What refers to nothing; there is more of it than of all else."""

_VALUES = np.generic, str, int, float  # of which there may be subclasses


def is_generator(x: Any) -> bool:
    """Whether an object draws random numbers; to ask does not import `numpy.random`."""
    return isinstance(x, _generator_classes())


def _generator_classes() -> tuple[type, ...]:
    module = sys.modules.get("numpy.random")
    return () if module is None else (module.Generator, module.RandomState)


def reached(x: Any) -> list[Any]:
    """An object, and what is within `STEPS` of it; arrays and generators one step further."""
    found: list[Any] = []
    seen: set[int] = set()
    held: list[Any] = []  # what was made on the way, or another object could get its identity
    nearest: list[Any] = [x]
    ends = (np.ndarray, *_generator_classes())
    for steps in range(STEPS + 1, -1, -1):
        further: list[Any] = []
        for near in nearest:  # which grows: what only holds something else is no step
            if type(near) in _LEAVES or id(near) in seen:
                continue
            seen.add(id(near))
            if isinstance(near, ends):
                found.append(near)
            elif isinstance(near, type):
                nearest += _generators_of(near)
            elif steps and not isinstance(near, _VALUES):
                found.append(near)
                is_wrapper, beside = _next_to(near)
                held.append(beside)
                (nearest if is_wrapper else further).extend(beside)
        held.append(further)
        nearest = further
    return found


def _next_to(x: Any) -> tuple[bool, Iterable[Any]]:
    """Whether an object only holds another one, and what it refers to."""
    if isinstance(x, CellType):
        try:
            return True, (x.cell_contents,)
        except ValueError:  # it is empty yet
            return True, ()
    if isinstance(x, FunctionType):
        return _beside_function(x)
    if isinstance(x, MethodType):
        return True, (x.__self__, x.__func__)
    if isinstance(x, partial):
        wrapped = x.__dict__.get("__wrapped__")  # of a transformation
        if wrapped is not None:
            return True, (wrapped,)
        return True, (x.func, *x.args, *x.keywords.values())  # pyright: ignore[reportUnknownMemberType]
    if isinstance(x, (list, tuple)):
        return False, x[:MOST_ITEMS]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(x, dict):
        return False, [*x.values()][:MOST_ITEMS]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(x, ModuleType):
        is_users = not is_library(str(getattr(x, "__file__", "<frozen >")))
        return False, _generators_in_module(vars(x)) if is_users else ()
    attributes = [*getattr(x, "__dict__", {}).values()][:MOST_ITEMS]
    return False, attributes + _generators_of(type(x))


def _beside_function(f: FunctionType) -> tuple[bool, list[Any]]:
    if is_library(f.__code__.co_filename):
        wrapped = getattr(f, "__wrapped__", None)
        return True, [*(f.__closure__ or ())] if wrapped is None else [wrapped]
    namespace = f.__globals__
    beside = [namespace[name] for name in names_in(f.__code__) if name in namespace]
    beside += _generators_in_module(namespace)
    beside += f.__closure__ or ()
    beside += f.__defaults__ or ()
    beside += (f.__kwdefaults__ or {}).values()
    return False, beside


def _generators_of(cls: type) -> list[Any]:
    """What draws random numbers among the attributes of a class."""
    found: list[Any] = []
    for base in cls.__mro__:
        if str(base.__module__).partition(".")[0] not in ("builtins", "functrace", "numpy"):
            found += _generators_among(vars(base))
    return found


_names_of_generators: dict[tuple[int, int], list[str]] = {}
"""By the identity of a module's namespace and how many names are in it: to look at all of them
takes as long as the rest. What the code of a function names is looked at in any case."""


def _generators_in_module(namespace: dict[str, Any]) -> list[Any]:
    """The generators in the namespace of a module."""
    key = id(namespace), len(namespace)
    names = _names_of_generators.get(key)
    if names is None:
        if len(_names_of_generators) >= _MOST_MODULES:
            _names_of_generators.clear()
        names = [name for name, value in [*namespace.items()] if is_generator(value)]
        _names_of_generators[key] = names
    return [namespace[name] for name in names if is_generator(namespace.get(name))]


def _generators_among(namespace: Any) -> list[Any]:
    """The generators in the namespace of a module or a class: nearly always there is none."""
    values = [*namespace.values()]
    kinds = {*map(type, values)}.difference(_LEAVES)
    classes = _generator_classes()
    kinds = [kind for kind in kinds if issubclass(kind, classes)]
    return [value for value in values if type(value) in kinds] if kinds else []


def names_in(code: CodeType) -> set[str]:
    """The names of globals, and of attributes, in a code object and those within it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_in(constant)
    return names
