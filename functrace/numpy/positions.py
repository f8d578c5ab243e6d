"""Where elements are: those that are not zero, and the numbers of elements and their indices."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from functrace.primitives.linear import (
    cast_to,
    dtype_of,
    known_choice,
    known_value,
    shape_of,
)
from functrace.primitives.requiring import require
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import POSITIONS
from functrace.tracing.tracer import Tracer

_INDEX = np.dtype(np.intp)

# Elements that are not zero


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    """As `numpy.nonzero`, of known values."""
    return np.nonzero(known_choice(a, "The input of nonzero", POSITIONS))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """As `numpy.argwhere`, of known values."""
    return np.argwhere(known_choice(a, "The input of argwhere", POSITIONS))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """As `numpy.flatnonzero`, of known values."""
    return np.flatnonzero(known_choice(a, "The input of flatnonzero", POSITIONS))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.count_nonzero`."""
    return np.add.reduce(np.not_equal(a, 0), axis=axis, keepdims=keepdims)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """As `numpy.trim_zeros`, of known values."""
    x = as_operand(filt)
    if not shape_of(x):
        return filt
    values = np.asarray(known_choice(x, "The input of trim_zeros", POSITIONS))
    if trim.lower() not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim.lower()!r}")
    rank = values.ndim
    axes = range(rank) if axis is None else normalize_axis_tuple(axis, rank, "axis")
    places = np.argwhere(values)
    index = [slice(None)] * rank
    for each in axes:
        first, end = (places[:, each].min(), places[:, each].max() + 1) if len(places) else (0, 0)
        if not len(places):
            index[each] = slice(0, 0)
        else:
            start = int(first) if "f" in trim.lower() else None
            index[each] = slice(start, int(end) if "b" in trim.lower() else None)
    return x[tuple(index)]


# Numbers of elements, and their indices


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> Any:
    """As `numpy.unravel_index`."""
    indices = known_value(as_operand(indices))
    if not isinstance(indices, Tracer):
        return np.unravel_index(indices, shape, order)
    # NumPy's errors, and the order: on one number.
    np.unravel_index(np.zeros(0, indices.dtype), shape, order)
    lengths = tuple(shape) if np.iterable(shape) else (operator.index(shape),)
    size = math.prod(lengths)
    is_within = np.logical_and(np.greater_equal(indices, 0), np.less(indices, size))
    rest = cast_to(indices, _INDEX)
    rest = require(rest, is_within, f"index is out of bounds for array with size {size}")
    found: list[Any] = []
    for length in reversed(lengths) if order == "C" else lengths:
        found.append(rest % length)
        rest = rest // length
    return tuple(reversed(found)) if order == "C" else tuple(found)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Any:
    """As `numpy.ravel_multi_index`."""
    indices = [known_value(as_operand(index)) for index in multi_index]
    if not any(isinstance(index, Tracer) for index in indices):
        return np.ravel_multi_index(tuple(indices), dims, mode, order)
    empty = tuple(np.zeros(0, dtype_of(index)) for index in indices)
    np.ravel_multi_index(empty, dims, mode, order)  # for NumPy's errors
    lengths = tuple(dims) if np.iterable(dims) else (operator.index(dims),)
    modes = (mode,) * len(lengths) if isinstance(mode, str) else mode
    place: Any = 0
    parts = list(zip(indices, lengths, modes, strict=True))
    for index, length, how in parts if order == "C" else reversed(parts):
        place = place * length + _within(cast_to(index, _INDEX), length, how)
    return place


def _within(index: Any, length: int, mode: str) -> Any:
    """Indices into an axis, brought to lie within it."""
    if mode == "wrap":
        return index % length
    if mode == "clip":
        return np.clip(index, 0, length - 1)
    is_within = np.logical_and(np.greater_equal(index, 0), np.less(index, length))
    return require(index, is_within, "invalid entry in coordinates array")
