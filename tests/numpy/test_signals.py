"""Convolution, windows and phases, against NumPy and what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import UnsupportedFunctionError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check, real

MODES = ["full", "same", "valid", 0, 1, 2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", [np.convolve, np.correlate])
def test_convolution(f, mode):
    for n, k in ((7, 3), (7, 4), (3, 7), (4, 7), (3, 3), (5, 1), (1, 1)):
        check(lambda a, v: f(a, v, mode), real(n), real(k))
    assert_like_numpy(lambda a: f(a, [1, 2], mode), np.array([1, 2, 5]))
    assert_like_numpy(lambda a, v: f(a, v, mode), real(4) + 1j, real(2))
    assert_like_numpy(lambda a, v: f(a, v, mode), real(2), real(4) - 2j)
    check_grads(lambda a, v: f(a, v, mode), (real(4) + 0.5j, real(3) - 1j), order=1)


@pytest.mark.parametrize("f", [np.convolve, np.correlate])
def test_convolutions_of_many_signals(f):
    for n, k in ((5, 3), (3, 5), (4, 4)):
        signals, kernels = real(2, n) + 1j, np.flip(real(2, k)) * 1j + 0.5
        for mode in MODES[:3]:
            g = lambda a, v, mode=mode: f(a, v, mode)
            for axes in ((0, 0), (0, None), (None, 0)):
                given = (
                    signals if axes[0] == 0 else signals[0],
                    kernels if axes[1] == 0 else kernels[0],
                )
                rows = [
                    g(*(x[i] if axis == 0 else x for x, axis in zip(given, axes, strict=True)))
                    for i in range(2)
                ]
                np.testing.assert_allclose(ft.vmap(g, axes)(*given), rows, rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "x", "v", "match"),
    [
        (lambda a, v: np.convolve(a, v, "wrong"), (3,), (2,), "mode must be one of"),
        (lambda a, v: np.correlate(a, v, 3), (3,), (2,), "mode must be 0, 1, or 2"),
        (np.convolve, (0,), (2,), "a cannot be empty"),
        (np.convolve, (2,), (0,), "v cannot be empty"),
        (np.convolve, (2, 2), (2,), "too deep"),
        (np.correlate, (0,), (2,), "first array argument cannot be empty"),
        (np.correlate, (2,), (0,), "second array argument cannot be empty"),
        (np.correlate, (), (2,), "first array has 0 axes"),
    ],
)
def test_signals_that_do_not_fit(f, x, v, match):
    for run in (ft.jit(f), lambda *xs: ft.vjp(f, *xs)):
        with pytest.raises(ValueError, match=match):
            run(np.ones(x), np.ones(v))


def test_the_gradient_of_a_convolution_is_a_convolution():
    # Not a matrix with a row for each window, which would have 20 million elements.
    program = ft.make_ir(ft.grad(lambda x: np.sum(np.convolve(x, np.ones(200)) ** 2)))(
        np.ones(100_000)
    )
    sizes = [output.type.size for equation in program.equations for output in equation.outputs]
    assert max(sizes) < 110_000


# The cardinal sine: the derivative of its formula is 0 / 0 at zero.


def test_the_cardinal_sine_at_zero():
    assert ft.grad(np.sinc)(0.0) == 0
    np.testing.assert_allclose(ft.grad(ft.grad(np.sinc))(0.0), -(np.pi**2) / 3, rtol=1e-15)
    third = ft.grad(ft.grad(ft.grad(np.sinc)))
    assert third(0.0) == 0
    np.testing.assert_allclose(ft.grad(third)(0.0), np.pi**4 / 5, rtol=1e-15)
    for x in (1e-200, -1e-20, 1e-9, 1e-4):
        np.testing.assert_allclose(ft.grad(np.sinc)(x), -(np.pi**2) / 3 * x, rtol=1e-6)
    hessian = ft.hessian(lambda x: np.sum(np.sinc(x)))(np.array([0.0, 1.0]))
    np.testing.assert_allclose(np.diag(hessian), [-(np.pi**2) / 3, 2], rtol=1e-13)
    np.testing.assert_allclose(ft.jit(ft.hessian(np.sinc))(0.0), -(np.pi**2) / 3, rtol=1e-15)
    np.testing.assert_allclose(
        ft.jvp(ft.grad(np.sinc), (0.0,), (1.0,))[1], -(np.pi**2) / 3, rtol=1e-15
    )
    check_grads(np.sinc, (np.array([0.0, 0.3j, -0.2 + 0.1j]),), order=1)
    assert ft.grad(np.sinc, holomorphic=True)(0j) == 0


def test_whole_numbers_and_half_precision():
    for f in (np.sinc, np.i0):
        for x in (np.array([0, 1, 2]), np.array([True, False]), np.float16([0.5, 1.0]), 2, 1.5):
            assert_like_numpy(f, x)
            assert ft.jit(f)(x).dtype == f(x).dtype


# Bessel's function and Kaiser's window


def test_bessels_function_is_even():
    assert ft.grad(np.i0)(0.0) == 0
    np.testing.assert_allclose(ft.grad(ft.grad(np.i0))(0.0), 0.5, rtol=1e-15)
    np.testing.assert_allclose(ft.grad(np.i0)(-3.0), -ft.grad(np.i0)(3.0))
    check_grads(np.i0, (np.array([-9.0, -0.5, 0.0, 2.0, 7.9, 8.1, 31.0]),), order=2, rtol=1e-4)
    with pytest.raises(TypeError, match="not supported for complex values"):
        ft.jit(np.i0)(1j)


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_kaisers_window(size):
    f = lambda beta: fnp.kaiser(size, beta)
    for beta in (0.0, 5, 8.6, np.float32(2.5)):
        expected = np.kaiser(size, beta)
        for found in (f(beta), ft.jit(f)(beta)):
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-13)
    check_grads(f, (3.0,), order=2)
    betas = np.array([0.5, 2.0])
    rows = np.stack([f(beta) for beta in betas])
    np.testing.assert_allclose(ft.vmap(f)(betas), rows, rtol=1e-13)
    with pytest.raises(UnsupportedFunctionError, match=r"functrace\.numpy\.kaiser"):
        ft.grad(lambda beta: np.sum(np.kaiser(3, beta)))(2.0)


def test_windows_of_a_known_length():
    x = real(6)
    for window in (np.bartlett, np.blackman, np.hamming, np.hanning):
        own = getattr(fnp, window.__name__)
        gradient = ft.jit(ft.grad(lambda x, own=own: np.sum(x**2 * own(6))))(x)
        np.testing.assert_array_equal(gradient, 2 * x * window(6))


# Phases


@pytest.mark.parametrize(
    "options",
    [
        {}, {"axis": 0}, {"discont": 4.0}, {"period": 3.0}, {"period": 4, "axis": -2},
        {"discont": 0.2, "period": 2.5},
    ],
)  # fmt: skip
def test_phases_without_jumps(options):
    x = 9 * np.sin(np.arange(12.0) ** 2).reshape(3, 4)
    f = lambda p: np.unwrap(p, **options)
    assert_like_numpy(f, x)
    assert_like_numpy(f, x.astype(np.int64))
    assert_like_numpy(f, x.astype(np.float32))
    check_grads(f, (x,), order=1)
    np.testing.assert_array_equal(ft.jacobian(f)(x).reshape(12, 12), np.eye(12))
    examples = np.stack([x, x + 1, 2 * x])
    rows = np.stack([f(example) for example in examples])
    np.testing.assert_array_equal(ft.vmap(f)(examples), rows)


def test_jumps_of_half_a_period_go_as_they_come():
    x = np.array([0.0, 2, 4, 2, 0, -3, 0.5, 2.5, 5, 2.5])
    for period in (4, 5, 4.0, 5.0):
        assert_like_numpy(lambda p, period=period: np.unwrap(p, period=period), x)
        assert_like_numpy(lambda p, period=period: np.unwrap(p, period=period), x.astype(np.int32))


def test_the_period_may_be_traced():
    x = np.array([0.0, 4.0, 9.0, 8.5, 1.0])
    f = lambda period: fnp.unwrap(x, period=period)
    np.testing.assert_allclose(ft.jit(f)(3.3), np.unwrap(x, period=3.3))
    check_grads(f, (3.3,), order=1)
    slopes = (np.unwrap(x, period=3.3) - x) / 3.3  # so many periods were added
    np.testing.assert_allclose(ft.jacfwd(f)(3.3), slopes, atol=1e-12)
