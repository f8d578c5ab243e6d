"""Medians, quantiles and percentiles: elements of the sorted array, and mixtures of two of them.

The methods are those of Hyndman and Fan, Sample Quantiles in Statistical Packages, The American
Statistician 50 (1996), and four more, as NumPy has them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from functrace.numpy.reducing import is_given, warn_of_few
from functrace.numpy.statistics import lined_up_weights
from functrace.numpy.taking import take, take_along
from functrace.primitives.linear import (
    as_array,
    as_scalar,
    cast_to,
    dtype_of,
    in_dtype,
    known_value,
    shape_of,
)
from functrace.primitives.ordering import argpartition_primitive
from functrace.primitives.requiring import require
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand, is_weak
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import lies_as

_INDEX = np.dtype(np.intp)


@dataclass(frozen=True)
class Samples:
    """Samples along axis 0, of which nan is the largest element.

    Attributes:
        columns: The elements.
        count: How many of them count: all, or as many as are numbers, an array of the shape of the
            other axes.
    """

    columns: Any
    count: Any

    @cached_property
    def order(self) -> Any:
        """The indices that put the elements in order."""
        return np.argsort(self.columns, axis=0)

    @cached_property
    def ranked(self) -> Any:
        """The elements in order."""
        return take_along(self.columns, self.order, 0, unique=True)

    def at(self, place: Any) -> Any:
        """The elements at some places, the axes of which come first.

        Args:
            place: The places in all samples; as of `in_each`, if these are of different lengths.
        """
        if np.ndim(self.count):
            return self.in_each(place)
        place = in_dtype(place, _INDEX)
        if isinstance(place, Tracer) or not shape_of(self.columns)[0]:
            return take(self.ranked, place, axis=0)
        # For known places nothing else need be put in order.
        kth = tuple(sorted({*np.ravel(place).tolist()}))
        if not kth:
            return take(self.columns, place, axis=0)
        columns = known_value(self.columns)
        order = bind(argpartition_primitive, columns, kth=kth, axis=0, kind="introselect")
        if np.ndim(columns) == 1:
            return self.columns[order[place]]
        rows = take(order, np.reshape(place, -1), axis=0)
        found = take_along(self.columns, rows, 0)
        return np.reshape(found, shape_of(place) + shape_of(found)[1:])

    def in_each(self, place: Any) -> Any:
        """The elements at some places, of the shape of the samples behind axes of their own."""
        place = in_dtype(place, _INDEX)
        rows = np.reshape(place, (-1, *shape_of(self.columns)[1:]))
        return np.reshape(take_along(self.ranked, rows, 0), shape_of(place))


def _in_front(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """The elements along the axes, along axis 0; and the shape with axes of length 1."""
    shape = shape_of(a)
    axes = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
    kept = tuple(1 if place in axes else length for place, length in enumerate(shape))
    rest = tuple(length for place, length in enumerate(shape) if place not in axes)
    if sorted(axes) != list(range(len(axes))):
        a = np.moveaxis(a, sorted(axes), range(len(axes)))
    together = (math.prod(shape[place] for place in axes), *rest)
    return a if together == shape else np.reshape(a, together), kept


def _samples(columns: Any, leaves_out_nan: bool) -> Samples:
    """The samples of an array of which each column, along axis 0, is one."""
    if not leaves_out_nan or dtype_of(columns).kind not in "fc":
        return Samples(columns, shape_of(columns)[0])
    count = np.add.reduce(np.logical_not(np.isnan(columns)), axis=0)
    warn_of_few(count, "All-NaN slice encountered")
    return Samples(columns, count)


def _nan_where(samples: Samples, result: Any) -> Any:
    """Nan where a sample has one that counts, or where nothing counts."""
    if dtype_of(samples.columns).kind not in "fc":
        return as_scalar(result)
    if type(samples.count) is not int:
        return as_scalar(np.where(np.equal(samples.count, 0), np.nan, result))
    has_nan = np.logical_or.reduce(np.isnan(known_value(samples.columns)), axis=0)
    if not isinstance(has_nan, Tracer) and not np.any(has_nan):
        return as_scalar(result)
    # What is chosen has the machine's byte order.
    return as_scalar(cast_to(np.where(has_nan, np.nan, result), dtype_of(result)))


def _kept(result: Any, shape: tuple[int, ...]) -> Any:
    """The result with axes of length 1, an array in any case."""
    return np.reshape(result, shape) if shape else as_array(result)


# Medians


@implements(np.median, casts_freely=True)
@lies_as(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """As `numpy.median`."""
    reject_out(out)
    columns, kept = _in_front(a, axis)
    samples = _samples(columns, leaves_out_nan=False)
    middle, odd = divmod(samples.count, 2)
    places = np.arange(middle - 1 + odd, middle + 1) if samples.count else np.arange(0)
    result = np.mean(samples.at(places), axis=0)
    result = _nan_where(samples, result) if samples.count else result
    return _kept(result, kept) if keepdims else result


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """As `numpy.nanmedian`."""
    keepdims = is_given(keepdims) and bool(keepdims)
    if dtype_of(a).kind not in "fc" and a.size:
        return median(a, axis, out, overwrite_input, keepdims)
    reject_out(out)
    if a.size == 0:
        return np.nanmean(a, axis, keepdims=keepdims)
    columns, kept = _in_front(a, axis)
    samples = _samples(columns, leaves_out_nan=True)
    upper = np.floor_divide(samples.count, 2)
    lower = np.maximum(np.floor_divide(samples.count - 1, 2), 0)
    pair = samples.at(np.stack([lower, upper]))
    # The element in the middle is not half of its double where that is infinite.
    result = np.where(np.equal(lower, upper), pair[0], np.mean(pair, axis=0))
    result = _nan_where(samples, result)
    return _kept(result, kept) if keepdims else result


# Quantiles


_ABOUT = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
"""The parameters alpha and beta of the continuous methods."""

_BETWEEN = {
    "averaged_inverted_cdf": lambda n, q: n * q - 1,
    "linear": lambda n, q: (n - 1) * q,
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
}
"""Where other quantiles lie that may be mixtures of two elements."""


def _closest_observation(n: Any, q: Any) -> Any:
    place = n * q - 1 - 0.5
    below = np.floor(place)
    is_odd = np.logical_and(np.equal(place, below), np.equal(below % 2, 1))
    return np.maximum(np.where(is_odd, below, below + 1), 0)


_AT = {
    "inverted_cdf": lambda n, q: np.maximum(np.ceil(n * q - 1), 0),
    "closest_observation": _closest_observation,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.round((n - 1) * q),
}
"""Which element is a quantile, by the methods that choose one."""

_METHODS = (*_ABOUT, *_BETWEEN, *_AT)


def _quantile(samples: Samples, q: Any, method: str) -> Any:
    """Quantiles of samples without weights, the axes of ``q`` in front."""
    own, weak = dtype_of(samples.columns), is_weak(q)
    q = np.asarray(q) if type(q) in (int, float) else q
    count = samples.count
    if np.ndim(count):
        q = np.reshape(q, shape_of(q) + (1,) * np.ndim(count))
    if type(count) is not int and dtype_of(q).kind == "f":
        count = in_dtype(count, dtype_of(q))
    if method in _AT:
        return samples.at(_AT[method](count, q))
    if method == "linear" and dtype_of(q).kind in "iu":
        return samples.at((count - 1) * q)
    if method in _ABOUT:
        alpha, beta = _ABOUT[method]
        place = count * q + (alpha + q * (1 - alpha - beta)) - 1
    else:
        place = _BETWEEN[method](count, q)
    last, floor = np.maximum(count - 1, 0), np.floor(place)
    below, above = np.clip(floor, 0, last), np.clip(floor + 1, 0, last)
    share = place - below
    if method == "averaged_inverted_cdf":
        share = np.where(np.equal(share, 0), 0.5, 1.0)
    elif method == "midpoint":
        share = np.where(np.equal(place % 1, 0), 0.0, 0.5)
    # A number of Python's is rounded to the dtype of q first, as NumPy does.
    dtype = own if weak and own.kind == "f" else np.dtype(np.float64) if weak else dtype_of(place)
    share, rest = (in_dtype(in_dtype(x, dtype_of(place)), dtype) for x in (share, 1 - share))
    if not np.ndim(count) and np.ndim(samples.columns) > 1:
        behind = (1,) * (np.ndim(samples.columns) - 1)
        share, rest = (np.reshape(x, shape_of(x) + behind) for x in (share, rest))
    low, high = samples.at(np.stack([below, above]))
    step = high - low  # NumPy's own formula, to the last digit
    is_late = np.greater_equal(known_value(share), 0.5)
    if not isinstance(is_late, Tracer) and (np.all(is_late) or not np.any(is_late)):
        return high - step * rest if np.all(is_late) else low + step * share
    return np.where(is_late, high - step * rest, low + step * share)


def _weighted_quantile(samples: Samples, q: Any, weights: Any) -> Any:
    """Quantiles of weighted samples by the method inverted_cdf, the axes of ``q`` in front."""
    q = as_operand(q)
    ranked, count = samples.ranked, samples.count
    if shape_of(weights) != shape_of(ranked):
        weights = np.broadcast_to(weights, shape_of(ranked))
    weights = take_along(weights, samples.order, 0, unique=True)
    if type(count) is not int:
        weights = np.where(np.isnan(ranked), 0, weights)
    share = np.cumsum(weights, axis=0, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # of what is refused
        share = share / share[-1]
    nothing = np.equal(count, 0)
    share = require(
        share,
        np.logical_or(nothing, np.logical_not(np.isnan(share[-1]))),
        "Weights included NaN, inf or were all zero.",
    )
    if dtype_of(q).kind == "f":
        share = cast_to(share, dtype_of(q))
    share = np.where(np.equal(share, 0), -1, share)
    quantiles = np.reshape(q, (*shape_of(q), *(1,) * np.ndim(share)))
    place = np.add.reduce(np.less(share, quantiles), axis=np.ndim(q))
    return samples.in_each(np.minimum(place, np.maximum(count - 1, 0)))


def _quantiles(
    a: Any,
    q: Any,
    axis: Any,
    out: Any,
    method: str,
    keepdims: Any,
    weights: Any,
    *,
    of: int,
    leaves_out_nan: bool = False,
) -> Any:
    """The common part of the functions below.

    Args:
        a: The array.
        q: The quantiles.
        axis: The axes, None for all.
        out: None.
        method: The name of the method.
        keepdims: Whether the axes stay, with length 1.
        weights: The weights, or None.
        of: What stands for the whole: 1, or 100 for percentiles.
        leaves_out_nan: Whether nan does not count.
    """
    reject_out(out)
    a, q = as_operand(a), as_operand(q)
    if dtype_of(a).kind == "c":
        raise TypeError("a must be an array of real numbers")
    q = q if of == 1 else q / of
    unit, what = ("[0, 1]", "Quantiles") if of == 1 else ("[0, 100]", "Percentiles")
    is_valid = np.logical_and(np.greater_equal(q, 0), np.less_equal(q, 1))
    q = require(q, is_valid, f"{what} must be in the range {unit}")
    if np.ndim(q) > 2:
        raise ValueError("q must be a scalar or 1d")
    if weights is not None:
        if method != "inverted_cdf":
            raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
        weights = lined_up_weights(weights, shape_of(a), axis)
        is_valid = np.logical_not(np.less(weights, 0))
        weights = require(weights, is_valid, "Weights must be non-negative.")
        weights, _ = _in_front(np.broadcast_to(weights, shape_of(a)), axis)
    elif method not in _METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {sorted(_METHODS)}")
    keepdims = is_given(keepdims) and bool(keepdims)
    if leaves_out_nan and a.size == 0:
        return np.nanmean(a, axis, keepdims=keepdims)
    columns, kept = _in_front(a, axis)
    samples = _samples(columns, leaves_out_nan)
    if not shape_of(columns)[0]:
        raise IndexError("there is no quantile of no elements")
    if weights is None:
        result = _quantile(samples, q, method)
    else:
        result = _weighted_quantile(samples, q, weights)
    result = _nan_where(samples, result)
    if keepdims:
        return _kept(result, shape_of(q) + kept)
    return result if weights is None or shape_of(result) else as_array(result)


@implements(np.quantile)
def quantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.quantile`."""
    return _quantiles(a, q, axis, out, interpolation or method, keepdims, weights, of=1)


@implements(np.percentile)
def percentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.percentile`."""
    return _quantiles(a, q, axis, out, interpolation or method, keepdims, weights, of=100)


@implements(np.nanquantile)
def nanquantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.nanquantile`."""
    method = interpolation or method
    return _quantiles(a, q, axis, out, method, keepdims, weights, of=1, leaves_out_nan=True)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.nanpercentile`."""
    method = interpolation or method
    return _quantiles(a, q, axis, out, method, keepdims, weights, of=100, leaves_out_nan=True)
