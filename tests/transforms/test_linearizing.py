"""linearize and linear_transpose."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def test_a_linearization_is_the_pushforward():
    calls = []

    def f(p, n):
        calls.append(1)
        return {"y": np.sin(p["x"]) * p["w"] * n, "n": n}

    p = {"x": np.array([0.1, 0.5]), "w": 2.0}
    output, pushforward = ft.linearize(f, p, 3)
    assert output["n"] == 3
    for scale in (1.0, 2.0):
        tangent = {"x": np.full(2, scale), "w": 0.5}
        found = pushforward(tangent, None)
        expected = ft.jvp(f, (p, 3), (tangent, None))[1]
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-14)
        assert found["n"] is None
    assert pushforward({"x": None, "w": 1.0}, None)["y"].shape == (2,)
    with pytest.raises(errors.TangentError):
        pushforward({"x": np.ones(3), "w": 1.0}, None)


def test_the_output_may_be_written_before_the_pushforward_is_called():
    y, pushforward = ft.linearize(np.exp, np.zeros(2))
    y[:] = 0.0
    np.testing.assert_array_equal(pushforward(np.ones(2)), [1.0, 1.0])


def test_linearize_follows_values_and_nests():
    f = lambda x: np.sin(x) * x if x > 0 else x
    assert ft.linearize(f, 2.0)[1](1.0) == pytest.approx(ft.grad(f)(2.0))
    assert ft.grad(lambda x: ft.linearize(f, x)[1](1.0))(2.0) == pytest.approx(
        ft.grad(ft.grad(f))(2.0)
    )
    pushforward = ft.linearize(np.sin, 0.3)[1]
    np.testing.assert_allclose(ft.vmap(pushforward)(np.arange(3.0)), np.cos(0.3) * np.arange(3))
    assert ft.linearize(lambda x: (x * x, x), 3.0, has_aux=True)[2] == 3.0


def test_the_transpose_of_a_linear_function():
    matrix = np.arange(6.0).reshape(2, 3)
    f = lambda x, y: {"a": matrix @ x, "b": x[0] + 2 * y}
    x, y = ft.linear_transpose(f, np.zeros(3), 0.0)({"a": np.array([1.0, 10.0]), "b": 5.0})
    np.testing.assert_array_equal(x, matrix.T @ [1.0, 10.0] + [5.0, 0, 0])
    assert y == 10.0
    unused = ft.linear_transpose(lambda x, y: x, 0.0, np.zeros(2))(1.0)[1]
    np.testing.assert_array_equal(unused, np.zeros(2))


def test_the_transpose_of_loops_and_branches():
    def f(x):
        def step(carry, row):
            return carry * 0.5 + row, carry * 3.0

        last, rows = ft.scan(step, x[0], x)
        return np.sum(rows) + ft.jit(lambda y: y * 2)(last)

    x = np.array([1.0, 2.0, 3.0])
    (gradient,) = ft.linear_transpose(f, x)(1.0)
    np.testing.assert_allclose(gradient, ft.grad(f)(x), rtol=1e-14)


def test_what_is_not_linear_is_refused():
    for f in (lambda x: x * x, np.sin, lambda x: np.floor(x), lambda x: x / (1 + x)):
        with pytest.raises(errors.NonlinearRuleError):
            ft.linear_transpose(f, 1.0)(1.0)


def test_linearize_through_loops_and_branches():
    def f(x):
        last, rows = ft.scan(lambda c, row: (np.sin(c) * row, c * row), x, x * np.arange(1.0, 4.0))
        return ft.jit(lambda y: np.sum(y) * ft.cond(x > 0, np.cos, np.sin, x))(rows) * last

    for transform in (lambda f: f, ft.jit, ft.checkpoint):
        output, pushforward = ft.linearize(transform(f), 0.7)
        assert output == pytest.approx(f(0.7), rel=1e-14)
        assert pushforward(2.0) == pytest.approx(2 * ft.grad(f)(0.7), rel=1e-12)


def test_the_transpose_of_shapes_and_of_integers():
    shape = ft.ShapeDtypeStruct((3,), np.float32)
    cotangent = np.arange(3, dtype=np.float32)
    (found,) = ft.linear_transpose(lambda x: 2 * x, shape)(cotangent)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 2 * cotangent)
    assert ft.linear_transpose(lambda x: 2 * x, 1)(3) == (6,)
    (found,) = ft.linear_transpose(lambda x: x[::-1], np.int8([1, 2]))(np.int8([3, 4]))
    assert (found.dtype, found.tolist()) == (np.int8, [4, 3])


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x: x * 2.0, (1,)),
        (lambda x: x * np.ones(2), (np.array([1, 2]),)),
        (lambda x, y: 2.0 * x + y, (1.0, 2)),
        (lambda x: {"a": 2 * x, "b": 2.5 * x}, (1,)),
        (lambda x: x.astype(np.int64), (1.0,)),
        (lambda x: x, (True,)),
        (lambda x: x.astype(np.float32), (np.int32(1),)),
    ],
)
def test_no_transpose_goes_between_integers_and_other_numbers(f, args):
    with pytest.raises(TypeError, match="linear") as caught:
        ft.linear_transpose(f, *args)
    assert "test_linearizing.py" in str(caught.value)


def test_cotangents_of_integers_are_not_cut_off():
    transposed = ft.linear_transpose(lambda x: 2 * x, 1)
    for cotangent in (2.5, True, 1j, np.float64(2.5), np.int32(2), np.ones(2, int)):
        with pytest.raises(ValueError, match="cotangent"):
            transposed(cotangent)
    with pytest.raises(OverflowError):
        ft.linear_transpose(lambda x: 2 * x, np.int8(1))(300)


# What is evaluated when


def counting():
    """A function that counts the evaluations of itself, and those of its derivative."""
    counts = {"value": 0, "slope": 0}

    def count(name, x):
        counts[name] += 1
        return np.exp(x)

    def call(name, x):
        return ft.pure_callback(lambda x: count(name, x), ft.ShapeDtypeStruct((), np.float64), x)

    f = ft.custom_jvp(lambda x: call("value", x))
    f.defjvp(lambda primals, tangents: (f(*primals), call("slope", *primals) * tangents[0]))
    return f, counts


S = np.array([0.5, 1.0, 2.0])


def assert_close(found, expected):
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("wrap", "again"),
    [
        (lambda f: f, 0),
        (ft.jit, 0),
        (lambda f: ft.jit(lambda x: ft.jit(f)(x)), 0),
        (lambda f: ft.checkpoint(f, policy=ft.checkpoint_policies.everything_saveable), 0),
        (lambda f: ft.jit(ft.checkpoint(f, policy=ft.checkpoint_policies.everything_saveable)), 0),
        (ft.checkpoint, 1),
        (lambda f: ft.jit(ft.checkpoint(f)), 1),
    ],
)
def test_a_pushforward_evaluates_only_what_a_policy_did_not_keep(wrap, again):
    f, counts = counting()
    output, pushforward = ft.linearize(wrap(lambda x: np.sin(f(x))), 0.5)
    np.testing.assert_allclose(output, np.sin(np.exp(0.5)))
    before = dict(counts)
    assert before["value"] == 1
    for number in range(1, 4):
        np.testing.assert_allclose(pushforward(2.0), 2 * np.cos(np.exp(0.5)) * np.exp(0.5))
        assert counts["slope"] - before["slope"] == again * number
        assert counts["value"] - before["value"] == again * number


@pytest.mark.thinned
@pytest.mark.parametrize(
    ("loop", "trips"),
    [
        (lambda f, x: ft.scan(lambda c, r: (f(c) * r, None), x, np.arange(1.0, 4.0))[0], 3),
        (lambda f, x: ft.scan(lambda c, r: (c, f(r) * c), 2.0, x + np.arange(3.0))[1], 3),
        (lambda f, x: ft.scan(lambda _, r: (None, f(r * x)), None, np.arange(3.0))[1], 3),
        (lambda f, x: ft.scan(lambda c, _: (f(c), c), x, None, length=2, reverse=True), 2),
        (lambda f, x: ft.scan(lambda c, _: ((c[1], f(c[0]) * x), c), (1.0, x), None, length=3), 3),
        (lambda f, x: ft.fori_loop(0, 3, lambda i, c: f(c * 0.5) * i, x), 3),
        (lambda f, x: ft.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1])), (0, x)), 2),
        (lambda f, x: ft.while_loop(lambda c: c < 0.0, f, x), 0),
        (lambda f, x: ft.cond(x > 0, lambda x: f(x) * x, lambda x: 2.0, x), 1),
        (lambda f, x: ft.cond(x < 0, lambda x: f(x) * x, lambda x: x, x), 0),
        (lambda f, x: ft.vmap(lambda s: ft.cond(s > 1, np.sin, lambda s: s * x, s))(f(x) * S), 1),
        (
            lambda f, x: ft.vmap(
                lambda s: ft.while_loop(lambda c: c < 5.0, lambda c: c * (1 + x), s)
            )(f(x) * S),
            1,
        ),
        (
            lambda f, x: ft.scan(
                lambda c, r: (ft.cond(r < 2, lambda c: f(c) * x, lambda c: c, c), r),
                x,
                np.arange(4.0),
            ),
            2,
        ),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit])
@pytest.mark.parametrize("around", [lambda f: f, ft.jit])
def test_a_pushforward_evaluates_no_loop_and_no_choice_again(loop, trips, wrap, around):
    f, counts = counting()
    g = wrap(lambda x: loop(f, x))
    output, pushforward = around(lambda x: ft.linearize(g, x))(0.5)
    assert counts == {"value": trips, "slope": trips}
    for tangent in (1.0, -2.0):
        pushed = pushforward(tangent)
        assert counts == {"value": trips, "slope": trips}
        value, expected = ft.jvp(g, (0.5,), (tangent,))
        assert_close((output, pushed), (value, expected))
        counts.update(value=trips, slope=trips)


def test_derivatives_of_a_pushforward_of_loops():
    def f(x):
        inner = ft.scan(lambda c, r: (np.sin(c * r) + x, c), x, np.arange(1.0, 4.0))
        outer = ft.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * x), (0, inner[0]))
        return outer[1] * ft.cond(x > 0, np.sin, np.cos, x) + np.sum(inner[1])

    def twice(x):
        return ft.linearize(ft.linearize(f, x)[1], 1.0)[0]

    expected = ft.grad(f)(0.7)
    np.testing.assert_allclose([twice(0.7), ft.jit(twice)(0.7)], expected)
    np.testing.assert_allclose(ft.vmap(twice)(np.array([0.7, 0.7])), expected)
    np.testing.assert_allclose(ft.grad(ft.jit(twice))(0.7), ft.grad(ft.grad(f))(0.7))
    pushforward = ft.linearize(f, 0.7)[1]
    np.testing.assert_allclose(ft.linear_transpose(pushforward, 0.0)(1.0)[0], expected)
    np.testing.assert_allclose(ft.vmap(pushforward)(np.array([1.0, 2.0])), [expected, 2 * expected])


@pytest.mark.parametrize(
    ("policy", "inside", "outside"),
    [
        ("nothing_saveable", ["sin", "cos"], []),
        ("everything_saveable", [], ["sin", "cos"]),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit])
def test_policies_say_what_a_pushforward_holds(policy, inside, outside, wrap):
    policy = getattr(ft.checkpoint_policies, policy)
    f = wrap(ft.checkpoint(lambda x: np.sin(wrap(lambda x: x * x)(np.sin(x))), policy=policy))
    _, pushforward = ft.linearize(f, 1.0)
    text = str(ft.make_ir(pushforward)(2.0))
    assert all(f" {name}(" in text for name in inside)
    assert not any(f" {name}(" in text for name in outside)
    np.testing.assert_allclose(pushforward(2.0), ft.jvp(f, (1.0,), (2.0,))[1])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ft.scan(lambda c, r: (np.sin(c) * r, c), x, np.arange(3.0))[0],
        lambda x: ft.while_loop(lambda c: c < 5.0, lambda c: c * 1.5, x),
        lambda x: ft.cond(x > 0, np.sin, np.cos, x),
        lambda x: ft.fori_loop(0, 3, lambda i, c: c * x, x),
        lambda x: ft.custom_root(
            lambda y: y**2 - x, 1.0, lambda f, y: y + 0 * x + 0.5, lambda g, y: y / g(1.0)
        ),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, ft.checkpoint])
def test_loops_and_choices_are_linearized_inside_other_functions(f, wrap):
    g = wrap(lambda x: np.sin(wrap(f)(x)) * x)
    output, pushforward = ft.linearize(g, 0.7)
    value, pushed = ft.jvp(g, (0.7,), (2.0,))
    np.testing.assert_allclose([output, pushforward(2.0)], [value, pushed])
    found = ft.vmap(lambda t: ft.jvp(g, (0.7,), (t,)), out_axes=(None, 0))(np.array([2.0, 4.0]))
    np.testing.assert_allclose(found[0], value)
    np.testing.assert_allclose(found[1], [pushed, 2 * pushed])


def test_effects_happen_once():
    seen = []

    def f(x):
        def step(c, _):
            ft.debug.callback(lambda c: seen.append(float(c)), c)
            return c * 2.0, None

        ft.debug.callback(lambda x: seen.append(float(x)), x)
        return ft.scan(step, x, None, length=2)[0]

    for wrap in (lambda f: f, ft.jit, ft.checkpoint):
        seen.clear()
        _, pushforward = ft.linearize(wrap(f), 1.0)
        assert pushforward(1.0) == 4.0
        assert seen == [1.0, 1.0, 2.0]
