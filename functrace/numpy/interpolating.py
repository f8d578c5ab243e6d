"""Functions given by numbers: straight lines between points, and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.elementwise import require_castable
from functrace.numpy.taking import take
from functrace.primitives.linear import as_scalar, dtype_of, in_dtype, known_value, shape_of
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
    x, xp = (in_dtype(point, double) for point in points)
    dtype = np.dtype(np.complex128) if dtype_of(fp).kind == "c" else double
    for outside in (left, right) if period is None else ():
        if outside is not None and dtype == double and dtype_of(as_operand(outside)).kind == "c":
            raise TypeError("must be real number, not complex")
    fp = in_dtype(fp, dtype)
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
    result = _between(x, xp, fp) if shape_of(xp)[0] > 1 else np.broadcast_to(fp[0], shape_of(x))
    # What decides is compared without derivatives, and where it is known, only what is there.
    place, points = known_value(x), known_value(xp)
    for is_outside, value, end in ((place < points[0], left, 0), (place > points[-1], right, -1)):
        if _is_anywhere(is_outside):
            result = np.where(is_outside, fp[end] if value is None else value, result)
    is_nan = np.isnan(place)
    return as_scalar(np.where(is_nan, x, result) if _is_anywhere(is_nan) else result)


def _between(x: Any, xp: Any, fp: Any) -> Any:
    """The straight lines through the points, the first and the last one beyond all points."""
    points = known_value(xp)
    piece = np.clip(
        np.searchsorted(points, known_value(x), "right") - 1, 0, shape_of(points)[0] - 2
    )
    after = piece + 1
    if isinstance(piece, Tracer):
        x0, x1, y0, y1 = (take(values, place) for values in (xp, fp) for place in (piece, after))
    else:
        x0, x1, y0, y1 = xp[piece], xp[after], fp[piece], fp[after]
    is_none = np.equal(known_value(x0), known_value(x1))
    with np.errstate(invalid="ignore"):  # what is infinite is replaced below
        width = x1 - x0
        if _is_anywhere(is_none):  # of equal points only the last ones come here
            width = np.where(is_none, 1.0, width)
        slope = (y1 - y0) / width
        result = y0 + slope * (x - x0)
        if not _is_finite(fp):
            from_right = np.where(x == x1, y1, y1 + slope * (x - x1))
            result = np.where(np.isnan(result), from_right, result)
            is_known = np.logical_or(x == x0, y0 == y1)
            result = np.where(np.logical_and(np.isnan(result), is_known), y0, result)
    return result


def _is_anywhere(mask: Any) -> bool:
    """Whether a mask may be true somewhere."""
    return isinstance(mask, Tracer) or bool(np.any(mask))


def _is_finite(x: Any) -> bool:
    """Whether all of an array's elements are known to be finite."""
    x = known_value(x)
    return not isinstance(x, Tracer) and bool(np.all(np.isfinite(x)))
