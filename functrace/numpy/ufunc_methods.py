"""Ufuncs' methods on tracers: ``reduce``, ``accumulate``, ``reduceat``, ``outer`` and ``at``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from functrace.control.loops import scan
from functrace.errors import OperandError
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.types import promotion_operand, result_dtype, type_of
from functrace.numpy.choosing import within
from functrace.numpy.indexing import canonical, value_for
from functrace.numpy.reducing import (
    ABSENT,
    all_of,
    any_of,
    is_given,
    max_of,
    min_of,
    product_of,
    sum_of,
)
from functrace.primitives.broadcasting import ufunc_dtype
from functrace.primitives.cumulating import ACCUMULATIONS, along, sum_at
from functrace.primitives.indexing import index_update, indexed_type, marked, read, scatter_add
from functrace.primitives.linear import cast_to, dtype_of, known_choice, known_value, shape_of
from functrace.primitives.reducing import logsumexp_primitive, normal_axes, reduced_shape
from functrace.tracing.conversions import reject_out
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import STATIC
from functrace.tracing.tables import public_name
from functrace.tracing.tracer import Tracer, bind

# One dtype, one axis


_MEANT: dict[np.ufunc, np.ufunc] = {np.float_power: np.power}
"""Which other ufunc does the same with arrays of the dtype that a ufunc makes of them."""


def accumulate(
    ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """As ``ufunc.accumulate``."""
    reject_out(out)
    # What NumPy says of the keywords depends on the rank and the dtype alone.
    like = ufunc.accumulate(np.ones((1,) * np.ndim(array), dtype_of(array)), axis, dtype)
    axis = _the_one(axis)
    return _accumulated(ufunc, _cast(array, like.dtype), axis % like.ndim)


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    return x if dtype_of(x) == dtype else cast_to(x, dtype)


def _the_one(axis: Any) -> Any:
    """An axis, which NumPy takes in a tuple of one as well, and has checked."""
    return axis[0] if isinstance(axis, tuple) else axis


def _accumulated(ufunc: np.ufunc, x: Any, axis: int, *starts: Any) -> Any:
    """Accumulate an array that has the dtype of the result."""
    if ufunc is np.add and not starts:
        sums = bind(PRIMITIVES["cumsum"], x, axis=axis, reverse=False)
        return _cast(sums, x.dtype)
    primitive = ACCUMULATIONS.get(_MEANT.get(ufunc, ufunc))
    if primitive is not None:
        return bind(primitive, x, *starts, axis=axis)
    rows = [x[along(axis, i)] for i in range(x.shape[axis])]
    is_start = starts[0].tolist() if starts else [True] + [False] * len(rows[1:])
    found: list[Any] = []
    for row, starts_anew in zip(rows, is_start, strict=True):
        found.append(row if starts_anew else ufunc(found[-1], row))
    return np.stack(found, axis) if found else x


def reduce_any(
    ufunc: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
    keepdims: Any = False, initial: Any = ABSENT, where: Any = True,
) -> Any:  # fmt: skip
    """As ``ufunc.reduce``, from the first element to the last: the last that is accumulated."""
    reject_out(out)
    x = as_operand(array)
    shape, rank = shape_of(x), np.ndim(x)
    # What NumPy says of the keywords depends on the rank and the dtypes alone.
    given: dict[str, Any] = {}
    if initial is not ABSENT:
        given["initial"] = initial.dtype.type(1) if isinstance(initial, Tracer) else initial
    if where is not True:
        where = np.broadcast_to(where, shape)
        given["where"] = np.ones((1,) * rank, bool)
    with np.errstate(all="ignore"):
        like = ufunc.reduce(
            np.ones((1,) * rank, dtype_of(x)), axis=axis, dtype=dtype, keepdims=True, **given
        )
    x = _cast(x, like.dtype)
    axes = None if axis in (0, -1) and not rank else normal_axes(axis, rank)
    numbers = tuple(range(rank)) if axes is None else axes
    rows = _in_front(x, numbers)
    first = ufunc.identity if initial is ABSENT else initial
    if first is not None:
        first = np.broadcast_to(_in_dtype(first, like.dtype), rows.shape[1:])
    elif not len(rows):
        ufunc.reduce(np.empty((0, 1), like.dtype))  # NumPy's own error
    if where is not True:
        result = first
        for row, mask in zip(rows, _in_front(where, numbers), strict=True):
            result = np.where(mask, ufunc(result, row), result)
    else:
        if first is not None:
            rows = np.concatenate([first[np.newaxis], rows])
        result = _accumulated(ufunc, rows, 0)[-1]
    left = reduced_shape(shape, axes, is_given(keepdims) and bool(keepdims))
    return result if shape_of(result) == left else np.reshape(result, left)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _in_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    """A traced or plain number in a dtype."""
    return _cast(x, dtype) if isinstance(x, Tracer) else np.asarray(x).astype(dtype)


def _in_front(x: Any, axes: Sequence[int]) -> Any:
    """An array with some axes as one, the first."""
    front = tuple(range(len(axes)))
    moved = np.moveaxis(x, axes, front) if tuple(axes) != front else x
    shape = shape_of(moved)
    return np.reshape(moved, (math.prod(shape[: len(axes)]), *shape[len(axes) :]))


def reduce_at(
    ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """As ``ufunc.reduceat``: reduce from each index to the next, if that is larger."""
    reject_out(out)
    starts = np.asarray(known_choice(indices, "The indices of reduceat", STATIC))
    shape = shape_of(array)
    # What NumPy says of the keywords depends on the shape and the dtype alone.
    like = ufunc.reduceat(np.ones(shape, dtype_of(array)), starts, axis, dtype)
    axis = _the_one(axis)
    x, axis = _cast(array, like.dtype), axis % len(shape)
    if not starts.size:
        return np.zeros_like(x, shape=like.shape)
    if ufunc is np.add:
        return _cast(bind(sum_at, x, starts, axis=axis), like.dtype)
    begins = starts.tolist()
    ends = [end if end > start else start + 1 for start, end in pairwise(begins)]
    runs = [range(start, end) for start, end in zip(begins, [*ends, shape[axis]], strict=True)]
    order = np.concatenate([np.arange(run.start, run.stop) for run in runs])
    if not np.array_equal(order, np.arange(shape[axis])):
        x = np.take(x, order, axis)
    stops = np.cumsum([len(run) for run in runs])
    is_start = np.zeros(len(order), bool)
    is_start[[0, *stops[:-1]]] = True
    return np.take(_accumulated(ufunc, x, axis, is_start), stops - 1, axis)


# The quicker ways


def _logsumexp(array: Any, axis: Any = 0, keepdims: bool = False) -> Any:
    own = dtype_of(array)
    array = _cast(array, ufunc_dtype(np.logaddexp, (own, own)))
    rank = np.ndim(array)
    axes = None if axis in (0, -1) and not rank else normal_axes(axis, rank)
    return bind(logsumexp_primitive, array, axes=axes, keepdims=keepdims)


_REDUCTIONS: dict[np.ufunc, tuple[Callable[..., Any], tuple[str, ...]]] = {
    np.add: (sum_of, ("dtype", "initial", "where")),
    np.multiply: (product_of, ("dtype", "initial", "where")),
    np.maximum: (max_of, ("initial", "where")),
    np.minimum: (min_of, ("initial", "where")),
    np.logical_or: (any_of, ("where",)),
    np.logical_and: (all_of, ("where",)),
    np.logaddexp: (_logsumexp, ()),
}
"""NumPy's functions that a ufunc reduces by, and which keywords these take."""


def reduce_method(
    ufunc: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
    keepdims: Any = False, initial: Any = ABSENT, where: Any = True,
) -> Any:  # fmt: skip
    """As ``ufunc.reduce``; its axis is the first one if none is given."""
    reject_out(out[0] if isinstance(out, tuple) else out)
    given: dict[str, Any] = {}
    if dtype is not None:
        given["dtype"] = dtype
    if initial is not ABSENT:
        given["initial"] = initial
    if where is not True:
        given["where"] = where
    function, takes = _REDUCTIONS.get(ufunc, (None, ()))
    if function is None or initial is None or any(key not in takes for key in given):
        return reduce_any(ufunc, array, axis, dtype, None, keepdims, initial, where)
    return function(array, axis=axis, keepdims=is_given(keepdims) and bool(keepdims), **given)


METHODS: dict[str, Callable[..., Any]] = {
    "reduce": reduce_method,
    "accumulate": accumulate,
    "reduceat": reduce_at,
}
"""What the methods of a ufunc of two operands mean that make an array of one."""


# Writing at an index


def at(ufunc: np.ufunc, x: Any, index: Any, *operands: Any) -> None:
    """As ``ufunc.at``, into a traced array: of repeated indices each one counts."""
    if not isinstance(x, Tracer):
        reject_out(x)
    if len(operands) != ufunc.nin - 1:
        ufunc.at(np.ones(1), 0, *(1.0 for _ in operands))  # NumPy's own error
    operands = tuple(as_operand(operand) for operand in operands)
    if within(index, x.shape) is not None:
        x[index] = ufunc(x[index], *operands)  # a mask meets no element twice
        return
    if (ufunc is np.add or ufunc is np.subtract) and _is_castable(
        result_dtype(x.type, *map(type_of, operands)), x
    ):
        x[...] = _sum_at(ufunc, x, index, operands[0])
        return
    items, arrays, _ = canonical(index if type(index) is tuple else (index,), x.shape)
    places = read(np.arange(x.size).reshape(x.shape), items, arrays)
    given = [np.ravel(np.broadcast_to(each, shape_of(places))) for each in operands]
    numbers, flat = np.ravel(places), np.ravel(x)
    new = written_at(ufunc, flat, numbers, *given)
    x[...] = np.reshape(new, x.shape)


def _sum_at(ufunc: np.ufunc, x: Any, index: Any, addend: Any) -> Any:
    """The traced array as it is after ``np.add.at`` or ``np.subtract.at``."""
    addend = value_for(x, addend)
    items, arrays, unique = canonical(index if type(index) is tuple else (index,), x.shape)
    shape = indexed_type(x.type, items, [type_of(array) for array in arrays]).shape
    if shape_of(addend) != shape:
        addend = np.broadcast_to(addend, shape)
    return ufunc(
        x,
        bind(scatter_add, addend, *arrays, index=items, shape=x.shape, **marked(arrays, unique)),
    )


def written_at(ufunc: np.ufunc, flat: Any, numbers: Any, *operands: Any) -> Any:
    """An array with one axis as it is after ``ufunc.at(flat, numbers, *operands)``.

    The operations on one element are a run of what is accumulated: the element, then operands.
    """
    types = map(promotion_operand, map(type_of, (flat, *operands)))
    loop = ufunc.resolve_dtypes((*types, None))
    if loop[-1].kind == "c" and flat.dtype.kind != "c":
        raise OperandError(
            f"{public_name(ufunc)}.at writes complex numbers into a traced array of dtype "
            f"{flat.dtype}, where their imaginary parts would be lost.",
            source_of(user_place(2)),
            "Make the array complex first.",
        )
    primitive = ACCUMULATIONS.get(_MEANT.get(ufunc, ufunc))
    numbers = known_value(numbers)
    is_known = not isinstance(numbers, Tracer)
    distinct = number = np.arange(0)
    if is_known:
        distinct, number = np.unique(numbers, return_inverse=True)
        if len(distinct) == len(numbers):
            result = value_for(flat, ufunc(flat[numbers], *operands))
            return bind(index_update, flat, result, numbers, index=("indices",), unique=True)
    if primitive is None or len(set(loop)) > 1 or not _is_castable(loop[-1], flat):
        return written_one_by_one(ufunc, flat, numbers, operands)
    if is_known:
        elements, keys = flat[distinct], np.concatenate([np.arange(len(distinct)), number])
    else:
        elements, keys = flat, np.concatenate([np.arange(flat.size), numbers])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    is_new = np.not_equal(keys[1:], keys[:-1])
    is_start = np.concatenate([np.ones(min(1, flat.size), bool), is_new])
    values = np.concatenate([_cast(part, loop[-1]) for part in (elements, *operands)])
    found = bind(primitive, values[order], is_start, axis=0)
    ends = np.searchsorted(keys, np.arange(elements.size), "right") - 1
    result = _cast(found[ends], flat.dtype)
    if not is_known:
        return result
    return bind(index_update, flat, result, distinct, index=("indices",), unique=True)


def written_one_by_one(
    ufunc: Callable[..., Any], flat: Any, numbers: Any, operands: Sequence[Any]
) -> Any:
    """The same for any function of elements, one operation after the other."""

    def step(flat: Any, row: Any) -> tuple[Any, None]:
        number, *rest = row
        flat = flat.copy()
        flat[number] = ufunc(flat[number], *rest)
        return flat, None

    if isinstance(numbers, Tracer):
        return scan(step, flat, (numbers, *operands))[0]
    flat = flat.copy()
    for chosen in _in_rounds(numbers):
        places = numbers[chosen]
        flat[places] = ufunc(flat[places], *(operand[chosen] for operand in operands))
    return flat


def _in_rounds(numbers: np.ndarray) -> list[np.ndarray]:
    """The positions at which each number occurs for the first time, the second time, and so on."""
    order = np.argsort(numbers, kind="stable")
    is_first = np.diff(numbers[order], prepend=-1) != 0
    counted = np.arange(numbers.size)
    rounds = np.empty(numbers.size, int)
    rounds[order] = counted - np.maximum.accumulate(np.where(is_first, counted, 0))
    return [np.flatnonzero(rounds == trip) for trip in range(rounds.max(initial=-1) + 1)]


def _is_castable(dtype: np.dtype[Any], x: Any) -> bool:
    """Whether casting to the dtype of an array after each operation is rounding at the most."""
    return np.can_cast(dtype, x.dtype, "same_kind")
