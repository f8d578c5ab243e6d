"""Callbacks run when values are there: how often, in which order, and with what."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, MissingRuleError
from functrace.testing import check_grads

X = np.array([1.0, 2.0, 3.0])


def shape_of(x):
    return ft.ShapeDtypeStruct(np.shape(x), np.result_type(x))


# Printing


def lines(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


def noisy(x):
    ft.debug.print("first {}", x)
    y = x * x
    ft.debug.print("then {name:.1f}", name=y)
    return y


def quiet(x):
    ft.jit(lambda x: ft.debug.print("here {}", x))(x)
    return x * x


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda: noisy(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(noisy)(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.jvp(noisy, (2.0,), (1.0,)), ["first 2.0", "then 4.0"]),
        (lambda: ft.vjp(noisy, 2.0)[1](1.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.jit(noisy)(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(ft.jit(noisy))(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.jit(ft.grad(noisy))(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.jvp(ft.jit(noisy), (2.0,), (1.0,)), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(ft.grad(noisy))(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(ft.checkpoint(noisy))(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(ft.checkpoint(quiet))(2.0), ["here 2.0"]),
        (lambda: ft.linearize(noisy, 2.0)[1](1.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.hessian(noisy)(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.grad(ft.jit(ft.grad(noisy)))(2.0), ["first 2.0", "then 4.0"]),
        (lambda: ft.jit(ft.grad(ft.jit(ft.grad(noisy))))(2.0), ["first 2.0", "then 4.0"]),
        (
            lambda: ft.evaluate(ft.make_ir(noisy)(0.0), 2.0),
            ["first 2.0", "then 4.0"],
        ),
        (
            lambda: ft.vmap(noisy)(X[:2]),
            ["first 1.0", "first 2.0", "then 1.0", "then 4.0"],
        ),
        (
            lambda: ft.vmap(ft.grad(noisy))(X[:2]),
            ["first 1.0", "first 2.0", "then 1.0", "then 4.0"],
        ),
        (
            lambda: ft.grad(ft.jit(lambda x: np.sum(ft.vmap(noisy)(x))))(X[:2]),
            ["first 1.0", "first 2.0", "then 1.0", "then 4.0"],
        ),
        (
            lambda: ft.vmap(ft.vmap(noisy))(np.array([[1.0], [2.0]])),
            ["first 1.0", "first 2.0", "then 1.0", "then 4.0"],
        ),
    ],
)
def test_printed_once_in_order(capsys, f, expected):
    f()
    assert lines(capsys) == expected


def test_every_call_of_jit_prints(capsys):
    f = ft.jit(noisy)
    for _ in range(3):
        f(1.0)
    assert lines(capsys) == ["first 1.0", "then 1.0"] * 3


def test_every_trip_of_a_loop_prints(capsys):
    def f(c, x):
        ft.debug.print("{} {}", c, x)
        return c + x, c

    total = lambda x: ft.scan(f, 0.0 * x[0], x)[0]
    expected = ["0.0 1.0", "1.0 2.0", "3.0 3.0"]
    for g in (total, ft.jit(total), ft.grad(total), ft.grad(ft.jit(total)), ft.jit(ft.grad(total))):
        g(X)
        assert lines(capsys) == expected
    ft.jvp(ft.jit(total), (X,), (X,))
    assert lines(capsys) == expected

    def loop(n):
        def body(state):
            ft.debug.print("trip {}", state)
            return state + 1.0

        return ft.while_loop(lambda x: x < n, body, 0.0 * n)

    for g in (ft.jit(loop), ft.grad(ft.jit(loop))):
        g(2.0)
        assert lines(capsys) == ["trip 0.0", "trip 1.0"]
    ft.vmap(loop)(np.array([1.0, 3.0]))  # each prints as long as it goes on
    assert lines(capsys) == ["trip 0.0", "trip 0.0", "trip 1.0", "trip 2.0"]


def test_the_chosen_branch_prints(capsys):
    def f(x):
        def large(x):
            ft.debug.print("large {}", x)
            return x

        def small(x):
            ft.debug.print("small {}", x)
            return -x

        return ft.cond(x > 1.5, large, small, x)

    for g in (f, ft.jit(f), ft.grad(f), ft.grad(ft.jit(f))):
        g(1.0)
        g(2.0)
        assert lines(capsys) == ["small 1.0", "large 2.0"]
    ft.vmap(f)(X)
    assert lines(capsys) == ["small 1.0", "large 2.0", "large 3.0"]


def test_what_is_not_traced_is_printed_as_it_is(capsys):
    @ft.jit
    def f(x):
        ft.debug.print("{} {} {}", "text", x, [X[0]])
        return x

    f(1.0)
    f(2.0)
    assert lines(capsys) == ["text 1.0 [np.float64(1.0)]", "text 2.0 [np.float64(1.0)]"]


def plain(x):
    ft.debug.print("begin")
    ft.debug.print("x {}", x)
    ft.debug.print("end {}", 1)
    return x * x


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.jit,
        ft.grad,
        ft.checkpoint,
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: ft.grad(ft.checkpoint(f)),
        lambda f: ft.jit(ft.hessian(f)),
        lambda f: ft.jit(lambda x: ft.jvp(f, (x,), (1.0,))),
        lambda f: ft.jit(lambda x: ft.linearize(f, x)[1](1.0)),
        lambda f: lambda x: ft.linearize(f, x)[1](1.0),
        lambda f: lambda x: ft.vmap(f)(np.array([x])),
        lambda f: ft.jit(lambda x: ft.vmap(ft.grad(f))(np.stack([x]))),
        lambda f: lambda x: ft.cond(x > 0, f, lambda x: x, x),
        lambda f: ft.jit(lambda x: ft.cond(x > 0, f, lambda x: x, x)),
        lambda f: ft.grad(ft.jit(lambda x: ft.cond(x > 0, f, lambda x: x, x))),
        lambda f: ft.jit(lambda x: x + f(1.0)),
        lambda f: ft.jit(lambda x: x + ft.jit(f)(1.0)),
        lambda f: ft.jit(lambda x: x + ft.grad(f)(1.0)),
    ],
)
def test_what_is_not_traced_keeps_its_place_in_every_call(capsys, transform):
    g = transform(plain)
    for _ in range(3):
        g(1.0)
        assert lines(capsys) == ["begin", "x 1.0", "end 1"]


def test_what_is_not_traced_is_printed_in_every_trip(capsys):
    def f(x, captured):
        def body(c, row):
            ft.debug.print("trip")
            ft.debug.print("captured {}", captured)
            return c + row * captured, None

        return ft.scan(body, x, X[:2])[0]

    for g in (
        f,
        ft.jit(f),
        ft.grad(f),
        ft.grad(f, 1),
        ft.jit(ft.grad(f, (0, 1))),
        ft.grad(ft.jit(f), 1),
        ft.jit(lambda x, captured: x + f(1.0, captured)),
    ):
        g(2.0, 3.0)
        assert lines(capsys) == ["trip", "captured 3.0"] * 2
    ft.vmap(f, (0, None))(X, 3.0)  # it does not depend on the example
    assert lines(capsys) == ["trip", "captured 3.0"] * 2


def test_a_linearization_prints_the_values_once(capsys):
    def step(c, _):
        ft.debug.print("trip {}", c)
        ft.cond(c > 0, lambda: ft.debug.print("branch"), lambda: None)
        return c * 1.5, None

    for wrap in (lambda f: f, ft.jit, ft.checkpoint):
        f = wrap(lambda x: ft.scan(step, x, length=2)[0])
        y, pushforward = ft.linearize(f, 2.0)
        assert lines(capsys) == ["trip 2.0", "branch", "trip 3.0", "branch"]
        assert (y, pushforward(1.0), pushforward(2.0)) == (4.5, 2.25, 4.5)
        assert lines(capsys) == []


@pytest.mark.parametrize("checkpoint", [None, 2, "sqrt"])
def test_what_is_computed_again_is_not_printed_again(capsys, checkpoint):
    def step(c, _=None):
        ft.debug.print("trip {:.1f}", c)
        ft.debug.print("-")
        return c * 1.5, None

    scanned = lambda x: ft.scan(step, x, length=4, checkpoint=checkpoint)[0]
    looped = lambda x: ft.while_loop(
        lambda pair: pair[1] < 4,
        lambda pair: (step(pair[0])[0], pair[1] + 1),
        (x, 0),
        checkpoint=checkpoint,
    )[0]
    for f in (scanned, looped, ft.checkpoint(scanned), ft.checkpoint(looped)):
        for transform in (ft.grad, lambda f: ft.jit(ft.grad(f)), lambda f: ft.grad(ft.jit(f))):
            transform(f)(1.0)
            expected = ["trip 1.0", "-", "trip 1.5", "-", "trip 2.2", "-", "trip 3.4", "-"]
            assert lines(capsys) == expected


def test_what_is_only_described_prints_nothing(capsys):
    ft.eval_shape(plain, 1.0)
    ft.make_ir(plain)(1.0)
    ft.jit(plain).lower(1.0)
    assert lines(capsys) == []


def test_a_write_after_the_call_is_not_seen(capsys):
    @ft.jit
    def f(x):
        ft.debug.print("{}", x)
        x[0] = 9.0
        ft.debug.print("{}", x)
        return x

    f(X)
    assert lines(capsys) == ["[1. 2. 3.]", "[9. 2. 3.]"]


def test_a_callback_gets_numpy_values_and_trees():
    seen = []

    def f(x):
        ft.debug.callback(lambda *args, **kwargs: seen.append((args, kwargs)), {"a": x}, k=(x, 1))
        return np.sum(x)

    ft.grad(ft.jit(f))(X)
    ((args, kwargs),) = seen
    assert type(args[0]["a"]) is np.ndarray
    np.testing.assert_array_equal(kwargs["k"][0], X)
    assert kwargs["k"][1] == 1


def test_operations_without_outputs_are_printed_and_read_back():
    program = ft.make_ir(noisy)(2.0)
    text = ft.to_text(program, sources=False)
    assert "() = debug_callback(a, callback='<function shown>')" in text
    assert ft.to_text(ft.parse(text), sources=False) == text
    assert all(e.primitive.has_effect == (not e.outputs) for e in program.equations)


def test_a_transposed_function_prints_nothing(capsys):
    def matvec(x):
        ft.debug.print("x {}", x)
        return 2.0 * x

    def solution(b):
        return ft.custom_linear_solve(matvec, b, lambda f, b: b / 2, lambda f, b: b / 2)

    assert ft.grad(solution)(4.0) == 0.5  # the transpose never computes an x
    assert lines(capsys) == []
    assert ft.linear_transpose(matvec, 1.0)(3.0) == (6.0,)
    assert lines(capsys) == []


def test_no_examples_print_nothing(capsys):
    ft.vmap(noisy)(np.zeros(0))
    assert lines(capsys) == []


# Pure callbacks


def squares(x):
    assert type(x) in (np.ndarray, np.float64, float)
    return np.square(x)


def call(x, **options):
    return ft.pure_callback(squares, shape_of(x), x, **options)


def test_pure_callback_on_values():
    for f in (call, ft.jit(call), lambda x: ft.evaluate(ft.make_ir(call)(x), x)[0]):
        np.testing.assert_array_equal(f(X), X * X)
    np.testing.assert_array_equal(ft.jit(lambda x: ft.scan(lambda c, x: (c, call(x)), 0, x)[1])(X),
                                  X * X)  # fmt: skip


def test_trees_and_keywords():
    def f(a, b):
        return {"sum": a["x"] + b, "count": 2}

    said = {"sum": X, "count": ft.ShapeDtypeStruct((), np.int64)}
    found = ft.jit(lambda x: ft.pure_callback(f, said, {"x": x}, b=x))(X)
    np.testing.assert_array_equal(found["sum"], 2 * X)
    assert found["count"] == 2
    assert found["count"].dtype == np.int64


@pytest.mark.parametrize(
    ("method", "shapes"),
    [
        ("sequential", [((2,), ())] * 3),
        ("expand_dims", [((3, 2), (1,))]),
        ("broadcast_all", [((3, 2), (3,))]),
    ],
)
def test_vmap(method, shapes):
    seen = []

    def f(x, y):
        seen.append((x.shape, np.shape(y)))
        return x * np.asarray(y)[..., None]

    def call(x, y):
        return ft.pure_callback(f, shape_of(x), x, y, vmap_method=method)

    x = np.arange(6.0).reshape(2, 3)
    for g in (ft.vmap(call, (1, None)), ft.jit(ft.vmap(call, (1, None)))):
        seen.clear()
        np.testing.assert_array_equal(g(x, 2.0), 2 * x.T)
        assert seen == shapes
    twice = ft.vmap(ft.vmap(call, (0, None)), (0, None))(np.ones((4, 3, 2)), 2.0)
    np.testing.assert_array_equal(twice, 2 * np.ones((4, 3, 2)))


def test_vmap_without_a_method():
    with pytest.raises(MissingRuleError, match="vmap_method"):
        ft.vmap(call)(X)
    with pytest.raises(ArgumentError, match="vmap_method"):
        call(X, vmap_method="each")


def test_it_has_no_derivative():
    for f in (
        lambda: ft.grad(call)(2.0),
        lambda: ft.grad(ft.jit(call))(2.0),
        lambda: ft.jvp(call, (2.0,), (1.0,)),
    ):
        with pytest.raises(MissingRuleError, match="custom_jvp or custom_vjp"):
            f()
    # What is not differentiated needs none.
    assert ft.grad(lambda x: x * call(ft.stop_gradient(x)))(2.0) == 4.0
    assert ft.grad(lambda x: (x, call(x))[0])(2.0) == 1.0


def test_with_rules_of_its_own():
    @ft.custom_jvp
    def f(x):
        return call(x, vmap_method="expand_dims")

    f.defjvp(lambda primals, tangents: (f(*primals), 2 * primals[0] * tangents[0]))
    check_grads(f, (2.0,), order=2, modes=("fwd", "rev"))
    np.testing.assert_array_equal(ft.vmap(ft.grad(f))(X), 2 * X)
    np.testing.assert_array_equal(ft.jit(ft.vmap(ft.grad(f)))(X), 2 * X)


def test_results_that_are_not_what_was_said():
    for result, words in (
        (np.ones(2), r"float64\[2\]"),
        (np.float32(1), "float32"),
        ((1.0,), "structure"),
    ):
        f = ft.jit(lambda x, r=result: ft.pure_callback(lambda x: r, shape_of(x), x))
        with pytest.raises(ArgumentError, match=words):
            f(2.0)


def test_vmap_one_after_the_other_by_both_names():
    shape = ft.ShapeDtypeStruct((), np.float64)
    for method in ("sequential", "sequential_unrolled"):
        f = lambda x, method=method: ft.pure_callback(np.sin, shape, x, vmap_method=method)
        np.testing.assert_array_equal(ft.vmap(f)(np.arange(3.0)), np.sin(np.arange(3.0)))
