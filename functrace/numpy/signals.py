"""Signals: convolution, the cardinal sine, windows, and phases without jumps."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.types import WEAK_KINDS, type_of
from functrace.primitives.linear import as_array, cast_to, dtype_of, shape_of, stop_gradient
from functrace.primitives.signals import correlate as correlate_primitive
from functrace.primitives.signals import correlated
from functrace.primitives.signals import i0 as i0_primitive
from functrace.primitives.signals import sinc as sinc_primitive
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand, strong_operand
from functrace.tracing.tracer import bind

# Convolution

_MODES = ("valid", "same", "full")


def _mode(mode: Any) -> str:
    """A mode by its name, or by the number that NumPy's C code has for it."""
    if isinstance(mode, str):
        if mode in _MODES:
            return mode
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    number = operator.index(mode)
    if not 0 <= number <= 2:
        raise ValueError("integer convolve/correlate mode must be 0, 1, or 2")
    return _MODES[number]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """As `numpy.convolve`."""
    a, v = np.atleast_1d(as_operand(a)), np.atleast_1d(as_operand(v))
    if np.ndim(a) > 1 or np.ndim(v) > 1:
        raise ValueError("object too deep for desired array")
    if shape_of(a) == (0,):
        raise ValueError("a cannot be empty")
    if shape_of(v) == (0,):
        raise ValueError("v cannot be empty")
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    return bind(correlate_primitive, a, np.flip(v), mode=_mode(mode))


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """As `numpy.correlate`, which takes the conjugate of the second signal."""
    a, v = strong_operand(a), strong_operand(v)
    for x, which in ((a, "first"), (v, "second")):
        if np.ndim(x) != 1:
            raise ValueError(f"the {which} array has {np.ndim(x)} axes; correlate takes one each")
        if shape_of(x) == (0,):
            raise ValueError(f"{which} array argument cannot be empty")
    return correlated(a, np.conjugate(v) if dtype_of(v).kind == "c" else v, _mode(mode))


# Functions of each element


def _in_double(x: Any) -> Any:
    """Integers and booleans as doubles."""
    x = strong_operand(x)
    return x if dtype_of(x).kind in "fc" else cast_to(x, np.dtype(np.float64))


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """As `numpy.sinc`."""
    return bind(sinc_primitive, _in_double(x))


@implements(np.i0)
def i0(x: Any) -> Any:
    """As `numpy.i0`, whose results are arrays even of numbers."""
    x = _in_double(x)
    if dtype_of(x).kind == "c":
        raise TypeError("i0 not supported for complex values")
    result = bind(i0_primitive, x)
    return result if shape_of(x) else as_array(result)


@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.kaiser`, where the shape of the window may be traced."""
    if np.ndim(beta):
        raise ValueError(f"beta is one number, and no array of shape {np.shape(beta)}")
    beta = cast_to(beta, np.result_type(dtype_of(as_operand(beta)), np.float64))
    if M == 1:
        return np.ones_like(beta, shape=(1,))
    middle = (M - 1) / 2.0
    place = (np.arange(0, M) - middle) / middle
    return np.i0(beta * np.sqrt(1 - place**2.0)) / np.i0(beta)


# Phases


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 6.283185307179586) -> Any:
    """As `numpy.unwrap`: the derivative is that of the phases, as the jumps are whole periods."""
    p, period = strong_operand(p), as_operand(period)
    axis = normalize_axis_index(axis, np.ndim(p))
    steps = stop_gradient(np.diff(p, axis=axis))  # whose jumps do not depend on them
    threshold = period / 2 if discont is None else discont
    dtype = np.result_type(*(
        WEAK_KINDS[t.dtype.kind](0) if t.weak else t.dtype for t in map(type_of, (steps, period))
    ))  # fmt: skip
    if dtype.kind in "iu":
        high, odd = divmod(period, 2)
        is_ambiguous = odd == 0
    else:
        high, is_ambiguous = period / 2, True
    low = -high
    within = np.remainder(steps - low, period) + low
    if is_ambiguous is not False:
        at_low = np.logical_and(within == low, steps > 0)
        within = np.where(np.logical_and(at_low, is_ambiguous), high, within)
    jumps = np.where(np.abs(steps) < threshold, 0, within - steps)
    before = (slice(None),) * axis
    rest = p[(*before, slice(1, None))] + np.cumsum(jumps, axis)
    first = p[(*before, slice(1))]
    return np.concatenate([cast_to(first, dtype), cast_to(rest, dtype)], axis)
