"""Bits: numbers seen as others that have the same, and bits packed into bytes and unpacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.primitives.viewing import viewed
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand

_BYTE = np.dtype(np.uint8)


@implements(np.ndarray.view)
def view(x: Any, dtype: Any) -> Any:
    """As `numpy.ndarray.view`, with a dtype; between complex and real numbers it has a derivative.

    Raises:
        ValueError: The last axis holds no whole number of them.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "biufc":
        raise TypeError(f"a traced array has numbers, and none of {dtype}")
    return viewed(x, dtype)


def _last(a: Any, axis: int | None) -> tuple[Any, int]:
    """The array with the axis of bits or bytes at the end, and where it belongs."""
    if axis is None or not shape_of(a):
        a, axis = np.reshape(a, -1), axis or 0
    axis = normalize_axis_index(axis, np.ndim(a))
    return np.moveaxis(a, axis, -1), axis


def _places(bitorder: str) -> Any:
    """How far each of eight bits is from the lowest."""
    if bitorder not in ("big", "little"):
        raise ValueError("'order' must be either 'little' or 'big'")
    places = np.arange(8, dtype=_BYTE)
    return places if bitorder == "little" else places[::-1]


@implements(np.packbits)
def packbits(a: Any, /, axis: int | None = None, bitorder: str = "big") -> Any:
    """As `numpy.packbits`."""
    a = as_operand(a)
    if dtype_of(a).kind not in "biu":
        raise TypeError("Expected an input array of integer or boolean data type")
    rows, axis = _last(a, axis)
    *rest, length = shape_of(rows)
    bits = cast_to(np.not_equal(rows, 0), _BYTE)
    bits = np.pad(bits, [(0, 0)] * len(rest) + [(0, -length % 8)])
    bits = np.reshape(bits, (*rest, -(-length // 8), 8))
    packed = np.add.reduce(np.left_shift(bits, _places(bitorder)), axis=-1, dtype=_BYTE)
    return np.moveaxis(packed, -1, axis)


@implements(np.unpackbits)
def unpackbits(
    a: Any, /, axis: int | None = None, count: int | None = None, bitorder: str = "big"
) -> Any:
    """As `numpy.unpackbits`."""
    a = as_operand(a)
    if dtype_of(a) != _BYTE:
        raise TypeError("Expected an input array of unsigned byte data type")
    rows, axis = _last(a, axis)
    *rest, length = shape_of(rows)
    shifted = np.right_shift(np.expand_dims(rows, -1), _places(bitorder))
    bits = np.reshape(np.bitwise_and(shifted, _BYTE.type(1)), (*rest, length * 8))
    if count is not None:
        number = count if count >= 0 else length * 8 + count
        if number < 0:
            raise ValueError(
                f"-ve count {-count} exceeds the size of the unpacked axis {length * 8}"
            )
        bits = bits[..., :number]
        missing = number - shape_of(bits)[-1]
        bits = np.pad(bits, [(0, 0)] * len(rest) + [(0, missing)]) if missing else bits
    return np.moveaxis(bits, -1, axis)
