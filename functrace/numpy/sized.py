"""Functions of NumPy's whose results have a size that depends on values, with a size that is given.

Programs for JAX name it, ``np.nonzero(x, size=3)``, so that nothing need be known but types: what
is too much is left out, and what is missing is filled up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

from functrace.numpy.histograms import sums_by_number
from functrace.numpy.making import asarray
from functrace.numpy.taking import take
from functrace.primitives.linear import cast_to, dtype_of, known_value
from functrace.primitives.requiring import require
from functrace.tracing.entrances import entrance
from functrace.tracing.tracer import Tracer

_INDEX = np.dtype(np.intp)

# The functions


def _first_true(mask: Any, size: int) -> tuple[Any, Any]:
    """Where a flat mask is true first, so many places, and which of these there are.

    Of those that there are not the place is 0.
    """
    length = mask.shape[0]
    order = np.argsort(np.logical_not(mask), kind="stable")[:size]
    places = np.concatenate([order, np.zeros(max(size - length, 0), _INDEX)])
    is_there = np.less(np.arange(size), np.add.reduce(mask, dtype=_INDEX))
    return np.where(is_there, places, 0), is_there


def _nonzero(a: Any, *, size: int, fill_value: Any = None) -> tuple[Any, ...]:
    a = asarray(a)
    if not a.ndim:
        raise ValueError("Calling nonzero on 0d arrays is not allowed.")
    mask = np.not_equal(np.ravel(known_value(a)), 0)
    places, is_there = _first_true(mask, size)
    fill = fill_value if isinstance(fill_value, tuple) else (fill_value or 0,) * a.ndim
    indices: list[Any] = []
    for length, missing in zip(reversed(a.shape), reversed(fill), strict=True):
        indices.append(np.where(is_there, places % max(length, 1), missing))
        places = places // max(length, 1)
    return tuple(cast_to(index, _INDEX) for index in reversed(indices))


def _flatnonzero(a: Any, *, size: int, fill_value: Any = None) -> Any:
    return _nonzero(np.ravel(asarray(a)), size=size, fill_value=fill_value)[0]


def _argwhere(a: Any, *, size: int, fill_value: Any = None) -> Any:
    return np.stack(_nonzero(a, size=size, fill_value=fill_value), axis=1)


def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True, size: int,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    x = asarray(ar)
    items = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    length = items.shape[0]
    columns = known_value(np.reshape(items, (length, -1)))
    order = np.lexsort(np.transpose(columns)[::-1]) if columns.shape[1] else np.arange(length)
    ranked = take(columns, order, axis=0)
    differs = np.not_equal(ranked[1:], ranked[:-1])
    if equal_nan and items.ndim == 1 and dtype_of(ranked).kind in "fc":
        both = np.logical_and(np.isnan(ranked[1:]), np.isnan(ranked[:-1]))
        differs = np.logical_and(differs, np.logical_not(both))
    begins = np.concatenate([np.ones(min(length, 1), bool), np.any(differs, axis=1)])
    places, is_there = _first_true(begins, size)
    if not length and size:
        raise ValueError("there is no element to fill up with: the array has none")
    index = take(order, places)
    elements = take(items, index, axis=0)
    if fill_value is not None:
        rows = np.reshape(is_there, (-1,) + (1,) * (items.ndim - 1))
        filling = cast_to(asarray(fill_value), dtype_of(elements))
        elements = np.where(rows, elements, filling)
    results = [elements if axis is None else np.moveaxis(elements, 0, axis)]
    numbers = np.cumsum(begins) - 1
    if return_index:
        results.append(index)
    if return_inverse:
        inverse = sums_by_number(order, numbers, length)
        results.append(np.reshape(inverse, x.shape) if axis is None else inverse)
    if return_counts:
        within = np.where(np.less(numbers, size), numbers, size)
        results.append(sums_by_number(within, np.ones(length, _INDEX), size + 1)[:size])
    return results[0] if len(results) == 1 else tuple(results)


def _union1d(ar1: Any, ar2: Any, *, size: int, fill_value: Any = None) -> Any:
    both = np.concatenate([np.ravel(asarray(ar1)), np.ravel(asarray(ar2))])
    return _unique(both, size=size, fill_value=fill_value)


def _extract(condition: Any, arr: Any, *, size: int, fill_value: Any = None) -> Any:
    mask = np.not_equal(np.ravel(known_value(asarray(condition))), 0)
    places, is_there = _first_true(mask, size)
    return np.where(is_there, take(np.ravel(asarray(arr)), places), fill_value or 0)


def _compress(
    condition: Any, a: Any, axis: int | None = None, *, size: int, fill_value: Any = None
) -> Any:
    mask = np.not_equal(known_value(asarray(condition)), 0)
    if mask.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    a, axis = (np.ravel(asarray(a)), 0) if axis is None else (asarray(a), axis)
    places, is_there = _first_true(mask, size)
    column = (-1,) + (1,) * (a.ndim - 1 - axis % a.ndim)
    found = take(a, places, axis)
    return np.where(np.reshape(is_there, column), found, cast_to(asarray(fill_value or 0), a.dtype))


def _unique_parts(name: str) -> Callable[..., Any]:
    """A function such as ``unique_all``, which returns some of what ``unique`` can."""
    sample = getattr(np, name)(np.zeros(1))
    wanted = {_OPTIONS[field]: True for field in sample._fields if field in _OPTIONS}

    def parts(x: Any, /, *, size: int, fill_value: Any = None) -> Any:
        found = _unique(x, equal_nan=False, size=size, fill_value=fill_value, **wanted)
        return type(sample)(*found)

    return parts


_OPTIONS = {
    "indices": "return_index", "inverse_indices": "return_inverse", "counts": "return_counts",
}  # fmt: skip
"""What ``unique`` is asked for, by the name that its result has elsewhere."""


# Sets: of each array the first of equal elements counts, unless all are said to differ


def _set_of(x: Any, assume_unique: bool) -> tuple[Any, Any, Any]:
    """The elements in order, where they were, and which of them count."""
    flat = np.ravel(asarray(x))
    if assume_unique:
        return flat, np.arange(flat.size), np.ones(flat.size, bool)
    order = np.argsort(known_value(flat), kind="stable")
    ranked = take(flat, order)
    values = known_value(ranked)
    first = np.ones(min(1, flat.size), bool)
    return ranked, order, np.concatenate([first, np.not_equal(values[1:], values[:-1])])


def _of_set(elements: Any, counts: Any, size: int, fill: Any) -> tuple[Any, Any, Any]:
    """So many elements that count, where they are, and which there are; None fills as the first."""
    if not np.size(elements):
        return (
            np.full(size, fill or 0, dtype_of(elements)),
            np.zeros(size, _INDEX),
            np.zeros(size, bool),
        )
    places, is_there = _first_true(counts, size)
    found = take(elements, places)
    filling = found[:1] if fill is None else cast_to(asarray(fill), dtype_of(elements))
    return np.where(is_there, found, filling), places, is_there


def _setdiff1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int, fill_value: Any = None
) -> Any:
    elements, _, counts = _set_of(ar1, assume_unique)
    counts = np.logical_and(counts, np.isin(known_value(elements), asarray(ar2), invert=True))
    return _of_set(elements, counts, size, fill_value or 0)[0]


def _intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False, *, size: int,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    others = np.ravel(known_value(asarray(ar2)))
    elements, order, counts = _set_of(ar1, assume_unique=False)
    counts = np.logical_and(counts, np.isin(known_value(elements), others))
    elements = cast_to(elements, np.result_type(dtype_of(elements), dtype_of(others)))
    found, places, is_there = _of_set(elements, counts, size, fill_value)
    if not return_indices:
        return found
    equal = np.equal(np.expand_dims(known_value(found), 1), others)
    indices = (take(order, places), np.argmax(equal, axis=1))
    return found, *(
        np.where(is_there, index, length)
        for index, length in zip(indices, (np.size(elements), np.size(others)), strict=True)
    )


def _setxor1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int, fill_value: Any = None
) -> Any:
    parts: list[Any] = []
    for own, other in ((ar1, ar2), (ar2, ar1)):
        elements, _, counts = _set_of(own, assume_unique)
        alone = np.isin(known_value(elements), asarray(other), invert=True)
        parts.append((elements, np.logical_and(counts, alone)))
    elements, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(known_value(elements), kind="stable")
    return _of_set(take(elements, order), take(counts, order), size, fill_value)[0]


_SIZED: dict[str, Callable[..., Any]] = {
    "nonzero": _nonzero, "flatnonzero": _flatnonzero, "argwhere": _argwhere, "unique": _unique,
    "union1d": _union1d, "extract": _extract, "compress": _compress, "setdiff1d": _setdiff1d,
    "intersect1d": _intersect1d, "setxor1d": _setxor1d,
    "unique_values": partial(_unique, equal_nan=False),
    **{name: _unique_parts(name) for name in ("unique_all", "unique_counts", "unique_inverse")},
}  # fmt: skip

SIZED = (*_SIZED, "where", "bincount", "delete")
"""The names of the functions that take a size here."""


def taking_size(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `functrace.numpy` that takes the size of its result, too.

    Args:
        function: As it is without: of known values.
    """
    name = function.__name__
    if name == "where":
        return _where_of(function)
    if name == "bincount":
        return _bincount_of(function)
    if name == "delete":
        return _delete_of(function)

    @entrance
    @wraps(function)
    def call(*args: Any, size: Any = None, fill_value: Any = None, **kwargs: Any) -> Any:
        if size is None:
            return function(*args, **kwargs)
        return _SIZED[name](*args, size=operator.index(size), fill_value=fill_value, **kwargs)

    return call


def _where_of(function: Callable[..., Any]) -> Callable[..., Any]:
    @entrance
    @wraps(function)
    def where(
        condition: Any, x: Any = None, y: Any = None, *, size: Any = None, fill_value: Any = None
    ) -> Any:
        if (x is None) != (y is None):
            return function(condition, x if y is None else y)  # NumPy's error
        if x is not None:
            return function(condition, x, y)
        if size is None:
            return function(condition)
        return _nonzero(condition, size=operator.index(size), fill_value=fill_value)

    return where


def _bincount_of(function: Callable[..., Any]) -> Callable[..., Any]:
    @entrance
    @wraps(function)
    def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: Any = None) -> Any:
        if length is None:
            return function(x, weights, minlength)
        length = operator.index(length)
        numbers = known_value(asarray(x))
        if dtype_of(numbers).kind not in "biu":
            raise TypeError("what is counted must be whole numbers")
        if weights is None:
            values = np.ones(numbers.shape, _INDEX)
        else:
            values = cast_to(asarray(weights), np.dtype(np.float64))
        if numbers.ndim != 1 or values.shape != numbers.shape:
            raise ValueError("the numbers have one axis, and as many weights")
        is_whole = np.greater_equal(numbers, 0)
        numbers = require(cast_to(numbers, _INDEX), is_whole, "there are negative numbers")
        # What is too large goes to one more place, which is left out.
        return sums_by_number(np.minimum(numbers, length), values, length + 1)[:length]

    return bincount


def _delete_of(function: Callable[..., Any]) -> Callable[..., Any]:
    @entrance
    @wraps(function)
    def delete(
        arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False
    ) -> Any:
        if not assume_unique_indices or isinstance(obj, slice):
            return function(arr, obj, axis)
        places: Any = np.ravel(known_value(asarray(obj)))
        if not isinstance(places, Tracer) or dtype_of(places).kind not in "iu":
            return function(arr, obj, axis)
        # As no place is named twice, it is known how many elements stay.
        arr, axis = (np.ravel(asarray(arr)), 0) if axis is None else (asarray(arr), axis)
        length = arr.shape[axis]
        is_named = np.equal(np.expand_dims(np.arange(length), 1), places % max(length, 1))
        stays = np.logical_not(np.any(is_named, axis=1))
        return take(arr, _first_true(stays, length - places.size)[0], axis)

    return delete
