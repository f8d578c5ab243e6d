"""What is known of arrays without their values, and comparisons of whole arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from functrace.ir.types import WEAK_KINDS, Shape
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer

# Shapes and dtypes


@implements(np.shape)
def shape(a: Any) -> Shape:
    """As `numpy.shape`."""
    return tuple(a.shape)


@implements(np.ndim)
def ndim(a: Any) -> int:
    """As `numpy.ndim`."""
    return len(a.shape)


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """As `numpy.size`."""
    if axis is None:
        return a.size
    return math.prod(a.shape[axis] for axis in normalize_axis_tuple(axis, a.ndim))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """As `numpy.tril_indices_from`."""
    return np.tril_indices_from(np.empty(arr.shape, bool), k)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """As `numpy.triu_indices_from`."""
    return np.triu_indices_from(np.empty(arr.shape, bool), k)


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """As `numpy.diag_indices_from`."""
    example: Any = np.empty(arr.shape, bool)
    return np.diag_indices_from(example)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """As `numpy.result_type`."""
    return np.result_type(*map(_promotion_operand, arrays_and_dtypes))


def _promotion_operand(x: Any) -> Any:
    if not isinstance(x, Tracer):
        return x
    return WEAK_KINDS[x.dtype.kind](0) if x.type.weak else x.dtype


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """As `numpy.can_cast`."""
    return np.can_cast(dtype_of(from_), _promotion_operand(to), casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> type:
    """As `numpy.common_type`."""
    return np.common_type(*(np.empty(0, dtype_of(as_operand(x))) for x in arrays))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """As `numpy.iscomplexobj`."""
    return x.dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """As `numpy.isrealobj`."""
    return x.dtype.kind != "c"


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """As `numpy.isreal`."""
    return np.equal(np.imag(x), 0)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """As `numpy.iscomplex`."""
    return np.not_equal(np.imag(x), 0)


@implements(np.einsum_path)
def einsum_path(*operands: Any, **options: Any) -> Any:
    """As `numpy.einsum_path`, which looks at shapes only."""

    def stand_in(x: Any) -> Any:
        return np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, Tracer) else x

    return np.einsum_path(*map(stand_in, operands), **options)


# Comparisons of whole arrays


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As `numpy.isclose`."""
    a, b, rtol, atol = (known_value(as_operand(x)) for x in (a, b, rtol, atol))
    if not any(isinstance(x, Tracer) for x in (a, b, rtol, atol)):
        return np.isclose(a, b, rtol, atol, equal_nan)
    b = cast_to(b, np.result_type(b, 1.0))  # differences of integers might overflow
    is_finite = np.isfinite(b)
    finite = np.where(is_finite, b, 0)  # inf - inf would warn
    close = np.less_equal(np.abs(a - finite), atol + rtol * np.abs(finite)) & is_finite
    result = close | np.equal(a, b)
    return result | (np.isnan(a) & np.isnan(b)) if equal_nan else result


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As `numpy.allclose`."""
    return _answer(np.isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """As `numpy.array_equal`."""
    a1, a2 = (known_value(as_operand(x)) for x in (a1, a2))
    if shape_of(a1) != shape_of(a2):
        return False
    equal = np.equal(a1, a2)
    if equal_nan:
        equal = equal | (np.isnan(a1) & np.isnan(a2))
    return _answer(equal)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """As `numpy.array_equiv`."""
    a1, a2 = (known_value(as_operand(x)) for x in (a1, a2))
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return _answer(np.equal(a1, a2))


def _answer(elementwise: Any) -> Any:
    """Whether all are true: Python's own boolean, as NumPy's answer is, where values are known."""
    result: Any = np.all(elementwise)
    return result if isinstance(result, Tracer) else bool(result)
