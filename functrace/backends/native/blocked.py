"""Factorizations and linear systems of matrices that are not small, block by block.

All but a share of the arithmetic is products of blocks, which the library does that NumPy brings
along. What is left is of the blocks on the diagonal: they are factored and inverted by loops over
whole rows of fixed length, which LLVM makes vectors of. What needs exchanges of rows is LAPACK's.

Source: Golub and Van Loan, Matrix Computations, 4th edition, sections 3.1.4 and 4.2.6.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.elements import Elements
from functrace.backends.native.elimination import Index, Matrix, Work
from functrace.backends.native.halves import Halves, Labels
from functrace.backends.native.libraries import Block, call, has_routines, multiply
from functrace.backends.native.machine import vector_bytes
from functrace.backends.native.memory import Cell, View
from functrace.backends.native.writing import Writer, register_type

LARGEST_BLOCK = 64
"""So many rows has a block at most."""

AT_ONCE = 8
"""So many vectors are in registers while other rows are subtracted from them."""

FEW = 8
"""Of fewer right-hand sides a triangular system is solved row by row."""


class Part(NamedTuple):
    """The rows of one block: where they begin, where they end, and how many there are."""

    start: Index
    stop: Index
    count: Index


class Blocks:
    """The rows of a matrix in blocks.

    Attributes:
        width: The rows of each but the last one.
    """

    def __init__(self, work: Work, rows: int) -> None:
        self._work = work
        self._rows = rows
        self._count = -(-rows // LARGEST_BLOCK)
        lanes = lanes_of(work.dtype)
        self.width = -(-rows // (lanes * self._count)) * lanes

    def part(self, number: Index) -> Part:
        """One block."""
        write = self._work.write
        start = write.times(number, self.width)
        stop = write.call(
            "llvm.smin.i64", "i64",
            ("i64", write.add(start, str(self.width))), ("i64", str(self._rows)),
        )  # fmt: skip
        return Part(start, stop, self._work.minus(stop, start))

    def each(self, body: Callable[[Part, Index], None]) -> None:
        """What is done for each block, and its number."""
        with self._work.write.loop(str(self._count)) as number:
            body(self.part(number), number)

    def each_backwards(self, body: Callable[[Part, Index], None]) -> None:
        """The last one first."""
        with self._work.write.loop(str(self._count)) as turn:
            number = self._work.minus(str(self._count - 1), turn)
            body(self.part(number), number)


def is_there(dtype: np.dtype[Any]) -> bool:
    """Whether the library is there that multiplies blocks and exchanges rows."""
    return dtype.name in ("float64", "float32") and has_routines(
        register_type(dtype), "gemm", "getrf", "gesv"
    )


def lanes_of(dtype: np.dtype[Any]) -> int:
    """How many numbers a vector has."""
    return vector_bytes() // dtype.itemsize


def _multiply(
    work: Work,
    x: Matrix,
    y: Matrix,
    out: Matrix,
    sizes: tuple[Index, Index, Index],
    *,
    factor: float = 1.0,
    kept: float = 0.0,
) -> None:
    blocks = [Block(m.view.pointer, *m.view.strides) for m in (x, y, out)]
    kind = register_type(work.dtype)
    multiply(
        work.write, kind, (blocks[0], blocks[1], blocks[2]), sizes, factor=factor, kept=kept
    )  # fmt: skip


# Blocks on the diagonal, in memory of their own: all rows are of the same number of vectors


def _cleared(work: Work, a: Matrix, count: Index | None = None) -> None:
    """Write zeros over a matrix that lies in a row, or over some numbers of its first row."""
    write = work.write
    size = write.times(count or str(a.rows * a.columns), work.dtype.itemsize)
    write.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    write.line(f"call void @llvm.memset.p0.i64(ptr {a.view.pointer}, i8 0, i64 {size}, i1 false)")


def _copied(work: Work, source: Matrix, target: Matrix, rows: Index, count: Index) -> None:
    """Copy some numbers of each row."""
    write = work.write

    def row(i: Index) -> None:
        if source.view.dtype != work.dtype or source.view.strides[1] != target.view.strides[1]:
            work.each("0", count, lambda j: target.put(i, j, source.get(i, j)), plain=True)
            return
        places = ", ".join(f"ptr {m.at(i, '0').view.pointer}" for m in (target, source))
        size = write.times(count, work.dtype.itemsize)
        write.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        write.line(f"call void @llvm.memcpy.p0.p0.i64({places}, i64 {size}, i1 false)")

    if source.view.strides[1] != 1 or target.view.strides[1] != 1:
        source, target = source.transposed, target.transposed
        rows, count = count, rows
    work.each("0", rows, row)


def _less_rows(work: Work, scratch: Matrix, i: Index, factor: Callable[[Index], str]) -> None:
    """Subtract multiples of all rows before from a row, which is in registers meanwhile."""
    write = work.write
    lanes = lanes_of(work.dtype)
    kind, align = f"<{lanes} x {work.e.kind}>", work.dtype.itemsize

    def pointer(row: Index, vector: int) -> str:
        return scratch.at(row, str(vector * lanes)).view.pointer

    vectors = range(scratch.columns // lanes)
    for first in vectors[::AT_ONCE]:
        chosen = vectors[first : first + AT_ONCE]
        cells = [
            Cell(write, kind, write.let(f"load {kind}, ptr {pointer(i, v)}, align {align}"))
            for v in chosen
        ]

        def subtract(k: Index, chosen: range = chosen, cells: list[Cell] = cells) -> None:
            spread = _spread(work, factor(k))
            for v, cell in zip(chosen, cells, strict=True):
                other = write.let(f"load {kind}, ptr {pointer(k, v)}, align {align}")
                product = write.let(f"fmul contract {kind} {spread}, {other}")
                cell.set(write.let(f"fsub contract {kind} {cell.get()}, {product}"))

        work.each("0", i, subtract)
        for v, cell in zip(chosen, cells, strict=True):
            write.line(f"store {kind} {cell.get()}, ptr {pointer(i, v)}, align {align}")


def _scaled_row(work: Work, scratch: Matrix, i: Index, factor: str) -> None:
    write = work.write
    lanes = lanes_of(work.dtype)
    kind, align = f"<{lanes} x {work.e.kind}>", work.dtype.itemsize
    spread = _spread(work, factor)
    for vector in range(scratch.columns // lanes):
        pointer = scratch.at(i, str(vector * lanes)).view.pointer
        value = write.let(f"load {kind}, ptr {pointer}, align {align}")
        value = write.let(f"fmul {kind} {value}, {spread}")
        write.line(f"store {kind} {value}, ptr {pointer}, align {align}")


def _spread(work: Work, value: str) -> str:
    """A vector of the same number."""
    lanes = lanes_of(work.dtype)
    kind = f"<{lanes} x {work.e.kind}>"
    one = work.write.let(f"insertelement {kind} poison, {work.e.kind} {value}, i64 0")
    return work.write.let(
        f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer"
    )


def _inverted(work: Work, a: Matrix, count: Index, scratch: Matrix, *, unit: bool) -> None:
    """Write the inverse of a lower triangle."""
    _cleared(work, scratch)

    def row(i: Index) -> None:
        scratch.put(i, i, work.number(1))
        _less_rows(work, scratch, i, lambda k: a.get(i, k))
        if not unit:
            _scaled_row(work, scratch, i, work.e("fdiv", work.number(1), a.get(i, i)))

    work.each("0", count, row)


def _factored(work: Work, a: Matrix, sizes: Matrix, count: Index, scratch: Matrix) -> None:
    """Write Cholesky's upper factor, and behind it the inverse of the lower one.

    Args:
        work: What is written.
        a: What is left of the matrix; its lower triangle is read.
        sizes: Its diagonal was this, of a row.
        count: Its rows.
        scratch: For twice as many columns.
    """
    width = scratch.columns // 2
    tiny = work.rounding(sizes.columns)
    _cleared(work, scratch)

    def begin(i: Index) -> None:
        work.each("0", work.after(i), lambda j: scratch.put(j, i, a.get(i, j)), plain=True)
        scratch.put(i, work.write.add(i, str(width)), work.number(1))

    def row(i: Index) -> None:
        _less_rows(work, scratch, i, lambda k: scratch.get(k, i))
        square = scratch.get(i, i)
        bound = work.e("fmul", work.size(sizes.get("0", i)), tiny)
        bad = work.e.any(
            work.is_so("ule", square, bound), work.is_so("uge", square, work.number(np.inf))
        )
        work.fail(bad)
        root = work.e.intrinsic("sqrt", work.e.either(bad, work.number(1), square))
        _scaled_row(work, scratch, i, work.e("fdiv", work.number(1), root))

    work.each("0", count, begin)
    work.each("0", count, row)


# Operations


def cholesky(work: Work, a: Matrix, x: Matrix) -> None:
    """Write the lower factor of a matrix that is not small."""
    size = str(a.rows)
    blocks = Blocks(work, a.rows)
    scratch = work.scratch(blocks.width, 2 * blocks.width)
    below = work.scratch(a.rows, blocks.width)
    sizes = work.row(a)
    _cleared(work, x)

    def begin(i: Index) -> None:
        _copied(work, a.at(i, "0"), x.at(i, "0"), "1", work.after(i))
        sizes.put("0", i, a.get(i, i))

    def block(part: Part, _: Index) -> None:
        start, stop, count = part
        rest = work.minus(size, start)
        # What the blocks before leave of this one and those below.
        here = x.at(start, start)
        before = x.at(start, "0"), x.at(start, "0").transposed
        _multiply(work, *before, here, (rest, count, start), factor=-1.0, kept=1.0)
        _factored(work, here, sizes.at("0", start), count, scratch)

        def row(i: Index) -> None:
            _cleared(work, here.at(i, "0"), count)  # of what products have left there
            work.each("0", work.after(i), lambda j: here.put(i, j, scratch.get(j, i)), plain=True)

        work.each("0", count, row)
        left, under = work.minus(size, stop), x.at(stop, start)
        inverse = scratch.at("0", str(blocks.width)).transposed

        _copied(work, under, below, left, count)
        _multiply(work, below, inverse, under, (left, count, count))

    work.each("0", size, begin)
    blocks.each(block)


def inverse_of_triangle(work: Work, a: Matrix, x: Matrix, *, lower: bool) -> None:
    """Write the inverse of a triangle that is not small."""
    if not lower:
        a, x = a.transposed, x.transposed
    a = _real(work, a)
    blocks = Blocks(work, a.rows)
    scratch = work.scratch(blocks.width, blocks.width)
    sums = work.scratch(blocks.width, a.rows)
    _cleared(work, x)

    def block(part: Part, number: Index) -> None:
        start, _, count = part
        _inverted(work, a.at(start, start), count, scratch, unit=False)
        _copied(work, scratch, x.at(start, start), count, count)

        def other(n: Index) -> None:
            first, _, columns = blocks.part(n)
            summed = work.minus(start, first)
            _multiply(
                work, a.at(start, first), x.at(first, first), sums.at("0", first),
                (count, columns, summed),
            )  # fmt: skip

        work.each("0", number, other)
        _multiply(work, scratch, sums, x.at(start, "0"), (count, start, count), factor=-1.0)

    blocks.each(block)


def solve_triangular(work: Work, a: Matrix, x: Matrix, *, lower: bool, unit: bool) -> None:
    """Solve a triangular system that is not small; the right-hand sides are written over."""
    if x.columns < FEW:
        _solve_row_by_row(work, a, x, lower=lower, unit=unit)
        return
    a = _real(work, a)
    size, columns = str(a.rows), str(x.columns)
    blocks = Blocks(work, a.rows)
    scratch = work.scratch(blocks.width, blocks.width)
    rest = work.scratch(blocks.width, x.columns)

    def block(part: Part, _: Index) -> None:
        start, stop, count = part
        here = x.at(start, "0")
        known, first = (start, "0") if lower else (work.minus(size, stop), stop)
        _multiply(
            work, a.at(start, first), x.at(first, "0"), here, (count, columns, known),
            factor=-1.0, kept=1.0,
        )  # fmt: skip
        own = a.at(start, start)
        _inverted(work, own if lower else own.transposed, count, scratch, unit=unit)

        _copied(work, here, rest, count, columns)
        inverse = scratch if lower else scratch.transposed
        _multiply(work, inverse, rest, here, (count, columns, count))

    (blocks.each if lower else blocks.each_backwards)(block)


def _solve_row_by_row(work: Work, a: Matrix, x: Matrix, *, lower: bool, unit: bool) -> None:
    """By sums along rows, or by multiples of columns, as the elements lie."""
    size = str(a.rows)
    by_columns = a.view.strides[0] == 1

    def column(c: Index) -> None:
        def row(i: Index) -> None:
            before, after = ("0", i), (work.after(i), size)
            known, unknown = (before, after) if lower else (after, before)
            value = x.get(i, c)
            if not by_columns:
                total = work.total(
                    known[1], lambda k: work.e("fmul contract", a.get(i, k), x.get(k, c)), known[0]
                )
                value = work.e("fsub", value, total)
            if not unit:
                value = work.e("fdiv", value, a.get(i, i))
            x.put(i, c, value)
            if by_columns:
                work.each(
                    *unknown, lambda k: x.put(k, c, work.less(x.get(k, c), a.get(k, i), value))
                )

        if lower:
            work.each("0", size, row)
        else:
            work.each_backwards(a.rows, row)

    work.each("0", str(x.columns), column)


def _real(work: Work, a: Matrix) -> Matrix:
    """A matrix of the numbers that are computed with."""
    lies = 1 in a.view.strides
    if a.view.dtype == work.dtype and lies:
        return a
    copy = work.scratch(a.rows, a.columns)
    work.copied(a, copy)
    return copy


# Products


def product(
    write: Writer,
    views: tuple[View, View, View],
    labels: Labels,
    halves: tuple[Halves, Halves, Halves],
) -> bool:
    """Write a product of large matrices of which halves are zero, or are not read.

    Args:
        write: The function.
        views: The operands and the output.
        labels: Their labels.
        halves: The triangles of each.

    Returns:
        Whether it is written.
    """
    plan = labels.plan
    whole = plan.first, plan.second, plan.output
    sizes = dict(zip(plan.first + plan.second, views[0].shape + views[1].shape, strict=True))
    rows, columns, summed = (sizes[c] for c in (labels.row, labels.column, labels.summed))
    kind = register_type(views[0].dtype)
    is_large = min(rows, columns, summed) > LARGEST_BLOCK and rows * columns * summed >= 128**3
    if not any(halves) or not is_large or not has_routines(kind, "gemm"):
        return False
    pairs = (
        (labels.row, labels.summed), (labels.summed, labels.column), (labels.row, labels.column),
    )  # fmt: skip
    matrices = [
        view._replace(strides=tuple(view.strides[part.index(c)] for c in pair), shape=())
        for view, part, pair in zip(views, whole, pairs, strict=True)
    ]
    if any(1 not in m.strides or max(m.strides) < LARGEST_BLOCK for m in matrices):
        return False
    x, y, out = (
        labels.oriented(h, part, pair[0])
        for h, part, pair in zip(halves, whole, pairs, strict=True)
    )
    stack = plan.output[:-2]
    outer = [
        view._replace(
            shape=tuple(sizes[c] for c in stack),
            strides=tuple(view.strides[part.index(c)] if c in part else 0 for c in stack),
        )
        for view, part in zip(views, whole, strict=True)
    ]

    def one(_: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
        def block(m: int, place: str, i: Index, j: Index) -> Block:
            down, right = matrices[m].strides
            place = write.add(place, write.add(write.times(i, down), write.times(j, right)))
            return Block(write.address(views[m].dtype, views[m].pointer, place), down, right)

        def larger(a: Index, b: Index) -> Index:
            return write.call("llvm.smax.i64", "i64", ("i64", a), ("i64", b))

        def smaller(a: Index, b: Index) -> Index:
            return write.call("llvm.smin.i64", "i64", ("i64", a), ("i64", b))

        for row in _parts(write, rows if x or out else 0, rows):
            for column in _parts(write, columns if y or out else 0, columns):
                first, last = "0", str(summed)
                last = smaller(last, row.stop) if "lower" in x else last
                first = larger(first, row.start) if "upper" in x else first
                last = smaller(last, column.stop) if "upper" in y else last
                first = larger(first, column.start) if "lower" in y else first
                count = larger("0", write.let(f"sub nsw i64 {last}, {first}"))
                unread = [(row.stop, column.start)] * ("lower" in out)
                unread += [(column.stop, row.start)] * ("upper" in out)
                for stop, start in unread:
                    is_read = write.let(f"icmp sgt i64 {stop}, {start}")
                    count = write.let(f"select i1 {is_read}, i64 {count}, i64 0")
                blocks = (
                    block(0, places[0], row.start, first),
                    block(1, places[1], first, column.start),
                    block(2, places[2], row.start, column.start),
                )
                multiply(write, kind, blocks, (row.count, column.count, count))
        return (), ()

    Elements(write, outer[2].shape, [], [], [], one, outer)
    return True


def _parts(write: Writer, split: int, length: int) -> Generator[Part]:
    """A length in one part, or in a loop over several."""
    if not split:
        yield Part("0", str(length), str(length))
        return
    count = -(-length // LARGEST_BLOCK)
    width = -(-length // (8 * count)) * 8
    with write.loop(str(count)) as number:
        start = write.times(number, width)
        stop = write.call(
            "llvm.smin.i64", "i64", ("i64", write.add(start, str(width))), ("i64", str(length))
        )
        yield Part(start, stop, write.let(f"sub nsw i64 {stop}, {start}"))


# LAPACK


def solve(work: Work, a: Matrix, b: Matrix, x: Matrix) -> None:
    """Solve a linear system as NumPy does."""
    sides = work.scratch(x.columns, a.rows)
    work.copied(b, sides.transposed)
    _solve(work, a, sides)
    work.copied(sides.transposed, x)


def invert(work: Work, a: Matrix, x: Matrix) -> None:
    """Invert a matrix as NumPy does."""
    sides = work.scratch(a.rows, a.rows)
    work.identity(sides)
    _solve(work, a, sides)
    work.copied(sides.transposed, x)


def _solve(work: Work, a: Matrix, sides: Matrix) -> None:
    """Write solutions over right-hand sides, which are rows."""
    size = a.rows
    factors, pivots = _for_lapack(work, a), work.scratch(1, size, np.dtype(np.int64))
    memory = [m.view.pointer for m in (factors, pivots, sides)]
    kind = register_type(work.dtype)
    failed = call(
        work.write, kind, "gesv", size, sides.rows, memory[0], size, memory[1], memory[2], size
    )
    work.fail(work.write.let(f"icmp ne i64 {failed}, 0"))


def factors_of(work: Work, a: Matrix) -> tuple[Matrix, Matrix]:
    """Write both factors of a matrix as one, and the numbers of exchanged rows from 1 on."""
    factors, pivots = _for_lapack(work, a), work.scratch(1, a.rows, np.dtype(np.int64))
    kind = register_type(work.dtype)
    failed = call(
        work.write, kind, "getrf",
        a.rows, a.columns, factors.view.pointer, a.rows, pivots.view.pointer,
    )  # fmt: skip
    work.fail(work.write.let(f"icmp ne i64 {failed}, 0"))
    return factors.transposed, pivots


def _for_lapack(work: Work, a: Matrix) -> Matrix:
    """A copy in column-major order; what is not finite fails."""
    infinity = work.number(np.inf)

    def row(i: Index) -> None:
        total = work.total(str(a.columns), lambda j: work.size(a.get(i, j)))
        work.fail(work.is_so("uge", total, infinity))

    work.each("0", str(a.rows), row)
    copy = work.scratch(a.columns, a.rows)
    work.copied(a, copy.transposed)
    return copy
