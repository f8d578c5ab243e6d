"""SciPy's methods, called on values."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.ir.types import ArrayType
from functrace.solvers.functions import DOUBLE, recorded
from functrace.solvers.hosted import Hosted
from functrace.solvers.initial_values import Dynamics

F = Dynamics(recorded(lambda t, y: -y, ArrayType((), DOUBLE), ArrayType((2,), DOUBLE)))
Y0 = np.array([1.0, 2.0])


@pytest.mark.parametrize("name", ["RK45", "LSODA", "odeint"])
def test_times_may_fall_and_be_the_same(name):
    method = Hosted(name, {"rtol": 1e-9, "atol": 1e-9}, 2)
    for ts in (np.array([0.0, 0.0, 1.0, 1.0, 2.0]), np.array([1.0, 0.5, -0.5])):
        found = method.solve(F, Y0, ts, ())
        np.testing.assert_allclose(found, np.exp(ts[0] - ts)[:, None] * Y0, rtol=1e-7)
        pulled = method.pull(F, Y0, ts, found, np.ones_like(found), ())
        np.testing.assert_allclose(pulled, np.sum(np.exp(ts[0] - ts)) * np.ones(2), rtol=1e-7)


def test_times_must_have_an_order():
    with pytest.raises(ft.errors.ArgumentError, match="must rise, or fall"):
        Hosted("RK45", {}, 2).solve(F, Y0, np.array([0.0, 2.0, 1.0, 3.0]), ())


def test_tolerances_for_each_number_are_widened():
    method = Hosted("RK45", {"atol": np.array([1e-3, 1e-5])}, 2)
    np.testing.assert_array_equal(
        method.widened(4, method.options)["atol"], [1e-3, 1e-5, 1e-5, 1e-5]
    )
    assert method.widened(2, {"rtol": 1e-3, "atol": None}) == {"rtol": 1e-3, "atol": None}


def test_what_is_recorded():
    assert Hosted("RK45", {}, 2).recorded(Y0) is None
    seen = []
    ft.jit(lambda y: seen.append(Hosted("RK23", {"rtol": 0.0}, 2).recorded(y)) or y)(Y0)
    ft.jit(lambda y: seen.append(Hosted("BDF", {}, 2).recorded(y)) or y)(Y0)
    assert seen[0].tableau.order == 2
    assert seen[0].tolerances.rtol > 0
    assert seen[1] is None
