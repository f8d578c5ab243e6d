"""Arrays put together, taken apart, repeated and padded, with NumPy's signatures."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.errors import OperandError
from functrace.numpy.elementwise import require_castable
from functrace.numpy.making import array as array_of
from functrace.numpy.making import holds_tracer
from functrace.numpy.reshaping import known_numbers, lengths_of
from functrace.primitives.linear import as_array, cast_to, known_value, shape_of
from functrace.primitives.shaping import (
    concatenate_primitive,
    pad_primitive,
    split_primitive,
    stack_primitive,
    unstack_primitive,
)
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements, implements_named
from functrace.tracing.operands import as_operand, strong_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import lies_as

# Join


def _require_one_list(name: str, axis: Any) -> None:
    """Check that the arrays were not given one by one, so that the second stands for the axis."""
    if isinstance(axis, Tracer | np.ndarray | list | tuple):
        raise OperandError(
            f"np.{name} takes its arrays as one argument, a list; the next one is the axis.",
            source_of(user_place(2)),
            f"Write np.{name}([a, b]) in place of np.{name}(a, b).",
        )


def _with_dtype(x: Any, dtype: Any, casting: Any) -> Any:
    """A joined array in the dtype that was asked for."""
    if dtype is None:
        return x
    require_castable(x.dtype, dtype, casting)
    return cast_to(x, np.dtype(dtype))


def _concatenate(arrays: Sequence[Any], axis: int) -> Any:
    """Concatenate operands of which some may be tracers."""
    return bind(concatenate_primitive, *arrays, axis=axis)


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:  # fmt: skip
    """As `numpy.concatenate`."""
    reject_out(out)
    _require_one_list("concatenate", axis)
    operands = [as_operand(x) for x in arrays]
    if axis is None:
        own = np.result_type(*operands)  # NumPy takes numbers as weak here, and nowhere else
        operands, axis = [cast_to(np.ravel(x), own) for x in operands], 0
    elif axis < 0 or not shape_of(operands[0]):
        if not shape_of(operands[0]):
            raise ValueError("zero-dimensional arrays cannot be concatenated")
        axis = normalize_axis_index(axis, len(shape_of(operands[0])))
    return _with_dtype(_concatenate(operands, axis), dtype, casting)


implements_named("concat")(concatenate)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """As `numpy.stack`."""
    reject_out(out)
    _require_one_list("stack", axis)
    operands = [strong_operand(x) for x in arrays]
    if not operands:
        raise ValueError("need at least one array to stack")
    axis = normalize_axis_index(axis, np.ndim(operands[0]) + 1)
    if any(shape_of(x) != shape_of(operands[0]) for x in operands):
        raise ValueError("all input arrays must have the same shape")
    return _with_dtype(bind(stack_primitive, *operands, axis=axis), dtype, casting)


def _listed(arrays: Any) -> list[Any]:
    return [strong_operand(x) for x in arrays]


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """As `numpy.vstack`."""
    rows = [np.atleast_2d(x) for x in _listed(tup)]
    return _with_dtype(_concatenate(rows, 0), dtype, casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """As `numpy.hstack`."""
    columns = [np.atleast_1d(x) for x in _listed(tup)]
    axis = 0 if columns and np.ndim(columns[0]) == 1 else 1
    return _with_dtype(_concatenate(columns, axis), dtype, casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """As `numpy.dstack`."""
    return _concatenate([np.atleast_3d(x) for x in _listed(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """As `numpy.column_stack`."""
    columns = [x if np.ndim(x) >= 2 else np.reshape(x, (-1, 1)) for x in _listed(tup)]
    return _concatenate(columns, 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    """As `numpy.block`."""

    def depth(nested: Any) -> int:
        if isinstance(nested, tuple):
            raise TypeError("Only lists can be used to arrange blocks, and a tuple is given.")
        if not isinstance(nested, list):
            return 0
        depths = {depth(item) for item in nested}
        if len(depths) != 1:
            raise ValueError("List depths are mismatched, or a list is empty.")
        return depths.pop() + 1

    def rank(nested: Any) -> int:
        return max(map(rank, nested)) if isinstance(nested, list) else np.ndim(nested)

    levels = depth(arrays)
    axes = max(levels, rank(arrays))

    def joined(nested: Any, level: int) -> Any:
        if isinstance(nested, list):
            return np.concatenate([joined(item, level - 1) for item in nested], axes - level)
        nested = strong_operand(nested)
        shape = np.shape(nested)
        return np.reshape(nested, (1,) * (axes - len(shape)) + shape)

    result = joined(arrays, levels)
    return result if axes else as_array(result)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """As `numpy.append`."""
    arr, values = strong_operand(arr), strong_operand(values)
    return np.concatenate((arr, values), axis)


# Split


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `numpy.array_split`; where to split must be known."""
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        shorter, longer = divmod(length, sections)
        lengths = [shorter + 1] * longer + [shorter] * (sections - longer)
        boundaries = np.cumsum(lengths)[:-1].tolist()
    else:
        boundaries = [operator.index(i) for i in indices_or_sections]
    stops = [*boundaries, length]
    if all(start <= stop for start, stop in zip([0, *boundaries], stops, strict=True)):
        return list(bind(split_primitive, ary, boundaries=tuple(boundaries), axis=axis))
    # Negative boundaries, or such that pieces overlap or lie outside: as NumPy slices them.
    before = (slice(None),) * axis
    ends = [*boundaries, None]
    starts = [0, *boundaries]
    return [ary[(*before, slice(i, j))] for i, j in zip(starts, ends, strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `numpy.split`; where to split must be known."""
    if np.ndim(indices_or_sections) == 0:
        length = ary.shape[normalize_axis_index(axis, ary.ndim)]
        if length % operator.index(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.hsplit`."""
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return np.split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.vsplit`."""
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return np.split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As `numpy.dsplit`."""
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, 2)


@implements_named("unstack")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As `numpy.unstack`."""
    if x.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    axis = normalize_axis_index(axis, x.ndim)
    if x.ndim == 1:
        return bind(unstack_primitive, x, axis=0)
    # The rows are views, as those that split makes.
    rows = bind(split_primitive, x, boundaries=tuple(range(1, x.shape[axis])), axis=axis)
    return tuple(np.squeeze(row, axis) for row in rows[: x.shape[axis]])


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """As `numpy.apply_along_axis`: the function is called for each vector along the axis."""
    arr = as_operand(arr)
    axis = normalize_axis_index(axis, np.ndim(arr))
    vectors = np.moveaxis(arr, axis, -1)
    outer = vectors.shape[:-1]
    if 0 in outer:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    stacked = np.stack([func1d(vectors[i], *args, **kwargs) for i in np.ndindex(outer)])
    inner = stacked.shape[1:]
    result = np.reshape(stacked, outer + inner)
    sources = range(len(outer), len(outer) + len(inner))
    return np.moveaxis(result, sources, range(axis, axis + len(inner)))


# Repeat


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.tile`."""
    repeats = lengths_of(reps)
    rank = max(A.ndim, len(repeats))
    repeats = (1,) * (rank - len(repeats)) + repeats
    lengths = (1,) * (rank - A.ndim) + A.shape
    pairs = list(zip(repeats, lengths, strict=True))
    apart = np.reshape(A, tuple(length for _, n in pairs for length in (1, n)))
    copies = np.broadcast_to(apart, tuple(length for pair in pairs for length in pair))
    return np.reshape(copies, tuple(times * n for times, n in pairs)).copy()


@implements(np.repeat)
def repeat(
    a: Any, repeats: Any, axis: int | None = None, *, total_repeat_length: int | None = None
) -> Any:
    """As `numpy.repeat`; the repeats must be known, or JAX's keyword tells how long the result is.

    What is too long is cut off then; what is too short is filled with the last element.
    """
    a = np.atleast_1d(as_operand(a))
    if total_repeat_length is not None:
        return _repeat_to_length(a, repeats, axis, operator.index(total_repeat_length))
    if axis is None:
        a, axis = np.ravel(a), 0
    if not isinstance(a, Tracer):
        return np.repeat(a, known_numbers(repeats, "The number of repeats"), axis)
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(known_numbers(repeats, "The number of repeats"))
    n = a.shape[axis]
    if counts.size != 1:
        return np.take(a, np.repeat(np.arange(n), counts), axis)
    (count,) = counts.reshape(1).tolist()
    if not isinstance(count, int) or count < 0:
        np.repeat(np.arange(n), counts)  # raises NumPy's error
    before, after = a.shape[:axis], a.shape[axis + 1 :]
    apart = np.reshape(a, (*before, n, 1, *after))
    copies = np.broadcast_to(apart, (*before, n, count, *after))
    return np.reshape(copies, (*before, n * count, *after)).copy()


def _repeat_to_length(a: Any, repeats: Any, axis: int | None, length: int) -> Any:
    repeats = known_value(as_operand(repeats))
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, np.ndim(a))
    count = shape_of(a)[axis]
    ends = np.cumsum(np.broadcast_to(repeats, (count,)))
    places = np.searchsorted(ends, np.arange(length), "right")
    return FUNCTIONS[np.take](a, np.minimum(places, max(count - 1, 0)), axis)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """As `numpy.resize`: repeated, or cut off, in row-major order."""
    shape = lengths_of(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size = math.prod(shape)
    if a.size == 0 or size == 0:
        return np.zeros_like(a, shape=shape)
    return np.reshape(np.take(np.ravel(a), np.arange(size) % a.size), shape)


# Pad


_MODES: dict[str, str | None] = {
    "constant": "constant_values", "linear_ramp": "end_values", "maximum": "stat_length",
    "mean": "stat_length", "median": "stat_length", "minimum": "stat_length",
    "reflect": "reflect_type", "symmetric": "reflect_type", "edge": None, "wrap": None,
    "empty": None,
}  # fmt: skip
"""The modes of pad, and the keyword that each of them takes."""

_STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _pairs(widths: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Pad widths as one pair for each axis, with NumPy's rules for short forms."""
    if isinstance(widths, dict):
        pairs: list[Any] = [(0, 0)] * rank
        for axis, width in widths.items():  # pyright: ignore[reportUnknownVariableType]
            pair = tuple(width) if np.iterable(width) else (width, width)
            pairs[normalize_axis_index(axis, rank)] = pair  # pyright: ignore[reportUnknownArgumentType]
        widths = pairs
    array = np.asarray(widths)
    if array.dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    if array.size and array.min() < 0:
        raise ValueError("index can't contain negative values")
    if rank == 0 and array.size < 3:
        return ()
    return tuple((before, after) for before, after in np.broadcast_to(array, (rank, 2)).tolist())


@implements(np.pad)
@lies_as(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """As `numpy.pad`, in all modes; what mode "empty" leaves open is zero."""
    array = as_operand(array)
    padding = _pairs(pad_width, array.ndim)
    padded = _padded(array, padding, mode, kwargs)
    return padded if array.ndim else as_array(padded)


def _padded(x: Any, padding: tuple[tuple[int, int], ...], mode: Any, options: Any) -> Any:
    if callable(mode):
        return _padded_by(mode, x, padding, options)
    if mode not in _MODES:
        raise ValueError(f"mode '{mode}' is not supported")
    unknown = set(options) - {_MODES[mode]}
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    (option,) = options.values() or (None,)
    if mode == "empty" or (mode == "constant" and (option is None or _is_zero(option))):
        return bind(pad_primitive, x, padding=padding)
    if mode == "constant":
        return _padded_axes(x, padding, _constants, _pair_for_each_axis(option, x.ndim))
    for axis, (length, pair) in enumerate(zip(x.shape, padding, strict=True)):
        if length == 0 and pair != (0, 0):
            raise ValueError(
                f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
            )
    if x.size == 0:
        return bind(pad_primitive, x, padding=padding)
    if mode == "linear_ramp":
        ends = _pair_for_each_axis(0 if option is None else option, x.ndim)
        return _padded_axes(x, padding, _ramps, ends)
    if mode in _STATISTICS:
        lengths = [(None, None)] * x.ndim if option is None else _pairs(option, x.ndim)
        return _padded_axes(x, padding, partial(_statistics, _STATISTICS[mode]), lengths)
    if option == "odd":
        return _padded_axes(x, padding, partial(_odd_reflections, mode), padding)
    for axis, (length, pair) in enumerate(zip(x.shape, padding, strict=True)):
        if pair != (0, 0):
            x = np.take(x, np.pad(np.arange(length), pair, mode, **options), axis)
    return x.copy()


def _is_zero(value: Any) -> bool:
    return type(value) in (int, float) and value == 0


def _pair_for_each_axis(values: Any, rank: int) -> Any:
    """Values before and after, with NumPy's rules for short forms; they may be traced."""
    if holds_tracer(values):
        return np.broadcast_to(array_of(values), (rank, 2))
    return np.broadcast_to(np.asarray(values), (rank, 2)).tolist()


def _padded_axes(
    x: Any, padding: Sequence[tuple[int, int]], parts: Callable[..., Any], options: Any
) -> Any:
    """Pad axis after axis, so that the corners are made of what the axes before have got.

    Args:
        x: The array.
        padding: How many elements come before and after, for each axis.
        parts: Takes an array, an axis, its padding, and the options for it; returns what comes
            before and after, or what broadcasts to that.
        options: For each axis.
    """
    for axis, (pair, option) in enumerate(zip(padding, options, strict=True)):
        if pair != (0, 0):
            ends = [
                np.broadcast_to(
                    cast_to(as_operand(part), x.dtype),
                    (*x.shape[:axis], number, *x.shape[axis + 1 :]),
                )
                for part, number in zip(parts(x, axis, pair, option), pair, strict=True)
            ]
            x = np.concatenate([ends[0], x, ends[1]], axis)
    return x


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    """Some neighbours along an axis."""
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _constants(x: Any, axis: int, pair: tuple[int, int], values: Any) -> Any:
    if isinstance(values, Tracer) or np.result_type(*values).kind == "c":
        return values[0], values[1]
    # Numbers that the dtype does not hold are cast as arrays of them are.
    return tuple(np.asarray(value).astype(x.dtype)[()] for value in values)


def _ramps(x: Any, axis: int, pair: tuple[int, int], values: Any) -> Any:
    length = x.shape[axis]
    edges = x.take(0, axis), x.take(length - 1, axis)
    before, after = (
        np.linspace(value, edge, number, endpoint=False, dtype=x.dtype, axis=axis)
        for value, edge, number in zip(values, edges, pair, strict=True)
    )
    return before, np.flip(after, axis)


def _statistics(
    function: Callable[..., Any], x: Any, axis: int, pair: tuple[int, int], lengths: Any
) -> Any:
    length = x.shape[axis]
    counts = [length if count is None else min(count, length) for count in lengths]
    if 0 in counts and function in (np.max, np.min):
        raise ValueError("stat_length of 0 yields no value for padding")
    chunks = _part(x, axis, 0, counts[0]), _part(x, axis, length - counts[1], length)
    found = [function(chunk, axis=axis, keepdims=True) for chunk in chunks]
    return [np.round(part) for part in found] if x.dtype.kind in "iu" else found


def _odd_reflections(mode: str, x: Any, axis: int, pair: tuple[int, int], _: Any) -> Any:
    """Twice the edge less what is behind it, over and over where that is too short."""
    period = x.shape[axis]
    if period == 1:
        return x, x
    before, after = pair
    skipped = 0 if mode == "symmetric" else 1  # whether the edge itself is reflected
    while before or after:
        length = x.shape[axis]
        behind = (length - skipped) // (period - skipped) * (period - skipped)
        counts = min(behind, before), min(behind, after)
        first, last = _part(x, axis, 0, 1), _part(x, axis, length - 1, length)
        stop = length - skipped
        chunks = (
            _part(x, axis, skipped, skipped + counts[0]),
            _part(x, axis, stop - counts[1], stop),
        )
        left, right = (
            cast_to(2 * edge - np.flip(chunk, axis), x.dtype)
            for edge, chunk in zip((first, last), chunks, strict=True)
        )
        x = np.concatenate([left, x, right], axis)
        before, after = before - counts[0], after - counts[1]
    length = x.shape[axis]
    return _part(x, axis, 0, pair[0]), _part(x, axis, length - pair[1], length)


def _padded_by(
    function: Callable[..., Any], x: Any, padding: tuple[tuple[int, int], ...], options: Any
) -> Any:
    """Padded with zeros, and each vector along each axis then written by a function."""
    padded = bind(pad_primitive, x, padding=padding)
    for axis in range(padded.ndim):
        vectors = np.moveaxis(padded, axis, -1)
        for place in np.ndindex(vectors.shape[:-1]):
            function(vectors[(*place, ...)], np.array(padding[axis]), axis, options)
    return padded
