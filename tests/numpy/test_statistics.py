"""Moments, averages, and reductions that leave out nan."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest

import functrace as ft
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


@pytest.mark.thinned
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


X = np.random.default_rng(3).uniform(-1, 2, (3, 4))
REPEATS, WEIGHTS = np.array([1, 2, 1, 3]), np.array([0.5, 1.5, 1.0, 2.0])


@pytest.mark.parametrize(
    "options",
    [
        {"fweights": REPEATS}, {"aweights": WEIGHTS}, {"fweights": REPEATS, "aweights": WEIGHTS},
        {"fweights": REPEATS, "ddof": 0}, {"aweights": WEIGHTS, "ddof": 2},
        {"fweights": REPEATS, "aweights": WEIGHTS, "bias": True}, {"bias": True}, {"ddof": 2},
        {"aweights": WEIGHTS, "y": X[0] ** 2}, {"aweights": WEIGHTS, "dtype": np.float32},
    ],
    ids=str,
)  # fmt: skip
def test_covariances_with_weights(options):
    rtol = 1e-5 if "dtype" in options else 1e-12
    for x in (X,) if "dtype" in options else (X, X + 1j * X[::-1]):
        assert_like_numpy(lambda x: np.cov(x, **options), x, rtol=rtol)
    if "y" not in options:
        assert_like_numpy(lambda x: np.cov(x.T, rowvar=False, **options), X, rtol=rtol)
    if "dtype" not in options:
        check_grads(lambda x: np.cov(x, **options), (X,), order=2)


def test_derivatives_of_covariances_by_weights():
    for options in ({}, {"ddof": 0}, {"ddof": 2}, {"fweights": REPEATS}):
        check_grads(lambda x, w, o=options: np.cov(x, aweights=w, **o), (X, WEIGHTS), order=2)
    mapped = ft.vmap(lambda w: np.cov(X, aweights=w))(np.stack([WEIGHTS, WEIGHTS[::-1]]))
    np.testing.assert_allclose(mapped[1], np.cov(X, aweights=WEIGHTS[::-1]))


@pytest.mark.parametrize("transform", [ft.jit, lambda f: lambda *args: ft.vjp(f, *args)[0]])
def test_weights_that_are_refused(transform):
    for name, weights, error, match in (
        ("fweights", WEIGHTS, TypeError, "integer"),
        ("fweights", -REPEATS * 1.0, ValueError, "negative"),
        ("aweights", -WEIGHTS, ValueError, "negative"),
        ("aweights", WEIGHTS[1:], RuntimeError, "incompatible"),
        ("aweights", X, RuntimeError, "multidimensional"),
        ("aweights", WEIGHTS * 0, ZeroDivisionError, "sum to zero"),
    ):
        with pytest.raises(error, match=match):
            transform(lambda w, name=name: np.cov(X, **{name: w}))(weights)
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        transform(lambda w: np.average(X, 1, w))(WEIGHTS * 0)
    with pytest.raises(ValueError, match="ddof must be integer"):
        transform(lambda x: np.cov(x, ddof=1.5))(X)


@pytest.mark.parametrize("y", [2.0, [1.0, 2.0, 3.0, 4.0]])
def test_of_no_variables_there_is_no_covariance_with_others(y):
    nothing = np.zeros((0, 4))
    f = lambda x: np.cov(x, y)
    assert ft.jit(f)(nothing).shape == ft.vjp(f, nothing)[0].shape == f(nothing).shape == (0, 0)


def test_correlations_are_at_most_one():
    x = np.array([0.1, 0.7, 0.3, 0.25])
    rows = lambda x: np.corrcoef(np.stack([x, 3 * x, x * 0.1 - 7, -x]))
    for got in (ft.jit(rows)(x), ft.vjp(rows, x)[0], ft.jit(rows)(x + 0.5j * x**2)):
        assert np.all(np.abs(np.real(got)) <= 1)
    np.testing.assert_allclose(ft.jacfwd(rows)(x), 0, atol=1e-12)
    pair = lambda x, y: np.corrcoef(x, y)[0, 1]
    check_grads(pair, (X[0], X[1]), order=2)
    check_grads(pair, (x, 3 * x), order=2)


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


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("function", [np.nanvar, np.nanstd])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_variances_in_a_dtype(function, dtype):
    x = np.random.default_rng(0).normal(size=(3, 4))
    for a in (x, x + 1j * x[::-1]):
        for axis in (None, 0):
            assert_like_numpy(lambda x, axis=axis: function(x, axis, dtype), a)


def test_a_deviation_is_no_whole_number():
    x = np.arange(6).reshape(2, 3)
    with pytest.raises(TypeError, match="Cannot cast"):
        ft.jit(lambda x: np.nanstd(x, 0, np.int64))(x)
    assert_like_numpy(lambda x: np.nanvar(x, 0, np.int64), x)
