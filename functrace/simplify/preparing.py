"""What is done once before a loop: what depends on rows alone, and the order of what is read."""

from __future__ import annotations

import numpy as np

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.structure import Loop
from functrace.ir.types import Shape
from functrace.primitives import contracting, shaping
from functrace.primitives.linear import row_major
from functrace.simplify.rewriting import has_unknown_length, is_known, use_counts
from functrace.simplify.steps import (
    LARGEST_STACKS,
    MEDIUM_ROW,
    Finish,
    Step,
    computing_cost,
    stacking_cost,
)

FEWEST_ROWS = 4
"""To fewer rows than these a row is added as it is."""

LARGEST_MATRIX, MATRIX_BY_TRIP = 2**18, 2**10
"""How many elements a matrix may have that is laid anew for a loop, in all and for each trip: to
copy an element takes a nanosecond, and a trip gains a microsecond and more."""


# What depends on rows only


class Rows(Step):
    """What a trip computes of its rows alone is computed of all rows before the loop."""

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The loop with more rows, of which it computes less."""
        body = self.body
        moved: list[Equation] = []
        known = set[Atom](self.rows)
        for equation in body.equations:
            varying = [atom for atom in equation.inputs if self.varies(atom)]
            if varying and known.issuperset(varying) and self.can_move(equation):
                known.update(equation.outputs)
                moved.append(equation)
        if not moved:
            return None
        made = dict.fromkeys(output for equation in moved for output in equation.outputs)
        rest = [e for e in body.equations if made.keys().isdisjoint(e.outputs)]
        used = use_counts(Program((), rest, body.outputs))
        read = [output for output in made if output in used]
        before = use_counts(body)
        gain = sum(map(computing_cost, moved)) - sum(stacking_cost(v.type) for v in read)
        gain += sum(stacking_cost(v.type) for v in self.rows if v in before and v not in used)
        memory = sum(self.bytes(output.type) for output in made)
        if gain <= 0 or memory > LARGEST_STACKS:
            return None
        stacks = dict(self.rows)
        for equation in moved:
            self.write(equation, stacks)
        loop = self.loop._replace(
            rows=[*self.loop.rows, *(stacks[v] for v in read)],
            body=Program([*body.inputs, *read], rest, body.outputs),
        )
        return loop, list


# What each trip reads again


class Laid(Step):
    """Operands that stay the same are laid before the loop as they are read quickest.

    NumPy begins anew with each row to which another one is added. That takes longer than to add
    what lies together, while all of it is in the nearest cache: a bias to 16 rows of 256 numbers
    1.4 microseconds in place of 0.5. And BLAS takes 0.5 to 1 of the time for a matrix that it need
    not read across its rows, as the way back through ``x @ W`` does.
    """

    def result(self) -> tuple[Loop[Atom], Finish] | None:
        """The loop with other constants."""
        self.constants, self.variables = list[Atom](), list[Variable]()
        self.wide: dict[tuple[Atom, Shape], Atom] = {}
        self.matrices: dict[tuple[Atom, shaping.Axes], Atom] = {}
        equations = [self.with_laid_inputs(equation) for equation in self.body.equations]
        if not self.wide and not self.matrices:
            return None
        own = self.loop.inside
        inputs = [*own.constants, *self.variables, *own.carries, *own.rows]
        body = Program(inputs, equations, self.body.outputs)
        constants = [*self.loop.constants, *self.constants]
        return self.loop._replace(constants=constants, body=body), list

    def with_laid_inputs(self, equation: Equation) -> Equation:
        """The equation with other operands where there are better ones."""
        if equation.primitive is contracting.contract:
            return self.with_rows_in_front(equation)
        if not equation.primitive.is_elementwise:
            return equation
        type = equation.outputs[0].type
        if not type.shape or has_unknown_length(type) or not 0 < type.size <= MEDIUM_ROW:
            return equation
        shape = type.shape
        if type.size < FEWEST_ROWS * shape[-1]:
            return equation
        inputs = [
            self.as_wide(atom, shape)
            if self.stays(atom) and atom.type.shape not in ((), shape)
            else atom
            for atom in equation.inputs
        ]
        return equation if inputs == list(equation.inputs) else equation.replaced(inputs=inputs)

    def with_rows_in_front(self, equation: Equation) -> Equation:
        """A product of two matrices, of which one that stays is not read across its rows."""
        plan = contracting.plan_of(equation.params["subscripts"])
        parts = [plan.first, plan.second]
        if [len(part) for part in (*parts, plan.output)] != [2, 2, 2]:
            return equation
        inputs = list(equation.inputs)
        for number, (atom, labels) in enumerate(zip(equation.inputs, parts, strict=True)):
            size = atom.type.size
            limit = min(LARGEST_MATRIX, self.length * MATRIX_BY_TRIP)
            if not self.stays(atom) or not 0 < size <= limit:
                continue
            is_turned = labels[0] == plan.output[1] or labels[1] == plan.output[0]
            outer = self.fixed.get(atom, atom)
            is_view = self.scope.made_by(outer, shaping.transpose_primitive) is not None
            if is_turned != is_view:
                inputs[number] = self.in_order(atom, (1, 0) if is_turned else (0, 1))
                parts[number] = labels[::-1] if is_turned else labels
        if inputs == list(equation.inputs):
            return equation
        subscripts = f"{parts[0]},{parts[1]}->{plan.output}"
        return equation.replaced(inputs=inputs, params={"subscripts": subscripts})

    def stays(self, atom: Atom) -> bool:
        """Whether an operand is the same in all trips, and can be laid anew."""
        if isinstance(atom, Constant):
            return is_known(atom)
        return atom in self.fixed and not has_unknown_length(atom.type)

    def as_wide(self, atom: Atom, shape: Shape) -> Atom:
        """What stands for an operand that is broadcast to this shape."""
        key = atom, shape
        if key not in self.wide:
            if isinstance(atom, Constant):
                self.wide[key] = Constant(np.broadcast_to(atom.value, shape).copy())
            else:
                primitive = shaping.broadcast_to_primitive
                wide = self.scope.emit(self.like, primitive, self.fixed[atom], shape=shape)
                self.wide[key] = self.given(wide)
        return self.wide[key]

    def in_order(self, atom: Atom, permutation: shaping.Axes) -> Atom:
        """What stands for a matrix with its axes in this order, row by row in memory."""
        key = atom, permutation
        if key not in self.matrices:
            if isinstance(atom, Constant):
                self.matrices[key] = Constant(atom.value.transpose(permutation).copy())
            else:
                matrix = self.fixed[atom]
                if permutation == (1, 0):
                    primitive = shaping.transpose_primitive
                    matrix = self.scope.emit(self.like, primitive, matrix, permutation=permutation)
                self.matrices[key] = self.given(self.scope.emit(self.like, row_major, matrix))
        return self.matrices[key]

    def given(self, outer: Variable) -> Variable:
        """The variable in the loop for what was written before it."""
        variable = Variable(outer.type)
        self.constants.append(outer)
        self.variables.append(variable)
        return variable
