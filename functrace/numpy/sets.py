"""Arrays as sets: their different elements, and what two of them have in common.

How many elements such a set has depends on values, so these must be known. Derivatives go to the
elements that were chosen, of equal ones to the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.primitives.linear import (
    as_array,
    cast_to,
    dtype_of,
    known_choice,
    known_value,
    shape_of,
)
from functrace.tracing.implementing import implements, implements_named
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import DIFFERENT
from functrace.tracing.tracer import Tracer


def _known(x: Any, function: str) -> Any:
    """The values of an array that is taken as a set."""
    return np.asarray(known_choice(as_operand(x), f"The input of {function}", DIFFERENT))


def _taken(x: Any, places: Any, axis: int | None = None) -> Any:
    return np.take(as_operand(x), places, axis)


def _first_places(values: Any, **options: Any) -> Any:
    """Where each of the different elements is first, in order."""
    return np.unique(values, return_index=True, **options)[1]


def _places(values: Any, chosen: Any, **options: Any) -> Any:
    """Where what NumPy has chosen as the different elements, in whatever order, is first."""
    places = np.empty(len(chosen), np.intp)
    places[np.argsort(chosen, kind="stable")] = _first_places(values, **options)
    return places


# One array


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    """As `numpy.unique`, of known values."""
    values = _known(ar, "unique")
    found = np.unique(values, True, return_inverse, return_counts, axis, **options)
    places = found[1]
    is_alone = not (return_index or return_inverse or return_counts)
    if is_alone and (axis is None or values.ndim == 1) and not options.get("sorted", True):
        options = {name: value for name, value in options.items() if name != "sorted"}
        places = _places(values, np.unique(values, sorted=False, **options), **options)
    elements = _taken(ar, places, axis)
    rest = found[1:] if return_index else found[2:]
    return (elements, *rest) if rest else elements


@implements_named("unique_all")
def unique_all(x: Any, /) -> Any:
    """As `numpy.unique_all`, of known values."""
    found = np.unique_all(_known(x, "unique_all"))
    return found._replace(values=_taken(x, found.indices))


@implements_named("unique_counts")
def unique_counts(x: Any, /) -> Any:
    """As `numpy.unique_counts`, of known values."""
    values = _known(x, "unique_counts")
    return np.unique_counts(values)._replace(
        values=_taken(x, _first_places(values, equal_nan=False))
    )


@implements_named("unique_inverse")
def unique_inverse(x: Any, /) -> Any:
    """As `numpy.unique_inverse`, of known values."""
    values = _known(x, "unique_inverse")
    return np.unique_inverse(values)._replace(
        values=_taken(x, _first_places(values, equal_nan=False))
    )


@implements_named("unique_values")
def unique_values(x: Any, /) -> Any:
    """As `numpy.unique_values`, of known values."""
    values = _known(x, "unique_values")
    return _taken(x, _places(values, np.unique_values(values), equal_nan=False))


# Two arrays


def _joined(ar1: Any, ar2: Any) -> Any:
    """The elements of both, along one axis and in one dtype."""
    return np.concatenate([np.ravel(as_operand(ar1)), np.ravel(as_operand(ar2))])


def _both_known(ar1: Any, ar2: Any, function: str) -> tuple[Any, Any]:
    return _known(ar1, function).ravel(), _known(ar2, function).ravel()


def _elements(values: Any, assume_unique: bool) -> Any:
    """Where the elements of a set are."""
    return np.arange(values.size) if assume_unique else _first_places(values)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """As `numpy.union1d`, of known values."""
    _both_known(ar1, ar2, "union1d")
    return unique(np.concatenate((ar1, ar2), axis=None))  # where Python's numbers stay weak


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """As `numpy.intersect1d`, of known values: those of the first array have the derivative."""
    first, second = _both_known(ar1, ar2, "intersect1d")
    _, places, others = np.intersect1d(first, second, assume_unique, return_indices=True)
    dtype = np.result_type(first, second)
    elements = _taken(ar1, places)
    elements = elements if dtype_of(elements) == dtype else cast_to(elements, dtype)
    return (elements, places, others) if return_indices else elements


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """As `numpy.setdiff1d`, of known values."""
    first, second = _both_known(ar1, ar2, "setdiff1d")
    places = _elements(first, assume_unique)
    return _taken(ar1, places[np.isin(first[places], second, invert=True)])


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """As `numpy.setxor1d`, of known values."""
    first, second = _both_known(ar1, ar2, "setxor1d")
    places = np.concatenate([
        _elements(first, assume_unique), first.size + _elements(second, assume_unique)
    ])  # fmt: skip
    values = np.concatenate([first, second])[places]
    order = np.argsort(values, kind="stable")
    differs = np.concatenate([[True], values[order][1:] != values[order][:-1], [True]])
    is_alone = np.logical_and(differs[1:], differs[:-1])
    return _taken(_joined(ar1, ar2), places[order[is_alone]] if values.size else places)


_FEW = 16


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.isin`, of unknown values too."""
    tested, tests = known_value(as_operand(element)), known_value(as_operand(test_elements))
    if not (isinstance(tested, Tracer) or isinstance(tests, Tracer)):
        return np.isin(tested, tests, assume_unique, invert, kind=kind)
    # For NumPy's errors.
    np.isin(np.empty(0, dtype_of(tested)), np.empty(0, dtype_of(tests)), kind=kind)
    tests = np.ravel(tests)
    if shape_of(tests)[0] <= _FEW:
        found = np.any(np.equal(np.expand_dims(tested, -1), tests), axis=-1)
    else:
        ranked = np.sort(tests)
        left, right = (np.searchsorted(ranked, tested, side) for side in ("left", "right"))
        found = np.logical_and(left < right, np.equal(tested, tested))  # nan is in no set
    found = np.logical_not(found) if invert else found
    return found if shape_of(found) else as_array(found)


@implements_named("in1d")
def in1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """As `numpy.in1d`, of unknown values too."""
    return isin(np.ravel(as_operand(ar1)), ar2, assume_unique, invert, kind=kind)
