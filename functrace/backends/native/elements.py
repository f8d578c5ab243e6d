"""Loops over the elements of arrays, and what is combined in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.elementwise import Expressions
from functrace.backends.native.memory import Cell, Places, View, load, store
from functrace.backends.native.writing import Writer, literal, register_type
from functrace.ir.types import Shape

DType = np.dtype[Any]

Body = Callable[[list[str], list[str]], tuple[Sequence[str], Sequence[str]]]
"""Writes what is done at each element: from the numbers that were read, and the places of arrays
that it reads itself, to the numbers to be written, and to be combined."""

WRITTEN_OUT = 8
"""Loops over so few elements are written out, one element after the other."""

MANY = 4096
"""Of more numbers in a row the sums of so many are added up by themselves."""


FEWEST = 16
"""A shorter axis is not divided among threads: their parts would differ too much."""

BLOCKS = 64
"""Into so many parts an axis is divided at most, whose sums are added up in the end."""

BESIDE = 16
"""There are so many times as many elements as there are such sums."""


class Fold(NamedTuple):
    """A reduction within a nest.

    Attributes:
        name: What combines two elements.
        dtype: Of the result, and of what is combined.
        target: Where the result goes; with stride 0 along the reduced axes.
        axes: The reduced axes.
    """

    name: str
    dtype: DType
    target: View
    axes: frozenset[int]


def neutral(name: str, dtype: DType) -> Any:
    """What changes nothing where it is combined."""
    if name in ("sum", "any"):
        return -0.0 if dtype.kind == "f" else 0
    if name in ("prod", "all"):
        return 1
    if dtype.kind == "f":
        return -np.inf if name == "max" else np.inf
    if dtype.kind == "b":
        return name == "min"
    info = np.iinfo(dtype)
    return info.min if name == "max" else info.max


def combined(write: Writer, name: str, dtype: DType, x: str, y: str) -> str:
    """Two elements combined; additions may be done in any order."""
    e = Expressions(write, dtype)
    if dtype.kind == "f":
        if name in ("sum", "prod"):
            word = "fadd" if name == "sum" else "fmul"
            return e(f"{word} reassoc contract", x, y)
        return e.intrinsic("maximum" if name == "max" else "minimum", x, y)
    if dtype.kind == "b":
        return e("or" if name in ("any", "max", "sum") else "and", x, y)
    return e.of({"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}[name], x, y)


class Elements:
    """Loops over a domain, as they are written.

    Attributes:
        results: The results of the folds; None for those that are in memory only.
    """

    def __init__(
        self,
        write: Writer,
        domain: Shape,
        reads: Sequence[View],
        writes: Sequence[View],
        folds: Sequence[Fold],
        body: Body,
        places: Sequence[View] = (),
        *,
        cost: float = 0,
        memory: Places | None = None,
    ) -> None:
        """Write them.

        Args:
            write: The function.
            domain: The lengths.
            reads: What is read at each element, with a stride for each axis.
            writes: What is written at each.
            folds: What is combined over all.
            body: What is done at each.
            places: Arrays that the body reads itself: it is told where.
            cost: How many instructions an element takes.
            memory: Where arrays may be. None if what is done at an element needs what is done at
                others, beside the folds: then threads cannot share the loops.
        """
        self._write = write
        self._memory = memory
        self._cost = cost
        self._bounds: dict[int, tuple[str, str]] = {}
        self._body = body
        self._folds = folds
        views = [*reads, *writes, *places, *(fold.target for fold in folds)]
        self._lengths, strides, self._reduced = collapsed(
            domain, [view.strides for view in views], [fold.axes for fold in folds]
        )
        views = [v._replace(strides=s) for v, s in zip(views, strides, strict=True)]
        self._count = len(views)
        first, second, third = (
            len(reads), len(reads) + len(writes), len(reads) + len(writes) + len(places),
        )  # fmt: skip
        self._reads, self._writes = views[:first], views[first:second]
        self._places, self._targets = views[second:third], views[third:]
        rank = len(self._lengths)
        # From this loop inwards all axes are reduced, so that a register can hold the sum.
        self._from = [first_of_all(reduced, rank) for reduced in self._reduced]
        self._outside = [
            any(axis < start for axis in reduced)
            for reduced, start in zip(self._reduced, self._from, strict=True)
        ]
        self._cells: list[Cell | None] = [None] * len(folds)
        self.results: list[str | None] = [None] * len(folds)
        with write.apart(math.prod(domain)):
            self._write_all(domain)
        for number, result in enumerate(self.results):
            if result is not None:
                self.results[number] = load(write, self._targets[number])

    def _write_all(self, domain: Shape) -> None:
        for number in range(len(self._folds)):
            self._clear(number, domain)
        if 0 in domain:
            self._nothing(domain)
            return
        memory, axis = self._memory, self._axis_of_threads()
        if memory is None or axis is None:
            self._loops(0, ["0"] * self._count)
        elif any(axis in reduced for reduced in self._reduced):
            self._in_blocks(axis, domain, memory)
        else:
            with self._write.task() as task:
                self._bounds[axis] = task.first, task.last
                self._loops(0, ["0"] * self._count)
            self._write.divide(task, self._lengths[axis])

    # Threads

    def _axis_of_threads(self) -> int | None:
        """The axis that is divided among threads; None if there is none that is worth it."""
        lengths = self._lengths
        if not lengths or not self._write.is_worth_threads(self._cost * math.prod(lengths)):
            return None
        is_kept = not any(0 in reduced for reduced in self._reduced)
        axis = 0 if is_kept and lengths[0] >= FEWEST else lengths.index(max(lengths))
        is_short = lengths[axis] < FEWEST
        if not is_short and any(axis in reduced for reduced in self._reduced):
            is_short = lengths[axis] <= self._size_of_blocks(axis)
        return None if is_short else axis

    def _size_of_blocks(self, axis: int) -> int:
        """How long the parts of a reduced axis are; they are few where there are large results."""
        length = self._lengths[axis]
        unit = MANY if axis == len(self._lengths) - 1 and length > 2 * MANY else 1
        targets = zip(self._folds, self._reduced, strict=True)
        most = max(math.prod(f.target.shape) for f, reduced in targets if axis in reduced)
        count = min(BLOCKS, max(math.prod(self._lengths) // (BESIDE * most), 1))
        return -(-length // (unit * count)) * unit

    def _in_blocks(self, axis: int, domain: Shape, memory: Places) -> None:
        """Threads have parts of an axis, whose folds are combined in the end.

        The parts are the same by any number of threads.
        """
        write, length, size = self._write, self._lengths[axis], self._size_of_blocks(axis)
        count = -(-length // size)
        numbers = [n for n, reduced in enumerate(self._reduced) if axis in reduced]
        views = {n: self._folds[n].target for n in numbers}
        parts = {n: memory.take((count, *view.shape), view.dtype) for n, view in views.items()}
        targets = list(self._targets)
        with write.task() as task, write.loop(task.last, task.first) as block:
            first = write.times(block, size)
            end = write.add(first, str(size))
            last = write.call("llvm.smin.i64", "i64", ("i64", end), ("i64", str(length)))
            self._bounds[axis] = first, last
            for n, part in parts.items():
                place = write.times(block, part.strides[0])
                pointer = write.address(part.dtype, part.pointer, place)
                self._targets[n] = targets[n]._replace(pointer=pointer, tag=part.tag)
                self._clear(n, domain)
            self._loops(0, ["0"] * self._count)
        write.divide(task, count)
        self._targets = targets
        for n, part in parts.items():
            combine(write, self._folds[n].name, part, views[n])
            memory.give_back(part.slot)

    def _nothing(self, domain: Shape) -> None:
        """What is the result where there are no elements."""
        for number, fold in enumerate(self._folds):
            none = 0 if fold.name == "sum" else neutral(fold.name, fold.dtype)
            value = literal(none, fold.dtype)
            self.results[number] = value
            self._fill(number, domain, value)

    def _clear(self, number: int, domain: Shape) -> None:
        """Set results to what changes nothing, where memory holds what was combined so far."""
        if self._outside[number] or (self._from[number] == len(self._lengths) > 0):
            fold = self._folds[number]
            self._fill(number, domain, literal(neutral(fold.name, fold.dtype), fold.dtype))

    def _fill(self, number: int, domain: Shape, value: str) -> None:
        """Set all results of a fold to a number."""
        fold, (pointer, tag, *_) = self._folds[number], self._targets[number]
        kept = [axis for axis in range(len(domain)) if axis not in fold.axes]
        shape = tuple(domain[axis] for axis in kept)
        strides = tuple(fold.target.strides[axis] for axis in kept)
        target = fold.target._replace(pointer=pointer, tag=tag, shape=shape, strides=strides)
        fill(self._write, target, value)

    def _loops(self, depth: int, offsets: list[str]) -> None:
        """Write the loops from this one inwards; the offsets are those of all views so far."""
        write = self._write
        rank = len(self._lengths)
        begun = [n for n, start in enumerate(self._from) if start == depth < max(rank, 1)]
        for number in begun:
            self._begin(number)
        if depth == rank:
            self._element(offsets)
        else:
            length = self._lengths[depth]
            inner = depth == rank - 1 and begun and length > 2 * MANY
            if inner:
                self._in_parts(depth, offsets, begun)
            elif depth not in self._bounds and math.prod(self._lengths[depth:]) <= WRITTEN_OUT:
                for number in range(length):
                    self._loops(depth + 1, self._moved(depth, offsets, str(number)))
            else:
                first, last = self._bounds.get(depth, ("0", str(length)))
                with write.loop(last, first) as index:
                    self._loops(depth + 1, self._moved(depth, offsets, index))
        for number in begun:
            self._end(number, offsets)

    def _in_parts(self, depth: int, offsets: list[str], begun: Sequence[int]) -> None:
        """The innermost loop, in parts whose sums are added up by themselves."""
        write = self._write
        length = self._lengths[depth]
        whole = list(self._cells)
        start, stop = "0", str(-(-length // MANY))
        if depth in self._bounds:
            first, last = self._bounds[depth]
            start = write.let(f"sdiv i64 {first}, {MANY}")
            stop = write.let(f"sdiv i64 {write.add(last, str(MANY - 1))}, {MANY}")
        with write.loop(stop, start) as part:
            first = write.times(part, MANY)
            end = write.add(first, str(MANY))
            last = write.call("llvm.smin.i64", "i64", ("i64", end), ("i64", str(length)))
            for number in begun:
                self._begin(number)
            with write.loop(last, first) as index:
                self._loops(depth + 1, self._moved(depth, offsets, index))
            for number in begun:
                fold, inner = self._folds[number], self._cells[number]
                cell = whole[number]
                assert cell is not None
                assert inner is not None
                e = Expressions(write, fold.dtype)
                x, y = cell.get(), inner.get()
                if fold.dtype.kind == "f" and fold.name in ("sum", "prod"):
                    total = e("fadd" if fold.name == "sum" else "fmul", x, y)
                else:
                    total = combined(write, fold.name, fold.dtype, x, y)
                cell.set(total)
        self._cells = whole

    def _moved(self, depth: int, offsets: list[str], index: str) -> list[str]:
        """The offsets of all views at a place along an axis."""
        write = self._write
        known: dict[tuple[str, int], str] = {}
        result: list[str] = []
        views = [*self._reads, *self._writes, *self._places, *self._targets]
        for view, offset in zip(views, offsets, strict=True):
            key = offset, view.strides[depth]
            if key not in known:
                known[key] = write.add(offset, write.times(index, view.strides[depth]))
            result.append(known[key])
        return result

    def _begin(self, number: int) -> None:
        fold = self._folds[number]
        start = literal(neutral(fold.name, fold.dtype), fold.dtype)
        self._cells[number] = Cell(self._write, register_type(fold.dtype), start)

    def _end(self, number: int, offsets: list[str]) -> None:
        """Put a sum that a register holds where it belongs."""
        fold, cell = self._folds[number], self._cells[number]
        assert cell is not None
        value = cell.get()
        target = self._targets[number]
        place = offsets[len(offsets) - len(self._folds) + number]
        if self._outside[number]:
            before = load(self._write, target, place)
            value = combined(self._write, fold.name, fold.dtype, before, value)
        elif self._from[number] == 0:
            self.results[number] = value
        store(self._write, target, value, place)

    def _element(self, offsets: list[str]) -> None:
        write = self._write
        numbers = [
            load(write, view, place) for view, place in zip(self._reads, offsets, strict=False)
        ]
        first, second = len(self._reads), len(self._reads) + len(self._writes)
        third = second + len(self._places)
        made, folded = self._body(numbers, offsets[second:third])
        for view, place, value in zip(self._writes, offsets[first:second], made, strict=True):
            store(write, view, value, place)
        for number, value in enumerate(folded):
            fold, cell = self._folds[number], self._cells[number]
            if cell is not None:
                cell.set(combined(write, fold.name, fold.dtype, cell.get(), value))
            else:
                target, place = self._targets[number], offsets[third + number]
                before = load(write, target, place)
                total = combined(write, fold.name, fold.dtype, before, value)
                store(write, target, total, place)


def combine(write: Writer, name: str, parts: View, target: View) -> None:
    """Combine what was made of parts, which lies along a first axis."""
    whole = target._replace(shape=(1, *target.shape), strides=(0, *target.strides))
    fold = Fold(name, target.dtype, whole, frozenset({0}))
    Elements(write, parts.shape, [parts], [], [fold], lambda x, _: ((), x))


def first_of_all(reduced: frozenset[int], rank: int) -> int:
    """The first axis from which on all are reduced."""
    first = rank
    while first > 0 and first - 1 in reduced:
        first -= 1
    return first


def collapsed(
    domain: Shape, strides: Sequence[tuple[int, ...]], reduced: Sequence[frozenset[int]]
) -> tuple[list[int], list[tuple[int, ...]], list[frozenset[int]]]:
    """A domain with fewer axes: those of length one left out, and neighbours made one.

    Two axes are one if along both everything lies in a row, and both are reduced, or neither.
    """
    kept = [axis for axis, length in enumerate(domain) if length != 1]
    groups: list[list[int]] = []
    for axis in kept:
        if groups:
            before = groups[-1][-1]
            in_row = all(s[before] == s[axis] * domain[axis] for s in strides)
            if in_row and all((before in r) == (axis in r) for r in reduced):
                groups[-1].append(axis)
                continue
        groups.append([axis])
    lengths = [int(np.prod([domain[axis] for axis in group])) for group in groups]
    steps = [tuple(s[group[-1]] for group in groups) for s in strides]
    folded = [
        frozenset(number for number, group in enumerate(groups) if group[0] in r) for r in reduced
    ]
    return lengths, steps, folded


def copy(write: Writer, source: View, target: View) -> None:
    """Copy elements, stretched to the target's shape."""
    given = source.stretched(target.shape)
    Elements(write, target.shape, [given], [target], [], lambda x, _: (x, ()))


def fill(write: Writer, target: View, value: str) -> None:
    """Set elements to a number."""
    Elements(write, target.shape, [], [target], [], lambda x, _: ([value], ()))
