"""How loops are run for tangents and cotangents: by loops over the same trips, and their bodies.

The forward loop keeps what each trip needs later, stacked; another loop takes that as rows. What
applies a loop is given by who has one: here loops are data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.control.branching import switch_primitive
from functrace.errors import NestingError
from functrace.ir.program import Atom, Constant, Program, Variable, output_types
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType
from functrace.primitives.linear import zeros_of_type
from functrace.tracing.places import source_of, user_place
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.tracer import bind
from functrace.transforms.evaluate import run_program
from functrace.transforms.masks import (
    Mask,
    instantiated,
    scattered,
    selected,
    zeros_as,
)
from functrace.transforms.programs import (
    keeping_zeros,
    linear_form,
    pushed_forward,
    residual_form,
)
from functrace.transforms.transpose import transpose_program
from functrace.transforms.zeros import marked_alike

MOST_AXES = 64
"""How many axes an array of NumPy may have."""

Apply = Callable[..., Sequence[Any]]
"""Applies a loop, with zeros that stay in what is made of some of its carries."""


def active_carries(body: Program, constants: Mask, carries: Mask, rows: Mask) -> tuple[Mask, Mask]:
    """Which carries, and which stacked outputs, depend on active inputs after some trips."""
    while True:
        mask = pushed_forward(body, (*constants, *carries, *rows)).has_tangent
        grown = tuple(a or b for a, b in zip(carries, mask, strict=False))
        if grown == carries:
            return carries, mask[len(carries) :]
        carries = grown


def with_kept_zeros(
    body: Program, marked: Sequence[bool], first: int, carries: int
) -> tuple[Program, Mask, Mask]:
    """The body of a loop with zeros that stay in what is made of some inputs, trip after trip.

    Args:
        body: The body.
        marked: Which of the loop's inputs are tangents or cotangents with such zeros.
        first: The number of the constants.
        carries: The number of the carries.

    Returns:
        The body, and in which of the carries and stacks there may be such zeros.
    """
    mask = tuple(marked)
    while True:
        program, found = keeping_zeros(body, mask)
        carried = mask[first : first + carries]
        grown = tuple(a or b for a, b in zip(carried, found, strict=False))
        if grown == carried:
            return program, carried, found[carries:]
        mask = (*mask[:first], *grown, *mask[first + carries :])


class Residuals:
    """What a loop's trips hand on to another loop over the same trips, and how they do.

    A residual that is a constant or a row of the loop is there already; others are stacked.

    Attributes:
        fixed: The numbers of the loop's constants that are residuals.
        from_rows: The numbers of its rows that are.
        stacked: The residuals that are neither.
    """

    def __init__(
        self, residuals: Sequence[Atom], inputs: Sequence[Variable], first: int, last: int
    ) -> None:
        """Tell the residuals apart.

        Args:
            residuals: Outputs of the loop's body.
            inputs: The body's inputs.
            first: The number of its first carry.
            last: The number of its first row.
        """
        position: dict[Atom, int] = {variable: number for number, variable in enumerate(inputs)}
        places = [position.get(residual) for residual in residuals]
        constants = [
            (n, place) for n, place in enumerate(places) if place is not None and place < first
        ]
        rows = [(n, place) for n, place in enumerate(places) if place is not None and place >= last]
        there = {number for number, _ in (*constants, *rows)}
        stacked = [number for number in range(len(places)) if number not in there]
        most = max((residuals[number].type.ndim for number in stacked), default=0)
        if most >= MOST_AXES:
            raise NestingError(
                f"What the trips of loops within loops need on the way back has {most + 1} axes, "
                f"one for each loop that goes around it; arrays have {MOST_AXES} at most.",
                source_of(user_place(2)),
                "Wrap the body of an inner loop in functrace.checkpoint, which keeps its inputs.",
            )
        self.fixed = [place for _, place in constants]
        self.from_rows = [place for _, place in rows]
        self.stacked = [residuals[number] for number in stacked]
        self._order = [*(n for n, _ in constants), *(n for n, _ in rows), *stacked]

    def in_order(self, values: Sequence[Any]) -> list[Any]:
        """Values for those that are fixed, rows and stacked, in the order of the residuals."""
        found = dict(zip(self._order, values, strict=True))
        return [found[number] for number in range(len(found))]

    def sorted(self, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Values in the order of the residuals: for those that are fixed, and for the others."""
        ordered = [values[number] for number in self._order]
        return ordered[: len(self.fixed)], ordered[len(self.fixed) :]


class LinearPlan:
    """How a loop with this body is run forward for tangents that come after its values.

    Attributes:
        forward: The body with what each trip hands on as more stacked outputs.
        linear: The body of the scan over the tangents: it takes residuals that are the same in all
            trips and the tangents of constants, then the tangents of carries, then the rows:
            residuals that are rows of the loop, what was stacked, tangents of rows.
    """

    def __init__(
        self, body: Program, constants: Mask, carries: Mask, rows: Mask, counts_trips: bool
    ) -> None:
        """Make the two bodies; the arguments are those of `ReversePlan`, for tangents."""
        self.constant_mask, self.row_mask = constants, rows
        self.carry_mask, stack_mask = active_carries(body, constants, carries, rows)
        self.wanted = (*self.carry_mask, *stack_mask)
        form = linear_form(body, (*constants, *self.carry_mask, *rows), self.wanted)
        self.carry_zeros = form.has_zeros[: sum(self.carry_mask)]
        count, first, last = len(body.outputs), len(constants), len(constants) + len(carries)
        forward, linear = form.forward, form.linear
        self.residuals = Residuals(forward.outputs[count:], forward.inputs, first, last)
        self.forward = Program(
            forward.inputs,
            forward.equations,
            [
                *forward.outputs[:count],
                *self.residuals.stacked,
                *([Constant(np.float64(1.0))] if counts_trips else []),
            ],
        )
        of_tangents = len(linear.inputs) - sum(constants) - sum(self.carry_mask) - sum(rows)
        fixed, of_trips = self.residuals.sorted(linear.inputs[:of_tangents])
        given = iter(linear.inputs[of_tangents:])
        of_constants = [next(given) for on in constants if on]
        of_carries = [next(given) for on in self.carry_mask if on]
        marker = [Variable(ArrayType((), np.dtype(np.float64)))] if counts_trips else []
        self.linear = Program(
            [*fixed, *of_constants, *of_carries, *of_trips, *marker, *given],
            linear.equations,
            linear.outputs,
        )
        if marker:
            self.linear = where_marked(self.linear, marker[0], of_carries)

    def push(
        self, apply: Apply, loop: Loop[Any], tangents: Sequence[Any], stacked: Sequence[Any]
    ) -> tuple[Any, ...]:
        """Scan over the trips, and give each output its tangent."""
        inputs, pushed = loop.inputs, loop.split(tangents)
        linear = Loop(
            self.linear,
            [
                *(inputs[p] for p in self.residuals.fixed),
                *selected(pushed.constants, self.constant_mask),
            ],
            instantiated(pushed.carries, loop.carries, self.carry_mask, tangents),
            [
                *(inputs[p] for p in self.residuals.from_rows),
                *stacked,
                *selected(pushed.rows, self.row_mask),
            ],
            length=loop.length,
            reverse=loop.reverse,
        )
        found = iter(apply(linear, self.carry_zeros))
        return tuple(next(found) if on else None for on in self.wanted)


class ReversePlan:
    """How a loop with this body is run backward.

    Attributes:
        forward: The body with what each trip needs on the way back as more stacked outputs.
        backward: The body of the scan back: it takes residuals that are the same in all trips,
            then the cotangents of carries and the sums for constants, then the rows: residuals
            that are rows of the loop, what was stacked, cotangents of stacks.
        first_stacked: The number of the first of its inputs that was stacked.
    """

    def __init__(
        self, body: Program, constants: Mask, carries: Mask, rows: Mask, counts_trips: bool
    ) -> None:
        """Make the two bodies.

        Args:
            body: The loop's own body.
            constants: Which constants need a cotangent.
            carries: Which carries need one at the beginning.
            rows: Which rows need one.
            counts_trips: Whether the length is not known: then one more stack tells it, as there
                may be no residuals whose stack could. It holds 1 for each trip, and 0 where a
                loop over many examples went on without this one: there is nothing to undo.
        """
        self.constant_mask = constants
        self.carry_mask, self.stack_mask = active_carries(body, constants, carries, rows)
        mask = (*constants, *self.carry_mask, *rows)
        form = residual_form(body, mask, (*self.carry_mask, *self.stack_mask))
        zeros = form.has_zeros[len(constants) : len(constants) + len(carries)]
        self.carry_zeros = tuple(selected(zeros, self.carry_mask))
        self.makes_zeros = any(form.has_zeros)
        count = len(body.outputs)
        residuals = form.forward.outputs[count:]
        inputs = form.forward.inputs
        first, last = len(constants), len(constants) + len(carries)
        self.residuals = Residuals(residuals, inputs, first, last)
        self.forward = Program(
            inputs,
            form.forward.equations,
            [
                *form.forward.outputs[:count],
                *self.residuals.stacked,
                *([Constant(np.float64(1.0))] if counts_trips else []),
            ],
        )
        with ProgramRecording() as recording:
            fixed = [recording.input(inputs[p].type) for p in self.residuals.fixed]
            out_types = output_types(body)
            carry_cotangents = [
                recording.input(type.tangent)
                for type in selected(out_types[: len(carries)], self.carry_mask)
            ]
            sums = [
                recording.input(v.type.tangent) for v in selected(body.inputs[:first], constants)
            ]
            own_rows = [recording.input(inputs[p].type) for p in self.residuals.from_rows]
            self.first_stacked = len(fixed) + len(carry_cotangents) + len(sums) + len(own_rows)
            stacked = [recording.input(r.type) for r in self.residuals.stacked]
            marker = recording.input(ArrayType((), np.dtype(np.float64))) if counts_trips else None
            stack_cotangents = [
                recording.input(type.tangent)
                for type in selected(out_types[len(carries) :], self.stack_mask)
            ]
            ordered = self.residuals.in_order([*fixed, *own_rows, *stacked])
            given = [
                *scattered(carry_cotangents, self.carry_mask),
                *scattered(stack_cotangents, self.stack_mask),
            ]
            taken = selected(given, form.takes_cotangent)
            parts = scattered(run_program(form.backward, [*ordered, *taken]), form.gives_cotangent)
            new_sums = [
                total if part is None else total + part
                for total, part in zip(sums, selected(parts[:first], constants), strict=True)
            ]
            new_carry = instantiated(parts[first:last], given[: len(carries)], self.carry_mask)
            self.row_mask = tuple(part is not None for part in parts[last:])
            row_parts = selected(parts[last:], self.row_mask)
            backward = recording.program([*new_carry, *new_sums, *row_parts])
        self.backward = backward
        if marker is not None:
            kept_inputs = [x.known_as for x in (*carry_cotangents, *sums)]
            self.backward = where_marked(backward, marker.known_as, kept_inputs)

    def pull_back(
        self,
        apply: Apply,
        loop: Loop[Any],
        cotangents: Sequence[Any],
        outputs: Sequence[Any],
        stacked: Sequence[Any],
    ) -> list[Any]:
        """Scan back over the trips, and give each input its cotangent."""
        inputs, carries = loop.inputs, len(loop.carries)
        sums = [
            marked_alike(zeros_as(x), cotangents)
            for x in selected(loop.constants, self.constant_mask)
        ]
        carried = instantiated(cotangents[:carries], outputs[:carries], self.carry_mask, cotangents)
        of_stacks = instantiated(
            cotangents[carries:], outputs[carries:], self.stack_mask, cotangents
        )
        backward = Loop(
            self.backward,
            [inputs[p] for p in self.residuals.fixed],
            [*carried, *sums],
            [*(inputs[p] for p in self.residuals.from_rows), *stacked, *of_stacks],
            length=loop.length,
            reverse=not loop.reverse,
        )
        results = apply(backward, self.carry_zeros)
        found = iter(results)
        carry_parts = [next(found) for on in self.carry_mask if on]
        constant_parts = [next(found) for _ in sums]
        return [
            *scattered(constant_parts, self.constant_mask),
            *scattered(carry_parts, self.carry_mask),
            *scattered(list(found), self.row_mask),
        ]


def where_marked(backward: Program, marker: Variable, kept: Sequence[Variable]) -> Program:
    """The body of a scan back that does its work where the marker is 1, and else nothing.

    Args:
        backward: The body.
        marker: Which of its inputs is the marker.
        kept: The inputs that its first outputs replace: they stay where there is nothing to do.
    """
    same = {v: Variable(v.type) for v in backward.inputs}
    rest = output_types(backward)[len(kept) :]
    nothing = Program(
        list(same.values()),
        (),
        [*(same[v] for v in kept), *(Constant(zeros_of_type(type)) for type in rest)],
    )
    with ProgramRecording() as recording:
        inputs = [recording.input(v.type) for v in backward.inputs]
        index = inputs[backward.inputs.index(marker)]
        chosen = bind(switch_primitive, index, *inputs, branches=(nothing, backward))
        return recording.program(chosen)


def reverse_plan(
    body: Program, constants: Mask, carries: Mask, rows: Mask, *, counts_trips: bool
) -> ReversePlan:
    """The plan for a body and the inputs that need cotangents."""
    key = ("reverse plan", constants, carries, rows, counts_trips)
    return body.derive(key, lambda: ReversePlan(body, constants, carries, rows, counts_trips))


def known_history(
    apply: Apply, loop: Loop[Any], constant_mask: Mask, known_carry: Mask, row_mask: Mask
) -> list[Any]:
    """The known carries at the beginning of each trip of a linear scan, stacked."""
    body, first = loop.body, len(constant_mask)

    def make() -> Program:
        # The known carries depend on nothing linear: zeros may stand for that.
        with ProgramRecording() as recording:
            full: list[Any] = []
            mask = (*constant_mask, *(not on for on in known_carry), *row_mask)
            for variable, linear in zip(body.inputs, mask, strict=True):
                full.append(
                    zeros_of_type(variable.type) if linear else recording.input(variable.type)
                )
            results = run_program(body, full)
            carries = full[first : first + len(known_carry)]
            return recording.program(
                [
                    *selected(results[: len(known_carry)], known_carry),
                    *selected(carries, known_carry),
                ]
            )

    program = body.derive(("known history", constant_mask, known_carry, row_mask), make)
    results = apply(
        loop._replace(
            body=program,
            constants=selected(loop.constants, [not on for on in constant_mask]),
            carries=selected(loop.carries, known_carry),
            rows=selected(loop.rows, [not on for on in row_mask]),
        )
    )
    return list(results[sum(known_carry) :])


def transposed_body(
    body: Program, constant_mask: Mask, carry_mask: Mask, row_mask: Mask
) -> Program:
    """The body of the transpose of a linear scan."""

    def make() -> Program:
        first, last = len(constant_mask), len(constant_mask) + len(carry_mask)
        out_types = output_types(body)
        stack_mask = active_carries(body, constant_mask, carry_mask, row_mask)[1]
        with ProgramRecording() as recording:

            def fresh(variables: Sequence[Variable], mask: Sequence[bool]) -> dict[Variable, Any]:
                return {
                    v: recording.input(v.type)
                    for v, linear in zip(variables, mask, strict=True)
                    if not linear
                }

            known = fresh(body.inputs[:first], constant_mask)
            carry = [
                recording.input(type.tangent)
                for type in selected(out_types[: len(carry_mask)], carry_mask)
            ]
            sums = [
                recording.input(v.type.tangent)
                for v in selected(body.inputs[:first], constant_mask)
            ]
            known |= fresh(body.inputs[last:], row_mask)
            known |= fresh(body.inputs[first:last], carry_mask)
            stacks = [
                recording.input(type.tangent)
                for type in selected(out_types[len(carry_mask) :], stack_mask)
            ]
            cotangents = [*scattered(carry, carry_mask), *scattered(stacks, stack_mask)]
            parts = transpose_program(body, cotangents, known)
            mask = (*constant_mask, *carry_mask, *row_mask)
            full = scattered(parts, mask)
            new_carry = instantiated(full[first:last], body.inputs[first:last], carry_mask)
            new_sums = [
                total if part is None else total + part
                for total, part in zip(sums, selected(full[:first], constant_mask), strict=True)
            ]
            rows = instantiated(full[last:], body.inputs[last:], row_mask)
            return recording.program([*new_carry, *new_sums, *rows])

    return body.derive(("transposed body", constant_mask, carry_mask, row_mask), make)
