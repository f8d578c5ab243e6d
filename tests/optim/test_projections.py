"""Projections: they are in the set, and no other point of it is nearer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functrace as ft
from functrace.optim import projections
from functrace.testing import check_grads

A = np.array([1.0, -2.0, 0.5, 3.0])
SETS = {
    "non_negative": ((), lambda x: np.min(x)),
    "box": ((-0.5, 0.25), lambda x: min(np.min(x) + 0.5, 0.25 - np.max(x))),
    "hypercube": ((2.0,), lambda x: min(np.min(x), 2 - np.max(x))),
    "simplex": ((1.5,), lambda x: min(np.min(x), -abs(np.sum(x) - 1.5))),
    "l1_sphere": ((1.5,), lambda x: -abs(np.sum(abs(x)) - 1.5)),
    "l1_ball": ((1.5,), lambda x: 1.5 - np.sum(abs(x))),
    "l2_sphere": ((1.5,), lambda x: -abs(np.linalg.norm(x) - 1.5)),
    "l2_ball": ((1.5,), lambda x: 1.5 - np.linalg.norm(x)),
    "linf_ball": ((1.5,), lambda x: 1.5 - np.max(abs(x))),
    "vector": ((A,), lambda x: -np.linalg.norm(x - (x @ A) / (A @ A) * A)),
    "hyperplane": ((A, 0.75), lambda x: -abs(x @ A - 0.75)),
    "halfspace": ((A, 0.75), lambda x: 0.75 - x @ A),
}


@pytest.mark.parametrize("name", SETS)
@given(seed=st.integers(0, 2**31))
def test_nothing_in_the_set_is_nearer(name, seed):
    args, inside = SETS[name]
    project = getattr(projections, f"projection_{name}")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=4) * 2
    found = project(x, *args)
    assert inside(found) > -1e-12
    np.testing.assert_allclose(project(found, *args), found, atol=1e-12)
    for _ in range(20):
        other = project(found + rng.normal(size=4) * 0.3, *args)
        assert np.linalg.norm(other - x) > np.linalg.norm(found - x) - 1e-12


@pytest.mark.parametrize("name", SETS)
def test_trees_and_derivatives(name):
    args, _ = SETS[name]
    project = getattr(projections, f"projection_{name}")
    x = np.array([0.9, -1.7, 0.4, 2.2])
    tree = lambda x: {"b": x[:1], "w": [x[1:].reshape(3, 1)]}
    expected = tree(project(x, *args))
    whole = [tree(a) if a is A else a for a in args]
    found = project(tree(x), *whole)
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    np.testing.assert_allclose(ft.tree.ravel(found)[0], ft.tree.ravel(expected)[0], rtol=1e-12)
    check_grads(lambda x: project(x, *args), (x,), order=2, modes=("fwd", "rev"))
    np.testing.assert_allclose(ft.jit(lambda x: project(x, *args))(x), project(x, *args))
    mapped = ft.vmap(lambda x: project(x, *args))(np.stack([x, -x]))
    np.testing.assert_allclose(mapped[1], project(-x, *args), atol=1e-14)
    single = [np.float32(a) for a in args]
    assert project(x.astype(np.float32), *single).dtype == np.float32


def test_bounds_that_are_trees():
    x = {"w": np.array([-1.0, 2.0]), "b": np.array(3.0)}
    upper = {"w": np.array([1.0, 1.5]), "b": np.array(2.5)}
    found = projections.projection_hypercube(x, upper)
    np.testing.assert_array_equal(found["w"], [0, 1.5])
    assert found["b"] == 2.5
