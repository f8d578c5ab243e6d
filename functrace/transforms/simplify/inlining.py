"""Putting the equations of a Program that is merely run in place of the equation that runs it."""

from __future__ import annotations

from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.primitives.linear import cast, cast_to_whole
from functrace.transforms.simplify.rewriting import Scope, is_known, rewrite


def inline(program: Program) -> Program:
    """Put the equations of nested ``jit`` calls in the place of these calls.

    It holds for all primitives that say so by their method ``inlined``, and for calls within calls.
    `checkpoint` is none of them: what it computes again must not meet what was computed before.

    Args:
        program: The Program.

    Returns:
        The Program without such calls. Effects keep their order.
    """
    return rewrite(program, _inlined)


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
    known: dict[Atom, Atom] = {}
    for variable, atom in zip(inner.inputs, given, strict=True):
        if atom is None:
            scope.append(equation)
            return
        known[variable] = atom
    inner = inline(inner)
    for each in inner.equations:
        outputs = [Variable(variable.type) for variable in each.outputs]
        copied = each.replaced(
            inputs=[known.get(atom, atom) for atom in each.inputs], outputs=outputs
        )
        copied.is_silent = each.is_silent or equation.is_silent
        known.update(zip(each.outputs, outputs, strict=True))
        scope.append(copied)
    for variable, atom in zip(equation.outputs, inner.outputs, strict=True):
        scope.replace(variable, known.get(atom, atom))


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
