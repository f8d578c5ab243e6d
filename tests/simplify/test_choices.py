"""What choices and checkpoints lose: unused outputs, unused operands, and known choices."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.simplify import improve_loops, remove_dead_code, simplify
from tests.simplify.helpers import assert_close, check_pass


def improved(program):
    return remove_dead_code(improve_loops(remove_dead_code(program)))


def test_unused_outputs_and_operands_of_choices_are_left_out():
    check_pass(
        improved,
        """
        def program(a: int64, b: float64, c: float64, d: float64):
            def branch0(e: float64, f: float64, g: float64, h: weak_float64):
                i: float64 = multiply(e, h)
                j: float64 = sin(f)
                return (i, j)
            def branch1(k: float64, l: float64, m: float64, n: weak_float64):
                return (m, l)
            o: float64; p: float64; (o, p) = switch(a, b, c, d, 2.0, branch0=branch0, \
branch1=branch1)
            return o
        """,
        """
        def program(a: int64, b: float64, c: float64, d: float64):
            def branch0(e: float64, f: float64):
                g: float64 = multiply(e, 2.0)
                return g
            def branch1(h: float64, i: float64):
                return i
            j: float64; (j,) = switch(a, b, d, branch0=branch0, branch1=branch1)
            return j
        """,
    )


def test_of_a_known_choice_what_is_chosen_stays():
    check_pass(
        improved,
        """
        def program(a: float64):
            def branch0(b: float64):
                c: float64 = sin(b)
                return c
            def branch1(d: float64):
                e: float64 = cos(d)
                return e
            f: float64; (f,) = switch(7, a, branch0=branch0, branch1=branch1)
            return f
        """,
        """
        def program(a: float64):
            b: float64 = cos(a)
            return b
        """,
    )


def test_choices_of_each_example_are_simplified():
    def f(i, x, y):
        chosen = ft.switch(i, [lambda a, b: (a * 1.0, b), lambda a, b: (np.sin(a), a)], x, y)
        return chosen[0]

    mapped = ft.vmap(ft.value_and_grad(f, 1), (0, 0, None))
    arguments = np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]), 4.0
    program = ft.make_ir(mapped)(*arguments)
    assert_close(
        ft.evaluate(ft.check(simplify(program)), *arguments), ft.evaluate(program, *arguments)
    )


def test_checkpoints_compute_only_what_is_used():
    f = ft.checkpoint(lambda x, y: (np.sin(x), np.cos(y)))
    program = ft.check(simplify(ft.make_ir(lambda x, y: f(x, y)[0])(1.0, 2.0)))
    (equation,) = program.equations
    assert [e.primitive.name for e in equation.params["program"].equations] == ["sin"]
    assert len(equation.inputs) == 1
