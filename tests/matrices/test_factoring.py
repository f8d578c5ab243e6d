"""Functions of matrices together: derivatives in both modes and orders, and edges."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.numpy.linear_algebra import solve_triangular
from functrace.testing import check_grads

rng = np.random.default_rng(0)
A = rng.uniform(-1, 1, (3, 3)) + 3 * np.diag([1.0, 1.5, 2.0])
STACK = np.stack([A, A.T + 0.3, 2 * A])
Z = A + 1j * rng.uniform(-1, 1, (3, 3))
TALL, WIDE = A[:, :2], A[:2]
B = rng.uniform(-1, 1, (3, 2))
WEIGHTS = rng.uniform(0.5, 1, (4, 4))


def hermitian(x):
    return x @ np.conj(np.swapaxes(x, -1, -2))


def by_vectors(f):
    """Something that does not depend on the phases of eigenvectors."""

    def function(x):
        values, vectors = f(x)
        return (vectors * np.exp(-values / 9)[..., None, :]) @ np.conj(np.swapaxes(vectors, -1, -2))

    return function


def polar(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * np.sqrt(s)[..., None, :]) @ vh


FUNCTIONS = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "solve": lambda x: np.linalg.solve(x, B),
    "solve a vector": lambda x: np.linalg.solve(x, B[:, 0]),
    "solve for it": lambda x: np.linalg.solve(x.mT + 1.0, x),
    "solve_triangular": lambda x: solve_triangular(x, B, lower=True),
    "solve_triangular, unit": lambda x: solve_triangular(x, x[..., :1], unit_diagonal=True),
    "cholesky": lambda x: np.linalg.cholesky(hermitian(x)),
    "cholesky, upper": lambda x: np.linalg.cholesky(hermitian(x), upper=True),
    "eigvalsh": lambda x: np.linalg.eigvalsh(x),
    "eigvalsh, U": lambda x: np.linalg.eigvalsh(x, "U"),
    "eigh": by_vectors(np.linalg.eigh),
    "eigh, U": by_vectors(lambda x: np.linalg.eigh(x, UPLO="U")),
    "svd": polar,
    "svdvals": lambda x: np.linalg.svdvals(x),
    "qr": lambda x: np.linalg.qr(x).R @ np.linalg.qr(x).Q,
    "pinv": np.linalg.pinv,
    "pinv, rcond": lambda x: np.linalg.pinv(x, 1e-9),
    "cond": np.linalg.cond,
    "cond, 1": lambda x: np.linalg.cond(x, 1),
    "cond, -2": lambda x: np.linalg.cond(x, -2),
    "norm, nuc": lambda x: np.linalg.norm(x, "nuc", (-2, -1)),
    "norm, 2": lambda x: np.linalg.norm(x, 2, (-2, -1)),
    "matrix_power": lambda x: np.linalg.matrix_power(x, -2),
    "trace": np.linalg.trace,
    "diagonal": np.linalg.diagonal,
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [A, STACK, A[:1, :1]], ids=["matrix", "stack", "1 by 1"])
def test_derivatives_in_both_modes(name, x):
    f = FUNCTIONS[name]
    if x.shape == (1, 1) and "solve" in name:  # the right-hand sides have three rows
        return
    np.testing.assert_allclose(ft.vjp(f, x)[0], f(x), rtol=1e-12, atol=1e-14)
    check_grads(f, (x,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


COMPLEX = [
    name
    for name in FUNCTIONS
    if name not in ("norm, nuc", "norm, 2", "cond, 1", "solve_triangular, unit")
]


@pytest.mark.parametrize("name", COMPLEX)
def test_derivatives_of_complex_matrices(name):
    f = FUNCTIONS[name]
    np.testing.assert_allclose(ft.vjp(f, Z)[0], f(Z), rtol=1e-12, atol=1e-14)
    check_grads(f, (Z,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "f",
    [
        polar,
        np.linalg.svdvals,
        lambda x: np.linalg.svd(x, full_matrices=False).U ** 2,
        lambda x: np.linalg.svd(x, full_matrices=False).Vh ** 2,
        lambda x: np.linalg.qr(x).Q,
        lambda x: np.linalg.qr(x, "r"),
        np.linalg.pinv,
    ],
)
@pytest.mark.parametrize("x", [TALL, WIDE], ids=["tall", "wide"])
def test_rectangles(f, x):
    check_grads(f, (x,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("x", [Z[:, :2], Z[:2]], ids=["tall", "wide"])
def test_complex_rectangles(x):
    for f in (polar, np.linalg.svdvals, np.linalg.pinv, lambda x: np.linalg.qr(x).R):
        check_grads(f, (x,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


def test_real_factors():
    x = A
    for f in (
        lambda x: np.linalg.eigh(x).eigenvectors * WEIGHTS[:3, :3],
        lambda x: np.linalg.svd(x).U * WEIGHTS[:3, :3],
        lambda x: np.linalg.svd(x, hermitian=True).U ** 2,
        lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True),
    ):
        check_grads(f, (x,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
@pytest.mark.parametrize(
    "name", ["inv", "det", "logdet", "cholesky", "eigvalsh", "eigh", "svd", "qr"]
)
def test_empty_matrices(name, shape):
    f, x = FUNCTIONS[name], np.zeros(shape)
    assert np.shape(ft.vjp(f, x)[0]) == np.shape(f(x))
    assert ft.grad(lambda x: np.sum(f(x)))(x).shape == shape
    assert np.shape(ft.jvp(f, (x,), (x,))[1]) == np.shape(f(x))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.int64, bool])
@pytest.mark.parametrize("name", ["inv", "det", "logdet", "eigvalsh", "svdvals", "pinv", "cond"])
def test_dtypes(name, dtype):
    f, x = FUNCTIONS[name], np.eye(3, dtype=dtype)
    (variable,) = ft.make_ir(f)(x).outputs
    assert variable.type.dtype == f(x).dtype
    (result,) = ft.evaluate(ft.make_ir(f)(x), x)
    assert result.dtype == f(x).dtype
    np.testing.assert_allclose(result, f(x), rtol=1e-5)


@pytest.mark.parametrize("z", [A, Z], ids=["real", "complex"])
def test_hermitian_inverses_read_one_triangle(z):
    check_grads(
        lambda x: np.linalg.pinv(x, hermitian=True), (z,), order=2, modes=("fwd", "rev"),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    gradient = ft.grad(lambda x: np.sum(np.abs(np.linalg.pinv(x, hermitian=True))))(z)
    np.testing.assert_array_equal(gradient, np.tril(gradient))


@pytest.mark.parametrize("shape", [(2, 20_000), (20_000, 2)], ids=["wide", "tall"])
def test_rules_of_long_matrices_take_little_memory(shape):
    x = rng.normal(size=shape)
    for f in (
        np.linalg.pinv,
        np.linalg.svdvals,
        lambda x: np.linalg.svd(x, full_matrices=False).U,
        lambda x: np.linalg.qr(x).R,
    ):
        tracemalloc.start()
        ft.grad(lambda x, f=f: np.sum(f(x) ** 2))(x)
        ft.jvp(f, (x,), (x,))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20 * x.nbytes


def test_factors_of_matrices_without_full_rank():
    stack = np.stack([A, np.outer(A[0], A[1]), A.T])
    gradient = ft.grad(lambda x: np.sum(np.linalg.qr(x).R ** 2))(stack)
    np.testing.assert_allclose(gradient[[0, 2]], 2 * stack[[0, 2]])
    assert np.isnan(gradient[1]).all()
    first = ft.grad(lambda x: np.sum(np.linalg.qr(x).R[0] ** 2))(stack)
    np.testing.assert_array_equal(first[1], np.zeros((3, 3)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap(name):
    f = FUNCTIONS[name]
    expected = np.stack([f(x) for x in STACK])
    np.testing.assert_allclose(ft.vmap(f)(STACK), expected, rtol=1e-12, atol=1e-13)
    last = np.moveaxis(STACK, 0, -1)
    np.testing.assert_allclose(ft.vmap(f, -1)(last), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_and_its_gradient(name):
    f = FUNCTIONS[name]
    np.testing.assert_allclose(ft.jit(f)(A), f(A), rtol=1e-12)
    loss = lambda x: np.sum(f(x) ** 2)
    expected = ft.grad(loss)(A)
    np.testing.assert_allclose(ft.grad(ft.jit(loss))(A), expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.grad(loss))(A), expected, rtol=1e-9, atol=1e-10)


def test_singular_matrices_raise_as_in_numpy():
    def function(x):
        return np.sum(np.linalg.inv(x))  # here

    for transformed in (ft.grad(function), ft.jit(function), ft.grad(ft.jit(function))):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix") as caught:
            transformed(np.zeros((2, 2)))
        assert caught.value.__notes__
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix") as caught:
        ft.grad(function)(np.zeros((2, 2)))
    assert "test_factoring.py" in "".join(caught.value.__notes__)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        ft.grad(lambda x: np.sum(np.linalg.cholesky(x)))(-np.eye(2))


def test_wrong_shapes_and_options():
    for f in (np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.eigvalsh):
        for x in (np.ones(3), np.ones((2, 3))):
            with pytest.raises(ValueError, match=r"dimensional|square"):
                ft.make_ir(f)(x)
    with pytest.raises(ValueError, match="rows"):
        ft.make_ir(np.linalg.solve)(A, np.ones(4))
    with pytest.raises(TypeError, match="unsupported in linalg"):
        ft.make_ir(np.linalg.inv)(A.astype(np.float16))
    with pytest.raises(ValueError, match="UPLO"):
        ft.grad(lambda x: np.sum(np.linalg.eigvalsh(x, "X")))(A)
    with pytest.raises(TypeError, match="mode"):
        ft.grad(lambda x: np.sum(np.linalg.qr(x, "raw")[0]))(A)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: np.linalg.svd(x)[0], "full_matrices=False"),
        (lambda x: np.linalg.svd(x.mT)[2].mT, "full_matrices=False"),
        (lambda x: np.linalg.qr(x, "complete")[0], "reduced"),
    ],
)
def test_factors_without_derivative(f, words):
    with pytest.raises(MissingRuleError, match=words):
        ft.grad(lambda x: np.sum(f(x)))(TALL)
    np.testing.assert_allclose(ft.vjp(f, TALL)[0], f(TALL))
    tangent = ft.jvp(f, (TALL,), (TALL * B,))[1]
    assert np.all(np.isnan(tangent[:, 2:]))
    assert np.all(np.isnan(ft.jit(ft.grad(lambda x: np.sum(f(x) ** 3)))(TALL)))
    np.testing.assert_array_equal(ft.jvp(f, (TALL,), (0 * TALL,))[1], 0 * f(TALL))
    # The other columns have one, as those of the thin factors do.
    check_grads(lambda x: f(x)[:, :2] ** 2, (TALL,), order=2)


def exponential_of_parts(x):
    u, s, vh = np.linalg.svd(x)
    return (u[:, : len(s)] * np.exp(s)) @ vh[: len(s)]


def test_the_other_complete_factors():
    for f in (
        lambda x: np.linalg.svd(x)[1],
        lambda x: np.linalg.qr(x, "complete").R,
        exponential_of_parts,
    ):
        for x in (TALL, WIDE, A, np.stack([TALL, 2 * TALL])):
            if x.ndim == 2:
                check_grads(f, (x,), order=2)
        np.testing.assert_allclose(
            ft.vmap(ft.jacrev(f))(np.stack([TALL, 2 * TALL]))[1], ft.jacfwd(f)(2 * TALL), atol=1e-12
        )


def test_rank_is_locally_constant():
    def function(x):
        rank = np.linalg.matrix_rank(x)
        return np.sum(x) * (2.0 if rank == 3 else 1.0)

    np.testing.assert_array_equal(ft.grad(function)(A), 2 * np.ones((3, 3)))
    np.testing.assert_array_equal(ft.vmap(np.linalg.matrix_rank)(STACK), [3, 3, 3])
    assert ft.vmap(np.linalg.matrix_rank)(np.eye(2)).tolist() == [1, 1]
    assert ft.jit(lambda x: np.linalg.matrix_rank(x, tol=9.0))(A) == 0
    assert ft.jit(np.linalg.matrix_rank)(np.zeros(3)) == 0
    assert ft.jit(lambda x: np.linalg.matrix_rank(x, rtol=0.9))(A) == 1
