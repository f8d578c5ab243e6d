"""Rules of reductions: ties, zeros, infinities and constants."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from tests.agreement import assert_like_numpy

RNG = np.random.default_rng(0)

# Kinks and zeros


@pytest.mark.parametrize("f", [np.max, np.min, np.nanmax])
def test_equal_elements_share_equally(f):
    x = np.array([[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(f(x, axis=1)))(x), np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(np.sum(ft.grad(f)(x)), 1)


def test_nan_takes_the_derivative_of_the_maximum_that_it_is():
    np.testing.assert_array_equal(ft.grad(np.max)(np.array([1.0, np.nan, 3.0])), [0, 1, 0])
    np.testing.assert_array_equal(ft.grad(np.nanmax)(np.array([1.0, np.nan, 3.0])), [0, 0, 1])


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [3, 4, 7])
def test_products_with_zeros_are_exact_at_every_order(zeros, count):
    x = np.arange(1.0, count + 1)
    x[:zeros] = 0

    def others(*left_out: int) -> float:
        return float(np.prod([x[k] for k in range(count) if k not in left_out]))

    gradient = ft.grad(np.prod)(x)
    np.testing.assert_allclose(gradient, [others(i) for i in range(count)])
    hessian = ft.jacrev(ft.grad(np.prod))(x)
    wanted = [[0 if i == j else others(i, j) for j in range(count)] for i in range(count)]
    np.testing.assert_allclose(hessian, wanted)
    third = ft.jacrev(lambda x: ft.jacrev(ft.grad(np.prod))(x)[0, 1])(x)
    np.testing.assert_allclose(third, [0 if k < 2 else others(0, 1, k) for k in range(count)])


# Indices of extremes


def test_argmax_is_a_constant():
    x = np.array([[1.0, 5.0, 3.0], [4.0, 0.5, 4.0]])
    for f in (np.argmax, np.argmin):
        for options in ({}, {"axis": 1}, {"axis": -2, "keepdims": True}):
            assert_like_numpy(lambda x, f=f, o=options: f(x, **o), x)
    np.testing.assert_array_equal(ft.grad(lambda x: x[np.argmax(x)])(x[0]), [0, 1, 0])


# Logarithms of sums


@pytest.mark.parametrize(
    ("x", "gradient"),
    [
        ([-np.inf, -np.inf], [0.5, 0.5]),
        ([np.inf, 1.0], [1, 0]),
        ([np.inf, np.inf], [0.5, 0.5]),
        ([-np.inf, 1.0], [0, 1]),
        ([1000.0, 1000.0], [0.5, 0.5]),
    ],
)
def test_logsumexp_is_safe(x, gradient):
    np.testing.assert_allclose(ft.grad(np.logaddexp.reduce)(np.array(x)), gradient)


@pytest.mark.parametrize("shape", [(40, 3), (40, 1), (5, 8, 30), (31, 9), (2, 200, 60)], ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("keepdims", [False, True])
def test_short_rows_are_reduced_as_others_are(shape, dtype, keepdims):
    x = RNG.normal(size=shape).astype(dtype)
    x.flat[3], x.flat[-1] = -np.inf, np.inf
    x[1] = -np.inf
    axes = {"axis": -1, "keepdims": keepdims}
    for f in (np.max, np.min, ft.scipy.special.logsumexp):
        eager = f(x, **axes)
        expected = np.logaddexp.reduce(x, **axes) if f not in (np.max, np.min) else eager
        found = ft.jit(lambda x, f=f: f(x, **axes), backend="numpy")(x)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, eager)
        np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(dtype).eps)
    x[-1, -1] = np.nan
    found = ft.jit(lambda x: np.max(x, **axes), backend="numpy")(x)
    np.testing.assert_array_equal(found, np.max(x, **axes))
