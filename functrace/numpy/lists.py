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
    np.cumsum, np.diag, np.diagflat, np.diff, np.dot, np.expand_dims, np.flip, np.full_like,
    np.gradient, np.inner, np.isclose, np.kron, np.max, np.mean, np.median, np.min, np.moveaxis,
    np.nanmax, np.nanmean, np.nanmin, np.nanprod, np.nanstd, np.nansum, np.nanvar, np.outer, np.pad,
    np.percentile, np.prod, np.ptp, np.quantile, np.ravel, np.repeat, np.reshape, np.roll,
    np.round, np.sort, np.squeeze, np.std, np.sum, np.swapaxes, np.take, np.tensordot, np.tile,
    np.trace, np.transpose, np.trapezoid, np.tril, np.triu, np.vdot, np.var, np.where,
)  # fmt: skip
"""NumPy's functions of one array, or of several, of which each may be given as a list. Those of a
sequence of arrays (concatenate, stack, ...) are left out: NumPy looks into the sequence itself."""


def accepting_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """A product of NumPy's that takes the keywords of JAX's for its precision.

    ``precision`` says how accelerators may round, so it says nothing here.
    ``preferred_element_type`` is the dtype in which products are added up, and of the result.
    """

    @wraps(function, updated=())
    def call(
        *args: Any, precision: Any = None, preferred_element_type: Any = None, **kwargs: Any
    ) -> Any:
        if preferred_element_type is None:
            return function(*args, **kwargs)
        dtype = np.dtype(preferred_element_type)
        wide = [_widened(x, dtype) for x in args]
        result = function(*wide, **kwargs)
        return result if result.dtype == dtype else result.astype(dtype)

    return call


def _widened(x: Any, dtype: np.dtype[Any]) -> Any:
    """An operand in a dtype, where that loses nothing."""
    if isinstance(x, str | int) or not hasattr(x, "dtype") or not np.can_cast(x.dtype, dtype):
        return x
    return x.astype(dtype)


TAKING_PRECISION = (
    "convolve", "correlate", "dot", "einsum", "inner", "matmul", "matvec", "outer", "tensordot",
    "vdot", "vecdot", "vecmat",
)  # fmt: skip
"""The products among NumPy's functions, by name: some versions have not all of them."""
