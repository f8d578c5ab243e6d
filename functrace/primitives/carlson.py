"""Symmetric elliptic integrals (Carlson's), and all their derivatives by one integral.

Each is an integral over t from 0 to infinity of ``t**k`` times powers of ``t + x``, ``t + y`` and
so on (DLMF 19.16), and so is each derivative, with one of the powers lower by one. Where the first
derivative is an integral of the same kind SciPy computes it; all others are computed by the double
exponential formula, to a relative error below 1e-12 for arguments within 1e12 of each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.primitives.broadcasting import PartialMap
from functrace.primitives.incomplete import of_orders
from functrace.primitives.scipy_ufuncs import rule
from functrace.primitives.special import f

_STEP = 0.05
_STEPS = np.arange(-5.2, 5.2, _STEP)[:, np.newaxis]


def _run_integral(*numbers: Any, orders: tuple[int, ...]) -> Any:
    """The integral of ``t**k`` times powers, which are given twice, as whole numbers."""
    power_of_t, *powers = orders
    t = np.max(numbers, axis=0) * np.exp(np.pi / 2 * np.sinh(_STEPS))
    terms = t ** (power_of_t + 1.0) * (np.pi / 2 * np.cosh(_STEPS))
    for power, number in zip(powers, numbers, strict=True):
        if power:
            terms = terms * (t + number) ** (-0.5 * power)
    found = _STEP * np.sum(terms, axis=0)
    return np.where(np.min(numbers, axis=0) < 0, np.nan, found)


def _slope(number: int) -> PartialMap:
    def partial(orders: tuple[int, ...], t: Any, out: Any, *inputs: Any) -> Any:
        power = orders[number + 1]
        raised = (*orders[: number + 1], power + 2, *orders[number + 2 :])
        return t * (-0.5 * power * f.elliptic_integral(*inputs, orders=raised))

    return partial


of_orders("elliptic_integral", _run_integral, *map(_slope, range(4)))


def elliptic_integral(*powers: int, of: tuple[Any, ...]) -> Any:
    """The integral of ``t**k / sqrt((t+x)**i * (t+y)**j * ...)``.

    Args:
        powers: k, i, j and so on, up to four of the latter.
        of: x, y and so on.
    """
    rest = 4 - len(of)
    return f.elliptic_integral(*of, *(1.0,) * rest, orders=(*powers, *(0,) * rest))


def _partial(factor: float, *powers: int) -> PartialMap:
    return lambda t, out, *x: t * (factor * elliptic_integral(*powers, of=x))


def _degenerate_slope(number: int) -> PartialMap:
    """Of ``elliprc(x, y)``; where y is negative, by itself, as no digits cancel there."""
    inside = (_partial(-0.25, 0, 3, 2), _partial(-0.5, 0, 1, 4))[number]

    def partial(t: Any, out: Any, x: Any, y: Any) -> Any:
        is_outside = np.less(y, 0)
        root, below = np.sqrt(x), np.where(is_outside, y, -1.0)
        rest = root / below - out if number else out - 1.0 / root
        outside = t * (rest / (2.0 * (below - x)))
        return np.where(is_outside, outside, inside(t, out, x, np.where(is_outside, 1.0, y)))

    return partial


# DLMF 19.16.1-6
rule("elliprc", _degenerate_slope(0), _degenerate_slope(1))
rule(
    "elliprf",
    lambda t, out, x, y, z: t * (f.elliprd(y, z, x) / -6),
    lambda t, out, x, y, z: t * (f.elliprd(x, z, y) / -6),
    lambda t, out, x, y, z: t * (f.elliprd(x, y, z) / -6),
)
rule(
    "elliprd",
    _partial(-0.75, 0, 3, 1, 3),
    _partial(-0.75, 0, 1, 3, 3),
    _partial(-2.25, 0, 1, 1, 5),
)
rule(
    "elliprg",
    _partial(0.125, 1, 3, 1, 1),
    _partial(0.125, 1, 1, 3, 1),
    _partial(0.125, 1, 1, 1, 3),
)
rule(
    "elliprj",
    _partial(-0.75, 0, 3, 1, 1, 2),
    _partial(-0.75, 0, 1, 3, 1, 2),
    _partial(-0.75, 0, 1, 1, 3, 2),
    _partial(-1.5, 0, 1, 1, 1, 4),
)
