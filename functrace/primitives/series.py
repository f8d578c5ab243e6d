"""Zeta and hypergeometric functions: derivatives in their parameters, term by term of a sum.

Hurwitz's zeta function is summed by Euler and Maclaurin (DLMF 25.11.28 differentiated), to a
relative error below 1e-12 for orders between 1.01 and 60 (on the left, where SciPy has Riemann's
alone, to the rounding of the largest term); Kummer's by its power series (DLMF 13.2.2), on the left
after Kummer's transformation (DLMF 13.2.39), to a relative error below 1e-11 of the largest term,
where that is reached within two thousand terms; elsewhere it is nan.
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


def _kummer_series(a: Any, b: Any, x: Any, m: int, n: int, shift: int) -> Any:
    """The derivative of order m in a and n in b of the derivative of order ``shift`` in x.

    The term of number k is ``(a)_(k+shift) / (b)_(k+shift) * x**k / k!``.
    """
    zero = np.zeros_like(x)
    terms = [[zero] * (n + 1) for _ in range(m + 1)]
    terms[0][0] = zero + 1

    def next_term(k: int, factor: Any) -> None:
        # Times (a + k) / (b + k): by a one derivative at most, by b the quotient's recurrence.
        for i in range(m, -1, -1):
            for j in range(n + 1):
                above = (a + k) * terms[i][j] + (i * terms[i - 1][j] if i else 0)
                lower = j * terms[i][j - 1] if j else 0  # which is a next one already
                terms[i][j] = (above * factor - lower) / (b + k)

    for k in range(shift):
        next_term(k, 1.0)
    total, largest = terms[m][n], np.abs(terms[m][n])
    is_open = np.ones(x.shape, bool)
    for k in range(2000):
        next_term(k + shift, x / (k + 1))
        term = terms[m][n]
        total = total + term
        largest = np.maximum(largest, np.abs(term))
        sizes = sum(np.abs(each) for row in terms for each in row)
        is_open = (sizes > 1e-18 * largest) | (k < 4)
        if not is_open.any():
            break
    return np.where(is_open, np.nan, total)


def _run_kummer(a: Any, b: Any, x: Any, orders: tuple[int, ...]) -> Any:
    m, n, shift = orders
    is_left = x < 0
    right = _kummer_series(a, b, np.where(is_left, 1.0, x), m, n, shift)
    if not is_left.any():
        return right
    # exp(x) * M(b - a, b, -x), where each derivative in b is one in both parameters.
    y = np.where(is_left, -x, 1.0)
    total: Any = 0.0
    for j in range(n + 1):
        for i in range(shift + 1):
            count = math.comb(n, j) * math.comb(shift, i) * (-1) ** (m + i)
            total = total + count * _kummer_series(b - a, b, y, m + j, n - j, i)
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
