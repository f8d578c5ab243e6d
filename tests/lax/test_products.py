"""Products of jax.lax against NumPy's, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors, lax
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
