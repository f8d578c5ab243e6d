"""Distributions around the circle, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace.scipy import stats
from functrace.testing import numerical_jvp
from tests.scipy.stats import battery
from tests.scipy.stats.battery import Row

ROWS = [
    Row("vonmises", (1.7,), (-2.0, 0.3, 2.8), (-1.0,), ("var", "median")),
    Row("wrapcauchy", (0.4,), (0.5, 3.0, 6.0), (1.5,)),
]
globals().update(battery.tests_of(ROWS))


@pytest.mark.parametrize("kappa", [0.0, 0.1, 30.0, 500.0])
def test_concentrations(kappa):
    x = np.array([-0.4, 0.01, 0.2])
    tangent = ft.jvp(lambda k: stats.vonmises.cdf(x, k), (kappa,), (1.0,))[1]
    density = ft.jvp(lambda k: stats.vonmises.logpdf(x, k), (kappa + 1.0,), (1.0,))[1]
    expected = numerical_jvp(lambda k: stats.vonmises.logpdf(x, k), (kappa + 1.0,), (1.0,))
    np.testing.assert_allclose(density, expected, rtol=1e-7, atol=1e-9)
    t = np.linspace(0.0, x, 20001)
    ratio = scipy.special.i1e(kappa) / scipy.special.i0e(kappa)
    terms = stats.vonmises.pdf(t, kappa) * (np.cos(t) - ratio)
    np.testing.assert_allclose(tangent, np.trapezoid(terms, t, axis=0), rtol=1e-6, atol=1e-12)


def test_tails_by_the_concentration():
    # The derivative of the logarithm of a tail is moderate, as the tail is about a density.
    for x in (-1.0, -2.5):
        found = ft.grad(stats.vonmises.cdf, 1)(x, 40.0) / stats.vonmises.pdf(x, 40.0)
        t = np.linspace(-np.pi, x, 20001)
        ratio = scipy.special.i1e(40.0) / scipy.special.i0e(40.0)
        terms = stats.vonmises.pdf(t, 40.0) * (np.cos(t) - ratio)
        expected = np.trapezoid(terms, t) / stats.vonmises.pdf(x, 40.0)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_density_is_periodic():
    period = 2 * np.pi
    np.testing.assert_allclose(stats.vonmises.pdf(1.0 + period, 2.0), stats.vonmises.pdf(1.0, 2.0))
    np.testing.assert_allclose(
        ft.grad(stats.vonmises.cdf, 1)(1.0 + period, 2.0), ft.grad(stats.vonmises.cdf, 1)(1.0, 2.0)
    )


def test_the_variance_is_an_integral():
    x = np.linspace(-np.pi, np.pi, 200_001)
    for kappa in (0.0, 2.0, 100.0):
        expected = np.trapezoid(x * x * stats.vonmises.pdf(x, kappa), x)
        np.testing.assert_allclose(stats.vonmises.var(kappa), expected, rtol=1e-8)


def test_a_distribution_around_the_circle_is_smooth_at_its_far_side():
    second = ft.grad(ft.grad(stats.wrapcauchy.cdf))(np.pi, 0.5)
    np.testing.assert_allclose(second, ft.grad(stats.wrapcauchy.pdf)(np.pi, 0.5), atol=1e-15)
