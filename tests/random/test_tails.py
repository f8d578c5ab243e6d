"""The normal distribution's tail, against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from functrace.random.tails import log_tail, truncated_slope, wald_slope


@pytest.mark.parametrize("x", [-30.0, -8.0, -1.0, 0.0, 0.5, 4.0, 24.9, 25.1, 60.0, 1e5])
def test_logarithm_of_the_tail(x):
    with mpmath.workdps(30):
        expected = float(mpmath.log(mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2)) / 2))
    with np.errstate(all="ignore"):
        assert log_tail(np.array(x)) == pytest.approx(expected, rel=2e-13)


@pytest.mark.parametrize(
    ("lower", "x", "upper"),
    [(-1.0, 0.3, 2.0), (-9.0, -8.99, 9.5), (30.0, 30.02, 31.0), (-31.0, -30.02, -30.0)],
)
def test_slopes_of_truncated_normal_numbers(lower, x, upper):
    with mpmath.workdps(500):
        tail = lambda x: mpmath.erfc(x / mpmath.sqrt(2)) / 2
        low, here, high = (mpmath.mpf(at) for at in (lower, x, upper))
        above = (tail(here) - tail(high)) / (tail(low) - tail(high))
        expected = float(above * mpmath.exp((here**2 - low**2) / 2))
    assert truncated_slope(x, lower, upper) == pytest.approx(expected, rel=1e-10, abs=1e-300)


def test_an_infinite_bound_moves_nothing():
    assert truncated_slope(0.5, -np.inf, 1.0) == 0


@pytest.mark.parametrize(("x", "mean"), [(0.5, 1.0), (3.0, 0.2), (1e-3, 0.01), (0.01, 5.0)])
def test_slopes_of_wald_numbers(x, mean):
    def distribution(mean):
        first = mpmath.ncdf((x / mean - 1) / mpmath.sqrt(x))
        return first + mpmath.exp(2 / mean) * mpmath.ncdf(-(x / mean + 1) / mpmath.sqrt(x))

    with mpmath.workdps(200):
        x, mean = mpmath.mpf(x), mpmath.mpf(mean)
        density = mpmath.exp(-((x / mean - 1) ** 2) / (2 * x)) / mpmath.sqrt(2 * mpmath.pi * x**3)
        expected = float(-mpmath.diff(distribution, mean) / density)
    assert wald_slope(float(x), float(mean)) == pytest.approx(expected, rel=1e-9)
