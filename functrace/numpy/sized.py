"""Functions of NumPy's whose results have a size that depends on values, with a size that is given.

Programs for JAX name it, ``np.nonzero(x, size=3)``, so that nothing need be known but types: what
is too much is left out, and what is missing is filled up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from functrace.numpy.histograms import sums_by_number
from functrace.numpy.making import asarray
from functrace.numpy.taking import take
from functrace.primitives.linear import cast_to, dtype_of, known_value
from functrace.primitives.requiring import require
from functrace.tracing.entrances import entrance

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


_SIZED: dict[str, Callable[..., Any]] = {
    "nonzero": _nonzero, "flatnonzero": _flatnonzero, "argwhere": _argwhere, "unique": _unique,
    "union1d": _union1d, "extract": _extract,
}  # fmt: skip

SIZED = (*_SIZED, "where", "bincount")
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
