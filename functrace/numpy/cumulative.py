"""Sums and products so far, also those that leave out nan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.numpy.statistics import without_nan
from functrace.primitives.cumulating import ACCUMULATIONS, cumulative_sum_primitive
from functrace.primitives.linear import cast_to, dtype_of
from functrace.primitives.reducing import sum_dtype
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements, implements_named
from functrace.tracing.tracer import bind


@implements(np.cumsum, casts_freely=True)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As `numpy.cumsum`."""
    reject_out(out)
    a, axis = _along_one(a, axis, dtype)
    sums = bind(cumulative_sum_primitive, a, axis=axis, reverse=False)
    # The sums of small integers are large ones, unless small ones were asked for.
    return sums if dtype is None or sums.dtype == dtype else cast_to(sums, np.dtype(dtype))


@implements(np.cumprod, casts_freely=True)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As `numpy.cumprod`; its derivatives are exact where elements are zero."""
    reject_out(out)
    a, axis = _along_one(a, axis, sum_dtype(dtype_of(a)) if dtype is None else dtype)
    return bind(ACCUMULATIONS[np.multiply], a, axis=axis)


def _along_one(a: Any, axis: int | None, dtype: Any) -> tuple[Any, int]:
    """An array in a dtype, and the axis to go along; the elements in a line where there is none."""
    if axis is None:
        a, axis = a if np.ndim(a) == 1 else np.ravel(a), 0
    elif np.ndim(a) == 0 and axis in (0, -1):
        a, axis = np.reshape(a, (1,)), 0
    if dtype is not None and a.dtype != dtype:
        a = cast_to(a, np.dtype(dtype))
    return a, normalize_axis_index(axis, a.ndim)


@implements_named("cumulative_sum", casts_freely=True)
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """As `numpy.cumulative_sum`."""
    reject_out(out)
    x, axis = _one_axis(x, axis)
    sums = np.cumsum(x, axis, dtype)
    return _with_first(sums, axis, 0) if include_initial else sums


@implements_named("cumulative_prod", casts_freely=True)
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """As `numpy.cumulative_prod`."""
    reject_out(out)
    x, axis = _one_axis(x, axis)
    products = np.cumprod(x, axis, dtype)
    return _with_first(products, axis, 1) if include_initial else products


def _one_axis(x: Any, axis: Any) -> tuple[Any, int]:
    """An array, and its axis, which may stand in a tuple as for every `accumulate`."""
    x = np.atleast_1d(x)
    if isinstance(axis, tuple):
        if len(axis) != 1:
            raise ValueError("accumulate does not allow multiple axes")
        (axis,) = axis
    if axis is None:
        if x.ndim > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis = 0
    return x, normalize_axis_index(axis, x.ndim)


def _with_first(x: Any, axis: int, value: int) -> Any:
    """An array with one more element in front along an axis."""
    first = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), value, x.dtype)
    return np.concatenate([first, x], axis)


@implements(np.nancumsum, casts_freely=True)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As `numpy.nancumsum`."""
    return cumsum(without_nan(a, 0), axis, dtype, out)


@implements(np.nancumprod, casts_freely=True)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As `numpy.nancumprod`."""
    return cumprod(without_nan(a, 1), axis, dtype, out)
