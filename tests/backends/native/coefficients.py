"""The polynomials of the native backend's mathematical functions, found again.

``python -m tests.backends.native.coefficients`` prints `functrace.backends.native.polynomials`.

A function is interpolated at the zeros of a Chebyshev polynomial, in 80 digits, by a polynomial or
a quotient of two. For functions that are as smooth as these such an interpolant is within a factor
of about two of the best one, so there is no exchange algorithm. Its coefficients are rounded to the
precision that computes with them, and what the comment beside a table states is the error of the
rounded ones, in exact arithmetic, relative to the function that the table is for.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from mpmath import mp, mpf

Function = Callable[[Any], Any]


class Table(NamedTuple):
    """What is fitted.

    Attributes:
        name: Of the table.
        formula: What it is for, where ``P(z)`` is the polynomial, or the quotient.
        function: ``P``, at points of the interval.
        interval: Where.
        weight: Of an error of ``P``, relative to the function of the formula.
        degrees: In float64 and float32, of the polynomial, or of numerator and denominator.
    """

    name: str
    formula: str
    function: Function
    interval: tuple[Any, Any]
    weight: Function
    degrees: dict[str, tuple[int, ...]]


def horner(coefficients, x):
    """A polynomial of ascending coefficients; mpmath's own function asks for another order now."""
    value = mpf(0)
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def fitted(table: Table, precision: str) -> list[list[float]]:
    """Coefficients of the interpolant, ascending: the numerator's, and the denominator's if any.

    Those of a polynomial are rounded one by one from the first, and what follows is fitted to what
    is left. The points nearest to zero are given up for it: there the first coefficients decide.
    """
    numerator, denominator = (*table.degrees[precision], 0)[:2]
    size = numerator + denominator + 1
    low, high = table.interval
    angles = [mp.pi * (2 * i + 1) / (2 * size) for i in range(size)]
    nodes = sorted(((low + high) / 2 + (high - low) / 2 * mp.cos(x) for x in angles), key=abs)
    values = [table.function(node) for node in nodes]
    done: list[float] = []
    while True:
        count = len(done)
        rows, right = mp.matrix(size - count, size - count), mp.matrix(size - count, 1)
        for i, (node, value) in enumerate(zip(nodes[count:], values[count:], strict=True)):
            right[i] = value - horner([mpf(x) for x in done], node)
            for k in range(count, numerator + 1):
                rows[i, k - count] = node**k
            for k in range(denominator):
                rows[i, numerator + 1 + k] = -value * node ** (k + 1)
        found = [rounded(x, precision) for x in mp.lu_solve(rows, right)]
        if denominator:
            return [found[: numerator + 1], [1.0, *found[numerator + 1 :]]]
        done.append(found[0])
        if len(done) == size:
            return [done]


def rounded(x: Any, precision: str) -> float:
    """To the nearest number of this precision."""
    return struct.unpack("f", struct.pack("f", float(x)))[0] if precision == "float" else float(x)


def error(table: Table, fitted: list[list[float]], count: int = 1000) -> Any:
    """The greatest error at so many points."""
    parts = [[mpf(x) for x in part] for part in fitted]
    low, high = table.interval
    greatest = mpf(0)
    for i in range(count + 1):
        z = low + (high - low) * i / count
        value = horner(parts[0], z)
        if len(parts) == 2:
            value /= horner(parts[1], z)
        greatest = max(greatest, abs((value - table.function(z)) * table.weight(z)))
    return greatest


def series(f: Function, center: int) -> Function:
    """The function, which is 0/0 in the center, near it by its limit."""
    return lambda z: f(beside(z, center))


def root(f: Function) -> Function:
    """The function of a square."""
    return series(lambda z: f(mp.sqrt(z)), 0)


def abscissa(q: Any) -> Any:
    """``x`` of ``q = (x - 3) / (x + 3)``."""
    return 3 * (1 + q) / (1 - q)


def scaled_erfc(q: Any) -> Any:
    """``exp(x^2) erfc(x) / (1 - q)`` of ``q = (x - 3) / (x + 3)``."""
    x = abscissa(q)
    return mp.exp(x * x) * mp.erfc(x) / (1 - q)


def beside(x: Any, *places: int) -> Any:
    """``x``, or a number beside it where a formula is 0/0."""
    return x + mpf(10) ** -20 if any(abs(x - place) < mpf(10) ** -20 for place in places) else x


def gammaln_factor(x: Any) -> Any:
    """``log(gamma(x))`` without its zeros."""
    return mp.loggamma(x) / ((x - 1) * (x - 2))


def gammaln_part(x: Any) -> Any:
    """The difference quotient of that."""
    middle = mpf(3) / 2
    return (gammaln_factor(x) - gammaln_factor(middle)) / (x - middle)


def stirling(y: Any) -> Any:
    """What is missing of Stirling's formula, of ``1 / x``, divided by it."""
    if y < 0.001:
        return mpf(1) / 12 - y**2 / 360 + y**4 / 1260 - y**6 / 1680 + y**8 / 1188
    x = 1 / y
    formula = (x - mpf(1) / 2) * (mp.log(x) - 1) + (mp.log(2 * mp.pi) - 1) / 2
    return (mp.loggamma(x) - formula) * x


mp.dps = 80
HALF_LN2 = mp.log(2) / 2
THIRD = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)

PARTS = {
    "LN2": ("log(2)", mp.log(2), 2),
    "LOG2_OF_E": ("log2(e)", 1 / mp.log(2), 2),
    "LOG10_OF_E": ("log10(e)", 1 / mp.log(10), 2),
    "LOG10_OF_2": ("log10(2)", mp.log10(2), 2),
    "LOG2_FIRST": ("2/log(2)", 2 / mp.log(2), 2),
    "LOG2_SECOND": ("2/(3 log(2))", 2 / mp.log(2) / 3, 2),
    "STIRLING_CONSTANT": ("log(2 pi)/2 - 1/2", (mp.log(2 * mp.pi) - 1) / 2, 1),
    "GAMMALN_MIDDLE": ("c = -4 log(gamma(3/2))", -4 * mp.loggamma(mpf(3) / 2), 2),
    "PI": ("pi", mp.pi, 3),
    "HALF_PI": ("pi/2", mp.pi / 2, 2),
    "QUARTER_PI": ("pi/4", mp.pi / 4, 2),
    "THREE_QUARTERS_PI": ("3 pi/4", 3 * mp.pi / 4, 2),
    "HALF_PI_REST": ("pi/2 - 3/4", mp.pi / 2 - mpf(3) / 4, 2),
}
"""Constants as sums of so many numbers, each as near as the one before leaves it."""

TABLES = [
    Table(
        "EXP",
        "exp(x) = 1 + x + x^2 P(x), |x| <= log(2)/2",
        series(lambda x: (mp.expm1(x) - x) / x**2, 0),
        (-HALF_LN2 * 1.001, HALF_LN2 * 1.001),
        lambda x: x**2 / (abs(mp.expm1(x)) + mpf(10) ** -30),
        {"double": (10,), "float": (4,)},
    ),
    Table(
        "EXP2",
        "exp2(x) = 1 + x P(x), |x| <= 1/2",
        series(lambda x: (2**x - 1) / x, 0),
        (-mpf(1) / 2, mpf(1) / 2),
        lambda x: x,
        {"double": (10,), "float": (5,)},
    ),
    Table(
        "EXP2_SINGLE",
        "exp2(x) = 1 + x P(x), |x| <= 1/2, for float32",
        series(lambda x: (2**x - 1) / x, 0),
        (-mpf(1) / 2, mpf(1) / 2),
        lambda x: x,
        {"double": (5,)},
    ),
    Table(
        "LOG",
        "log((1 + s) / (1 - s)) = s (2 + z P(z)), z = s^2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)",
        root(lambda s: (2 * mp.atanh(s) / s - 2) / s**2),
        (mpf(0), THIRD**2 * 1.001),
        lambda z: z / 2,
        {"double": (6,), "float": (2,)},
    ),
    Table(
        "LOG2_SINGLE",
        "log2((1 + s) / (1 - s)) = s P(s^2), for float32",
        root(lambda s: 2 * mp.atanh(s) / s / mp.log(2)),
        (mpf(0), THIRD**2 * 1.001),
        lambda z: mp.log(2) / 2,
        {"double": (4,)},
    ),
    Table(
        "LOG2_TAIL",
        "log2((1 + s) / (1 - s)) = s (2 + z (2/3 + z P(z))) / log(2), z = s^2",
        root(lambda s: ((2 * mp.atanh(s) / s - 2) / s**2 - mpf(2) / 3) / s**2 / mp.log(2)),
        (mpf(0), THIRD**2 * 1.001),
        lambda z: z**2 / 2 * mp.log(2),
        {"double": (7,)},
    ),
    Table(
        "SIN",
        "sin(x) = x + x^3 P(x^2), |x| <= pi/2 + 1/100",
        root(lambda x: (mp.sin(x) - x) / x**3),
        (mpf(0), (mp.pi / 2 + mpf(1) / 100) ** 2),
        root(lambda x: x**3 / mp.sin(x)),
        {"double": (7,), "float": (3,)},
    ),
    Table(
        "TAN",
        "tan(x) = x P(x^2), |x| <= pi/4",
        root(lambda x: mp.tan(x) / x),
        (mpf(0), (mp.pi / 4) ** 2 * 1.001),
        root(lambda x: x / mp.tan(x)),
        {"double": (3, 4), "float": (1, 2)},
    ),
    Table(
        "TANH",
        "tanh(x) = x + x^3 P(x^2), |x| <= 1",
        root(lambda x: (mp.tanh(x) - x) / x**3),
        (mpf(0), mpf(1)),
        root(lambda x: x**3 / mp.tanh(x)),
        {"double": (3, 3), "float": (1, 2)},
    ),
    Table(
        "SINH",
        "sinh(x) = x + x^3 P(x^2), |x| <= log(2)/2",
        root(lambda x: (mp.sinh(x) - x) / x**3),
        (mpf(0), HALF_LN2**2 * 1.001),
        root(lambda x: x**3 / mp.sinh(x)),
        {"double": (4,), "float": (1,)},
    ),
    Table(
        "COSH",
        "cosh(x) = 1 + x^2 P(x^2), |x| <= log(2)/2",
        root(lambda x: (mp.cosh(x) - 1) / x**2),
        (mpf(0), HALF_LN2**2 * 1.001),
        root(lambda x: x**2 / mp.cosh(x)),
        {"double": (5,), "float": (2,)},
    ),
    Table(
        "ARCTAN",
        "arctan(x) = x + x^3 P(x^2), |x| <= tan(1/2)",
        root(lambda x: (mp.atan(x) - x) / x**3),
        (mpf(0), mp.tan(0.5) ** 2 * 1.001),
        root(lambda x: x**3 / mp.atan(x)),
        {"double": (12,), "float": (5,)},
    ),
    Table(
        "ARCSIN",
        "arcsin(x) = x + x^3 P(x^2), |x| <= 1/2",
        root(lambda x: (mp.asin(x) - x) / x**3),
        (mpf(0), mpf(1) / 4),
        root(lambda x: x**3 / mp.asin(x)),
        {"double": (12,), "float": (4,)},
    ),
    Table(
        "ARCTANH",
        "arctanh(x) = x + x^3 P(x^2), |x| <= 0.285",
        root(lambda x: (mp.atanh(x) - x) / x**3),
        (mpf(0), mpf("0.285") ** 2),
        root(lambda x: x**3 / mp.atanh(x)),
        {"double": (8,), "float": (3,)},
    ),
    Table(
        "INVERSE_CBRT",
        "1 / cbrt(x) = P(x) + error, sqrt(1/2) <= x <= sqrt(2)",
        lambda x: 1 / mp.cbrt(x),
        (mp.sqrt(mpf(1) / 2), mp.sqrt(2)),
        mp.cbrt,
        {"double": (5,), "float": (3,)},
    ),
    Table(
        "ERF",
        "erf(x) = x + x P(x^2), |x| <= 1",
        root(lambda x: mp.erf(x) / x - 1),
        (mpf(0), mpf(1)),
        root(lambda x: x / mp.erf(x)),
        {"double": (11,), "float": (5,)},
    ),
    Table(
        "ERF_TAIL",
        "erf(x) = 1 - exp(-x^2) s P(1 - s), s = 6 / (x + 3), 1 <= x <= 6",
        scaled_erfc,
        (-mpf(1) / 2, mpf(1) / 3),
        lambda q: (1 - q) * mp.exp(-(abscissa(q) ** 2)) / mp.erf(abscissa(q)),
        {"double": (14,), "float": (6,)},
    ),
    Table(
        "ERFC_TAIL",
        "erfc(x) = exp(-x^2) s P(1 - s), s = 6 / (x + 3), 0.8 <= x <= 28",
        scaled_erfc,
        (-mpf(11) / 19, mpf(25) / 31),
        lambda q: 1 / scaled_erfc(q),
        {"double": (20,), "float": (8,)},
    ),
    Table(
        "GAMMALN",
        "log(gamma(x)) = (x - 1) (x - 2) (c + (x - 3/2) P(x - 1/2)), 0.75 <= x <= 2.5",
        lambda z: gammaln_part(beside(z + mpf(1) / 2, 1, 1.5, 2)),
        (mpf(1) / 4, mpf(2)),
        lambda z: (z - 1) / gammaln_factor(beside(z + mpf(1) / 2, 1, 2)),
        {"double": (8, 8)},
    ),
    Table(
        "STIRLING",
        "log(gamma(x)) = (x - 1/2) (log(x) - 1) + log(2 pi)/2 - 1/2 + P(1/x^2) / x, x >= 7.5",
        root(stirling),
        (mpf(0), 1 / mpf("7.5") ** 2),
        root(lambda y: y / mp.loggamma(1 / y)),
        {"double": (5,)},
    ),
]


def digits(x: float, precision: str) -> str:
    """A float32 is written with the digits that tell it from its neighbours."""
    return repr(x) if precision == "double" else f"{x:.9g}"


def row(numbers: list[str]) -> list[str]:
    """A list of numbers, on one line or on as many as there are."""
    line = f"        [{', '.join(numbers)}],"
    if len(line) <= 100:
        return [line]
    return ["        [", *[f"            {x}," for x in numbers], "        ],"]


def text(table: Table) -> str:
    """The table, as source."""
    lines: list[str] = []
    for precision in table.degrees:
        parts = fitted(table, precision)
        bits = float(mp.log(error(table, parts), 2))
        lines.append(f'    "{precision}": [  # 2^{bits:.1f}')
        for part in parts:
            lines += row([digits(x, precision) for x in part])
        lines.append("    ],")
    body = "\n".join(lines)
    return f'{table.name} = {{\n{body}\n}}\n"""``{table.formula}``."""\n'


def constant(name: str) -> str:
    """A constant in parts, as source."""
    formula, value, count = PARTS[name]
    lines: list[str] = []
    for precision in ("double", "float"):
        parts: list[float] = []
        rest = value
        for _ in range(count):
            parts.append(rounded(rest, precision))
            rest -= mpf(parts[-1])
        numbers = ", ".join(digits(x, precision) for x in parts)
        lines.append(f'    "{precision}": [{numbers}],')
    body = "\n".join(lines)
    return f'{name} = {{\n{body}\n}}\n"""``{formula}``."""\n'


HEAD = '''"""The numbers of the native backend's mathematical functions.

Polynomials are lists of coefficients, ascending; of a quotient of two the numerator comes first.
Each is for a formula, in which it is ``P``, and is given with the greatest error that it makes in
the formula, relative to its value. All are interpolants at Chebyshev points, which are within a
factor of about two of the best polynomials; written by
``python -m tests.backends.native.coefficients``.
"""

from __future__ import annotations

LOG2_E = 1.4426950408889634
SQRT_HALF = 0.7071067811865476
'''

if __name__ == "__main__":
    sys.stdout.write("\n".join([HEAD, *map(constant, PARTS), *map(text, TABLES)]))
