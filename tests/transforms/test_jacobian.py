"""Jacobians against closed forms."""

from __future__ import annotations

import numpy as np

import functrace as ft


def test_jacrev_over_trees():
    def f(p, x):
        return {"a": p["w"] @ x, "b": p["s"] * x[0]}

    p = {"w": np.arange(6.0).reshape(2, 3), "s": 2.0}
    x = np.array([1.0, 2.0, 3.0])
    jacobian = ft.jacrev(f)(p, x)
    assert jacobian["a"]["w"].shape == (2, 2, 3)
    np.testing.assert_array_equal(jacobian["a"]["w"][1, 1], x)
    np.testing.assert_array_equal(jacobian["a"]["s"], np.zeros(2))
    assert jacobian["b"]["s"] == 1.0
    by_x = ft.jacrev(f, argnums=1)(p, x)
    np.testing.assert_array_equal(by_x["a"], p["w"])


def test_jacrev_of_an_empty_output():
    assert ft.jacrev(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


def test_hessian_by_nesting():
    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    hessian = ft.jacrev(ft.grad(rosenbrock))(np.array([1.0, 1.0]))
    np.testing.assert_allclose(hessian, [[802.0, -400.0], [-400.0, 200.0]], rtol=1e-12)


def test_jacrev_has_aux_and_argnums():
    jacobian, aux = ft.jacrev(lambda x, y: (x * y, y), argnums=(0, 1), has_aux=True)(2.0, 3.0)
    assert (jacobian, aux) == ((3.0, 2.0), 3.0)
