"""Determinants, of singular matrices too."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads

rng = np.random.default_rng(0)
A = rng.uniform(-1, 1, (3, 3)) + 3 * np.diag([1.0, 1.5, 2.0])
STACK = np.stack([A, A.T + 0.3, 2 * A])
Z = A + 1j * rng.uniform(-1, 1, (3, 3))
WEIGHTS = rng.uniform(0.5, 1, (4, 4))


@pytest.mark.parametrize("singular", [1, 2, 3])
def test_the_determinant_of_singular_matrices(singular):
    x = np.diag([2.0, 3.0, 5.0, 7.0])
    x[range(singular), range(singular)] = 0
    turn = np.linalg.qr(WEIGHTS).Q
    for a in (x, x + 0 * turn, np.outer(WEIGHTS[0], WEIGHTS[1])):
        check_grads(np.linalg.det, (a,), order=2, modes=("fwd", "rev"), atol=1e-5)
    near = np.arange(9.0).reshape(3, 3)  # rounding makes its determinant anything but 0
    gradient = ft.grad(np.linalg.det)(near)
    np.testing.assert_allclose(gradient, [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]], atol=1e-12)


def test_the_determinant_to_third_order():
    third = ft.grad(ft.grad(ft.grad(lambda t: np.linalg.det(np.eye(3) * t))))(2.0)
    np.testing.assert_allclose(third, 6.0)


def test_a_singular_matrix_keeps_its_derivative_to_itself():
    stack = np.stack([A, np.diag([1.0, 2.0, 0.0]), A.T])
    size = lambda x: np.linalg.slogdet(x)[1]
    gradients = [
        ft.grad(lambda x: np.sum(size(x)))(stack),
        ft.vmap(ft.grad(size))(stack),
        ft.jit(ft.grad(lambda x: np.sum(size(x))))(stack),
    ]
    for gradient in gradients:
        np.testing.assert_allclose(gradient[[0, 2]], np.linalg.inv(stack[[0, 2]]).mT)
        assert gradient[1, 2, 2] == np.inf
    tangent = ft.jvp(size, (stack,), (stack,))[1]
    np.testing.assert_allclose(tangent[[0, 2]], 3.0)
    masked = ft.grad(lambda x: np.sum(np.where(np.isinf(size(x)), 0.0, size(x))))(stack)
    np.testing.assert_array_equal(masked[1], np.zeros((3, 3)))
    assert ft.grad(size)(np.zeros((1, 1))) == np.inf


@pytest.mark.parametrize("f", [np.linalg.det, lambda x: np.linalg.slogdet(x)[1]])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_only_the_matrix_of_a_stack_that_is_not_finite_is_nan(f, bad):
    stack = np.stack([A, np.full_like(A, bad), np.diag([0.0] + [1.0] * (len(A) - 1)), 2 * A])
    with np.errstate(all="ignore"):
        for loss in (lambda x: np.sum(f(x)), lambda x: np.sum(ft.vmap(f)(x))):
            gradient, tangent = ft.grad(loss)(stack), ft.jvp(f, (stack,), (stack,))[1]
            assert np.isnan(gradient[1]).all()
            assert np.isnan(tangent[1])
            for i in (0, 3):
                np.testing.assert_allclose(gradient[i], ft.grad(f)(stack[i]), rtol=1e-10)
                own = ft.jvp(f, (stack[i],), (stack[i],))[1]
                np.testing.assert_allclose(tangent[i], own, rtol=1e-10)
        hessians = ft.vmap(ft.hessian(f))(stack)
        np.testing.assert_allclose(hessians[3], ft.hessian(f)(stack[3]), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("distance", [0.0, 1e-17, 1e-9, 1e-3])
@pytest.mark.parametrize("is_complex", [True, False])
def test_second_derivatives_close_to_singular_matrices(size, distance, is_complex):
    x = rng.normal(size=(size, size))
    x = x + 1j * rng.normal(size=(size, size)) if is_complex else x
    x[:, 0] = x[:, 1] * (1 + distance)
    # The determinant is linear in each of two elements, so that differences are exact.
    hessian = ft.jacfwd(ft.jacrev(np.linalg.det, holomorphic=is_complex), holomorphic=is_complex)(x)
    expected = np.zeros_like(hessian)
    for i, j, k, m in np.ndindex(hessian.shape):
        if i != k and j != m:
            rest = np.delete(np.delete(x, (i, k), 0), (j, m), 1)
            sign = (-1.0) ** (i + j + k + m) * np.sign((k - i) * (m - j))
            expected[i, j, k, m] = sign * np.linalg.det(rest)
    np.testing.assert_allclose(hessian, expected, rtol=1e-8, atol=1e-8)
