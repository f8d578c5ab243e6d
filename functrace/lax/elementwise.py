"""Elementwise operations and choices under the names of ``jax.lax``."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, OperandError, ShapeMismatchError
from functrace.primitives import special
from functrace.primitives.elementwise import complex_of, sigmoid
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.primitives.special import f
from functrace.rules.custom import custom_jvp
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Choose element by element; the condition is a scalar or has the shape of both.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.select(np.array([True, False]), np.array([1, 2]), np.array([10, 20]))
        array([ 1, 20])
    """
    shapes = [shape_of(as_operand(x)) for x in (pred, on_true, on_false)]
    if shapes[1] != shapes[2] or shapes[0] not in ((), shapes[1]):
        raise ShapeMismatchError(f"select was given arrays of the shapes {shapes}.")
    return np.where(pred, on_true, on_false)


def select_n(which: Any, *cases: Any) -> Any:
    """Choose among arrays of one shape, element by element, by a number (or a boolean for two).

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.select_n(np.array([2, 0]), np.zeros(2), np.ones(2), np.full(2, 7.0))
        array([7., 0.])
    """
    if not cases:
        raise ArgumentError("select_n was given no cases.")
    which = as_operand(which)
    shapes = [shape_of(as_operand(x)) for x in cases]
    if len(set(shapes)) > 1 or shape_of(which) not in ((), shapes[0]):
        raise ShapeMismatchError(
            f"select_n chooses by an array of shape {shape_of(which)} among the shapes {shapes}."
        )
    if dtype_of(which).kind == "b":
        if len(cases) > 2:
            raise ArgumentError(f"select_n cannot choose among {len(cases)} cases by booleans.")
        options: list[Any] = list(cases)
        return np.where(which, options[-1], options[0])
    result = cases[0]
    for number, case in enumerate(cases[1:], 1):
        result = np.where(np.greater_equal(which, number), case, result)
    return result


def clamp(min: Any, x: Any, max: Any) -> Any:
    """Limit values from below and above. Note the order of the arguments.

    Example:
        >>> from functrace import lax
        >>> lax.clamp(0.0, 3.5, 1.0)
        np.float64(1.0)
    """
    return np.minimum(np.maximum(x, min), max)


# Arithmetic: NumPy's own functions, under JAX's names

abs = np.absolute
acos = np.arccos
acosh = np.arccosh
add = np.add
asin = np.arcsin
asinh = np.arcsinh
atan = np.arctan
atan2 = np.arctan2
atanh = np.arctanh
bitwise_and = np.bitwise_and
bitwise_not = np.invert
bitwise_or = np.bitwise_or
bitwise_xor = np.bitwise_xor
cbrt = np.cbrt
ceil = np.ceil
conj = np.conjugate
cos = np.cos
cosh = np.cosh
eq = np.equal
exp = np.exp
exp2 = np.exp2
expm1 = np.expm1
floor = np.floor
ge = np.greater_equal
gt = np.greater
imag = np.imag
is_finite = np.isfinite
le = np.less_equal
log = np.log
log1p = np.log1p
lt = np.less
max = np.maximum
min = np.minimum
mul = np.multiply
ne = np.not_equal
neg = np.negative
nextafter = np.nextafter
pow = np.power
real = np.real
rem = np.fmod
shift_left = np.left_shift
shift_right_arithmetic = np.right_shift
sign = np.sign
sin = np.sin
sinh = np.sinh
sqrt = np.sqrt
square = np.square
sub = np.subtract
tan = np.tan
tanh = np.tanh


def complex(x: Any, y: Any) -> Any:
    """The complex number with these real and imaginary parts: of floats of one dtype.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.complex(np.float32(1.0), np.float32(2.0))
        np.complex64(1+2j)
    """
    return bind(complex_of, as_operand(x), as_operand(y))


def _in_own_dtype(function: Callable[..., Any], *operands: Any) -> Any:
    """What a function of each element gives, in the dtype of the operands if that is floating.

    SciPy's functions have no loops for half precision.
    """
    operands = tuple(as_operand(x) for x in operands)
    result, dtype = function(*operands), np.result_type(*map(dtype_of, operands))
    return result if dtype.kind != "f" or dtype_of(result) == dtype else cast_to(result, dtype)


def bessel_i0e(x: Any) -> Any:
    """The modified Bessel function of order 0 times ``exp(-abs(x))``, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.bessel_i0e(np.array([0.0, 1.0])).round(3)
        array([1.   , 0.466])
    """
    return _in_own_dtype(f.i0e, x)


def bessel_i1e(x: Any) -> Any:
    """The modified Bessel function of order 1 times ``exp(-abs(x))``, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.bessel_i1e(np.array([0.0, 1.0])).round(3)
        array([0.   , 0.208])
    """
    return _in_own_dtype(f.i1e, x)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The regularized incomplete beta function, by SciPy.

    Example:
        >>> from functrace import lax
        >>> lax.betainc(1.0, 2.0, 0.5)
        np.float64(0.75)
    """
    return _in_own_dtype(f.betainc, a, b, x)


def igamma(a: Any, x: Any) -> Any:
    """The regularized lower incomplete gamma function, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.igamma(1.0, 2.0).round(3), (1 - np.exp(-2.0)).round(3)
        (np.float64(0.865), np.float64(0.865))
    """
    return _in_own_dtype(f.gammainc, a, x)


def igammac(a: Any, x: Any) -> Any:
    """The regularized upper incomplete gamma function, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.igammac(1.0, 2.0).round(3), np.exp(-2.0).round(3)
        (np.float64(0.135), np.float64(0.135))
    """
    return _in_own_dtype(f.gammaincc, a, x)


def igamma_grad_a(a: Any, x: Any) -> Any:
    """The derivative of `igamma` in its parameter.

    Example:
        >>> from functrace import lax
        >>> lax.igamma_grad_a(1.0, 2.0).round(6)
        np.float64(-0.220825)
    """
    return _in_own_dtype(partial(f.gammainc_by_a, orders=(1,)), a, x)


def random_gamma_grad(a: Any, x: Any) -> Any:
    """The derivative in its parameter of a sample x of the gamma distribution.

    It is that of the quantile at which the sample stands.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> draw = lambda a: ft.random.gamma(ft.random.key(0), a)
        >>> np.isclose(ft.lax.random_gamma_grad(2.0, draw(2.0)), ft.grad(draw)(2.0))
        np.True_
    """
    return -igamma_grad_a(a, x) / _in_own_dtype(f.gamma_density, a, x)


def polygamma(m: Any, x: Any) -> Any:
    """The derivative of order m of `digamma`, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.polygamma(1, np.array([1.0])).round(3)  # pi**2 / 6
        array([1.645])
    """
    return _in_own_dtype(f.polygamma, m, x)


def zeta(x: Any, q: Any) -> Any:
    """Hurwitz's zeta function, by SciPy.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.zeta(np.array([2.0]), 1.0).round(3)  # pi**2 / 6
        array([1.645])
    """
    return _in_own_dtype(f.zeta, x, q)


def digamma(x: Any) -> Any:
    """The derivative of `lgamma`.

    Example:
        >>> from functrace import lax
        >>> lax.digamma(1.0).round(3)  # minus Euler's constant
        np.float64(-0.577)
    """
    return _in_own_dtype(partial(bind, special.digamma), x)


def lgamma(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> np.exp(lax.lgamma(5.0)).round(3)  # 4!
        np.float64(24.0)
    """
    return _in_own_dtype(partial(bind, special.gammaln), x)


def population_count(x: Any) -> Any:
    """How many bits of an integer are 1.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.population_count(np.int8(-1))
        np.int8(8)
    """
    return cast_to(np.bitwise_count(_bits(x)), dtype_of(as_operand(x)))


def _bits(x: Any) -> Any:
    """The unsigned integer of the same bits."""
    x = as_operand(x)
    return cast_to(x, np.dtype(f"u{dtype_of(x).itemsize}"))


def clz(x: Any) -> Any:
    """How many bits of an integer are 0 in front of the first that is 1.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.clz(np.int8(1))
        np.int8(7)
    """
    bits, dtype = _bits(x), dtype_of(as_operand(x))
    width = 8 * dtype.itemsize
    shift = 1
    while shift < width:  # then all bits after the first that is 1 are 1 too
        bits = np.bitwise_or(bits, np.right_shift(bits, dtype_of(bits).type(shift)))
        shift *= 2
    return cast_to(width - np.bitwise_count(bits), dtype)


def mulhi(x: Any, y: Any) -> Any:
    """The upper half of the bits of a product of integers, which has twice as many as they have.

    Raises:
        OperandError: The operands are not integers of one dtype.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.mulhi(np.int8(100), np.int8(100)), 100 * 100 // 256
        (np.int8(39), 39)
    """
    x, y = as_operand(x), as_operand(y)
    dtype = dtype_of(x)
    if dtype.kind not in "iu" or dtype_of(y) != dtype:
        raise OperandError(
            f"mulhi takes integers of one dtype, and was given {dtype} and {dtype_of(y)}."
        )
    width = 8 * dtype.itemsize
    if width < 64:
        wide = np.dtype(f"{dtype.kind}8")
        product = np.multiply(cast_to(x, wide), cast_to(y, wide))
        return cast_to(np.right_shift(product, wide.type(width)), dtype)
    a, b = _bits(x), _bits(y)
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    a_high, a_low = np.right_shift(a, half), np.bitwise_and(a, low)
    b_high, b_low = np.right_shift(b, half), np.bitwise_and(b, low)
    # No sum exceeds 64 bits: (2**32 - 1)**2 + 2 * (2**32 - 1) is 2**64 - 1.
    middle = a_high * b_low + np.right_shift(a_low * b_low, half)
    other = a_low * b_high + np.bitwise_and(middle, low)
    upper = a_high * b_high + np.right_shift(middle, half) + np.right_shift(other, half)
    if dtype.kind == "u":
        return upper
    # A negative number is that of its bits less 2**64.
    signed = cast_to(upper, dtype)
    return signed - np.where(np.less(x, 0), y, 0) - np.where(np.less(y, 0), x, 0)


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    """Floating numbers rounded to those that a format of fewer bits has, in their own dtype.

    A number halfway between two is rounded to the even one. What is too large becomes infinite,
    and what is too small for a normal number of the format becomes zero. Derivatives
    do not see the rounding.

    Args:
        operand: Real floating numbers.
        exponent_bits: At least 1.
        mantissa_bits: At least 0; without the leading one, which is not stored.

    Raises:
        OperandError: The numbers are not real floating ones.
        ArgumentError: There are too few bits.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_precision(np.array([1.0009, 1e-9, 7e4]), 5, 10)  # those of float16
        array([1.00097656, 0.        ,        inf])
    """
    operand = as_operand(operand)
    if dtype_of(operand).kind != "f":
        raise OperandError(f"reduce_precision takes floats, and was given {dtype_of(operand)}.")
    if exponent_bits < 1 or mantissa_bits < 0:
        raise ArgumentError(
            f"reduce_precision was asked for {exponent_bits} bits of exponent and {mantissa_bits} "
            "of mantissa; these are 1 and 0 at least."
        )
    return _reduced(operand, int(exponent_bits), int(mantissa_bits))


@partial(custom_jvp, nondiff_argnums=(1, 2))
def _reduced(x: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    dtype = dtype_of(x)
    format = np.finfo(dtype)
    result = x
    if mantissa_bits < format.nmant:
        # Numbers below the smallest normal one of the dtype have its exponent.
        exponent = np.maximum(np.frexp(x)[1], np.int32(format.minexp + 1))
        places = np.int32(mantissa_bits + 1) - exponent
        result = np.ldexp(np.rint(np.ldexp(x, places)), -places)
    if exponent_bits < format.nexp:
        bias = 2 ** (exponent_bits - 1) - 1
        # One exponent is that of zero, and one that of infinity.
        too_small = np.less(np.abs(result), np.ldexp(dtype.type(1), 1 - bias))
        too_large = np.greater_equal(np.abs(result), np.ldexp(dtype.type(1), bias + 1))
        result = np.where(too_small, np.copysign(dtype.type(0), result), result)
        result = np.where(too_large, np.copysign(dtype.type(np.inf), result), result)[()]
    return result


@_reduced.defjvp
def _reduced_jvp(
    exponent_bits: int, mantissa_bits: int, primals: Any, tangents: Any
) -> tuple[Any, Any]:
    (x,), (tangent,) = primals, tangents
    return _reduced(x, exponent_bits, mantissa_bits), tangent


def div(x: Any, y: Any) -> Any:
    """The quotient; that of integers is rounded towards zero.

    Example:
        >>> from functrace import lax
        >>> lax.div(-7, 2), lax.div(-7.0, 2.0)
        (np.int64(-3), np.float64(-3.5))
    """
    if dtype_of(as_operand(x)).kind in "iu" and dtype_of(as_operand(y)).kind in "iu":
        return np.floor_divide(np.subtract(x, np.fmod(x, y)), y)
    return np.true_divide(x, y)


def erf(x: Any) -> Any:
    """The error function.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.erf(np.array([0.0, 1.0])).round(3)
        array([0.   , 0.843])
    """
    return _in_own_dtype(partial(bind, special.erf), x)


def erfc(x: Any) -> Any:
    """The complement of the error function, ``1 - erf(x)``, also where that underflows.

    Example:
        >>> from functrace import lax
        >>> lax.erfc(10.0) > 0, 1 - lax.erf(10.0)
        (np.True_, np.float64(0.0))
    """
    return _in_own_dtype(partial(bind, special.erfc), x)


def erf_inv(x: Any) -> Any:
    """The inverse of the error function.

    Example:
        >>> from functrace import lax
        >>> lax.erf_inv(lax.erf(0.5)).round(3)
        np.float64(0.5)
    """
    return _in_own_dtype(partial(bind, special.erfinv), x)


def integer_pow(x: Any, y: int) -> Any:
    """A power with a known integer exponent.

    Example:
        >>> from functrace import lax
        >>> lax.integer_pow(2.0, 3), lax.integer_pow(2.0, -1)
        (np.float64(8.0), np.float64(0.5))
    """
    x = as_operand(x)
    return np.reciprocal(np.power(x, -y)) if y < 0 else np.power(x, y)


def logistic(x: Any) -> Any:
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import functrace as ft
        >>> from functrace import lax
        >>> lax.logistic(0.0), ft.grad(lax.logistic)(0.0)
        (np.float64(0.5), np.float64(0.25))
    """
    x = as_operand(x)
    if dtype_of(x).kind == "c":
        return 0.5 * np.tanh(0.5 * x) + 0.5
    return bind(sigmoid, x)


def reciprocal(x: Any) -> Any:
    """``1 / x``.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reciprocal(np.array([2.0, 4.0]))
        array([0.5 , 0.25])
    """
    return np.true_divide(1, x)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.rsqrt(np.array([1.0, 4.0]))
        array([1. , 0.5])
    """
    return np.true_divide(1, np.sqrt(x))


class RoundingMethod(IntEnum):
    """What `round` does with what lies in the middle between two integers.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([0.5, 1.5, 2.5])
        >>> lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)
        array([1., 2., 3.])
        >>> lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)
        array([0., 2., 2.])
    """

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """Round to the nearest integer; halves go away from zero, unless another method is given.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.round(np.array([0.4, 0.5, -1.5]))
        array([ 0.,  1., -2.])
    """
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    whole = np.trunc(x)
    return np.where(np.absolute(np.subtract(x, whole)) >= 0.5, whole + np.sign(x), whole)[()]


def shift_right_logical(x: Any, y: Any) -> Any:
    """Shift bits to the right, and fill in zeros, whatever the sign.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.shift_right_logical(np.int8(-1), np.int8(4))
        np.int8(15)
    """
    return cast_to(np.right_shift(_bits(x), _bits(y)), dtype_of(as_operand(x)))


globals().update(entrances(globals()))
