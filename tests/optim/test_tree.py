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


def test_other_norms_than_the_euclidean_one():
    tree = {"w": np.array([[1.0, -4.0]]), "b": (2.0, None)}
    found = [float(optim.tree.norm(tree, order)) for order in (None, 2, 1, np.inf, "inf")]
    assert found == pytest.approx([21**0.5, 21**0.5, 7, 4, 4])
    squares = [float(optim.tree.norm(tree, order, squared=True)) for order in (2, 1, np.inf)]
    assert squares == pytest.approx([21, 49, 16])
    with pytest.raises(ArgumentError, match="ord=3"):
        optim.tree.norm(tree, 3)


def test_one_dtype_of_many():
    mixed = [np.ones(2, np.float32), np.float64(1), np.ones(1, np.float16)]
    assert optim.tree.dtype(mixed, "lowest") == np.float16
    assert optim.tree.dtype(mixed, "highest") == optim.tree.dtype(mixed, "promote") == np.float64
    assert optim.tree.dtype(mixed[:1]) == np.float32
    assert optim.tree.dtype({}) == np.float64
    between = [np.ones(2, np.int32), np.ones(2, np.float32)]
    assert optim.tree.dtype(between, "promote") == np.float64
    for how in (None, "highest", "first"):
        with pytest.raises(ArgumentError, match="int32, float32"):
            optim.tree.dtype(between, how)


def test_random_numbers_and_axes_for_each_leaf():
    tree = {"w": np.ones((2, 3), np.float32), "b": [np.ones(3)]}
    drawn = optim.tree.random_like(ft.random.key(0), tree)
    assert ft.tree.map(np.shape, drawn) == ft.tree.map(np.shape, tree)
    assert drawn["w"].dtype == np.float32
    assert not np.any(drawn["w"][0] == drawn["b"][0])
    signs = optim.tree.random_like(ft.random.key(0), tree, ft.random.rademacher, np.int8)
    assert signs["w"].dtype == np.int8
    np.testing.assert_array_equal(abs(signs["b"][0]), np.ones(3))
    assert optim.tree.batch_shape(tree, (4, 5))["w"].shape == (4, 5, 2, 3)
    assert optim.tree.add(tree, tree, tree)["b"][0][0] == 3
