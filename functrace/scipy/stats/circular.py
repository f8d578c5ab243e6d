"""Continuous distributions around the circle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.scipy import special
from functrace.scipy.stats.computed import Computed
from functrace.scipy.stats.families import Continuous


class WrappedCauchy(Continuous):
    """The Cauchy distribution around the circle, on the angles from 0 to 2 pi.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.stats import wrapcauchy
        >>> wrapcauchy.cdf(np.pi, 0.5).round(3)
        np.float64(0.5)
    """

    shapes = ("c",)
    low, high, inner = 0.0, 2 * math.pi, 1.0

    def _valid(self, c: Any) -> Any:
        return np.logical_and(np.greater(c, 0), np.less(c, 1))

    def _pdf(self, x: Any, c: Any) -> Any:
        return (1.0 - c * c) / (2 * math.pi * (1.0 + c * c - 2.0 * c * np.cos(x)))

    def _logpdf(self, x: Any, c: Any) -> Any:
        return np.log(self._pdf(x, c))

    def _cdf(self, x: Any, c: Any) -> Any:
        # arctan(k * tan(x / 2)) less x / 2, which has no pole at pi
        k, square = (1.0 + c) / (1.0 - c), 2.0 * np.sin(0.5 * x) ** 2
        more = np.arctan2((k - 1.0) * np.sin(x), (2.0 - square) + k * square)
        return (0.5 * x + more) / math.pi

    def _sf(self, x: Any, c: Any) -> Any:
        return self._cdf(2 * math.pi - x, c)

    def _ppf(self, q: Any, c: Any) -> Any:
        is_left = np.less(q, 0.5)
        tail = np.where(is_left, q, 1.0 - q)
        angle = 2.0 * np.arctan((1.0 - c) / (1.0 + c) * np.tan(math.pi * tail))
        return np.where(is_left, angle, 2 * math.pi - angle)

    def _isf(self, q: Any, c: Any) -> Any:
        return 2 * math.pi - self._ppf(q, c)

    def _entropy(self, c: Any) -> Any:
        return np.log(2 * math.pi * (1.0 - c * c))

    def _mean(self, c: Any) -> Any:
        return math.pi

    def _var(self, c: Any) -> Any:
        """By the Fourier series of the density: ``pi**2 / 3 + 4 * sum(c**k / k**2)``."""
        return math.pi**2 / 3 + 4.0 * special.spence(1.0 - c)

    def _skew(self, c: Any) -> Any:
        return 0.0

    def _kurtosis(self, c: Any) -> Any:
        """By that series: ``pi**4 / 5 + sum(c**k * (8 * pi**2 / k**2 - 48 / k**4))``."""
        fourth = math.pi**4 / 5 + 8 * math.pi**2 * special.spence(1.0 - c) - 48.0 * _polylog_4(c)
        return fourth / self._var(c) ** 2 - 3.0


_NUMBERS = np.arange(1.0, 41.0)
_ZETAS = {
    0: math.pi**4 / 90, 1: 1.2020569031595942, 2: math.pi**2 / 6, 4: -1 / 2, 5: -1 / 12,
    7: 1 / 120, 9: -1 / 252, 11: 1 / 240, 13: -1 / 132, 15: 691 / 32760,
}  # fmt: skip
"""Riemann's zeta function of ``4 - k``, where it is not zero."""


def _polylog_4(c: Any) -> Any:
    """``sum(c**k / k**4)``; from one half on by powers of the logarithm (DLMF 25.12.12)."""
    is_small = np.less(c, 0.5)
    terms = np.power(np.where(is_small, c, 0.0)[..., None], _NUMBERS) / _NUMBERS**4
    log = np.log(np.where(is_small, 0.5, c))
    powers: Any = log**3 / 6 * (11 / 6 - np.log(-log))
    for k, zeta in _ZETAS.items():
        powers = powers + zeta / math.factorial(k) * log**k
    return np.where(is_small, np.sum(terms, axis=-1), powers)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)


class VonMises(Computed):
    """The von Mises distribution, periodic with 2 pi; ``kappa`` is its concentration.

    Example:
        >>> from functrace.scipy.stats import vonmises
        >>> vonmises.cdf(0.0, 2.0).round(3)
        np.float64(0.5)
        >>> vonmises.pdf(0.0, 0.0).round(3)
        np.float64(0.159)
    """

    shapes = ("kappa",)

    def _valid(self, kappa: Any) -> Any:
        return np.greater_equal(kappa, 0)

    def _sf(self, x: Any, kappa: Any) -> Any:
        return self._cdf(-x, kappa)  # of which SciPy keeps the digits of a small one

    def _isf(self, q: Any, kappa: Any) -> Any:
        return -self._ppf(q, kappa)

    def _logpdf(self, x: Any, kappa: Any) -> Any:
        below_one = -2.0 * np.sin(0.5 * x) ** 2  # cos(x) - 1
        return kappa * below_one - math.log(2 * math.pi) - np.log(special.i0e(kappa))

    def _slope(self, x: Any, kappa: Any) -> Any:
        """The integral of the density's derivative, from the nearer of 0 and the tail's end.

        From 0 to half the period it is zero.
        """
        x = x - 2 * math.pi * np.round(x / (2 * math.pi))
        ratio = special.i1e(kappa) / special.i0e(kappa)

        def slope(t: Any) -> Any:
            return self._pdf(t, kappa[..., None]) * (np.cos(t) - ratio[..., None])

        size, width = np.abs(x), 1.0 / np.sqrt(kappa + 1e-3)
        is_tail = np.greater(size, width)
        falls = 40.0 / (kappa * np.abs(np.sin(size)) + 1e-3)  # where it is below 1e-17 of its size
        end = np.minimum(size + np.minimum(7.0 * width, falls), math.pi)
        tail = self._integral(slope, np.where(is_tail, size, 0.0), end)
        return np.sign(x) * np.where(is_tail, -tail, self._integral(slope, 0.0 * size, size))

    def _integral(self, f: Any, begin: Any, end: Any) -> Any:
        """An integral of what goes as the density."""
        half = 0.5 * (end - begin)
        x = begin[..., None] + half[..., None] * (_NODES + 1.0)
        return np.sum(f(x) * _WEIGHTS, axis=-1) * half

    def _entropy(self, kappa: Any) -> Any:
        scaled = special.i0e(kappa)
        return np.log(2 * math.pi * scaled) + kappa * (1.0 - special.i1e(kappa) / scaled)

    def _mean(self, kappa: Any) -> Any:
        return 0.0

    def _var(self, kappa: Any) -> Any:
        return self._even_moment(2, kappa)

    def _skew(self, kappa: Any) -> Any:
        return 0.0

    def _kurtosis(self, kappa: Any) -> Any:
        return self._even_moment(4, kappa) / self._var(kappa) ** 2 - 3.0

    def _even_moment(self, order: int, kappa: Any) -> Any:
        def power(x: Any) -> Any:
            return 2.0 * x**order * self._pdf(x, kappa[..., None])

        end = np.minimum(math.pi, 14.0 / np.sqrt(kappa + 1e-3))
        return self._integral(power, 0.0 * kappa, end)


wrapcauchy = WrappedCauchy("wrapcauchy")
vonmises = VonMises("vonmises")
