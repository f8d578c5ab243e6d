"""Factorizations and linear systems.

LAPACK is called by NumPy, which takes a microsecond or more for it, and ends a kernel. Up to a few
dozen rows loops over elements take less than that (`functrace.backends.native.elimination`), and
larger matrices are done block by block (`functrace.backends.native.blocked`).

What NumPy refuses (a singular matrix, one that is not positive definite) is noted as a failure, so
that NumPy itself is asked. So is what comes so close to it that rounding decides, and what is not
finite.

Source: Golub and Van Loan, Matrix Computations, 4th edition, sections 3.1, 3.4, 4.2 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.backends.native import blocked
from functrace.backends.native.elimination import Index, Matrix, Work
from functrace.backends.native.lowering import Alones, Emission, Limits
from functrace.backends.native.writing import Writer, register_type
from functrace.ir.program import Equation
from functrace.matrices.determinants import LARGEST_CONDITION

DType = np.dtype[Any]

LARGEST = 64
"""Of more rows matrices are done block by block."""


# The operations


def _solve(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, b, x = matrices
        if a.rows > LARGEST:
            blocked.solve(work, a, b, x)
            return
        factors = work.scratch(a.rows, a.columns)
        work.copied(a, factors)
        work.copied(b, x)
        work.eliminate(factors, [x])
        work.substitute(factors, x, lower=False)

    work.for_each((2, 2, 2), body)


def _solve_triangular(work: Work) -> None:
    params = work.equation.params

    def body(matrices: list[Matrix]) -> None:
        a, b, x = matrices
        work.copied(b, x)
        lower, unit = params["lower"], params["unit_diagonal"]
        if not unit:
            _require_diagonal(work, a)
        if a.rows > LARGEST:
            blocked.solve_triangular(work, a, x, lower=lower, unit=unit)
        else:
            work.substitute(a, x, lower=lower, unit=unit)

    work.for_each((2, 2, 2), body)


def _require_diagonal(work: Work, a: Matrix) -> None:
    zero = work.number(0)
    work.each("0", str(a.rows), lambda k: work.fail(work.is_so("oeq", a.get(k, k), zero)))


def _inverse(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, x = matrices
        if a.rows > LARGEST:
            blocked.invert(work, a, x)
        else:
            work.invert(a, x)

    work.for_each((2, 2), body)


def _inverse_of_triangle(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, x = matrices
        lower = work.equation.params["lower"]
        _require_diagonal(work, a)
        if a.rows > LARGEST:
            blocked.inverse_of_triangle(work, a, x, lower=lower)
            return
        work.identity(x)
        work.substitute(a, x, lower=lower, triangular=True)

    work.for_each((2, 2), body)


def _cholesky(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, x = matrices
        if a.rows > LARGEST:
            blocked.cholesky(work, a, x)
            return
        tiny = work.rounding(a.rows)

        def rest(i: Index, j: Index) -> str:
            products = work.total(j, lambda k: work.e("fmul contract", x.get(i, k), x.get(j, k)))
            return work.e("fsub contract", a.get(i, j), products)

        def row(i: Index) -> None:
            work.each(
                "0",
                i,
                lambda j: x.put(i, j, work.e("fdiv", rest(i, j), x.get(j, j))),
            )
            square = rest(i, i)
            bound = work.e("fmul", work.size(a.get(i, i)), tiny)
            bad = work.is_so("ule", square, bound)
            bad = work.e.any(bad, work.is_so("uge", square, work.number(np.inf)))
            work.fail(bad)
            square = work.e.either(bad, work.number(1), square)
            x.put(i, i, work.e.intrinsic("sqrt", square))
            work.each(work.after(i), str(a.rows), lambda j: x.put(i, j, work.number(0)))

        work.each("0", str(a.rows), row)

    work.for_each((2, 2), body)


def _eliminated(work: Work, a: Matrix, turn: Callable[[str], None]) -> Matrix:
    """Both factors of a matrix; each exchange of rows is told."""
    write = work.write
    if a.rows > LARGEST:
        factors, pivots = blocked.factors_of(work, a)

        def row(k: Index) -> None:
            turn(write.let(f"icmp ne i64 {pivots.get('0', k)}, {work.after(k)}"))

        work.each("0", str(a.rows), row)
        return factors
    factors = work.scratch(a.rows, a.columns)
    work.copied(a, factors)
    work.eliminate(factors, exchanged=turn)
    return factors


def _determinant(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, result = matrices
        negative, turn = work.sign()
        factors = _eliminated(work, a, turn)
        result.put("0", "0", work.determinant(factors, negative))

    work.for_each((2, 0), body)


def _sign_and_log_determinant(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, sign, logarithm = matrices
        negative, turn = work.sign()
        factors = _eliminated(work, a, turn)
        total = work.cell(work.number(0))

        def element(k: Index) -> None:
            pivot = factors.get(k, k)
            turn(work.is_so("olt", pivot, work.number(0)))
            total.set(work.e("fadd", total.get(), work.e.of("log", work.size(pivot))))

        work.each("0", str(a.rows), element)
        sign.put("0", "0", work.e.either(negative.get(), work.number(-1), work.number(1)))
        logarithm.put("0", "0", total.get())

    work.for_each((2, 0, 0), body)


def _adjugate(work: Work) -> None:
    """The determinant times the inverse; where that is not exact NumPy does otherwise."""

    def largest_column(a: Matrix) -> str:
        largest = work.cell(work.number(0))

        def column(j: Index) -> None:
            total = work.total(str(a.rows), lambda i: work.size(a.get(i, j)))
            before = largest.get()
            is_larger = work.is_so("ogt", total, before)
            largest.set(work.e.either(is_larger, total, before))

        work.each("0", str(a.columns), column)
        return largest.get()

    def body(matrices: list[Matrix]) -> None:
        a, x = matrices
        negative, turn = work.sign()
        factors = work.invert(a, x, exchanged=turn)
        condition = work.e("fmul", largest_column(a), largest_column(x))
        work.fail(work.is_so("uge", condition, work.number(LARGEST_CONDITION)))
        determinant = work.determinant(factors, negative)
        work.over(
            a.rows, a.columns, lambda i, j: x.put(i, j, work.e("fmul", determinant, x.get(i, j)))
        )

    work.for_each((2, 2), body)


def _lu(work: Work) -> None:
    def body(matrices: list[Matrix]) -> None:
        a, factors, pivots, order = matrices
        if max(a.rows, a.columns) > LARGEST:
            found, numbers = blocked.factors_of(work, a)
            work.copied(found, factors)

            def row(k: Index) -> None:
                number = work.minus(numbers.get("0", k), "1")
                pivots.put("0", k, _whole(work.write, number, pivots.dtype))

            work.each("0", str(pivots.columns), row)
        else:
            work.copied(a, factors)
            work.eliminate(factors, pivots=pivots)
        _order(work, pivots, order)

    work.for_each((2, 2, 1, 1), body)


def _order(work: Work, pivots: Matrix, order: Matrix) -> None:
    """The order of rows that exchanges make."""
    write = work.write
    work.each("0", str(order.columns), lambda k: order.put("0", k, _whole(write, k, order.dtype)))

    def exchange(k: Index) -> None:
        kind = register_type(pivots.dtype)
        pivot = pivots.get("0", k)
        pivot = write.let(f"sext {kind} {pivot} to i64") if kind != "i64" else pivot
        here, there = order.get("0", k), order.get("0", pivot)
        order.put("0", k, there)
        order.put("0", pivot, here)

    work.each("0", str(pivots.columns), exchange)


def _whole(write: Writer, place: Index, dtype: DType) -> str:
    if place.isdigit() or dtype.itemsize == 8:
        return place
    return write.let(f"trunc i64 {place} to {register_type(dtype)}")


def _tridiagonal_solve(work: Work) -> None:
    """As `TridiagonalSolve`, operation by operation, so that the same systems are singular."""
    e, write = work.e, work.write

    def body(matrices: list[Matrix]) -> None:
        below, on, above, b, x = matrices
        size = on.columns
        first, second, third = (work.row(on) for _ in range(3))
        last = str(size - 1)
        zero = work.number(0)
        work.copied(b, x)
        work.copied(on, first)
        work.copied(above, second)
        work.each("0", str(size), lambda i: third.put("0", i, zero))
        if size:
            second.put("0", last, zero)

        def less(total: str, factor: str, y: str) -> str:
            return e("fsub", total, e("fmul", factor, y))

        def eliminate(i: Index) -> None:
            after = work.after(i)
            row = [part.get("0", i) for part in (first, second, third)]
            following = [below.get("0", after), first.get("0", after), second.get("0", after)]
            swaps = work.is_so("ogt", work.size(following[0]), work.size(row[0]))
            pairs = [
                (e.either(swaps, y, x), e.either(swaps, x, y))
                for x, y in zip(row, following, strict=True)
            ]
            (pivot, low), (one, two), (three, four) = pairs
            work.fail(work.is_so("oeq", pivot, zero))
            factor = e("fdiv", low, pivot)
            for part, value in zip((first, second, third), (pivot, one, three), strict=True):
                part.put("0", i, value)
            first.put("0", after, less(two, factor, one))
            second.put("0", after, less(four, factor, three))

            def column(j: Index) -> None:
                here, there = x.get(i, j), x.get(after, j)
                upper, lower = e.either(swaps, there, here), e.either(swaps, here, there)
                x.put(i, j, upper)
                x.put(after, j, less(lower, factor, upper))

            work.each("0", str(x.columns), column)

        def substitute(i: Index) -> None:
            pivot = first.get("0", i)
            work.fail(work.is_so("oeq", pivot, zero))

            def column(j: Index) -> None:
                value = x.get(i, j)
                for step, part in ((1, second), (2, third)):
                    # Beyond the last row the coefficient is zero, but not what it multiplies.
                    place = write.add(i, str(step))
                    if place.isdigit():
                        if int(place) < size:
                            value = less(value, part.get("0", i), x.get(place, j))
                        continue
                    inside = write.let(f"icmp slt i64 {place}, {size}")
                    safe = write.let(f"select i1 {inside}, i64 {place}, i64 {i}")
                    moved = less(value, part.get("0", i), x.get(safe, j))
                    value = e.either(inside, moved, value)
                x.put(i, j, e("fdiv", value, pivot))

            work.each("0", str(x.columns), column)

        work.each("0", str(max(size - 1, 0)), eliminate)
        work.each_backwards(size, substitute)

    work.for_each((1, 1, 1, 2, 2), body)


def why_large(equation: Equation) -> str | None:
    """Why matrices are NumPy's: they are large, and nobody is there who multiplies blocks."""
    shape, name = equation.inputs[0].type.shape, equation.primitive.name
    dtype = equation.outputs[0].type.dtype
    if max(shape[-2:]) <= LARGEST or (name in _BLOCKED and blocked.is_there(dtype)):
        return None
    return f"{name} of {shape[-2]} rows is NumPy's"


_WAYS: dict[str, Callable[[Work], None]] = {
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "inverse": _inverse,
    "inverse_or_infinite": _inverse,
    "inverse_of_triangle": _inverse_of_triangle,
    "cholesky": _cholesky,
    "det": _determinant,
    "slogdet": _sign_and_log_determinant,
    "adjugate": _adjugate,
    "lu": _lu,
    "tridiagonal_solve": _tridiagonal_solve,
}


_BLOCKED = _WAYS.keys() - {"adjugate", "tridiagonal_solve", "inverse_or_infinite"}
"""What is done block by block."""


def _written(way: Callable[[Work], None]) -> Callable[[Emission, Equation], None]:
    return lambda emission, equation: way(Work(emission, equation))


WRITTEN: Alones = {name: _written(way) for name, way in _WAYS.items()}
"""What writes each operation."""

LIMITS: Limits = dict.fromkeys(_WAYS.keys() - {"tridiagonal_solve"}, why_large)
"""Why some are not written, by the names of the primitives."""
