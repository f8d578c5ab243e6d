"""``np.emath``: functions that give complex numbers where there are no real ones.

What dtype they give depends on values, so these must be known, or complex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import emath

from functrace.primitives.linear import cast_to, dtype_of, known_choice
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand, strong_operand

_REMEDY = (
    "Write np.{name} of complex numbers, such as x.astype(complex), for a complex result; or "
    "np.{name}(x) where all values are such that the result is real."
)


def _is_outside(x: Any, name: str, is_outside: Callable[[Any], Any]) -> bool:
    """Whether real numbers are among those whose function is complex."""
    if dtype_of(x).kind == "c":
        return False
    what = f"What numpy.emath.{name} is taken of"
    values = known_choice(x, what, _REMEDY.format(name=name), "dtype")
    return bool(np.any(is_outside(values)))


def _complex_if(x: Any, name: str, is_outside: Callable[[Any], Any]) -> Any:
    """The numbers, complex ones if there is one whose function is complex."""
    x = strong_operand(x)
    if not _is_outside(x, name, is_outside):
        return x
    is_single = dtype_of(x).char in "fbhBH"
    return cast_to(x, np.dtype(np.complex64 if is_single else np.complex128))


def _is_negative(x: Any) -> Any:
    return np.less(x, 0)


def _is_large(x: Any) -> Any:
    return np.greater(np.abs(x), 1)


def _extended(function: np.ufunc, is_outside: Callable[[Any], Any]) -> Callable[[Any], Any]:
    name = function.__name__

    def call(x: Any) -> Any:
        return function(_complex_if(x, name, is_outside))

    call.__name__ = name
    call.__doc__ = f"As ``numpy.emath.{name}``, of known values or complex ones."
    return call


for _function in (np.sqrt, np.log, np.log2, np.log10):
    implements(getattr(emath, _function.__name__))(_extended(_function, _is_negative))
for _function in (np.arccos, np.arcsin, np.arctanh):
    implements(getattr(emath, _function.__name__))(_extended(_function, _is_large))


@implements(emath.logn)
def logn(n: Any, x: Any) -> Any:
    """As ``numpy.emath.logn``, of known values or complex ones."""
    x, n = (_complex_if(number, "log", _is_negative) for number in (x, n))
    return np.log(x) / np.log(n)


@implements(emath.power)
def power(x: Any, p: Any) -> Any:
    """As ``numpy.emath.power``, of known values or complex ones."""
    x, p = _complex_if(x, "power", _is_negative), strong_operand(as_operand(p))
    if dtype_of(p).kind in "biu" and _is_outside(p, "power", _is_negative):
        p = p * 1.0
    return np.power(x, p)
