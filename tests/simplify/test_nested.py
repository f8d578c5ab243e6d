"""Programs that equations hold are simplified where they stand."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.simplify import remove_dead_code, simplify_nested


def wasteful(x):
    np.exp(x)
    return np.sin(x)


HOLDERS = {
    "jit": ft.jit(wasteful),
    "checkpoint": ft.checkpoint(wasteful),
    "scan": lambda x: ft.scan(lambda c, _: (wasteful(c), None), x, None, length=2)[0],
    "while": lambda x: ft.while_loop(lambda c: wasteful(c) > 2, wasteful, x),
    "cond": lambda x: ft.cond(x > 0, wasteful, lambda x: wasteful(-x), x),
}


def count_of(name, program):
    """How often a primitive stands in a Program, and in all Programs in it."""
    equations = program.equations
    inside = sum(count_of(name, held) for equation in equations for held in equation.programs)
    return inside + sum(equation.primitive.name == name for equation in equations)


def test_all_programs_among_the_parameters_are_simplified():
    for name, f in HOLDERS.items():
        program = ft.make_ir(f)(0.5)
        found = ft.check(simplify_nested(program, remove_dead_code))
        assert count_of("exp", program) >= 1, name
        assert count_of("exp", found) == 0, name
        assert count_of("sin", found) == count_of("sin", program), name
        assert ft.evaluate(found, 0.5) == ft.evaluate(program, 0.5)
        assert [e.params.keys() for e in found.equations] == [
            e.params.keys() for e in program.equations
        ]


def test_what_is_simple_stays_the_same_object():
    def f(x):
        np.exp(x)  # of the Program itself, which is left alone
        return ft.checkpoint(np.sin)(x)

    program = ft.make_ir(f)(0.5)
    assert simplify_nested(program, remove_dead_code) is program


def test_only_the_programs_of_equations_are_handed_on():
    handed = []

    def seen(program):
        handed.append(program)
        return program

    program = ft.make_ir(ft.jit(lambda x: ft.checkpoint(np.sin)(x) + 1))(0.5)
    assert simplify_nested(program, seen) is program
    assert handed == [program.equations[0].params["program"]]
