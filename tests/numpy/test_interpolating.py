"""Straight lines between points, and polynomials."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from tests.agreement import assert_like_numpy, check

XP, FP = np.array([0.0, 0.5, 2.0, 3.0]), np.array([1.0, -1.0, 0.5, 4.0])
X = np.array([[-0.3, 0.2], [0.9, 2.4], [2.9, 3.3]])


def test_interpolation():
    check(np.interp, X, XP, FP)
    check(lambda x, fp: np.interp(x, XP, fp, left=-7.0, right=7.0), X, FP)
    check(lambda x, fp: np.interp(x, XP[::-1], fp, period=4.0), X, FP)
    assert_like_numpy(lambda x: np.interp(x, XP, FP), XP)
    assert_like_numpy(lambda x: np.interp(x, XP, FP + 1j), X)
    assert_like_numpy(lambda x: np.interp(x, [1.0], [2.0]), X)
    assert_like_numpy(lambda x: np.interp(x, XP, FP), np.array([np.nan, 1.0]))
    assert_like_numpy(lambda x: np.interp(x, XP, FP), np.float32(0.7))
    np.testing.assert_allclose(ft.vmap(lambda x: np.interp(x, XP, FP))(X), np.interp(X, XP, FP))


def test_the_period_may_be_traced():
    f = lambda x, period: fnp.interp(x, XP[::-1], FP, period=period)
    check(f, X, 4.0)
    np.testing.assert_allclose(ft.jit(f)(X, -3.5), np.interp(X, XP[::-1], FP, period=-3.5))
    for run in (f, ft.grad(lambda x, period: np.sum(f(x, period)), 1)):
        with pytest.raises(ValueError, match="period must be a non-zero value"):
            run(X, 0.0)


@pytest.mark.parametrize(
    "values", [[0, np.inf, 1], [np.inf, np.inf, 1], [0, np.nan, 2], [-np.inf, np.inf, 0]]
)
def test_interpolation_between_values_that_are_not_finite(values):
    x = np.array([-1, 0, 0.5, 1, 1.5, 2, 3, np.nan])
    f = lambda x, fp: np.interp(x, [0.0, 1.0, 2.0], fp)
    with np.errstate(invalid="ignore"):
        expected, fp = f(x, values), np.array(values)
        for found in (f(x, fp), ft.jit(f)(x, fp), ft.vjp(f, x, fp)[0]):
            np.testing.assert_array_equal(found, expected)


def test_interpolation_where_points_are_equal():
    xp, fp = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 5.0])
    gradient = ft.grad(lambda fp: np.sum(np.interp(np.array([0.5, 1.0]), xp, fp)))(fp)
    assert np.all(np.isfinite(gradient))


def test_interpolation_of_points_that_do_not_fit():
    with pytest.raises(ValueError, match="same length"):
        ft.grad(lambda x: np.interp(x, XP, FP[1:]))(0.5)


def test_polynomials():
    check(np.polyval, FP, X)
    check(lambda x: np.polyval([1, 2, 3], x), 0.7)
    check(lambda x: np.poly1d([1.0, 2.0])(x), X)


def test_interp_refuses_complex_points_and_takes_infinite_ones():
    with pytest.raises(TypeError):
        ft.jit(lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]))(np.ones(2, complex))
    with pytest.raises(TypeError, match="real number, not complex"):
        ft.jit(lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0], left=1j))(np.ones(2))
    with pytest.raises(TypeError, match="Cannot cast"):
        ft.jit(lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]))(np.ones(2, np.longdouble))
    x = np.array([-np.inf, 0.5, np.inf, np.nan])
    got = ft.jit(lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]))(x)
    np.testing.assert_array_equal(got, [1, 1.5, 2, np.nan])
