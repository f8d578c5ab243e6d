"""Searches along lines find what SciPy's do, and L-BFGS goes where its formula does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError

SEARCHES = {
    "backtracking": lambda: optim.scale_by_backtracking_linesearch(30, store_grad=True),
    "zoom": lambda: optim.scale_by_zoom_linesearch(30),
    "zoom from 1": lambda: optim.scale_by_zoom_linesearch(30, initial_guess_strategy="one"),
}


def rosenbrock(x):
    return ft.numpy.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2)


def bowl(x):
    return ft.numpy.sum(ft.numpy.cosh(x - 1) + 0.1 * x**4)


def step_of(optimizer, f):
    def step(x, state):
        value, grad = optim.value_and_grad_from_state(f)(x, state=state)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=f)
        return optim.apply_updates(x, updates), state

    return step


def run(optimizer, f, x, count, transform=lambda step: step):
    step, state, points = transform(step_of(optimizer, f)), optimizer.init(x), [x]
    for _ in range(count):
        x, state = step(x, state)
        points.append(x)
    return points, state


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("f", [rosenbrock, bowl])
def test_each_step_lowers_the_function_as_wanted(name, f):
    optimizer = optim.chain(optim.sgd(1.0), SEARCHES[name]())
    points, _ = run(optimizer, f, np.array([-1.2, 1.0, 0.5]), 8)
    for old, new in pairwise(points):
        gradient = ft.grad(f)(old)
        assert f(new) <= f(old) + 1e-4 * np.vdot(gradient, new - old) + 1e-12
        if name.startswith("zoom"):
            slope, after = np.vdot(gradient, new - old), np.vdot(ft.grad(f)(new), new - old)
            assert abs(after) <= 0.9 * abs(slope) + 1e-12


def test_the_state_keeps_value_and_gradient_of_the_next_point():
    for name, search in SEARCHES.items():
        optimizer = optim.chain(optim.sgd(1.0), search())
        points, state = run(optimizer, rosenbrock, np.array([-1.2, 1.0]), 3)
        assert state[1].value == pytest.approx(rosenbrock(points[-1])), name
        np.testing.assert_allclose(state[1].grad, ft.grad(rosenbrock)(points[-1]))


@pytest.mark.parametrize("memory", [1, 3, 10])
def test_lbfgs_is_its_formula_with_matrices(memory):
    """Nocedal and Wright, (7.16) to (7.20), with the whole matrix in place of two loops."""
    rng = np.random.default_rng(0)
    tx, x = optim.scale_by_lbfgs(memory), rng.normal(size=4)
    state, before = tx.init(x), []
    for _ in range(6):
        gradient = ft.grad(bowl)(x)
        found, state = tx.update(gradient, state, x)
        before.append((x, gradient))
        pairs = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(before)][-memory:]
        inverse = np.eye(4) * min(1, 1 / np.linalg.norm(gradient))
        if pairs:
            s, y = pairs[-1]
            inverse = np.eye(4) * (s @ y) / (y @ y)
        for s, y in pairs:
            left = np.eye(4) - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        np.testing.assert_allclose(found, inverse @ gradient, rtol=1e-9)
        x = x - 0.3 * rng.normal(size=4)


def test_lbfgs_finds_the_valley_jitted_or_not():
    start = np.array([-1.2, 1.0])
    points, state = run(optim.lbfgs(), rosenbrock, start, 45)
    np.testing.assert_allclose(points[-1], 1.0, atol=1e-6)
    jitted, same = run(optim.lbfgs(), rosenbrock, start, 45, ft.jit)
    np.testing.assert_allclose(jitted, points, rtol=1e-6)
    assert optim.tree.get(same, "count") == optim.tree.get(state, "count") == 45


def test_trees_in_single_precision_keep_their_dtypes():
    params = {"w": np.ones((2, 3), np.float32), "b": (np.float32(2), None)}

    def f(params):
        return ft.numpy.sum(params["w"] ** 2) + (params["b"][0] - 1) ** 4

    optimizer = optim.lbfgs(memory_size=3)
    points, state = run(optimizer, f, params, 4)
    assert {x.dtype for x in ft.tree.leaves(points[-1])} == {np.dtype(np.float32)}
    kinds = [np.asarray(x).dtype for x in ft.tree.leaves(state)]
    assert kinds == [np.asarray(x).dtype for x in ft.tree.leaves(optimizer.init(params))]
    assert f(points[-1]) < 1e-3


def test_a_batch_of_searches_is_each_alone():
    starts = np.random.default_rng(1).normal(size=(3, 2))

    def fitted(x):
        step = step_of(optim.lbfgs(memory_size=2), rosenbrock)
        carry, _ = ft.scan(
            lambda c, _: (step(*c), None), (x, optim.lbfgs(memory_size=2).init(x)), None, length=5
        )
        return carry[0]

    found = ft.vmap(fitted)(starts)
    np.testing.assert_allclose(found, [fitted(x) for x in starts], rtol=1e-7)


@pytest.mark.parametrize("name", SEARCHES)
def test_where_nothing_is_lower_no_step_gives_nan(name):
    with np.errstate(all="ignore"):
        optimizer = optim.chain(optim.scale(-1.0), SEARCHES[name]())
        cliff = lambda x: ft.numpy.where(x < 1, ft.numpy.inf, x)
        x = np.array(1.0)
        updates, _ = optimizer.update(
            1.0, optimizer.init(x), x, value=cliff(x), grad=np.array(1.0), value_fn=cliff
        )
    assert updates == 0


def test_what_is_wrong_is_said():
    with pytest.raises(ArgumentError, match="memory_size=0 is below 1"):
        optim.scale_by_lbfgs(0)
    with pytest.raises(ArgumentError, match="neither 'one' nor 'keep'"):
        optim.scale_by_zoom_linesearch(3, initial_guess_strategy="two")
    with pytest.raises(ArgumentError, match="no value or no gradient"):
        optim.value_and_grad_from_state(bowl)(1.0, state=optim.sgd(0.1).init(1.0))
    with pytest.raises(ArgumentError, match="2 parts that are named 'count'"):
        optim.tree.get(optim.chain(optim.scale_by_adam(), optim.ema(0.5)).init(1.0), "count")
