"""The type of an array: its shape, its dtype, and whether it came from a Python scalar."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class _Unknown:
    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = _Unknown()
"""Stands for a value of which only the type is known."""

ANY_LENGTH = -1
"""The length of an axis that is known only when a loop has run; printed as ``any``."""

WEAK_DTYPES: dict[type, np.dtype[Any]] = {
    bool: np.dtype(np.bool_),
    int: np.dtype(np.int_),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}
"""The dtype that NumPy gives to a Python scalar standing alone."""

WEAK_KINDS: dict[str, type] = {"b": bool, "i": int, "f": float, "c": complex}
"""The Python scalar type behind a weak type, by the kind of its dtype."""


class ArrayType(NamedTuple):
    """The shape and dtype of a value, known before the value is.

    Attributes:
        shape: The lengths of the axes.
        dtype: The NumPy dtype.
        weak: True for a Python scalar, which takes on the dtype of the arrays it meets
            (NEP 50, https://numpy.org/neps/nep-0050-scalar-promotion.html).

    Example:
        >>> import numpy as np
        >>> print(ArrayType((2, 3), np.dtype(np.float32)))
        float32[2, 3]
        >>> print(type_of(1.5), type_of(np.float64(1.5)))
        weak_float64 float64
    """

    shape: Shape
    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def is_inexact(self) -> bool:
        """Whether values of this type can carry a derivative: floating or complex."""
        return self.dtype.kind in "fc"

    @property
    def strong(self) -> ArrayType:
        """The same type for a value that did not come from a Python scalar."""
        return ArrayType(self.shape, self.dtype) if self.weak else self

    @property
    def tangent(self) -> ArrayType:
        """The type of tangents and cotangents: no Python scalar, in the machine's byte order."""
        return self.strong if self.dtype.isnative else ArrayType(self.shape, native(self.dtype))

    def __str__(self) -> str:
        name = ("weak_" if self.weak else "") + self.dtype.name
        lengths = ["any" if length == ANY_LENGTH else str(length) for length in self.shape]
        return f"{name}[{', '.join(lengths)}]" if lengths else name


@lru_cache(maxsize=256)
def _scalar_type(dtype: np.dtype[Any]) -> ArrayType:
    return ArrayType((), dtype)


_WEAK_TYPES = {python: ArrayType((), dtype, True) for python, dtype in WEAK_DTYPES.items()}


def type_of(value: Any) -> ArrayType:
    """The type of an array, a NumPy scalar, a Python scalar, or a tracer.

    Raises:
        TypeError: The value is none of these.

    Example:
        >>> import numpy as np
        >>> from functrace.extend import type_of
        >>> print(type_of(np.ones((2, 3))), type_of(1.0))
        float64[2, 3] weak_float64
    """
    kind = type(value)
    if kind is np.ndarray:
        return ArrayType(value.shape, value.dtype)
    weak = _WEAK_TYPES.get(kind)
    if weak is not None:
        return weak
    if isinstance(value, np.generic):
        return _scalar_type(value.dtype)
    known = getattr(value, "type", None)
    if isinstance(known, ArrayType):
        return known
    if isinstance(value, np.ndarray):
        return ArrayType(value.shape, value.dtype)
    raise TypeError(f"{kind.__qualname__} is not the type of an array or a scalar")


def promotion_operand(type: ArrayType) -> Any:
    """What stands for a value of this type in NumPy's own promotion: a dtype or a Python type."""
    return WEAK_KINDS[type.dtype.kind] if type.weak else type.dtype


def result_dtype(*types: ArrayType) -> np.dtype[Any]:
    """The dtype that NumPy gives to a combination of these types (NEP 50)."""
    operands = [WEAK_KINDS[t.dtype.kind](0) if t.weak else t.dtype for t in types]
    return np.result_type(*operands)


def common_type(types: Sequence[ArrayType]) -> ArrayType | None:
    """The type that values of these types have together: Python scalars take the others' dtype.

    So do arrays in the other byte order of that of the machine. It is None where shapes differ, or
    the dtypes of what is no Python scalar.
    """
    first = types[0]
    if all(type == first for type in types):
        return first
    dtype = result_dtype(*types)
    fits = all(
        type.shape == first.shape and (type.weak or native(type.dtype) == dtype) for type in types
    )
    return ArrayType(first.shape, dtype) if fits else None


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape to which these shapes broadcast.

    Raises:
        ValueError: They do not broadcast.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    if not any(ANY_LENGTH in shape for shape in shapes):
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:  # it counts arguments; this is what operators say
            shown = " ".join(str(shape).replace(" ", "") for shape in shapes)
            raise ValueError(
                f"operands could not be broadcast together with shapes {shown}"
            ) from None
    rank = max(map(len, shapes))
    lengths: list[int] = []
    for axis in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        longer = {length for length in axis if length != 1}
        if len(longer) > 1:
            raise ValueError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        lengths.append(longer.pop() if longer else 1)
    return tuple(lengths)


def with_axis(type: ArrayType, size: int, axis: int) -> ArrayType:
    """The type of ``size`` values of a type, counted along an axis."""
    return ArrayType((*type.shape[:axis], size, *type.shape[axis:]), type.dtype)


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A dtype in the byte order of the machine, which is that of all scalars."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def row_type(type: ArrayType, weak: bool = False) -> ArrayType:
    """The type of one row; where the body takes it as a Python number, of that."""
    shape = type.shape[1:]
    return ArrayType(shape, type.dtype if shape else native(type.dtype), weak)
