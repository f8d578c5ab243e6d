"""Reductions: sums, products, extremes and what is made of them, with NumPy's signatures.

The sum and the mean are linear; their transpose spreads the cotangent over the reduced axes. The
axes are a parameter in one normal form: None for all of them, else an ascending tuple of positive
numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, Shape
from functrace.primitives.linear import Linear, cast_to, dtype_of, shape_of
from functrace.tracing import UFUNC_METHODS, bind, implements, reject_out

Axes = tuple[int, ...] | None
"""The reduced axes: None for all, else ascending and not negative."""


def normal_axes(axis: Any, rank: int) -> Axes:
    """The axes that NumPy's argument ``axis`` names, in normal form.

    Raises:
        AxisError: There is no such axis.
        ValueError: An axis is named twice.
    """
    if axis is None:
        return None
    if not isinstance(axis, tuple):
        index = operator.index(axis)
        if not -rank <= index < rank:
            raise np.exceptions.AxisError(index, rank)
        return None if rank == 1 else (index % rank,)
    axes = sorted(np.lib.array_utils.normalize_axis_tuple(axis, rank))
    return None if len(axes) == rank else tuple(axes)


def reduced_shape(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """The shape that a reduction leaves of a shape."""
    if keepdims:
        return tuple(1 if axes is None or i in axes else n for i, n in enumerate(shape))
    return () if axes is None else tuple(n for i, n in enumerate(shape) if i not in axes)


def reduced_count(shape: Shape, axes: Axes) -> int:
    """How many elements are reduced to one."""
    count = 1
    for axis in range(len(shape)) if axes is None else axes:
        count *= shape[axis]
    return count


def batched_axes(axes: Axes, rank: int, batch_axis: int) -> tuple[int, ...]:
    """The axes to reduce in a whole batch, of which one more axis counts the examples."""
    named = range(rank) if axes is None else axes
    return tuple(axis + (axis >= batch_axis) for axis in named)


def spread(x: Any, shape: Shape, axes: Axes, keepdims: bool) -> Any:
    """Repeat what a reduction left along the reduced axes: the transpose of the sum."""
    if axes is None and not keepdims and isinstance(x, np.generic):
        # The commonest case: the derivative of a loss that is a sum or a mean.
        whole = np.empty(shape, x.dtype)
        whole.fill(x)
        return whole if shape else x
    if not keepdims and axes is not None:
        x = np.reshape(x, reduced_shape(shape, axes, True))
    return np.broadcast_to(x, shape)


class Sum(Linear):
    """The sum over axes, accumulated in ``dtype`` (None: the one that NumPy chooses)."""

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: np.dtype[Any] | None) -> Any:
        """Add up, in NumPy's order of pairs."""
        return np.add.reduce(x, axes, dtype, None, keepdims)

    def infer(
        self, x: ArrayType, *, axes: Axes, keepdims: bool, dtype: np.dtype[Any] | None
    ) -> ArrayType:
        """The shape without the axes; small integers widen as in NumPy."""
        return ArrayType(reduced_shape(x.shape, axes, keepdims), dtype or sum_dtype(x.dtype))

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        *,
        axes: Axes,
        keepdims: bool,
        dtype: np.dtype[Any] | None,
    ) -> Any:
        """Every addend gets the cotangent of its sum."""
        if not input.is_inexact:
            return None
        whole = spread(cotangent, input.shape, axes, keepdims)
        return whole if dtype is None or dtype == input.dtype else cast_to(whole, input.dtype)

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes_of_batch: Sequence[int | None],
        *,
        axes: Axes,
        keepdims: bool,
        dtype: np.dtype[Any] | None,
    ) -> tuple[Any, Any]:
        """Leave the batch axis out of the reduced ones."""
        return batch_reduction(
            self, inputs, axes_of_batch, axes=axes, keepdims=keepdims, dtype=dtype
        )


def batch_reduction(
    primitive: Primitive,
    inputs: Sequence[Any],
    axes_of_batch: Sequence[int | None],
    *,
    axes: Axes,
    keepdims: bool,
    **params: Any,
) -> tuple[Any, Any]:
    """Reduce each example of a batch, by the axes of one example."""
    (x,), (batch_axis,) = inputs, axes_of_batch
    assert batch_axis is not None
    rank = len(shape_of(x)) - 1
    batch_axis %= rank + 1
    named = batched_axes(axes, rank, batch_axis)
    output = bind(primitive, x, axes=named, keepdims=keepdims, **params)
    gone = 0 if keepdims else sum(axis < batch_axis for axis in named)
    return output, batch_axis - gone


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a sum or a product: booleans and small integers become NumPy's default ones."""
    if dtype.kind == "b" or (dtype.kind == "i" and dtype.itemsize < np.dtype(np.int_).itemsize):
        return np.dtype(np.int_)
    if dtype.kind == "u" and dtype.itemsize < np.dtype(np.uint).itemsize:
        return np.dtype(np.uint)
    return dtype


class Mean(Sum):
    """The mean over axes, accumulated in ``dtype``, which is floating or complex."""

    def run(self, x: Any, *, axes: Axes, keepdims: bool, dtype: np.dtype[Any] | None) -> Any:
        """Add up and divide."""
        total = np.add.reduce(x, axes, dtype, None, keepdims)
        return total / (np.size(x) if axes is None else reduced_count(np.shape(x), axes))

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        *,
        axes: Axes,
        keepdims: bool,
        dtype: np.dtype[Any] | None,
    ) -> Any:
        """Every element gets its share of the cotangent."""
        share = cotangent / max(reduced_count(input.shape, axes), 1)
        return super().transpose(share, input, axes=axes, keepdims=keepdims, dtype=dtype)


sum_primitive = Sum("sum")
mean_primitive = Mean("mean")


def is_given(x: Any) -> bool:
    """Whether a keyword such as ``initial`` was given; NumPy's own mark for absence counts not."""
    return x is not None and x is not np._NoValue  # pyright: ignore


@implements(np.sum)
def sum_of(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As `numpy.sum`."""
    reject_out(out)
    if where is not True:
        a = np.where(where, a, 0)
    total = bind(
        sum_primitive,
        a,
        axes=normal_axes(axis, len(shape_of(a))),
        keepdims=bool(keepdims),
        dtype=None if dtype is None else np.dtype(dtype),
    )
    return total + initial if is_given(initial) else total


def add_reduce(
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """As ``numpy.add.reduce``."""
    return sum_of(array, axis, dtype, out, keepdims, initial, where)


UFUNC_METHODS[np.add, "reduce"] = add_reduce


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """As `numpy.mean`."""
    reject_out(out)
    own = dtype_of(a)
    wanted = None if dtype is None else np.dtype(dtype)
    if where is not True:
        count = np.add.reduce(np.broadcast_to(where, shape_of(a)), axis=axis, keepdims=keepdims)
        return sum_of(a, axis, wanted or mean_dtype(own), None, keepdims, None, where) / count
    if wanted is None and own.kind not in "fc":
        wanted = np.dtype(np.float64)
    halves = wanted is None and own == np.float16  # NumPy adds these up in single precision
    result = bind(
        mean_primitive,
        a,
        axes=normal_axes(axis, len(shape_of(a))),
        keepdims=bool(keepdims),
        dtype=np.dtype(np.float32) if halves else wanted,
    )
    return cast_to(result, own) if halves else result


def mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a mean."""
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)
