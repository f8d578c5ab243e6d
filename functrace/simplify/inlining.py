"""Putting the equations of a Program that is merely run in place of the equation that runs it."""

from __future__ import annotations

from functrace import depth
from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.ir.structure import Run, structure_of
from functrace.ir.types import ArrayType
from functrace.primitives.linear import cast, cast_to_whole
from functrace.simplify.rewriting import Scope, is_known, rewrite


def inline(program: Program) -> Program:
    """Put the equations of nested ``jit`` calls in the place of these calls.

    It holds for each `Run` that need not be apart, and for calls within calls.

    Args:
        program: The Program.

    Returns:
        The Program without such calls. Effects keep their order.
    """
    return program.derive("inlined", lambda: rewrite(program, _inlined))


def _inlined(equation: Equation, scope: Scope) -> None:
    structure = structure_of(equation)
    if not isinstance(structure, Run) or structure.is_apart:
        scope.append(equation)
        return
    inner = structure.program
    given = [
        _fitted(atom, variable.type, equation, scope)
        for atom, variable in zip(equation.inputs, inner.inputs, strict=True)
    ]
    fitting = [atom for atom in given if atom is not None]
    if len(fitting) < len(given):
        scope.append(equation)
        return
    # Calls within calls are written where they belong at once, so that a chain of them takes a time
    # that is proportional to its length.
    depth.enter()
    try:
        outputs = scope.insert(equation, inner, fitting, _inlined)
    finally:
        depth.leave()
    for variable, atom in zip(equation.outputs, outputs, strict=True):
        scope.replace(variable, atom)


def _fitted(atom: Atom, type: ArrayType, equation: Equation, scope: Scope) -> Atom | None:
    """What is given for an input of this type; a Python scalar where the input is none is cast."""
    if atom.type == type:
        return atom
    if atom.type.strong != type:
        return None
    if isinstance(atom, Constant) and is_known(atom):
        return Constant(type.dtype.type(atom.value))
    primitive = cast if type.is_inexact else cast_to_whole
    return scope.emit(equation, primitive, atom, dtype=type.dtype)
