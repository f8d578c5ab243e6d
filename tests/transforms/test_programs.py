"""Programs made from Programs: what each computes, beside the transformation of the function."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.ir.program import Constant, output_types
from functrace.ir.types import ArrayType, type_of
from functrace.transforms import programs as made
from tests.strategies import programs

costly = settings(max_examples=12, deadline=None)


def close(found, expected):
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def function_of(program):
    return lambda *xs: ft.evaluate(program, *xs)


def random_like(values, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=np.shape(x)) for x in values]


masks = st.lists(st.booleans(), min_size=3, max_size=3)


@costly
@given(programs(max_steps=5), masks, masks)
def test_forward_mode_at_once_and_in_two_halves(drawn, active, wanted):
    program, inputs = drawn
    active = tuple(active[: len(inputs)])
    wanted = tuple(wanted[: len(program.outputs)])
    tangents = random_like(inputs)
    outputs, expected = ft.jvp(
        function_of(program),
        inputs,
        [t if on else np.zeros(np.shape(t)) for t, on in zip(tangents, active, strict=True)],
    )
    given_ = [t for t, on in zip(tangents, active, strict=True) if on]
    for choice in (None, wanted):
        pushed = made.pushed_forward(program, active, choice)
        assert choice is None or pushed.has_tangent == choice
        there = [t for t, on in zip(expected, pushed.has_tangent, strict=True) if on]
        close(ft.evaluate(ft.check(pushed.program), *inputs, *given_), [*outputs, *there])
        if choice is None:
            for t, on in zip(expected, pushed.has_tangent, strict=True):
                assert on or not np.any(t)

        linear = made.linear_form(program, active, choice)
        assert linear.has_tangent == pushed.has_tangent
        first = ft.evaluate(ft.check(linear.forward), *inputs)
        close(first[: len(outputs)], outputs)
        for factor in (1, -2):
            scaled = [factor * t for t in given_]
            found = ft.evaluate(ft.check(linear.linear), *first[len(outputs) :], *scaled)
            close(found, [factor * t for t in there])
    assert made.pushed_forward(program, active) is made.pushed_forward(program, active)


@costly
@given(programs(max_steps=5), masks, masks)
def test_reverse_mode_in_two_halves(drawn, active, receives):
    program, inputs = drawn
    active = tuple(active[: len(inputs)])
    receives = tuple(receives[: len(program.outputs)])
    outputs, pullback = ft.vjp(function_of(program), *inputs)
    cotangents = random_like(outputs)
    expected = pullback(
        [c if on else np.zeros(np.shape(c)) for c, on in zip(cotangents, receives, strict=True)]
    )
    form = made.residual_form(program, active, receives)
    first = ft.evaluate(ft.check(form.forward), *inputs)
    close(first[: len(outputs)], outputs)
    taken = [c for c, on in zip(cotangents, form.takes_cotangent, strict=True) if on]
    assert not any(on and not r for on, r in zip(form.takes_cotangent, receives, strict=True))
    found = ft.evaluate(ft.check(form.backward), *first[len(outputs) :], *taken)
    close(found, [c for c, on in zip(expected, form.gives_cotangent, strict=True) if on])
    for c, on, gives in zip(expected, active, form.gives_cotangent, strict=True):
        assert gives <= on
        assert gives or not on or not np.any(c)


def test_cotangents_of_an_output_that_is_given_twice_add_up():
    program = ft.make_ir(lambda x: (y := np.sin(x), y, x))(0.5)
    form = made.residual_form(program, (True,))
    *_, slope = first = ft.evaluate(form.forward, 0.5)
    assert first[:3] == [np.sin(0.5), np.sin(0.5), 0.5]
    assert slope == np.cos(0.5)
    assert ft.evaluate(form.backward, slope, 2.0, 3.0, 7.0) == [5 * slope + 7]


@costly
@given(programs(max_steps=5), st.integers(1, 3), st.data())
def test_many_examples_are_a_loop(drawn, size, data):
    program, inputs = drawn
    axes = [data.draw(st.sampled_from([None, *range(np.ndim(x) + 1)])) for x in inputs]
    examples = [[x + 0.125 * n for n in range(size)] for x in inputs]
    stacked = [
        x if axis is None else np.stack(many, axis)
        for x, many, axis in zip(inputs, examples, axes, strict=True)
    ]
    loop = [
        ft.evaluate(
            program,
            *(
                x if axis is None else many[n]
                for x, many, axis in zip(inputs, examples, axes, strict=True)
            ),
        )
        for n in range(size)
    ]
    wanted = (True,) * len(program.outputs)
    for choice in (None, wanted):
        found = made.batched(program, size, axes, choice)
        values = ft.evaluate(ft.check(found.program), *stacked)
        assert choice is None or set(found.axes) == {0}
        for value, axis, expected in zip(values, found.axes, zip(*loop, strict=True), strict=True):
            for n, one in enumerate(expected):
                example = value if axis is None else np.take(value, n, axis)
                np.testing.assert_allclose(example, one, rtol=1e-9, atol=1e-9)


@costly
@given(programs(max_steps=5))
def test_a_transposed_program_is_the_adjoint(drawn):
    program, inputs = drawn
    active = (True,) * len(inputs)
    form = made.linear_form(program, active)
    residuals = ft.evaluate(form.forward, *inputs)[len(program.outputs) :]
    tangents = random_like(inputs)
    outputs = ft.evaluate(form.linear, *residuals, *tangents)
    cotangents = random_like(outputs, 1)
    is_linear = (*[False] * len(residuals), *active)
    transposed, mask = made.transposed(form.linear, is_linear)
    pulled = ft.evaluate(ft.check(transposed), *residuals, *cotangents)
    there = [t for t, on in zip(tangents, mask, strict=True) if on]
    left = sum(np.vdot(c, y) for c, y in zip(cotangents, outputs, strict=True))
    right = sum(np.vdot(p, t) for p, t in zip(pulled, there, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-8)


def test_captured_values_become_inputs():
    found = []

    def f(x, y):
        programs_ = [ft.make_ir(lambda z: z * x + x)(1.0), ft.make_ir(lambda z: z - y * x)(1.0)]
        alone, taken = made.closed(programs_[0])
        assert len(taken) == 1
        together, captured = made.closed_together(programs_)
        found.append((alone, together))
        assert made.closed(alone) == (alone, [])
        return sum(ft.evaluate(p, 2.0, *captured)[0] for p in together)

    # (2 x + x) + (2 - y x)
    assert ft.grad(f, (0, 1))(3.0, 5.0) == (-2.0, -3.0)
    ((alone, together),) = found
    assert [len(p.inputs) for p in (alone, *together)] == [2, 3, 3]
    for program in (alone, *together):
        assert not any(isinstance(c.value, ft.Array) and c.type.shape for c in program.constants())


def test_more_inputs_and_more_outputs():
    program = ft.make_ir(lambda x, y: x - 2 * y)(np.ones(2), np.ones(2))
    real, vector = ArrayType((), np.dtype(float)), program.inputs[0].type
    wide = ft.check(
        made.with_interface(program, [vector, real, vector], [2, 0], [real, vector], [1])
    )
    found = ft.evaluate(wide, np.array([1.0, 2.0]), 7.0, np.array([10.0, 20.0]))
    assert type_of(found[0]) == real
    assert (found[0], found[1].tolist()) == (0, [8.0, 16.0])


@pytest.mark.parametrize("code", ["f", "d", "D", "q"])
def test_outputs_take_on_types(code):
    dtype = np.dtype(code)
    program = ft.make_ir(lambda x: (x, 2, x * 3))(1)
    types = [ArrayType((), dtype)] * 3
    found = ft.check(made.with_output_types(program, types))
    assert [*output_types(found)] == types
    values = ft.evaluate(found, 5)
    assert values == [5, 2, 15]
    assert {type_of(x).dtype for x in values} == {dtype}
    assert isinstance(found.outputs[1], Constant)
    assert made.with_output_types(found, types) is found


def test_what_is_made_of_zeros_is_not_computed():
    program = ft.parse(
        dedent("""
        def program(r: float64[3], s: float64[2, 3], t: float64[3], u: float64[2]):
            a: float64[3] = multiply(t, r)
            b: float64[3] = divide(a, r)
            c: float64[3] = contract(u, s, subscripts='i,ij->j')
            d: float64[3] = add(b, c)
            e: float64[3] = multiply(d, r)
            return (e, b)
        """).strip()
    )
    without_t = made.of_nonzero(program, (False, False, True, False))
    r, s, u = np.array([np.nan, 1.0, np.inf]), np.ones((2, 3)), np.ones(2)
    product, zero = ft.evaluate(ft.check(without_t), r, s, u)
    np.testing.assert_array_equal(product, [np.nan, 2.0, np.inf])
    np.testing.assert_array_equal(zero, np.zeros(3))
    assert [e.primitive.name for e in without_t.equations] == ["contract", "multiply"]
    without_both = made.of_nonzero(program, (False, False, True, True))
    assert not without_both.equations
    np.testing.assert_array_equal(ft.evaluate(without_both, r, s), np.zeros((2, 3)))
    assert made.of_nonzero(program, (False, False, True, False)) is without_t
