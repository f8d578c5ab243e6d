"""Putting the equations of a Program that is merely run in place of the equation that runs it."""

from __future__ import annotations

from functrace.ir.program import Atom, Constant, Equation, Program
from functrace.ir.types import ArrayType
from functrace.primitives.linear import cast, cast_to_whole
from functrace.simplify.rewriting import Scope, is_known, rewrite


def inline(program: Program) -> Program:
    """Put the equations of nested ``jit`` calls in the place of these calls.

    It holds for all primitives that say so by their method ``inlined``, and for calls within calls.
    `checkpoint` is none of them: what it computes again must not meet what was computed before.

    Args:
        program: The Program.

    Returns:
        The Program without such calls. Effects keep their order.
    """
    return program.derive("inlined", lambda: rewrite(program, _inlined))


def _inlined(equation: Equation, scope: Scope) -> None:
    types = [atom.type for atom in equation.inputs]
    inner: Program | None = equation.primitive.inlined(types, equation.params)
    if inner is None:
        scope.append(equation)
        return
    given = [
        _fitted(atom, variable.type, equation, scope)
        for atom, variable in zip(equation.inputs, inner.inputs, strict=True)
    ]
    fitting = [atom for atom in given if atom is not None]
    if len(fitting) < len(given):
        scope.append(equation)
        return
    outputs = scope.insert(equation, inline(inner), fitting)
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
