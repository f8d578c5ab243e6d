"""NumPy's functions that make arrays of what they are given, where that may hold tracers.

NumPy cannot hand these calls over: ``np.array([t, t])`` asks each tracer to become an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.tracing import Tracer, strong


def _holds_tracer(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_holds_tracer, x))
    return isinstance(x, Tracer)


def _stacked(x: Any) -> Any:
    """Nested lists with tracers in them as one traced array."""
    if isinstance(x, list | tuple):
        return np.stack([_stacked(item) for item in x])
    return strong(x) if isinstance(x, Tracer) else np.asarray(x)


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
) -> Any:
    """As `numpy.array`, for tracers and nested lists of them too.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: ft.numpy.array([x, 2 * x, 1.0]).sum())(5.0)
        np.float64(3.0)
    """
    if not _holds_tracer(object):
        options: dict[str, Any] = {} if like is None else {"like": like}
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin, **options)
    result = _stacked(object)
    if dtype is not None and result.dtype != np.dtype(dtype):
        result = result.astype(dtype)
    elif isinstance(object, Tracer) and copy:
        result = result.copy()
    missing = ndmin - result.ndim
    return np.reshape(result, (1,) * missing + result.shape) if missing > 0 else result


def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """As `numpy.asarray`; a tracer of the right dtype is returned as it is."""
    return array(a, dtype, copy=copy, order=order or "K", like=like)


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """As `numpy.ascontiguousarray`: at least one axis."""
    if not _holds_tracer(a):
        options: dict[str, Any] = {} if like is None else {"like": like}
        return np.ascontiguousarray(a, dtype, **options)
    return array(a, dtype, copy=None, ndmin=1)


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """As `numpy.full`, where the value may be traced."""
    if not _holds_tracer(fill_value):
        options: dict[str, Any] = {} if like is None else {"like": like}
        return np.full(shape, fill_value, dtype, order, **options)
    return np.broadcast_to(array(fill_value, dtype), shape).copy()
