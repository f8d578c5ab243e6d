"""Zeros that stay zero, whatever they are multiplied with."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.zero_products import product_or_zero_primitive, quotient_or_zero_primitive

SINGULAR = {
    "sqrt": np.sqrt,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": lambda x: np.log1p(x - 1),
    "1/x": lambda x: 1 / x,
    "reciprocal": np.reciprocal,
    "x**0.5": lambda x: x**0.5,
    "x**-1.5": lambda x: x**-1.5,
    "x**array": lambda x: np.power(x, np.full(2, 0.5)),
    "cbrt": np.cbrt,
    "arcsin": lambda x: np.arcsin(1 - x),
    "arccos": lambda x: np.arccos(1 - x),
    "arccosh": lambda x: np.arccosh(1 + x),
    "arctanh": lambda x: np.arctanh(1 - x),
    "arctan2": lambda x: np.arctan2(x, x),
    "log of sqrt": lambda x: np.log(np.sqrt(x)),
    "sqrt of sum": lambda x: np.sqrt(x + x),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_zero_cotangents_stay_zero_through_singular_points(name):
    def f(x):
        with np.errstate(all="ignore"):  # the forward pass may warn, as NumPy does; we may not
            values = SINGULAR[name](x)
        return np.sum(np.where(x > 0, values, 0.0))

    at = np.array([0.0, 0.25])
    first = ft.grad(f)(at)
    second = ft.grad(lambda x: np.sum(ft.grad(f)(x)))(at)
    assert first[0] == second[0] == 0
    inside = np.array([0.25, 0.25])
    np.testing.assert_array_equal(first[1], ft.grad(f)(inside)[1])
    assert np.isfinite(second[1])


HURTING = np.array([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 1e200, 1e-200])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("memory", ["first", "second", "other"])
@pytest.mark.parametrize("finite", [True, False])
def test_products_that_keep_zeros_in_place_are_those_in_new_memory(memory, finite):
    x, y = (np.ravel(part).copy() for part in np.meshgrid(HURTING, HURTING))
    if finite:
        y[~np.isfinite(y)] = 3.0
    out = {"first": x.copy(), "second": y.copy(), "other": np.empty_like(x)}[memory]
    first, second = out if memory == "first" else x, out if memory == "second" else y
    expected = np.where(x == 0, 0, x * y)
    found = product_or_zero_primitive.run(first, second, out)
    assert found is out
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(product_or_zero_primitive.run(x, y), expected)
    if memory == "other":
        found = quotient_or_zero_primitive.run(x, y, out)
        np.testing.assert_array_equal(found, np.where(x == 0, 0, x / y))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_compiled_choices_behind_chains_keep_zeros():
    def f(x):
        y = np.exp(x) * np.cos(x) / (x - 1.0)
        return np.sum(np.where(np.abs(x) < 5, y * np.sqrt(np.abs(x)) * x, 0.0))

    x = np.array([1000.0, 2.0, np.inf, -3.0, 800.0] * 400)
    found = ft.jit(ft.grad(f))(x)
    np.testing.assert_allclose(found, ft.grad(f)(x), rtol=1e-12)
    assert np.isfinite(found).all()
