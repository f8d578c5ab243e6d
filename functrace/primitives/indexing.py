"""Indexing: reading elements, adding into them, and writing them.

One primitive class reads (`GetItem`), in three instances: ``element`` for one element, ``getitem``
for basic indices, whose result is a view, and ``gather`` for arrays of indices. `ScatterAdd`, which
adds values into zeros at an index, is its adjoint; `IndexUpdate` is what ``x[index] = value`` does.
An index is the parameter ``index``, a tuple of integers, slices, None and Ellipsis; where it has
the word "indices" it takes the next further input, an array of integers, which may be traced.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.errors import (
    ArrayWriteError,
    IndexRangeError,
    OperandError,
    UnknownValueError,
    UnsupportedFunctionError,
)
from functrace.ir.primitive import PRIMITIVES, Primitive
from functrace.ir.types import ArrayType, Shape, type_of
from functrace.primitives.linear import (
    Linear,
    cast_to,
    conform,
    dtype_of,
    shape_of,
    zeros_for,
)
from functrace.primitives.shaping import known_value
from functrace.tracing import (
    UFUNC_METHODS,
    Tracer,
    as_operand,
    bind,
    implements,
    reject_out,
    source_of,
    user_place,
)

Index = tuple[Any, ...]

INDICES = "indices"
"""Stands in an index for the next array among the inputs."""


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


def _indexed_type(x: ArrayType, index: Index, arrays: Sequence[ArrayType]) -> ArrayType:
    """The type of ``x[index]``."""
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
            front = np.moveaxis(array, axis, 0) if axis else array
            missing = (1,) * (rank + 1 - np.ndim(front))
            yield np.reshape(front, (*front.shape[:1], *missing, *front.shape[1:]))


# Reading


class GetItem(Linear):
    """``x[index]``."""

    def __init__(self, name: str, *, makes_views: bool) -> None:
        super().__init__(name)
        self.makes_views = makes_views

    def run(self, x: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Index."""
        if not arrays:
            return x[index] if isinstance(x, np.ndarray) else np.asarray(x)[index]
        return np.asarray(x)[_filled(index, arrays)]

    def infer(
        self, x: ArrayType, *arrays: ArrayType, index: Index, unique: bool = False
    ) -> ArrayType:
        """What the index leaves of the shape."""
        return _indexed_type(x, index, arrays)

    def transpose(
        self, cotangent: Any, input: ArrayType, *arrays: Any, index: Index, unique: bool = False
    ) -> Any:
        """Add the cotangent into zeros."""
        return bind(scatter_add, cotangent, *arrays, index=index, shape=input.shape, unique=unique)

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        index: Index,
        unique: bool = False,
    ) -> Any:
        """Index all examples: the batch axis is one more axis in front."""
        x, *arrays = inputs
        x_axis, *array_axes = axes
        rank = np.ndim(x) - (x_axis is not None)
        found = layout(index, rank)
        if x_axis:
            x = np.moveaxis(x, x_axis, 0)
        if all(axis is None for axis in array_axes):
            out = bind(
                gather if arrays else getitem_primitive, x, *arrays,
                index=(slice(None), *index), **_marked(arrays, unique),
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


def _marked(arrays: Sequence[Any], unique: bool) -> dict[str, Any]:
    """The parameter that only an index with arrays has."""
    return {"unique": unique} if arrays else {}


element = GetItem("element", makes_views=False)
getitem_primitive = GetItem("getitem", makes_views=True)
gather = GetItem("gather", makes_views=False)


class ScatterAdd(Linear):
    """Zeros of a shape, with values added at an index: the adjoint of reading there.

    Where ``unique`` is set, no element is met twice.
    """

    def run(self, x: Any, *arrays: Any, index: Index, shape: Shape, unique: bool = False) -> Any:
        """Add into zeros; repeated indices add up."""
        result = np.zeros(shape, dtype_of(x))
        if not arrays or unique:
            result[_filled(index, arrays)] = x
            return result
        # np.add.at is fast along one axis only, so that it is handed positions in flat memory.
        positions = arrays[0]
        if len(shape) > 1 or len(index) > 1 or not isinstance(positions, np.ndarray):
            positions = np.arange(result.size).reshape(shape)[_filled(index, arrays)]
        values = np.broadcast_to(x, np.shape(positions))
        np.add.at(result.reshape(-1), np.ravel(positions), np.ravel(values))
        return result

    def infer(
        self,
        x: ArrayType,
        *arrays: ArrayType,
        index: Index,
        shape: Shape,
        unique: bool = False,
    ) -> ArrayType:
        """The shape, if the values fit into what the index reads of it."""
        expected = _indexed_type(ArrayType(shape, x.dtype), index, arrays).shape
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
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        index: Index,
        shape: Shape,
        unique: bool = False,
    ) -> Any:
        """Add into a batch of zeros."""
        x, *arrays = inputs
        x_axis, *array_axes = axes
        found = layout(index, len(shape))
        if all(axis is None for axis in array_axes):
            index = (slice(None), *index)
            target = 0
            if arrays and layout(index, len(shape) + 1).is_moved:
                target = max(map(np.ndim, arrays))
            x = np.moveaxis(x, x_axis or 0, target)
        else:
            if x_axis is None:
                x = np.broadcast_to(x, (size, *shape_of(x)))
            elif x_axis:
                x = np.moveaxis(x, x_axis, 0)
            index, arrays, inner = _batched_indices(size, index, arrays, array_axes)
            targets = range(1, inner + 1)
            x = np.moveaxis(x, [found.start + axis for axis in targets], targets)
        return bind(self, x, *arrays, index=index, shape=(size, *shape), unique=unique), 0


scatter_add = ScatterAdd("scatter_add")


def read(x: Any, index: Index, arrays: Sequence[Any], unique: bool = False) -> Any:
    """``x[index]`` for an index in canonical form, with its arrays of indices."""
    if arrays:
        return bind(gather, x, *arrays, index=index, unique=unique)
    return bind(_basic_primitive(x, index), x, index=index)


def _basic_primitive(x: Any, index: Index) -> GetItem:
    """``element`` where NumPy gives a scalar, which is no view."""
    if len(index) == np.ndim(x) and all(type(item) is int for item in index):
        return element
    return getitem_primitive


# Writing


class IndexUpdate(Primitive):
    """``x`` with ``x[index] = value`` done; linear in both.

    The value's shape broadcasts to that of ``x[index]``, and its dtype becomes that of ``x``; of a
    complex value for a real array, the real part.
    """

    def run(self, x: Any, value: Any, *arrays: Any, index: Index, unique: bool = False) -> Any:
        """Write into a copy."""
        result = np.array(x)
        if result.dtype.kind != "c" and dtype_of(value).kind == "c":
            value = value.real
        result[_filled(index, arrays)] = value
        return result

    def infer(
        self,
        x: ArrayType,
        value: ArrayType,
        *arrays: ArrayType,
        index: Index,
        unique: bool = False,
    ) -> ArrayType:
        """The type of the array that is written."""
        expected = _indexed_type(x, index, arrays).shape
        if np.broadcast_shapes(value.shape, expected) != expected:
            raise ValueError(
                f"could not broadcast input array from shape {value.shape} into shape {expected}"
            )
        return ArrayType(x.shape, x.dtype)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Write the value's tangent into that of the array."""
        if tangents[0] is None and tangents[1] is None:
            return None
        x, value = (
            zeros_for(x) if tangent is None else tangent
            for x, tangent in zip(inputs[:2], tangents[:2], strict=True)
        )
        return bind(self, x, value, *inputs[2:], **params)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        index: Index,
        unique: bool = False,
    ) -> Sequence[Any]:
        """What was overwritten gets nothing; the value gets what stands in its place."""
        _, value, *arrays = inputs
        result: list[Any] = [None] * len(inputs)
        if needed[0] is not None:
            zero = dtype_of(cotangent).type(0)
            result[0] = bind(self, cotangent, zero, *arrays, index=index, **_marked(arrays, unique))
        if needed[1] is not None:
            part = read(cotangent, index, arrays, unique)
            if arrays and not unique:
                part = np.where(self._is_kept(shape_of(cotangent), index, arrays), part, 0)
            result[1] = conform(part, value)
        return result

    def _is_kept(self, shape: Shape, index: Index, arrays: Sequence[Any]) -> Any:
        """Which of the written elements were not overwritten by a later one of them."""
        size = _indexed_type(
            ArrayType(shape, np.dtype(int)), index, [type_of(array) for array in arrays]
        )
        numbers = np.arange(size.size).reshape(size.shape)
        written = bind(self, np.zeros(shape, int), numbers, *arrays, index=index)
        return np.equal(bind(gather, written, *arrays, index=index), numbers)

    def batch(
        self,
        size: int,
        inputs: Sequence[Any],
        axes: Sequence[int | None],
        *,
        index: Index,
        unique: bool = False,
    ) -> Any:
        """Write into all examples."""
        x, value, *arrays = inputs
        x_axis, value_axis, *array_axes = axes
        if x_axis is None:
            x = np.broadcast_to(x, (size, *shape_of(x)))
        elif x_axis:
            x = np.moveaxis(x, x_axis, 0)
        shape = shape_of(x)[1:]
        found = layout(index, len(shape))
        array_types = [
            ArrayType(_without(shape_of(a), axis), np.dtype(int))
            for a, axis in zip(arrays, array_axes, strict=True)
        ]
        written = _indexed_type(ArrayType(shape, dtype_of(x)), index, array_types).shape
        if value_axis is None:
            value = np.broadcast_to(value, (size, *written))
        else:
            value = np.moveaxis(value, value_axis, 0) if value_axis else value
            missing = (1,) * (len(written) + 1 - np.ndim(value))
            value = np.reshape(value, (*value.shape[:1], *missing, *value.shape[1:]))
            value = np.broadcast_to(value, (size, *written))
        if all(axis is None for axis in array_axes):
            index = (slice(None), *index)
            if arrays and layout(index, len(shape) + 1).is_moved:
                value = np.moveaxis(value, 0, max(map(np.ndim, arrays)))
        else:
            index, arrays, inner = _batched_indices(size, index, arrays, array_axes)
            targets = range(1, inner + 1)
            value = np.moveaxis(value, [found.start + axis for axis in targets], targets)
        return bind(self, x, value, *arrays, index=index, **_marked(arrays, unique)), 0


def _without(shape: Shape, axis: int | None) -> Shape:
    return shape if axis is None else shape[:axis] + shape[axis + 1 :]


index_update = IndexUpdate("index_update")


# From what stands between the brackets to an index and its arrays


def _is_basic(index: Index) -> bool:
    """Whether an index holds nothing but plain integers, slices of them, None and Ellipsis."""
    for item in index:
        kind = type(item)
        if kind is slice:
            for part in (item.start, item.stop, item.step):
                if part is not None and type(part) is not int:
                    return False
        elif kind is not int and item is not None and kind is not EllipsisType:
            return False
    return True


@implements(operator.getitem)
def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` for a traced array, with NumPy's rules."""
    items = index if type(index) is tuple else (index,)
    if _is_basic(items):
        primitive = getitem_primitive
        if len(items) == len(x.shape):
            for item in items:
                if type(item) is not int:
                    break
            else:
                primitive = element
        result = x.recording.record(primitive, (x,), {"index": items})
        result.index = items
        return result
    if len(items) == 1 and np.ndim(items[0]) == 0 and _is_mask(items[0]):
        return x[None][: int(bool(items[0]))].copy()
    items, arrays, unique = canonical(items, x.shape)
    return read(x, items, arrays, unique)


def _is_mask(x: Any) -> bool:
    return isinstance(x, bool) or getattr(x, "dtype", None) == np.dtype(bool)


def canonical(index: Index, shape: Shape) -> tuple[Index, list[Any], bool]:
    """An index with its arrays taken out, and whether no element can be met twice.

    Boolean masks become arrays of indices, so that their values must be known.

    Raises:
        IndexError: The index holds something that is no index.
        UnknownValueError: A mask is traced, and only its shape and dtype are known.
    """
    if sum(item is Ellipsis for item in index) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    values = [_index_value(item) for item in index]
    used = sum(map(_axes_used, values))
    items: list[Any] = []
    arrays: list[Any] = []
    mask_rank = 0
    axis = 0
    for item in values:
        if isinstance(item, np.ndarray | Tracer) and item.dtype.kind == "b":
            chosen = _chosen(item, shape[axis : axis + item.ndim], axis)
            items.extend([INDICES] * len(chosen))
            arrays.extend(chosen)
            mask_rank = item.ndim
        elif isinstance(item, np.ndarray | Tracer):
            items.append(INDICES)
            arrays.append(item)
        else:
            items.append(item)
        axis += len(shape) - used if item is Ellipsis else _axes_used(item)
    return tuple(items), arrays, len(arrays) == mask_rank > 0


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, slice) or type(item) is int or item.dtype.kind != "b":
        return 1
    return item.ndim


def _index_value(item: Any) -> Any:
    """One entry of an index: an int, a slice of ints, None, Ellipsis, or an array."""
    if item is None or item is Ellipsis or type(item) is int:
        return item
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        return slice(*(None if part is None else operator.index(part) for part in parts))
    value = known_value(item)
    if isinstance(value, list | tuple | range):
        value = np.asarray(value)
        if value.size == 0:
            value = value.astype(np.intp)
    elif isinstance(value, bool | np.bool_):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray | Tracer):
        try:
            return operator.index(value)
        except TypeError:
            value = np.asarray(value)
    if value.dtype.kind not in "biu":
        raise IndexRangeError(
            f"An index has the dtype {value.dtype}; arrays used as indices must be of integer (or "
            "boolean) type.",
            source_of(user_place(2)),
            "Convert it first, for instance with index.astype(int).",
        )
    if value.ndim == 0 and value.dtype.kind != "b" and isinstance(value, np.ndarray):
        return int(value)
    return value


def _chosen(mask: Any, shape: Shape, axis: int) -> Sequence[Any]:
    """The positions that a mask chooses."""
    if isinstance(mask, Tracer):
        raise UnknownValueError(
            f"An index is a traced {mask.type}, a mask of which the values are unknown, so that "
            "the shape of the result is unknown too.",
            source_of(user_place(2)),
            "Keep the shape and choose the values, as in np.where(mask, x, 0).",
        )
    if mask.ndim == 0:
        raise UnsupportedFunctionError(
            "A single boolean is used as an index among others.",
            source_of(user_place(2)),
            "Write x[None] for x[True], and x[None][:0] for x[False].",
        )
    if mask.shape != shape:
        for offset, (own, length) in enumerate(zip(mask.shape, shape, strict=False)):
            if own != length:
                raise IndexError(
                    "boolean index did not match indexed array along axis "
                    f"{axis + offset}; size of axis is {length} but size of corresponding boolean "
                    f"axis is {own}"
                )
        raise IndexError("too many indices for array")
    return mask.nonzero()


@implements(operator.setitem)
def setitem(x: Any, index: Any, value: Any) -> Any:
    """The traced array ``x`` as it is after ``x[index] = value``, with NumPy's rules."""
    if x.type.weak:
        raise OperandError(
            "A traced Python number is written like an array.",
            source_of(user_place(1)),
            "Make it an array first, for instance with np.reshape(x, ()).",
        )
    value = _value_for(x, value)
    items = index if type(index) is tuple else (index,)
    arrays: list[Any] = []
    unique = False
    if not _is_basic(items):
        if len(items) == 1 and shape_of(value) == ():
            mask = known_value(items[0])
            if _is_mask(mask):
                return _written_where(x, mask, value)
        items, arrays, unique = canonical(items, x.shape)
    recording = x.recording
    if isinstance(value, Tracer) or any(isinstance(array, Tracer) for array in arrays):
        return bind(index_update, x, value, *arrays, index=items, **_marked(arrays, unique))
    params: dict[str, Any] = {"index": items, **_marked(arrays, unique)}
    return recording.record(index_update, (x, value, *arrays), params)


def _value_for(x: Any, value: Any) -> Any:
    """A value to be written, in the dtype of the array; as assigning to a NumPy array casts it."""
    dtype = x.dtype
    if type(value) is float and dtype.kind == "f":  # the commonest case
        return dtype.type(value)
    value = as_operand(value)
    if dtype_of(value).kind == "c" and dtype.kind != "c":
        raise OperandError(
            f"A complex {type_of(value)} is written into a traced array of dtype {dtype}, where "
            "its imaginary part would be lost.",
            source_of(user_place(2)),
            "Write value.real, or make the array complex first.",
        )
    shape = shape_of(value)
    if len(shape) > x.ndim and all(length == 1 for length in shape[: len(shape) - x.ndim]):
        # NumPy lets go of leading axes of length 1 that the array does not have.
        value = np.reshape(value, shape[len(shape) - x.ndim :])
    return (
        value if dtype_of(value) == dtype and type(value) not in _PYTHON else cast_to(value, dtype)
    )


_PYTHON = (bool, int, float, complex)


def _written_where(x: Any, mask: Any, value: Any) -> Any:
    """``x[mask] = value`` for one value: a choice, for which the mask may be unknown."""
    shape = shape_of(mask)
    if shape != x.shape[: len(shape)]:
        _chosen(np.zeros(shape, bool), x.shape[: len(shape)], 0)
    mask = np.reshape(mask, shape + (1,) * (x.ndim - len(shape)))
    return bind(PRIMITIVES["select"], mask, value, x)


def add_at(x: Any, index: Any, addend: Any) -> Any:
    """The traced array as it is after ``np.add.at(x, index, addend)``: repeated indices add up."""
    addend = as_operand(addend)
    if not np.can_cast(type_of(addend).dtype, x.dtype, "same_kind"):
        raise OperandError(
            f"np.add.at adds a {type_of(addend)} to a traced array of dtype {x.dtype}.",
            source_of(user_place(2)),
        )
    addend = _value_for(x, addend)
    items = index if type(index) is tuple else (index,)
    items, arrays, unique = canonical(items, x.shape)
    shape = _indexed_type(x.type, items, [type_of(array) for array in arrays]).shape
    if shape_of(addend) != shape:
        addend = np.broadcast_to(addend, shape)
    return x + bind(
        scatter_add, addend, *arrays, index=items, shape=x.shape, **_marked(arrays, unique)
    )


UFUNC_METHODS[np.add, "at"] = add_at


# Functions that read


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


@implements(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Any:
    """As `numpy.take`."""
    reject_out(out)
    a = as_operand(a)
    indices = _whole_indices(indices)
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, np.ndim(a))
    length = shape_of(a)[axis]
    if mode == "wrap":
        indices = indices % length
    elif mode == "clip":
        indices = np.clip(indices, 0, length - 1)
    elif mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    before = (slice(None),) * axis
    if isinstance(indices, np.ndarray | np.generic) and indices.ndim == 0:
        return read(a, (*before, int(indices)), ())
    return read(a, (*before, INDICES), (indices,))


def _along_axis(shape: Shape, indices: Any, axis: int | None) -> tuple[Index, list[Any]]:
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
    index, arrays = _along_axis(shape_of(arr), indices, axis)
    return bind(gather, arr, *arrays, index=index, unique=unique)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """As `numpy.compress`; the condition must be known."""
    reject_out(out)
    condition = _known(condition, "The condition of compress")
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    return np.take(a, np.flatnonzero(condition), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """As `numpy.extract`; the condition must be known."""
    condition = _known(condition, "The condition of extract")
    return np.take(np.ravel(as_operand(arr)), np.flatnonzero(condition))


@implements(np.select)
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
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """As `numpy.choose`."""
    reject_out(out)
    number = known_value(as_operand(a))
    options = [as_operand(choice) for choice in choices]
    if mode == "wrap":
        number = number % len(options)
    elif mode == "clip":
        number = np.clip(number, 0, len(options) - 1)
    shape = np.broadcast_shapes(shape_of(number), *map(shape_of, options))
    stacked = np.stack([np.broadcast_to(option, shape) for option in options])
    if mode == "raise" and not isinstance(number, Tracer) and np.any(np.less(number, 0)):
        raise ValueError("invalid entry in choice array")
    chosen = np.broadcast_to(number, shape)
    return np.take_along_axis(stacked, np.expand_dims(chosen, 0), 0)[0]


# Functions that write in place


def _require_traced(x: Any, name: str) -> None:
    if not isinstance(x, Tracer):
        raise ArrayWriteError(
            f"np.{name} writes a traced value into an ordinary NumPy array.",
            source_of(user_place(2)),
        )


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    """As `numpy.put_along_axis`, into a traced array."""
    _require_traced(arr, "put_along_axis")
    indices = known_value(as_operand(indices))
    if axis is None:
        flat = np.ravel(arr).copy()
        flat[indices] = values
        arr[...] = np.reshape(flat, arr.shape)
        return
    _, arrays = _along_axis(arr.shape, indices, normalize_axis_index(axis, arr.ndim))
    arr[tuple(arrays)] = values


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """As `numpy.put`, into a traced array; values that are too few are repeated."""
    _require_traced(a, "put")
    indices = np.ravel(_whole_indices(ind))
    if mode == "wrap":
        indices = indices % a.size
    elif mode == "clip":
        indices = np.clip(indices, 0, a.size - 1)
    if indices.size:
        flat = np.ravel(a).copy()
        flat[indices] = np.resize(np.reshape(as_operand(v), (-1,)), indices.size)
        a[...] = np.reshape(flat, a.shape)


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """As `numpy.putmask`, into a traced array."""
    _require_traced(a, "putmask")
    fitted = np.reshape(np.resize(np.reshape(as_operand(values), (-1,)), a.size), a.shape)
    a[...] = np.where(mask, fitted, a)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """As `numpy.place`, into a traced array; the mask must be known."""
    _require_traced(arr, "place")
    chosen = np.flatnonzero(_known(mask, "The mask of place"))
    np.put(arr, chosen, vals)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """As `numpy.fill_diagonal`, of a traced array."""
    _require_traced(a, "fill_diagonal")
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    positions = np.arange(a.size).reshape(a.shape)
    marked = np.zeros(a.shape, bool)
    np.fill_diagonal(marked, True, wrap)
    np.put(a, positions[marked], val)


# Without and with some elements


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """As `numpy.delete`; what to delete must be known."""
    arr = as_operand(arr)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    length = shape_of(arr)[normalize_axis_index(axis, np.ndim(arr))]
    return np.take(arr, np.delete(np.arange(length), _known(obj, "What to delete")), axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """As `numpy.insert`; where to insert must be known."""
    arr, values = as_operand(arr), as_operand(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, np.ndim(arr))
    shape = shape_of(arr)
    length = shape[axis]
    place = _known(obj, "Where to insert")
    if isinstance(place, slice):
        place = np.arange(length)[place]
    place = np.asarray(place)
    if place.dtype.kind == "b":
        place = np.flatnonzero(place)
    values = np.reshape(values, (1,) * (len(shape) - np.ndim(values)) + shape_of(values))
    if place.ndim == 0:
        values = np.moveaxis(values, 0, axis)
    number = shape_of(values)[axis] if place.size == 1 else place.size
    new = np.broadcast_to(values, (*shape[:axis], number, *shape[axis + 1 :]))
    numbers = np.arange(length, length + number)
    order = np.insert(np.arange(length), place, numbers)
    joined = np.concatenate([arr, cast_to(new, dtype_of(arr))], axis)
    return np.take(joined, order, axis)


# Functions of known values, and locally constant ones


def _known(x: Any, request: str) -> Any:
    """The values of an array that decides a shape; raises where they are unknown."""
    x = known_value(x)
    if isinstance(x, Tracer):
        raise UnknownValueError(
            f"{request} is a traced {x.type}, of which only shape and dtype are known; the shape "
            "of the result depends on the values.",
            source_of(user_place(2)),
            "Keep the shape and choose the values, as in np.where(mask, x, 0).",
        )
    return x


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    """As `numpy.nonzero`, of known values."""
    return np.nonzero(_known(a, "The input of nonzero"))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """As `numpy.argwhere`, of known values."""
    return np.argwhere(_known(a, "The input of argwhere"))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """As `numpy.flatnonzero`, of known values."""
    return np.flatnonzero(_known(a, "The input of flatnonzero"))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As `numpy.count_nonzero`."""
    return np.sum(np.not_equal(a, 0), axis=axis, dtype=np.intp, keepdims=keepdims)


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.isin`."""
    tested, tests = known_value(as_operand(element)), known_value(as_operand(test_elements))
    pairs = np.equal(np.expand_dims(tested, -1), np.ravel(tests))
    found = np.any(pairs, axis=-1)
    return np.logical_not(found) if invert else found


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    """As `numpy.unique`, of known values: the first of equal elements has the derivative."""
    values = _known(ar, "The input of unique")
    _, index, inverse, counts = np.unique(values, True, True, True, axis, **options)
    results = [np.take(ar, index, axis)]
    results += [index] * return_index + [inverse] * return_inverse + [counts] * return_counts
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.ix_)
def ix_(*args: Any) -> Any:
    """As `numpy.ix_`."""
    return np.ix_(*(_known(x, "An index") for x in args))


class SearchSorted(Primitive):
    """Where each value would have to be inserted into a sorted array."""

    locally_constant = True

    def run(self, a: Any, v: Any, *, side: Any) -> Any:
        """Search."""
        return np.searchsorted(a, v, side)

    def infer(self, a: ArrayType, v: ArrayType, *, side: str) -> ArrayType:
        """One index for each value."""
        if a.ndim != 1:
            raise ValueError("object of too small depth for desired array")
        return ArrayType(v.shape, np.dtype(np.intp))

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Zero."""
        return None

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """Zero."""
        return (None, None)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, side: str
    ) -> Any:
        """Values by the batch are searched at once; in several arrays, by counting."""
        a, v = inputs
        a_axis, v_axis = axes
        if a_axis is None:
            return bind(self, a, v, side=side), v_axis
        a = np.moveaxis(a, a_axis, 0) if a_axis else a
        if v_axis:
            v = np.moveaxis(v, v_axis, 0)
        v = np.expand_dims(v, -1)
        inner = np.ndim(v) - 1 - (v_axis is not None)
        a = np.reshape(a, (size, *(1,) * inner, shape_of(a)[1]))
        # NumPy's order, in which nan is the largest of all.
        is_before = np.less(a, v) | (np.isnan(v) & ~np.isnan(a))
        if side == "right":
            is_before = is_before | np.equal(a, v) | (np.isnan(a) & np.isnan(v))
        return np.sum(is_before, axis=-1, dtype=np.intp), 0


searchsorted_primitive = SearchSorted("searchsorted")


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """As `numpy.searchsorted`."""
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    a = as_operand(a)
    if sorter is not None:
        a = np.take(a, sorter)
    return bind(searchsorted_primitive, a, as_operand(v), side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As `numpy.digitize`; the bins must be known."""
    edges = np.asarray(_known(as_operand(bins), "The bins of digitize"))
    if edges.ndim != 1:
        raise ValueError("object of too small depth for desired array")
    steps = np.diff(edges)
    if np.all(steps >= 0):
        return np.searchsorted(edges, x, "left" if right else "right")
    if np.all(steps <= 0):
        return len(edges) - np.searchsorted(edges[::-1], x, "right" if right else "left")
    raise ValueError("bins must be monotonically increasing or decreasing")


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As `numpy.bincount`; what is counted must be known, and the weights may be traced."""
    numbers = _known(as_operand(x), "What bincount counts")
    if not isinstance(weights, Tracer):
        return np.bincount(numbers, weights, minlength)
    length = len(np.bincount(numbers, None, minlength))  # also for NumPy's errors
    if weights.shape != shape_of(numbers):
        raise ValueError("The weights and list don't have the same length.")
    weights = cast_to(weights, np.dtype(np.float64))
    return bind(scatter_add, weights, numbers, index=(INDICES,), shape=(length,), unique=False)
