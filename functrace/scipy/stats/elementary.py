"""Continuous distributions of elementary functions: one family, one small class of formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.scipy import special
from functrace.scipy.stats.families import (
    INFINITY,
    Continuous,
    Symmetric,
    kurtosis,
    piecewise,
    skewness,
)
from functrace.scipy.stats.tails import SMALLEST

_EULER = float(np.euler_gamma)
_GUMBEL_SKEW = 12 * math.sqrt(6) * 1.2020569031595942 / math.pi**3  # that is zeta(3)


class Laplace(Symmetric):
    """The double exponential distribution.

    Example:
        >>> from functrace.scipy.stats import laplace
        >>> laplace.pdf(0.0)
        np.float64(0.5)
    """

    def _logpdf(self, x: Any) -> Any:
        return -np.abs(x) - math.log(2)

    def _cdf(self, x: Any) -> Any:
        is_right = np.greater(x, 0)  # and no absolute value, which has a corner at the center
        tail = 0.5 * np.exp(np.where(is_right, -x, x))
        return np.where(is_right, 1.0 - tail, tail)

    def _logcdf(self, x: Any) -> Any:
        is_right = np.greater(x, 0)
        far = np.where(is_right, -x, x) - math.log(2)
        return np.where(is_right, np.log1p(-np.exp(far)), far)

    def _ppf(self, q: Any) -> Any:
        is_right = np.greater(q, 0.5)
        tail = np.log(2 * np.where(is_right, 1.0 - q, q))
        return np.where(is_right, -tail, tail)

    def _entropy(self) -> Any:
        return math.log(2) + 1.0

    def _var(self) -> Any:
        return 2.0

    def _kurtosis(self) -> Any:
        return 3.0


class Logistic(Symmetric):
    """The logistic distribution, whose distribution function is `special.expit`.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.stats import logistic
        >>> logistic.cdf(np.log(3.0)).round(3)
        np.float64(0.75)
    """

    def _logpdf(self, x: Any) -> Any:
        size = np.abs(x)
        return -size - 2.0 * np.log1p(np.exp(-size))

    def _cdf(self, x: Any) -> Any:
        return special.expit(x)

    def _logcdf(self, x: Any) -> Any:
        return special.log_expit(x)

    def _ppf(self, q: Any) -> Any:
        return special.logit(q)

    def _entropy(self) -> Any:
        return 2.0

    def _var(self) -> Any:
        return math.pi**2 / 3

    def _kurtosis(self) -> Any:
        return 1.2


class Cauchy(Symmetric):
    """The Cauchy distribution, which has neither mean nor variance.

    Example:
        >>> from functrace.scipy.stats import cauchy
        >>> cauchy.cdf(1.0).round(3)
        np.float64(0.75)
    """

    def _logpdf(self, x: Any) -> Any:
        size = np.abs(x)
        is_large = np.greater(size, 1)
        small, large = np.where(is_large, 1.0, size), np.where(is_large, size, 1.0)
        far = 2.0 * np.log(large) + np.log1p(1.0 / (large * large))
        return -np.where(is_large, far, np.log1p(small * small)) - math.log(math.pi)

    def _pdf(self, x: Any) -> Any:
        return 1.0 / (math.pi * (1.0 + x * x))

    def _cdf(self, x: Any) -> Any:
        return np.arctan2(1.0, -x) / math.pi

    def _ppf(self, q: Any) -> Any:
        is_right = np.greater(q, 0.5)
        tail = np.where(is_right, 1.0 - q, q)
        is_far = np.less(tail, 0.25)
        near = np.tan(math.pi * (np.where(is_far, 0.5, tail) - 0.5))
        far = -1.0 / np.tan(math.pi * np.where(is_far, tail, 0.5))
        left = np.where(is_far, far, near)
        return np.where(is_right, -left, left)

    def _entropy(self) -> Any:
        return math.log(4 * math.pi)

    def _mean(self) -> Any:
        return np.nan

    def _var(self) -> Any:
        return np.nan

    def _skew(self) -> Any:
        return np.nan

    def _kurtosis(self) -> Any:
        return np.nan


class Exponential(Continuous):
    """The exponential distribution. ``scale`` is the mean, the inverse of the rate.

    Example:
        >>> from functrace.scipy.stats import expon
        >>> expon.pdf(0.0, scale=2.0).round(3)
        np.float64(0.5)
    """

    low, inner = 0.0, 1.0

    def _logpdf(self, x: Any) -> Any:
        return -x

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(-x)

    def _sf(self, x: Any) -> Any:
        return np.exp(-x)

    def _logsf(self, x: Any) -> Any:
        return -x

    def _ppf(self, q: Any) -> Any:
        return -np.log1p(-q)

    def _isf(self, q: Any) -> Any:
        return -np.log(q)

    def _entropy(self) -> Any:
        return 1.0

    def _mean(self) -> Any:
        return 1.0

    def _var(self) -> Any:
        return 1.0

    def _skew(self) -> Any:
        return 2.0

    def _kurtosis(self) -> Any:
        return 6.0


class Uniform(Continuous):
    """The uniform distribution from ``loc`` to ``loc + scale``.

    Example:
        >>> from functrace.scipy.stats import uniform
        >>> uniform.cdf(3.0, loc=2.0, scale=4.0).round(3)
        np.float64(0.25)
    """

    low, high, inner = 0.0, 1.0, 0.5

    def _logpdf(self, x: Any) -> Any:
        return 0.0 * x

    def _cdf(self, x: Any) -> Any:
        return x

    def _sf(self, x: Any) -> Any:
        return 1.0 - x

    def _ppf(self, q: Any) -> Any:
        return q

    def _isf(self, q: Any) -> Any:
        return 1.0 - q

    def _entropy(self) -> Any:
        return 0.0

    def _mean(self) -> Any:
        return 0.5

    def _var(self) -> Any:
        return 1.0 / 12

    def _skew(self) -> Any:
        return 0.0

    def _kurtosis(self) -> Any:
        return -1.2


class Pareto(Continuous):
    """The Pareto distribution of the first kind, from 1.

    Example:
        >>> from functrace.scipy.stats import pareto
        >>> pareto.sf(2.0, 3.0).round(3)
        np.float64(0.125)
    """

    shapes = ("b",)
    low, inner = 1.0, 2.0

    def _logpdf(self, x: Any, b: Any) -> Any:
        return np.log(b) - (b + 1.0) * np.log(x)

    def _cdf(self, x: Any, b: Any) -> Any:
        return -np.expm1(-b * np.log(x))

    def _sf(self, x: Any, b: Any) -> Any:
        return x**-b

    def _logsf(self, x: Any, b: Any) -> Any:
        return -b * np.log(x)

    def _ppf(self, q: Any, b: Any) -> Any:
        return np.exp(-np.log1p(-q) / b)

    def _isf(self, q: Any, b: Any) -> Any:
        return q ** (-1.0 / b)

    def _entropy(self, b: Any) -> Any:
        return 1.0 + 1.0 / b - np.log(b)

    def _mean(self, b: Any) -> Any:
        return piecewise(np.greater(b, 1), lambda b: b / (b - 1.0), INFINITY, b)

    def _var(self, b: Any) -> Any:
        def variance(b: Any) -> Any:
            return b / ((b - 2.0) * (b - 1.0) ** 2)

        return piecewise(np.greater(b, 2), variance, INFINITY, b)

    def _skew(self, b: Any) -> Any:
        def skew(b: Any) -> Any:
            return 2.0 * (b + 1.0) / (b - 3.0) * np.sqrt((b - 2.0) / b)

        return piecewise(np.greater(b, 3), skew, np.nan, b)

    def _kurtosis(self, b: Any) -> Any:
        def excess(b: Any) -> Any:
            return 6.0 * (((b + 1.0) * b - 6.0) * b - 2.0) / (b * (b - 3.0) * (b - 4.0))

        return piecewise(np.greater(b, 4), excess, np.nan, b)


class Weibull(Continuous):
    """The Weibull distribution of minima.

    Example:
        >>> from functrace.scipy.stats import weibull_min
        >>> weibull_min.sf(1.0, 2.0).round(3)
        np.float64(0.368)
    """

    shapes = ("c",)
    low, inner, far_below = 0.0, 1.0, SMALLEST

    def _end_powers(self, c: Any) -> Any:
        return c - 1.0, None

    def _rest(self, x: Any, c: Any) -> Any:
        return np.log(c) - x**c

    def _logpdf(self, x: Any, c: Any) -> Any:
        return special.xlogy(c - 1.0, x) + self._rest(x, c)

    def _cdf(self, x: Any, c: Any) -> Any:
        return -np.expm1(-(x**c))

    def _sf(self, x: Any, c: Any) -> Any:
        return np.exp(-(x**c))

    def _logsf(self, x: Any, c: Any) -> Any:
        return -(x**c)

    def _ppf(self, q: Any, c: Any) -> Any:
        return (-np.log1p(-q)) ** (1.0 / c)

    def _isf(self, q: Any, c: Any) -> Any:
        return (-np.log(q)) ** (1.0 / c)

    def _entropy(self, c: Any) -> Any:
        return _EULER * (1.0 - 1.0 / c) - np.log(c) + 1.0

    def _mean(self, c: Any) -> Any:
        return np.exp(special.gammaln(1.0 + 1.0 / c))

    def _var(self, c: Any) -> Any:
        return np.exp(special.gammaln(1.0 + 2.0 / c)) - self._mean(c) ** 2

    def _skew(self, c: Any) -> Any:
        return skewness(*self._powers(c, 3))

    def _kurtosis(self, c: Any) -> Any:
        return kurtosis(*self._powers(c, 4))

    def _powers(self, c: Any, count: int) -> list[Any]:
        """The means of the first powers."""
        return [np.exp(special.gammaln(1.0 + n / c)) for n in range(1, count + 1)]


def _log_of_tail(x: Any) -> Any:
    """``log(1 - exp(-exp(-x)))``, also where an exponential underflows."""
    is_left, is_far = np.less(x, 0), np.greater(x, 36.0)
    inner = np.exp(-np.clip(x, 0.0, 36.0))
    left = np.log1p(-np.exp(-_exp(-np.where(is_left, x, 0.0))))
    return np.where(is_far, -x, np.where(is_left, left, np.log(-np.expm1(-inner))))


def _exp(x: Any) -> Any:
    """The exponential, finite: ``exp(-exp(x))`` and its derivative are zero where it is cut."""
    return np.exp(np.minimum(x, 700.0))


class GumbelRight(Continuous):
    """The Gumbel distribution of maxima.

    Example:
        >>> from functrace.scipy.stats import gumbel_r
        >>> gumbel_r.cdf(0.0).round(3)
        np.float64(0.368)
    """

    inner = 0.0

    def _logpdf(self, x: Any) -> Any:
        return -x - np.exp(-x)

    def _cdf(self, x: Any) -> Any:
        return np.exp(-_exp(-x))

    def _logcdf(self, x: Any) -> Any:
        return -np.exp(-x)

    def _sf(self, x: Any) -> Any:
        return -np.expm1(-_exp(-x))

    def _logsf(self, x: Any) -> Any:
        return _log_of_tail(x)

    def _ppf(self, q: Any) -> Any:
        return -np.log(-np.log(q))

    def _isf(self, q: Any) -> Any:
        return -np.log(-np.log1p(-q))

    def _entropy(self) -> Any:
        return _EULER + 1.0

    def _mean(self) -> Any:
        return _EULER

    def _var(self) -> Any:
        return math.pi**2 / 6

    def _skew(self) -> Any:
        return _GUMBEL_SKEW

    def _kurtosis(self) -> Any:
        return 2.4


class GumbelLeft(Continuous):
    """The Gumbel distribution of minima: the negative of the one of maxima.

    Example:
        >>> from functrace.scipy.stats import gumbel_l
        >>> gumbel_l.sf(0.0).round(3)
        np.float64(0.368)
    """

    inner = 0.0

    def _logpdf(self, x: Any) -> Any:
        return x - np.exp(x)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(-_exp(x))

    def _logcdf(self, x: Any) -> Any:
        return _log_of_tail(-x)

    def _sf(self, x: Any) -> Any:
        return np.exp(-_exp(x))

    def _logsf(self, x: Any) -> Any:
        return -np.exp(x)

    def _ppf(self, q: Any) -> Any:
        return np.log(-np.log1p(-q))

    def _isf(self, q: Any) -> Any:
        return np.log(-np.log(q))

    def _entropy(self) -> Any:
        return _EULER + 1.0

    def _mean(self) -> Any:
        return -_EULER

    def _var(self) -> Any:
        return math.pi**2 / 6

    def _skew(self) -> Any:
        return -_GUMBEL_SKEW

    def _kurtosis(self) -> Any:
        return 2.4


class Rayleigh(Continuous):
    """The length of a normal vector in the plane.

    Example:
        >>> from functrace.scipy.stats import rayleigh
        >>> rayleigh.sf(2.0).round(3)
        np.float64(0.135)
    """

    low, inner, far_below = 0.0, 1.0, SMALLEST

    def _end_powers(self) -> Any:
        return 1.0, None

    def _rest(self, x: Any) -> Any:
        return -0.5 * (x * x)

    def _logpdf(self, x: Any) -> Any:
        return np.log(x) + self._rest(x)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(-0.5 * (x * x))

    def _sf(self, x: Any) -> Any:
        return np.exp(-0.5 * (x * x))

    def _logsf(self, x: Any) -> Any:
        return -0.5 * (x * x)

    def _ppf(self, q: Any) -> Any:
        return np.sqrt(-2.0 * np.log1p(-q))

    def _isf(self, q: Any) -> Any:
        return np.sqrt(0.0 - 2.0 * np.log(q))  # of no negative zero, whose root has another slope

    def _entropy(self) -> Any:
        return _EULER / 2 + 1.0 - 0.5 * math.log(2)

    def _mean(self) -> Any:
        return math.sqrt(math.pi / 2)

    def _var(self) -> Any:
        return 2.0 - math.pi / 2

    def _skew(self) -> Any:
        return 2 * (math.pi - 3) * math.sqrt(math.pi) / (4 - math.pi) ** 1.5

    def _kurtosis(self) -> Any:
        return 6 * math.pi / (4 - math.pi) - 16 / (4 - math.pi) ** 2


laplace = Laplace("laplace")
logistic = Logistic("logistic")
cauchy = Cauchy("cauchy")
expon = Exponential("expon")
uniform = Uniform("uniform")
pareto = Pareto("pareto")
weibull_min = Weibull("weibull_min")
gumbel_r = GumbelRight("gumbel_r")
gumbel_l = GumbelLeft("gumbel_l")
rayleigh = Rayleigh("rayleigh")
