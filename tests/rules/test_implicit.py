"""Roots, linear solves and fixed points: derivatives against unrolled solvers and differences."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError, MissingRuleError, NonlinearRuleError
from functrace.testing import check_grads

rng = np.random.default_rng(0)
MATRIX = rng.uniform(-1, 1, (3, 3)) + 4 * np.eye(3)
SYMMETRIC = MATRIX @ MATRIX.T
B = rng.uniform(-1, 1, 3)
BOTH = ("fwd", "rev")


# Solvers, some of which can be recorded and some of which cannot


def newton_scalar(f, x):
    return ft.fori_loop(0, 30, lambda _, x: x - f(x) / ft.jvp(f, (x,), (np.ones_like(x),))[1], x)


def newton_in_python(f, x):
    while abs(f(x)) > 1e-13:  # asks for the value
        x = x - f(x) / ft.grad(f)(x)
    return x


def divide(g, y):
    return y / g(np.ones_like(y))


def cube_root(a, solve=newton_scalar):
    return ft.custom_root(lambda x: x**3 - a, 1.5, solve, divide)


def newton(f, x, steps=20):
    for _ in range(steps):
        x = x - np.linalg.solve(ft.jacrev(f)(x), f(x))
    return x


def dense(g, y):
    return np.linalg.solve(ft.jacrev(g)(y), y)


def conjugate_gradients(f, b):
    def step(state):
        x, r, p, rr = state
        fp = f(p)
        alpha = rr / np.sum(p * fp)
        x, r = x + alpha * p, r - alpha * fp
        new = np.sum(r * r)
        return x, r, r + new / rr * p, new

    return ft.while_loop(lambda s: s[3] > 1e-26, step, (np.zeros_like(b), b, b, np.sum(b * b)))[0]


def conjugate_gradients_in_python(f, b):
    x, r = np.zeros_like(b), b
    p, rr = r, r @ r
    while rr > 1e-26:
        fp = f(p)
        alpha = rr / (p @ fp)
        x, r = x + alpha * p, r - alpha * fp
        new = r @ r
        p, rr = r + new / rr * p, new
    return x


SOLVERS = [newton_scalar, newton_in_python]


@pytest.mark.parametrize("solve", SOLVERS)
def test_a_scalar_root(solve):
    f = lambda a: cube_root(a, solve)
    np.testing.assert_allclose(f(8.0), 2.0, rtol=1e-12)
    check_grads(f, (8.0,), order=3, modes=BOTH, rtol=1e-5)
    np.testing.assert_allclose(ft.grad(f)(8.0), 1 / 12, rtol=1e-12)
    np.testing.assert_allclose(ft.grad(ft.grad(f))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-12)
    np.testing.assert_allclose(ft.jvp(ft.grad(f), (8.0,), (1.0,))[1], -2 / 9 * 8 ** (-5 / 3))


@pytest.mark.parametrize("solve", SOLVERS)
def test_roots_compose_with_everything(solve):
    f = lambda a: cube_root(a, solve)
    xs = np.array([1.0, 8.0, 27.0])
    slopes = xs ** (-2 / 3) / 3
    for g in (ft.vmap(f), ft.jit(ft.vmap(f)), ft.vmap(ft.jit(f))):
        np.testing.assert_allclose(g(xs), [1, 2, 3], rtol=1e-12)
    for g in (
        ft.vmap(ft.grad(f)),
        ft.vmap(ft.grad(ft.jit(f))),
        ft.jit(ft.vmap(ft.grad(f))),
        ft.grad(lambda xs: np.sum(ft.vmap(f)(xs))),
        ft.grad(ft.jit(lambda xs: np.sum(ft.vmap(f)(xs)))),
        lambda xs: ft.jvp(ft.vmap(f), (xs,), (np.ones(3),))[1],
        lambda xs: ft.jvp(ft.jit(ft.vmap(f)), (xs,), (np.ones(3),))[1],
    ):
        np.testing.assert_allclose(g(xs), slopes, rtol=1e-10)
    second = -2 / 9 * xs ** (-5 / 3)
    for g in (
        ft.vmap(ft.grad(ft.grad(f))),
        ft.jit(ft.vmap(ft.grad(ft.jit(ft.grad(f))))),
        ft.vmap(lambda x: ft.jvp(ft.grad(ft.jit(f)), (x,), (1.0,))[1]),
        ft.grad(lambda xs: np.sum(ft.vmap(ft.grad(f))(xs))),
    ):
        np.testing.assert_allclose(g(xs), second, rtol=1e-9)


@pytest.mark.slow
def test_a_system_over_a_tree():
    def solution(params):
        def f(x):
            return {
                "u": params["a"] * x["u"] + np.sin(x["v"]) - 1.0,
                "v": x["v"] + 0.3 * np.sum(x["u"]) - params["b"],
            }

        def solve(f, guess):
            flat, unravel = ft.tree.ravel(guess)
            return unravel(newton(lambda z: ft.tree.ravel(f(unravel(z)))[0], flat))

        def tangent_solve(g, y):
            flat, unravel = ft.tree.ravel(y)
            return unravel(dense(lambda z: ft.tree.ravel(g(unravel(z)))[0], flat))

        x = ft.custom_root(f, {"u": np.zeros(2), "v": 0.0}, solve, tangent_solve)
        return ft.tree.ravel(x)[0]

    params = {"a": np.array([2.0, 3.0]), "b": 0.7}
    check_grads(solution, (params,), order=2, modes=BOTH, rtol=1e-5)
    np.testing.assert_allclose(ft.jit(solution)(params), solution(params), rtol=1e-12)
    weights = np.array([1.0, -2.0, 3.0])
    loss = lambda p: weights @ solution(p)
    expected = ft.grad(loss)(params)
    for g in (ft.grad(ft.jit(loss)), ft.jit(ft.grad(loss))):
        found = g(params)
        np.testing.assert_allclose(found["a"], expected["a"], rtol=1e-10)
        np.testing.assert_allclose(found["b"], expected["b"], rtol=1e-10)


def test_the_guess_has_no_derivative_and_aux_is_handed_on():
    def f(guess, a):
        def solve(f, x):
            x = newton_scalar(f, x)
            return x, {"residual": f(x), "size": np.abs(x)}

        return ft.custom_root(lambda x: x * x - a, guess, solve, divide, has_aux=True)

    root, aux = f(1.0, 9.0)
    assert root == 3.0
    assert aux["size"] == 3.0
    loss = lambda guess, a: f(guess, a)[0] + f(guess, a)[1]["size"]
    for g in (ft.grad(loss, (0, 1)), ft.jit(ft.grad(loss, (0, 1))), ft.grad(ft.jit(loss), (0, 1))):
        np.testing.assert_allclose(g(1.0, 9.0), (0.0, 1 / 6), rtol=1e-12)
    found = ft.vmap(f)(np.array([1.0, 2.0]), np.array([4.0, 9.0]))
    np.testing.assert_allclose(found[0], [2, 3])
    np.testing.assert_allclose(found[1]["size"], [2, 3])


def test_a_root_inside_a_loop():
    def f(a):
        return ft.scan(lambda c, x: (c + cube_root(a * x), c), 0.0, np.array([1.0, 2.0]))[0]

    check_grads(f, (8.0,), order=2, modes=BOTH, rtol=1e-5)
    check_grads(ft.jit(f), (8.0,), order=2, modes=BOTH, rtol=1e-5)


# Linear systems


def by_matrix(matrix, b):
    return ft.custom_linear_solve(lambda x: matrix @ x, b, dense, dense)


def by_gradients(matrix, b):
    return ft.custom_linear_solve(lambda x: matrix @ x, b, conjugate_gradients, symmetric=True)


def by_gradients_in_python(matrix, b):
    return ft.custom_linear_solve(
        lambda x: matrix @ x, b, conjugate_gradients_in_python, symmetric=True
    )


def by_factor(matrix, b):
    factor = np.linalg.cholesky(matrix)  # the solver closes over it

    def solve(f, b):
        return np.linalg.solve(factor.T, np.linalg.solve(factor, b))

    return ft.custom_linear_solve(lambda x: matrix @ x, b, solve, symmetric=True)


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, ft.checkpoint])
def test_a_solver_may_close_over_a_differentiated_factor(wrap):
    f = wrap(lambda m, b: by_factor(m @ m.T, b))
    check_grads(f, (MATRIX, B), order=2, modes=BOTH, rtol=1e-5)
    jacobian = ft.jacrev(by_factor)(MATRIX @ MATRIX.T, B)
    np.testing.assert_allclose(jacobian, ft.jacrev(np.linalg.solve)(MATRIX @ MATRIX.T, B))
    each = lambda m: np.sum(ft.vmap(f)(m, np.stack([B, -B])))
    expected = lambda m: np.sum(
        ft.vmap(lambda m, b: np.linalg.solve(m @ m.T, b))(m, np.stack([B, -B]))
    )
    many = np.stack([MATRIX, 2 * MATRIX])
    np.testing.assert_allclose(ft.grad(each)(many), ft.grad(expected)(many))


@pytest.mark.parametrize(
    ("f", "matrix"),
    [(by_matrix, MATRIX), (by_gradients, SYMMETRIC), (by_gradients_in_python, SYMMETRIC)],
)
def test_linear_solve(f, matrix):
    np.testing.assert_allclose(f(matrix, B), np.linalg.solve(matrix, B), rtol=1e-10)
    if matrix is MATRIX:
        check_grads(f, (matrix, B), order=2, modes=BOTH, rtol=1e-5)
        make = lambda m: m
    else:  # it stays symmetric
        make = lambda m: (m + m.T) / 2
        check_grads(lambda m, b: f(make(m), b), (matrix, B), order=2, modes=BOTH, rtol=1e-5)
    loss = lambda m, b: np.sum(f(make(m), b) ** 2)
    plain = lambda m, b: np.sum(np.linalg.solve(make(m), b) ** 2)
    expected = ft.grad(plain, (0, 1))(matrix, B)
    stack = np.stack([matrix, 2 * matrix])
    for g in (
        ft.grad(loss, (0, 1)),
        ft.jit(ft.grad(loss, (0, 1))),
        ft.grad(ft.jit(loss), (0, 1)),
        lambda m, b: [x[0] for x in ft.vmap(ft.grad(loss, (0, 1)), (0, None))(stack, b)],
        lambda m, b: [x[0] for x in ft.vmap(ft.grad(ft.jit(loss), (0, 1)), (0, None))(stack, b)],
    ):
        for found, wanted in zip(g(matrix, B), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-8)
    many = ft.vmap(f, (None, 1), 1)(matrix, np.eye(3))
    np.testing.assert_allclose(many, np.linalg.inv(matrix), atol=1e-10)
    np.testing.assert_allclose(ft.jacrev(lambda b: f(matrix, b))(B), many, atol=1e-10)


def test_aux_of_a_linear_solve():
    def f(d, b):
        solve = lambda f, b: (b / f(np.ones(3)), np.sum(b))
        return ft.custom_linear_solve(lambda x: d * x, b, solve, symmetric=True, has_aux=True)

    d = np.array([1.0, 2.0, 4.0])
    x, total = f(d, B)
    np.testing.assert_allclose(x, B / d)
    np.testing.assert_allclose(total, np.sum(B))
    for g in (ft.grad, lambda f: ft.jit(ft.grad(f)), lambda f: ft.grad(ft.jit(f))):
        gradient = g(lambda d: np.sum(f(d, B)[0]) + f(d, B)[1])(d)
        np.testing.assert_allclose(gradient, -B / d**2)


def test_reverse_mode_needs_a_transposed_solver():
    f = lambda b: ft.custom_linear_solve(lambda x: MATRIX @ x, b, dense)
    np.testing.assert_allclose(ft.jvp(f, (B,), (B,))[1], np.linalg.solve(MATRIX, B))
    with pytest.raises(MissingRuleError, match="transpose_solve"):
        ft.grad(lambda b: np.sum(f(b)))(B)


def test_a_function_that_is_not_linear():
    f = lambda b: ft.custom_linear_solve(lambda x: x * x, b, lambda f, b: np.sqrt(b), divide)
    with pytest.raises(NonlinearRuleError):
        ft.grad(lambda b: np.sum(f(b)))(B + 2)


def test_results_of_other_structures():
    with pytest.raises(ArgumentError, match="function under custom_root"):
        ft.custom_root(lambda x: (x, x), 1.0, newton_scalar, divide)
    with pytest.raises(ArgumentError, match="function under custom_root"):
        ft.custom_root(lambda x: x * np.ones(2), 1.0, newton_scalar, divide)
    with pytest.raises(ArgumentError, match="structure"):
        ft.grad(lambda a: ft.custom_root(lambda x: x - a, 1.0, lambda f, x: (x, x), divide))(1.0)
    with pytest.raises(ArgumentError, match="tangent_solve"):
        ft.grad(lambda a: ft.custom_root(lambda x: x - a, 1.0, newton_scalar, lambda g, y: [y]))(
            1.0
        )


# Fixed points


def test_fixed_point_of_the_cosine():
    f = lambda a: ft.fixed_point(lambda x, a: np.cos(a * x), 1, a, tolerance=1e-15)
    x = f(1.0)
    np.testing.assert_allclose(np.cos(x), x, rtol=1e-14)
    check_grads(f, (1.0,), order=3, modes=BOTH, rtol=1e-5)
    slope = -x * np.sin(x) / (1 + np.sin(x))
    for g in (ft.grad(f), ft.grad(ft.jit(f)), ft.jit(ft.grad(f)), lambda a: ft.vmap(ft.grad(f))(
        np.array([a, 0.5]))[0]):  # fmt: skip
        np.testing.assert_allclose(g(1.0), slope, rtol=1e-12)


@pytest.mark.parametrize("largest", [100, 0], ids=["by matrix", "by iteration"])
def test_an_equilibrium(monkeypatch, largest):
    monkeypatch.setattr("functrace.rules.implicit.LARGEST_DENSE_SYSTEM", largest)
    params = {"W": 0.3 * rng.uniform(-1, 1, (4, 4)), "b": rng.uniform(-1, 1, 4)}

    def equilibrium(params):
        return ft.fixed_point(lambda z: np.tanh(params["W"] @ z + params["b"]), np.zeros(4))

    def unrolled(params):
        z = np.zeros(4)
        for _ in range(80):
            z = np.tanh(params["W"] @ z + params["b"])
        return z

    check_grads(equilibrium, (params,), order=2, modes=BOTH, rtol=1e-5)
    loss = lambda f: lambda p: np.sum(f(p) ** 2)
    expected = ft.grad(loss(unrolled))(params)
    for g in (
        ft.grad(loss(equilibrium)),
        ft.jit(ft.grad(loss(equilibrium))),
        ft.grad(ft.jit(loss(equilibrium))),
    ):
        found = g(params)
        np.testing.assert_allclose(found["W"], expected["W"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["b"], expected["b"], rtol=1e-9, atol=1e-12)
    batch = {"W": params["W"], "b": np.stack([params["b"], 0 * params["b"] + 1])}
    axes = ({"W": None, "b": 0},)
    found = ft.vmap(ft.grad(loss(equilibrium)), axes)(batch)
    np.testing.assert_allclose(found["b"][0], expected["b"], rtol=1e-9, atol=1e-12)


def test_small_cotangents_are_as_exact_as_large_ones(monkeypatch):
    monkeypatch.setattr("functrace.rules.implicit.LARGEST_DENSE_SYSTEM", 0)
    f = lambda a: ft.fixed_point(lambda x: np.cos(a * x), 1.0)
    np.testing.assert_allclose(
        ft.grad(lambda a: 1e-20 * f(a))(1.0), 1e-20 * ft.grad(f)(1.0), rtol=1e-9
    )
    assert ft.grad(lambda a: 0.0 * f(a))(1.0) == 0


def test_complex_and_single_precision():
    f = lambda a: ft.fixed_point(lambda z: 0.3 * z * z + a * np.conj(z) + 0.2j, 0.1 + 0.1j)
    check_grads(f, (0.2 + 0.1j,), order=2, modes=BOTH, rtol=1e-5)
    g = lambda a: ft.fixed_point(lambda x: np.cos(a * x), np.float32(1))
    assert g(np.float32(1)).dtype == np.float32
    assert ft.grad(g)(np.float32(1)).dtype == np.float32


def test_what_does_not_converge_is_nan():
    for f in (
        lambda: ft.fixed_point(lambda x: x + 1.0, 0.0, max_steps=10),
        lambda: ft.jit(lambda a: ft.fixed_point(lambda x: x + a, 0.0, max_steps=10))(1.0),
    ):
        assert np.isnan(f())


def test_loops_stop_for_each_example_by_itself():
    f = lambda a: ft.fixed_point(lambda x: a * x + 1, 0.0, tolerance=1e-14)
    xs = np.array([0.0, 0.5, 0.99])
    np.testing.assert_allclose(ft.vmap(f)(xs), 1 / (1 - xs), rtol=1e-11)
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(xs), (1 - xs) ** -2.0, rtol=1e-11)


def test_printed_programs_name_what_they_hold():
    text = str(ft.make_ir(lambda a: cube_root(a))(8.0))
    assert "def tangent_solve(" in text
    assert "= custom_root(" in text


def test_a_solver_with_auxiliary_data_is_mapped_over_its_tangents():
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])

    def solve(matvec, b):
        return np.linalg.solve(np.stack([matvec(row) for row in np.eye(2)]), b), np.int64(0)

    def f(b):
        x, _ = ft.custom_linear_solve(lambda x: matrix @ x, b, solve, symmetric=True, has_aux=True)
        return np.sum(x**2)

    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(ft.hessian(f)(np.ones(2)), 2 * inverse @ inverse)
    np.testing.assert_allclose(ft.jacfwd(ft.jacfwd(f))(np.ones(2)), 2 * inverse @ inverse)
