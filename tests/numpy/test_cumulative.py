"""Sums and products so far, beside NumPy's, at zeros and nan among others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check
from tests.strategies import seeds, shapes

X = np.array([[0.5, -1.5, 2.0], [1.25, 0.75, -0.5]])

WAYS = [
    (np.cumsum, {}),
    (np.cumprod, {}),
    (np.cumprod, {"axis": 0}),
    (np.cumprod, {"axis": -1, "dtype": np.float32}),
    (np.nancumsum, {"axis": 1}),
    (np.nancumprod, {}),
    (np.nancumprod, {"axis": 1, "dtype": np.complex64}),
    (np.cumulative_sum, {"axis": 0, "include_initial": True}),
    (np.cumulative_prod, {"axis": 1}),
    (np.cumulative_prod, {"axis": -2, "include_initial": True}),
]


@pytest.mark.parametrize(("function", "options"), WAYS)
def test_values_and_derivatives(function, options):
    f = lambda x: function(x, **options)
    for dtype in (np.float64, np.float32, np.complex128, np.int8, np.uint16, bool, np.float16):
        if np.can_cast(dtype, options.get("dtype", dtype), "same_kind"):
            assert_like_numpy(f, (X * 2).astype(dtype))
    if "dtype" not in options:
        check(f, X)
        check_grads(lambda x: ft.vmap(f, in_axes=1)(x), (np.stack([X, 2 * X], 1),))


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod])
def test_shapes_that_are_few(function):
    assert_like_numpy(function, np.float64(2.0))
    assert_like_numpy(lambda x: function(x, axis=-1), np.array(2.0))
    assert_like_numpy(lambda x: function(x, axis=1), np.ones((2, 0)))
    with pytest.raises(np.exceptions.AxisError):
        ft.jit(lambda x: function(x, axis=1))(np.ones(3))


@pytest.mark.parametrize("function", [np.cumulative_sum, np.cumulative_prod])
def test_the_axis_of_several_is_named(function):
    assert_like_numpy(lambda x: function(x, include_initial=True), np.float64(3.0))
    with pytest.raises(ValueError, match="axis"):
        ft.jit(function)(X)


@pytest.mark.parametrize("function", [np.cumulative_sum, np.cumulative_prod])
def test_the_axis_may_stand_in_a_tuple(function):
    assert_like_numpy(lambda x: function(x, axis=(-1,)), X)
    for axis in ((0, 1), ()):
        with pytest.raises(ValueError, match="multiple axes"):
            ft.jit(lambda x, axis=axis: function(x, axis=axis))(X)


def test_out_takes_what_comes():
    def f(x):
        out = np.zeros_like(x)
        assert np.cumprod(x, axis=1, out=out) is out
        return out

    check(f, X)


def products_of_rests(x):
    """The Jacobian of the products so far, without a division."""
    n = len(x)
    return np.array([
        [np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(n)] for k in range(n)
    ])  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(0, 4), st.sampled_from([1e-30, 1e-3, 1.0]), seeds())
def test_products_so_far_are_differentiated_through_zeros(n, zeros, size, seed):
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], n) * rng.uniform(0.5, 2.0, n) * rng.choice([size, 1 / size], n)
    x[rng.integers(0, n, zeros)] = 0.0
    with np.errstate(all="ignore"):
        expected = products_of_rests(x)
    if not np.all(np.isfinite(expected)):
        return
    for jacobian in (ft.jacrev, ft.jacfwd):
        for f in (np.cumprod, ft.jit(np.cumprod)):
            with np.errstate(all="ignore"):
                found = jacobian(f)(x)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_orders_above_the_first_at_zeros():
    x = np.array([0.5, 0.0, 2.0, 0.0, 3.0])
    check_grads(np.cumprod, (x,), order=3)
    check_grads(lambda x: np.cumprod(x, 1), (np.stack([x, x + 1.0]),), order=2)


@pytest.mark.parametrize("zero", [None, 0, 700, 1999])
def test_long_products(zero):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.9, 1.1, 2000)
    if zero is not None:
        x[zero] = 0.0
    weights = rng.normal(size=2000)
    expected = np.zeros(2000)
    later = 0.0
    for i in reversed(range(2000)):
        later = weights[i] + (x[i + 1] * later if i < 1999 else 0.0)
        expected[i] = later * np.prod(x[:i])
    f = lambda x: np.sum(np.cumprod(x) * weights)
    np.testing.assert_allclose(ft.grad(f)(x), expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ft.jit(ft.grad(f))(x), expected, rtol=1e-10, atol=1e-14)


def test_products_that_underflow():
    x = np.full(400, 0.1)
    found = ft.grad(lambda x: np.sum(np.cumprod(x)))(x)
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(found[:3], [10 / 9, 1 / 9, 1 / 90], rtol=1e-12)
    # Of a product with few digits the quotient would have few, too.
    tiny = np.array([1e-300, 1e-10, 1e5])
    np.testing.assert_allclose(ft.jacrev(np.cumprod)(tiny)[2, 0], 1e-5, rtol=1e-14)


def test_nan_has_no_derivative():
    x = np.array([1.0, np.nan, 2.0, 3.0])
    for function, expected in ((np.nancumsum, [4.0, 0, 2, 1]), (np.nancumprod, [10.0, 0, 4, 2])):
        assert_like_numpy(function, x)
        np.testing.assert_array_equal(ft.grad(lambda x, f=function: f(x).sum())(x), expected)


@settings(max_examples=20, deadline=None)
@given(shapes().filter(len), st.data(), seeds())
def test_second_derivatives_by_both_modes(shape, data, seed):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).choice([-1.0, 0.0, 0.5, 2.0], shape)
    f = lambda x: np.sum(np.cumprod(x, axis) ** 2)
    forward_over_reverse = ft.jacfwd(ft.grad(f))(x)
    np.testing.assert_allclose(forward_over_reverse, ft.jacrev(ft.grad(f))(x), atol=1e-12)
    np.testing.assert_allclose(forward_over_reverse, ft.jacfwd(ft.jacfwd(f))(x), atol=1e-12)
