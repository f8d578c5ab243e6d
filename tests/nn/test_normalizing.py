"""Softmax and its family, against SciPy and formulas, with masks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace import nn
from functrace.testing import check_grads

X = np.cos(np.arange(24.0)).reshape(2, 3, 4) * 3
MASK = np.arange(24).reshape(2, 3, 4) % 3 > 0


@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None])
def test_softmax(axis):
    np.testing.assert_allclose(nn.softmax(X, axis), scipy.special.softmax(X, axis), rtol=1e-14)
    logarithm = scipy.special.log_softmax(X, axis)
    np.testing.assert_allclose(nn.log_softmax(X, axis), logarithm, rtol=1e-13)
    check_grads(lambda x: nn.softmax(x, axis), (X,), order=2)
    check_grads(lambda x: nn.log_softmax(x, axis), (X,), order=2)
    total = np.log(np.mean(np.exp(X), axis=axis))
    np.testing.assert_allclose(nn.logmeanexp(X, axis), total, rtol=1e-13)


def test_what_does_not_count():
    exponentials = np.where(MASK, np.exp(X), 0.0)
    expected = exponentials / exponentials.sum(axis=-1, keepdims=True)
    for f in (nn.softmax, ft.jit(nn.softmax, static_argnames="axis")):
        np.testing.assert_allclose(f(X, where=MASK), expected, rtol=1e-13)
    logarithm = nn.log_softmax(X, where=MASK)
    np.testing.assert_allclose(logarithm[MASK], np.log(expected[MASK]), rtol=1e-12)
    assert np.all(logarithm[~MASK] == -np.inf)
    total = np.log(exponentials.sum(axis=1))
    np.testing.assert_allclose(nn.logsumexp(X, 1, where=MASK), total, rtol=1e-13)
    mean = np.log(exponentials.sum(axis=1, keepdims=True) / MASK.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(nn.logmeanexp(X, 1, MASK, keepdims=True), mean, rtol=1e-13)
    check_grads(lambda x: nn.softmax(x, where=MASK), (X,), order=2)
    check_grads(lambda x: nn.logsumexp(x, where=MASK), (X,), order=2)
    gradient = ft.grad(lambda x: np.sum(np.where(MASK, nn.log_softmax(x, where=MASK), 0.0)))(X)
    assert np.all(gradient[~MASK] == 0)


def test_standardize():
    found = nn.standardize(X, (0, 1), epsilon=0.0)
    np.testing.assert_allclose(found.mean(axis=(0, 1)), 0, atol=1e-14)
    np.testing.assert_allclose(found.std(axis=(0, 1)), 1)
    given = nn.standardize(X, mean=1.0, variance=3.0, epsilon=1.0)
    np.testing.assert_allclose(given, (X - 1) / 2)
    some = nn.standardize(X, where=MASK, epsilon=0.0)
    for row, mask in zip(some.reshape(-1, 4), MASK.reshape(-1, 4), strict=True):
        np.testing.assert_allclose(row[mask].mean(), 0, atol=1e-14)
    check_grads(nn.standardize, (X,), order=2)
    assert nn.standardize(X.astype(np.float32)).dtype == np.float32


def test_one_hot():
    numbers = np.array([[2, 0], [-1, 3]])
    expected = np.zeros((2, 2, 3), np.float32)
    expected[0, 0, 2] = expected[0, 1, 0] = 1
    for f in (nn.one_hot, ft.jit(nn.one_hot, static_argnums=1, static_argnames=("dtype", "axis"))):
        np.testing.assert_array_equal(f(numbers, 3, dtype=np.float32), expected, strict=True)
        moved = f(numbers, 3, dtype=np.float32, axis=0)
        np.testing.assert_array_equal(moved, np.moveaxis(expected, -1, 0), strict=True)
    assert nn.one_hot(1, 3).dtype == np.float64
    rows = ft.vmap(lambda i: nn.one_hot(i, 4))(np.array([1, 3]))
    np.testing.assert_array_equal(rows, np.eye(4)[[1, 3]])
    assert ft.grad(lambda x: np.sum(nn.one_hot(x, 3)))(1.0) == 0.0
