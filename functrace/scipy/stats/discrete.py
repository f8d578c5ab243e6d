"""Distributions of whole numbers: one family, one small class with its formulas.

Sums of masses are incomplete gamma and beta functions: Abramowitz and Stegun, Handbook of
Mathematical Functions, 26.4.21, 26.5.24 and 26.5.26.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.primitives.linear import known_choice, stop_gradient
from functrace.scipy import special
from functrace.scipy.stats import gamma_like
from functrace.scipy.stats.computed import value_of
from functrace.scipy.stats.families import Discrete, all_of, fitted, real
from functrace.tracing.tracer import bind


def _is_probability(p: Any) -> Any:
    return np.logical_and(np.greater_equal(p, 0), np.less_equal(p, 1))


def _is_count(n: Any) -> Any:
    return np.logical_and(np.greater_equal(n, 0), np.equal(n, np.floor(n)))


_KNOWN = "Let n be a number that is known while the function is recorded."


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


def _terms(mass: Any) -> Any:
    """What masses add to the entropy: nothing where there is none, and without a slope there."""
    return -mass * np.log(np.where(np.greater(mass, 0), mass, 1.0))


_WHERE = np.arange(320.0)
_FIRST = 512
_EXPONENTS = np.linspace(-3.6, 4.6, 329)
_PLACES = np.exp(_EXPONENTS - np.exp(-_EXPONENTS))
_WEIGHTS = _PLACES * (1.0 + np.exp(-_EXPONENTS)) * 0.025
"""An integral over positive numbers of what goes as ``exp(-x)`` (Takahasi and Mori, 1974)."""


class Spread(Counts):
    """A family whose entropy is a sum over all numbers, or over some of many that matter.

    A family says by ``_is_wide(*shapes)`` where its masses are those of a curve as the normal
    one, of a standard deviation of ten or more; where it is not, the first numbers have all mass.
    """

    def _entropy(self, *shapes: Any) -> Any:
        """Where it is wide, by the trapezoidal rule, four times a standard deviation or more."""
        shapes = tuple(x[..., None] for x in shapes)
        is_wide = self._is_wide(*shapes)
        mean, variance = stop_gradient(self._mean(*shapes)), stop_gradient(self._var(*shapes))
        step = np.where(is_wide, np.floor(np.sqrt(variance) / 4), 1.0)
        k = np.where(is_wide, np.floor(mean) - 160.0 * step, 0.0) + step * _WHERE
        low, high = self._support(*shapes)
        inside = np.logical_and(np.greater_equal(k, low), np.less_equal(k, high))
        mass = self._pmf(np.where(inside, k, low), *shapes)
        return np.sum(_terms(np.where(inside, mass, 0.0)) * step, axis=-1)


class Bernoulli(Counts):
    """One with probability ``p``, or zero.

    Example:
        >>> from functrace.scipy.stats import bernoulli
        >>> bernoulli.pmf([0, 1], 0.25)
        array([0.75, 0.25])
    """

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

    def _skew(self, p: Any) -> Any:
        return (1.0 - 2.0 * p) / np.sqrt(p - p * p)

    def _kurtosis(self, p: Any) -> Any:
        return 1.0 / (p - p * p) - 6.0


class Binomial(Spread):
    """The number of successes in ``n`` trials, each with probability ``p``.

    Example:
        >>> from functrace.scipy.stats import binom
        >>> binom.pmf(2, 4, 0.5).round(3)
        np.float64(0.375)
    """

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

    def _is_wide(self, n: Any, p: Any) -> Any:
        return np.greater(self._var(n, p), 100)

    def _entropy(self, n: Any, p: Any) -> Any:
        """Of successes or of failures, whichever are fewer."""
        return super()._entropy(n, np.where(np.greater(p, 0.5), 1.0 - p, p))

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n - k, k + 1.0, 1.0 - p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1.0, n - k, p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        parts = self._cdf(k, n, p), self._sf(k, n, p)
        return gamma_like.beta.log_of(*parts, 1.0 - p, (n - k, k + 1.0), False)

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        parts = self._sf(k, n, p), self._cdf(k, n, p)
        return gamma_like.beta.log_of(*parts, p, (k + 1.0, n - k), False)

    def _mean(self, n: Any, p: Any) -> Any:
        return n * p

    def _var(self, n: Any, p: Any) -> Any:
        return n * (p - p * p)

    def _skew(self, n: Any, p: Any) -> Any:
        return (1.0 - 2.0 * p) / np.sqrt(n * (p - p * p))

    def _kurtosis(self, n: Any, p: Any) -> Any:
        return (1.0 / (p - p * p) - 6.0) / n


class Poisson(Spread):
    """The number of events, of which there are ``mu`` on average.

    Example:
        >>> from functrace.scipy.stats import poisson
        >>> poisson.pmf(0, 1.0).round(3)
        np.float64(0.368)
    """

    shapes = ("mu",)

    def _valid(self, mu: Any) -> Any:
        return np.greater_equal(mu, 0)

    def _logpmf(self, k: Any, mu: Any) -> Any:
        return special.xlogy(k, mu) - special.gammaln(k + 1.0) - mu

    def _is_wide(self, mu: Any) -> Any:
        return np.greater(mu, 100)

    def _cdf(self, k: Any, mu: Any) -> Any:
        return special.gammaincc(k + 1.0, mu)

    def _sf(self, k: Any, mu: Any) -> Any:
        return special.gammainc(k + 1.0, mu)

    def _logcdf(self, k: Any, mu: Any) -> Any:
        parts = self._cdf(k, mu), self._sf(k, mu)
        return gamma_like.gamma.log_of(*parts, mu, (k + 1.0,), True)

    def _logsf(self, k: Any, mu: Any) -> Any:
        parts = self._sf(k, mu), self._cdf(k, mu)
        return gamma_like.gamma.log_of(*parts, mu, (k + 1.0,), False)

    def _mean(self, mu: Any) -> Any:
        return mu

    def _var(self, mu: Any) -> Any:
        return mu

    def _skew(self, mu: Any) -> Any:
        return 1.0 / np.sqrt(mu)

    def _kurtosis(self, mu: Any) -> Any:
        return 1.0 / mu


class NegativeBinomial(Spread):
    """The number of failures before the ``n``th success, each with probability ``p``.

    Example:
        >>> from functrace.scipy.stats import nbinom
        >>> nbinom.pmf(1, 2, 0.5).round(3)
        np.float64(0.25)
    """

    shapes = ("n", "p")

    def _valid(self, n: Any, p: Any) -> Any:
        return all_of((np.greater(n, 0), np.greater(p, 0), np.less_equal(p, 1)))

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        ways = special.gammaln(n + k) - special.gammaln(k + 1.0) - special.gammaln(n)
        return ways + n * np.log(p) + special.xlog1py(k, -p)

    def _pmf(self, k: Any, n: Any, p: Any) -> Any:
        return bind(_waiting_mass, k, n, p)

    def _is_wide(self, n: Any, p: Any) -> Any:
        return np.greater(n * (1.0 - p), 100)

    def _entropy(self, n: Any, p: Any) -> Any:
        """Where it is not wide, the first numbers, and an integral over the rest."""
        is_wide = self._is_wide(n, p)
        wide = super()._entropy(np.where(is_wide, n, 200.0), np.where(is_wide, p, 0.5))
        n, p = (np.where(is_wide, 0.5, x)[..., None] for x in (n, p))
        first = _terms(np.exp(self._logpmf(np.arange(_FIRST + 1.0), n, p)))
        scale = stop_gradient((n + 1.0) / p)
        rest = _terms(np.exp(self._logpmf(_FIRST - 0.5 + scale * _PLACES, n, p)))
        total = np.sum(first[..., :-1], axis=-1) + np.sum(rest * scale * _WEIGHTS, axis=-1)
        return np.where(is_wide, wide, total + (first[..., -1] - first[..., -2]) / 24)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n, k + 1.0, p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1.0, n, 1.0 - p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        parts = self._cdf(k, n, p), self._sf(k, n, p)
        return gamma_like.beta.log_of(*parts, p, (n, k + 1.0), False)

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        parts = self._sf(k, n, p), self._cdf(k, n, p)
        return gamma_like.beta.log_of(*parts, 1.0 - p, (k + 1.0, n), False)

    def _mean(self, n: Any, p: Any) -> Any:
        return n * (1.0 - p) / p

    def _var(self, n: Any, p: Any) -> Any:
        return n * (1.0 - p) / (p * p)

    def _skew(self, n: Any, p: Any) -> Any:
        return (2.0 - p) / np.sqrt(n * (1.0 - p))

    def _kurtosis(self, n: Any, p: Any) -> Any:
        return (6.0 + p * p / (1.0 - p)) / n


class Geometric(Counts):
    """The number of trials up to the first success, each with probability ``p``.

    Example:
        >>> from functrace.scipy.stats import geom
        >>> geom.pmf(3, 0.5).round(3)
        np.float64(0.125)
    """

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

    def _skew(self, p: Any) -> Any:
        return (2.0 - p) / np.sqrt(1.0 - p)

    def _kurtosis(self, p: Any) -> Any:
        return 6.0 + p * p / (1.0 - p)


class BetaBinomial(Counts):
    """Binomial with a probability of success that is a beta variable of ``a`` and ``b``.

    Example:
        >>> from functrace.scipy.stats import betabinom
        >>> betabinom.pmf([0, 1, 2, 3], 3, 1.0, 1.0).round(3)
        array([0.25, 0.25, 0.25, 0.25])
    """

    shapes = ("n", "a", "b")

    def _valid(self, n: Any, a: Any, b: Any) -> Any:
        return all_of((_is_count(n), np.greater(a, 0), np.greater(b, 0)))

    def _support(self, n: Any, a: Any, b: Any) -> Any:
        return 0.0, n

    def _of_k(self, name: str, k: Any, args: Any, kwds: Any) -> Any:
        """Of sums the parameters as they are given: how many are added must be known."""
        if name in ("pmf", "logpmf"):
            return super()._of_k(name, k, args, kwds)
        *shapes, loc = self._parameters(args, kwds)
        whole = np.floor(stop_gradient(real(k, self.name) - loc))
        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(whole, *shapes)
        return fitted(np.where(np.isnan(whole), np.nan, found))

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The entropy in nats."""
        *shapes, loc = self._parameters(args, kwds)
        return fitted(self._entropy(*shapes), loc)

    def _masses(self, n: Any, a: Any, b: Any) -> tuple[Any, Any]:
        """All numbers along a new last axis, and their masses."""
        known = known_choice(n, "n of betabinom", _KNOWN, "number of masses to add")
        last = np.max(known, initial=0.0, where=np.isfinite(known))
        k = np.arange(last + 1.0)
        return k, self.pmf(k, *(x[..., None] for x in (n, a, b)))

    def _cdf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        numbers, masses = self._masses(n, a, b)
        return np.sum(masses * np.less_equal(numbers, k[..., None]), axis=-1)

    def _sf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        numbers, masses = self._masses(n, a, b)
        return np.sum(masses * np.greater(numbers, k[..., None]), axis=-1)

    def _entropy(self, n: Any, a: Any, b: Any) -> Any:
        return np.sum(_terms(self._masses(n, a, b)[1]), axis=-1)

    def _logpmf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        ways = -np.log(n + 1.0) - special.betaln(n - k + 1.0, k + 1.0)
        return ways + special.betaln(k + a, n - k + b) - special.betaln(a, b)

    def _mean(self, n: Any, a: Any, b: Any) -> Any:
        return n * a / (a + b)

    def _var(self, n: Any, a: Any, b: Any) -> Any:
        total = a + b
        return n * (total + n) * a * b / (total * total * (total + 1.0))

    def _skew(self, n: Any, a: Any, b: Any) -> Any:
        total = a + b
        return (total + 2.0 * n) * (b - a) / ((total + 2.0) * total * np.sqrt(self._var(n, a, b)))

    def _kurtosis(self, n: Any, a: Any, b: Any) -> Any:
        total, product = a + b, a * b
        above = total * (total - 1.0 + 6.0 * n) + 3.0 * product * (n - 2.0) + 6.0 * n * n
        above = above - 3.0 * product * n * (6.0 - n) / total - 18.0 * product * (n / total) ** 2
        below = n * product * (total + 2.0) * (total + 3.0) * (total + n)
        return above * total * total * (1.0 + total) / below - 3.0


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
