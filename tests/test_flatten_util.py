"""The one vector of a tree, under JAX's name."""

from __future__ import annotations

import numpy as np

import functrace as ft


def test_ravel_pytree():
    flat, unravel = ft.flatten_util.ravel_pytree({"w": np.ones((2, 2)), "b": np.zeros(1)})
    assert flat.tolist() == [0, 1, 1, 1, 1]
    f = lambda v: np.sum(unravel(v)["w"] ** 2) + unravel(v)["b"][0]
    assert ft.jit(ft.grad(f))(flat).tolist() == [1, 2, 2, 2, 2]
