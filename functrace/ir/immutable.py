"""Copies of arrays that nobody can write: what a recording keeps of the arrays that it captures.

The memory is that of a ``bytes`` object, which NumPy lets nobody write, whatever flags are set.
So one look at an array tells whether its elements may still change.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def is_immutable(array: np.ndarray) -> bool:
    """Whether the elements of an array cannot change any more."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base) is bytes


def immutable(array: np.ndarray) -> np.ndarray:
    """A copy that nobody can write, with its axes in the same order in memory.

    Of an axis along which all elements lie in one place (as `numpy.broadcast_to` makes them), one
    is copied.

    Example:
        >>> import numpy as np
        >>> buffer = np.zeros(2)
        >>> kept = immutable(buffer)
        >>> buffer[:] = 1.0
        >>> kept
        array([0., 0.])
    """
    return _from_bytes(*_bytes_of(array))


_IN_ROWS = tuple(range(64))  # as many axes as an array can have

LARGE_BYTES = 1 << 14
"""Up to this size an array is found again by a hash of its elements, which is made at a tenth of
the speed at which they are compared; larger ones are where they were when they were copied."""


class ImmutableArrays:
    """Immutable copies, one for all small arrays that have the same elements.

    Of a large array there is one copy as long as it is not written.
    """

    def __init__(self) -> None:
        self._copies: dict[Any, tuple[bytes, np.ndarray]] = {}

    def of(self, array: np.ndarray) -> np.ndarray:
        """The copy of an array as it is now; the array itself, if it cannot change."""
        if is_immutable(array):
            return array
        # One look at the elements for each use: an array that was not written is one copy.
        elements = _bytes_of(array)
        content = elements[0]
        is_large = len(content) > LARGE_BYTES
        key = (array.ctypes.data if is_large else content, *elements[1:])
        known = self._copies.get(key)
        if known is None or known[0] != content:
            known = self._copies[key] = content, _from_bytes(*elements)
        return known[1]


def _bytes_of(
    array: np.ndarray,
) -> tuple[bytes, np.dtype[Any], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Elements, dtype, lengths of the axes in the order of memory, that order, and the shape."""
    if array.flags.c_contiguous:  # most are
        shape = array.shape
        return array.tobytes(), array.dtype, shape, _IN_ROWS[: len(shape)], shape
    order = tuple(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))
    once = tuple(slice(1) if stride == 0 else slice(None) for stride in array.strides)
    core = array[once].transpose(order)
    return core.tobytes(), array.dtype, core.shape, order, array.shape


def _from_bytes(
    content: bytes,
    dtype: np.dtype[Any],
    lengths: tuple[int, ...],
    order: tuple[int, ...],
    shape: tuple[int, ...],
) -> np.ndarray:
    core = np.ndarray(lengths, dtype, content)
    if lengths is shape:  # in row-major order, as most are
        return core
    core = core.transpose(np.argsort(order))
    return core if core.shape == shape else np.broadcast_to(core, shape)
