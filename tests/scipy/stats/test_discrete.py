"""Distributions of whole numbers, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import functrace as ft
from functrace.errors import UnknownValueError
from functrace.scipy import stats
from functrace.testing import check_grads
from tests.scipy.stats import battery
from tests.scipy.stats.battery import Row

ROWS = [
    Row("bernoulli", (0.3,), (0, 0), (1.5,)),
    Row("binom", (7, 0.3), (1, 3), (2.5, 0.3), counted=(0,)),
    Row("binom", (1000, 0.4), (380, 420), (-1, 0.3), counted=(0,)),
    Row("poisson", (3.2,), (0, 3), (-1.0,)),
    Row("poisson", (300.0,), (280, 320)),
    Row("nbinom", (4.5, 0.3), (0, 3), (3.0, 0.0)),
    Row("geom", (0.3,), (1, 4), (0.0,)),
    Row("betabinom", (7, 1.5, 2.5), (0, 3), (7, -1.0, 2.0), counted=(0,)),
]
globals().update(battery.tests_of(ROWS))


def test_only_whole_numbers_have_a_probability():
    np.testing.assert_array_equal(stats.poisson.pmf([0.5, -1.0], 2.0), 0.0)
    assert ft.grad(lambda k: stats.poisson.logpmf(k, 2.0))(3.0) == 0.0
    assert ft.grad(lambda mu: stats.poisson.logpmf(0.5, mu))(2.0) == 0.0
    assert stats.binom.cdf(3.7, 7, 0.3) == stats.binom.cdf(3, 7, 0.3)


def test_certain_outcomes_have_derivatives():
    for p, slopes in ((0.0, [-3.0, 3.0, 0.0]), (1.0, [0.0, 0.0, -3.0])):
        found = ft.jacrev(lambda p: stats.binom.pmf(np.arange(3), 3, p))(p)
        np.testing.assert_allclose(found, slopes, atol=1e-14)
    np.testing.assert_array_equal(ft.jacrev(lambda p: stats.bernoulli.pmf([0, 1], p))(0.0), [-1, 1])


@pytest.mark.parametrize("mu", [0.0, 1e-3, 7.0, 99.0, 101.0, 1e6])
def test_the_entropy_of_counts_is_a_sum(mu):
    k = np.arange(max(0, int(mu - 40 * np.sqrt(mu) - 1)), int(mu + 40 * np.sqrt(mu) + 60))
    log = stats.poisson.logpmf(k, mu)
    log = log[np.isfinite(log)]
    expected = -np.sum(np.exp(log) * log)
    np.testing.assert_allclose(stats.poisson.entropy(mu), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        *(("binom", (n, p)) for n in (0, 300, 401, 100_000) for p in (1e-4, 0.5, 0.999)),
        *(("nbinom", (n, p)) for n in (0.1, 4.5, 60.0, 5e3) for p in (0.05, 0.3, 0.999)),
        *(("betabinom", (n, 0.4, 2.5)) for n in (0, 1, 600)),
    ],
)
def test_the_entropy_of_successes_is_a_sum(name, shapes):
    family, known = getattr(stats, name), getattr(scipy.stats, name)(*shapes)
    mass = known.pmf(np.arange(known.mean() + 150 * known.std() + 60))
    expected = -np.sum(mass[mass > 0] * np.log(mass[mass > 0]))
    np.testing.assert_allclose(family.entropy(*shapes), expected, rtol=1e-11, atol=1e-14)
    *rest, p = shapes
    entropy = lambda p: family.entropy(*rest, p)
    check_grads(
        entropy,
        (p,),
        order=1,
        modes=("fwd", "rev"),
        eps=1e-4 * min(p, 1 - p) if p < 1 else None,
        rtol=1e-5,
        atol=1e-5,
    )


def test_the_number_of_masses_to_add_must_be_known():
    cdf = lambda a: stats.betabinom.cdf(3, np.array([5, 7]), a, 2.0)
    np.testing.assert_allclose(ft.jit(cdf)(1.5), cdf(1.5), rtol=1e-14)
    with pytest.raises(UnknownValueError, match="n of betabinom"):
        ft.jit(lambda n: stats.betabinom.cdf(3, n, 1.5, 2.0))(7.0)
