"""What the passes share: a Program written anew means the same, and constants are what they are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.ir.program import Constant
from functrace.ir.types import ArrayType, type_of
from functrace.primitives import elementwise, shaping
from functrace.simplify.rewriting import (
    Scope,
    inferred_type,
    is_known,
    rewrite,
    uniform_element,
    use_counts,
)
from tests.simplify.helpers import assert_same_bits
from tests.strategies import programs

costly = settings(max_examples=15, deadline=None)


def as_it_is(equation, scope):
    scope.append(equation)


def written_again(equation, scope):
    """Every equation as a new one, whose outputs stand for the old ones."""
    outputs = scope.emit_all(
        equation, equation.primitive, equation.inputs, equation.params
    ) if equation.primitive.multiple_outputs else [
        scope.emit(equation, equation.primitive, *equation.inputs, **equation.params)
    ]  # fmt: skip
    for old, new in zip(equation.outputs, outputs, strict=True):
        scope.replace(old, new)


@costly
@given(programs())
def test_a_program_written_anew_means_the_same(drawn):
    program, inputs = drawn
    assert rewrite(program, as_it_is) is program
    found = ft.check(rewrite(program, written_again))
    old = {variable for equation in program.equations for variable in equation.outputs}
    assert old.isdisjoint(atom for e in found.equations for atom in (*e.inputs, *e.outputs))
    assert_same_bits(ft.evaluate(found, *inputs), ft.evaluate(program, *inputs))
    assert [e.source for e in found.equations] == [e.source for e in program.equations]


@costly
@given(programs())
def test_uses_are_counted(drawn):
    program, _ = drawn
    counted = []

    def step(equation, scope):
        counted.extend(equation.inputs)
        assert all(scope.uses[atom] >= 1 for atom in equation.inputs)
        scope.append(equation)

    rewrite(program, step, counts_uses=True)
    assert use_counts(program) == Counter([*counted, *program.outputs])


@costly
@given(programs(), st.sampled_from([ft.jit, ft.checkpoint]))
def test_an_inserted_program_is_the_equation_that_ran_it(drawn, wrap):
    program, inputs = drawn
    held = ft.make_ir(wrap(lambda *xs: ft.evaluate(program, *xs)))(*inputs)

    def step(equation, scope):
        found = scope.insert(equation, equation.params["program"], equation.inputs)
        for old, new in zip(equation.outputs, found, strict=True):
            scope.replace(old, new)

    if not any(equation.programs for equation in held.equations):
        return
    held = ft.Program(held.inputs, held.equations, held.outputs)
    found = ft.check(rewrite(held, step))
    assert_same_bits(ft.evaluate(found, *inputs), ft.evaluate(program, *inputs))


def test_what_made_a_variable():
    program = ft.make_ir(lambda x: np.sin(x) * np.cos(x) + np.cos(x))(1.0)
    scope = Scope(program, counts_uses=True)
    for equation in program.equations:
        scope.append(equation)
    sine, cosine, product, again, total = program.equations
    assert scope.made_by(sine.outputs[0], elementwise.sin) is sine
    assert scope.made_by(sine.outputs[0], elementwise.cos) is None
    assert scope.made_by(program.inputs[0], elementwise.sin) is None
    assert scope.used_once_by(again.outputs[0], elementwise.cos) is again
    assert scope.used_once_by(program.inputs[0], elementwise.sin) is None
    assert scope.program() is program
    scope.replace(again.outputs[0], cosine.outputs[0])
    assert scope.used_once_by(cosine.outputs[0], elementwise.cos) is None
    assert [product, total] == scope.equations[-3::2]


def same_bits(x, y):
    return x.tobytes() == y.tobytes()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, -0.0, np.nan, 1.0]), min_size=1, max_size=4),
    st.sampled_from(["d", "f", "D", "q", "?"]),
    st.sampled_from([(), (2,), (1, 3), (0,)]),
    st.booleans(),
)
def test_arrays_of_one_element(elements, dtype, before, is_turned):
    with np.errstate(all="ignore"):
        row = np.array(elements).astype(dtype)
    x = np.broadcast_to(row, (*before, row.size))
    x = x.T if is_turned else x
    found = uniform_element(Constant(x))
    is_one = x.size > 0 and all(same_bits(element, row[0]) for element in row)
    assert (found is not None) == is_one
    if is_one:
        assert type_of(found.value) == ArrayType((), row.dtype)
        assert same_bits(found.value, row[0])


def test_what_is_known():
    assert is_known(Constant(2.0))
    assert not is_known(ft.make_ir(np.sin)(1.0).inputs[0])
    assert uniform_element(Constant(2)).value == 2
    program = ft.make_ir(lambda x: x)(np.ones((2, 3)))
    assert inferred_type(shaping.reshape_primitive, program.inputs, {"shape": (6,)}).shape == (6,)
    assert inferred_type(shaping.reshape_primitive, program.inputs, {"shape": (5,)}) is None


@pytest.mark.parametrize("primitive", [elementwise.add, elementwise.multiply])
def test_the_shapes_of_new_equations_fit(primitive):
    program = ft.make_ir(lambda x, y: (x, y, np.sin(x)))(np.ones(2), np.ones(3))
    scope = Scope(program)
    with pytest.raises(ValueError, match="broadcast"):
        scope.emit(program.equations[0], primitive, *program.inputs)
    assert not scope.equations
