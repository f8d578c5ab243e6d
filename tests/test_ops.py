"""Rows combined by segments, against loops, with numbers that are out of range and traced."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors, ops
from functrace.testing import check_grads

ROWS = np.cos(np.arange(15.0)).reshape(5, 3) + 2
NUMBERS = np.array([3, 0, 3, -1, 7])

FUNCTIONS = {
    ops.segment_sum: (np.sum, 0.0),
    ops.segment_prod: (np.prod, 1.0),
    ops.segment_max: (np.max, -np.inf),
    ops.segment_min: (np.min, np.inf),
}


def by_loop(combine, nothing, rows, numbers, count):
    found = np.full((count, *rows.shape[1:]), nothing, rows.dtype)
    for number in range(count):
        if (numbers == number).any():
            found[number] = combine(rows[numbers == number], axis=0)
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_segments(function):
    for rows in (ROWS, ROWS[:, 0], ROWS.astype(np.float32), ROWS[:, :0]):
        expected = by_loop(*FUNCTIONS[function], rows, NUMBERS, 4)
        for f in (function, ft.jit(function, static_argnums=2)):
            np.testing.assert_allclose(f(rows, NUMBERS, 4), expected, rtol=1e-6)
            assert f(rows, NUMBERS, 4).dtype == rows.dtype
    check_grads(lambda rows: function(rows, NUMBERS, 4)[np.array([0, 3])], (ROWS,), order=2)
    both = ft.vmap(lambda rows, numbers: function(rows, numbers, 4))(
        np.stack([ROWS, 2 * ROWS]), np.stack([NUMBERS, NUMBERS[::-1]])
    )
    np.testing.assert_allclose(both[0], function(ROWS, NUMBERS, 4))
    np.testing.assert_allclose(both[1], function(2 * ROWS, NUMBERS[::-1], 4))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_how_many_there_are(function):
    assert function(ROWS, np.array([0, 2, 2, 1, 0])).shape == (3, 3)
    assert function(ROWS[:0], NUMBERS[:0]).shape == (0, 3)
    clipped = function(ROWS, NUMBERS, 4, mode="clip")
    np.testing.assert_allclose(clipped, function(ROWS, np.clip(NUMBERS, 0, 3), 4))
    with pytest.raises(errors.UnknownValueError, match="num_segments"):
        ft.jit(function)(ROWS, NUMBERS)


def test_integers():
    rows = np.array([5, -3, 7], np.int8)
    numbers = np.array([1, 1, 1], np.uint8)
    assert ops.segment_max(rows, numbers, 2).tolist() == [-128, 7]
    assert ops.segment_min(rows, numbers, 2).tolist() == [127, -3]
    assert ops.segment_sum(rows, numbers, 2).dtype == np.int8
    assert ops.segment_max(rows > 0, numbers, 2).tolist() == [False, True]


def test_what_does_not_fit_is_refused():
    with pytest.raises(errors.ShapeMismatchError, match="one number for each row"):
        ops.segment_sum(ROWS, NUMBERS[:2])
    with pytest.raises(errors.ArgumentError, match="integers, not float64"):
        ops.segment_sum(ROWS, NUMBERS * 1.0)
    with pytest.raises(ValueError, match="mode='wrap'"):
        ops.segment_sum(ROWS, NUMBERS, 4, mode="wrap")
