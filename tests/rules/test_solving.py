"""Solutions as operations: derivatives by formulas with NumPy's inverse, maps as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.ir.types import type_of
from functrace.rules import solving
from functrace.rules.solving import HostFunction, full_transpose, one_by_one
from functrace.tracing.tracer import bind
from tests.strategies import seeds

few = settings(max_examples=10, deadline=None)


def matrix_of(rng, n):
    return rng.normal(size=(n, n)) + 4 * np.eye(n)


def system(a, b, *, has_transpose=True, host=False):
    """The solution of a linear system, as an operation."""
    n = len(b)
    inputs = [np.ones((n, n)), np.ones(n)]
    solve = ft.make_ir(np.linalg.solve)(*inputs)
    if host:
        solve = HostFunction("solve", lambda a, b: [np.linalg.solve(a, b)], [type_of(b)])
    back = ft.make_ir(lambda a, b: np.linalg.solve(a.T, b))(*inputs) if has_transpose else None
    params = {
        "matvec": ft.make_ir(lambda a, x: a @ x)(*inputs),
        "solve": solve,
        "transpose_solve": back,
        "constants": 1,
    }
    return bind(solving.linear_solve, a, b, **params)[0]


@few
@given(st.integers(1, 3), seeds(), st.booleans())
def test_the_derivative_of_a_solution_is_that_of_the_inverse(n, seed, host):
    rng = np.random.default_rng(seed)
    a, da = matrix_of(rng, n), rng.normal(size=(n, n))
    b, db, ct = rng.normal(size=(3, n))
    f = lambda a, b: system(a, b, host=host and not isinstance(a, ft.Array))
    inverse = np.linalg.inv(a)
    x = inverse @ b
    np.testing.assert_allclose(system(a, b, host=host), x)
    found, pushed = ft.jvp(f, (a, b), (da, db))
    np.testing.assert_allclose(found, x)
    np.testing.assert_allclose(pushed, inverse @ (db - da @ x), atol=1e-12)
    by_a, by_b = ft.vjp(f, a, b)[1](ct)
    np.testing.assert_allclose(by_b, inverse.T @ ct, atol=1e-12)
    np.testing.assert_allclose(by_a, -np.outer(inverse.T @ ct, x), atol=1e-12)
    stack = np.stack([a, a.T, 2 * a])
    loop = [np.linalg.solve(each, b) for each in stack]
    np.testing.assert_allclose(ft.vmap(f, (0, None))(stack, b), loop)
    np.testing.assert_allclose(
        ft.vmap(lambda a: ft.vjp(f, a, b)[1](ct)[1])(stack),
        [np.linalg.solve(each.T, ct) for each in stack],
        atol=1e-12,
    )


def test_without_a_transposed_solver_there_is_no_reverse_mode():
    a, b = matrix_of(np.random.default_rng(0), 2), np.ones(2)
    f = lambda b: system(a, b, has_transpose=False)
    np.testing.assert_allclose(ft.jvp(f, (b,), (b,))[1], np.linalg.solve(a, b))
    with pytest.raises(MissingRuleError, match="no transpose_solve"):
        ft.vjp(f, b)[1](b)


@few
@given(st.floats(0.5, 4), seeds())
def test_the_derivative_of_a_root_is_that_of_the_implicit_function(a, seed):
    """Of ``x**3 + a x = 2 a**2``, with a solver that knows of no derivative."""
    equation = lambda a, x: x**3 + a * x - 2 * a * a

    def newton(a, x):
        for _ in range(30):
            x = x - equation(a, x) / (3 * x * x + a)
        return [x]

    real = type_of(np.float64(1.0))
    params = {
        "f": ft.make_ir(equation)(np.float64(1.0), np.float64(1.0)),
        "solve": HostFunction("newton", newton, [real]),
        "tangent_solve": ft.make_ir(lambda a, x, y: y / (3 * x * x + a))(*[np.float64(1.0)] * 3),
        "constants": 1,
    }
    f = lambda a: bind(solving.root, a, np.float64(1.0), **params)[0]
    x = f(a)
    np.testing.assert_allclose(equation(a, x), 0, atol=1e-9)
    slope = (4 * a - x) / (3 * x * x + a)
    np.testing.assert_allclose(ft.jvp(f, (a,), (1.0,))[1], slope)
    np.testing.assert_allclose(ft.grad(f)(a), slope)
    step = 1e-4
    second = (ft.grad(f)(a + step) - ft.grad(f)(a - step)) / (2 * step)
    np.testing.assert_allclose(ft.grad(ft.grad(f))(a), second, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ft.vmap(f)(np.array([a, 1.0])), [x, 1.0])


@few
@given(st.integers(0, 3), st.data(), seeds())
def test_one_example_after_the_other_is_a_loop(size, data, seed):
    called = []

    def f(x, y):
        called.append((x.shape, y.shape))
        return [x @ y, x + 1]

    x, y = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    host = HostFunction("f", f, [type_of(x @ y), type_of(x)])
    axes = [data.draw(st.sampled_from([None, 0, 1, 2])), data.draw(st.sampled_from([None, 0, 1]))]
    examples = [[v * n for n in range(1, size + 1)] for v in (x, y)]
    stacked = [
        v if axis is None else np.stack([*many, v], axis).take(range(size), axis)
        for v, many, axis in zip((x, y), examples, axes, strict=True)
    ]
    mapped = one_by_one(host, size, axes)
    found = mapped(*stacked)
    assert called == [((2, 3), (3,))] * size
    assert [*map(type_of, found)] == [*mapped.types]
    for n in range(size):
        one = [v if axis is None else many[n]
               for v, many, axis in zip((x, y), examples, axes, strict=True)]  # fmt: skip
        for part, expected in zip(found, f(*one), strict=True):
            np.testing.assert_array_equal(part[n], expected)


def test_the_transpose_has_every_output():
    program = ft.make_ir(lambda a, x, y: (a @ x, np.zeros(2)))(np.ones((2, 3)), np.ones(3), 1.0)
    found = full_transpose(program, 1)
    a, ct = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0])
    by_x, by_y = ft.evaluate(found, a, ct, ct)
    np.testing.assert_array_equal(by_x, a.T @ ct)
    assert (by_y, type_of(by_y)) == (0, type_of(np.float64(0)))
    assert full_transpose(program, 1) is found
