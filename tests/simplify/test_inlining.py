"""What is merely run is put in place of what runs it: text in, text out."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.ir.program import Constant, Program
from functrace.simplify import (
    EXACT,
    inline,
)


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

    found = EXACT(ft.make_ir(ft.value_and_grad(loss))(np.ones(2)))
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

    program = EXACT(ft.make_ir(g)(1.0))
    ft.evaluate(program, 1.0)
    assert seen == [("before", 1.0), ("inner", 1.0), ("after", 2.0), ("inner", 1.0)]


def chain(length):
    """Calls within calls."""
    if not length:
        return np.sin
    inner = chain(length - 1)
    return ft.jit(lambda x: np.cos(inner(x) * 1.5))


def test_a_chain_of_calls_is_simplified_once():
    """A call is not simplified by itself, if it is going to be written in place."""
    program = ft.make_ir(chain(50))(0.5)
    simple = EXACT(program)
    assert len(ft.check(simple).equations) == 101
    assert not any(part.derived.keys() & {("simplified", EXACT)} for part in program.nested())
    assert ft.evaluate(simple, 0.5) == ft.evaluate(program, 0.5)
