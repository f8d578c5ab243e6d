"""Medians, quantiles and percentiles."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check

X = np.array([[0.3, -1.2, 2.0, 0.7], [1.1, 0.2, -0.6, 3.0], [0.9, -2.0, 0.4, 1.7]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_medians_and_quantiles_along_axes(axis, keepdims):
    check(lambda x: np.median(x, axis=axis, keepdims=keepdims), X)
    check(lambda x: np.quantile(x, 0.3, axis=axis, keepdims=keepdims), X)
    check(lambda x: np.percentile(x, [10, 90.0], axis=axis, keepdims=keepdims), X)


METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher",
    "midpoint", "nearest",
]  # fmt: skip
NAN = X.copy()
NAN[0, 1] = NAN[2, 0] = NAN[2, 2] = np.nan


@pytest.mark.thinned
@pytest.mark.parametrize("method", METHODS)
def test_methods_of_quantiles(method):
    for q in (0.0, 0.25, 0.61, 1, np.array([[0.1, 0.5], [0.9, 0.77]]), np.float32(0.3)):
        for x in (X, X.astype("f4"), np.array([[3, 1, 2, 2, 9]]), NAN):
            assert_like_numpy(lambda x, q=q: np.quantile(x, q, axis=1, method=method), x)
            assert_like_numpy(lambda x, q=q: np.quantile(x, q, method=method), x)
            assert_like_numpy(lambda x, q=q: np.nanquantile(x, q, axis=1, method=method), x)
            assert_like_numpy(lambda x, q=q: np.nanquantile(x, q, method=method), x)
    check_grads(lambda x: np.quantile(x, [0.13, 0.77], 1, method=method), (X,), order=2)
    check_grads(lambda x: np.nanpercentile(x, 33, method=method), (NAN,), order=1, modes=("rev",))
    batch = np.stack([NAN, NAN[::-1]])
    mapped = ft.vmap(lambda x: np.nanquantile(x, 0.3, axis=0, method=method))(batch)
    for got, x in zip(mapped, batch, strict=True):
        np.testing.assert_allclose(got, np.nanquantile(x, 0.3, axis=0, method=method))


@pytest.mark.thinned
@pytest.mark.parametrize("axis", [None, 0, 1, (1, 0)])
@pytest.mark.parametrize("q", [0.2, [0.0, 0.55, 1.0]])
def test_weights(axis, q):
    options = {"axis": axis, "method": "inverted_cdf"}
    weights = np.array([[0.5, 1.0, 0.0, 2.0], [0.25, 3.0, 1.0, 0.5], [0.3, 0.0, 2.0, 1.0]])
    for f in (np.quantile, np.nanquantile):
        for x in (X, NAN, X.astype("f4")):
            if f is np.quantile and x is NAN and axis in (None, (1, 0)):
                continue  # of nan NumPy makes a scalar there, of numbers an array
            assert_like_numpy(lambda x, w, f=f: f(x, q, weights=w, **options), x, weights)
            assert_like_numpy(lambda x, f=f: f(x, q, weights=weights, **options), x)
    check_grads(lambda x: np.quantile(x, q, weights=weights, **options), (X,), order=2)
    of_weights = ft.grad(lambda w: np.sum(np.quantile(X, q, weights=w, **options)))(weights)
    np.testing.assert_array_equal(of_weights, np.zeros_like(X))


def test_weights_of_some_axes():
    for axis in (1, (1,)):
        f = lambda x, w: np.quantile(x, 0.4, axis, weights=w, method="inverted_cdf", keepdims=True)
        assert_like_numpy(f, X, np.array([0.5, 1.0, 0.3, 2.0]))


def test_samples_of_nan_alone():
    x = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, 2.5]])
    for f in (lambda x: np.nanmedian(x, axis=0), lambda x: np.nanquantile(x, [0.2, 0.4], axis=0)):
        with pytest.warns(RuntimeWarning):
            expected = f(x)
        np.testing.assert_array_equal(ft.jit(f)(x), expected)
        with pytest.warns(RuntimeWarning, match="All-NaN"):
            gradient = ft.grad(lambda x, f=f: np.nansum(f(x)))(x)
        np.testing.assert_array_equal(gradient[:, 1], 0)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_medians_without_nan(axis, keepdims):
    for x in (X, NAN, X.astype("f4"), np.array([[3, 1, 2, 2]]), np.full((2, 2), np.inf)):
        assert_like_numpy(lambda x: np.nanmedian(x, axis=axis, keepdims=keepdims), x)
    check_grads(lambda x: np.nanmedian(x, axis=axis), (NAN,), order=1, modes=("rev",))


def test_the_quantile_itself_may_be_traced():
    check_grads(lambda q: np.quantile(X, q, axis=0), (np.array([0.1, 0.8]),), order=1)
    mapped = ft.vmap(lambda row, q: np.quantile(row, q))(X, np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(mapped, [np.quantile(X[i], 0.1 + 0.4 * i) for i in range(3)])


def test_whole_numbers_and_nan():
    assert_like_numpy(np.median, np.array([1, 2, 5, 3]))
    assert_like_numpy(lambda x: np.quantile(x, 0.3), np.array([1, 2, 5, 3]))
    with_nan = np.array([[1.0, np.nan, 2.0], [3.0, 1.0, 2.0]])
    assert_like_numpy(lambda x: np.median(x, axis=1), with_nan)
    assert_like_numpy(lambda x: np.percentile(x, 40, axis=1), with_nan)


def test_what_is_refused():
    with pytest.raises(ValueError, match="range"):
        ft.grad(lambda x: np.quantile(x, 1.5))(X[0])
    with pytest.raises(ValueError, match="not a valid method"):
        ft.grad(lambda x: np.quantile(x, 0.5, method="gumbel"))(X[0])
    with pytest.raises(ValueError, match="supports weights"):
        ft.grad(lambda x: np.quantile(x, 0.5, weights=X[0]))(X[0])
    with pytest.raises(IndexError):
        ft.jit(lambda x: np.quantile(x, 0.5))(X[0, :0])


@pytest.mark.parametrize("transform", [ft.jit, ft.vmap])
def test_values_that_are_refused_when_they_are_known(transform):
    q = np.array([0.3, 1.2])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        transform(lambda q: np.quantile(X[0], q))(q)
    with pytest.raises(ValueError, match=r"\[0, 100\]"):
        transform(lambda q: np.nanpercentile(X[0], q))(100 * q)
    quantile = lambda w: np.quantile(X[0], 0.5, weights=w, method="inverted_cdf")
    for weights, match in ((np.full((2, 4), -1.0), "non-negative"), (np.zeros((2, 4)), "all zero")):
        with pytest.raises(ValueError, match=match):
            transform(quantile)(weights if transform is ft.vmap else weights[0])


def test_quantiles_of_complex_numbers_are_refused():
    for f in (lambda z: np.quantile(z, 0.5), lambda z: np.percentile(z, 50)):
        with pytest.raises(TypeError, match="real"):
            ft.jit(f)(np.ones(2, complex))


@pytest.mark.parametrize("method", ["lower", "linear"])
@pytest.mark.parametrize("function", [np.quantile, np.nanquantile])
@pytest.mark.parametrize("first", [0.5, np.nan])
def test_quantiles_have_numpys_byte_order(function, method, first):
    x = np.array([[first, 2.0, 1.0], [3.0, 5.0, 4.0]])
    f = lambda x: function(x.astype(">f8"), 0.3, axis=1, method=method)
    for got in (ft.jit(f)(x), ft.vmap(f)(x[None])[0], ft.jvp(f, (x,), (x,))[0]):
        np.testing.assert_allclose(got, f(x))
        assert got.dtype == f(x).dtype
