"""Sorting and searching, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.numpy.reshaping import known_numbers
from functrace.numpy.taking import take_along
from functrace.primitives.linear import as_scalar, cast_to, dtype_of
from functrace.primitives.ordering import (
    argpartition_primitive,
    argsort_primitive,
    searchsorted_primitive,
)
from functrace.primitives.requiring import require
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind

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


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """As `numpy.partition`."""
    if axis is None:
        a, axis = np.ravel(a), 0
    places = argpartition(a, kth, axis, kind, order)
    return laid_out_as(take_along(a, places, axis, unique=True), a)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """As `numpy.argpartition`."""
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if axis is None or a.ndim == 0:
        if axis not in (None, 0, -1):
            normalize_axis_index(axis, a.ndim)
        a, axis = np.ravel(a), 0
    kth = known_numbers(as_operand(kth), "The argument kth of a partition")
    np.partition(np.zeros(a.shape), kth, axis, kind)  # for NumPy's errors
    kth = tuple(np.ravel(kth).tolist())
    axis = normalize_axis_index(axis, a.ndim)
    return bind(argpartition_primitive, a, kth=kth, axis=axis, kind=kind)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """As `numpy.sort_complex`."""
    ranked = sort(as_operand(a))
    char = dtype_of(ranked).char
    if dtype_of(ranked).kind == "c":
        return ranked
    return cast_to(ranked, np.dtype("F" if char in "bhBH" else "G" if char == "g" else "D"))


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


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """As `numpy.searchsorted`."""
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    a = as_operand(a)
    if sorter is not None:
        if np.size(sorter) != np.size(a):
            raise ValueError("sorter.size must equal a.size")
        a = np.take(a, sorter)
    return bind(searchsorted_primitive, a, as_operand(v), side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As `numpy.digitize`."""
    x, bins = as_operand(x), as_operand(bins)
    if dtype_of(x).kind == "c":
        raise TypeError("x may not be complex")
    if np.ndim(bins) != 1:
        raise ValueError("object of too small depth for desired array")
    is_up = np.all(np.greater_equal(bins[1:], bins[:-1]))
    is_down = np.all(np.less_equal(bins[1:], bins[:-1]))
    message = "bins must be monotonically increasing or decreasing"
    bins = require(bins, np.logical_or(is_up, is_down), message)
    ordered = np.where(is_up, bins, bins[::-1])
    place = np.searchsorted(ordered, x, "left" if right else "right")
    return as_scalar(np.where(is_up, place, len(bins) - place))
