"""The walk back: sums of cotangents, zeros, and long chains."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def test_an_input_that_is_used_twice_gets_the_sum():
    assert ft.grad(lambda x: x * x + 3 * x)(2.0) == 7.0


def test_a_function_of_nothing_has_gradient_zero():
    gradient = ft.grad(lambda x: 3.0)(np.ones((2, 3)))
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))
    assert isinstance(ft.grad(lambda x: np.float64(1.0))(2.0), np.float64)


def test_vjp_pulls_back_more_than_once():
    y, pullback = ft.vjp(lambda a, b: {"s": a + b, "p": a * b}, 2.0, np.array([3.0, 4.0]))
    np.testing.assert_array_equal(y["p"], [6.0, 8.0])
    for _ in range(2):
        ga, gb = pullback({"s": np.ones(2), "p": np.array([1.0, 10.0])})
        assert ga == 2 + 3 + 40
        np.testing.assert_array_equal(gb, [3.0, 21.0])


def test_the_same_value_returned_twice():
    _, pullback = ft.vjp(lambda x: (x, x, x * 2), 1.0)
    assert pullback((1.0, 10.0, 100.0)) == (211.0,)


def test_a_long_chain_does_not_recurse():
    def f(x):
        for _ in range(20_000):
            x = x + 1.0
        return x

    assert ft.grad(f)(0.0) == 1.0


def test_none_is_a_zero_cotangent():
    _, pullback = ft.vjp(lambda x: {"a": x, "n": 3, "b": (x * 2, x)}, 1.0)
    assert pullback({"a": 1.0, "n": None, "b": (None, 10.0)}) == (11.0,)
    assert pullback({"a": None, "n": None, "b": (None, None)}) == (0.0,)
    with pytest.raises(errors.CotangentError, match="structure"):
        pullback({"a": 1.0, "n": None, "b": None})
