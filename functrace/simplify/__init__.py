"""Simplification: the same values and effects, with fewer and cheaper equations.

Simplified Programs are for running: derivatives have been taken before. Each pass is a function
from Program to Program, in a file of its own. A `Pipeline` runs passes until nothing changes, and
each backend has one: that of `EXACT` passes, which are right whatever runs the Program, or one with
passes of its own.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from functrace.ir.program import Program
from functrace.simplify.algebra import simplify_algebra as simplify_algebra
from functrace.simplify.dead_code import remove_dead_code as remove_dead_code
from functrace.simplify.elements import read_last_states as read_last_states
from functrace.simplify.elements import replace_elements as replace_elements
from functrace.simplify.elements import tables_of as tables_of
from functrace.simplify.folding import fold_constants as fold_constants
from functrace.simplify.inlining import inline as inline
from functrace.simplify.nested import improve_structures as improve_structures
from functrace.simplify.nested import simplify_nested as simplify_nested
from functrace.simplify.rerolling import reroll as reroll
from functrace.simplify.stacked import read_stacked as read_stacked
from functrace.simplify.subexpressions import share_subexpressions as share_subexpressions

ROUNDS = 6
"""How often the passes are run at most. They end earlier where nothing changes any more."""

SHORTER = 10
"""A Program that loops make so many times shorter is done by loops."""

Pass = Callable[[Program], Program]


class Pipeline:
    """Passes that simplify a Program, and all Programs in it.

    Its inputs, and the types of its outputs, stay; so do the values, but for the rounding of
    the last digits, and all effects in their order. What is derived from a simplified Program is
    not what is derived from the original: transform first, and simplify then.

    What is made of a Program is kept with it, so that simplifying once more costs nothing.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> program = ft.make_ir(ft.grad(lambda x: np.sum(x**2)))(np.ones(3))
        >>> print(ft.to_text(EXACT(program), sources=False))
        def program(a: float64[3]):
            b: float64[3] = add(a, a)
            return b
    """

    def __init__(
        self, on_structures: Sequence[Pass], passes: Sequence[Pass], at_first: Pass = reroll
    ) -> None:
        """Say which passes there are.

        Args:
            on_structures: Those that are run where equations hold Programs, when calls have been
                written in place and these Programs are simplified.
            passes: Those that are run then, in order.
            at_first: The one that is run once, before all others.
        """
        self.at_first = at_first
        self.on_structures = tuple(on_structures)
        self.passes = tuple(passes)

    def __call__(self, program: Program) -> Program:
        """The simplified Program."""
        program = self._begun(program)
        if ("simplified", self) not in program.derived:
            self._simplify_nested(program)
        return self._simplified_once(program)

    def first(self, program: Program) -> Program:
        """What each pass makes of a Program that is run once: most of a simplification."""
        program = self._begun(program)
        if ("first round", self) not in program.derived:
            self._simplify_nested(program)
        return self._first_round(program)

    def _begun(self, program: Program) -> Program:
        key = ("begun", self)
        begun = program.derive(key, lambda: self._begin(program))
        return begun.derive(key, lambda: begun)

    def _begin(self, program: Program) -> Program:
        tables = tables_of(program)
        if tables:
            # Loops over elements of an array are shorter than numbers in place of the array.
            found = self.at_first(program)
            if found is not program and SHORTER * _length(found) <= len(program.equations):
                return found
            program = replace_elements(program, tables)
        return self.at_first(read_last_states(program))

    def _simplify_nested(self, program: Program) -> None:
        # Innermost first, as they may be too deep for recursion; what is written in place is none.
        for inner in program.nested(inline):
            self._simplified_once(inner)

    def _simplified_once(self, program: Program) -> Program:
        key = ("simplified", self)
        simple = program.derive(key, lambda: self._simplified(program))
        return simple.derive(key, lambda: simple)

    def _first_round(self, program: Program) -> Program:
        return program.derive(("first round", self), lambda: self._round(self._begun(program)))

    def _simplified(self, program: Program) -> Program:
        after = self._first_round(program)
        for _ in range(ROUNDS - 1):
            if after is program:
                break
            program, after = after, self._round(after)
        return after

    def _round(self, program: Program) -> Program:
        if any(equation.primitive.holds_programs for equation in program.equations):
            program = remove_dead_code(inline(program))
            program = simplify_nested(program, self._simplified_once)
            for improve in self.on_structures:
                program = improve(program)
        for improve in self.passes:
            program = improve(program)
        return program


def _length(program: Program) -> int:
    """The number of equations, those of loops included."""
    inner = (held for equation in program.equations for held in equation.programs)
    return len(program.equations) + sum(len(held.equations) for held in inner)


def pipeline(
    structures: Pass = improve_structures,
    algebra: Pass = simplify_algebra,
    loops: Pass = reroll,
) -> Pipeline:
    """All passes, with those in place of `improve_structures`, `simplify_algebra` and `reroll`."""
    return Pipeline(
        at_first=loops,
        on_structures=(structures,),
        passes=(
            remove_dead_code,
            fold_constants,
            algebra,
            read_stacked,
            share_subexpressions,
            remove_dead_code,
        ),
    )


EXACT = pipeline()
"""What is right whatever runs the Program."""
