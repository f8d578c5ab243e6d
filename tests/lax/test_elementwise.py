"""Elementwise operations and choices by jax.lax's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads
from tests.lax.works import X, assert_same, assert_works


def test_choices():
    mask = X > 0
    assert_works(lambda m, a, b: lax.select(m, a, b), np.where(mask, X, -2 * X), mask, X, -2 * X)
    assert_works(lambda m, a, b: lax.select(m, a, b), X, np.bool_(True), X, -2 * X)
    assert_works(lambda m, a, b: lax.select_n(m, b, a), np.where(mask, X, -2 * X), mask, X, -2 * X)
    which = np.arange(12).reshape(3, 4) % 3
    expected = np.choose(which, [X, 2 * X, 3 * X])
    assert_works(lambda w, x: lax.select_n(w, x, 2 * x, 3 * x), expected, which, X)
    assert_works(lambda w, x: lax.select_n(w, x, 2 * x, 3 * x), 2 * X, np.int64(1), X)
    assert_works(lambda x: lax.clamp(-0.5, x, 0.4), np.clip(X, -0.5, 0.4), X)
    with pytest.raises(errors.ShapeMismatchError):
        lax.select(mask, X, X[0])
    with pytest.raises(errors.ShapeMismatchError):
        lax.select_n(mask[0], X, X)
    with pytest.raises(errors.ArgumentError, match="by booleans"):
        lax.select_n(mask, X, X, X)


def test_arithmetic_of_integers_is_that_of_c():
    a, b = np.array([7, -7, 7, -7, 6, 0]), np.array([2, 2, -2, -2, 3, 5])
    assert_works(lax.div, np.array([3, -3, -3, 3, 2, 0]), a, b)
    assert_works(lax.rem, np.array([1, -1, 1, -1, 0, 0]), a, b)
    assert_works(lax.div, X / (X + 2), X, X + 2)
    assert_works(lax.rem, np.fmod(X, 0.3), X, np.full(X.shape, 0.3))
    assert_works(lax.shift_left, a << 2, a, np.full(6, 2))
    assert_works(lax.shift_right_arithmetic, a >> 1, a, np.full(6, 1))
    logical = lax.shift_right_logical(np.array([-1, 8], np.int32), np.array([28, 2], np.int32))
    assert_same(logical, np.array([15, 2], np.int32))
    assert_same(ft.jit(lax.shift_right_logical)(np.int8(-128), np.int8(7)), np.int8(1))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u8"])
def test_counts_of_bits(dtype):
    numbers = np.array([0, 1, 77, -1]).astype(dtype)
    words = [np.binary_repr(x, 8 * numbers.itemsize) for x in numbers.tolist()]
    ones = np.array([word.count("1") for word in words], dtype)
    zeros = np.array([len(word) - len(word.lstrip("0")) for word in words], dtype)
    assert_works(lax.population_count, ones, numbers)
    assert_works(lax.clz, zeros, numbers)


def test_complex_numbers_keep_their_parts():
    x, y = np.array([-0.0, 1.0, np.inf]), np.array([np.inf, np.nan, -0.0])
    for f in (lax.complex, ft.jit(lax.complex)):
        z = f(x, y)
        assert_same(z.real, x)
        assert_same(z.imag, y)
        assert np.signbit(z.real[0])
        assert np.signbit(z.imag[2])
        assert f(np.float32(1), np.float32(2)).dtype == np.complex64
    check_grads(lambda x, y: lax.complex(x, y) ** 2, (X, X + 1), order=2)
    z = X + 0.5j
    assert_works(lax.logistic, 1 / (1 + np.exp(-z)), z)
    check_grads(lax.logistic, (z,), order=2)


@pytest.mark.parametrize("name", ["erf", "erfc", "erf_inv", "lgamma", "digamma"])
def test_special_functions_keep_the_dtype(name):
    f = getattr(lax, name)
    for dtype in (np.float16, np.float32, np.float64):
        for g in (f, ft.jit(f)):
            found = g(np.array([0.3, 0.7], dtype))
            assert found.dtype == dtype
            np.testing.assert_allclose(found, f(np.array([0.3, 0.7])), rtol=3e-3)


def test_arithmetic():
    assert_works(lambda x: lax.integer_pow(x, 3), X**3, X)
    assert_works(lambda x: lax.integer_pow(x + 2, -2), (X + 2) ** -2.0, X)
    assert_works(lax.rsqrt, 1 / np.sqrt(X + 2), X + 2)
    assert_works(lax.reciprocal, 1 / (X + 2), X + 2)
    assert_works(lax.logistic, 1 / (1 + np.exp(-X)), X)
    halves = np.array([-2.5, -0.5, 0.49999999999999994, 0.5, 1.5, 2.5, 2.4, -2.6, 4.5e15 + 0.5])
    away = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 2.0, -3.0, 4.5e15 + 1])
    even = lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)
    for f, expected in ((lax.round, away), (even, np.rint(halves))):
        assert_same(f(halves), expected)
        assert_same(ft.jit(f)(halves), expected)
    assert ft.grad(lax.round)(0.4) == 0.0
    for dtype in (np.float32, np.float64):
        for f in (lax.rsqrt, lax.reciprocal, lax.logistic, lax.round, lambda x: lax.clamp(0, x, 1)):
            assert f(X.astype(dtype) + 2).dtype == ft.jit(f)(X.astype(dtype) + 2).dtype == dtype
    assert lax.sin is np.sin
    assert_works(lax.atan2, np.arctan2(X, X + 2), X, X + 2)


def test_parts_bits_and_gamma():
    assert_works(lax.complex, np.array([1.0 + 2j]), np.array([1.0]), np.array([2.0]))
    single = lax.complex(np.ones(2, np.float32), np.ones(2, np.float32))
    assert single.dtype == np.complex64
    assert_works(lax.lgamma, np.log([6.0, 24.0]), np.array([4.0, 5.0]))
    euler = 0.5772156649015329
    assert_works(lax.digamma, np.array([-euler, 1 - euler]), np.array([1.0, 2.0]))
    assert lax.population_count(np.uint8(255)) == 8
    assert ft.jit(lax.nextafter)(1.0, 2.0) == np.nextafter(1.0, 2.0)
    assert lax.empty((2, 3), np.int8).dtype == np.int8


OF_SCIPY = [
    ("bessel_i0e", scipy.special.i0e, (0.7,)),
    ("bessel_i1e", scipy.special.i1e, (0.7,)),
    ("betainc", scipy.special.betainc, (1.5, 2.5, 0.3)),
    ("igamma", scipy.special.gammainc, (1.5, 0.7)),
    ("igammac", scipy.special.gammaincc, (1.5, 0.7)),
    ("polygamma", scipy.special.polygamma, (2.0, 0.7)),
    ("zeta", scipy.special.zeta, (2.5, 0.7)),
]


@pytest.mark.parametrize(("name", "expected", "inputs"), OF_SCIPY, ids=[row[0] for row in OF_SCIPY])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_functions_in_the_dtype_of_their_operands(name, expected, inputs, dtype):
    f, inputs = getattr(lax, name), [np.full(2, x, dtype) for x in inputs]
    for found in (f(*inputs), ft.jit(f)(*inputs)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected(*map(np.float64, inputs)), rtol=2e-3)
    if dtype == np.float64:
        check_grads(lambda x: f(*inputs[:-1], x), (inputs[-1],), order=2)


def test_samples_of_the_gamma_distribution_have_the_derivative_of_their_quantile():
    a, x = 2.5, 1.7
    level = scipy.special.gammainc(a, x)
    expected = ft.grad(scipy.special.gammaincinv)(a, level)
    assert lax.random_gamma_grad(a, x) == pytest.approx(expected, rel=1e-12)
    assert lax.igamma_grad_a(a, x) == pytest.approx(ft.grad(lax.igamma)(a, x), rel=1e-14)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_upper_halves_of_products(dtype):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    x, y = rng.integers(info.min, info.max, (2, 40), dtype, endpoint=True)
    x[:4], y[:4] = [info.min, info.max, info.min, 0], [info.min, info.max, info.max, info.max]
    products = zip(x.tolist(), y.tolist(), strict=True)
    expected = np.array([(a * b) >> info.bits for a, b in products], dtype)
    assert_works(lax.mulhi, expected, x, y)
    assert type(lax.mulhi(x[0], y[0])) is np.dtype(dtype).type
    with pytest.raises(errors.OperandError, match="one dtype"):
        lax.mulhi(x, 1.5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_are_rounded_as_another_format_holds_them(dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=200) * 10.0 ** rng.integers(-10, 10, 200)).astype(dtype)
    x = np.concatenate([x, np.array([0, -0.0, np.inf, -np.inf, np.nan, 65519, 65520], dtype)])
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
    # What is less than a normal number of float16 is 0 here.
    expected = np.where(np.abs(half) < np.finfo(np.float16).tiny, np.copysign(0, half), half)
    f = lambda x: lax.reduce_precision(x, 5, 10)
    for found in (f(x), ft.jit(f)(x), ft.vmap(f)(x)):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
        assert found.dtype == dtype
    np.testing.assert_array_equal(lax.reduce_precision(x, 11, 52), x)
    assert lax.reduce_precision(1.5, 8, 0) == 2.0


def test_derivatives_do_not_see_that_numbers_are_rounded():
    f = lambda x: lax.reduce_precision(x, 5, 3) ** 2
    assert ft.grad(f)(1.23) == ft.jvp(f, (1.23,), (1.0,))[1] == ft.jit(ft.grad(f))(1.23) == 2.5
    assert ft.grad(ft.grad(f))(1.23) == 2.0
    with pytest.raises(errors.OperandError, match="floats"):
        lax.reduce_precision(np.arange(3), 5, 10)
    with pytest.raises(errors.ArgumentError, match="at least"):
        lax.reduce_precision(1.0, 0, 10)
