"""Putting the equations of a Program that is merely run in place of the equation that runs it."""

from __future__ import annotations

from collections.abc import Callable

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
    run = structure_of(equation)
    if isinstance(run, Run) and not run.is_apart:
        write_in_place(equation, run, scope, _inlined)
    else:
        scope.append(equation)


def write_in_place(
    equation: Equation, run: Run[Atom], scope: Scope, step: Callable[[Equation, Scope], None]
) -> None:
    """Write what an equation runs in its place, or the equation, where its inputs do not fit.

    Args:
        equation: The equation.
        run: What it does.
        scope: Where it is written.
        step: Writes each of the equations, as in `rewrite`. Calls within calls are then written
            where they belong at once, so that a chain of them takes a time that is proportional
            to its length.
    """
    given = [
        _fitted(atom, variable.type, equation, scope)
        for atom, variable in zip(run.inputs, run.program.inputs, strict=True)
    ]
    fitting = [atom for atom in given if atom is not None]
    if len(fitting) < len(given):
        scope.append(equation)
        return
    depth.enter()
    try:
        outputs = scope.insert(equation, run.program, fitting, step)
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
