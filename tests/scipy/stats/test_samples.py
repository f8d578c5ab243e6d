"""Functions of samples, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import functrace as ft
from functrace.errors import ArgumentError, UnsupportedFunctionError
from functrace.scipy import stats
from functrace.testing import check_grads

RNG = np.random.default_rng(0)
TIES = RNG.integers(0, 4, size=(5, 6)).astype(float)
WITH_NAN = np.where(np.arange(30).reshape(5, 6) == 7, np.nan, TIES)
SAMPLES = [TIES, WITH_NAN, TIES[0].astype(int), TIES[0].astype(np.float32), [3, 1, 3]]


def axes(x):
    return (None, 0, 1, -1) if np.ndim(x) > 1 else (None, 0)


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_ranks(number, method):
    x = SAMPLES[number]
    for axis in axes(x):
        found = stats.rankdata(x, method, axis=axis)
        expected = scipy.stats.rankdata(x, method, axis=axis)
        np.testing.assert_array_equal(found, expected)
        compiled = ft.jit(lambda x, axis=axis: stats.rankdata(x, method, axis=axis))(np.asarray(x))
        np.testing.assert_array_equal(compiled, expected)
        assert compiled.dtype == found.dtype
    if method == "average":
        assert found.dtype == np.float64


def test_ranks_have_no_derivative():
    assert not ft.grad(lambda x: np.sum(stats.rankdata(x)))(TIES).any()
    with pytest.raises(ArgumentError, match="methods average"):
        stats.rankdata(TIES, "mean")
    with pytest.raises(UnsupportedFunctionError, match="nan_policy"):
        stats.rankdata(TIES, nan_policy="omit")


@pytest.mark.parametrize("number", range(len(SAMPLES)))
@pytest.mark.parametrize("name", ["mode", "sem", "zscore"])
def test_of_an_axis(number, name):
    x = SAMPLES[number]
    for axis in axes(x):
        for options in ({}, {"keepdims": True}) if name == "mode" else ({}, {"ddof": 1}):
            ours = lambda x, axis=axis, o=options: getattr(stats, name)(x, axis=axis, **o)
            expected = getattr(scipy.stats, name)(x, axis=axis, **options)
            for f in (ours, ft.jit(ours)):
                found = f(np.asarray(x))
                for one, other in (
                    zip(found, expected, strict=True) if name == "mode" else [(found, expected)]
                ):
                    np.testing.assert_allclose(one, other, rtol=1e-6 if number == 3 else 1e-12)
                    assert np.asarray(one).dtype == np.asarray(other).dtype


def test_derivatives_of_scores():
    check_grads(stats.sem, (TIES,), order=2)
    check_grads(lambda x: stats.zscore(x, axis=1), (TIES,), order=2)


@pytest.mark.thinned
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("width", [None, "silverman", 0.3, lambda kde: kde.scotts_factor() / 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_densities_by_kernels(size, width, weighted):
    data, points = RNG.normal(size=(size, 20)), RNG.normal(size=(size, 7))
    weights = RNG.uniform(size=20) if weighted else None
    ours, theirs = (x.gaussian_kde(data, width, weights) for x in (stats, scipy.stats))
    others = [x.gaussian_kde(data[:, :9] + 1) for x in (stats, scipy.stats)]
    of = [
        lambda kde, other: kde(points),
        lambda kde, other: kde.logpdf(points),
        lambda kde, other: kde.pdf(points),
        lambda kde, other: kde.integrate_gaussian(np.ones(size), 2 * np.eye(size)),
        lambda kde, other: kde.integrate_kde(other),
        lambda kde, other: kde.covariance,
        lambda kde, other: kde.inv_cov,
        lambda kde, other: kde.neff,
        lambda kde, other: kde.factor,
    ]
    if size == 1:
        of.append(lambda kde, other: kde.integrate_box_1d(-1, 0.5))
    for f in of:
        np.testing.assert_allclose(f(ours, others[0]), f(theirs, others[1]), rtol=1e-11)


def test_derivatives_of_densities_by_kernels():
    data, points = RNG.normal(size=(2, 6)), RNG.normal(size=(2, 3))
    f = lambda data, points: stats.gaussian_kde(data).logpdf(points)
    check_grads(f, (data, points), order=2)
    np.testing.assert_allclose(ft.jit(f)(data, points), f(data, points), rtol=1e-13)


def test_what_kernels_do_not_take():
    flat, plane = stats.gaussian_kde(TIES[0]), stats.gaussian_kde(TIES[:2])
    for call in (
        lambda: stats.gaussian_kde(1.0),
        lambda: stats.gaussian_kde(TIES[0], weights=[1.0]),
        lambda: stats.gaussian_kde(TIES[0], "wide"),
        lambda: plane.evaluate(np.zeros((3, 2))),
        lambda: plane.integrate_box_1d(0, 1),
        lambda: plane.integrate_kde(flat),
        lambda: plane.integrate_gaussian(np.zeros(3), np.eye(2)),
    ):
        with pytest.raises(ValueError, match=r"dim|1D|length|elements|bw_method"):
            call()


def test_errors_of_means_leave_out_what_is_nan():
    for axis in (None, 0, 1):
        for keepdims in (False, True):
            given = {"axis": axis, "keepdims": keepdims, "nan_policy": "omit"}
            expected = scipy.stats.sem(WITH_NAN, **given)
            np.testing.assert_allclose(stats.sem(WITH_NAN, **given), expected, rtol=1e-12)
            assert np.shape(stats.sem(TIES, axis, keepdims=keepdims)) == np.shape(expected)
    slopes = ft.grad(lambda x: np.sum(stats.sem(x, nan_policy="omit")))(WITH_NAN)
    np.testing.assert_array_equal(np.isnan(WITH_NAN) & (slopes != 0), False)
