"""Which limits hold an optimum, and what is zero there."""

from __future__ import annotations

import numpy as np

from functrace.ir.types import ArrayType
from functrace.solvers.functions import DOUBLE, Function
from functrace.solvers.optima import Limits, multipliers

INFINITE = (np.full(3, -np.inf), np.full(3, np.inf))


def test_without_limits_the_residual_is_the_gradient():
    gradient = lambda x: 2 * x
    np.testing.assert_array_equal(Limits().residual(gradient)(np.ones(3)), np.full(3, 2.0))
    np.testing.assert_array_equal(Limits(INFINITE).residual(gradient)(np.ones(3)), np.full(3, 2.0))


def test_active_bounds_are_equations():
    # Pushed down at the lower bound, pushed up at the upper bound, free near the lower one.
    gradient = lambda x: np.array([1.0, -1.0, 1e-9])
    bounds = np.zeros(3), np.array([5.0, 2.0, 5.0])
    x = np.array([1e-12, 2.0, 1e-3])
    np.testing.assert_array_equal(Limits(bounds).residual(gradient)(x), [1e-12, 0.0, 1e-9])


def test_multipliers_at_an_optimum_make_the_residual_zero():
    # The nearest point to (1, 2, 3) with sum 3 and a third value that is not in the way.
    goal = np.array([1.0, 2.0, 3.0])
    constrained = Function(lambda x: np.stack([np.sum(x), x[0] + 9.0]), ArrayType((3,), DOUBLE))
    ends = np.array([3.0, 0.0]), np.array([3.0, np.inf])
    x = goal - 1.0
    gradient = lambda x: 2 * (x - goal)
    jacobian = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    m = multipliers(x, gradient(x), None, (constrained(x), jacobian), ends)
    np.testing.assert_allclose(m, [-2.0, 0.0])
    residual = Limits(None, constrained, ends).residual(gradient)
    np.testing.assert_allclose(residual(np.concatenate([x, m])), np.zeros(5), atol=1e-12)
