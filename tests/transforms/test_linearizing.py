"""linearize and linear_transpose."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def test_a_linearization_is_the_pushforward():
    calls = []

    def f(p, n):
        calls.append(1)
        return {"y": np.sin(p["x"]) * p["w"] * n, "n": n}

    p = {"x": np.array([0.1, 0.5]), "w": 2.0}
    output, pushforward = ft.linearize(f, p, 3)
    assert output["n"] == 3
    for scale in (1.0, 2.0):
        tangent = {"x": np.full(2, scale), "w": 0.5}
        found = pushforward(tangent, None)
        expected = ft.jvp(f, (p, 3), (tangent, None))[1]
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-14)
        assert found["n"] is None
    assert pushforward({"x": None, "w": 1.0}, None)["y"].shape == (2,)
    with pytest.raises(errors.TangentError):
        pushforward({"x": np.ones(3), "w": 1.0}, None)


def test_the_output_may_be_written_before_the_pushforward_is_called():
    y, pushforward = ft.linearize(np.exp, np.zeros(2))
    y[:] = 0.0
    np.testing.assert_array_equal(pushforward(np.ones(2)), [1.0, 1.0])


def test_linearize_follows_values_and_nests():
    f = lambda x: np.sin(x) * x if x > 0 else x
    assert ft.linearize(f, 2.0)[1](1.0) == pytest.approx(ft.grad(f)(2.0))
    assert ft.grad(lambda x: ft.linearize(f, x)[1](1.0))(2.0) == pytest.approx(
        ft.grad(ft.grad(f))(2.0)
    )
    pushforward = ft.linearize(np.sin, 0.3)[1]
    np.testing.assert_allclose(ft.vmap(pushforward)(np.arange(3.0)), np.cos(0.3) * np.arange(3))
    assert ft.linearize(lambda x: (x * x, x), 3.0, has_aux=True)[2] == 3.0


def test_the_transpose_of_a_linear_function():
    matrix = np.arange(6.0).reshape(2, 3)
    f = lambda x, y: {"a": matrix @ x, "b": x[0] + 2 * y}
    x, y = ft.linear_transpose(f, np.zeros(3), 0.0)({"a": np.array([1.0, 10.0]), "b": 5.0})
    np.testing.assert_array_equal(x, matrix.T @ [1.0, 10.0] + [5.0, 0, 0])
    assert y == 10.0
    unused = ft.linear_transpose(lambda x, y: x, 0.0, np.zeros(2))(1.0)[1]
    np.testing.assert_array_equal(unused, np.zeros(2))


def test_the_transpose_of_loops_and_branches():
    def f(x):
        def step(carry, row):
            return carry * 0.5 + row, carry * 3.0

        last, rows = ft.scan(step, x[0], x)
        return np.sum(rows) + ft.jit(lambda y: y * 2)(last)

    x = np.array([1.0, 2.0, 3.0])
    (gradient,) = ft.linear_transpose(f, x)(1.0)
    np.testing.assert_allclose(gradient, ft.grad(f)(x), rtol=1e-14)


def test_what_is_not_linear_is_refused():
    for f in (lambda x: x * x, np.sin, lambda x: np.floor(x), lambda x: x / (1 + x)):
        with pytest.raises(errors.NonlinearRuleError):
            ft.linear_transpose(f, 1.0)(1.0)


def test_linearize_through_loops_and_branches():
    def f(x):
        last, rows = ft.scan(lambda c, row: (np.sin(c) * row, c * row), x, x * np.arange(1.0, 4.0))
        return ft.jit(lambda y: np.sum(y) * ft.cond(x > 0, np.cos, np.sin, x))(rows) * last

    for transform in (lambda f: f, ft.jit, ft.checkpoint):
        output, pushforward = ft.linearize(transform(f), 0.7)
        assert output == pytest.approx(f(0.7), rel=1e-14)
        assert pushforward(2.0) == pytest.approx(2 * ft.grad(f)(0.7), rel=1e-12)


def test_the_transpose_of_shapes_and_of_integers():
    shape = ft.ShapeDtypeStruct((3,), np.float32)
    cotangent = np.arange(3, dtype=np.float32)
    (found,) = ft.linear_transpose(lambda x: 2 * x, shape)(cotangent)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 2 * cotangent)
    assert ft.linear_transpose(lambda x: 2 * x, 1)(3) == (6,)
