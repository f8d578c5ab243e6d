"""Incomplete gamma and beta functions: derivatives in their parameters against mpmath."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.primitives.incomplete import bell, integral
from functrace.primitives.scipy_ufuncs import f
from functrace.scipy import special


def of_gamma(a, x, order):
    """The derivative of the regularized function in a, from the end where it is small."""
    a, x = mpmath.mpf(a), mpmath.mpf(x)
    with mpmath.workdps(50):
        part = (0, x, 1) if x < a else (x, mpmath.inf, -1)
        value = lambda q: part[2] * mpmath.gammainc(q, *part[:2], regularized=True)
        return float(mpmath.diff(value, a, order))


def of_beta(a, b, x, orders):
    a, b, x = map(mpmath.mpf, (a, b, x))
    with mpmath.workdps(50):
        if x < a / (a + b):
            value = lambda p, q: mpmath.betainc(p, q, 0, x, regularized=True)
        else:
            value = lambda p, q: -mpmath.betainc(q, p, 0, 1 - x, regularized=True)
        return float(mpmath.diff(value, (a, b), orders))


GAMMA = [
    (1e-3, 1e-300), (1e-3, 3.0), (0.5, 1e-10), (0.5, 0.3), (1.0, 1.0), (2.5, 1.6), (2.5, 80.0),
    (20.0, 2.0), (20.0, 20.0), (20.0, 55.0), (1000.0, 900.0), (1000.0, 1100.0),
]  # fmt: skip


@pytest.mark.parametrize(("a", "x"), GAMMA)
def test_derivatives_of_gammainc_in_its_parameter(a, x):
    expected = of_gamma(a, x, 1)
    assert ft.grad(special.gammainc)(a, x) == pytest.approx(expected, rel=1e-12)
    assert ft.grad(special.gammaincc)(a, x) == pytest.approx(-expected, rel=1e-12)
    y = special.gammainc(a, x)
    if 1e-3 < y < 0.999:
        by_a, by_y = ft.grad(special.gammaincinv, (0, 1))(a, y)
        density = float(mpmath.mpf(x) ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a))
        np.testing.assert_allclose((by_a, by_y), (-expected / density, 1 / density), rtol=1e-10)


@pytest.mark.parametrize(("a", "x"), [(0.5, 0.3), (2.5, 1.6), (20.0, 17.0)])
@pytest.mark.parametrize("order", [2, 3])
def test_higher_derivatives_of_gammainc_in_its_parameter(a, x, order):
    g = special.gammainc
    for _ in range(order):
        g = ft.grad(g)
    assert g(a, x) == pytest.approx(of_gamma(a, x, order), rel=1e-11)
    density = lambda a: mpmath.mpf(x) ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)
    mixed = float(mpmath.diff(density, a))
    assert ft.grad(ft.grad(special.gammainc, 0), 1)(a, x) == pytest.approx(mixed, rel=1e-11)
    assert ft.grad(ft.grad(special.gammainc, 1), 0)(a, x) == pytest.approx(mixed, rel=1e-11)


BETA = [
    (0.5, 0.5, 0.3), (1e-3, 2.5, 0.3), (2.5, 1e-3, 0.7), (2.5, 30.0, 1e-12), (2.5, 30.0, 0.2),
    (30.0, 2.5, 0.5), (1.0, 1.0, 0.999), (300.0, 200.0, 0.55), (300.0, 200.0, 0.65),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "x"), BETA)
def test_derivatives_of_betainc_in_its_parameters(a, b, x):
    found = ft.grad(special.betainc, (0, 1))(a, b, x)
    expected = of_beta(a, b, x, (1, 0)), of_beta(a, b, x, (0, 1))
    np.testing.assert_allclose(found, expected, rtol=2e-12)
    of_complement = ft.grad(special.betaincc, (0, 1))(a, b, x)
    np.testing.assert_allclose(of_complement, np.negative(expected), rtol=2e-12)


def test_second_derivatives_of_betainc_in_its_parameters():
    a, b, x = 2.5, 1.5, 0.4
    found = ft.hessian(lambda v: special.betainc(v[0], v[1], x))(np.array([a, b]))
    expected = [[of_beta(a, b, x, (2, 0)), of_beta(a, b, x, (1, 1))],
                [of_beta(a, b, x, (1, 1)), of_beta(a, b, x, (0, 2))]]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_densities_of_large_parameters_keep_their_digits():
    for a, x in ((1e6, 1e6), (1e6, 1.002e6), (3.0, 700.0), (0.3, 1e-200)):
        with mpmath.workdps(40):
            m = mpmath.mpf(x)
            expected = float(m ** (a - 1) * mpmath.exp(-m) / mpmath.gamma(a))
        assert ft.grad(special.gammainc, 1)(a, x) == pytest.approx(expected, rel=1e-12)
    for a, b, x in ((1e5, 2e5, 0.3333), (2.0, 3e4, 1e-4), (0.5, 0.5, 1e-200)):
        with mpmath.workdps(40):
            m = mpmath.mpf(x)
            expected = float(m ** (a - 1) * (1 - m) ** (b - 1) / mpmath.beta(a, b))
        assert ft.grad(special.betainc, 2)(a, b, x) == pytest.approx(expected, rel=1e-11)


def test_densities_have_no_seams():
    v = np.linspace(-0.6, 0.9, 101)  # the distance from the mean, by the mean
    for a in (12.0, 300.0):
        with mpmath.workdps(30):
            log = lambda x, a=a: a * mpmath.log(x) - x - mpmath.loggamma(a)
            expected = [float(mpmath.exp(log(x)) / x) for x in a * (1 + v)]
        np.testing.assert_allclose(f.gamma_density(a, a * (1 + v)), expected, rtol=3e-12)
        x = np.float64(1 + v[:-1]) / 2
        with mpmath.workdps(30):
            log = lambda x, a=a: (a - 1) * mpmath.log(x * (1 - mpmath.mpf(x)))
            expected = [float(mpmath.exp(log(x)) / mpmath.beta(a, a)) for x in x]
        np.testing.assert_allclose(f.beta_density(a, a, x), expected, rtol=3e-12)


def test_ends_of_the_domain():
    by_x = ft.grad(special.gammainc, 1)
    assert (by_x(0.5, 0.0), by_x(1.0, 0.0), by_x(2.0, 0.0)) == (np.inf, 1.0, 0.0)
    assert ft.grad(ft.grad(special.gammainc, 1), 1)(1.0, 0.0) == -1.0
    assert ft.grad(special.gammainc)(2.0, 0.0) == 0.0
    assert ft.grad(special.gammainc)(2.0, np.inf) == 0.0
    by_x = ft.grad(special.betainc, 2)
    assert (by_x(0.5, 2.0, 0.0), by_x(1.0, 2.0, 0.0), by_x(2.0, 2.0, 0.0)) == (np.inf, 2.0, 0.0)
    assert (by_x(2.0, 0.5, 1.0), by_x(2.0, 1.0, 1.0), by_x(2.0, 2.0, 1.0)) == (np.inf, 2.0, 0.0)
    assert math.isnan(ft.grad(special.gammainc)(-1.0, 1.0))
    assert math.isnan(ft.grad(special.betainc)(2.0, -1.0, 0.5))
    assert math.isnan(ft.grad(special.gammainc)(1.0, np.nan))


def test_bell_polynomials_are_derivatives_of_exponentials():
    # Of exp(u * a + v * b + w * a * b) at 0.
    cumulant = lambda i, j: {(1, 0): 2.0, (0, 1): 3.0, (1, 1): 5.0}.get((i, j), 0.0)
    assert bell(0, 0, cumulant) == 1
    assert bell(2, 0, cumulant) == 4
    assert bell(1, 1, cumulant) == 2 * 3 + 5
    assert bell(2, 1, cumulant) == 2 * 2 * 3 + 2 * 2 * 5


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e5])
def test_integrals_of_what_falls_exponentially(scale):
    found = integral(lambda s: s * np.exp(-s / scale), np.array([scale]))
    np.testing.assert_allclose(found, scale * scale, rtol=1e-14)


def test_dtypes_shapes_and_maps():
    a, x = np.float32([[0.5], [2.0]]), np.float32([0.3, 1.0, 4.0])
    found = f.gammainc_by_a(a, x, orders=(1,))
    assert (found.dtype, found.shape) == (np.float32, (2, 3))
    assert f.gammainc_by_a(a[:0], x, orders=(1,)).shape == (0, 3)
    mapped = ft.vmap(ft.grad(special.gammainc), in_axes=(0, None))(a[:, 0], np.float32(1.0))
    np.testing.assert_allclose(mapped, found[:, 1], rtol=1e-6)
    assert type(ft.grad(special.gammainc)(2.0, 1.0)) is np.float64
