"""What the passes share: writing a Program anew, and looking at its constants.

A pass walks over the equations in their order and hands each, with its inputs replaced by what
stands for them now, to a function that may leave it, change it, or put something in its place.
Whatever is written goes through a `Scope`, which knows by which equation a variable was made.
New equations have the source, and the silence about warnings, of the one that they replace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.program import (
    Atom,
    Constant,
    ElidedValue,
    Equation,
    Program,
    Variable,
    handled_within,
)
from functrace.ir.types import ANY_LENGTH, ArrayType
from functrace.tracing.tracer import Tracer


class Scope:
    """A Program that is being written.

    Attributes:
        equations: The equations so far.
        definitions: For each variable that an equation so far made, this equation.
        standing: What stands for variables of the original Program.
        uses: How often each variable is read; after replacements at most so often. Empty where
            nobody asks for it.
        histories: Which writes arrays are the outcome of (`functrace.simplify.writes`).
    """

    def __init__(self, program: Program, *, counts_uses: bool = False) -> None:
        self.original = program
        self.equations: list[Equation] = []
        self.definitions: dict[Atom, Equation] = {}
        self.uses: dict[Atom, int] = use_counts(program) if counts_uses else {}
        self.standing: dict[Atom, Atom] = {}
        self.histories: dict[Atom, Any] = {}
        self._uniform: dict[int, tuple[Constant, Constant | None]] = {}

    def read(self, atom: Atom) -> Atom:
        """What stands for an atom of the original Program."""
        return self.standing.get(atom, atom)

    def replace(self, variable: Variable, atom: Atom) -> None:
        """Let an atom stand for a variable from now on."""
        self.standing[variable] = atom
        if isinstance(atom, Variable):
            self.uses[atom] = self.uses.get(atom, 0) + self.uses.get(variable, 0)

    def append(self, equation: Equation) -> None:
        """Write an equation."""
        self.equations.append(equation)
        for variable in equation.outputs:
            self.definitions[variable] = equation

    def emit(self, like: Equation, primitive: Primitive, *inputs: Atom, **params: Any) -> Variable:
        """Write a new equation with one output, in place of a part of another equation.

        Raises:
            ValueError: The shapes do not fit together.
            TypeError: The primitive does not take these dtypes.
        """
        output = Variable(primitive.infer(*(atom.type for atom in inputs), **params))
        self.append(
            like.replaced(primitive=primitive, inputs=inputs, params=params, outputs=[output])
        )
        for atom in inputs:
            if isinstance(atom, Variable):
                self.uses[atom] = self.uses.get(atom, 0) + 1
        self.uses[output] = 1
        return output

    def emit_all(
        self, like: Equation, primitive: Primitive, inputs: Sequence[Atom], params: dict[str, Any]
    ) -> list[Variable]:
        """Write a new equation with several outputs, in place of another."""
        types = primitive.infer(*(atom.type for atom in inputs), **params)
        outputs = [Variable(type) for type in types]
        self.append(
            like.replaced(primitive=primitive, inputs=inputs, params=params, outputs=outputs)
        )
        return outputs

    def insert(
        self,
        like: Equation,
        program: Program,
        inputs: Sequence[Atom],
        step: Callable[[Equation, Scope], None] | None = None,
    ) -> list[Atom]:
        """Write the equations of a Program, in place of an equation that runs it.

        Args:
            like: That equation.
            program: The Program.
            inputs: What is given for its inputs, of their types.
            step: Writes each equation, as in `rewrite`; by default they are appended.

        Returns:
            What stands for the Program's outputs.
        """
        known: dict[Atom, Atom] = dict(zip(program.inputs, inputs, strict=True))
        for equation in program.equations:
            outputs = [Variable(variable.type) for variable in equation.outputs]
            copied = equation.replaced(
                inputs=[known.get(atom, atom) for atom in equation.inputs], outputs=outputs
            )
            copied.handling = handled_within(like.handling, equation.handling)
            if step is None:
                self.append(copied)
            else:
                step(copied, self)
                outputs = [self.read(variable) for variable in outputs]
            known.update(zip(equation.outputs, outputs, strict=True))
        return [known.get(atom, atom) for atom in program.outputs]

    def made_by(self, atom: Atom, primitive: Primitive) -> Equation | None:
        """The equation that made a variable, if it applied this primitive."""
        equation = self.definitions.get(atom)
        return equation if equation is not None and equation.primitive is primitive else None

    def used_once_by(self, atom: Atom, primitive: Primitive) -> Equation | None:
        """As `made_by`, but only for a variable that is read once."""
        return self.made_by(atom, primitive) if self.uses.get(atom) == 1 else None

    def uniform(self, atom: Atom) -> Constant | None:
        """For a constant all of whose elements are the same, this element as a constant."""
        if not isinstance(atom, Constant):
            return None
        found = self._uniform.get(id(atom.value))
        if found is None:
            found = self._uniform[id(atom.value)] = (atom, uniform_element(atom))
        return found[1]

    def program(self) -> Program:
        """The Program as it was written; the original one, if nothing has changed."""
        original = self.original
        if (
            not self.standing
            and len(self.equations) == len(original.equations)
            and all(map(is_, self.equations, original.equations))
        ):
            return original
        return Program(original.inputs, self.equations, [self.read(x) for x in original.outputs])


def rewrite(
    program: Program, step: Callable[[Equation, Scope], None], *, counts_uses: bool = False
) -> Program:
    """Write a Program anew.

    Args:
        program: The Program.
        step: Called for each equation in order. It appends the equation, or what it makes of it,
            and says by `Scope.replace` what stands for outputs that are not made any more.
        counts_uses: Whether the step asks how often a variable is used.

    Returns:
        The new Program; the given one, if nothing has changed.
    """
    scope = Scope(program, counts_uses=counts_uses)
    replaced = scope.standing.keys()
    for equation in program.equations:
        if replaced.isdisjoint(equation.inputs):
            step(equation, scope)
        else:
            inputs = [scope.read(atom) for atom in equation.inputs]
            step(equation.replaced(inputs=inputs), scope)
    return scope.program()


def use_counts(program: Program) -> dict[Atom, int]:
    """How often each atom is read by equations, and as an output."""
    inputs = (equation.inputs for equation in program.equations)
    return Counter(chain(chain.from_iterable(inputs), program.outputs))


def inferred_type(primitive: Primitive, inputs: Sequence[Atom], params: dict[str, Any]) -> Any:
    """The type that a primitive infers, or None where it does not take these inputs."""
    try:
        return primitive.infer(*(atom.type for atom in inputs), **params)
    except (ValueError, TypeError, IndexError):
        return None


def is_known(atom: Atom) -> bool:
    """Whether an atom is a constant whose value is here: neither traced nor left out."""
    return isinstance(atom, Constant) and not isinstance(atom.value, Tracer | ElidedValue)


def has_unknown_length(type: ArrayType) -> bool:
    """Whether an axis has a length that is known only when a loop has run."""
    return ANY_LENGTH in type.shape


def uniform_element(atom: Constant) -> Constant | None:
    """The one value that all elements of a constant have, bit for bit, as a scalar constant.

    A scalar is given back as it is, weak or not.
    """
    value = atom.value
    if not is_known(atom):
        return None
    if not isinstance(value, np.ndarray):
        return atom
    if not value.size:
        return None
    first: Any = value[(0,) * value.ndim]
    # Look at one more element before all of them: most arrays differ there.
    if value.size > 1 and first.tobytes() != value[(-1,) * value.ndim].tobytes():
        return None
    occupied = tuple(
        slice(None) if stride else 0 for stride in value.strides
    )  # without what repeats itself in memory
    part: Any = np.ascontiguousarray(value[occupied]).reshape(-1)
    rows = part.view(np.uint8).reshape(part.size, -1)
    return Constant(first) if bool((rows == rows[0]).all()) else None
