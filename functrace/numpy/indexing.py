"""What stands between brackets: ``x[index]`` and ``x[index] = value``.

An index of NumPy's becomes the parameter and the arrays that the primitives of
``primitives/indexing.py`` take. Boolean masks become arrays of indices, so that their values must
be known.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np

from functrace.errors import (
    IndexRangeError,
    LeakedTracerError,
    OperandError,
    ScalarWriteError,
    UnknownValueError,
    UnsupportedFunctionError,
    ViewWriteError,
)
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.types import ArrayType, Shape, type_of
from functrace.numpy.choosing import Chosen, chosen_by, unknown_mask, within
from functrace.numpy.making import array
from functrace.primitives.indexing import (
    INDICES,
    Index,
    element,
    gather,
    getitem_primitive,
    index_update,
    indexed_type,
    marked,
    read,
)
from functrace.primitives.linear import (
    as_array,
    cast_to,
    dtype_of,
    in_dtype,
    known_value,
    shape_of,
)
from functrace.tracing.buffers import require_own, write_plainly
from functrace.tracing.entrances import at_entrance, entrance
from functrace.tracing.expressions import expression_at, stores_an_item, value_of
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.places import Place, source_of, user_place
from functrace.tracing.recording import require_usable
from functrace.tracing.refusals import SLICES
from functrace.tracing.sharing import share_memory
from functrace.tracing.tracer import Tracer, bind, bind_over, named
from functrace.tracing.views import Overwritten, as_held, write

# Reading


def _is_basic(index: Index) -> bool:
    """Whether an index holds nothing but plain integers, slices of them, None and Ellipsis."""
    for item in index:
        kind = type(item)
        if kind is slice:
            for bound in (item.start, item.stop, item.step):
                if bound is not None and type(bound) is not int:
                    return False
        elif kind is not int and item is not None and kind is not EllipsisType:
            return False
    return True


@implements(operator.getitem)
def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` for a traced array, with NumPy's rules."""
    items = index if type(index) is tuple else (index,)
    is_element = True
    for item in items:  # `_is_basic`, written out: most functions read many elements and slices
        kind = type(item)
        if kind is int:
            continue
        is_element = False
        if kind is slice:
            start, stop, step = item.start, item.stop, item.step
            if (
                (start is not None and type(start) is not int)
                or (stop is not None and type(stop) is not int)
                or (step is not None and type(step) is not int)
            ):
                break
        elif item is not None and kind is not EllipsisType:
            break
    else:
        value = x.value
        rank = value.ndim if type(value) is np.ndarray else len(x.shape)
        primitive = element if is_element and rank == len(items) else getitem_primitive
        try:
            return x.recording.record(primitive, (x,), {"index": items})
        except LeakedTracerError as error:
            at_entrance(error)
            raise
    for item in items:
        if type(item) is not np.ndarray or item.dtype.kind not in "iu" or not item.ndim:
            break
    else:  # plain arrays of integers, which `canonical` would leave as they are
        if not x.recording.is_plain:
            params = {"index": (INDICES,) * len(items), "unique": False}
            try:
                return x.recording.record(gather, (x, *items), params)
            except LeakedTracerError as error:
                at_entrance(error)
                raise
    return _read_by_arrays(x, index, items)


@entrance
def _read_by_arrays(x: Any, index: Any, items: Index) -> Any:
    """As `getitem`, for an index that holds something else than numbers and slices."""
    if len(items) == 1 and _is_mask(items[0]) and np.ndim(items[0]) == 0:
        return x[None][: int(bool(items[0]))].copy()
    if (chosen := within(index, x.shape)) is not None:
        return chosen_by(x, chosen)
    copies = any(_is_array_of_one(item) for item in items)
    items, arrays, unique = canonical(items, x.shape)
    if arrays and x.recording.is_plain:
        result = x.recording.call(operator.getitem, (x, index), {})
        if result is not NotImplemented:
            return result
    if arrays and not any(map(shape_of, arrays)):
        result = _read_at(x, items, arrays)
    else:
        result = read(x, items, arrays, unique)
    return result.copy() if copies and isinstance(result, Tracer) and result.base is x else result


@dataclass(frozen=True)
class _At:
    """What makes a view at numbers that are not known.

    Attributes:
        items: The index, without the numbers.
        numbers: These, without axes.
    """

    items: Index
    numbers: Sequence[Any]
    multiple_outputs = False

    def __call__(self, base: Any) -> Any:
        return read(base, self.items, self.numbers, True)

    def written_back(self, base: Any, result: Any) -> Any:
        """What the base is after a result was written into the view."""
        return bind_over(index_update, base, result, *self.numbers, index=self.items, unique=True)

    def run(self, array: np.ndarray) -> Any:
        """A view of a plain array that lies in memory as this one does."""
        return array[tuple(0 if item is INDICES else item for item in self.items)]

    def is_at(self, items: Index, numbers: Sequence[Any]) -> bool:
        """Whether another index is this one."""
        return self.items == items and [*map(id, self.numbers)] == [*map(id, numbers)]


def _read_at(x: Tracer, items: Index, numbers: Sequence[Any]) -> Any:
    """``x[index]`` for numbers that are not known: a view, as for those that are."""
    result = read(x, items, numbers, True)
    if shape_of(result):
        share_memory(x, result, _At(items, numbers), {})
    elif Ellipsis in items:  # an array without axes
        return _read_at(x, (*items, None), numbers)[..., 0]
    return result


# Brackets come here at once, as to look into the table would take a fifth of the time. The class
# has a method with this name, for type checkers.
setattr(Tracer, "__getitem__", named(getitem, "getitem"))  # noqa: B010


def _is_array_of_one(x: Any) -> bool:
    """Whether an index is an array without axes, of which NumPy makes no view."""
    if isinstance(x, Tracer):
        return not x.shape and x.is_array
    return isinstance(x, np.ndarray) and not x.shape


def _is_mask(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    return isinstance(x, bool) if dtype is None else dtype.kind == "b"


def canonical(index: Index, shape: Shape) -> tuple[Index, list[Any], bool]:
    """An index with its arrays taken out, and whether no element can be met twice.

    Boolean masks become arrays of indices, so that their values must be known.

    Raises:
        IndexError: The index holds something that is no index.
        UnknownValueError: A mask is traced, and only its shape and dtype are known.
    """
    for item in index:
        if type(item) is not np.ndarray or item.dtype.kind not in "iu" or not item.ndim:
            break
    else:  # plain arrays of integers, as most are: there is nothing to do
        return (INDICES,) * len(index), list(index), False
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
    is_one = bool(arrays) and all(length == 1 for array in arrays for length in array.shape)
    return tuple(items), arrays, is_one or len(arrays) == mask_rank > 0


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
        parts = [known_value(part) for part in (item.start, item.stop, item.step)]
        for part in parts:
            if isinstance(part, Tracer):
                raise _unknown_bound(part.type, user_place(2))
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
        raise unknown_mask(mask)
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


# Writing


def require_array(x: Tracer) -> None:
    """Check that a value without axes is an array, which can be written; a scalar cannot.

    Raises:
        ScalarWriteError: It is a scalar.
    """
    if x.type.weak or not x.is_array:
        kind = "Python number" if x.type.weak else f"scalar of type {x.type}"
        raise ScalarWriteError(
            f"A traced {kind} is written like an array.", source_of(user_place(1))
        )


@implements(operator.setitem)
def setitem(x: Any, index: Any, value: Any) -> None:
    """``x[index] = value`` for a traced array, with NumPy's rules."""
    if not x.recording.is_open:
        if isinstance(x.recording, Overwritten) and _is_whole(index):
            x.recording.let_write()
        require_usable(x)
    if type(value) is Tracer and value.memory is not None and value.memory is x.memory:
        _require_no_exchange(x)
    if x.recording.is_plain:
        if write_plainly(x, index, value):
            return
        require_own(x)
    if not x.shape:
        require_array(x)
    if isinstance(value, list | tuple):
        value = array(value)
    if isinstance(value, Chosen):
        if not _write_within(x, index, value):
            raise unknown_mask(value.mask)
        return
    if index is Ellipsis and type(value) is Tracer and value.type == x.type:
        if value is not x:
            write(x, as_held(value) if x.shape else as_array(value))
        return
    value = value_for(x, value)
    shape = shape_of(value)
    items = index if type(index) is tuple else (index,)
    arrays: list[Any] = []
    unique = False
    if not _is_basic(items):
        if len(items) == 1 and _is_mask(items[0]):
            mask = known_value(items[0])
            if shape == ():
                write(x, _written_where(x, mask, value))
                return
        if _write_within(x, index, value):
            return
        items, arrays, unique = canonical(items, x.shape)
    if shape and shape[0] == 1:
        value = _without_leading_ones(value, shape, x, items, arrays)
    if isinstance(value, Tracer):
        if _is_written_already(x, value, items, arrays):
            return
    elif not any(isinstance(array, Tracer) for array in arrays):
        params: dict[str, Any] = {"index": items, **marked(arrays, unique)}
        write(x, x.recording.record_over(index_update, (x, value, *arrays), params))
        return
    write(x, bind_over(index_update, x, value, *arrays, index=items, **marked(arrays, unique)))


def _require_no_exchange(x: Any) -> None:
    """Refuse that NumPy's compiled code exchanges parts of an array that are views of it."""
    frame = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]
    place = frame.f_code, frame.f_lasti
    if stores_an_item(place):
        return
    call = expression_at(place)
    called = call.func if isinstance(call, ast.Call) else None
    name = getattr(called, "attr", None) or getattr(
        called and value_of(called, frame), "__name__", ""
    )
    if name == "shuffle":
        raise ViewWriteError(
            f"A traced array of shape {x.shape} is shuffled. NumPy exchanges its rows by two "
            "assignments, and as rows are views, the second one would read what the first wrote.",
            source_of(place),
            "Draw an order, and index with it: x[:] = x[rng.permutation(len(x))].",
        )


def _write_within(x: Any, index: Any, value: Any) -> bool:
    """Write what is chosen by a mask of unknown values, or one value for each; whether that was."""
    chosen = within(index, x.shape)
    written = None if chosen is None else chosen.written(x, value)
    if chosen is None or written is None:
        return False
    if chosen.is_whole:
        write(x, written)
    else:
        x[chosen.others] = written
    return True


def _is_whole(index: Any) -> bool:
    """Whether an index is that of all elements, whatever their number."""
    items = index if type(index) is tuple else (index,)
    return all(item is Ellipsis or (type(item) is slice and item == slice(None)) for item in items)


def _is_written_already(x: Tracer, value: Tracer, index: Index, arrays: Sequence[Any]) -> bool:
    """Whether a value is the view at this index, up to date.

    That is the last step of ``x[index] += ...``, which wrote into ``x`` when it wrote the view.
    """
    if value.base is not x or value.recording is not x.recording:
        return False
    by, params, _ = value.made_by
    if isinstance(by, _At):
        return by.is_at(index, arrays)
    return not arrays and (by, params) == (getitem_primitive, {"index": index})


def value_for(x: Any, value: Any) -> Any:
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
    return (
        value if dtype_of(value) == dtype and type(value) not in _PYTHON else cast_to(value, dtype)
    )


_PYTHON = (bool, int, float, complex)


class Flat:
    """What ``x.flat`` is for a traced array: its elements in row-major order."""

    def __init__(self, array: Tracer) -> None:
        """Keep the array, which is read and written when the elements are."""
        self.base = array
        self._following: Any = None

    def __len__(self) -> int:
        return self.base.size

    @entrance
    def __iter__(self) -> Any:
        return iter(np.ravel(self.base))  # pyright: ignore[reportArgumentType]

    def __next__(self) -> Any:
        if self._following is None:
            self._following = iter(self)
        return next(self._following)

    @entrance
    def __getitem__(self, index: Any) -> Any:
        result = np.ravel(self.base)[index]  # pyright: ignore[reportArgumentType]
        return result.copy()

    @entrance
    def __setitem__(self, index: Any, value: Any) -> None:
        flat: Any = np.ravel(self.base).copy()  # pyright: ignore[reportArgumentType]
        count = flat[index].size
        if count:
            # Values that are too few are repeated, and those that are too many left out.
            values = np.resize(np.reshape(as_operand(value), (-1,)), count)
            flat[index] = values if np.ndim(flat[index]) else values[0]
            self.base[...] = np.reshape(flat, self.base.shape)

    @entrance
    def copy(self) -> Any:
        """The elements as an array."""
        return np.ravel(self.base).copy()  # pyright: ignore[reportArgumentType]


implements(np.flatiter)(Flat)


def _without_leading_ones(
    value: Any, shape: Shape, x: Any, index: Index, arrays: Sequence[Any]
) -> Any:
    """A value without the leading axes of length 1 that what it is written into does not have.

    Raises:
        ValueError: NumPy takes no array with axes for one element.
    """
    target = indexed_type(x.type, index, [type_of(array) for array in arrays]).ndim
    if not target and Ellipsis not in index:
        np.zeros(1, x.dtype)[0] = np.zeros(shape, dtype_of(value))  # NumPy's versions differ
    extra = len(shape) - target
    if extra <= 0 or any(length != 1 for length in shape[:extra]):
        return value
    return np.reshape(value, shape[extra:])


def _written_where(x: Any, mask: Any, value: Any) -> Any:
    """``x[mask] = value``, each time the same one: a choice, for which the mask may be unknown."""
    shape = shape_of(mask)
    if shape != x.shape[: len(shape)]:
        _chosen(np.zeros(shape, bool), x.shape[: len(shape)], 0)
    mask = np.reshape(mask, shape + (1,) * (x.ndim - len(shape)))
    return in_dtype(bind(PRIMITIVES["select"], mask, value, x), x.dtype)


def _unknown_bound(type: ArrayType, place: Place | None) -> UnknownValueError:
    """The error for a slice with a bound of unknown value."""
    return UnknownValueError(
        f"A bound of a slice is a traced {type} of unknown value, so that the length of the result "
        "is unknown.",
        source_of(place),
        SLICES,
    )
