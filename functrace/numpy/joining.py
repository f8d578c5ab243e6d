"""Arrays put together, taken apart, repeated and padded, with NumPy's signatures."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.errors import OperandError, UnsupportedFunctionError
from functrace.numpy.elementwise import require_castable
from functrace.numpy.making import holds_tracer
from functrace.numpy.reshaping import known_numbers, lengths_of
from functrace.primitives.linear import as_array, cast_to, shape_of
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
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """As `numpy.repeat`; the repeats must be known."""
    a = as_operand(a)
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


_INDEXED_MODES = ("edge", "reflect", "symmetric", "wrap")


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
    """As `numpy.pad`, in the modes constant, edge, reflect, symmetric and wrap."""
    padding = _pairs(pad_width, array.ndim)
    if mode == "constant":
        if set(kwargs) - {"constant_values"}:
            raise ValueError(f"unsupported keyword arguments for mode 'constant': {set(kwargs)}")
        padded = _pad_with_constants(array, padding, kwargs.get("constant_values", 0))
        return padded if array.ndim else as_array(padded)
    odd = kwargs.get("reflect_type", "even") != "even" and mode in ("reflect", "symmetric")
    if mode not in _INDEXED_MODES or odd:
        shown = mode if not odd else f"{mode} with reflect_type='odd'"
        raise UnsupportedFunctionError(
            f"numpy.pad was called on a traced value in the mode {shown!r}, and functrace has no "
            "rule for it.",
            source_of(user_place(1)),
            f"The modes that can be traced are constant, {', '.join(_INDEXED_MODES)}.",
        )
    for axis, (length, pair) in enumerate(zip(array.shape, padding, strict=True)):
        if pair != (0, 0):
            if length == 0:
                raise ValueError(
                    f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
                )
            array = np.take(array, np.pad(np.arange(length), pair, mode, **kwargs), axis)
    return array.copy() if array.ndim else as_array(array)


def _pad_with_constants(x: Any, padding: tuple[tuple[int, int], ...], values: Any) -> Any:
    if type(values) in (int, float) and values == 0:
        return bind(pad_primitive, x, padding=padding)
    # Axis after axis, so that the corners have the constants of the last axis, as in NumPy.
    if isinstance(values, Tracer):
        constants = np.broadcast_to(values, (x.ndim, 2))
    elif holds_tracer(values):
        constants = _broadcast_nested(values, x.ndim)
    else:
        constants = np.broadcast_to(np.asarray(values), (x.ndim, 2))
    for axis, (before, after) in enumerate(padding):
        pair = constants[axis]
        parts = [
            np.broadcast_to(
                cast_to(as_operand(pair[i]), x.dtype),
                (*x.shape[:axis], number, *x.shape[axis + 1 :]),
            )
            for i, number in enumerate((before, after))
        ]
        x = np.concatenate([parts[0], x, parts[1]], axis)
    return x


def _broadcast_nested(values: Any, rank: int) -> list[list[Any]]:
    """Constants given as nested tuples that hold tracers, as one pair for each axis."""
    rows = [row if isinstance(row, list | tuple) else None for row in values]
    if None in rows:
        rows = [values]
    pairs: list[Any] = [list(row) * (2 if len(row) == 1 else 1) for row in rows if row is not None]
    return pairs * rank if len(pairs) == 1 else pairs
