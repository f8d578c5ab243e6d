"""Logarithms of probabilities that are no floating-point numbers, by an integral of the density.

Beyond ``x`` the probability is ``pdf(x) * |x|`` times the integral over s, from 0 to infinity, of
``exp(logpdf(x * exp(s)) - logpdf(x) + s)``, or of the negative s where the end is at zero. That far
out the density falls exponentially in s or faster, so that the double exponential formula applies
(Takahasi and Mori, Double exponential formulas for numerical integration, Publ. RIMS 9 (1974)). The
relative error of the logarithm and of its derivatives, which are those of the formula, in ``x`` and
in all shapes, is below 1e-12; ``tests/scipy/stats/test_tails.py`` compares with mpmath.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.primitives.incomplete import STEPS
from functrace.primitives.linear import shape_of, stop_gradient

SMALLEST = 1e-290
"""Below this probability digits are lost, or all of it."""


def log_of_tail(log_density: Callable[[Any], Any], x: Any, inward: bool) -> Any:
    """The logarithm of the probability from ``x`` to an end.

    Args:
        log_density: The logarithm of the density.
        x: Numbers that are not zero, of the shape of the result.
        inward: Whether the end is at zero, and not infinite.

    Example:
        >>> import numpy as np
        >>> print(log_of_tail(lambda x: -x, np.array([1000.0]), inward=False).round(9))
        [-1000.]
    """
    sign = -1.0 if inward else 1.0
    begin = log_density(x)

    def falls(s: Any) -> Any:
        return log_density(x * np.exp(sign * s)) - begin + sign * s

    rate = stop_gradient(falls(1e-3)) / -1e-3
    u = STEPS.reshape(-1, *(1,) * len(shape_of(x)))
    size = stop_gradient(np.log(np.abs(x)))
    reach = size + 740.0 if inward else 705.0 - size  # where the number itself has an end
    s = np.minimum(np.exp(u - np.exp(-u)) / rate, np.maximum(reach, 0.0))
    total = 0.1 * np.sum(np.exp(falls(s)) * s * (1.0 + np.exp(-u)), axis=0)
    # The density itself may be zero, even its logarithm infinite.
    is_finite = np.isfinite(begin)
    return np.where(is_finite, begin + np.log(np.abs(x)) + np.log(total), begin)
