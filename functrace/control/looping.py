"""scan and while_loop as operations, with derivatives through all of them.

A `Scan` runs a Program for one row of its inputs after another, and stacks what it returns for
each. A `While` runs one as long as another says so. The reverse of both is a scan from the last
trip to the first: the forward loop keeps what each trip needs on the way back, stacked, and of a
`While` that stack has a length that nobody knows before it ran (``any`` in its type).

Parameters hold the Programs ``body`` and ``condition``, and how their inputs divide: first
``constants``, which are the same in each trip, then ``carries``, which each trip hands to the
next, then the rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from functrace.backends.classes import origins_of_outputs
from functrace.backends.compiling import interpreter, runner
from functrace.backends.runtime import stacked
from functrace.control.branching import choose_each
from functrace.control.reversing import (
    LinearPlan,
    active_carries,
    known_history,
    reverse_plan,
    transposed_body,
    with_kept_zeros,
)
from functrace.ir.primitive import Primitive, Values
from functrace.ir.program import Atom, Constant, Equation, Program, Variable, output_types
from functrace.ir.structure import Loop, T
from functrace.ir.types import ANY_LENGTH, ArrayType, with_axis
from functrace.primitives.linear import as_array, in_each, zeros_of_type
from functrace.tracing.program_recording import ProgramRecording
from functrace.tracing.recording import running_recording
from functrace.tracing.traced_array import TracedArray, innermost_value
from functrace.transforms.batch import batch_program
from functrace.transforms.calling import apart
from functrace.transforms.masks import (
    Mask,
    instantiated,
    scattered,
    selected,
    zero_or_none,
    zeros_as,
)
from functrace.transforms.programs import (
    Kept,
    Pullback,
    batched,
    bind_keeping_zeros,
    pushed_forward,
)
from functrace.transforms.transpose import LinearValue
from functrace.transforms.zeros import marked_alike


def bind_loop(loop: Loop[Any], has_zeros: Mask = ()) -> Sequence[Any]:
    """Apply a loop, with zeros that stay in what is made of these of its carries."""
    primitive = scan_primitive if loop.condition is None else while_primitive
    inputs, params = primitive.from_structure(loop, {})
    before = len(loop.constants)
    after = len(inputs) - before - len(has_zeros)
    marked = (*(False,) * before, *has_zeros, *(False,) * after)
    return bind_keeping_zeros(primitive, inputs, marked, params)


MOST_BODIES = 64
"""How many bodies of loops are kept from one loop to the next."""

LONGEST_BODY = 1000
"""Bodies with more equations are not kept, since they take memory."""

_bodies: OrderedDict[Any, Program] = OrderedDict()
_lock = Lock()


def known_body(program: Program) -> Program:
    """A body as it was recorded before, with all that was derived and compiled from it since.

    Outside of `jit` the same loop is recorded each time that it is come to, which takes a fraction
    of the time that is needed for its derivative and its source. Bodies are the same if they do
    the same at the same places. One that holds arrays, functions of the user's or other Programs is
    not kept; nor is one that becomes part of a Program, as each variable stands in one place there.
    """
    recording = running_recording()
    while recording is not None:
        if not recording.follows_values:
            return program
        recording = recording.around
    equations = program.equations
    is_long = len(equations) > LONGEST_BODY
    if is_long or not all(map(_is_kept, equations)) or any(map(_holds_array, program.outputs)):
        return program
    variables = [*program.inputs, *(v for e in equations for v in e.outputs)]
    key = (
        program.identity,
        tuple([e.source and (id(e.source.code), *e.source[1:]) for e in equations]),
        tuple([getattr(v, "is_scalar", False) for v in variables]),
    )
    with _lock:
        known = _bodies.setdefault(key, program)
        _bodies.move_to_end(key)
        if len(_bodies) > MOST_BODIES:
            _bodies.popitem(last=False)
    return known


def _is_kept(equation: Equation) -> bool:
    if not equation.primitive.has_plain_rules or equation.primitive.has_effect:
        return False
    arrays = any(isinstance(x, np.ndarray) for x in equation.params.values())
    return not arrays and not any(map(_holds_array, equation.inputs))


def _holds_array(atom: Atom) -> bool:
    return isinstance(atom, Constant) and isinstance(atom.value, np.ndarray | TracedArray)


def forget_bodies() -> None:
    """Let go of the bodies that are kept."""
    with _lock:
        _bodies.clear()


def masks(loop: Loop[Any], mask: Sequence[bool]) -> tuple[Mask, Mask, Mask]:
    """What is said of a loop's inputs, of its constants, carries and rows."""
    parts = loop.split(mask)
    return tuple(parts.constants), tuple(parts.carries), tuple(parts.rows)


def after_no_trip(body: Program, constants: Sequence[Any], carry: Sequence[Any]) -> list[Any]:
    """The carry of a loop without trips: arrays and scalars where a trip would return those."""
    classes: dict[int, bool] = {}
    for number, found in origins_of_outputs(body).items():
        if isinstance(found, bool):
            classes[number] = found
        elif found.number < len(constants):
            classes[number] = isinstance(innermost_value(constants[found.number]), np.ndarray)
    return [_of_class(x, classes.get(number)) for number, x in enumerate(carry)]


def _of_class(x: Any, is_array: bool | None) -> Any:
    value = innermost_value(x)
    if is_array is None or not isinstance(value, np.ndarray | np.generic) or value.shape:
        return x
    if isinstance(value, np.ndarray) is is_array:
        return x
    return as_array(x) if is_array else x[()]


class Looping(Primitive):
    """What holds of loops whatever ends them."""

    multiple_outputs = True
    holds_programs = True

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Loop[T]:
        """A loop."""
        raise NotImplementedError

    def push_forward(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Loop over the body in forward mode, with the tangents among constants, carries and rows.

        A condition looks at the primals only.
        """
        loop, pushed = self.structure(inputs, params), self.structure(tangents, params)
        is_active = [tangent is not None for tangent in tangents]
        constant_mask, carry_mask, row_mask = masks(loop, is_active)
        carry_mask, stack_mask = active_carries(loop.body, constant_mask, carry_mask, row_mask)
        mask = (*constant_mask, *carry_mask, *row_mask)
        form = pushed_forward(loop.body, mask, (*carry_mask, *stack_mask))
        counts = [len(loop.constants), len(loop.carries), len(loop.rows)]
        pushed_counts = [sum(constant_mask), sum(carry_mask), sum(row_mask)]
        body = interleaved(form.program, counts, pushed_counts, len(loop.body.outputs))
        carried = instantiated(pushed.carries, loop.carries, carry_mask, tangents)
        forward = loop._replace(
            body=body,
            constants=[*loop.constants, *selected(pushed.constants, constant_mask)],
            carries=[*loop.carries, *carried],
            rows=[*loop.rows, *selected(pushed.rows, row_mask)],
        )
        if loop.condition is not None:
            condition = with_ignored(
                loop.condition, counts[0], pushed_counts[0], pushed_counts[1], body
            )
            forward = forward._replace(condition=condition)
        has_zeros = (*(False,) * counts[1], *form.has_zeros[: pushed_counts[1]])
        found = iter(bind_loop(forward, has_zeros))
        carry = [next(found) for _ in carry_mask]
        carry_out = [next(found) for on in carry_mask if on]
        stacks = [next(found) for _ in stack_mask]
        return (
            (*carry, *stacks),
            (*scattered(carry_out, carry_mask), *scattered(list(found), stack_mask)),
        )

    def push_later(
        self, inputs: Values, tangents: Values, params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Loop over what needs no tangents, and then scan, over its residuals, what does."""
        loop = self.structure(inputs, params)
        is_active = [tangent is not None for tangent in tangents]
        plan = LinearPlan(loop.body, *masks(loop, is_active), counts_trips=loop.length is None)
        results = bind_loop(loop._replace(body=plan.forward))
        count = len(loop.body.outputs)
        return results[:count], plan.push(bind_loop, loop, tangents, results[count:])

    def keep_residuals(
        self, inputs: Values, needed: Values, params: dict[str, Any]
    ) -> tuple[Any, Primitive]:
        """Loop over the forward half of the body, and stack its residuals for the way back."""
        loop = self.structure(inputs, params)
        is_active = [need is not None for need in needed]
        plan = reverse_plan(loop.body, *masks(loop, is_active), counts_trips=loop.length is None)
        results = bind_loop(loop._replace(body=plan.forward))
        count = len(loop.body.outputs)
        outputs, stacked = results[:count], results[count:]

        def pull_back(cotangents: Sequence[Any]) -> Sequence[Any]:
            return plan.pull_back(bind_loop, loop, cotangents, outputs, stacked)

        carries = loop.split(plan.forward.inputs).carries
        kept = Kept(stacked, plan.forward, plan.backward, plan.first_stacked, carries)
        return outputs, Pullback(self.name, pull_back, makes_zeros=plan.makes_zeros, kept=kept)

    def keep_zeros(
        self, inputs: Values, marked: Sequence[bool], params: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        """Loop over a body that keeps them."""
        loop = self.structure(inputs, params)
        first, count = len(loop.constants), len(loop.carries)
        body, *has_zeros = with_kept_zeros(loop.body, marked, first, count)
        return bind_loop(loop._replace(body=body)), sum(has_zeros, ())


class Scan(Looping):
    """Run ``body`` once for each row. A row that it takes as weak is a Python number there.

    Parameters: ``body``, ``constants``, ``carries``, ``length`` (None where only the rows tell),
    ``reverse``, whether from the last row to the first.
    """

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Loop[T]:
        """A loop over rows."""
        first = params["constants"]
        last = first + params["carries"]
        parts = inputs[:first], inputs[first:last], inputs[last:]
        length, reverse = params["length"], params["reverse"]
        return Loop(params["body"], *parts, length=length, reverse=reverse)

    def from_structure(
        self, structure: Loop[T], params: dict[str, Any]
    ) -> tuple[Sequence[T], dict[str, Any]]:
        """The inputs in order, and how they divide."""
        return structure.inputs, {
            "body": structure.body,
            "constants": len(structure.constants),
            "carries": len(structure.carries),
            "length": structure.length,
            "reverse": structure.reverse,
        }

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Evaluate the body for each row, and stack what it returns."""
        body: Program = params["body"]
        if body.tells_apart:  # and so it may return tracers
            return self.interpret(inputs, params)
        _, constants, carry, rows, _, length, reverse = self.structure(inputs, params)
        length = len(rows[0]) if length is None else length
        count = len(carry)
        carry = list(carry) if length else after_no_trip(body, constants, carry)
        types = output_types(body)[count:]
        stacks: list[Any] = [
            [None] * length
            if ANY_LENGTH in type.shape
            else np.empty((length, *type.shape), type.dtype)
            for type in types
        ]
        run = runner(body, length)
        is_number = [variable.type.weak for variable in body.inputs[len(inputs) - len(rows) :]]
        rows = [x.tolist() if weak else x for x, weak in zip(rows, is_number, strict=True)]
        for trip in reversed(range(length)) if reverse else range(length):
            results = run(*constants, *carry, *(x[trip] for x in rows))
            carry = results[:count]
            for stack, result in zip(stacks, results[count:], strict=True):
                stack[trip] = result
        return (
            *apart(carry, inputs),
            *(
                stacked(stack, type) if isinstance(stack, list) else stack
                for stack, type in zip(stacks, types, strict=True)
            ),
        )

    def interpret(self, inputs: Values, params: dict[str, Any]) -> Any:
        """Run the body for each row, and stack what it returns."""
        body, constants, carry, rows, _, length, reverse = self.structure(inputs, params)
        length = len(rows[0]) if length is None else length
        count = len(carry)
        carry = carry if length else after_no_trip(body, constants, carry)
        run = interpreter(body, length, inputs)
        is_number = [variable.type.weak for variable in body.inputs[len(inputs) - len(rows) :]]
        rows = [
            x.tolist() if weak and isinstance(x, np.ndarray) else x
            for x, weak in zip(rows, is_number, strict=True)
        ]
        trips: list[Sequence[Any]] = []
        for trip in range(length)[:: -1 if reverse else 1]:
            results = run(*constants, *carry, *(x[trip] for x in rows))
            carry = results[:count]
            trips.append(results[count:])
        if reverse:
            trips.reverse()
        stacks = [
            stacked([results[number] for results in trips], type)
            for number, type in enumerate(output_types(body)[count:])
        ]
        return (*apart(carry, inputs), *stacks)

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The carries' types, and the stacked outputs'."""
        body: Program = params["body"]
        count = params["carries"]
        length = params["length"]
        results = output_types(body)
        size = ANY_LENGTH if length is None else length
        return (*results[:count], *(with_axis(type, size, 0) for type in results[count:]))

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The transpose of a scan that is linear in the inputs whose values are not known.

        It is a scan from the last row to the first, of the body's transpose. Carries that depend
        on a linear input are linear; the others are computed beforehand, row by row.
        """
        loop = self.structure(inputs, params)
        body, count = loop.body, len(loop.carries)
        constant_mask, carry_mask, row_mask = masks(
            loop, [isinstance(x, LinearValue) for x in inputs]
        )
        carry_mask, stack_mask = active_carries(body, constant_mask, carry_mask, row_mask)
        known_carry = tuple(not on for on in carry_mask)
        history: list[Any] = []
        if any(known_carry):
            history = known_history(bind_loop, loop, constant_mask, known_carry, row_mask)
        known_rows = selected(loop.rows, [not on for on in row_mask])
        sums = [
            marked_alike(zeros_as(x), cotangent) for x in selected(loop.constants, constant_mask)
        ]
        carried = instantiated(cotangent[:count], output[:count], carry_mask, cotangent)
        stacked = instantiated(cotangent[count:], output[count:], stack_mask, cotangent)
        results = bind_loop(
            loop._replace(
                body=transposed_body(body, constant_mask, carry_mask, row_mask),
                constants=selected(loop.constants, [not on for on in constant_mask]),
                carries=[*carried, *sums],
                rows=[*known_rows, *history, *stacked],
                reverse=not loop.reverse,
            )
        )
        found = iter(results)
        carry_parts = [next(found) for on in carry_mask if on]
        constant_parts = [next(found) for _ in sums]
        return [
            *scattered(constant_parts, constant_mask),
            *scattered(carry_parts, carry_mask),
            *scattered(list(found), row_mask),
        ]

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Scan the body for all examples at once; rows have the examples along their axis 0."""
        loop = self.structure(inputs, params)
        _, constant_axes, carry_axes, row_axes, *_ = self.structure(axes, params)
        body, count = loop.body, len(loop.carries)
        row_mask = tuple(axis is not None for axis in row_axes)
        carry_mask = tuple(axis is not None for axis in carry_axes)
        while True:
            in_axes = (*constant_axes, *zero_or_none(carry_mask), *zero_or_none(row_mask))
            found = batched(body, size, in_axes).axes
            grown = tuple(a or b is not None for a, b in zip(carry_mask, found, strict=False))
            if grown == carry_mask:
                break
            carry_mask = grown
        wanted = (*carry_mask, *(axis is not None for axis in found[count:]))
        program = batched(body, size, in_axes, wanted).program
        results = bind_loop(
            loop._replace(
                body=program,
                carries=[
                    in_each(size, x, axis) if on else x
                    for x, axis, on in zip(loop.carries, carry_axes, carry_mask, strict=True)
                ],
                rows=[
                    x if axis is None else np.moveaxis(x, axis, 1)
                    for x, axis in zip(loop.rows, row_axes, strict=True)
                ],
            )
        )
        stack_axes = [1 if on else None for on in wanted[count:]]
        return results, (*zero_or_none(carry_mask), *stack_axes)


def interleaved(
    program: Program,
    counts: Sequence[int],
    pushed_counts: Sequence[int],
    output_count: int,
) -> Program:
    """A body in forward mode, its inputs and outputs in the order of a scan's.

    It took all primals and then all tangents; a scan takes constants, carries and rows, each with
    its tangents, and gives carries and stacks in the same way.
    """
    primals, tangents = program.inputs[: sum(counts)], program.inputs[sum(counts) :]
    ordered: list[Variable] = []
    i = j = 0
    for count, pushed in zip(counts, pushed_counts, strict=True):
        ordered += [*primals[i : i + count], *tangents[j : j + pushed]]
        i, j = i + count, j + pushed
    values, pushed_out = program.outputs[:output_count], program.outputs[output_count:]
    carries, carry_tangents = counts[1], pushed_counts[1]
    return Program(
        ordered,
        program.equations,
        [
            *values[:carries],
            *pushed_out[:carry_tangents],
            *values[carries:],
            *pushed_out[carry_tangents:],
        ],
    )


class While(Looping):
    """Run ``body`` as long as ``condition`` holds. Both take the constants and the carries.

    Parameters: ``condition``, ``body``, ``constants``. The body may return more than the carries:
    these outputs are stacked, one row for each trip.
    """

    is_open_ended = True

    def structure(self, inputs: Sequence[T], params: dict[str, Any]) -> Loop[T]:
        """A loop with a condition."""
        first = params["constants"]
        condition = params["condition"]
        return Loop(params["body"], inputs[:first], inputs[first:], condition=condition)

    def from_structure(
        self, structure: Loop[T], params: dict[str, Any]
    ) -> tuple[Sequence[T], dict[str, Any]]:
        """The inputs in order, and how they divide."""
        first = len(structure.constants)
        params = {"condition": structure.condition, "body": structure.body, "constants": first}
        return structure.inputs, params

    def run(self, *inputs: Any, **params: Any) -> Any:
        """Evaluate the two Programs in turn."""
        condition, body, first = params["condition"], params["body"], params["constants"]
        constants, carry = inputs[:first], list(inputs[first:])
        count = len(carry)
        found: list[list[Any]] = [[] for _ in body.outputs[count:]]
        ran = False
        while interpreter(condition, 1, carry)(*constants, *carry)[0]:
            results = interpreter(body, 1, [*constants, *carry])(*constants, *carry)
            carry, ran = results[:count], True
            for column, result in zip(found, results[count:], strict=True):
                column.append(result)
        carry = carry if ran else after_no_trip(body, constants, carry)
        return (*apart(carry, inputs), *map(stacked, found, output_types(body)[count:]))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        """The carries' types, and those of the stacks, of any length."""
        results = output_types(params["body"])
        count = len(types) - params["constants"]
        return (*results[:count], *(with_axis(type, ANY_LENGTH, 0) for type in results[count:]))

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Loop for all examples at once, as long as one of them goes on.

        Where the condition differs between examples, the body runs on those only that go on.
        """
        condition, body, first = params["condition"], params["body"], params["constants"]
        constant_axes = tuple(axes[:first])
        count = len(inputs) - first
        mask: Mask = tuple(axis is not None for axis in axes[first:])
        is_each = False
        while True:
            in_axes = (*constant_axes, *zero_or_none(mask))
            is_each = batched(condition, size, in_axes).axes[0] is not None
            found = batched(body, size, in_axes).axes
            grown = tuple(is_each or a or b is not None for a, b in zip(mask, found, strict=False))
            if grown == mask:
                break
            mask = grown
        stack_mask = tuple(is_each or axis is not None for axis in found[count:])
        if is_each:
            new_condition, new_body = each_goes_on(condition, body, size, in_axes, first)
        else:
            new_condition = batched(condition, size, in_axes).program
            new_body = batched(body, size, in_axes, (*mask, *stack_mask)).program
        carry = [
            in_each(size, x, axis) if on else x
            for x, axis, on in zip(inputs[first:], axes[first:], mask, strict=True)
        ]
        results = bind_loop(Loop(new_body, inputs[:first], carry, condition=new_condition))
        return results, (*zero_or_none(mask), *(1 if on else None for on in stack_mask))


def with_ignored(
    condition: Program, first: int, constant_tangents: int, carry_tangents: int, body: Program
) -> Program:
    """A condition that takes the tangents too, and ignores them."""
    fixed, carry = condition.inputs[:first], condition.inputs[first:]
    after = first + constant_tangents
    ignored = [Variable(v.type) for v in body.inputs]
    return Program(
        [
            *fixed,
            *ignored[first:after],
            *carry,
            *ignored[after + len(carry) : after + len(carry) + carry_tangents],
        ],
        condition.equations,
        condition.outputs,
    )


def each_goes_on(
    condition: Program, body: Program, size: int, axes: Sequence[int | None], first: int
) -> tuple[Program, Program]:
    """The condition and body of a loop over many examples, each of which ends by itself."""

    def make() -> tuple[Program, Program]:
        types = [
            v.type if axis is None else with_axis(v.type, size, axis)
            for v, axis in zip(body.inputs, axes, strict=True)
        ]
        with ProgramRecording() as recording:
            inputs = [recording.input(type) for type in types]
            (goes_on,), _ = batch_program(condition, size, inputs, axes)
            new_condition = recording.program([np.any(goes_on)])
        same = [Variable(v.type) for v in body.inputs]
        stacked = output_types(body)[len(same) - first :]
        stays = Program(same, (), [*same[first:], *(Constant(zeros_of_type(t)) for t in stacked)])
        with ProgramRecording() as recording:
            inputs = [recording.input(type) for type in types]
            (goes_on,), _ = batch_program(condition, size, inputs, axes)
            outputs, _ = choose_each(
                size, [goes_on, *inputs], (0, *axes), {"branches": (stays, body)}
            )
            new_body = recording.program(outputs)
        return new_condition, new_body

    return body.derive(("each goes on", condition, size, tuple(axes)), make)


scan_primitive = Scan("scan")
while_primitive = While("while_loop")
