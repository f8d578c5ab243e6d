"""What was written into an array before it is read: the last write that a read meets."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.program import Atom, Equation
from functrace.ir.types import ArrayType
from functrace.primitives import indexing
from functrace.simplify.indices import is_elsewhere
from functrace.simplify.rewriting import Scope, has_unknown_length

Numbers = np.ndarray[Any, np.dtype[np.int64]]

WRITES = (indexing.index_update, indexing.index_add)

MOST_LOOKED_AT = 16
"""So many writes at the same row, or at no row in particular, are looked at for one read."""


LARGEST = 1 << 16
"""Of arrays with more elements it is not noted who wrote each."""


def is_small(type: ArrayType) -> bool:
    """Whether something may be noted of each element."""
    return type.size <= LARGEST and not has_unknown_length(type)


def is_basic(equation: Equation, count: int) -> bool:
    """Whether there are so many inputs, and an index by whole numbers and slices."""
    return len(equation.inputs) == count and all(
        isinstance(item, int | slice) and item is not True and item is not False
        for item in equation.params["index"]
    )


class History:
    """Writes into one array, one after the other.

    Attributes:
        start: The array before all of them.
        writes: The writes.
        by_row: The numbers of those at one row, for each number of a row.
        others: The numbers of all other ones.
        last: The number of the last write that may be to each element; None where there are few
            writes, or too many elements.
    """

    def __init__(self, start: Atom) -> None:
        self.start = start
        self.writes: list[Equation] = []
        self.by_row: dict[int, list[int]] = {}
        self.others: list[int] = []
        self.last: Numbers | None = None

    def append(self, write: Equation) -> None:
        """Note the next write."""
        row = _row(write)
        numbers = self.others if row is None else self.by_row.setdefault(row, [])
        numbers.append(len(self.writes))
        self.writes.append(write)
        if self.last is not None:
            self._note(len(self.writes) - 1)
        elif len(self.writes) == MOST_LOOKED_AT and is_small(self.start.type):
            self.last = np.full(self.start.type.shape, -1, np.int64)
            for number in range(MOST_LOOKED_AT):
                self._note(number)

    def _note(self, number: int) -> None:
        assert self.last is not None
        write = self.writes[number]
        self.last[write.params["index"] if is_basic(write, 2) else ...] = number

    def last_at(self, read: Equation) -> int | None:
        """The number of the last write that may be to what is read, -1 where there is none.

        None where it is not known.
        """
        if self.last is None or not is_basic(read, 1):
            return None
        return int(self.last[read.params["index"]].max(initial=-1))

    def before(self, count: int, row: int | None) -> list[int]:
        """The numbers of the last of the first writes, that may be to this row; the last first."""
        if row is None:
            return [*range(count - 1, max(count - MOST_LOOKED_AT, 0) - 1, -1)]
        found: list[int] = []
        for numbers in (self.by_row.get(row, []), self.others):
            end = bisect_left(numbers, count)
            found += numbers[max(end - MOST_LOOKED_AT, 0) : end]
        return sorted(found, reverse=True)


class LastWrite(NamedTuple):
    """What a read finds.

    Attributes:
        write: The last write that it may find something of; None where there is none.
        array: The array before all writes then.
        distance: How many other writes came after that one.
    """

    write: Equation | None
    array: Atom
    distance: int


def last_write(read: Equation, scope: Scope) -> LastWrite | None:
    """The last write into an array that a read may find something of.

    Args:
        read: Reads a part of its first input, at an index.
        scope: Where it is written.

    Returns:
        The write; None where it is not looked for any further.
    """
    atom, row, distance = read.inputs[0], _row(read), 0
    while True:
        found = _history(atom, scope)
        if found is None:
            return LastWrite(None, atom, distance)
        history, count = found
        last = history.last_at(read)
        if last is not None and last < count:
            write = history.writes[last]
            if last >= 0 and not is_elsewhere(write, read, scope):
                return LastWrite(write, atom, distance + count - 1 - last)
            if last < 0:
                atom = history.start
                distance += count
                continue
        numbers = history.before(count, row)
        for looked_at, number in enumerate(numbers):
            if looked_at == MOST_LOOKED_AT:
                return None
            write = history.writes[number]
            if not is_elsewhere(write, read, scope):
                return LastWrite(write, atom, distance + count - 1 - number)
        if len(numbers) >= MOST_LOOKED_AT:
            return None
        atom = history.start
        distance += count


def _row(equation: Equation) -> int | None:
    """The number of the row that is read or written; None where it is not just one."""
    index, shape = equation.params["index"], equation.inputs[0].type.shape
    return index[0] % shape[0] if index and type(index[0]) is int and shape[0] > 0 else None


def _history(atom: Atom, scope: Scope) -> tuple[History, int] | None:
    """The writes that an array is the outcome of, as so many of the first ones of a history."""
    known = scope.histories
    fresh: list[Equation] = []
    start = atom
    while start not in known:
        made = scope.definitions.get(start)
        if made is None or made.primitive not in WRITES:
            break
        fresh.append(made)
        start = made.inputs[0]
    if not fresh:
        return known.get(start)
    history, count = known.get(start, (History(start), 0))
    if count < len(history.writes):
        history = History(start)  # of another line, in which something else was written next
    for write in reversed(fresh):
        history.append(write)
        known[write.outputs[0]] = (history, len(history.writes))
    return known[atom]
