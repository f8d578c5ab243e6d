"""Names in generated source: one for each value, none for what Python can write."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

import functrace as ft
from functrace.backends.names import Names
from functrace.extend import PRIMITIVES, Primitive, bind
from functrace.ir.types import ArrayType
from tests.backends.sources import require_same, written


@pytest.mark.parametrize("name", ["a", "b", "zz", "team", "error", "np", "k2", "range"])
def test_a_users_primitive_may_have_any_name(name):
    class Twice(Primitive):
        def run(self, x):
            return x * 2.0

        def infer(self, x):
            return ArrayType(x.shape, x.dtype)

    twice = Twice(name)
    try:
        first, second, third = np.ones((100, 100)), np.arange(100.0), np.arange(100.0) ** 2
        f = lambda x: np.sin(bind(twice, x + first[0])) @ first * second + bind(twice, x) * third
        require_same(ft.make_ir(f)(np.ones(100)), [np.linspace(0, 1, 100)])
    finally:
        del PRIMITIVES[name]


LITERALS = [0, 7, -7, 2**70, True, False, 2.5, -2.5, 0.0, -0.0, 1e300, 5e-324]


@pytest.mark.parametrize("value", LITERALS)
def test_numbers_of_pythons_are_literals(value):
    names = Names()
    text = names.constant(value)
    assert not names.globals
    assert repr(eval(text)) == repr(value)
    if abs(value) < 100:
        assert eval(f"{text} ** 2") == value**2  # also where something stands beside it


def test_a_constant_has_one_name():
    names = Names()
    array = np.arange(3.0)
    for same in (
        [array, array],
        [np.float64(2.0), np.float64(2.0)],
        [np.array(2.0), np.array(2.0)],
        [float("nan"), float("nan")],
        [float("inf"), float("inf")],
        [1j, 1j],
    ):
        first, second = map(names.constant, same)
        assert first == second
        assert names.globals[first] is same[0]
    names.constant(array.copy())  # which somebody may write
    for value in (np.float32(2.0), np.float64(-0.0), np.float64(0.0), -float("inf")):
        names.constant(value)
    assert len(names.globals) == 11


def test_functions_of_one_name_are_told_apart():
    names = Names()
    functions = [lambda: 1, lambda: 2, lambda: 3]
    texts = [names.function("sin", function) for function in functions]
    assert len(set(texts)) == 3
    assert [names.globals[text]() for text in texts] == [1, 2, 3]
    assert names.function("sin", functions[1]) == texts[1]


def test_parameters_are_read_back_as_they_were():
    names = Names()
    for value in (None, "ij,jk", "{0}", (), (1,), (1, (None, -2), "a"), np.dtype(float), (1.5, {})):
        text = names.parameter(value)
        assert "{" not in text  # they stand in templates
        assert eval(text, dict(names.globals)) == value


def test_no_variable_is_called_like_a_function_of_pythons():
    def f(x):
        for _ in range(500):
            x = np.sin(x) * 1.5
        return x

    run = written(f, 0.5).run
    called = run.__code__.co_varnames
    assert len(called) > 1000  # beyond id, abs and all
    assert not set(called).intersection(dir(builtins))
    np.testing.assert_allclose(run(0.5)[0], f(0.5), rtol=1e-12)
