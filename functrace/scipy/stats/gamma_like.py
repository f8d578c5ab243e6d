"""Continuous distributions whose probabilities are incomplete gamma and beta functions.

Large shapes: expansions of the gamma function, Abramowitz and Stegun, Handbook of Mathematical
Functions, 6.1.41, 6.1.47 and 6.3.18.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.scipy import special
from functrace.scipy.stats.computed import Computed, slope_of
from functrace.scipy.stats.families import (
    INFINITY,
    Continuous,
    Symmetric,
    choose,
    holds,
    piecewise,
)
from functrace.scipy.stats.tails import SMALLEST

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _powers(x: Any, *coefficients: float) -> Any:
    """A polynomial without a constant term, the lowest power first."""
    total: Any = 0.0
    for coefficient in reversed(coefficients):
        total = (total + coefficient) * x
    return total


def _either(is_large: Any, large: Any, small: Any, x: Any) -> Any:
    """One formula for large numbers, another for others; each is asked where it is chosen."""
    if holds(np.logical_not(is_large)):
        return small(x)
    return np.where(is_large, large(np.where(is_large, x, 1e3)), small(np.where(is_large, 1.0, x)))


def _gamma_entropy(a: Any) -> Any:
    def large(a: Any) -> Any:
        return (
            _HALF_LOG_2PI + 0.5 * (1 + np.log(a)) - _powers(1 / a, 1 / 3, 1 / 12, 1 / 90, 1 / 120)
        )

    def small(a: Any) -> Any:
        return special.digamma(a) * (1 - a) + a + special.gammaln(a)

    return _either(np.greater_equal(a, 250), large, small, a)


def _log_of_half_step(a: Any) -> Any:
    """``log(gamma(a + 1/2) / (gamma(a) * sqrt(a)))``, which goes to 0."""

    def large(a: Any) -> Any:
        return -_powers(1 / a, 1 / 8, 0, -1 / 192, 0, 1 / 640, 0, -17 / 14336, 0, 31 / 18432)

    def small(a: Any) -> Any:
        return special.gammaln(a + 0.5) - special.gammaln(a) - 0.5 * np.log(a)

    return _either(np.greater_equal(a, 20), large, small, a)


class Gamma(Continuous):
    """The gamma distribution of shape ``a``. ``scale`` is the inverse of the rate.

    Example:
        >>> from functrace.scipy.stats import gamma
        >>> gamma.mean(3.0, scale=2.0).round(3)
        np.float64(6.0)
        >>> gamma.sf(1.0, 1.0).round(3)
        np.float64(0.368)
    """

    shapes = ("a",)
    low, inner, far_below = 0.0, 1.0, SMALLEST

    def _end_powers(self, a: Any) -> Any:
        return a - 1.0, None

    def _rest(self, x: Any, a: Any) -> Any:
        return -x - special.gammaln(a)

    def _logpdf(self, x: Any, a: Any) -> Any:
        return special.xlogy(a - 1.0, x) + self._rest(x, a)

    def _cdf(self, x: Any, a: Any) -> Any:
        return special.gammainc(a, x)

    def _sf(self, x: Any, a: Any) -> Any:
        return special.gammaincc(a, x)

    def _ppf(self, q: Any, a: Any) -> Any:
        return special.gammaincinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return special.gammainccinv(a, q)

    def _entropy(self, a: Any) -> Any:
        return _gamma_entropy(a)

    def _mean(self, a: Any) -> Any:
        return a

    def _var(self, a: Any) -> Any:
        return a

    def _skew(self, a: Any) -> Any:
        return 2.0 / np.sqrt(a)

    def _kurtosis(self, a: Any) -> Any:
        return 6.0 / a


class ChiSquared(Continuous):
    """The distribution of the sum of ``df`` squares of normal variables.

    Example:
        >>> from functrace.scipy.stats import chi2
        >>> chi2.sf(2.0, 2).round(3)
        np.float64(0.368)
    """

    shapes = ("df",)
    low, inner, far_below = 0.0, 1.0, SMALLEST

    def _end_powers(self, df: Any) -> Any:
        return 0.5 * df - 1.0, None

    def _rest(self, x: Any, df: Any) -> Any:
        half = 0.5 * df
        return -0.5 * x - special.gammaln(half) - half * math.log(2)

    def _logpdf(self, x: Any, df: Any) -> Any:
        return special.xlogy(0.5 * df - 1.0, x) + self._rest(x, df)

    def _cdf(self, x: Any, df: Any) -> Any:
        return special.gammainc(0.5 * df, 0.5 * x)

    def _sf(self, x: Any, df: Any) -> Any:
        return special.gammaincc(0.5 * df, 0.5 * x)

    def _ppf(self, q: Any, df: Any) -> Any:
        return 2.0 * special.gammaincinv(0.5 * df, q)

    def _isf(self, q: Any, df: Any) -> Any:
        return 2.0 * special.gammainccinv(0.5 * df, q)

    def _entropy(self, df: Any) -> Any:
        return _gamma_entropy(0.5 * df) + math.log(2)

    def _mean(self, df: Any) -> Any:
        return df

    def _var(self, df: Any) -> Any:
        return 2.0 * df

    def _skew(self, df: Any) -> Any:
        return np.sqrt(8.0 / df)

    def _kurtosis(self, df: Any) -> Any:
        return 12.0 / df


class InverseGamma(Continuous):
    """The distribution of the inverse of a gamma variable of shape ``a``.

    Example:
        >>> from functrace.scipy.stats import invgamma
        >>> invgamma.cdf(1.0, 1.0).round(3)
        np.float64(0.368)
    """

    shapes = ("a",)
    low, inner, has_ends, far_below = 0.0, 1.0, False, SMALLEST

    def _logpdf(self, x: Any, a: Any) -> Any:
        return -(a + 1.0) * np.log(x) - special.gammaln(a) - 1.0 / x

    def _cdf(self, x: Any, a: Any) -> Any:
        return special.gammaincc(a, 1.0 / x)

    def _sf(self, x: Any, a: Any) -> Any:
        return special.gammainc(a, 1.0 / x)

    def _ppf(self, q: Any, a: Any) -> Any:
        return 1.0 / special.gammainccinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return 1.0 / special.gammaincinv(a, q)

    def _entropy(self, a: Any) -> Any:
        def large(a: Any) -> Any:
            return (
                _HALF_LOG_2PI
                + 0.5 * (1 - 3 * np.log(a))
                + _powers(1 / a, 2 / 3, 1 / 12, -1 / 90, -1 / 120)
            )

        def small(a: Any) -> Any:
            return a - (a + 1) * special.digamma(a) + special.gammaln(a)

        return _either(np.greater_equal(a, 200), large, small, a)

    def _mean(self, a: Any) -> Any:
        return piecewise(np.greater(a, 1), lambda a: 1.0 / (a - 1.0), INFINITY, a)

    def _var(self, a: Any) -> Any:
        def variance(a: Any) -> Any:
            return 1.0 / ((a - 1.0) ** 2 * (a - 2.0))

        return piecewise(np.greater(a, 2), variance, INFINITY, a)

    def _skew(self, a: Any) -> Any:
        def skew(a: Any) -> Any:
            return 4.0 * np.sqrt(a - 2.0) / (a - 3.0)

        return piecewise(np.greater(a, 3), skew, np.nan, a)

    def _kurtosis(self, a: Any) -> Any:
        def excess(a: Any) -> Any:
            return 6.0 * (5.0 * a - 11.0) / ((a - 3.0) * (a - 4.0))

        return piecewise(np.greater(a, 4), excess, np.nan, a)


class Beta(Continuous):
    """The beta distribution.

    Example:
        >>> from functrace.scipy.stats import beta
        >>> beta.pdf(0.5, 2.0, 2.0).round(3)
        np.float64(1.5)
    """

    shapes = ("a", "b")
    low, high, inner, far_below = 0.0, 1.0, 0.5, SMALLEST

    def _end_powers(self, a: Any, b: Any) -> Any:
        return a - 1.0, b - 1.0

    def _rest(self, x: Any, a: Any, b: Any) -> Any:
        return -special.betaln(a, b)

    def _logpdf(self, x: Any, a: Any, b: Any) -> Any:
        powers = special.xlogy(a - 1.0, x) + special.xlog1py(b - 1.0, -x)
        return powers + self._rest(x, a, b)

    def _cdf(self, x: Any, a: Any, b: Any) -> Any:
        return special.betainc(a, b, x)

    def _sf(self, x: Any, a: Any, b: Any) -> Any:
        return special.betaincc(a, b, x)

    def _logsf(self, x: Any, a: Any, b: Any) -> Any:
        return self._logcdf(1.0 - x, b, a)

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betaincinv(a, b, q)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betainccinv(a, b, q)

    def _entropy(self, a: Any, b: Any) -> Any:
        parts = (a - 1.0) * special.digamma(a) + (b - 1.0) * special.digamma(b)
        return special.betaln(a, b) - parts + (a + b - 2.0) * special.digamma(a + b)

    def _mean(self, a: Any, b: Any) -> Any:
        return a / (a + b)

    def _var(self, a: Any, b: Any) -> Any:
        total = a + b
        return a * b / (total * total * (total + 1.0))

    def _skew(self, a: Any, b: Any) -> Any:
        total = a + b
        return 2.0 * (b - a) / (total + 2.0) * np.sqrt((total + 1.0) / (a * b))

    def _kurtosis(self, a: Any, b: Any) -> Any:
        total, product = a + b, a * b
        above = (a - b) ** 2 * (total + 1.0) - product * (total + 2.0)
        return 6.0 * above / (product * (total + 2.0) * (total + 3.0))


class FisherF(Continuous):
    """The F distribution of a quotient of mean squares, with ``dfn`` above and ``dfd`` below.

    Example:
        >>> from functrace.scipy.stats import f
        >>> f.cdf(1.0, 2, 2).round(3)
        np.float64(0.5)
    """

    shapes = ("dfn", "dfd")
    low, inner, far_below = 0.0, 1.0, SMALLEST

    def _end_powers(self, dfn: Any, dfd: Any) -> Any:
        return 0.5 * dfn - 1.0, None

    def _rest(self, x: Any, dfn: Any, dfd: Any) -> Any:
        n, m, ratio = 0.5 * dfn, 0.5 * dfd, dfn / dfd
        power = n * np.log(ratio) - (n + m) * np.log1p(ratio * x)
        return power - special.betaln(n, m)

    def _logpdf(self, x: Any, dfn: Any, dfd: Any) -> Any:
        return special.xlogy(0.5 * dfn - 1.0, x) + self._rest(x, dfn, dfd)

    def _cdf(self, x: Any, dfn: Any, dfd: Any) -> Any:
        return special.fdtr(dfn, dfd, x)

    def _sf(self, x: Any, dfn: Any, dfd: Any) -> Any:
        return special.fdtrc(dfn, dfd, x)

    def _ppf(self, q: Any, dfn: Any, dfd: Any) -> Any:
        return self._quantile(q, 1.0 - q, dfn, dfd)

    def _isf(self, q: Any, dfn: Any, dfd: Any) -> Any:
        return self._quantile(1.0 - q, q, dfn, dfd)

    def _quantile(self, below: Any, above: Any, dfn: Any, dfd: Any) -> Any:
        """Where a beta variable is near 1, by its complement, which keeps the digits."""
        part = special.betaincinv(0.5 * dfn, 0.5 * dfd, below)
        rest = special.betaincinv(0.5 * dfd, 0.5 * dfn, above)
        is_small = np.less(part, 0.5)
        above_rest = (1.0 - choose(is_small, 0.5, rest)) / np.where(is_small, 0.5, rest)
        below = np.expm1(-np.log1p(-np.where(is_small, part, 0.5)))  # at 0 with an infinite slope
        odds = np.where(is_small, below, above_rest)
        return odds * (dfd / dfn)

    def _entropy(self, dfn: Any, dfd: Any) -> Any:
        n, m = 0.5 * dfn, 0.5 * dfd
        parts = (1.0 - n) * special.digamma(n) - (1.0 + m) * special.digamma(m)
        scale = np.log(dfd) - np.log(dfn) + special.betaln(n, m)
        return scale + parts + (n + m) * special.digamma(n + m)

    def _mean(self, dfn: Any, dfd: Any) -> Any:
        return piecewise(np.greater(dfd, 2), lambda m: m / (m - 2.0), INFINITY, dfd)

    def _var(self, dfn: Any, dfd: Any) -> Any:
        def variance(n: Any, m: Any) -> Any:
            return 2 * m * m * (n + m - 2) / (n * (m - 2) ** 2 * (m - 4))

        return piecewise(np.greater(dfd, 4), variance, INFINITY, dfn, dfd)

    def _skew(self, dfn: Any, dfd: Any) -> Any:
        def skew(n: Any, m: Any) -> Any:
            return (2 * n + m - 2) / (m - 6) * np.sqrt(8 * (m - 4) / (n * (n + m - 2)))

        return piecewise(np.greater(dfd, 6), skew, np.nan, dfn, dfd)

    def _kurtosis(self, dfn: Any, dfd: Any) -> Any:
        def excess(n: Any, m: Any) -> Any:
            return (12 + 1.5 * self._skew(n, m) ** 2 * (m - 6)) / (m - 8)

        return piecewise(np.greater(dfd, 8), excess, np.nan, dfn, dfd)


class StudentT(Symmetric):
    """Student's t distribution with ``df`` degrees of freedom; normal if these are infinite.

    Example:
        >>> from functrace.scipy.stats import t
        >>> t.cdf(1.0, 1).round(3)
        np.float64(0.75)
    """

    shapes = ("df",)
    inner, far_below = 0.0, SMALLEST

    def _logpdf(self, x: Any, df: Any) -> Any:
        def heavy(x: Any, df: Any) -> Any:
            return (df + 1.0) * np.log1p(x * x / df)

        square = piecewise(np.isfinite(df), heavy, x * x, x, df)
        return _log_of_half_step(0.5 * df) - 0.5 * square - _HALF_LOG_2PI

    def _cdf(self, x: Any, df: Any) -> Any:
        return special.stdtr(df, x)

    def _ppf(self, q: Any, df: Any) -> Any:
        at_end = np.equal(q, 0)  # of which SciPy's function finds the other one
        return np.where(at_end, -INFINITY, special.stdtrit(df, np.where(at_end, 0.5, q)))

    def _entropy(self, df: Any) -> Any:
        def large(df: Any) -> Any:
            return _HALF_LOG_2PI + 0.5 + _powers(1 / df, 1, 1 / 4, -1 / 6, -1 / 8, 3 / 10, 1 / 4)

        def step(df: Any) -> Any:
            return special.digamma(0.5 * df + 0.5) - special.digamma(0.5 * df)

        def small(df: Any) -> Any:
            return 0.5 * (df + 1) * step(df) + _HALF_LOG_2PI - _log_of_half_step(0.5 * df)

        return _either(np.greater_equal(df, 100), large, small, df)

    def _mean(self, df: Any) -> Any:
        return np.where(np.greater(df, 1), 0.0, INFINITY)

    def _var(self, df: Any) -> Any:
        def variance(df: Any) -> Any:
            return df / (df - 2.0)

        usual = np.logical_and(np.greater(df, 2), np.isfinite(df))
        otherwise = np.where(np.isinf(df), 1.0, np.where(np.greater(df, 1), INFINITY, np.nan))
        return piecewise(usual, variance, otherwise, df)

    def _skew(self, df: Any) -> Any:
        return np.where(np.greater(df, 3), 0.0, np.nan)

    def _kurtosis(self, df: Any) -> Any:
        otherwise = np.where(np.greater(df, 2), INFINITY, np.nan)
        return piecewise(np.greater(df, 4), lambda df: 6.0 / (df - 4.0), otherwise, df)


class GeneralizedNormal(Computed):
    """The generalized normal distribution, whose density goes as ``exp(-|x|**beta)``.

    Example:
        >>> from functrace.scipy.stats import gennorm
        >>> gennorm.pdf(0.0, 1.0).round(3)
        np.float64(0.5)
    """

    shapes = ("beta",)
    inner, far_below = 0.0, SMALLEST

    def _logpdf(self, x: Any, beta: Any) -> Any:
        return np.log(0.5 * beta) - special.gammaln(1.0 / beta) - np.abs(x) ** beta

    def _slope(self, x: Any, beta: Any) -> Any:
        def tail(size: Any, beta: Any) -> Any:
            return 0.5 * special.gammaincc(1.0 / beta, size**beta)

        is_apart = np.greater(np.abs(x) ** beta, 0)
        slope = piecewise(is_apart, slope_of(tail), 0.0, np.abs(x), beta)
        return -np.sign(x) * slope

    def _entropy(self, beta: Any) -> Any:
        return 1.0 / beta - np.log(0.5 * beta) + special.gammaln(1.0 / beta)

    def _mean(self, beta: Any) -> Any:
        return 0.0

    def _var(self, beta: Any) -> Any:
        return np.exp(special.gammaln(3.0 / beta) - special.gammaln(1.0 / beta))

    def _skew(self, beta: Any) -> Any:
        return 0.0

    def _kurtosis(self, beta: Any) -> Any:
        first, third, fifth = (special.gammaln(n / beta) for n in (1.0, 3.0, 5.0))
        return np.exp(fifth + first - 2.0 * third) - 3.0


gamma = Gamma("gamma")
chi2 = ChiSquared("chi2")
invgamma = InverseGamma("invgamma")
beta = Beta("beta")
f = FisherF("f")
t = StudentT("t")
gennorm = GeneralizedNormal("gennorm")
