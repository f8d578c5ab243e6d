"""Reductions of windows against loops, and with functions of the user's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads
from tests.lax.works import assert_works

X = np.sin(np.arange(1.0, 31.0)).reshape(5, 6)


def by_loops(x, first, combine, lengths, strides, dilations):
    counts = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape, lengths, strides, dilations, strict=True)
    ]
    result = np.empty(counts, x.dtype)
    for place in itertools.product(*map(range, counts)):
        window = tuple(
            slice(p * s, p * s + (k - 1) * d + 1, d)
            for p, s, k, d in zip(place, strides, lengths, dilations, strict=True)
        )
        total = first
        for element in x[window].ravel():
            total = combine(total, element)
        result[place] = total
    return result


@pytest.mark.parametrize(
    ("function", "first"),
    [
        (lax.add, 0.0),
        (lax.max, -np.inf),
        (lax.min, np.inf),
        (lax.mul, 1.0),
        (np.add, 0.0),
        (np.maximum, 0.25),  # which is above some windows
        (lambda a, b: np.hypot(a, b), 0.0),
    ],
)
def test_known_functions_and_others(function, first):
    for lengths, strides, dilations in (
        ((2, 3), (1, 2), (1, 1)),
        ((1, 1), (1, 1), (1, 1)),
        ((2, 1), (2, 2), (2, 1)),
    ):
        f = lambda x, options=(lengths, strides, dilations): lax.reduce_window(
            x, first, function, *options[:2], "VALID", window_dilation=options[2]
        )
        expected = by_loops(X, first, function, lengths, strides, dilations)
        assert_works(f, expected, X)


def test_what_stands_around_and_between_is_the_initial_value():
    f = lambda x: lax.reduce_window(
        x, 0.0, lax.add, (2, 2), (1, 2), [(1, 0), (0, 2)], base_dilation=(1, 2)
    )
    wide = np.zeros((6, 13))
    wide[1:, :11:2] = X
    assert_works(f, by_loops(wide, 0.0, lax.add, (2, 2), (1, 2), (1, 1)), X)
    same = lax.reduce_window(X, -np.inf, lax.max, (3, 3), (2, 2), "SAME")
    assert same.shape == (3, 3)


def test_integers_and_booleans_keep_their_dtype():
    x = np.array([100, 100, 3], np.int8)
    found = lax.reduce_window(x, 0, lax.add, (2,), (1,), "VALID")
    np.testing.assert_array_equal(found, np.array([-56, 103], np.int8), strict=True)
    lowest = np.iinfo(np.int8).min
    found = lax.reduce_window(x, lowest, lax.max, (2,), (1,), [(1, 0)])
    np.testing.assert_array_equal(found, np.array([100, 100, 100], np.int8), strict=True)
    flags = lax.reduce_window(x > 3, False, lax.max, (2,), (1,), "VALID")
    np.testing.assert_array_equal(flags, [True, True], strict=True)


def test_pooling_shares_among_equals_and_has_second_derivatives():
    x = np.array([[1.0, 1.0, 0.0, 2.0]])
    pool = lambda x: lax.reduce_window(x, -np.inf, lax.max, (1, 2), (1, 2), "VALID")
    gradient = ft.grad(lambda x: np.sum(pool(x) ** 2))
    np.testing.assert_array_equal(gradient(x), [[1.0, 1.0, 0.0, 4.0]])
    np.testing.assert_array_equal(ft.jit(gradient)(x), [[1.0, 1.0, 0.0, 4.0]])
    check_grads(lambda x: pool(x) ** 2, (X,), order=2)


@pytest.mark.parametrize("name", ["window_dimensions", "window_strides", "window_dilation"])
def test_each_axis_has_a_positive_number(name):
    options = {"window_dimensions": (1, 1), "window_strides": (1, 1), "padding": "VALID"}
    for wrong in ((1,), (1, 0)):
        with pytest.raises(errors.ArgumentError, match=name):
            lax.reduce_window(X, 0.0, lax.add, **{**options, name: wrong})
