"""NumPy's functions that make arrays.

NumPy cannot hand over calls such as ``np.array([t, t])``, which asks each tracer to become an
array; such functions stand here anew, for `functrace.numpy`. Those that make an array like another
one, or between traced ends, are handed over, and so is ``np.array([t, t], like=t)`` (NEP 35).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from functrace.errors import OperandError
from functrace.ir.types import WEAK_KINDS, ArrayType, type_of
from functrace.numpy.elementwise import require_castable
from functrace.numpy.reshaping import lengths_of
from functrace.primitives.linear import as_array, cast_to, dtype_of, known_value, shape_of
from functrace.primitives.requiring import require
from functrace.tracing.buffers import buffer, buffer_where_traced
from functrace.tracing.conversions import written_into_an_array
from functrace.tracing.entrances import entrance
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand, strong, strong_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import LIKE_ONLY
from functrace.tracing.tracer import Tracer
from functrace.tracing.views import as_laid_out, lies_as


def holds_tracer(x: Any) -> bool:
    """Whether a value is traced, or is a nested list that holds a traced value."""
    if isinstance(x, list | tuple):
        return any(map(holds_tracer, x))
    return isinstance(x, Tracer)


def _stacked(x: Any) -> Any:
    """Nested lists with tracers in them as one traced array."""
    if isinstance(x, list | tuple):
        return np.stack([_stacked(item) for item in x])
    return strong(x) if isinstance(x, Tracer) else np.asarray(x)


def making(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that makes arrays, making ones that traced values can be written into.

    Outside of transformations it gives what NumPy's function does.
    """

    @entrance
    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if type(result) is np.ndarray and any(
            type(x) is np.ndarray and np.may_share_memory(result, x) for x in args
        ):
            return result  # a view, as np.diag of a matrix is
        return buffer_where_traced(result)

    return make


MAKING = (
    "append", "arange", "block", "column_stack", "concatenate", "copy", "delete", "diag",
    "diagflat", "dstack", "empty", "empty_like", "eye", "frombuffer", "fromfunction", "fromiter",
    "fromstring",
    "full_like", "geomspace", "hstack", "identity", "indices", "insert", "kron", "linspace",
    "logspace", "meshgrid", "ones", "ones_like", "outer", "pad", "repeat", "roll", "sort", "stack",
    "tile", "tri", "tril", "triu", "vander", "vstack", "where", "zeros", "zeros_like",
)  # fmt: skip
"""The names of NumPy's functions that make arrays, whether something is traced in them or not."""

for _function in (np.arange, np.empty, np.fromfunction, np.identity, np.ones, np.zeros):
    implements(_function)(making(_function))
    LIKE_ONLY.add(_function)


@implements(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
) -> Any:
    """As `numpy.array`, for tracers and nested lists of them too.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: ft.numpy.array([x, 2 * x, 1.0]).sum())(5.0)
        np.float64(3.0)
    """
    if not holds_tracer(object):
        options: dict[str, Any] = {} if like is None else {"like": like}
        made = np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin, **options)
        is_borrowed = isinstance(object, np.ndarray) and np.may_share_memory(made, object)
        return buffer_where_traced(made, is_borrowed)
    result = _stacked(object)
    is_other = dtype is not None and result.dtype != np.dtype(dtype)
    if copy is False and (is_other or not isinstance(object, Tracer)):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    if is_other:
        result = result.astype(dtype)
    elif isinstance(object, Tracer) and copy:
        result = result.copy("K" if order is None else order)
    if order in ("C", "F") and not _lies_in(result, order):
        result = result.copy(order)
    missing = ndmin - result.ndim
    if not result.shape and missing <= 0 and not result.is_array:
        return as_array(result)
    return np.reshape(result, (1,) * missing + result.shape) if missing > 0 else result


def _lies_in(x: Any, order: str) -> bool:
    """Whether a traced array is known to lie in memory in this order."""
    layout = as_laid_out(x) if np.ndim(x) > 1 else np.empty(0)
    if layout is None:
        return False
    return bool(layout.flags.c_contiguous if order == "C" else layout.flags.f_contiguous)


@implements(np.asarray, np.asanyarray)
def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """As `numpy.asarray`; a tracer of the right dtype is returned as it is.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: ft.numpy.asarray([x, 2 * x]).sum())(1.0)
        np.float64(3.0)
    """
    np.empty(0, device=device)  # raises for what is no device
    return array(a, dtype, copy=copy, order=order or "K", like=like)


asanyarray = asarray


@implements(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """As `numpy.ascontiguousarray`: at least one axis.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.numpy.ascontiguousarray(np.ones((2, 3)).T).flags.c_contiguous
        True
        >>> ft.grad(lambda x: ft.numpy.ascontiguousarray(x)[0])(1.0)
        np.float64(1.0)
    """
    if not holds_tracer(a):
        options: dict[str, Any] = {} if like is None else {"like": like}
        made = np.ascontiguousarray(a, dtype, **options)
        is_borrowed = isinstance(a, np.ndarray) and np.may_share_memory(made, a)
        return buffer_where_traced(made, is_borrowed)
    return array(a, dtype, copy=None, order="C", ndmin=1)


@implements(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """As `numpy.asfortranarray`: in column-major order of memory.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.numpy.asfortranarray(np.ones((2, 3))).flags.f_contiguous
        True
        >>> ft.grad(lambda x: ft.numpy.asfortranarray([x, 2 * x]).sum())(1.0)
        np.float64(3.0)
    """
    if not holds_tracer(a):
        options: dict[str, Any] = {} if like is None else {"like": like}
        made = np.asfortranarray(a, dtype, **options)
        is_borrowed = isinstance(a, np.ndarray) and np.may_share_memory(made, a)
        return buffer_where_traced(made, is_borrowed)
    return array(a, dtype, copy=None, order="F", ndmin=1)


@implements(np.require)
def require_array(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """As `numpy.require`, an array that may be written in any case."""
    x = np.require(np.empty(0), None, requirements)  # for NumPy's errors
    order = "F" if requirements and not x.flags.c_contiguous else None
    return array(a, dtype, copy=None, order=order)


@implements(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """As `numpy.asarray_chkfinite`."""
    x = array(a, dtype, copy=None, order=order)
    if x.dtype.kind not in "fc":
        return x
    return require(x, np.isfinite(x), "array must not contain infs or NaNs")


@implements(np.full)
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """As `numpy.full`, where the value may be traced.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: ft.numpy.full((2, 3), x).sum())(1.0)
        np.float64(6.0)
    """
    if not holds_tracer(fill_value):
        options: dict[str, Any] = {} if like is None else {"like": like}
        return buffer_where_traced(np.full(shape, fill_value, dtype, order, **options))
    return np.broadcast_to(array(fill_value, dtype), shape).copy()


class Joiner:
    """What ``np.r_`` and ``np.c_`` are, for traced values too: arrays joined by indexing.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: (ft.numpy.r_[x, 1.0, 2 * x] ** 2).sum())(1.0)
        np.float64(10.0)
    """

    def __init__(self, original: Any, as_columns: bool) -> None:
        """Keep NumPy's own object, which serves where nothing is traced."""
        self._original = original
        self._as_columns = as_columns

    def __repr__(self) -> str:
        return f"<{'c_' if self._as_columns else 'r_'}, which joins what it is indexed by>"

    @entrance
    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(map(holds_tracer, parts)):
            return self._original[key]
        arrays: list[Any] = []
        kinds: list[Any] = []
        for part in parts:
            if isinstance(part, str):
                raise OperandError(
                    f"np.r_ and np.c_ take no directive such as {part!r} beside traced values.",
                    source_of(user_place(1)),
                    "Join the arrays with np.concatenate or np.stack along the axis you mean.",
                )
            x = self._original[part] if isinstance(part, slice) else np.atleast_1d(asarray(part))
            kinds.append(WEAK_KINDS[x.dtype.kind](0) if _is_number(part) else x.dtype)
            arrays.append(x[:, None] if self._as_columns and x.ndim == 1 else x)
        axis = -1 if self._as_columns else 0
        return np.concatenate(arrays, axis, dtype=np.result_type(*kinds))


def _is_number(x: Any) -> bool:
    """Whether a value is a number of Python's, traced or not, whose dtype gives way."""
    return type_of(x).weak if isinstance(x, Tracer) else isinstance(x, int | float | complex)


r_ = Joiner(np.r_, as_columns=False)
c_ = Joiner(np.c_, as_columns=True)


# Arrays like others. They are tracers of the recording of the array that they are like, so that
# traced values can be written into them.


def _like(a: Any, dtype: Any, shape: Any) -> ArrayType:
    lengths = a.shape if shape is None else lengths_of(shape)
    return ArrayType(lengths, a.dtype if dtype is None else np.dtype(dtype))


def _prototype(a: Any, type: ArrayType) -> Any:
    """What an array that is like another one lies in memory like."""
    known = as_laid_out(a) if isinstance(a, Tracer) and a.ndim > 1 and type.ndim > 1 else None
    return np.empty(type.shape, bool) if known is None else known


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.zeros_like`; an array that can be written."""
    type = _like(a, dtype, shape)
    return buffer(np.zeros_like(_prototype(a, type), type.dtype, order, shape=type.shape))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.ones_like`; an array that can be written."""
    type = _like(a, dtype, shape)
    return buffer(np.ones_like(_prototype(a, type), type.dtype, order, shape=type.shape))


@implements(np.full_like)
@lies_as(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.full_like`; an array that can be written."""
    a = a if isinstance(a, Tracer) else np.asarray(a)
    type = _like(a, dtype, shape)
    fill = as_operand(fill_value)
    if isinstance(fill, Tracer):
        return np.broadcast_to(cast_to(fill, type.dtype), type.shape).copy()
    if not isinstance(a, Tracer):
        return np.full_like(a, fill, dtype, shape=shape)
    return buffer(np.full_like(_prototype(a, type), fill, type.dtype, order, shape=type.shape))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """As `numpy.copy`."""
    if shape_of(a):
        return a.copy(order)
    return as_array(a)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """As `numpy.copyto`, into a traced array."""
    if not isinstance(dst, Tracer):
        raise written_into_an_array(type_of(as_operand(src)), user_place(1))
    if type(src) in (bool, int, float, complex):
        np.copyto(np.empty((), dst.dtype), src, casting)  # NumPy's own error
    src = array(src) if isinstance(src, list | tuple) else as_operand(src)
    if not type_of(src).weak:
        require_castable(type_of(src).dtype, dst.dtype, casting)
    dst[...] = src if where is True else np.where(where, src, dst)


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """As `numpy.linspace`, with traced ends."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    intervals = num - 1 if endpoint else num
    start, stop = as_operand(start), as_operand(stop)
    float_dtype = np.result_type(
        *(WEAK_KINDS[t.dtype.kind](0) if t.weak else t.dtype for t in map(type_of, (start, stop))),
        float(num),
    )
    start, stop = cast_to(start, float_dtype), cast_to(stop, float_dtype)
    delta = stop - start
    numbers = np.reshape(np.arange(num, dtype=float_dtype), (num,) + (1,) * np.ndim(delta))
    step = delta / intervals if intervals > 0 else np.nan
    samples = numbers * (step if intervals > 0 else delta) + start
    if endpoint and num > 1:
        samples = np.where(numbers == num - 1, stop, samples)
    if axis != 0:
        samples = np.moveaxis(samples, 0, axis)
    if dtype is not None:
        if np.issubdtype(dtype, np.integer):
            samples = np.floor(samples)
        samples = cast_to(samples, np.dtype(dtype))
    return (samples, step) if retstep else samples


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """As `numpy.logspace`, with traced ends or base."""
    if np.ndim(base):
        rank = max(map(np.ndim, (start, stop, base)))
        start, stop, base = (
            np.reshape(x, (1,) * (rank - np.ndim(x)) + shape_of(x))
            for x in map(as_operand, (start, stop, base))
        )
        np.broadcast_shapes(*map(shape_of, (start, stop, base)))
        base = np.expand_dims(base, axis)
    exponents = np.linspace(start, stop, num, endpoint, axis=axis)
    powers = np.power(base, exponents)
    return powers if dtype is None else cast_to(powers, np.dtype(dtype))


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """As `numpy.geomspace`, with traced ends; whether they are zero is seen where they are known.

    Numbers of any sign, and complex ones, are turned so that the first one is positive.
    """
    start, stop = strong_operand(start), strong_operand(stop)
    for end in map(known_value, (start, stop)):
        if not isinstance(end, Tracer) and np.any(end == 0):
            raise ValueError("Geometric sequence cannot include zero")
    common = np.result_type(dtype_of(start), dtype_of(stop), float(num), np.zeros((), dtype))
    start, stop = cast_to(start, common), cast_to(stop, common)
    direction = np.sign(start)
    first, last = start / direction, stop / direction
    samples = np.logspace(np.log10(first), np.log10(last), num, endpoint, dtype=common)
    numbers = np.reshape(np.arange(num), (num,) + (1,) * (np.ndim(samples) - 1))
    samples = np.where(numbers == 0, first, samples)
    if num > 1 and endpoint:
        samples = np.where(numbers == num - 1, last, samples)
    samples = samples * direction
    if axis != 0:
        samples = np.moveaxis(samples, 0, axis)
    return samples if dtype is None else cast_to(samples, np.dtype(dtype))
