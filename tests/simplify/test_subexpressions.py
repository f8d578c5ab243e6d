"""What is computed twice is computed once, and what differs a little is not: text in, text out."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.ir.program import DIVISION, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.primitives.elementwise import divide
from functrace.simplify import (
    EXACT,
    share_subexpressions,
)
from tests.simplify.helpers import check_pass, check_unchanged


def test_what_is_computed_twice_is_computed_once():
    check_pass(
        lambda p: share_subexpressions(p),
        """
        def program(a: float64[2], b: float64[2]):
            c: float64[2] = multiply(a, b)
            d: float64[2] = multiply(b, a)
            e: float64[2] = add(c, array((1.0, 2.0), float64[2]))
            f: float64[2] = add(d, array((1.0, 2.0), float64[2]))
            g: float64[1] = getitem(e, index=(slice(0, 1, None),))
            h: float64[1] = getitem(f, index=(slice(0, 1, None),))
            return (g, h)
        """,
        """
        def program(a: float64[2], b: float64[2]):
            c: float64[2] = multiply(a, b)
            d: float64[2] = add(c, array((1.0, 2.0), float64[2]))
            e: float64[1] = getitem(d, index=(slice(0, 1, None),))
            return (e, e)
        """,
    )


def test_what_differs_a_little_is_computed_twice():
    check_unchanged(
        share_subexpressions,
        """
        def program(a: float64[2]):
            b: float64[2] = maximum(a, 0.0)
            c: float64[2] = maximum(a, -0.0)
            d: float64[2] = maximum(a, 0)
            e: float64[2] = maximum(a, float64(0.0))
            f: float64[2] = maximum(0.0, a)
            g: float64[2] = subtract(a, b)
            h: float64[2] = subtract(b, a)
            i: float64 = sum(a, axes=None, keepdims=False, dtype=None)
            j: float64[1] = sum(a, axes=None, keepdims=True, dtype=None)
            k: float64[2] = maximum(a, array((0.0, 1.0), float64[2]))
            l: float64[2] = maximum(a, array((-0.0, 1.0), float64[2]))
            return (b, c, d, e, f, g, h, i, j, k, l)
        """,
    )


def test_large_constants_are_the_same_where_they_were_recorded_as_one():
    large, equal, other = np.arange(1000.0), np.arange(1000.0), np.arange(1000.0, 2000.0)
    program = ft.make_ir(lambda x: (x + large, x + equal, x + other))(1.0)
    assert len(share_subexpressions(program).equations) == 2


def test_programs_in_parameters_are_compared():
    def f(x):
        first = ft.checkpoint(lambda y: np.sin(y) * 2)(x)
        return first, ft.checkpoint(lambda y: np.sin(y) * 2)(x), ft.checkpoint(np.sin)(x)

    assert len(share_subexpressions(ft.make_ir(f)(1.0)).equations) == 2


def test_effects_are_never_shared():
    def f(x):
        ft.debug.print("{}", x)
        ft.debug.print("{}", x)
        return x

    assert len(EXACT(ft.make_ir(f)(1.0)).equations) == 2


def test_warnings_are_given_where_one_of_two_equations_gives_them():
    x = Variable(ArrayType((), np.dtype(np.float64)))
    outputs = [Variable(x.type), Variable(x.type)]
    silent = Equation(divide, [Constant(1.0), x], {}, outputs[:1], handling=DIVISION)
    loud = Equation(divide, [Constant(1.0), x], {}, outputs[1:])
    half = Equation(
        divide, [Constant(1.0), x], {}, outputs[1:], handling=frozenset({"divide=ignore"})
    )
    strict = Equation(
        divide, [Constant(1.0), x], {}, outputs[1:], handling=frozenset({"divide=raise"})
    )
    for equations, expected in (
        ([silent, loud], set()),
        ([loud, silent], set()),
        ([silent, silent], DIVISION),
        ([silent, half], {"divide=ignore"}),
        ([half, silent], {"divide=ignore"}),
        ([half, strict], {"divide=raise"}),
        ([loud, strict], {"divide=raise"}),
    ):
        (found,) = share_subexpressions(Program([x], equations, outputs[:1])).equations
        assert found.handling == expected
