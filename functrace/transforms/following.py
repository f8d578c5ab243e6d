"""A tape that follows all operations, and the cotangents of all its variables.

For what shows how a result is computed: differentiation itself needs neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from functrace.ir.primitive import Primitive
from functrace.ir.types import type_of
from functrace.tracing.places import recorded_place
from functrace.tracing.tracer import Tracer, new_tracer
from functrace.transforms.backward import backward
from functrace.transforms.tape import Row, Tape
from functrace.transforms.zeros import ZeroKeeping


class FollowingTape(Tape):
    """A tape that has rows, too, of what has no derivative: comparisons, rounding, places."""

    def record(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """As any tape; of what is constant locally it gives a tracer as well."""
        output = super().record(primitive, inputs, params)
        is_followed = primitive.locally_constant and not primitive.multiple_outputs
        if not is_followed or type(output) is Tracer:
            return output
        values, variables = self._known(inputs, False)
        number, place = self.variables, recorded_place(3)
        self.variables += 1
        self.rows.append((primitive, values, variables, params, output, number, place))
        return new_tracer(self, output, number, place)


def all_cotangents(tape: Tape, seeds: Mapping[int, Any]) -> list[Any]:
    """Walk back over a tape, and keep what each variable's cotangent is.

    Args:
        tape: The tape.
        seeds: The cotangents of the results, by their variables.

    Returns:
        For each variable its cotangent; None where the results do not depend on it.
    """
    cotangents: list[Any] = [seeds.get(variable) for variable in range(tape.variables)]
    found: list[Any] = [None] * tape.variables

    def looked_at() -> Iterator[Row]:
        for row in reversed(tape.rows):
            for number in outputs_of(row):
                found[number] = cotangents[number]  # complete, as all uses have been walked through
            if not row[0].locally_constant:
                yield row[0], row[1], inexact_inputs(row), *row[3:]

    with ZeroKeeping() as keeping:
        backward(looked_at(), cotangents, True, keeping)
        tape.settle_inputs(cotangents)
        found[: tape.inputs] = cotangents[: tape.inputs]
        return [*map(keeping.value_of, found)]


def outputs_of(row: Row) -> tuple[int, ...]:
    """The variables of its outputs."""
    return (row[5],) if type(row[5]) is int else row[5]


def inexact_inputs(row: Row) -> tuple[int | None, ...]:
    """The variables of its inputs, of those that can have derivatives."""
    pairs = zip(row[1], row[2], strict=True)
    return tuple(n if n is not None and type_of(x).is_inexact else None for x, n in pairs)
