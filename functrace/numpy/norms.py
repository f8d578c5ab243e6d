"""Norms of vectors and matrices. At zero, where a norm has a kink, its derivative is 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from functrace.matrices.spectral import extreme, settled
from functrace.numpy.statistics import squared_size
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, shape_of
from functrace.primitives.reducing import (
    normal_axes,
    normal_axis,
    reduced_count,
    reduced_shape,
    root,
)
from functrace.tracing.implementing import implements
from functrace.tracing.tracer import bind


def _largest(sizes: Any, axis: Any, keepdims: bool) -> Any:
    """The largest of numbers that are not negative; of none it is 0."""
    axes = normal_axes(axis, len(sizes.shape))
    if reduced_count(sizes.shape, axes) == 0:
        return np.zeros(reduced_shape(sizes.shape, axes, keepdims), sizes.dtype)[()]
    return np.maximum.reduce(sizes, axis=axis, keepdims=keepdims)


def _vector_norm(x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    """The norm of vectors along one axis (or, for order 2, of all elements along axes)."""
    if order is None or order == 2:
        return bind(root, np.add.reduce(squared_size(x), axis=axis, keepdims=keepdims))
    if order == math.inf:
        return _largest(np.abs(x), axis, keepdims)
    if order == -math.inf:
        return np.minimum.reduce(np.abs(x), axis=axis, keepdims=keepdims)
    if order == 0:
        unequal = cast_to(np.not_equal(x, 0), dtype_of(np.abs(x)))
        return np.add.reduce(unequal, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.add.reduce(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    total = np.add.reduce(_powers(np.abs(x), order), axis=axis, keepdims=keepdims)
    # At zero this is a kink as well: the power's own derivative would be infinite there.
    is_zero = np.equal(total, 0)
    safe = np.where(is_zero, dtype_of(total).type(1), total) ** (1 / order)
    return as_scalar(np.where(is_zero, dtype_of(total).type(0 if order > 0 else math.inf), safe))


def _powers(sizes: Any, order: Any) -> Any:
    """Powers of numbers that are not negative, with derivative 0 where these are 0.

    A size has a kink there, with slope 0, and a power below 1 is infinitely steep.
    """
    if order >= 1:
        return sizes**order
    is_zero = np.equal(sizes, 0)
    number = dtype_of(sizes).type
    at_zero = number(0 if order > 0 else math.inf)
    return np.where(is_zero, at_zero, np.where(is_zero, number(1), sizes) ** order)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if order in (None, "fro", "f"):
        return _vector_norm(x, 2, axes, keepdims)
    if order in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
        if order == "nuc":
            result = np.add.reduce(settled(values), axis=-1)
        elif values.shape[-1] == 0:
            result = np.linalg.norm(np.zeros((0, 0), values.dtype), order)  # or NumPy's error
            result = np.broadcast_to(result, values.shape[:-1])[()]
        else:
            result = extreme(settled(values), 0 if order == 2 else -1)
        return np.reshape(result, reduced_shape(x.shape, axes, True)) if keepdims else result
    sums = {1: 0, -1: 0, math.inf: 1, -math.inf: 1}
    if order not in sums:
        raise ValueError("Invalid norm order for matrices.")
    summed = axes[sums[order]]
    totals = np.add.reduce(np.abs(x), axis=summed, keepdims=True)
    if order > 0:
        return _largest(totals, axes, keepdims)  # one of the axes has length 1 already
    return np.minimum.reduce(totals, axis=axes, keepdims=keepdims)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As `numpy.linalg.norm`; the derivative of a norm at zero is 0."""
    if dtype_of(x).kind not in "fc":
        x = cast_to(x, np.dtype(np.float64))
    rank = len(shape_of(x))
    if axis is None:
        if ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1):
            return _vector_norm(x, 2, None, keepdims)
        axis = tuple(range(rank))
    elif not isinstance(axis, tuple):
        axis = (axis,)
    axis = tuple(normal_axis(each, rank) for each in axis)
    if len(axis) == 1:
        return _vector_norm(x, ord, axis[0], keepdims)
    if len(axis) == 2:
        if axis[0] == axis[1]:
            raise ValueError("Duplicate axes given.")
        return _matrix_norm(x, ord, axis, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """As `numpy.linalg.vector_norm`."""
    if dtype_of(x).kind not in "fc":
        x = cast_to(x, np.dtype(np.float64))
    if axis is not None:
        axis = normalize_axis_tuple(axis, np.ndim(x))
        axis = axis[0] if len(axis) == 1 else axis
    return _vector_norm(x, ord, axis, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """As `numpy.linalg.matrix_norm`."""
    return norm(x, ord, (-2, -1), keepdims)
