"""Linear systems and inverses, of triangular matrices too."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.matrices.systems import inverse_of_triangle
from functrace.numpy.linear_algebra import solve_triangular

rng = np.random.default_rng(0)
A = rng.uniform(-1, 1, (3, 3)) + 3 * np.diag([1.0, 1.5, 2.0])
STACK = np.stack([A, A.T + 0.3, 2 * A])
Z = A + 1j * rng.uniform(-1, 1, (3, 3))
B = rng.uniform(-1, 1, (3, 2))


def test_mixed_dtypes():
    a, b = A.astype(np.float32), np.array([1, 2, 3], np.int8)
    assert np.linalg.solve(a, b).dtype == ft.vjp(np.linalg.solve, a, b)[0].dtype
    pulled = ft.vjp(np.linalg.solve, a, B)[1](B)
    assert [x.dtype for x in pulled] == [np.float32, np.float64]


def test_vmap_of_systems():
    right = rng.uniform(-1, 1, (3, 3))
    for axes in ((0, 0), (0, None), (None, 0), (None, 1)):
        found = ft.vmap(np.linalg.solve, axes)(STACK if axes[0] == 0 else A, right)
        for i in range(3):
            a = STACK[i] if axes[0] == 0 else A
            b = right if axes[1] is None else np.take(right, i, axes[1])
            np.testing.assert_allclose(found[i], np.linalg.solve(a, b), rtol=1e-12)
    gradient = ft.vmap(ft.grad(lambda a, b: np.sum(np.linalg.solve(a, b))))(STACK, right)
    for i in range(3):
        own = ft.grad(lambda a, b: np.sum(np.linalg.solve(a, b)))(STACK[i], right[i])
        np.testing.assert_allclose(gradient[i], own, rtol=1e-10)


@pytest.mark.parametrize("size", [0, 1, 32, 33, 70, 131])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("is_complex", [True, False])
def test_triangles_are_taken_block_by_block(size, lower, is_complex):
    x = rng.normal(size=(2, size, size)) / max(size, 1) + 2 * np.eye(size)
    x = x + 0.3j * x[::-1] if is_complex else x
    b = rng.normal(size=(2, size, 3))
    triangle = np.tril(x) if lower else np.triu(x)
    found = inverse_of_triangle.run(x, lower=lower)
    np.testing.assert_allclose(found @ triangle, np.stack([np.eye(size)] * 2), atol=1e-13)
    np.testing.assert_array_equal(found, np.tril(found) if lower else np.triu(found))
    np.testing.assert_allclose(triangle @ solve_triangular(x, b, lower=lower), b, atol=1e-13)
    unit = triangle - triangle * np.eye(size) + np.eye(size)
    solved = solve_triangular(x, b, lower=lower, unit_diagonal=True)
    np.testing.assert_allclose(unit @ solved, b, atol=1e-12)


def test_a_zero_on_the_diagonal_is_an_error():
    x = np.tri(70)
    x[50, 50] = 0
    for f in (
        lambda x: inverse_of_triangle.run(x, lower=True),
        lambda x: solve_triangular(x, np.ones(70), lower=True),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            f(x)


def test_single_precision_stays():
    x = np.tri(70, dtype=np.float32)
    assert inverse_of_triangle.run(x, lower=True).dtype == np.float32
    assert solve_triangular(x, x[:, 0], lower=True).dtype == np.float32
