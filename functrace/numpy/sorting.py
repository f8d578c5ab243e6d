"""Sorting, searching and counting, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.numpy.elementwise import require_castable
from functrace.numpy.taking import take_along
from functrace.primitives.indexing import INDICES, scatter_add
from functrace.primitives.linear import (
    as_array,
    cast_to,
    dtype_of,
    known_choice,
    known_value,
    shape_of,
)
from functrace.primitives.ordering import argsort_primitive, searchsorted_primitive
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import BINS, COUNTS, DIFFERENT, POSITIONS, STATIC
from functrace.tracing.tracer import Tracer, bind

# Sorting
from functrace.tracing.views import laid_out_as


def _kind(kind: Any, order: Any, stable: Any) -> Any:
    """The sorting method that the arguments of `numpy.sort` ask for."""
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if stable is None:
        return kind
    if kind is not None:
        raise ValueError("`kind` and keyword parameters can't be provided at the same time.")
    return "stable" if stable else None


@implements(np.argsort)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """As `numpy.argsort`."""
    kind = _kind(kind, order, stable)
    if axis is None or a.ndim == 0:
        if axis not in (None, 0, -1):
            normalize_axis_index(axis, a.ndim)
        a, axis = np.ravel(a), 0
    return bind(argsort_primitive, a, axis=normalize_axis_index(axis, a.ndim), kind=kind)


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """As `numpy.sort`."""
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    # The order is needed for the derivative anyway, and each element has one place in it.
    order = bind(argsort_primitive, a, axis=axis, kind=_kind(kind, order, stable))
    return laid_out_as(take_along(a, order, axis, unique=True), a)


# What is sorted is partitioned, too, by every element; NumPy leaves the order on both sides open.


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """As `numpy.partition`; the other elements are in order, too."""
    _require_places(a, kth, axis, kind)
    return sort(a, axis, None, order)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """As `numpy.argpartition`; the other elements are in order, too."""
    _require_places(a, kth, axis, kind)
    return argsort(a, axis, None, order)


def _require_places(a: Any, kth: Any, axis: int | None, kind: Any) -> None:
    """Let NumPy check the arguments of a partition, on an array of the same shape."""
    np.partition(np.zeros(a.shape), known_choice(as_operand(kth), "kth", STATIC), axis, kind)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """As `numpy.lexsort`: one stable sort after another, the last key being the first to count."""
    rows = [as_operand(key) for key in keys]
    if not rows:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    if not np.ndim(rows[0]):
        return np.int64(0)
    axis = normalize_axis_index(axis, np.ndim(rows[0]))
    order: Any = None
    for key in rows:
        ranked = key if order is None else take_along(key, order, axis)
        step = bind(argsort_primitive, ranked, axis=axis, kind="stable")
        order = step if order is None else take_along(order, step, axis)
    return order


# Searching


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


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.isin`."""
    tested, tests = known_value(as_operand(element)), known_value(as_operand(test_elements))
    pairs = np.equal(np.expand_dims(tested, -1), np.ravel(tests))
    found = np.any(pairs, axis=-1)
    found = found if np.ndim(found) else as_array(found)
    return np.logical_not(found) if invert else found


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    """As `numpy.unique`, of known values: the first of equal elements has the derivative."""
    values = known_choice(ar, "The input of unique", DIFFERENT)
    _, index, inverse, counts = np.unique(values, True, True, True, axis, **options)
    results = [np.take(ar, index, axis)]
    results += [index] * return_index + [inverse] * return_inverse + [counts] * return_counts
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """As `numpy.searchsorted`."""
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    a = as_operand(a)
    if sorter is not None:
        a = np.take(a, sorter)
    return bind(searchsorted_primitive, a, as_operand(v), side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As `numpy.digitize`; the bins must be known."""
    edges = np.asarray(known_choice(as_operand(bins), "The bins of digitize", BINS))
    if dtype_of(as_operand(x)).kind == "c":
        raise TypeError("x may not be complex")
    if edges.ndim != 1:
        raise ValueError("object of too small depth for desired array")
    steps = np.diff(edges)
    if np.all(steps >= 0):
        return np.searchsorted(edges, x, "left" if right else "right")
    if np.all(steps <= 0):
        return len(edges) - np.searchsorted(edges[::-1], x, "right" if right else "left")
    raise ValueError("bins must be monotonically increasing or decreasing")


# Counting


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.count_nonzero`."""
    return np.add.reduce(np.not_equal(a, 0), axis=axis, keepdims=keepdims)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As `numpy.bincount`; what is counted must be known, and the weights may be traced."""
    numbers = known_choice(as_operand(x), "What bincount counts", COUNTS)
    if not isinstance(weights, Tracer):
        return np.bincount(numbers, weights, minlength)
    length = len(np.bincount(numbers, None, minlength))  # also for NumPy's errors
    if weights.shape != shape_of(numbers):
        raise ValueError("The weights and list don't have the same length.")
    require_castable(weights.dtype, np.dtype(np.float64), "safe")
    weights = cast_to(weights, np.dtype(np.float64))
    return bind(scatter_add, weights, numbers, index=(INDICES,), shape=(length,), unique=False)
