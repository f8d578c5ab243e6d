"""Programs that are recorded from types alone."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.ir.types import UNKNOWN, type_of
from functrace.tracing.program_recording import ProgramRecording, is_made_alike
from functrace.transforms.evaluate import evaluate
from tests.tracing.ways import THREE


def test_a_program_under_a_tape_and_a_tape_under_a_program():
    gradient = ft.make_ir(ft.grad(lambda x: np.sin(x) * x))(2.0)
    assert evaluate(gradient, 2.0) == [np.sin(2.0) + np.cos(2.0) * 2.0]
    kept = []
    value = ft.grad(lambda x: kept.append(ft.make_ir(lambda y: x * y)(3.0)) or x)(2.0)
    assert value == 1.0
    assert "captured(weak_float64)" in str(kept[0])


def test_arrays_captured_by_a_program_are_its_constants():
    y = np.array([1.0, 2.0, 3.0])
    program = ft.make_ir(lambda x: x * y + y)(THREE)
    assert len(list(program.constants())) == 1


def test_a_value_has_one_variable_and_an_array_one_constant():
    with ProgramRecording() as recording:
        x = recording.input(type_of(THREE))
        assert recording.atom(x) is x.known_as is recording.inputs[0]
        assert recording.atom(THREE) is recording.atom(THREE)
        assert recording.atom(THREE) is not recording.atom(THREE + 1.0)
        assert x.value is UNKNOWN


def test_a_number_that_is_captured_again_is_the_same_constant():
    half, other = 0.5, float("0.5")
    with ProgramRecording() as recording:
        assert recording.atom(half) is recording.atom(half)
        assert recording.atom(half) is not recording.atom(other)
        assert recording.atom(other).value is other


def test_an_outer_value_that_is_written_between_is_captured_as_it_is_each_time():
    def f(x):
        x = x * 1.0

        def inner(y):
            before = x[0] * y
            x[0] = 7.0
            return before + x[0] * y

        return ft.grad(inner)(2.0)

    x = np.array([3.0, 1.0])
    assert ft.jit(f)(x) == f(x) == 10.0


def test_a_captured_array_is_kept_as_it_was():
    y = THREE.copy()

    def f(x):
        z = x * y
        y[:] = 0.0
        return z

    program = ft.make_ir(f)(THREE)
    np.testing.assert_array_equal(evaluate(program, THREE)[0], THREE * THREE)


def test_the_program_has_the_values_of_the_function():
    f = lambda x: (np.cumsum(np.sin(x) * 2.0)[::-1], x)
    with ProgramRecording() as recording:
        x = recording.input(type_of(THREE))
        program = recording.program(f(x))
    for given in (THREE, -THREE):
        for found, expected in zip(evaluate(program, given), f(given), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("f", [np.sum, lambda x: x[0], lambda x: x.reshape(3), np.negative])
def test_what_is_an_array_is_told_as_numpy_does(f):
    with ProgramRecording() as recording:
        y = f(recording.input(type_of(THREE)))
        assert recording.is_array(y.known_as) == isinstance(f(THREE), np.ndarray)


def test_values_made_alike_are_told_from_others():
    def compared(f, g):
        with ProgramRecording() as recording:
            x = recording.input(type_of(THREE))
            return is_made_alike(f(x), g(x), np.array_equal)

    assert compared(lambda x: np.sin(x) * 2.0, lambda x: np.sin(x) * 2.0)
    assert compared(lambda x: x * THREE, lambda x: x * THREE.copy())
    assert not compared(lambda x: x[:2], lambda x: x[1:])
    for other in (
        lambda x: np.cos(x) * 2.0,
        lambda x: np.sin(x) * 3.0,
        lambda x: np.sin(x) + 2.0,
        lambda x: np.sin(x),
        lambda x: np.sin(x[::-1]) * 2.0,
    ):
        assert not compared(lambda x: np.sin(x) * 2.0, other)


def test_values_are_called_by_the_names_behind_them():
    found = []

    def f(weights, bias):
        hidden = np.sin(weights["w"]) * 2.0 + bias
        del bias
        found.append(hidden.recording.names_behind(np.cos(hidden)))
        found.append(hidden.recording.names_behind(weights["w"]))
        return hidden

    ft.make_ir(f)({"w": THREE}, 1.0)
    assert found == [["hidden"], ["weights['w']"]]


@pytest.mark.parametrize("inferred", [None, (3,), np.float64])
def test_a_rule_that_returns_no_type_is_refused(inferred):
    class Wrong(ft.extend.Primitive):
        def run(self, x):
            return x

        def infer(self, x):
            return inferred

    wrong = Wrong("wrong_for_test_program_recording")
    with pytest.raises(errors.PrimitiveError, match="infer rule of"):
        ft.make_ir(lambda x: ft.extend.bind(wrong, x))(THREE)
