"""Shapes and new arrays, by the names of ``jax.lax``."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.primitives.indexing import index_update
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.primitives.shaping import pad_primitive
from functrace.primitives.viewing import viewed
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind


def axis_of(axis: int, operand: Any) -> int:
    """An axis of an operand, counted from the front."""
    return np.lib.array_utils.normalize_axis_index(axis, len(shape_of(operand)))


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """Repeat along new leading axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.broadcast(np.array([1, 2]), (3,))
        array([[1, 2],
               [1, 2],
               [1, 2]])
    """
    operand = as_operand(operand)
    return np.broadcast_to(operand, (*sizes, *shape_of(operand)))


def broadcast_in_dim(
    operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]
) -> Any:
    """Repeat into a shape, in which the operand's axes stand at the given places.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.broadcast_in_dim(np.arange(2), (2, 3), (0,))
        array([[0, 0, 0],
               [1, 1, 1]])
    """
    operand = as_operand(operand)
    places = list(broadcast_dimensions)
    if len(places) != len(shape_of(operand)) or places != sorted(set(places)):
        raise ShapeMismatchError(
            f"broadcast_in_dim was given the places {places} for the axes of an array of shape "
            f"{shape_of(operand)}: they must ascend, one for each axis."
        )
    lined_up = [1] * len(shape)
    for place, length in zip(places, shape_of(operand), strict=True):
        lined_up[place] = length
    return np.broadcast_to(np.reshape(operand, lined_up), tuple(shape))


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """Add leading axes of length 1 up to a rank.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.broadcast_to_rank(np.ones((2, 3)), 4).shape
        (1, 1, 2, 3)
    """
    x = as_operand(x)
    return np.reshape(x, (1,) * (rank - len(shape_of(x))) + shape_of(x))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which all of these broadcast.

    Example:
        >>> from functrace import lax
        >>> lax.broadcast_shapes((2, 1), (3,), ())
        (2, 3)
    """
    return np.broadcast_shapes(*(tuple(shape) for shape in shapes))


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Join along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.concatenate([np.array([1, 2]), np.array([3])], 0)
        array([1, 2, 3])
    """
    return np.concatenate([as_operand(x) for x in operands], axis=dimension)


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Join along a new axis.

    Example:
        >>> from functrace import lax
        >>> lax.stack([1.0, 2.0])
        array([1., 2.])
    """
    return np.stack([as_operand(x) for x in operands], axis)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The parts of an array along an axis, which they have not.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.unstack(np.eye(2), axis=1)
        (array([1., 0.]), array([0., 1.]))
    """
    return tuple(np.moveaxis(as_operand(x), axis, 0))


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Divide an array along an axis into parts of these sizes.

    Raises:
        ShapeMismatchError: The sizes do not add up to the length of the axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.split(np.arange(4.0), (1, 3))
        [array([0.]), array([1., 2., 3.])]
    """
    operand = as_operand(operand)
    length = shape_of(operand)[axis_of(axis, operand)]
    if builtins.min(sizes, default=0) < 0 or sum(sizes) != length:
        raise ShapeMismatchError(f"The sizes {list(sizes)} do not divide an axis of {length}.")
    return np.split(operand, np.cumsum(sizes, dtype=np.int64)[:-1].tolist(), axis)


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """Repeat an array along its axes, so many times along each.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.tile(np.array([1, 2]), (3,))
        array([1, 2, 1, 2, 1, 2])
    """
    if len(reps) < len(shape_of(as_operand(operand))):
        raise ShapeMismatchError(
            f"tile was given {len(reps)} numbers of repetitions for an array of shape "
            f"{shape_of(as_operand(operand))}."
        )
    return np.tile(operand, tuple(reps))


def reshape(
    operand: Any, new_sizes: Sequence[int] | int, dimensions: Sequence[int] | None = None
) -> Any:
    """The same elements in another shape; ``dimensions`` permutes the axes first.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reshape(np.array([[1, 2, 3], [4, 5, 6]]), (6,), dimensions=(1, 0))
        array([1, 4, 2, 5, 3, 6])
    """
    operand = as_operand(operand)
    if dimensions is not None:
        operand = np.transpose(operand, tuple(dimensions))
    return np.reshape(operand, new_sizes if isinstance(new_sizes, int) else tuple(new_sizes))


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """The axes in another order.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.transpose(np.ones((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    return np.transpose(as_operand(operand), tuple(permutation))


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse along axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.rev(np.array([[1, 2], [3, 4]]), (1,))
        array([[2, 1],
               [4, 3]])
    """
    return np.flip(as_operand(operand), tuple(dimensions))


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Add axes of length 1.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.expand_dims(np.ones((2, 3)), (0, 2)).shape
        (1, 2, 1, 3)
    """
    return np.expand_dims(as_operand(array), tuple(dimensions))


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Take axes of length 1 away.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.squeeze(np.ones((1, 3, 1)), (0,)).shape
        (3, 1)
    """
    return np.squeeze(as_operand(array), tuple(dimensions))


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Make one axis of those from a first one up to the one before the last.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.collapse(np.ones((2, 3, 4)), 0, 2).shape
        (6, 4)
    """
    operand = as_operand(operand)
    shape = shape_of(operand)
    start, stop, _ = builtins.slice(start_dimension, stop_dimension).indices(len(shape))
    return np.reshape(operand, (*shape[:start], prod(shape[start:stop]), *shape[stop:]))


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Put a value around and between the elements.

    Args:
        operand: An array.
        padding_value: A scalar.
        padding_config: For each axis how many to put before and after (negative numbers take
            elements away), and how many between each two.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.pad(np.array([1.0, 2.0, 3.0]), 0.0, [(1, -1, 1)])
        array([0., 1., 0., 2., 0.])
    """
    operand, value = as_operand(operand), as_operand(padding_value)
    shape = shape_of(operand)
    if len(padding_config) != len(shape) or shape_of(value) != ():
        raise ShapeMismatchError(
            f"pad was given {len(padding_config)} triples and a value of shape {shape_of(value)} "
            f"for an array of shape {shape}."
        )
    if dtype_of(value) != dtype_of(operand):
        value = cast_to(value, dtype_of(operand))
    if not shape:
        return operand
    is_zero = not isinstance(value, Tracer) and value == 0
    if is_zero and all(
        builtins.min(low, high) >= 0 == between for low, high, between in padding_config
    ):
        padding = tuple((int(low), int(high)) for low, high, _ in padding_config)
        return bind(pad_primitive, operand, padding=padding)
    new_shape: list[int] = []
    taken: list[Any] = []
    placed: list[Any] = []
    for (low, high, interior), length in zip(padding_config, shape, strict=True):
        if interior < 0:
            raise ArgumentError(f"pad cannot put {interior} elements between each two.")
        step = interior + 1
        new_length = low + high + builtins.max(length + (length - 1) * interior, 0)
        if new_length < 0:
            raise ShapeMismatchError(f"pad takes more away than the length {length} of an axis.")
        # Element i comes to low + i * step; those that come to lie outside are left out.
        first = builtins.min(builtins.max(-(low // step), 0), length)
        end = builtins.max(builtins.min(-((low - new_length) // step), length), first)
        new_shape.append(new_length)
        taken.append(builtins.slice(first, end))
        start = low + first * step
        stop = start + builtins.max((end - first - 1) * step + 1, 0)
        placed.append(builtins.slice(start, stop, step) if end > first else builtins.slice(0, 0))
    return bind(
        index_update,
        np.broadcast_to(value, tuple(new_shape)),
        operand[tuple(taken)],
        index=tuple(placed),
    )


# New arrays


def iota(dtype: Any, size: int) -> Any:
    """The numbers from 0 up to a size.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.iota(np.float64, 4)
        array([0., 1., 2., 3.])
    """
    return np.arange(size, dtype=dtype)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """An array of which the elements count along one axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.broadcasted_iota(np.int64, (2, 3), 1)
        array([[0, 1, 2],
               [0, 1, 2]])
    """
    return broadcast_in_dim(iota(dtype, shape[dimension]), shape, (dimension % len(shape),)).copy()


def empty(shape: Sequence[int] | int, dtype: Any = None) -> Any:
    """An array of zeros, as what stands in an array that nobody has written is not said.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.empty((2,), np.float32)
        array([0., 0.], dtype=float32)
    """
    return np.zeros(shape, np.float64 if dtype is None else dtype)


def full(shape: Sequence[int] | int, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one value.

    Example:
        >>> from functrace import lax
        >>> lax.full((2, 2), 7)
        array([[7, 7],
               [7, 7]])
    """
    value = as_operand(fill_value)
    if dtype is not None and dtype_of(value) != np.dtype(dtype):
        value = cast_to(value, np.dtype(dtype))
    return np.broadcast_to(value, shape).copy()


def full_like(
    x: Any, fill_value: Any, dtype: Any = None, shape: Sequence[int] | int | None = None
) -> Any:
    """An array of one value, with the shape and dtype of another one where these are not given.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.full_like(np.zeros(2, np.float32), 3)
        array([3., 3.], dtype=float32)
    """
    x = as_operand(x)
    return full(
        shape_of(x) if shape is None else shape, fill_value, dtype_of(x) if dtype is None else dtype
    )


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """The same values in another dtype.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.convert_element_type(np.array([1.7, -1.7]), np.int32)
        array([ 1, -1], dtype=int32)
    """
    return cast_to(as_operand(operand), np.dtype(new_dtype))


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """The same bits in another dtype; wider numbers take the last axis, narrower ones are one.

    Args:
        operand: An array.
        new_dtype: A dtype of numbers.

    Raises:
        ShapeMismatchError: Of a wider dtype, the last axis does not hold one number.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.bitcast_convert_type(np.float32(1.0), np.uint16)
        array([    0, 16256], dtype=uint16)
    """
    operand, dtype = as_operand(operand), np.dtype(new_dtype)
    own, shape = dtype_of(operand).itemsize, shape_of(operand)
    if own > dtype.itemsize:
        return viewed(np.expand_dims(operand, -1), dtype)
    if own < dtype.itemsize and shape[-1:] != (dtype.itemsize // own,):
        raise ShapeMismatchError(
            f"The last axis of shape {shape} does not hold the {dtype.itemsize // own} parts of a "
            f"number of {dtype}."
        )
    found = viewed(operand, dtype)
    return found if own == dtype.itemsize else np.squeeze(found, -1)


globals().update(entrances(globals()))
