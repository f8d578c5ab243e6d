"""Mathematical functions as LLVM IR, for the native backend to put in front of its kernels.

They are straight lines of arithmetic: no branch, no call, no table in memory. So once they are
inlined a loop over them becomes a loop over vectors, and what they cost is the number of their
operations. Results are within 2 units in the last place in float64, and within 4 in float32
(docs/native.md has a table of what was measured).

**Flags.** Beside its result a function may raise the flags of division by zero, overflow and
invalid operation. Whoever runs a kernel tests them after it, and where one stands, throws the
results away and has NumPy compute them. So

- where NumPy warns, at least one of the three is raised;
- where arguments are finite numbers and NumPy does not warn, none is, but for the exceptions that
  a function states. In this way arguments that are nobody's, such as the sine of 1e20, are left to
  NumPy, at no cost for others;
- a NaN among the arguments may raise one.

LLVM takes it for granted that nobody looks at flags. An operation that is there for its flag
(`_valid`) is one that the result depends on, of values that are not known before.

The methods, where a function does not say more: the logarithm's sum is arranged as in fdlibm (Sun
Microsystems, 1993); arguments are reduced as in Cody and Waite, Software Manual for the Elementary
Functions (1980), with fused operations in place of constants with trailing zeros; errors are
carried in a second number as in Dekker, A floating-point technique for extending the available
precision, Numer. Math. 18 (1971); the variable in which the complement of the error function is a
polynomial is that of Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x,
Math. Comp. 36 (1981). The polynomials are our own (`polynomials`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache

from functrace.backends.native import polynomials as table
from functrace.backends.native.registers import (
    FORMATS,
    Body,
    Number,
    Value,
    absolute,
    bits_of,
    choice,
    constant,
    copysign,
    extended,
    fma,
    horner,
    maximum,
    minimum,
    polynomial,
    real_of,
    select,
    sqrt,
    trunc,
    truncated,
)

FUNCTIONS: dict[str, Callable[..., Value]] = {}
"""Of each name, what writes its instructions and returns its result, given its arguments."""

ARGUMENTS = ("x", "y")


def definitions(names: Iterable[tuple[str, str]]) -> str:
    """The text of functions.

    Args:
        names: Pairs of a name in `FUNCTIONS` and a type, ``double`` or ``float``.

    Returns:
        A ``define internal`` for each, once. That of ``("exp", "double")`` is called
        ``@exp.f64``.
    """
    return "\n".join(_definition(name, type) for name, type in sorted(set(names)))


def length(name: str, type: str) -> int:
    """How many instructions a function has, about."""
    return _definition(name, type).count("\n")


@cache
def _definition(name: str, type: str) -> str:
    body = Body()
    write = FUNCTIONS[name]
    count = write.__code__.co_argcount
    arguments = [Value(body, type, f"%{x}") for x in ARGUMENTS[:count]]
    result = write(*arguments)
    parameters = ", ".join(f"{type} {x.text}" for x in arguments)
    return "\n".join(
        [
            f"define internal {type} @{name}.{FORMATS[type].suffix}({parameters}) alwaysinline {{",
            *body.lines,
            f"  ret {type} {result.text}",
            "}",
            "",
        ]
    )


def _function(write: Callable[..., Value]) -> Callable[..., Value]:
    FUNCTIONS[write.__name__.removeprefix("_")] = write
    return write


# Rounding to integers, and powers of two


def _shift(x: Value) -> float:
    """Added to a number it leaves no place for a fraction; the integer stands in the low bits."""
    return 1.5 * 2.0**x.format.digits


def _power_of_two(shifted: Value) -> Value:
    """``2**n`` of ``n + _shift``, for exponents of normal numbers."""
    format = shifted.format
    return real_of((bits_of(shifted) << format.digits) + (format.bias << format.digits))


def _times_power_of_two(x: Value, shifted: Value) -> Value:
    """``x * 2**n`` of ``n + _shift + 2 * bias``, whatever ``n`` is, rounded once.

    In two factors, for neither `2**1024` nor `2**-1074` is a normal number.
    """
    format = x.format
    bits = bits_of(shifted)
    half = (bits << (format.digits - 1)) & format.infinity
    return x * real_of(half) * real_of((bits << format.digits) - half)


def _between(x: Value, low: float, high: float) -> Value:
    return minimum(maximum(x, low), high)


def _valid(condition: Value, x: Value) -> Value:
    """``x`` where the condition holds, and elsewhere a number that raises a flag.

    It raises it once something is computed of it. That must not be computed of constants alone:
    LLVM would do so in advance, without a flag. The number is a NaN that is signalling.
    """
    return real_of(select(condition, bits_of(x), x.format.infinity + 1))


# Exponentials


def _without_log2(x: Value, n: Value) -> Value:
    """``x - n log(2)``."""
    high, low = table.LN2[x.type]
    return fma(n, -low, fma(n, -high, x))


def _expm1_reduced(r: Value) -> Value:
    """``exp(r) - 1`` for ``|r| <= log(2) / 2``."""
    return fma(r * r, polynomial(r, *table.EXP[r.type]), r)


_EXP_RANGE = {"double": (-746.0, 710.0), "float": (-105.0, 89.0)}
"""Beyond it ``exp`` is zero, or overflows."""


def _exponential(x: Value, scale: float = 1.0) -> Value:
    """``exp(scale * x)``, where this is a normal number."""
    shift = _shift(x)
    shifted = fma(x, table.LOG2_E * scale, shift)
    argument = x * scale if scale != 1.0 else x
    r = _without_log2(argument, shifted - shift)
    return (1.0 + _expm1_reduced(r)) * _power_of_two(shifted)


def _exponential_parts(x: Value) -> tuple[Value, Value]:
    """``exp(x)``, and what was lost when it was rounded."""
    x = _between(x, *_EXP_RANGE[x.type])
    shift = _shift(x) + 2 * x.format.bias
    shifted = fma(x, table.LOG2_E, shift)
    r = _without_log2(x, shifted - shift)
    rest = _expm1_reduced(r)
    power = 1.0 + rest
    missing = rest - (power - 1.0)
    return _times_power_of_two(power, shifted), _times_power_of_two(missing, shifted)


@_function
def _exp(x: Value) -> Value:
    return _exponential_parts(x)[0]


_EXP2_RANGE = {"double": (-1080.0, 1025.0), "float": (-152.0, 129.0)}


@_function
def _exp2(x: Value) -> Value:
    x = _between(x, *_EXP2_RANGE[x.type])
    shift = _shift(x) + 2 * x.format.bias
    shifted = x + shift
    r = x - (shifted - shift)
    return _times_power_of_two(fma(r, polynomial(r, *table.EXP2[x.type]), 1.0), shifted)


_EXPM1_RANGE = {"double": (-50.0, 710.0), "float": (-25.0, 89.0)}


@_function
def _expm1(x: Value) -> Value:
    # expm1(n log(2) + r) = 2^n ((1 - 2^-n) + expm1(r)). The difference is added to r first: near
    # log(2)/2, where the two nearly cancel, this sum is exact.
    clamped = _between(x, *_EXPM1_RANGE[x.type])
    format = x.format
    shift = _shift(x) + 2 * format.bias
    shifted = fma(clamped, table.LOG2_E, shift)
    n = shifted - shift
    r = _without_log2(clamped, n)
    inverse = real_of((3 * format.bias << format.digits) - (bits_of(shifted) << format.digits))
    # From here on 1 - 2^-n is 1, and 2^-n may be no normal number.
    difference = select(n > format.digits + 2.0, 1.0, 1.0 - inverse)
    value = fma(r * r, polynomial(r, *table.EXP[r.type]), difference + r)
    return copysign(_times_power_of_two(value, shifted), x)


@_function
def _sinh(x: Value) -> Value:
    """Raises overflow above 710.1, in float32 89.0, a little before it overflows."""
    cosh, sinh, up, down = _hyperbolic(x)
    # cosh(r) - 1 in place of cosh(r): where the sums nearly cancel, each term is small.
    inner = fma(cosh, up - down, sinh * (up + down))
    return copysign((up - down) + inner, x)


@_function
def _cosh(x: Value) -> Value:
    """Raises overflow above 710.1, in float32 89.0, a little before it overflows."""
    cosh, sinh, up, down = _hyperbolic(x)
    inner = fma(cosh, up + down, sinh * (up - down))
    return (up + down) + inner


_HYPERBOLIC_LIMIT = {"double": 710.5, "float": 89.5}
"""Where they have overflown."""


def _hyperbolic(x: Value) -> tuple[Value, Value, Value, Value]:
    """``cosh(r) - 1``, ``sinh(r)``, ``2^n / 2`` and ``2^-n / 2``, where ``|x| = n log(2) + r``."""
    format = x.format
    size = minimum(absolute(x), _HYPERBOLIC_LIMIT[x.type])
    shift = _shift(x)
    shifted = fma(size, table.LOG2_E, shift)
    n = shifted - shift
    high, low = table.LN2[x.type]
    exact = fma(n, -high, size)
    r = fma(n, -low, exact)
    square = r * r
    cosh = square * polynomial(square, *table.COSH[x.type])
    sinh = exact + fma(n, -low, r * square * polynomial(square, *table.SINH[x.type]))
    exponent = bits_of(shifted) << format.digits
    # 2^n / 4 is a normal number for every n, and so is 8 * 2^-n. Twice the greatest of the first
    # overflows, and says so.
    up = real_of(exponent + ((format.bias - 2) << format.digits)) * 2.0
    down = real_of(((format.bias + 3) << format.digits) - exponent) * 2.0**-4
    return cosh, sinh, up, down


_TANH_LIMIT = {"double": 20.0, "float": 10.0}
"""From here on it is 1."""


@_function
def _tanh(x: Value) -> Value:
    # x + x^3 P(x^2) or 1 - 2 / (exp(2x) + 1): what is added to x or 1 is small and a quotient.
    size = minimum(absolute(x), _TANH_LIMIT[x.type])
    numerator, denominator = table.TANH[x.type]
    square = size * size
    is_small = size < 1.0
    grown = _exponential(size, 2.0) + 1.0
    small = size * square * polynomial(square, numerator)
    above = select(is_small, small, -2.0)
    below = select(is_small, polynomial(square, denominator), grown)
    return copysign(select(is_small, size, 1.0) + above / below, x)


@_function
def _expit(x: Value) -> Value:
    fallen, missing = _exponential_parts(-absolute(x))
    is_negative = x < 0.0
    below = 1.0 + fallen
    if x.type == "float":
        return select(is_negative, fallen, 1.0) / below
    # With e = exp(-|x|) and s = e / (1 + e) it is 1 - s, or e - e s: a number, and at most half of
    # it from that. What was lost in e and in 1 + e is accounted for.
    share = fallen / below
    missing = fma(share * share, fallen - (below - 1.0), missing)
    rest = select(is_negative, fma(-fallen, share, missing), -share)
    return select(is_negative, fallen, 1.0) + rest


# Logarithms


def _exponent_and_rest(x: Value) -> tuple[Value, Value]:
    """Integers of which ``x = 2^k m``, ``sqrt(1/2) <= m < sqrt(2)``.

    Returns:
        ``k + bias``, and what lies behind it the bits of ``m``, or rather their distance from
        those of ``sqrt(1/2)``.
    """
    format = x.format
    moved = bits_of(x) + (format.bits(1.0) - format.bits(table.SQRT_HALF))
    return moved, (moved & ((1 << format.digits) - 1)) + format.bits(table.SQRT_HALF)


def _converted(integer: Value, bias: Value | Number) -> Value:
    """As a real number, for integers that are not negative and small, without a bias.

    It becomes the last digits of a number whose last digit counts one.
    """
    format = integer.format
    one = 2.0**format.digits
    return real_of(integer | format.bits(one)) - bias


def _decomposed(x: Value) -> tuple[Value, Value]:
    """``k`` and ``m`` of a positive number, of which ``x = 2^k m``, ``sqrt(1/2) <= m < sqrt(2)``.

    They are finite whatever ``x`` is.
    """
    format = x.format
    bits = bits_of(x)
    one = format.bits(1.0)
    is_tiny = bits < (1 << format.digits)
    # Of numbers that are not normal ones the bits are a fraction. (A product would do as well, but
    # overflow for those where it is not taken.)
    fraction = real_of((bits & ((1 << format.digits) - 1)) | one) - 1.0
    moved, rest = _exponent_and_rest(select(is_tiny, fraction, x))
    bias = 2.0**format.digits + format.bias
    bias = choice(is_tiny, x.type, bias + (format.bias - 1), bias)
    return _converted(moved >> format.digits, bias), real_of(rest)


def _log_terms(f: Value, is_positive: Value) -> tuple[Value, Value, Value]:
    """``half``, ``s`` and ``rest``: ``log(1 + f) = f - half + s * rest``, ``half = f^2 / 2``.

    Where ``1 + f`` is not that of a positive number they raise a flag.
    """
    half = f * f * 0.5
    below = _valid(is_positive, f + 2.0)
    s = f / below
    square = s * s
    return half, s, fma(square, polynomial(square, *table.LOG[f.type]), half)


def _log_sum(k: Value, f: Value, is_positive: Value, lost: Value | None = None) -> Value:
    """``k log(2) + log(1 + f)``, and what was lost before."""
    high, low = table.LN2[f.type]
    half, s, rest = _log_terms(f, is_positive)
    correction = k * low if lost is None else fma(k, low, lost)
    return fma(k, high, f - (half - fma(s, rest, correction)))


def _log_ends(x: Value, value: Value) -> Value:
    """The logarithm of zero, infinity and NaN, in place of what came out there."""
    value = select(x.equals_or_nan(math.inf), x, value)
    return select(x.equals(0.0), -math.inf, value)


@_function
def _log(x: Value) -> Value:
    k, m = _decomposed(x)
    return _log_ends(x, _log_sum(k, m - 1.0, bits_of(x) > 0))


def _log_of_base(x: Value, one: list[float], two: list[float]) -> Value:
    """The logarithm whose value at e, and at 2, are these, in two parts."""
    k, m = _decomposed(x)
    f = m - 1.0
    half, s, rest = _log_terms(f, bits_of(x) > 0)
    correction = fma(s, rest, -half)
    inner = fma(f, one[0], fma(f, one[1], correction * one[0]))
    if two[1]:
        inner = fma(k, two[1], inner)
    return _log_ends(x, fma(k, two[0], inner))


@_function
def _log2(x: Value) -> Value:
    return _log_of_base(x, table.LOG2_OF_E[x.type], [1.0, 0.0])


@_function
def _log10(x: Value) -> Value:
    return _log_of_base(x, table.LOG10_OF_E[x.type], table.LOG10_OF_2[x.type])


def _log1p_parts(x: Value, lost: Value | None = None) -> tuple[Value, Value]:
    """``1 + x``, and the logarithm of it, where that is neither zero nor infinite.

    If ``x`` is a sum that was rounded, what it lost may be given.
    """
    format = x.format
    u = x + 1.0
    moved, rest = _exponent_and_rest(u)
    k = _converted(moved >> format.digits, 2.0**format.digits + format.bias)
    # 1 + x = 2^k (1 + f), without what was lost in the sum. Where this was all of the 1, 2^-k may
    # be no normal number.
    inverse = real_of((2 * format.bias << format.digits) - (moved & format.infinity))
    is_large = x > 2.0 ** (format.digits + 8)
    f = select(is_large, real_of(rest) - 1.0, fma(x, inverse, inverse - 1.0))
    lost = lost if lost is None else lost * inverse
    return u, _log_sum(k, f, bits_of(u) > 0, lost)


@_function
def _log1p(x: Value) -> Value:
    u, value = _log1p_parts(x)
    return _log_ends(u, copysign(value, x))


def _ordered(x: Value, y: Value) -> tuple[Value, Value]:
    """The greater number, and the other one less it, which is finite for equal infinities."""
    is_greater = x > y
    high, low = select(is_greater, x, y), select(is_greater, y, x)
    greatest = x.format.greatest
    return high, minimum(low - _between(high, -greatest, greatest), 0.0)


@_function
def _logaddexp(x: Value, y: Value) -> Value:
    """Near its zeros exact beside its arguments only, as NumPy's."""
    high, distance = _ordered(x, y)
    return high + _log1p_parts(_exp(distance))[1]


@_function
def _logaddexp2(x: Value, y: Value) -> Value:
    """Near its zeros exact beside its arguments only, as NumPy's."""
    high, distance = _ordered(x, y)
    return fma(_log1p_parts(_exp2(distance))[1], table.LOG2_E, high)


_HUGE = {"double": 2.0**510, "float": 2.0**62}
"""Its square is a number, and it is so great that 1 beside it is nothing."""


def _log1p_of_sum(x: Value, more: Value, less: Value) -> Value:
    """``log(1 + more + less)``, or ``log(2 x)`` where ``x`` is huge.

    Raises a flag where it is 0.7 of the greatest number.
    """
    is_huge = x > _HUGE[x.type]
    total = more + less
    u, value = _log1p_parts(select(is_huge, x, total), less - (total - more))
    value = value + choice(is_huge, x.type, table.LN2[x.type][0], 0.0)
    return select(u.equals_or_nan(math.inf), u, value)


@_function
def _arcsinh(x: Value) -> Value:
    # sqrt(1 + x^2) - 1 = x^2 / (1 + sqrt(1 + x^2))
    size = absolute(x)
    bounded = minimum(size, _HUGE[x.type])
    square = bounded * bounded
    root = square / (sqrt(square + 1.0) + 1.0)
    return copysign(_log1p_of_sum(size, bounded, root), x)


@_function
def _arccosh(x: Value) -> Value:
    # Below 1 this is the square root of a negative number.
    above = x - 1.0
    bounded = minimum(above, _HUGE[x.type])
    root = sqrt(fma(bounded, absolute(bounded), bounded + bounded))
    return _log1p_of_sum(above, root, bounded)


@_function
def _arctanh(x: Value) -> Value:
    # (1 + x) / (1 - x) = 2^k (1 + s) / (1 - s). The bits of a number are nearly its logarithm, so
    # their difference is nearly k. It is rounded down below 3/4, lest s nearly cancel log(2)/2.
    format = x.format
    size = absolute(x)
    above, below = size + 1.0, 1.0 - size
    distance = bits_of(above) - bits_of(below) + (1 << (format.digits - 2))
    power = real_of((distance & format.infinity) + format.bits(1.0))
    k = _converted(distance >> format.digits, 2.0**format.digits)
    # s is the quotient of the difference and the sum of 1 + x and 2^k (1 - x).
    lost = fma((1.0 - below) - size, -power, size - (above - 1.0))
    difference = fma(-power, below, above) + lost
    s = difference / _valid(size < 1.0, fma(power, below, above))
    square = s * s
    high, low = table.LN2[x.type]
    inner = fma(s * square, polynomial(square, *table.ARCTANH[x.type]), k * (low / 2))
    value = fma(k, high / 2, s + inner)
    return copysign(select(size.equals(1.0), math.inf, value), x)


# Trigonometric functions


_TRIGONOMETRIC_LIMIT = {"double": 30, "float": 16}
"""Powers of two from which on sine, cosine and tangent are left to NumPy."""


def _turns(x: Value, per_turn: float, offset: float) -> Value:
    """``x * per_turn + offset``.

    Beyond the limit, and only there, the first product overflows.
    """
    up = 2.0 ** (x.format.bias + 1 - _TRIGONOMETRIC_LIMIT[x.type])
    return fma(x * up, per_turn / up, offset)


def _sine_reduced(r: Value) -> Value:
    square = r * r
    return fma(r * square, polynomial(square, *table.SIN[r.type]), r)


@_function
def _sin(x: Value) -> Value:
    """From 2^30 on, in float32 2^16, it raises overflow."""
    high, middle, low = table.PI[x.type]
    size = absolute(x)
    turns = _turns(size, 1 / math.pi, _shift(x))
    n = turns - _shift(x)
    r = fma(n, -low, fma(n, -middle, fma(n, -high, size)))
    format = x.format
    sign = (bits_of(turns) << (format.width - 1)) ^ (bits_of(x) & format.sign)
    return real_of(bits_of(_sine_reduced(r)) ^ sign)


@_function
def _cos(x: Value) -> Value:
    """From 2^30 on, in float32 2^16, it raises overflow."""
    # cos((n + 1/2) pi - r) = (-1)^n sin(r)
    high, middle, low = table.PI[x.type]
    turns = _turns(x, 1 / math.pi, -0.5) + _shift(x)
    n = (turns - _shift(x)) + 0.5
    r = fma(n, low, fma(n, middle, fma(n, high, -x)))
    sign = bits_of(turns) << (x.format.width - 1)
    return real_of(bits_of(_sine_reduced(r)) ^ sign)


@_function
def _tan(x: Value) -> Value:
    """From 2^30 on, in float32 2^16, it raises overflow."""
    format = x.format
    high, middle, low = (part / 2 for part in table.PI[x.type])
    size = absolute(x)
    turns = _turns(size, 2 / math.pi, _shift(x))
    n = turns - _shift(x)
    exact, taken = fma(n, -high, size), n * middle
    r = exact - taken
    lost = ((exact - r) - taken) - fma(n, low, fma(n, middle, -taken))
    numerator, denominator = table.TAN[x.type]
    square = r * r
    # Both begin with 1, which is added last. What the denominator loses by that is taken from the
    # numerator, and what r lost is added, by its derivative. For tan(r) 5/4 r will do where it
    # counts, and 1 + 0.7 r^2 to that derivative.
    lost = fma(lost * square, 0.7, lost)
    factor = polynomial(square, denominator[1:])
    below = fma(square, factor, 1.0)
    lost = fma(r * -1.25, fma(square, factor, 1.0 - below), lost)
    above = r + fma(r * square, polynomial(square, numerator[1:]), lost)
    # tan(r + pi/2) = -1 / tan(r)
    parity = bits_of(turns) << (format.width - 1)
    is_odd = parity < 0
    value = select(is_odd, below, above) / select(is_odd, above, below)
    return real_of(bits_of(value) ^ parity ^ (bits_of(x) & format.sign))


# Inverse trigonometric functions


def _reduced_angle(y: Value, x: Value) -> tuple[Value, Value, Value]:
    """``arctan(y / x)`` of numbers that are not negative, but for a part of it.

    Where it is between 1/2 and pi/2 - 1/2, pi/4 is taken from it, and where it is greater, pi/2. So
    at most 1/2 remains, and what pi/4 is added to makes no less than 1/2.

    Returns:
        Whether nothing was taken from it, and whether pi/2 was; and what remains.
    """
    cotangent = 1.0 / math.tan(0.5)
    is_low = y * cotangent < x
    is_high = x * cotangent < y
    above = select(is_high, -x, select(is_low, y, y - x))
    below = select(is_high, y, select(is_low, x, y + x))
    t = above / below
    square = t * t
    return is_low, is_high, fma(t * square, polynomial(square, *table.ARCTAN[x.type]), t)


@_function
def _arctan(x: Value) -> Value:
    is_low, is_high, angle = _reduced_angle(absolute(x), constant(x, 1.0))
    high, low = [
        select(is_high, half, choice(is_low, x.type, 0.0, quarter))
        for half, quarter in zip(table.HALF_PI[x.type], table.QUARTER_PI[x.type], strict=True)
    ]
    return copysign(high + (angle + low), x)


@_function
def _arctan2(y: Value, x: Value) -> Value:
    """Raises a flag where both are infinite, or one is half as great as the greatest number."""
    height, width = absolute(y), absolute(x)
    width = select((height + width).equals(0.0), 1.0, width)
    is_low, is_high, angle = _reduced_angle(height, width)
    sign = bits_of(x)
    is_left = sign < 0
    high, low = [
        select(
            is_high,
            half,
            select(
                is_left,
                choice(is_low, x.type, whole, three_quarters),
                choice(is_low, x.type, 0.0, quarter),
            ),
        )
        for half, whole, three_quarters, quarter in zip(
            table.HALF_PI[x.type],
            table.PI[x.type],
            table.THREE_QUARTERS_PI[x.type],
            table.QUARTER_PI[x.type],
            strict=False,
        )
    ]
    angle = real_of(bits_of(angle) ^ (sign & x.format.sign))
    return copysign(high + (angle + low), y)


def _arcsine_parts(size: Value) -> tuple[Value, Value, Value]:
    """Whether ``size > 1/2``, and ``w`` and ``rest``: ``arcsin(w) = w + rest``, ``w <= 1/2``.

    Above 1/2, ``arcsin(size) = pi/2 - 2 arcsin(w)``. Above 1 there is a square root of a negative
    number.
    """
    is_large = size > 0.5
    square = select(is_large, fma(size, -0.5, 0.5), size * size)
    w = select(is_large, sqrt(square), size)
    return is_large, w, w * square * polynomial(square, *table.ARCSIN[size.type])


@_function
def _arcsin(x: Value) -> Value:
    high, low = table.HALF_PI_REST[x.type]
    is_large, w, rest = _arcsine_parts(absolute(x))
    large = 0.75 + (fma(w, -2.0, high) - fma(rest, 2.0, -low))
    return copysign(select(is_large, large, w + rest), x)


@_function
def _arccos(x: Value) -> Value:
    high, low = table.HALF_PI[x.type]
    is_large, w, rest = _arcsine_parts(absolute(x))
    arcsine = w + rest
    inner = copysign(select(is_large, arcsine * 2.0, arcsine), x)
    is_negative = x < 0.0
    ends = [choice(is_negative, x.type, 2 * part, 0.0) for part in (high, low)]
    inner = select(is_large, inner, -inner)
    return select(is_large, ends[0], high) + (inner + select(is_large, ends[1], low))


# Powers


@_function
def _pow(x: Value, y: Value) -> Value:
    """Raises a flag where ``y`` or ``y * log2(x)`` is infinite, and for some powers of -inf."""
    size = absolute(x)
    is_end = size.equals(0.0) | size.equals(math.inf)
    half = y * 0.5
    is_whole = trunc(y).equals(y)
    is_odd = trunc(half).differs(half) & is_whole
    is_negative = x < 0.0
    is_rootless = is_negative.and_not(is_whole)
    is_infinite = (y < 0.0).differs(size.equals(math.inf))
    is_valid = (is_rootless | (size.equals(0.0) & (y < 0.0))).differs(True)
    write = _power_of_single if x.type == "float" else _power_of_double
    value = write(size, y, is_valid)
    value = select(is_rootless, math.nan, value)
    value = select(is_end, choice(is_infinite, x.type, math.inf, 0.0), value)
    value = select(is_odd, copysign(value, x), value)
    value = select(x.is_nan_beside(y), math.nan, value)
    return select(x.equals(1.0) | y.equals(0.0), 1.0, value)


def _power_of_double(x: Value, y: Value, is_valid: Value) -> Value:
    """``x^y`` of ``x > 0``, by a logarithm in two parts, with some 65 digits."""
    first, second = table.LOG2_FIRST[x.type], table.LOG2_SECOND[x.type]
    k, m = _decomposed(x)
    f = m - 1.0
    below = _valid(is_valid, m + 1.0)
    below_low = m - (below - 1.0)
    # s = f / below, and what is missing of it; 1 / below is (1 - s) / 2.
    s = f / below
    s_low = fma(s, -0.5, 0.5) * fma(-s, below_low, fma(-s, below, f))
    z = s * s
    z_low = fma(s + s, s_low, fma(s, s, -z))
    # log2(m) = s (c0 + z (c1 + z P(z)))
    tail = z * polynomial(z, *table.LOG2_TAIL[x.type])
    a = tail + second[0]
    a_low = (tail - (a - second[0])) + second[1]
    b = z * a
    b_low = fma(z, a_low, fma(z_low, a, fma(z, a, -b)))
    c = b + first[0]
    c_low = (b - (c - first[0])) + (b_low + first[1])
    d = s * c
    d_low = fma(s, c_low, fma(s_low, c, fma(s, c, -d)))
    log = k + d
    log_low = (d - (log - k)) + d_low
    exact = y * log
    missing = fma(y, log_low, fma(y, log, -exact))
    exponent = _between(exact, -1100.0, 1100.0)
    shift = _shift(x) + 2 * x.format.bias
    shifted = exponent + shift
    r = (exponent - (shifted - shift)) + select(exponent.equals(exact), missing, 0.0)
    return _times_power_of_two(fma(r, polynomial(r, *table.EXP2[x.type]), 1.0), shifted)


def _power_of_single(x: Value, y: Value, is_valid: Value) -> Value:
    """``x^y`` of ``x > 0`` in float32, computed in float64."""
    wide, y = extended(x), extended(y)
    moved, rest = _exponent_and_rest(wide)
    k = _converted(moved >> wide.format.digits, 2.0**wide.format.digits + wide.format.bias)
    m = real_of(rest)
    s = (m - 1.0) / _valid(is_valid, m + 1.0)
    log = fma(s, polynomial(s * s, *table.LOG2_SINGLE["double"]), k)
    exponent = _between(y * log, -200.0, 200.0)
    shifted = exponent + _shift(wide)
    r = exponent - (shifted - _shift(wide))
    power = fma(r, polynomial(r, *table.EXP2_SINGLE["double"]), 1.0)
    return truncated(power * _power_of_two(shifted))


_HYPOT_SCALES = {"double": (510, 600), "float": (62, 98)}
"""Powers of two: from where on squares overflow, and what is far enough from there."""


@_function
def _hypot(x: Value, y: Value) -> Value:
    first, second = absolute(x), absolute(y)
    is_greater = first > second
    high, low = select(is_greater, first, second), select(is_greater, second, first)
    # Squares are computed of numbers whose squares are normal ones.
    middle, far = _HYPOT_SCALES[x.type]
    is_great, is_small = high > 2.0**middle, high < 2.0 ** (x.format.digits - middle)
    down = select(is_great, 2.0**-far, choice(is_small, x.type, 2.0**far, 1.0))
    up = select(is_great, 2.0**far, choice(is_small, x.type, 2.0**-far, 1.0))
    high, low = high * down, low * down
    value = sqrt(fma(high, high, low * low)) * up
    is_infinite = first.equals(math.inf) | second.equals(math.inf)
    return select(is_infinite, math.inf, value)


@_function
def _cbrt(x: Value) -> Value:
    # |x| = 2^(3 q + j) m, and j is -1, 0 or 1.
    size = absolute(x)
    k, m = _decomposed(size)
    shift = _shift(x)
    shifted = fma(k, 1.0 / 3.0, shift)
    j = fma(shifted - shift, -3.0, k)
    is_below, is_above = j < 0.0, j > 0.0
    a = m * select(is_below, 0.5, choice(is_above, x.type, 2.0, 1.0))
    root = 2.0 ** (1.0 / 3.0)
    scale = select(is_below, root, choice(is_above, x.type, 1.0 / root, 1.0))
    inverse = polynomial(m, *table.INVERSE_CBRT[x.type]) * scale
    # With h = 1 - y / cbrt(a), of an approximation y, cbrt(a) = y (1 - h)^(-2/3) if y is
    # a * inverse^2; where y is that but for rounding, a third of what was lost remains.
    y = a * inverse * inverse
    h = fma(-y, inverse, 1.0)
    steps = [2.0 / 3.0, 5.0 / 9.0, 40.0 / 81.0] if x.type == "double" else [2.0 / 3.0, 5.0 / 9.0]
    value = fma(y * h, polynomial(h, steps), y) * _power_of_two(shifted)
    value = select(size.equals(0.0), size, select(size.equals_or_nan(math.inf), size, value))
    return copysign(value, x)


# Remainders


def _division(x: Value, y: Value) -> tuple[Value, Value]:
    """Quotient and remainder of the absolute values, exact.

    Quotients of 2^53 and more, in float32 2^24, raise a flag, and so does what is divided by
    infinity.
    """
    size, divisor = absolute(x), absolute(y)
    quotient = trunc(size / divisor)
    quotient = _valid(quotient < 2.0 ** (x.format.digits + 1), quotient)
    # Where the quotient was rounded up to an integer, the remainder is negative, and exact too.
    remainder = fma(-quotient, divisor, size)
    is_rounded = remainder < 0.0
    quotient = select(is_rounded, quotient - 1.0, quotient)
    return quotient, select(is_rounded, remainder + divisor, remainder)


@_function
def _fmod(x: Value, y: Value) -> Value:
    return copysign(_division(x, y)[1], x)


def _rounds_down(x: Value, y: Value, remainder: Value) -> Value:
    """Whether the quotient next below is another one than that next to zero."""
    return ((bits_of(x) ^ bits_of(y)) < 0) & remainder.differs(0.0)


@_function
def _remainder(x: Value, y: Value) -> Value:
    _, remainder = _division(x, y)
    below = absolute(y) - remainder
    return copysign(select(_rounds_down(x, y, remainder), below, remainder), y)


@_function
def _floor_divide(x: Value, y: Value) -> Value:
    quotient, remainder = _division(x, y)
    quotient = select(_rounds_down(x, y, remainder), quotient + 1.0, quotient)
    sign = (bits_of(x) ^ bits_of(y)) & x.format.sign
    return real_of(bits_of(quotient) | sign)


# Error functions


_ERF_LIMIT = {"double": 6.0, "float": 4.0}
"""Beyond it ``erf`` is 1."""

_ERFC_LIMIT = {"double": 28.0, "float": 10.5}
"""Beyond it ``erfc`` is zero."""

_ERFC_CENTER = 0.8125
"""Up to here ``erfc`` is at least 1/4."""


@_function
def _erf(x: Value) -> Value:
    size = minimum(absolute(x), _ERF_LIMIT[x.type])
    square = size * size
    s = 6.0 / (size + 3.0)
    tail = _exponential(-square) * (s * polynomial(1.0 - s, *table.ERF_TAIL[x.type]))
    center = fma(size, polynomial(square, *table.ERF[x.type]), size)
    return copysign(select(size > 1.0, 1.0 - tail, center), x)


@_function
def _erfc(x: Value) -> Value:
    size = minimum(absolute(x), _ERFC_LIMIT[x.type])
    tail = _erfc_tail(size)
    # Where this is the result, 1 - x is exact, or what is added to it is small.
    x = copysign(size, x)
    center = fma(-x, polynomial(x * x, *table.ERF[x.type]), 1.0 - x)
    return select(size > _ERFC_CENTER, select(x < 0.0, 2.0 - tail, tail), center)


def _erfc_tail(x: Value) -> Value:
    # exp(-x^2), in which the square has two parts
    square = x * x
    lost = fma(x, x, -square)
    shift = _shift(x) + 2 * x.format.bias
    shifted = fma(square, -table.LOG2_E, shift)
    n = shifted - shift
    high, low = table.LN2[x.type]
    exact, less = fma(n, -high, -square), fma(n, low, lost)
    r = exact - less
    r_low = (exact - r) - less
    # s, and what it lost
    below = x + 3.0
    s = 6.0 / below
    s_low = s * (1.0 / 6.0) * (fma(-s, below, 6.0) - s * (x - (below - 3.0)))
    # P(1 - s), and what it lost in the last step. What their product lost is of s, too; for the
    # derivative of s P(1 - s), P (1 + 0.8 s^2) will do.
    [first, *rest] = table.ERFC_TAIL[x.type][0]
    q = 1.0 - s
    inner = polynomial(q, rest)
    factor = fma(inner, q, first)
    factor_low = fma(inner, q, first - factor)
    curve = factor * s
    curve_low = fma(factor_low, s, fma(factor, s, -curve))
    curve_low = fma(factor * s_low, fma(s * s, 0.8, 1.0), curve_low)
    # exp(r) = 1 + r + r^2 P(r)
    curve_low = fma(curve_low, r, curve_low)
    curve_low = fma(curve, fma(r * r, polynomial(r, *table.EXP[x.type]), r_low), curve_low)
    return _times_power_of_two(curve + fma(curve, r, curve_low), shifted)


# The gamma function


def _log_in_parts(x: Value) -> tuple[Value, Value]:
    """The logarithm of a positive number as the sum of two, to more digits than one has."""
    high, low = table.LN2[x.type]
    k, m = _decomposed(x)
    f = m - 1.0
    half, s, rest = _log_terms(f, bits_of(x) > 0)
    product = k * high
    total = product + f
    missing = (f - (total - product)) + fma(k, high, -product)
    return total, missing - (half - fma(s, rest, k * low))


@_function
def _gammaln(x: Value) -> Value:
    """Numbers that are not greater than zero raise a flag, and so does infinity."""
    if x.type == "float":
        return truncated(_gammaln(extended(x)))
    is_small, is_large = x < 0.75, x > 7.5
    # gamma(x) = p gamma(y), 0.75 <= y <= 2.5, where x is neither small nor large
    y = select(is_small, x + 1.0, minimum(x, 7.5))
    p = constant(x, 1.0)
    for _ in range(5):
        is_above = y > 2.5
        y = select(is_above, y - 1.0, y)
        p = select(is_above, p * y, p)
    numerator, denominator = table.GAMMALN[x.type]
    ratio = horner(y - 0.5, numerator) / horner(y - 0.5, denominator)
    # (y - 1) (y - 2) (c + (y - 3/2) ratio): each of the two factors, and what it lost
    before = select(is_small, x, y - 1.0)  # where y was rounded
    behind, beside = select(is_small, x - 1.0, y - 2.0), y - 1.5
    middle, middle_low = table.GAMMALN_MIDDLE[x.type]
    zeros = before * behind
    factor = fma(beside, ratio, middle)
    zeros_low = fma(before, behind, -zeros)
    factor_low = fma(beside, ratio, middle - factor) + middle_low
    center = fma(zeros, factor, fma(zeros, factor_low, zeros_low * factor))
    # One logarithm serves all: of p, of x where gamma(x) is gamma(x + 1) / x, or is Stirling's.
    log, log_low = _log_in_parts(select(is_small | is_large, x, p))
    sign = choice(is_small, x.type, -1.0, 1.0)
    center = fma(sign, log, fma(sign, log_low, center))
    below, less = x - 0.5, log - 1.0
    product = below * less
    less_low = log_low + ((log - less) - 1.0)
    product_low = fma(below, less_low, fma(below, less, -product))
    inverse = 1.0 / maximum(x, 7.5)
    series = inverse * polynomial(inverse * inverse, *table.STIRLING[x.type])
    large = product + (product_low + (series + table.STIRLING_CONSTANT[x.type][0]))
    return select(x.equals_or_nan(math.inf), x, select(is_large, large, center))
