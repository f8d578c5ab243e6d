"""Choices of elements by masks whose values may be unknown."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads


def scaled(v, a, b=1.0):
    return v * a + b


PIECES = {
    "two": lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: v**2, lambda v: np.exp(v)]),
    "the rest": lambda x: np.piecewise(x, [x < -1, x > 1], [-1.0, 1.0, lambda v: v**3]),
    "arguments": lambda x: np.piecewise(x, [x > 0], [scaled, lambda v, a, b: v - b], 3.0, b=2.0),
    "a known condition": lambda x: np.piecewise(x, [np.ones(x.shape, bool)], [np.sin, np.cos]),
    "overlapping": lambda x: np.piecewise(x, [x > -1, x > 1], [np.sin, np.cos, 7.0]),
    "nowhere": lambda x: np.piecewise(x, [x > 100], [np.log, 0.0]),
    "a traced number": lambda x: np.piecewise(x, [x > 0], [x.sum(), 0.0]),
    "a plain array": lambda x: np.piecewise(np.ones(x.shape), [x > 0], [np.sin, np.cos]),
    "outside of the domain": lambda x: np.piecewise(
        x, [x > 0], [np.log, lambda v: np.sqrt(2.0 - v)]
    ),
}


@pytest.mark.thinned
@pytest.mark.parametrize("x", [
    np.linspace(-2.0, 2.3, 7), np.array([[0.3, -0.4], [-1.7, 1.2]]), np.array(0.5), np.array(-1.5),
], ids=lambda x: str(x.shape))  # fmt: skip
@pytest.mark.parametrize("name", PIECES)
def test_piecewise(name, x):
    f = PIECES[name]
    expected = f(x)
    for found in (ft.jit(f)(x), ft.vjp(f, x)[0], ft.vmap(f)(np.stack([x, x]))[1]):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    check_grads(f, (x,), order=1, modes=("fwd", "rev"))
    check_grads(ft.jit(f), (x,), order=1)


def test_piecewise_of_one_condition():
    x = np.array([-1.0, 2.0])
    f = lambda x: np.piecewise(x, x > 0, [np.sqrt])
    np.testing.assert_array_equal(ft.jit(f)(x), f(x))
    whole = lambda x: np.piecewise(x.astype(int), [x > 0], [1.7, -2])
    assert ft.jit(whole)(x).dtype == np.int64
    np.testing.assert_array_equal(ft.jit(whole)(x), whole(x))


@pytest.mark.parametrize("transformation", [ft.jit, lambda f: lambda x: ft.vjp(f, x)])
def test_piecewise_needs_a_function_for_each_condition(transformation):
    with pytest.raises(ValueError, match="1 or 2 functions"):
        transformation(lambda x: np.piecewise(x, [x > 0], [1, 2, 3]))(np.ones(2))
