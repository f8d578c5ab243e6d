"""What SciPy's elementwise functions are differentiated by: one row for each.

A row is a function's name and, for each argument, the map ``t -> t * d(output)/d(argument)``,
stated with functions of the same table (`f`). The formulas are those of the Digital Library of
Mathematical Functions (DLMF, dlmf.nist.gov), whose sections stand beside them, or follow from the
definition in SciPy's documentation. Where a formula cancels, another one stands in its place there.
An inverse function has the derivative ``1 / f'``, and by parameters that of an implicit function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.primitives import (
    carlson,  # noqa: F401  # pyright: ignore[reportUnusedImport]  (enters rows)
    series,  # noqa: F401  # pyright: ignore[reportUnusedImport]
    special,
)
from functrace.primitives.broadcasting import PartialMap
from functrace.primitives.linear import dtype_of
from functrace.primitives.scipy_ufuncs import (
    NoDerivative,
    ScipyUfunc,
    Slopes,
    holomorphic,
    rule,
    rules,
)
from functrace.primitives.special import f
from functrace.primitives.zero_products import product_or_zero, quotient_or_zero
from functrace.tracing.tables import NAMED_UFUNCS

_ROOT_PI, _ROOT_TAU, _DEGREE = math.sqrt(math.pi), math.sqrt(2 * math.pi), math.pi / 180


def order(argument: str) -> NoDerivative:
    """Of a function in its order."""
    return NoDerivative(argument, "it is the order, in which no closed form is known")


def parameter(argument: str) -> NoDerivative:
    """Of a function in a parameter."""
    return NoDerivative(argument, "it is a parameter, in which no closed form is known")


def whole(argument: str) -> NoDerivative:
    """Of a function in what can only be a whole number."""
    return NoDerivative(argument, "it is a whole number")


def of_real(name: str, argument: str, z: Any, slope: Callable[[], Any]) -> Any:
    """A derivative in a parameter that is there for real numbers ``z`` only."""
    if _is_complex(z):
        NoDerivative(argument, "of complex numbers no closed form is known").of(name)()
    return slope()


def constant(t: Any, *_: Any) -> Any:
    """Of a function in an argument that it rounds."""
    return t * 0.0


def implicit(by_output: Any, by_input: Any) -> Any:
    """The derivative of a solution of ``g(output, input) = constant``: 0 where g holds still."""
    return -quotient_or_zero(by_input, by_output)


def _is_complex(x: Any) -> bool:
    return dtype_of(x).kind == "c"


# Functions that need no SciPy have their rows in special.py.

for _name in (
    "digamma", "gammaln", "hurwitz_zeta", "erf", "erfc", "erfinv", "ndtr", "expit", "log_expit",
    "logit", "entr", "rel_entr", "xlogy", "xlog1py",
):  # fmt: skip
    f.enter(_name, getattr(special, _name))

# Elementary functions

rule("exp2", lambda t, out, x: t * (out * math.log(2)))
rule("exp10", lambda t, out, x: t * (out * math.log(10)))
rule("expm1", lambda t, out, x: t * np.exp(x))
rule("log1p", lambda t, out, x: t / (1 + x))
rule("cbrt", lambda t, out, x: quotient_or_zero(t, 3 * (out * out)))
rule("cosm1", lambda t, out, x: t * -np.sin(x))
rule("sindg", lambda t, out, x: t * (f.cosdg(x) * _DEGREE))
rule("cosdg", lambda t, out, x: t * (f.sindg(x) * -_DEGREE))
rule("tandg", lambda t, out, x: t * ((1 + out * out) * _DEGREE))
rule("cotdg", lambda t, out, x: t * ((1 + out * out) * -_DEGREE))
rule(
    "radian",
    lambda t, out, d, m, s: t * _DEGREE,
    lambda t, out, d, m, s: t * (_DEGREE / 60),
    lambda t, out, d, m, s: t * (_DEGREE / 3600),
)
rule("round")
rule(
    "powm1",
    lambda t, out, x, y: t * (y * np.power(x, y - 1)),
    lambda t, out, x, y: product_or_zero(t * np.power(x, y), np.log(x)),
)
rule("exprel", lambda t, out, x: t * _exprel_slope(out, x))
rule(
    "kl_div",
    lambda t, out, x, y: product_or_zero(t, np.log(x) - np.log(y)),
    lambda t, out, x, y: t * (1 - x / y),
)
rule(
    "huber",
    lambda t, out, delta, r: t * np.maximum(np.abs(r) - delta, 0.0),
    lambda t, out, delta, r: t * np.clip(r, -delta, delta),
)
rule(
    "pseudo_huber",
    lambda t, out, delta, r: t * _pseudo_huber_slope(delta, r),
    lambda t, out, delta, r: t * (r * quotient_or_zero(delta, np.hypot(delta, r))),
)
rule(
    "boxcox",
    lambda t, out, x, lmbda: t * np.power(x, lmbda - 1),
    lambda t, out, x, lmbda: t * _boxcox_by_power(np.log(x), lmbda),
)
rule(
    "boxcox1p",
    lambda t, out, x, lmbda: t * np.power(1 + x, lmbda - 1),
    lambda t, out, x, lmbda: t * _boxcox_by_power(np.log1p(x), lmbda),
)
rule(
    "inv_boxcox",
    lambda t, out, y, lmbda: t * np.power(out, 1 - lmbda),
    lambda t, out, y, lmbda: t * -(np.power(out, 1 - lmbda) * _boxcox_by_power(np.log(out), lmbda)),
)
rule(
    "inv_boxcox1p",
    lambda t, out, y, lmbda: t * np.power(1 + out, 1 - lmbda),
    lambda t, out, y, lmbda: (
        t * -(np.power(1 + out, 1 - lmbda) * _boxcox_by_power(np.log1p(out), lmbda))
    ),
)


def _exprel_slope(out: Any, x: Any) -> Any:
    """``d((exp(x) - 1) / x)/dx``: Kummer's function near zero (DLMF 13.6.1)."""
    is_near = np.less(np.abs(x), 1)
    near = f.hyp1f1(2.0, 3.0, np.where(is_near, x, 0.0)) / 2
    return np.where(is_near, near, (np.exp(x) - out) / np.where(is_near, 1.0, x))


def _boxcox_by_power(log: Any, lmbda: Any) -> Any:
    """``d/d(lmbda)`` of ``(exp(lmbda * log) - 1) / lmbda``."""
    y = lmbda * log
    return log * log * _exprel_slope(f.exprel(y), y)


def _pseudo_huber_slope(delta: Any, r: Any) -> Any:
    size = np.hypot(delta, r)
    ratio = r / (size + delta)
    return r * (r / size) * (ratio * ratio)


# Gamma functions (DLMF 5.2, 5.4, 5.15)

rule("gamma", lambda t, out, x: t * (out * f.digamma(x)))
rule("loggamma", lambda t, out, x: t * f.digamma(x))
rule("rgamma", lambda t, out, x: t * _rgamma_slope(out, x))
rule("gammasgn")
rule(
    "polygamma",
    order("n"),
    lambda t, out, n, x: t * f.polygamma(n + 1, x),
    ufunc=ScipyUfunc("polygamma", "dd->d"),
    called="",
)
rule(
    "beta",
    lambda t, out, a, b: t * (out * -f.digamma_difference(a, b)),
    lambda t, out, a, b: t * (out * -f.digamma_difference(b, a)),
)
rule(
    "betaln",
    lambda t, out, a, b: t * -f.digamma_difference(a, b),
    lambda t, out, a, b: t * -f.digamma_difference(b, a),
)
rule(
    "poch",
    lambda t, out, z, m: t * _poch_slope(out, z, m),
    lambda t, out, z, m: t * (out * f.digamma(z + m)),
)
rule(
    "binom",
    lambda t, out, n, k: t * (out * (f.digamma(n + 1) - f.digamma(n - k + 1))),
    lambda t, out, n, k: t * (out * (f.digamma(n - k + 1) - f.digamma(k + 1))),
)


def _poch_slope(out: Any, z: Any, m: Any) -> Any:
    """Of ``gamma(z + m) / gamma(z)`` by z, which may be zero where the divisor has a pole."""
    is_zero = np.equal(out, 0)
    at_zero = f.gamma(z + m) * _rgamma_slope(f.rgamma(z), z)
    return np.where(is_zero, at_zero, out * f.digamma_difference(np.where(is_zero, 1.0, z), m))


def _rgamma_slope(out: Any, x: Any) -> Any:
    """``-digamma(x) / gamma(x)``, reflected on the left, where both have poles (DLMF 5.5.3-4)."""
    is_left = np.less(np.real(x), 0.5)
    y = 1 - np.where(is_left, x, 0.0)
    angle = np.pi * y
    left = f.gamma(y) * (np.sin(angle) * f.digamma(y) / -np.pi - np.cos(angle))
    right = np.where(is_left, 1.0, x)
    return np.where(is_left, left, -out * f.digamma(right))


# Incomplete gamma and beta functions, and their inverses (DLMF 8.8, 8.17): see incomplete.py


def _by_a(a: Any, x: Any) -> Any:
    return f.gammainc_by_a(a, x, orders=(1,))


def _by_first(a: Any, b: Any, x: Any) -> Any:
    return f.betainc_by_parameters(a, b, x, orders=(1, 0))


def _by_second(a: Any, b: Any, x: Any) -> Any:
    return f.betainc_by_parameters(a, b, x, orders=(0, 1))


rule(
    "gammainc",
    lambda t, out, a, x: t * _by_a(a, x),
    lambda t, out, a, x: t * f.gamma_density(a, x),
)
rule(
    "gammaincc",
    lambda t, out, a, x: t * -_by_a(a, x),
    lambda t, out, a, x: t * -f.gamma_density(a, x),
)
for _name, _sign in (("gammaincinv", 1), ("gammainccinv", -1)):
    rule(
        _name,
        lambda t, out, a, y: t * implicit(f.gamma_density(a, out), _by_a(a, out)),
        lambda t, out, a, y, sign=_sign: t / (sign * f.gamma_density(a, out)),
    )
rule(
    "betainc",
    lambda t, out, a, b, x: t * _by_first(a, b, x),
    lambda t, out, a, b, x: t * _by_second(a, b, x),
    lambda t, out, a, b, x: t * f.beta_density(a, b, x),
)
rule(
    "betaincc",
    lambda t, out, a, b, x: t * -_by_first(a, b, x),
    lambda t, out, a, b, x: t * -_by_second(a, b, x),
    lambda t, out, a, b, x: t * -f.beta_density(a, b, x),
)
for _name, _sign in (("betaincinv", 1), ("betainccinv", -1)):
    rule(
        _name,
        lambda t, out, a, b, y: t * implicit(f.beta_density(a, b, out), _by_first(a, b, out)),
        lambda t, out, a, b, y: t * implicit(f.beta_density(a, b, out), _by_second(a, b, out)),
        lambda t, out, a, b, y, sign=_sign: t / (sign * f.beta_density(a, b, out)),
    )
rule(
    "btdtria",
    lambda t, out, p, b, x: t / _by_first(out, b, x),
    lambda t, out, p, b, x: t * implicit(_by_first(out, b, x), _by_second(out, b, x)),
    lambda t, out, p, b, x: t * implicit(_by_first(out, b, x), f.beta_density(out, b, x)),
)
rule(
    "btdtrib",
    lambda t, out, a, p, x: t * implicit(_by_second(a, out, x), _by_first(a, out, x)),
    lambda t, out, a, p, x: t / _by_second(a, out, x),
    lambda t, out, a, p, x: t * implicit(_by_second(a, out, x), f.beta_density(a, out, x)),
)

# Distributions of the gamma family: SciPy's documentation states each by gammainc

rule(
    "chdtr",
    lambda t, out, v, x: t * (_by_a(v / 2, x / 2) / 2),
    lambda t, out, v, x: t * (f.gamma_density(v / 2, x / 2) / 2),
)
rule(
    "chdtrc",
    lambda t, out, v, x: t * (_by_a(v / 2, x / 2) / -2),
    lambda t, out, v, x: t * (f.gamma_density(v / 2, x / 2) / -2),
)
rule(
    "chdtri",
    lambda t, out, v, p: t * implicit(f.gamma_density(v / 2, out / 2), _by_a(v / 2, out / 2)),
    lambda t, out, v, p: t * (-2 / f.gamma_density(v / 2, out / 2)),
)
rule(
    "chdtriv",
    lambda t, out, p, x: t * (2 / _by_a(out / 2, x / 2)),
    lambda t, out, p, x: t * implicit(_by_a(out / 2, x / 2), f.gamma_density(out / 2, x / 2)),
)
for _name, _sign in (("gdtr", 1), ("gdtrc", -1)):
    rule(
        _name,
        lambda t, out, a, b, x, sign=_sign: (
            t * product_or_zero(sign * x, f.gamma_density(b, a * x))
        ),
        lambda t, out, a, b, x, sign=_sign: t * (sign * _by_a(b, a * x)),
        lambda t, out, a, b, x, sign=_sign: t * (sign * a * f.gamma_density(b, a * x)),
    )
rule(
    "gdtria",
    lambda t, out, p, b, x: t / (x * f.gamma_density(b, out * x)),
    lambda t, out, p, b, x: t * implicit(x * f.gamma_density(b, out * x), _by_a(b, out * x)),
    lambda t, out, p, b, x: t * -(out / x),
)
rule(
    "gdtrib",
    lambda t, out, a, p, x: t * implicit(_by_a(out, a * x), x * f.gamma_density(out, a * x)),
    lambda t, out, a, p, x: t / _by_a(out, a * x),
    lambda t, out, a, p, x: t * implicit(_by_a(out, a * x), a * f.gamma_density(out, a * x)),
)
rule(
    "gdtrix",
    lambda t, out, a, b, p: t * -(out / a),
    lambda t, out, a, b, p: t * implicit(a * f.gamma_density(b, a * out), _by_a(b, a * out)),
    lambda t, out, a, b, p: t / (a * f.gamma_density(b, a * out)),
)
rule("pdtr", constant, lambda t, out, k, m: t * -f.gamma_density(np.floor(k) + 1, m))
rule("pdtrc", constant, lambda t, out, k, m: t * f.gamma_density(np.floor(k) + 1, m))
rule("pdtri", constant, lambda t, out, k, y: t / -f.gamma_density(np.trunc(k) + 1, out))
rule(
    "pdtrik",
    lambda t, out, p, m: _searched(t / -_by_a(out + 1, m), out),
    lambda t, out, p, m: _searched(
        t * implicit(_by_a(out + 1, m), f.gamma_density(out + 1, m)), out
    ),
)


def _searched(slope: Any, out: Any) -> Any:
    """The slope of what SciPy looks for, and constant where it ends to look: near 0, or far out."""
    size = np.abs(out)
    return np.where(np.greater(size, 1e-99) & np.less(size, 1e99), slope, 0.0)


def _noncentral_density(x: Any, df: Any, nc: Any) -> Any:
    """The density of the noncentral chi-squared distribution."""
    # Bessel's function underflows where its order is large; there the series is short.
    is_short = np.less(nc * x, df)
    root = np.sqrt(np.where(is_short, 1.0, nc * x))
    gap = np.sqrt(nc) - np.sqrt(x)
    ratio = np.where(is_short, 1.0, x) / np.where(is_short, 1.0, nc)
    long = np.exp(gap * gap / -2) * np.power(ratio, df / 4 - 0.5) * f.ive(df / 2 - 1, root)
    grown = f.hyp0f1(df / 2, np.where(is_short, nc * x / 4, 0.0))
    short = f.gamma_density(df / 2, x / 2) * np.exp(nc / -2) * grown
    return 0.5 * np.where(is_short, short, long)


def _by_noncentrality(out: Any, x: Any, df: Any, nc: Any) -> Any:
    return (f.chndtr(x, df + 2, nc) - out) / 2


rule(
    "chndtr",
    lambda t, out, x, df, nc: t * _noncentral_density(x, df, nc),
    parameter("df"),
    lambda t, out, x, df, nc: t * _by_noncentrality(out, x, df, nc),
)
rule(
    "chndtrix",
    lambda t, out, p, df, nc: t / _noncentral_density(out, df, nc),
    parameter("df"),
    lambda t, out, p, df, nc: (
        t * implicit(_noncentral_density(out, df, nc), _by_noncentrality(p, out, df, nc))
    ),
)
rule(
    "chndtrinc",
    lambda t, out, x, df, p: (
        t * implicit(_by_noncentrality(p, x, df, out), _noncentral_density(x, df, out))
    ),
    parameter("df"),
    lambda t, out, x, df, p: t / _by_noncentrality(p, x, df, out),
)

# Distributions of the beta family, by betainc

rule(
    "bdtr",
    constant,
    whole("n"),
    lambda t, out, k, n, p: t * -f.beta_density(np.floor(k) + 1, np.trunc(n) - np.floor(k), p),
)
rule(
    "bdtrc",
    constant,
    whole("n"),
    lambda t, out, k, n, p: t * f.beta_density(np.floor(k) + 1, np.trunc(n) - np.floor(k), p),
)
rule(
    "bdtri",
    constant,
    whole("n"),
    lambda t, out, k, n, y: t / -f.beta_density(np.floor(k) + 1, np.trunc(n) - np.floor(k), out),
)


def _binomial_slopes(k: Any, n: Any, p: Any) -> tuple[Any, Any, Any]:
    """Of ``1 - betainc(k + 1, n - k, p)`` by k, n and p."""
    a, b = k + 1, n - k
    by_second = _by_second(a, b, p)
    return by_second - _by_first(a, b, p), -by_second, -f.beta_density(a, b, p)


def _solved(
    slopes: Any, place: int, arguments: tuple[int, ...], is_searched: bool = True
) -> list[PartialMap]:
    """The rows of the argument at a place as a function of the value and of the other ones.

    Args:
        slopes: The derivatives of the value by all arguments.
        place: Which argument is the output.
        arguments: For each input the place of the argument that it is; -1 for the value.
        is_searched: Whether SciPy looks for the output between two ends.
    """

    def partial(argument: int) -> PartialMap:
        def by(t: Any, out: Any, *inputs: Any) -> Any:
            given = dict(zip(arguments, inputs, strict=True)) | {place: out}
            found = slopes(*(given[n] for n in range(len(inputs))))
            if argument < 0:
                slope = t / found[place]
            else:
                slope = t * implicit(found[place], found[argument])
            return _searched(slope, out) if is_searched else slope

        return by

    return [partial(argument) for argument in arguments]


rule("bdtrik", *_solved(_binomial_slopes, 0, (-1, 1, 2)))
rule("bdtrin", *_solved(_binomial_slopes, 1, (0, -1, 2)))
rule(
    "nbdtr",
    constant,
    whole("n"),
    lambda t, out, k, n, p: t * f.beta_density(np.trunc(n), np.trunc(k) + 1, p),
)
rule(
    "nbdtrc",
    constant,
    whole("n"),
    lambda t, out, k, n, p: t * -f.beta_density(np.trunc(n), np.trunc(k) + 1, p),
)
rule(
    "nbdtri",
    constant,
    whole("n"),
    lambda t, out, k, n, y: t / f.beta_density(np.trunc(n), np.trunc(k) + 1, out),
)


def _negative_binomial_slopes(k: Any, n: Any, p: Any) -> tuple[Any, Any, Any]:
    a, b = n, k + 1
    return _by_second(a, b, p), _by_first(a, b, p), f.beta_density(a, b, p)


rule("nbdtrik", *_solved(_negative_binomial_slopes, 0, (-1, 1, 2)))
rule("nbdtrin", *_solved(_negative_binomial_slopes, 1, (0, -1, 2)))


def _f_slopes(m: Any, n: Any, x: Any) -> tuple[Any, Any, Any]:
    """Of ``betainc(m / 2, n / 2, m * x / (m * x + n))``, from the side where its x is smaller."""
    total = m * x + n
    is_left = np.less(m * x, n)
    a, b = np.where(is_left, m, n) / 2, np.where(is_left, n, m) / 2
    share = np.where(is_left, m * x, n) / total
    sign = np.where(is_left, 1.0, -1.0)
    first, second = sign * _by_first(a, b, share), sign * _by_second(a, b, share)
    density = f.beta_density(a, b, share) / (total * total)
    by_m, by_n = np.where(is_left, first, second), np.where(is_left, second, first)
    by_both = product_or_zero(x, density)  # which is infinite at 0 for small m
    return by_m / 2 + by_both * n, by_n / 2 - by_both * m, density * (m * n)


def _f_row(number: int, sign: int) -> PartialMap:
    return lambda t, out, *x: t * (sign * _f_slopes(*x)[number])


rule("fdtr", *(_f_row(n, 1) for n in range(3)))
rule("fdtrc", *(_f_row(n, -1) for n in range(3)))
rule("fdtri", *_solved(_f_slopes, 2, (0, 1, -1), False))
rule("fdtridfd", *_solved(_f_slopes, 1, (0, -1, 2)))


def _student_slopes(df: Any, t: Any) -> tuple[Any, Any]:
    """Of Student's distribution by its degrees of freedom and by t."""
    square = t * t
    density = np.exp((df + 1) / -2 * np.log1p(square / df) - f.betaln(0.5, df / 2)) / np.sqrt(df)
    is_far = np.greater(square, df)
    share = np.where(is_far, df, square) / (df + square)
    half = np.zeros_like(df) + 0.5
    a, b = np.where(is_far, df / 2, half), np.where(is_far, half, df / 2)
    tail = np.where(is_far, _by_first(a, b, share), -_by_second(a, b, share))
    return -np.sign(t) * (tail / 4 + density * np.abs(t) / (2 * df)), density


rule(
    "stdtr",
    lambda t, out, df, x: t * _student_slopes(df, x)[0],
    lambda t, out, df, x: t * _student_slopes(df, x)[1],
)
rule("stdtrit", *_solved(_student_slopes, 1, (0, -1), False))
rule("stdtridf", *_solved(_student_slopes, 0, (-1, 1)))
rule(
    "tklmbda",
    lambda t, out, x, lmbda: t * _within(out, 1 / _tukey_slopes(out, lmbda)[0]),
    lambda t, out, x, lmbda: t * _within(out, implicit(*_tukey_slopes(out, lmbda))),
)
rule(
    "nrdtrimn",
    lambda t, out, p, std, x: t * -(std / _normal_density(f.ndtri(p))),
    lambda t, out, p, std, x: t * -f.ndtri(p),
    lambda t, out, p, std, x: t,
)
rule(
    "nrdtrisd",
    lambda t, out, mn, p, x: t / -f.ndtri(p),
    lambda t, out, mn, p, x: t * -(out / (f.ndtri(p) * _normal_density(f.ndtri(p)))),
    lambda t, out, mn, p, x: t / f.ndtri(p),
)


def _tukey_slopes(p: Any, lmbda: Any) -> tuple[Any, Any]:
    """Of the quantiles ``(p**lmbda - (1-p)**lmbda) / lmbda`` by both."""
    log, other = np.log(p), np.log1p(-p)
    by_p = np.exp((lmbda - 1) * log) + np.exp((lmbda - 1) * other)
    return by_p, _boxcox_by_power(log, lmbda) - _boxcox_by_power(other, lmbda)


def _within(p: Any, slope: Any) -> Any:
    """The slope where a probability is not constant."""
    return np.where(np.greater(p, 0) & np.less(p, 1), slope, 0.0)


# Error functions and the normal distribution (DLMF 7.2, 7.10, 7.14)


def _normal_density(x: Any) -> Any:
    return np.exp(-0.5 * (x * x)) / _ROOT_TAU


_ODD_FACTORIALS = [float(math.prod(range(1, 2 * n, 2))) for n in range(26, 0, -1)]


def _rest(product: Any, x: Any, sign: int) -> Any:
    """``1 - product``, where that is for large real x asymptotically a series (DLMF 7.12.1).

    Args:
        product: A function that tends to 1.
        x: The argument.
        sign: That of each power of ``1 / (2 * x**2)`` after the first.
    """
    if _is_complex(x):
        return 1 - product
    is_far = np.greater(np.abs(x), 7) if sign > 0 else np.greater(x, 7)
    y = sign * 0.5 / np.square(np.where(is_far, x, 7.0))
    return np.where(is_far, -sign * np.polyval(_ODD_FACTORIALS, y) * (sign * y), 1 - product)


rule("erfi", lambda t, out, x: t * (np.exp(x * x) * (2 / _ROOT_PI)))
rule(
    "erfcx",
    lambda t, out, x: t * (_rest(_ROOT_PI * (x * out), x, -1) * (-2 / _ROOT_PI)),
)
rule("erfcinv", lambda t, out, x: t * (np.exp(out * out) * (-_ROOT_PI / 2)))
rule("dawsn", lambda t, out, x: t * _rest(2 * (x * out), x, 1))
rule("wofz", lambda t, out, z: t * (2j / _ROOT_PI - 2 * (z * out)))
rule("log_ndtr", lambda t, out, x: t * _mills(out, x))
rule("ndtri", lambda t, out, p: t / _normal_density(out))
rule("ndtri_exp", lambda t, out, y: t / _mills(y, out))
rule(
    "voigt_profile",
    lambda t, out, x, sigma, gamma: t * _voigt_slopes(x, sigma, gamma)[0],
    lambda t, out, x, sigma, gamma: t * _voigt_by_sigma(out, x, sigma, gamma),
    lambda t, out, x, sigma, gamma: t * _voigt_slopes(x, sigma, gamma)[1],
)
rule(
    "owens_t",
    lambda t, out, h, a: (
        t * (np.exp(-0.5 * (h * h)) * f.erf(a * h * math.sqrt(0.5)) / (-2 * _ROOT_TAU))
    ),
    lambda t, out, h, a: t * (np.exp(-0.5 * (h * h) * (1 + a * a)) / (2 * np.pi * (1 + a * a))),
)
rules("fresnel", lambda out, z: (np.sin(z * z * (np.pi / 2)), np.cos(z * z * (np.pi / 2))))


def _mills(log: Any, x: Any) -> Any:
    """The density of the normal distribution by the distribution function of a known logarithm."""
    right = np.exp(-0.5 * (x * x) - log) / _ROOT_TAU
    if _is_complex(x):
        return right
    is_left = np.less(x, 0)
    left = f.erfcx(np.where(is_left, x, -1.0) * -math.sqrt(0.5))
    return np.where(is_left, math.sqrt(2 / math.pi) / left, right)


_VOIGT = [float(math.prod(range(1, 2 * k + 2, 2))) for k in range(12, -1, -1)]


def _voigt_places(x: Any, sigma: Any, gamma: Any) -> tuple[Any, Any, Any, Any]:
    """Where an expansion in sigma holds, and the numbers for that and for the other formula."""
    place = x + 1j * gamma
    is_far = np.greater(np.abs(place), 50 * np.abs(sigma))
    far = np.where(is_far, place, 1.0)
    near = np.where(is_far, 1.0, sigma)
    return is_far, far, np.where(is_far, sigma, 0.0), np.where(is_far, 1.0, place) / near


def _voigt_slopes(x: Any, sigma: Any, gamma: Any) -> tuple[Any, Any]:
    """By x and gamma; where sigma is small by the expansion of wofz (DLMF 7.12.1)."""
    is_far, place, small, ratio = _voigt_places(x, sigma, gamma)
    far = -1j / np.pi / (place * place) * np.polyval(_VOIGT, np.square(small / place))
    z = ratio / math.sqrt(2)
    near = (2j / _ROOT_PI - 2 * z * f.wofz(z)) / (2 * _ROOT_PI)
    slope = np.where(is_far, far, near / np.square(np.where(is_far, 1.0, sigma)))
    return np.real(slope), -np.imag(slope)


def _voigt_by_sigma(out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    """By the equation of heat, which the profile satisfies: sigma times the second slope by x."""
    is_far, place, small, ratio = _voigt_places(x, sigma, gamma)
    weights = [(k + 1) * weight for k, weight in enumerate(_VOIGT[::-1])][::-1]
    total = np.polyval(weights, np.square(small / place))
    far = np.real(2j / np.pi / (place * place * place) * total) * small
    z = ratio / math.sqrt(2)
    slope = (2j / _ROOT_PI - 2 * z * f.wofz(z)) / (2 * _ROOT_PI) * z * -math.sqrt(2)
    inner = np.where(is_far, 1.0, sigma)
    return np.where(is_far, far, np.real(slope) / (inner * inner) - out / inner)


def _modified_fresnel(sign: int) -> Slopes:
    turn = np.exp(-0.25j * sign * np.pi) / _ROOT_PI
    return lambda out, x: (
        -np.exp(1j * sign * (x * x)),
        -2j * sign * x * out[1] - turn,
    )


rules("modfresnelp", _modified_fresnel(1))
rules("modfresnelm", _modified_fresnel(-1))

# Exponential integrals (DLMF 6.2, 8.19), and others of elementary functions

rule("exp1", lambda t, out, z: t * -(np.exp(-z) / z))
rule("expi", lambda t, out, z: t * (np.exp(z) / z))
rule("expn", order("n"), lambda t, out, n, x: t * -_lower_expn(out, np.trunc(n), x))
rules("sici", lambda out, z: (_sine_over(z, -1), np.cos(z) / z))
rules("shichi", lambda out, z: (_sine_over(z, 1), np.cosh(z) / z))
rule("spence", lambda t, out, z: t * _spence_slope(z))
rule("lambertw", lambda t, out, z, k: t / (np.exp(out) * (1 + out)), whole("k"),
     ufunc=ScipyUfunc("lambertw", "Dl->D"), called="")  # fmt: skip
rule("wrightomega", lambda t, out, z: t * (out / (1 + out)))
NAMED_UFUNCS["_lambertw"] = lambda z, k, tol: f.lambertw(z, k)


def _lower_expn(out: Any, n: Any, x: Any) -> Any:
    """``expn(n - 1, x)``, by the recurrence where SciPy has none (DLMF 8.19.12)."""
    is_high = np.greater(n, 1)
    high = f.expn(np.where(is_high, n - 1, 1), x)
    return np.where(is_high, high, (np.exp(-x) - (n - 1) * out) / np.where(is_high, 1.0, x))


def _sine_over(z: Any, sign: int) -> Any:
    """``sin(z) / z``, or of the hyperbolic sine for the sign 1 (DLMF 10.16.1, 10.39.1)."""
    is_near = np.less(np.abs(z), 1)
    inner = np.where(is_near, z, 0.0)
    near = f.hyp0f1(1.5, sign * 0.25 * (inner * inner))
    far = np.sin(z) if sign < 0 else np.sinh(z)
    return np.where(is_near, near, far / np.where(is_near, 1.0, z))


def _spence_slope(z: Any) -> Any:
    if _is_complex(z):
        return np.log(z) / (1 - z)
    return -1 / f.exprel(np.log(z))


# Zeta functions (DLMF 25.11.17): see series.py


def _zeta_slope(x: Any, q: Any) -> Any:
    if _is_complex(x):
        NoDerivative("x", "of complex numbers no derivative is known").of("zeta")()
    return f.zeta_by_order(x, q, orders=(1,))


rule("zetac", lambda t, out, x: t * _zeta_slope(x, 1.0))
rule(
    "zeta",
    lambda t, out, x, q: t * _zeta_slope(x, q),
    lambda t, out, x, q: t * (-x * f.zeta(x + 1, q)),
    ufunc=ScipyUfunc("zeta", "ff->f Ff->F dd->d Dd->D"),
    called="_zeta",
)
rule(
    "riemann_zeta",
    lambda t, out, x: t * _zeta_slope(x, 1.0),
    ufunc=ScipyUfunc("zeta", "d->d D->D f->f F->F"),
    called="_riemann_zeta",
)

# Bessel functions (DLMF 10.6, 10.29)

rule("j0", lambda t, out, x: t * -f.j1(x))
rule("j1", lambda t, out, x: t * ((f.j0(x) - f.jv(2, x)) / 2))
rule("y0", lambda t, out, x: t * -f.y1(x))
rule("y1", lambda t, out, x: t * ((f.y0(x) - f.yv(2, x)) / 2))
rule("i0", lambda t, out, x: t * f.i1(x))
rule("i1", lambda t, out, x: t * ((f.i0(x) + f.iv(2, x)) / 2))
rule("k0", lambda t, out, x: t * -f.k1(x))
rule("k1", lambda t, out, x: t * ((f.k0(x) + f.kv(2, x)) / -2))
for _name in ("jv", "yv", "hankel1", "hankel2"):
    rule(
        _name,
        order("v"),
        lambda t, out, v, z, g=_name: t * ((getattr(f, g)(v - 1, z) - getattr(f, g)(v + 1, z)) / 2),
    )
rule(
    "iv",
    lambda t, out, v, z: t * of_real("iv", "v", z, lambda: _first_kind_by_order(out, v, z, 1.0)),
    lambda t, out, v, z: t * ((f.iv(v - 1, z) + f.iv(v + 1, z)) / 2),
)
rule(
    "kv",
    lambda t, out, v, z: (
        t * of_real("kv", "v", z, lambda: np.exp(-z) * _second_kind_by_order(v, z))
    ),
    lambda t, out, v, z: t * ((f.kv(v - 1, z) + f.kv(v + 1, z)) / -2),
)
rule("kn", order("n"), lambda t, out, n, x: t * _second_kind_slope(f.kv, np.trunc(n), x, -1))
rule("yn", order("n"), lambda t, out, n, x: t * _second_kind_slope(f.yv, np.trunc(n), x, 1))


def _first_kind_by_order(out: Any, v: Any, z: Any, scale: Any) -> Any:
    """Of ``scale * iv(v, z)``, by its power series (DLMF 10.38.1): see series.py.

    Of a negative order by that of its opposite (DLMF 10.27.2), as at whole numbers it has poles.
    """
    is_negative, size = np.less(v, 0), np.abs(v)
    angle, second = np.pi * size, np.exp(-z) * scale * (2 / np.pi)
    sine, turned = np.sin(angle), second * f.kve(size, z)
    value = out - np.where(is_negative, sine * turned, 0.0)
    by_power = product_or_zero(value, np.log(z / 2) - f.digamma(size + 1))
    grown = f.hyp0f1_by_parameter(size + 1, z * z / 4, orders=(1, 0))
    slope = by_power + scale * np.power(z / 2, size) * f.rgamma(size + 1) * grown
    opposite = np.pi * np.cos(angle) * turned + sine * second * _second_kind_by_order(size, z)
    return np.where(is_negative, -slope - opposite, slope)


def _second_kind_by_order(v: Any, z: Any) -> Any:
    return f.kve_by_order(v, z, orders=(1, 0))


def _second_kind_slope(g: Any, n: Any, x: Any, sign: int) -> Any:
    return sign * (g(n - 1, x) - sign * g(n + 1, x)) / 2


# Those that are scaled by exponentials; of real numbers where these have an absolute value

for _name in ("jve", "yve"):
    rule(
        _name,
        order("v"),
        lambda t, out, v, z, g=_name: (
            t * _of_real(z, g, lambda: (getattr(f, g)(v - 1, z) - getattr(f, g)(v + 1, z)) / 2)
        ),
    )
for _name, _turn in (("hankel1e", -1j), ("hankel2e", 1j)):
    rule(
        _name,
        order("v"),
        lambda t, out, v, z, g=_name, turn=_turn: (
            t * ((getattr(f, g)(v - 1, z) - getattr(f, g)(v + 1, z)) / 2 + turn * out)
        ),
    )
rule(
    "ive",
    lambda t, out, v, z: (
        t * of_real("ive", "v", z, lambda: _first_kind_by_order(out, v, z, np.exp(-np.abs(z))))
    ),
    lambda t, out, v, z: (
        t * _of_real(z, "ive", lambda: (f.ive(v - 1, z) + f.ive(v + 1, z)) / 2 - np.sign(z) * out)
    ),
)
rule(
    "kve",
    lambda t, out, v, z: t * of_real("kve", "v", z, lambda: _second_kind_by_order(v, z)),
    lambda t, out, v, z: t * (out - (f.kve(v - 1, z) + f.kve(v + 1, z)) / 2),
)
rule("i0e", lambda t, out, x: t * _scaled_slope(0, -1, x, f.i1e(x) - np.sign(x) * out))
rule(
    "i1e",
    lambda t, out, x: t * _scaled_slope(1, -1, x, (f.i0e(x) + f.ive(2, x)) / 2 - np.sign(x) * out),
)
rule("k0e", lambda t, out, x: t * _scaled_slope(0, 1, x, out - f.k1e(x)))
rule(
    "k1e",
    lambda t, out, x: t * _scaled_slope(1, 1, x, out - (f.k0e(x) + f.kve(2, x)) / 2),
)


def _of_real(z: Any, name: str, value: Any) -> Any:
    holomorphic(z, name)
    return value()


def _hankel_series(v: int, sign: int) -> list[float]:
    """Coefficients of the derivative of Hankel's expansion (DLMF 10.40.1-2), the last one first."""
    found, a = [], 1.0
    for k in range(14):
        found.append(-(k + 0.5) * sign**k * a)
        a *= (4 * v * v - (2 * k + 1) ** 2) / (8 * (k + 1))
    return found[::-1]


def _scaled_slope(v: int, sign: int, x: Any, near: Any) -> Any:
    """The derivative of a modified Bessel function without its exponential, also far out.

    Args:
        v: The order, 0 or 1.
        sign: 1 for those of the second kind, -1 for those of the first.
        x: The argument.
        near: The derivative by the recurrence, which cancels far out.
    """
    size = np.abs(x)
    is_far = np.greater(size, 50)
    y = 1 / np.where(is_far, size, 50.0)
    scale = math.sqrt(math.pi / 2) if sign > 0 else 1 / _ROOT_TAU
    far = np.polyval(_hankel_series(v, sign), y) * (y * np.sqrt(y)) * scale
    if sign < 0 and not v:
        far = far * np.sign(x)
    return np.where(is_far, far, near)


# Spherical Bessel functions (DLMF 10.51.2, 10.51.5)


_SPHERICAL = {
    "spherical_jn": (1, -1),
    "spherical_yn": (1, -1),
    "spherical_in": (1, 1),
    "spherical_kn": (-1, -1),
}


def spherical_slope(name: str, n: Any, z: Any) -> Any:
    """The derivative of a spherical Bessel function in its argument.

    Args:
        name: The function.
        n: Its order, whole numbers.
        z: The argument.
    """
    first, second = _SPHERICAL[name]
    function = getattr(f, name)
    lower, upper = function(np.maximum(n - 1, 0), z), function(n + 1, z)
    return (first * n * lower + second * (n + 1) * upper) / (2 * n + 1)


for _name in _SPHERICAL:
    rule(
        _name,
        whole("n"),
        lambda t, out, n, z, name=_name: t * spherical_slope(name, n, z),
        ufunc=ScipyUfunc(_name, "ld->d lD->D"),
        called="",
    )

# Airy and Kelvin functions (DLMF 9.2, 10.61), their integrals, and those of Bessel functions


def _airye_slopes(out: Any, z: Any) -> tuple[Any, ...]:
    holomorphic(z, "airye")
    root = np.sqrt(np.where(np.greater(z, 0), z, 0.0))
    a, da, b, db = out
    return da + root * a, z * a + root * da, db - root * b, z * b - root * db


rules("airy", lambda out, z: (out[1], z * out[0], out[3], z * out[2]))
rules("airye", _airye_slopes)


def _itairy_slopes(out: Any, x: Any) -> tuple[Any, ...]:
    right, left = f.airy(x), f.airy(-x)
    return right[0], right[2], left[0], left[2]


rules("itairy", _itairy_slopes)


def _over(value: Any, x: Any, at_zero: complex) -> Any:
    """A quotient of two zeros at zero."""
    is_zero = np.equal(x, 0)
    return np.where(is_zero, at_zero, value / np.where(is_zero, 1.0, x))


rule("ber", lambda t, out, x: t * f.berp(x))
rule("bei", lambda t, out, x: t * f.beip(x))
rule("ker", lambda t, out, x: t * f.kerp(x))
rule("kei", lambda t, out, x: t * f.keip(x))
rule("berp", lambda t, out, x: t * (-f.bei(x) - _over(out, x, 0.0)))
rule("beip", lambda t, out, x: t * (f.ber(x) - _over(out, x, 0.5)))
rule("kerp", lambda t, out, x: t * (-f.kei(x) - out / x))
rule("keip", lambda t, out, x: t * (f.ker(x) - out / x))
rules(
    "kelvin",
    lambda out, x: (
        out[2],
        out[3],
        1j * out[0] - _over(out[2], x, 0.5j),
        1j * out[1] - out[3] / x,
    ),
)


def _bessel_rest_over(sign: int, x: Any) -> Any:
    """``(1 - j0(x)) / x`` for the sign -1, ``(i0(x) - 1) / x`` for 1."""
    is_near = np.less(np.abs(x), 1)
    square = np.square(np.where(is_near, x, 0.0)) / 4
    coefficients = [sign ** (k + 1) / math.factorial(k) ** 2 for k in range(10, 0, -1)]
    near = np.polyval(coefficients, square) * (np.where(is_near, x, 0.0) / 4)
    far = f.i0(x) - 1 if sign > 0 else 1 - f.j0(x)
    return np.where(is_near, near, far / np.where(is_near, 1.0, x))


rules("iti0k0", lambda out, x: (f.i0(x), f.k0(x)))
rules("itj0y0", lambda out, x: (f.j0(x), f.y0(x)))
rules("it2i0k0", lambda out, x: (_bessel_rest_over(1, x), -f.k0(x) / x))
rules("it2j0y0", lambda out, x: (_bessel_rest_over(-1, x), -f.y0(x) / x))
rule(
    "besselpoly",
    lambda t, out, a, lmb, nu: (
        t * (f.besselpoly(a, lmb + 1, nu - 1) - f.besselpoly(a, lmb + 1, nu + 1))
    ),
    parameter("lmb"),
    order("nu"),
)

# Struve functions (DLMF 11.4.27-28)


def _struve_term(v: Any, x: Any) -> Any:
    return np.power(x / 2, v) * f.rgamma(v + 1.5) / _ROOT_PI


def _struve_slope(t: Any, out: Any, v: Any, x: Any) -> Any:
    # That of order -1 is even; the two terms that are infinite at 0 cancel.
    is_flat = np.logical_and(np.equal(v, -1), np.equal(x, 0))
    inner = np.where(is_flat, 1.0, x)
    slope = (f.struve(v - 1, inner) - f.struve(v + 1, inner) + _struve_term(v, inner)) / 2
    return t * np.where(is_flat, 0.0, slope)


rule("struve", order("v"), _struve_slope)
rule(
    "modstruve",
    order("v"),
    lambda t, out, v, x: (
        t * ((f.modstruve(v - 1, x) + f.modstruve(v + 1, x) + _struve_term(v, x)) / 2)
    ),
)
rule("itstruve0", lambda t, out, x: t * f.struve(0, x))
rule("itmodstruve0", lambda t, out, x: t * f.modstruve(0, x))
rule("it2struve0", lambda t, out, x: t * -_struve_over(x))


_STRUVE = [
    (-1) ** k * 2 / math.pi / math.prod(range(1, 2 * k + 2, 2)) ** 2 for k in range(10, -1, -1)
]


def _struve_over(x: Any) -> Any:
    """``struve(0, x) / x``, near zero by powers (DLMF 11.2.1)."""
    is_near = np.less(np.abs(x), 1)
    near = np.polyval(_STRUVE, np.square(np.where(is_near, x, 0.0)))
    inner = np.where(is_near, 1.0, x)
    return np.where(is_near, near, f.struve(0, inner) / inner)


# Parabolic cylinder functions (DLMF 12.2)

rules(
    "pbdv", order("v"), lambda out, v, x: (out[1], (x * x / 4 - v - 0.5) * out[0]), is_total=False
)
rules(
    "pbvv", order("v"), lambda out, v, x: (out[1], (x * x / 4 - v - 0.5) * out[0]), is_total=False
)
rules("pbwa", parameter("a"), lambda out, a, x: (out[1], (a - x * x / 4) * out[0]))

# Hypergeometric functions (DLMF 13.3, 15.5, 16.3), and Wright's

rule(
    "hyp0f1",
    lambda t, out, v, z: (
        t * of_real("hyp0f1", "v", z, lambda: f.hyp0f1_by_parameter(v, z, orders=(1, 0)))
    ),
    lambda t, out, v, z: t * (f.hyp0f1(v + 1, z) / v),
)
rule(
    "hyp1f1",
    lambda t, out, a, b, z: t * _kummer_slope("a", a, b, z, (1, 0, 0)),
    lambda t, out, a, b, z: t * _kummer_slope("b", a, b, z, (0, 1, 0)),
    lambda t, out, a, b, z: t * (f.hyp1f1(a + 1, b + 1, z) * (a / b)),
)
rule(
    "hyp2f1",
    lambda t, out, a, b, c, z: t * _gauss_slope("a", a, b, c, z, (1, 0, 0)),
    lambda t, out, a, b, c, z: t * _gauss_slope("b", a, b, c, z, (0, 1, 0)),
    lambda t, out, a, b, c, z: t * _gauss_slope("c", a, b, c, z, (0, 0, 1)),
    lambda t, out, a, b, c, z: t * (f.hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c)),
)


def _kummer_slope(name: str, a: Any, b: Any, z: Any, orders: tuple[int, ...]) -> Any:
    """In a parameter: see series.py."""
    return of_real("hyp1f1", name, z, lambda: f.hyp1f1_by_parameters(a, b, z, orders=orders))


def _gauss_slope(name: str, a: Any, b: Any, c: Any, z: Any, orders: tuple[int, ...]) -> Any:
    """In a parameter: see series.py."""
    return of_real("hyp2f1", name, z, lambda: f.hyp2f1_by_parameters(a, b, c, z, orders=orders))


rule(
    "hyperu",
    parameter("a"),
    parameter("b"),
    lambda t, out, a, b, x: t * (f.hyperu(a + 1, b + 1, x) * -a),
)
rule(
    "wright_bessel",
    parameter("a"),
    parameter("b"),
    lambda t, out, a, b, x: t * f.wright_bessel(a, a + b, x),
)
rule(
    "log_wright_bessel",
    parameter("a"),
    parameter("b"),
    lambda t, out, a, b, x: t * np.exp(f.log_wright_bessel(a, a + b, x) - out),
)

# Elliptic integrals (DLMF 19.4, 19.25) and functions (DLMF 22.13); see carlson.py


def _complete_slope(m: Any, second: bool) -> Any:
    """Of the complete integrals by m: a hypergeometric function near zero (DLMF 19.5.1-2)."""
    is_near = np.less(np.abs(m), 0.5)
    near, far = np.where(is_near, m, 0.0), 1 - np.where(is_near, 0.5, m)
    if second:
        series = f.hyp2f1(0.5, 1.5, 2.0, near) * (-np.pi / 8)
        return np.where(is_near, series, f.elliprd(0.0, far, 1.0) / -6)
    series = f.hyp2f1(1.5, 1.5, 2.0, near) * (np.pi / 8)
    return np.where(is_near, series, f.elliprd(0.0, 1.0, far) / 6)


def _incomplete_slope(phi: Any, m: Any, second: bool) -> Any:
    """Of the incomplete integrals by m: of the angle within a period, and of whole periods."""
    periods = np.round(phi / np.pi)
    angle = phi - periods * np.pi
    sine, cosine = np.sin(angle), np.cos(angle)
    square = sine * sine
    rest = 1 - m * square
    if second:
        part = f.elliprd(cosine * cosine, rest, 1.0) / -6
    else:
        part = f.elliprd(cosine * cosine, 1.0, rest) / 6
    whole = np.where(np.equal(periods, 0), 0.0, 2 * periods)
    return sine * square * part + product_or_zero(whole, _complete_slope(m, second))


rule("ellipk", lambda t, out, m: t * _complete_slope(m, False))
rule("ellipe", lambda t, out, m: t * _complete_slope(m, True))
rule("ellipkm1", lambda t, out, p: t * (f.elliprd(0.0, 1.0, p) / -6))
rule(
    "ellipkinc",
    lambda t, out, phi, m: t / np.sqrt(1 - m * np.square(np.sin(phi))),
    lambda t, out, phi, m: t * _incomplete_slope(phi, m, False),
)
rule(
    "ellipeinc",
    lambda t, out, phi, m: t * np.sqrt(1 - m * np.square(np.sin(phi))),
    lambda t, out, phi, m: t * _incomplete_slope(phi, m, True),
)


def _jacobi_by_m(out: Any, u: Any, m: Any) -> tuple[Any, ...]:
    """The amplitude keeps ``ellipkinc(amplitude, m) = u``; the others are functions of it."""
    sn, cn, dn, amplitude = out
    turn = -dn * _incomplete_slope(amplitude, m, False)
    by_sine = cn * turn
    return by_sine, -sn * turn, (sn * sn + 2 * m * sn * by_sine) / (-2 * dn), turn


rules(
    "ellipj",
    lambda out, u, m: (out[1] * out[2], -out[0] * out[2], -m * out[0] * out[1], out[2]),
    _jacobi_by_m,
)
rule(
    "agm",
    lambda t, out, a, b: t * _mean_slope(out, a, b),
    lambda t, out, a, b: t * _mean_slope(out, b, a),
)


def _mean_slope(out: Any, a: Any, b: Any) -> Any:
    """Of ``pi / 2 / elliprf(0, a**2, b**2)`` (DLMF 19.8.5, 19.25.1)."""
    return out * out * np.abs(a) * f.elliprd(0.0, b * b, a * a) * (2 / (3 * np.pi))


# Orthogonal polynomials (DLMF 18.9.15, 18.9.21, 18.9.23, 18.9.25, 18.9.27)


def _lower(name: str, n: Any, *rest: Any) -> Any:
    """The polynomial of the degree below, which is 0 below the degree 0."""
    is_constant = np.equal(n, 0)
    return np.where(is_constant, 0.0, getattr(f, name)(np.where(is_constant, 0, n - 1), *rest))


degree = order("n")
rule("eval_legendre", degree, lambda t, out, n, x: t * (
    _lower("eval_jacobi", n, 1.0, 1.0, x) * ((n + 1) / 2)))  # fmt: skip
rule("eval_sh_legendre", degree, lambda t, out, n, x: t * (
    _lower("eval_jacobi", n, 1.0, 1.0, 2 * x - 1) * (n + 1)))  # fmt: skip
rule("eval_chebyt", degree, lambda t, out, n, x: t * (_lower("eval_chebyu", n, x) * n))
rule("eval_chebyu", degree, lambda t, out, n, x: t * (
    _lower("eval_gegenbauer", n, 2.0, x) * 2))  # fmt: skip
rule("eval_chebyc", degree, lambda t, out, n, x: t * (_lower("eval_chebyu", n, x / 2) * n))
rule("eval_chebys", degree, lambda t, out, n, x: t * _lower("eval_gegenbauer", n, 2.0, x / 2))
rule("eval_sh_chebyt", degree, lambda t, out, n, x: t * (
    _lower("eval_chebyu", n, 2 * x - 1) * (2 * n)))  # fmt: skip
rule("eval_sh_chebyu", degree, lambda t, out, n, x: t * (
    _lower("eval_gegenbauer", n, 2.0, 2 * x - 1) * 4))  # fmt: skip
rule("eval_laguerre", degree, lambda t, out, n, x: t * -_lower("eval_genlaguerre", n, 1.0, x))
rule("eval_hermite", degree, lambda t, out, n, x: t * (_lower("eval_hermite", n, x) * (2 * n)))
rule("eval_hermitenorm", degree, lambda t, out, n, x: t * (
    _lower("eval_hermitenorm", n, x) * n))  # fmt: skip
rule("eval_gegenbauer", degree, parameter("alpha"), lambda t, out, n, a, x: t * (
    _lower("eval_gegenbauer", n, a + 1, x) * (2 * a)))  # fmt: skip
rule("eval_genlaguerre", degree, parameter("alpha"), lambda t, out, n, a, x: t * -(
    _lower("eval_genlaguerre", n, a + 1, x)))  # fmt: skip
rule("eval_jacobi", degree, parameter("alpha"), parameter("beta"), lambda t, out, n, a, b, x: t * (
    _lower("eval_jacobi", n, a + 1, b + 1, x) * ((n + a + b + 1) / 2)))  # fmt: skip
rule("eval_sh_jacobi", degree, parameter("p"), parameter("q"), lambda t, out, n, p, q, x: t * (
    _lower("eval_sh_jacobi", n, p + 2, q + 1, x) * n))  # fmt: skip

# Legendre functions and spherical harmonics (DLMF 14.10.5, 14.30)


def _legendre_slope(t: Any, out: Any, m: Any, v: Any, x: Any) -> Any:
    is_end = np.equal(np.abs(x), 1.0)
    inner = np.where(is_end, 0.0, x)
    slope = (v + m) * f.lpmv(m, v - 1, inner) - v * (inner * np.where(is_end, 0.0, out))
    return t * np.where(is_end, _slope_at_end(m, v, x), slope / ((1.0 - inner) * (1.0 + inner)))


def _slope_at_end(m: Any, v: Any, x: Any) -> Any:
    """The slope at 1 or -1 of ``(1 - x**2)**(m / 2)`` times the m-th derivative of Legendre's."""
    first = v * (v + 1.0) / 2.0
    second = first * (v - 1.0) * (v + 2.0) / 4.0
    infinite = np.where(np.equal(first, 0.0), 0.0, np.inf)
    by_order = [np.equal(m, 0), np.equal(m, 1), np.equal(m, 2), np.greater(m, 2)]
    at_one = np.select(by_order, [first, infinite, -2.0 * second, 0.0 * second], np.nan)
    is_odd = np.not_equal(np.remainder(v + m, 2.0), 1.0)
    return np.where(np.logical_and(np.less(x, 0.0), is_odd), -at_one, at_one)


rule("lpmv", order("m"), degree._replace(argument="v"), _legendre_slope)
rule(
    "sph_harm_y",
    whole("n"),
    whole("m"),
    lambda t, out, n, m, theta, phi: t * _harmonic_slope(n, m, theta, phi),
    lambda t, out, n, m, theta, phi: t * (1j * m * out),
    ufunc=ScipyUfunc("sph_harm_y", "lldd->D"),
    called="",
)


def _harmonic_slope(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    """By the polar angle, from the harmonics of the neighbouring orders."""
    above = np.sqrt(np.maximum((n - m) * (n + m + 1), 0)) * np.exp(-1j * phi)
    below = np.sqrt(np.maximum((n + m) * (n - m + 1), 0)) * np.exp(1j * phi)
    return (
        above * f.sph_harm_y(n, m + 1, theta, phi) - below * f.sph_harm_y(n, m - 1, theta, phi)
    ) / 2
