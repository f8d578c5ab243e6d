"""Medians, quantiles and percentiles."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import UnsupportedFunctionError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check

X = np.array([[0.3, -1.2, 2.0, 0.7], [1.1, 0.2, -0.6, 3.0], [0.9, -2.0, 0.4, 1.7]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_medians_and_quantiles_along_axes(axis, keepdims):
    check(lambda x: np.median(x, axis=axis, keepdims=keepdims), X)
    check(lambda x: np.quantile(x, 0.3, axis=axis, keepdims=keepdims), X)
    check(lambda x: np.percentile(x, [10, 90.0], axis=axis, keepdims=keepdims), X)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_methods_of_quantiles(method):
    for q in (0.0, 0.25, 0.61, 1.0, np.array([[0.1, 0.5], [0.9, 0.77]])):
        assert_like_numpy(lambda x, q=q: np.quantile(x, q, axis=1, method=method), X)
        assert_like_numpy(lambda x, q=q: np.quantile(x, q, method=method), X.astype(np.float32))


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
    with pytest.raises(UnsupportedFunctionError):
        ft.grad(lambda x: np.quantile(x, 0.5, method="weibull"))(X[0])


def test_quantiles_of_complex_numbers_are_refused():
    for f in (lambda z: np.quantile(z, 0.5), lambda z: np.percentile(z, 50)):
        with pytest.raises(TypeError, match="real"):
            ft.jit(f)(np.ones(2, complex))
