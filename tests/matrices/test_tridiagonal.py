"""Systems with three diagonals, beside dense ones."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.lax.linalg import tridiagonal_solve
from functrace.testing import check_grads

rng = np.random.default_rng(9)


def dense(below, on, above):
    return np.diag(on) + np.diag(below[1:], -1) + np.diag(above[:-1], 1)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_as_dense_systems(size, dtype):
    diagonals = rng.normal(size=(3, size)).astype(dtype)
    if dtype == np.complex128:
        diagonals = diagonals + 0.5j * diagonals[::-1]
    below, on, above = diagonals
    b = rng.normal(size=(size, 2)).astype(dtype)
    on[0] = 0 if size > 1 else 1  # rows must change places
    found = tridiagonal_solve(below, on, above, b)
    assert found.dtype == dtype
    exact = 1e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(dense(below, on, above) @ found, b, rtol=exact, atol=exact)
    if dtype != np.float32:
        check_grads(tridiagonal_solve, (below, on + 4, above, b), order=2)


def test_what_is_not_read_has_no_derivative():
    given = rng.normal(size=(3, 4)) + np.array([[0], [4], [0]])
    by_below, _, by_above = ft.grad(
        lambda t: np.sum(tridiagonal_solve(t[0], t[1], t[2], np.ones((4, 1))))
    )(given)
    assert by_below[0] == by_above[-1] == 0
    changed = given.copy()
    changed[0, 0] = changed[2, -1] = np.nan
    np.testing.assert_array_equal(
        tridiagonal_solve(*changed, np.ones((4, 1))), tridiagonal_solve(*given, np.ones((4, 1)))
    )


def test_each_example():
    below, on, above = rng.normal(size=(3, 5, 4)) + 3 * np.array([[[0]], [[1]], [[0]]])
    b = rng.normal(size=(4, 2))
    found = ft.vmap(tridiagonal_solve, (0, 0, 0, None))(below, on, above, b)
    expected = [tridiagonal_solve(*x, b) for x in zip(below, on, above, strict=True)]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-12)
    np.testing.assert_allclose(ft.jit(tridiagonal_solve)(below[0], on[0], above[0], b), expected[0])


def test_singular_matrices():
    zeros = np.zeros(3)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        tridiagonal_solve(zeros, zeros, zeros, np.ones((3, 1)))
    with pytest.raises(ValueError, match="one shape"):
        ft.jit(tridiagonal_solve)(zeros, zeros, zeros, zeros)
