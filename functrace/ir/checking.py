"""The checker of Programs: what must hold of every Program, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from functrace.errors import ProgramCheckError
from functrace.ir.program import Constant, Equation, Program, Variable
from functrace.ir.structure import bodies, structure_of
from functrace.ir.types import ANY_LENGTH, ArrayType
from functrace.tracebacks import boundary


@boundary
def check(program: Program) -> Program:
    """Check that a Program is well formed, and return it.

    Every variable is written once and before it is read; every equation's primitive infers from
    its inputs' types the types that its outputs have; the same holds inside the Programs that
    parameters hold, and these take what their equations give them.

    Raises:
        ProgramCheckError: Something of this does not hold; the message names the equation.

    Example:
        >>> import functrace as ft
        >>> from functrace.extend import Program
        >>> program = ft.make_ir(lambda x: x * x + 1.0)(2.0)
        >>> ft.check(program) is program
        True
        >>> ft.check(Program(program.inputs, program.equations[1:], program.outputs))
        Traceback (most recent call last):
        functrace.errors.ProgramCheckError: A variable is read before it is written.
        ...
    """
    _check(program, set())
    return program


def _check(program: Program, outer: set[Variable]) -> None:
    known = set(outer)

    def write(variable: Variable, where: object) -> None:
        if variable in known:
            raise ProgramCheckError("A variable is written twice.", where)
        known.add(variable)

    for variable in program.inputs:
        write(variable, "the inputs")
    for number, equation in enumerate(program.equations):
        where = _Place(number, equation)
        for atom in equation.inputs:
            if isinstance(atom, Variable) and atom not in known:
                raise ProgramCheckError("A variable is read before it is written.", where)
        for inner in equation.programs:
            _check(inner, known)
        _check_bodies(equation, where)
        expected = inferred_types(equation)
        actual = tuple(variable.type for variable in equation.outputs)
        if expected != actual:
            raise ProgramCheckError(
                f"The outputs have types {_types(actual)}, but the primitive infers "
                f"{_types(expected)}.",
                where,
            )
        for variable in equation.outputs:
            write(variable, where)
    for atom in program.outputs:
        if not isinstance(atom, Constant) and atom not in known:
            raise ProgramCheckError("An output is never written.", "the outputs")


class _Place(NamedTuple):
    """Where something is in a Program; put into words for an error alone."""

    number: int
    equation: Equation

    def __str__(self) -> str:
        return f"equation {self.number}, {self.equation.primitive.name} ({self.equation.source})"


def _check_bodies(equation: Equation, where: _Place) -> None:
    """Check that the Programs in an equation take what they are given, and give what is said."""
    structure = structure_of(equation)
    if structure is None:
        return
    for program, given, expected in bodies(structure.map(lambda atom: atom.type)):
        taken = [variable.type for variable in program.inputs]
        if not _alike(given, taken):
            raise ProgramCheckError(
                f"A Program takes {_types(taken)}, but is given {_types(given)}.", where
            )
        made = [atom.type for atom in program.outputs]
        if expected is not None and not _alike(made[: len(expected)], expected):
            raise ProgramCheckError(
                f"A Program makes {_types(made)}, but must make {_types(expected)}.", where
            )


def _alike(given: Sequence[ArrayType], taken: Sequence[ArrayType]) -> bool:
    """Whether values of these types can be taken for values of those; all but weakness counts."""
    return len(given) == len(taken) and all(
        x.dtype == y.dtype
        and len(x.shape) == len(y.shape)
        and all(n == m or ANY_LENGTH in (n, m) for n, m in zip(x.shape, y.shape, strict=True))
        for x, y in zip(given, taken, strict=True)
    )


def inferred_types(equation: Equation) -> tuple[ArrayType, ...]:
    """The types of an equation's outputs as its primitive infers them."""
    primitive = equation.primitive
    inferred = primitive.infer(*(atom.type for atom in equation.inputs), **equation.params)
    return tuple(inferred) if primitive.multiple_outputs else (inferred,)


def _types(types: Sequence[ArrayType]) -> str:
    return ", ".join(map(str, types)) or "none"
