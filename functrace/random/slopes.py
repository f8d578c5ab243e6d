"""How what is drawn moves with the parameters of its distribution.

A number that is drawn stays at its quantile: where the distribution function F has the density p,
it moves with a parameter by ``-dF/dparameter / p`` (implicit differentiation; Figurnov, Mohamed and
Mnih, Implicit reparameterization gradients, NeurIPS 2018). Of gamma and beta numbers the logarithm
and the logit have densities whose logarithms are concave, so that this is one integral away from
the mode, over ``exp(-phi)`` with a convex phi. It is computed by the double exponential rule, to
about 10 digits (Takahasi and Mori, Publ. RIMS 9, 1974).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import MissingRuleError
from functrace.primitives import special
from functrace.primitives.broadcasting import Elementwise
from functrace.tracing.tracer import bind

_NODES, _LEFT_END, _DEEP = 72, -3.4, 37.0
"""Of the rule: its points, where it begins, and where the integrand counts as zero."""

_PART = 4096

THREE: Any = special.Loops("ddd->d fff->f")
"""Of which dtype functions of three floating numbers are, as a ufunc says it."""


def _integral(fall: Callable[[Any], Any], weight: Callable[[Any], Any], like: Any) -> Any:
    """The integral of ``weight(v) * exp(-fall(v))`` over positive v.

    Args:
        fall: Convex and increasing, from 0 at 0 on.
        weight: Grows slowly.
        like: An array of as many elements.
    """
    low, high = np.full_like(like, -40.0), np.full_like(like, 40.0)
    for _ in range(14):  # the logarithm of where it has fallen
        middle = 0.5 * (low + high)
        is_beyond = fall(np.exp(middle)) > _DEEP
        low, high = np.where(is_beyond, low, middle), np.where(is_beyond, middle, high)
    scale = np.minimum(high - math.log(40.0), 0.0)
    step = (high - scale - _LEFT_END) / (_NODES - 1)
    total = np.zeros_like(like)
    for node in range(_NODES):
        z = _LEFT_END + node * step
        v = np.exp(scale + z - np.exp(-z))
        total += step * v * (1 + np.exp(-z)) * np.exp(-fall(v)) * weight(v)
    return total


def in_double(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function in double precision, for parts of arrays that fit into a processor's cache."""

    def run(*inputs: Any) -> Any:
        dtype = np.result_type(*inputs)
        arrays = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in inputs))
        flat = [x.reshape(-1) for x in arrays]
        result = np.empty(flat[0].shape, dtype)
        with np.errstate(all="ignore"):
            for start in range(0, result.size, _PART):
                part = slice(start, start + _PART)
                result[part] = f(*(x[part] for x in flat))
        return result.reshape(arrays[0].shape)[()]

    return run


@in_double
def log_gamma_slope(y: Any, shape: Any) -> Any:
    """The slope of the logarithm of a gamma number by its shape."""
    x, psi = np.exp(y), special.digamma.run(shape)
    side = np.where(x < shape, -1.0, 1.0)
    return side * _integral(
        lambda v: x * np.expm1(side * v) - shape * side * v, lambda v: y + side * v - psi, y
    )


@in_double
def logit_beta_slope(y: Any, a: Any, b: Any) -> Any:
    """The slope of the logit of a beta number by its first parameter."""
    side = np.where(y < np.log(a / b), -1.0, 1.0)
    unit = 1 / (1 + np.exp(-y))
    psi = special.digamma.run(a) - special.digamma.run(a + b)

    def rise(step: Any) -> Any:  # of log(1 + exp(y))
        near = np.log1p(unit * np.expm1(np.minimum(step, 30.0)))
        return np.where(step < 30, near, step + np.log(unit))

    return side * _integral(
        lambda v: (a + b) * rise(side * v) - a * side * v,
        lambda v: -np.logaddexp(0.0, -y - side * v) - psi,
        y,
    )


def slope(name: str, run: Callable[..., Any], inputs: int) -> Elementwise:
    """The primitive of a slope, which has itself no derivative."""

    def refuse(t: Any, out: Any, *operands: Any) -> Any:
        raise MissingRuleError(
            f"A second derivative of random numbers by the parameters of {name!r} is not known."
        )

    return Elementwise(name, np.add if inputs == 2 else THREE, *(refuse,) * inputs, run=run)


loggamma_slope = slope("loggamma_slope", log_gamma_slope, 2)
betalogit_slope = slope("betalogit_slope", logit_beta_slope, 3)

follow_loggamma = Elementwise(
    "follow_loggamma",
    np.add,
    lambda t, out, y, shape: t,
    lambda t, out, y, shape: t * bind(loggamma_slope, y, shape),
    run=lambda y, shape: y,
)
"""The logarithm of a gamma number, which moves with its shape."""

follow_betalogit = Elementwise(
    "follow_betalogit",
    THREE,
    lambda t, out, y, a, b: t,
    lambda t, out, y, a, b: t * bind(betalogit_slope, y, a, b),
    lambda t, out, y, a, b: -t * bind(betalogit_slope, -y, b, a),
    run=lambda y, a, b: y,
)
"""The logit of a beta number, which moves with its parameters."""
