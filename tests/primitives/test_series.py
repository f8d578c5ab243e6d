"""Derivatives of zeta and hypergeometric functions in their parameters, against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.scipy import special
from functrace.testing import check_grads


@pytest.mark.parametrize(("s", "q"), [(1.01, 0.3), (2.0, 1.0), (3.7, 30.0), (10.0, 1e-3)])
def test_derivatives_of_zeta_in_its_order(s, q):
    zeta = lambda s, q: mpmath.zeta(s, q)
    found = ft.grad(special.zeta, (0, 1))(s, q)
    expected = [float(mpmath.diff(zeta, (s, q), n)) for n in ((1, 0), (0, 1))]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    second = ft.hessian(lambda v: special.zeta(*v))(np.array([s, q]))
    with mpmath.workdps(30):
        orders = (((2, 0), (1, 1)), ((1, 1), (0, 2)))
        expected = [[float(mpmath.diff(zeta, (s, q), n)) for n in row] for row in orders]
    np.testing.assert_allclose(second, expected, rtol=1e-11)


@pytest.mark.parametrize("x", [-3.5, -1.0, 0.0, 0.5, 1.5, 8.0])
def test_the_derivative_of_riemanns_zeta_function(x):
    expected = float(mpmath.zeta(x, derivative=1))
    digits = 1e-11 if x >= 0 else 1e-8
    assert ft.grad(special.zeta)(x) == pytest.approx(expected, rel=digits)
    assert ft.grad(special.zetac)(x) == pytest.approx(expected, rel=digits)


@pytest.mark.parametrize("parameters", [(0.5, 0.7), (2.5, 3.0), (-1.3, 25.0)])
@pytest.mark.parametrize("x", [-30.0, -2.0, 0.0, 0.5, 5.0, 200.0])
def test_derivatives_of_kummers_function_in_its_parameters(parameters, x):
    inputs = (*parameters, x)
    found = ft.grad(special.hyp1f1, (0, 1, 2))(*inputs)
    with mpmath.workdps(40):
        orders = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        expected = [float(mpmath.diff(mpmath.hyp1f1, inputs, n)) for n in orders]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_second_derivatives_of_kummers_function():
    inputs = (1.3, 2.1, 0.7)
    found = ft.hessian(lambda v: special.hyp1f1(*v))(np.array(inputs))
    for i, j in np.ndindex(3, 3):
        orders = [(n == i) + (n == j) for n in range(3)]
        with mpmath.workdps(40):
            expected = float(mpmath.diff(mpmath.hyp1f1, inputs, orders))
        assert found[i, j] == pytest.approx(expected, rel=1e-9)


def test_where_the_series_is_too_long_the_derivative_is_nan():
    assert np.isnan(ft.grad(special.hyp1f1)(1.3, 2.1, -5e3))
    assert np.isnan(ft.grad(special.hyp2f1)(1.3, 2.1, 0.7, 1.5))


BESSEL = {
    "kv": mpmath.besselk, "kve": lambda v, x: mpmath.exp(x) * mpmath.besselk(v, x),
    "iv": mpmath.besseli, "ive": lambda v, x: mpmath.exp(-x) * mpmath.besseli(v, x),
}  # fmt: skip


@pytest.mark.parametrize(("v", "x"), [(0.3, 1e-3), (2.5, 0.7), (-0.8, 3.0), (4.2, 9.0)])
@pytest.mark.parametrize("name", BESSEL)
def test_derivatives_of_modified_bessel_functions_in_their_order(name, v, x):
    f = getattr(special, name)
    found, second = ft.grad(f, (0, 1))(v, x), ft.hessian(lambda p: f(*p))(np.array([v, x]))
    with mpmath.workdps(30):
        first = [float(mpmath.diff(BESSEL[name], (v, x), n)) for n in ((1, 0), (0, 1))]
        mixed = [float(mpmath.diff(BESSEL[name], (v, x), n)) for n in ((2, 0), (1, 1))]
    np.testing.assert_allclose(found, first, rtol=1e-11)
    np.testing.assert_allclose(second[0], mixed, rtol=1e-8)


def test_functions_of_the_second_kind_of_large_order_and_argument():
    for v, x in ((60.0, 0.3), (0.2, 1e3), (3.0, 1e-8), (400.0, 390.0)):
        with mpmath.workdps(50):
            log = lambda v, x=x: mpmath.log(mpmath.besselk(v, x))
            expected = float(mpmath.diff(log, v))
        found = ft.grad(special.kve)(v, x) / special.kve(v, x)
        np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert ft.grad(special.kv)(0.0, 1.0) == 0
    with pytest.raises(MissingRuleError, match="argument v: of complex numbers"):
        ft.grad(lambda v: np.real(special.kv(v, 1j)))(1.0)


@pytest.mark.parametrize("z", [-30.0, -0.7, 0.0, 0.4, 0.95])
def test_derivatives_of_gausss_function_in_its_parameters(z):
    inputs = (0.6, -1.4, 2.3, z)
    found = ft.grad(special.hyp2f1, (0, 1, 2, 3))(*inputs)
    orders = [tuple(int(n == k) for n in range(4)) for k in range(4)]
    with mpmath.workdps(40):
        expected = [float(mpmath.diff(mpmath.hyp2f1, inputs, n)) for n in orders]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("z", [-1.2, 0.4])
def test_second_derivatives_of_gausss_function(z):
    check_grads(special.hyp2f1, (0.6, -1.4, 2.3, z), order=2)
    check_grads(special.hyp0f1, (2.3, 3 * z), order=2)
    with mpmath.workdps(40):
        expected = float(mpmath.diff(mpmath.hyp0f1, (2.3, 3 * z), (1, 0)))
    np.testing.assert_allclose(ft.grad(special.hyp0f1)(2.3, 3 * z), expected, rtol=1e-11)
