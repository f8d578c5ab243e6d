"""Counts: of whole numbers, and of what lies between edges."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from functrace.numpy.making import asarray
from functrace.primitives.indexing import INDICES, scatter_add
from functrace.primitives.linear import cast_to, dtype_of, known_choice, shape_of
from functrace.primitives.requiring import require
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import COUNTS, ESTIMATES
from functrace.tracing.tracer import Tracer, bind

_COUNT, _DOUBLE = np.dtype(np.intp), np.dtype(np.float64)


def sums_by_number(numbers: Any, values: Any, length: int) -> Any:
    """The sums of the values that have each number from 0 on; numbers and values have one axis."""
    return bind(scatter_add, values, numbers, index=(INDICES,), shape=(length,), unique=False)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As `numpy.bincount`; what is counted must be known, and the weights may be traced."""
    numbers = known_choice(as_operand(x), "What bincount counts", COUNTS)
    if not isinstance(weights, Tracer):
        return np.bincount(numbers, weights, minlength)
    counts = np.bincount(numbers, None, minlength)  # also for NumPy's errors
    if weights.shape != shape_of(numbers):
        raise ValueError("The weights and list don't have the same length.")
    if not weights.size:
        return counts  # of whole numbers, as NumPy's
    if not np.can_cast(weights.dtype, _DOUBLE):
        raise TypeError(
            f"Cannot cast array data from {weights.dtype!r} to {_DOUBLE!r} according to the rule "
            "'safe'"
        )
    return sums_by_number(np.asarray(numbers), cast_to(weights, _DOUBLE), len(counts))


# Edges


def _outer_edges(a: Any, range: Any) -> tuple[Any, Any]:
    """The first and the last edge: those that are given, or the extremes of the array."""
    if range is not None:
        first, last = map(as_operand, range)
        first = require(
            first,
            np.logical_not(np.greater(first, last)),
            "max must be larger than min in range parameter.",
        )
        what = "supplied"
    elif not math.prod(shape_of(a)):
        return 0, 1
    else:
        first, last, what = np.min(a), np.max(a), "autodetected"
    is_finite = np.logical_and(np.isfinite(first), np.isfinite(last))
    return require(first, is_finite, f"{what} range is not finite"), last


def _widened(first: Any, last: Any) -> tuple[Any, Any]:
    """Edges with something between them."""
    is_one = np.equal(first, last)
    return np.where(is_one, first - 0.5, first), np.where(is_one, last + 0.5, last)


def _even_edges(a: Any, count: int, range: Any) -> Any:
    """The edges of so many bins of one width."""
    first, last = _outer_edges(a, range)
    dtype = np.result_type(first, last, a)
    if dtype.kind in "iu":
        dtype = np.result_type(dtype, float)
    edges = np.linspace(*_widened(first, last), count + 1, dtype=dtype)
    return require(
        edges,
        np.less(edges[:-1], edges[1:]),
        f"Too many bins for data range. Cannot create {count} finite-sized bins.",
    )


def _given_edges(edges: Any, message: str) -> Any:
    edges = asarray(edges)
    return require(edges, np.logical_not(np.greater(edges[:-1], edges[1:])), message)


def _edges(a: Any, bins: Any, range: Any, weights: Any) -> Any:
    if isinstance(bins, str):
        if weights is not None:
            raise TypeError(
                "Automated estimation of the number of bins is not supported for weighted data"
            )
        known = known_choice(a, "What the number of bins is estimated of", ESTIMATES)
        return _even_edges(a, len(np.histogram_bin_edges(known, bins, range)) - 1, range)
    bins = asarray(bins) if isinstance(bins, list | tuple) else bins
    if np.ndim(bins) == 0:
        try:
            count = operator.index(bins)
        except TypeError as error:
            raise TypeError("`bins` must be an integer, a string, or an array") from error
        if count < 1:
            raise ValueError("`bins` must be positive, when an integer")
        return _even_edges(a, count, range)
    if np.ndim(bins) == 1:
        return _given_edges(bins, "`bins` must increase monotonically, when an array")
    raise ValueError("`bins` must be 1d, when an array")


def _places(a: Any, edges: Any) -> Any:
    """The number of the bin of each element, from 1 on; 0 and one more than there are outside."""
    if not shape_of(edges)[0]:
        return np.zeros(shape_of(a), _COUNT)
    is_last = np.equal(a, edges[-1])  # the last bin has both its edges
    return np.searchsorted(edges, a, "right") - is_last


# Histograms


def _flat(a: Any, weights: Any) -> tuple[Any, Any]:
    """The elements and their weights along one axis."""
    a = as_operand(a)
    if dtype_of(a).kind == "b":
        a = cast_to(a, np.dtype(np.uint8))
    if weights is not None:
        weights = as_operand(weights)
        if shape_of(weights) != shape_of(a):
            raise ValueError("weights should have the same shape as a.")
        weights = np.ravel(weights)
    return np.ravel(a), weights


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """As `numpy.histogram_bin_edges`; the values must be known where bins are estimated."""
    a, weights = _flat(a, weights)
    return _edges(a, bins, range, weights)


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """As `numpy.histogram`; derivatives go to weights and edges."""
    a, weights = _flat(a, weights)
    edges = _edges(a, bins, range, weights)
    count = shape_of(edges)[0] - 1
    places = _places(a, edges)
    if weights is None:
        sums = sums_by_number(places, np.ones(shape_of(a), _COUNT), count + 2)
    else:
        dtype = dtype_of(weights)
        if dtype.kind == "b" and np.ndim(bins):
            raise TypeError("booleans do not add up: give the weights as numbers")
        wide = np.result_type(dtype, _DOUBLE) if dtype.kind in "fc" else dtype
        sums = cast_to(sums_by_number(places, cast_to(weights, wide), count + 2), dtype)
    counts = sums[1:-1]
    if density:
        widths = cast_to(np.diff(edges), _DOUBLE)
        counts = counts / widths / np.sum(counts)
    return counts, edges


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """As `numpy.histogramdd`; derivatives go to weights and edges."""
    if len(getattr(sample, "shape", ())) != 2:
        rows = sample if isinstance(sample, list | tuple) else [sample]
        sample = np.transpose(np.stack([asarray(x) for x in rows]))
    rank = shape_of(sample)[1]
    try:
        if len(bins) != rank:
            raise ValueError(
                "The dimension of bins must be equal to the dimension of the sample x."
            )
    except TypeError:
        bins = [bins] * rank
    ranges = (None,) * rank if range is None else range
    if len(ranges) != rank:
        raise ValueError("range argument must have one entry per dimension")
    columns = [sample[:, axis] for axis in np.arange(rank).tolist()]
    edges = [
        _edges_along(axis, *given)
        for axis, given in enumerate(zip(columns, bins, ranges, strict=True))
    ]
    lengths = [shape_of(each)[0] + 1 for each in edges]
    number: Any = 0
    for column, each, length in zip(columns, edges, lengths, strict=True):
        number = number * length + _places(column, each)
    values = np.ones(shape_of(sample)[0]) if weights is None else as_operand(weights)
    if not np.can_cast(dtype_of(values), _DOUBLE):
        raise TypeError(
            f"Cannot cast array data from {dtype_of(values)!r} to {_DOUBLE!r} according to the "
            "rule 'safe'"
        )
    if shape_of(values) != shape_of(sample)[:1]:
        raise ValueError("The weights and list don't have the same length.")
    sums = sums_by_number(number, cast_to(values, _DOUBLE), math.prod(lengths))
    counts = np.reshape(sums, lengths)[(slice(1, -1),) * rank]
    if density:
        total = np.sum(counts)
        for axis, each in enumerate(edges):
            counts = counts / np.reshape(np.diff(each), (-1,) + (1,) * (rank - axis - 1))
        counts = counts / total
    return counts, edges


def _edges_along(axis: int, column: Any, bins: Any, range: Any) -> Any:
    """The edges along one of the axes of a histogram."""
    bins = asarray(bins) if isinstance(bins, list | tuple) else bins
    if np.ndim(bins) == 1:
        message = f"`bins[{axis}]` must be monotonically increasing, when an array"
        return _given_edges(bins, message)
    if np.ndim(bins):
        raise ValueError(f"`bins[{axis}]` must be a scalar or 1d array")
    if bins < 1:
        raise ValueError(f"`bins[{axis}]` must be positive, when an integer")
    first, last = _widened(*_outer_edges(column, range))
    try:
        count = operator.index(bins)
    except TypeError as error:
        raise TypeError(f"`bins[{axis}]` must be an integer, when a scalar") from error
    return np.linspace(first, last, count + 1)


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """As `numpy.histogram2d`; derivatives go to weights and edges."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    try:
        is_of_both = len(bins) not in (1, 2)
    except TypeError:
        is_of_both = False
    if is_of_both:
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, *edges
