"""Distributions of incomplete gamma and beta functions, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.scipy import stats
from tests.scipy.stats import battery
from tests.scipy.stats.battery import Row

ROWS = [
    Row("gamma", (2.3,), wrong=(0.0,)),
    Row("chi2", (3.4,)),
    Row("invgamma", (3.3,)),
    Row("beta", (1.5, 2.5), (0.2, 0.6, 0.9), (-1.0, 2.0)),
    Row("f", (4.3, 5.7)),
    Row("t", (4.6,), (-1.5, 0.4, 2.0), (0.0,)),
    Row("gennorm", (1.6,), (-1.5, 0.4, 2.0)),
]
globals().update(battery.tests_of(ROWS))


@pytest.mark.parametrize("size", [30.0, 1e3, 1e8, 1e15])
def test_large_shapes_keep_their_digits(size):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        a = mpmath.mpf(size)
        entropy = a + mpmath.loggamma(a) + (1 - a) * mpmath.digamma(a)
        step = mpmath.loggamma((a + 1) / 2) - mpmath.loggamma(a / 2)
        density = step - mpmath.log(a * mpmath.pi) / 2 - (a + 1) / 2 * mpmath.log(1 + 4 / a)
        inverse = a - (1 + a) * mpmath.digamma(a) + mpmath.loggamma(a)
    np.testing.assert_allclose(stats.gamma.entropy(size), float(entropy), rtol=1e-12)
    np.testing.assert_allclose(stats.t.logpdf(2.0, size), float(density), rtol=1e-12)
    np.testing.assert_allclose(stats.invgamma.entropy(size), float(inverse), rtol=1e-12)


def test_the_t_distribution_of_infinite_freedom_is_normal():
    assert stats.t.logpdf(0.7, np.inf) == stats.norm.logpdf(0.7)
    assert ft.grad(stats.t.logpdf, 1)(0.7, np.inf) == 0.0
    np.testing.assert_array_equal(stats.t.var([0.5, 1.5, 4.0, np.inf]), [np.nan, np.inf, 2.0, 1.0])


def test_symmetric_ones_at_their_center():
    np.testing.assert_allclose(ft.grad(stats.t.cdf)(0.0, 3.0), stats.t.pdf(0.0, 3.0), rtol=1e-14)
    assert ft.grad(stats.t.cdf, 1)(0.0, 3.0) == 0.0
    np.testing.assert_allclose(ft.grad(stats.gennorm.cdf)(0.0, 1.6), stats.gennorm.pdf(0.0, 1.6))


def test_far_quantiles_of_f_are_finite():
    x = stats.f.isf(1e-200, 4.3, 5.7)
    np.testing.assert_allclose(stats.f.sf(x, 4.3, 5.7), 1e-200, rtol=1e-10)
