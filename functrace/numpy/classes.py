"""The classes of `functrace.numpy`: arrays and scalars of NumPy's, and traced values with them.

In NumPy's own ``np.float32(t)`` and ``isinstance(t, np.ndarray)`` nobody asks a traced value.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from functrace.numpy.making import array, holds_tracer
from functrace.primitives.linear import as_scalar
from functrace.tracing.buffers import buffer_where_traced
from functrace.tracing.tracer import Tracer


class _OfArrays(type):
    """The class of `ndarray`, which is NumPy's in all but what belongs to it."""

    def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> Any:
        if any(isinstance(base, _OfArrays) for base in bases):  # a subclass is one of NumPy's
            bases = tuple(np.ndarray if isinstance(base, _OfArrays) else base for base in bases)
            return type(name, bases, space)
        return super().__new__(cls, name, bases, space)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        result = np.ndarray(*args, **kwargs)
        return buffer_where_traced(result, result.base is not None)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, np.ndarray | Tracer)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or issubclass(subclass, np.ndarray | Tracer)

    def __getattr__(cls, name: str) -> Any:
        return getattr(np.ndarray, name)


class ndarray(metaclass=_OfArrays):  # noqa: N801  (NumPy's name)
    """NumPy's arrays, and traced values, for ``isinstance``; else it is `numpy.ndarray`.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> kinds = []
        >>> ft.grad(lambda x: kinds.append(isinstance(x, ft.numpy.ndarray)) or x.sum())(np.ones(2))
        array([1., 1.])
        >>> kinds
        [True]
    """


class _OfScalars(type):
    """The class of `functrace.numpy.float32` and the like."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        scalar: Any = cls.__base__
        if args and holds_tracer(args[0]):
            return as_scalar(array(args[0], np.dtype(scalar)))
        return scalar(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        scalar: Any = cls.__base__
        if isinstance(instance, Tracer):
            return instance.shape == () and instance.dtype == np.dtype(scalar)
        return isinstance(instance, scalar)

    def __subclasscheck__(cls, subclass: type) -> bool:
        scalar: Any = cls.__base__
        return issubclass(subclass, scalar)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.__base__

    def __hash__(cls) -> int:
        return hash(cls.__base__)

    def __repr__(cls) -> str:
        return f"<class 'functrace.numpy.{cls.__name__}'>"


def is_scalar_class(x: Any) -> bool:
    """Whether something is one of NumPy's classes of numbers, and not of a kind of these."""
    return isinstance(x, type) and x in np.sctypeDict.values() and np.dtype(x).kind in "biufc"


@cache
def casting(scalar: Any) -> Any:
    """A class of NumPy's scalars that casts traced values too.

    It is a dtype wherever NumPy's class is one, and equal to it; what it makes of plain numbers
    is NumPy's.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: ft.numpy.float32(x) ** 2)(3.0)
        np.float64(6.0)
    """
    name = scalar.__name__
    doc = f"""{scalar.__doc__.rstrip()}

Example:
    >>> import functrace as ft
    >>> ft.jit(lambda x: ft.numpy.{name}(x))(1.0).dtype
    {np.dtype(scalar)!r}
"""
    space = {"__module__": "functrace.numpy", "__doc__": doc}
    return _OfScalars(name, (scalar,), space)
