"""A plan as a value: what is known when it is carried out, as often as one likes."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_source import Written, plan_function


def test_numbers_that_only_loops_read_are_tuples():
    def f(xs):
        _, ys = ft.scan(lambda c, x: (c * x, np.sin(c) + x), 1.0, xs)
        total, _ = ft.scan(lambda c, y: (np.exp(c) * y, None), 0.5, ys)
        return total

    def g(xs):
        _, ys = ft.scan(lambda c, x: (c * x, np.sin(c) + x), 1.0, xs)
        total, _ = ft.scan(lambda c, y: (np.exp(c) * y, None), 0.5, ys)
        return total, ys

    assert ": tuples" in str(plan_function(ft.make_ir(f)(np.ones(5))))
    assert ": numbers" in str(plan_function(ft.make_ir(g)(np.ones(5))))


def test_a_plan_is_written_as_often_as_one_likes():
    program = ft.make_ir(lambda x: np.tanh(x * 2.0) + x)(np.ones(3))
    plan = plan_function(program)
    before = str(plan)
    Written(program, frozenset(), "program")
    assert str(plan) == before == str(plan_function(program))
