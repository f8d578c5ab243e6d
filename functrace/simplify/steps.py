"""A step that does something for all trips of a loop at once: what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from functrace.ir.program import Atom, Constant, Equation, Program, Variable, handled_within
from functrace.ir.structure import Loop
from functrace.ir.types import ArrayType
from functrace.primitives import shaping
from functrace.primitives.linear import in_front
from functrace.simplify.loops import is_total
from functrace.simplify.rewriting import Scope, has_unknown_length
from functrace.tracing.program_recording import ProgramRecording

LARGEST_STACKS = 2**26
"""How many bytes the stacks may take that one step adds to a loop: 64 MB."""

SMALL_ROW = 512
"""Up to so many elements for each trip an operation is done for all trips at once: what NumPy takes
to begin with an operation is longer than what more memory takes."""

MEDIUM_ROW, MEDIUM_STACK = 4096, 2**20
"""As much for rows of medium size, if the stack has at most so many bytes: it stays in caches."""

Finish = Callable[[Sequence[Atom]], list[Atom]]
"""Makes the outputs of a loop of those of the better loop, by equations after it."""


class Step:
    """What the steps share: a loop, and what its body's variables are."""

    def __init__(self, loop: Loop[Atom], length: int, like: Equation, scope: Scope) -> None:
        self.loop = loop
        self.body = loop.body
        self.length = length
        self.like = like
        self.scope = scope
        own = loop.inside
        self.count = len(loop.carries)
        self.fixed = dict[Atom, Atom](zip(own.constants, loop.constants, strict=True))
        self.carried = own.carries
        self.rows = dict[Atom, Atom](zip(own.rows, loop.rows, strict=True))
        self.made_by: dict[Atom, Equation] = {
            v: equation for equation in loop.body.equations for v in equation.outputs
        }

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The better loop, and what makes the former outputs."""
        raise NotImplementedError

    def bytes(self, type: ArrayType) -> int:
        """What a stack of this takes."""
        return self.length * type.size * type.dtype.itemsize

    def fits(self, type: ArrayType) -> bool:
        """Whether an operation with this result is better done for all trips at once."""
        if type.weak or has_unknown_length(type):
            return False
        total = self.bytes(type)
        if type.size <= SMALL_ROW:
            return total <= LARGEST_STACKS
        return type.size <= MEDIUM_ROW and total <= MEDIUM_STACK

    def varies(self, atom: Atom) -> bool:
        """Whether something may be another value in each trip."""
        return not isinstance(atom, Constant) and atom not in self.fixed

    def can_move(self, equation: Equation) -> bool:
        """Whether an equation can be, and is better, computed for all trips at once."""
        if not _can_be_in_all_trips(equation):
            return False
        if not all(self.fits(output.type) for output in equation.outputs):
            return False
        if equation.primitive.is_elementwise:
            types = [
                ArrayType((self.length, *atom.type.shape), atom.type.dtype)
                if isinstance(atom, Variable)
                else atom.type
                for atom in equation.inputs
            ]
            given = [
                ArrayType((self.length,), type.dtype) if type.shape else type for type in types
            ]
            found = equation.primitive.infer(*given, **equation.params)
            return found.dtype == equation.outputs[0].type.dtype
        return True

    def write(self, equation: Equation, stacks: dict[Atom, Atom]) -> None:
        """Write an equation for all trips, and note the stacks of its results."""
        inputs = [stacks.get(atom, self.fixed.get(atom, atom)) for atom in equation.inputs]
        is_stack = [atom in stacks for atom in equation.inputs]
        if not self.like.handling <= equation.handling:
            equation = equation.replaced()
            equation.handling = handled_within(self.like.handling, equation.handling)
        results = in_all_trips(equation, inputs, is_stack, self.length, self.scope)
        stacks.update(zip(equation.outputs, results, strict=True))

    def with_body(
        self, outputs: Sequence[Atom], carries: Sequence[int], equations: Sequence[Equation]
    ) -> Loop[Atom]:
        """The loop with other outputs, with some of its carries, and without dead code."""
        kept = [self.carried[number] for number in carries]
        inputs = [*self.fixed, *kept, *self.rows]
        return self.loop._replace(
            carries=[self.loop.carries[number] for number in carries],
            body=Program([v for v in inputs if isinstance(v, Variable)], equations, outputs),
        )


# An operation for all trips


def in_all_trips(
    equation: Equation, inputs: Sequence[Atom], is_stack: Sequence[bool], length: int, scope: Scope
) -> list[Atom]:
    """Write an equation of a loop's body for all trips at once.

    Args:
        equation: The equation.
        inputs: Stacks of its inputs, or the inputs where they are the same in all trips.
        is_stack: Which are stacks.
        length: The number of trips.
        scope: Where it is written.

    Returns:
        The stacks of its outputs.
    """
    primitive, params = equation.primitive, equation.params
    if not primitive.is_elementwise:
        return _batched(equation, inputs, is_stack, length, scope)
    given = list(inputs)
    rank = equation.outputs[0].type.ndim
    for number, (atom, stacked) in enumerate(zip(inputs, is_stack, strict=True)):
        missing = rank + 1 - atom.type.ndim
        if stacked and missing:
            shape = (length, *[1] * missing, *atom.type.shape[1:])
            given[number] = scope.emit(equation, shaping.reshape_primitive, atom, shape=shape)
    return [scope.emit(equation, primitive, *given, **params)]


def _batched(
    equation: Equation, inputs: Sequence[Atom], is_stack: Sequence[bool], length: int, scope: Scope
) -> list[Atom]:
    """Write what the primitive's batch rule does: a trip is an example."""
    primitive = equation.primitive
    axes = [0 if stacked else None for stacked in is_stack]
    with ProgramRecording() as recording:
        given = [recording.input(atom.type) for atom in inputs]
        output, axis = primitive.batch(length, given, axes, **equation.params)
        made = zip(output, axis, strict=True) if primitive.multiple_outputs else [(output, axis)]
        program = recording.program([in_front(value, axis) for value, axis in made])
    known = dict[Atom, Atom](zip(program.inputs, inputs, strict=True))
    for own in program.equations:
        read = [known.get(atom, atom) for atom in own.inputs]
        primitive, params, outputs = own.primitive, own.params, own.outputs
        scope.append(
            equation.replaced(primitive=primitive, inputs=read, params=params, outputs=outputs)
        )
    return [known.get(atom, atom) for atom in program.outputs]


def _can_be_in_all_trips(equation: Equation) -> bool:
    """Whether `in_all_trips` can write an equation, and nothing in it can fail."""
    primitive = equation.primitive
    if not equation.outputs or not is_total(equation):
        return False
    types = [output.type for output in equation.outputs]
    if any(
        not type.shape and (primitive.differs_for_scalars or type.dtype.kind == "c")
        for type in types
    ):
        return False  # of scalars NumPy computes these in another way
    return primitive.is_elementwise or (
        primitive.batches_at_once and all(atom.type.size for atom in equation.inputs)
    )


# Costs for each trip, in tenths of a nanosecond


def stacking_cost(type: ArrayType) -> int:
    """What it costs to put a value into a stack, or to read it from there."""
    return 1500 + 3 * type.size if type.shape else 300


def computing_cost(equation: Equation) -> int:
    """What it costs to apply a primitive."""
    if equation.primitive.makes_views or equation.primitive.reads_part:
        return 1200
    types = [atom.type for atom in (*equation.inputs, *equation.outputs)]
    if not any(type.shape for type in types):
        return 300
    return 4000 + 5 * max(type.size for type in types)
