"""Medians, quantiles and percentiles: elements of the sorted array, and mixtures of two of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from functrace.numpy.reducing import is_given
from functrace.numpy.taking import take
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, known_value, shape_of
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import unsupported
from functrace.tracing.tracer import Tracer
from functrace.tracing.views import lies_as


def _sorted_in_front(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """The elements along the axes in order, along axis 0; and the shape with axes of length 1."""
    shape = shape_of(a)
    axes = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
    kept = tuple(1 if place in axes else length for place, length in enumerate(shape))
    rest = tuple(length for place, length in enumerate(shape) if place not in axes)
    a = np.moveaxis(a, axes, range(len(axes)))
    length = math.prod(shape[place] for place in axes)
    return np.sort(np.reshape(a, (length, *rest)), axis=0), kept


def _nan_if_any(result: Any, ranked: Any) -> Any:
    """Nan where there is one among the elements: it is the last of them in order."""
    if dtype_of(ranked).kind not in "fc":
        return as_scalar(result)
    return as_scalar(np.where(np.isnan(ranked[-1]), ranked[-1], result))


@implements(np.median)
@lies_as(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """As `numpy.median`."""
    reject_out(out)
    ranked, kept = _sorted_in_front(a, axis)
    middle, odd = divmod(len(ranked), 2)
    result = np.mean(ranked[middle - 1 + odd : middle + 1], axis=0)
    result = _nan_if_any(result, ranked) if len(ranked) else result
    return np.reshape(result, kept) if keepdims else result


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
    interpolation: Any = None,
) -> Any:
    """As `numpy.quantile`, by the methods linear, lower, higher, midpoint and nearest."""
    reject_out(out)
    if is_given(weights) or interpolation is not None:
        raise unsupported("numpy.quantile with weights=, or interpolation=,")
    a = as_operand(a)
    own = dtype_of(a)
    if own.kind == "c":
        raise TypeError("a must be an array of real numbers")
    if type(q) in (int, float) and own.kind == "f":
        q = own.type(q)
    q = as_operand(q)
    known = known_value(q)
    if not isinstance(known, Tracer) and not np.all((known >= 0) & (known <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    ranked, kept = _sorted_in_front(a, axis)
    last = shape_of(ranked)[0] - 1
    if last < 0:
        raise IndexError("index -1 is out of bounds for axis 0 with size 0")
    place = q * last
    lower = cast_to(np.floor(place), np.dtype(np.intp))
    upper = np.minimum(lower + 1, last)
    share = cast_to(place - lower, dtype_of(place))
    share = np.reshape(share, shape_of(q) + (1,) * (np.ndim(ranked) - 1))
    below, above = take(ranked, lower, axis=0), take(ranked, upper, axis=0)
    if method in ("linear", "midpoint"):
        if method == "midpoint":
            share = cast_to(np.where(share > 0, 0.5, 0.0), dtype_of(place))
        step = above - below  # NumPy's own formula, to the last digit
        result = np.where(share >= 0.5, above - step * (1 - share), below + step * share)
    elif method == "lower":
        result = below
    elif method == "higher":
        result = np.where(share > 0, above, below)
    elif method == "nearest":
        result = take(ranked, cast_to(np.rint(place), np.dtype(np.intp)), axis=0)
    else:
        raise unsupported(f"numpy.quantile with method={method!r}")
    result = _nan_if_any(result, ranked)
    return np.reshape(result, shape_of(q) + kept) if keepdims else result


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
    interpolation: Any = None,
) -> Any:
    """As `numpy.percentile`, by the methods of `quantile`."""
    a = as_operand(a)
    hundred: Any = dtype_of(a).type(100) if dtype_of(a).kind == "f" else 100
    q = np.true_divide(as_operand(q), hundred)
    return quantile(
        a, q, axis, out, overwrite_input, method, keepdims, weights=weights,
        interpolation=interpolation,
    )  # fmt: skip
