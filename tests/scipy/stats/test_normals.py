"""Distributions made of the normal one, held against SciPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import scipy.special

import functrace as ft
from functrace.scipy import stats
from tests.scipy.stats import battery
from tests.scipy.stats.battery import Row

ROWS = [
    Row("norm"),
    Row("lognorm", (0.8,), wrong=(-1.0,)),
    Row("halfnorm"),
    Row("truncnorm", (-1.2, 2.3), (-0.6, 0.6, 1.7), (1.0, 0.5)),
    Row("truncnorm", (2.0, np.inf), (2.3, 3.6, 5.7)),
    Row("truncnorm", (-np.inf, -3.0), (-5.0, -4.0, -3.2)),
    Row("skewnorm", (1.4,), wrong=(np.inf,)),
    Row("exponnorm", (1.3,), (-0.6, 0.6, 3.7), (-1.0,), ("entropy",)),
]
globals().update(battery.tests_of(ROWS))


def test_far_tails_have_derivatives():
    for x in (-40.0, -10.0, 10.0, 40.0):
        assert ft.grad(stats.norm.logpdf)(x) == -x
        hazard = np.exp(stats.norm.logpdf(x) - stats.norm.logcdf(x))
        np.testing.assert_allclose(ft.grad(stats.norm.logcdf)(x), hazard, rtol=1e-12)
    assert np.isfinite(ft.grad(stats.truncnorm.logpdf, (0, 1, 2))(31.0, 30.0, 40.0)).all()


def test_a_tail_cut_off_far_out():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        mass = mpmath.ncdf(-30) - mpmath.ncdf(-32)
        below = (mpmath.ncdf(-30) - mpmath.ncdf(-30.01)) / mass
        expected = float(mpmath.log(below))
    np.testing.assert_allclose(stats.truncnorm.logcdf(30.01, 30.0, 32.0), expected, rtol=1e-12)


@pytest.mark.parametrize("a", [0.0, -3.0, 1e3])
def test_the_entropy_of_skewed_ones_is_an_integral(a):
    x = np.linspace(-12, 12, 2_000_001)
    log = stats.skewnorm.logpdf(x, a)
    terms = np.where(np.isfinite(log), -np.exp(log) * log, 0.0)
    np.testing.assert_allclose(stats.skewnorm.entropy(a), np.trapezoid(terms, x), rtol=1e-7)


@pytest.mark.parametrize("shape", [1e-3, 0.3, 2.0, 1e4])
def test_the_sum_of_a_normal_and_an_exponential_variable(shape):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        for x in (-30.0, -1.0, 0.0, 0.7, 40.0):
            k = mpmath.mpf(shape)
            more = mpmath.exp(1 / (2 * k * k) - x / k) * mpmath.ncdf(x - 1 / k)
            below, above = mpmath.ncdf(x) - more, mpmath.ncdf(-x) + more
            for method, expected in (("pdf", more / k), ("cdf", below), ("sf", above)):
                found = getattr(stats.exponnorm, method)(x, shape)
                rtol = 1e-12 * max(1.0, shape) * max(1.0, 1e-3 / shape) + 1e-10 * (shape < 0.01)
                np.testing.assert_allclose(found, float(expected), rtol=max(rtol, 2e-11))
    terms = lambda x: scipy.special.entr(stats.exponnorm.pdf(x, shape))
    ends = np.concatenate([np.linspace(-9, 9, 7), 9 + shape * np.array([1.0, 5.0, 15.0, 45.0])])
    parts = [scipy.integrate.quad(terms, a, b, epsabs=1e-13)[0] for a, b in pairwise(ends)]
    np.testing.assert_allclose(stats.exponnorm.entropy(shape), sum(parts), rtol=1e-9)


def test_programs_are_ported_by_their_imports():
    x = np.array([0.3, -1.2, 2.2])

    def loss(parameters):
        location, log_scale = parameters
        return -np.sum(stats.norm(location, np.exp(log_scale)).logpdf(x))

    gradient = ft.jit(ft.grad(loss))(np.array([np.mean(x), np.log(np.std(x))]))
    np.testing.assert_allclose(gradient, 0, atol=1e-14)


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (0.0, 2.0), (-np.inf, 0.0), (4.0, 4.0 + 1e-9)])
def test_truncated_distributions_at_their_ends(ends):
    for x in filter(np.isfinite, ends):
        density = stats.truncnorm.pdf(x, *ends)
        for f, sign in ((stats.truncnorm.cdf, 1), (stats.truncnorm.sf, -1)):
            by_x = ft.jvp(lambda x, f=f: f(x, *ends), (x,), (1.0,))[1]
            np.testing.assert_allclose([by_x, ft.grad(f)(x, *ends)], sign * density, rtol=1e-12)
    if np.isfinite(ends[0]):
        found = ft.grad(stats.truncnorm.cdf, 1)(ends[0], *ends)
        np.testing.assert_allclose(found, -stats.truncnorm.pdf(ends[0], *ends))


def test_narrow_intervals_keep_their_digits():
    middle = stats.truncnorm.cdf(3.0 + 4e-13, 3.0, 3.0 + 1e-12)
    np.testing.assert_allclose(middle, 0.4, rtol=1e-3)  # to the rounding of the ends
    np.testing.assert_allclose(stats.truncnorm.cdf(1e-20, 0.0, 2.0), 8.359191004702692e-21)
    np.testing.assert_allclose(ft.grad(stats.truncnorm.cdf)(1e-20, 0.0, 2.0), 0.8359191004702692)
