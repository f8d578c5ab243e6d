"""Slices of ``jax.lax``, at places that are known and at places that are computed."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.lax.shaping import axis_of
from functrace.primitives.indexing import INDICES, gather, index_update
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """A part of an array, from a start up to a limit along each axis.

    Raises:
        ShapeMismatchError: A start or a limit lies outside its axis, or there are not as many as
            axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.slice(np.arange(10), (1,), (8,), (3,))
        array([1, 4, 7])
    """
    operand = as_operand(operand)
    shape = shape_of(operand)
    steps = [1] * len(shape) if strides is None else list(strides)
    starts, limits = list(start_indices), list(limit_indices)
    fits = len(starts) == len(limits) == len(steps) == len(shape)
    if not fits or not builtins.all(
        0 <= a <= b <= n and step > 0
        for a, b, n, step in zip(starts, limits, shape, steps, strict=True)
    ):
        raise ShapeMismatchError(
            f"An array of shape {shape} has no slice from {starts} to {limits} by {steps}."
        )
    return operand[tuple(builtins.slice(*each) for each in zip(starts, limits, steps, strict=True))]


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """A part along one axis; negative indices count from its end, None stands for its ends.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.slice_in_dim(np.arange(6), 1, -1, stride=2)
        array([1, 3])
    """
    operand = as_operand(operand)
    axis = axis_of(axis, operand)
    index = builtins.slice(start_index, limit_index, stride)
    return operand[(*(builtins.slice(None),) * axis, index)]


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """One row along an axis, which stays with length 1, or goes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([[1, 2], [3, 4]])
        >>> lax.index_in_dim(x, 1), lax.index_in_dim(x, 1, keepdims=False)
        (array([[3, 4]]), array([3, 4]))
    """
    operand = as_operand(operand)
    axis = axis_of(axis, operand)
    row = operand[(*(builtins.slice(None),) * axis, index)]
    return np.expand_dims(row, axis) if keepdims else row


def _clamped(start: Any, length: int, size: int) -> Any:
    """A start so that a slice of this size lies inside of its axis."""
    start = known_value(as_operand(start))
    if dtype_of(start).kind not in "iu" or shape_of(start) != ():
        raise ArgumentError(f"A start index must be an integer, not {start!r}.")
    if not 0 <= size <= length:
        raise ShapeMismatchError(f"A slice of size {size} does not fit an axis of length {length}.")
    if not isinstance(start, Tracer):
        start = int(start)
        return builtins.min(builtins.max(start + length * (start < 0), 0), length - size)
    if size == length:
        return 0
    start = cast_to(start, np.dtype(np.int64))
    return np.clip(np.where(start < 0, start + length, start), 0, length - size)


def _starts(start_indices: Any, count: int) -> list[Any]:
    if isinstance(start_indices, Tracer | np.ndarray):
        given = [start_indices[k] for k in range(shape_of(start_indices)[0])]
    else:
        given = list(start_indices)
    if len(given) != count:
        raise ShapeMismatchError(f"{len(given)} start indices were given for {count} axes.")
    return given


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Sequence[int]) -> Any:
    """A part of known size at a place that may be computed.

    Args:
        operand: An array.
        start_indices: One integer scalar for each axis, or an array of them. Negative ones count
            from the end. As in JAX, a slice that would reach beyond an end is moved inside.
        slice_sizes: The shape of the part.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_slice(np.arange(5), (4,), (2,))
        array([3, 4])
    """
    operand = as_operand(operand)
    shape, sizes = shape_of(operand), [int(size) for size in slice_sizes]
    starts = _starts(start_indices, len(shape))
    if len(sizes) != len(shape):
        raise ShapeMismatchError(f"{len(sizes)} slice sizes were given for {len(shape)} axes.")
    clamped = [_clamped(*each) for each in zip(starts, shape, sizes, strict=True)]
    whole = builtins.slice(None)
    known: list[Any] = [
        whole if isinstance(start, Tracer) else builtins.slice(start, start + size)
        for start, size in zip(clamped, sizes, strict=True)
    ]
    if any(size != length for size, length in zip(sizes, shape, strict=True)):
        operand = operand[tuple(known)]
    for axis, (start, size) in enumerate(zip(clamped, sizes, strict=True)):
        if isinstance(start, Tracer):
            index = (*(whole,) * axis, INDICES)
            operand = bind(gather, operand, start + np.arange(size), index=index, unique=True)
    return operand


def dynamic_update_slice(operand: Any, update: Any, start_indices: Any) -> Any:
    """An array with a part replaced, at a place that may be computed.

    Args:
        operand: An array, which is not changed.
        update: The new part, of the same rank.
        start_indices: As for `dynamic_slice`.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_update_slice(np.zeros(4), np.ones(2), (9,))
        array([0., 0., 1., 1.])
    """
    operand, update = as_operand(operand), as_operand(update)
    shape, sizes = shape_of(operand), shape_of(update)
    if len(shape) != len(sizes):
        raise ShapeMismatchError(
            f"An update of shape {sizes} does not have the rank of an array of shape {shape}."
        )
    if dtype_of(update) != dtype_of(operand):
        update = cast_to(update, dtype_of(operand))
    starts = _starts(start_indices, len(shape))
    if not shape:
        return update
    clamped = [_clamped(*each) for each in zip(starts, shape, sizes, strict=True)]
    if not any(isinstance(start, Tracer) for start in clamped):
        slices = [
            builtins.slice(start, start + size) for start, size in zip(clamped, sizes, strict=True)
        ]
        return bind(index_update, operand, update, index=tuple(slices))
    arrays = [
        np.reshape(start + np.arange(size), (1,) * axis + (-1,) + (1,) * (len(shape) - axis - 1))
        for axis, (start, size) in enumerate(zip(clamped, sizes, strict=True))
    ]
    return bind(index_update, operand, update, *arrays, index=(INDICES,) * len(shape), unique=True)


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0) -> Any:
    """As `dynamic_slice` along one axis, with the whole of the others.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace import lax
        >>> ft.jit(lambda i: lax.dynamic_slice_in_dim(np.arange(10), i, 3))(4)
        array([4, 5, 6])
    """
    operand = as_operand(operand)
    axis, sizes = axis_of(axis, operand), list(shape_of(operand))
    sizes[axis] = slice_size
    return dynamic_slice(operand, _at(axis, start_index, operand), sizes)


def dynamic_index_in_dim(operand: Any, index: Any, axis: int = 0, keepdims: bool = True) -> Any:
    """One row along an axis, at a place that may be computed; the axis stays, or goes.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace import lax
        >>> x = np.array([[1, 2], [3, 4], [5, 6]])
        >>> ft.jit(lambda i: lax.dynamic_index_in_dim(x, i, keepdims=False))(1)
        array([3, 4])
    """
    row = dynamic_slice_in_dim(operand, index, 1, axis)
    return row if keepdims else np.squeeze(row, axis)


def dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: int) -> Any:
    """As `dynamic_update_slice` along one axis, from the beginning of the others.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_update_slice_in_dim(np.zeros(5), np.array([1.0, 2.0]), 2, axis=0)
        array([0., 0., 1., 2., 0.])
    """
    operand = as_operand(operand)
    return dynamic_update_slice(operand, update, _at(axis_of(axis, operand), start_index, operand))


def dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: int) -> Any:
    """An array with one row along an axis replaced, at a place that may be computed.

    The new row may have the axis, with length 1, or not.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dynamic_update_index_in_dim(np.zeros((2, 2)), np.array([1.0, 2.0]), 1, axis=0)
        array([[0., 0.],
               [1., 2.]])
    """
    operand, update = as_operand(operand), as_operand(update)
    axis = axis_of(axis, operand)
    if len(shape_of(update)) != len(shape_of(operand)):
        update = np.expand_dims(update, axis)
    return dynamic_update_slice_in_dim(operand, update, index, axis)


def _at(axis: int, start: Any, operand: Any) -> list[Any]:
    starts: list[Any] = [0] * len(shape_of(operand))
    starts[axis] = start
    return starts


globals().update(entrances(globals()))
