"""Derivatives at equal eigenvalues, as limits of those at values that are told apart.

Where eigenvalues are equal the derivative of a factorization is 0 / 0, although a function that
does not depend on the choice of vectors, such as ``V sqrt(w) V^H``, has one. So equal values get
distances of a small number h (``Spectral.separated``), and whatever is computed with them is a
power series in h: a tracer of the recording `LIMIT`. There the derivative rules hold as they
stand. Where the divisor in a rule vanishes with h, the series has a pole, a coefficient of 1/h. In
the derivatives of a function that does not depend on the choice the poles cancel, to any order, and
what is left for h = 0 is the answer.

All is computed twice, with the vectors that were found and with other ones. Where a pole is left,
or where the two answers differ, the function depends on the choice: its derivative is nan, in
forward mode as in reverse mode.

There is but one h. What comes out of the rule of one factorization is taken in the limit
(``spectral.limit``) before it goes into another one: it depends on no choice, or the derivative is
nan in any case.

Where values are not known, as in what `functrace.jit` records, `told_apart` is an operation of the
Program. Compiled it looks whether values are equal, and if some are it raises `EqualValues`: then
the Program is evaluated once more, with series.

Sources: Kato, Perturbation theory for linear operators, chapter 2; the arithmetic is that of
truncated Laurent series (Knuth, The Art of Computer Programming 2, section 4.7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.primitive import Primitive, Values
from functrace.ir.types import UNKNOWN, ArrayType
from functrace.matrices import spectral
from functrace.primitives import elementwise
from functrace.primitives.linear import dtype_of, in_each, known_value, shape_of, zeros_for
from functrace.tracing.recording import Recording, running_recording
from functrace.tracing.tracer import Tracer, bind, new_tracer
from functrace.transforms.transpose import jvp_of

MOST_DERIVATIVES = 3
"""To so many derivatives the series are known that are made where a Program is evaluated."""

EXACT = 1 << 30
"""The power up to which a series is known that is not cut off."""


class Term(NamedTuple):
    """A coefficient of a series, and how large what was added up to it was: so are its errors."""

    value: Any
    size: Any


class Series(NamedTuple):
    """The coefficients by the powers of h, and the highest power that is known."""

    terms: dict[int, Term]
    known: int

    @property
    def lowest(self) -> int:
        """The power with which it begins."""
        return min(self.terms, default=0)


class Choices(NamedTuple):
    """What is known of a tracer.

    Attributes:
        series: Those for the two choices of vectors.
        is_derived: Whether the rule of a factorization has divided by distances on the way. If not,
            the tracer's value is what the function gives, to the last digit.
    """

    series: tuple[Series, ...]
    is_derived: bool = True


class LimitRecording(Recording):
    """Its tracers are power series: two of them, for the two choices of vectors.

    It is older than all recordings of functions: to these its tracers are values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.birth = 0

    def lift(self, value: Any) -> Tracer:
        """A constant that can be written."""
        return new_tracer(self, value, Choices((_constant(value),) * 2, is_derived=False))

    def as_constant(self, tracer: Tracer) -> Any:
        """The series, which nobody writes."""
        return tracer

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply an operation to series."""
        if primitive is spectral.limit:
            return limit_of(inputs[0])
        if primitive is spectral.as_found:
            return inputs[0].value
        if primitive.tells_apart:  # they are
            return tuple(inputs)
        if primitive.holds_programs:
            return primitive.interpret(inputs, params)
        plain = [*map(_value, inputs)]
        if primitive.locally_constant:
            return bind(primitive, *plain, **params)
        if primitive.may_coincide:
            return told_apart(primitive, bind(primitive, *plain, **params), MOST_DERIVATIVES)
        result = _applied(primitive, inputs, params)
        are_derived = (_is_series(x) and x.known_as.is_derived for x in inputs)
        if primitive is spectral.inverse_of_gap or any(are_derived):
            return result
        output = bind(primitive, *plain, **params)
        if primitive.multiple_outputs:
            return tuple(map(_as_found, result, output))
        return _as_found(result, output)


LIMIT = LimitRecording()


def _is_series(x: Any) -> bool:
    return type(x) is Tracer and x.recording is LIMIT


def _value(x: Any) -> Any:
    return x.value if _is_series(x) else x


def _of_series(series: Sequence[Series]) -> Any:
    """The tracer of two series, which have at least one coefficient."""
    terms = series[0].terms
    value = terms[0].value if 0 in terms else np.zeros_like(next(iter(terms.values())).value)
    return new_tracer(LIMIT, value, Choices(tuple(series)))


def _as_found(x: Any, value: Any) -> Any:
    """A series that is no derivative, with the value that it has without being one."""
    if not _is_series(x) or x.known_as.series[0].lowest < 0:
        return x
    return new_tracer(LIMIT, value, x.known_as._replace(is_derived=False))


def _size(x: Any) -> Any:
    """The largest absolute value among those that are finite."""
    sizes = np.abs(x)
    return np.max(sizes, initial=0, where=np.isfinite(sizes))


def _constant(x: Any) -> Series:
    return Series({0: Term(x, _size(x))}, EXACT)


def _expansions(x: Any) -> Sequence[Series]:
    return x.known_as.series if _is_series(x) else (_constant(x),) * 2


# The arithmetic


def _applied(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """A differentiable operation on series."""
    if primitive is spectral.inverse_of_gap:
        return _of_series([*map(_inverse_of_gap, _expansions(inputs[0]))])
    linear = _linear_inputs(primitive, inputs)
    if linear:
        return _each(primitive, inputs, params, linear)
    if primitive.product is not None:
        x, y = inputs
        return bind(primitive.product, x, bind(elementwise.reciprocal, y), **params)
    if primitive.is_bilinear:
        pairs = zip(*map(_expansions, inputs), strict=True)
        return _of_series([_product(primitive, x, y, params) for x, y in pairs])
    return _expanded(primitive, inputs, params)


def _linear_inputs(primitive: Primitive, inputs: Sequence[Any]) -> Sequence[int]:
    """The inputs in which an operation is linear together, if no others are series."""
    linear = primitive.linear_inputs(len(inputs))
    others = (x for number, x in enumerate(inputs) if number not in linear)
    return () if any(map(_is_series, others)) else linear


def _each(
    primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any], linear: Sequence[int]
) -> Any:
    """Apply what is linear in some inputs together to each coefficient."""
    factor = _size(1 / inputs[1]) if primitive.product is not None else 1.0
    found: list[list[Series]] = []
    for choice in range(2):
        given = {number: _expansions(inputs[number])[choice] for number in linear}
        known = min(series.known for series in given.values())
        outputs: list[dict[int, Term]] = []
        for power in sorted({power for terms, _ in given.values() for power in terms}):
            values, size = [*map(_value, inputs)], np.float64(0.0)
            for number, (terms, _) in given.items():
                term = terms.get(power)
                if term is None:
                    values[number] = zeros_for(inputs[number])
                else:
                    values[number], size = term.value, np.maximum(size, term.size * factor)
            output = bind(primitive, *values, **params)
            parts = output if primitive.multiple_outputs else (output,)
            outputs = outputs or [{} for _ in parts]
            for part, terms in zip(parts, outputs, strict=True):
                terms[power] = Term(part, np.maximum(size, _size(part)))
        found.append([Series(terms, known) for terms in outputs])
    tracers = tuple(map(_of_series, zip(*found, strict=True)))
    return tracers if primitive.multiple_outputs else tracers[0]


def _product(primitive: Primitive, x: Series, y: Series, params: dict[str, Any]) -> Series:
    known = min(x.known + y.lowest, y.known + x.lowest)
    found: dict[int, Term] = {}
    for i, a in x.terms.items():
        for j, b in y.terms.items():
            if i + j > max(known, x.lowest + y.lowest):
                continue
            value = bind(primitive, a.value, b.value, **params)
            size = np.maximum(a.size * _size(b.value), _size(a.value) * b.size)
            if i + j in found:
                other = found[i + j]
                value, size = value + other.value, np.maximum(size, other.size)
            found[i + j] = Term(value, size)
    return Series(found, known)


def _inverse_of_gap(x: Series) -> Series:
    """One by a series ``a + b h``; where a is zero it is a pole."""
    value, slope = x.terms[0].value, x.terms[1].value if 1 in x.terms else 0.0
    is_pole = np.equal(value, 0)
    inverse = np.reciprocal(np.where(is_pole, 1, value))
    terms = [np.where(is_pole, np.reciprocal(np.where(is_pole, slope, 1)), 0)]
    power = np.where(is_pole, 0, inverse)
    for _ in range(x.known + 1):
        terms.append(power)
        power = -power * slope * inverse
    return Series({n: Term(term, _size(term)) for n, term in enumerate(terms, -1)}, x.known)


def _expanded(primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Any other function, by its Taylor series: the coefficients of its derivative by h."""
    given = [_expansions(x) for x in inputs]
    known = min(series.known for pair in given for series in pair)
    plain = [[_leading(pair[choice], x) for x, pair in zip(inputs, given, strict=True)]
             for choice in range(2)]  # fmt: skip
    found: list[list[dict[int, Term]]] = []
    for terms in plain:
        output = bind(primitive, *(term.value for term in terms), **params)
        errors = [_relative(term) for term in terms]
        parts = output if primitive.multiple_outputs else (output,)
        found.append([{0: Term(part, _size(part) * reduce(np.maximum, errors))} for part in parts])
    if any(series.lowest < 0 for pair in given for series in pair):
        known = -1

    def tracers(highest: int) -> Any:
        pairs = zip(*found, strict=True)
        result = tuple(_of_series([Series(dict(x), highest) for x in pair]) for pair in pairs)
        return result if primitive.multiple_outputs else result[0]

    highest = max(power for pair in given for terms, _ in pair for power in terms)
    for power in range(known if highest > 0 else 0):
        cut = [_cut(x, power) for x in inputs]
        slopes = [_slope(x, power) if _is_series(x) else None for x in inputs]
        pushed = jvp_of(primitive, cut, slopes, tracers(power), params)
        for number, part in enumerate(pushed if primitive.multiple_outputs else (pushed,)):
            for choice, series in enumerate(() if part is None else _expansions(part)):
                if series.known < power or series.lowest < 0:
                    return tracers(power)
                if power in series.terms:
                    value, size = series.terms[power]
                    found[choice][number][power + 1] = Term(value / (power + 1), size)
    return tracers(known)


def _leading(series: Series, x: Any) -> Term:
    return series.terms[0] if 0 in series.terms else Term(zeros_for(x), np.float64(0.0))


def _relative(term: Term) -> Any:
    """How large what was added up is, relative to the sum."""
    size = _size(term.value)
    return np.where(size > 0, term.size / np.where(size > 0, size, 1), 1)


def _cut(x: Any, power: int) -> Any:
    """A series up to some power."""
    if not _is_series(x):
        return x
    kept = [{n: term for n, term in terms.items() if n <= power} for terms, _ in x.known_as.series]
    return new_tracer(LIMIT, x.value, Choices(tuple(Series(terms, power) for terms in kept)))


def _slope(x: Any, power: int) -> Any:
    """The derivative of a series by h, up to some power."""
    slopes: list[Series] = []
    for terms, _ in x.known_as.series:
        slope = {n - 1: Term(n * value, size) for n, (value, size) in terms.items() if n > 0}
        slopes.append(Series({0: _constant(zeros_for(x)).terms[0], **slope}, power))
    return _of_series(slopes)


# Where series begin, and where they end


class EqualValues(Exception):  # noqa: N818  (a signal, which the user never sees)
    """Raised by compiled source where values are equal."""


class ToldApart(Primitive):
    """The outputs of a factorization, with series for values that are equal."""

    multiple_outputs = True
    tells_apart = is_transparent = True
    reads_constants = False

    def __init__(self, name: str, of: spectral.Spectral) -> None:
        super().__init__(name)
        self.of = of

    def run(self, *output: Any) -> Any:
        """Look whether values are equal."""
        return _separated(self.of, output, MOST_DERIVATIVES)

    def compiled_run(self, *output: Any) -> Any:
        """Raise `EqualValues` where there are such."""
        if self.of.separated(output) is not None:
            raise EqualValues
        return output

    def infer(self, *types: ArrayType) -> Any:
        """The same types."""
        return types

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front."""
        moved = [in_each(size, x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return bind(self, *moved), (0,) * len(moved)


_TOLD_APART: dict[Primitive, Primitive] = {
    primitive: ToldApart(f"{primitive.name}_told_apart", primitive)
    for primitive in (spectral.eigh, spectral.svd)
}


def told_apart(
    primitive: Primitive, output: Sequence[Any], derivatives: int | None = None
) -> Sequence[Any]:
    """The outputs of a factorization, whose derivative is taken, with series for equal values.

    Args:
        primitive: One whose values `may_coincide`.
        output: Its outputs.
        derivatives: To how many the series are to be known; None for as many as are being taken.
    """
    values = output[primitive.values_at]
    if type(values) is not Tracer:
        return _separated(primitive, output, derivatives or _derivatives_taken())
    if values.value is not UNKNOWN:  # further out they are told apart already
        return output
    return bind(_TOLD_APART[primitive], *output)


def _separated(primitive: Any, output: Sequence[Any], known: int) -> Sequence[Any]:
    found = primitive.separated(output)
    if found is None:
        return output
    result: list[Any] = []
    for number, pair in enumerate(zip(*found.choices, strict=True)):
        terms = [{0: Term(x, _size(x))} for x in pair]
        if number == primitive.values_at:
            for each in terms:
                each[1] = Term(found.distances, _size(found.distances))
        highest = known if number == primitive.values_at else EXACT
        made = _of_series([Series(each, highest) for each in terms])
        result.append(_as_found(made, output[number]))
    return tuple(result)


def limit_of(x: Any, tells_apart: bool = False) -> Any:
    """A value or derivative in the limit of equal values; any other as it is.

    Args:
        x: The value.
        tells_apart: Whether it may be of series where its value is not known.
    """
    if type(x) is not Tracer:
        return x
    if x.recording is LIMIT:
        return _limit_of(x)
    behind = known_value(x)
    if _is_series_behind(x) or (tells_apart and type(behind) is Tracer):
        return bind(spectral.limit, x)
    return x


def as_found(x: Any, tells_apart: bool = False) -> Any:
    """A value that a function returns, without what else is known of it.

    Args:
        x: The value.
        tells_apart: Whether it may be of series where its value is not known.
    """
    if type(x) is not Tracer:
        return x
    if x.recording is LIMIT:
        return x.value
    return bind(spectral.as_found, x) if tells_apart and x.value is UNKNOWN else x


def _is_series_behind(x: Any) -> bool:
    while type(x) is Tracer:
        if x.recording is LIMIT:
            return True
        x = x.value
    return False


def _limit_of(x: Tracer) -> Any:
    first, second = x.known_as.series
    value = _leading(first, x).value
    dtype = dtype_of(value)
    if dtype.kind not in "fc":
        return value
    nan = dtype.type(np.nan)
    if min(first.known, second.known) < 0:
        return np.full(shape_of(value), nan)[()]
    digits = math.sqrt(np.finfo(dtype).eps)
    depends: Any = False
    for terms, _ in (first, second):
        for power, term in terms.items():
            if power < 0:
                depends = np.logical_or(depends, np.abs(term.value) > digits * term.size)
    one, other = _leading(first, x), _leading(second, x)
    if one.value is not other.value:
        differs = np.abs(one.value - other.value) > digits * np.maximum(one.size, other.size)
        depends = np.logical_or(depends, differs)
    value = np.where(depends, nan, value)
    return value if shape_of(x) else value[()]


def _derivatives_taken() -> int:
    """How many derivatives are being taken of what runs, as far as that can be seen: one to 3."""
    recording, count = running_recording(), 0
    while recording is not None:
        count += recording.follows_values
        recording = recording.around
    return min(max(count, 1), MOST_DERIVATIVES)
