"""Elementwise functions: kinks by name, values, dtypes, complex derivatives, keywords of ufuncs."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.extend import PRIMITIVES
from functrace.testing import check_grads, numerical_gradient
from tests.agreement import assert_like_numpy

# Kinks


def test_absolute_has_derivative_0_at_0():
    assert ft.grad(np.abs)(0.0) == 0
    assert ft.grad(np.fabs)(0.0) == 0
    assert ft.grad(np.abs)(0j) == 0


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_share_equally(f):
    assert ft.grad(f, (0, 1))(1.0, 1.0) == (0.5, 0.5)
    gradients = ft.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(np.zeros(3), 0.0)
    np.testing.assert_array_equal(gradients[0], [0.5, 0.5, 0.5])
    assert gradients[1] == 1.5


def test_relu_has_half_the_derivative_at_0_as_a_maximum_and_none_as_a_choice():
    assert ft.grad(lambda x: np.maximum(x, 0.0))(0.0) == 0.5
    assert ft.grad(lambda x: np.where(x > 0, x, 0.0))(0.0) == 0


def test_nan_loses_in_fmax_and_wins_in_maximum():
    assert ft.grad(np.fmax, (0, 1))(np.nan, 1.0) == (0, 1)
    assert ft.grad(np.fmin, (0, 1))(1.0, np.nan) == (1, 0)


def test_hypot_has_derivative_0_at_0():
    assert ft.grad(np.hypot, (0, 1))(0.0, 0.0) == (0, 0)


def test_roots_have_infinite_derivatives_at_0():
    assert ft.grad(np.sqrt)(0.0) == np.inf
    assert ft.grad(np.cbrt)(0.0) == np.inf
    assert ft.grad(lambda x: x**0.5)(0.0) == np.inf


def test_powers_at_0():
    assert ft.grad(lambda x: x**0)(0.0) == 0
    assert ft.grad(lambda x: np.power(x, 0.0))(0.0) == 0
    assert ft.grad(lambda x: x ** np.int64(0))(0.0) == 0
    assert ft.grad(lambda x: x**1)(0.0) == 1
    assert ft.grad(lambda x: x**2)(0.0) == 0
    assert ft.grad(ft.grad(lambda x: x**2))(0.0) == 2
    assert ft.grad(lambda y: 0.0**y)(2.0) == 0
    assert ft.grad(np.power, (0, 1))(0.0, 0.0) == (0, 0)
    assert ft.grad(np.power, (0, 1))(0.0, 1.0) == (1, 0)


def test_negative_bases_have_a_derivative_by_the_base():
    assert ft.grad(lambda x: x**3)(-2.0) == 12
    assert ft.grad(np.power)(-2.0, 3.0) == 12
    assert ft.grad(lambda x: x**-1)(-2.0) == -0.25


@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
def test_logaddexp_at_infinities(f):
    gradient = ft.grad(f, (0, 1))
    assert gradient(np.inf, np.inf) == (0.5, 0.5)
    assert gradient(-np.inf, -np.inf) == (0.5, 0.5)
    assert gradient(-np.inf, 0.0) == (0, 1)
    assert gradient(np.inf, 0.0) == (1, 0)


def test_arctan2_of_zeros_is_finite_behind_a_choice():
    def f(y, x):
        return np.where(x > 0, np.arctan2(y, x), 0.0)

    assert ft.grad(f, (0, 1))(0.0, 0.0) == (0, 0)


# Values


def _logaddexp2(x, y):
    return mpmath.log(mpmath.mpf(2) ** x + mpmath.mpf(2) ** y, 2)


REFERENCES = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logaddexp2": _logaddexp2,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "arctan2": mpmath.atan2,
    "hypot": mpmath.hypot,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "arccosh": mpmath.acosh,
    "arcsinh": mpmath.asinh,
    "arctanh": mpmath.atanh,
    "tan": mpmath.tan,
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "power": mpmath.power,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": mpmath.log10,
    "tanh": mpmath.tanh,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_values_and_derivatives_to_many_digits(name):
    primitive = PRIMITIVES[name]
    count = len(primitive.partials)
    at = {"arccosh": (1.75,)}.get(name, (0.625, 0.3125)[:count])
    with mpmath.workdps(40):
        value = float(REFERENCES[name](*at))
        slopes = [
            float(mpmath.diff(REFERENCES[name], at, tuple(int(i == n) for i in range(count))))
            for n in range(count)
        ]

    def f(*xs):
        return ft.extend.bind(primitive, *xs)

    found, gradients = ft.value_and_grad(f, tuple(range(count)))(*at)
    np.testing.assert_allclose(found, value, rtol=4e-16)
    np.testing.assert_allclose(gradients, slopes, rtol=2e-15)


def test_sigmoid_keeps_its_precision_and_does_not_overflow():
    sigmoid = PRIMITIVES["sigmoid"]
    values = sigmoid.run(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))
    np.testing.assert_allclose(values, [0, 4.248354255291589e-18, 0.5, 1, 1], rtol=1e-15)
    assert ft.grad(lambda x: ft.extend.bind(sigmoid, x))(-40.0) == pytest.approx(4.248354255e-18)


# Dtypes


# Complex numbers

Z = np.array([0.3 + 0.4j, -1.2 + 0.7j, 0.8 - 0.5j])


def test_gradient_convention_of_complex_numbers():
    # df/dx - i df/dy
    assert ft.grad(lambda z: np.real(z) ** 2 + 3 * np.imag(z))(1 + 1j) == 2 - 3j


@pytest.mark.parametrize(
    "f",
    [
        np.abs,
        np.real,
        np.imag,
        np.conjugate,
        np.angle,
        np.exp,
        np.sign,
        np.square,
        lambda z: np.angle(z, deg=True),
        lambda z: z.real * z.imag,
        lambda z: np.abs(z) ** 3,
        lambda z: z * np.conj(z),
        lambda z: np.log(z) / z,
        lambda z: z**2.5,
        lambda z: 2.0**z,
        lambda z: np.where(z.real > 0, z, 1j * z),
        lambda z: np.abs(z) * np.exp(1j * np.angle(z)),
        lambda z: z.astype(float),
    ],
)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_complex_derivatives(f):
    check_grads(f, (Z,), order=2)
    real_valued = lambda z: np.sum(np.real(f(z) * (1 - 0.5j)))
    np.testing.assert_allclose(ft.grad(real_valued)(Z), numerical_gradient(real_valued, Z))


@pytest.mark.parametrize("f", [np.exp, np.sin, np.log, np.sqrt, np.tanh, lambda z: z**3])
def test_holomorphic_derivatives(f):
    z = 0.3 + 0.4j
    h = 1e-4
    expected = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)
    np.testing.assert_allclose(ft.grad(f, holomorphic=True)(z), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "f", [np.add, np.subtract, np.multiply, np.divide, np.power, lambda x, z: np.where(True, x, z)]
)
def test_real_and_complex_operands_mix(f):
    x = np.array([0.5, 1.5, 2.5])
    check_grads(f, (x, Z), order=2)
    check_grads(lambda x, z: f(2.0, z) + f(x, 1j), (x, Z), order=2)
    gradients = ft.grad(lambda x, z: np.sum(np.real(f(x, z))), (0, 1))(x, Z)
    assert [gradient.dtype for gradient in gradients] == [np.float64, np.complex128]


# Python's operators


def test_rounded_booleans_are_halves():
    assert_like_numpy(np.round, np.array([True, False]))
    with pytest.raises(TypeError):
        ft.jit(lambda x: np.round(x, 1))(np.array([True, False]))
