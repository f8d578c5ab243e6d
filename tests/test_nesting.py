"""Every transformation of the result of every other, against the definition without nesting."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import functrace as ft


def smooth(x):
    return np.sin(x) * x**2


def with_a_branch(x):
    outside = np.sin(x)
    return x * ft.cond(
        x > 0.8,
        lambda a, b: np.log(a - 0.7) * b * outside,
        lambda a, b: np.sqrt(0.9 - a) + a**3,
        x,
        x * x,
    )


def with_a_switch(x):
    return ft.switch(
        np.floor(x * 2).astype(np.int64),
        [np.sin, lambda x: np.exp(x) * x, ft.jit(lambda x: x**3)],
        x,
    )


WEIGHTS = np.array([[0.3, -0.2], [0.1, 0.5]])


def with_a_scan(x):
    def step(carry, row):
        state, n = carry
        state = np.tanh(WEIGHTS @ state + row * x)
        return (state, n + 1), state[0] * row + x

    (state, n), rows = ft.scan(step, (np.array([0.1, 0.2]), 0), np.linspace(0.1, 1, 4))
    return np.sum(state) * x + np.sum(rows**2) * n


def with_a_scan_over_traced_rows(x):
    step = lambda carry, row: (carry * np.sin(row) + x, carry * row)
    last, rows = ft.scan(step, x, x * np.arange(1.0, 4.0), reverse=True)
    return last * np.sum(rows)


def with_a_while_loop(x):
    grow = lambda carry: (carry[0] * carry[0] * 0.5 + np.sin(x) + 1.5, carry[1] + 1)
    y, n = ft.while_loop(lambda carry: carry[0] < 20.0 * x, grow, (x + 1.0, 0))
    return y * x + n * x


def with_a_loop_of_traced_length(x):
    trips = np.floor(x * 4 + 0.1).astype(np.int64)
    return ft.fori_loop(0, trips, lambda i, y: y * np.sin(x + i) + x, x)


FUNCTIONS = {
    f.__name__: f
    for f in (
        smooth,
        with_a_branch,
        with_a_switch,
        with_a_scan,
        with_a_scan_over_traced_rows,
        with_a_while_loop,
        with_a_loop_of_traced_length,
    )
}
# Each takes a function of one number to another; how often it differentiates stands beside it.
TRANSFORMATIONS = {
    "grad": (ft.grad, 1),
    "jvp": (lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1], 1),
    "linearize": (lambda f: lambda x: ft.linearize(f, x)[1](1.0), 1),
    "checkpoint": (ft.checkpoint, 0),
    "jit": (ft.jit, 0),
    "vmap": (lambda f: lambda x: ft.vmap(f)(np.reshape(x, (1,)))[0], 0),
}
POINTS = np.array([0.3, 0.55, 0.75, 0.85, 1.2])


def derivative(f, order):
    for _ in range(order):
        f = ft.grad(f)
    return f


@functools.cache
def expected_derivatives(name, order):
    exact = derivative(FUNCTIONS[name], order)
    return [exact(x) for x in POINTS]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("order", [1, 2])
def test_the_definition_itself(name, order):
    lower = derivative(FUNCTIONS[name], order - 1)
    exact = derivative(FUNCTIONS[name], order)
    for x in POINTS:
        step = 1e-5
        numerical = (lower(x + step) - lower(x - step)) / (2 * step)
        assert exact(x) == pytest.approx(numerical, rel=1e-6, abs=1e-6)


def compositions():
    """Every function under up to three transformations.

    Most under three are slow; the others have each two transformations at any two places.
    """
    numbers = {name: number for number, name in enumerate(TRANSFORMATIONS)}
    for depth in (1, 2, 3):
        for names in itertools.product(TRANSFORMATIONS, repeat=depth):
            is_chosen = sum(numbers[name] for name in names) % len(numbers) == 0
            for name in FUNCTIONS:
                is_slow = depth == 3 and not (is_chosen and name == "with_a_branch")
                marks = [pytest.mark.slow] * is_slow
                yield pytest.param(name, names, id=f"{'-'.join(names)}-{name}", marks=marks)


@pytest.mark.parametrize(("name", "names"), [*compositions()])
def test_every_composition(name, names):
    f = FUNCTIONS[name]
    order = 0
    for transformation in names:
        transform, differentiates = TRANSFORMATIONS[transformation]
        f = transform(f)
        order += differentiates
    expected = expected_derivatives(name, order)
    np.testing.assert_allclose([f(x) for x in POINTS[3:]], expected[3:], rtol=1e-9)
    np.testing.assert_allclose(ft.vmap(f)(POINTS), expected, rtol=1e-9)


def test_a_branch_never_sees_the_examples_of_another():
    x = np.array([-1.0, 0.0, 4.0])
    safe_log = lambda x: ft.cond(x > 0, np.log, lambda x: x, x)
    for f in (ft.vmap(safe_log), ft.jit(ft.vmap(safe_log))):
        np.testing.assert_array_equal(f(x), [-1.0, 0.0, np.log(4.0)])
    for f in (ft.vmap(ft.grad(safe_log)), ft.grad(lambda x: np.sum(ft.vmap(safe_log)(x)))):
        np.testing.assert_array_equal(f(x), [1.0, 1.0, 0.25])


def test_captured_values_of_every_transformation():
    def f(a):
        inner = lambda x: (
            ft.jit(lambda y: y * a + x)(x) * ft.cond(x > 0, lambda y: y * a, np.sin, x)
        )
        return ft.grad(inner)(2.0)

    # inner(x) = (x a + x) x a; d/dx = 2 (a + 1) a x; d/da of that at x = 2: 4 (2 a + 1)
    assert f(3.0) == 48.0
    assert ft.grad(f)(3.0) == 28.0
    assert ft.jvp(f, (3.0,), (1.0,))[1] == 28.0
    np.testing.assert_array_equal(ft.vmap(ft.grad(f))(np.array([1.0, 3.0])), [12.0, 28.0])
    assert ft.jit(ft.grad(ft.jit(f)))(3.0) == 28.0
