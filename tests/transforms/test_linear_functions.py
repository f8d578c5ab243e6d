"""What vjp, linearize and linear_transpose return: functions that are trees."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functrace as ft
from functrace import errors, tree

X = np.array([0.5, -1.0, 2.0])
CT = np.array([1.0, 2.0, -0.5])


def f(x):
    return np.sin(x) * x


def expected(x, ct):
    return ct * (np.cos(x) * x + np.sin(x))


def pullback(x):
    return ft.vjp(f, x)[1]


def pushforward(x):
    return ft.linearize(f, x)[1]


def transpose(x):
    return ft.linear_transpose(lambda t: t * expected(x, np.ones_like(x)), x)


def only(x):
    return x[0] if isinstance(x, tuple) else x


KINDS = pytest.mark.parametrize("linear", [pullback, pushforward, transpose])


@KINDS
def test_it_is_taken_apart_and_put_together(linear):
    function = linear(X)
    leaves, structure = tree.flatten(function)
    assert leaves
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)
    again = structure.unflatten(leaves)
    np.testing.assert_allclose(only(again(CT)), expected(X, CT))
    assert type(again(CT)) is type(function(CT))
    assert tree.structure(again) == structure
    assert repr(again) == repr(function)
    assert structure.unflatten(range(len(leaves))) is not None


@KINDS
def test_it_leaves_a_jitted_function_and_enters_another(linear):
    made = ft.jit(linear)(X)
    np.testing.assert_allclose(only(made(CT)), expected(X, CT))
    applied = ft.jit(lambda function, ct: function(ct))
    for x in (X, 2 * X, X + 1):
        np.testing.assert_allclose(only(applied(linear(x), CT)), expected(x, CT))
        np.testing.assert_allclose(only(applied(ft.jit(linear)(x), CT)), expected(x, CT))
    # Each is one kind of argument: what is done is the same, with other residuals.
    assert applied.cache_info().misses <= 2


@KINDS
def test_its_equations_are_recorded_where_it_is_applied(linear):
    leaves, structure = tree.flatten(linear(X))
    program = ft.make_ir(lambda leaves, ct: structure.unflatten(leaves)(ct))(leaves, CT)
    assert len(program.inputs) == len(leaves) + 1
    assert not any(isinstance(c.value, np.ndarray) for c in program.constants())
    np.testing.assert_allclose(ft.evaluate(program, *leaves, CT)[0], expected(X, CT))


@KINDS
def test_it_is_mapped(linear):
    xs = np.stack([X, X + 1])
    cts = np.stack([CT, 2 * CT])
    functions = ft.vmap(linear)(xs)
    found = ft.vmap(lambda function, ct: only(function(ct)))(functions, cts)
    np.testing.assert_allclose(found, expected(xs, cts))


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit])
def test_it_is_carried_around_a_loop(wrap):
    def loss(x):
        return np.sum(x**2 * np.sin(x))

    def step(carry, _):
        x, pullback = carry
        x = x - 0.1 * pullback(1.0)[0]
        return (x, ft.vjp(loss, x)[1]), x

    @wrap
    def descend(x):
        return ft.scan(step, (x, ft.vjp(loss, x)[1]), None, length=4)

    (last, pullback), _ = descend(X)
    x = X
    for _ in range(4):
        x = x - 0.1 * ft.grad(loss)(x)
    np.testing.assert_allclose(last, x)
    np.testing.assert_allclose(pullback(1.0)[0], ft.grad(loss)(x))


@KINDS
def test_it_is_linear_in_what_maps_its_leaves_where_there_is_one(linear):
    function = linear(X)
    doubled = tree.map(lambda leaf: leaf, function)
    np.testing.assert_array_equal(only(doubled(CT)), only(function(CT)))


def test_it_is_differentiated_by_its_residuals():
    applied = ft.jit(lambda function, ct: function(ct)[0])
    found = ft.grad(lambda x: np.sum(applied(pullback(x), np.ones(3))))(X)
    np.testing.assert_allclose(found, ft.grad(lambda x: np.sum(expected(x, np.ones(3))))(X))
    parts = ft.grad(lambda function: np.sum(function(CT)[0]))(pullback(X))
    assert tree.structure(parts) == tree.structure(pullback(X))


@pytest.mark.parametrize("x", [2.0, np.float64(2.0), np.array(2.0)])
def test_numbers_are_residuals(x):
    one, other = pullback(x), pullback(x * 1.5)
    assert tree.structure(one) == tree.structure(other)
    assert one(1.0)[0] == expected(x, 1.0)
    applied = ft.jit(lambda function: function(1.0)[0])
    np.testing.assert_allclose(applied(one), expected(x, 1.0))
    np.testing.assert_allclose(applied(other), expected(x * 1.5, 1.0))


def test_trees_with_integers_and_zeros():
    def g(p, n):
        return {"y": p["a"] * n, "n": n, "z": p["b"] * 0 + 1.0}

    primals = ({"a": X, "b": 2.0}, 3)
    _, function = ft.vjp(g, *primals)
    ct = {"y": CT, "n": None, "z": None}
    again = tree.map(lambda leaf: leaf, function)
    for found in (again(ct), ft.jit(lambda h: h(ct))(function)):
        assert found[1] is None
        np.testing.assert_array_equal(found[0]["a"], 3 * CT)
        assert found[0]["b"] == 0.0
    _, pushed = ft.linearize(g, *primals)
    tangents = ({"a": CT, "b": None}, None)
    again = tree.map(lambda leaf: leaf, pushed)
    for found in (pushed(*tangents), again(*tangents)):
        np.testing.assert_array_equal(found["y"], 3 * CT)
        assert found["n"] is None
        assert found["z"] == 0.0


@KINDS
def test_what_does_not_fit_is_refused_as_before(linear):
    again = tree.map(lambda leaf: leaf, linear(X))
    with pytest.raises((errors.CotangentError, errors.TangentError)):
        again(np.ones(2))
    with pytest.raises(TypeError if linear is not pushforward else errors.TangentError):
        again(CT, CT)


@KINDS
def test_results_are_fresh(linear):
    again = tree.map(lambda leaf: leaf, linear(X))
    leaves = tree.leaves(again)
    ct = CT.copy()
    found = only(again(ct))
    found += 100.0
    assert not any(np.shares_memory(found, x) for x in (*leaves, ct))
    identity = tree.map(lambda leaf: leaf, ft.vjp(lambda x: x, X)[1])
    assert not np.shares_memory(only(identity(ct)), ct)


@KINDS
def test_it_can_be_pickled(linear):
    function = linear(X)
    again = pickle.loads(pickle.dumps(function))
    np.testing.assert_array_equal(only(again(CT)), only(function(CT)))
    assert tree.structure(again) == tree.structure(function)


def test_it_may_be_auxiliary_data_and_a_residual():
    gradient, function = ft.grad(lambda x: (np.sum(f(x)), pullback(x)), has_aux=True)(X)
    np.testing.assert_allclose(gradient, function(np.ones(3))[0])

    @ft.custom_gradient
    def g(x):
        return ft.vjp(f, x)

    np.testing.assert_allclose(ft.grad(lambda x: np.sum(g(x)))(X), expected(X, np.ones(3)))
    xs = np.stack([X, X + 1])
    found = ft.jit(ft.vmap(ft.grad(lambda x: np.sum(g(x)))))(xs)
    np.testing.assert_allclose(found, expected(xs, np.ones((2, 3))))
