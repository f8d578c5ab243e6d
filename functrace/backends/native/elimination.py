"""Elimination in small matrices, written out as loops.

Of a few rows nothing is left of the loops: the elements are in registers, and rows are exchanged by
choosing.

Source: Golub and Van Loan, Matrix Computations, 4th edition, sections 3.1 and 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.native.elements import Elements
from functrace.backends.native.elementwise import Expressions, converted
from functrace.backends.native.lowering import Emission
from functrace.backends.native.memory import Cell, View, load, store
from functrace.backends.native.writing import Writer
from functrace.ir.program import Equation
from functrace.ir.types import Shape

DType = np.dtype[Any]

UNROLLED = 4
"""A loop of so many turns is written turn by turn."""

Index = str
"""A row or a column: a register, or a literal."""


class Matrix(NamedTuple):
    """A matrix in memory, whose elements are read as numbers of a dtype."""

    write: Writer
    view: View
    dtype: DType

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.view.shape[0]

    @property
    def columns(self) -> int:
        """How many there are."""
        return self.view.shape[1]

    def _place(self, i: Index, j: Index) -> str:
        down, right = self.view.strides
        return self.write.add(self.write.times(i, down), self.write.times(j, right))

    def get(self, i: Index, j: Index) -> str:
        """An element."""
        value = load(self.write, self.view, self._place(i, j))
        return converted(self.write, value, self.view.dtype, self.dtype)

    def put(self, i: Index, j: Index, value: str) -> None:
        """Set an element."""
        store(self.write, self.view, value, self._place(i, j))

    @property
    def transposed(self) -> Matrix:
        """The same memory, with rows for columns."""
        view = self.view._replace(shape=self.view.shape[::-1], strides=self.view.strides[::-1])
        return self._replace(view=view)

    def at(self, i: Index, j: Index) -> Matrix:
        """The part that begins at an element; its shape is the caller's business."""
        pointer = self.write.address(self.view.dtype, self.view.pointer, self._place(i, j))
        return self._replace(view=self.view._replace(pointer=pointer))


class Work:
    """What is written for one operation, of one matrix of a stack after the other."""

    def __init__(self, emission: Emission, equation: Equation) -> None:
        self.emission = emission
        self.equation = equation
        self.write = emission.write
        self.dtype = next(v.type.dtype for v in equation.outputs)
        self.e = Expressions(self.write, self.dtype)
        self._lent: list[View] = []

    # Memory

    def scratch(self, rows: int, columns: int, dtype: DType | None = None) -> Matrix:
        """Memory for a matrix, until the operation is done."""
        dtype = dtype or self.dtype
        view = self.emission.take.take((rows, columns), dtype)
        self._lent.append(view)
        return Matrix(self.write, view, dtype)

    def row(self, matrix: Matrix, dtype: DType | None = None) -> Matrix:
        """Memory for a number of each column."""
        return self.scratch(1, matrix.columns, dtype)

    def for_each(self, ranks: Sequence[int], body: Callable[[list[Matrix]], None]) -> None:
        """Write what is done for each matrix of a stack.

        Args:
            ranks: For each input and output how many axes belong to one matrix: 2, 1 or 0.
            body: Takes them as matrices, those with fewer axes as rows.
        """
        emission, equation = self.emission, self.equation
        views = [emission.view(atom) for atom in equation.inputs]
        for variable in equation.outputs:
            has_axes = bool(variable.type.shape)
            views.append(emission.place(variable) if has_axes else emission.cell(variable))
        stacks = [
            view.shape[: len(view.shape) - rank] for view, rank in zip(views, ranks, strict=True)
        ]
        stack = np.broadcast_shapes(*stacks)
        outer = [
            view._replace(shape=own, strides=view.strides[: len(own)]).stretched(stack)
            for view, own in zip(views, stacks, strict=True)
        ]

        def one(_: list[str], places: list[str]) -> tuple[Sequence[str], Sequence[str]]:
            matrices: list[Matrix] = []
            for view, place, rank in zip(views, places, ranks, strict=True):
                moved = emission.shifted(view, place)
                cut = len(view.shape) - rank
                shape: Shape = (1,) * (2 - rank) + view.shape[cut:]
                strides = (0,) * (2 - rank) + view.strides[cut:]
                dtype = self.dtype if len(matrices) < len(equation.inputs) else view.dtype
                part = moved._replace(shape=shape, strides=strides)
                matrices.append(Matrix(self.write, part, dtype))
            body(matrices)
            return (), ()

        Elements(self.write, stack, [], [], [], one, outer)
        for view, variable in zip(views[len(equation.inputs) :], equation.outputs, strict=True):
            if not variable.type.shape:
                emission.values[variable] = load(self.write, view)
        for view in self._lent:
            emission.take.give_back(view.slot)

    # Loops

    def each(
        self, first: Index, last: Index, body: Callable[[Index], None], *, plain: bool = False
    ) -> None:
        """What is done for each number from the first one to the last before ``last``.

        Args:
            first: The first one.
            last: The one after the last one.
            body: Writes it.
            plain: Whether vectors of it are not worth the time to look for them.
        """
        write = self.write
        if not (first + last).isdigit():
            with (
                write.when(write.let(f"icmp slt i64 {first}, {last}")),
                write.loop(last, first, plain=plain) as number,
            ):
                body(number)
            return
        numbers = range(int(first), int(last))
        if len(numbers) <= UNROLLED:
            for number in numbers:
                body(str(number))
        else:
            with write.loop(last, first, plain=plain) as number:
                body(number)

    def each_backwards(self, count: int, body: Callable[[Index], None]) -> None:
        """What is done for each number below a count, the largest first."""
        last = str(count - 1)
        self.each("0", str(count), lambda n: body(self.minus(last, n)))

    def minus(self, x: Index, y: Index) -> Index:
        """A difference of places."""
        if (x + y).isdigit():
            return str(int(x) - int(y))
        return self.write.let(f"sub nsw i64 {x}, {y}")

    def after(self, x: Index) -> Index:
        """The next place."""
        return self.write.add(x, "1")

    # Arithmetic

    def number(self, value: float) -> str:
        """A literal."""
        return self.e.number(value)

    def less(self, total: str, x: str, y: str) -> str:
        """``total - x * y``."""
        return self.e("fsub contract", total, self.e("fmul contract", x, y))

    def size(self, x: str) -> str:
        """Without its sign."""
        return self.e.intrinsic("fabs", x)

    def is_so(self, word: str, x: str, y: str) -> str:
        """A comparison."""
        return self.write.let(f"fcmp {word} {self.e.kind} {x}, {y}")

    def cell(self, value: str) -> Cell:
        """A number that changes."""
        return Cell(self.write, self.e.kind, value)

    def total(self, count: Index, term: Callable[[Index], str], first: Index = "0") -> str:
        """A sum, of the terms from the first one to the last before ``count``."""
        cell = self.cell(self.number(0))

        def add(n: Index) -> None:
            cell.set(self.e("fadd reassoc contract", cell.get(), term(n)))

        self.each(first, count, add)
        return cell.get()

    def fail(self, condition: str) -> None:
        """Note that NumPy is to be asked."""
        self.emission.kernel.fail(condition)

    # Matrices

    def over(self, rows: int, columns: int, body: Callable[[Index, Index], None]) -> None:
        """What is done for each element."""
        self.each("0", str(rows), lambda i: self.each("0", str(columns), lambda j: body(i, j)))

    def copied(self, source: Matrix, target: Matrix) -> None:
        """Copy the elements."""
        self.over(source.rows, source.columns, lambda i, j: target.put(i, j, source.get(i, j)))

    def identity(self, target: Matrix) -> None:
        """Write the identity."""

        def element(i: Index, j: Index) -> None:
            if (i + j).isdigit():
                value = self.number(float(i == j))
            else:
                same = self.write.let(f"icmp eq i64 {i}, {j}")
                value = self.e.either(same, self.number(1), self.number(0))
            target.put(i, j, value)

        self.over(target.rows, target.columns, element)

    def sizes_of_columns(self, a: Matrix) -> Matrix:
        """The sums of the sizes in each column; what is not finite fails."""
        sizes = self.row(a)
        infinity = self.number(np.inf)

        def column(j: Index) -> None:
            total = self.total(str(a.rows), lambda i: self.size(a.get(i, j)))
            self.fail(self.is_so("uge", total, infinity))
            sizes.put("0", j, total)

        self.each("0", str(a.columns), column)
        return sizes

    def rounding(self, rows: int) -> str:
        """Of which share of a sum of so many terms rounding decides."""
        return self.number(8 * max(rows, 1) * float(np.finfo(self.dtype).eps))

    def eliminate(
        self,
        a: Matrix,
        others: Sequence[Matrix] = (),
        *,
        exchanged: Callable[[str], None] = lambda condition: None,
        pivots: Matrix | None = None,
    ) -> None:
        """Write both factors of a matrix over it, and what they make of others.

        Args:
            a: The matrix.
            others: Matrices whose rows are exchanged and eliminated with its rows.
            exchanged: Writes what is to be done if rows have been exchanged.
            pivots: Where the numbers of the exchanged rows go.
        """
        sizes = self.sizes_of_columns(a)
        tiny = self.rounding(a.rows)
        rows = str(a.rows)

        def column(k: Index) -> None:
            chosen = k.isdigit() and pivots is None and a.rows <= UNROLLED
            exchange = self._exchange_by_choosing if chosen else self._exchange_by_search
            exchange(a, others, k, exchanged, pivots)
            pivot = a.get(k, k)
            bound = self.e("fmul", sizes.get("0", k), tiny)
            self.fail(self.is_so("ule", self.size(pivot), bound))
            inverse = self.e("fdiv", self.number(1), pivot)

            def row(i: Index) -> None:
                factor = self.e("fmul", a.get(i, k), inverse)
                a.put(i, k, factor)
                for x, first in ((a, self.after(k)), *((x, "0") for x in others)):
                    self.each(
                        first,
                        str(x.columns),
                        lambda j, x=x: x.put(i, j, self.less(x.get(i, j), factor, x.get(k, j))),
                    )

            self.each(self.after(k), rows, row)

        self.each("0", str(min(a.rows, a.columns)), column)

    def _exchange_by_choosing(
        self,
        a: Matrix,
        others: Sequence[Matrix],
        k: Index,
        exchanged: Callable[[str], None],
        pivots: Matrix | None,
    ) -> None:
        """Exchange the row with each one below it that has a larger element."""

        def row(i: Index) -> None:
            larger = self.is_so("ogt", self.size(a.get(i, k)), self.size(a.get(k, k)))
            for x, first in ((a, k), *((x, "0") for x in others)):

                def element(j: Index, x: Matrix = x) -> None:
                    above, below = x.get(k, j), x.get(i, j)
                    x.put(k, j, self.e.either(larger, below, above))
                    x.put(i, j, self.e.either(larger, above, below))

                self.each(first, str(x.columns), element)
            exchanged(larger)

        self.each(self.after(k), str(a.rows), row)

    def _exchange_by_search(
        self,
        a: Matrix,
        others: Sequence[Matrix],
        k: Index,
        exchanged: Callable[[str], None],
        pivots: Matrix | None,
    ) -> None:
        """Exchange the row with the one below it that has the largest element."""
        write = self.write
        largest = self.cell(self.size(a.get(k, k)))
        place = Cell(write, "i64", k)

        def row(i: Index) -> None:
            size, before = self.size(a.get(i, k)), largest.get()
            larger = self.is_so("ogt", size, before)
            largest.set(self.e.either(larger, size, before))
            place.set(write.let(f"select i1 {larger}, i64 {i}, i64 {place.get()}"))

        self.each(self.after(k), str(a.rows), row)
        pivot = place.get()
        if pivots is not None:
            pivots.put("0", k, write.let(f"trunc i64 {pivot} to i32"))
        differs = write.let(f"icmp ne i64 {pivot}, {k}")
        exchanged(differs)
        with write.when(differs):
            for x in (a, *others):

                def element(j: Index, x: Matrix = x) -> None:
                    above, below = x.get(k, j), x.get(pivot, j)
                    x.put(k, j, below)
                    x.put(pivot, j, above)

                self.each("0", str(x.columns), element)

    def substitute(
        self, a: Matrix, x: Matrix, *, lower: bool, unit: bool = False, triangular: bool = False
    ) -> None:
        """Solve a triangular system, whose right-hand sides are written over.

        Args:
            a: The matrix.
            x: The right-hand sides.
            lower: Whether the matrix has its numbers in the lower triangle.
            unit: Whether its diagonal is taken as 1.
            triangular: Whether the right-hand sides have their numbers in the same triangle.
        """
        size = a.rows

        def columns(i: Index) -> tuple[Index, Index]:
            """Those in which a row has numbers."""
            whole = ("0", str(x.columns))
            if not triangular:
                return whole
            return ("0", self.after(i)) if lower else (i, whole[1])

        def row(i: Index) -> None:
            def other(k: Index) -> None:
                factor = a.get(i, k)
                self.each(
                    *columns(k),
                    lambda j: x.put(i, j, self.less(x.get(i, j), factor, x.get(k, j))),
                )

            self.each(*(("0", i) if lower else (self.after(i), str(size))), other)
            if not unit:
                inverse = self.e("fdiv", self.number(1), a.get(i, i))
                self.each(
                    *columns(i),
                    lambda j: x.put(i, j, self.e("fmul", x.get(i, j), inverse)),
                )

        if lower:
            self.each("0", str(size), row)
        else:
            self.each_backwards(size, row)

    def invert(self, a: Matrix, target: Matrix, **options: Any) -> Matrix:
        """Write the inverse.

        Returns:
            The factors.
        """
        factors = self.scratch(a.rows, a.columns)
        self.copied(a, factors)
        self.identity(target)
        self.eliminate(factors, [target], **options)
        self.substitute(factors, target, lower=False)
        return factors

    def determinant(self, factors: Matrix, negative: Cell) -> str:
        """The determinant of factors; what gets too small to be exact on the way fails."""
        cell = self.cell(self.e.either(negative.get(), self.number(-1), self.number(1)))
        tiny = self.number(float(np.finfo(self.dtype).tiny) * 2**60)

        def element(k: Index) -> None:
            product = self.e("fmul", cell.get(), factors.get(k, k))
            self.fail(self.is_so("olt", self.size(product), tiny))
            cell.set(product)

        self.each("0", str(factors.rows), element)
        return cell.get()

    def sign(self) -> tuple[Cell, Callable[[str], None]]:
        """Whether exchanges make the sign negative, and what notes one."""
        negative = Cell(self.write, "i1", "false")

        def turn(condition: str) -> None:
            negative.set(self.write.let(f"xor i1 {negative.get()}, {condition}"))

        return negative, turn
