"""Every transformation of the result of every other, against the definition without nesting."""

from __future__ import annotations

import functools
import itertools
import sys

import numpy as np
import pytest

import functrace as ft
from functrace import errors


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
    """Every function under up to three transformations; all but one under three is slow."""
    for depth in (1, 2, 3):
        for names in itertools.product(TRANSFORMATIONS, repeat=depth):
            for name in FUNCTIONS:
                marks = [pytest.mark.slow] if depth == 3 and name != "with_a_branch" else []
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


# Functions within functions, as deep as programs that are written by programs make them


def in_cond(h):
    return lambda x: ft.cond(x > -9, lambda y: h(y * 1.001), lambda y: np.cos(y), x)


def in_closed_cond(h):
    return lambda x: ft.cond(x > -9, lambda: h(x * 1.001), lambda: np.cos(x))


def in_scan(h):
    return lambda x: ft.scan(lambda c, _: (h(c * 1.001), None), x, None, length=1)[0]


def in_fori_loop(h):
    return lambda x: ft.fori_loop(0, 1, lambda i, c: h(c * 1.001), x)


def in_while_loop(h):
    return lambda x: ft.while_loop(
        lambda p: p[0] < 1, lambda p: (p[0] + 1, h(p[1] * 1.001)), (0, x)
    )[1]


def in_checkpoint(h):
    return ft.checkpoint(lambda x: h(x * 1.001))


def in_jit(h):
    return ft.jit(lambda x: h(x * 1.001))


def in_custom_jvp(h):
    wrapped = ft.custom_jvp(lambda x: h(x * 1.001))
    wrapped.defjvp(lambda primals, tangents: ft.jvp(lambda x: h(x * 1.001), primals, tangents))
    return wrapped


def in_custom_vjp(h):
    wrapped = ft.custom_vjp(lambda x: h(x * 1.001))
    wrapped.defvjp(lambda x: ft.vjp(lambda x: h(x * 1.001), x), lambda pullback, ct: pullback(ct))
    return wrapped


def in_custom_vmap(h):
    wrapped = ft.custom_vmap(lambda x: h(x * 1.001))
    wrapped.def_vmap(lambda size, is_batched, x: (ft.vmap(lambda x: h(x * 1.001))(x), True))
    return wrapped


def in_callback(h):
    return lambda x: ft.pure_callback(
        lambda x: h(x * 1.001), ft.ShapeDtypeStruct((), float), x, vmap_method="sequential"
    )


def in_vjp(h):
    return lambda x: ft.vjp(lambda x: h(x * 1.001), x)[0]


DEEP = {
    "value": lambda f: f,
    "jit": ft.jit,
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1],
    "vmap": lambda f: lambda x: ft.vmap(f)(np.full(2, x))[0],
    "make_ir": lambda f: lambda x: ft.evaluate(ft.make_ir(f)(x), x)[0],
}


def nested(wrap, levels):
    f = np.sin
    for _ in range(levels):
        f = wrap(f)
    return f


@pytest.mark.parametrize(
    ("wrap", "levels"),
    [
        *[(in_closed_cond, 300), (in_checkpoint, 200), (in_cond, 60), (in_jit, 40)],
        *[(in_scan, 20), (in_fori_loop, 20), (in_while_loop, 20)],
        *[(in_custom_jvp, 30), (in_custom_vjp, 30), (in_custom_vmap, 60), (in_vjp, 170)],
        pytest.param(in_cond, 300, marks=pytest.mark.slow),
        pytest.param(in_jit, 300, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.usefixtures("unchecked")
def test_functions_nested_deeply(wrap, levels, mode):
    limit, factor = sys.getrecursionlimit(), 1.001**levels
    derives = mode in ("grad", "jit of grad", "grad of jit", "jvp")
    expected = np.cos(0.5 * factor) * factor if derives else np.sin(0.5 * factor)
    np.testing.assert_allclose(DEEP[mode](nested(wrap, levels))(0.5), expected, rtol=1e-12)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    ("wrap", "mode"),
    [
        *itertools.product([in_custom_jvp, in_custom_vjp, in_custom_vmap], ["value", "grad"]),
        *itertools.product([in_callback], ["value", "jit", "vmap", "make_ir"]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_functions_of_the_user_nested_deeply_where_values_are_known(wrap, mode):
    limit, factor = sys.getrecursionlimit(), 1.001**160
    expected = np.cos(0.5 * factor) * factor if mode == "grad" else np.sin(0.5 * factor)
    np.testing.assert_allclose(DEEP[mode](nested(wrap, 160))(0.5), expected, rtol=1e-12)
    assert sys.getrecursionlimit() == limit


@pytest.mark.usefixtures("unchecked")
def test_a_function_that_calls_itself_in_a_branch_without_an_end():
    def factorial(n):
        return ft.cond(n <= 1, lambda n: n, lambda n: n * factorial(n - 1), n)

    limit = sys.getrecursionlimit()
    assert factorial(5.0) == ft.grad(lambda x: x * factorial(5.0))(1.0) == 120
    for transform in (ft.jit, ft.vmap):
        with pytest.raises(errors.NestingError, match="calls itself in a branch"):
            transform(factorial)(np.ones(2) if transform is ft.vmap else 5.0)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("wrap", [in_scan, in_while_loop])
@pytest.mark.usefixtures("unchecked")
def test_more_loops_within_loops_than_arrays_have_axes(wrap):
    f = nested(wrap, 66)
    np.testing.assert_allclose(f(0.5), np.sin(0.5 * 1.001**66))
    with pytest.raises(errors.NestingError, match="have 64 at most"):
        ft.grad(f)(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [in_scan, in_while_loop])
@pytest.mark.usefixtures("unchecked")
def test_more_loops_than_that_whose_body_is_computed_again(wrap):
    inner = ft.checkpoint(nested(wrap, 33))
    for _ in range(33):
        inner = wrap(inner)
    np.testing.assert_allclose(ft.grad(inner)(0.5), np.cos(0.5 * 1.001**66) * 1.001**66)
