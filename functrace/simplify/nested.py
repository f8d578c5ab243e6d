"""Simplifying the Programs that equations hold."""

from __future__ import annotations

from collections.abc import Callable

from functrace.ir.program import Equation, Program, with_programs
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
        params = with_programs(equation.params, simplify)
        scope.append(equation if params is equation.params else equation.replaced(params=params))

    return rewrite(program, step)
