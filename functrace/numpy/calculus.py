"""Differences and integrals: what NumPy has of the calculus of samples."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer
from functrace.tracing.views import laid_out_as, lies_as

# Integrals


@implements(np.trapezoid)
@lies_as(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As `numpy.trapezoid`."""
    y = as_operand(y)
    rank = np.ndim(y)
    if x is None:
        steps: Any = dx
    else:
        x = as_operand(x)
        steps = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
    axis = normalize_axis_index(axis, rank)
    if x is not None and np.ndim(x) == 1:
        steps = np.reshape(steps, (-1,) + (1,) * (rank - 1 - axis))
    before = (slice(None),) * axis
    sums = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    return np.sum(steps * sums / 2.0, axis=axis)


# Differences


_MISSING: Any = object()


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = _MISSING, append: Any = _MISSING
) -> Any:
    """As `numpy.diff`."""
    a = as_operand(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if n == 0:
        return a
    if np.ndim(a) == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, np.ndim(a))
    parts = [as_operand(x) for x in (prepend, a, append) if x is not _MISSING]
    if len(parts) > 1:
        one = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
        a = np.concatenate([x if np.ndim(x) else np.broadcast_to(x, one) for x in parts], axis)
    before = (slice(None),) * axis
    difference = np.not_equal if a.dtype == bool else np.subtract
    for _ in range(n):
        a = difference(a[(*before, slice(1, None))], a[(*before, slice(None, -1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """As `numpy.ediff1d`."""
    flat = np.ravel(as_operand(ary))
    parts = [flat[1:] - flat[:-1]]
    if to_begin is not None:
        parts.insert(0, np.ravel(as_operand(to_begin)))
    if to_end is not None:
        parts.append(np.ravel(as_operand(to_end)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, dtype=dtype_of(flat))


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """As `numpy.gradient`: second-order differences, on even and uneven grids.

    The formulas are those of Fornberg, Generation of Finite Difference Formulas on Arbitrarily
    Spaced Grids, Mathematics of Computation 51 (1988), as NumPy has them.
    """
    f = as_operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings: list[Any]
    if not varargs:
        spacings = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        spacings = [as_operand(spacing) for spacing in varargs]
    else:
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind in "iu":
        f = cast_to(f, np.dtype(np.float64))
    results = [
        _gradient_along(f, spacing, axis, edge_order)
        for spacing, axis in zip(spacings, axes, strict=True)
    ]
    results = [x if x.dtype == f.dtype else cast_to(x, f.dtype) for x in results]
    return results[0] if len(axes) == 1 else tuple(results)


_FEW = 256
"""Of so many numbers it is as quick to read each by an index as to read slices."""


@lru_cache(maxsize=64)
def _neighbours(n: int, spacing: float, dtype: np.dtype[Any]) -> tuple[Any, Any, Any]:
    """The indices after and before each element, or its own at the ends, and how far they are."""
    places = np.arange(n)
    after, before = np.minimum(places + 1, n - 1), np.maximum(places - 1, 0)
    return after, before, np.where(after - before == 2, 2.0 * spacing, spacing).astype(dtype)


def _gradient_along(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            "(edge_order + 1) elements are required."
        )
    if f.dtype.kind == "b":
        raise TypeError("gradient takes differences, which booleans do not have")
    before = (slice(None),) * axis
    is_known = not isinstance(known_value(f), Tracer)
    if type(spacing) in (int, float) and edge_order == 1 and n <= _FEW and is_known:
        # Of few elements the calls are what costs: here are four in place of thirteen.
        after, prior, steps = _neighbours(n, float(spacing), np.finfo(f.dtype).dtype)
        column = np.reshape(steps, (-1,) + (1,) * (f.ndim - 1 - axis))
        return laid_out_as((f[(*before, after)] - f[(*before, prior)]) / column, f)

    def at(start: int | None, stop: int | None) -> Any:
        return f[(*before, slice(start, stop))]

    if np.ndim(spacing) == 0:
        first = second = last = second_last = spacing
        inner = (at(2, None) - at(None, -2)) / (2.0 * spacing)
    else:
        if np.ndim(spacing) != 1:
            raise ValueError("distances must be either scalars or 1d")
        if shape_of(spacing)[0] != n:
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension"
            )
        steps = np.diff(spacing)
        column = (-1,) + (1,) * (f.ndim - 1 - axis)
        left, right = np.reshape(steps[:-1], column), np.reshape(steps[1:], column)
        inner = (
            at(None, -2) * (-right / (left * (left + right)))
            + at(1, -1) * ((right - left) / (left * right))
            + at(2, None) * (left / (right * (left + right)))
        )
        first, last = steps[0], steps[-1]
        second, second_last = (steps[1], steps[-2]) if n > 2 else (first, last)
    if edge_order == 1:
        head = (at(1, 2) - at(0, 1)) / first
        tail = (at(-1, None) - at(-2, -1)) / last
    else:
        a, b, d, e = first, second, second_last, last
        head = (
            at(0, 1) * (-(2 * a + b) / (a * (a + b)))
            + at(1, 2) * ((a + b) / (a * b))
            - at(2, 3) * (a / (b * (a + b)))
        )
        tail = (
            at(-3, -2) * (e / (d * (d + e)))
            - at(-2, -1) * ((e + d) / (d * e))
            + at(-1, None) * ((2 * e + d) / (e * (d + e)))
        )
    return np.concatenate([head, inner, tail], axis)
