"""Integrals with derivatives, by any method."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.ir.types import ArrayType
from functrace.solvers.functions import DOUBLE, recorded
from functrace.solvers.quadrature import Integrand, integral

NUMBER = ArrayType((), DOUBLE)


class Gauss:
    """Gauss' rule of 20 points."""

    def integrate(self, f, low, high, constants):
        points, weights = np.polynomial.legendre.leggauss(20)
        at = low + (points + 1) / 2 * (high - low)
        values = ft.vmap(lambda x: f(x, *constants))(at)
        return np.sum(weights * values) * (high - low) / 2


def test_derivatives_to_the_second_order():
    program = recorded(lambda x, a, n: np.exp(-a[0] * x) * a[1] * n, NUMBER,
                       ArrayType((2,), DOUBLE), ArrayType((), np.dtype(np.int64)))  # fmt: skip
    f = Integrand(program)
    assert f.varied == [True, False]
    ours = lambda low, high, a: integral(Gauss(), f, low, high, a, np.int64(3))
    theirs = lambda low, high, a: 3 * a[1] * (np.exp(-a[0] * low) - np.exp(-a[0] * high)) / a[0]
    at, numbers = (0.2, 1.1, np.array([0.7, 2.0])), (0, 1, 2)
    for transform in (ft.grad, ft.jacfwd, ft.hessian, lambda f, n: ft.jacrev(ft.grad(f, n), n)):
        found = ft.tree.leaves(transform(ours, numbers)(*at))
        expected = ft.tree.leaves(transform(theirs, numbers)(*at))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_infinite_limits_do_not_move():
    f = Integrand(recorded(lambda x: 1 / (1 + x * x), NUMBER))

    class Arctangent:
        def integrate(self, f, low, high, constants):
            return np.arctan(high) - np.arctan(low)

    ours = lambda low, high: integral(Arctangent(), f, low, high)
    assert ft.grad(ours, (0, 1))(1.0, np.inf) == (-0.5, 0.0)
