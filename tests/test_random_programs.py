"""Whole programs, drawn at random, through everything that takes a program or a function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.ir.checking import check
from functrace.ir.program import to_text
from functrace.testing import check_grads
from tests.strategies import program_primitives, programs

thorough = settings(derandomize=True, deadline=None, max_examples=40, database=None)
costly = settings(thorough, max_examples=12)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_array_equal(x, y)


def test_programs_are_drawn_with_most_primitives():
    assert {"sin", "divide", "power", "maximum"} <= set(program_primitives())


@thorough
@given(programs())
def test_programs_are_well_formed(drawn):
    program, _ = drawn
    assert check(program) is program


@thorough
@given(programs())
def test_text_reads_back(drawn):
    program, inputs = drawn
    text = to_text(program, elide=False)
    parsed = check(ft.parse(text))
    assert to_text(parsed, elide=False) == text
    assert_same(ft.evaluate(parsed, *inputs), ft.evaluate(program, *inputs))
    shortened = str(program)
    assert str(ft.parse(shortened)) == shortened


@thorough
@given(programs())
def test_recording_the_evaluation_gives_the_program_again(drawn):
    program, inputs = drawn
    again = check(ft.make_ir(lambda *xs: ft.evaluate(program, *xs))(*inputs))
    assert to_text(again, sources=False) == to_text(program, sources=False)
    assert_same(ft.evaluate(again, *inputs), ft.evaluate(program, *inputs))


@thorough
@given(programs())
def test_first_derivatives(drawn):
    program, inputs = drawn
    check_grads(lambda *xs: ft.evaluate(program, *xs), inputs, order=1)


@costly
@given(programs(max_steps=5))
def test_second_derivatives(drawn):
    program, inputs = drawn
    check_grads(lambda *xs: ft.evaluate(program, *xs), inputs, order=2)


@costly
@given(programs())
def test_gradients_can_be_recorded(drawn):
    program, inputs = drawn

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in ft.evaluate(program, *xs))

    gradient = ft.grad(loss, tuple(range(len(inputs))))
    recorded = check(ft.make_ir(gradient)(*inputs))
    expected = gradient(*inputs)
    for x, y in zip(ft.evaluate(recorded, *inputs), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@thorough
@given(programs())
def test_inputs_are_not_written(drawn):
    program, inputs = drawn
    before = [np.array(x) for x in inputs]
    check_value = ft.vjp(lambda *xs: ft.evaluate(program, *xs), *inputs)
    check_value[1]([np.ones_like(y) for y in check_value[0]])
    assert_same(inputs, before)


# Programs that contain Programs

WRAPPINGS = {
    "jit": lambda f: ft.jit(f),
    "checkpoint": lambda f: ft.checkpoint(f),
    "cond": lambda f: (
        lambda *xs: ft.cond(
            np.sum(np.ravel(xs[0])) > -1e9, f, lambda *ys: [y * 2 for y in f(*ys)], *xs
        )
    ),
    "switch": lambda f: (
        lambda *xs: ft.switch(
            np.floor(np.tanh(np.sum(np.ravel(xs[0]))) * 0.4 + 1.5).astype(np.int64),
            [lambda *ys: [y + 1 for y in f(*ys)], f, f],
            *xs,
        )
    ),
    "scan": lambda f: lambda *xs: ft.scan(lambda carry, _: (carry, f(*carry)), xs, None, 2)[1],
    "while": lambda f: (
        lambda *xs: ft.while_loop(
            lambda state: state[0] < 1, lambda state: (state[0] + 1, f(*xs)), (0, f(*xs))
        )[1]
    ),
    "vmap": lambda f: lambda *xs: ft.vmap(lambda _: f(*xs))(np.zeros(2)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("outer", WRAPPINGS)
@settings(thorough, max_examples=4)
@given(drawn=programs(max_steps=12), inner=st.sampled_from(sorted(WRAPPINGS)))
def test_programs_that_contain_programs(outer, drawn, inner):
    program, inputs = drawn
    plain = lambda *xs: list(ft.evaluate(program, *xs))
    wrapped = WRAPPINGS[outer](lambda *xs: list(WRAPPINGS[inner](plain)(*xs)))

    def loss(f):
        return lambda *xs: sum(np.sum(np.sin(y)) for y in f(*xs))

    recorded = check(ft.make_ir(wrapped)(*inputs))
    assert str(ft.parse(str(recorded))) == str(recorded)
    # Loops and maps give the same outputs twice: as often is the derivative counted.
    copies = 2 ** ((outer in ("scan", "vmap")) + (inner in ("scan", "vmap")))
    everything = tuple(range(len(inputs)))
    expected = ft.grad(loss(plain), everything)(*inputs)
    by_tape = ft.grad(loss(wrapped), everything)(*inputs)
    by_program = ft.jit(ft.grad(loss(wrapped), everything))(*inputs)
    for found, again, exact in zip(by_tape, by_program, expected, strict=True):
        np.testing.assert_allclose(again, found, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found, copies * exact, rtol=1e-9, atol=1e-9)
