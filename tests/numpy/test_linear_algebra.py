"""numpy.linalg on traced matrices has NumPy's signatures and results."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, UnknownValueError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy

A = np.array([[4.0, 1.0, 0.5], [0.5, 3.0, -1.0], [1.0, -0.5, 2.0]])


@pytest.mark.parametrize(
    ("f", "fields"),
    [
        (np.linalg.eigh, ("eigenvalues", "eigenvectors")),
        (np.linalg.svd, ("U", "S", "Vh")),
        (lambda x: np.linalg.svd(x, hermitian=True), ("U", "S", "Vh")),
        (np.linalg.qr, ("Q", "R")),
        (lambda x: np.linalg.qr(x, mode="complete"), ("Q", "R")),
        (np.linalg.slogdet, ("sign", "logabsdet")),
    ],
)
def test_named_results(f, fields):
    expected = f(A)
    result, _ = ft.vjp(f, A)
    assert type(result) is type(expected)
    for field in fields:
        np.testing.assert_allclose(getattr(result, field), getattr(expected, field), atol=1e-14)


def test_a_matrix_of_right_hand_sides_and_stacks():
    stack = np.stack([A, 2 * A])
    for a, b in (
        (A, A[0]),
        (A, A[:, :2]),
        (stack, A[0]),
        (stack, A),
        (A, stack),
        (stack, stack[:, :, :1]),
        (stack[:, None], stack),
    ):
        expected = np.linalg.solve(a, b)
        np.testing.assert_allclose(ft.vjp(np.linalg.solve, a, b)[0], expected, rtol=1e-13)
        (variable,) = ft.make_ir(np.linalg.solve)(a, b).outputs
        assert variable.type.shape == expected.shape
        check_grads(np.linalg.solve, (a, b), order=1, modes=("fwd", "rev"))


def test_tensors():
    a, b = np.kron(A, np.eye(2)).reshape(2, 3, 6) + 0.1, A[:2]
    for f, args in (
        (np.linalg.tensorsolve, (a, b)),
        (lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), (a, A[:3, :2].reshape(3, 2) * 0 + 1)),
        (lambda a: np.linalg.tensorinv(a, ind=2), (a,)),
    ):
        try:
            expected = f(*args)
        except ValueError:
            with pytest.raises(ValueError, match=r"."):
                ft.vjp(f, *args)
            continue
        np.testing.assert_allclose(ft.vjp(f, *args)[0], expected, rtol=1e-12)
        check_grads(f, args, order=1, modes=("fwd", "rev"))


def test_lists_and_outer_products():
    t = np.array(2.0)
    found = ft.grad(lambda t: np.sum(np.linalg.solve([[2.0, 0.0], [0.0, 4.0]], t * np.ones(2))))(t)
    assert found == 0.75


def test_the_upper_factor():
    s = A @ A.T
    s[0, 2] += 1  # the triangles differ: each call reads its own
    for upper in (False, True):
        f = lambda x, upper=upper: np.linalg.cholesky(x, upper=upper)
        np.testing.assert_allclose(ft.vjp(f, s)[0], f(s), rtol=1e-13)
        check_grads(f, (s,), order=2, modes=("fwd", "rev"), atol=1e-5)


def test_real_eigenvalues_are_real_where_they_are_known():
    turning = np.array([[0.0, 1.0], [-1.0, 0.0]])
    for f in (np.linalg.eigvals, lambda a: np.linalg.eig(a).eigenvectors):
        for a in (A, turning, A.astype(np.float32), A + 0j):
            assert ft.vjp(f, a)[0].dtype == f(a).dtype
            assert ft.jit(f)(a).dtype == np.result_type(f(a).dtype, np.complex64)


def test_what_lapack_works_with_is_refused():
    with pytest.raises(ArgumentError, match="raw"):
        ft.vjp(lambda a: np.linalg.qr(a, "raw"), A)
    with pytest.raises(ValueError, match="Unrecognized mode"):
        ft.vjp(lambda a: np.linalg.qr(a, "other"), A)


def test_matrices_that_do_not_fit_are_errors_of_linear_algebra():
    for f in (np.linalg.inv, np.linalg.eig, np.linalg.cholesky, np.linalg.det, np.linalg.eigvalsh):
        for shape in ((3,), (2, 3)):
            for way in (ft.jit, ft.jacfwd, ft.jacrev):
                with pytest.raises(np.linalg.LinAlgError):
                    way(f)(np.ones(shape))


def test_cond_of_singular_matrices_is_infinite():
    x = np.array([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 1.0], [1.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]])
    for p in (1, -1, np.inf, -np.inf, "fro", -2):
        assert_like_numpy(lambda x, p=p: np.linalg.cond(x, p), x)
        assert_like_numpy(lambda x, p=p: np.linalg.cond(x, p), x[0])
    assert_like_numpy(
        lambda x: np.linalg.cond(x, 1), x[1] * 1e-200
    )  # of determinant 0, but regular
    check_grads(lambda x: np.linalg.cond(x, 1), (x[1],), order=1)
    with pytest.raises(np.linalg.LinAlgError):
        ft.jit(np.linalg.cond)(np.zeros((0, 2)))


def test_a_tolerance_for_each_matrix():
    stack = np.stack([A, A])
    tolerances = np.array([1e-9, 0.5])
    for f in (
        lambda x: np.linalg.pinv(x, tolerances),
        lambda x: np.linalg.pinv(x, rtol=tolerances),
        lambda x: np.linalg.matrix_rank(x, tolerances),
        lambda x: np.linalg.matrix_rank(x, rtol=tolerances),
    ):
        assert_like_numpy(f, stack)
        np.testing.assert_allclose(ft.vmap(f)(stack[None])[0], f(stack), rtol=1e-12)
    check_grads(lambda x: np.linalg.pinv(x, tolerances), (stack,), order=1)
    with pytest.raises(UnknownValueError, match="tolerance"):
        ft.jit(np.linalg.pinv)(A, 1e-9)


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize(
    "x", [A, A[:, :2], A[:2], A + 1j * A.T], ids=["square", "tall", "wide", "complex"]
)
def test_a_pseudo_inverse_that_leaves_out_what_is_not_zero(x, hermitian):
    if hermitian:
        x = x @ np.conj(x.T)
    sizes = np.linalg.svdvals(x)
    tolerance = (sizes[-1] + sizes[-2]) / 2 / sizes[0]
    f = lambda x: np.linalg.pinv(x, tolerance, hermitian)
    assert_like_numpy(f, x)
    check_grads(f, (x,), order=2)


def test_a_chain_of_matrices_is_multiplied_in_the_cheapest_order():
    shapes = [(3, 40), (40, 2), (2, 30), (30, 4)]
    chain = [np.random.default_rng(n).normal(size=shape) for n, shape in enumerate(shapes)]
    assert_like_numpy(lambda *xs: np.linalg.multi_dot(xs), *chain)
    program = ft.make_ir(lambda *xs: np.linalg.multi_dot(xs))(*chain)
    between = [e.outputs[0].type.shape for e in program.equations][:-1]
    assert sorted(between) == [(2, 4), (3, 2)]
    rows = (chain[0][0], chain[1], chain[2], chain[3][:, 0])
    for xs in (rows, (rows[0], *chain[1:]), (*chain[:3], rows[-1]), chain[:2], chain[:3]):
        assert_like_numpy(lambda *xs: np.linalg.multi_dot(xs), *xs)
        check_grads(lambda *xs: np.linalg.multi_dot(xs), tuple(xs), order=1)
    assert ft.grad(lambda t: ft.numpy.linalg.multi_dot([[t, 1.0], np.eye(2), [1.0, t]]))(2.0) == 2
    for wrong in ([A], [A, A[None], A], [A, A[:2], A]):
        with pytest.raises(ValueError, match=r"."):
            np.linalg.multi_dot(wrong)
        with pytest.raises(ValueError, match=r"."):
            ft.vjp(lambda *xs: np.linalg.multi_dot(xs), *wrong)
