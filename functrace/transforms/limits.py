"""Derivatives at equal eigenvalues, as limits of those at values that are told apart.

Where eigenvalues are equal the derivative of a factorization is 0 / 0, although a function that
does not depend on the choice of vectors, such as ``V sqrt(w) V^H``, has one. So equal values get
distances of a small number h (``Primitive.separated``), and whatever is computed with them is a
power series in h: a tracer of a `Limit`. There the derivative rules hold as they stand. A quotient
of two numbers that vanish with h is the quotient of their coefficients, and where only the divisor
vanishes, the series has a pole, a coefficient of 1/h. In the derivatives of a function that does
not depend on the choice these cancel, to any order, and what is left for h = 0 is the answer.
Where one is left, the function depends on the choice: its derivative is nan.

A series is cut off behind some power of h, and knows where: a product with a pole is known up to a
lower power. What is not known up to h = 0 is nan.

Several factorizations have each its own h. A later one is smaller than none of the earlier ones:
its series are the coefficients of theirs.

Sources: Kato, Perturbation theory for linear operators, chapter 2; the arithmetic is that of
truncated Laurent series (Knuth, The Art of Computer Programming 2, section 4.7).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import Program
from functrace.ir.types import type_of
from functrace.primitives import contracting, elementwise, factoring, indexing, shaping
from functrace.primitives.linear import (
    Linear,
    add_tangents,
    dtype_of,
    known_value,
    shape_of,
    zeros_for,
    zeros_of_type,
)
from functrace.primitives.spectral import inverse_of_gap, once
from functrace.tracing.tracer import UFUNCS, Recording, Tracer, bind, new_tracer, running_recording
from functrace.transforms.evaluate import run_program
from functrace.transforms.transpose import jvp_of

EXACT = 1 << 30
"""The power up to which a series is known that is not cut off."""

_YOUNGEST = 1 << 62

_SUMS: frozenset[Primitive] = frozenset({
    elementwise.add, elementwise.subtract, elementwise.negative, elementwise.positive,
    elementwise.conjugate, elementwise.real, elementwise.imag, elementwise.select,
    shaping.concatenate_primitive, shaping.stack_primitive, indexing.index_update,
    indexing.index_add,
})  # fmt: skip
"""What is linear in all of its inputs together (but for conditions and indices)."""

_PRODUCTS: dict[Primitive, Primitive] = {
    elementwise.multiply: elementwise.multiply,
    elementwise.product_or_zero_primitive: elementwise.product_or_zero_primitive,
    elementwise.kept_product: elementwise.kept_product,
    contracting.contract: contracting.contract,
    contracting.contract_or_zero: contracting.contract_or_zero,
    elementwise.divide: elementwise.multiply,
    elementwise.quotient_or_zero_primitive: elementwise.product_or_zero_primitive,
    elementwise.kept_quotient: elementwise.kept_product,
}
"""What is linear in each of two inputs, the first one and the second or its reciprocal: and by
which product."""

_QUOTIENTS = {
    elementwise.divide,
    elementwise.quotient_or_zero_primitive,
    elementwise.kept_quotient,
}

_LINEAR_IN_SECOND = {factoring.solve}


class Past(NamedTuple):
    """What has happened to a series; None where nothing has.

    Attributes:
        is_limit: Whether a quotient was a limit, so that further derivatives are not known.
        size: How large the coefficients of poles were before any of them canceled.
    """

    is_limit: Any = None
    size: Any = None

    def and_of(self, other: Past) -> Past:
        """Both together."""
        return Past(
            _joined(np.logical_or, self.is_limit, other.is_limit),
            _joined(np.maximum, self.size, other.size),
        )


_NOTHING = Past()


def _joined(combine: Any, x: Any, y: Any) -> Any:
    if x is None or y is None:
        return x if y is None else y
    return combine(x, y)


class Series(NamedTuple):
    """What is known of a value besides its limit.

    Attributes:
        others: The coefficients by powers of h, but for that of the power 0.
        known: The highest power that is known.
        past: What was done to get it.
    """

    others: dict[int, Any]
    known: int
    past: Past


class Limit(Recording):
    """The series in one small number. Its tracers are the limits, with the rest as variables.

    It is younger than all recordings of functions, since its tracers stand for values of these;
    a later one is older, since its tracers are the coefficients of the earlier ones.

    Attributes:
        order: The power at which series are cut off.
    """

    def __init__(self, order: int) -> None:
        super().__init__()
        self.birth = _YOUNGEST - self.birth
        self.order = order

    def tracer(self, coefficients: dict[int, Any], known: int, past: Past, zero: Any) -> Any:
        """The tracer with these coefficients; a plain value where there is nothing but that.

        Args:
            coefficients: By powers of h.
            known: The highest power that is known.
            past: As of `Series`.
            zero: What makes a zero of its type.
        """
        others = {power: x for power, x in coefficients.items() if power and power <= known}
        value = coefficients.get(0)
        if (
            not others
            and known >= self.order
            and past.is_limit is past.size is None
            and value is not None
        ):
            return value
        if value is None:
            value = zero()
        return new_tracer(self, value, Series(others, known, past))

    def expansion(self, x: Any) -> tuple[dict[int, Any], int, Past]:
        """The coefficients of a value, the highest power that is known, and its past."""
        if type(x) is not Tracer or x.recording is not self:
            return {0: x}, EXACT, _NOTHING
        others, known, past = x.variable
        return {0: x.value, **others} if known >= 0 else dict(others), known, past

    def lift(self, value: Any) -> Tracer:
        """A constant that can be written."""
        return new_tracer(self, value, Series({}, EXACT, _NOTHING))

    def as_constant(self, tracer: Tracer) -> Any:
        """The series, which nobody writes."""
        return tracer

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply an operation to series."""
        plain = [self._limit(x) for x in inputs]
        if primitive.locally_constant:
            if primitive in (UFUNCS[np.equal], UFUNCS[np.not_equal]):
                return self._compared(primitive, inputs)
            return bind(primitive, *plain, **params)
        program = params.get("program")
        if not isinstance(program, Program):
            program = primitive.holds_programs and primitive.inlined(
                [type_of(x) for x in inputs], params
            )
        if isinstance(program, Program):
            return tuple(run_program(program, inputs))
        if primitive in _PRODUCTS:
            x, y = inputs
            if primitive in _QUOTIENTS:
                if not self._is_series(y):
                    return self._each(primitive, inputs, params, [0])
                y = self._reciprocal(y)
            return self._product(_PRODUCTS[primitive], x, y, params)
        if primitive is elementwise.reciprocal:
            return self._reciprocal(inputs[0])
        if primitive is inverse_of_gap:
            return self._inverse_of_gap(inputs[0])
        if isinstance(primitive, Linear) or primitive is once:
            return self._each(primitive, [inputs[0], *plain[1:]], params, [0])
        if primitive in _SUMS:
            linear = range(len(inputs))
            if primitive is elementwise.select:
                linear = (1, 2)
                inputs = [plain[0], *inputs[1:]]
            elif primitive in (indexing.index_update, indexing.index_add):
                linear = (0, 1)
                inputs = [*inputs[:2], *plain[2:]]
            return self._each(primitive, inputs, params, linear)
        if primitive in _LINEAR_IN_SECOND and not self._is_series(inputs[0]):
            return self._each(primitive, inputs, params, [1])
        return self._expanded(primitive, inputs, params)

    def _is_series(self, x: Any) -> bool:
        return type(x) is Tracer and x.recording is self

    def _limit(self, x: Any) -> Any:
        return x.value if self._is_series(x) else x

    def _zero(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        return zeros_of_type(primitive.infer(*(type_of(x) for x in inputs), **params))

    def _compared(self, primitive: Primitive, inputs: Sequence[Any]) -> Any:
        """Whether two series are equal: each of their coefficients."""
        first, second = (self.expansion(x)[0] for x in inputs)
        result: Any = None
        for power in {*first, *second}:
            x, y = first.get(power, 0.0), second.get(power, 0.0)
            found = bind(primitive, x, y)
            if result is None:
                result = found
            else:
                combine = np.logical_and if primitive is UFUNCS[np.equal] else np.logical_or
                result = combine(result, found)
        return result

    def _each(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        params: dict[str, Any],
        linear: Sequence[int],
    ) -> Any:
        """Apply what is linear in some inputs together to each coefficient."""
        found = {number: self.expansion(inputs[number]) for number in linear}
        known = min(known for _, known, _ in found.values())
        past = _together(past for *_, past in found.values())
        powers = {power for coefficients, *_ in found.values() for power in coefficients}
        outputs: dict[int, Any] = {}
        for power in powers:
            given = list(inputs)
            for number, (coefficients, *_) in found.items():
                x = coefficients.get(power)
                given[number] = zeros_for(inputs[number]) if x is None else x
            outputs[power] = bind(primitive, *given, **params)
        if not primitive.multiple_outputs:
            return self.tracer(outputs, known, past, lambda: self._zero(primitive, inputs, params))
        count = len(next(iter(outputs.values())))
        return tuple(
            self.tracer(
                {power: x[number] for power, x in outputs.items()},
                known,
                past,
                lambda number=number: zeros_of_type(
                    primitive.infer(*(type_of(x) for x in inputs), **params)[number]
                ),
            )
            for number in range(count)
        )

    def _product(self, primitive: Primitive, x: Any, y: Any, params: dict[str, Any]) -> Any:
        """The product of two series."""
        first, known_x, past = self.expansion(x)
        second, known_y, past_y = self.expansion(y)
        past = past.and_of(past_y)
        known = min(known_x, known_y)
        if known < EXACT or (self._is_series(x) and self._is_series(y)):
            known = min(known, self.order)
        found: dict[int, Any] = {}
        for i, a in first.items():
            for j, b in second.items():
                if i + j <= known:
                    if i + j < 0:  # by the largest elements: those at poles may have canceled
                        past = past.and_of(Past(size=_largest(a) * _largest(b)))
                    term = bind(primitive, a, b, **params)
                    found[i + j] = add_tangents(found.get(i + j), term)
        # What is not known of one factor is missing where the other one has a pole.
        for i, a in first.items():
            for power in range(known_y + i + 1, known + 1):
                gap = bind(primitive, np.abs(a), np.ones(shape_of(y)), **params)
                found[power] = add_tangents(found.get(power), np.where(gap > 0, np.nan, 0.0))
        for j, b in second.items():
            for power in range(known_x + j + 1, known + 1):
                gap = bind(primitive, np.ones(shape_of(x)), np.abs(b), **params)
                found[power] = add_tangents(found.get(power), np.where(gap > 0, np.nan, 0.0))
        return self.tracer(found, known, past, lambda: self._zero(primitive, (x, y), params))

    def _reciprocal(self, x: Any) -> Any:
        """One by a series whose limit is not zero."""
        coefficients, known, past = self.expansion(x)
        if min(coefficients, default=0) < 0 or known < 0:
            return self._unknown(elementwise.reciprocal, (x,), {})
        known = min(known, self.order)
        rest = [coefficients.get(power) for power in range(1, known + 1)]
        found = dict(enumerate(_inverse(1 / coefficients[0], rest)))
        return self.tracer(_present(found), known, past, lambda: found[0])

    def _inverse_of_gap(self, x: Any) -> Any:
        """One by a series whose limit may be zero: there it has a pole."""
        coefficients, known, past = self.expansion(x)
        if min(coefficients, default=0) < 0 or known < 0:
            return self._unknown(elementwise.reciprocal, (x,), {})
        dtype = dtype_of(x)
        none = np.zeros((), dtype)
        value, slope = coefficients[0], coefficients.get(1, none)
        vanishes = np.equal(value, 0)
        is_pole = np.logical_and(vanishes, np.not_equal(slope, 0))
        highest = min(known, self.order)
        rest = [coefficients.get(power) for power in range(1, self.order + 3)]
        regular = _inverse(
            bind(inverse_of_gap, value),
            [None if y is None else np.where(vanishes, none, y) for y in rest[:highest]],
        )
        pole = _inverse(
            bind(inverse_of_gap, np.where(is_pole, slope, none)),
            [None if y is None else np.where(is_pole, y, none) for y in rest[1:]],
        )
        found: dict[int, Any] = {-1: pole[0]}
        for power, y in enumerate(regular):
            # What is cut off of a divisor that vanishes with h is missing two powers earlier.
            at_pole = pole[power + 1]
            if power > known - 2:
                at_pole = np.full((), np.nan, dtype)
            if y is not None or at_pole is not None:
                pair = (none if z is None else z for z in (at_pole, y))
                found[power] = np.where(is_pole, *pair)
        plain = known_value(is_pole)
        if isinstance(plain, Tracer):
            past = past.and_of(Past(is_limit=np.any(is_pole)))
        elif not plain.any():
            del found[-1]
        if -1 in found:
            past = past.and_of(Past(size=_largest(found[-1])))
        return self.tracer(found, highest, past, lambda: regular[0])

    def _unknown(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """A result of which nothing is known."""
        inferred = primitive.infer(*(type_of(x) for x in inputs), **params)
        types = inferred if primitive.multiple_outputs else (inferred,)
        found = [
            new_tracer(self, zero, Series({}, -1, _NOTHING)) if type.is_inexact else zero
            for type, zero in zip(types, map(zeros_of_type, types), strict=True)
        ]
        return tuple(found) if primitive.multiple_outputs else found[0]

    def _expanded(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Any other function, by its Taylor series: the coefficients of its derivative by h."""
        found = [self.expansion(x) for x in inputs]
        if any(known < 0 or min(powers, default=0) < 0 for powers, known, _ in found):
            return self._unknown(primitive, inputs, params)
        order = min(self.order, *(known for _, known, _ in found))
        past = _together(past for *_, past in found)
        zeros = [lambda x=x: zeros_for(x) for x in inputs]
        plain = [powers[0] for powers, *_ in found]
        output = bind(primitive, *plain, **params)
        if primitive.may_coincide:
            if isinstance(known_value(plain[0]), Tracer):
                # Further coefficients would have to be computed at each call.
                output, order = told_apart(primitive, output), 0
            else:
                output = told_apart(primitive, output, 2 * self.order + 1)
        is_tuple = primitive.multiple_outputs
        outputs = [{0: x} for x in (output if is_tuple else (output,))]
        made = [
            self.tracer(powers, 0, past, lambda powers=powers: zeros_for(powers[0]))
            for powers in outputs
        ]
        result: Any = tuple(made) if is_tuple else made[0]
        for power in range(order):
            cut = [
                self.tracer({k: x for k, x in powers.items() if k <= power}, power, _NOTHING, zero)
                for (powers, *_), zero in zip(found, zeros, strict=True)
            ]
            slopes = [
                self.tracer(
                    {k - 1: k * x for k, x in powers.items() if 1 <= k <= power + 1},
                    power,
                    _NOTHING,
                    zero,
                )
                if self._is_series(given)
                else None
                for (powers, *_), zero, given in zip(found, zeros, inputs, strict=True)
            ]
            if primitive.holds_programs:
                pushed = primitive.push_forward(cut, slopes, params)[1]
            else:
                pushed = jvp_of(primitive, cut, slopes, result, params)
            for number, part in enumerate(pushed if is_tuple else (pushed,)):
                coefficient = None if part is None else self.expansion(part)[0].get(power)
                if coefficient is not None:
                    outputs[number][power + 1] = coefficient / (power + 1)
            made = [
                self.tracer(powers, power + 1, past, lambda powers=powers: zeros_for(powers[0]))
                for powers in outputs
            ]
            result = tuple(made) if is_tuple else made[0]
        return result

    def limit_of(self, x: Tracer) -> Any:
        """The limit as h goes to zero; nan where there is none."""
        others, known, past = x.variable
        value = x.value
        nan = dtype_of(value).type(np.nan)
        if known < 0:
            return np.full(shape_of(value), nan)[()]
        poles = [coefficient for power, coefficient in others.items() if power < 0]
        if poles:
            threshold = math.sqrt(np.finfo(dtype_of(value)).eps) * past.size
            for coefficient in poles:
                value = np.where(np.abs(coefficient) > threshold, nan, value)
        if past.is_limit is not None:
            value = bind(once, value, past.is_limit)
        return value if shape_of(x) else value[()]


def _largest(x: Any) -> Any:
    return np.max(np.abs(x), initial=0) if shape_of(x) else np.abs(x)


def _inverse(first: Any, rest: Sequence[Any]) -> list[Any]:
    """The coefficients of one by a series, from the inverse of its limit; None is zero."""
    found: list[Any] = [first]
    for power in range(1, len(rest) + 1):
        total: Any = None
        for distance in range(1, power + 1):
            x, y = rest[distance - 1], found[power - distance]
            if x is not None and y is not None:
                total = add_tangents(total, x * y)
        found.append(None if total is None else -(total * first))
    return found


def _present(coefficients: dict[int, Any]) -> dict[int, Any]:
    return {power: x for power, x in coefficients.items() if x is not None}


def _together(pasts: Iterable[Past]) -> Past:
    result = _NOTHING
    for past in pasts:
        result = result.and_of(past)
    return result


def holds_series(x: Any) -> bool:
    """Whether a value, or what it stands for further out, is a series."""
    while type(x) is Tracer:
        if type(x.recording) is Limit:
            return True
        x = x.value
    return False


def told_apart(primitive: Primitive, output: Any, order: int | None = None) -> Sequence[Any]:
    """The outputs of a factorization, with series for values that may be equal.

    Args:
        primitive: One whose values `may_coincide`.
        output: Its outputs.
        order: The power at which series are cut off; None for as many as derivatives are taken.
    """
    values = output[primitive.values_at]
    if holds_series(values):  # further out they are told apart already
        return output
    found = primitive.separated(output)
    if found is None:
        return output
    limit = Limit(order or _derivatives_taken())
    merged, distances = found
    result = list(output)
    result[primitive.values_at] = new_tracer(limit, merged, Series({1: distances}, EXACT, _NOTHING))
    return tuple(result)


def limit_of(x: Any) -> Any:
    """A value or derivative in the limit; any other as it is."""
    while type(x) is Tracer and type(x.recording) is Limit:
        x = x.recording.limit_of(x)
    return x


def _derivatives_taken() -> int:
    """How many derivatives are being taken of what runs, as far as that can be seen."""
    recording, count = running_recording(), 0
    while recording is not None:
        count += recording.follows_values
        recording = recording.around
    return min(max(count, 1), 3)
