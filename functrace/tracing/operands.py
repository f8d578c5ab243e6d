"""What an operand of an operation is: arrays, scalars, and what can be made one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from functrace.errors import FunctraceError, OperandError
from functrace.ir.types import WEAK_DTYPES
from functrace.tracing.places import is_users_error, source_of, user_place
from functrace.tracing.tables import FUNCTIONS
from functrace.tracing.traced_array import TracedArray

PLAIN_SCALARS: set[type] = {bool, int, float, complex} | {
    np.dtype(code).type for code in "?bhilqBHILQefdgFDG"
}


def is_operand(x: Any) -> bool:
    """Whether an operand can be bound as it is."""
    kind = type(x)
    if kind is np.ndarray:
        return x.dtype.kind in "biufc"
    return kind in PLAIN_SCALARS or isinstance(x, TracedArray)


def as_operand(x: Any) -> Any:
    """An operand of an array operation: arrays, scalars and tracers as they are, lists as arrays.

    Raises:
        OperandError: It is no array of numbers.
        ArrayConversionError: It is a list that holds a traced value.
    """
    kind = type(x)
    if isinstance(x, TracedArray) or kind in PLAIN_SCALARS:  # `is_operand`, sooner
        return x
    if kind is np.ndarray and x.dtype.kind in "biufc":
        return x
    plain = cast("Sequence[Any]", (bool, int, float, complex))
    for python in plain:
        if isinstance(x, python) and not isinstance(x, np.generic):
            return np.asarray(python(x))[()]  # for NumPy a subclass, as IntEnum, is not weak
    try:
        array: Any = x if isinstance(x, np.ndarray | np.generic) else np.asarray(x)
    except (ValueError, TypeError) as error:
        if isinstance(error, FunctraceError) or is_users_error(error):
            raise
        raise OperandError(
            f"A {type(x).__qualname__} is no array of numbers: {error}", source_of(user_place(2))
        ) from error
    if array.dtype.kind not in "biufc":
        raise OperandError(
            f"An operand of type {type(x).__qualname__} and dtype {array.dtype} is no array of "
            "numbers.",
            source_of(user_place(2)),
        )
    if isinstance(x, np.ma.MaskedArray | np.matrix):
        raise not_ordinary(type(x))
    return np.asarray(array)


def not_ordinary(kind: type) -> OperandError:
    """The error for arrays whose operations mean something else than those of `numpy.ndarray`."""
    return OperandError(
        f"A {kind.__qualname__} met a traced value; it is not an ordinary array.",
        source_of(user_place(2)),
        "Convert it first: np.asarray(x), or x.filled(0) where masked elements count as zeros.",
    )


def is_weak(x: Any) -> bool:
    """Whether a value is a Python scalar, or stands for one."""
    if not isinstance(x, TracedArray):
        return type(x) in WEAK_DTYPES
    return type(x.value) is not np.ndarray and x.type.weak


def as_base(x: Any, exponent: Any) -> Any:
    """Booleans as numbers to be raised to a power: NumPy's operator gives their squares as int8."""
    dtype = getattr(x, "dtype", None)
    if dtype is None or dtype != np.bool_ or (isinstance(x, TracedArray) and x.type.weak):
        return x
    exponent = as_operand(exponent)
    own = WEAK_DTYPES.get(type(exponent)) or exponent.dtype
    return FUNCTIONS[np.astype](x, np.dtype(np.int8) if own.kind == "b" else own)


def as_number(x: Any) -> Any:
    """A Python scalar as NumPy's functions take it: 1 / 0 is no error, and overflow is infinite."""
    if isinstance(x, TracedArray):
        return strong(x)
    try:
        return WEAK_DTYPES[type(x)].type(x)
    except OverflowError:
        return x


def strong(x: Any) -> Any:
    """A value with the dtype that a NumPy function gives it: no longer a weak Python scalar."""
    kind = type(x.value)
    if kind is np.ndarray or kind is np.float64 or not x.type.weak:
        return x
    return FUNCTIONS[np.astype](x, x.dtype)


def strong_operand(x: Any) -> Any:
    """An operand of a function that makes arrays of Python scalars, in their own dtype."""
    x = as_operand(x)
    if isinstance(x, TracedArray):
        return strong(x)
    weak = WEAK_DTYPES.get(type(x))
    return x if weak is None else weak.type(x)
