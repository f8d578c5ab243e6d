"""Moments, averages, and reductions that leave out nan."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest

import functrace as ft
from functrace.errors import UnsupportedFunctionError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check


def test_complex_moments():
    z = np.array([[1 + 2j, 0.5j], [-1.0, 2 - 1j]])
    for f in (np.sum, np.mean, np.prod, np.var, np.std, np.linalg.norm):
        assert_like_numpy(f, z)
        check_grads(f, (z,))


def test_average():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    for weights, axis in (([1, 2, 3], 1), ([0.5, 1.5], 0), (x**2, None), (x.T**2, (1, 0))):
        weights = np.asarray(weights)
        assert_like_numpy(lambda x, w, axis=axis: np.average(x, axis=axis, weights=w), x, weights)
    check_grads(lambda x, w: np.average(x, axis=1, weights=w), (x, np.array([1.0, 2.0, 3.0])))
    mean, total = np.average(x, axis=0, weights=[1.0, 3.0], returned=True)
    pair = ft.vjp(lambda x: np.average(x, axis=0, weights=[1.0, 3.0], returned=True), x)[0]
    np.testing.assert_array_equal(pair, (mean, total))
    with pytest.raises(ZeroDivisionError):
        ft.grad(lambda x: np.average(x, weights=[0.0, 0.0]))(np.ones(2))


def test_moments_with_their_other_keywords():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    assert_like_numpy(lambda x: np.var(x, axis=1, ddof=1), x)
    assert_like_numpy(lambda x: np.std(x, correction=1), x)
    mean = np.mean(x, axis=0, keepdims=True)
    assert_like_numpy(lambda x: np.var(x, axis=0, mean=mean), x)
    with pytest.raises(ValueError, match="simultaneously"):
        ft.grad(lambda x: np.var(x, ddof=1, correction=1))(x)


@pytest.mark.parametrize("f", [np.var, np.std])
@pytest.mark.parametrize("own", "efdFDi?")
@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_moments_in_a_dtype(f, own, shape):
    draw = np.random.default_rng(0).normal
    x = np.asarray(draw(size=shape) * 3 + 1j * draw(size=shape))
    x = (x if own in "FD" else x.real).astype(own)[()]
    for dtype in (None, *"efdFD"):
        for options in ({}, {"ddof": 1}, {"axis": -1, "keepdims": True}):
            moment = partial(f, dtype=dtype, **options)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what is lost
                try:
                    expected = moment(x)
                except np.exceptions.AxisError:
                    continue
                found = ft.jit(moment)(x)
            assert type(found) is type(expected)
            assert found.dtype == expected.dtype
            eps = max(
                np.finfo(t).eps for t in (found.dtype, np.result_type(own, "e"), dtype or "d")
            )
            np.testing.assert_allclose(found, expected, rtol=30 * eps, atol=30 * eps)


def test_the_derivative_of_a_moment_in_a_dtype():
    z = np.array([1 + 2j, 0.5j, -1.0])
    x = np.array([1.0, -2.0, 3.0])
    check_grads(lambda x: np.var(x, dtype=complex).real, (x,))
    check_grads(lambda x: np.std(x, dtype=complex).real, (x,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_grads(lambda z: np.var(z, dtype=float), (z,))


def test_numbers_among_nan():
    x = np.array([[1.0, np.nan, 3.0], [0.5, 4.0, np.nan], [2.0, 1.0, 0.25]])
    for f in (np.nansum, np.nanmean, np.nanprod, np.nanmax, np.nanmin, np.nanvar, np.nanstd):
        for axis in (None, 0, 1):
            assert_like_numpy(lambda x, f=f, axis=axis: f(x, axis=axis), x)
            gradient = ft.grad(lambda x, f=f, axis=axis: np.sum(f(x, axis=axis)))(x)
            assert np.all(np.isfinite(gradient)), f
            np.testing.assert_array_equal(gradient[np.isnan(x)], 0)


def test_a_masked_maximum_lets_no_nan_through():
    x = np.array([1.0, 2.0])
    with np.errstate(divide="ignore"):
        gradient = ft.grad(lambda x: np.where(x[0] > 5, np.log(np.max(x) - 2.0), 0.0))(x)
    np.testing.assert_array_equal(gradient, [0, 0])


def test_covariances_and_correlations():
    x = np.array([[1.0, -2.0, 3.0, 0.5], [0.5, 4.0, -1.0, 2.0], [0.3, 0.1, 2.0, -1.0]])
    for options in ({}, {"rowvar": False}, {"bias": True}, {"ddof": 2}, {"dtype": np.float32}):
        assert_like_numpy(lambda x, options=options: np.cov(x, **options), x)
    check(lambda x, y: np.cov(x, y), x, x[0] ** 2)
    check(np.corrcoef, x)
    check(lambda x: np.corrcoef(x[0], x[1])[0, 1], x)
    for y in (x[0], x.astype(np.float32), x + 1j * x[::-1], np.array([[1, 2], [3, 5]])):
        assert_like_numpy(np.cov, y)
        assert_like_numpy(np.corrcoef, y)
    with pytest.raises(UnsupportedFunctionError, match="aweights"):
        ft.vjp(lambda x: np.cov(x, aweights=np.ones(4)), x)


def test_moments_of_nothing_warn_no_more_than_numpys_divisions():
    for f in (np.nanmean, np.nanvar, np.nanstd):
        assert np.isnan(ft.jit(f)(np.array([np.nan, np.nan])))
    with pytest.raises(TypeError, match="inexact"):
        ft.jit(lambda x: np.nanmean(x, dtype=int))(np.ones(2))


HALVES = np.array([1.0, 2.0, 4.0], np.float16)


@pytest.mark.parametrize("mean", [2.3, np.float16(2.3), np.float32(2.3), np.array([2.3])])
@pytest.mark.parametrize("f", [np.var, np.std, np.nanvar, np.nanstd])
@pytest.mark.parametrize("own", ["e", "f", "d"])
def test_moments_about_a_given_mean_have_numpys_dtype(f, mean, own):
    x = HALVES.astype(own)
    expected = f(x, mean=mean)
    for found in (ft.vjp(lambda x: f(x, mean=mean), x)[0], ft.jit(lambda x: f(x, mean=mean))(x)):
        assert (type(found), found.dtype) == (type(expected), expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("f", [np.nanmean, np.nanvar, np.nanstd])
def test_moments_among_nan_are_no_whole_numbers(f):
    for way in (lambda x: f(x, dtype=int), ft.jit(lambda x: f(x, dtype=int))):
        with pytest.raises(TypeError, match="dtype must be inexact"):
            ft.grad(way)(np.ones(3))
