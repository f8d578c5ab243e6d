"""Zeta, hypergeometric and Bessel functions: derivatives in parameters, term by term of a sum.

Hurwitz's zeta function is summed by Euler and Maclaurin (DLMF 25.11.28 differentiated), to a
relative error below 1e-12 for orders between 1.01 and 60 (on the left, where SciPy has Riemann's
alone, to the rounding of the largest term).

Hypergeometric functions are summed by their power series, to a relative error below 1e-11 of the
largest term, where that is reached within two thousand terms; elsewhere they are nan: Kummer's
(DLMF 13.2.2, on the left after Kummer's transformation, DLMF 13.2.39), Gauss's (DLMF 15.2.1, on
the left after Pfaff's, DLMF 15.8.1) for arguments between -50 and 0.98, and that with one parameter
below, of which the modified Bessel functions of the first kind are made (DLMF 10.39.9). Those of
the second kind are integrals (DLMF 10.32.9), to a relative error below 1e-12.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.primitives.incomplete import of_orders, raised
from functrace.primitives.special import f

_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600,
)  # fmt: skip
"""Bernoulli's numbers of even order by factorials."""


def _times(factors: list[Any], n: int) -> list[Any]:
    """The product of functions, each given by its derivatives up to the order n, as such."""
    total = factors[0]
    for other in factors[1:]:
        total = [
            sum(math.comb(k, j) * total[j] * other[k - j] for j in range(k + 1))
            for k in range(n + 1)
        ]
    return total


def _run_zeta_by_order(s: Any, q: Any, orders: tuple[int, ...]) -> Any:
    (n,) = orders

    def power(y: Any, exponent: Any) -> list[Any]:
        """``y**exponent``, where the exponent falls with s."""
        log = np.log(y)
        return [(-log) ** k * np.exp(exponent * log) for k in range(n + 1)]

    def linear(value: Any) -> list[Any]:
        return [value, *(np.ones_like(value) for _ in range(n > 0)), *(0.0 for _ in range(n - 1))]

    total: Any = np.zeros_like(s)
    for _ in range(15):
        total = total + power(q, -s)[n]
        q = q + 1
    over = [(-1) ** k * math.factorial(k) / (s - 1) ** (k + 1) for k in range(n + 1)]
    total = total + _times([power(q, 1 - s), over], n)[n] + power(q, -s)[n] / 2
    rising = [linear(s)]
    for j, number in enumerate(_BERNOULLI):
        total = total + number * _times([power(q, -s - 2 * j - 1), *rising], n)[n]
        rising += [linear(s + 2 * j + 1), linear(s + 2 * j + 2)]
    return np.where((s > -5) & (s != 1) & (q > 15), total, np.nan)


of_orders(
    "zeta_by_order",
    _run_zeta_by_order,
    lambda orders, t, out, s, q: t * f.zeta_by_order(s, q, orders=(orders[0] + 1,)),
    lambda orders, t, out, s, q: (
        t
        * -(
            s * f.zeta_by_order(s + 1, q, orders=orders)
            + orders[0] * _lower_zeta(s + 1, q, orders[0] - 1)
        )
    ),
)


def _lower_zeta(s: Any, q: Any, n: int) -> Any:
    if n < 1:
        return f.zeta(s, q) if n == 0 else 0.0
    return f.zeta_by_order(s, q, orders=(n,))


def _hypergeometric(
    uppers: tuple[Any, ...],
    lowers: tuple[Any, ...],
    x: Any,
    orders: tuple[int, ...],
    shift: int = 0,
) -> Any:
    """The derivative of these orders in the parameters of that of order ``shift`` in x.

    The term of number k is ``(a)_(k+shift) ... / (b)_(k+shift) ... * x**k / k!``.

    Args:
        uppers: The parameters a.
        lowers: The parameters b.
        x: Shape (m,).
        orders: One for each parameter.
        shift: That order.
    """
    terms = np.zeros((*(order + 1 for order in orders), len(x)))
    terms[(0,) * len(orders)] = 1.0

    def next_term(k: int, factor: Any) -> None:
        for axis, parameter in enumerate((*uppers, *lowers)):
            rows = np.moveaxis(terms, axis, 0)
            if axis < len(uppers):  # times (a + k), which has one derivative
                for i in reversed(range(len(rows))):
                    rows[i] = (parameter + k) * rows[i] + (i * rows[i - 1] if i else 0.0)
            else:  # by (b + k): the recurrence of a quotient
                for i in range(len(rows)):
                    rows[i] = (rows[i] - (i * rows[i - 1] if i else 0.0)) / (parameter + k)
        terms[...] *= factor

    for k in range(shift):
        next_term(k, 1.0)
    total = terms[orders].copy()
    largest = np.abs(total)
    is_open = np.ones(x.shape, bool)
    for k in range(2000):
        next_term(k + shift, x / (k + 1))
        total += terms[orders]
        largest = np.maximum(largest, np.abs(terms[orders]))
        sizes = np.sum(np.abs(terms), axis=tuple(range(len(orders))))
        is_open = (sizes > 1e-18 * largest) | (k < 4)
        if not is_open.any():
            break
    return np.where(is_open, np.nan, total)


def _run_kummer(a: Any, b: Any, x: Any, orders: tuple[int, ...]) -> Any:
    m, n, shift = orders
    is_left = x < 0
    right = _hypergeometric((a,), (b,), np.where(is_left, 1.0, x), (m, n), shift)
    if not is_left.any():
        return right
    # exp(x) * M(b - a, b, -x), where each derivative in b is one in both parameters.
    y = np.where(is_left, -x, 1.0)
    total: Any = 0.0
    for j in range(n + 1):
        for i in range(shift + 1):
            count = math.comb(n, j) * math.comb(shift, i) * (-1) ** (m + i)
            total = total + count * _hypergeometric((b - a,), (b,), y, (m + j, n - j), i)
    return np.where(is_left, np.exp(-y) * total, right)


of_orders(
    "hyp1f1_by_parameters",
    _run_kummer,
    *(
        lambda orders, t, out, a, b, x, number=number: (
            t * f.hyp1f1_by_parameters(a, b, x, orders=raised(orders, number))
        )
        for number in range(3)
    ),
)


of_orders(
    "hyp0f1_by_parameter",
    lambda v, z, orders: _hypergeometric((), (v,), z, orders[:1], orders[1]),
    *(
        lambda orders, t, out, v, z, number=number: (
            t * f.hyp0f1_by_parameter(v, z, orders=raised(orders, number))
        )
        for number in range(2)
    ),
)


def _run_gauss(a: Any, b: Any, c: Any, z: Any, orders: tuple[int, ...]) -> Any:
    m, n, p = orders
    z = np.where(z < 1, z, np.nan)
    is_left = z < 0
    right = _hypergeometric((a, b), (c,), np.where(is_left, 0.0, z), orders)
    if not is_left.any():
        return right
    # (1 - z)**-a * F(a, c - b; c; z / (z - 1)), where a derivative in c is one in two parameters.
    y, log = np.where(is_left, z / (z - 1), 0.0), np.log1p(-z)
    total: Any = 0.0
    for i in range(m + 1):
        for j in range(p + 1):
            count = math.comb(m, i) * math.comb(p, j) * (-1) ** n * (-log) ** (m - i)
            total = total + count * _hypergeometric((a, c - b), (c,), y, (i, n + j, p - j))
    return np.where(is_left, np.exp(-a * log) * total, right)


def _gauss(a: Any, b: Any, c: Any, z: Any, orders: tuple[int, ...]) -> Any:
    """The derivative of Gauss's function of these orders, of which some may be negative: zero."""
    if min(orders) < 0:
        return 0.0
    return (
        f.hyp2f1_by_parameters(a, b, c, z, orders=orders) if any(orders) else f.hyp2f1(a, b, c, z)
    )


def _gauss_slope(orders: tuple[int, ...], a: Any, b: Any, c: Any, z: Any) -> Any:
    """By z: the derivative of ``a * b / c * F(a + 1, b + 1; c + 1; z)`` in the parameters."""
    m, n, p = orders

    def of(m: int, n: int, p: int) -> Any:
        return _gauss(a + 1, b + 1, c + 1, z, (m, n, p))

    total: Any = 0.0
    for j in range(p + 1):
        over = math.comb(p, j) * (-1) ** j * math.factorial(j) / c ** (j + 1)
        by_b = [b * of(i, n, p - j) + n * of(i, n - 1, p - j) for i in (m, m - 1)]
        total = total + over * (a * by_b[0] + m * by_b[1])
    return total


of_orders(
    "hyp2f1_by_parameters",
    _run_gauss,
    *(
        lambda orders, t, out, a, b, c, z, number=number: (
            t * f.hyp2f1_by_parameters(a, b, c, z, orders=raised(orders, number))
        )
        for number in range(3)
    ),
    lambda orders, t, out, a, b, c, z: t * _gauss_slope(orders, a, b, c, z),
)


def _run_kve(v: Any, x: Any, orders: tuple[int, ...]) -> Any:
    """The integral of ``t**m * cosh(v * t) * (1 - cosh(t))**n * exp(x * (1 - cosh(t)))``.

    By the trapezoidal rule between where the integrand is below 1e-19 of its largest; where m is
    odd it has the hyperbolic sine.
    """
    m, n = orders
    is_inside = (x > 0) & np.isfinite(x) & np.isfinite(v)
    x, size = np.where(is_inside, x, 1.0), np.where(is_inside, np.abs(v), 0.0)
    peak = np.arcsinh(size / x)

    def exponent(t: Any) -> Any:
        return size * t - 2 * x * np.sinh(t / 2) ** 2

    top = exponent(peak)

    def edge(inside: Any, outside: Any) -> Any:
        for _ in range(60):
            middle = (inside + outside) / 2
            is_inside = exponent(middle) > top - 45
            inside = np.where(is_inside, middle, inside)
            outside = np.where(is_inside, outside, middle)
        return outside

    end = edge(peak, peak + np.arccosh(1 + (50 + 5 * m + 5 * n) / x) + 1.0)
    begin = np.where(top < 45, 0.0, edge(peak, 0.0 * peak))  # the exponent is 0 at 0
    steps = 400
    width = (end - begin) / steps
    t = begin + width * np.arange(steps + 1)[:, None]
    wave = -np.expm1(-2 * size * t) if m % 2 else 1 + np.exp(-2 * size * t)
    terms = t**m * (-2 * np.sinh(t / 2) ** 2) ** n * np.exp(exponent(t) - top) * wave / 2
    terms[0] *= np.where(begin == 0, 0.5, 1.0)  # the integrand is even
    found = np.exp(top) * np.sum(terms, axis=0) * width
    return np.where(is_inside, found * np.sign(v) ** (m % 2), np.nan)


of_orders(
    "kve_by_order",
    _run_kve,
    *(
        lambda orders, t, out, v, x, number=number: (
            t * f.kve_by_order(v, x, orders=raised(orders, number))
        )
        for number in range(2)
    ),
)
