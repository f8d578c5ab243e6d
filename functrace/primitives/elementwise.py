"""NumPy's elementwise functions with their derivatives.

Derivatives: Abramowitz and Stegun, Handbook of Mathematical Functions, chapters 4 and 6; the
values at kinks are those of ``docs/promises.md``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import OperandError
from functrace.ir.emission import Code, Namer, Operands
from functrace.ir.primitive import Types, Values
from functrace.ir.types import (
    ANY_LENGTH,
    UNKNOWN,
    ArrayType,
    broadcast_shapes,
    result_dtype,
)
from functrace.primitives.broadcasting import Elementwise, PartialMap, as_float, of_ufunc
from functrace.primitives.choosing import MANY, by_bits, choose
from functrace.primitives.linear import (
    LocallyConstant,
    dtype_of,
    shape_of,
)
from functrace.primitives.zero_products import (
    all_finite,
    kept_product,
    kept_quotient,
    product_or_zero,
    product_or_zero_primitive,
    quotient_or_zero,
    quotient_or_zero_primitive,
    zero_product,
)
from functrace.tracing.tables import UFUNCS
from functrace.tracing.tracer import Tracer, bind

# Arithmetic


def _keep_in_product(inputs: Sequence[Any], marked: Sequence[bool]) -> tuple[Any, Any] | None:
    t, factor = inputs if marked[0] else reversed(inputs)
    if not isinstance(factor, Tracer) and np.all(np.isfinite(factor)):
        return None
    return bind(kept_product, t, factor), True


def _keep_in_quotient(inputs: Sequence[Any], marked: Sequence[bool]) -> tuple[Any, Any] | None:
    t, divisor = inputs
    is_known = not isinstance(divisor, Tracer)
    if not marked[0] or (is_known and np.all(np.isfinite(divisor) & np.not_equal(divisor, 0))):
        return None
    return bind(kept_quotient, t, divisor), True


add = of_ufunc(
    np.add,
    lambda t, out, x, y: t,
    lambda t, out, x, y: t,
    run=operator.add,
    commutes=True,
    linear_in=(0, 1),
    reads_constants=False,
)
subtract = of_ufunc(
    np.subtract,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t,
    run=operator.sub,
    over=(None, lambda t, out, x, y: np.negative(t, t)),
    linear_in=(0, 1),
    reads_constants=False,
)
multiply = of_ufunc(
    np.multiply,
    lambda t, out, x, y: t * y,
    lambda t, out, x, y: t * x,
    run=operator.mul,
    over=(
        lambda t, out, x, y: np.multiply(t, y, t),
        lambda t, out, x, y: np.multiply(t, x, t),
    ),
    keep=_keep_in_product,
    commutes=True,
    is_bilinear=True,
)
divide = of_ufunc(
    np.true_divide,
    lambda t, out, x, y: quotient_or_zero(t, y),
    lambda t, out, x, y: -product_or_zero(quotient_or_zero(t, y), out),
    run=operator.truediv,
    keep=_keep_in_quotient,
    warns=True,
    linear_in=(0,),
    product=multiply,
)
for _product in (product_or_zero_primitive, kept_product, zero_product):
    _product.plain = multiply
for _quotient in (quotient_or_zero_primitive, kept_quotient):
    _quotient.plain = divide
remainder = of_ufunc(
    np.remainder,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t * np.floor_divide(x, y),
    run=operator.mod,
    warns=True,
)
fmod = of_ufunc(
    np.fmod,
    lambda t, out, x, y: t,
    lambda t, out, x, y: -t * np.trunc(np.divide(x, y)),
    warns=True,
)
ldexp = of_ufunc(np.ldexp, lambda t, out, x, i: np.ldexp(t, i), lambda t, out, x, i: None)
negative = of_ufunc(
    np.negative,
    lambda t, out, x: -t,
    run=operator.neg,
    over=(lambda t, out, x: np.negative(t, t),),
    linear_in=(0,),
)
positive = of_ufunc(
    np.positive, lambda t, out, x: t, run=operator.pos, linear_in=(0,), keeps_values=True
)


def _power_by_base(t: Any, out: Any, x: Any, y: Any) -> Any:
    if type(y) is int or type(y) is float:  # a known exponent, which is never differentiated
        if y == 2:
            return t * (x + x)  # exactly 2 x; a sum is faster than a product with a number
        if y >= 1:
            return t * (y * x ** (y - 1))
        if y == 0:
            return product_or_zero(0.0, t)
        return product_or_zero(t, y * np.power(x, y - 1.0))
    # x**0 is 1 for every x, with derivative 0.
    return product_or_zero(t, product_or_zero(y, bind(power_in_rule, x, y - 1)))


def _power_by_base_over(t: Any, out: Any, x: Any, y: Any) -> Any:
    if (type(y) is int or type(y) is float) and y == 2:
        return _square_over(t, out, x)
    return _power_by_base(t, out, x, y)


def _square_over(t: Any, out: Any, x: Any) -> Any:
    np.multiply(t, x, t)
    return np.add(t, t, t)  # as exact as to double x: it can overflow where the result does only


def _power_by_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    # At 0**0, where a power jumps from 1 to 0, its derivative by y is 0 by convention, as in JAX.
    if type(x) is int:
        x = float(x)  # one of more than 64 bits is no number to np.where
    return _power_in_rule_by_exponent(t, out, np.where(np.equal(y, 0) & np.equal(x, 0), 1, x), y)


def _power_in_rule_by_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    # 0**y is 0 for every y > 0, so its derivative by y is 0 although log(0) is infinite. Where
    # y > 1 so is the derivative of that by x, but it would be computed from the logarithm.
    is_flat = np.logical_and(np.equal(x, 0), np.greater(np.real(y), 1))
    return bind(zero_product, t, product_or_zero(out, np.log(np.where(is_flat, 1, x))))


def _python_power(x: Any, y: Any) -> Any:
    """A power of Python's numbers whose type was recorded before the numbers were known."""
    result = x**y
    if type(result) is type(y):  # which is the type of x as well
        return result
    if type(x) is int:
        advice = "Give x as a float."
    else:
        advice = "Write np.power(x, y), which gives nan here, or give x as a complex number."
    raise OperandError(
        f"{x} ** {y} is {result} in Python, of type {type(result).__name__}, but x ** y was "
        f"recorded for all numbers of type {type(x).__name__}.",
        advice=advice,
    )


class Power(Elementwise):
    """``x ** y``. Of -inf, ``x**0.5`` is inf where NumPy takes a scalar, and nan in an array."""

    differs_for_scalars = True

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """The operator, but where what it gives depends on the values."""
        x, y = inputs
        (type,) = outputs
        depends = type.weak and x.type.dtype.kind + y.type.dtype.kind in ("ii", "ff")
        if depends and (y.value is UNKNOWN or y.value < 0 or y.value % 1):
            return Code(f"{names.function('python_power', _python_power)}({{0}}, {{1}})")
        return super().numpy_code(names, inputs, outputs, **params)


power = Power(
    "power",
    np.power,
    _power_by_base,
    _power_by_exponent,
    run=operator.pow,
    over=(_power_by_base_over, None),
    keeps_weak=True,
)
UFUNCS[np.power] = power
power_in_rule = Power(
    "power_in_rule", np.power, _power_by_base, _power_in_rule_by_exponent, run=np.power
)


square = of_ufunc(np.square, lambda t, out, x: t * (x + x), over=(_square_over,))
reciprocal = of_ufunc(
    np.reciprocal, lambda t, out, x: -product_or_zero(quotient_or_zero(t, x), out), warns=True
)
sqrt = of_ufunc(np.sqrt, lambda t, out, x: quotient_or_zero(t, 2 * out), warns=True)
cbrt = of_ufunc(np.cbrt, lambda t, out, x: quotient_or_zero(quotient_or_zero(t, 3 * out), out))


SMALL = 500
"""Up to so many complex numbers one division takes less time than two of real ones."""


def _run_direction(x: Any, size: Any) -> Any:
    """The part of the direction along which something of a size lies: ``x / size``.

    It is 0 where the size is 0. Of infinite parts none is larger than another, and the finite ones
    beside them count nothing.
    """
    shape = shape_of(x)
    if not shape and not shape_of(size) and math.isfinite(size):
        return x / size if size else x * size
    divisor = np.where(size == 0, np.inf, size)
    is_finite = all_finite(size)
    if not is_finite:  # they are put in at the end
        divisor = np.where(np.isinf(x), 1, divisor)
    is_complex = dtype_of(x).kind == "c"
    if is_complex and shape == shape_of(size) and x.size > SMALL:
        # Part by part, in a third of the time of a division of complex numbers.
        ratio: Any = np.empty(shape, np.result_type(x, divisor))
        np.divide(x.real, divisor, ratio.real)
        np.divide(x.imag, divisor, ratio.imag)
    else:
        ratio = (x / divisor)[()]
    if is_finite:
        return ratio
    at_infinity = np.where(np.isinf(x.real), np.sign(x.real), 0)
    if is_complex:
        at_infinity = at_infinity + 1j * np.where(np.isinf(x.imag), np.sign(x.imag), 0)
    return np.where(np.isinf(size), at_infinity, ratio).astype(ratio.dtype)[()]


direction = Elementwise(
    "direction",
    np.divide,
    lambda t, out, x, size: bind(direction, t, size),
    lambda t, out, x, size: -bind(direction, t * out, size),
    run=_run_direction,
    is_fresh=True,
    warns=False,
)


def _absolute_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind != "c":
        return t * np.sign(x)
    return t * np.conjugate(bind(direction, x, out))


absolute = of_ufunc(np.absolute, _absolute_map, run=operator.abs)
fabs = of_ufunc(np.fabs, lambda t, out, x: t * np.sign(x))
hypot = of_ufunc(
    np.hypot,
    lambda t, out, x, y: t * bind(direction, x, out),
    lambda t, out, x, y: t * bind(direction, y, out),
    takes_infinity=True,
)
copysign = of_ufunc(
    np.copysign,
    lambda t, out, x, y: t * (np.sign(x) * np.copysign(1, y).astype(t.dtype)),
    lambda t, out, x, y: product_or_zero(0.0, t),
    keeps_nan=False,
)
nextafter = of_ufunc(
    np.nextafter,
    lambda t, out, x, y: t,  # but for the last digit it is x
    lambda t, out, x, y: product_or_zero(0.0, t),
)
heaviside = of_ufunc(
    np.heaviside,
    lambda t, out, x, y: product_or_zero(0.0, t),
    lambda t, out, x, y: np.where(np.equal(x, 0), t, 0),
)

# Exponentials and logarithms

exp = of_ufunc(
    np.exp,
    lambda t, out, x: t * out,
    over=(lambda t, out, x: np.multiply(t, out, t),),
    takes_infinity=True,
)
exp2 = of_ufunc(np.exp2, lambda t, out, x: t * (out * math.log(2)), takes_infinity=True)
expm1 = of_ufunc(np.expm1, lambda t, out, x: t * (out + 1), takes_infinity=True)
log = of_ufunc(np.log, lambda t, out, x: quotient_or_zero(t, x), warns=True)
log2 = of_ufunc(np.log2, lambda t, out, x: quotient_or_zero(t * (1 / math.log(2)), x), warns=True)
log10 = of_ufunc(
    np.log10, lambda t, out, x: quotient_or_zero(t * (1 / math.log(10)), x), warns=True
)
log1p = of_ufunc(np.log1p, lambda t, out, x: quotient_or_zero(t, x + 1), warns=True)


def _is_moderate(x: Any) -> bool:
    """Whether all elements are small enough that adding log(2) changes them in any precision."""
    flat = x.ravel("K")
    return bool(abs(np.vdot(flat, flat)) < 1e10)  # one pass by BLAS; false where it is nan


def _share(base: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The share of x in the sum of two exponentials; of equal infinities each has one half."""

    def share(x: Any, y: Any, out: Any) -> Any:
        if type(out) is np.ndarray and _is_moderate(out):
            return base(x - out)  # out is larger than x and y, and all are finite or -inf
        alone = base(np.where(x == out, 0, x - out))
        return np.where(np.logical_and(x == out, y == out), 0.5, alone)

    return share


_share_of_e, _share_of_2 = _share(np.exp), _share(np.exp2)

logaddexp = of_ufunc(
    np.logaddexp,
    lambda t, out, x, y: t * _share_of_e(x, y, out),
    lambda t, out, x, y: t * _share_of_e(y, x, out),
    takes_infinity=True,
)
logaddexp2 = of_ufunc(
    np.logaddexp2,
    lambda t, out, x, y: t * _share_of_2(x, y, out),
    lambda t, out, x, y: t * _share_of_2(y, x, out),
    takes_infinity=True,
)


def _run_sigmoid(x: Any) -> Any:
    # exp of a negative number cannot overflow, and both signs keep full relative precision. The
    # maximum with 0 or 1 is a choice between ``small`` and 1, in a third of the time of np.where.
    small = np.exp(-np.abs(x))
    return (np.maximum(small, x >= 0) / (1 + small))[()]


sigmoid = Elementwise(
    "sigmoid",
    np.exp,
    lambda t, out, x: t * (out * (1 - out)),
    run=_run_sigmoid,
    is_fresh=True,
    is_bounded=True,
    keeps_nan=True,
)

# Trigonometric and hyperbolic functions

sin = of_ufunc(np.sin, lambda t, out, x: t * np.cos(x))
cos = of_ufunc(np.cos, lambda t, out, x: t * -np.sin(x))
tan = of_ufunc(np.tan, lambda t, out, x: t * (1 + out * out), warns=True)


# The square of a large number overflows where the derivative does not: so where numbers can be
# large, these are products and quotients of what is about as large as x.


def over_both(t: Any, first: Any, second: Any) -> Any:
    """Divided by the one and then by the other, whose product might overflow."""
    return quotient_or_zero(quotient_or_zero(t, first), second)


def _over_root_of_difference(t: Any, x: Any) -> Any:
    """Divided by ``sqrt(1 - x**2)``, on the branch of the inverse sine."""
    if dtype_of(x).kind == "c":
        # Not 1 - x: on the branch cut the sign of the imaginary zero tells the side.
        return over_both(t, np.sqrt(-(x - 1)), np.sqrt(1 + x))
    return quotient_or_zero(t, np.sqrt(1 - x * x))


def _arctan_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, 1 + x * 1j, 1 - x * 1j)
    size = np.hypot(x, 1)
    return over_both(t, size, size)


def _arcsinh_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, np.sqrt(1 + x * 1j), np.sqrt(-(x * 1j - 1)))
    return t / np.hypot(x, 1)


def _arctanh_map(t: Any, out: Any, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        return over_both(t, 1 - x, 1 + x)
    return quotient_or_zero(t, 1 - x * x)


def _turn(t: Any, part: Any, size: Any) -> Any:
    return bind(zero_product, quotient_or_zero(part, size), quotient_or_zero(t, size))


arcsin = of_ufunc(np.arcsin, lambda t, out, x: _over_root_of_difference(t, x), warns=True)
arccos = of_ufunc(np.arccos, lambda t, out, x: -_over_root_of_difference(t, x), warns=True)
arctan = of_ufunc(np.arctan, _arctan_map, warns=True, is_bounded=True)  # of complex numbers
arctan2 = of_ufunc(
    np.arctan2,
    lambda t, out, y, x: _turn(t, x, np.hypot(x, y)),
    lambda t, out, y, x: -_turn(t, y, np.hypot(x, y)),
    is_bounded=True,
)
sinh = of_ufunc(np.sinh, lambda t, out, x: t * np.cosh(x))
cosh = of_ufunc(np.cosh, lambda t, out, x: t * np.sinh(x))


def _tanh_over(t: Any, out: Any, x: Any) -> Any:
    slope = out * out
    np.subtract(1, slope, slope)
    return np.multiply(t, slope, t)


tanh = of_ufunc(np.tanh, lambda t, out, x: t * (1 - out * out), over=(_tanh_over,), is_bounded=True)
arcsinh = of_ufunc(np.arcsinh, _arcsinh_map)
arccosh = of_ufunc(
    np.arccosh,
    lambda t, out, x: quotient_or_zero(quotient_or_zero(t, np.sqrt(x - 1)), np.sqrt(x + 1)),
    warns=True,
)
arctanh = of_ufunc(np.arctanh, _arctanh_map, warns=True)
deg2rad = of_ufunc(np.deg2rad, lambda t, out, x: t * (math.pi / 180))
rad2deg = of_ufunc(np.rad2deg, lambda t, out, x: t * (180 / math.pi))
UFUNCS[np.radians] = deg2rad
UFUNCS[np.degrees] = rad2deg

# Complex numbers. Each map is linear over the real numbers; the family takes the real part where
# the output (or the input) is real: imag(z) is the real part of -1j * z.

conjugate = of_ufunc(np.conjugate, lambda t, out, x: np.conjugate(t), linear_in=(0,))


class _OfParts(Elementwise):
    """The complex number of a real and an imaginary part.

    The sum ``x + y * 1j`` is another one where ``y`` is infinite, as 0 times infinity is nan, or
    where ``x`` is a negative zero.
    """

    def infer(self, *types: ArrayType) -> ArrayType:
        """The complex dtype with parts of the dtype of both."""
        type = super().infer(*types)
        return type._replace(dtype=np.result_type(type.dtype, np.complex64))


def _run_of_parts(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    dtype = np.result_type(x.dtype, y.dtype, np.complex64)
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype)
    result.real, result.imag = x, y
    return result[()]


# t comes first in these products: 1j * np.float64(1) is a complex number of Python's.
complex_of = _OfParts(
    "complex_of",
    np.add,
    lambda t, out, x, y: t,
    lambda t, out, x, y: t * 1j,
    run=_run_of_parts,
    linear_in=(0, 1),
    is_fresh=True,
    keeps_nan=True,
)


class RealValued(Elementwise):
    """A real function of a complex number."""

    def infer(self, *types: ArrayType) -> ArrayType:
        """The dtype of the parts of a complex number."""
        (type,) = types
        return ArrayType(type.shape, np.finfo(type.dtype).dtype)


class Part(RealValued):
    """The real or the imaginary part: a view of the complex array, a number of Python's of one."""

    makes_views = True
    makes_scalars = False
    warns = False
    linear_in = (0,)
    keeps_nan = True

    def infer(self, *types: ArrayType) -> ArrayType:
        """As of other functions, weak where the number is."""
        return super().infer(*types)._replace(weak=types[0].weak)

    def written_back(self, input: Any, view: Any) -> Any:
        """The numbers of the two parts."""
        if self is real:
            return bind(complex_of, view, np.imag(input))
        return bind(complex_of, np.real(input), view)


real = Part("real", np.conjugate, lambda t, out, x: t, run=operator.attrgetter("real"))
imag = Part("imag", np.conjugate, lambda t, out, x: t * -1j, run=operator.attrgetter("imag"))


def _angle_map(t: Any, out: Any, x: Any) -> Any:
    """``-1j * t / x``; at zero 0, as of `arctan2`."""
    size = np.abs(x)
    along = t * np.conjugate(bind(direction, x, size))
    return bind(direction, along, size) * -1j


angle_primitive = RealValued(
    "angle",
    np.conjugate,
    _angle_map,
    run=np.angle,
    is_fresh=True,
)


# Choices. Ties share the derivative equally.


def _won(is_ahead: Any, is_tie: Any, t: Any) -> Any:
    if type(is_tie) is np.ndarray and not np.count_nonzero(is_tie):
        return bind(select, is_ahead, t, 0)
    return bind(select, is_ahead, t, bind(select, is_tie, t * 0.5, 0))


def _winner(is_ahead: np.ufunc) -> tuple[PartialMap, PartialMap]:
    return (
        lambda t, out, x, y: _won(is_ahead(x, y), x == y, t),
        lambda t, out, x, y: _won(is_ahead(y, x), x == y, t),
    )


maximum = of_ufunc(np.maximum, *_winner(np.greater))
minimum = of_ufunc(np.minimum, *_winner(np.less))


def _winner_over_nan(is_ahead: np.ufunc) -> tuple[PartialMap, PartialMap]:
    first, second = _winner(is_ahead)
    return (
        lambda t, out, x, y: bind(select, np.isnan(y), t, first(t, out, x, y)),
        lambda t, out, x, y: bind(select, np.isnan(x), t, second(t, out, x, y)),
    )


fmax = of_ufunc(np.fmax, *_winner_over_nan(np.greater), keeps_nan=False)
fmin = of_ufunc(np.fmin, *_winner_over_nan(np.less), keeps_nan=False)
for _choice in (maximum, minimum, fmax, fmin):
    _choice.makes_zeros = _choice.makes_zero_tangents = True


class Select(Elementwise):
    """``where(condition, x, y)``."""

    is_fresh = True
    makes_zeros = makes_zero_tangents = True
    makes_arrays = True
    makes_scalars = False
    warns = False
    linear_in = (1, 2)
    keeps_nan = (False, True, True)

    def infer(self, *types: ArrayType) -> ArrayType:
        """The broadcast shape, and the dtype to which the two alternatives promote."""
        shape = broadcast_shapes(*(type.shape for type in types))
        return ArrayType(shape, result_dtype(*types[1:]))

    def numpy_code(
        self, names: Namer, inputs: Operands, outputs: Types, **params: Any
    ) -> Code | None:
        """NumPy's function, or the choice of bits; of numbers Python's choice."""
        python = None
        type = outputs[0]
        if ANY_LENGTH not in type.shape and type.size >= MANY:
            operands = [x.value if x.is_scalar_constant else x.type for x in inputs]
            if by_bits(*operands):
                name = names.function("choose", choose)
                call = f"{name}({{0}}, {{1}}, {{2}}"
                is_between_two = all(x.type.shape for x in inputs)
                return Code(f"{call})", f"{call}, {{out}})", in_place=not is_between_two)
        if not outputs[0].shape and outputs[0].dtype == np.float64:
            x, y = (as_float(names, inputs[n], n) for n in (1, 2))
            python = None if x is None or y is None else f"({x} if {{0}} else {y})"
        return Code("np.where({0}, {1}, {2})", python=python)


select = Select(
    "select",
    np.logical_and,
    lambda t, out, condition, x, y: t * 0,
    lambda t, out, condition, x, y: bind(select, condition, t, 0),
    lambda t, out, condition, x, y: bind(select, condition, 0, t),
    run=choose,
    reads_constants=(True, False, False),
)


# Locally constant functions

for _ufunc in (
    np.floor, np.ceil, np.trunc, np.rint, np.signbit, np.isfinite, np.isinf, np.isnan, np.isnat,
):  # fmt: skip
    of_ufunc(_ufunc)

of_ufunc(np.spacing)
of_ufunc(np.bitwise_count)

logical_not = of_ufunc(np.logical_not)

for _ufunc in (np.logical_and, np.logical_or, np.logical_xor, np.gcd, np.lcm):
    of_ufunc(_ufunc, commutes=True)

for _ufunc, _operator in {
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
}.items():
    of_ufunc(_ufunc, run=_operator, commutes=True)

for _ufunc, _operator in {
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.invert: operator.invert,
    np.left_shift: operator.lshift,
    np.right_shift: operator.rshift,
}.items():
    of_ufunc(_ufunc, run=_operator)

of_ufunc(np.floor_divide, run=operator.floordiv, warns=True)

sign_primitive = of_ufunc(np.sign)


class Round(LocallyConstant):
    """Rounding to decimals."""

    is_fresh = True
    makes_scalars = True

    def run(self, x: Any, *, decimals: int) -> Any:
        """Round half to even."""
        return np.round(x, decimals)

    def infer(self, x: ArrayType, *, decimals: int) -> ArrayType:
        """The same dtype, except that NumPy makes booleans halves, and refuses them decimals."""
        return ArrayType(x.shape, np.round(np.zeros(1, x.dtype), decimals).dtype)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Round the whole batch."""
        return bind(self, *inputs, **params), axes[0]


round_primitive = Round("round")

MEANINGS = {ufunc: meaning for ufunc, meaning in UFUNCS.items() if isinstance(meaning, Elementwise)}
"""NumPy's elementwise ufuncs, with their primitives."""
