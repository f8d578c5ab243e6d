"""Distributions of whole numbers: one family, one small class with its formulas.

Sums of masses are incomplete gamma and beta functions: Abramowitz and Stegun, Handbook of
Mathematical Functions, 26.4.21, 26.5.24 and 26.5.26.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.primitives.linear import stop_gradient
from functrace.scipy import special
from functrace.scipy.stats.computed import value_of
from functrace.scipy.stats.families import Discrete, all_of
from functrace.tracing.tracer import bind


def _is_probability(p: Any) -> Any:
    return np.logical_and(np.greater_equal(p, 0), np.less_equal(p, 1))


def _is_count(n: Any) -> Any:
    return np.logical_and(np.greater_equal(n, 0), np.equal(n, np.floor(n)))


class Counts(Discrete):
    """A family whose quantiles SciPy finds; being whole numbers, these have no derivative."""

    low = 0.0

    def __init__(self, name: str) -> None:
        """Name the family, and make its operations."""
        super().__init__(name)
        arguments = 1 + len(self.shapes)
        self._values = {key: value_of(name, key, arguments) for key in ("ppf", "isf")}

    def _ppf(self, q: Any, *shapes: Any) -> Any:
        return bind(self._values["ppf"], q, *shapes)

    def _isf(self, q: Any, *shapes: Any) -> Any:
        return bind(self._values["isf"], q, *shapes)


class Bernoulli(Counts):
    """One with probability ``p``, or zero."""

    shapes = ("p",)
    high = 1.0

    def _valid(self, p: Any) -> Any:
        return _is_probability(p)

    def _pmf(self, k: Any, p: Any) -> Any:
        return np.where(np.equal(k, 1), p, 1.0 - p)

    def _logpmf(self, k: Any, p: Any) -> Any:
        return special.xlogy(k, p) + special.xlog1py(1.0 - k, -p)

    def _cdf(self, k: Any, p: Any) -> Any:
        return 1.0 - p

    def _sf(self, k: Any, p: Any) -> Any:
        return p

    def _entropy(self, p: Any) -> Any:
        return special.entr(p) + special.entr(1.0 - p)

    def _mean(self, p: Any) -> Any:
        return p

    def _var(self, p: Any) -> Any:
        return p - p * p


class Binomial(Counts):
    """The number of successes in ``n`` trials, each with probability ``p``."""

    shapes = ("n", "p")

    def _valid(self, n: Any, p: Any) -> Any:
        return np.logical_and(_is_count(n), _is_probability(p))

    def _support(self, n: Any, p: Any) -> Any:
        return 0.0, n

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        ways = special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
        return ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def _pmf(self, k: Any, n: Any, p: Any) -> Any:
        return bind(_binomial_mass, k, n, p)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n - k, k + 1.0, 1.0 - p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1.0, n - k, p)

    def _mean(self, n: Any, p: Any) -> Any:
        return n * p

    def _var(self, n: Any, p: Any) -> Any:
        return n * (p - p * p)


class Poisson(Counts):
    """The number of events, of which there are ``mu`` on average."""

    shapes = ("mu",)

    def _valid(self, mu: Any) -> Any:
        return np.greater_equal(mu, 0)

    def _logpmf(self, k: Any, mu: Any) -> Any:
        return special.xlogy(k, mu) - special.gammaln(k + 1.0) - mu

    def _entropy(self, mu: Any) -> Any:
        """The sum over all ``k``; of many that matter, by the trapezoidal rule over some."""
        is_wide, mu = np.greater(mu, 100)[..., None], mu[..., None]
        step = np.where(is_wide, np.sqrt(stop_gradient(mu)) / 4, 1.0)
        k = step * np.arange(300) + np.where(is_wide, np.floor(stop_gradient(mu)) - 150 * step, 0.0)
        log = self._logpmf(np.maximum(k, 0.0), mu)
        terms = np.where(np.logical_or(np.less(k, 0), np.isneginf(log)), 0.0, np.exp(log) * log)
        return -np.sum(terms * step, axis=-1)

    def _cdf(self, k: Any, mu: Any) -> Any:
        return special.gammaincc(k + 1.0, mu)

    def _sf(self, k: Any, mu: Any) -> Any:
        return special.gammainc(k + 1.0, mu)

    def _mean(self, mu: Any) -> Any:
        return mu

    def _var(self, mu: Any) -> Any:
        return mu


class NegativeBinomial(Counts):
    """The number of failures before the ``n``th success, each with probability ``p``."""

    shapes = ("n", "p")

    def _valid(self, n: Any, p: Any) -> Any:
        return all_of((np.greater(n, 0), np.greater(p, 0), np.less_equal(p, 1)))

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        ways = special.gammaln(n + k) - special.gammaln(k + 1.0) - special.gammaln(n)
        return ways + n * np.log(p) + special.xlog1py(k, -p)

    def _pmf(self, k: Any, n: Any, p: Any) -> Any:
        return bind(_waiting_mass, k, n, p)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n, k + 1.0, p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1.0, n, 1.0 - p)

    def _mean(self, n: Any, p: Any) -> Any:
        return n * (1.0 - p) / p

    def _var(self, n: Any, p: Any) -> Any:
        return n * (1.0 - p) / (p * p)


class Geometric(Counts):
    """The number of trials up to the first success, each with probability ``p``."""

    shapes = ("p",)
    low = 1.0

    def _valid(self, p: Any) -> Any:
        return np.logical_and(np.greater(p, 0), np.less_equal(p, 1))

    def _logpmf(self, k: Any, p: Any) -> Any:
        return special.xlog1py(k - 1.0, -p) + np.log(p)

    def _cdf(self, k: Any, p: Any) -> Any:
        return -np.expm1(k * np.log1p(-p))

    def _sf(self, k: Any, p: Any) -> Any:
        return np.exp(k * np.log1p(-p))

    def _logsf(self, k: Any, p: Any) -> Any:
        return k * np.log1p(-p)

    def _entropy(self, p: Any) -> Any:
        return -np.log(p) - special.xlog1py(1.0 - p, -p) / p

    def _mean(self, p: Any) -> Any:
        return 1.0 / p

    def _var(self, p: Any) -> Any:
        return (1.0 - p) / (p * p)


class BetaBinomial(Counts):
    """Binomial with a probability of success that is a beta variable of ``a`` and ``b``."""

    shapes = ("n", "a", "b")

    def _valid(self, n: Any, a: Any, b: Any) -> Any:
        return all_of((_is_count(n), np.greater(a, 0), np.greater(b, 0)))

    def _support(self, n: Any, a: Any, b: Any) -> Any:
        return 0.0, n

    def _logpmf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        ways = -np.log(n + 1.0) - special.betaln(n - k + 1.0, k + 1.0)
        return ways + special.betaln(k + a, n - k + b) - special.betaln(a, b)

    def _mean(self, n: Any, a: Any, b: Any) -> Any:
        return n * a / (a + b)

    def _var(self, n: Any, a: Any, b: Any) -> Any:
        total = a + b
        return n * (total + n) * a * b / (total * total * (total + 1.0))


def _mass_by_chance(t: Any, mass: Any, k: Any, n: Any, p: Any) -> Any:
    """By the masses for one trial less, which are there for 0 and 1, too."""
    less = np.maximum(n - 1.0, 0.0)
    return t * (n * (bind(_binomial_mass, k - 1.0, less, p) - bind(_binomial_mass, k, less, p)))


_binomial_mass = value_of(
    "binom", "pmf", 3, lambda t, *_: 0.0 * t, lambda t, *_: 0.0 * t, _mass_by_chance
)
"""SciPy's mass, which has digits where logarithms of many trials have none; of whole numbers."""


def _waiting_by_count(t: Any, mass: Any, k: Any, n: Any, p: Any) -> Any:
    return t * (mass * (special.digamma(n + k) - special.digamma(n) + np.log(p)))


def _waiting_by_chance(t: Any, mass: Any, k: Any, n: Any, p: Any) -> Any:
    return t * (n / p * mass - (n + k - 1.0) * bind(_waiting_mass, k - 1.0, n, p))


_waiting_mass = value_of(
    "nbinom", "pmf", 3, lambda t, *_: 0.0 * t, _waiting_by_count, _waiting_by_chance
)
"""The same of failures before a number of successes, which need not be whole."""

bernoulli = Bernoulli("bernoulli")
binom = Binomial("binom")
poisson = Poisson("poisson")
nbinom = NegativeBinomial("nbinom")
geom = Geometric("geom")
betabinom = BetaBinomial("betabinom")
