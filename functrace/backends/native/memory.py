"""Where the arrays of a kernel lie: on the stack, or in memory that each call is lent."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.writing import Writer, memory_type, strides_of
from functrace.ir.types import Shape

ON_STACK = 1024
"""Up to so many bytes an array lies on the stack, where LLVM may keep it in registers."""

STACK = 1 << 15
"""So many bytes of the stack are used at most."""

LINE = 64
"""The bytes of a line of the cache, at whose begin memory begins."""


class Slot:
    """Memory for one array at a time.

    Attributes:
        pointer: Where it begins.
        tag: What tells LLVM that it overlaps with no other.
        size: Its bytes.
        is_lent: Whether it is used again when nobody needs it any more.
    """

    def __init__(self, pointer: str, tag: int, size: int, is_lent: bool) -> None:
        self.pointer = pointer
        self.tag = tag
        self.size = size
        self.is_lent = is_lent


class View(NamedTuple):
    """An array: how its elements lie in memory.

    Attributes:
        pointer: Where the first one lies.
        tag: Which memory that is.
        shape: The lengths of the axes.
        strides: How far elements are from each other along each axis, in elements.
        dtype: Of the elements.
        slot: The memory, if it is of this function.
    """

    pointer: str
    tag: int
    shape: Shape
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    slot: Slot | None = None

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other."""
        whole = strides_of(self.shape)
        return 0 in self.shape or all(
            length == 1 or stride == step
            for length, stride, step in zip(self.shape, self.strides, whole, strict=True)
        )

    def stretched(self, shape: Shape) -> View:
        """As broadcast to a shape."""
        missing = len(shape) - len(self.shape)
        strides = [0] * missing + [
            0 if length == 1 else stride
            for length, stride in zip(self.shape, self.strides, strict=True)
        ]
        return self._replace(shape=shape, strides=tuple(strides))


class Cell:
    """A number that changes, which LLVM keeps in a register."""

    def __init__(self, write: Writer, kind: str, value: str) -> None:
        self._write = write
        self._kind = kind
        self._pointer = write.stack(kind)
        self.set(value)

    def get(self) -> str:
        """What it is."""
        value = self._write.let(f"load {self._kind}, ptr {self._pointer}")
        self._write.folding.get(value, self._pointer)
        return value

    def set(self, value: str) -> None:
        """Change it."""
        self._write.folding.put(value, self._pointer)
        self._write.line(f"store {self._kind} {value}, ptr {self._pointer}")


class Places:
    """The memory of a function."""

    def __init__(self, write: Writer, memory: str) -> None:
        """Begin with none.

        Args:
            write: The function.
            memory: The pointer to the memory that a call is lent.
        """
        self._write = write
        self._memory = memory
        self._on_stack = 0
        self._free: list[Slot] = []
        self.size = 0

    def take(
        self, shape: Shape, dtype: np.dtype[Any], unless: AbstractSet[Slot | None] = frozenset()
    ) -> View:
        """Memory for an array.

        Args:
            shape: Its shape.
            dtype: Of its elements.
            unless: Memory that was given back, but will still be read.
        """
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        slot = self._slot(max(size, 1), memory_type(dtype), dtype.itemsize, unless)
        return View(slot.pointer, slot.tag, shape, strides_of(shape), dtype, slot)

    def _slot(self, size: int, type: str, itemsize: int, unless: AbstractSet[Slot | None]) -> Slot:
        if size <= ON_STACK and self._on_stack + size <= STACK:
            self._on_stack += size
            pointer = self._write.stack(
                type, -(-size // itemsize), align=min(LINE, max(16, itemsize))
            )
            return Slot(pointer, self._write.tag(), size, is_lent=False)
        fitting = [s for s in self._free if size <= s.size <= 2 * size and s not in unless]
        if fitting:
            slot = min(fitting, key=lambda slot: slot.size)
            self._free.remove(slot)
            self._write.folding.forget(slot.tag)
            return slot
        begin = self.size
        self.size += -(-size // LINE) * LINE
        pointer = self._write.above(f"getelementptr inbounds i8, ptr {self._memory}, i64 {begin}")
        return Slot(pointer, self._write.tag(), size, is_lent=True)

    def give_back(self, slot: Slot | None) -> None:
        """Let others use memory, if it is of this function."""
        if slot is not None and slot.is_lent:
            self._free.append(slot)


def load(write: Writer, view: View, place: str = "0") -> str:
    """An element of an array."""
    return write.load(view.dtype, write.address(view.dtype, view.pointer, place), view.tag)


def store(write: Writer, view: View, value: str, place: str = "0") -> None:
    """Set an element of an array."""
    write.store(view.dtype, value, write.address(view.dtype, view.pointer, place), view.tag)
