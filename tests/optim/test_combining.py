"""Transformations together, for some parameters, and at some steps."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError

PARAMS = {"a": np.array([1.0, 2.0]), "b": {"c": np.array(3.0)}}
ONES = optim.tree.ones_like(PARAMS)


def test_chains():
    tx = optim.chain(optim.scale(2.0), optim.trace(0.5), optim.scale(-1.0))
    state = tx.init(PARAMS)
    _, state = tx.update(ONES, state)
    updates, state = tx.update(ONES, state)
    np.testing.assert_array_equal(updates["a"], -3)
    with pytest.raises(ArgumentError, match="state is that of 3 transformations"):
        optim.chain(optim.scale(1.0)).update(ONES, state)
    named = optim.named_chain(("first", optim.scale(2.0)), ("second", optim.trace(0.5)))
    updates, state = named.update(ONES, named.init(PARAMS))
    assert state.keys() == {"first", "second"}
    np.testing.assert_array_equal(updates["a"], 2)
    with pytest.raises(ArgumentError, match="same name"):
        optim.named_chain(("x", optim.identity()), ("x", optim.identity()))


@pytest.mark.parametrize(
    "mask", [{"a": True, "b": False}, lambda p: {"a": True, "b": {"c": False}}]
)
def test_masks(mask):
    tx = optim.masked(optim.adam(0.1), mask)
    state = tx.init(PARAMS)
    updates, state = tx.update(ONES, state, PARAMS)
    np.testing.assert_allclose(updates["a"], -0.1)
    assert updates["b"]["c"] == 1
    updates, _ = optim.freeze(mask).update(ONES, optim.freeze(mask).init(PARAMS))
    np.testing.assert_array_equal(updates["a"], 0)
    decayed = optim.add_decayed_weights(0.5, mask)
    updates, _ = decayed.update(ONES, decayed.init(PARAMS), PARAMS)
    np.testing.assert_array_equal(updates["a"], [1.5, 2])
    assert updates["b"]["c"] == 1


def test_one_for_each_label():
    each = {"fast": optim.sgd(1.0), "slow": optim.sgd(0.1)}
    tx = optim.multi_transform(each, {"a": "fast", "b": "slow"})
    updates, _ = ft.jit(lambda g: tx.update(g, tx.init(PARAMS), PARAMS))(ONES)
    np.testing.assert_allclose(updates["a"], -1)
    np.testing.assert_allclose(updates["b"]["c"], -0.1)
    unknown = optim.partition(each, lambda p: {"a": "fast", "b": "other"})
    with pytest.raises(ArgumentError, match="other"):
        unknown.init(PARAMS)


def test_weights_decay_by_a_schedule():
    tx = optim.add_decayed_weights(lambda count: 0.5 * count)
    state, found = tx.init(PARAMS), []
    for _ in range(3):
        updates, state = tx.update(optim.tree.zeros_like(PARAMS), state, PARAMS)
        found.append(float(updates["b"]["c"]))
    assert found == [0, 1.5, 3]


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit])
def test_steps_that_are_not_finite(wrap):
    tx = optim.apply_if_finite(optim.trace(1.0), 2)
    update = wrap(lambda g, s: tx.update(g, s))
    state, found = tx.init(0.0), []
    for g in (1.0, np.nan, 1.0, np.inf, np.nan, np.nan):
        result, state = update(np.float64(g), state)
        found.append(float(result))
    np.testing.assert_array_equal(found, [1, 0, 2, 0, 0, np.nan])
    assert (state.notfinite_count, state.total_notfinite, bool(state.last_finite)) == (3, 4, False)


def test_every_few_steps():
    tx = optim.apply_every(3)
    state, found = tx.init(0.0), []
    for g in range(6):
        result, state = tx.update(float(g), state)
        found.append(float(result))
    assert found == [0, 0, 3, 0, 0, 12]


@pytest.mark.parametrize(
    ("use_mean", "expected"), [(True, [0, -1.5, 0, -3.5]), (False, [0, -3, 0, -7])]
)
def test_one_step_for_several_gradients(use_mean, expected):
    steps = optim.MultiSteps(optim.sgd(1.0), 2, use_mean)
    tx = steps.gradient_transformation()
    state, found, updated = tx.init(0.0), [], []
    for g in (1.0, 2.0, 3.0, 4.0):
        result, state = ft.jit(tx.update)(np.float64(g), state)
        found.append(float(result))
        updated.append(bool(steps.has_updated(state)))
    assert found == expected
    assert updated == [False, True, False, True]
    assert state.gradient_step == 2


def test_numbers_in_the_state():
    tx = optim.inject_hyperparams(optim.adamw)(learning_rate=0.5, weight_decay=lambda t: 0.1 * t)
    single = np.ones(2, np.float32)
    state = tx.init(single)
    assert state.hyperparams["learning_rate"] == 0.5
    update = ft.jit(tx.update)
    result, state = update(single, state, single)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, -0.5, rtol=1e-6)
    state.hyperparams["learning_rate"] = np.array(0.25)
    result, state = update(single, state, single)
    np.testing.assert_allclose(result, -0.25 * 1.1, rtol=1e-6)
    assert state.count == 2


def test_lookahead_is_its_formula():
    fast = slow = start = np.array([1.0, -2.0])
    optimizer = optim.lookahead(optim.sgd(0.1, momentum=0.9), 3, 0.4)
    params = optim.LookaheadParams.init_synced(start)
    state, momentum = optimizer.init(params), 0.0
    for t in range(1, 8):
        gradient = np.cos(params.fast * t)
        updates, state = ft.jit(optimizer.update)(gradient, state, params)
        params = optim.apply_updates(params, updates)
        momentum = 0.9 * momentum + gradient
        fast = fast - 0.1 * momentum
        if t % 3 == 0:
            slow = fast = slow + 0.4 * (fast - slow)
        np.testing.assert_allclose(params.fast, fast)
        np.testing.assert_allclose(params.slow, slow)


def test_lookahead_begins_anew_where_it_is_told():
    optimizer = optim.lookahead(optim.adam(0.1), 2, 0.5, reset_state=True)
    params = optim.LookaheadParams.init_synced(np.ones(2, np.float32))
    state = optimizer.init(params)
    for count in (1, 0, 1):
        _, state = optimizer.update(np.ones(2, np.float32), state, params)
        assert optim.tree.get(state, "count") == count
    with pytest.raises(ArgumentError, match=r"no LookaheadParams"):
        optimizer.init(np.ones(2))
    with pytest.raises(ArgumentError, match="sync_period=0 is below 1"):
        optim.lookahead(optim.sgd(0.1), 0, 0.5)


def test_steps_under_a_condition():
    def is_small(step, *, value):
        return value < step

    for make, otherwise in ((optim.conditionally_transform, 6.0), (optim.conditionally_mask, 0.0)):
        optimizer = make(optim.trace(0.5), is_small, forward_extra_args=True)
        state, found = optimizer.init(0.0), []
        for value in (-1.0, 9.0, 1.0):
            updates, state = ft.jit(optimizer.update)(6.0, state, value=value)
            found.append(float(updates))
        assert found == [6.0, otherwise, 9.0]  # the momentum waits
        assert state.step == 3


@pytest.mark.parametrize(
    "skips", [optim.skip_not_finite, partial(optim.skip_large_updates, max_squared_norm=50.0)]
)
def test_gradients_that_are_left_out_change_nothing(skips):
    plain = optim.MultiSteps(optim.adam(0.1), 2)
    careful = optim.MultiSteps(optim.adam(0.1), 2, should_skip_update_fn=skips)
    first, second = plain.init(np.ones(2)), careful.init(np.ones(2))
    bad = np.array([np.inf, np.nan])
    for g in ([1.0, 2.0], bad, [3.0, 0.5], [2.0, 2.0], bad, bad, [1.0, 1.0]):
        updates, second = ft.jit(careful.update)(np.array(g), second)
        if np.all(np.isfinite(g)):
            expected, first = plain.update(np.array(g), first)
            assert not second.skip_state["should_skip"]
        else:
            expected = np.zeros(2)
            assert second.skip_state["should_skip"]
        np.testing.assert_allclose(updates, expected)
        same = zip(ft.tree.leaves(first), ft.tree.leaves(second[:4]), strict=True)
        assert all(np.allclose(x, y) for x, y in same)
    assert second.gradient_step == 2
