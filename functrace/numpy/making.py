"""NumPy's functions that make arrays of what they are given, where that may hold tracers.

NumPy cannot hand these calls over: ``np.array([t, t])`` asks each tracer to become an array.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from functrace.errors import OperandError
from functrace.tracing import FUNCTIONS, Tracer, source_of, strong, user_place


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


def _as_array(x: Any) -> Any:
    return array(x) if isinstance(x, list | tuple) and _holds_tracer(x) else x


def accepting_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function of arrays that also takes lists of traced values in their place.

    NumPy looks for tracers among the arguments, but not inside lists: ``np.mean([t, t])`` would
    make an array of the list.
    """
    implementation = FUNCTIONS[function]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if isinstance(x, list | tuple) and _holds_tracer(x):
                return implementation(*map(_as_array, args), **kwargs)
        return function(*args, **kwargs)

    return call


class Joiner:
    """What ``np.r_`` and ``np.c_`` are, for traced values too: arrays joined by indexing.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: (ft.numpy.r_[x, 1.0, 2 * x] ** 2).sum())(1.0)
        np.float64(10.0)
    """

    def __init__(self, original: Any, as_columns: bool) -> None:
        """Keep NumPy's own object, which serves where nothing is traced."""
        self._original = original
        self._as_columns = as_columns

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(map(_holds_tracer, parts)):
            return self._original[key]
        arrays: list[Any] = []
        for part in parts:
            if isinstance(part, str):
                raise OperandError(
                    f"np.r_ and np.c_ take no directive such as {part!r} beside traced values.",
                    source_of(user_place(1)),
                    "Join the arrays with np.concatenate or np.stack along the axis you mean.",
                )
            x = self._original[part] if isinstance(part, slice) else np.atleast_1d(asarray(part))
            arrays.append(x[:, None] if self._as_columns and x.ndim == 1 else x)
        return np.concatenate(arrays, axis=-1 if self._as_columns else 0)


r_ = Joiner(np.r_, as_columns=False)
c_ = Joiner(np.c_, as_columns=True)


TAKING_LISTS = {
    function.__name__: accepting_lists(function)
    for function in (
        np.all, np.amax, np.amin, np.angle, np.any, np.append, np.argmax, np.argmin, np.argsort,
        np.around, np.array_equal, np.average, np.broadcast_to, np.clip, np.count_nonzero, np.cross,
        np.cumsum, np.diag, np.diagflat, np.diff, np.dot, np.expand_dims, np.flip, np.gradient,
        np.inner, np.isclose, np.kron, np.max, np.mean, np.min, np.moveaxis, np.nanmax, np.nanmean,
        np.nanmin, np.nanprod, np.nanstd, np.nansum, np.nanvar, np.outer, np.pad, np.prod, np.ptp,
        np.ravel, np.repeat, np.reshape, np.roll, np.round, np.sort, np.squeeze, np.std, np.sum,
        np.swapaxes, np.take, np.tensordot, np.tile, np.trace, np.transpose, np.trapezoid, np.tril,
        np.triu, np.vdot, np.var, np.where,
    )
}  # fmt: skip
"""NumPy's functions of one array, or of several, of which each may be given as a list. Those of a
sequence of arrays (concatenate, stack, ...) are left out: NumPy looks into the sequence itself."""
