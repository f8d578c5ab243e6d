"""Eigenvalues and eigenvectors of general matrices: derivatives, and where there are none."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads

rng = np.random.default_rng(3)
REAL = rng.normal(size=(4, 4))  # two real eigenvalues, and a complex pair
ORDERED = rng.normal(size=(3, 3)) / 5 + np.diag([1.0, 2.0, 4.0])  # all real
COMPLEX = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
STACK = np.stack([ORDERED, ORDERED.T + 0.1, 2 * ORDERED])


def parts(x):
    return np.stack([np.real(x), np.imag(x)])


@pytest.mark.parametrize(
    "a",
    [REAL, ORDERED, COMPLEX, STACK, REAL[:1, :1]],
    ids=["pair", "real", "complex", "stack", "1"],
)
@pytest.mark.parametrize("number", [0, 1])
def test_derivatives_are_those_of_what_numpy_computes(a, number):
    f = lambda a: parts(np.linalg.eig(a)[number])
    np.testing.assert_array_equal(ft.vjp(f, a)[0], f(a))
    check_grads(f, (a,), order=2)
    expected = ft.jacrev(f)(a)
    np.testing.assert_allclose(ft.jit(ft.jacrev(f))(a), expected, rtol=1e-9, atol=1e-9)


def test_single_precision():
    f = lambda a: parts(np.linalg.eig(a)[1])
    found = ft.jacrev(f)(REAL.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ft.jacrev(f)(REAL), rtol=1e-3, atol=1e-3)


def test_a_holomorphic_derivative():
    a = COMPLEX
    found = ft.jacrev(lambda a: np.linalg.eigvals(a)[0], holomorphic=True)(a)
    _, vectors = np.linalg.eig(a)
    expected = np.outer(np.linalg.inv(vectors)[0], vectors[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "a",
    [
        np.eye(3),
        np.zeros((2, 2)),
        np.array([[1.0, 1.0], [0.0, 1.0]]),
        np.array([[0.0, 1.0], [0.0, 0.0]]),
        np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]]),
    ],
    ids=["identity", "zero", "defective", "nilpotent", "defective of order 3"],
)
def test_equal_eigenvalues_have_no_derivative(a):
    turn = np.linalg.qr(rng.normal(size=a.shape)).Q
    for matrix in (a, turn @ a @ turn.T):
        for f in (np.linalg.eigvals, lambda a: np.linalg.eig(a)[1]):
            g = lambda a, f=f: np.real(f(a))
            assert np.all(np.isnan(ft.jvp(g, (matrix,), (turn,))[1]))
            assert np.all(np.isnan(ft.jit(ft.jacrev(g))(matrix)))
            bent = ft.grad(lambda a, g=g: np.sum(ft.grad(lambda a: np.sum(g(a) * turn[0]))(a)))
            assert np.all(np.isnan(bent(matrix)))


def test_what_is_simple_beside_equal_ones_has_a_derivative():
    a = np.diag([1.0, 1.0, 3.0])
    largest = lambda a: np.max(np.real(np.linalg.eigvals(a)))
    np.testing.assert_allclose(ft.grad(largest)(a), np.diag([0.0, 0.0, 1.0]), atol=1e-14)
    check_grads(largest, (a + 0,), order=1)
    a[0, 1] = 1  # defective
    np.testing.assert_allclose(ft.grad(largest)(a)[2, 2], 1)


def test_a_stack_keeps_what_is_right_beside_what_is_not():
    stack = np.stack([np.eye(3), ORDERED])
    found = ft.grad(lambda a: np.sum(np.real(np.linalg.eigvals(a)) ** 2))(stack)
    assert np.all(np.isnan(found[0]))
    np.testing.assert_allclose(found[1], 2 * ORDERED.T, rtol=1e-12)  # of the trace of the square


def test_the_same_for_each_example():
    f = lambda a: np.sum(np.real(np.linalg.eig(a)[1]) ** 2) + np.sum(np.linalg.eigvals(a).real ** 3)
    np.testing.assert_allclose(
        ft.vmap(ft.grad(f))(STACK), np.stack([ft.grad(f)(a) for a in STACK]), rtol=1e-9, atol=1e-9
    )
