"""Functions of ``scipy.special``: the same names, arguments and values, without SciPy.

They take arrays and traced values. Where SciPy is installed, its own elementwise functions (such
as ``scipy.special.expit``) can be called on traced values too; functions that are no ufuncs (such
as ``scipy.special.logsumexp``) cannot, and are the reason for this module.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.ir.types import type_of
from functrace.primitives import special
from functrace.primitives.linear import cast_to, dtype_of, shape_of, stop_gradient
from functrace.primitives.reducing import logsumexp_primitive, normal_axes, reduced_shape
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


def floating(x: Any) -> Any:
    """An operand in a floating dtype: what is no number with a point becomes a double."""
    x = as_operand(x)
    is_number = hasattr(x, "shape") and not type_of(x).weak  # and none of Python's
    if is_number and dtype_of(x).kind in "fc":
        return x
    return cast_to(x, np.result_type(dtype_of(x), np.float64))


def expit(x: Any) -> Any:
    """The logistic function, ``1 / (1 + exp(-x))``.

    Args:
        x: An array of real numbers.

    Returns:
        An array of the shape of ``x``.

    Example:
        >>> from functrace.scipy.special import expit
        >>> expit(0.0)
        np.float64(0.5)
    """
    return bind(special.expit, as_operand(x))


def logit(x: Any) -> Any:
    """The inverse of `expit`, ``log(x / (1 - x))``: infinite at 0 and 1, nan outside."""
    return bind(special.logit, as_operand(x))


def log_expit(x: Any) -> Any:
    """The logarithm of `expit`, also where that underflows."""
    return bind(special.log_expit, as_operand(x))


def xlogy(x: Any, y: Any) -> Any:
    """``x * log(y)``, and 0 where ``x`` is 0."""
    return bind(special.xlogy, as_operand(x), as_operand(y))


def xlog1py(x: Any, y: Any) -> Any:
    """``x * log1p(y)``, and 0 where ``x`` is 0."""
    return bind(special.xlog1py, as_operand(x), as_operand(y))


def entr(x: Any) -> Any:
    """The term of an entropy: ``-x * log(x)``, 0 at 0, and minus infinity below 0."""
    return bind(special.entr, as_operand(x))


def rel_entr(x: Any, y: Any) -> Any:
    """The term of a relative entropy: ``x * log(x / y)``.

    It is 0 where ``x`` is 0 and ``y`` is not negative, and infinite outside of this.
    """
    return bind(special.rel_entr, as_operand(x), as_operand(y))


def erf(x: Any) -> Any:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``.

    Args:
        x: An array of real or complex numbers.

    Returns:
        An array of the shape of ``x``.

    Example:
        >>> from functrace.scipy.special import erf
        >>> erf(0.0)
        np.float64(0.0)
    """
    return bind(special.erf, as_operand(x))


def erfc(x: Any) -> Any:
    """The complement ``1 - erf(x)``, also where that underflows."""
    return bind(special.erfc, as_operand(x))


def erfinv(x: Any) -> Any:
    """The inverse of `erf`: infinite at 1 and -1, nan outside."""
    return bind(special.erfinv, as_operand(x))


def ndtr(x: Any) -> Any:
    """The probability that a standard normal variable is at most ``x``."""
    return bind(special.ndtr, as_operand(x))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """The logarithm of a sum of exponentials, which does not overflow.

    Args:
        a: The exponents, an array of real or complex numbers.
        axis: The axis or axes to sum over; None for all.
        b: Factors of the exponentials, of a shape that broadcasts to that of ``a``.
        keepdims: Whether the summed axes stay, with length 1.
        return_sign: Whether to return the sign of the sum too, and the logarithm of its size.

    Returns:
        The logarithm; where the sum is negative, nan. Under ``return_sign`` the pair of the
        logarithm of its absolute value and its sign.

    Example:
        >>> from functrace.scipy.special import logsumexp
        >>> logsumexp([1000.0, 1000.0])
        np.float64(1000.6931471805599)
    """
    a = floating(a)
    axes = normal_axes(axis, len(shape_of(a)))
    if b is None and dtype_of(a).kind != "c":
        result = bind(logsumexp_primitive, a, axes=axes, keepdims=bool(keepdims))
        if not return_sign:
            return result
        one = dtype_of(result).type(1)
        return result, np.where(np.isneginf(result), 0 * one, one + 0 * np.isnan(result))
    if b is not None:
        b = floating(b)
        dtype = np.result_type(dtype_of(a), dtype_of(b))
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = np.broadcast_to(cast_to(a, dtype), shape), cast_to(b, dtype)
        axes = normal_axes(axis, len(shape))
        is_zero = np.equal(b, 0)
        counted = np.where(is_zero, dtype.type(-np.inf), a)
        largest = stop_gradient(np.max(np.real(counted), axis=axes, keepdims=True))
        shift = np.where(np.isfinite(largest), largest, 0)
        # What counts nothing must not overflow; else it stays, for the derivative by its factor.
        overflows = np.greater(np.real(a) - shift, math.log(np.finfo(dtype).max) / 2)
        a = np.where(is_zero & overflows, dtype.type(-np.inf), a)
    else:
        largest = stop_gradient(np.max(np.real(a), axis=axes, keepdims=True))
        shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(invalid="ignore"):
        terms = np.exp(a - shift)
    total = np.sum(terms if b is None else b * terms, axis=axes, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.log(np.abs(total) if return_sign else total) + shift
    sign = np.sign(total)
    if not keepdims:
        left = reduced_shape(shape_of(a), axes, False)
        size, sign = np.reshape(size, left)[()], np.reshape(sign, left)[()]
    return (size, sign) if return_sign else size


def softmax(x: Any, axis: Any = None) -> Any:
    """The exponentials of the elements, divided by their sum along an axis (None: all axes)."""
    x = floating(x)
    exponentials = np.exp(x - stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of `softmax`, also where that underflows."""
    x = floating(x)
    largest = stop_gradient(np.max(x, axis=axis, keepdims=True))
    shifted = x - np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


globals().update(entrances(globals()))
