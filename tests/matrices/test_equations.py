"""Derivatives of the solutions of matrix equations, by the equations that they solve."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.matrices.equations import discrete_lyapunov, sylvester
from functrace.tracing.tracer import bind

rng = np.random.default_rng(11)
A, B = rng.normal(size=(4, 4)) + 3 * np.eye(4), rng.normal(size=(3, 3)) + 3 * np.eye(3)
Q = rng.normal(size=(4, 3))


def test_a_tangent_solves_the_differentiated_equation():
    x = bind(sylvester, A, B, Q)
    da, db, dq = rng.normal(size=A.shape), rng.normal(size=B.shape), rng.normal(size=Q.shape)
    dx = ft.jvp(lambda a, b, q: bind(sylvester, a, b, q), (A, B, Q), (da, db, dq))[1]
    np.testing.assert_allclose(A @ dx + dx @ B, dq - da @ x - x @ db, atol=1e-12)


def test_complex_numbers_on_the_right_of_real_matrices_with_complex_eigenvalues():
    turning = np.array([[1.0, 2], [-2, 1]])
    q = np.array([[1 + 1j, 2], [3j, 4]])
    x = bind(sylvester, turning, turning, q)
    np.testing.assert_allclose(turning @ x + x @ turning, q, atol=1e-13)


@pytest.mark.parametrize("by_transform", [False, True])
def test_both_ways_to_solve_a_discrete_equation_agree(by_transform):
    a, q = A / 8 + 0.1j, np.eye(4) + 0.5j
    x = discrete_lyapunov(a, q, by_transform)
    np.testing.assert_allclose(a @ x @ np.conj(a.T) - x + q, 0, atol=1e-12)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        bind(sylvester, A, B, Q.T)
