"""Shapes of jax.lax against NumPy's, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads
from tests.lax.works import V, X, assert_same, assert_works


def test_parts_and_repetitions():
    assert_works(lambda x: lax.split(x, (1, 0, 3), axis=1), [X[:, :1], X[:, 1:1], X[:, 1:]], X)
    assert_works(lambda x: lax.split(x, [3], axis=-2), [X], X)
    assert_works(lambda x: lax.tile(x, (2, 3)), np.tile(X, (2, 3)), X)
    assert_works(lambda x: lax.tile(x, (2, 1, 1)), np.tile(X, (2, 1, 1)), X)
    assert_works(lax.optimization_barrier, X, X)
    with pytest.raises(errors.ShapeMismatchError, match="do not divide an axis of 4"):
        lax.split(X, (1, 2), axis=1)
    with pytest.raises(errors.ShapeMismatchError, match="1 numbers of repetitions"):
        lax.tile(X, (2,))


def test_shapes():
    assert_works(lambda x: lax.broadcast(x, (2, 1)), np.broadcast_to(X, (2, 1, 3, 4)), X)
    f = lambda x: lax.broadcast_in_dim(x, (2, 3, 5, 4), (1, 3))
    assert_works(f, np.broadcast_to(X[None, :, None], (2, 3, 5, 4)), X)
    assert_works(lambda x: lax.broadcast_to_rank(x, 3), X[None], X)
    assert lax.broadcast_shapes((3, 1), [4]) == (3, 4)
    assert_works(lambda x: lax.concatenate([x, 2 * x], 1), np.concatenate([X, 2 * X], 1), X)
    assert_works(lambda x: lax.stack([x, 2 * x], 1), np.stack([X, 2 * X], 1), X)
    assert_works(lambda x: lax.unstack(x, 1), tuple(X.T), X)
    assert_works(lambda x: lax.reshape(x, (2, 6)), X.reshape(2, 6), X)
    assert_works(lambda x: lax.reshape(x, (2, 6), (1, 0)), X.T.reshape(2, 6), X)
    assert_works(lambda x: lax.transpose(x, [1, 0]), X.T, X)
    assert_works(lambda x: lax.rev(x, (0, 1)), X[::-1, ::-1], X)
    assert_works(lambda x: lax.expand_dims(x, (0, 2)), X[None, :, None], X)
    assert_works(lambda x: lax.squeeze(lax.expand_dims(x, (0, 2)), (2,)), X[None], X)
    assert_works(lambda x: lax.collapse(lax.expand_dims(x, (0,)), 1, 3), X.reshape(1, 12), X)
    assert_works(lambda x: lax.collapse(x, 0), X.ravel(), X)
    with pytest.raises(errors.ShapeMismatchError, match="ascend"):
        lax.broadcast_in_dim(X, (3, 4), (1, 0))


def padded(x, value, low, high, interior):
    """One axis, element by element."""
    spread = []
    for i, element in enumerate(x):
        spread += [element] + [value] * (interior if i < len(x) - 1 else 0)
    spread = [value] * max(low, 0) + spread + [value] * max(high, 0)
    end = len(spread) + min(high, 0)
    return np.array(spread[max(-low, 0) : end], dtype=float)


@pytest.mark.thinned
@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("interior", [0, 1, 2])
@pytest.mark.parametrize("low", [-3, -1, 0, 2])
@pytest.mark.parametrize("high", [-3, -2, 0, 1])
def test_pad(length, interior, low, high):
    x = np.arange(1.0, length + 1)
    f = lambda x: lax.pad(x, 9.0, [(low, high, interior)])
    if low + high + max(length + (length - 1) * interior, 0) < 0:
        with pytest.raises(errors.ShapeMismatchError, match="takes more away"):
            f(x)
        return
    expected = padded(x, 9.0, low, high, interior)
    assert_same(f(x), expected)
    assert_same(ft.jit(f)(x), expected)
    check_grads(f, (x,), order=1)


def test_pad_of_matrices():
    f = lambda x, v: lax.pad(x, v, [(1, 0, 2), (-1, 2, 0)])
    expected = np.full((8, 5), 7.0)
    expected[1::3, :3] = X[:, 1:]
    assert_works(f, expected, X, np.float64(7.0))
    assert lax.pad(2.0, 0.0, []) == 2.0
    with pytest.raises(errors.ShapeMismatchError):
        lax.pad(X, 0.0, [(0, 0, 0)])
    with pytest.raises(errors.ArgumentError):
        lax.pad(V, 0.0, [(0, 0, -1)])


def test_new_arrays():
    assert_same(lax.iota(np.float32, 3), np.arange(3, dtype=np.float32))
    assert_same(lax.broadcasted_iota(np.int32, (2, 3), 1), np.array([[0, 1, 2]] * 2, np.int32))
    assert_same(lax.full((2,), 3.0), np.full(2, 3.0))
    assert_same(lax.full((), 3, np.int8), np.full((), 3, np.int8))
    assert_same(lax.full_like(np.float32(X), 2), np.full((3, 4), 2, np.float32))
    assert_same(lax.full_like(X, 2, int, (1,)), np.array([2]))
    assert_works(lambda x: lax.full((2, 2), x), np.full((2, 2), 3.0), np.float64(3.0))
    assert_works(lambda x: lax.convert_element_type(x, np.float64), X, X)
    assert_same(lax.convert_element_type(X, "int32"), X.astype("int32"))


def test_the_same_bits():
    x = np.array([[1.5, -2.0], [0.0, 3.25]], np.float32)
    assert_works(lambda x: lax.bitcast_convert_type(x, np.int32), x.view(np.int32), x)
    halves = x[..., None].view(np.uint16)
    assert_works(lambda x: lax.bitcast_convert_type(x, np.uint16), halves, x)
    assert_works(lambda x: lax.bitcast_convert_type(x, np.float32), x, halves)
    with pytest.raises(errors.ShapeMismatchError, match="does not hold"):
        lax.bitcast_convert_type(halves[..., :1], np.float32)
