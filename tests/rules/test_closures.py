"""closure_convert and custom_gradient."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import functrace as ft
from functrace import errors

X = np.array([1.0, 2.0, 3.0])


@functools.partial(ft.custom_vjp, nondiff_argnums=(0,))
def cosine_after(f, x, *values):
    return np.cos(f(x, *values))


cosine_after.defvjp(
    lambda f, x, *values: (cosine_after(f, x, *values), (x, values)),
    lambda f, residuals, ct: (17 * residuals[0], *(42 * v for v in residuals[1])),
)


def solve(c, scale, x):
    def distance(x):
        return np.sum(scale * (x - c) ** 2)

    converted, values = ft.closure_convert(distance, x)
    assert len(values) <= 1
    return cosine_after(converted, x, *values)


def test_rules_know_the_values_that_were_closed_over():
    c, scale, x = np.full(2, 2.0), np.full(2, 3.0), np.ones(2)
    assert solve(c, scale, x) == np.cos(np.sum(scale * (x - c) ** 2))
    gradient = ft.grad(solve, argnums=(0, 2))
    for by_c, by_x in (gradient(c, scale, x), ft.jit(lambda c, x: gradient(c, scale, x))(c, x)):
        np.testing.assert_allclose(by_c, 42 * c)
        np.testing.assert_allclose(by_x, 17 * x)


def test_integers_stay_in_the_closure():
    def of(count):
        converted, values = ft.closure_convert(lambda x: x * count, 1.0)
        assert values == []
        return converted(2.0)

    assert ft.jit(of)(3) == 6.0
    np.testing.assert_allclose(ft.vmap(of)(np.arange(3)), [0.0, 2.0, 4.0])


def test_a_pullback_is_converted():
    _, pullback = ft.vjp(lambda x, z: {"y": z * x}, 2.0, 3.0)
    converted, values = ft.closure_convert(pullback, {"y": 1.0})
    assert converted({"y": 5.0}, *values) == (15.0, 10.0)


def test_other_arguments_than_the_examples_are_refused():
    converted, _ = ft.closure_convert(lambda p: p["a"], {"a": np.ones(2)})
    with pytest.raises(errors.ArgumentError, match="of the structure"):
        converted({"b": np.ones(2)})
    with pytest.raises(errors.ArgumentError, match=r"float64\[3\].*\['a'\]; the example.*\[2\]"):
        converted({"a": np.ones(3)})


@pytest.mark.parametrize("as_tuple", [False, True])
def test_a_function_that_returns_its_pullback(as_tuple):
    def square(x):
        return x**2, lambda ct: (ct * x,) if as_tuple else ct * x

    f = ft.custom_gradient(square)
    assert f.__name__ == "square"
    for g in (f, ft.jit(f), lambda x: ft.scan(lambda c, _: (f(c), None), x, None, length=1)[0]):
        assert g(3.0) == 9.0
        assert ft.grad(g)(3.0) == ft.jvp(g, (3.0,), (1.0,))[1] == 3.0
        assert ft.grad(ft.grad(g))(3.0) == 1.0
        np.testing.assert_allclose(ft.vmap(ft.grad(g))(X), X)
        np.testing.assert_allclose(ft.grad(lambda x, g=g: np.sum(ft.vmap(g)(x)))(X), X)


def test_a_pullback_of_several_arguments():
    f = ft.custom_gradient(lambda x, y=5.0: (x * y, lambda ct: (2 * ct * y, None)))
    assert ft.grad(f, argnums=(0, 1))(3.0, 4.0) == (8.0, 0.0)
    assert ft.grad(lambda x: f(x))(3.0) == 10.0
    assert ft.grad(lambda x: f(y=4.0, x=x))(3.0) == 8.0


def test_a_pullback_of_a_tree():
    f = ft.custom_gradient(lambda p: (p[0] * p[1], lambda ct: ((ct * 7, ct * 9),)))
    assert ft.grad(f)((1.0, 2.0)) == (7.0, 9.0)
    f = ft.custom_gradient(lambda p: (p[0] * p[1], lambda ct: (ct * 7, ct * 9)))
    assert ft.grad(f)((1.0, 2.0)) == (7.0, 9.0)
