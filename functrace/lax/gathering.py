"""Slices read and written at many places at once, as ``jax.lax.gather`` and its kin do.

Each place is a vector of indices of some axes of the operand. How the axes belong together is said
by numbers of dimensions, which are those of XLA:
https://openxla.org/xla/operation_semantics#gather
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from functrace.errors import ShapeMismatchError
from functrace.numpy.ufunc_methods import written_at
from functrace.numpy.updating import filling, index_mode
from functrace.primitives import indexing
from functrace.primitives.indexing import INDICES, index_update, read
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


class GatherScatterMode(Enum):
    """What a place means whose slice is not within the operand.

    CLIP: the nearest place where it is; FILL_OR_DROP: it is read as one value, and not written;
    PROMISE_IN_BOUNDS: there is none; ONE_HOT: as FILL_OR_DROP.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x, places = np.array([1.0, 2.0, 3.0]), np.array([[0], [9]])
        >>> numbers = lax.GatherDimensionNumbers((), (0,), (0,))
        >>> lax.gather(x, places, numbers, (1,), mode=lax.GatherScatterMode.CLIP)
        array([1., 3.])
        >>> lax.gather(x, places, numbers, (1,), mode="fill", fill_value=-1.0)
        array([ 1., -1.])
    """

    CLIP = 0
    FILL_OR_DROP = 1
    PROMISE_IN_BOUNDS = 2
    ONE_HOT = 3


Mode: TypeAlias = GatherScatterMode | str | None


class GatherDimensionNumbers(NamedTuple):
    """How the axes of an operand, of places and of what is read belong together.

    Attributes:
        offset_dims: The axes of the result along which slices lie.
        collapsed_slice_dims: The axes of the operand along which slices have length 1, and which
            the result does not have.
        start_index_map: Which axes of the operand the places index.
        operand_batching_dims: Axes of the operand that are counted along with axes of places.
        start_indices_batching_dims: These axes of places.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([[1, 2], [3, 4], [5, 6]])
        >>> rows = lax.GatherDimensionNumbers((1,), collapsed_slice_dims=(0,), start_index_map=(0,))
        >>> lax.gather(x, np.array([[2], [0]]), rows, (1, 2))
        array([[5, 6],
               [1, 2]])
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """How the axes of an operand, of places and of updates belong together.

    Attributes:
        update_window_dims: The axes of updates along which slices lie.
        inserted_window_dims: The axes of the operand along which slices have length 1, and which
            updates do not have.
        scatter_dims_to_operand_dims: Which axes of the operand the places index.
        operand_batching_dims: Axes of the operand that are counted along with axes of places.
        scatter_indices_batching_dims: These axes of places.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> rows = lax.ScatterDimensionNumbers((1,), (0,), scatter_dims_to_operand_dims=(0,))
        >>> updates = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> lax.scatter_add(np.zeros((3, 2)), np.array([[2], [0]]), updates, rows)
        array([[3., 4.],
               [0., 0.],
               [1., 2.]])
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


class _Slices(NamedTuple):
    """Where slices lie in an operand.

    Attributes:
        indices: For each axis of the operand its indices, which broadcast to the shape of places
            followed by that of a slice.
        valid: Which places are in range, lined up with these; None where all are.
        shape: The shape of places followed by that of a slice, without axes of length 1.
    """

    indices: list[Any]
    valid: Any
    shape: tuple[int, ...]


def _slices(
    shape: tuple[int, ...],
    places: Any,
    sizes: Sequence[int],
    mapped: Sequence[int],
    dropped: Sequence[int],
    batching: Sequence[int],
    places_batching: Sequence[int],
    mode: Mode,
) -> _Slices:
    """Where slices of these sizes lie in an operand of a shape.

    Args:
        shape: The operand's.
        places: The places, with a vector along the last axis for each.
        sizes: How long slices are along each axis of the operand.
        mapped: Which axes of the operand a vector indexes.
        dropped: The axes of the operand that slices do not have.
        batching: The axes of the operand that are counted along with axes of places.
        places_batching: These axes of places.
        mode: What places out of range mean.
    """
    meaning = index_mode(mode, "drop", wraps=False)
    *of_places, count = shape_of(places)
    if count != len(mapped):
        raise ShapeMismatchError(
            f"Vectors of {count} indices do not fit the {len(mapped)} axes {tuple(mapped)}."
        )
    if len(sizes) != len(shape) or any(
        size > n or (size != 1 and axis in (*dropped, *batching))
        for axis, (size, n) in enumerate(zip(sizes, shape, strict=False))
    ):
        raise ShapeMismatchError(
            f"Slices of shape {tuple(sizes)} do not fit an operand of shape {shape}, of which the "
            f"axes {(*dropped, *batching)} are left out."
        )
    kept = [axis for axis in range(len(shape)) if axis not in (*dropped, *batching)]
    rank = len(of_places)
    valid: Any = None
    indices: list[Any] = []
    for axis, (size, length) in enumerate(zip(sizes, shape, strict=True)):
        index: Any = np.zeros((), np.intp)
        if axis in mapped:
            index = known_value(places[..., list(mapped).index(axis)])
            last = length - size
            nearest = np.clip(index, 0, last)
            if meaning == "drop":
                is_inside = np.equal(index, nearest)
                valid = is_inside if valid is None else np.logical_and(valid, is_inside)
            index = index if meaning == "promise_in_bounds" else nearest
        elif axis in batching:
            along = places_batching[list(batching).index(axis)]
            index = np.reshape(np.arange(length), (-1, *(1,) * (rank - along - 1)))
        index = np.reshape(index, (*shape_of(index), *(1,) * len(kept)))
        if axis in kept:
            within = np.arange(size)
            index = index + np.reshape(within, (size, *(1,) * (len(kept) - kept.index(axis) - 1)))
        indices.append(index)
    if valid is not None:
        valid = np.reshape(valid, (*of_places, *(1,) * len(kept)))
    return _Slices(indices, valid, (*of_places, *(sizes[axis] for axis in kept)))


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Mode = None,
    fill_value: Any = None,
) -> Any:
    """Read a slice at each of many places.

    Args:
        operand: An array.
        start_indices: Integers: along the last axis the vector of a place, where its slice begins.
        dimension_numbers: How the axes belong together.
        slice_sizes: The shape of a slice, with all axes of the operand.
        unique_indices: Taken, and without effect.
        indices_are_sorted: Taken, and without effect.
        mode: What a place means whose slice is not within the operand: "clip", "fill" (the
            default) or "promise_in_bounds".
        fill_value: What is read there; None for nan, of integers the number farthest from zero.

    Returns:
        An array with the axes of places, and those of a slice where ``offset_dims`` says.

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        ValueError: There is no such mode.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> numbers = lax.GatherDimensionNumbers((1,), (0,), (0,))
        >>> lax.gather(np.arange(6).reshape(3, 2), np.array([[2], [0]]), numbers, (1, 2))
        array([[4, 5],
               [0, 1]])
    """
    x, places = as_operand(operand), as_operand(start_indices)
    numbers = GatherDimensionNumbers(*dimension_numbers)
    found = _slices(
        shape_of(x),
        places,
        slice_sizes,
        numbers.start_index_map,
        numbers.collapsed_slice_dims,
        numbers.operand_batching_dims,
        numbers.start_indices_batching_dims,
        mode,
    )
    if len(numbers.offset_dims) != len(found.shape) - len(shape_of(places)) + 1:
        raise ShapeMismatchError(
            f"offset_dims={numbers.offset_dims} does not name as many axes as slices have."
        )
    if not shape_of(x):
        result = np.broadcast_to(x, found.shape)
    else:
        arrays = [np.broadcast_to(index, found.shape) for index in found.indices]
        result = read(x, (INDICES,) * len(arrays), arrays)
    if found.valid is not None:
        fill = filling(dtype_of(x)) if fill_value is None else fill_value
        result = np.where(found.valid, result, cast_to(as_operand(fill), dtype_of(x)))
    return np.transpose(result, _order(numbers.offset_dims, len(found.shape)))


def _order(last: Sequence[int], rank: int) -> list[int]:
    """The order of axes that brings the last ones to these places among the others."""
    others = iter(range(rank - len(last)))
    slices = dict(zip(last, range(rank - len(last), rank), strict=True))
    return [slices[axis] if axis in slices else next(others) for axis in range(rank)]


_Write: TypeAlias = Callable[[Any, Any, Any], Any]
"""Takes a flat array, indices and updates, and returns the array as it is then."""


def _scattered(
    write: _Write,
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    mode: Mode,
) -> Any:
    """The operand, with updates written into slices."""
    x, places, updates = (as_operand(v) for v in (operand, scatter_indices, updates))
    numbers = ScatterDimensionNumbers(*dimension_numbers)
    shape, own = shape_of(x), shape_of(updates)
    left_out = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    lengths = iter(own[axis] for axis in numbers.update_window_dims)
    if len(numbers.update_window_dims) != len(shape) - len(left_out):
        raise ShapeMismatchError(
            f"update_window_dims={numbers.update_window_dims} does not name as many axes as "
            f"slices of an operand of shape {shape} have."
        )
    sizes = [1 if axis in left_out else next(lengths) for axis in range(len(shape))]
    found = _slices(
        shape,
        places,
        sizes,
        numbers.scatter_dims_to_operand_dims,
        numbers.inserted_window_dims,
        numbers.operand_batching_dims,
        numbers.scatter_indices_batching_dims,
        mode,
    )
    order = _order(numbers.update_window_dims, len(found.shape))
    if tuple(found.shape[axis] for axis in order) != own:
        raise ShapeMismatchError(
            f"Updates of shape {own} do not fit places and slices of shape {found.shape}."
        )
    updates = np.transpose(updates, np.argsort(order))
    if dtype_of(updates) != dtype_of(x):
        updates = cast_to(updates, dtype_of(x))
    size = prod(shape)
    index: Any = np.zeros((), np.intp)
    for each, length in zip(found.indices, shape, strict=True):
        index = index * length + each
    index = np.broadcast_to(index, found.shape)
    flat = np.reshape(x, (size,))
    if found.valid is not None:
        # What is to be dropped is written into one more element, which is left out again.
        index = np.where(found.valid, index, size)
        flat = np.concatenate([flat, np.zeros(1, dtype_of(x))])
    new = write(flat, np.ravel(index), np.ravel(updates))
    return np.reshape(new[:size], shape)


def _scatterer(name: str, purpose: str, write: _Write):
    """A function that combines slices of an operand with updates, in a way of its own.

    Args:
        name: Its name.
        purpose: The first line of its docstring.
        write: Combines elements and updates.
    """

    def function(
        operand: Any,
        scatter_indices: Any,
        updates: Any,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Mode = None,
    ) -> Any:
        return _scattered(write, operand, scatter_indices, updates, dimension_numbers, mode)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = purpose + _DETAILS
    return function


_DETAILS = """

Args:
    operand: An array, which stays as it is.
    scatter_indices: Integers: along the last axis the vector of a place, where its slice begins.
    updates: The slices, with the axes of places and those of a slice.
    dimension_numbers: How the axes belong together.
    indices_are_sorted: Taken, and without effect.
    unique_indices: Taken, and without effect.
    mode: What a place means whose slice is not within the operand: "clip", "drop" (the default)
        or "promise_in_bounds".

Returns:
    An array of the type of the operand.

Raises:
    ShapeMismatchError: The shapes do not fit together.
    ValueError: There is no such mode.

Example:
    >>> import numpy as np
    >>> from functrace import lax
    >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter(np.zeros(4), np.array([[3], [0]]), np.array([1.0, 2.0]), numbers)
    array([2., 0., 0., 1.])
"""


def _written(flat: Any, index: Any, updates: Any) -> Any:
    return bind(index_update, flat, updates, index, index=(INDICES,), unique=False)


def _added(flat: Any, index: Any, updates: Any) -> Any:
    shape = shape_of(flat)
    return flat + bind(
        indexing.scatter_add, updates, index, index=(INDICES,), shape=shape, unique=False
    )


def _by(ufunc: np.ufunc) -> _Write:
    return lambda flat, index, updates: written_at(ufunc, flat, index, updates)


scatter = _scatterer(
    "scatter",
    "Write a slice at each of many places; where slices overlap, the last counts.",
    _written,
)
scatter_add = _scatterer("scatter_add", "Add a slice at each of many places.", _added)
scatter_sub = _scatterer(
    "scatter_sub",
    "Subtract a slice at each of many places.",
    lambda flat, index, updates: _added(flat, index, -updates),
)
scatter_mul = _scatterer(
    "scatter_mul", "Multiply with a slice at each of many places.", _by(np.multiply)
)
scatter_min = _scatterer(
    "scatter_min", "Take the smaller ones of elements and updates at many places.", _by(np.minimum)
)
scatter_max = _scatterer(
    "scatter_max", "Take the larger ones of elements and updates at many places.", _by(np.maximum)
)


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Mode = None,
) -> Any:
    """Replace elements at many places by what a function makes of them. See `scatter`.

    Args:
        operand: An array.
        scatter_indices: The places.
        func: Takes an array of elements, and returns one for each.
        dimension_numbers: How the axes belong together.
        update_shape: The shape that updates would have.
        indices_are_sorted: Taken, and without effect.
        unique_indices: Taken, and without effect.
        mode: What a place out of range means.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x, places = np.array([1.0, 4.0, 9.0]), np.array([[1], [2]])
        >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
        >>> lax.scatter_apply(x, places, np.sqrt, numbers, update_shape=(2,))
        array([1., 2., 3.])
    """

    def write(flat: Any, index: Any, updates: Any) -> Any:
        new = func(read(flat, (INDICES,), [index]))
        return _written(flat, index, new)

    updates = np.zeros(tuple(update_shape), dtype_of(as_operand(operand)))
    return _scattered(write, operand, scatter_indices, updates, dimension_numbers, mode)


globals().update(entrances(globals()))
