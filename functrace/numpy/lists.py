"""NumPy's functions of arrays, taking lists of traced values in their place.

NumPy looks for tracers among the arguments, but not inside lists: ``np.mean([t, t])`` would make
an array of the list.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper, wraps
from types import ModuleType
from typing import Any

import numpy as np

from functrace.numpy.keywords import taking_keywords
from functrace.numpy.making import array, holds_tracer
from functrace.tracing.entrances import at_entrance
from functrace.tracing.tables import FUNCTIONS


def _as_array(x: Any) -> Any:
    return array(x) if isinstance(x, list | tuple) and holds_tracer(x) else x


def _of_arrays(x: Any) -> Any:
    """A sequence of arrays, of which each may be given as a list."""
    return type(x)(map(_as_array, x)) if type(x) in (list, tuple) else x


def accepting_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function of arrays that also takes lists of traced values in their place.

    NumPy looks for tracers among the arguments, but not inside lists: ``np.mean([t, t])`` would
    make an array of the list. Nor does it look at every argument: of ``np.take(table, t)`` it
    sees the table only.
    """
    implementation = FUNCTIONS[function]
    convert = _of_arrays if function.__name__ in _OF_SEQUENCES else _as_array

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            for x in (*args, *kwargs.values()) if kwargs else args:
                if holds_tracer(x):
                    named = {name: convert(x) for name, x in kwargs.items()}
                    return implementation(*map(convert, args), **named)
            return function(*args, **kwargs)
        except Exception as error:
            at_entrance(error)
            raise

    return call


_OF_SEQUENCES = frozenset({
    "block", "choose", "column_stack", "concatenate", "dstack", "histogram2d", "histogramdd",
    "hstack", "lexsort", "multi_dot", "ravel_multi_index", "select", "stack", "vstack",
})  # fmt: skip
"""NumPy's functions of a sequence of arrays, which NumPy looks into itself."""


def taking_lists() -> list[str]:
    """The names of NumPy's functions of one array, or of several, that are known on tracers by now.

    What is written into stays as it is, nests of arrays (block, select) are looked into by
    functrace, and arrays are made of lists by functions of their own.
    """
    return [
        name
        for function in FUNCTIONS
        if isinstance(name := getattr(function, "__name__", None), str)
        and getattr(np, name, None) is function
        and not isinstance(function, type)
        and name not in ("block", "copy", "copyto", "full", "place", "put", "putmask", "select")
        and name not in ("array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray")
    ]


def ufunc_accepting_lists(ufunc: np.ufunc) -> Callable[..., Any]:
    """A ufunc of NumPy's that also takes lists of traced values; with its methods, NumPy's own.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda t: ft.numpy.sqrt([t, 4.0]).sum())(1.0)
        np.float64(0.5)
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            for x in args:
                if type(x) in _LISTS and holds_tracer(x):
                    return ufunc(*map(_as_array, args), **kwargs)
            return ufunc(*args, **kwargs)
        except Exception as error:
            at_entrance(error)
            raise

    update_wrapper(call, ufunc, updated=())
    call.__module__ = "functrace.numpy"
    vars(call).update({name: getattr(ufunc, name) for name in dir(ufunc) if name[0] != "_"})
    vars(call)["at"] = taking_keywords("at", ufunc.at)
    return call


_LISTS = (list, tuple)


_OF_LINALG = frozenset({"cholesky", "eigh", "slogdet"})
"""Those of its functions that take JAX's keywords."""


def accepting_lists_of(original: ModuleType, name: str) -> Any:
    """What a module of NumPy's has by a name; a function of arrays so that it takes lists too."""
    value = getattr(original, name)
    if not isinstance(value, type) and callable(value) and value in FUNCTIONS:
        value = accepting_lists(value)
        value = taking_keywords(name, value) if name in _OF_LINALG else value
    return value


def attributes_of(original: ModuleType, namespace: dict[str, Any]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module in a file, for what a module of NumPy's has.

    Args:
        original: The module of NumPy's.
        namespace: The globals of the file, with ``__all__``; what was asked for is kept there.
    """

    def found(name: str) -> Any:
        if name not in namespace["__all__"]:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = accepting_lists_of(original, name)
        return value

    return found


class ListNamespace(ModuleType):
    """A namespace of NumPy's, no module of a file, whose functions take lists of traced values."""

    def __init__(self, original: ModuleType) -> None:
        super().__init__(f"functrace.numpy.{original.__name__.rpartition('.')[2]}")
        self.__doc__ = original.__doc__
        self._original = original

    def __getattr__(self, name: str) -> Any:
        value = accepting_lists_of(self._original, name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return dir(self._original)
