"""Functions that generated source calls."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ANY_LENGTH, ArrayType
from functrace.tracing.tracer import Tracer


def new_doubles(length: int) -> array[float]:
    """Memory for numbers, which are read and written one by one."""
    return array("d", bytes(8 * length))


def from_array(x: Any) -> array[float]:
    """The numbers of an array, in memory from which they are read one by one."""
    return array("d", x.astype(np.float64, copy=False).tobytes())  # in the machine's byte order


def as_array(numbers: array[float]) -> Any:
    """The same memory as an array of NumPy."""
    return np.frombuffer(numbers) if numbers else np.empty(0)


def fresh_copy(x: Any) -> Any:
    """A value that shares no memory: scalars as they are, arrays without axes as copies."""
    return x.copy() if isinstance(x, np.ndarray) else x


def in_class_of(x: Any, other: Any) -> Any:
    """A number as an array without axes if another one is an array, else as a scalar."""
    return np.asarray(x) if isinstance(other, np.ndarray) else x[()]


def stacked(values: Sequence[Any], type: ArrayType) -> Any:
    """Stack values of a type.

    An axis of unknown length becomes as long as the longest needs; what the others lack is zeros.
    Such axes count the trips of a loop that is to be run backward, and one of the stacks says by
    1 which of the trips there were.
    """
    shape = type.shape
    if any(isinstance(x, Tracer) for x in values):
        longest = np.max([np.shape(x) for x in values], axis=0)
        return np.stack([
            np.pad(x, [(0, n - m) for m, n in zip(np.shape(x), longest, strict=True)])
            if ANY_LENGTH in shape
            else x
            for x in values
        ])  # fmt: skip
    if ANY_LENGTH not in shape:
        result = np.empty((len(values), *shape), type.dtype)
        for number, value in enumerate(values):
            result[number] = value
        return result
    longest = np.max([np.shape(x) for x in values], axis=0) if values else np.maximum(shape, 0)
    result = np.zeros((len(values), *longest), type.dtype)
    for number, value in enumerate(values):
        result[(number, *map(slice, np.shape(value)))] = value
    return result
