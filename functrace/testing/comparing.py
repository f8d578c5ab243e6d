"""What checks of derivatives and of rules share: numbers to try, and what counts as equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from functrace.ir.types import ArrayType, type_of


def widened(x: Any) -> Any:
    """Floating and complex values in double precision, others as they are."""
    dtype = type_of(x).dtype
    return np.asarray(x, np.result_type(dtype, np.float64))[()] if dtype.kind in "fc" else x


_TOLERANCES = {2: 3e-2, 4: 2e-3, 8: 1e-6}
"""By the bytes of a real number of the dtype."""


def tolerances(types: Sequence[ArrayType], rtol: float | None, atol: float | None) -> Any:
    """The relative and the absolute tolerance for results of the least precise of these types."""
    sizes = [t.dtype.itemsize // (2 if t.dtype.kind == "c" else 1) for t in types if t.is_inexact]
    relative = max((_TOLERANCES.get(size, 1e-6) for size in sizes), default=1e-6)
    rtol = relative if rtol is None else rtol
    return rtol, rtol / 10 if atol is None else atol


def pairing(cotangents: Sequence[Any], tangents: Sequence[Any]) -> tuple[float, float]:
    """What cotangents give for tangents; and the sum of the terms' sizes, as a scale of errors."""
    value = scale = 0.0
    for c, t in zip(cotangents, tangents, strict=True):
        if c is not None and t is not None:
            with np.errstate(all="ignore"):
                terms = np.real(np.asarray(widened(c) * widened(t)))
                value += float(np.sum(terms))
                scale += float(np.sum(np.abs(terms)))
    return value, scale


def agree(x: float, y: float, tolerance: float) -> bool:
    """Whether two numbers are the same to a tolerance, or both nan."""
    return x == y or abs(x - y) <= tolerance or (math.isnan(x) and math.isnan(y))


def nearly_identical(x: Any, y: Any) -> bool:
    """Whether values differ by rounding only, relative to the largest of them."""
    x, y = np.asarray(x), np.asarray(y)
    if identical(x, y) or y.dtype.kind not in "fc":
        return identical(x, y)
    finite = np.abs(y[np.isfinite(y)])
    tolerance = 16 * float(np.finfo(y.dtype).eps) * max(finite.max(initial=0), 1)
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True))


def identical(x: Any, y: Any) -> bool:
    """Whether two arrays have the same shape and values; nan is like nan."""
    x, y = np.asarray(x), np.asarray(y)
    return np.array_equal(x, y, equal_nan=x.dtype.kind in "fc")


def shown(x: Any) -> str:
    """Numbers, as messages show them."""
    if isinstance(x, tuple | list):
        return f"({', '.join(map(shown, x))})"
    return np.array2string(np.asarray(x), precision=6, threshold=20) if x is not None else "None"


def random(rng: np.random.Generator, type: ArrayType) -> Any:
    """A random tangent or cotangent of this type."""
    values = rng.normal(size=type.shape)
    if type.dtype.kind == "c":
        values = values + 1j * rng.normal(size=type.shape)
    return np.asarray(values, type.dtype)[()]


def fail(what: str, **details: str) -> NoReturn:
    """Raise an AssertionError that lists the details below what is wrong."""
    width = max(map(len, details), default=0)
    lines = [what, *(f"  {name:<{width}}  {text}" for name, text in details.items())]
    raise AssertionError("\n".join(lines))
