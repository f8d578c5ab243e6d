"""Sums, products, extremes and predicates over axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import UNKNOWN, Shape
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.primitives.reducing import (
    Axes,
    all_primitive,
    any_primitive,
    argmax_primitive,
    argmin_primitive,
    max_primitive,
    mean_primitive,
    min_primitive,
    normal_axes,
    normal_axis,
    prod_primitive,
    reduced_count,
    reduced_shape,
    sum_primitive,
)
from functrace.primitives.requiring import require
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.numpy_warnings import warn
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind

ABSENT: Any = np._NoValue  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
"""NumPy's own mark for a keyword that was not given, where None means something."""


def is_given(x: Any) -> bool:
    """Whether a keyword such as ``initial`` was given; NumPy's own mark for absence counts not."""
    return x is not None and x is not ABSENT


def _is_true(keepdims: Any) -> bool:
    """Whether ``keepdims`` was given as true."""
    return keepdims is True or (keepdims is not False and is_given(keepdims) and bool(keepdims))


def _axes(axis: Any, x: Any) -> Axes:
    """The axes to reduce; an array without any may be reduced along the first or last one."""
    shape = shape_of(x)
    if not shape and type(axis) is int and axis in (0, -1):
        return None
    return normal_axes(axis, len(shape))


def _masked(where: Any, a: Any, rest: Any) -> Any:
    """The elements that are reduced, with another value for those that are left out."""
    masked = np.where(where, a, rest)
    if shape_of(masked) != shape_of(a):
        raise ValueError(
            f"where= has the shape {np.shape(where)}, which does not broadcast to that of the "
            f"array, {shape_of(a)}"
        )
    return masked


def _initial(value: Any, dtype: np.dtype[Any]) -> Any:
    """The value of ``initial`` in the dtype of the reduction."""
    return cast_to(value, dtype) if isinstance(value, Tracer) else dtype.type(value)


# Sums and products


@implements(np.sum, casts_freely=True)
def sum_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.sum`."""
    if out is not None:
        reject_out(out)
    if where is not True:
        a = _masked(where, a, dtype_of(a).type(0))
    params = {
        "axes": None if axis is None else _axes(axis, a),
        "keepdims": _is_true(keepdims),
        "dtype": None if dtype is None else np.dtype(dtype),
    }
    if type(a) is Tracer:  # what `bind` would find
        total = a.recording.record(sum_primitive, (a,), params)
    else:
        total = bind(sum_primitive, a, **params)
    if initial is None or not is_given(initial):
        return total
    return total + _initial(initial, total.dtype)


@implements(np.mean, casts_freely=True)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """As `numpy.mean`."""
    if where is not True or 0 in shape_of(a):
        warn_of_few(count_where(where, shape_of(a), axis, keepdims), "Mean of empty slice")
    return mean_of(a, axis, dtype, out, keepdims, where)


def mean_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    """As `numpy.mean`, without a warning of what is empty."""
    if out is not None:
        reject_out(out)
    own = dtype_of(a)
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is None and own.kind not in "fc":
        wanted = np.dtype(np.float64)
    elif wanted is not None and wanted.kind in "biu":
        total = sum_of(a, axis, wanted, None, keepdims, None, where)
        return divided(total, count_where(where, shape_of(a), axis, keepdims))
    halves = wanted is None and own.char == "e"  # NumPy adds these up in single precision
    if halves:
        wanted = np.dtype(np.float32)
    if where is True:
        axes = None if axis is None else normal_axes(axis, len(shape_of(a)))
        params = {"axes": axes, "keepdims": _is_true(keepdims), "dtype": wanted}
        if type(a) is Tracer:  # what `bind` would find
            result = a.recording.record(mean_primitive, (a,), params)
        else:
            result = bind(mean_primitive, a, **params)
    else:
        count = count_where(where, shape_of(a), axis, keepdims)
        result = divided(sum_of(a, axis, wanted, None, keepdims, None, where), count)
    return cast_to(result, own) if halves else result


def divided(total: Any, count: Any) -> Any:
    """A total divided by an integer or an array of them, in the total's dtype."""
    result = total / count
    return result if result.dtype == total.dtype else cast_to(result, total.dtype)


def warn_of_few(count: Any, message: str) -> None:
    """Warn at the user's line, as NumPy's own code does, where a count is known to be none."""
    known = innermost_value(count)
    if known is not UNKNOWN and np.any(known <= 0):
        warn(message, RuntimeWarning)


def count_where(where: Any, shape: Shape, axis: Any, keepdims: bool) -> Any:
    """How many elements are counted in each reduction."""
    if where is True:
        return reduced_count(shape, normal_axes(axis, len(shape)))
    return np.add.reduce(np.broadcast_to(where, shape), axis=axis, keepdims=keepdims)


@implements(np.prod, casts_freely=True)
def product_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.prod`."""
    reject_out(out)
    if where is not True:
        a = _masked(where, a, dtype_of(a).type(1))
    if dtype is not None:
        a = cast_to(a, np.dtype(dtype))
    product = bind(prod_primitive, a, axes=_axes(axis, a), keepdims=_is_true(keepdims))
    if dtype is not None and product.dtype != np.dtype(dtype):
        product = cast_to(product, np.dtype(dtype))
    return product * _initial(initial, product.dtype) if is_given(initial) else product


# Extremes


def lowest(dtype: np.dtype[Any], sign: int) -> Any:
    """The value that never wins a maximum (minus infinity), or with sign -1 a minimum."""
    if dtype.kind in "fc":
        return dtype.type(-sign * math.inf)
    if dtype.kind == "b":
        return dtype.type(sign < 0)
    return np.iinfo(dtype).min if sign > 0 else np.iinfo(dtype).max


def _extreme(
    primitive: Primitive,
    sign: int,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> Any:
    if out is not None:
        reject_out(out)
    if where is not True:
        if not is_given(initial):
            raise ValueError(
                f"reduction operation {primitive.name} does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        dtype = dtype_of(a)
        a = _masked(where, a, dtype.type(lowest(dtype, sign)))
    axes = None if axis is None else _axes(axis, a)
    if not is_given(initial):
        if type(a) is Tracer:  # what `bind` would find
            params = {"axes": axes, "keepdims": _is_true(keepdims)}
            return a.recording.record(primitive, (a,), params)
        return bind(primitive, a, axes=axes, keepdims=_is_true(keepdims))
    # It is one more element, which shares in ties as all others do.
    shape = shape_of(a)
    left = reduced_shape(shape, axes, _is_true(keepdims))
    initial = _initial(initial, dtype_of(a))
    if reduced_count(shape, axes) == 0:
        return np.broadcast_to(initial, left).copy()[()]
    numbers = tuple(range(len(shape))) if axes is None else axes
    front = tuple(range(len(numbers)))
    rows = np.moveaxis(a, numbers, front) if numbers != front else a
    rows = np.reshape(rows, (reduced_count(shape, axes), *reduced_shape(shape, axes, False)))
    first = np.broadcast_to(initial, (1, *rows.shape[1:]))
    rows = np.concatenate([first, rows])
    result = bind(primitive, rows, axes=normal_axes(0, rows.ndim), keepdims=False)
    return result if result.shape == left else np.reshape(result, left)


@implements(np.max, np.amax, casts_freely=True)
def max_of(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.max`; elements that are equal share the derivative."""
    return _extreme(max_primitive, 1, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin, casts_freely=True)
def min_of(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.min`; elements that are equal share the derivative."""
    return _extreme(min_primitive, -1, a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def peak_to_peak(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As `numpy.ptp`."""
    return max_of(a, axis, out, keepdims) - min_of(a, axis, None, keepdims)


def _argument(primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    reject_out(out)
    rank = len(shape_of(a))
    if axis is None or (not rank and type(axis) is int):
        axes = _axes(axis, a)
    else:
        axes = (normal_axis(axis, rank),)
    return bind(primitive, a, axes=axes, keepdims=_is_true(keepdims))


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.argmax`."""
    return _argument(argmax_primitive, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.argmin`."""
    return _argument(argmin_primitive, a, axis, out, keepdims)


def _nan_argument(
    find: Callable[..., Any], sign: int, a: Any, axis: Any, out: Any, keepdims: Any
) -> Any:
    if dtype_of(a).kind not in "fc":
        return find(a, axis, out, keepdims=keepdims)
    reject_out(out)
    is_nan = np.isnan(a)
    place = find(np.where(is_nan, lowest(dtype_of(a), sign), a), axis, keepdims=keepdims)
    if not math.prod(shape_of(a)):
        return place
    has_numbers = np.logical_not(np.all(is_nan, axis=axis))
    return require(place, has_numbers, "All-NaN slice encountered")


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """As `numpy.nanargmax`."""
    return _nan_argument(argmax, 1, a, axis, out, keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """As `numpy.nanargmin`."""
    return _nan_argument(argmin, -1, a, axis, out, keepdims)


# Predicates


@implements(np.any, casts_freely=True)
def any_of(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As `numpy.any`."""
    reject_out(out)
    if where is not True:
        a = _masked(where, a, dtype_of(a).type(0))
    return bind(any_primitive, a, axes=_axes(axis, a), keepdims=_is_true(keepdims))


@implements(np.all, casts_freely=True)
def all_of(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As `numpy.all`."""
    reject_out(out)
    if where is not True:
        a = _masked(where, a, dtype_of(a).type(1))
    return bind(all_primitive, a, axes=_axes(axis, a), keepdims=_is_true(keepdims))
