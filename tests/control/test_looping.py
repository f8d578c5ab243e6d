"""Loops as operations: against loops of Python's, forward, backward and for many examples."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.control import loops
from functrace.control.looping import known_body

X = np.array([0.7, -0.4])
W = np.array([1.5, 0.5])
ROWS = np.array([[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0]])


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, strict=True)


def scanned(x, w, rows):
    return ft.scan(lambda c, r: (np.sin(c * w) + r, c * r), x, rows, reverse=True)


def scanned_in_python(x, w, rows):
    stack = []
    for r in rows[::-1]:
        x, y = np.sin(x * w) + r, x * r
        stack.append(y)
    return x, np.stack(stack[::-1])


def repeated(x, w, rows):
    more = lambda c: c[1] < 3
    return ft.while_loop(more, lambda c: (np.sin(c[0] * w) + rows[0], c[1] + 1), (x, 0))[0], w


def repeated_in_python(x, w, rows):
    for _ in range(3):
        x = np.sin(x * w) + rows[0]
    return x, w


LOOPS = {"scan": (scanned, scanned_in_python), "while": (repeated, repeated_in_python)}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_has_the_derivatives_of_one_of_pythons(name):
    f, reference = LOOPS[name]
    args, tangents = (X, W, ROWS), (W, X, ROWS[::-1])
    (values, pushed), expected = (ft.jvp(g, args, tangents) for g in (ft.jit(f), reference))
    for found, wanted in zip((*values, *pushed), (*expected[0], *expected[1]), strict=True):
        assert_same(found, wanted)
    outputs, pull_back = ft.vjp(ft.jit(f), *args)
    cotangents = tuple(np.cos(3.0 * np.asarray(y)) for y in outputs)
    pulled = pull_back(cotangents)
    for found, wanted in zip(pulled, ft.vjp(reference, *args)[1](cotangents), strict=True):
        assert_same(found, wanted)
    forward = sum(np.vdot(a, b) for a, b in zip(cotangents, pushed, strict=True))
    backward = sum(np.vdot(a, b) for a, b in zip(pulled, tangents, strict=True))
    np.testing.assert_allclose(forward, backward, rtol=1e-12)


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("axes", [(0, None, None), (None, 1, None), (None, None, 2), (1, 0, 1)])
def test_many_examples_are_those_of_a_loop(name, axes):
    f, reference = LOOPS[name]
    examples = [(X * s, W + s, ROWS - s) for s in (0.5, 1.0, -2.0)]
    columns = zip(*examples, strict=True)
    given = [
        column[0] if axis is None else np.stack(column, axis)
        for column, axis in zip(columns, axes, strict=True)
    ]
    found = ft.vmap(f, axes)(*given)
    for number, example in enumerate(examples):
        one = (
            x if axis is not None else shared
            for x, axis, shared in zip(example, axes, given, strict=True)
        )
        for stack, wanted in zip(found, reference(*one), strict=True):
            assert_same(stack[number], wanted)


def test_the_transpose_of_a_linear_scan_is_that_of_its_matrix():
    f = ft.jit(lambda x, rows: ft.scan(lambda c, r: (2.0 * c + W * r, c - r), x, rows))
    flat = lambda z: np.concatenate([np.ravel(y) for y in f(z[:2], z[2:].reshape(3, 2))])
    matrix = np.stack([flat(e) for e in np.eye(8)], axis=1)
    cotangent = np.linspace(-1.0, 2.0, 8)
    back = ft.linear_transpose(f, X, ROWS)((cotangent[:2], cotangent[2:].reshape(3, 2)))
    assert_same(np.concatenate([np.ravel(x) for x in back]), matrix.T @ cotangent)


@pytest.mark.parametrize("name", LOOPS)
def test_the_structure_of_a_loop_says_all_that_its_parameters_do(name):
    program = ft.make_ir(LOOPS[name][0])(X, W, ROWS)
    (loop,) = (e for e in program.equations if e.primitive.holds_programs)
    structure = loop.primitive.structure(loop.inputs, loop.params)
    assert loop.primitive.from_structure(structure, {}) == (list(loop.inputs), loop.params)


def test_examples_that_end_at_different_trips():
    def f(x):
        # Valid only while it goes on: beyond it the logarithm has no value.
        return ft.while_loop(lambda c: c > 0.5, lambda c: np.log(c) + 0.1, x)

    def reference(x):
        while x > 0.5:
            x = np.log(x) + 0.1
        return x

    xs = np.array([0.2, 1.2, 3.0, -4.0, 20.0, 0.0])
    expected = np.stack([reference(x) for x in xs])
    slopes = np.stack([ft.grad(reference)(x) for x in xs])
    with np.errstate(all="raise"):
        for run in (ft.vmap(f), ft.jit(ft.vmap(f)), ft.vmap(ft.jit(f))):
            assert_same(run(xs), expected)
            assert_same(ft.grad(lambda xs: np.sum(run(xs)))(xs), slopes)
            assert_same(ft.jvp(run, (xs,), (np.ones(6),))[1], slopes)
        assert_same(ft.vmap(ft.grad(f))(xs), slopes)
        assert_same(ft.jit(ft.vmap(ft.grad(ft.jit(f))))(xs), slopes)
        both = np.stack([xs, xs[::-1]])
        assert_same(ft.vmap(ft.vmap(f))(both), np.stack([expected, expected[::-1]]))
        assert_same(ft.vmap(ft.vmap(ft.grad(f)))(both), np.stack([slopes, slopes[::-1]]))


def test_examples_with_limits_of_their_own():
    f = lambda limit, x: ft.while_loop(lambda c: c < limit, lambda c: c * 2.0, x)
    limits = np.array([1.0, 10.0, 100.0])
    for run in (ft.vmap(f, (0, None)), ft.jit(ft.vmap(f, (0, None)))):
        np.testing.assert_array_equal(run(limits, 1.0), [1.0, 16.0, 128.0])
    slope = ft.grad(lambda x: np.sum(ft.vmap(f, (0, None))(limits, x)))(1.0)
    assert slope == 1 + 16 + 128


def test_a_carry_that_does_not_move_is_shared():
    f = lambda x, n: ft.while_loop(
        lambda c: c[1] < n, lambda c: (c[0] * c[2], c[1] + 1, c[2]), (x, 0, X)
    )
    found = ft.vmap(f, (None, 0))(X, np.array([0, 1, 3]))
    np.testing.assert_allclose(found[0], np.stack([X, X**2, X**4]))
    np.testing.assert_array_equal(found[1], [0, 1, 3])


@pytest.fixture
def bodies(monkeypatch):
    def found(loop, *args):
        with monkeypatch.context() as patch:
            kept = []
            patch.setattr(
                loops, "known_body", lambda body: kept.append(known_body(body)) or kept[-1]
            )
            ft.grad(lambda x: np.sum(loop(x, *args[1:])))(args[0])
        return kept

    return found


def test_a_loop_that_a_program_has_twice_can_be_read_back():
    def loop(x):
        return ft.scan(lambda c, r: (np.sin(c * r), None), x, ROWS)[0]

    text = str(ft.make_ir(lambda x: loop(loop(x)))(X))
    assert str(ft.parse(text)) == text


def test_a_loop_that_is_come_to_again_has_the_body_that_it_had(bodies):
    def loop(x):
        return ft.scan(lambda c, _: (np.sin(c * c), None), x, None, 3)[0]

    def condition(x):
        return ft.while_loop(lambda c: c[0] < 3.0, lambda c: c * 2.0, x)

    for f in (loop, condition):
        first, again = bodies(f, X), bodies(f, X)
        assert first
        assert all(x is y for x, y in zip(first, again, strict=True))
        other = bodies(f, X.astype(np.float32))
        assert all(x is not y for x, y in zip(first, other, strict=True))
    ft.clear_caches()
    assert all(x is not y for x, y in zip(first, bodies(condition, X), strict=True))


def test_loops_at_two_places_do_not_share_a_body(bodies):
    def loops(x):
        x = ft.scan(lambda c, r: (c * r, None), x, ROWS)[0]
        return ft.scan(lambda c, r: (c * r, None), x, ROWS)[0]

    first, second = bodies(loops, X)
    assert first is not second
    assert first.equations[0].source.line + 1 == second.equations[0].source.line


def test_a_body_that_holds_an_array_is_its_own_as_the_array_may_change(bodies):
    scale = np.ones(2)

    def loop(x):
        return ft.scan(lambda c, r: (np.sin(c * scale), None), x, ROWS)[0]

    before = ft.grad(lambda x: np.sum(loop(x)))(X)
    assert bodies(loop, X)[0] is not bodies(loop, X)[0]
    scale[:] = 2.0
    after = ft.grad(lambda x: np.sum(loop(x)))(X)
    slope = X, np.cos(X)
    for _ in range(2):
        slope = np.sin(slope[0]), slope[1] * np.cos(np.sin(slope[0]))
    assert_same(before, slope[1])
    assert np.all(before != after)


def test_a_body_knows_how_errors_are_handled():
    def loop(x):
        return np.sum(ft.scan(lambda c, r: (c / 0.0 + r, None), x, ROWS)[0])

    for _ in range(2):
        with np.errstate(divide="ignore", invalid="ignore"):
            ft.grad(loop)(X)
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            ft.grad(loop)(X)
