"""The module `math`, for traced values too: write ``from functrace import math``.

Of plain numbers every function is Python's own, and gives what that gives: floats, integers, and
errors outside of its domain. Of traced numbers it is NumPy's, or computed from NumPy's, and nan or
infinite outside of its domain.
"""

from __future__ import annotations

import math as _math
import operator
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from functrace.numpy.making import asarray, holds_tracer
from functrace.primitives import special
from functrace.primitives.linear import cast_to, known_value, stop_gradient
from functrace.tracing.entrances import at_entrance
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind

e, inf, nan, pi, tau = _math.e, _math.inf, _math.nan, _math.pi, _math.tau


def _number(x: Any) -> Any:
    """A traced number in a floating dtype, as Python's functions take any number."""
    x = as_operand(x)
    if np.shape(x) != ():
        raise TypeError(f"only numbers are taken here, not an array of shape {np.shape(x)}")
    return x if np.result_type(x.dtype, np.float64) == np.float64 else cast_to(x, np.dtype(float))


def _standing_in(name: str, traced: Callable[..., Any]) -> Callable[..., Any]:
    """Python's function of plain numbers, and another one of traced ones."""
    plain = getattr(_math, name)

    @wraps(plain, assigned=("__name__", "__doc__"), updated=())
    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            if holds_tracer([*args, *kwargs.values()]):
                return traced(*args, **kwargs)
            return plain(*args, **kwargs)
        except Exception as error:
            at_entrance(error)
            raise

    function.__qualname__ = name
    function.__module__ = __name__
    if name in _EXAMPLES:  # Python's docstring of `hypot` has some
        call, result = _EXAMPLES[name]
        imports = ["import functrace as ft"] if "ft." in call else []
        imports += ["from functrace import math"]
        lines = [*(f">>> {line}" for line in (*imports, call)), result]
        function.__doc__ = "\n    ".join([f"{plain.__doc__}\n\nExample:", *lines]) + "\n"
    return function


def _log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _isclose(a: Any, b: Any, *, rel_tol: Any = 1e-09, abs_tol: Any = 0.0) -> Any:
    near = abs(a - b) <= np.maximum(rel_tol * np.maximum(abs(a), abs(b)), abs_tol)
    return np.logical_or(np.equal(a, b), np.logical_and(near, np.isfinite(a - b)))


def _gamma(x: Any) -> Any:
    x = _number(x)
    is_odd = np.logical_and(x < 0, np.not_equal(np.remainder(np.floor(x), 2), 0))
    return np.where(is_odd, -1.0, 1.0) * np.exp(bind(special.gammaln, x))


def _remainder(x: Any, y: Any) -> Any:
    return x - np.round(x / y) * y


def _hypot(*coordinates: Any) -> Any:
    return np.linalg.norm(np.stack([asarray(x) for x in coordinates]))


def _fsum(seq: Any, /) -> Any:
    return np.sum(asarray(list(seq)))


def _dist(p: Any, q: Any) -> Any:
    return np.linalg.norm(asarray(p) - asarray(q))


def _sumprod(p: Any, q: Any) -> Any:
    return np.sum(asarray(list(p)) * asarray(list(q)))


def _prod(iterable: Any, *, start: Any = 1) -> Any:
    return np.prod(asarray(list(iterable))) * start


def _frexp(x: Any) -> tuple[Any, Any]:
    mantissa, exponent = np.frexp(x)
    return mantissa, cast_to(exponent, np.dtype(np.int64))


def _of_known(name: str) -> Callable[..., float]:
    """A function of numbers that are known, whose derivative is of no use."""
    plain = getattr(_math, name)
    return lambda *args: plain(*(float(stop_gradient(x)) for x in args))


def _exactly(name: str) -> Callable[..., int]:
    """A function of integers that are known."""
    plain = getattr(_math, name)
    return lambda *args: plain(*map(operator.index, args))


def _rounded(ufunc: np.ufunc, convert: Callable[[Any], int]) -> Callable[[Any], Any]:
    """An integer: Python's where the value is known."""

    def function(x: Any) -> Any:
        is_known = not isinstance(known_value(x), Tracer)
        return convert(x) if is_known else cast_to(ufunc(x), np.dtype(np.int64))

    return function


_TRACED: dict[str, Callable[..., Any]] = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh,
    "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt,
    "copysign": np.copysign, "cos": np.cos, "cosh": np.cosh, "degrees": np.degrees,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "fabs": np.abs, "fmod": np.fmod,
    "gcd": np.gcd, "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan, "lcm": np.lcm,
    "log10": np.log10, "log1p": np.log1p, "log2": np.log2,
    "pow": np.power, "radians": np.radians, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt,
    "tan": np.tan, "tanh": np.tanh,
    "comb": _exactly("comb"), "factorial": _exactly("factorial"), "isqrt": _exactly("isqrt"),
    "perm": _exactly("perm"),
    "ceil": _rounded(np.ceil, _math.ceil), "floor": _rounded(np.floor, _math.floor),
    "trunc": _rounded(np.trunc, _math.trunc),
    "dist": _dist, "frexp": _frexp, "fsum": _fsum, "gamma": _gamma, "hypot": _hypot,
    "isclose": _isclose, "ldexp": np.ldexp, "log": _log, "modf": np.modf, "prod": _prod,
    "remainder": _remainder, "sumprod": _sumprod,
    "nextafter": _of_known("nextafter"), "ulp": _of_known("ulp"),
    "erf": lambda x: bind(special.erf, _number(x)),
    "erfc": lambda x: bind(special.erfc, _number(x)),
    "lgamma": lambda x: bind(special.gammaln, _number(x)),
    "fma": lambda x, y, z: x * y + z,
}  # fmt: skip

_EXAMPLES = {
    "acos": ("math.acos(1.0)", "0.0"),
    "acosh": ("math.acosh(1.0)", "0.0"),
    "asin": ("ft.grad(math.asin)(0.0)", "np.float64(1.0)"),
    "asinh": ("ft.grad(math.asinh)(0.0)", "np.float64(1.0)"),
    "atan": ("ft.grad(math.atan)(0.0)", "np.float64(1.0)"),
    "atan2": ("round(math.atan2(1.0, 1.0) / math.pi, 3)", "0.25"),
    "atanh": ("ft.grad(math.atanh)(0.0)", "np.float64(1.0)"),
    "cbrt": ("round(math.cbrt(27.0), 3)", "3.0"),
    "ceil": ("math.ceil(1.2), math.ceil(-1.2)", "(2, -1)"),
    "comb": ("math.comb(5, 2)", "10"),
    "copysign": ("math.copysign(3.0, -0.0)", "-3.0"),
    "cos": ("math.cos(0.0)", "1.0"),
    "cosh": ("math.cosh(0.0)", "1.0"),
    "degrees": ("math.degrees(math.pi)", "180.0"),
    "dist": ("math.dist((1.0, 1.0), (4.0, 5.0))", "5.0"),
    "erf": ("math.erf(0.0), round(math.erf(1.0), 3)", "(0.0, 0.843)"),
    "erfc": ("math.erfc(0.0), round(math.erfc(1.0), 3)", "(1.0, 0.157)"),
    "exp": ("ft.grad(math.exp)(0.0)", "np.float64(1.0)"),
    "exp2": ("math.exp2(3.0)", "8.0"),
    "expm1": ("math.expm1(1e-20)", "1e-20"),
    "fabs": ("ft.grad(math.fabs)(-3.0)", "np.float64(-1.0)"),
    "factorial": ("math.factorial(5)", "120"),
    "floor": ("math.floor(1.8), math.floor(-1.8)", "(1, -2)"),
    "fma": ("math.fma(2.0, 3.0, 4.0)", "10.0"),
    "fmod": ("math.fmod(-7.0, 3.0), -7.0 % 3.0", "(-1.0, 2.0)"),
    "frexp": ("math.frexp(12.0)", "(0.75, 4)"),
    "fsum": ("math.fsum([0.1] * 10)", "1.0"),
    "gamma": ("math.gamma(5.0)", "24.0"),
    "gcd": ("math.gcd(12, 18)", "6"),
    "isclose": ("math.isclose(0.1 + 0.2, 0.3), math.isclose(1.0, 1.1)", "(True, False)"),
    "isfinite": ("math.isfinite(1.0), math.isfinite(math.inf)", "(True, False)"),
    "isinf": ("math.isinf(-math.inf), math.isinf(math.nan)", "(True, False)"),
    "isnan": ("math.isnan(math.nan), math.isnan(math.inf)", "(True, False)"),
    "isqrt": ("math.isqrt(17)", "4"),
    "lcm": ("math.lcm(4, 6)", "12"),
    "ldexp": ("math.ldexp(0.75, 4)", "12.0"),
    "lgamma": ("round(math.exp(math.lgamma(5.0)), 3)", "24.0"),
    "log": ("ft.grad(math.log)(4.0), math.log(8.0, 2.0)", "(np.float64(0.25), 3.0)"),
    "log10": ("math.log10(1000.0)", "3.0"),
    "log1p": ("math.log1p(1e-20)", "1e-20"),
    "log2": ("math.log2(8.0)", "3.0"),
    "modf": ("math.modf(-2.5)", "(-0.5, -2.0)"),
    "nextafter": ("math.nextafter(1.0, 2.0) - 1.0 == 2.0**-52", "True"),
    "perm": ("math.perm(5, 2)", "20"),
    "pow": ("ft.grad(math.pow)(3.0, 2.0)", "np.float64(6.0)"),
    "prod": ("ft.grad(lambda x: math.prod([x, x, 5.0]))(2.0)", "np.float64(20.0)"),
    "radians": ("math.radians(180.0) == math.pi", "True"),
    "remainder": ("math.remainder(7.0, 4.0), math.fmod(7.0, 4.0)", "(-1.0, 3.0)"),
    "sin": ("ft.grad(math.sin)(0.0)", "np.float64(1.0)"),
    "sinh": ("ft.grad(math.sinh)(0.0)", "np.float64(1.0)"),
    "sqrt": ("ft.grad(math.sqrt)(4.0)", "np.float64(0.25)"),
    "sumprod": ("math.sumprod([1.0, 2.0], [3.0, 4.0])", "11.0"),
    "tan": ("ft.grad(math.tan)(0.0)", "np.float64(1.0)"),
    "tanh": ("ft.grad(math.tanh)(0.0)", "np.float64(1.0)"),
    "trunc": ("math.trunc(1.8), math.trunc(-1.8)", "(1, -1)"),
    "ulp": ("math.ulp(1.0) == 2.0**-52", "True"),
}
"""What the example of each function computes, and what it prints."""

globals().update({
    name: _standing_in(name, function)
    for name, function in _TRACED.items()
    if hasattr(_math, name)  # some are newer than others
})  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_math, name)  # what a newer Python has besides
