"""Sums of products, in registers: what a library of linear algebra does for large matrices.

A contraction is a batch of matrix products ``out[r, c] = sum over s of x[r, s] * y[s, c]``. A tile
of the output is held in registers while one loop goes over ``s``. It is done in one of two ways:

- *By columns*: ``y`` and ``out`` lie in a row along ``c``. A vector of ``y`` is multiplied with one
  number of ``x`` after the other.
- *By sums*: ``x`` and ``y`` lie in a row along ``s``. Vectors of both are multiplied, and what they
  hold is added up in the end.

Where an operand lies otherwise it is copied first. What is so large that a library is faster, which
arranges both operands for the caches, is handed to that (`functrace.backends.native.libraries`).

The tiles are those of Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication
(2008), without the levels that only large matrices need.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from functrace.backends.native.elements import collapsed, copy
from functrace.backends.native.libraries import matrix_product
from functrace.backends.native.memory import Cell, Places, View
from functrace.backends.native.writing import Writer, literal, register_type, tagged

REGISTERS = 24
"""So many vectors of sums are held at once; there are 32 registers in the largest machines."""

TALLEST = 8
"""So many rows has a tile at most."""

FROM_LIBRARY = 64**3
"""Products of so many numbers, or more, are a library's."""


SHORT = 6
"""Sums of fewer vectors are not added up by lanes where there are many of them."""


class Axis(NamedTuple):
    """An axis of a product: its length, and the strides of the two operands and the output."""

    length: int
    x: int
    y: int
    out: int


ONE = Axis(1, 0, 0, 0)

Pointers = tuple[str, str, str]
"""The addresses of the operands and of the output."""


class Product:
    """A contraction as it is written."""

    def __init__(
        self,
        write: Writer,
        places: Places,
        views: tuple[View, View, View],
        labels: tuple[str, str, str],
        width: int,
    ) -> None:
        """Sort the axes.

        Args:
            write: The function.
            places: Its memory.
            views: The operands and the output, of one floating dtype.
            labels: The labels of their axes.
            width: The bytes of a vector.
        """
        self._write = write
        self._places = places
        self._width = width // views[0].dtype.itemsize
        first, second, output = labels
        sizes = dict(zip(first + second, views[0].shape + views[1].shape, strict=True))

        def axes(chosen: Sequence[str]) -> list[Axis]:
            strides = [
                tuple(view.strides[part.index(c)] if c in part else 0 for c in chosen)
                for view, part in zip(views, labels, strict=True)
            ]
            lengths, steps, _ = collapsed(tuple(sizes[c] for c in chosen), strides, [])
            return [Axis(n, *s) for n, *s in zip(lengths, *steps, strict=True)]

        self._x, self._y, self._out = views
        self._batch = axes([c for c in output if c in first and c in second])
        self._rows = axes([c for c in output if c in first and c not in second])
        self._columns = axes([c for c in output if c in second and c not in first])
        self._sums = axes([c for c in sizes if c not in output])
        rows, columns = self._rows or [ONE], self._columns or [ONE]
        if columns[-1].out != 1 and rows[-1].out == 1:
            self._exchange()
        self._type = register_type(views[0].dtype)

    def _exchange(self) -> None:
        """Let the rows be the columns."""
        self._x, self._y = self._y, self._x

        def exchanged(axes: Sequence[Axis]) -> list[Axis]:
            return [Axis(axis.length, axis.y, axis.x, axis.out) for axis in axes]

        self._batch, self._sums = exchanged(self._batch), exchanged(self._sums)
        self._rows, self._columns = exchanged(self._columns), exchanged(self._rows)

    def is_written(self) -> bool:
        """Write it; False where loops over single elements are as good, and nothing is written."""
        rows, columns = self._rows or [ONE], self._columns or [ONE]
        count = math.prod(axis.length for axis in rows + columns + self._sums)
        if not self._sums or count < 2 * self._width or len(self._sums) > 1:
            return False
        (summed,) = self._sums
        row, column = rows[-1], columns[-1]
        by_columns = column.y == column.out == 1 and column.length > 1
        if row.length == column.length == 1:
            return False
        if column.out != 1 and column.length > 1 and not (summed.x == summed.y == 1):
            return False
        by_sums = summed.x == summed.y == 1 and summed.length >= self._width
        if row.length >= 2 * TALLEST and self._width <= column.length and len(columns) == 1:
            # To add up what is in the lanes takes longer than to copy the operand first.
            by_sums = by_sums and (summed.length >= SHORT * self._width or bool(self._batch))
        outer = [*self._batch, *rows[:-1], *columns[:-1]]
        is_large = row.length * column.length * summed.length >= FROM_LIBRARY
        if is_large and len(outer) <= 1:
            with self._outer(outer) as pointers:
                if matrix_product(self._write, self._type, pointers, (row, column, summed)):
                    return True
        if not by_columns and not by_sums:
            if column.length == 1 or len(columns) > 1 or self._batch:
                return False
            self._arrange(summed, column)
            return self.is_written()
        with self._write.apart(count), self._outer(outer) as pointers:
            if by_columns:
                self._by_columns(pointers, row, column, summed)
            else:
                self._by_sums(pointers, row, column, summed)
        return True

    def _arrange(self, summed: Axis, column: Axis) -> None:
        """Copy the second operand so that its columns lie in a row."""
        y = self._y
        shape = summed.length, column.length
        source = y._replace(shape=shape, strides=(summed.y, column.y))
        target = self._places.take(shape, y.dtype)
        copy(self._write, source, target)
        self._places.give_back(target.slot)
        self._y = target
        self._sums = [summed._replace(y=column.length)]
        self._columns = [column._replace(y=1)]

    # Loops

    @contextmanager
    def _outer(self, axes: Sequence[Axis]) -> Generator[Pointers]:
        """Loops over these axes; the addresses of what one product takes."""
        pointers = self._x.pointer, self._y.pointer, self._out.pointer
        if not axes:
            yield pointers
            return
        first, *rest = axes
        with self._write.loop(str(first.length)) as index:
            moved = self._moved(pointers, first, index)
            self._x, self._y, self._out = (
                view._replace(pointer=pointer)
                for view, pointer in zip((self._x, self._y, self._out), moved, strict=True)
            )
            with self._outer(rest) as inner:
                yield inner
        self._x, self._y, self._out = (
            view._replace(pointer=pointer)
            for view, pointer in zip((self._x, self._y, self._out), pointers, strict=True)
        )

    def _moved(self, pointers: Pointers, axis: Axis, index: str) -> Pointers:
        """The addresses at a place along an axis."""
        x, y, out = (
            self._at(pointer, self._write.times(index, step))
            for pointer, step in zip(pointers, axis[1:], strict=True)
        )
        return x, y, out

    def _at(self, pointer: str, place: str) -> str:
        return self._write.address(self._x.dtype, pointer, place)

    def _parts(self, length: int, size: int) -> Generator[tuple[str, int]]:
        """Parts of a length: those of one size in a loop, and what is left."""
        whole = length // size
        if whole == 1:
            yield "0", size
        elif whole:
            with self._write.loop(str(whole)) as number:
                yield self._write.times(number, size), size
        if length % size:
            yield str(whole * size), length % size

    # Numbers and vectors

    def _vector(self, lanes: int) -> str:
        return self._type if lanes == 1 else f"<{lanes} x {self._type}>"

    def _load(self, lanes: int, pointer: str, view: View) -> str:
        align = view.dtype.itemsize
        note = tagged(view.tag)
        return self._write.let(f"load {self._vector(lanes)}, ptr {pointer}, align {align}{note}")

    def _spread(self, lanes: int, value: str) -> str:
        """The same number in all lanes."""
        if lanes == 1:
            return value
        kind = self._vector(lanes)
        one = self._write.let(f"insertelement {kind} poison, {self._type} {value}, i64 0")
        return self._write.let(
            f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer"
        )

    def _cell(self, lanes: int) -> Cell:
        """A sum, to begin with zero."""
        zero = literal(0, self._x.dtype) if lanes == 1 else "zeroinitializer"
        return Cell(self._write, self._vector(lanes), zero)

    def _add(self, lanes: int, cell: Cell, x: str, y: str) -> None:
        kind = self._vector(lanes)
        product = self._write.let(f"fmul contract {kind} {x}, {y}")
        cell.set(self._write.let(f"fadd contract {kind} {cell.get()}, {product}"))

    # By columns

    def _by_columns(self, pointers: Pointers, row: Axis, column: Axis, summed: Axis) -> None:
        height = min(row.length, TALLEST)
        vectors = max(REGISTERS // height, 1)
        size = min(vectors, max(column.length // self._width, 1)) * self._width
        for start, lanes in self._parts(column.length, size):
            widths = _widths(lanes, self._width)
            from_column = self._moved(pointers, column, start)
            tall = min(max(REGISTERS // len(widths), 1), TALLEST)
            for top, rows in self._parts(row.length, min(tall, row.length)):
                self._tile(self._moved(from_column, row, top), rows, row, widths, summed)

    def _tile(
        self,
        pointers: Pointers,
        rows: int,
        row: Axis,
        widths: Sequence[int],
        summed: Axis,
    ) -> None:
        write = self._write
        # One sum waits for the last addition to it; so a few are added up apart.
        apart = max(1, min(4, 8 // (rows * len(widths)), summed.length))
        cells = [
            [[self._cell(lanes) for lanes in widths] for _ in range(rows)] for _ in range(apart)
        ]
        for start, count in self._parts(summed.length, apart):
            for number in range(count):
                x, y, _ = self._moved(pointers, summed, write.add(start, str(number)))
                loaded: list[str] = []
                place = 0
                for lanes in widths:
                    loaded.append(self._load(lanes, self._at(y, str(place)), self._y))
                    place += lanes
                for r in range(rows):
                    factor = self._load(1, self._at(x, str(r * row.x)), self._x)
                    for n, lanes in enumerate(widths):
                        self._add(
                            lanes, cells[number][r][n], self._spread(lanes, factor), loaded[n]
                        )
        for r in range(rows):
            place = 0
            for n, lanes in enumerate(widths):
                kind = self._vector(lanes)
                total = cells[0][r][n].get()
                for more in cells[1:]:
                    part = more[r][n].get()
                    total = write.let(f"fadd contract {kind} {total}, {part}")
                target = self._at(pointers[2], str(r * row.out + place))
                align, note = self._out.dtype.itemsize, tagged(self._out.tag)
                write.line(f"store {kind} {total}, ptr {target}, align {align}{note}")
                place += lanes

    # By sums

    def _by_sums(self, pointers: Pointers, row: Axis, column: Axis, summed: Axis) -> None:
        wide = min(column.length, 4)
        tall = min(row.length, 4 if wide > 1 else TALLEST)
        for left, columns in self._parts(column.length, wide):
            from_column = self._moved(pointers, column, left)
            for top, rows in self._parts(row.length, tall):
                self._sums_of(
                    self._moved(from_column, row, top), (rows, columns), row, column, summed
                )

    def _sums_of(
        self,
        pointers: Pointers,
        size: tuple[int, int],
        row: Axis,
        column: Axis,
        summed: Axis,
    ) -> None:
        write, lanes = self._write, self._width
        rows, columns = size
        kind = self._vector(lanes)
        totals: dict[tuple[int, int], str] = {}
        for width, length, first in (
            (lanes, summed.length // lanes, 0),
            (1, summed.length % lanes, summed.length - summed.length % lanes),
        ):
            if not length:
                continue
            cells = {(r, c): self._cell(width) for r in range(rows) for c in range(columns)}
            with write.loop(str(length)) as index:
                place = write.add(write.times(index, width), str(first))
                x, y = (self._at(pointer, place) for pointer in pointers[:2])
                left = [
                    self._load(width, self._at(x, str(r * row.x)), self._x) for r in range(rows)
                ]
                for c in range(columns):
                    right = self._load(width, self._at(y, str(c * column.y)), self._y)
                    for r in range(rows):
                        self._add(width, cells[r, c], left[r], right)
            for key, cell in cells.items():
                held = cell.get()
                if width == 1:
                    before = totals.get(key)
                    total = held
                    if before is not None:
                        total = write.let(f"fadd contract {self._type} {before}, {held}")
                else:
                    zero = literal(-0.0, self._x.dtype)
                    name = f"llvm.vector.reduce.fadd.v{lanes}f{8 * self._x.dtype.itemsize}"
                    write.declarations.add(f"declare {self._type} @{name}({self._type}, {kind})")
                    total = write.let(
                        f"call reassoc {self._type} @{name}({self._type} {zero}, {kind} {held})"
                    )
                totals[key] = total
        for (r, c), total in totals.items():
            target = self._at(pointers[2], str(r * row.out + c * column.out))
            write.store(self._out.dtype, total, target, self._out.tag)


def _widths(lanes: int, width: int) -> list[int]:
    """Lanes as vectors, each of a power of two of them."""
    widths = [width] * (lanes // width)
    rest = lanes % width
    while rest:
        part = 1 << (rest.bit_length() - 1)
        widths.append(part)
        rest -= part
    return widths
