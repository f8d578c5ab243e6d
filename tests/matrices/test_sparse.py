"""SciPy's sparse matrices as linear operators, and the operations behind them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import functrace as ft
from functrace.errors import OperandError, ShapeMismatchError, UnsupportedFunctionError
from functrace.matrices import sparse as operations
from functrace.testing import check_grads

rng = np.random.default_rng(14)
DENSE = (rng.random((4, 3)) < 0.6) * rng.normal(size=(4, 3))
X, Y = rng.normal(size=(3, 2)), rng.normal(size=(2, 4))
FORMATS = [
    f"{kind}_{form}"
    for kind in ("csr", "csc", "coo", "dia", "bsr", "lil", "dok")
    for form in ("array", "matrix")
]
OPERATIONS = {
    "A @ x": (lambda a, t: a @ t, X[:, 0]),
    "A @ X": (lambda a, t: a @ t, X),
    "y @ A": (lambda a, t: t @ a, Y[0]),
    "Y @ A": (lambda a, t: t @ a, Y),
    "A.T @ y": (lambda a, t: a.T @ t, Y[0]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_hands_products_over(name):
    a = getattr(scipy.sparse, name)(DENSE)
    for operation, x in OPERATIONS.values():
        f = lambda t, operation=operation: operation(a, t)
        expected = operation(DENSE, x)
        value, pull = ft.vjp(f, x)
        for found in (value, ft.jit(f)(x), ft.vmap(f)(np.stack([x, 2 * x]))[1] / 2):
            assert type(found) is np.ndarray
            np.testing.assert_allclose(found, expected, atol=1e-14)
        dense = ft.vjp(lambda t, operation=operation: operation(DENSE, t), x)[1]
        ones = np.ones_like(expected)
        np.testing.assert_allclose(pull(ones)[0], dense(ones)[0], atol=1e-14)


def test_other_operators():
    array, matrix = scipy.sparse.csr_array(DENSE), scipy.sparse.csr_matrix(DENSE)
    check_grads(lambda t: array.dot(np.sin(t @ matrix)[:3]), (Y[0],), order=2)
    for f, expected in (
        (lambda t: matrix * t, DENSE @ X[:, 0]),
        (lambda t: array * t, DENSE * X[:, 0]),
        (lambda t: t * array, DENSE * X[:, 0]),
        (lambda t: 2 * t[0] * matrix, DENSE * 2 * X[0, 0]),
    ):
        np.testing.assert_allclose(ft.vjp(f, X[:, 0])[0], expected)
    coordinates = scipy.sparse.coo_array(DENSE)
    np.testing.assert_allclose(ft.vjp(coordinates.dot, X)[0], DENSE @ X)
    with pytest.raises(UnsupportedFunctionError, match=r"csr_array\.multiply"):
        ft.vjp(array.multiply, DENSE)
    for f in (lambda t: array + t, lambda t: t - array):
        with pytest.raises(OperandError, match="toarray"):
            ft.vjp(f, DENSE)
    with pytest.raises(ShapeMismatchError, match=r"\(4, 3\)"):
        ft.vjp(lambda t: array @ t, Y[0])


def test_complex_numbers_and_single_precision():
    a = scipy.sparse.csc_array(DENSE * (1 + 1j))
    check_grads(lambda t: a @ t, (X + 0.5j,), order=1)
    assert ft.jit(lambda t: a @ t)(X.astype("f")).dtype == np.complex128
    single = scipy.sparse.csr_array(DENSE.astype("f"))
    assert ft.grad(lambda t: np.sum(single @ t))(X.astype("f")).dtype == np.float32


def test_stacks_of_matrices():
    a = scipy.sparse.csr_array(DENSE)
    many = np.stack([X, 2 * X])
    np.testing.assert_allclose(ft.vjp(lambda t: a @ t, many)[0], DENSE @ many)
    np.testing.assert_allclose(ft.vjp(lambda t: t @ a, Y[None])[0], Y[None] @ DENSE)


def test_factors_are_kept(monkeypatch):
    linalg = pytest.importorskip("scipy.sparse.linalg")
    counted = []
    splu = linalg.splu
    monkeypatch.setattr(linalg, "splu", lambda a: counted.append(a) or splu(a))
    a = scipy.sparse.csr_array(rng.normal(size=(4, 4)) + 4 * np.eye(4))
    place = (a.indices, a.indptr)
    params = {"shape": (4, 4), "transposed": False}
    f = lambda d, b: np.sum(ft.extend.bind(operations.sparse_solve, d, *place, b, **params) ** 2)
    ft.grad(f, (0, 1))(a.data, rng.normal(size=(4, 2)))
    assert len(counted) == 1
    ft.grad(f)(a.data + 1, rng.normal(size=(4, 2)))
    assert len(counted) == 2
    assert len(operations._kept) <= operations.KEPT
