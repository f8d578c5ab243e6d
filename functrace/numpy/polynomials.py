"""Polynomials as NumPy's functions in its own namespace have them: the highest power comes first.

Some of NumPy's results have a length that depends on the values: it leaves zeros out in front of
the highest power. So these functions do where values are known. Where they are not, coefficients
are taken for what they are in general, not zero: a product has all its coefficients, a quotient
leaves a remainder of the divisor's degree less one, and a polynomial has as many roots as its shape
says.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from functrace.matrices.roots import roots as roots_primitive
from functrace.numpy.making import array, holds_tracer
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.implementing import implements
from functrace.tracing.numpy_warnings import warn
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import lies_as


class poly1d(np.poly1d):  # noqa: N801  (NumPy's name)
    """As `numpy.poly1d`, which holds traced coefficients too, and here takes them as a list.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda t: ft.numpy.poly1d([t, 1.0])(3.0))(2.0)
        np.float64(3.0)
    """

    def __init__(self, c_or_r: Any, r: bool = False, variable: str | None = None) -> None:
        super().__init__(array(c_or_r) if holds_tracer(c_or_r) else c_or_r, r, variable)


def _array_of(x: Any) -> Any:
    return x.coeffs if isinstance(x, np.poly1d) else x


def _coefficients(x: Any) -> Any:
    return np.atleast_1d(as_operand(_array_of(x)))


def _as_given(result: Any, *given: Any) -> Any:
    """A polynomial in the class of what it was computed from."""
    return np.poly1d(result) if any(isinstance(x, np.poly1d) for x in given) else result


def without_leading_zeros(x: Any) -> Any:
    """Coefficients without zeros in front, of which one is left; as they are if unknown."""
    known = known_value(x)
    if not len(x):
        return np.zeros(1, dtype_of(x))
    if isinstance(known, Tracer):
        return x
    places = np.flatnonzero(known)
    return x[int(places[0]) if len(places) else len(known) - 1 :]


def _both_in_length(a: Any, b: Any) -> tuple[Any, Any]:
    length = max(len(a), len(b))
    return tuple(
        x if len(x) == length else np.concatenate([np.zeros(length - len(x), dtype_of(x)), x])
        for x in (a, b)
    )  # pyright: ignore[reportReturnType]


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """As `numpy.polyadd`."""
    return _as_given(np.add(*_both_in_length(_coefficients(a1), _coefficients(a2))), a1, a2)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """As `numpy.polysub`."""
    return _as_given(np.subtract(*_both_in_length(_coefficients(a1), _coefficients(a2))), a1, a2)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """As `numpy.polymul`."""
    factors = (without_leading_zeros(_coefficients(x)) for x in (a1, a2))
    return _as_given(np.convolve(*factors), a1, a2)


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """As `numpy.polydiv`."""
    rest, divisor = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    sample = rest[0] + divisor[0]
    dtype, is_known = dtype_of(sample), not isinstance(known_value(sample), Tracer)
    rest, scale = cast_to(rest, dtype), 1.0 / divisor[0]
    steps = len(rest) - len(divisor) + 1
    quotient: list[Any] = []
    cancelled: list[Any] = []
    for _ in range(steps):
        factor = scale * rest[0]
        quotient.append(factor)
        rest = rest - factor * np.pad(divisor, (0, len(rest) - len(divisor)))
        cancelled.append(rest[0])
        rest = rest[1:]
    result = np.stack(quotient) if quotient else np.zeros(1, dtype)
    if not len(rest):
        rest = np.zeros(1, dtype)
        cancelled = cancelled[:-1]
    if cancelled and is_known:
        rest = np.concatenate([np.stack(cancelled), rest])  # zeros, but for rounding
    if is_known:
        large = np.flatnonzero(~np.isclose(known_value(rest), 0, rtol=1e-14))
        rest = rest[int(large[0]) if len(large) else len(rest) - 1 :]
    return _as_given(result, u, v), _as_given(rest, u, v)


@implements(np.polyder)
def polyder(p: Any, m: Any = 1) -> Any:
    """As `numpy.polyder`."""
    order = operator.index(known_value(m))
    if order < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    result = as_operand(_array_of(p))
    for power in range(len(result) - 1, len(result) - 1 - order, -1):
        result = result[:-1] * np.arange(power, 0, -1)
    return _as_given(result, p)


@implements(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    """As `numpy.polyint`, with traced constants too."""
    order = operator.index(known_value(m))
    if order < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = (
        np.zeros(order)
        if k is None
        else np.atleast_1d(array(k) if holds_tracer(k) else np.asarray(k))
    )
    if len(constants) == 1 and order > 1:
        constants = np.repeat(constants, order)
    if len(constants) < order:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    result = as_operand(_array_of(p))
    for number in range(order):
        powers = np.arange(len(result), 0, -1)
        result = np.concatenate([result / powers, constants[number : number + 1]])
    return _as_given(result, p)


@implements(np.polyval)
@lies_as(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """As `numpy.polyval`, by Horner's scheme."""
    p, x = as_operand(p), as_operand(x)
    total = np.zeros_like(x)
    for coefficient in p:
        total = total * x + coefficient
    return total


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.vander`."""
    x = as_operand(x)
    if len(shape_of(x)) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = len(x) if N is None else operator.index(known_value(N))
    dtype = np.promote_types(dtype_of(x), int)
    if count <= 0:
        return np.empty((len(x), count), dtype)
    x = cast_to(x, dtype)
    columns = [np.ones_like(x)]
    while len(columns) < count:
        columns.append(columns[-1] * x if len(columns) > 1 else x)
    return np.stack(columns if increasing else columns[::-1], axis=1)


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """As `numpy.poly`; of complex zeros that are not known the coefficients are complex."""
    zeros = np.atleast_1d(as_operand(seq_of_zeros))
    shape = shape_of(zeros)
    if len(shape) == 2 and shape[0] == shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif len(shape) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    else:
        zeros = cast_to(zeros, np.dtype(np.mintypecode(dtype_of(zeros).char)))
    if not len(zeros):
        return 1.0
    result = np.ones(1, dtype_of(zeros))
    for number in range(len(zeros)):
        result = np.pad(result, (0, 1)) - zeros[number] * np.pad(result, (1, 0))
    known = known_value(zeros)
    if dtype_of(zeros).kind != "c" or isinstance(known, Tracer):
        return result
    is_real = np.all(np.sort(known) == np.sort(np.conj(known)))
    return np.real(result) if is_real else result


@implements(np.roots)
def roots(p: Any) -> Any:
    """As `numpy.roots`; complex where the coefficients are not known.

    Roots that are equal, within rounding, have the derivative nan.
    """
    p = np.atleast_1d(as_operand(p))
    if len(shape_of(p)) != 1:
        raise ValueError("Input must be a rank-1 array.")
    p, known = _in_floats(p), known_value(p)
    leading = 0
    if not isinstance(known, Tracer):
        places = np.flatnonzero(known)
        leading = int(places[0]) if len(places) else len(p)
    if len(p) < leading + 2:
        return np.array([])
    found = bind(roots_primitive, p, leading=leading)
    if dtype_of(p).kind == "c" or isinstance(known, Tracer):
        return found
    return np.real(found) if np.all(known_value(found).imag == 0) else found


def _in_floats(x: Any) -> Any:
    return x if dtype_of(x).kind in "fc" else cast_to(x, np.dtype(np.float64))


# Fits


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """As `numpy.polyfit`, of points and weights that may be traced."""
    order = int(known_value(deg)) + 1
    x, y = as_operand(x) + 0.0, as_operand(y) + 0.0
    if order < 1:
        raise ValueError("expected deg >= 0")
    require_points(x, y)
    lhs = np.vander(x, order)
    kinds = [dtype_of(part).kind for part in (lhs, y)]
    if w is not None and dtype_of(as_operand(w)).kind == "c" and kinds != ["c", "c"]:
        raise TypeError("complex weights are for complex points alone")
    scale, solved = scaled_least_squares(lhs, y, w, _default_tolerance(x, rcond))
    coefficients, residuals, rank, values = solved
    coefficients = (coefficients.T / scale).T
    warn_of_rank(rank, order, full, "Polyfit may be poorly conditioned")
    if full:
        return coefficients, residuals, rank, values, _default_tolerance(x, rcond)
    if not cov:
        return coefficients
    weighted = weighted_rows(lhs, w) / scale
    base = np.linalg.inv(weighted.T @ weighted) / np.outer(scale, scale)
    factor: Any = 1
    if not (isinstance(cov, str) and cov == "unscaled"):
        if len(x) <= order:
            raise ValueError(
                "the number of data points must exceed order to scale the covariance matrix"
            )
        factor = residuals / (len(x) - order)
    return coefficients, (base if y.ndim == 1 else base[:, :, None]) * factor


def _default_tolerance(x: Any, rcond: Any) -> Any:
    return len(x) * np.finfo(dtype_of(x)).eps if rcond is None else rcond


def require_points(x: Any, y: Any) -> None:
    """Raise where numbers are no points that a polynomial can be fitted to."""
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if not len(x):
        raise TypeError("expected non-empty vector for x")
    if not 1 <= y.ndim <= 2:
        raise TypeError("expected 1D or 2D array for y")
    if len(x) != len(y):
        raise TypeError("expected x and y to have same length")


def weighted_rows(rows: Any, w: Any) -> Any:
    """Rows times their weights, if there are some."""
    if w is None:
        return rows
    w = as_operand(w) + 0.0
    if w.ndim != 1:
        raise TypeError("expected a 1-d array for weights")
    if len(w) != len(rows):
        raise TypeError("expected w and y to have the same length")
    return rows * (w if rows.ndim == 1 else w[:, None])


def scaled_least_squares(lhs: Any, y: Any, w: Any, rcond: Any) -> tuple[Any, Any]:
    """The lengths of the columns, and what `numpy.linalg.lstsq` gives for columns of length 1."""
    lhs = weighted_rows(lhs, w)
    scale = np.sqrt(np.sum(np.real(lhs) ** 2 + np.imag(lhs) ** 2, axis=0))
    scale = np.where(np.equal(scale, 0), np.ones_like(scale), scale)
    return scale, np.linalg.lstsq(lhs / scale, weighted_rows(y, w), rcond)


def warn_of_rank(rank: Any, order: int, full: bool, message: str) -> None:
    """Warn, as NumPy does, of a fit whose rank is known and not full."""
    rank = known_value(rank)
    if not (full or isinstance(rank, Tracer) or rank == order):
        warn(message, np.exceptions.RankWarning)
