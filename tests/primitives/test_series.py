"""Derivatives of zeta and hypergeometric functions in their parameters, against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.scipy import special


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
