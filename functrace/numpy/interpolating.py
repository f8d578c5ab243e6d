"""Functions given by numbers: straight lines between points, and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.elementwise import require_castable
from functrace.numpy.taking import take
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, known_value, shape_of
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """As `numpy.interp`; at a point, the derivative is that of the piece to its right."""
    double = np.dtype(np.float64)
    fp = as_operand(fp)
    points = [as_operand(x), as_operand(xp)]
    for point in points if period is None else []:
        require_castable(dtype_of(point), double, "safe")
    if any(dtype_of(point).kind == "c" for point in points):
        raise TypeError("interp does not take complex points: cannot cast them to float64")
    x, xp = (cast_to(point, double) for point in points)
    dtype = np.dtype(np.complex128) if dtype_of(fp).kind == "c" else double
    for outside in (left, right) if period is None else ():
        if outside is not None and dtype == double and dtype_of(as_operand(outside)).kind == "c":
            raise TypeError("must be real number, not complex")
    fp = cast_to(fp, dtype)
    if np.ndim(xp) != 1 or np.ndim(fp) != 1:
        raise ValueError("Data points must be 1-D sequences")
    if shape_of(xp) != shape_of(fp):
        raise ValueError("fp and xp are not of the same length.")
    if shape_of(xp) == (0,):
        raise ValueError("array of sample points is empty")
    if period is not None:
        known = known_value(period)
        if not isinstance(known, Tracer) and known == 0:
            raise ValueError("period must be a non-zero value")
        period, left, right = np.abs(period), None, None
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    result = np.broadcast_to(fp[0], shape_of(x))
    if shape_of(xp)[0] > 1:
        piece = np.clip(np.searchsorted(xp, x, "right") - 1, 0, shape_of(xp)[0] - 2)
        x0, x1 = take(xp, piece), take(xp, piece + 1)
        y0, y1 = take(fp, piece), take(fp, piece + 1)
        # Equal points have no piece between them; only the last ones come here.
        width = np.where(x1 == x0, 1.0, x1 - x0)
        with np.errstate(invalid="ignore"):  # what is infinite is replaced below
            slope = (y1 - y0) / width
            result = y0 + slope * (x - x0)
            if not _is_finite(fp):
                from_right = np.where(x == x1, y1, y1 + slope * (x - x1))
                result = np.where(np.isnan(result), from_right, result)
                is_known = np.logical_or(x == x0, y0 == y1)
                result = np.where(np.logical_and(np.isnan(result), is_known), y0, result)
    result = np.where(x < xp[0], fp[0] if left is None else left, result)
    result = np.where(x > xp[-1], fp[-1] if right is None else right, result)
    return as_scalar(np.where(np.isnan(x), x, result))


def _is_finite(x: Any) -> bool:
    """Whether all of an array's elements are known to be finite."""
    x = known_value(x)
    return not isinstance(x, Tracer) and bool(np.all(np.isfinite(x)))
