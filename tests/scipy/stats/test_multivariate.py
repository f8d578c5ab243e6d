"""Distributions of vectors and matrices, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import functrace as ft
from functrace.errors import ShapeMismatchError, UnsupportedFunctionError
from functrace.scipy import stats
from functrace.testing import check_grads

RNG = np.random.default_rng(0)


def positive(size):
    root = RNG.normal(size=(size, size))
    return root @ root.T + np.eye(size)


COV, MEAN, X = positive(3), RNG.normal(size=3), RNG.normal(size=(5, 3))
ALPHA = np.array([0.7, 2.0, 3.5])
SIMPLEX = RNG.dirichlet(ALPHA, size=4).T
P = np.array([0.2, 0.3, 0.5])
MATRICES = np.stack([positive(3) for _ in range(4)], axis=-1)
ONE = MATRICES[..., 0]

CALLS = [
    ("multivariate_normal", "logpdf", X[0]),
    ("multivariate_normal", "logpdf", X[0], MEAN, COV),
    ("multivariate_normal", "logpdf", X, MEAN, COV),
    ("multivariate_normal", "pdf", X, np.zeros(3), 2.0),
    ("multivariate_normal", "logpdf", X[:1], MEAN, np.array([1.0, 2.0, 3.0])),
    ("multivariate_normal", "logpdf", X[None], None, COV),
    ("multivariate_normal", "logpdf", 0.3),
    ("multivariate_normal", "logpdf", X[0], 0.1, 2.0),
    ("multivariate_normal", "entropy", None, COV),
    ("multivariate_t", "logpdf", X[0], MEAN, COV, 3.5),
    ("multivariate_t", "pdf", X, MEAN, COV, 2.0),
    ("multivariate_t", "logpdf", 0.3),
    ("dirichlet", "logpdf", SIMPLEX[:, 0], ALPHA),
    ("dirichlet", "pdf", SIMPLEX, ALPHA),
    ("dirichlet", "logpdf", SIMPLEX[:-1], ALPHA),
    ("dirichlet", "mean", ALPHA),
    ("dirichlet", "var", ALPHA),
    ("dirichlet", "cov", ALPHA),
    ("dirichlet", "entropy", ALPHA),
    ("multinomial", "logpmf", [1, 2, 3], 6, P),
    ("multinomial", "pmf", [[1, 2, 3], [6, 0, 0]], 6, P),
    ("multinomial", "logpmf", [[1, 2, 3], [2, 2, 1]], [6, 5], P),
    ("multinomial", "mean", 6, P),
    ("multinomial", "cov", 6, P),
    *[
        (name, method, *given)
        for name in ("wishart", "invwishart")
        for method, given in (
            ("logpdf", (ONE, 4.5, COV)),
            ("pdf", (MATRICES, 4.5, COV)),
            ("logpdf", (2.0, 4.5, 1.5)),
            ("logpdf", (np.array([1.0, 2.0]), 4.5, 1.5)),
            ("logpdf", (ONE, 4.0, P)),
        )
    ],
    ("wishart", "mean", 4.5, COV),
    ("wishart", "var", 4.5, COV),
    ("wishart", "entropy", 4.5, COV),
    ("invwishart", "mean", 5.5, COV),
    ("multivariate_t", "entropy", None, COV, 3.5),
]


def is_square(x):
    return np.ndim(x) > 1 and np.shape(x)[0] == np.shape(x)[1]


@pytest.mark.parametrize("call", CALLS, ids=[f"{n}-{c[0]}-{c[1]}" for n, c in enumerate(CALLS)])
def test_values_and_derivatives(call):
    name, method, *given = call
    ours = getattr(getattr(stats, name), method)
    value = ours(*given)
    expected = getattr(getattr(scipy.stats, name), method)(*given)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
    assert np.shape(value) == np.shape(expected)
    smooth = [n for n, x in enumerate(given) if isinstance(x, float | np.ndarray)]
    if name == "dirichlet" and len(given) > 1 and len(given[0]) == 2:
        return  # differences would leave the simplex

    def f(*inputs):
        changed = list(given)
        for n, x in zip(smooth, inputs, strict=True):
            changed[n] = (x + np.swapaxes(x, 0, 1)) / 2 if is_square(given[n]) else x
        if name == "dirichlet" and len(given) > 1:
            changed[0] = changed[0] / np.sum(changed[0], axis=0)
        if name == "multinomial":
            changed[-1] = changed[-1] / np.sum(changed[-1])
        return ours(*changed)

    inputs = [given[n] for n in smooth]
    check_grads(f, inputs, order=1, modes=("fwd", "rev"))
    compiled = ft.jit(f)(*inputs)
    np.testing.assert_allclose(compiled, value, rtol=1e-12, atol=1e-14)
    assert type(compiled) is type(value)


@pytest.mark.slow
def test_second_derivatives():
    symmetric = lambda x: (x + x.T) / 2
    normal = lambda x, mean, cov: stats.multivariate_normal.logpdf(x, mean, symmetric(cov))
    check_grads(normal, (X, MEAN, COV), order=2, modes=("fwd", "rev"))
    student = lambda x, df, cov: stats.multivariate_t.logpdf(x, MEAN, symmetric(cov), df)
    check_grads(student, (X, 3.5, COV), order=2)
    wishart = lambda x, df, cov: stats.wishart.logpdf(symmetric(x), df, symmetric(cov))
    check_grads(wishart, (ONE, 4.5, COV), order=2)


def test_batches_of_parameters():
    means, covs = RNG.normal(size=(4, 3)), np.stack([positive(3) for _ in range(4)])
    expected = [
        scipy.stats.multivariate_normal.logpdf(X[0], m, c) for m, c in zip(means, covs, strict=True)
    ]
    np.testing.assert_allclose(stats.multivariate_normal.logpdf(X[0], means, covs), expected)
    mapped = ft.vmap(stats.multivariate_normal.logpdf, in_axes=(None, 0, 0))(X[0], means, covs)
    np.testing.assert_allclose(mapped, expected)


def test_singular_matrices():
    cov = np.diag([1.0, 2.0, 0.0])
    for x in ([0.3, 0.4, 0.0], [0.3, 0.4, 0.1]):
        found = stats.multivariate_normal.logpdf(x, None, cov, allow_singular=True)
        expected = scipy.stats.multivariate_normal.logpdf(x, None, cov, allow_singular=True)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(np.linalg.LinAlgError):
        stats.multivariate_normal.logpdf(np.zeros(3), None, cov)


def test_frozen_ones():
    frozen = stats.multivariate_normal(MEAN, COV)
    np.testing.assert_allclose(
        frozen.logpdf(X), scipy.stats.multivariate_normal(MEAN, COV).logpdf(X)
    )
    np.testing.assert_array_equal(frozen.mean, MEAN)
    np.testing.assert_array_equal(frozen.cov, COV)
    np.testing.assert_allclose(
        ft.grad(lambda df: stats.wishart(df, COV).logpdf(ONE))(4.5),
        ft.grad(lambda df: stats.wishart.logpdf(ONE, df, COV))(4.5),
    )


def test_infinite_degrees_of_freedom():
    expected = stats.multivariate_normal.logpdf(X, MEAN, COV)
    np.testing.assert_allclose(stats.multivariate_t.logpdf(X, MEAN, COV, np.inf), expected)


def test_what_is_no_argument_is_refused_or_nan():
    for x in ([0.5, 0.6, 0.1], [1.2, -0.2, 0.0], [0.0, 0.5, 0.5]):
        with pytest.raises(ValueError, match=r"vector|entry"):
            stats.dirichlet.logpdf(x, ALPHA)
        assert np.isnan(ft.jit(stats.dirichlet.logpdf)(np.array(x), ALPHA))
    with pytest.raises(ValueError, match="greater than 0"):
        stats.dirichlet.mean([1.0, -1.0])
    with pytest.raises(ValueError, match="Degrees of freedom"):
        stats.wishart.logpdf(ONE, 1.5, COV)
    assert np.isnan(ft.jit(lambda df: stats.wishart.logpdf(ONE, df, COV))(1.5))
    assert stats.multinomial.logpmf([1, 2, 3], 7, P) == -np.inf
    assert np.isnan(stats.multinomial.logpmf([1, 2, 3], 6, [0.7, 0.7, -0.4]))
    for call in (
        lambda: stats.multivariate_normal.logpdf(np.zeros(2), np.zeros(3)),
        lambda: stats.multivariate_normal.logpdf(np.zeros(3), np.zeros(3), np.eye(2)),
        lambda: stats.dirichlet.logpdf(np.ones(5) / 5, ALPHA),
        lambda: stats.dirichlet.mean(COV),
        lambda: stats.multinomial.logpmf([1, 2], 3, P),
        lambda: stats.wishart.logpdf(ONE, 4.5, np.eye(2)),
        lambda: stats.wishart.logpdf(ONE, 4.5, np.ones((2, 3))),
    ):
        with pytest.raises(ShapeMismatchError):
            call()


def test_integrals_by_random_numbers_are_for_plain_values():
    found = stats.multivariate_normal.cdf(np.zeros(2), np.zeros(2), np.eye(2))
    np.testing.assert_allclose(found, 0.25, rtol=1e-6)
    with pytest.raises(UnsupportedFunctionError, match=r"norm\.cdf"):
        ft.grad(lambda x: stats.multivariate_normal.cdf(x))(np.zeros(2))
    assert stats.dirichlet.rvs(ALPHA, size=2).shape == (2, 3)
    with pytest.raises(UnsupportedFunctionError, match=r"functrace\.random"):
        ft.grad(lambda alpha: np.sum(stats.dirichlet.rvs(alpha)))(ALPHA)
    assert not hasattr(stats.dirichlet, "logcdf")
