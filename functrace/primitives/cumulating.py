"""Sums so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.types import ArrayType
from functrace.primitives.linear import Linear, in_front
from functrace.tracing.tracer import bind


class CumulativeSum(Linear):
    """The sum of all elements up to each one along an axis, or from each one on (``reverse``)."""

    is_fresh = True
    is_total = True

    def run(self, x: Any, *, axis: int, reverse: bool) -> Any:
        """Sum."""
        if reverse:
            return np.flip(np.cumsum(np.flip(x, axis), axis), axis)
        return np.cumsum(x, axis)

    def infer(self, x: ArrayType, *, axis: int, reverse: bool) -> ArrayType:
        """The same shape; NumPy adds small integers up in large ones."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.cumsum(np.empty(0, x.dtype)).dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, axis: int, reverse: bool) -> Any:
        """Each element counts in all sums after it."""
        return bind(self, cotangent, axis=axis, reverse=not reverse)

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        axis: int,
        reverse: bool,
    ) -> Any:
        """Sum in all examples."""
        (x,), (batch_axis,) = inputs, axes
        return bind(self, in_front(x, batch_axis), axis=axis + 1, reverse=reverse), 0


cumulative_sum_primitive = CumulativeSum("cumsum")
