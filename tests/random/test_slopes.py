"""Slopes by implicit differentiation, against mpmath's distribution functions."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import special

from functrace.random.slopes import log_gamma_slope, logit_beta_slope

QUANTILES = [1e-6, 0.2, 0.5, 0.9, 1 - 1e-6]


def moved(distribution, density, at):
    """``-dF/dparameter / p`` of a distribution function, or of what is left of it up to 1."""
    with mpmath.workdps(40):
        slope = mpmath.diff(distribution, mpmath.mpf(at), h=mpmath.mpf(10) ** -13 * at)
        return float(-slope / density)


@pytest.mark.parametrize("shape", [0.02, 0.3, 1.0, 17.0, 1e4])
@pytest.mark.parametrize("quantile", QUANTILES)
def test_of_gamma_numbers(shape, quantile):
    with np.errstate(divide="ignore"):
        y = float(np.log(special.gammaincinv(shape, quantile)))
    if y < -300:
        return
    with mpmath.workdps(40):
        x = mpmath.exp(mpmath.mpf(y))
        density = mpmath.exp(shape * mpmath.mpf(y) - x - mpmath.loggamma(shape))

    def distribution(shape):
        if x < shape:
            return mpmath.gammainc(shape, 0, x, regularized=True)
        return -mpmath.gammainc(shape, x, mpmath.inf, regularized=True)

    expected = moved(distribution, density, shape)
    assert log_gamma_slope(y, shape) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("a", [0.02, 1.0, 40.0])
@pytest.mark.parametrize("b", [0.02, 2.0])
@pytest.mark.parametrize("quantile", QUANTILES)
def test_of_beta_numbers(a, b, quantile):
    x = special.betaincinv(a, b, quantile)
    if not 1e-290 < x < 1 - 1e-14:
        return
    y = float(np.log(x / (1 - x)))
    with mpmath.workdps(40):
        x, rest = (1 / (1 + mpmath.exp(side * mpmath.mpf(y))) for side in (-1, 1))
        density = x**a * rest**b / mpmath.beta(a, b)

    y_mode = np.log(a / b)

    def distribution(a):
        if y < y_mode:
            return mpmath.betainc(a, b, 0, x, regularized=True)
        return -mpmath.betainc(b, a, 0, rest, regularized=True)

    expected = moved(distribution, density, a)
    assert logit_beta_slope(y, a, b) == pytest.approx(expected, rel=1e-9)


def test_where_the_number_itself_is_too_small():
    """Near 0 the distribution function is x**a / gamma(a + 1)."""
    expected = (float(mpmath.digamma(1.001)) + 2000) / 1e-3
    assert log_gamma_slope(-2000.0, 1e-3) == pytest.approx(expected, rel=1e-9)


def test_many_at_once():
    y, shape = np.linspace(-1, 2, 5000).reshape(50, 100), np.linspace(0.5, 3, 100)
    found = log_gamma_slope(y, shape)
    assert found.shape == (50, 100)
    assert found[49, 7] == log_gamma_slope(y[49, 7], shape[7])
    assert log_gamma_slope(np.float32(0.5), np.float32(2)).dtype == np.float32
