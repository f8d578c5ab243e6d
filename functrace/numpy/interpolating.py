"""Functions given by numbers: straight lines between points, and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.numpy.taking import take
from functrace.primitives.linear import as_scalar, cast_to, dtype_of, shape_of
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None
) -> Any:
    """As `numpy.interp`; at a point, the derivative is that of the piece to its right."""
    double = np.dtype(np.float64)
    if "c" in (dtype_of(as_operand(x)).kind, dtype_of(as_operand(xp)).kind):
        raise TypeError("interp does not take complex points: cannot cast them to float64")
    x, xp, fp = cast_to(as_operand(x), double), cast_to(as_operand(xp), double), as_operand(fp)
    fp = cast_to(fp, np.dtype(np.complex128) if dtype_of(fp).kind == "c" else double)
    if np.ndim(xp) != 1 or np.ndim(fp) != 1:
        raise ValueError("Data points must be 1-D sequences")
    if shape_of(xp) != shape_of(fp):
        raise ValueError("fp and xp are not of the same length.")
    if shape_of(xp) == (0,):
        raise ValueError("array of sample points is empty")
    if period is not None:
        if period == 0:
            raise ValueError("period must be a non-zero value")
        period, left, right = abs(period), None, None
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
            result = y0 + (y1 - y0) / width * (x - x0)
    result = np.where(x < xp[0], fp[0] if left is None else left, result)
    result = np.where(x > xp[-1], fp[-1] if right is None else right, result)
    return as_scalar(np.where(np.isnan(x), x, result))
