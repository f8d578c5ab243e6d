"""Derivatives by differences are accurate, at every scale and for every kind of number."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError
from functrace.testing import complex_step, numerical_gradient, numerical_jvp


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_numerical_jvp_is_accurate_at_every_scale(scale):
    x = scale * np.array([0.3, 1.0, -2.0])
    t = np.array([1.0, -0.5, 2.0])
    found = numerical_jvp(lambda x: (x / scale) ** 3, (x,), (t,))
    np.testing.assert_allclose(found, 3 * (x / scale) ** 2 * t / scale, rtol=1e-9)


def test_numerical_jvp_has_a_step_for_each_leaf():
    f = lambda tree: np.sin(tree["small"]) + np.sqrt(tree["large"])
    at = {"small": 0.1, "large": 1e12}
    found = numerical_jvp(f, (at,), ({"small": 1.0, "large": 1e12},))
    np.testing.assert_allclose(found, np.cos(0.1) + 0.5e6, rtol=1e-9)


def test_numerical_jvp_measures_in_double_precision():
    x = np.float32([0.5, 1.5])
    found = numerical_jvp(np.exp, (x,), (np.float32([1, 1]),))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.exp(x.astype(float)), rtol=1e-10)


def test_numerical_jvp_of_single_precision_inside():
    found = numerical_jvp(lambda x: np.sin(x.astype(np.float32)), (np.ones(2),), (np.ones(2),))
    np.testing.assert_allclose(found, np.cos([1, 1]), rtol=1e-3)


def test_numerical_jvp_of_trees_with_integers():
    found = numerical_jvp(
        lambda x, n: {"power": x**n, "count": n}, (np.array(2.0), 3), (np.array(1.0), None)
    )
    assert found["power"] == pytest.approx(12)
    assert found["count"] is None


def test_numerical_jvp_of_complex_numbers_is_real_linear():
    z, t = 1 + 2j, 0.5 - 1j
    assert numerical_jvp(np.conj, (z,), (t,)) == pytest.approx(np.conj(t))
    assert numerical_jvp(np.exp, (z,), (t,)) == pytest.approx(np.exp(z) * t)


def test_numerical_gradient_is_grad():
    def f(tree, y):
        return np.sum(tree["w"] ** 2 * y) + abs(tree["z"]) ** 2

    tree = {"w": np.array([[1.0, 2.0]]), "z": 1 + 2j, "n": 3}
    y = np.array([0.5, 3.0])
    found = numerical_gradient(f, tree, y, argnums=(0, 1))
    expected = ft.grad(f, (0, 1), allow_int=True)(tree, y)
    assert found[0]["n"] is expected[0]["n"] is None
    np.testing.assert_allclose(found[0]["w"], expected[0]["w"])
    np.testing.assert_allclose(found[0]["z"], expected[0]["z"])
    np.testing.assert_allclose(found[1], expected[1])
    last = numerical_gradient(f, tree, y, argnums=-1)
    np.testing.assert_allclose(last, expected[1])


def test_complex_step_is_exact():
    x, t = np.array([0.3, 2.0]), np.array([1.0, -2.0])
    f = lambda tree: np.exp(tree["x"]) / tree["x"]
    found = complex_step(f, ({"x": x},), ({"x": t},))
    np.testing.assert_allclose(found, t * np.exp(x) * (x - 1) / x**2, rtol=1e-14)


def test_complex_step_refuses_what_it_cannot_do():
    with pytest.raises(ArgumentError, match="real arguments"):
        complex_step(np.exp, (1j,), (1.0,))
    with pytest.raises(ArgumentError, match="output of the function is real"):
        complex_step(np.abs, (1.0,), (1.0,))
