"""Incomplete gamma and beta functions: their densities, and derivatives in their parameters.

The regularized functions are integrals of densities from 0 to ``x``: ``gammainc`` of
``x**(a-1) * exp(-x) / gamma(a)``, ``betainc`` of ``x**(a-1) * (1-x)**(b-1) / beta(a, b)``. A
derivative in a parameter has no closed form. It is the integral of the density times a polynomial
in its logarithmic derivatives (a Bell polynomial), and computed so: from the end where the integral
is the smaller one, so that little cancels, by the double exponential formula (Takahasi and Mori,
Double exponential formulas for numerical integration, Publ. RIMS 9 (1974)); near zero, where the
integrand varies over many magnitudes, by the power series (DLMF 8.7.1, 8.17.7).

The relative error of the first derivatives is below 1e-12 for parameters up to 1e4, and grows
with the square root of larger ones; that of higher ones is relative to the largest derivative of
their order nearby, since they change their sign. ``tests/primitives/test_incomplete.py`` compares
with mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.ir.primitive import Values
from functrace.ir.types import ArrayType
from functrace.primitives.broadcasting import PartialMap
from functrace.primitives.linear import conform, widen
from functrace.primitives.scipy_ufuncs import NoDerivative, OfScipy, rule
from functrace.primitives.special import Loops, f, run_digamma, run_gammaln, run_hurwitz_zeta
from functrace.primitives.zero_products import product_or_zero

Cumulants = Callable[[int, int], Any]
"""The mixed derivative of the logarithm of a density, of order m in one parameter, n in another."""


class Numeric:
    """A function of arrays in double precision that stands where `Elementwise` has a ufunc."""

    nout = 1

    def __init__(self, run: Callable[..., Any], count: int) -> None:
        """State what computes it, from so many arrays in a row."""
        self._run = run
        self.nin = count
        self._loops = Loops(" ".join(f"{kind * count}->{kind}" for kind in "fd"))
        self.resolve_dtypes = self._loops.resolve_dtypes

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        """Compute; floating-point errors say nothing."""

        def run(*arrays: Any) -> Any:
            numbers = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in arrays))
            with np.errstate(all="ignore"):
                found = self._run(*(x.ravel() for x in numbers), **params)
            return found.reshape(numbers[0].shape)

        return self._loops.adapted(run)(*inputs)


class OfOrders(OfScipy):
    """A function with whole numbers as the parameter ``orders``: its rules take them first."""

    def _of_computed(self, name: str, rule: PartialMap | NoDerivative) -> PartialMap:
        assert not isinstance(rule, NoDerivative)
        return lambda orders, t, out, *inputs: rule(orders, t, out, *self.as_computed(inputs))

    def infer(self, *types: ArrayType, orders: tuple[int, ...]) -> ArrayType:
        """The broadcast shape, and the dtype of the numbers."""
        return super().infer(*types)

    def jvp(self, inputs: Values, tangents: Values, output: Any, *, orders: tuple[int, ...]) -> Any:
        """The sum of the maps, each applied to its tangent."""
        total = None
        with np.errstate(all="ignore"):
            for t, partial in zip(tangents, self.partials, strict=True):
                if t is not None:
                    term = widen(partial(orders, t, output, *inputs), output)
                    total = term if total is None else total + term
        return total

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values,
        *, orders: tuple[int, ...],
    ) -> Values:  # fmt: skip
        """Each map applied to the cotangent, and fitted to the input."""
        return [
            None if need is None else conform(partial(orders, cotangent, output, *inputs), x)
            for need, partial, x in zip(needed, self.partials, inputs, strict=True)
        ]


def of_orders(name: str, run: Callable[..., Any], *partials: PartialMap) -> None:
    """Enter a function with orders, for rules."""
    f.enter(name, OfOrders(name, *partials, ufunc=Numeric(run, len(partials)), called=""))


def raised(orders: tuple[int, ...], number: int) -> tuple[int, ...]:
    """The orders, that of a number higher by one."""
    return tuple(order + (n == number) for n, order in enumerate(orders))


def bell(m: int, n: int, cumulant: Cumulants) -> Any:
    """The derivative of a density of these orders in its two parameters, divided by the density.

    Args:
        m: The order in the first one.
        n: The order in the second one.
        cumulant: The derivatives of the logarithm.
    """
    if m == n == 0:
        return 1.0
    if m == 0:
        return bell(n, 0, lambda i, j: cumulant(j, i))
    total: Any = 0.0
    for i in range(m):
        for j in range(n + 1):
            count = math.comb(m - 1, i) * math.comb(n, j)
            total = total + count * cumulant(i + 1, j) * bell(m - 1 - i, n - j, cumulant)
    return total


# Numerical integration

STEPS = np.arange(-4.6, 4.3, 0.1)


def integral(integrand: Callable[[Any], Any], scale: Any) -> Any:
    """Integrals from 0 to infinity of functions that fall exponentially, by their scales."""
    u = STEPS[:, np.newaxis]
    inner = np.exp(-u)
    s = scale * np.exp(u - inner)
    terms = integrand(s) * (s * (1 + inner))
    return 0.1 * np.sum(np.where(np.isfinite(terms), terms, 0), axis=0)


def _log1p_minus(v: Any) -> Any:
    """``log1p(v) - v``, also near zero."""
    r = v / (2 + v)
    is_near = np.abs(r) < 0.2
    square = np.where(is_near, r * r, 0.0)
    near = np.polyval([2 / k for k in range(25, 1, -2)], square) * square * r - v * r
    return np.where(is_near, near, np.log1p(v) - v)


def _expm1_minus(s: Any) -> Any:
    """``exp(-s) - 1 + s``, also near zero."""
    small = np.minimum(s, 1.0)
    coefficients = [(-1) ** k / math.factorial(k) for k in range(20, 1, -1)]
    return np.where(s < 1, np.polyval(coefficients, small) * small * small, np.expm1(-s) + s)


_STIRLING = (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_STIRLING_SLOPE = (-691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
_HALF_LOG_TAU = math.log(2 * math.pi) / 2


def _stirling_error(a: Any) -> Any:
    """The logarithm of the gamma function without Stirling's main term (DLMF 5.11.1)."""
    large = np.maximum(a, 10.0)
    far = np.polyval(_STIRLING, 1 / (large * large)) / large
    near = run_gammaln(np.minimum(a, 10.0)) - ((a - 0.5) * np.log(a) - a + _HALF_LOG_TAU)
    return np.where(a < 10, near, far)


def _log_minus_digamma(a: Any) -> Any:
    """``log(a) - digamma(a)``, also where both are large (DLMF 5.11.2)."""
    large = np.maximum(a, 12.0)
    square = 1 / (large * large)
    far = 0.5 / large + np.polyval(_STIRLING_SLOPE, square) * square
    return np.where(a < 12, np.log(a) - run_digamma(np.minimum(a, 12.0)), far)


def _polygamma(order: int, x: Any) -> Any:
    sign = -1.0 if order % 2 == 0 else 1.0
    return sign * math.factorial(order) * run_hurwitz_zeta(np.float64(order + 1), x)


def _digamma_difference(a: Any, b: Any) -> Any:
    """``digamma(a + b) - digamma(a)``."""
    return np.log1p(b / a) + _log_minus_digamma(a) - _log_minus_digamma(a + b)


def _sine_of_pi(x: Any) -> Any:
    """``sin(pi * x)``, which is zero at whole numbers."""
    whole = np.round(x)
    return np.sin(np.pi * (x - whole)) * np.where(whole % 2, -1.0, 1.0)


def _run_digamma_difference(a: Any, b: Any) -> Any:
    usual, left = (a > 0) & (a + b > 0), (a < 1) & (a + b < 1)
    x, y = np.where(usual, a, 1.0), np.where(usual, b, 1.0)
    # On the left both have poles, of which little is left: reflected (DLMF 5.5.4).
    poles = _sine_of_pi(b) / (_sine_of_pi(a) * _sine_of_pi(a + b))
    poles = np.where(b == np.round(b), np.where((a == np.round(a)) | (b == 0), 0.0, poles), poles)
    mirrored = _digamma_difference(np.where(left, 1 - a, 1.0), np.where(left, -b, 1.0))
    rest = np.where(left, mirrored + np.pi * poles, run_digamma(a + b) - run_digamma(a))
    return np.where(usual, _digamma_difference(x, y), rest)


rule(
    "digamma_difference",
    lambda t, out, a, b: t * (f.hurwitz_zeta(2.0, a + b) - f.hurwitz_zeta(2.0, a)),
    lambda t, out, a, b: t * f.hurwitz_zeta(2.0, a + b),
    ufunc=Numeric(_run_digamma_difference, 2),
    called="",
)

# The gamma distribution


def _gamma_kernel(a: Any, x: Any) -> Any:
    """``x**a * exp(-x) / gamma(a)``, also where powers overflow."""
    far = np.exp(a * _log1p_minus((x - a) / a) - _stirling_error(a)) * np.sqrt(a / math.tau)
    usual = np.exp(a * np.log(x) - x - run_gammaln(a))
    return np.where(a < 10, usual, far)


def _run_gamma_density(a: Any, x: Any) -> Any:
    density = _gamma_kernel(a, np.where(x > 0, x, 1.0)) / x
    at_zero = np.where(a < 1, np.inf, np.where(a == 1, 1.0, 0.0))
    found = np.where(x == 0, at_zero, np.where(np.isposinf(x), 0.0, density))
    return np.where((a > 0) & (x >= 0), found, np.nan)


rule(
    "gamma_density",
    lambda t, out, a, x: product_or_zero(t * out, np.log(x) - f.digamma(a)),
    lambda t, out, a, x: t * _density_slope(out, a, x),
    ufunc=Numeric(_run_gamma_density, 2),
    called="",
)


def _density_slope(out: Any, a: Any, x: Any) -> Any:
    is_zero = np.equal(x, 0)
    inside = out * ((a - 1 - x) / np.where(is_zero, 1.0, x))
    # At zero ``x**(a-1)`` has the slope ``(a-1) * x**(a-2)``.
    at_zero = np.where(np.equal(a, 1), -1.0, (a - 1) * np.where(np.equal(a, 2), 1.0, np.inf))
    return np.where(is_zero, np.where(np.greater(a, 2), 0.0, at_zero), inside)


def _gamma_series(n: int, a: Any, x: Any) -> Any:
    """The derivative of order n in a, by ``x**a / gamma(a+1) * exp(-x) * sum(x**k / (a+1)_k)``."""
    terms = [np.ones_like(x), *(np.zeros_like(x) for _ in range(n))]
    sums = list(terms)
    for k in range(1, 40):
        for j in range(n + 1):
            terms[j] = (x * terms[j] - (j * terms[j - 1] if j else 0)) / (a + k)
            sums[j] = sums[j] + terms[j]
    first = np.log(x) - run_digamma(a + 1)
    factor = [
        bell(i, 0, lambda i, j: first if i == 1 else -_polygamma(i - 1, a + 1))
        for i in range(n + 1)
    ]
    scale = np.exp(a * np.log(x) - x - run_gammaln(a + 1))
    return scale * sum(math.comb(n, i) * factor[i] * sums[n - i] for i in range(n + 1))


def _run_gammainc_by_a(a: Any, x: Any, orders: tuple[int, ...]) -> Any:
    (n,) = orders
    # The logarithmic derivative at x: the logarithm of x less its mean.
    log = np.where(np.abs(x - a) < 0.5 * a, np.log1p((x - a) / a), np.log(x / a))
    at_x = log + _log_minus_digamma(a)
    is_near = x <= 1.5
    is_lower = at_x <= 0
    inner = np.where(is_near | ~np.isfinite(x), 2.0, x)
    others = {k: -_polygamma(k - 1, a) for k in range(2, n + 1)}

    def weight(g: Any) -> Any:
        return bell(n, 0, lambda i, j: g if i == 1 else others[i])

    def below(s: Any) -> Any:  # at exp(-s) times x
        exponent = -(a - inner) * s - inner * _expm1_minus(s)
        return np.exp(exponent) * weight(at_x - s)

    def above(v: Any) -> Any:  # at 1 + v times x
        exponent = (a - 1) * _log1p_minus(v) - (inner - a + 1) * v
        return -np.exp(exponent) * weight(at_x + np.log1p(v))

    scale = 1 / (np.abs(a - inner) + np.sqrt(inner))
    far = np.where(is_lower, integral(below, scale), integral(above, scale))
    found = np.where(
        is_near,
        _gamma_series(n, np.where(is_near, a, 1.0), np.where(is_near, x, 1.0)),
        _gamma_kernel(a, inner) * far,
    )
    found = np.where((x == 0) | np.isposinf(x), 0.0, found)
    return np.where((a > 0) & (x >= 0), found, np.nan)


def _gamma_cumulant(a: Any, x: Any) -> Cumulants:
    return lambda i, j: np.log(x) - f.digamma(a) if i == 1 else -f.polygamma(i - 1, a)


of_orders(
    "gammainc_by_a",
    _run_gammainc_by_a,
    lambda orders, t, out, a, x: t * f.gammainc_by_a(a, x, orders=(orders[0] + 1,)),
    lambda orders, t, out, a, x: product_or_zero(
        t * f.gamma_density(a, x), bell(orders[0], 0, _gamma_cumulant(a, x))
    ),
)


# The beta distribution


def _beta_kernel(a: Any, b: Any, x: Any, y: Any) -> Any:
    """``x**a * y**b / beta(a, b)`` for ``y = 1 - x``, also where powers overflow."""
    total = a + b
    usual = np.exp(a * np.log(x) + b * np.log(y) - _betaln(a, b))
    # Both logarithms less their values at the mean, where the first order cancels.
    miss = np.where(x < y, x * total - a, b - y * total)
    far = np.exp(
        a * _log1p_minus(miss / a)
        + b * _log1p_minus(-miss / b)
        + (_stirling_error(total) - _stirling_error(a) - _stirling_error(b))
    ) * np.sqrt(a / total * b / math.tau)
    return np.where((a < 10) | (b < 10), usual, far)


def _betaln(a: Any, b: Any) -> Any:
    """The logarithm of the beta function; of a small and a large argument by Stirling's series."""
    small, large = np.minimum(a, b), np.maximum(a, b)
    usual = run_gammaln(a) + run_gammaln(b) - run_gammaln(a + b)
    total = small + large
    ratio = (
        (large - 0.5) * np.log1p(-small / total)
        - small * np.log(total)
        + small
        + (_stirling_error(large) - _stirling_error(total))
    )
    return np.where(large < 10, usual, run_gammaln(small) + ratio)


def _run_beta_density(a: Any, b: Any, x: Any) -> Any:
    y = 1 - x
    is_inside = (x > 0) & (x < 1)
    inner = np.where(is_inside, x, 0.5)
    density = _beta_kernel(a, b, inner, 1 - inner) / (x * y)

    def at_end(a: Any, b: Any) -> Any:
        return np.where(a < 1, np.inf, np.where(a == 1, b, 0.0))

    found = np.where(x == 0, at_end(a, b), np.where(x == 1, at_end(b, a), density))
    return np.where((a > 0) & (b > 0) & (x >= 0) & (x <= 1), found, np.nan)


rule(
    "beta_density",
    lambda t, out, a, b, x: product_or_zero(t * out, np.log(x) + f.digamma_difference(a, b)),
    lambda t, out, a, b, x: product_or_zero(t * out, np.log1p(-x) + f.digamma_difference(b, a)),
    lambda t, out, a, b, x: product_or_zero(t * out, (a - 1) / x - (b - 1) / (1 - x)),
    ufunc=Numeric(_run_beta_density, 3),
    called="",
)


def _is_for_series(b: Any, x: Any) -> Any:
    """Whether the power series in x converges soon, and its terms do not cancel."""
    return (x <= 0.5) & (x * b < 2)


def _beta_series(m: int, n: int, a: Any, b: Any, x: Any) -> Any:
    """By powers of x, for small ones: ``x**a / (a * beta(a, b))`` times a sum."""
    zeros = np.zeros_like(x)
    coefficients = [zeros + 1, *(zeros for _ in range(n))]
    sums = [[zeros for _ in range(n + 1)] for _ in range(m + 1)]
    sums[0][0] = zeros + 1
    power = zeros + 1
    for k in range(1, 60):
        coefficients = [
            ((k - b) * coefficients[j] - (j * coefficients[j - 1] if j else 0)) / k
            for j in range(n + 1)
        ]
        power = power * x
        for i in range(m + 1):
            share = (-1) ** (i + 1) * k * math.factorial(i) / (a + k) ** (i + 1)
            share = share + 1 if i == 0 else share
            for j in range(n + 1):
                sums[i][j] = sums[i][j] + share * coefficients[j] * power
    first = np.log(x) + _digamma_difference(a + 1, b - 1)
    second = _digamma_difference(b, a)

    def cumulant(i: int, j: int) -> Any:
        if i + j == 1:
            return first if i else second
        shared = _polygamma(i + j - 1, a + b)
        if i and j:
            return shared
        return shared - _polygamma(i + j - 1, a + 1 if i else b)

    total: Any = 0.0
    for i in range(m + 1):
        for j in range(n + 1):
            count = math.comb(m, i) * math.comb(n, j)
            total = total + count * bell(i, j, cumulant) * sums[m - i][n - j]
    return np.exp(a * np.log(x) - _betaln(a, b)) / a * total


def _beta_integral(m: int, n: int, a: Any, b: Any, x: Any, y: Any) -> Any:
    """The integral of the differentiated density from 0 to x, where ``y = 1 - x``."""
    first = np.log(x) + _digamma_difference(a, b)
    second = np.log(y) + _digamma_difference(b, a)
    others = {
        (i, j): _polygamma(i + j - 1, a + b)
        - (0 if i and j else _polygamma(i + j - 1, a if i else b))
        for i in range(m + 1)
        for j in range(n + 1)
        if i + j > 1
    }

    def integrand(s: Any) -> Any:  # at exp(-s) times x
        log = np.log1p(x / y * -np.expm1(-s))
        known = {(1, 0): first - s, (0, 1): second + log, **others}
        return np.exp(-a * s + (b - 1) * log) * bell(m, n, lambda i, j: known[i, j])

    rate = a - (b - 1) * x / y
    scale = 1 / (np.maximum(rate, 0) + np.sqrt(a * np.maximum(1.0, x / y)))
    return _beta_kernel(a, b, x, y) / y * integral(integrand, scale)


def _beta_part(m: int, n: int, a: Any, b: Any, x: Any, y: Any) -> Any:
    is_series = _is_for_series(b, x)
    pick = lambda x, other: np.where(is_series, x, other)  # noqa: E731
    series = _beta_series(m, n, pick(a, 1.0), pick(b, 1.0), pick(x, 0.25))
    rest = _beta_integral(m, n, a, b, pick(0.5, x), pick(0.5, y))
    return pick(series, rest)


def _run_betainc_by_parameters(a: Any, b: Any, x: Any, orders: tuple[int, ...]) -> Any:
    m, n = orders
    y = 1 - x
    is_inside = (x > 0) & (x < 1)
    x, y = np.where(is_inside, x, 0.5), np.where(is_inside, y, 0.5)
    # From the side of the mean of the logarithm whose derivative it is.
    small = np.log(x) + _digamma_difference(a, b) if m else -(np.log(y) + _digamma_difference(b, a))
    is_lower = (small <= 0) | _is_for_series(b, x)
    is_lower = is_lower & ~_is_for_series(a, y)
    given = [np.where(is_lower, *pair) for pair in ((a, b), (b, a), (x, y), (y, x))]
    lower = _beta_part(m, n, *given)
    upper = -(lower if m == n else _beta_part(n, m, *given))
    found = np.where(is_inside, np.where(is_lower, lower, upper), 0.0)
    return np.where((a > 0) & (b > 0), found, np.nan)


def _beta_cumulant(a: Any, b: Any, x: Any) -> Cumulants:
    def cumulant(i: int, j: int) -> Any:
        shared = f.polygamma(i + j - 1, a + b)
        if i and j:
            return shared
        own = shared - f.polygamma(i + j - 1, a if i else b)
        return own if i + j > 1 else own + (np.log(x) if i else np.log1p(-x))

    return cumulant


of_orders(
    "betainc_by_parameters",
    _run_betainc_by_parameters,
    *(
        lambda orders, t, out, a, b, x, n=n: (
            t * f.betainc_by_parameters(a, b, x, orders=raised(orders, n))
        )
        for n in range(2)
    ),
    lambda orders, t, out, a, b, x: product_or_zero(
        t * f.beta_density(a, b, x), bell(orders[0], orders[1], _beta_cumulant(a, b, x))
    ),
)
