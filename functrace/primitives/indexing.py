"""Indexing: reading elements, adding into them, and writing them.

One primitive class reads (`GetItem`), in three instances: ``element`` for one element, ``getitem``
for basic indices, whose result is a view, and ``gather`` for arrays of indices. `ScatterAdd`, which
adds values into zeros at an index, is its adjoint; `IndexAdd` adds them into an array, and
`IndexUpdate` is what ``x[index] = value`` does.
An index is the parameter ``index``, a tuple of integers, slices, None and Ellipsis; where it has
the word "indices" it takes the next further input, an array of integers, which may be traced.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.emission import Code, Namer, Operands, written_over, zeros_with
from functrace.ir.primitive import Primitive, Types, Values
from functrace.ir.types import ANY_LENGTH, ArrayType, Shape, native, type_of
from functrace.primitives.linear import (
    Linear,
    conform,
    dtype_of,
    in_dtype,
    in_each,
    in_front,
    move_batch_axis,
    shape_of,
    widen,
    zeros_for,
)
from functrace.tracing.tracer import Tracer, bind, bind_over

Index = tuple[Any, ...]

INDICES = "indices"
"""Stands in an index for the next array among the inputs."""


def index_code(index: Index, first: int = 1) -> str:
    """An index as Python writes it between brackets.

    Args:
        index: The index.
        first: The number of the first array of indices among the inputs.
    """
    numbers = itertools.count(first)
    parts = [_item_code(item, numbers) for item in index]
    return ", ".join(parts) or "()"


def _item_code(item: Any, numbers: Iterator[int]) -> str:
    if isinstance(item, str):
        return f"{{{next(numbers)}}}"
    if isinstance(item, slice):
        ends = ["" if end is None else repr(end) for end in (item.start, item.stop)]
        return ":".join(ends if item.step is None else [*ends, repr(item.step)])
    return "..." if item is Ellipsis else repr(item)


# What NumPy's rules make of an index


class Layout(NamedTuple):
    """Where the axes of ``x[index]`` come from.

    Attributes:
        start: The first of the axes that the arrays of indices give, if there are arrays.
        is_moved: Whether these axes come first because something separates the arrays.
        sliced: For each of the other axes the axis of ``x`` and the slice; None for a new axis.
        integers: For each integer in the index the axis of ``x`` and the integer.
        indexed: The axis of ``x`` for each array of indices.
    """

    start: int
    is_moved: bool
    sliced: tuple[tuple[int, slice] | None, ...]
    integers: tuple[tuple[int, int], ...]
    indexed: tuple[int, ...]


def layout(index: Index, rank: int) -> Layout:
    """Read an index into an array of this rank.

    Raises:
        IndexError: There are more indices than axes.
    """
    used = sum(item is not None and item is not Ellipsis for item in index)
    if sum(item is Ellipsis for item in index) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > rank:
        raise IndexError(
            f"too many indices for array: array is {rank}-dimensional, but {used} were indexed"
        )
    sliced: list[tuple[int, slice] | None] = []
    integers: list[tuple[int, Any]] = []
    indexed: list[int] = []
    kinds: list[str] = []
    axis = 0
    for item in index if any(item is Ellipsis for item in index) else (*index, Ellipsis):
        if item is None:
            sliced.append(None)
            kinds.append("new")
        elif item is Ellipsis:
            for _ in range(rank - used):
                sliced.append((axis, slice(None)))
                axis += 1
            kinds.extend(["slice"] * (rank - used) or ["empty"])
        elif isinstance(item, slice):
            sliced.append((axis, item))
            kinds.append("slice")
            axis += 1
        elif isinstance(item, str):
            indexed.append(axis)
            kinds.append("array")
            axis += 1
        else:
            integers.append((axis, item))
            kinds.append("integer")
            axis += 1
    start, is_moved = _place_of_arrays(tuple(kinds)) if indexed else (0, False)
    return Layout(start, is_moved, tuple(sliced), tuple(integers), tuple(indexed))


@lru_cache(maxsize=1024)
def _place_of_arrays(kinds: tuple[str, ...]) -> tuple[int, bool]:
    """Where NumPy puts the axes of the arrays of indices: asked of NumPy itself."""
    examples: dict[str, Any] = {
        "new": None,
        "empty": Ellipsis,
        "slice": slice(None),
        "array": np.zeros(2, int),
        "integer": 0,
    }
    shape = [0 if kind == "slice" else 1 for kind in kinds if kind not in ("new", "empty")]
    result = np.empty(shape)[tuple(examples[kind] for kind in kinds)]
    start = result.shape.index(2)
    first = min(i for i, kind in enumerate(kinds) if kind in ("array", "integer"))
    expected = sum(kind in ("new", "slice") for kind in kinds[:first])
    return start, start != expected


def indexed_type(x: ArrayType, index: Index, arrays: Sequence[ArrayType]) -> ArrayType:
    """The type of ``x[index]``."""
    if not arrays and (plain := _plainly_indexed(x.shape, index)) is not None:
        return ArrayType(plain, x.dtype)
    found = layout(index, x.ndim)
    for axis, integer in found.integers:
        if not -x.shape[axis] <= integer < x.shape[axis]:
            raise IndexError(
                f"index {integer} is out of bounds for axis {axis} with size {x.shape[axis]}"
            )
    lengths = [
        1 if item is None else len(range(*item[1].indices(x.shape[item[0]])))
        for item in found.sliced
    ]
    if arrays:
        shape = np.broadcast_shapes(*(type.shape for type in arrays))
        lengths[found.start : found.start] = shape
    return ArrayType(tuple(lengths), x.dtype)


def _plainly_indexed(shape: Shape, index: Index) -> Shape | None:
    """The shape of ``x[index]``, where the index has numbers in range and slices only."""
    if len(index) > len(shape):
        return None
    left: list[int] | None = None
    for length, item in zip(shape, index):  # noqa: B905  (as many as the index has, or it costs)
        if type(item) is int:
            if not -length <= item < length:
                return None
        elif type(item) is slice and length >= 0:
            length = len(range(length)[item])  # noqa: PLW2901
            if left is None:
                left = [length]
            else:
                left.append(length)
        else:
            return None
    rest = shape[len(index) :]
    return rest if left is None else (*left, *rest)


def _filled(index: Index, arrays: Sequence[Any]) -> Index:
    """An index with the arrays in it."""
    if not arrays:
        return index
    following = iter(arrays)
    return tuple([next(following) if type(item) is str else item for item in index])


def _batched_indices(
    size: int, index: Index, arrays: Sequence[Any], axes: Sequence[int | None]
) -> tuple[Index, list[Any], int]:
    """An index into a batch by a batch: the index, its arrays, and their rank in one example.

    The example's own number is one more index in front, so the arrays' axes come out first.
    """
    rank = max(np.ndim(a) - (axis is not None) for a, axis in zip(arrays, axes, strict=True))
    moved: list[Any] = [np.reshape(np.arange(size), (size,) + (1,) * rank)]
    moved.extend(_batched_arrays(arrays, axes, rank))
    return (INDICES, *index), moved, rank


def _batched_arrays(arrays: Sequence[Any], axes: Sequence[int | None], rank: int) -> Iterator[Any]:
    """Arrays of indices with the batch axis in front, of the same rank."""
    for array, axis in zip(arrays, axes, strict=True):
        if axis is None:
            yield array
        else:
            yield move_batch_axis(array, axis, rank)


# Reading


class GetItem(Linear):
    """``x[index]``."""

    reads_part = True
    accumulates = True
    makes_zeros = True

    def __init__(self, name: str, *, makes_views: bool, **traits: Any) -> None:
        super().__init__(name, makes_views=makes_views, **traits)
        self.makes_arrays = makes_views  # of an element only where the index has an ellipsis

    def is_total_for(self, types: Types, params: dict[str, Any]) -> bool:
        """Arrays of indices may be out of range."""
        return len(types) == 1

    def run(self, x: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Index."""
        if not arrays:
            return x[index] if isinstance(x, np.ndarray) else np.asarray(x)[index]
        return np.asarray(x)[_filled(index, arrays)]

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Python's brackets."""
        if not inputs[0].type.shape:
            if params["index"] or inputs[0].type.weak:
                return None
            python = "{0}" if inputs[0].type.dtype == np.float64 else None
            return Code("{0}[()]", python=python, is_fresh=True)
        # Arrays of indices that have no axes are whole numbers to NumPy, which makes a view then.
        # So it does of a number that an index with an ellipsis reads.
        is_number = not outputs[0].shape and Ellipsis not in params["index"]
        is_view = not is_number and not any(operand.type.shape for operand in inputs[1:])
        index = index_code(params["index"])
        python = None
        is_double = outputs[0] == ArrayType((), np.dtype(np.float64))
        is_of_integers = all(type(item) in (int, str) for item in params["index"])
        if is_double and (self is element or (is_number and is_of_integers)):
            python = f"{{0}}.item({index})"
        return Code(f"{{0}}[{index}]", python=python, is_view=is_view, is_fresh=not is_view)

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """With arrays of indices it is NumPy's choice."""
        if len(types) > 1 and not isinstance(params["index"][0], str):
            return None
        return super().order_of_axes(orders, types, rank, params)

    def infer(
        self, x: ArrayType, *arrays: ArrayType, index: Index, unique: bool = False
    ) -> ArrayType:
        """What the index leaves of the shape."""
        type = indexed_type(x, index, arrays)
        if not type.shape and not x.dtype.isnative and not self.makes_views:
            return ArrayType((), native(x.dtype))
        return type

    def transpose(
        self, cotangent: Any, input: ArrayType, *arrays: Any, index: Index, unique: bool = False
    ) -> Any:
        """Add the cotangent into zeros."""
        return bind(scatter_add, cotangent, *arrays, index=index, shape=input.shape, unique=unique)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose; of an ordinary array by a shorter way, as most functions read elements."""
        x = inputs[0]
        if type(x) is not np.ndarray or type(cotangent) is Tracer:
            return super().vjp(cotangent, inputs, output, needed, **params)
        result = np.zeros(x.shape, cotangent.dtype)
        if len(inputs) == 1:
            result[params["index"]] = cotangent
            return (result,)
        if self.accumulate(result, cotangent, inputs, **params) is None:
            return super().vjp(cotangent, inputs, output, needed, **params)
        return (result, *(None,) * (len(inputs) - 1))

    def accumulate(
        self, total: Any, cotangent: Any, inputs: Values, *, index: Index, unique: bool = False
    ) -> Any:
        """Add at the index only: reading all elements one by one takes no array for each."""
        if type(total) is not np.ndarray:
            arrays = inputs[1:]
            more = {"index": index, **marked(arrays, unique)}
            return bind_over(index_add, total, cotangent, *arrays, **more)
        if type(cotangent) is Tracer:
            return None
        if len(inputs) > 1:
            arrays = inputs[1:]
            if any(type(array) is Tracer for array in arrays):
                return None
            add_at(total, _filled(index, arrays), cotangent, unique)
        elif self.makes_views:
            part = total[index]
            np.add(part, cotangent, part)
        else:
            total[index] += cotangent
        return total

    def written_back(self, input: Any, view: Any, *, index: Index) -> Any:
        """Write at the index."""
        return bind_over(index_update, input, view, index=index)

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        index: Index,
        unique: bool = False,
    ) -> Any:
        """Index all examples: the batch axis is one more axis in front."""
        out, axis = self._batched(size, inputs, axes, index, unique)
        if not self.makes_views and np.ndim(out) == 1:  # what each example has as a scalar
            out = in_dtype(out, native(dtype_of(out)))
        return out, axis

    def _batched(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        index: Index,
        unique: bool,
    ) -> tuple[Any, int]:
        x, *arrays = inputs
        x_axis, *array_axes = axes
        rank = np.ndim(x) - (x_axis is not None)
        found = layout(index, rank)
        x = in_front(x, x_axis)
        if all(axis is None for axis in array_axes):
            out = bind(
                gather if arrays else getitem_primitive, x, *arrays,
                index=(slice(None), *index), **marked(arrays, unique),
            )  # fmt: skip
            moved = layout((slice(None), *index), rank + 1) if arrays else found
            if arrays and moved.is_moved:
                return out, max(map(np.ndim, arrays))
            return out, 0
        if x_axis is None:
            inner = max(
                np.ndim(a) - (axis is not None) for a, axis in zip(arrays, array_axes, strict=True)
            )
            moved_arrays = _batched_arrays(arrays, array_axes, inner)
            return bind(self, x, *moved_arrays, index=index), found.start
        index, arrays, inner = _batched_indices(size, index, arrays, array_axes)
        out = bind(gather, x, *arrays, index=index, unique=unique)
        sources = range(1, inner + 1)
        return np.moveaxis(out, sources, [found.start + axis for axis in sources]), 0


def marked(arrays: Sequence[Any], unique: bool) -> dict[str, Any]:
    """The parameter that only an index with arrays has."""
    return {"unique": unique} if arrays else {}


element = GetItem("element", makes_views=False, makes_scalars=True, is_fresh=True)
getitem_primitive = GetItem("getitem", makes_views=True)
gather = GetItem("gather", makes_views=False)


class ScatterAdd(Linear):
    """Zeros of a shape, with values added at an index: the adjoint of reading there.

    Where ``unique`` is set, no element is met twice.
    """

    is_fresh = True
    makes_zero_tangents = True

    def is_total_for(self, types: Types, params: dict[str, Any]) -> bool:
        """Arrays of indices may be out of range."""
        return len(types) == 1

    def run(self, x: Any, *arrays: Any, index: Index, shape: Shape, unique: bool = False) -> Any:
        """Add into zeros; repeated indices add up."""
        result = np.zeros(shape, dtype_of(x))
        if not arrays:
            result[index] = x
        elif unique:
            result[_filled(index, arrays)] = x
        else:
            add_at(result, _filled(index, arrays), x)
        return result

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Zeros, written or added to at the index."""
        (type,) = outputs
        if ANY_LENGTH in type.shape:
            return None
        index = index_code(params["index"])
        if len(inputs) == 1 or params.get("unique"):
            return zeros_with(names, type, f"{{out}}[{index}] = {{0}}")
        write = _adding_code(names, params["index"], 1)
        return None if write is None else zeros_with(names, type, write)

    def infer(
        self,
        x: ArrayType,
        *arrays: ArrayType,
        index: Index,
        shape: Shape,
        unique: bool = False,
    ) -> ArrayType:
        """The shape, if the values fit into what the index reads of it."""
        expected = indexed_type(ArrayType(shape, x.dtype), index, arrays).shape
        if expected != x.shape:
            raise ValueError(f"values of shape {x.shape} do not fit the indexed shape {expected}")
        return ArrayType(shape, x.dtype)

    def transpose(
        self,
        cotangent: Any,
        input: ArrayType,
        *arrays: Any,
        index: Index,
        shape: Shape,
        unique: bool = False,
    ) -> Any:
        """Read at the index."""
        return read(cotangent, index, arrays, unique)

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        index: Index,
        shape: Shape,
        unique: bool = False,
    ) -> Any:
        """Add into a batch of zeros."""
        x, *arrays = inputs
        index, x, arrays = _batched_values(size, index, len(shape), x, axes[0], arrays, axes[1:])
        return bind(self, x, *arrays, index=index, shape=(size, *shape), unique=unique), 0


scatter_add = ScatterAdd("scatter_add")


class Writing(Primitive):
    """What puts values into an array at an index: linear in both, the first two inputs."""

    is_fresh = True
    makes_arrays = True
    warns = False
    makes_zeros = makes_zero_tangents = True
    linear_in = (0, 1)
    keeps_nan = True

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """Put the values' tangent into that of the array."""
        if tangents[0] is None and tangents[1] is None:
            return None
        x, values = (
            zeros_for(x) if tangent is None else tangent
            for x, tangent in zip(inputs[:2], tangents[:2], strict=True)
        )
        return widen(bind(self, x, values, *inputs[2:], **params), output)


def _apart(x: Any) -> Any:
    """A part of an array that is going to be written, in memory of its own."""
    is_view = type(x) is Tracer or (isinstance(x, np.ndarray) and x.base is not None)
    return x.copy() if is_view else x


class IndexAdd(Writing):
    """``x`` with values added at an index: the sum of it and a `ScatterAdd`; linear in both.

    Simplification makes it, so that sums over many places need no array of zeros for each. Where
    ``unique`` is set, no element is met twice.
    """

    writes_over = True

    def run(self, x: Any, values: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Add into a copy; repeated indices add up."""
        # In row-major order, in which `add_at` counts positions.
        result = np.array(x, np.result_type(dtype_of(x), dtype_of(values)), order="C")
        return self.run_over(result, values, *arrays, index=index, unique=unique)

    def run_over(self, x: Any, value: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Add into the array itself."""
        if arrays:
            add_at(x, _filled(index, arrays), value, unique)
        else:
            x[index] += value
        return x

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Adding in place, into a copy where the array is still needed."""
        index = params["index"]
        if not outputs[0].shape or outputs[0].dtype != inputs[0].type.dtype:
            return None
        if len(inputs) == 2 or params.get("unique"):
            return written_over(f"{{out}}[{index_code(index, 2)}] += {{1}}")
        write = _adding_code(names, index, 2)
        return None if write is None else written_over(write)

    def infer(
        self,
        x: ArrayType,
        values: ArrayType,
        *arrays: ArrayType,
        index: Index,
        unique: bool = False,
    ) -> ArrayType:
        """The array's shape, if the values fit into what the index reads of it."""
        expected = indexed_type(x, index, arrays).shape
        if expected != values.shape:
            raise ValueError(
                f"values of shape {values.shape} do not fit the indexed shape {expected}"
            )
        return ArrayType(x.shape, np.result_type(x.dtype, values.dtype))

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        index: Index,
        unique: bool = False,
    ) -> Values:
        """The array gets the cotangent as it is, and the values what stands at the index."""
        x, values, *arrays = inputs
        result: list[Any] = [None] * len(inputs)
        if needed[0] is not None:
            result[0] = conform(cotangent, x)
        if needed[1] is not None:
            result[1] = conform(read(cotangent, index, arrays, unique), values)
        return result

    def vjp_over(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The array gets the cotangent itself."""
        x, part, *rest = self.vjp(cotangent, inputs, output, needed, **params)
        return x, _apart(part), *rest

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        index: Index,
        unique: bool = False,
    ) -> Any:
        """Add into all examples."""
        x, values, *arrays = inputs
        x = in_each(size, x, axes[0])
        index, values, arrays = _batched_values(
            size, index, np.ndim(x) - 1, values, axes[1], arrays, axes[2:]
        )
        return bind(self, x, values, *arrays, index=index, unique=unique), 0


index_add = IndexAdd("index_add")


def _batched_values(
    size: int,
    index: Index,
    rank: int,
    values: Any,
    axis: int | None,
    arrays: Sequence[Any],
    axes: Sequence[int | None],
) -> tuple[Index, Any, Sequence[Any]]:
    """What adds values to each example of a batch: the index, the values and the arrays.

    Args:
        size: The number of examples.
        index: The index into one example.
        rank: The number of axes of one example.
        values: The values.
        axis: Their batch axis.
        arrays: The index's arrays.
        axes: Their batch axes.
    """
    found = layout(index, rank)
    values = in_each(size, values, axis)
    if all(axis is None for axis in axes):
        index = (slice(None), *index)
        if arrays and layout(index, rank + 1).is_moved:
            values = np.moveaxis(values, 0, max(map(np.ndim, arrays)))
        return index, values, arrays
    index, arrays, inner = _batched_indices(size, index, arrays, axes)
    targets = range(1, inner + 1)
    return index, np.moveaxis(values, [found.start + axis for axis in targets], targets), arrays


def _adding_code(names: Namer, index: Index, first: int) -> str | None:
    """A statement that adds at an index with arrays; None where it is left to `run`.

    Args:
        names: Gives names to functions.
        index: The index.
        first: The number of the first array among the inputs; the values come just before it.
    """
    if any(isinstance(item, slice) or item is Ellipsis for item in index):
        return None
    add = names.function("add_at", add_at)
    return f"{add}({{out}}, ({index_code(index, first)},), {{{first - 1}}})"


def add_at(total: Any, index: Index, values: Any, unique: bool = False) -> None:
    """``total[index] += values`` in place; where an element is met twice, both values count.

    Args:
        total: An ordinary array of the values' dtype.
        index: An index with arrays in it.
        values: What to add.
        unique: Whether no element is met twice.
    """
    if unique:
        total[index] += values
    elif len(index) == 1 and _meets_rows_often(total, index[0], values):
        _add_by_row(total, index[0].reshape(-1), values.reshape(-1, *total.shape[1:]))
    elif all(type(item) is np.ndarray for item in index) or not total.flags.c_contiguous:
        np.add.at(total, index[0] if len(index) == 1 else index, values)
    else:
        # With slices np.add.at is slow, so that it is handed positions in flat memory.
        positions = np.arange(total.size).reshape(total.shape)[index]
        values = np.broadcast_to(values, positions.shape)
        np.add.at(total.reshape(-1), positions.ravel(), values.ravel())


def _meets_rows_often(total: Any, numbers: Any, values: Any) -> bool:
    """Whether `_add_by_row` can add at these numbers of rows, in 0.2 to 0.9 of NumPy's time."""
    return (
        type(numbers) is np.ndarray
        and numbers.dtype.kind in "iu"
        and total.dtype.kind in "fc"
        and np.shape(values) == numbers.shape + total.shape[1:]
        and values.size >= 2048
        and values.nbytes <= 2**20
        and numbers.size >= 4 * len(total)
        and values.size >= 4 * numbers.size
        and numbers.min() >= 0  # one row has one number then
    )


def _add_by_row(total: Any, numbers: Any, values: Any) -> None:
    """``np.add.at(total, numbers, values)``, a row after the other, as of an embedding."""
    if len(total) <= 2**16:
        numbers = numbers.astype(np.uint16)  # NumPy sorts these by their digits
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    total[ordered[starts]] += np.add.reduceat(values[order], starts, axis=0)


def read(x: Any, index: Index, arrays: Sequence[Any], unique: bool = False) -> Any:
    """``x[index]`` for an index in canonical form, with its arrays of indices."""
    if arrays:
        return bind(gather, x, *arrays, index=index, unique=unique)
    return bind(_basic_primitive(x, index), x, index=index)


def _basic_primitive(x: Any, index: Index) -> GetItem:
    """``element`` where NumPy gives a scalar, which is no view."""
    if len(index) == len(shape_of(x)):
        for item in index:
            if type(item) is not int:
                return getitem_primitive
        return element
    return getitem_primitive


# Writing


class IndexUpdate(Writing):
    """``x`` with ``x[index] = value`` done; linear in both.

    The value's shape broadcasts to that of ``x[index]``, and its dtype becomes that of ``x``; of a
    complex value for a real array, the real part.
    """

    writes_over = True

    def order_of_axes(
        self,
        orders: Sequence[tuple[int, ...] | None],
        types: Types,
        rank: int,
        params: dict[str, Any],
    ) -> tuple[int, ...] | None:
        """It is a copy that lies as the array does."""
        return orders[0]

    def run(self, x: Any, value: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Write into a copy."""
        return self.run_over(np.array(x), value, *arrays, index=index)

    def run_over(self, x: Any, value: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Write into the array itself."""
        if x.dtype.kind != "c" and dtype_of(value).kind == "c":
            value = value.real
        x[_filled(index, arrays)] = value
        return x

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """Writing, into a copy where the array is still needed."""
        x, value = inputs[:2]
        if not x.type.shape or (x.type.dtype.kind != "c" and value.type.dtype.kind == "c"):
            return None
        index = index_code(params["index"], 2)
        return written_over(f"{{out}}[{index}] = {{1}}")

    def infer(
        self,
        x: ArrayType,
        value: ArrayType,
        *arrays: ArrayType,
        index: Index,
        unique: bool = False,
    ) -> ArrayType:
        """The type of the array that is written."""
        expected, given = indexed_type(x, index, arrays).shape, value.shape
        if expected != given and (
            len(given) > len(expected)
            or any(
                own not in (1, length)
                for own, length in zip(given, expected[len(expected) - len(given) :], strict=True)
            )
        ):
            raise ValueError(
                f"could not broadcast input array from shape {given} into shape {expected}"
            )
        return x.strong

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        index: Index,
        unique: bool = False,
    ) -> Values:
        """What was overwritten gets nothing; the value gets what stands in its place."""
        _, value, *arrays = inputs
        result: list[Any] = [None] * len(inputs)
        if needed[1] is not None:  # read first, so that the zeros can be written in place
            part = read(cotangent, index, arrays, unique)
            if arrays and not unique:
                part = np.where(self._is_kept(shape_of(cotangent), index, arrays), part, 0)
            result[1] = conform(part, value)
        if needed[0] is not None:
            zero = dtype_of(cotangent).type(0)
            result[0] = bind(self, cotangent, zero, *arrays, index=index, **marked(arrays, unique))
        return result

    def vjp_over(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        index: Index,
        unique: bool = False,
    ) -> Values:
        """Write the zeros into the cotangent itself."""
        _, part, *rest = self.vjp(
            cotangent, inputs, output, (None, *needed[1:]), index=index, unique=unique
        )
        part = _apart(part)
        if needed[0] is None:
            return None, part, *rest
        cotangent[_filled(index, inputs[2:])] = 0
        return cotangent, part, *rest

    def _is_kept(self, shape: Shape, index: Index, arrays: Sequence[Any]) -> Any:
        """Which of the written elements were not overwritten by a later one of them.

        That depends on the axes that the arrays index, so that the others count as one each.
        """
        found = layout(index, len(shape))
        axes = found.indexed
        types = [type_of(array) for array in arrays]
        lengths = np.broadcast_shapes(*(type.shape for type in types))
        only = (INDICES,) * len(axes)
        numbers = np.arange(prod(lengths)).reshape(lengths)
        written = np.zeros([shape[axis] for axis in axes], int)
        written = bind(self, written, numbers, *arrays, index=only)
        is_kept = np.equal(bind(gather, written, *arrays, index=only), numbers)
        return np.reshape(is_kept, lengths + (1,) * (len(found.sliced) - found.start))

    def batch(
        self,
        size: int,
        inputs: Values,
        axes: Sequence[int | None],
        *,
        index: Index,
        unique: bool = False,
    ) -> Any:
        """Write into all examples."""
        x, value, *arrays = inputs
        x_axis, value_axis, *array_axes = axes
        x = in_each(size, x, x_axis)
        shape = shape_of(x)[1:]
        found = layout(index, len(shape))
        array_types = [
            ArrayType(_without(shape_of(a), axis), np.dtype(int))
            for a, axis in zip(arrays, array_axes, strict=True)
        ]
        written = indexed_type(ArrayType(shape, dtype_of(x)), index, array_types).shape
        if value_axis is None:
            value = np.broadcast_to(value, (size, *written))
        else:
            value = move_batch_axis(value, value_axis, len(written))
            value = np.broadcast_to(value, (size, *written))
        if all(axis is None for axis in array_axes):
            index = (slice(None), *index)
            if arrays and layout(index, len(shape) + 1).is_moved:
                value = np.moveaxis(value, 0, max(map(np.ndim, arrays)))
        else:
            index, arrays, inner = _batched_indices(size, index, arrays, array_axes)
            targets = range(1, inner + 1)
            value = np.moveaxis(value, [found.start + axis for axis in targets], targets)
        return bind(self, x, value, *arrays, index=index, **marked(arrays, unique)), 0


def _without(shape: Shape, axis: int | None) -> Shape:
    return shape if axis is None else shape[:axis] + shape[axis + 1 :]


index_update = IndexUpdate("index_update")
