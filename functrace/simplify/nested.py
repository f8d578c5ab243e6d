"""Simplifying the Programs that equations hold."""

from __future__ import annotations

from collections.abc import Callable

from functrace.ir.program import Equation, Program
from functrace.simplify.rewriting import Scope, rewrite


def simplify_nested(program: Program, simplify: Callable[[Program], Program]) -> Program:
    """Simplify the Programs among the parameters of a Program's equations.

    Args:
        program: The Program.
        simplify: Simplifies one; it keeps the result, so that none is simplified twice.

    Returns:
        The Program that holds the simplified ones.
    """

    def step(equation: Equation, scope: Scope) -> None:
        changed = {
            name: simpler
            for name, inner in equation.params.items()
            if isinstance(inner, Program) and (simpler := simplify(inner)) is not inner
        }
        if changed:
            equation = equation.replaced(params={**equation.params, **changed})
        scope.append(equation)

    return rewrite(program, step)
