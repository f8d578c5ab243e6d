"""Systems with sparse matrices: factored, and by products alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import functrace as ft
from functrace.errors import ArgumentError
from functrace.scipy import sparse
from functrace.scipy.sparse import linalg
from functrace.testing import check_grads

rng = np.random.default_rng(16)
DENSE = (rng.random((5, 5)) < 0.4) * rng.normal(size=(5, 5)) + 3 * np.eye(5)
SYMMETRIC = DENSE @ DENSE.T
B = rng.normal(size=(5, 2))
SOLVERS = ("cg", "bicgstab", "gmres")


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
@pytest.mark.parametrize("b", [B, B[:, 0], B[:, :1]], ids=["matrix", "vector", "column"])
def test_spsolve(kind, b):
    a = getattr(scipy.sparse, kind)(DENSE)
    expected = scipy.sparse.linalg.spsolve(a.tocsc(), b)
    f = lambda b: linalg.spsolve(a, b)
    for found in (f(b), ft.vjp(f, b)[0], ft.jit(f)(b)):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected)
    of_data = lambda d, b: linalg.spsolve(sparse.csr_array(a).with_data(d), b)
    data = sparse.csr_array(a).data
    check_grads(of_data, (data, b), order=2)
    many = np.stack([data, 2 * data])
    np.testing.assert_allclose(ft.vmap(of_data, (0, None))(many, b)[1], expected / 2)
    np.testing.assert_allclose(ft.vmap(f)(np.stack([b, 3 * b]))[1], 3 * expected)
    np.testing.assert_allclose(linalg.factorized(a)(b), expected)


def test_spsolve_of_complex_numbers_and_dense_matrices():
    a = scipy.sparse.csr_array(DENSE + 0.5j * (DENSE != 0))
    np.testing.assert_allclose(linalg.spsolve(a, B), np.linalg.solve(a.toarray(), B))
    check_grads(lambda b: linalg.spsolve(a, b), (B,), order=1)
    np.testing.assert_allclose(linalg.spsolve(DENSE, B), np.linalg.solve(DENSE, B))


def test_what_spsolve_cannot_solve():
    singular = scipy.sparse.csr_array(np.diag([1.0, 0]))
    with pytest.warns(scipy.sparse.linalg.MatrixRankWarning):
        assert np.all(np.isnan(linalg.spsolve(singular, np.ones(2))))
    for a, b in ((DENSE[:3], np.ones(3)), (DENSE, np.ones(4))):
        with pytest.raises(ValueError, match="matrix"):
            linalg.spsolve(scipy.sparse.csr_array(a), b)


@pytest.mark.thinned
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("form", ["dense", "sparse", "function"])
def test_iterations(name, form):
    solver, b = getattr(linalg, name), B[:, 0]
    matrix = SYMMETRIC if name == "cg" else DENSE
    forms = {
        "dense": lambda scale: scale * matrix,
        "sparse": lambda scale: sparse.csr_array(scipy.sparse.csr_array(matrix)) * scale,
        "function": lambda scale: lambda x: scale * (matrix @ x),
    }
    f = lambda scale, b: solver(forms[form](scale), b, rtol=1e-12)[0]
    np.testing.assert_allclose(f(1.0, b), np.linalg.solve(matrix, b), rtol=1e-8)
    check_grads(f, (1.5, b), order=2 if form == "dense" else 1)
    np.testing.assert_allclose(ft.jit(f)(2.0, b), f(2.0, b), rtol=1e-8)
    many = ft.vmap(f, in_axes=(None, 0))(1.0, B.T)
    np.testing.assert_allclose(many.T, np.linalg.solve(matrix, B), rtol=1e-7)


@pytest.mark.parametrize("name", SOLVERS)
def test_what_is_returned(name):
    solver, b = getattr(linalg, name), B[:, 0]
    a = scipy.sparse.csr_array(SYMMETRIC)
    x, info = solver(a, b, rtol=1e-10)
    assert info == 0
    expected, _ = getattr(scipy.sparse.linalg, name)(a, b, rtol=1e-10)
    np.testing.assert_allclose(x, expected, rtol=1e-7)
    options = {"restart": 1} if name == "gmres" else {}
    assert solver(a, b, rtol=1e-14, maxiter=1, **options)[1] > 0
    assert solver(a, np.zeros(5))[1] == 0
    inverse = np.linalg.inv(SYMMETRIC)
    for preconditioner in (inverse, lambda x: inverse @ x):
        f = lambda b, m=preconditioner: solver(a, b, M=m, rtol=1e-12, maxiter=3)[0]
        np.testing.assert_allclose(f(b), inverse @ b, rtol=1e-8)
        check_grads(f, (b,), order=1)
    np.testing.assert_allclose(solver(a, b, x0=expected, maxiter=1)[0], expected, rtol=1e-5)
    assert solver(a, b.astype("f"), tol=1e-3)[0].shape == (5,)
    with pytest.raises(ArgumentError, match="callback"):
        solver(a, b, callback=print)
    with pytest.raises(ValueError, match="square"):
        solver(DENSE[:3], b)


@pytest.mark.parametrize("name", SOLVERS)
def test_trees_and_complex_numbers(name):
    solver = getattr(linalg, name)
    f = lambda d: solver(lambda t: {"u": d * t["u"], "v": 4.0 * t["v"]}, {"u": np.ones(2), "v": 2.0})[0]  # fmt: skip  # noqa: E501
    found = f(np.array([2.0, 4.0]))
    np.testing.assert_allclose(found["u"], [0.5, 0.25], rtol=1e-4)
    np.testing.assert_allclose(found["v"], 0.5, rtol=1e-4)
    gradient = ft.grad(lambda d: np.sum(f(d)["u"]))(np.array([2.0, 4.0]))
    np.testing.assert_allclose(gradient, [-0.25, -0.0625], rtol=1e-4)
    hermitian = SYMMETRIC + 0.5j * (DENSE - DENSE.T)
    b = B[:, 0] + 1j * B[:, 1]
    g = lambda a, b: solver(a, b, rtol=1e-12)[0]
    np.testing.assert_allclose(g(hermitian, b), np.linalg.solve(hermitian, b), rtol=1e-7)
    check_grads(lambda b: g(hermitian, b), (b,), order=1)
