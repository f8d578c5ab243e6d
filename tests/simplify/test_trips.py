"""What scans do for all trips at once, before or after the loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_passes import simplify
from tests.simplify.helpers import check_values
from tests.strategies import programs

RNG = np.random.default_rng(0)


# What stays


def test_trips_of_unknown_number_stay():
    def f(x):
        def body(state):
            k, total, y = state
            return k + 1, total + np.sin(y), y * 0.9

        return ft.while_loop(lambda state: state[0] < 5, body, (0, 0.0, x))[1]

    check_values(ft.grad(f), 0.3)


def test_a_loop_of_no_trips_returns_what_it_was_given():
    f = lambda h, x: ft.scan(lambda c, y: (c + np.sin(y), np.cos(y)), h, x)
    check_values(f, 2.0, np.ones(0))


def test_divisions_of_the_way_back_stay_silent():
    def f(x, y):
        def step(c, z):
            return c * 0.5, np.where(z > 0, np.sqrt(z), 0.0)

        return np.sum(ft.scan(step, x, y)[1])

    y = np.array([0.0, 1.0, 2.0, 4.0, 0.0])
    found = ft.jit(ft.grad(f, 1))(1.0, y)  # warnings are errors here
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5**1.5, 0.25, 0.0])


# Values


def recurrent(params, start, xs):
    W, U, b = params

    def step(h, x):
        h = np.tanh(h @ W + x @ U + b)
        return h, h[0] * 2.0

    last, outputs = ft.scan(step, start, xs)
    return np.mean(last**2) + np.sum(outputs)


def arguments(dtype):
    rng = np.random.default_rng(0)
    params = [rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), rng.normal(size=4)]
    return (
        [x.astype(dtype) for x in params],
        np.zeros((2, 4), dtype),
        rng.normal(size=(7, 2, 3)).astype(dtype),
    )


def test_the_gradient_of_a_recurrent_network_has_short_loops():
    found = check_values(ft.grad(recurrent, (0, 1, 2)), *arguments(float))
    there, back = (e.params["body"] for e in found.equations if e.primitive.name == "scan")
    assert [e.primitive.name for e in there.equations] == ["contract", "add", "add", "tanh"]
    assert len(back.equations) <= 5


def test_checkpointed_and_mapped_loops():
    args = arguments(float)

    def blocks(params, start, xs):
        block = ft.checkpoint(lambda h, x: (recurrent(params, h, x) * h, None))
        return np.sum(ft.scan(block, start, np.stack([xs, xs * 0.5]))[0])

    check_values(ft.grad(blocks, (0, 1, 2)), *args)
    check_values(
        ft.vmap(ft.grad(recurrent), in_axes=(None, None, 0)), *args[:2], np.stack([args[2]] * 3)
    )
    check_values(ft.hessian(lambda b: recurrent([*args[0][:2], b], *args[1:])), args[0][2])


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(programs(max_steps=6), st.booleans(), st.sampled_from([4, 9]))
def test_random_loops_have_the_same_values(drawn, reverse, length):
    body, inputs = drawn
    rows = RNG.random(length)

    def f(*xs):
        def step(carry, row):
            total, now = carry
            ys = ft.evaluate(body, *[x + row for x in now])
            loss = sum(np.sum(np.sin(y)) for y in ys)
            rest = [np.cos(row) * y for y in ys]
            return (total + loss * row, [0.9 * np.cos(x) for x in now]), rest

        (total, last), stacks = ft.scan(step, (0.0, list(xs)), rows, reverse=reverse)
        return total + sum(np.sum(x * x) for x in [*last, *stacks])

    check_values(f, *inputs)
    check_values(ft.grad(f, tuple(range(len(inputs)))), *inputs)


# Counters, which are Python's numbers


def test_counters_beyond_64_bits_stay_python_s():
    f = lambda c: ft.fori_loop(0, 6, lambda i, c: c + (2**62 * (i + 1) // 2**62) * np.ones(3), c)
    np.testing.assert_array_equal(ft.jit(f)(np.zeros(3)), f(np.zeros(3)))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_other_dtypes(dtype):
    f = lambda *args: np.real(recurrent(*args))
    args = arguments(dtype)
    program = ft.make_ir(ft.grad(f, (0, 1, 2)))(*args)
    found = ft.check(simplify(program))
    leaves = ft.tree.leaves(args)
    expected = ft.evaluate(program, *leaves)
    for x, y in zip(ft.evaluate(found, *leaves), expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)
