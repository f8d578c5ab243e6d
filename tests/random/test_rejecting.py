"""What is drawn by rejection, where the distributions are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import functrace as ft
from functrace.random import rejecting

KEY = ft.random.key(3)
COUNT = 100_000


def draw(primitive, *parameters, dtype=np.float64):
    dtype = np.dtype(dtype)
    return ft.extend.bind(primitive, KEY, *parameters, shape=(COUNT,), dtype=dtype)


def follows(found, distribution):
    """Pearson's test, over about 40 intervals."""
    low, high = distribution.ppf([1e-4, 1 - 1e-4])
    edges = np.unique(np.linspace(low, high + 1, 40).astype(int))
    observed = np.histogram(found, [-1, *edges, 1e18])[0]
    expected = np.diff([0, *distribution.cdf(edges - 1), 1]) * found.size
    is_usual = expected > 5
    observed = [*observed[is_usual], observed[~is_usual].sum() + 1]
    expected = [*expected[is_usual], expected[~is_usual].sum() + 1]
    assert stats.chisquare(observed, np.array(expected)).pvalue > 0.001
    mean, variance = distribution.stats("mv")
    assert abs(found.mean() - mean) < 4 * math.sqrt(variance / found.size)


@pytest.mark.parametrize("mean", [0.1, 3.0, 9.9, 10.0, 30.0, 1000.0, 1e8])
def test_poisson(mean):
    follows(draw(rejecting.random_poisson, mean, dtype=np.int64), stats.poisson(mean))


@pytest.mark.parametrize(
    ("count", "chance"),
    [(10, 0.3), (10, 0.9), (100, 0.3), (1000, 0.5), (1e6, 0.7), (1e12, 1e-11), (1e12, 0.4)],
)
def test_binomial(count, chance):
    found = draw(rejecting.random_binomial, np.float64(count), chance)
    follows(found, stats.binom(count, chance))
    assert 0 <= found.min() <= found.max() <= count


def test_sure_numbers():
    parameters = np.array([5.0, 5.0, 0.0, 3.0, -1.0, 5.0]), np.array([0, 1, 0.5, np.nan, 0.5, 1.5])
    dtype = np.dtype(np.float64)
    primitive = rejecting.random_binomial
    found = ft.extend.bind(primitive, KEY, *parameters, shape=(6,), dtype=dtype)
    np.testing.assert_array_equal(found, [0, 5, 0, np.nan, np.nan, np.nan])
    assert not draw(rejecting.random_poisson, 0.0, dtype=np.int64).any()


@pytest.mark.parametrize("mean", [-1.0, np.nan, np.inf, 1e300])
def test_what_is_no_mean_is_refused(mean):
    with pytest.raises(ValueError, match="lam < 0"):
        draw(rejecting.random_poisson, mean, dtype=np.int64)


@pytest.mark.parametrize("bound", [1, 6, 2**32, 3 * 2**62, 2**64 - 1])
def test_integers_below_a_bound(bound):
    found = draw(rejecting.random_integers, np.uint64(0), np.uint64(bound), dtype=np.uint64)
    assert found.max() < bound
    parts = min(bound, 12)
    classes = [int(number) * parts // bound for number in found[:20_000]]
    counts = np.bincount(classes, minlength=parts)
    assert parts == 1 or stats.chisquare(counts).pvalue > 0.001
