"""Elements read, written and chosen by functions: take, put, select, delete and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from functrace.ir.types import Shape
from functrace.numpy.choosing import chosen_by, within
from functrace.numpy.elementwise import require_castable
from functrace.numpy.making import array, asarray, holds_tracer
from functrace.primitives.indexing import INDICES, Index, gather, read, scatter_add
from functrace.primitives.linear import cast_to, dtype_of, known_choice, known_value, shape_of
from functrace.primitives.requiring import require
from functrace.primitives.windowing import windows
from functrace.tracing.conversions import reject_out, written_into_an_array
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.places import user_place
from functrace.tracing.refusals import POSITIONS, STATIC, unsupported
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import lies_as

# Functions that read


def ndenumerate(arr: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """As `numpy.ndenumerate`, of traced values too.

    Example:
        >>> import functrace as ft
        >>> import functrace.numpy as fnp
        >>> f = lambda x: sum(i * element for (i,), element in fnp.ndenumerate(x))
        >>> ft.grad(f)(np.ones(3))
        array([0., 1., 2.])
    """
    if not holds_tracer(arr):
        return np.ndenumerate(arr)
    x = asarray(arr)
    return ((index, x[index]) for index in np.ndindex(x.shape))


def _whole_indices(indices: Any) -> Any:
    """Indices for `take`, which takes booleans as 0 and 1."""
    indices = known_value(indices)
    if not isinstance(indices, Tracer):
        indices = np.asarray(indices)
        if indices.size == 0 and indices.dtype.kind == "f":
            indices = indices.astype(np.intp)
    if not np.can_cast(indices.dtype, np.intp, "same_kind") or indices.dtype.kind not in "biu":
        raise TypeError(
            f"Cannot cast array data from {indices.dtype!r} to {np.dtype(np.intp)!r} according to "
            "the rule 'safe'"
        )
    return cast_to(indices, np.dtype(np.intp)) if indices.dtype.kind == "b" else indices


def _within(indices: Any, length: int, mode: str) -> Any:
    """Indices that a mode brings to lie within an axis."""
    if mode == "wrap":
        return indices % length
    if mode == "clip":
        return np.clip(indices, 0, length - 1)
    raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")


@implements(np.take)
@lies_as(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Any:
    """As `numpy.take`."""
    reject_out(out)
    a = as_operand(a)
    indices = _whole_indices(indices)
    if axis is None:
        a, axis = np.ravel(a), 0
    elif np.ndim(a) == 0:  # as with the ufuncs, the first axis of a number is there, and the last
        a = np.reshape(a, (1,))
    axis = normalize_axis_index(axis, np.ndim(a))
    length = shape_of(a)[axis]
    if mode != "raise":
        indices = _within(indices, length, mode)
    before = (slice(None),) * axis
    if isinstance(indices, np.ndarray | np.generic) and indices.ndim == 0:
        return read(a, (*before, int(indices)), ()).copy()
    return read(a, (*before, INDICES), (indices,))


def index_along(shape: Shape, indices: Any, axis: int | None) -> tuple[Index, list[Any]]:
    """The index that `take_along_axis` means."""
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if len(shape) != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if len(shape) == 1:
        return (INDICES,), [indices]
    arrays: list[Any] = []
    for place, length in enumerate(shape):
        others = (1,) * place + (-1,) + (1,) * (len(shape) - place - 1)
        arrays.append(indices if place == axis else np.arange(length).reshape(others))
    return (INDICES,) * len(shape), arrays


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """As `numpy.take_along_axis`."""
    return take_along(arr, indices, axis)


def take_along(arr: Any, indices: Any, axis: int | None, unique: bool = False) -> Any:
    """As `numpy.take_along_axis`; ``unique`` promises that no element is taken twice."""
    arr, indices = as_operand(arr), known_value(as_operand(indices))
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, np.ndim(arr))
    index, arrays = index_along(shape_of(arr), indices, axis)
    return bind(gather, arr, *arrays, index=index, unique=unique)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """As `numpy.compress`; of an unknown condition the result is as `x[mask]` is."""
    reject_out(out)
    a = np.ravel(as_operand(a)) if axis is None else np.atleast_1d(as_operand(a))
    axis = 0 if axis is None else normalize_axis_index(axis, np.ndim(a))
    chosen = within((slice(None),) * axis + (condition,), shape_of(a))
    if chosen is not None:
        return chosen_by(a, chosen)
    condition = known_choice(condition, "The condition of compress")
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    return np.take(a, np.flatnonzero(condition), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """As `numpy.extract`; of an unknown condition the result is as `x[mask]` is."""
    arr = np.ravel(as_operand(arr))
    chosen = within(np.ravel(condition), shape_of(arr))
    if chosen is not None:
        return chosen_by(arr, chosen)
    condition = known_choice(condition, "The condition of extract")
    return np.take(arr, np.flatnonzero(condition))


@implements(np.select)
@lies_as(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """As `numpy.select`."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    conditions = [as_operand(condition) for condition in condlist]
    for number, condition in enumerate(conditions):
        if dtype_of(condition).kind != "b":
            raise TypeError(f"invalid entry {number} in condlist: should be boolean ndarray")
    choices = [as_operand(choice) for choice in choicelist]
    dtype = np.result_type(*choices, as_operand(default))
    result: Any = as_operand(default)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = np.where(condition, choice, result)
    return result if dtype_of(result) == dtype else cast_to(result, dtype)


@implements(np.choose)
@lies_as(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """As `numpy.choose`."""
    reject_out(out)
    number = _whole_indices(as_operand(a))
    options = [as_operand(choice) for choice in choices]
    dtype = np.result_type(*options)
    if mode == "raise":
        is_one = np.logical_and(np.greater_equal(number, 0), np.less(number, len(options)))
        number = require(number, is_one, "invalid entry in choice array")
    else:
        number = _within(number, len(options), mode)
    shape = np.broadcast_shapes(shape_of(number), *map(shape_of, options))
    stacked = np.stack([np.broadcast_to(cast_to(option, dtype), shape) for option in options])
    chosen = np.broadcast_to(number, shape)
    return np.take_along_axis(stacked, np.expand_dims(chosen, 0), 0)[0]


@implements(np.ix_)
def ix_(*args: Any) -> Any:
    """As `numpy.ix_`."""
    rows = [as_operand(x) for x in args]
    return tuple(_along(x, axis, len(rows)) for axis, x in enumerate(rows))


def _along(x: Any, axis: int, ndim: int) -> Any:
    """A row of indices along one of the axes."""
    if np.ndim(x) != 1:
        raise ValueError("Cross index must be 1 dimensional")
    if dtype_of(x).kind == "b":
        x = np.flatnonzero(known_choice(x, "A mask", POSITIONS))
    elif not shape_of(x)[0]:
        x = cast_to(x, np.dtype(np.intp))
    return np.reshape(x, [-1 if number == axis else 1 for number in range(ndim)])


# Functions that write in place


def _require_traced(x: Any) -> None:
    if not isinstance(x, Tracer):
        raise written_into_an_array(None, user_place(2))


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    """As `numpy.put_along_axis`, into a traced array."""
    _require_traced(arr)
    indices = known_value(as_operand(indices))
    if axis is None:
        flat = np.ravel(arr).copy()
        flat[indices] = values
        arr[...] = np.reshape(flat, arr.shape)
        return
    _, arrays = index_along(arr.shape, indices, normalize_axis_index(axis, arr.ndim))
    arr[tuple(arrays)] = values


def _require_safe(values: Any, a: Any) -> None:
    """Check that an array of values is of a dtype that keeps all of them; numbers are cast."""
    is_array = values.is_array if isinstance(values, Tracer) else isinstance(values, np.ndarray)
    if is_array:
        require_castable(values.dtype, a.dtype, "safe")


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """As `numpy.put`, into a traced array; values that are too few are repeated."""
    _require_traced(a)
    indices = np.ravel(_whole_indices(ind))
    if mode == "wrap":
        indices = indices % a.size
    elif mode == "clip":
        indices = np.clip(indices, 0, a.size - 1)
    elif mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    values = np.reshape(array(v), (-1,))
    if indices.size and values.size:
        flat = np.ravel(a).copy()
        flat[indices] = np.resize(values, indices.size)
        a[...] = np.reshape(flat, a.shape)


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """As `numpy.putmask`, into a traced array."""
    _require_traced(a)
    if np.size(mask) != a.size:
        raise ValueError("putmask: mask and data must be the same size")
    _require_safe(values, a)
    values = np.reshape(array(values), (-1,))
    if values.size:
        fitted = np.reshape(np.resize(values, a.size), a.shape)
        a[...] = np.where(np.reshape(mask, a.shape), fitted, a)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """As `numpy.place`, into a traced array; values that are too few are repeated."""
    _require_traced(arr)
    _require_safe(vals, arr)
    vals = array(vals)
    if vals.size == 1:
        np.putmask(arr, mask, np.ravel(vals)[0])
        return
    mask = known_value(as_operand(mask))
    if np.size(mask) != arr.size:
        raise ValueError("place: mask and data must be the same size")
    if not isinstance(mask, Tracer):
        if np.any(mask) and not vals.size:
            raise ValueError("Cannot insert from an empty array!")
        np.put(arr, np.flatnonzero(mask), vals)
        return
    if not vals.size:
        raise ValueError("Cannot insert from an empty array!")
    chosen = np.not_equal(mask, 0)
    place = np.reshape(np.cumsum(np.ravel(chosen)) - 1, arr.shape)
    arr[...] = np.where(np.reshape(chosen, arr.shape), np.ravel(vals)[place % vals.size], arr)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """As `numpy.fill_diagonal`, of a traced array."""
    _require_traced(a)
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    positions = np.arange(a.size).reshape(a.shape)
    marked = np.zeros(a.shape, bool)
    np.fill_diagonal(marked, True, wrap)
    np.put(a, positions[marked], val)


# Without and with some elements


@implements(np.delete)
@lies_as(np.delete, keeps_rows=False)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """As `numpy.delete`; what to delete must be known, but for a single index."""
    arr = as_operand(arr)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, np.ndim(arr))
    length = shape_of(arr)[axis]
    place = known_value(obj)
    if isinstance(place, Tracer) and not place.size:
        place = np.zeros(0, place.dtype)
    if isinstance(place, Tracer) and place.size == 1 and place.dtype.kind in "iu":
        rest = np.arange(length - 1)
        place = _valid(np.reshape(place, ()), length, length, axis)
        return take(arr, rest + np.greater_equal(rest, place), axis)
    return take(arr, np.delete(np.arange(length), known_choice(place, "What to delete")), axis)


def _valid(place: Any, length: int, end: int, axis: int) -> Any:
    """Places along an axis, counted from its start, that come before an end."""
    is_valid = np.logical_and(np.greater_equal(place, -length), np.less(place, end))
    message = f"index is out of bounds for axis {axis} with size {length}"
    place = require(cast_to(place, np.dtype(np.intp)), is_valid, message, IndexError)
    return np.where(np.less(place, 0), place + length, place)


@implements(np.insert)
@lies_as(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """As `numpy.insert`; a mask or a slice that says where to insert must be known."""
    arr, values = as_operand(arr), as_operand(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, np.ndim(arr))
    shape = shape_of(arr)
    length = shape[axis]
    place = np.arange(length)[obj] if isinstance(obj, slice) else known_value(as_operand(obj))
    if not isinstance(place, Tracer):
        place = np.asarray(place)
        if place.dtype.kind == "b":
            place = np.flatnonzero(place)
        elif not place.size and not isinstance(obj, np.ndarray):
            place = place.astype(np.intp)
    elif place.dtype.kind == "b":
        place = known_choice(place, "Where to insert", STATIC)
    values = np.reshape(values, (1,) * (len(shape) - np.ndim(values)) + shape_of(values))
    if place.ndim == 0:
        values = np.moveaxis(values, 0, axis)
    number = shape_of(values)[axis] if place.size == 1 else place.size
    extra = np.ndim(values) - len(shape)
    if extra > 0 and shape_of(values)[:extra] == (1,) * extra:  # as where values are assigned
        values = np.reshape(values, shape_of(values)[extra:])
    new = np.broadcast_to(values, (*shape[:axis], number, *shape[axis + 1 :]))
    joined = np.concatenate([arr, cast_to(new, dtype_of(arr))], axis)
    if isinstance(place, Tracer):
        order = _inserted(place, length, number, axis)
    else:
        order = np.insert(np.arange(length), place, np.arange(length, length + number))
    # What is joined has the machine's byte order.
    return cast_to(take(joined, order, axis), dtype_of(arr))


def _inserted(place: Any, length: int, number: int, axis: int) -> Any:
    """The numbers of an axis' elements with those of new ones inserted at places."""
    place = np.broadcast_to(np.ravel(_valid(place, length, length + 1, axis)), (number,))
    order = np.argsort(place, kind="stable")
    # In front of each new element come the old ones before its place, and the new ones before it.
    position = take(place, order) + np.arange(number)
    at_new = bind(
        scatter_add, order + 1, position, index=(INDICES,), shape=(length + number,), unique=True
    )
    is_new = np.greater(at_new, 0)
    return np.where(is_new, length - 1 + at_new, np.cumsum(np.logical_not(is_new)) - 1)


# Windows


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """As `numpy.lib.stride_tricks.sliding_window_view`."""
    if writeable:
        raise unsupported("sliding_window_view with writeable=True")
    lengths = tuple(np.atleast_1d(window_shape).tolist())
    if any(length < 0 for length in lengths):
        raise ValueError("`window_shape` cannot contain negative values")
    if axis is None:
        axis = range(np.ndim(x))
    axes = normalize_axis_tuple(axis, np.ndim(x), allow_duplicate=True)
    if len(axes) != len(lengths):
        raise ValueError("Must provide one length of the window for each axis.")
    shape = list(shape_of(x))
    for place, length in zip(axes, lengths, strict=True):
        shape[place] -= length - 1
        if shape[place] < 1:
            raise ValueError("window shape cannot be larger than input array shape")
    result = x
    for place, length in zip(axes, lengths, strict=True):
        # Where an axis is named twice, these are windows of windows.
        found = bind(windows, result, along=(place,), lengths=(length,), steps=(1,), dilations=(1,))
        result = np.moveaxis(found, 0, -1)
    return result
