"""Recording and evaluating: what goes in and comes out, which is what NumPy would do."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings

import functrace as ft
from functrace import errors
from functrace.ir.types import type_of
from functrace.transforms.evaluate import record_program, run_program, without_effects
from tests.tree.strategies import arrays, trees


@settings(max_examples=30, deadline=None)
@given(trees(arrays))
def test_inputs_and_outputs_are_the_leaves_of_the_trees(whole):
    def f(x, *, y):
        return [y, x]

    program = ft.make_ir(f)(whole, y=(whole, 2.0))
    leaves = ft.tree.leaves(whole)
    assert [v.type for v in program.inputs] == [*map(type_of, [*leaves, *leaves, 2.0])]
    values = ft.evaluate(program, *leaves, *leaves, 2.0)
    expected = ft.tree.leaves([(whole, 2.0), whole])
    for x, y in zip(values, expected, strict=True):
        assert type_of(x) == type_of(y)
        np.testing.assert_array_equal(x, y)
        assert not any(np.may_share_memory(x, leaf) for leaf in leaves if np.size(leaf))


def f_with_warnings(x):
    with np.errstate(divide="ignore"):
        x = 1 / x
    with np.errstate(invalid="ignore"):
        x = np.log(x - 2)
    return np.sqrt(x)


@pytest.mark.parametrize("x", [[1.0, 3.0], [0.0], [1.0, -1.0], [0.25], [0.4], [np.nan]])
def test_warnings_are_those_of_numpy(x):
    x = np.array(x)
    program = ft.make_ir(f_with_warnings)(x)
    caught = []
    for run in (f_with_warnings, lambda x: ft.evaluate(program, x)[0]):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            value = run(x)
        caught.append(([str(w.message) for w in found], value.tolist()))
    assert caught[0][0] == caught[1][0]
    np.testing.assert_array_equal(caught[0][1], caught[1][1])


def test_inputs_that_do_not_fit():
    program = ft.make_ir(lambda x, y: x + y)(np.ones(2), 1)
    for inputs, message in (
        ((np.ones(2),), "has 2 inputs, but 1 were given"),
        ((np.ones(3), 1), r"Input 0 of the Program has the type float64\[2\], not float64\[3\]"),
        ((np.float32([1, 2]), 1), r"not float32\[2\]"),
        ((np.ones(2), "1"), "was given a str, which is no array"),
    ):
        with pytest.raises(errors.ArgumentError, match=message):
            ft.evaluate(program, *inputs)


def test_outputs_that_are_no_arrays():
    with pytest.raises(errors.OperandError, match="returned a str"):
        ft.make_ir(lambda x: "a")(1.0)
    with pytest.raises(errors.OperandError, match="was recorded, and returned a object"):
        record_program(lambda x: object(), ft.tree.structure((0,)), [type_of(1.0)])


def test_a_text_without_its_constants_is_not_evaluated():
    large = np.arange(1000.0)
    program = ft.parse(str(ft.make_ir(lambda x: x + large)(large)))
    with pytest.raises(errors.ProgramCheckError, match="is not in the text"):
        ft.evaluate(program, large)


def test_an_error_knows_the_line_that_was_recorded():
    def f(x):
        return np.linalg.inv(x)  # here

    program = ft.make_ir(f)(np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError) as caught:
        ft.evaluate(program, np.zeros((2, 2)))
    notes = "".join(getattr(caught.value, "__notes__", []))
    assert f":{f.__code__.co_firstlineno + 1}" in notes


def noisy(x):
    ft.debug.print("{}", x)

    def step(c, _):
        ft.debug.print("{}", c)
        return c * 2, c

    loud = ft.jit(lambda x: ft.scan(step, x, None, length=3))
    return ft.cond(x > 0, loud, lambda x: (x, x + np.ones(3)), x)


def test_without_effects_the_values_are_the_same(capsys):
    program = ft.make_ir(noisy)(1.5)
    silent = ft.check(without_effects(program))
    assert not silent.has_effect
    for x in (1.5, -1.5):
        found = ft.evaluate(silent, x)
        assert capsys.readouterr().out == ""
        for one, other in zip(found, ft.evaluate(program, x), strict=True):
            np.testing.assert_array_equal(one, other)
        assert capsys.readouterr().out != ""
    assert without_effects(silent) is silent


def test_a_function_is_recorded_as_its_arguments_lie():
    def f(x):
        y = x.reshape(-1)  # a view, if the elements lie in this order
        y[:] = 0
        return x

    structure, types = ft.tree.structure((0,)), [type_of(np.ones((2, 3)))]
    for order in "CF":
        x = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
        recorded = record_program(f, structure, types, like=[x])
        (found,) = run_program(recorded.program, [x.copy(order)])
        expected = x.copy(order)
        np.testing.assert_array_equal(found, f(expected))
