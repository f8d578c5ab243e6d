"""The last write that a read finds something of, in long lines of writes."""

from typing import Any

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.backends.numpy_passes import simplify
from functrace.simplify import EXACT
from tests.backends.sources import require_same


def names(program):
    return [equation.primitive.name for equation in EXACT(program).equations]


def test_a_number_that_was_written_long_ago_is_found_among_many_writes():
    def f(x):
        y = fnp.zeros((100, 3))
        for i in range(100):
            y[i] = x * i
        return y, y[7] + y[93, 1]

    program = ft.make_ir(f)(np.ones(3))
    assert "getitem" not in names(program)
    require_same(simplify(program), [np.arange(3.0)])


def test_what_is_large_is_read_from_the_array_if_it_was_written_long_ago():
    def f(x):
        y = fnp.zeros((20, 1000))
        for i in range(20):
            y[i] = x * i
        return y, y[1], y[18]

    program = ft.make_ir(f)(np.ones(1000))
    assert names(program).count("getitem") == 1
    require_same(simplify(program), [np.arange(1000.0)])


@pytest.mark.parametrize("between", [(slice(None), 1), (slice(0, 9), slice(1, 2)), (..., 1)])
def test_writes_to_several_rows_hide_what_was_written(between):
    def f(x):
        y = fnp.zeros((10, 3))
        for i in range(10):
            y[i] = x * i
        y[between] = 5.0
        for i in range(6, 9):
            y[i, 2] = 7.0
        return y[-8] * 1.0, y[7, 0] * 1.0, y[5:8] * 1.0

    program = ft.make_ir(f)(np.ones(3))
    for found, expected in zip(
        ft.evaluate(simplify(program), np.arange(3.0)), f(np.arange(3.0)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_two_lines_of_writes_that_begin_alike_are_kept_apart():
    text = """
def program(a: float64[4], b: float64, c: float64):
    d: float64[4] = index_update(a, b, index=(0,))
    e: float64[4] = index_update(d, b, index=(1,))
    f: float64[4] = index_update(d, c, index=(1,))
    g: float64 = element(e, index=(1,))
    h: float64 = element(f, index=(1,))
    i: float64 = element(f, index=(0,))
    j: float64 = element(f, index=(3,))
    return e, f, g, h, i, j
"""
    simple = EXACT(ft.parse(text))
    given = dict[Any, str](zip(simple.inputs, "abc", strict=True))
    assert [given.get(atom) for atom in simple.outputs[2:5]] == ["b", "c", "b"]
    (last,) = [e for e in simple.equations if simple.outputs[5] in e.outputs]
    assert given[last.inputs[0]] == "a"
