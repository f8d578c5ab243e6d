"""Which values of a Program have which memory, and who may write it.

Several variables of a Program may share memory: views of one array, or a result that was written
over an input which nobody needs any more. They have one `Storage`. Memory is let go, or written
over, when the last of them is no longer needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from functrace.ir.types import ANY_LENGTH, UNKNOWN, ArrayType, Shape

Key = tuple[Shape, str]
"""What two arrays must have in common for one to be written over the other."""

SMALL = 4096
"""Bytes. Arrays below that are not let go one by one: a line of source would cost more."""

LARGE = 64 * 1024
"""Bytes. Arrays from that size on are kept from call to call, where they are not handed out."""

MOST_KEPT = 128 * 1024 * 1024
"""Bytes. A function that would keep more keeps nothing."""

MOST_KEPT_BY_ALL = 512 * 1024 * 1024
"""Bytes that all functions together keep."""


class Storage:
    """Memory that one or several variables share.

    Attributes:
        is_owned: Whether the generated function made it and may write it.
        users: How many variables still need it.
        holders: For each value in it how many of these are that value, if it is owned.
        size: Its bytes.
        type: The type of the array that it was made as, if nothing else was it before.
        escapes: Whether it is handed out: of the function, or to the next trip of a loop. That is
            known when all is planned.
    """

    __slots__ = ("escapes", "holders", "is_owned", "size", "type", "users")

    def __init__(self, is_owned: bool, size: int, type: ArrayType | None = None) -> None:
        self.is_owned = is_owned
        self.users = 0
        self.holders: dict[Value, int] = {}
        self.size = size
        self.type = type
        self.escapes = False

    @property
    def is_large(self) -> bool:
        """Whether it is kept from call to call if it is not handed out."""
        return self.size >= LARGE and self.type is not None and key_of(self.type) is not None

    def enter(self, value: Value) -> None:
        """Note that a variable needs a value in this memory."""
        self.users += 1
        if self.is_owned:
            self.holders[value] = self.holders.get(value, 0) + 1

    def leave(self, value: Value) -> None:
        """Note that a variable does not need a value in this memory any more."""
        self.users -= 1
        count = self.holders.get(value, 0)
        if count > 1:
            self.holders[value] = count - 1
        elif count:
            del self.holders[value]

    def views_besides(self, value: Value) -> list[Value] | None:
        """The other values in this memory; None where they are not all known."""
        if sum(self.holders.values()) != self.users:
            return None
        return [other for other in self.holders if other is not value]


class Workspace:
    """Large arrays that a generated function writes to in each call, and keeps for the next one.

    Memory that is given back to the system and asked for again costs more time than arithmetic on
    it. Calls that overlap have arrays of their own. What all functions keep has a limit: those that
    come later let go of their arrays after each call.

    Attributes:
        types: The types of the arrays.
        size: Their bytes.
    """

    kept_by_all: ClassVar[int] = 0

    def __init__(self, types: Sequence[ArrayType]) -> None:
        """Note the types; the arrays are made in the first call."""
        self.types = tuple(types)
        self.size = sum(map(size_of, types))
        self._idle: list[tuple[Any, ...]] = []

    def take(self) -> tuple[Any, ...]:
        """The arrays, for one call."""
        try:
            arrays = self._idle.pop()
        except IndexError:
            return tuple([np.empty(type.shape, type.dtype) for type in self.types])
        Workspace.kept_by_all -= self.size
        return arrays

    def give(self, arrays: tuple[Any, ...]) -> None:
        """Hand the arrays back at the end of a call."""
        if not self._idle and Workspace.kept_by_all + self.size <= MOST_KEPT_BY_ALL:
            Workspace.kept_by_all += self.size
            self._idle.append(arrays)

    def __del__(self) -> None:
        """Give up the share of the limit, when the function is gone."""
        Workspace.kept_by_all -= self.size * len(self._idle)


class Form(Enum):
    """In what objects a value is held."""

    NUMPY = "an array or a scalar, as the type says"
    PYTHON = "a number of Python, with which arithmetic takes a third of the time"
    NUMBERS = "numbers of Python, which loops hand to loops one by one"


class Value:
    """What a variable or a constant is while a Program runs.

    Attributes:
        type: Its type.
        storage: Its memory; None for what cannot be written, NumPy's and Python's scalars.
        is_writable: Whether it may be written where its storage may.
        is_contiguous: Whether its elements are known to lie in row-major order; None where they do
            if its memory is kept from call to call.
        form: In what objects it is held.
        constant: The value of a constant, else `UNKNOWN`.
    """

    __slots__ = ("constant", "form", "is_contiguous", "is_writable", "storage", "type")

    def __init__(
        self,
        type: ArrayType,
        storage: Storage | None = None,
        is_writable: bool = True,
        is_contiguous: bool | None = False,
        form: Form = Form.NUMPY,
        constant: Any = UNKNOWN,
    ) -> None:
        self.type = type
        self.storage = storage
        self.is_writable = is_writable
        self.is_contiguous = is_contiguous
        self.form = form
        self.constant = constant


class Free(NamedTuple):
    """An array that nobody needs any more.

    Attributes:
        value: The array.
        until: The number of the equation that will be the last to have a use for it.
    """

    value: Value
    until: int


def size_of(type: ArrayType) -> int:
    """The bytes of an array; 0 where a length is not known."""
    return max(prod(type.shape), 0) * type.dtype.itemsize


def is_double(type: ArrayType) -> bool:
    """Whether values are single numbers that Python's float holds."""
    return not type.shape and type.dtype == np.float64


def key_of(type: ArrayType) -> Key | None:
    """What an array must have to be written over one of this type; None where nothing fits."""
    if not type.shape or ANY_LENGTH in type.shape:
        return None
    return type.shape, type.dtype.str
