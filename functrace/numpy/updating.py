"""``x.at[index]``: updates that leave the array as it is, as programs for JAX write them.

The methods are those of JAX's arrays; what they compute is written with NumPy's assignments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.types import result_dtype, type_of
from functrace.numpy.choosing import within
from functrace.numpy.indexing import canonical, value_for
from functrace.numpy.ufunc_methods import written_one_by_one
from functrace.primitives.indexing import INDICES, Index, layout, read
from functrace.primitives.linear import as_array, cast_to, dtype_of, known_value, shape_of
from functrace.tracing.entrances import entrance
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer


class At:
    """What ``x.at`` is for a traced array."""

    def __init__(self, array: Any) -> None:
        """Keep the array."""
        self.array = array

    def __getitem__(self, index: Any) -> AtIndex:
        """The part of the array at an index."""
        return AtIndex(self.array, index)

    def __repr__(self) -> str:
        return f"At({self.array!r})"


implements(np.ufunc.at)(At)


class AtIndex:
    """What ``x.at[index]`` is: its methods return the array as it would be after an assignment.

    All of them take JAX's keywords. ``mode`` says what an index out of range means: with "drop" or
    "fill" it is not written, and read as ``fill_value``; with "clip" it is the nearest one in
    range, with "wrap" it counts on from the beginning, and with "promise_in_bounds" there is none.
    As in JAX, updates drop and `get` clips if nothing is said. ``indices_are_sorted`` and
    ``unique_indices`` change nothing.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: (x.at[np.array([0, 0])].multiply(3.0) ** 2).sum())(np.ones(2))
        array([162.,   2.])
    """

    def __init__(self, array: Any, index: Any) -> None:
        """Keep the array and the index."""
        self.array = array
        self.index = index

    @entrance
    def get(
        self, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
        fill_value: Any = None, out_sharding: Any = None, wrap_negative_indices: bool = True,
    ) -> Any:  # fmt: skip
        """The elements."""
        x = self.array
        if within(self.index, x.shape) is not None:
            return x[self.index]
        default = "clip" if fill_value is None else "fill"
        place = _place(x, self.index, index_mode(mode, default), wrap_negative_indices)
        if place.valid is None:
            return read(x, place.index, place.arrays).copy()
        fill = filling(x.dtype) if fill_value is None else fill_value
        if 0 in (x.shape[axis] for axis in place.axes):
            x = np.pad(x, [(0, axis in place.axes) for axis in range(x.ndim)])
        found = read(x, place.index, place.arrays)
        return np.where(place.lined_up, found, cast_to(as_operand(fill), x.dtype))

    @entrance
    def set(self, values: Any, **options: Any) -> Any:
        """With these values; of repeated indices the last one counts."""

        def write(x: Any, index: Any, values: Any) -> None:
            x[index] = values

        return self._updated(write, values, **options)

    @entrance
    def add(self, values: Any, **options: Any) -> Any:
        """With the sums with values; repeated indices add up."""
        return self._updated(np.add.at, values, **options)

    @entrance
    def subtract(self, values: Any, **options: Any) -> Any:
        """With values subtracted."""
        return self._updated(np.subtract.at, values, **options)

    @entrance
    def multiply(self, values: Any, **options: Any) -> Any:
        """With the products with values."""
        return self._updated(np.multiply.at, values, **options)

    mul = multiply

    @entrance
    def divide(self, values: Any, **options: Any) -> Any:
        """With the quotients by values."""
        return self._updated(np.divide.at, values, **options)

    @entrance
    def power(self, values: Any, **options: Any) -> Any:
        """With powers of which values are the exponents."""
        return self._updated(np.power.at, values, **options)

    @entrance
    def min(self, values: Any, **options: Any) -> Any:
        """With the smaller ones of elements and values."""
        return self._updated(np.minimum.at, values, **options)

    @entrance
    def max(self, values: Any, **options: Any) -> Any:
        """With the larger ones of elements and values."""
        return self._updated(np.maximum.at, values, **options)

    @entrance
    def apply(self, func: Callable[[Any], Any], **options: Any) -> Any:
        """With what a function of each element makes of them, once for each time an index occurs.

        Args:
            func: Takes an array of elements, and returns one for each.
            options: As for the other methods.
        """

        def write(x: Any, index: Any, _: Any) -> None:
            if within(index, x.shape) is not None:
                x[index] = func(x[index])
                return
            items, arrays, _ = canonical(index, x.shape)
            places = np.ravel(read(np.arange(x.size).reshape(x.shape), items, arrays))
            flat = written_one_by_one(func, np.ravel(x), places, ())
            x[...] = np.reshape(flat, x.shape)

        return self._updated(write, np.zeros((), self.array.dtype)[()], **options)

    def _updated(
        self,
        write: Callable[[Any, Any, Any], None],
        values: Any,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        x, values = self.array, as_operand(values)
        mode = index_mode(mode, "drop")
        if within(self.index, x.shape) is not None:
            items = self.index if type(self.index) is tuple else (self.index,)
            place = _Place(items, [], (), None, 0)
        else:
            place = _place(x, self.index, mode, wrap_negative_indices)
        own = x.dtype
        dtype = result_dtype(x.type.strong, type_of(values))
        new = x.copy() if x.shape else as_array(x)
        if dtype != own and not (dtype.kind == "c" and own.kind != "c"):
            new = cast_to(new, dtype)
            new = new if x.shape else as_array(new)
        axis = None
        if place.valid is not None:
            # What is to be dropped is written into one more row, which is left out again.
            axis = place.axes[0]
            if 0 in (x.shape[each] for each in place.axes):
                return new
            new = np.concatenate([new, new[(slice(None),) * axis + (slice(0, 1),)]], axis)
            first, *rest = place.arrays
            dropped = np.where(place.valid, first, x.shape[axis])
            place = place._replace(arrays=[dropped, *rest])
        write(new, place.filled, values)
        if axis is not None:
            new = new[(slice(None),) * axis + (slice(None, -1),)].copy()
        return new if new.dtype == own else value_for(x, new)


class _Place(NamedTuple):
    """An index in canonical form.

    Attributes:
        index: The index, and INDICES for its arrays; or a mask of unknown values.
        arrays: The arrays of indices, in range.
        axes: The axis that each of them indexes.
        valid: Which of them were in range before; None where all were.
        rank: How many axes of the result come after theirs.
    """

    index: Index
    arrays: list[Any]
    axes: tuple[int, ...]
    valid: Any
    rank: int

    @property
    def lined_up(self) -> Any:
        """The mask of what is in range, for the elements that are read."""
        return np.reshape(self.valid, (*shape_of(self.valid), *(1,) * self.rank))

    @property
    def filled(self) -> tuple[Any, ...]:
        """The index as it is written between brackets."""
        following = iter(self.arrays)
        return tuple(next(following) if item is INDICES else item for item in self.index)


def _place(x: Any, index: Any, mode: str, wraps_negative: bool) -> _Place:
    """What an index means in a mode."""
    items = index if type(index) is tuple else (index,)
    items, arrays, _ = canonical(items, x.shape)
    found = layout(items, x.ndim)
    if mode == "promise_in_bounds" and wraps_negative:
        return _Place(items, arrays, found.indexed, None, 0)
    whole = dict(found.integers)
    is_array = any(not -n <= i < n for i, n in ((i, x.shape[axis]) for axis, i in whole.items()))
    if is_array or (whole and not wraps_negative):
        # A number out of range is an array of indices without axes; so all of them are.
        numbers = iter(whole.values())
        given = iter(arrays)
        arrays = [
            next(given) if item is INDICES else np.asarray(next(numbers))
            for item in items
            if item is INDICES or type(item) is int
        ]
        items = tuple(INDICES if type(item) is int else item for item in items)
        found = layout(items, x.ndim)
    valid: Any = None
    placed: list[Any] = []
    for axis, array in zip(found.indexed, arrays, strict=True):
        within, inside = _in_range(array, x.shape[axis], mode, wraps_negative)
        placed.append(within)
        if inside is not None:
            valid = inside if valid is None else np.logical_and(valid, inside)
    return _Place(items, placed, found.indexed, valid, len(found.sliced) - found.start)


def _in_range(array: Any, length: int, mode: str, wraps_negative: bool) -> tuple[Any, Any]:
    """Indices within an axis, and which of them were there before; None where all were."""
    array = known_value(array)
    if not isinstance(array, Tracer):
        low = -length if wraps_negative else 0
        if array.size == 0 or (array.min() >= low and array.max() < length):
            return array, None
    if mode == "wrap":
        return array % length, None
    if dtype_of(array).kind == "i" and wraps_negative:
        array = np.where(np.less(array, 0), array + length, array)
    nearest = np.clip(array, 0, max(length - 1, 0))
    if mode == "clip":
        return nearest, None
    return nearest, np.equal(array, nearest) & (length > 0)


_MODES = {
    "clip": "clip", "drop": "drop", "fill": "drop", "fill_or_drop": "drop", "one_hot": "drop",
    "promise_in_bounds": "promise_in_bounds", "wrap": "wrap",
}  # fmt: skip


def index_mode(mode: Any, default: str, *, wraps: bool = True) -> str:
    """What an index out of range means: "clip", "drop", "promise_in_bounds" or "wrap".

    Args:
        mode: A name of JAX's, a member of its enumeration of them, or None.
        default: The name that None stands for.
        wraps: Whether "wrap" is among them.

    Raises:
        ValueError: There is no such mode.
    """
    name = default if mode is None else str(getattr(mode, "name", mode)).lower()
    if name not in _MODES or (name == "wrap" and not wraps):
        names = [repr(name) for name in _MODES if wraps or name != "wrap"]
        raise ValueError(f"mode={mode!r} is none of {', '.join(names)}")
    return _MODES[name]


def filling(dtype: np.dtype[Any]) -> Any:
    """What JAX reads where there is nothing: nan, or the number farthest from zero, or True."""
    if dtype.kind in "fc":
        return dtype.type(np.nan)
    if dtype.kind == "b":
        return np.True_
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if dtype.kind == "i" else limits.max)
