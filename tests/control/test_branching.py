"""The choice as an operation: derivatives, batches, and choices within choices."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.control import branching
from functrace.simplify import subexpressions


def test_integers_have_no_derivative():
    f = lambda x, n: ft.cond(x > 0, lambda x, n: (x * n, n + 1), lambda x, n: (x, n), x, n)
    assert ft.vjp(ft.jit(f), 2.0, 3)[0] == (6.0, 4)
    assert ft.grad(lambda x: ft.jit(f)(x, 3)[0])(2.0) == 3.0


def test_shared_operands_of_a_batched_choice():
    x, w = np.array([1.0, -2.0, 3.0]), np.array([2.0, 5.0])
    f = lambda x, w: ft.cond(x > 0, lambda x, w: np.sum(w * x), lambda x, w: w[0] * x**2, x, w)
    loss = lambda x, w: np.sum(ft.vmap(f, (0, None))(x, w))
    gx, gw = ft.grad(loss, argnums=(0, 1))(x, w)
    np.testing.assert_array_equal(gx, [7.0, -8.0, 7.0])
    np.testing.assert_array_equal(gw, [1 + 3 + 4, 1 + 3])
    jitted = ft.jit(ft.grad(loss, argnums=(0, 1)))(x, w)
    np.testing.assert_array_equal(jitted[1], gw)
    _, tangent = ft.jvp(loss, (x, w), (np.ones(3), np.zeros(2)))
    assert tangent == np.sum(gx)


def test_zero_examples():
    f = ft.vmap(lambda x: ft.cond(x > 0, np.sin, np.cos, x))
    assert f(np.zeros(0)).shape == (0,)


def nested_choice(depth, level=0):
    if level == depth:
        return np.sin
    deeper = nested_choice(depth, level + 1)
    return lambda x: ft.cond(x > level, deeper, lambda x: x * 2.0, x)


def test_choices_within_choices():
    f = ft.jit(nested_choice(160))
    xs = np.array([1.5, 100.5, 200.5])
    expected = [3.0, 201.0, np.sin(200.5)]
    np.testing.assert_array_equal([f(x) for x in xs], expected)
    f = nested_choice(60)
    expected = [3.0, np.sin(100.5), np.sin(200.5)]
    np.testing.assert_array_equal(ft.vmap(f)(xs), expected)
    slope = ft.jit(ft.grad(f))
    slopes = [2.0, *np.cos(xs[1:])]
    np.testing.assert_allclose([slope(x) for x in xs], slopes, rtol=1e-12)


def test_a_choice_within_choices_is_looked_at_once(monkeypatch):
    """What a pass looks at in each Program does not grow with the number of those around it."""
    looked_at = []
    make = subexpressions._key_of_program
    monkeypatch.setattr(
        subexpressions, "_key_of_program", lambda p: (looked_at.append(p), make(p))[1]
    )
    counts = []
    for depth in (10, 20, 40):
        looked_at.clear()
        ft.jit(nested_choice(depth))(1.5)
        counts.append(len(looked_at))
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])


def handed_on(f, *args):
    """How many values the first of the two choices of a gradient hands on to the second."""
    first, second = [
        e for e in ft.make_ir(ft.grad(f))(*args).equations if e.primitive.name == "switch"
    ]
    assert len(second.inputs) > 1
    return len(first.outputs) - 1


def test_an_operand_that_is_needed_on_the_way_back_is_not_handed_on():
    f = lambda x, w: ft.cond(x > 0, lambda x, w: x * w, lambda x, w: x * w**2, x, w)
    assert handed_on(f, 1.0, 2.0) == 1  # w**2, by the other branch
    for x, expected in [(1.0, 3.0), (-1.0, 9.0)]:
        assert ft.jit(ft.grad(f))(x, 3.0) == expected
        assert ft.jit(lambda x, w: ft.jvp(ft.grad(f, 1), (x, w), (1.0, 0.0))[1])(x, 3.0) == (
            1.0 if x > 0 else 6.0
        )
    np.testing.assert_array_equal(
        ft.vmap(ft.grad(f, argnums=(0, 1)), (0, None))(np.array([1.0, -1.0]), 3.0),
        [[3.0, 9.0], [1.0, -6.0]],
    )


def test_branches_share_the_places_of_what_they_hand_on():
    branches = [np.sin, np.cos, np.tanh, lambda x: np.sin(x) * np.cos(x)]
    f = lambda n, x: ft.switch(n, branches, x)
    gradient = lambda n: ft.grad(lambda x: f(n, x))
    first = ft.make_ir(lambda n, x: gradient(n)(x))(1, 0.5).equations
    assert [len(e.outputs) for e in first if e.primitive.name == "switch"] == [1 + 4, 1]
    expected = [ft.grad(branch)(0.5) for branch in branches]
    numbers = np.arange(4)
    np.testing.assert_allclose([ft.jit(lambda n: gradient(n)(0.5))(n) for n in range(4)], expected)
    np.testing.assert_allclose(ft.vmap(lambda n: gradient(n)(0.5))(numbers), expected)
    second = [ft.grad(ft.grad(branch))(0.5) for branch in branches]
    np.testing.assert_allclose(
        ft.vmap(lambda n: ft.grad(gradient(n))(0.5))(numbers), second, rtol=1e-12
    )


def test_choices_within_choices_hand_on_two_values_for_each_level():
    for depth in (5, 10):
        assert handed_on(nested_choice(depth), 0.5) <= 2 * depth


def test_what_deep_choices_hand_on_does_not_grow_with_their_depth():
    counts = [handed_on(nested_choice(depth), 0.5) for depth in (30, 60)]
    assert max(counts) <= 3 * branching.MOST_HANDED_ON


def curved_choice(depth):
    """Choices within each other whose derivatives of all orders are not zero."""
    if not depth:
        return np.sin
    deeper = curved_choice(depth - 1)
    inside = lambda x: np.tanh(deeper(x) + 0.1 * x)
    return lambda x: ft.cond(x[0] > depth, inside, lambda x: x * np.cos(x), x)


def test_derivatives_through_stacks_of_what_deep_choices_hand_on():
    depth = 12
    f = lambda x: np.sum(curved_choice(depth)(x))
    g = ft.jit(lambda x: ft.grad(f)(x))
    for x in (np.array([depth + 0.5, 1.0]), np.array([3.5, -2.0])):
        expected = ft.grad(f)(x)  # the choices are known, so nothing is handed on
        np.testing.assert_allclose(g(x), expected, rtol=1e-12)
        along = np.array([0.5, -1.0])
        expected = ft.jvp(ft.grad(f), (x,), (along,))[1]
        np.testing.assert_allclose(ft.jvp(g, (x,), (along,))[1], expected, rtol=1e-10)
        hessian_product = ft.jit(ft.grad(lambda x: along @ g(x)))
        np.testing.assert_allclose(hessian_product(x), expected, rtol=1e-10)
        pushed = ft.jit(lambda x: ft.linearize(f, x)[1](along))
        np.testing.assert_allclose(pushed(x), along @ ft.grad(f)(x), rtol=1e-12)
    xs = np.array([[depth + 0.5, 1.0], [4.5, 2.0]])
    np.testing.assert_allclose(ft.vmap(g)(xs), [ft.grad(f)(x) for x in xs], rtol=1e-12)
