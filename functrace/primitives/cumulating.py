"""Sums so far: cumsum and the functions that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.types import ArrayType
from functrace.primitives.linear import Linear, cast_to
from functrace.primitives.shaping import implements_named
from functrace.tracing import UFUNC_METHODS, as_operand, bind, implements, reject_out


class CumulativeSum(Linear):
    """The sum of all elements up to each one along an axis, or from each one on (``reverse``)."""

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
        x = np.moveaxis(x, batch_axis, 0) if batch_axis else x
        return bind(self, x, axis=axis + 1, reverse=reverse), 0


cumulative_sum_primitive = CumulativeSum("cumsum")


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As `numpy.cumsum`."""
    reject_out(out)
    if axis is None:
        a, axis = np.ravel(a), 0
    elif a.ndim == 0 and axis in (0, -1):
        a, axis = np.reshape(a, (1,)), 0
    axis = normalize_axis_index(axis, a.ndim)
    if dtype is not None and a.dtype != dtype:
        a = cast_to(a, np.dtype(dtype))
    sums = bind(cumulative_sum_primitive, a, axis=axis, reverse=False)
    # The sums of small integers are large ones, unless small ones were asked for.
    return sums if dtype is None or sums.dtype == dtype else cast_to(sums, np.dtype(dtype))


@implements_named("cumulative_sum")
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Any:
    """As `numpy.cumulative_sum`."""
    reject_out(out)
    if axis is None:
        if x.ndim > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        if x.ndim == 0:
            raise ValueError("Input array must be at least 1-d.")
        axis = 0
    axis = normalize_axis_index(axis, x.ndim)
    sums = np.cumsum(x, axis, dtype)
    if not include_initial:
        return sums
    first = np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), sums.dtype)
    return np.concatenate([first, sums], axis)


def add_accumulate(array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """As ``numpy.add.accumulate``."""
    reject_out(out)
    if array.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    return np.cumsum(array, axis, dtype)


UFUNC_METHODS[np.add, "accumulate"] = add_accumulate


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As `numpy.trapezoid`."""
    y = as_operand(y)
    rank = np.ndim(y)
    axis = normalize_axis_index(axis, rank)
    if x is None:
        steps: Any = dx
    else:
        x = as_operand(x)
        steps = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        if np.ndim(x) == 1:
            steps = np.reshape(steps, (-1,) + (1,) * (rank - 1 - axis))
    before = (slice(None),) * axis
    sums = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    return np.sum(steps * sums / 2.0, axis=axis)
