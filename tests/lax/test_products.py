"""Products of jax.lax against NumPy's, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads
from tests.lax.works import V, X, assert_same, assert_works


def test_products():
    a, b = X, np.sin(X).T
    assert_works(lax.dot, a @ b, a, b)
    assert_works(lax.dot, V @ V, V, V)
    assert_works(lax.dot, a @ V, a, V)
    m, n = np.cos(np.arange(24.0)).reshape(2, 3, 4), np.sin(np.arange(40.0)).reshape(4, 2, 5)
    f = lambda m, n: lax.dot_general(m, n, (((2,), (0,)), ((0,), (1,))))
    assert_works(f, np.einsum("bij,jbk->bik", m, n), m, n)
    f = lambda m, n: lax.dot_general(m, n, (((), ()), ((), ())))
    assert_works(f, np.multiply.outer(V, V), V, V)
    assert_works(lax.batch_matmul, m @ np.moveaxis(n, 0, 1), m, np.moveaxis(n, 0, 1))
    for call in (
        lambda: lax.dot(m, V),
        lambda: lax.dot_general(m, n, (((2,), (2,)), ((), ()))),
        lambda: lax.batch_matmul(m, a),
    ):
        with pytest.raises(errors.ShapeMismatchError):
            call()


def test_options_of_products():
    precision = lax.Precision.HIGHEST
    numbers = (((1,), (1,)), ((), ()))
    assert_works(lambda x: lax.dot(x, V, precision=precision), X @ V, X)
    assert_works(lambda x: lax.dot(x, x, dimension_numbers=numbers), X @ X.T, X)
    assert_works(lambda x: lax.dot_general(x, x, numbers, precision), X @ X.T, X)
    assert_works(lambda x: lax.batch_matmul(x, x.T, precision), X @ X.T, X)
    small = np.full((1, 40), 100, np.int8)
    wide = lax.dot_general(small, small, numbers, preferred_element_type=np.int32)
    assert_same(wide, np.array([[400_000]], np.int32))
    assert_same(lax.dot(small, small.T, preferred_element_type=np.float64), np.array([[4e5]]))
    assert_same(
        lax.dot(X, V, preferred_element_type=np.float32), (X @ V).astype(np.float32), rtol=1e-6
    )


def test_products_of_groups_of_rows():
    rng = np.random.default_rng(0)
    rows, matrices, sizes = rng.normal(size=(7, 3)), rng.normal(size=(3, 3, 2)), np.array([2, 0, 4])
    expected = np.concatenate([rows[:2] @ matrices[0], rows[2:6] @ matrices[2], np.zeros((1, 2))])
    assert_works(lambda a, b: lax.ragged_dot(a, b, sizes), expected, rows, matrices)
    assert_works(lax.ragged_dot, expected, rows, matrices, sizes)
    check_grads(lambda a, b: ft.jit(lax.ragged_dot)(a, b, sizes), (rows, matrices), order=2)
    assert_same(lax.ragged_dot(rows, matrices[:0], sizes[:0]), np.zeros((7, 2)))
    with pytest.raises(errors.ShapeMismatchError, match="sizes of shape"):
        lax.ragged_dot(rows, matrices, sizes[:2])
    with pytest.raises(errors.ArgumentError, match="group_offset"):
        lax.ragged_dot(rows, matrices, sizes, group_offset=np.array([0]))
