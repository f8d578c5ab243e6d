"""Whole programs, drawn at random: simplified they are well formed, and have the same values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace import simplify as passes
from functrace.backends.numpy_passes import simplify
from functrace.ir.program import to_text
from functrace.ir.types import type_of
from tests.simplify.helpers import assert_close, assert_same_bits
from tests.strategies import programs
from tests.test_random_programs import WRAPPINGS as SIMPLER_WRAPPINGS
from tests.test_random_programs import costly, thorough

EXACT = {
    "inline": passes.inline,
    "remove_dead_code": passes.remove_dead_code,
    "share_subexpressions": passes.share_subexpressions,
    "fold_constants": passes.fold_constants,
    "improve_structures": passes.improve_structures,
}
"""The passes that change no bit of a value."""


def check_simplified(program, inputs):
    before = to_text(program, elide=False)
    found = ft.check(simplify(program))
    assert to_text(program, elide=False) == before, "the original was changed"
    assert [v.type for v in found.inputs] == [v.type for v in program.inputs]
    assert [x.type for x in found.outputs] == [x.type for x in program.outputs]
    assert simplify(program) is found is simplify(found)
    assert_close(ft.evaluate(found, *inputs), ft.evaluate(program, *inputs))


@pytest.mark.parametrize("name", EXACT)
@costly
@given(drawn=programs())
def test_passes_change_no_bit(name, drawn):
    program, inputs = drawn
    gradient = lambda *xs: [ft.grad(_loss(program))(*xs), *ft.evaluate(program, *xs)]
    recorded = ft.make_ir(gradient)(*inputs)
    found = ft.check(EXACT[name](recorded))
    assert_same_bits(ft.evaluate(found, *inputs), ft.evaluate(recorded, *inputs))


def _loss(program):
    return lambda *xs: sum(np.sum(np.sin(y)) for y in ft.evaluate(program, *xs))


@thorough
@given(programs())
def test_programs_are_simplified(drawn):
    check_simplified(*drawn)


@thorough
@given(programs())
def test_gradients_are_simplified(drawn):
    program, inputs = drawn
    everything = tuple(range(len(inputs)))
    check_simplified(ft.make_ir(ft.grad(_loss(program), everything))(*inputs), inputs)


@costly
@given(programs(max_steps=5))
def test_second_derivatives_are_simplified(drawn):
    program, inputs = drawn
    check_simplified(ft.make_ir(ft.jacfwd(ft.grad(_loss(program))))(*inputs), inputs)


@costly
@given(programs(max_steps=6), st.sampled_from([np.float32, np.complex128]))
def test_programs_of_other_dtypes_are_simplified(drawn, dtype):
    program, inputs = drawn

    def f(x, *rest):
        y = ft.evaluate(program, np.real(x).astype(np.float64) * 1.0, *rest)[-1]
        return [y, 1 * (x - 0.0) * x**2 + x, np.where(x == x, np.negative(-x), x) / 1]

    first = dtype(inputs[0])
    check_simplified(ft.make_ir(f)(first, *inputs[1:]), [first, *inputs[1:]])


# A scan whose rows the body uses.
WRAPPINGS = SIMPLER_WRAPPINGS | {
    "scan": lambda f: lambda *xs: ft.scan(lambda c, x: (c, [x, *f(*c)]), xs, np.arange(2.0))[1][1:],
}


@pytest.mark.thinned
@pytest.mark.parametrize("outer", WRAPPINGS)
@settings(thorough, max_examples=4)
@given(drawn=programs(max_steps=6), inner=st.sampled_from(sorted(WRAPPINGS)))
def test_programs_that_hold_programs_are_simplified(outer, drawn, inner):
    program, inputs = drawn
    plain = lambda *xs: list(ft.evaluate(program, *xs))
    wrapped = WRAPPINGS[outer](lambda *xs: list(WRAPPINGS[inner](plain)(*xs)))

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in wrapped(*xs))

    check_simplified(ft.make_ir(wrapped)(*inputs), inputs)
    everything = tuple(range(len(inputs)))
    gradient = ft.make_ir(ft.grad(loss, everything))(*inputs)
    check_simplified(gradient, inputs)
    found = ft.evaluate(simplify(gradient), *inputs)
    assert [type_of(x).dtype for x in found] == [type_of(x).dtype for x in inputs]
