"""Optimizers as three functions, against those of two and against formulas."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError
from functrace.optim import triples

START = {"w": np.linspace(-1, 1.5, 6).reshape(2, 3), "b": [np.array(0.5)]}
GRADIENTS = [
    {"w": np.cos(np.arange(6.0) * (t + 1)).reshape(2, 3), "b": [np.array(np.sin(t + 1.0))]}
    for t in range(20)
]


def trained(triple):
    init, update, get_params = triple
    state = init(START)
    for i, g in enumerate(GRADIENTS):
        state = update(i, g, state)
    return get_params(state)


def by_pair(tx):
    params, state = START, tx.init(START)
    for g in GRADIENTS:
        updates, state = tx.update(g, state, params)
        params = optim.apply_updates(params, updates)
    return params


def same(found, expected):
    ft.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12), found, expected)


@pytest.mark.parametrize(
    ("triple", "tx"),
    [
        (triples.sgd(0.1), optim.sgd(0.1)),
        (triples.momentum(0.1, 0.8), optim.sgd(0.1, 0.8)),
        (triples.nesterov(0.1, 0.8), optim.sgd(0.1, 0.8, nesterov=True)),
        (triples.rmsprop(0.1), optim.rmsprop(0.1)),
        (triples.rmsprop_momentum(0.1), optim.rmsprop(0.1, momentum=0.9)),
        (triples.adam(0.1), optim.adam(0.1)),
        (triples.adamax(0.1, eps=0.0), optim.adamax(0.1, eps=0.0)),
        (
            triples.adagrad(0.1),
            optim.chain(optim.scale_by_rss(0.0, 0.0), optim.ema(0.9, False), optim.scale(-0.1)),
        ),
        (
            triples.sgd(triples.exponential_decay(0.1, 3, 0.5)),
            optim.sgd(optim.exponential_decay(0.1, 3, 0.5)),
        ),
    ],
)
def test_three_functions_do_what_two_do(triple, tx):
    same(trained(triple), by_pair(tx))

    def step(state, i_and_g):
        i, g = i_and_g
        return triple.update_fn(i, g, state), None

    gradients = ft.tree.map(lambda *x: np.stack(x), *GRADIENTS)
    compiled = ft.jit(lambda s: ft.scan(step, s, (np.arange(20), gradients))[0])
    same(triple.params_fn(compiled(triple.init_fn(START))), by_pair(tx))


@pytest.mark.parametrize("make", [triples.sgd, triples.adam, triples.adagrad, triples.adamax])
def test_single_precision_stays(make):
    x = np.ones(2, np.float32)
    triple = make(triples.inverse_time_decay(0.1, 10, 0.5))
    state = ft.jit(triple.update_fn)(np.int32(0), x, triple.init_fn(x))
    assert {np.result_type(leaf) for leaf in ft.tree.leaves(state)} == {np.dtype(np.float32)}


def test_schedules():
    rows = [
        (triples.constant(2.0), [2, 2]),
        (triples.exponential_decay(1.0, 2, 0.25), [1, 0.5, 0.25]),
        (triples.inverse_time_decay(1.0, 2, 2.0), [1, 0.5, 1 / 3]),
        (triples.inverse_time_decay(1.0, 2, 1.0, staircase=True), [1, 1, 0.5, 0.5]),
        (triples.polynomial_decay(1.0, 2, 0.0, 2), [1, 0.25, 0, 0]),
        (triples.piecewise_constant([1, 2], [5.0, 6.0, 7.0]), [5, 5, 6, 7]),
    ]
    for schedule, expected in rows:
        np.testing.assert_allclose([schedule(i) for i in range(len(expected))], expected)
        found = ft.vmap(lambda i, schedule=schedule: schedule(i) + 0.0 * i)(
            np.arange(len(expected))
        )
        np.testing.assert_allclose(found, expected)
    with pytest.raises(ArgumentError, match="one value more"):
        triples.piecewise_constant([1], [1.0])
    with pytest.raises(ArgumentError, match="is a number"):
        triples.sgd(np.ones(2))


def test_gradients():
    assert triples.l2_norm([np.array([3.0]), np.array([4.0])]) == 5
    same(triples.clip_grads([np.array([3.0]), np.array([4.0])], 1.0), [[0.6], [0.8]])


def test_sm3_keeps_the_largest_sums_along_each_axis():
    x, m = START["w"], np.zeros((2, 3))
    rows, columns = np.zeros((2, 1)), np.zeros((1, 3))
    for g in GRADIENTS:
        total = np.minimum(rows, columns) + g["w"] ** 2
        m = 0.2 * g["w"] / np.sqrt(total) + 0.8 * m
        x = x - 0.1 * m
        rows, columns = total.max(1, keepdims=True), total.max(0, keepdims=True)
    np.testing.assert_allclose(trained(triples.sm3(0.1, 0.8))["w"], x, rtol=1e-12)
    alone = trained(triples.adagrad(0.1, 0.8))["b"][0]  # of one number both are the same
    np.testing.assert_allclose(trained(triples.sm3(0.1, 0.8))["b"][0], alone, rtol=1e-12)
    init, update, _ = triples.sm3(0.1)
    state = init([np.zeros((2, 3))])
    state = ft.jit(update)(0, [np.zeros((2, 3))], state)
    assert [side.shape for side in state.kept[1][0]] == [(2, 1), (1, 3)]
    assert not state.params[0].any()
