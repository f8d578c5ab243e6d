"""Inlining, dead code, common subexpressions, folding and nested Programs: text in, text out."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.ir.program import DIVISION, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from functrace.primitives.elementwise import add, divide
from functrace.simplify import (
    fold_constants,
    inline,
    remove_dead_code,
    share_subexpressions,
    simplify,
)
from tests.simplify.helpers import check_pass, check_unchanged

# Inlining


def test_calls_within_calls_are_inlined():
    inner = ft.jit(lambda x: np.sin(x) * 2)
    outer = ft.jit(lambda x: inner(x) + inner(x + 1))
    found = ft.check(inline(ft.make_ir(outer)(np.ones(2))))
    assert ft.to_text(found, sources=False) == (
        "def program(a: float64[2]):\n"
        "    b: float64[2] = sin(a)\n"
        "    c: float64[2] = multiply(b, 2)\n"
        "    d: float64[2] = add(a, 1)\n"
        "    e: float64[2] = sin(d)\n"
        "    f: float64[2] = multiply(e, 2)\n"
        "    g: float64[2] = add(c, f)\n"
        "    return g"
    )


def test_custom_functions_are_inlined():
    @ft.custom_jvp
    def f(x):
        return np.sin(x) * 2

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    found = inline(ft.make_ir(f)(np.ones(2)))
    assert [equation.primitive.name for equation in found.equations] == ["sin", "multiply"]


def test_what_a_checkpoint_computes_again_is_not_shared():
    def loss(x):
        return np.sum(ft.checkpoint(lambda y: np.sin(np.exp(y)))(x))

    found = simplify(ft.make_ir(ft.value_and_grad(loss))(np.ones(2)))
    names = [equation.primitive.name for equation in found.equations]
    assert "checkpoint" in names
    again = [e.params["program"] for e in found.equations if e.primitive.name == "checkpoint"]
    assert any(e.primitive.name == "exp" for e in again[-1].equations)


def test_python_scalars_given_for_arrays_become_numpy_scalars():
    body = ft.make_ir(ft.jit(np.sin))(np.float64(1.0))
    (call,) = body.equations
    given = Constant(2.0)
    program = Program([], [call.replaced(inputs=[given])], call.outputs)
    (equation,) = inline(program).equations
    assert str(equation.inputs[0].type) == "float64"


def test_effects_keep_their_order_when_inlined():
    seen = []

    @ft.jit
    def f(x):
        ft.debug.callback(lambda v: seen.append(("inner", float(v))), x)
        return x + 1

    def g(x):
        ft.debug.callback(lambda v: seen.append(("before", float(v))), x)
        y = f(x)
        ft.debug.callback(lambda v: seen.append(("after", float(v))), y)
        f(x)
        return y

    program = simplify(ft.make_ir(g)(1.0))
    ft.evaluate(program, 1.0)
    assert seen == [("before", 1.0), ("inner", 1.0), ("after", 2.0), ("inner", 1.0)]


# Dead code


def test_what_nothing_uses_is_left_out():
    check_pass(
        remove_dead_code,
        """
        def program(a: float64[4]):
            b: float64[2]; c: float64[2]; (b, c) = split(a, boundaries=(2,), axis=0)
            d: float64[2] = sin(c)
            e: float64[2] = cos(d)
            f: float64[2] = add(b, 1)
            return f
        """,
        """
        def program(a: float64[4]):
            b: float64[2]; c: float64[2]; (b, c) = split(a, boundaries=(2,), axis=0)
            d: float64[2] = add(b, 1)
            return d
        """,
    )


# Common subexpressions


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

    assert len(simplify(ft.make_ir(f)(1.0)).equations) == 2


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


# Folding


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
    simplify(program)
    constant = Program(
        [],
        [program.equations[-2].replaced(inputs=[Constant(np.float64(2.0))])],
        program.equations[-2].outputs,
    )
    assert len(simplify(constant).equations) == 1
    assert not called


def test_captured_values_are_left_alone():
    found = []

    def f(x):
        program = ft.make_ir(lambda y: (y * x) * 1.0 + np.sin(x))(2.0)
        found.append(simplify(program))
        return ft.evaluate(found[0], 2.0)[0]

    np.testing.assert_allclose(ft.grad(f)(3.0), 2.0 + np.cos(3.0))
