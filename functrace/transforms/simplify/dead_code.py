"""Leaving out what nothing needs."""

from __future__ import annotations

from functrace.ir.program import Atom, Equation, Program


def remove_dead_code(program: Program) -> Program:
    """Leave out the equations none of whose outputs is used, unless they have effects.

    Args:
        program: The Program.

    Returns:
        The Program without them; the same Program, if there are none.
    """
    needed: set[Atom] = set(program.outputs)
    kept: list[Equation] = []
    for equation in reversed(program.equations):
        if not needed.isdisjoint(equation.outputs) or equation.has_effect:
            needed.update(equation.inputs)
            kept.append(equation)
    if len(kept) == len(program.equations):
        return program
    kept.reverse()
    return Program(program.inputs, kept, program.outputs)
