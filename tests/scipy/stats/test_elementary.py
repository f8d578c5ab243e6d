"""Continuous distributions of elementary functions, held against SciPy."""

from __future__ import annotations

import numpy as np
import scipy.stats

import functrace as ft
from functrace.scipy import stats
from tests.scipy.stats import battery
from tests.scipy.stats.battery import Row

ROWS = [
    Row("laplace"),
    Row("logistic"),
    Row("cauchy"),
    Row("expon"),
    Row("uniform", inside=(0.2, 0.6, 0.9)),
    Row("pareto", (2.5,), (1.1, 1.6, 4.0), (-1.0,)),
    Row("weibull_min", (1.7,), wrong=(0.0,)),
    Row("gumbel_r"),
    Row("gumbel_l"),
    Row("rayleigh"),
]
globals().update(battery.tests_of(ROWS))


def test_the_end_of_the_support_has_the_derivative_from_within():
    assert ft.grad(stats.expon.logpdf)(0.0) == -1.0
    assert ft.grad(stats.expon.cdf)(0.0) == 1.0
    assert ft.grad(stats.expon.logpdf)(-1e-9) == 0.0
    assert ft.grad(stats.uniform.ppf)(1.0) == 1.0
    assert ft.grad(lambda b: stats.pareto.logpdf(1.0, b))(2.0) == 0.5


def test_means_that_do_not_exist():
    assert np.isinf(stats.pareto.mean(1.0))
    assert ft.grad(stats.pareto.mean)(0.5) == 0.0
    assert np.isnan(stats.cauchy.mean())


def test_derivatives_at_the_center_of_laplaces_distribution():
    for name, expected in (("cdf", 0.5), ("sf", -0.5), ("logcdf", 1.0), ("logsf", -1.0)):
        assert ft.grad(getattr(stats.laplace, name))(0.0) == expected


def test_tails_of_gumbels_distributions():
    assert stats.gumbel_r.logsf(1000.0) == stats.gumbel_l.logcdf(-1000.0) == -1000.0
    assert ft.grad(stats.gumbel_r.logsf)(1000.0) == -1.0
    x = np.array([-3.0, 0.0, 5.0, 35.9])
    np.testing.assert_allclose(stats.gumbel_r.logsf(x), scipy.stats.gumbel_r.logsf(x), rtol=1e-13)
    for f, x in ((stats.gumbel_l.cdf, 1000.0), (stats.gumbel_r.sf, -1000.0)):
        assert ft.jvp(f, (x,), (1.0,)) == (1.0, 0.0)
