"""Slices of jax.lax against NumPy's, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from tests.lax.works import V, X, assert_same, assert_works


def test_slices():
    assert_works(lambda x: lax.slice(x, (1, 0), (3, 4), (1, 3)), X[1:3, 0:4:3], X)
    assert_works(lambda x: lax.slice(x, (0, 2), (2, 2)), X[0:2, 2:2], X)
    assert_works(lambda x: lax.slice_in_dim(x, 1, None, 2, axis=1), X[:, 1::2], X)
    assert_works(lambda x: lax.slice_in_dim(x, -2, -1, axis=-1), X[:, -2:-1], X)
    assert_works(lambda x: lax.index_in_dim(x, -1, axis=1), X[:, -1:], X)
    assert_works(lambda x: lax.index_in_dim(x, 1, keepdims=False), X[1], X)
    for bad in (((0, 0), (4, 1)), ((2, 0), (1, 1)), ((0,), (1,)), ((0, 0), (1, 1), (0, 1))):
        with pytest.raises(errors.ShapeMismatchError, match="has no slice"):
            lax.slice(X, *bad)


def start(i, length, size):
    return int(np.clip(i + length * (i < 0), 0, length - size))


@pytest.mark.parametrize("i", [-9, -3, -1, 0, 1, 2, 3, 9])
def test_dynamic_slices(i):
    a, b = start(i, 3, 2), start(i, 4, 3)
    assert_works(
        lambda x, i: lax.dynamic_slice(x, (i, i), (2, 3)), X[a : a + 2, b : b + 3], X, np.int64(i)
    )
    assert_works(lambda x: lax.dynamic_slice(x, (i, 1), (2, 3)), X[a : a + 2, 1:4], X)
    assert_works(lambda x, i: lax.dynamic_slice(x, (0, i), (2, 4)), X[0:2], X, np.int64(i))
    starts = np.array([i, 0])
    assert_works(lambda x, s: lax.dynamic_slice(x, s, (2, 3)), X[a : a + 2, :3], X, starts)
    assert_works(
        lambda x, i: lax.dynamic_slice_in_dim(x, i, 3, axis=1), X[:, b : b + 3], X, np.int32(i)
    )
    c = start(i, 3, 1)
    assert_works(lambda x, i: lax.dynamic_index_in_dim(x, i), X[c : c + 1], X, np.int64(i))
    assert_works(
        lambda x, i: lax.dynamic_index_in_dim(x, i, 0, keepdims=False), X[c], X, np.int64(i)
    )


@pytest.mark.parametrize("i", [-9, -3, -1, 0, 1, 2, 3, 9])
def test_dynamic_updates(i):
    u = np.sin(np.arange(6.0)).reshape(2, 3)
    a, b = start(i, 3, 2), start(i, 4, 3)
    expected = X.copy()
    expected[a : a + 2, b : b + 3] = u
    assert_works(
        lambda x, u, i: lax.dynamic_update_slice(x, u, (i, i)), expected, X, u, np.int64(i)
    )
    assert_works(lambda x, u: lax.dynamic_update_slice(x, u, (i, i)), expected, X, u)
    expected = X.copy()
    expected[:2, b : b + 3] = u
    assert_works(
        lambda x, u, i: lax.dynamic_update_slice_in_dim(x, u, i, 1), expected, X, u, np.int64(i)
    )
    c = start(i, 3, 1)
    expected = X.copy()
    expected[c] = V
    for update in (V, V[None]):
        assert_works(
            lambda x, u, i: lax.dynamic_update_index_in_dim(x, u, i, 0),
            expected, X, update, np.int64(i),
        )  # fmt: skip
    before = X.copy()
    lax.dynamic_update_slice(X, u, (i, i))
    assert_same(X, before)


def test_slices_at_different_places_for_each_example():
    starts = np.array([0, 3, 1, 9])
    f = lambda i, x: lax.dynamic_slice_in_dim(x, i, 2)
    assert_same(ft.vmap(f, (0, None))(starts, V), np.stack([V[0:2], V[2:4], V[1:3], V[2:4]]))
    g = ft.grad(lambda x: np.sum(ft.vmap(f, (0, None))(starts, x)))(V)
    assert_same(g, np.array([1.0, 2.0, 3.0, 2.0]))
    ring = lambda x: ft.fori_loop(
        0, 4, lambda i, x: lax.dynamic_update_index_in_dim(x, x[i] * 2 + x[0], i, 0), x
    )
    expected = V.copy()
    for i in range(4):
        expected[i] = expected[i] * 2 + expected[0]
    assert_works(ring, expected, V)


def test_dynamic_slices_that_do_not_fit():
    with pytest.raises(errors.ShapeMismatchError, match="does not fit"):
        lax.dynamic_slice(X, (0, 0), (4, 1))
    with pytest.raises(errors.ShapeMismatchError, match="1 start indices"):
        lax.dynamic_slice(X, (0,), (1, 1))
    with pytest.raises(errors.ShapeMismatchError, match="rank"):
        lax.dynamic_update_slice(X, V, (0, 0))
    with pytest.raises(errors.ArgumentError, match="must be an integer"):
        lax.dynamic_slice(V, (0.5,), (1,))
    assert lax.dynamic_slice(np.float64(2.0), (), ()) == 2.0
    assert lax.dynamic_update_slice(np.float64(2.0), 3.0, ()) == 3.0
