"""Functions with maps of their own, under the names of ``jax.custom_batching``."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.custom_batching import custom_vmap, sequential_vmap


def test_the_names_of_jax():
    assert custom_vmap is ft.custom_batching.custom_vmap is ft.custom_vmap
    assert sequential_vmap is ft.custom_batching.sequential_vmap is ft.sequential_vmap


def test_a_map_by_these_names_is_that_of_a_loop():
    shapes = []

    @custom_vmap
    def f(x, y):
        return x @ y

    @f.def_vmap
    def rule(size, is_batched, x, y):
        shapes.append((size, is_batched, x.shape, y.shape))
        return np.einsum("ni,i->n", x, y), True

    x, y = np.arange(6.0).reshape(3, 2), np.array([2.0, -1.0])
    np.testing.assert_array_equal(ft.vmap(f, (0, None))(x, y), [row @ y for row in x])
    assert shapes == [(3, [True, False], (3, 2), (2,))]
    one_by_one = sequential_vmap(lambda x: x @ y)
    np.testing.assert_array_equal(ft.vmap(one_by_one)(x), [row @ y for row in x])
