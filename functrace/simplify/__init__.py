"""Simplification: the same values and effects, with fewer and cheaper equations.

Simplified Programs are for running: derivatives have been taken before. `simplify` runs all
passes; each pass is a function from Program to Program, in a file of its own.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from functrace.ir.program import Program
from functrace.simplify.algebra import simplify_algebra as simplify_algebra
from functrace.simplify.dead_code import remove_dead_code as remove_dead_code
from functrace.simplify.folding import fold_constants as fold_constants
from functrace.simplify.inlining import inline as inline
from functrace.simplify.nested import improve_structures as improve_structures
from functrace.simplify.nested import simplify_nested as simplify_nested
from functrace.simplify.subexpressions import share_subexpressions as share_subexpressions

ROUNDS = 6
"""How often the passes are run at most. They end earlier where nothing changes any more."""


def simplify(program: Program) -> Program:
    """Simplify a Program, and all Programs in it.

    Its inputs, and the types of its outputs, stay; so do the values, but for the rounding of
    the last digits, and all effects in their order. What is derived from a simplified Program is
    not what is derived from the original: transform first, and simplify then.

    Args:
        program: The Program.

    Returns:
        The simplified Program. It is kept, so that simplifying once more costs nothing.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> program = ft.make_ir(ft.grad(lambda x: np.sum(x**2)))(np.ones(3))
        >>> print(ft.to_text(simplify(program), sources=False))
        def program(a: float64[3]):
            b: float64[3] = add(a, a)
            return b
    """
    if "simplified" not in program.derived:
        _simplify_nested(program)
    return _simplified_once(program)


def simplify_first(program: Program) -> Program:
    """Run each pass once, which is most of a simplification. It is kept, as what it is a part of.

    Args:
        program: The Program.

    Returns:
        A Program that means the same.
    """
    if "first round" not in program.derived:
        _simplify_nested(program)
    return program.derive("first round", lambda: _round(program))


def _simplify_nested(program: Program) -> None:
    for inner in program.nested():  # innermost first: they may be too deep for recursion
        _simplified_once(inner)


def _simplified_once(program: Program) -> Program:
    simple = program.derive("simplified", lambda: _simplified(program))
    return simple.derive("simplified", lambda: simple)


def _simplified(program: Program) -> Program:
    after = program.derive("first round", lambda: _round(program))
    for _ in range(ROUNDS - 1):
        if after is program:
            break
        program, after = after, _round(after)
    return after


def _round(program: Program) -> Program:
    if any(equation.primitive.holds_programs for equation in program.equations):
        program = remove_dead_code(inline(program))
        program = simplify_nested(program, _simplified_once)
        program = improve_structures(program)
    program = remove_dead_code(program)
    program = fold_constants(program)
    program = simplify_algebra(program)
    program = share_subexpressions(program)
    return remove_dead_code(program)
