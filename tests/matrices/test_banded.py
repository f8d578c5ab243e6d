"""Systems with few diagonals, held against the matrices that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.matrices.banded import banded_solve, hermitian_banded_solve
from functrace.tracing.tracer import bind

rng = np.random.default_rng(12)
B = rng.normal(size=(6, 2))


def whole(ab, lower, upper):
    """The matrix, by its definition."""
    size = ab.shape[-1]
    a = np.zeros((size, size), ab.dtype)
    for i in range(size):
        for j in range(max(0, i - lower), min(size, i + upper + 1)):
            a[i, j] = ab[upper + i - j, j]
    return a


@pytest.mark.parametrize(("lower", "upper"), [(0, 0), (2, 0), (0, 2), (1, 1), (3, 1)])
def test_gradients_are_those_of_the_whole_matrix(lower, upper):
    ab = rng.normal(size=(lower + upper + 1, 6))
    ab[upper] += 4
    a = whole(ab, lower, upper)
    x, pull = ft.vjp(lambda ab, b: bind(banded_solve, ab, b, lower=lower, upper=upper), ab, B)
    y, other = ft.vjp(np.linalg.solve, a, B)
    np.testing.assert_allclose(x, y, atol=1e-12)
    by_ab, by_b = pull(np.ones_like(x))
    by_a, expected = other(np.ones_like(x))
    np.testing.assert_allclose(by_b, expected, atol=1e-12)
    inside = np.abs(whole(np.ones_like(ab), lower, upper)) > 0
    np.testing.assert_allclose(whole(by_ab, lower, upper), by_a * inside, atol=1e-12)


def test_the_imaginary_part_of_a_hermitian_diagonal_counts_nothing():
    ab = np.stack([4 + rng.random(6), 0.5 * rng.normal(size=6)]) + 0.3j
    f = lambda ab: bind(hermitian_banded_solve, ab, B, lower=1, upper=0)
    np.testing.assert_allclose(f(ab), f(ab - np.array([[0.3j], [0]])), atol=1e-14)
    gradient = ft.grad(lambda ab: np.sum(np.abs(f(ab)) ** 2))(ab)
    np.testing.assert_allclose(gradient[0].imag, 0, atol=1e-14)
    assert np.any(gradient[1].imag)
    assert gradient[1, -1] == 0  # it is outside of the matrix
