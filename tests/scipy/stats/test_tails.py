"""Logarithms of probabilities that underflow, held against mpmath's."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.scipy import stats
from functrace.scipy.stats.tails import log_of_tail

mpmath = pytest.importorskip("mpmath")


def upper_gamma(a, x):
    return mpmath.log(mpmath.gammainc(a, x, mpmath.inf, regularized=True))


def lower_gamma(a, x):
    return mpmath.log(mpmath.gammainc(a, 0, x, regularized=True))


def lower_beta(a, b, x):
    series = mpmath.log(mpmath.hyp2f1(a, 1 - b, a + 1, x))
    return a * mpmath.log(x) + series - mpmath.log(a) - mpmath.log(mpmath.beta(a, b))


def student(x, df):
    return lower_beta(df / 2, mpmath.mpf(1) / 2, df / (df + x * x)) - mpmath.log(2)


def fisher_above(x, n, m):
    return lower_beta(m / 2, n / 2, m / (m + n * x))


ROWS = [
    ("gamma.logsf", lambda x, a: upper_gamma(a, x), (1e3, 2.3)),
    ("gamma.logsf", lambda x, a: upper_gamma(a, x), (1e4, 3e3)),
    ("gamma.logcdf", lambda x, a: lower_gamma(a, x), (1e-20, 50.0)),
    ("gamma.logcdf", lambda x, a: lower_gamma(a, x), (200.0, 1e3)),
    ("chi2.logsf", lambda x, df: upper_gamma(df / 2, x / 2), (5e3, 7.0)),
    ("invgamma.logcdf", lambda x, a: upper_gamma(a, 1 / x), (1e-4, 2.5)),
    ("beta.logcdf", lambda x, a, b: lower_beta(a, b, x), (0.02, 300.0, 400.0)),
    ("beta.logsf", lambda x, a, b: lower_beta(b, a, 1 - x), (0.99, 300.0, 400.0)),
    ("f.logsf", fisher_above, (1e100, 4.0, 7.0)),
    ("f.logsf", fisher_above, (100.0, 40.0, 1e3)),
    ("f.logcdf", lambda x, n, m: lower_beta(n / 2, m / 2, n * x / (m + n * x)), (1e-20, 40.0, 9.0)),
    ("t.logsf", student, (1e10, 60.0)),
    ("t.logcdf", student, (-100.0, 1e3)),
    ("gennorm.logsf", lambda x, b: upper_gamma(1 / b, x**b) - mpmath.log(2), (30.0, 2.5)),
    ("gennorm.logcdf", lambda x, b: upper_gamma(1 / b, (-x) ** b) - mpmath.log(2), (-1e5, 0.7)),
    ("weibull_min.logcdf", lambda x, c: mpmath.log(-mpmath.expm1(-(x**c))), (1e-120, 3.0)),
    ("rayleigh.logcdf", lambda x: mpmath.log(-mpmath.expm1(-x * x / 2)), (1e-146,)),
]


@pytest.mark.parametrize(("name", "formula", "at"), ROWS)
def test_values_and_derivatives_are_those_of_mpmath(name, formula, at):
    family, method = name.split(".")
    f = getattr(getattr(stats, family), method)
    with mpmath.workdps(40):
        exact = [mpmath.mpf(x) for x in at]
        np.testing.assert_allclose(f(*at), float(formula(*exact)), rtol=1e-13)
        for n, x in enumerate(at):
            along = lambda y, n=n: formula(*exact[:n], y, *exact[n + 1 :])
            slope = float(mpmath.diff(along, exact[n], h=abs(exact[n]) * mpmath.mpf(10) ** -12))
            pushed = ft.jvp(lambda y, n=n: f(*at[:n], y, *at[n + 1 :]), (x,), (1.0,))[1]
            np.testing.assert_allclose(pushed, slope, rtol=1e-12)
            np.testing.assert_allclose(ft.grad(f, argnums=n)(*at), slope, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "formula", "at"), ROWS)
def test_second_derivatives_are_those_of_mpmath(name, formula, at):
    family, method = name.split(".")
    f = getattr(getattr(stats, family), method)
    with mpmath.workdps(40):
        exact = [mpmath.mpf(x) for x in at]
        for n, x in enumerate(exact):
            along = lambda y, n=n: formula(*exact[:n], y, *exact[n + 1 :])
            bend = mpmath.diff(along, x, 2, h=abs(x) * mpmath.mpf(10) ** -9)
            found = ft.grad(ft.grad(f, argnums=n), argnums=n)(*at)
            np.testing.assert_allclose(found, float(bend), rtol=1e-11, atol=1e-13)


def test_skewed_tails():
    x, a = 15.0, 3.0
    with mpmath.workdps(30):
        density = lambda s: 2 * mpmath.npdf(s) * mpmath.ncdf(a * s)
        exact = mpmath.log(mpmath.quad(density, mpmath.linspace(-x - 0.6, -x, 120)))
        slope = density(-x) / mpmath.exp(exact)
    np.testing.assert_allclose(stats.skewnorm.logcdf(-x, a), float(exact), rtol=1e-13)
    np.testing.assert_allclose(ft.grad(stats.skewnorm.logcdf)(-x, a), float(slope), rtol=1e-11)
    np.testing.assert_allclose(stats.skewnorm.logsf(x, -a), float(exact), rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "formula", "at"),
    [
        ("poisson.logsf", lambda k, mu: lower_gamma(k + 1, mu), (1e3, 3.0)),
        ("poisson.logcdf", lambda k, mu: upper_gamma(k + 1, mu), (2.0, 2e3)),
        ("binom.logsf", lambda k, n, p: lower_beta(k + 1, n - k, p), (900.0, 1e3, 0.1)),
        ("binom.logcdf", lambda k, n, p: lower_beta(n - k, k + 1, 1 - p), (20.0, 1e3, 0.9)),
        ("nbinom.logsf", lambda k, n, p: lower_beta(k + 1, n, 1 - p), (4e3, 5.0, 0.25)),
    ],
)
def test_counts(name, formula, at):
    family, method = name.split(".")
    f = getattr(getattr(stats, family), method)
    *first, p = at
    with mpmath.workdps(40):
        exact = [mpmath.mpf(x) for x in at]
        value = formula(*exact)
        slope = mpmath.diff(lambda p: formula(*exact[:-1], p), exact[-1], h=exact[-1] / 10**12)
    np.testing.assert_allclose(f(*at), float(value), rtol=1e-12)
    np.testing.assert_allclose(ft.grad(lambda p: f(*first, p))(p), float(slope), rtol=1e-10)


def test_near_and_far_tails_meet():
    x = np.linspace(600.0, 720.0, 25)
    values = stats.gamma.logsf(x, 2.3)
    steps = np.diff(values) + 5.0  # of the slope -1 and a little more
    assert np.all(steps > 0)
    assert np.all(steps < 0.02)
    np.testing.assert_allclose(ft.jit(stats.gamma.logsf)(x, 2.3), values, rtol=1e-14)
    np.testing.assert_allclose(ft.vmap(lambda x: stats.gamma.logsf(x, 2.3))(x), values, rtol=1e-14)
    slope = lambda f: ft.vmap(ft.grad(f))(x)
    np.testing.assert_allclose(
        slope(lambda x: stats.gamma.logsf(x, 2.3)), np.diff(values)[0] / 5, rtol=1e-3
    )
    assert stats.gamma.logsf(np.zeros((0, 3)), 2.3).shape == (0, 3)


def test_an_exponential_tail():
    np.testing.assert_allclose(
        log_of_tail(lambda x: -x, np.array([1e3]), False), [-1e3], rtol=1e-14
    )
    np.testing.assert_allclose(
        log_of_tail(np.log, np.array([1e-170]), True), 2 * np.log([1e-170]) - np.log(2)
    )


@pytest.mark.parametrize("x", [-2.5, -5.0, -11.0])
def test_what_is_a_difference_of_probabilities_keeps_its_digits(x):
    with mpmath.workdps(30):
        density = lambda s: 2 * mpmath.npdf(s) * mpmath.ncdf(3 * s)
        exact = mpmath.log(mpmath.quad(density, mpmath.linspace(x - 4, x, 200)))
    np.testing.assert_allclose(stats.skewnorm.logcdf(x, 3.0), float(exact), rtol=1e-13)


@pytest.mark.parametrize("kappa", [0.5, 20.0, 300.0])
def test_both_tails_of_the_von_mises_family_are_alike(kappa):
    x = np.array([0.1, 0.5, 1.0, 3.0, 7.0])
    vonmises = ft.scipy.stats.vonmises
    np.testing.assert_array_equal(vonmises.sf(x, kappa), vonmises.cdf(-x, kappa))
    assert np.all(np.isfinite(vonmises.logsf(x[:2], kappa)))
    np.testing.assert_allclose(vonmises.sf(x, kappa) + vonmises.cdf(x, kappa), 1, rtol=1e-12)
    np.testing.assert_allclose(vonmises.isf([0.1, 0.7], kappa), vonmises.ppf([0.9, 0.3], kappa))
    density = [ft.grad(vonmises.sf)(one, kappa) for one in x]
    np.testing.assert_allclose(density, -vonmises.pdf(x, kappa), rtol=1e-9)
