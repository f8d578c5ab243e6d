"""All passes together: on gradients, on texts without their constants, and on long Programs."""

from __future__ import annotations

import time

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.ir.primitive import PRIMITIVES
from functrace.ir.program import Atom, Constant, Equation, Program, Variable
from functrace.ir.types import ArrayType
from tests.simplify.helpers import assert_close, check_unchanged


def network(parameters, x, y):
    for weights, bias in parameters[:-1]:
        x = np.tanh(x @ weights + bias)
    weights, bias = parameters[-1]
    return np.mean((x @ weights + bias - y) ** 2)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def mixture(x):
    return np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log(1 + x**2) * np.sin(x))


def recurrent(w, u, xs):
    def step(h, x):
        h = np.tanh(w @ h + u @ x)
        return h, h

    return np.sum(ft.scan(step, np.zeros(4), xs)[1] ** 2)


RNG = np.random.default_rng(0)
PARAMETERS = [(RNG.normal(size=(4, 8)), np.zeros(8)), (RNG.normal(size=(8, 1)), np.zeros(1))]
EXAMPLES = {
    "network": (
        ft.grad(network),
        (PARAMETERS, RNG.normal(size=(5, 4)), RNG.normal(size=(5, 1))),
        17,
    ),
    "Rosenbrock": (ft.grad(rosenbrock), (RNG.normal(size=5),), 14),
    "Hessian": (ft.hessian(rosenbrock), (RNG.normal(size=5),), 17),
    "mixture": (ft.grad(mixture), (RNG.normal(size=5),), 20),
    "recurrent": (ft.grad(recurrent, (0, 1)), (np.eye(4), np.ones((4, 3)), np.ones((6, 3))), 8),
}
"""Functions, their arguments, and how many equations there may be."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_are_short(name):
    f, arguments, count = EXAMPLES[name]
    program = ft.make_ir(f)(*arguments)
    found = ft.check(simplify(program))
    assert len(found.equations) <= count
    leaves = ft.tree.leaves(arguments)
    assert_close(ft.evaluate(found, *leaves), ft.evaluate(program, *leaves))


@pytest.mark.parametrize("name", EXAMPLES)
def test_equations_keep_their_place_in_the_code(name):
    f, arguments, _ = EXAMPLES[name]
    assert all(e.source is not None for e in simplify(ft.make_ir(f)(*arguments)).equations)


def test_what_is_silent_about_warnings_stays_so():
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x) ** 3 / x, 0.0))

    program = simplify(ft.make_ir(ft.grad(f))(np.zeros(2)))
    assert any(equation.handling for equation in program.equations)
    np.testing.assert_array_equal(ft.grad(ft.jit(f))(np.ones(2)), ft.grad(f)(np.ones(2)))


def test_texts_without_their_constants_are_simplified():
    check_unchanged(
        simplify,
        """
        def program(a: float64[5, 5], b: float64):
            c: float64[5, 5] = multiply(array(..., float64[5, 5]), a)
            d: float64 = multiply(captured(float64), b)
            return (c, d)
        """,
    )


def test_outputs_that_are_inputs_or_constants():
    program = ft.make_ir(lambda x: (x * 1, np.float64(2.0) + 1, x))(np.ones(2))
    found = simplify(program)
    assert not found.equations
    assert_close(ft.evaluate(found, np.ones(2)), ft.evaluate(program, np.ones(2)))


def _chain(count: int) -> Program:
    x = Variable(ArrayType((5,), np.dtype(np.float64)))
    last = x
    equations: list[Equation] = []
    for number in range(count):
        output = Variable(x.type)
        name, *others = [("sin",), ("multiply", Constant(1.5)), ("add", x), ("negative",)][
            number % 4
        ]
        equations.append(Equation(PRIMITIVES[name], [last, *others], {}, [output]))
        last = output
    return Program([x], equations, [last])


def _wide(count: int) -> Program:
    rng = np.random.default_rng(0)
    type = ArrayType((5,), np.dtype(np.float64))
    inputs = [Variable(type) for _ in range(20)]
    atoms: list[Atom] = [*inputs]
    equations: list[Equation] = []
    for _ in range(count):
        x, y = (atoms[rng.integers(len(atoms))] for _ in range(2))
        name, *given = [("negative", x), ("power", x, Constant(3)), ("add", x, y)][rng.integers(3)]
        output = Variable(type)
        equations.append(Equation(PRIMITIVES[name], given, {}, [output]))
        atoms.append(output)
    return Program(inputs, equations, atoms[-count // 2 :])


@pytest.mark.slow
@pytest.mark.parametrize("make", [_chain, _wide])
def test_the_time_grows_with_the_number_of_equations_only(make):
    seconds: list[float] = []
    for count in (2_000, 16_000):
        program = make(count)
        start = time.process_time()
        simplify(program)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 8 * 4 * seconds[0] + 1
