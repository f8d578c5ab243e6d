"""Continuous distributions against SciPy"s."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import functrace as ft
from functrace import random
from functrace.errors import ArgumentError, MissingRuleError, ShapeMismatchError
from functrace.testing import check_grads

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


def test_parameters_broadcast_to_the_shape():
    column = np.ones((2, 1))
    for draw in (
        lambda: random.uniform(random.key(0), (3,), maxval=column),
        lambda: random.weibull_min(random.key(0), column, 1.0, (3,)),
        lambda: random.gamma(random.key(0), column, (3,)),
        lambda: random.generalized_normal(random.key(0), column, (3,)),
    ):
        with pytest.raises(ShapeMismatchError, match="do not broadcast to the shape"):
            draw()


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


def drawn(name, *parameters, shape=(COUNT,), seed=11):
    draw = getattr(random, name)
    key = random.key(seed)
    return draw(key, *parameters, shape) if parameters else draw(key, shape)


DISTRIBUTIONS = [
    ("exponential", (), stats.expon()),
    ("gumbel", (), stats.gumbel_r()),
    ("laplace", (), stats.laplace()),
    ("logistic", (), stats.logistic()),
    ("cauchy", (), stats.cauchy()),
    ("maxwell", (), stats.maxwell()),
    ("rayleigh", (2.0,), stats.rayleigh(0, 2)),
    ("weibull_min", (2.0, 1.5), stats.weibull_min(1.5, 0, 2)),
    ("pareto", (5.0,), stats.pareto(5)),
    ("triangular", (-1.0, 2.0, 3.0), stats.triang(0.75, -1, 4)),
    ("lognormal", (0.5,), stats.lognorm(0.5)),
    ("wald", (2.0,), stats.invgauss(2.0)),
    ("wald", (0.1,), stats.invgauss(0.1)),
    ("truncated_normal", (-1.0, 2.0), stats.truncnorm(-1, 2)),
    ("truncated_normal", (-np.inf, 0.5), stats.truncnorm(-np.inf, 0.5)),
    ("truncated_normal", (2.0, 3.0), stats.truncnorm(2, 3)),
    ("truncated_normal", (-9.0, -6.0), stats.truncnorm(-9, -6)),
    ("gamma", (0.2,), stats.gamma(0.2)),
    ("gamma", (1.0,), stats.gamma(1.0)),
    ("gamma", (40.0,), stats.gamma(40.0)),
    ("loggamma", (0.3,), stats.loggamma(0.3)),
    ("chisquare", (3.0,), stats.chi2(3)),
    ("f", (3.0, 12.0), stats.f(3, 12)),
    ("t", (6.0,), stats.t(6)),
    ("beta", (0.5, 2.0), stats.beta(0.5, 2)),
    ("beta", (30.0, 0.7), stats.beta(30.0, 0.7)),
    ("generalized_normal", (3.0,), stats.gennorm(3)),
]


@pytest.mark.thinned
@pytest.mark.parametrize(("name", "parameters", "distribution"), DISTRIBUTIONS)
def test_distribution(name, parameters, distribution):
    follows(drawn(name, *parameters), distribution)


@pytest.mark.parametrize(("name", "parameters"), [row[:2] for row in DISTRIBUTIONS])
def test_dtypes_shapes_and_ways(name, parameters):
    draw, keys = getattr(random, name), random.split(random.key(1), 3)
    single = draw(keys[0], *parameters, (4,), np.float32)
    assert single.dtype == np.float32
    assert np.isfinite(single).all()
    number = draw(keys[0], *parameters, ())
    assert isinstance(number, np.float64)

    def one(key, *parameters):
        return draw(key, *parameters, (4,))

    alone = np.stack([one(key, *parameters) for key in keys])
    in_axes = (0, *(None,) * len(parameters))
    mapped = ft.vmap(one, in_axes=in_axes)(keys, *parameters)
    np.testing.assert_allclose(mapped, alone, rtol=1e-15)
    np.testing.assert_allclose(ft.jit(one)(keys[0], *parameters), alone[0], rtol=1e-14)
    native = ft.jit(one, backend="native")(keys[0], *parameters)
    np.testing.assert_allclose(native, alone[0], rtol=1e-13)


MOVING = [
    (name, parameters, distribution, number)
    for name, parameters, distribution in [
        ("gamma", (2.5,), lambda a: stats.gamma(a)),
        ("gamma", (0.3,), lambda a: stats.gamma(a)),
        ("gamma", (50.0,), lambda a: stats.gamma(a)),
        ("chisquare", (3.0,), lambda df: stats.chi2(df)),
        ("beta", (0.7, 2.5), lambda a, b: stats.beta(a, b)),
        ("beta", (8.0, 3.0), lambda a, b: stats.beta(a, b)),
        ("truncated_normal", (-1.0, 2.0), lambda a, b: stats.truncnorm(a, b)),
        ("truncated_normal", (-4.0, -3.0), lambda a, b: stats.truncnorm(a, b)),
        ("truncated_normal", (3.0, 7.0), lambda a, b: stats.truncnorm(a, b)),
        ("wald", (1.5,), lambda mean: stats.invgauss(mean)),
        ("rayleigh", (2.0,), lambda scale: stats.rayleigh(0, scale)),
        ("weibull_min", (2.0, 1.5), lambda scale, c: stats.weibull_min(c, 0, scale)),
        ("pareto", (3.0,), lambda b: stats.pareto(b)),
        ("lognormal", (0.5,), lambda sigma: stats.lognorm(sigma)),
        (
            "triangular",
            (-1.0, 2.0, 3.0),
            lambda low, mode, high: stats.triang((mode - low) / (high - low), low, high - low),
        ),
    ]
    for number in range(len(parameters))
]


@pytest.mark.parametrize(("name", "parameters", "distribution", "number"), MOVING)
def test_derivatives_are_those_of_the_quantile(name, parameters, distribution, number):
    def one(*parameters):
        return getattr(random, name)(random.key(2), *parameters, (6,))

    quantiles = distribution(*parameters).cdf(one(*parameters))
    step = 1e-5 * max(abs(parameters[number]), 0.5)

    def moved(by):
        shifted = [x + by * (place == number) for place, x in enumerate(parameters)]
        return distribution(*shifted).ppf(quantiles)

    expected = (moved(step) - moved(-step)) / (2 * step)
    for jacobian in (ft.jacfwd, ft.jacrev):
        found = jacobian(one, number)(*parameters)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "parameters", "moment"),
    [("t", (6.0,), 2), ("f", (3.0, 12.0), 1), ("generalized_normal", (3.0,), 2)],
)
def test_derivatives_of_moments(name, parameters, moment):
    """Where the derivative is not that of the quantile, its mean is that of the mean."""
    family = {"t": stats.t, "f": stats.f, "generalized_normal": stats.gennorm}[name]

    def mean(*parameters):
        return np.mean(drawn(name, *parameters) ** moment)

    for number in range(len(parameters)):
        step = np.eye(len(parameters))[number] * 1e-4
        exact = family(*parameters + step).moment(moment) - family(*parameters - step).moment(
            moment
        )
        found = ft.grad(mean, number)(*parameters)
        assert abs(found - exact / 2e-4) < 0.05 * abs(exact / 2e-4) + 0.01


def test_second_derivatives_are_refused():
    slope = ft.grad(lambda a: random.gamma(random.key(0), a))
    with pytest.raises(MissingRuleError, match="second derivative"):
        ft.grad(slope)(2.0)


def test_far_out_the_normal_distribution_is_an_exponential_one():
    found = (random.truncated_normal(random.key(0), 50.0, np.inf, (COUNT,)) - 50) * 50
    follows(found[::10], stats.expon(scale=1 - 1 / 2500))
    assert np.isnan(random.truncated_normal(random.key(0), 2.0, 1.0))
    single = random.truncated_normal(random.key(0), -1.0, 1.0, (COUNT,), np.float32)
    assert single.dtype == np.float32
    assert -1 < single.min() < single.max() < 1


def test_gamma_at_the_ends_of_its_domain():
    found = random.gamma(random.key(0), np.array([0.0, -1.0, np.nan, np.inf, 1e-300]))
    np.testing.assert_array_equal(found, [0, np.nan, np.nan, np.inf, 0])


def test_double_sided_maxwell():
    found = random.double_sided_maxwell(random.key(0), 1.0, 2.0, (COUNT,))
    follows(np.abs(found - 1), stats.maxwell(0, 2))
    assert abs(np.mean(found > 1) - 0.5) < 4 * 0.5 / math.sqrt(COUNT)
    assert random.double_sided_maxwell(random.key(0), np.ones(3), 2.0, (5,)).shape == (5, 3)


def test_dirichlet():
    alpha = np.array([0.5, 1.0, 3.0])
    found = random.dirichlet(random.key(0), alpha, (COUNT,))
    assert found.shape == (COUNT, 3)
    np.testing.assert_allclose(found.sum(-1), 1)
    for number in range(3):
        follows(found[:, number], stats.beta(alpha[number], 4.5 - alpha[number]))
    expected = stats.dirichlet(alpha).cov()
    np.testing.assert_allclose(np.cov(found.T), expected, atol=2e-3)
    tiny = random.dirichlet(random.key(0), np.full(3, 1e-3), (100,))
    np.testing.assert_allclose(tiny.sum(-1), 1)


def test_derivatives_of_dirichlet_are_those_of_its_moments():
    alpha = np.array([0.7, 2.0])

    def mean(alpha):
        return np.mean(random.dirichlet(random.key(0), alpha, (COUNT,))[:, 0])

    exact = ft.grad(lambda alpha: alpha[0] / np.sum(alpha))(alpha)
    np.testing.assert_allclose(ft.grad(mean)(alpha), exact, atol=2e-3)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_ball(order):
    found = random.ball(random.key(0), 3, order, (COUNT,))
    length = np.linalg.norm(found, order, axis=-1)
    follows(length**3, stats.uniform())
    follows((found > 0) @ [1, 2, 4] + random.uniform(random.key(1), (COUNT,)), stats.uniform(0, 8))


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_multivariate_normal(method):
    mean, covariances = np.array([1.0, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    found = random.multivariate_normal(random.key(0), mean, covariances, (COUNT,), method=method)
    inverse = np.linalg.inv(covariances)
    centred = found - mean
    follows(np.einsum("ni,ij,nj->n", centred, inverse, centred), stats.chi2(2))
    np.testing.assert_allclose(np.cov(found.T), covariances, atol=0.03)
    follows(found[:, 1], stats.norm(-2, 1))
    several = random.multivariate_normal(
        random.key(0), np.zeros((4, 1, 2)), np.stack([covariances] * 3)
    )
    assert several.shape == (4, 3, 2)


def test_derivatives_by_the_mean_and_the_covariances():
    key, x = random.key(0), np.array([[2.0, 0.5], [0.5, 1.0]])
    check_grads(
        lambda mean, x: random.multivariate_normal(key, mean, x @ x.T + np.eye(2), (3,)),
        (np.array([1.0, 2.0]), x),
    )


def test_what_is_no_normal_distribution_is_refused():
    key = random.key(0)
    for mean, cov, method, message in [
        (0.0, np.eye(2), "cholesky", "one axis"),
        (np.zeros(3), np.eye(2), "cholesky", r"\(\.\.\., 3, 3\)"),
        (np.zeros(2), np.eye(2), "qr", "'qr' is none"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            random.multivariate_normal(key, mean, cov, method=method)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_orthogonal(dtype):
    found = random.orthogonal(random.key(0), 3, (4000,), dtype)
    products = found @ found.conj().swapaxes(-1, -2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (4000, 3, 3)), atol=1e-13)
    if dtype == np.float64:  # each column is a direction, all alike
        for row, column in ((0, 0), (2, 1), (1, 2)):
            follows(found[:, row, column], stats.uniform(-1, 2))
    assert random.orthogonal(random.key(0), 2, m=4).shape == (2, 4)
    tall = random.orthogonal(random.key(0), 4, m=2)
    np.testing.assert_allclose(tall.T @ tall, np.eye(2), atol=1e-14)


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
