"""How elements of arrays lie in memory, which decides what NumPy's reshape makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

WITHOUT_AXES = np.zeros((), bool)
"""How an array without axes lies, which is written in place, as scalars are not."""


class Flags:
    """What `numpy.ndarray.flags` says of an array, for a traced one.

    Args:
        like: Those of an array that lies in memory as it does.
        owndata: Whether it is no view.
        writeable: Whether it can be written, as scalars cannot.
    """

    def __init__(self, like: Any, owndata: bool, writeable: bool) -> None:
        self.owndata, self.writeable = owndata, writeable
        self.aligned, self.writebackifcopy = True, False
        self.c_contiguous, self.f_contiguous = like.c_contiguous, like.f_contiguous
        self.contiguous, self.forc, self.fnc = like.contiguous, like.forc, like.fnc

    def __getitem__(self, name: str) -> bool:
        return getattr(self, {"C": "c_contiguous", "F": "f_contiguous"}.get(name, name.lower()))

    def __repr__(self) -> str:
        names = ("c_contiguous", "f_contiguous", "owndata", "writeable", "aligned")
        return "\n".join(f"  {name.upper()} : {self[name]}" for name in names)


def copied(array: np.ndarray) -> np.ndarray:
    """A copy whose elements lie as those of the array do, gaps between them included."""
    if array.flags.forc or 0 in array.strides or not array.size:
        return array.__copy__() if type(array) is np.ndarray else array.copy("K")
    result = _like(array, array.dtype, array.strides)
    result[...] = array
    return result


def copied_close(array: np.ndarray) -> np.ndarray:
    """A copy for which NumPy makes views where it makes views of the array, with small gaps.

    An array that repeats itself in memory is given back.
    """
    if array.flags.forc:
        return array.__copy__()
    axes = [axis for axis, length in enumerate(array.shape) if length != 1]
    if any(not array.strides[axis] for axis in axes) or not array.size:
        return array
    strides = [array.itemsize] * array.ndim
    apart, end = array.itemsize, 0  # the next axis' steps if there is no gap, in both arrays
    for axis in sorted(axes, key=lambda axis: abs(array.strides[axis])):
        step, length = array.strides[axis], array.shape[axis]
        if abs(step) != (end or array.itemsize):
            apart *= 2
        strides[axis] = apart if step > 0 else -apart
        apart, end = apart * length, abs(step) * length
    result = _like(array, array.dtype, tuple(strides))
    result[...] = array
    return result


def layout_of(array: np.ndarray) -> np.ndarray | None:
    """A small array whose elements lie as those of an array do; None for row-major order.

    Arrays without axes have one, too, which tells them from scalars.
    """
    if not array.shape:
        return WITHOUT_AXES
    if array.flags.c_contiguous or not array.size:
        return None
    strides = array.strides
    if 0 in strides:  # what is made of it lies as a copy does, and axes of length 1 lie in any way
        if any(not step and n > 1 for step, n in zip(strides, array.shape, strict=True)):
            return layout_of(np.empty_like(array, bool))
        strides = tuple([step or array.itemsize for step in strides])
    if all(step % array.itemsize == 0 for step in strides):
        strides = tuple(step // array.itemsize for step in strides)
    return _like(array, np.dtype(bool), strides)


def zeros_lying_as(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Zeros of a dtype whose elements lie as those of an array do."""
    layout = layout_of(array)
    if layout is None:
        return np.zeros(array.shape, dtype)
    result = _like(layout, dtype, tuple(step * dtype.itemsize for step in layout.strides))
    result[...] = 0
    return result


def lie_alike(first: Any, second: Any) -> bool:
    """Whether arrays lie in memory in the same way, of those that `layout_of` has made."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.strides == second.strides
    return first is second


def _like(array: np.ndarray, dtype: np.dtype[Any], strides: tuple[int, ...]) -> np.ndarray:
    """An array of this shape and these strides in memory of its own."""
    ends = [(n - 1) * step for n, step in zip(array.shape, strides, strict=True)]
    first = -sum(end for end in ends if end < 0)
    memory = np.empty(first + sum(end for end in ends if end > 0) + dtype.itemsize, np.uint8)
    return np.ndarray(array.shape, dtype, memory, first, strides)


def order_of(layout: np.ndarray) -> tuple[int, ...]:
    """The axes from that of the longest steps to that of the shortest."""
    return tuple(np.argsort([-abs(step) for step in layout.strides], kind="stable").tolist())
