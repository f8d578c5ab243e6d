"""Which Programs are compiled, and which are evaluated."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.compiling import FIRST, OFTEN, compiled, run_again, runner


def program_of(f, *args):
    return ft.make_ir(f)(*args)


def is_compiled(program):
    return ("compiled", "numpy", frozenset()) in program.derived


def test_a_program_is_compiled_once():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    assert compiled(program).run is compiled(program).run
    assert compiled(program).run is not compiled(program, frozenset([0])).run
    assert compiled(program).run(1.0) == (np.sin(1.0) * 2.0,)


def test_programs_are_compiled_once_they_have_run_often():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    enough = OFTEN + FIRST // len(program.equations)
    assert list(runner(program, enough - 1)(1.0)) == [np.sin(1.0) * 2.0]
    assert not is_compiled(program)
    assert list(runner(program, 1)(1.0)) == [np.sin(1.0) * 2.0]
    assert is_compiled(program)


def test_programs_that_are_run_again_are_compiled_the_second_time():
    program = program_of(lambda x: np.sin(x) * 2.0, 1.0)
    for expected in (False, True):
        assert list(run_again(program, [1.0])) == [np.sin(1.0) * 2.0]
        assert is_compiled(program) == expected


def test_long_loops_compile_their_bodies_without_jit():
    def step(c, x):
        return np.tanh(c * x + 0.5), c

    xs = np.linspace(0, 1, 400)
    found = ft.scan(step, np.ones(3), xs)
    carry, stack = np.ones(3), []
    for x in xs:
        stack.append(carry)
        carry = np.tanh(carry * x + 0.5)
    np.testing.assert_allclose(found[0], carry, rtol=1e-12)
    np.testing.assert_allclose(found[1], stack, rtol=1e-12)
