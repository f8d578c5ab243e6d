"""The normal distribution, and continuous distributions that are made of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.primitives.linear import stop_gradient
from functrace.scipy import special
from functrace.scipy.stats.computed import Computed, slope_of
from functrace.scipy.stats.families import Continuous, Symmetric, kurtosis, skewness

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_FAR = 1e6
"""Where the normal distribution ends for double precision; infinity has no slope."""


class Normal(Symmetric):
    """The normal distribution. ``scale`` is the standard deviation.

    Example:
        >>> from functrace.scipy.stats import norm
        >>> norm.cdf(3.0, loc=3.0, scale=2.0)
        np.float64(0.5)
        >>> norm.logpdf(1.0, 0.0, 2.0).round(3)
        np.float64(-1.737)
    """

    def _logpdf(self, x: Any) -> Any:
        return -0.5 * (x * x) - _HALF_LOG_2PI

    def _cdf(self, x: Any) -> Any:
        return special.ndtr(x)

    def _logcdf(self, x: Any) -> Any:
        return special.log_ndtr(x)

    def _ppf(self, q: Any) -> Any:
        return special.ndtri(q)

    def _entropy(self) -> Any:
        return _HALF_LOG_2PI + 0.5

    def _var(self) -> Any:
        return 1.0

    def _kurtosis(self) -> Any:
        return 0.0


class LogNormal(Continuous):
    """The distribution whose logarithm is normal with the standard deviation ``s``.

    Example:
        >>> from functrace.scipy.stats import lognorm
        >>> lognorm.cdf(1.0, 2.0).round(3)
        np.float64(0.5)
    """

    shapes = ("s",)
    low, inner, has_ends = 0.0, 1.0, False

    def _logpdf(self, x: Any, s: Any) -> Any:
        log = np.log(x)
        return -0.5 * (log / s) ** 2 - np.log(s) - log - _HALF_LOG_2PI

    def _cdf(self, x: Any, s: Any) -> Any:
        return special.ndtr(np.log(x) / s)

    def _logcdf(self, x: Any, s: Any) -> Any:
        return special.log_ndtr(np.log(x) / s)

    def _sf(self, x: Any, s: Any) -> Any:
        return special.ndtr(-np.log(x) / s)

    def _logsf(self, x: Any, s: Any) -> Any:
        return special.log_ndtr(-np.log(x) / s)

    def _ppf(self, q: Any, s: Any) -> Any:
        return np.exp(s * special.ndtri(q))

    def _isf(self, q: Any, s: Any) -> Any:
        return np.exp(-s * special.ndtri(q))

    def _entropy(self, s: Any) -> Any:
        return _HALF_LOG_2PI + 0.5 + np.log(s)

    def _mean(self, s: Any) -> Any:
        return np.exp(0.5 * s * s)

    def _var(self, s: Any) -> Any:
        return np.exp(s * s) * np.expm1(s * s)

    def _skew(self, s: Any) -> Any:
        return np.sqrt(np.expm1(s * s)) * (np.exp(s * s) + 2.0)

    def _kurtosis(self, s: Any) -> Any:
        square = np.exp(s * s)
        return square * square * ((square + 2.0) * square + 3.0) - 6.0


class HalfNormal(Continuous):
    """The size of a normal variable.

    Example:
        >>> from functrace.scipy.stats import halfnorm
        >>> halfnorm.cdf(1.0).round(3)
        np.float64(0.683)
    """

    low, inner = 0.0, 1.0

    def _logpdf(self, x: Any) -> Any:
        return -0.5 * (x * x) - _HALF_LOG_2PI + math.log(2)

    def _cdf(self, x: Any) -> Any:
        return special.erf(x * math.sqrt(0.5))

    def _sf(self, x: Any) -> Any:
        return 2.0 * special.ndtr(-x)

    def _logsf(self, x: Any) -> Any:
        is_far = np.greater(x, 1)
        near = np.log1p(-self._cdf(np.where(is_far, 1.0, x)))
        return np.where(is_far, special.log_ndtr(-np.where(is_far, x, 1.0)) + math.log(2), near)

    def _ppf(self, q: Any) -> Any:
        return special.ndtri((1.0 + q) / 2)

    def _isf(self, q: Any) -> Any:
        return -special.ndtri(q / 2)

    def _entropy(self) -> Any:
        return _HALF_LOG_2PI + 0.5 - math.log(2)

    def _mean(self) -> Any:
        return math.sqrt(2 / math.pi)

    def _var(self) -> Any:
        return 1.0 - 2 / math.pi

    def _skew(self) -> Any:
        return math.sqrt(2) * (4 - math.pi) / (math.pi - 2) ** 1.5

    def _kurtosis(self) -> Any:
        return 8 * (math.pi - 3) / (math.pi - 2) ** 2


def _log_minus(x: Any, y: Any) -> Any:
    """``log(exp(x) - exp(y))`` for ``x`` above ``y``."""
    gap = np.where(np.isneginf(y), 1e3, x - y)
    is_small = np.less(gap, math.log(2))
    small = np.log(-np.expm1(-np.where(is_small, gap, 0.5)))
    return x + np.where(is_small, small, np.log1p(-np.exp(-np.where(is_small, 1.0, gap))))


def _log_below(x: Any) -> Any:
    """The logarithm of the probability below ``x``, without a slope where that is infinite."""
    is_open = np.isneginf(x)
    return np.where(is_open, x, special.log_ndtr(np.where(is_open, 0.0, x)))


def _log_mass(a: Any, b: Any) -> Any:
    """The logarithm of the probability that a normal variable is between ``a`` and ``b``."""
    is_right = np.greater(a, 0)
    low, high = np.where(is_right, -b, a), np.where(is_right, -a, b)
    is_tail = np.less_equal(high, 0)
    outside = special.ndtr(np.where(is_tail, -1.0, low))
    outside = outside + special.ndtr(np.where(is_tail, -1.0, -high))
    tail = _log_below(np.where(is_tail, high, -1.0))
    tail = _log_minus(tail, _log_below(np.where(is_tail, low, -2.0)))
    far = np.where(is_tail, tail, np.log1p(-outside))
    is_narrow = np.less((high - low) * (1.0 + np.abs(high)), 1e-2) & np.greater(high, low)
    begin, end = np.where(is_narrow, low, 0.0), np.where(is_narrow, high, 1e-3)
    return np.where(is_narrow, _log_narrow_mass(begin, end), far)


def _log_narrow_mass(low: Any, high: Any) -> Any:
    """The same of a narrow interval."""
    return np.log(high - low) + _log_narrow_density(low, high)


def _log_narrow_density(low: Any, high: Any) -> Any:
    """That of the probability by the width, by the density's derivatives in the middle."""
    square, width = (0.5 * (low + high)) ** 2, high - low
    second, fourth = square - 1.0, square * (square - 6.0) + 3.0
    more = width**2 / 24 * (second + width**2 / 80 * fourth)
    return -0.5 * square - _HALF_LOG_2PI + np.log1p(more)


def _with_slope_of(x: Any, value: Any) -> Any:
    """The value of one, with the derivatives of the other."""
    return stop_gradient(value) + (x - stop_gradient(x))


class TruncatedNormal(Continuous):
    """The normal distribution between ``a`` and ``b``, which are measured from ``loc``.

    Example:
        >>> from functrace.scipy.stats import truncnorm
        >>> truncnorm.cdf([-2.0, 0.0, 2.0], -1.0, 1.0).round(3)
        array([0. , 0.5, 1. ])
    """

    shapes = ("a", "b")
    inner = 0.0

    def _valid(self, a: Any, b: Any) -> Any:
        return np.less(a, b)

    def _support(self, a: Any, b: Any) -> Any:
        return a, b

    def _within(self, a: Any, b: Any) -> Any:
        a, b = np.clip(a, -_FAR, _FAR), np.clip(b, -_FAR, _FAR)
        return np.where(
            np.less(np.abs(a), np.abs(b)),
            np.minimum(a + 1, 0.5 * (a + b)),
            np.maximum(b - 1, 0.5 * (a + b)),
        )

    def _logpdf(self, x: Any, a: Any, b: Any) -> Any:
        return -0.5 * (x * x) - _HALF_LOG_2PI - _log_mass(a, b)

    def _logcdf(self, x: Any, a: Any, b: Any) -> Any:
        at_end, _, above = self._begun(x, a, b)
        parts = self._log_parts(np.where(at_end, self._within(a, b), x), a, b)
        return np.where(at_end, np.log1p(-above), parts[0])

    def _logsf(self, x: Any, a: Any, b: Any) -> Any:
        at_end, below, _ = self._begun(x, a, b)
        parts = self._log_parts(np.where(at_end, self._within(a, b), x), a, b)
        return np.where(at_end, np.log1p(-below), parts[1])

    def _cdf(self, x: Any, a: Any, b: Any) -> Any:
        at_end, below, above = self._begun(x, a, b)
        parts = self._log_parts(np.where(at_end, self._within(a, b), x), a, b)
        begun = np.where(np.equal(x, a), below, 1.0 - above)
        return np.where(at_end, begun, np.exp(parts[0]))

    def _sf(self, x: Any, a: Any, b: Any) -> Any:
        at_end, below, above = self._begun(x, a, b)
        parts = self._log_parts(np.where(at_end, self._within(a, b), x), a, b)
        begun = np.where(np.equal(x, b), above, 1.0 - below)
        return np.where(at_end, begun, np.exp(parts[1]))

    def _begun(self, x: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
        """Where ``x`` is an end, and the probabilities below and above, which are zero there.

        A logarithm would tell nothing of their slopes.
        """
        at_ends = np.equal(x, a), np.equal(x, b)
        whole = _log_mass(a, b)
        found: list[Any] = []
        for at_end, low, high in ((at_ends[0], a, x), (at_ends[1], x, b)):
            near = [np.where(at_end, end, 0.0) for end in (low, high)]
            found.append((near[1] - near[0]) * np.exp(_log_narrow_density(*near) - whole))
        return np.logical_or(*at_ends), found[0], found[1]

    def _log_parts(self, x: Any, a: Any, b: Any) -> tuple[Any, Any]:
        """The logarithms of the probabilities below and above, the larger one by the smaller."""
        whole = _log_mass(a, b)
        below, above = _log_mass(a, x) - whole, _log_mass(x, b) - whole
        is_lower = np.less(below, above)
        lower = np.where(is_lower, below, above)
        upper = np.log1p(-np.exp(np.where(np.less(lower, 0), lower, -1.0)))
        return np.where(is_lower, below, upper), np.where(is_lower, upper, above)

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        x = np.where(np.less(a, 0), self._from_left(q, a, b), -self._from_left(1.0 - q, -b, -a))
        at_end, end = np.equal(q, 0) | np.equal(q, 1), np.where(np.equal(q, 0), a, b)
        return np.where(at_end, _with_slope_of(x, end), x)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return -self._ppf(q, -b, -a)

    def _from_left(self, q: Any, a: Any, b: Any) -> Any:
        begin, mass, at_begin = _log_below(a), _log_mass(a, b), np.equal(q, 0)
        far = np.logaddexp(begin, np.log(np.where(at_begin, 0.5, q)) + mass)
        ratio = np.exp(np.minimum(mass - begin, 709.0))
        near = begin + np.log1p(np.where(at_begin, q, 0.0) * ratio)  # the logarithm has no slope
        return special.ndtri_exp(np.where(at_begin, near, far))

    def _ends(self, a: Any, b: Any) -> tuple[Any, Any, Any, Any, Any]:
        """The ends, the densities there, and the logarithm of the probability between them."""
        a, b = np.clip(a, -_FAR, _FAR), np.clip(b, -_FAR, _FAR)
        whole = _log_mass(a, b)

        def density(x: Any) -> Any:
            return np.exp(-0.5 * (x * x) - _HALF_LOG_2PI - whole)

        return a, b, density(a), density(b), whole

    def _entropy(self, a: Any, b: Any) -> Any:
        a, b, at_a, at_b, whole = self._ends(a, b)
        return _HALF_LOG_2PI + 0.5 + whole + 0.5 * (a * at_a - b * at_b)

    def _mean(self, a: Any, b: Any) -> Any:
        _, _, at_a, at_b, _ = self._ends(a, b)
        return at_a - at_b

    def _var(self, a: Any, b: Any) -> Any:
        a, b, at_a, at_b, _ = self._ends(a, b)
        mean = at_a - at_b
        return 1.0 + (a - mean) * at_a - (b - mean) * at_b

    def _skew(self, a: Any, b: Any) -> Any:
        return skewness(*self._powers(a, b)[:3])

    def _kurtosis(self, a: Any, b: Any) -> Any:
        return kurtosis(*self._powers(a, b))

    def _powers(self, a: Any, b: Any) -> tuple[Any, Any, Any, Any]:
        """The means of the first four powers, each by the one two below: by parts."""
        a, b, at_a, at_b, _ = self._ends(a, b)
        first = at_a - at_b
        second = 1.0 + a * at_a - b * at_b
        third = 2.0 * first + a * a * at_a - b * b * at_b
        return first, second, third, 3.0 * second + a**3 * at_a - b**3 * at_b


class SkewNormal(Computed):
    """The skewed normal distribution: its density is ``2 * phi(x) * Phi(a * x)``.

    Example:
        >>> from functrace.scipy.stats import skewnorm
        >>> skewnorm.cdf(0.0, 1.0).round(3)
        np.float64(0.25)
    """

    shapes = ("a",)
    far_below = 1e-10  # SciPy computes a difference of probabilities

    def _valid(self, a: Any) -> Any:
        return np.isfinite(a)

    def _logpdf(self, x: Any, a: Any) -> Any:
        return math.log(2) - 0.5 * (x * x) - _HALF_LOG_2PI + special.log_ndtr(a * x)

    def _slope(self, x: Any, a: Any) -> Any:
        square = 1.0 + a * a
        return -np.exp(-0.5 * (x * x) * square) / (math.pi * square)

    def _entropy(self, a: Any) -> Any:
        """That of the normal distribution, and the mean of ``-log(2 * Phi(a * x))``.

        By the trapezoidal rule over ``arcsinh``, which resolves both 1 and ``1 / a``.
        """
        unit = 1.0 / (1.0 + np.abs(stop_gradient(a)[..., None]))
        last = np.arcsinh(12.0 / unit)
        places = last * np.linspace(-1.0, 1.0, 241)
        x, step = unit * np.sinh(places), unit * np.cosh(places) * last / 120
        log = math.log(2) + special.log_ndtr(a[..., None] * x)
        terms = log * np.exp(log - 0.5 * (x * x) - _HALF_LOG_2PI) * step
        return _HALF_LOG_2PI + 0.5 - np.sum(terms, axis=-1)

    def _mean(self, a: Any) -> Any:
        return math.sqrt(2 / math.pi) * a / np.sqrt(1.0 + a * a)

    def _var(self, a: Any) -> Any:
        return 1.0 - 2 / math.pi * (a * a) / (1.0 + a * a)

    def _skew(self, a: Any) -> Any:
        return (4 - math.pi) / 2 * (self._mean(a) / np.sqrt(self._var(a))) ** 3

    def _kurtosis(self, a: Any) -> Any:
        return 2 * (math.pi - 3) * (self._mean(a) ** 2 / self._var(a)) ** 2


class ModifiedNormal(Computed):
    """The distribution of a normal variable and an exponential one of mean ``K``, added up.

    Example:
        >>> from functrace.scipy.stats import exponnorm
        >>> exponnorm.mean(2.0, loc=1.0).round(3)
        np.float64(3.0)
    """

    shapes = ("K",)

    def _log_exceeds(self, x: Any, K: Any) -> Any:  # noqa: N803  (SciPy's name)
        """The logarithm of how much the normal one is below ``x`` more often: ``K`` times pdf."""
        place = x - 1.0 / K
        is_left = np.less(place, 0)
        left = special.erfcx(math.sqrt(0.5) * -np.where(is_left, place, -1.0))
        right = (0.5 / K - x) / K + special.log_ndtr(np.where(is_left, 0.0, place))
        return np.where(is_left, np.log(0.5 * left) - 0.5 * x * x, right)

    def _logpdf(self, x: Any, K: Any) -> Any:  # noqa: N803
        return self._log_exceeds(x, K) - np.log(K)

    def _cdf(self, x: Any, K: Any) -> Any:  # noqa: N803
        return np.exp(self._logcdf(x, K))

    def _sf(self, x: Any, K: Any) -> Any:  # noqa: N803
        return special.ndtr(-x) + np.exp(self._log_exceeds(x, K))

    def _logcdf(self, x: Any, K: Any) -> Any:  # noqa: N803
        is_left = np.less(x, 0)
        left, right = np.where(is_left, x, -1.0), np.where(is_left, 1.0, x)
        normal, exceeds = (special.erfcx(math.sqrt(0.5) * y) for y in (-left, 1.0 / K - left))
        far = np.log(0.5 * (normal - exceeds)) - 0.5 * left * left
        return np.where(is_left, far, np.log1p(-self._sf(right, K)))

    def _logsf(self, x: Any, K: Any) -> Any:  # noqa: N803
        return np.logaddexp(special.log_ndtr(-x), self._log_exceeds(x, K))

    def _slope(self, x: Any, K: Any) -> Any:  # noqa: N803
        return slope_of(self._cdf)(x, K)

    def _entropy(self, K: Any) -> Any:  # noqa: N803
        """By the trapezoidal rule over ``arcsinh``, which resolves both 1 and ``K``."""
        end = np.arcsinh(12.0 + 40.0 * stop_gradient(K)[..., None])
        begin = -math.asinh(12.0)
        places = begin + (end - begin) * np.linspace(0.0, 1.0, 481)
        x, step = np.sinh(places), np.cosh(places) * (end - begin) / 480
        log = self._logpdf(x, K[..., None])
        return -np.sum(np.exp(log) * log * step, axis=-1)

    def _mean(self, K: Any) -> Any:  # noqa: N803
        return K

    def _var(self, K: Any) -> Any:  # noqa: N803
        return 1.0 + K * K

    def _skew(self, K: Any) -> Any:  # noqa: N803
        return 2.0 * (K / np.sqrt(1.0 + K * K)) ** 3

    def _kurtosis(self, K: Any) -> Any:  # noqa: N803
        return 6.0 * (K * K / (1.0 + K * K)) ** 2


norm = Normal("norm")
lognorm = LogNormal("lognorm")
halfnorm = HalfNormal("halfnorm")
truncnorm = TruncatedNormal("truncnorm")
skewnorm = SkewNormal("skewnorm")
exponnorm = ModifiedNormal("exponnorm")
