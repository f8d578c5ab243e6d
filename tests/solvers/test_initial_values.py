"""Derivatives of solutions of initial value problems: closed forms, to the second order."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.ir.types import ArrayType
from functrace.solvers.functions import DOUBLE, recorded
from functrace.solvers.hosted import Hosted
from functrace.solvers.initial_values import Dynamics, states
from functrace.solvers.runge_kutta import RK45, Method, Tolerances

NUMBER = ArrayType((), DOUBLE)
TS = np.array([0.2, 0.2, 0.9, 1.6])
METHODS = {
    "recorded": Method(RK45, Tolerances(1e-9, 1e-9), 1),
    "hosted": Hosted("LSODA", {"rtol": 1e-9, "atol": 1e-9}, 1),
}


def growth():
    """The equation ``dy/dt = a y + t``, and its solution."""
    program = recorded(lambda t, y, a, n: a * y + t * n, NUMBER, ArrayType((1,), DOUBLE),
                       NUMBER, ArrayType((), np.dtype(np.int64)))  # fmt: skip

    def exact(y0, ts, a):
        begin = ts[0]
        particular = lambda t: -(t / a + 1 / a**2)
        moved = (y0[0] - particular(begin)) * np.exp(a * (ts - begin))
        return (moved + particular(ts))[:, None]

    return Dynamics(program), exact


@pytest.mark.parametrize("name", [pytest.param("recorded", marks=pytest.mark.slow), "hosted"])
def test_derivatives_of_first_and_second_order(name):
    f, exact = growth()
    method = METHODS[name]
    weights = np.array([0.3, 0.5, -1.0, 2.0])[:, None]
    ours = lambda y0, ts, a: np.sum(weights * states(method, f, y0, ts, a, np.int64(1)))
    theirs = lambda y0, ts, a: np.sum(weights * exact(y0, ts, a))
    at = (np.array([1.5]), TS, 0.8)
    assert ours(*at) == pytest.approx(theirs(*at), rel=1e-7)
    numbers = (0, 1, 2)
    expected = ft.grad(theirs, numbers)(*at)
    for a, b in zip(ft.grad(ours, numbers)(*at), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    direction = (np.array([0.4]), np.array([0.3, -0.2, 0.5, 0.1]), 0.7)
    along = lambda found: sum(np.sum(a * b) for a, b in zip(found, direction, strict=True))
    assert ft.jvp(ours, at, direction)[1] == pytest.approx(along(expected), abs=1e-6)
    expected = ft.jvp(ft.grad(theirs, numbers), at, direction)[1]
    for second in (
        ft.jvp(ft.grad(ours, numbers), at, direction)[1],
        ft.grad(lambda *at: along(ft.grad(ours, numbers)(*at)), numbers)(*at),
    ):
        for a, b in zip(second, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_derived_equations_are_made_once():
    f, _ = growth()
    assert f.sensitive().program is f.sensitive().program
    assert f.adjoint().count == 3
    np.testing.assert_allclose(
        f.adjoint()(2.0, np.array([3.0, 5.0, 0.0]), 0.8, np.int64(1)), [4.4, -4.0, -15.0]
    )
