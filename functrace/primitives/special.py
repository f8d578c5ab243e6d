"""Special functions: elementwise functions that SciPy has and NumPy has not.

They need no SciPy. Where SciPy is installed, its own ufuncs of the same names mean these
primitives on tracers.

Where an argument is 0 the product ``x * log(y)`` is 0 by definition, whatever the logarithm is,
and so is its derivative by ``y``.

Definitions: SciPy's documentation of ``scipy.special``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.primitives.elementwise import (
    Elementwise,
    PartialMap,
    product_or_zero,
    quotient_or_zero,
    sigmoid,
)
from functrace.tracing import NAMED_UFUNCS, bind


def _of_name(name: str, dtype_of: np.ufunc, *partials: PartialMap, run: Any) -> Elementwise:
    """The primitive that SciPy's ufunc of this name means on tracers."""
    primitive = Elementwise(name, dtype_of, *partials, run=run)
    NAMED_UFUNCS[name] = primitive
    return primitive


def _run_logit(x: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):  # -inf at 0, inf at 1, nan outside
        far = np.log(x / (1 - x))
        # Near 1/2 this is the logarithm of a number near 1, which loses digits.
        near = np.log1p((x - 0.5) / (0.5 * (1 - x)))
    return np.where(np.abs(x - 0.5) < 0.2, near, far)[()]


logit = _of_name(
    "logit", np.exp, lambda t, out, x: quotient_or_zero(t, x * (1 - x)), run=_run_logit
)


def _run_log_expit(x: Any) -> Any:
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


log_expit = _of_name(
    "log_expit", np.exp, lambda t, out, x: t * bind(sigmoid, -x), run=_run_log_expit
)


def _zero_where_first_is(x: Any, y: Any, value: Any) -> Any:
    """The value, and zero where x is zero and y is a number."""
    zero = np.logical_and(np.equal(x, 0), np.logical_not(np.isnan(y)))
    return np.where(zero, 0.0, value)[()]


def _run_xlogy(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _zero_where_first_is(x, y, x * np.log(np.true_divide(y, 1)))


xlogy = _of_name(
    "xlogy",
    np.true_divide,
    lambda t, out, x, y: product_or_zero(t, np.log(y)),
    lambda t, out, x, y: quotient_or_zero(t * x, y),
    run=_run_xlogy,
)


def _run_xlog1py(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _zero_where_first_is(x, y, x * np.log1p(np.true_divide(y, 1)))


xlog1py = _of_name(
    "xlog1py",
    np.true_divide,
    lambda t, out, x, y: product_or_zero(t, np.log1p(y)),
    lambda t, out, x, y: quotient_or_zero(t * x, 1 + y),
    run=_run_xlog1py,
)


def _run_entr(x: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(np.equal(x, 0), 0.0, -(x * np.log(x)))
    return np.where(np.less(x, 0), -np.inf, inside)[()]


entr = _of_name("entr", np.exp, lambda t, out, x: -product_or_zero(t, np.log(x) + 1), run=_run_entr)


def _run_rel_entr(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        ratio = np.true_divide(x, y)
        is_usual = np.isfinite(ratio) & (ratio >= np.finfo(ratio.dtype).tiny)
        # Near 1 the ratio loses digits; far from it, it overflows where the logarithms do not.
        is_near = (ratio > 0.5) & (ratio < 2)
        far = np.where(is_usual, np.log(ratio), np.log(x) - np.log(y))
        value = x * np.where(is_near, np.log1p(np.true_divide(np.subtract(x, y), y)), far)
    inside = np.logical_and(np.greater(x, 0), np.greater(y, 0))
    at_zero = np.logical_and(np.equal(x, 0), np.greater_equal(y, 0))
    result = np.where(inside, value, np.where(at_zero, 0.0, np.inf))
    is_nan = np.logical_or(np.isnan(x), np.isnan(y))
    return np.where(is_nan, np.nan, result).astype(ratio.dtype)[()]


rel_entr = _of_name(
    "rel_entr",
    np.true_divide,
    lambda t, out, x, y: product_or_zero(t, np.log(np.true_divide(x, y)) + 1),
    lambda t, out, x, y: -quotient_or_zero(t * x, y),
    run=_run_rel_entr,
)
