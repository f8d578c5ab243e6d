"""Sums so far, and what any ufunc of two operands makes of all elements up to each one.

``out[i] = f(out[i - 1], x[i])``, so a tangent of ``out`` obeys a linear recurrence whose factors
are the derivatives of ``f`` by its first operand. `Recurrence` solves it and its transpose, through
zeros too, and is closed under differentiation. That is all there is to derivatives of every order.
Sums so far have the factors 1 and are a primitive of their own, the quickest one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.ir.primitive import Primitive, Values
from functrace.ir.types import ArrayType
from functrace.primitives.broadcasting import Elementwise
from functrace.primitives.elementwise import MEANINGS
from functrace.primitives.indexing import INDICES, scatter_add
from functrace.primitives.linear import (
    Linear,
    cast_to,
    dtype_of,
    in_each,
    in_front,
)
from functrace.primitives.zero_products import all_finite, product_or_zero
from functrace.tracing import numpy_warnings
from functrace.tracing.tracer import bind

# Neighbours along an axis


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index of some places along an axis."""
    return (slice(None),) * axis + (index,)


def before(x: Any, axis: int, first: float = 0) -> Any:
    """For each element the one before it; for the first one a number."""
    head = np.full((*x.shape[:axis], min(x.shape[axis], 1), *x.shape[axis + 1 :]), first, x.dtype)
    return np.concatenate([head, x[along(axis, slice(None, -1))]], axis)


def after(x: Any, axis: int) -> Any:
    """For each element the one after it; for the last one zero."""
    tail = np.zeros((*x.shape[:axis], min(x.shape[axis], 1), *x.shape[axis + 1 :]), x.dtype)
    return np.concatenate([x[along(axis, slice(1, None))], tail], axis)


# Sums


class CumulativeSum(Linear):
    """The sum of all elements up to each one along an axis, or from each one on (``reverse``)."""

    is_fresh = True
    is_total = True

    def run(self, x: Any, *, axis: int, reverse: bool) -> Any:
        """Sum."""
        if reverse:
            return np.flip(np.cumsum(np.flip(x, axis), axis), axis)
        return np.cumsum(x, axis)

    def infer(self, x: ArrayType, *, axis: int, reverse: bool) -> ArrayType:
        """The same shape; NumPy adds small integers up in large ones."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.cumsum(np.empty(0, x.dtype)).dtype)

    def transpose(self, cotangent: Any, input: ArrayType, *, axis: int, reverse: bool) -> Any:
        """Each element counts in all sums after it."""
        return bind(self, cotangent, axis=axis, reverse=not reverse)

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int, reverse: bool
    ) -> Any:
        """Sum in all examples."""
        (x,), (batch_axis,) = inputs, axes
        return bind(self, in_front(x, batch_axis), axis=axis + 1, reverse=reverse), 0


cumulative_sum_primitive = CumulativeSum("cumsum")


class SumAt(Linear):
    """``np.add.reduceat``: the sums from each of some places to the next, along an axis.

    A place that is not before the next one counts alone. The places are the second input.
    """

    is_fresh = True

    def run(self, x: Any, starts: Any, *, axis: int) -> Any:
        """Sum."""
        return np.add.reduceat(x, starts, axis, x.dtype)

    def infer(self, x: ArrayType, starts: ArrayType, *, axis: int) -> ArrayType:
        """One sum for each place."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType((*x.shape[:axis], starts.size, *x.shape[axis + 1 :]), x.dtype)

    def transpose(self, cotangent: Any, input: ArrayType, starts: Any, *, axis: int) -> Any:
        """Each element counts in the sums of the runs that it is in."""
        count = input.shape[axis]
        lengths = np.diff(starts, append=count)
        lengths = np.where(lengths > 0, lengths, 1)
        run = np.repeat(np.arange(len(starts)), lengths)
        place = np.arange(len(run)) - (np.cumsum(lengths) - lengths - starts)[run]
        terms = np.take(cotangent, run, axis)
        if np.array_equal(place, np.arange(count)):
            return terms
        index = (*(slice(None),) * axis, INDICES)
        return bind(scatter_add, terms, place, index=index, shape=input.shape, unique=False)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int) -> Any:
        """Sum in all examples; the places are known, and so the same for all."""
        x, starts = inputs
        return bind(self, in_front(x, axes[0]), starts, axis=axis + 1), 0


sum_at = SumAt("sum_at")


# Linear recurrences


class Recurrence(Primitive):
    """``out[i] = terms[i] + factors[i] * out[i - 1]`` along an axis; there is nothing before 0.

    With ``reverse`` it is the transpose, a linear function of the terms too: ``out[i] = terms[i] +
    factors[i + 1] * out[i + 1]``. The first factor is never used. Where one of the two is zero, so
    is a product, however infinite the other one is.
    """

    is_fresh = True
    is_total = True
    linear_in = (1,)
    batches_at_once = True
    warns = False

    def run(self, factors: Any, terms: Any, *, axis: int, reverse: bool) -> Any:
        """Solve it from one end to the other."""
        steps, rows = np.moveaxis(factors, axis, 0)[1:], np.moveaxis(terms, axis, 0)
        out = solved(steps[::-1], rows[::-1])[::-1] if reverse else solved(steps, rows)
        return np.ascontiguousarray(np.moveaxis(out, 0, axis))

    def infer(self, factors: ArrayType, terms: ArrayType, *, axis: int, reverse: bool) -> ArrayType:
        """The type of both."""
        normalize_axis_index(axis, terms.ndim)
        if factors.shape != terms.shape:
            raise ValueError(f"factors of shape {factors.shape} for terms of shape {terms.shape}")
        return ArrayType(terms.shape, np.result_type(factors.dtype, terms.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A product and a sum for each element."""
        return 2 * abs(outputs[0].size)

    def jvp(
        self, inputs: Values, tangents: Values, output: Any, *, axis: int, reverse: bool
    ) -> Any:
        """The same recurrence; a tangent of a factor is one of a term, times what it multiplies."""
        of_factors, of_terms = tangents
        if of_factors is not None:
            if reverse:
                change = after(product_or_zero(of_factors, output), axis)
            else:
                change = product_or_zero(of_factors, before(output, axis))
            of_terms = change if of_terms is None else of_terms + change
        if of_terms is None:
            return None
        return bind(self, inputs[0], of_terms, axis=axis, reverse=reverse)

    def vjp(
        self,
        cotangent: Any,
        inputs: Values,
        output: Any,
        needed: Values,
        *,
        axis: int,
        reverse: bool,
    ) -> Values:
        """The transposed recurrence."""
        factors, terms = inputs
        of_terms = bind(self, factors, cotangent, axis=axis, reverse=not reverse)
        of_factors = None
        if needed[0] is not None:
            if reverse:
                of_factors = product_or_zero(before(of_terms, axis), output)
            else:
                of_factors = product_or_zero(of_terms, before(output, axis))
            of_factors = _in_dtype_of(of_factors, factors)
        return of_factors, _in_dtype_of(of_terms, terms)

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """It keeps them in any case."""
        return bind(self, *inputs, **params), True

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int, reverse: bool
    ) -> Any:
        """Solve all examples at once."""
        rows = [in_each(size, x, place) for x, place in zip(inputs, axes, strict=True)]
        return bind(self, *rows, axis=axis + 1, reverse=reverse), 0


def _in_dtype_of(x: Any, like: Any) -> Any:
    dtype = dtype_of(like)
    return x if dtype_of(x) == dtype else cast_to(x, dtype)


recurrence = Recurrence("recurrence")

ROWS = 32
"""From so many numbers on that are computed at once, a loop over rows is quick."""

BLOCK = 128
"""How many elements are a block where products of so many factors are neither large nor small."""


def solved(factors: Any, terms: Any) -> Any:
    """The recurrence along the first axis. The factors are one fewer than the terms."""
    shape, dtype = terms.shape, np.result_type(factors, terms)
    count = len(terms)
    if terms.size == 0 or count == 1:
        return terms.astype(dtype)
    a = np.ones((terms.size // count, count), dtype)
    b = np.empty(a.shape, dtype)
    a[:, 1:] = factors.reshape(count - 1, -1).T
    b[...] = terms.reshape(count, -1).T
    with np.errstate(all="ignore"):
        out = _in_blocks(a, b) if all_finite(a) else None
        if out is None or not all_finite(out):
            out = _one_by_one(a, b)
    return out.T.reshape(shape)


def _in_blocks(a: Any, b: Any) -> Any:
    """The recurrence in each row, for finite factors. None where that is not exact enough.

    Long rows are cut into blocks. Each is solved from nothing, all of them at once; what a block
    hands on to the next one is a recurrence too, as long as there are blocks.
    """
    lanes, count = b.shape
    if lanes >= ROWS or count <= 3:
        return _column_by_column(a, b)
    if lanes * count <= ROWS:
        return _one_by_one(a, b)
    found = _solved_blocks(a, b, BLOCK, _by_division)
    return (
        found
        if found is not None
        else _solved_blocks(a, b, max(math.isqrt(count) // 3, 2), _without_division)
    )


def _solved_blocks(a: Any, b: Any, longest: int, solve: Callable[..., Any]) -> Any:
    lanes, count = b.shape
    length = min(count, longest)
    blocks = -(-count // length)
    if blocks * length > count:
        rest = ((0, 0), (0, blocks * length - count))
        a, b = np.pad(a, rest, constant_values=1), np.pad(b, rest)
    a, b = a.reshape(-1, length), b.reshape(-1, length)
    products = np.multiply.accumulate(a, 1)
    out = solve(a, b, products)
    if out is None or blocks == 1:
        return out
    shape = (lanes, blocks)
    handed_on = _in_blocks(products[:, -1].reshape(shape), out[:, -1].reshape(shape))
    if handed_on is None or not np.abs(handed_on).max() < _smallest(a.dtype) ** -2:
        return None  # what it multiplies may be rounded to zero
    out, products = out.reshape(*shape, length), products.reshape(*shape, length)
    out[:, 1:] += products[:, 1:] * handed_on[:, :-1, None]
    return out.reshape(lanes, -1)[:, :count]


@cache
def _smallest(dtype: np.dtype[Any]) -> float:
    """A size of numbers of which several can be multiplied and nothing gets lost."""
    return float(np.finfo(dtype).tiny) ** 0.25


def _by_division(a: Any, b: Any, products: Any) -> Any:
    size = np.abs(products)
    smallest = _smallest(a.dtype)
    if size.min() < smallest or not size.max() <= 1 / smallest:
        return None
    return products * np.add.accumulate(b / products, 1)


def _without_division(a: Any, b: Any, products: Any) -> Any:
    return _column_by_column(a, b) if all_finite(products) else None


def _column_by_column(a: Any, b: Any) -> Any:
    factors, out = a.T.copy(), b.T.copy()
    step = np.empty_like(out[0])
    for last, factor, row in zip(out[:-1], factors[1:], out[1:], strict=True):
        np.multiply(factor, last, step)
        np.add(row, step, row)
    return out.T


def _one_by_one(a: Any, b: Any) -> Any:
    """The recurrence with Python's numbers, of which zero times any other is zero."""
    out = np.empty_like(b)
    for row, (factors, terms) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        last = 0.0
        found: list[Any] = []
        for factor, term in zip(factors, terms, strict=True):
            last = term + factor * last if factor and last else term
            found.append(last)
        out[row] = found
    return out


# Products so far


class ProductPullback(Primitive):
    """The cotangent of the elements of which products so far are made, from that of the products.

    It is ``recurrence(x, cotangent, reverse=True)`` times the products before each element. Where
    no product is too large or too small, that is a sum of cotangents times products, divided by
    the element: of the elements before a zero the sum ends there, the zero's own counts what is
    after it without its factor 0, and behind it all is zero.

    The products, the third input, are a function of the second one: its derivative counts both.
    """

    is_fresh = True
    is_total = True
    linear_in = (0,)
    batches_at_once = True
    warns = False

    def run(self, cotangent: Any, x: Any, products: Any, *, axis: int) -> Any:
        """Divide where that is exact; else solve the recurrence."""
        with np.errstate(all="ignore"):
            found = _pulled_by_division(cotangent, x, products, axis)
        if found is not None:
            return found
        later = bind(recurrence, x, cotangent, axis=axis, reverse=True)
        return product_or_zero(later, before(products, axis, 1))

    def infer(self, cotangent: ArrayType, x: ArrayType, products: ArrayType, *, axis: int) -> Any:
        """The type of all three."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, np.result_type(cotangent.dtype, x.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Two products and a sum for each element."""
        return 3 * abs(outputs[0].size)

    def jvp(self, inputs: Values, tangents: Values, output: Any, *, axis: int) -> Any:
        """The product rule for the recurrence times the products before."""
        cotangent, x, products = inputs
        of_cotangent, of_x, _ = tangents
        change = None
        if of_x is not None:
            earlier = before(products, axis, 1)
            later = bind(recurrence, x, cotangent, axis=axis, reverse=True)
            pushed = bind(recurrence, x, product_or_zero(of_x, earlier), axis=axis, reverse=False)
            change = product_or_zero(before(pushed, axis), later)
            of_factors = after(product_or_zero(of_x, later), axis)
            of_cotangent = of_factors if of_cotangent is None else of_cotangent + of_factors
        if of_cotangent is None:
            return None
        pulled = bind(self, of_cotangent, x, products, axis=axis)
        return pulled if change is None else pulled + change

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, axis: int
    ) -> Values:
        """The transpose of each of these terms."""
        given, x, products = inputs
        pushed = product_or_zero(cotangent, before(products, axis, 1))
        pushed = bind(recurrence, x, pushed, axis=axis, reverse=False)
        of_given = _in_dtype_of(pushed, given)
        if needed[1] is None:
            return of_given, None, None
        later = bind(recurrence, x, given, axis=axis, reverse=True)
        of_products = after(product_or_zero(cotangent, later), axis)
        of_x = bind(self, of_products, x, products, axis=axis)
        of_x = of_x + product_or_zero(before(pushed, axis), later)
        return of_given, _in_dtype_of(of_x, x), None

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """By the recurrence, which keeps them."""
        cotangent, x, products = inputs
        later = bind(recurrence, x, cotangent, reverse=True, **params)
        return product_or_zero(later, before(products, params["axis"], 1)), True

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int) -> Any:
        """Pull all examples back at once."""
        rows = [in_each(size, x, place) for x, place in zip(inputs, axes, strict=True)]
        return bind(self, *rows, axis=axis + 1), 0


product_pullback = ProductPullback("product_pullback")


def _pulled_by_division(cotangent: Any, x: Any, products: Any, axis: int) -> Any:
    """The pullback by quotients of sums; None where these would not be exact."""
    weighted = cotangent * products
    if not x.size or not all_finite(weighted):
        return None
    backwards = along(axis, slice(None, None, -1))
    sums = np.add.accumulate(weighted[backwards], axis)[backwards]
    if np.count_nonzero(x) == x.size:
        found = sums / x
        return found if _is_exact(x, products) and all_finite(found) else None
    # Behind a zero all products are zero: so are the terms of the sums for the elements before it.
    is_zero = x == 0
    first = is_zero & (np.add.accumulate(is_zero, axis) == 1)
    others = np.multiply.accumulate(np.where(first, 1, x), axis)
    divisors = np.where(is_zero, 1, x)
    if not _is_exact(divisors, np.where(others == 0, 1, others)):
        return None
    is_behind = np.logical_or.accumulate(is_zero, axis)
    of_zero = np.add.reduce(np.where(is_behind, cotangent * others, 0), axis, keepdims=True)
    found = np.where(first, of_zero, np.where(is_behind, 0, sums / divisors))
    return found if all_finite(found) else None


def _is_exact(x: Any, products: Any) -> bool:
    """Whether products, none of which is zero for an element, may be divided by elements.

    Of products too small to have all their digits the quotients matter only if elements are small.
    """
    smallest = _smallest(products.dtype)
    return bool(np.abs(x).min() >= smallest or np.abs(products).min() >= smallest**4)


# Any ufunc


class Accumulation(Primitive):
    """``ufunc.accumulate`` along an axis.

    A second input, a mask along that axis, says where it starts anew.

    Attributes:
        ufunc: The ufunc of two operands, and what it means for one pair of them.
    """

    is_fresh = True
    batches_at_once = True
    reads_constants = True

    def __init__(self, ufunc: np.ufunc, meaning: Elementwise) -> None:
        """Name the primitive after the ufunc; its derivatives are those of the ufunc."""
        super().__init__(f"accumulate_{ufunc.__name__}", warns=meaning.warns)
        self.ufunc = ufunc
        # One without a derivative hands on the first element of each run as it is.
        self.partials = meaning.partials or (_none, _none)

    def run(self, x: Any, *starts: Any, axis: int) -> Any:
        """Accumulate, from each start on."""
        if not starts:
            return self.ufunc.accumulate(x, axis, x.dtype)
        out = np.array(x, order="C")
        _accumulate_anew(self.ufunc, np.moveaxis(out, axis, 0), np.flatnonzero(starts[0]))
        return out

    def infer(self, x: ArrayType, *starts: ArrayType, axis: int) -> ArrayType:
        """The type of the input, which has the dtype of the results."""
        normalize_axis_index(axis, x.ndim)
        return ArrayType(x.shape, x.dtype)

    def slopes(self, x: Any, output: Any, axis: int, starts: Sequence[Any]) -> tuple[Any, Any]:
        """The derivative by what came before, and the map of a (co)tangent of each element."""
        by_last, by_element = self.partials
        if starts:
            is_start = _lined_up(starts[0], output, axis)
            last = before(output, axis)
            # Of elements that begin nothing is computed which counts; it is not to be singular.
            last, x, output = (np.where(is_start, 1, part) for part in (last, x, output))
            factors = np.where(is_start, 0, by_last(np.ones_like(output), output, last, x))
            return factors, lambda t: np.where(is_start, t, by_element(t, output, last, x))
        rest, head = along(axis, slice(1, None)), along(axis, slice(0, 1))
        last, x, out = output[along(axis, slice(None, -1))], x[rest], output[rest]
        factors = by_last(np.ones_like(out), out, last, x)
        first = np.zeros_like(output[head], dtype=dtype_of(factors))
        factors = np.concatenate([first, factors], axis)
        return factors, lambda t: np.concatenate([t[head], by_element(t[rest], out, last, x)], axis)

    def jvp(self, inputs: Values, tangents: Values, output: Any, *, axis: int) -> Any:
        """The recurrence of the tangents."""
        if tangents[0] is None:
            return None
        begun = numpy_warnings.begin_silence()
        try:
            factors, push = self.slopes(inputs[0], output, axis, inputs[1:])
            return bind(recurrence, factors, push(tangents[0]), axis=axis, reverse=False)
        finally:
            if begun is not None:
                numpy_warnings.end_of_rule(begun)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, axis: int
    ) -> Values:
        """Its transpose."""
        factors, pull = self.slopes(inputs[0], output, axis, inputs[1:])
        found = pull(bind(recurrence, factors, cotangent, axis=axis, reverse=True))
        return (found, *(None,) * (len(inputs) - 1))

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None], *, axis: int) -> Any:
        """Accumulate all examples at once; such that start at other places are put in one line."""
        x, *starts = inputs
        if not starts or axes[1] is None:
            return bind(self, in_front(x, axes[0]), *starts, axis=axis + 1), 0
        x, (start,) = in_each(size, x, axes[0]), [in_front(each, axes[1]) for each in starts]
        x = np.moveaxis(x, axis + 1, 1)
        shape = x.shape
        begins = np.arange(shape[1]) == 0
        line = np.reshape(x, (shape[0] * shape[1], *shape[2:]))
        out = bind(self, line, np.reshape(start | begins, (-1,)), axis=0)
        return np.moveaxis(np.reshape(out, shape), 1, axis + 1), 0


def _none(t: Any, *values: Any) -> Any:
    """The derivative of a function that has none."""
    return np.zeros_like(t)


def _lined_up(mask: Any, x: Any, axis: int) -> Any:
    """A mask along an axis, for all that is computed at once."""
    return np.reshape(mask, (-1,) + (1,) * (np.ndim(x) - axis - 1))


def _accumulate_anew(ufunc: np.ufunc, rows: Any, starts: Any) -> None:
    """``ufunc.accumulate`` along the first axis, from each of some rows on, in place.

    The second rows of all short runs are computed at once, then the third ones; long runs, of which
    there are few, one after the other.
    """
    ends = np.append(starts[1:], len(rows))
    lengths = ends - starts
    for start, end in zip(starts[lengths > LONG], ends[lengths > LONG], strict=True):
        rows[start:end] = ufunc.accumulate(rows[start:end], 0, rows.dtype)
    starts, lengths = starts[lengths <= LONG], lengths[lengths <= LONG]
    for step in range(1, int(lengths.max(initial=0))):
        places = starts[lengths > step] + step
        rows[places] = ufunc(rows[places - 1], rows[places])


LONG = 16
"""Runs of more elements are accumulated by NumPy's own loop, each for itself."""


class CumulativeProduct(Accumulation):
    """Products so far."""

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, *, axis: int
    ) -> Values:
        """Without new starts by a primitive of its own, which is quicker than the recurrence."""
        if len(inputs) > 1:
            return super().vjp(cotangent, inputs, output, needed, axis=axis)
        return (bind(product_pullback, cotangent, inputs[0], output, axis=axis),)


class CumulativeExtreme(Accumulation):
    """Extremes so far. All elements up to a place that are equal to its extreme share equally."""

    makes_zeros = True
    marks_unknown = False

    def slopes(self, x: Any, output: Any, axis: int, starts: Sequence[Any]) -> tuple[Any, Any]:
        """By the number of elements so far that are the extreme."""
        return _shares(x, output, axis, starts)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        axis: int,
    ) -> Sequence[Any]:
        """Without new starts by a primitive of its own, which is quicker than the recurrence."""
        if len(inputs) > 1:
            return super().vjp(cotangent, inputs, output, needed, axis=axis)
        return (bind(extreme_pullback, cotangent, inputs[0], output, axis=axis),)


def _shares(x: Any, output: Any, axis: int, starts: Sequence[Any]) -> tuple[Any, Any]:
    """What the last extreme counts in each next one, and the map of what an element counts."""
    last = before(output, axis)
    wins = np.equal(x, output) | (np.isnan(x) & np.isnan(output))
    is_new = np.not_equal(last, output) & ~(np.isnan(last) & np.isnan(output))
    places = _lined_up(np.arange(output.shape[axis]), output, axis)
    is_start = _lined_up(starts[0], output, axis) if starts else places == 0
    is_new = is_new | is_start
    count = np.cumsum(wins, axis)
    began = np.maximum.accumulate(np.where(is_new, places, 0), axis)
    count = count - np.take_along_axis(count, began, axis) + 1
    share = np.divide(1, count, dtype=np.finfo(output.dtype).dtype)
    factors = np.where(is_new, 0, np.where(wins, 1 - share, 1))
    return factors, lambda t: np.where(wins, t * share, 0)


class ExtremePullback(Linear):
    """The cotangent of elements from that of their extremes so far, the second and third input."""

    is_fresh = True
    is_total = True

    def run(self, cotangent: Any, x: Any, output: Any, *, axis: int) -> Any:
        """Sum up from extreme to extreme, or share it among ties."""
        found = _pulled_to_extremes(cotangent, x, output, axis)
        if found is None:
            factors, pull = _shares(x, output, axis, ())
            found = pull(bind(recurrence, factors, cotangent, axis=axis, reverse=True))
        return found if found.dtype == cotangent.dtype else found.astype(cotangent.dtype)

    def infer(self, cotangent: ArrayType, x: ArrayType, output: ArrayType, *, axis: int) -> Any:
        """The type of the cotangent."""
        normalize_axis_index(axis, x.ndim)
        return cotangent

    def transpose(self, cotangent: Any, input: ArrayType, x: Any, output: Any, *, axis: int) -> Any:
        """The recurrence of tangents."""
        factors, push = _shares(x, output, axis, ())
        found = bind(recurrence, factors, push(cotangent), axis=axis, reverse=False)
        return found if dtype_of(found) == input.dtype else cast_to(found, input.dtype)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], *, axis: int
    ) -> Any:
        """Pull all examples back at once."""
        rows = [in_each(size, x, place) for x, place in zip(inputs, axes, strict=True)]
        return bind(self, *rows, axis=axis + 1), 0


extreme_pullback = ExtremePullback("extreme_pullback")


def _pulled_to_extremes(cotangent: Any, x: Any, output: Any, axis: int) -> Any:
    """The cotangent where each extreme is met in one element; None where there are ties or nan."""
    with np.errstate(over="ignore"):  # of the squares, which nobody asked for
        if not output.size or not all_finite(output):
            return None
    x, output, rows = (np.moveaxis(part, axis, -1) for part in (x, output, cotangent))
    is_new = np.ones(output.shape, bool)
    np.not_equal(output[..., 1:], output[..., :-1], is_new[..., 1:])
    if np.count_nonzero(is_new) != np.count_nonzero(x == output):
        return None
    found = np.zeros(output.shape, rows.dtype)
    places = np.flatnonzero(is_new)
    found.reshape(-1)[places] = np.add.reduceat(rows.reshape(-1), places)
    return np.ascontiguousarray(np.moveaxis(found, -1, axis))


_KINDS: dict[np.ufunc, type[Accumulation]] = {
    np.multiply: CumulativeProduct,
    **dict.fromkeys((np.maximum, np.minimum, np.fmax, np.fmin), CumulativeExtreme),
}

ACCUMULATIONS = {
    ufunc: _KINDS.get(ufunc, Accumulation)(ufunc, meaning)
    for ufunc, meaning in MEANINGS.items()
    if ufunc.signature is None and any(re.fullmatch(r"(.)\1->\1", loop) for loop in ufunc.types)
}
"""What ``accumulate`` of a ufunc means, for arrays of the dtype that it makes of them."""
