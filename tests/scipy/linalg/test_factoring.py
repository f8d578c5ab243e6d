"""Factorizations, eigenvalues and singular values under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import functrace as ft
from functrace.errors import ArgumentError, UnsupportedFunctionError
from functrace.scipy import linalg
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(6)
A = rng.normal(size=(3, 3)) + np.diag([3.0, 5, 8])
Z = A + 0.5j * rng.normal(size=(3, 3))
S = A @ A.T
H = Z @ Z.conj().T
B, V = rng.normal(size=(3, 2)), rng.normal(size=3)
TALL = rng.normal(size=(4, 3))


def size(x):
    """What does not depend on signs and phases."""
    return [np.abs(y) for y in x] if isinstance(x, tuple) else np.abs(x)


def cho(lower):
    return lambda m, a, b: m.cho_solve(m.cho_factor(a, lower=lower), b)


def lu(trans):
    return lambda m, a, b: m.lu_solve(m.lu_factor(a), b, trans)


ROWS = {
    "cholesky": (lambda m, a: m.cholesky(a), (S,)),
    "cholesky, lower": (lambda m, a: m.cholesky(a, lower=True), (H,)),
    "cho_factor": (lambda m, a: m.cho_factor(a)[0], (S,)),
    "cho_factor, lower": (lambda m, a: m.cho_factor(a, lower=True)[0], (H,)),
    "cho_solve": (cho(False), (S, B)),
    "cho_solve, lower": (cho(True), (H, V)),
    "lu": (lambda m, a: m.lu(a), (A,)),
    "lu, wide": (lambda m, a: m.lu(a), (TALL.T.copy(),)),
    "lu, tall": (lambda m, a: m.lu(a, p_indices=True), (TALL,)),
    "lu, permuted": (lambda m, a: m.lu(a, permute_l=True), (TALL * (1 + 1j),)),
    "lu_factor": (lambda m, a: m.lu_factor(a), (A,)),
    "lu_solve": (lu(0), (A, B)),
    "lu_solve, T": (lu(1), (Z, V)),
    "lu_solve, C": (lu(2), (Z, B)),
    "qr": (lambda m, a: m.qr(a), (A,)),
    "qr, economic": (lambda m, a: m.qr(a, mode="economic"), (TALL,)),
    "qr, r": (lambda m, a: m.qr(a, mode="r"), (TALL,)),
    "qr_multiply": (lambda m, a, c: m.qr_multiply(a, c), (A, B.T.copy())),
    "qr_multiply, left": (lambda m, a, c: m.qr_multiply(a, c, "left"), (TALL, B)),
    "hessenberg": (lambda m, a: m.hessenberg(a), (A,)),
    "hessenberg, both": (lambda m, a: m.hessenberg(a, calc_q=True), (Z,)),
    "hessenberg, small": (lambda m, a: m.hessenberg(a, calc_q=True), (Z[:2, :2],)),
    "svdvals": (lambda m, a: m.svdvals(a), (TALL,)),
    "diagsvd": (lambda m, s: m.diagsvd(s, 3, 4), (V,)),
    "polar": (lambda m, a: m.polar(a), (A,)),
    "polar, left": (lambda m, a: m.polar(a, "left"), (Z,)),
    "polar, tall": (lambda m, a: m.polar(a), (TALL,)),
    "procrustes": (lambda m, a, b: m.orthogonal_procrustes(a, b), (A, S)),
    "eigvalsh": (lambda m, a: m.eigvalsh(a), (S,)),
    "eigvalsh, upper": (lambda m, a: m.eigvalsh(a, lower=False), (H,)),
    "eigvalsh, generalized": (lambda m, a, b: m.eigvalsh(a, b), (A + A.T, S)),
    "eigvalsh_tridiagonal": (lambda m, d, e: m.eigvalsh_tridiagonal(d, e), (np.arange(3.0), V[:2])),
    "eigvals": (lambda m, a: m.eigvals(a), (A,)),
}
SIGNS = {
    "qr, pivoting": (lambda m, a: m.qr(a, pivoting=True), (TALL[:3],)),
    "rq": (lambda m, a: m.rq(a), (A,)),
    "rq, economic": (lambda m, a: m.rq(a, mode="economic"), (TALL.T.copy(),)),
    "svd": (lambda m, a: m.svd(a), (A,)),
    "svd, thin": (lambda m, a: m.svd(a, full_matrices=False), (TALL,)),
    "eigh": (lambda m, a: m.eigh(a), (S,)),
    "eigh, some": (lambda m, a: m.eigh(a, subset_by_index=[1, 2]), (S,)),
    "eigh, 1": (lambda m, a, b: m.eigh(a, b), (A + A.T, S)),
    "eigh, 2": (lambda m, a, b: m.eigh(a, b, type=2, lower=False), (Z + Z.conj().T, H)),
    "eigh, 3": (lambda m, a, b: m.eigh(a, b, type=3), (A + A.T, S)),
    "eigh_tridiagonal": (lambda m, d, e: m.eigh_tridiagonal(d, e), (np.arange(3.0), V[:2])),
}
COMPLEX_IN_JIT = {
    "eig": (lambda m, a: m.eig(a), (A,)),
    "eig, left": (lambda m, a: m.eig(a, left=True, right=False), (A,)),
    "eig, both": (lambda m, a: m.eig(a, left=True), (Z,)),
    "eig, generalized": (lambda m, a, b: m.eig(a, b)[0], (A, S)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", ROWS)
def test_as_scipy(name):
    row, args = ROWS[name]
    check(row, linalg, scipy.linalg, args)


@pytest.mark.parametrize("name", SIGNS)
def test_as_scipy_but_for_signs(name):
    row, args = SIGNS[name]
    check(row, linalg, scipy.linalg, args, seen=size, rtol=1e-8)


def in_order(x):
    """The eigenvalues in their order, and how the vectors that belong to them are formed."""
    if not isinstance(x, tuple):
        return np.sort(np.real(x))
    order = np.argsort(np.real(x[0]))
    return [np.real(x[0])[order], *(np.abs(v)[:, order] for v in x[1:])]


@pytest.mark.parametrize("name", COMPLEX_IN_JIT)
def test_general_eigenvalues(name):
    row, args = COMPLEX_IN_JIT[name]
    check(row, linalg, scipy.linalg, args, seen=in_order, rtol=1e-8, order=1)


def test_eigenvectors_are_real_where_they_are_known_to_be():
    assert linalg.eig(S)[1].dtype == np.float64
    assert ft.jit(linalg.eig)(S)[1].dtype == np.complex128
    w, left, right = linalg.eig(A, S, left=True)
    np.testing.assert_allclose(A @ right, S @ right * w, atol=1e-8)
    np.testing.assert_allclose(left.conj().T @ A, w[:, None] * (left.conj().T @ S), atol=1e-8)


def test_subsets_of_eigenvalues():
    w = np.linalg.eigvalsh(S)
    between = (w[:2].mean(), np.inf)
    np.testing.assert_allclose(linalg.eigvalsh(S, subset_by_value=between), w[1:])
    with pytest.raises(ValueError, match="Either"):
        linalg.eigh(S, subset_by_value=between, subset_by_index=[0, 1])
    with pytest.raises(ValueError, match="not valid"):
        linalg.eigh(S, subset_by_index=[0, 3])
    with pytest.raises(ArgumentError, match="subset_by_index"):
        ft.jit(lambda a: linalg.eigvalsh(a, subset_by_value=between))(S)


def rebuilt(a, output):
    t, z = linalg.schur(a, output)
    return z @ np.sin(t * 0.1) @ np.conj(z.mT), np.diagonal(t, 0, -2, -1).real


def test_schur():
    real = np.diag([1.0, 2, 4]) + 0.3 * rng.normal(size=(3, 3))
    for a, output in ((real, "real"), (Z, "complex"), (real, "complex")):
        for f in (linalg.schur, ft.jit(linalg.schur, static_argnums=1)):
            t, z = f(a, output)
            expected = scipy.linalg.schur(a, output)
            np.testing.assert_allclose(t, expected[0], atol=1e-12)
            np.testing.assert_allclose(z, expected[1], atol=1e-12)
    check_grads(lambda a: linalg.schur(a), (real,), order=2)
    invariant = lambda a: [np.abs(x) for x in linalg.schur(a, "complex")]
    check_grads(invariant, (Z,), order=2)
    stack = np.stack([real, real.T])
    np.testing.assert_allclose(ft.vmap(linalg.schur)(stack)[0][1], linalg.schur(real.T)[0])
    turning = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 2]])
    found = ft.grad(lambda a: np.sum(linalg.schur(a)[0]))(np.stack([turning, real]))
    assert np.all(np.isnan(found[0]))
    assert np.all(np.isfinite(found[1]))
    assert np.all(np.isnan(ft.grad(lambda a: np.sum(linalg.schur(a)[1]))(np.eye(3))))


def test_rotations_make_real_blocks_complex():
    turning = np.array([[1.0, 2, 0.5, -1], [-1.5, 1, 2, 0.3], [0, 0, -1, 1], [0, 0, 0, 3]])
    t, z = scipy.linalg.schur(turning)
    keep = t != 0
    check_grads(lambda t, z: linalg.rsf2csf(np.where(keep, t, 0.0), z), (t, z), order=2)
    for f in (linalg.rsf2csf, ft.jit(linalg.rsf2csf)):
        for found, expected in zip(f(t, z), scipy.linalg.rsf2csf(t, z), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-13)
    stack = linalg.rsf2csf(np.stack([t, t]), np.stack([z, 2 * z]))
    np.testing.assert_allclose(stack[1][1], 2 * scipy.linalg.rsf2csf(t, z)[1], atol=1e-13)
    for wrong in ((t, z[:3, :3]), (t[:2], z)):
        with pytest.raises(ValueError, match=r"match|square"):
            linalg.rsf2csf(*wrong)


def test_products_with_orthonormal_factors():
    for conjugate in (False, True):
        found = linalg.qr_multiply(Z, V, "left", pivoting=True, conjugate=conjugate)
        expected = scipy.linalg.qr_multiply(Z, V, "left", pivoting=True, conjugate=conjugate)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-12)
    for wrong in ((A, B), (A, B, "up"), (TALL, V[:2], "left")):
        with pytest.raises(ValueError, match=r"Array shapes|can only be"):
            linalg.qr_multiply(*wrong)


def test_what_is_refused_says_why():
    for call, words in (
        (lambda a: linalg.null_space(a), "any basis"),
        (lambda a: linalg.orth(a), "pinv"),
    ):
        with pytest.raises(UnsupportedFunctionError, match=words):
            ft.grad(lambda a, call=call: np.sum(call(a)))(A)
    for name in ("null_space", "orth"):
        found, expected = (getattr(m, name)(TALL.T) for m in (linalg, scipy.linalg))
        np.testing.assert_allclose(found, expected)
    for call in (
        lambda a: linalg.qr(a, mode="raw"),
        lambda a: linalg.eig(a, homogeneous_eigvals=True),
        lambda a: linalg.schur(a, sort="lhp"),
    ):
        with pytest.raises(ArgumentError):
            call(A)
    for call in (
        lambda a: linalg.qr(a, mode="no"),
        lambda a: linalg.cholesky(a[:2]),
        lambda a: linalg.lu_solve(linalg.lu_factor(a), np.ones(2)),
        lambda a: linalg.cho_solve((a, True), np.ones(2)),
        lambda a: linalg.polar(a, "up"),
        lambda a: linalg.eigh(a, a, type=4),
        lambda a: linalg.schur(a, "no"),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
            call(A)
    for name in ("cholesky", "cho_factor"):
        with pytest.raises(np.linalg.LinAlgError):
            getattr(linalg, name)(-S)


def test_stacks():
    many = np.stack([S, 2 * S])
    for name in ("cholesky", "lu", "qr", "svdvals", "eigvalsh", "polar"):
        found, expected = getattr(linalg, name)(many), getattr(scipy.linalg, name)(many)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-9)
    np.testing.assert_allclose(
        linalg.lu_solve(linalg.lu_factor(many), V), scipy.linalg.solve(many, V)
    )
    np.testing.assert_allclose(
        linalg.cho_solve(linalg.cho_factor(many), B), scipy.linalg.solve(many, B)
    )
