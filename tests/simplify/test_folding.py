"""What depends on constants only is computed beforehand, where it may be: text in, text out."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.ir.program import Constant, Equation, Program, Variable
from functrace.primitives.elementwise import add
from functrace.simplify import (
    EXACT,
    fold_constants,
)
from tests.simplify.helpers import check_pass, check_unchanged


def test_constants_are_folded_with_their_types():
    check_pass(
        fold_constants,
        """
        def program():
            a: weak_float64 = multiply(2.0, 3)
            b: float64 = sin(0.0)
            c: float64[2] = multiply(array((1.0, 2.0), float64[2]), a)
            d: weak_bool = less(1, 2.0)
            return (a, b, c, d)
        """,
        """
        def program():
            return (6.0, float64(0.0), array((6.0, 12.0), float64[2]), True)
        """,
    )


def test_what_raises_or_is_large_is_not_folded():
    check_unchanged(
        fold_constants,
        """
        def program():
            a: weak_float64 = divide(1, 0)
            b: float64[2, 2] = inverse(array(((1.0, 1.0), (1.0, 1.0)), float64[2, 2]))
            c: float64[100, 100] = broadcast_to(1.0, shape=(100, 100))
            return (a, b, c)
        """,
    )


def test_large_results_of_large_inputs_are_folded():
    large = np.ones((100, 100))
    program = ft.make_ir(lambda x: x + np.sum(ft.stop_gradient(large)))(1.0)
    constant = Constant(large)
    output = Variable(constant.type)
    program = Program([], [Equation(add, [constant, constant], {}, [output])], [output])
    assert not fold_constants(program).equations


def test_callbacks_are_not_folded():
    called = []

    def host(x):
        called.append(x)
        return x

    shape = ft.ShapeDtypeStruct((), np.float64)
    program = ft.make_ir(lambda x: x + ft.pure_callback(host, shape, x * 0 + 2.0))(1.0)
    EXACT(program)
    constant = Program(
        [],
        [program.equations[-2].replaced(inputs=[Constant(np.float64(2.0))])],
        program.equations[-2].outputs,
    )
    assert len(EXACT(constant).equations) == 1
    assert not called


def test_captured_values_are_left_alone():
    found = []

    def f(x):
        program = ft.make_ir(lambda y: (y * x) * 1.0 + np.sin(x))(2.0)
        found.append(EXACT(program))
        return ft.evaluate(found[0], 2.0)[0]

    np.testing.assert_allclose(ft.grad(f)(3.0), 2.0 + np.cos(3.0))
