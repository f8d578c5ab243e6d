"""Continuous distributions against SciPy"s."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import functrace as ft
from functrace import random

COUNT = 100_000


def follows(found, distribution):
    """Mean, variance and distribution function, as far as such a number of draws can tell."""
    found = np.asarray(found, np.float64)
    mean, variance, kurtosis = distribution.stats("mvk")
    if np.isfinite(variance):
        assert abs(found.mean() - mean) < 4 * math.sqrt(variance / found.size)
    if np.isfinite(kurtosis):
        error = math.sqrt((kurtosis + 2) / found.size) * variance
        assert abs(found.var() - variance) < 4 * error
    assert stats.kstest(found, distribution.cdf).pvalue > 0.001


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_uniform(dtype):
    found = random.uniform(random.key(0), (COUNT,), dtype)
    assert found.dtype == dtype
    assert found.min() >= 0
    assert found.max() < 1
    if dtype != np.float16:
        follows(found, stats.uniform())
    follows(random.uniform(random.key(1), (COUNT,), minval=-2.0, maxval=3.0), stats.uniform(-2, 5))


def test_uniform_stays_below_its_end():
    found = random.uniform(random.key(0), (COUNT,), np.float16, 1.0, 1.002)
    assert found.max() < np.float16(1.002)
    assert random.uniform(random.key(0), minval=2.0, maxval=2.0) == 2


def test_uniform_ends_have_derivatives():
    key = random.key(3)
    unit = random.uniform(key, (4,))
    by_low, by_high = ft.jacobian(
        lambda low, high: random.uniform(key, (4,), None, low, high), (0, 1)
    )(1.0, 3.0)
    np.testing.assert_allclose(by_low, 1 - unit)
    np.testing.assert_allclose(by_high, unit)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normal(dtype):
    found = random.normal(random.key(0), (COUNT,), dtype)
    assert found.dtype == dtype
    follows(found, stats.norm())


def test_normal_complex():
    found = random.normal(random.key(0), (COUNT,), np.complex64)
    assert found.dtype == np.complex64
    for part in (found.real, found.imag):
        follows(part, stats.norm(0, math.sqrt(0.5)))
    assert abs(np.corrcoef(found.real, found.imag)[0, 1]) < 4 / math.sqrt(COUNT)


def test_numbers_do_not_change():
    """They are the same on every machine, and with every version of NumPy."""
    key = random.key(42)
    assert random.bits(key, (2,)).tolist() == BITS
    assert [x.hex() for x in random.normal(key, (2,)).tolist()] == NORMALS
    assert random.split(key)[1].tolist() == SPLIT
    assert random.fold_in(key, 1).tolist() == FOLDED
    many = random.normal(random.key(43), (100_000,))
    assert int(many.view(np.uint64).sum()) == SUM


BITS = [15129985323320379406, 3490965594592278910]
NORMALS = ["-0x1.2cd80b99643d9p+0", "0x1.5657ffe543bdap-1"]
SPLIT = [7204409068884566625, 10097173069124897316]
FOLDED = [2495846486977252330, 6998678799219262843]
SUM = 6826810925030082575
