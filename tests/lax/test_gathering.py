"""Slices read and written at many places, against loops, and against JAX where it is installed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads

X = np.cos(np.arange(60.0)).reshape(3, 4, 5)

CALLS = {
    # name: (shape of places, places' axes, numbers, slice sizes)
    "rows": (
        np.array([[2], [0], [5], [-1]]),
        lax.GatherDimensionNumbers((1, 2), (0,), (0,)),
        (1, 4, 5),
    ),
    "boxes": (
        np.array([[[0, 1], [2, 3]], [[1, 2], [-1, 0]]]),
        lax.GatherDimensionNumbers((0, 3), (1,), (0, 2)),
        (2, 1, 3),
    ),
    "elements": (
        np.array([[0, 1, 2], [2, 3, 4], [2, 4, 4]]),
        lax.GatherDimensionNumbers((), (0, 1, 2), (0, 1, 2)),
        (1, 1, 1),
    ),
    "one place": (np.array([1]), lax.GatherDimensionNumbers((0, 1, 2), (), (2,)), (3, 2, 2)),
    "batches": (
        np.array([[[3], [0]], [[1], [1]], [[4], [2]]]),
        lax.GatherDimensionNumbers((2,), (1,), (1,), (0,), (0,)),
        (1, 1, 5),
    ),
    "order": (
        np.array([[3, 1], [0, 2]]),
        lax.GatherDimensionNumbers((1, 2), (0,), (1, 0)),
        (1, 2, 5),
    ),
}


def starts(shape, places, numbers, sizes):
    """For each place the start of its slice, as it was given."""
    for place in itertools.product(*map(range, places.shape[:-1])):
        start = np.zeros(len(shape), int)
        for axis, value in zip(numbers[2], places[place], strict=True):
            start[axis] = value
        for axis, along in zip(numbers[3], numbers[4], strict=True):
            start[axis] = place[along]
        yield place, start


def by_loops(x, places, numbers, sizes, mode, fill=np.nan):
    slices = np.empty((*places.shape[:-1], *sizes), x.dtype)
    last = np.array(x.shape) - sizes
    for place, start in starts(x.shape, places, numbers, sizes):
        nearest = np.clip(start, 0, last)
        index = tuple(slice(i, i + n) for i, n in zip(nearest, sizes, strict=True))
        is_inside = (nearest == start).all()
        slices[place] = x[index] if is_inside or mode == "clip" else fill
    rank = places.ndim - 1
    gone = tuple(rank + axis for axis in (*numbers[1], *numbers[3]))
    slices = slices.reshape([n for axis, n in enumerate(slices.shape) if axis not in gone])
    return np.moveaxis(slices, range(rank, slices.ndim), numbers[0])


@pytest.mark.parametrize("mode", ["clip", "fill"])
@pytest.mark.parametrize("name", CALLS)
def test_reading(name, mode):
    places, numbers, sizes = CALLS[name]
    expected = by_loops(X, places, numbers, sizes, mode)

    def f(x, places):
        return lax.gather(x, places, numbers, sizes, mode=mode)

    np.testing.assert_array_equal(f(X, places), expected)
    np.testing.assert_array_equal(ft.jit(f)(X, places), expected)
    both = ft.vmap(f)(np.stack([X, 2 * X]), np.stack([places, places]))
    np.testing.assert_array_equal(both, np.stack([expected, 2 * expected]))
    check_grads(lambda x: np.where(np.isnan(expected), 0.0, f(x, places)), (X,))


def test_what_is_read_out_of_range():
    numbers = lax.GatherDimensionNumbers((), (0,), (0,))
    places = np.array([[1], [7]])
    for x, nothing in (
        (np.array([1, 2], np.int8), -128),
        (np.array([1, 2], np.uint8), 255),
        (np.array([True, False]), True),
    ):
        assert lax.gather(x, places, numbers, (1,)).tolist() == [x[1], nothing]
    found = lax.gather(np.array([1.0, 2.0]), places, numbers, (1,), fill_value=9)
    np.testing.assert_array_equal(found, [2.0, 9.0])
    mode = lax.GatherScatterMode.CLIP
    assert lax.gather(np.array([1, 2]), places, numbers, (1,), mode=mode).tolist() == [2, 2]


SCATTERS = {
    lax.scatter: lambda old, new: new,
    lax.scatter_add: lambda old, new: old + new,
    lax.scatter_sub: lambda old, new: old - new,
    lax.scatter_mul: lambda old, new: old * new,
    lax.scatter_min: np.minimum,
    lax.scatter_max: np.maximum,
}


@pytest.mark.thinned
@pytest.mark.parametrize("function", SCATTERS)
@pytest.mark.parametrize("name", CALLS)
def test_writing(name, function):
    places, numbers, sizes = CALLS[name]
    scatter_numbers = lax.ScatterDimensionNumbers(*numbers)
    shape = by_loops(X, places, numbers, sizes, "clip").shape
    updates = np.sin(np.arange(np.prod(shape)) + 0.5).reshape(shape)
    rank = places.ndim - 1
    slices = np.moveaxis(updates, numbers[0], range(rank, updates.ndim))
    slices = slices.reshape(*places.shape[:-1], *sizes)
    for mode in ("clip", "drop"):
        expected = X.copy()
        last = np.array(X.shape) - sizes
        for place, start in starts(X.shape, places, numbers, sizes):
            nearest = np.clip(start, 0, last)
            if mode == "drop" and (nearest != start).any():
                continue
            index = tuple(slice(i, i + n) for i, n in zip(nearest, sizes, strict=True))
            expected[index] = SCATTERS[function](expected[index], slices[place])

        def f(x, places, updates, mode=mode):
            return function(x, places, updates, scatter_numbers, mode=mode)

        np.testing.assert_allclose(f(X, places, updates), expected, rtol=1e-13)
        np.testing.assert_allclose(ft.jit(f)(X, places, updates), expected, rtol=1e-13)
    check_grads(lambda x, updates: f(x, places, updates), (X, updates))


def test_applying():
    numbers = lax.ScatterDimensionNumbers((1,), (0, 1), (0, 1))
    places = np.array([[0, 1], [2, 3]])
    found = lax.scatter_apply(X, places, lambda x: x * 10, numbers, update_shape=(2, 5))
    expected = X.copy()
    expected[[0, 2], [1, 3]] *= 10
    np.testing.assert_array_equal(found, expected)


def test_what_does_not_fit_is_refused():
    places = np.array([[0], [1]])
    for numbers, sizes in (
        (lax.GatherDimensionNumbers((1, 2), (0,), (0, 1)), (1, 4, 5)),
        (lax.GatherDimensionNumbers((1, 2), (0,), (0,)), (1, 4, 6)),
        (lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4, 5)),
        (lax.GatherDimensionNumbers((1, 2), (0,), (0,)), (2, 4, 5)),
    ):
        with pytest.raises(errors.ShapeMismatchError):
            lax.gather(X, places, numbers, sizes)
    with pytest.raises(ValueError, match="mode='near'"):
        lax.gather(
            X, places, lax.GatherDimensionNumbers((1, 2), (0,), (0,)), (1, 4, 5), mode="near"
        )
    numbers = lax.ScatterDimensionNumbers((1, 2), (0,), (0,))
    for updates in (np.ones((3, 4, 5)), np.ones((2, 4, 6))):
        with pytest.raises(errors.ShapeMismatchError):
            lax.scatter(X, places, updates, numbers)
    with pytest.raises(errors.ShapeMismatchError, match="update_window_dims"):
        lax.scatter(X, places, np.ones((2, 4)), lax.ScatterDimensionNumbers((1,), (0,), (0,)))


@pytest.mark.parametrize("name", CALLS)
def test_it_is_as_in_jax(name):
    jax = pytest.importorskip("jax")
    places, numbers, sizes = CALLS[name]
    x = X.astype(np.float32)
    theirs = jax.lax.GatherDimensionNumbers(*numbers)
    for mode in ("clip", "fill"):
        expected = jax.lax.gather(x, places, theirs, sizes, mode=mode)
        np.testing.assert_array_equal(lax.gather(x, places, numbers, sizes, mode=mode), expected)
