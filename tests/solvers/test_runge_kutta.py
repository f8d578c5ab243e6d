"""Explicit methods: SciPy's steps, by numbers and by vectors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate

import functrace as ft
from functrace.solvers import runge_kutta
from functrace.solvers.runge_kutta import RK23, RK45, Tolerances, solve


def f(t, y):
    return np.stack([y[1], -4 * np.sin(y[0]) + np.cos(t)])


@pytest.mark.parametrize("few", [0, 12])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("name", "method"), [("RK45", RK45), ("RK23", RK23)])
def test_steps_are_scipys(name, method, backwards, few, monkeypatch):
    monkeypatch.setattr(runge_kutta, "FEW", few)
    ts = np.array([0.0, 0.3, 0.31, 2.0])[:: -1 if backwards else 1]
    theirs = scipy.integrate.solve_ivp(
        f, (ts[0], ts[-1]), [1.0, 0.2], name, ts, rtol=1e-5, atol=1e-7, max_step=0.4
    )
    tolerances = Tolerances(1e-5, 1e-7, 0.4)
    y0 = np.array([1.0, 0.2])
    found = solve(f, y0, ts, method, tolerances)
    np.testing.assert_allclose(found, theirs.y.T, rtol=1e-10)
    fast = ft.jit(lambda y, ts: solve(f, y, ts, method, tolerances))
    np.testing.assert_allclose(fast(y0, ts), theirs.y.T, rtol=1e-10)
    # To the end alone, and with a first step and tolerances for each number.
    ends = solve(f, y0, ts[[0, 3]], method, tolerances)
    np.testing.assert_allclose(ends[1], theirs.y[:, -1], rtol=1e-10)
    each = np.array([1e-7, 1e-6])
    theirs = scipy.integrate.solve_ivp(
        f, (ts[0], ts[-1]), y0, name, rtol=1e-5, atol=each, first_step=0.1
    )
    found = solve(f, y0, ts[[0, 3]], method, Tolerances(1e-5, each, np.inf, 0.1))
    np.testing.assert_allclose(found[1], theirs.y[:, -1], rtol=1e-10)


def test_nothing_to_do():
    y0 = np.ones(2)
    np.testing.assert_array_equal(solve(f, y0, np.zeros(1), RK45, Tolerances()), [y0])
    np.testing.assert_array_equal(solve(f, y0, np.zeros(3), RK45, Tolerances()), [y0] * 3)
    assert solve(lambda t, y: y, np.zeros(0), np.zeros(2), RK45, Tolerances()).shape == (2, 0)


def test_where_there_is_no_step_the_solution_is_nan():
    with np.errstate(all="ignore"):
        found = solve(lambda t, y: y**2, np.ones(1), np.array([0.0, 0.5, 2.0]), RK45, Tolerances())
    assert found[1, 0] == pytest.approx(2.0, rel=1e-2)
    assert np.isnan(found[2, 0])
