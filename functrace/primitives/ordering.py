"""Orders: the indices that sort, and the places in what is sorted. Both are locally constant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.primitive import Values
from functrace.ir.types import ArrayType
from functrace.primitives.linear import LocallyConstant, in_front, shape_of
from functrace.tracing.tracer import bind


class ArgSort(LocallyConstant):
    """The indices that sort along an axis."""

    is_fresh = True

    def run(self, x: Any, *, axis: int, kind: Any) -> Any:
        """Sort."""
        return np.argsort(x, axis, kind)

    def infer(self, x: ArrayType, *, axis: int, kind: Any) -> ArrayType:
        """One index for each element."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.dtype(np.intp))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """About as many comparisons as a merge sort has: n log2(n) of n elements."""
        length = abs(inputs[0].shape[params["axis"]])
        return abs(inputs[0].size) * math.ceil(math.log2(max(length, 2)))

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int, kind: Any
    ) -> Any:
        """Sort in all examples."""
        (x,), (batch_axis,) = inputs, axes
        return bind(self, in_front(x, batch_axis), axis=axis + 1, kind=kind), 0


argsort_primitive = ArgSort("argsort")


class ArgPartition(LocallyConstant):
    """Indices that bring some elements to their places in the order along an axis.

    What is smaller comes before these elements, and what is larger behind them.
    """

    is_fresh = True

    def run(self, x: Any, *, kth: tuple[int, ...], axis: int, kind: Any) -> Any:
        """Partition."""
        return np.argpartition(x, kth, axis, kind)

    def infer(self, x: ArrayType, *, kth: tuple[int, ...], axis: int, kind: Any) -> ArrayType:
        """One index for each element."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.dtype(np.intp))

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int, **params: Any
    ) -> Any:
        """Partition all examples."""
        (x,), (batch_axis,) = inputs, axes
        return bind(self, in_front(x, batch_axis), axis=axis + 1, **params), 0


argpartition_primitive = ArgPartition("argpartition")


class SearchSorted(LocallyConstant):
    """Where each value would have to be inserted into a sorted array."""

    is_fresh = True
    makes_scalars = True

    def run(self, a: Any, v: Any, *, side: Any) -> Any:
        """Search."""
        return np.searchsorted(a, v, side)

    def infer(self, a: ArrayType, v: ArrayType, *, side: str) -> ArrayType:
        """One index for each value."""
        if a.ndim != 1:
            raise ValueError("object of too small depth for desired array")
        return ArrayType(v.shape, np.dtype(np.intp))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """The comparisons of a binary search for each value."""
        steps = math.ceil(math.log2(max(abs(inputs[0].size), 1) + 1))
        return abs(inputs[1].size) * steps

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, side: str) -> Any:
        """Values by the batch are searched at once; in several arrays, by counting."""
        a, v = inputs
        a_axis, v_axis = axes
        if a_axis is None:
            return bind(self, a, v, side=side), v_axis
        a, v = in_front(a, a_axis), np.expand_dims(in_front(v, v_axis), -1)
        inner = np.ndim(v) - 1 - (v_axis is not None)
        a = np.reshape(a, (size, *(1,) * inner, shape_of(a)[1]))
        # NumPy's order, in which nan is the largest of all.
        is_before = np.less(a, v) | (np.isnan(v) & ~np.isnan(a))
        if side == "right":
            is_before = is_before | np.equal(a, v) | (np.isnan(a) & np.isnan(v))
        return np.sum(is_before, axis=-1, dtype=np.intp), 0


searchsorted_primitive = SearchSorted("searchsorted")
