"""Special functions: elementwise functions that SciPy has and NumPy has not.

They need no SciPy. Where SciPy is installed, its own ufuncs of the same names mean these
primitives on tracers.

Where an argument is 0 the product ``x * log(y)`` is 0 by definition, whatever the logarithm is,
and so is its derivative by ``y``.

Definitions: SciPy's documentation of ``scipy.special``. The error function: Cody, Rational
Chebyshev approximations for the error function, Math. Comp. 23 (1969); where its inverse begins:
Giles, Approximating the erfinv function, GPU Computing Gems 2 (2011); for complex numbers:
Weideman, Computation of the complex error function, SIAM J. Numer. Anal. 31 (1994). Derivatives
of the gamma function: Abramowitz and Stegun, Handbook of Mathematical Functions, chapters 6 and 23.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from functrace.errors import MissingPackageError
from functrace.ir.primitive import all_primitives
from functrace.ir.types import WEAK_DTYPES
from functrace.primitives.broadcasting import Elementwise, PartialMap
from functrace.primitives.elementwise import over_both, sigmoid
from functrace.primitives.zero_products import product_or_zero, quotient_or_zero
from functrace.tracing.optional import scipy_module
from functrace.tracing.tables import NAMED_UFUNCS
from functrace.tracing.tracer import bind


class Functions:
    """Special functions, SciPy's among them, under their names: ``f.jv(v - 1, x)``."""

    def __init__(self) -> None:
        self._known: dict[str, Callable[..., Any]] = {}

    def enter(self, name: str, primitive: Elementwise) -> None:
        """Let a name mean a primitive."""
        self._known[name] = partial(bind, primitive)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        all_primitives()
        try:
            return self._known[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Any:
        return iter(self._known)


f = Functions()


class Loops:
    """The dtypes that a ufunc of SciPy's computes with, and how it chooses among them.

    It takes the loop for exactly these dtypes, or else the first one to which all inputs can be
    cast safely. In place of a `numpy.ufunc` it tells `Elementwise` the dtype of the output.

    Args:
        types: The loops in SciPy's order, as in `numpy.ufunc.types`.
    """

    nout = 1

    def __init__(self, types: str) -> None:
        self.types = types
        self.nin = types.index("->")
        self.loops = [[np.dtype(x) for x in loop.replace("->", "")] for loop in types.split()]

    def resolve_dtypes(self, operands: Sequence[Any]) -> Sequence[np.dtype[Any]]:
        """The dtypes of inputs and output for inputs of dtypes or Python's types.

        Raises:
            TypeError: No loop takes these inputs.
        """
        given = list(operands[: self.nin])
        for loop in self.loops:
            if given == loop[:-1]:  # one of Python's types equals the dtype that it stands for
                return loop
        # A number of Python's is cast as one of the others' dtype, if that has its kind.
        strong = [x for x in given if isinstance(x, np.dtype)]
        found = [x if isinstance(x, np.dtype) else np.result_type(x(0), *strong) for x in given]
        for dtypes in (found, [np.dtype(x) for x in given]):
            for loop in self.loops:
                if all(np.can_cast(x, to) for x, to in zip(dtypes, loop, strict=False)):
                    return loop
        raise TypeError(f"no loop of {self.types} takes {', '.join(x.name for x in found)}")

    def adapted(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """A function of arrays of these dtypes for whatever can be cast to them."""

        def run(*inputs: Any) -> Any:
            operands = [type(x) if type(x) in WEAK_DTYPES else x.dtype for x in inputs]
            *dtypes, dtype = self.resolve_dtypes(operands)
            cast = (np.asarray(x, to) for x, to in zip(inputs, dtypes, strict=True))
            return np.asarray(f(*cast)).astype(dtype, copy=False)[()]

        return run


_REAL, _FROM_SINGLE = Loops("d->d f->f g->g"), Loops("f->f d->d")
_COMPLEX, _COMPLEX_PAIR = Loops("d->d f->f D->D F->F"), Loops("dd->d ff->f DD->D FF->F")
_PAIR_FROM_SINGLE = Loops("ff->f dd->d")


def _of_loops(
    name: str, loops: Loops, *partials: PartialMap, run: Any, **traits: Any
) -> Elementwise:
    ufunc: Any = loops
    if not traits.get("is_bounded"):
        traits["takes_infinity"] = True
    return Elementwise(name, ufunc, *partials, run=loops.adapted(run), is_fresh=True, **traits)


def _of_name(
    name: str, loops: Loops, *partials: PartialMap, run: Any, **traits: Any
) -> Elementwise:
    """The primitive that SciPy's ufunc of this name means on tracers."""
    primitive = _of_loops(name, loops, *partials, run=run, **traits)
    NAMED_UFUNCS[name] = primitive
    return primitive


expit = _of_name(
    "expit", _REAL, lambda t, out, x: t * (out * (1 - out)), run=sigmoid.run, is_bounded=True
)


def _run_logit(x: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):  # -inf at 0, inf at 1, nan outside
        far = np.log(x / (1 - x))
        # Near 1/2 this is the logarithm of a number near 1, which loses digits.
        near = np.log1p((x - 0.5) / (0.5 * (1 - x)))
    return np.where(np.abs(x - 0.5) < 0.2, near, far)[()]


logit = _of_name("logit", _REAL, lambda t, out, x: over_both(t, x, 1 - x), run=_run_logit)


def _run_log_expit(x: Any) -> Any:
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


log_expit = _of_name("log_expit", _REAL, lambda t, out, x: t * bind(expit, -x), run=_run_log_expit)


def _zero_where_first_is(x: Any, y: Any, value: Any) -> Any:
    """The value, and zero where x is zero and y is a number."""
    zero = np.logical_and(np.equal(x, 0), np.logical_not(np.isnan(y)))
    return np.where(zero, 0.0, value)[()]


def _run_xlogy(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _zero_where_first_is(x, y, x * np.log(np.true_divide(y, 1)))


xlogy = _of_name(
    "xlogy",
    _COMPLEX_PAIR,
    lambda t, out, x, y: product_or_zero(t, np.log(y)),
    lambda t, out, x, y: quotient_or_zero(t * x, y),
    run=_run_xlogy,
)


def _log1p(y: Any) -> Any:
    if y.dtype.kind != "c":
        return np.log1p(y)
    # NumPy's own loses digits of complex numbers near zero.
    size = np.log1p(y.real * (2 + y.real) + y.imag * y.imag) / 2
    near = size + 1j * np.arctan2(y.imag, 1 + y.real)
    return np.where(np.abs(y) < 0.5, near, np.log1p(y))


def _run_xlog1py(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _zero_where_first_is(x, y, x * _log1p(y))


xlog1py = _of_name(
    "xlog1py",
    _COMPLEX_PAIR,
    lambda t, out, x, y: product_or_zero(t, np.log1p(y)),
    lambda t, out, x, y: quotient_or_zero(t * x, 1 + y),
    run=_run_xlog1py,
)


def _run_entr(x: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(np.equal(x, 0), 0.0, -(x * np.log(x)))
    return np.where(np.less(x, 0), -np.inf, inside)[()]


entr = _of_name(
    "entr", _FROM_SINGLE, lambda t, out, x: -product_or_zero(t, np.log(x) + 1), run=_run_entr
)


def _run_rel_entr(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        ratio = np.true_divide(x, y)
        is_usual = np.isfinite(ratio) & (ratio >= np.finfo(ratio.dtype).tiny)
        # Near 1 the ratio loses digits; far from it, it overflows where the logarithms do not.
        is_near = (ratio > 0.5) & (ratio < 2)
        far = np.where(is_usual, np.log(ratio), np.log(x) - np.log(y))
        value = x * np.where(is_near, np.log1p(np.true_divide(np.subtract(x, y), y)), far)
    inside = np.logical_and(np.greater(x, 0), np.greater(y, 0))
    at_zero = np.logical_and(np.equal(x, 0), np.greater_equal(y, 0))
    result = np.where(inside, value, np.where(at_zero, 0.0, np.inf))
    is_nan = np.logical_or(np.isnan(x), np.isnan(y))
    return np.where(is_nan, np.nan, result).astype(ratio.dtype)[()]


rel_entr = _of_name(
    "rel_entr",
    _PAIR_FROM_SINGLE,
    lambda t, out, x, y: product_or_zero(t, np.log(x) - np.log(y) + 1),
    lambda t, out, x, y: -quotient_or_zero(t * x, y),
    run=_run_rel_entr,
)

# The error function

_NEAR = (  # erf(x) / x for |x| below 0.46875, by x**2
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (  # erfc(x) * exp(x**2) for x up to 4, by x
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_FAR = (  # (1 / sqrt(pi) - x * erfc(x) * exp(x**2)) * x**2 for larger x, by 1 / x**2
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
_INVERSE_NEAR = (  # erfinv(x) / x, by w - 2.5 for w = -log(1 - x**2) below 5
    2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3,
    -4.17768164e-3, 2.46640727e-1, 1.50140941,
)  # fmt: skip
_INVERSE_FAR = (  # the same by sqrt(w) - 3 for larger w
    -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3,
    9.43887047e-3, 1.00167406, 2.83297682,
)  # fmt: skip
_HALF_ROOT_PI = math.sqrt(math.pi) / 2


def _quotient(x: Any, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Any:
    above, below = coefficients
    return np.polyval(above, x) / np.polyval(below, x)


def _exp_of_minus_square(x: Any) -> Any:
    """``exp(-x**2)`` without the rounding of the square."""
    short = np.trunc(x * 16) / 16
    return np.exp(-short * short) * np.exp(-(x - short) * (x + short))


def _complement(size: Any) -> Any:
    """The complement for numbers above 0.46875."""
    inner, outer = np.minimum(size, 4.0), np.clip(size, 4.0, 1e10)
    inverse = 1 / (outer * outer)
    far = (0.5 / _HALF_ROOT_PI - inverse * _quotient(inverse, _FAR)) / outer
    with np.errstate(under="ignore"):
        scale = _exp_of_minus_square(np.minimum(size, 30.0))  # which is 0 from 27.3 on
        return scale * np.where(size <= 4, _quotient(inner, _MIDDLE), far)


def _in_double(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function of real or complex numbers computed in double precision."""

    def run(x: Any) -> Any:
        return f(np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64))

    return run


def _faddeeva_coefficients(count: int) -> tuple[float, Any]:
    """The parameter and the coefficients of Weideman's expansion."""
    length = math.sqrt(count / math.sqrt(2))
    angles = np.arange(1 - 2 * count, 2 * count) * (math.pi / (2 * count))
    t = length * np.tan(angles / 2)
    values = np.concatenate([[0.0], np.exp(-t * t) * (length * length + t * t)])
    transformed = np.fft.fft(np.fft.fftshift(values)).real / (4 * count)
    return length, transformed[1 : count + 1][::-1]


@cache
def _expansion() -> tuple[float, Any]:
    return _faddeeva_coefficients(64)


def _faddeeva(z: Any) -> Any:
    """``exp(-z**2) * erfc(-1j * z)`` in the upper half plane (Weideman 1994)."""
    length, coefficients = _expansion()
    divisor = length - 1j * z
    ratio = (length + 1j * z) / divisor
    return (2 * np.polyval(coefficients, ratio) / divisor + 0.5 / _HALF_ROOT_PI) / divisor


def _erfc_right(z: Any) -> Any:
    """The complement for complex numbers whose real part is not negative."""
    x, y = z.real, z.imag
    scale = np.exp((y - x) * (y + x)) * (np.cos(2 * x * y) - 1j * np.sin(2 * x * y))
    return scale * _faddeeva(1j * z)


def _complex_erfc(z: Any) -> Any:
    is_left = z.real < 0
    right = _erfc_right(np.where(is_left, -z, z))
    return np.where(is_left, 2 - right, right)


def _complex_erf(z: Any) -> Any:
    """Near zero by Taylor's series, elsewhere by the complement."""
    near = np.where(np.abs(z) < 1.5, z, 0)
    square, term, total = near * near, near, near
    for k in range(1, 40):
        term = term * (-square / k)
        total = total + term / (2 * k + 1)
    right = np.where(z.real < 0, -z, z)
    far = 1 - _erfc_right(right)
    far = np.where(z.real < 0, -far, far)
    far = np.where(z.real == 0, 1j * far.imag, far)
    return np.where(np.abs(z) < 1.5, total / _HALF_ROOT_PI, far)


@_in_double
def _run_erf(x: Any) -> Any:
    if x.dtype.kind == "c":
        return _complex_erf(x)
    size = np.abs(x)
    near = x * _quotient(np.minimum(size, 0.5) ** 2, _NEAR)
    far = np.copysign(1 - _complement(np.maximum(size, 0.4)), x)
    return np.where(size <= 0.46875, near, far)


@_in_double
def _run_erfc(x: Any) -> Any:
    if x.dtype.kind == "c":
        return _complex_erfc(x)
    size = np.abs(x)
    near = 1 - x * _quotient(np.minimum(size, 0.5) ** 2, _NEAR)
    far = _complement(np.maximum(size, 0.4))
    return np.where(size <= 0.46875, near, np.where(x < 0, 2 - far, far))


@_in_double
def _run_erfinv(x: Any) -> Any:
    size = np.abs(x)
    inner = np.where(size < 1, size, 0.0)
    w = -np.log1p(-inner) - np.log1p(inner)
    near, far = np.minimum(w, 5.0) - 2.5, np.sqrt(np.maximum(w, 5.0)) - 3
    found = inner * np.where(w < 5, np.polyval(_INVERSE_NEAR, near), np.polyval(_INVERSE_FAR, far))
    # Beyond single precision: erfc(x) is about exp(-x**2) / (x * sqrt(pi)).
    log = -np.log1p(-np.maximum(inner, 0.9))
    tail = np.sqrt(log - np.log(2 * _HALF_ROOT_PI * np.sqrt(log)))
    found = np.where(w < 14, found, tail)
    for _ in range(3):  # Halley's steps; near 1 by the complement, which keeps its digits
        miss = np.where(inner < 0.5, _run_erf(found) - inner, (1 - inner) - _run_erfc(found))
        step = miss * _HALF_ROOT_PI * np.exp(found * found)
        found = found - step / (1 + found * step)
    outside = np.where(size == 1, np.inf, np.nan)
    return np.copysign(np.where(size < 1, found, outside), x)


erf = _of_name(
    "erf", _COMPLEX, lambda t, out, x: t * (np.exp(-(x * x)) / _HALF_ROOT_PI), run=_run_erf
)
erfc = _of_name(
    "erfc", _COMPLEX, lambda t, out, x: t * (np.exp(-(x * x)) / -_HALF_ROOT_PI), run=_run_erfc
)
erfinv = _of_name(
    "erfinv",
    _FROM_SINGLE,
    lambda t, out, x: t * (np.exp(out * out) * _HALF_ROOT_PI),
    run=_run_erfinv,
)
ndtr = _of_name(
    "ndtr",
    _COMPLEX,
    lambda t, out, x: t * (np.exp(-0.5 * (x * x)) * (math.sqrt(0.125) / _HALF_ROOT_PI)),
    run=_in_double(lambda x: 0.5 * _run_erfc(x * -math.sqrt(0.5))),
)

# The gamma function


@np.vectorize
def _log_gamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except ValueError:  # a pole
        return math.inf


@cache
def _of_scipy(name: str) -> Any:
    """SciPy's function, which is faster and takes complex numbers; None without SciPy."""
    try:
        return getattr(scipy_module("special", name), name)
    except MissingPackageError:
        return None


def run_gammaln(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function of an array."""
    function = _of_scipy("gammaln")
    if function is not None:
        return function(x)
    return _log_gamma(x) if x.size else x.copy()


def run_digamma(x: Any) -> Any:
    """The derivative of `run_gammaln`, of complex numbers by SciPy only."""
    function = _of_scipy("digamma")
    if function is not None:
        return function(x)
    if x.dtype.kind == "c":
        scipy_module("special", "digamma of complex numbers")
    x = x.astype(np.float64)
    is_left = x <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        reflected = np.where(is_left, np.pi / np.tan(np.pi * x), 0)
        y = np.where(is_left, 1 - x, x)
        total = np.zeros_like(y)
        for _ in range(10):
            is_small = y < 10
            total = total - np.where(is_small, 1 / y, 0)
            y = np.where(is_small, y + 1, y)
        square = 1 / (y * y)
        series = np.polyval([-691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12, 0], square)
        found = total + np.log(y) - 0.5 / y - series - reflected
    return np.where(is_left & (x == np.floor(x)), np.nan, found)


def run_hurwitz_zeta(s: Any, x: Any) -> Any:
    """The sum of ``(x + k)**-s`` over all k (DLMF 25.11.5), for real s and real or complex x."""
    s, x = np.broadcast_arrays(s, x)
    x = np.where(np.real(x) > -1000, x, np.nan)  # or the recurrence would take too long
    total = np.zeros_like(x)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        while (np.real(x) < 12).any():  # by the recurrence, up to where the series is exact
            is_near = np.real(x) < 12
            total = total + np.where(is_near, x**-s, 0)
            x = np.where(is_near, x + 1, x)
        found = total + x ** (1 - s) / (s - 1) + x**-s / 2
        term = s * x ** (-s - 1)
        for k, number in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160), 1):
            found = found + number * term
            term = term * (s + 2 * k - 1) * (s + 2 * k) / (x * x)
    return found


_WITH_COMPLEX = Loops("d->d D->D f->f F->F")
_ORDER_AND_COMPLEX = Loops("dd->d ff->f dD->D fF->F")

digamma = _of_name(
    "digamma",
    _WITH_COMPLEX,
    lambda t, out, x: t * bind(hurwitz_zeta, 2.0, x),
    run=run_digamma,
)
NAMED_UFUNCS["psi"] = NAMED_UFUNCS.pop("digamma")  # SciPy's own name of it
hurwitz_zeta = _of_loops(
    "hurwitz_zeta",
    _ORDER_AND_COMPLEX,
    lambda t, out, s, x: t * np.nan,  # the order is a number of derivatives
    lambda t, out, s, x: t * (-s * bind(hurwitz_zeta, s + 1.0, x)),
    run=run_hurwitz_zeta,
)
gammaln = _of_name(
    "gammaln", Loops("d->d f->f"), lambda t, out, x: t * bind(digamma, x), run=run_gammaln
)
