"""Keywords that JAX's functions have and NumPy's have not, for programs that give them.

Without them a function is NumPy's. Those that say how something is computed (``method``,
``unroll``, ``precision``) are taken, and have no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.numpy.joining import repeat
from functrace.numpy.making import array, asarray
from functrace.numpy.taking import index_along
from functrace.numpy.updating import At
from functrace.primitives.linear import dtype_of
from functrace.tracing.entrances import entrance

Function = Callable[..., Any]


def taking_keywords(name: str, function: Function) -> Function:
    """A function of NumPy's that takes JAX's keywords as well.

    Args:
        name: Its name in `KEYWORDS`.
        function: As it is without.

    Example:
        >>> import functrace.numpy as fnp
        >>> fnp.sort([2.0, 3.0, 1.0], descending=True)
        array([3., 2., 1.])
    """
    own = KEYWORDS[name]
    names = frozenset(own.__kwdefaults__ or ())

    @entrance
    @wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not names.isdisjoint(kwargs):
            return own(function, *args, **kwargs)
        return function(*args, **kwargs)

    return call


# In each of these the function is NumPy's; what stands after the star are JAX's keywords.


def _product(
    function: Function, *args: Any, precision: Any = None, preferred_element_type: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    if preferred_element_type is None:
        return function(*args, **options)
    dtype = np.dtype(preferred_element_type)
    result = function(*(_widened(x, dtype) for x in args), **options)
    return result if result.dtype == dtype else result.astype(dtype)


def _widened(x: Any, dtype: np.dtype[Any]) -> Any:
    """An operand in a dtype, where that loses nothing."""
    if isinstance(x, str | int) or not hasattr(x, "dtype") or not np.can_cast(x.dtype, dtype):
        return x
    return x.astype(dtype)


def _sum(
    function: Function, a: Any, axis: Any = None, dtype: Any = None, *args: Any,
    promote_integers: bool = True, **options: Any,
) -> Any:  # fmt: skip
    dtype = dtype if promote_integers or dtype is not None else dtype_of(asarray(a))
    return function(a, axis, dtype, *args, **options)


def _repeat(
    function: Function, a: Any, repeats: Any, axis: int | None = None, *,
    total_repeat_length: int | None = None,
) -> Any:  # fmt: skip
    if total_repeat_length is None:
        return function(a, repeats, axis)
    a, repeats = asarray(a), asarray(repeats)
    return repeat(a, repeats, axis, total_repeat_length=total_repeat_length)


def _ranked(
    function: Function, a: Any, axis: int | None = -1, *args: Any, descending: bool = False,
    **options: Any,
) -> Any:  # fmt: skip
    if not descending:
        return function(a, axis, *args, **options)
    along = 0 if axis is None else axis
    return np.flip(function(a, axis, *args, **options), along)


def _ranks(
    function: Function, a: Any, axis: int | None = -1, *args: Any, descending: bool = False,
    **options: Any,
) -> Any:  # fmt: skip
    if not descending:
        return function(a, axis, *args, **options)
    a, along = (np.ravel(asarray(a)), 0) if axis is None else (asarray(a), axis)
    # Equal elements stay in their order: as seen from behind they are in the other one.
    return a.shape[along] - 1 - np.flip(function(np.flip(a, along), along, *args, **options), along)


_OF_NUMPY = (None, "raise", "clip", "wrap")


def _take(
    function: Function, a: Any, indices: Any, axis: int | None = None, out: Any = None, *,
    mode: Any = "raise", unique_indices: bool = False, indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    if mode in _OF_NUMPY and fill_value is None:
        return function(a, indices, axis, out, mode or "raise")
    a, axis = (np.ravel(asarray(a)), 0) if axis is None else (asarray(a), axis)
    axis = normalize_axis_index(axis, a.ndim)
    index = (*(slice(None),) * axis, asarray(indices))
    return At(a)[index].get(mode=_filling_or(mode), fill_value=fill_value)


def _take_along_axis(
    function: Function, arr: Any, indices: Any, axis: int | None = -1, *, mode: Any = None,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    if mode is None and fill_value is None:
        return function(arr, indices, axis)
    arr, axis = (np.ravel(asarray(arr)), 0) if axis is None else (asarray(arr), axis)
    axis = normalize_axis_index(axis, arr.ndim)
    _, arrays = index_along(arr.shape, asarray(indices), axis)
    return At(arr)[tuple(arrays)].get(mode=_filling_or(mode), fill_value=fill_value)


def _filling_or(mode: Any) -> Any:
    return "fill" if mode in (None, "raise") else mode


def _written(function: Function, a: Any, *args: Any, inplace: bool = True, **options: Any) -> Any:
    if inplace:
        return function(a, *args, **options)
    new = array(a)
    function(new, *args, **options)
    return new


def _interp(
    function: Function, x: Any, xp: Any, fp: Any, *, left: Any = None, right: Any = None,
    period: Any = None,
) -> Any:  # fmt: skip
    ends = [None if isinstance(each, str) else each for each in (left, right)]
    result = function(x, xp, fp, *ends, period)
    for outside, end, within, is_outside in (
        (left, 0, 1, np.less), (right, -1, -2, np.greater),
    ):  # fmt: skip
        if isinstance(outside, str):
            if outside != "extrapolate":
                raise ValueError(f"{outside!r} is no number, nor 'extrapolate'")
            x, xp, fp = asarray(x), asarray(xp), asarray(fp)
            slope = (fp[within] - fp[end]) / (xp[within] - xp[end])
            line = fp[end] + slope * (x - xp[end])
            result = np.where(is_outside(x, xp[end]), line, result)[()]
    return result


def _polymul(function: Function, a1: Any, a2: Any, *, trim_leading_zeros: bool = True) -> Any:
    if trim_leading_zeros:
        return function(a1, a2)
    return np.convolve(np.atleast_1d(asarray(a1)), np.atleast_1d(asarray(a2)))


def _polydiv(function: Function, u: Any, v: Any, *, trim_leading_zeros: bool = True) -> Any:
    quotient, rest = function(u, v)
    if not trim_leading_zeros:
        rest = np.pad(rest, (max(np.size(u) - len(rest), 0), 0))
    return quotient, rest


def _roots(function: Function, p: Any, *, strip_zeros: bool = True) -> Any:
    return function(p)


def _by_method(function: Function, *args: Any, method: Any = None, **options: Any) -> Any:
    return function(*args, **options)


def _unrolled(function: Function, *args: Any, unroll: Any = None, **options: Any) -> Any:
    return function(*args, **options)


def _of_symmetric(
    function: Function, a: Any, *args: Any, symmetrize_input: bool = False, **options: Any
) -> Any:
    if symmetrize_input:
        a = asarray(a)
        a = (a + np.conjugate(np.swapaxes(a, -1, -2))) / 2
    return function(a, *args, **options)


PRODUCTS = (
    "convolve", "correlate", "dot", "einsum", "inner", "matmul", "matvec", "outer", "tensordot",
    "vdot", "vecdot", "vecmat",
)  # fmt: skip

KEYWORDS: dict[str, Function] = {
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(("sum", "prod"), _sum),
    **dict.fromkeys(("fill_diagonal", "place", "put", "put_along_axis", "at"), _written),
    **dict.fromkeys(("digitize", "searchsorted", "slogdet"), _by_method),
    **dict.fromkeys(("cholesky", "eigh"), _of_symmetric),
    "argsort": _ranks, "interp": _interp, "polydiv": _polydiv, "polymul": _polymul,
    "polyval": _unrolled, "repeat": _repeat, "roots": _roots, "sort": _ranked, "take": _take,
    "take_along_axis": _take_along_axis,
}  # fmt: skip
"""What a function means with JAX's keywords, by its name: ``at`` is the method of ufuncs."""
