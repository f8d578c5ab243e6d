"""Moments and averages, and the reductions that leave out nan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.ir.types import UNKNOWN, Shape
from functrace.numpy.elementwise import require_castable
from functrace.numpy.reducing import (
    all_of,
    count_where,
    divided,
    is_given,
    lowest,
    max_of,
    mean,
    mean_of,
    min_of,
    product_of,
    sum_of,
    warn_of_few,
)
from functrace.primitives.linear import (
    as_scalar,
    cast_to,
    dtype_of,
    in_dtype,
    shape_of,
    stop_gradient,
)
from functrace.primitives.reducing import normal_axis, root
from functrace.primitives.requiring import require
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.numpy_warnings import warn
from functrace.tracing.operands import as_operand
from functrace.tracing.traced_array import innermost_value
from functrace.tracing.tracer import Tracer, bind

# Moments


@implements(np.var, casts_freely=True)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.var`."""
    reject_out(out)
    if is_given(correction):
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    own = dtype_of(a)
    halves = dtype is None and own == np.float16
    if dtype is not None:
        summed = np.dtype(dtype)
    elif halves or own.kind not in "fc":
        summed = np.dtype(np.float32 if halves else np.float64)
    else:
        summed = own
    takes_mean = is_given(mean)
    if not takes_mean:
        mean = cast_to(mean_of(cast_to(a, summed), axis, keepdims=True, where=where), summed)
    squares = squared_size(a - mean)
    _warn_of_freedom(count_where(where, shape_of(a), axis, keepdims), ddof)
    result = _mean_of_squares(squares, axis, dtype and summed, keepdims, where, ddof)
    if halves:
        return cast_to(result, dtype_of(squares) if takes_mean else own)
    return cast_to(result, summed) if dtype is not None else result


_FREEDOM = "Degrees of freedom <= 0 for slice"


def _warn_of_freedom(count: Any, ddof: Any, message: str = _FREEDOM) -> None:
    known = innermost_value(count)
    if known is not UNKNOWN:
        warn_of_few(known - ddof, message)


def _mean_of_squares(
    squares: Any, axis: Any, dtype: Any, keepdims: bool, where: Any, ddof: Any
) -> Any:
    """The sum of squares, divided by their number less ``ddof``."""
    total = sum_of(squares, axis, dtype, None, keepdims, None, where)
    count = count_where(where, shape_of(squares), axis, keepdims) - ddof
    return divided(total, max(count, 0) if where is True else np.maximum(count, 0))


def squared_size(x: Any) -> Any:
    """The square of each element's absolute value."""
    return np.real(x * np.conjugate(x)) if dtype_of(x).kind == "c" else x * x


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.std`; where all elements are equal its derivative is 0."""
    result = bind(
        root,
        var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction),
    )
    return result if dtype is None else cast_to(result, np.dtype(dtype))


@implements(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """As `numpy.average`."""
    shape = shape_of(a)
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        total: Any = dtype_of(result).type(math.prod(shape) / math.prod(shape_of(result)))
    else:
        weights = lined_up_weights(weights, shape, axis)
        promoted = np.result_type(dtype_of(a), dtype_of(weights))
        if dtype_of(a).kind in "iub":
            promoted = np.result_type(promoted, np.float64)
        total = sum_of(weights, axis, promoted, None, keepdims)
        message = "Weights sum to zero, can't be normalized"
        total = require(total, np.not_equal(total, 0), message, ZeroDivisionError)
        result = sum_of(a * weights, axis, promoted, None, keepdims) / total
    if not returned:
        return result
    return result, as_scalar(np.broadcast_to(total, shape_of(result)))


def lined_up_weights(weights: Any, shape: Shape, axis: Any) -> Any:
    """Weights of the shape of the reduced axes, in the rank of the array."""
    if not isinstance(weights, Tracer):
        weights = np.asarray(weights)
    if weights.shape == shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    rank = len(shape)
    axes = [normal_axis(each, rank) for each in (axis if isinstance(axis, tuple) else (axis,))]
    if weights.shape != tuple(shape[each] for each in axes):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    weights = np.transpose(weights, np.argsort(axes))
    return np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(shape)))


# Reductions that leave out nan


def without_nan(a: Any, value: Any) -> Any:
    """The array with another value in place of nan."""
    dtype = dtype_of(a)
    return np.where(np.isnan(a), dtype.type(value), a) if dtype.kind in "fc" else a


def _counted(a: Any, where: Any) -> Any:
    """Which elements count: those that ``where`` names and that are not nan."""
    if dtype_of(a).kind not in "fc":
        return where
    numbers = np.logical_not(np.isnan(a))
    return numbers if where is True else np.logical_and(numbers, where)


def _require_inexact(dtype: Any) -> None:
    if np.dtype(dtype).kind not in "fc":
        raise TypeError("If a is inexact, then dtype must be inexact")


@implements(np.nansum, casts_freely=True)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nansum`."""
    return sum_of(without_nan(a, 0), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod, casts_freely=True)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanprod`."""
    return product_of(without_nan(a, 1), axis, dtype, out, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """As `numpy.nanmean`."""
    if dtype_of(a).kind not in "fc":
        return mean(a, axis, dtype, out, keepdims, where=where)
    if dtype is not None:
        _require_inexact(dtype)
    count = count_where(_counted(a, where), shape_of(a), axis, keepdims)
    warn_of_few(count, "Mean of empty slice")
    return _nanmean(a, axis, dtype, out, keepdims, where, count)


def _nanmean(
    a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool, where: Any, count: Any
) -> Any:
    total = nansum(a, axis, dtype, out, keepdims, None, where)
    with np.errstate(divide="ignore", invalid="ignore"):  # as in NumPy, where none is counted
        return divided(total, count)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.nanvar`."""
    own = dtype_of(a)
    if own.kind not in "fc":
        options = {"where": where, "mean": mean, "correction": correction}
        return var(a, axis, dtype, out, ddof, keepdims, **options)
    reject_out(out)
    wanted = own if dtype is None else np.dtype(dtype)
    if dtype is not None:
        _require_inexact(dtype)
        # Of complex numbers in a real dtype NumPy takes the mean only to be real.
        a = a if own.kind == "c" and wanted.kind == "f" else cast_to(a, wanted)
    counted = _counted(a, where)
    if not is_given(mean):
        count = count_where(counted, shape_of(a), axis, keepdims=True)
        mean = cast_to(_nanmean(a, axis, None, None, True, where, count), wanted)
    # The mean of nothing is nan, and nothing of it is used: so no derivative goes through it.
    deviation = np.where(counted, cast_to(a - mean, dtype_of(a)), dtype_of(a).type(0))
    ddof = correction if is_given(correction) else ddof
    _warn_of_freedom(count_where(counted, shape_of(a), axis, keepdims), ddof, f"{_FREEDOM}.")
    with np.errstate(divide="ignore", invalid="ignore"):  # as in NumPy, where none is counted
        result = _mean_of_squares(squared_size(deviation), axis, None, keepdims, counted, ddof)
    return result if dtype is None else in_dtype(result, wanted)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As `numpy.nanstd`; where all elements are equal its derivative is 0."""
    options = {"where": where, "mean": mean, "correction": correction}
    variance = nanvar(a, axis, dtype, out, ddof, keepdims, **options)
    result = bind(root, np.real(variance) if variance.dtype.kind == "c" else variance)
    if shape_of(result):  # numbers are cast at will
        require_castable(result.dtype, variance.dtype, "same_kind")
    return result if result.dtype == variance.dtype else cast_to(result, variance.dtype)


def _nan_extreme(
    sign: int, a: Any, axis: Any, out: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    function = max_of if sign > 0 else min_of
    if dtype_of(a).kind not in "fc":
        return function(a, axis, out, keepdims, initial, where)
    numbers = np.where(np.isnan(a), lowest(dtype_of(a), sign), a)
    result = function(numbers, axis, out, keepdims, initial, where)
    none = all_of(np.isnan(a), axis, None, keepdims, where=where)
    if is_given(initial):
        return result
    if innermost_value(none) is not UNKNOWN and np.any(none):
        warn("All-NaN slice encountered", RuntimeWarning)
    return as_scalar(np.where(none, np.nan, result))


@implements(np.nanmax, casts_freely=True)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanmax`."""
    return _nan_extreme(1, a, axis, out, keepdims, initial, where)


@implements(np.nanmin, casts_freely=True)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.nanmin`."""
    return _nan_extreme(-1, a, axis, out, keepdims, initial, where)


# Covariances


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """As `numpy.cov`; derivatives go to weights, too."""
    if ddof is None:
        ddof = 0 if bias else 1
    elif ddof != int(ddof):
        raise ValueError("ddof must be integer")
    samples = _variables_by_rows(m, rowvar)
    if not shape_of(samples)[0]:
        return np.zeros((0, 0))  # whatever y is
    if y is not None:
        samples = np.concatenate([samples, _variables_by_rows(y, rowvar)])
    kind = np.result_type(dtype_of(samples), np.float64) if dtype is None else np.dtype(dtype)
    samples = cast_to(samples, kind)
    _, count = shape_of(samples)
    if fweights is None and aweights is None:
        deviations = samples - mean_of(samples, 1, keepdims=True)
        _warn_of_freedom(count, ddof)
        return np.squeeze(divided(deviations @ np.conjugate(deviations.T), max(count - ddof, 0)))
    weights: Any = 1.0
    if fweights is not None:
        repeats = _weights_of_samples(fweights, "fweights", count)
        is_whole = np.equal(repeats, np.round(repeats))
        weights = require(repeats, is_whole, "fweights must be integer", TypeError)
    if aweights is not None:
        aweights = _weights_of_samples(aweights, "aweights", count)
        weights = weights * aweights
    means, totals = average(samples, 1, weights, returned=True, keepdims=True)
    total = totals[0, 0]
    freedom = total
    if ddof != 0:
        share = 1.0 if aweights is None else np.sum(weights * aweights) / total
        freedom = total - ddof * share
    _warn_of_freedom(freedom, 0)
    deviations = cast_to(samples - means, kind)
    products = deviations @ np.conjugate(np.transpose(deviations * weights))
    return np.squeeze(products * np.true_divide(1, np.where(freedom > 0, freedom, 0.0)))


def _weights_of_samples(weights: Any, name: str, count: int) -> Any:
    """One weight for each sample, none of them negative."""
    weights = cast_to(as_operand(weights), np.dtype(np.float64))
    if np.ndim(weights) > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if shape_of(weights) != (count,):
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    return require(weights, np.greater_equal(weights, 0), f"{name} cannot be negative")


def _variables_by_rows(x: Any, rowvar: bool) -> Any:
    x = as_operand(x)
    if np.ndim(x) > 2:
        raise ValueError("m has more than 2 dimensions")
    if np.ndim(x) < 2:
        return np.reshape(x, (1, -1))
    return x if rowvar else np.transpose(x)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """As `numpy.corrcoef`, whose clipping to [-1, 1] takes off rounding and has no derivative."""
    covariance = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(covariance) == 0:
        return covariance / covariance
    size = np.sqrt(np.real(np.diagonal(covariance)))
    ratio = covariance / size[:, np.newaxis] / size
    parts = stop_gradient(np.real(ratio)), stop_gradient(np.imag(ratio))
    excess = [np.clip(part, -1, 1) - part for part in parts]
    return ratio + (excess[0] + 1j * excess[1] if dtype_of(ratio).kind == "c" else excess[0])
