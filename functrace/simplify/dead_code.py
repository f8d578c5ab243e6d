"""Leaving out what nothing needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from functrace.ir.program import Atom, Equation, Program


def live_equations(equations: Sequence[Equation], outputs: Iterable[Atom]) -> list[Equation]:
    """The equations that outputs or effects need, in order."""
    needed: set[Atom] = set(outputs)
    kept: list[Equation] = []
    for equation in reversed(equations):
        if not needed.isdisjoint(equation.outputs) or equation.has_effect:
            needed.update(equation.inputs)
            kept.append(equation)
    kept.reverse()
    return kept


def remove_dead_code(program: Program) -> Program:
    """Leave out the equations none of whose outputs is used, unless they have effects.

    Args:
        program: The Program.

    Returns:
        The Program without them; the same Program, if there are none.
    """
    kept = live_equations(program.equations, program.outputs)
    if len(kept) == len(program.equations):
        return program
    return Program(program.inputs, kept, program.outputs)
