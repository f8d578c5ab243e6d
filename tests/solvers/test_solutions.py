"""Solutions that a solver found, and linear systems for their derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.solvers import solutions
from functrace.solvers.solutions import by_matrix, elementwise, solution, symmetric, warn_of_failure

M = np.array([[3.0, 1.0], [1.0, 2.0]])
Y = np.array([1.0, -2.0])


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit])
def test_a_solution_is_differentiated_by_what_it_solves(transform):
    calls = []

    def found(a):
        def host(guess, a):
            calls.append(guess)
            return [np.sqrt(a) + 0 * guess, 7]

        count = ft.make_ir(lambda: np.int64(0))().outputs[0].type
        x, said = solution(lambda x: x**2 - a, host, np.ones(2), [a], [count])
        return x, said[0]

    a = np.array([4.0, 9.0])
    x, said = transform(found)(a)
    np.testing.assert_array_equal(x, [2, 3])
    assert said == 7
    jacobian = transform(ft.jacrev(lambda a: found(a)[0]))(a)
    np.testing.assert_allclose(jacobian, np.diag([1 / 4, 1 / 6]))
    second = transform(ft.jacfwd(ft.jacrev(lambda a: found(a)[0])))(a)
    np.testing.assert_allclose(second[0, 0, 0], -1 / 32)
    assert all(type(guess) is np.ndarray for guess in calls)


def test_linear_systems():
    np.testing.assert_allclose(by_matrix(lambda x: M @ x, Y), np.linalg.solve(M, Y))
    np.testing.assert_allclose(elementwise(lambda x: 2 * x, Y), Y / 2)


def test_large_symmetric_systems_are_solved_by_conjugate_gradients(monkeypatch):
    monkeypatch.setattr(solutions, "LARGEST_DENSE_SYSTEM", 1)
    solve = lambda m, y: symmetric(lambda x: m @ x, y)
    np.testing.assert_allclose(solve(M, Y), np.linalg.solve(M, Y), rtol=1e-9)
    np.testing.assert_allclose(ft.jacrev(solve, argnums=1)(M, Y), np.linalg.inv(M), rtol=1e-9)
    np.testing.assert_array_equal(solve(M, np.zeros(2)), np.zeros(2))


def test_failures_are_warned_of():
    with pytest.warns(ft.errors.ConvergenceWarning, match=r"root did not converge: slow\. Deriv"):
        warn_of_failure("root", "slow.")
