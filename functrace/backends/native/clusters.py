"""Which parts of a Program machine code computes: as few of them as there can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from functrace.ir.program import Atom, Equation, Program, Variable

WORTH = 4
"""So many operations, or one loop, are worth a call of machine code."""


class Cluster:
    """Equations that are computed together.

    Attributes:
        equations: They, in order.
        inputs: What they read that others make.
        outputs: What others read.
    """

    def __init__(self, equations: Sequence[Equation], wanted: set[Atom]) -> None:
        """Find what goes in and out.

        Args:
            equations: The equations, in order.
            wanted: All that is read outside.
        """
        self.equations = equations
        made = {variable for equation in equations for variable in equation.outputs}
        read = dict.fromkeys(
            atom
            for equation in equations
            for atom in equation.inputs
            if isinstance(atom, Variable) and atom not in made
        )
        self.inputs: list[Variable] = list(read)
        self.outputs = [v for equation in equations for v in equation.outputs if v in wanted]

    def program(self) -> Program:
        """The equations as a Program of their own."""
        return Program(self.inputs, list(self.equations), list(self.outputs))


def clusters(program: Program, is_native: Callable[[Equation], bool]) -> list[Equation | Cluster]:
    """A Program in parts: those of machine code, and the equations of NumPy between them.

    All that can be computed by machine code before the next operation that cannot is one part,
    and what waits for that operation is part of the next one.

    Args:
        program: The Program.
        is_native: Whether machine code can compute an equation.
    """
    # The native part that makes a variable has an even number, NumPy's operations after it the
    # odd one that follows.
    made_in: dict[Variable, int] = {}
    parts: dict[int, list[Equation]] = {}
    for equation in program.equations:
        read = (made_in.get(a, -1) for a in equation.inputs if isinstance(a, Variable))
        number = max(read, default=-1)
        if is_native(equation):
            number = number if number >= 0 and number % 2 == 0 else number + 1
        else:
            number = max(number if number % 2 else number + 1, 1)
            if equation.has_effect:  # effects stay in their order
                number = max([number, *(n for n in parts if n % 2)])
        parts.setdefault(number, []).append(equation)
        for variable in equation.outputs:
            made_in[variable] = number
    readers: dict[Atom, set[int]] = {}
    for number, equations in parts.items():
        for equation in equations:
            for atom in equation.inputs:
                readers.setdefault(atom, set()).add(number)
    for atom in program.outputs:
        readers.setdefault(atom, set()).add(-1)
    result: list[Equation | Cluster] = []
    for number in sorted(parts):
        equations = parts[number]
        if number % 2 or not _is_worth(equations):
            result += equations
            continue
        wanted = {atom for atom, numbers in readers.items() if numbers - {number}}
        result.append(Cluster(equations, wanted))
    return result


def _is_worth(equations: Sequence[Equation]) -> bool:
    """Whether a call of machine code takes less time than NumPy."""
    counted = [e for e in equations if not e.primitive.makes_views]
    return len(counted) >= WORTH or any(e.primitive.holds_programs for e in counted)
