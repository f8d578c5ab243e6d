"""Functions of each element that are no ufuncs, or ufuncs made of other ones."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from functrace.ir.types import result_dtype, type_of
from functrace.primitives.broadcasting import ufunc_dtype
from functrace.primitives.elementwise import (
    angle_primitive,
    complex_of,
    imag,
    real,
    round_primitive,
    select,
    sign_primitive,
)
from functrace.primitives.linear import (
    as_array,
    as_scalar,
    cast_to,
    dtype_of,
    known_choice,
)
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.numpy_warnings import warn
from functrace.tracing.operands import as_operand, strong_operand
from functrace.tracing.refusals import CLOSE, POSITIONS
from functrace.tracing.tables import NAMED_UFUNCS, UFUNCS
from functrace.tracing.tracer import Tracer, bind
from functrace.tracing.views import lies_as


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """As `numpy.astype`; without a copy, an array that has the dtype is itself the result."""
    if not copy and isinstance(x, Tracer) and x.dtype == np.dtype(dtype) and not x.type.weak:
        return x
    if dtype_of(x).kind == "c" and np.dtype(dtype).kind in "iuf":
        warn(
            "Casting complex values to real discards the imaginary part",
            np.exceptions.ComplexWarning,
        )
    return cast_to(x, np.dtype(dtype))


def require_castable(source: np.dtype[Any], target: Any, casting: Any) -> None:
    """Raise NumPy's error where a rule of casting does not lead from one dtype to another."""
    if not np.can_cast(source, target, casting):
        raise TypeError(
            f"Cannot cast array data from {source!r} to {np.dtype(target)!r} according to the "
            f"rule {casting!r}"
        )


# Choices


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """As `numpy.where` with three arguments; with one, the condition's value must be known."""
    if x is None and y is None:
        what = "The condition of np.where without x and y"
        return np.nonzero(known_choice(condition, what, POSITIONS))
    if x is None or y is None:
        raise ValueError(
            "either both or neither of x and y should be given: write np.where(condition, x, 0.0) "
            "in place of np.where(condition, x)"
        )
    return bind(
        select,
        as_operand(condition),
        x if type(x) is Tracer else as_operand(x),
        y if type(y) is Tracer else as_operand(y),
    )


NAMED_UFUNCS["clip"] = np.clip  # of ``array.clip(t, u)``


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    """As `numpy.clip`; at a bound the derivative is shared with the bound, as by `maximum`."""
    if isinstance(out, Tracer):
        return out.receive(clip(a, a_min, a_max, min=min, max=max))
    reject_out(out)
    a = strong_operand(a)
    lower = a_min if min is None else min
    upper = a_max if max is None else max
    dtype = dtype_of(a)
    if dtype.kind in "iu":  # bounds outside of what the dtype holds bound nothing
        limits = np.iinfo(dtype)
        lower = None if type(lower) is int and lower <= limits.min else lower
        upper = None if type(upper) is int and upper >= limits.max else upper
    bounds = [bound for bound in (lower, upper) if bound is not None]
    if not bounds:
        return np.positive(a)
    common = result_dtype(type_of(a), *map(type_of, map(as_operand, bounds)))
    a = a if dtype == common else cast_to(a, common)
    if lower is not None:
        a = np.maximum(a, lower)
    return a if upper is None else np.minimum(a, upper)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """As `numpy.nan_to_num`; what is replaced has derivative zero."""
    kind = dtype_of(x).kind
    if kind == "c":
        parts = (np.nan_to_num(part(x), True, nan, posinf, neginf) for part in (np.real, np.imag))
        result = bind(complex_of, *parts)
    elif kind == "f":
        limits = np.finfo(dtype_of(x))
        result = np.where(np.isnan(x), nan, x)
        result = np.where(x == np.inf, limits.max if posinf is None else posinf, result)
        result = np.where(x == -np.inf, limits.min if neginf is None else neginf, result)
        result = as_scalar(cast_to(result, dtype_of(x)))
    else:
        result = as_scalar(strong_operand(x).copy())
    if copy:
        return result
    x[...] = result
    return x


# Parts of complex numbers


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """As `numpy.real_if_close`, of known values or real ones."""
    a = as_operand(a)
    dtype = dtype_of(a)
    if dtype.kind == "c":
        values = known_choice(a, "The input of real_if_close", CLOSE, "dtype")
        is_close = np.real_if_close(values, tol).dtype.kind != "c"
        a = np.real(a) if is_close else a
    return a if np.ndim(a) else as_array(a)


@implements(np.real)
def real_part(val: Any) -> Any:
    """As `numpy.real`; of True it is the number 1, as in Python."""
    kind = dtype_of(val).kind
    if kind == "c":
        return bind(real, val)
    return val + 0 if kind == "b" and type_of(val).weak else val


@implements(np.imag)
@lies_as(np.imag)
def imaginary_part(val: Any) -> Any:
    """As `numpy.imag`."""
    kind = dtype_of(val).kind
    if kind == "c":
        return bind(imag, val)
    if type_of(val).weak:
        return 0.0 if kind == "f" else 0
    zeros = np.zeros_like(val)
    # A view of that kind cannot be written, and NumPy's result cannot: the write would be lost.
    return np.broadcast_to(zeros, zeros.shape) if val.is_array else as_scalar(zeros)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """As `numpy.angle`."""
    z = strong_operand(z)
    radians = bind(angle_primitive, z) if dtype_of(z).kind == "c" else np.arctan2(0, z)
    return np.rad2deg(radians) if deg else radians


# Infinite values


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """As `numpy.isposinf`."""
    reject_out(out)
    return np.logical_and(np.isinf(x), np.logical_not(np.signbit(_ordered(x))))


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """As `numpy.isneginf`."""
    reject_out(out)
    return np.logical_and(np.isinf(x), np.signbit(_ordered(x)))


def _ordered(x: Any) -> Any:
    """Numbers of which one may be less than another one."""
    dtype = dtype_of(as_operand(x))
    if dtype.kind == "c":
        raise TypeError(
            f"This operation is not supported for {dtype} values because it would be ambiguous."
        )
    return x


# Arithmetic and rounding


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """As `numpy.fix`."""
    reject_out(out)
    return np.trunc(x)


def float_power(x: Any, y: Any) -> Any:
    """As `numpy.float_power`: a power computed in double precision."""
    dtype = ufunc_dtype(np.float_power, (dtype_of(x), dtype_of(y)))
    return cast_to(x, dtype) ** cast_to(y, dtype)


UFUNCS[np.float_power] = float_power


def sign(x: Any) -> Any:
    """As `numpy.sign`; of a complex number ``z / abs(z)``, which does have a derivative.

    It is 0 at zero and at infinity.
    """
    if dtype_of(x).kind != "c":
        return bind(sign_primitive, x)
    length = np.abs(x)
    ordinary = np.logical_and(length > 0, length < math.inf)
    safe = np.where(ordinary, x, 1)
    return as_scalar(np.where(ordinary, safe / np.abs(safe), bind(sign_primitive, x)))


UFUNCS[np.sign] = sign


@implements(np.round, np.around)
def round_to(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """As `numpy.round`."""
    reject_out(out)
    return bind(round_primitive, a, decimals=operator.index(decimals))
