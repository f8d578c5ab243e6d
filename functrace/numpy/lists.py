"""NumPy's functions of arrays, taking lists of traced values in their place.

NumPy looks for tracers among the arguments, but not inside lists: ``np.mean([t, t])`` would make
an array of the list.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from functrace.numpy.making import array, holds_tracer
from functrace.tracing import FUNCTIONS


def _as_array(x: Any) -> Any:
    return array(x) if isinstance(x, list | tuple) and holds_tracer(x) else x


def accepting_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function of arrays that also takes lists of traced values in their place.

    NumPy looks for tracers among the arguments, but not inside lists: ``np.mean([t, t])`` would
    make an array of the list. Nor does it look at every argument: of ``np.take(table, t)`` it
    sees the table only.
    """
    implementation = FUNCTIONS[function]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if holds_tracer(x):
                return implementation(*map(_as_array, args), **kwargs)
        return function(*args, **kwargs)

    return call


TAKING_LISTS = (
    np.all, np.amax, np.amin, np.angle, np.any, np.append, np.argmax, np.argmin, np.argsort,
    np.around, np.array_equal, np.average, np.broadcast_to, np.clip, np.count_nonzero, np.cross,
    np.cumsum, np.diag, np.diagflat, np.diff, np.dot, np.expand_dims, np.flip, np.gradient,
    np.inner, np.isclose, np.kron, np.max, np.mean, np.median, np.min, np.moveaxis, np.nanmax,
    np.nanmean, np.nanmin, np.nanprod, np.nanstd, np.nansum, np.nanvar, np.outer, np.pad,
    np.percentile, np.prod, np.ptp, np.quantile, np.ravel, np.repeat, np.reshape, np.roll,
    np.round, np.sort, np.squeeze, np.std, np.sum, np.swapaxes, np.take, np.tensordot, np.tile,
    np.trace, np.transpose, np.trapezoid, np.tril, np.triu, np.vdot, np.var, np.where,
)  # fmt: skip
"""NumPy's functions of one array, or of several, of which each may be given as a list. Those of a
sequence of arrays (concatenate, stack, ...) are left out: NumPy looks into the sequence itself."""
