"""What a scan can do for all trips at once, before or after its loop.

An operation on a small array takes NumPy less time than to begin with it. What need not be done
trip by trip is therefore done on stacks of all trips: sums over the trips, what only goes to
stacked outputs, and what depends on rows alone. And what each trip reads again is laid once as it
is read quickest. Results are the same up to rounding.

The steps take a `Loop`, as `functrace.simplify.loops` does, and say what makes the former
outputs of the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.structure import Loop
from functrace.primitives import elementwise
from functrace.simplify.adding import Sums
from functrace.simplify.preparing import Laid, Rows
from functrace.simplify.rewriting import Scope, is_known
from functrace.simplify.stacking import Stacks
from functrace.simplify.steps import Finish

FEWEST_TRIPS = 4
"""Loops with fewer trips stay as they are."""


@dataclass
class Regrouped:
    """A loop that does less in its trips.

    Attributes:
        loop: The loop.
        steps: What makes the former outputs, last step first.
    """

    loop: Loop[Atom]
    steps: list[Finish]

    def atoms(self, made: Sequence[Variable]) -> list[Atom]:
        """What stands for each output of the former loop."""
        outputs: list[Atom] = list(made)
        for finish in self.steps:
            outputs = finish(outputs)
        return outputs


def regrouped(loop: Loop[Atom], like: Equation, scope: Scope) -> Regrouped | None:
    """Do for all trips at once what need not be done trip by trip.

    Args:
        loop: A scan without anything that `improved` leaves out.
        like: The loop's equation, in front of which others may be written.
        scope: Where these are written.

    Returns:
        The better loop; None where there is nothing to do, or where the length is not known.
    """
    length = loop.length
    if length is None or length < FEWEST_TRIPS:
        return None
    strong = with_strong_rows(loop)
    for start in (loop,) if strong is None else (strong, loop):
        better, steps = start, list[Finish]()
        for step in (Sums, Stacks, Rows, Laid):
            found = step(better, length, like, scope).result()
            if found is not None:
                better, finish = found
                steps.insert(0, finish)
        if steps:
            return Regrouped(better, steps)
    return None


def with_strong_rows(loop: Loop[Atom]) -> Loop[Atom] | None:
    """The loop with NumPy's integers in place of Python's as rows, where it computes the same.

    A counter is Python's, which is right whatever it meets, and quick with single numbers; but
    only of NumPy's there are stacks. They are the same where all that meets them has their dtype,
    or one that theirs does not change, and where nothing grows beyond 64 bits.
    """
    body = loop.body
    largest: dict[Atom, int] = {}
    for variable, row in zip(loop.inside.rows, loop.rows, strict=True):
        if variable.type.weak and variable.type.dtype == np.int64:
            if not isinstance(row, Constant) or not is_known(row) or not row.value.size:
                return None
            largest[variable] = max(abs(int(row.value.min())), abs(int(row.value.max())))
    if not largest:
        return None
    instead: dict[Atom, Variable] = {x: Variable(x.type.strong) for x in largest}
    equations: list[Equation] = []
    for equation in body.equations:
        if instead.keys().isdisjoint(equation.inputs):
            equations.append(equation)
            continue
        inputs = [instead.get(x, x) for x in equation.inputs]
        outputs = list(equation.outputs)
        if equation.primitive.holds_programs or len(outputs) != 1:
            return None
        found = equation.primitive.infer(*(x.type for x in inputs), **equation.params)
        if found != outputs[0].type:
            size = _largest_of(equation, largest)
            if size is None or found != outputs[0].type.strong:
                return None
            largest[outputs[0]] = size
            outputs = [instead.setdefault(outputs[0], Variable(found))]
        equations.append(equation.replaced(inputs=inputs, outputs=outputs))
    if not instead.keys().isdisjoint(body.outputs[: len(loop.carries)]):
        return None
    inputs = [instead.get(x, x) for x in body.inputs]
    outputs = [instead.get(x, x) for x in body.outputs]
    return loop._replace(body=Program(inputs, equations, outputs))


def _largest_of(equation: Equation, largest: dict[Atom, int]) -> int | None:
    """How far from zero an integer can be, given this of others; None where that is too far."""
    sizes = [
        abs(x.value) if isinstance(x, Constant) and isinstance(x.value, int) else largest.get(x)
        for x in equation.inputs
    ]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    if equation.primitive is elementwise.multiply:
        size = known[0] * known[1]
    elif equation.primitive in (elementwise.add, elementwise.subtract, elementwise.negative):
        size = sum(known)
    else:
        return None
    return size if size < 2**63 else None
