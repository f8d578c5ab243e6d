"""What is recorded of a function: Programs, forward and backward values of all steps."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, NotCallableError
from functrace.exploring.recording import explored


def found(f, *args, **options):
    return explored(f, args, options)


def gradients(exploration):
    """The gradient by each argument that can have one, by its name."""
    gradient = exploration.gradient
    return {
        x.name: gradient.values[gradient.numbers[n][0]]
        for n, x in enumerate(exploration.inputs)
        if x.has_gradient and gradient.numbers[n][0] is not None
    }


def test_every_step_has_its_derivative():
    def f(x, y):
        a = x * y
        b = np.sin(a)
        return b * x

    x, y = 0.7, -1.3
    exploration = found(f, x, y)
    values = {path: made[0] for path, made in exploration.values.items()}
    np.testing.assert_allclose([*values.values()], [x * y, np.sin(x * y), f(x, y)])
    gradient = exploration.gradient
    backward = [gradient.values[gradient.numbers[path][0]] for path in values]
    np.testing.assert_allclose(backward, [np.cos(x * y) * x, x, 1.0])
    expected = ft.grad(f, argnums=(0, 1))(x, y)
    np.testing.assert_allclose([*gradients(exploration).values()], expected)


def test_the_gradients_program_computes_the_gradient():
    params = {"W": np.linspace(-1, 1, 6).reshape(2, 3), "b": np.ones(3)}

    def loss(params, x, *, scale):
        return np.mean(np.tanh(x @ params["W"] + params["b"]) ** 2) * scale

    x = np.arange(4.0).reshape(2, 2)
    exploration = found(loss, params, x, scale=2.0)
    assert [x.name for x in exploration.inputs] == ["params['W']", "params['b']", "x", "scale"]
    value, *parts = ft.evaluate(exploration.gradient.program, *ft.tree.leaves((params, x, 2.0)))
    assert value == loss(params, x, scale=2.0)
    expected = ft.grad(lambda p, x: loss(p, x, scale=2.0), argnums=(0, 1))(params, x)
    for part, wanted in zip(parts, ft.tree.leaves(expected), strict=False):
        np.testing.assert_allclose(part, wanted)
    np.testing.assert_allclose(gradients(exploration)["params['b']"], expected[0]["b"])


def test_what_is_zero_by_its_meaning_stays_zero():
    def f(x):
        return np.where(x > 0, x * np.log(x), 0.0)

    with np.errstate(all="ignore"):
        assert gradients(found(f, 0.0)) == {"x": ft.grad(f)(0.0)} == {"x": 0.0}


def test_steps_within_calls_are_steps():
    @ft.jit
    def inner(x):
        return np.sin(x) * 2

    exploration = found(lambda x: inner(inner(x)), 0.5)
    assert sorted(exploration.values) == [(0,), (0, 0), (0, 1), (1,), (1, 0), (1, 1)]
    first, second = (exploration.values[path][0] for path in ((0, 1), (1, 1)))
    assert first == 2 * np.sin(0.5)
    assert second == 2 * np.sin(first)
    gradient = exploration.gradient
    assert gradient.values[gradient.numbers[0, 1][0]] == 2 * np.cos(first)


def test_where_python_asks_for_values_the_program_is_that_of_these_values():
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result = result * x
        return result if result > 0 else -result

    exploration = found(power, -2.0, 3)
    assert exploration.is_decided
    assert [x.name for x in exploration.inputs] == ["x"]
    assert ft.evaluate(exploration.program, -3.0) == [27.0]
    assert gradients(exploration) == {"x": ft.grad(power)(-2.0, 3)}
    assert not found(lambda x: x * 2, 1.0).is_decided


def test_arguments_that_a_function_takes_for_static():
    def power(x, n):
        return x**n if n > 1 else x

    exploration = found(ft.jit(power, static_argnums=1), 3.0, 2)
    assert gradients(exploration) == {"x": 6.0}


def test_errors_are_those_of_the_function():
    with pytest.raises(ft.errors.ShapeMismatchError, match=r"test_recording\.py"):
        found(lambda x: x @ np.ones(5), np.ones(3))
    with pytest.raises(ft.errors.OperandError):
        found(lambda x: "a word", 1.0)


def test_one_of_several_results_is_chosen():
    def f(x):
        return {"a": np.sin(x), "n": np.sum(x), "whole": 3}

    x = np.arange(3.0)
    exploration = found(f, x)
    assert exploration.results == ("result['a']", "result['n']", "result['whole']")
    gradient = exploration.gradient
    assert gradient.outputs == [0, 1]
    np.testing.assert_array_equal(gradient.seeds[0], [1, 0, 0])
    np.testing.assert_allclose(gradients(exploration)["x"], [1, 0, 0])
    other = ft.evaluate(gradient.program, x, np.zeros(3), 2.0)[-1]
    np.testing.assert_array_equal(other, [2, 2, 2])


def test_one_result_that_is_returned_twice():
    def f(x):
        y = np.sum(x**2)
        return y, y

    gradient = found(f, np.ones(2)).gradient
    np.testing.assert_array_equal(ft.evaluate(gradient.program, np.ones(2), 1.0, 1.0)[-1], [4, 4])


def test_arguments_that_are_no_arrays_are_handed_on():
    def f(x, kind, *, negate):
        y = np.tanh(x) if kind == "tanh" else x
        return -y if negate is None else y

    exploration = found(f, 0.5, "tanh", negate=None)
    assert [x.name for x in exploration.inputs] == ["x"]
    assert exploration.values[1,][0] == -np.tanh(0.5)
    with pytest.raises(ArgumentError, match="needs an argument"):
        found(lambda kind: 1.0, "tanh")
    with pytest.raises(NotCallableError):
        ft.explore(3.0)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda n: n * 2 + 1, 3),
        (lambda flags: ~flags, np.array([True, False])),
        (lambda key: ft.random.normal(key), ft.random.key(0)),
        (lambda x: 3.0, 1.0),
        (lambda x: None, 1.0),
        (lambda x: np.argmax(x), np.ones(3)),
        (lambda x: x * 2, np.zeros((0, 3))),
    ],
)
def test_where_there_is_no_gradient_there_are_values(f, x):
    exploration = found(f, x)
    assert exploration.gradient is None
    expected = ft.tree.leaves(f(x))
    computed = ft.evaluate(exploration.program, *[x.value for x in exploration.inputs])
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_effects_happen_once(capsys):
    def f(x):
        ft.debug.print("x is {}", x)
        return x * 2

    found(f, 1.5)
    assert capsys.readouterr().out == "x is 1.5\n"


def test_control_flow_and_rules_of_the_users():
    @ft.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda x, t: (cube(*x), 3 * x[0] ** 2 * t[0]))

    def f(x):
        c, rows = ft.scan(lambda c, r: (np.sin(c * r), c), x, np.arange(1.0, 4.0))
        c = ft.cond(c > 0, lambda c: c * 2, lambda c: -c, c)
        return cube(c) + np.sum(rows) + ft.checkpoint(np.tanh)(x)

    np.testing.assert_allclose(gradients(found(f, 0.7))["x"], ft.grad(f)(0.7))


def test_writing_in_place():
    def f(x):
        y = x.copy()
        y[0] = 3 * y[1]
        y[1:] *= x[:-1]
        return np.sum(y**2)

    x = np.arange(1.0, 4.0)
    np.testing.assert_allclose(gradients(found(f, x))["x"], ft.grad(f)(x))
