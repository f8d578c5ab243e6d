"""Correlation by its definition; Bessel functions and cardinal sines against mpmath's digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.ir.types import type_of
from functrace.primitives.signals import bessel_i, correlate, i0, sinc, sinc_derivative
from functrace.tracing.tracer import bind
from tests.primitives.linear_laws import whole

# n, x, and the n-th derivative of sin(pi x) / (pi x), by mpmath with 40 digits.
SINC_DERIVATIVES = [
    (1, 0.0, 0.0),
    (1, 1e-8, -3.2898681336964526e-08),
    (1, 0.3, -0.9020281301388888),
    (1, 2.3, 0.20687863381331711),
    (2, 0.0, -3.289868133696453),
    (2, 0.5, -1.1902271282389358),
    (2, 0.64, -0.16517587258158992),
    (3, 0.2, 3.71603178532022),
    (3, 1.7, -5.147987244475508),
    (4, 0.0, 19.481818206800487),
    (5, 1e-3, -0.13734113765443426),
]
# n, x, and the modified Bessel function of the first kind.
BESSEL = [
    (0, 0.0, 1.0),
    (1, 1e-8, 5e-9),
    (1, 2.0, 1.590636854637329),
    (1, -2.0, -1.590636854637329),
    (1, 29.9, 696528308361.0927),
    (1, 30.1, 847983630191.5414),
    (2, 0.5, 0.031906149177738256),
    (2, -3.0, 2.245212440929951),
    (3, 100.0, 1.02627401756519e42),
    (6, 700.0, 1.4907351548519327e302),
    (-1, 2.0, 1.590636854637329),
]


@pytest.mark.parametrize(("n", "x", "expected"), SINC_DERIVATIVES)
def test_derivatives_of_the_cardinal_sine(n, x, expected):
    found = bind(sinc_derivative, float(n), x)
    np.testing.assert_allclose(found, expected, rtol=2e-14, atol=1e-14)
    f = np.sinc
    for _ in range(n):
        f = ft.grad(f)
    np.testing.assert_allclose(f(x), expected, rtol=2e-14, atol=1e-14)


@pytest.mark.parametrize(("n", "x", "expected"), BESSEL)
def test_bessel_functions(n, x, expected):
    np.testing.assert_allclose(bind(bessel_i, float(n), x), expected, rtol=4e-15)


def test_orders_may_differ():
    orders, x = np.array([[0.0], [1.0], [4.0]]), np.array([0.0, 0.1, -1.5])
    for primitive in (sinc_derivative, bessel_i):
        each = [[bind(primitive, n, value) for value in x] for n in orders[:, 0]]
        np.testing.assert_array_equal(bind(primitive, orders, x), each)


def test_derivatives_of_the_cardinal_sine_are_real_on_the_real_line():
    x = np.array([0.0, 1e-3, 0.25, 0.4, 1.5, -2.2])
    for n in (1.0, 2.0, 5.0):
        found = bind(sinc_derivative, n, x + 0j)
        np.testing.assert_allclose(found, bind(sinc_derivative, n, x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("letter", "efdg")
def test_dtypes(letter):
    x = np.array([0.5, 2.0], letter)
    for primitive, f in ((sinc, np.sinc), (i0, np.i0)):
        found = bind(primitive, x)
        np.testing.assert_array_equal(found, f(x))
        assert found.dtype == primitive.infer(type_of(x)).dtype == x.dtype
        assert ft.vjp(f, x)[1](x)[0].dtype == x.dtype


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.data(), st.booleans())
def test_correlation_is_a_matrix(length, data, is_complex):
    width = data.draw(st.integers(1, length))
    mode = data.draw(st.sampled_from(["valid", "same", "full"]))
    x, kernel = whole((length,), 0), whole((width,), 1)
    if is_complex:
        x, kernel = x + 1j * whole((length,), 2), kernel + 1j * whole((width,), 3)
    beyond = width - 1
    padded = np.zeros((length + 2 * beyond,), x.dtype)
    padded[beyond : beyond + length] = x
    full = np.array([padded[k : k + width] @ kernel for k in range(length + beyond)])
    start = {"valid": beyond, "same": beyond // 2, "full": 0}[mode]
    count = {"valid": length - beyond, "same": length, "full": length + beyond}[mode]
    found = bind(correlate, x, kernel, mode=mode)
    np.testing.assert_array_equal(found, full[start : start + count])
    assert type_of(found) == correlate.infer(type_of(x), type_of(kernel), mode=mode)
    cotangent = whole(found.shape, 4) * (1 + 2j if is_complex else 1)
    of_x, of_kernel = correlate.vjp(cotangent, (x, kernel), found, (True, True), mode=mode)
    other, third = whole((length,), 5) * x[0], whole((width,), 6) * x[0]
    assert of_x @ other == cotangent @ bind(correlate, other, kernel, mode=mode)
    assert of_kernel @ third == cotangent @ bind(correlate, x, third, mode=mode)


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("axes", [(0, None), (1, None), (None, 0), (None, 1), (0, 1), (1, 0)])
def test_correlations_of_many_signals(mode, axes):
    for length, width in ((5, 3), (4, 4), (4, 1), (3, 2)):
        xs, kernels = whole((3, length), 0), whole((3, width), 1)
        inputs = [
            rows[0] if axis is None else np.moveaxis(rows, 0, axis)
            for rows, axis in zip((xs, kernels), axes, strict=True)
        ]
        found, axis = correlate.batch(3, inputs, axes, mode=mode)
        for k in range(3):
            each = [
                rows[0 if place is None else k]
                for rows, place in zip((xs, kernels), axes, strict=True)
            ]
            expected = bind(correlate, *each, mode=mode)
            np.testing.assert_array_equal(np.moveaxis(found, axis, 0)[k], expected)


def test_shapes_that_do_not_fit():
    for x, kernel in (((2,), (3,)), ((3,), (0,)), ((3, 1), (2,)), ((), ())):
        with pytest.raises(ValueError, match="takes a signal and a kernel"):
            correlate.infer(type_of(np.ones(x)), type_of(np.ones(kernel)), mode="full")


def test_operations():
    types = [type_of(np.ones(5)), type_of(np.ones(3))]
    assert correlate.operations(types, [type_of(np.ones(7))], mode="full") == 2 * 7 * 3
