"""Numbers that need the normal distribution's tail: truncated normal ones, and Wald's.

By the logarithm of the tail they are right also where it is too small for a number itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.primitives import special
from functrace.primitives.broadcasting import Elementwise
from functrace.random.drawing import Draw
from functrace.random.slopes import THREE, in_double, slope
from functrace.random.streams import Stream
from functrace.tracing.tracer import bind

_LOG_ROOT = 0.5 * math.log(2 * math.pi)


def log_tail(x: Any) -> Any:
    """The logarithm of the probability that a standard normal number is above ``x``."""
    size = np.abs(x)
    near = 0.5 * special.erfc.run(np.minimum(size, 25.0) * math.sqrt(0.5))
    square = 1 / np.maximum(size, 25.0) ** 2
    series = np.log1p(-square * (1 - 3 * square * (1 - 5 * square * (1 - 7 * square))))
    far = -0.5 * size * size - np.log(size) - _LOG_ROOT + series
    return np.where(x < 0, np.log1p(-near), np.where(size < 25, np.log(near), far))


def _log_between(lower: Any, upper: Any) -> Any:
    """The logarithm of the probability of a standard normal number between two bounds."""
    is_left = lower + upper < 0
    log = log_tail(np.where(is_left, -upper, lower))
    return log + np.log(-np.expm1(log_tail(np.where(is_left, -lower, upper)) - log))


def _quantile(log: Any) -> Any:
    """Where `log_tail` has these values: Newton's steps from Hastings' approximation."""
    is_left = log > math.log(0.5)
    t = np.sqrt(-2 * np.where(is_left, np.log(-np.expm1(log)), log))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    x = t - above / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    x = np.where(is_left, -x, x)
    for _ in range(4):
        found = log_tail(x)
        x = x + (found - log) * np.exp(found + 0.5 * x * x + _LOG_ROOT)
    return x


def _truncated(stream: Stream, lower: Any, upper: Any, dtype: np.dtype[Any]) -> Any:
    low, high = lower.astype(np.float64), upper.astype(np.float64)
    is_left = low + high < 0  # then the other tail is the one to use
    low, high = np.where(is_left, -high, low), np.where(is_left, -low, high)
    with np.errstate(all="ignore"):
        first = log_tail(low)
        part = -np.expm1(log_tail(high) - first)
        found = _quantile(first + np.log1p(-np.maximum(stream.units(), 2.0**-54) * part))
    found = np.where(is_left, -found, found).astype(dtype, copy=False)
    inside = np.clip(found, np.nextafter(lower, upper), np.nextafter(upper, lower))
    return np.where(lower < upper, inside, dtype.type(np.nan))


random_truncated_normal = Draw("random_truncated_normal", _truncated)


@in_double
def truncated_slope(x: Any, lower: Any, upper: Any) -> Any:
    """The slope of a normal number between bounds by the lower bound.

    It is the part of the probability that is above the number, times the quotient of the densities.
    """
    densities = 0.5 * (x * x - lower * lower)
    return np.exp(densities + _log_between(x, upper) - _log_between(lower, upper))


truncated_normal_slope = slope("truncated_normal_slope", truncated_slope, 3)

follow_truncated_normal = Elementwise(
    "follow_truncated_normal",
    THREE,
    lambda t, out, x, lower, upper: t,
    lambda t, out, x, lower, upper: t * bind(truncated_normal_slope, x, lower, upper),
    lambda t, out, x, lower, upper: t * bind(truncated_normal_slope, -x, -upper, -lower),
    run=lambda x, lower, upper: x,
)
"""A normal number between two bounds, which moves with these."""


@in_double
def wald_slope(x: Any, mean: Any) -> Any:
    """The slope of a number of Wald's distribution by its mean.

    By the mean the distribution function, Phi((x / mean - 1) / sqrt(x)) + exp(2 / mean) *
    Phi(-(x / mean + 1) / sqrt(x)), falls by 2 / mean**2 times its second term.
    """
    log = 2 / mean + log_tail((x / mean + 1) / np.sqrt(x))
    density = -((x / mean - 1) ** 2) / (2 * x) - 1.5 * np.log(x) - _LOG_ROOT
    return 2 / mean**2 * np.exp(log - density)


wald_number_slope = slope("wald_number_slope", wald_slope, 2)

follow_wald = Elementwise(
    "follow_wald",
    np.add,
    lambda t, out, x, mean: t,
    lambda t, out, x, mean: t * bind(wald_number_slope, x, mean),
    run=lambda x, mean: x,
)
"""A number of Wald's distribution, which moves with its mean."""
