"""Arithmetic of trees."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError
from functrace.optim import tree

X = {"a": np.array([1.0, 2.0]), "b": [np.array(3.0, np.float32), None]}
Y = {"a": np.array([4.0, -1.0]), "b": [np.array(2.0, np.float32), None]}


def same(found, a, b):
    np.testing.assert_allclose(found["a"], a)
    np.testing.assert_allclose(found["b"][0], b)
    assert found["b"][0].dtype == np.float32
    assert found["b"][1] is None


def test_leaf_by_leaf():
    same(tree.add(X, Y), [5, 1], 5)
    same(tree.sub(X, Y), [-3, 3], 1)
    same(tree.mul(X, Y), [4, -2], 6)
    same(tree.div(X, Y), [0.25, -2], 1.5)
    same(tree.scale(np.float64(2), X), [2, 4], 6)
    same(tree.add_scale(X, np.float64(2), Y), [9, 0], 7)
    same(tree.where(True, X, Y), [1, 2], 3)
    same(tree.zeros_like(X), [0, 0], 0)
    same(tree.ones_like(X), [1, 1], 1)
    same(tree.full_like(X, 0.5), [0.5, 0.5], 0.5)
    assert tree.zeros_like(X, np.float16)["a"].dtype == np.float16


def test_of_all_elements():
    assert tree.norm(X) == np.sqrt(14)
    assert tree.norm(X, squared=True) == 14
    assert tree.norm([np.array([3 + 4j])]) == 5
    assert tree.vdot(X, Y) == 8
    assert tree.norm({}) == 0


def test_dtypes():
    assert tree.cast(X, None) is X
    assert tree.cast(X, np.float16)["a"].dtype == np.float16
    assert (
        ft.make_ir(lambda s, x: tree.number_for(s, x) * x)(np.float64(2), np.ones(2, np.float32))
        .outputs[0]
        .type.dtype
        == np.float32
    )


def test_moments():
    same(tree.update_moment(X, Y, 0.5, 1), [2.5, 0.5], 2.5)
    same(tree.update_moment(X, Y, 0.5, 2), [2.5, 1.5], 5.5)
    same(tree.update_moment_per_elem_norm(X, Y, 0.5, 2), [2.5, 1.5], 5.5)
    same(tree.update_moment_per_elem_norm(X, Y, 0.5, 3), [2.5, 3.5], 14.5)
    same(tree.bias_correction(X, 0.5, np.int32(1)), [2, 4], 6)
    assert tree.squares(np.array(3 + 4j)) == 25


def test_parts_are_found_and_changed_by_their_names():
    optimizer = optim.chain(optim.clip(1.0), optim.inject_hyperparams(optim.adam)(0.1))
    state = optimizer.init({"a": np.ones(2)})
    assert optim.tree.get(state, "learning_rate") == pytest.approx(0.1)
    assert optim.tree.get(state, "nothing", 3) == 3
    changed = optim.tree.set(state, learning_rate=np.array(0.5))
    assert optim.tree.get(changed, "learning_rate") == 0.5
    assert optim.tree.get(state, "learning_rate") == pytest.approx(0.1)
    assert ft.tree.structure(changed) == ft.tree.structure(state)
    with pytest.raises(ArgumentError, match=r"no parts that are named \['nothing'\]"):
        optim.tree.set(state, nothing=1)


def test_all_elements_together():
    tree = {"w": np.array([[1.0, -4.0]]), "b": (2.0, None)}
    both = optim.tree.sum(tree), optim.tree.size(tree), optim.tree.max(tree), optim.tree.min(tree)
    assert both == (-1, 3, 2, -4)
    assert optim.tree.sum({}) == optim.tree.size({}) == 0
    assert optim.tree.allclose(tree, optim.tree.add(tree, optim.tree.scale(1e-12, tree)))
    assert not optim.tree.allclose(tree, optim.tree.scale(2.0, tree))


def test_trees_without_elements_have_steps():
    params = {"w": np.zeros((0, 3)), "b": np.zeros(0)}
    for optimizer in (optim.adafactor(0.1), optim.sm3(0.1), optim.lbfgs(memory_size=2)):
        _, gradient = ft.value_and_grad(optim.tree.sum)(params)
        given = {"value": 0.0, "grad": gradient, "value_fn": optim.tree.sum}
        options = given if isinstance(optimizer, optim.GradientTransformationExtraArgs) else {}
        updates, _ = optimizer.update(gradient, optimizer.init(params), params, **options)
        assert updates["w"].shape == (0, 3)
