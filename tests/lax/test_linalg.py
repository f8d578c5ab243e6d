"""The names of jax.lax.linalg: JAX's results in JAX's order."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, MissingRuleError
from functrace.lax import linalg
from functrace.testing import check_grads

rng = np.random.default_rng(4)
A = rng.normal(size=(4, 4)) + 3 * np.diag([1.0, 2, 3, 4])
Z = A + 1j * rng.normal(size=(4, 4))
S = A @ A.T
B = rng.normal(size=(4, 4))
CALLS = {
    "cholesky": lambda m, a: m.cholesky(a @ a.conj().mT),
    "cholesky, one triangle": lambda m, a: m.cholesky(a @ a.conj().mT, symmetrize_input=False),
    "eigh": lambda m, a: m.eigh(a)[1],
    "eigh, lower": lambda m, a: m.eigh(a, symmetrize_input=False)[1],
    "eigh, upper": lambda m, a: m.eigh(a, lower=False, symmetrize_input=False)[1],
    "eig": lambda m, a: m.eig(a)[0],
    "lu": lambda m, a: m.lu(a),
    "lu, tall": lambda m, a: m.lu(a[:, :2]),
    "qr": lambda m, a: m.qr(a),
    "qr, thin": lambda m, a: m.qr(a[:, :2], full_matrices=False),
    "svd": lambda m, a: m.svd(a)[1],
    "svd, thin": lambda m, a: m.svd(a[:2], full_matrices=False)[1],
    "svd, values": lambda m, a: m.svd(a, compute_uv=False),
    "symmetric_product": lambda m, a: m.symmetric_product(a, a.mT, alpha=2.0, beta=0.5),
}
FLAGS = ("left_side", "lower", "transpose_a", "conjugate_a", "unit_diagonal")


def solving(options):
    return lambda m, a: m.triangular_solve(a, B + 0 * a, **options)


for _number in range(32):
    CALLS[f"triangular_solve, {_number}"] = solving(
        {name: bool(_number >> place & 1) for place, name in enumerate(FLAGS)}
    )


def leaves(x):
    return list(x) if isinstance(x, tuple | list) else [x]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("a", [A, Z], ids=["real", "complex"])
def test_as_jax(name, a):
    if name == "symmetric_product" and a is Z:  # JAX takes real matrices alone
        return
    theirs = pytest.importorskip("jax.lax.linalg")
    import jax

    f = CALLS[name]
    with jax.enable_x64(True):
        expected = [np.asarray(x) for x in leaves(f(theirs, jax.numpy.asarray(a)))]
    for found in (f(linalg, a), ft.jit(lambda a: f(linalg, a))(a)):
        found = leaves(found)
        if name == "eig":
            found, expected = [np.sort(found[0])], [np.sort(expected[0])]
        for x, y in zip(found, expected, strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)
    if "solve" in name and a is A:  # the others differ in conjugation alone
        return
    check_grads(lambda a: np.stack([weighted(x) for x in leaves(f(linalg, a))]), (a,), order=1)


def weighted(x):
    """A sum that does not depend on phases; of integers it is constant."""
    return np.sum(np.abs(x) ** 2 * np.arange(1.0, x.shape[-1] + 1))


def test_vectors():
    v, w = linalg.eigh(S)
    np.testing.assert_allclose(S @ v, v * w, atol=1e-10)
    v, w = linalg.eigh(S, subset_by_index=(1, 3))
    assert v.shape == (4, 2)
    np.testing.assert_allclose(w, np.linalg.eigvalsh(S)[1:3])
    u, s, vh = linalg.svd(A, full_matrices=False, subset_by_index=(0, 2))
    np.testing.assert_array_equal([u.shape, vh.T.shape], [(4, 2), (4, 2)])
    assert s.shape == (2,)
    with pytest.raises(ArgumentError, match="full matrices"):
        linalg.svd(A, subset_by_index=(0, 2))
    for a in (A, Z):
        w, left, right = linalg.eig(a)
        np.testing.assert_allclose(a @ right, right * w, atol=1e-9)
        np.testing.assert_allclose(left.conj().T @ a, w[:, None] * left.conj().T, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(left, axis=0), 1)
        check_grads(lambda a: np.abs(linalg.eig(a)[1]), (a,), order=1)
    assert len(linalg.eig(A, compute_left_eigenvectors=False)) == 2
    assert len(linalg.eig(A, compute_right_eigenvectors=False)) == 2


def test_vectors_on_the_right():
    upper = np.triu(A)
    for side in (True, False):
        x = linalg.triangular_solve(upper, B[0], left_side=side)
        np.testing.assert_allclose(upper @ x if side else x @ upper, B[0], atol=1e-12)


def test_cholesky_update():
    upper, w = np.linalg.cholesky(S, upper=True), B[0]
    found = linalg.cholesky_update(upper, w)
    np.testing.assert_allclose(found.T @ found, S + np.outer(w, w))
    check_grads(linalg.cholesky_update, (upper, w), order=1)


def test_reflections():
    lapack = pytest.importorskip("scipy.linalg").lapack
    packed, taus, _, _ = lapack.dgeqrf(A[:, :3])
    np.testing.assert_allclose(
        linalg.householder_product(packed, taus), np.linalg.qr(A[:, :3]).Q, atol=1e-13
    )
    check_grads(linalg.householder_product, (packed, taus), order=1)


def test_schur():
    pytest.importorskip("scipy")
    for a in (A, Z, np.stack([A, B])):
        form, vectors = ft.jit(linalg.schur)(a)
        np.testing.assert_allclose(vectors @ form @ vectors.conj().mT, a, atol=1e-12)
    assert linalg.schur(A, compute_schur_vectors=False)[1].size == 0
    np.testing.assert_allclose(ft.vmap(linalg.schur)(np.stack([A, B]))[0][1], linalg.schur(B)[0])
    with pytest.raises(MissingRuleError):
        ft.grad(lambda a: np.sum(linalg.schur(a)[0]))(A)


def test_hessenberg():
    pytest.importorskip("scipy")
    for f in (linalg.hessenberg, ft.jit(linalg.hessenberg)):
        packed, factors = f(np.stack([A, B]))
        for a, form, factor in zip((A, B), packed, factors, strict=True):
            q = linalg.householder_product(np.tril(form, -2)[1:, :-1], factor)
            basis = np.eye(len(a))
            basis[1:, 1:] = q
            np.testing.assert_allclose(basis @ np.triu(form, -1) @ basis.T, a, atol=1e-12)


def test_polar_decomposition():
    for f in (linalg.qdwh, ft.jit(linalg.qdwh)):
        u, h, _, has_converged = f(A)
        np.testing.assert_allclose(u @ h, A, atol=1e-12)
        np.testing.assert_allclose(u.T @ u, np.eye(len(A)), atol=1e-12)
        assert has_converged
        assert np.all(np.linalg.eigvalsh(h) > 0)
    check_grads(lambda a: linalg.qdwh(a)[:2], (A,))
    with pytest.raises(ArgumentError, match="rows"):
        linalg.qdwh(A[:2])
