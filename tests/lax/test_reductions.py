"""Reductions of jax.lax against NumPy's, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors, lax
from tests.lax.works import V, X, assert_same, assert_works


@pytest.mark.parametrize("axes", [(0,), (1,), (-1, 0), ()])
def test_reduce(axes):
    total = lambda x: lax.reduce(x, 0.5, lax.add, axes)
    assert_works(total, X + 0.5 if not axes else np.sum(X, axes) + 0.5, X)
    largest = lambda x: lax.reduce(x, -np.inf, lambda a, b: lax.select(a > b, a, b), axes)
    assert_works(largest, np.max(X, axes), X)


def test_reduce_of_several_arrays():
    def largest(a, b):
        return lax.cond(a[0] >= b[0], lambda: a, lambda: b)

    places = np.broadcast_to(np.arange(4), X.shape)
    f = lambda x: lax.reduce((x, places), (-np.inf, -1), largest, (1,))
    assert_works(f, (np.max(X, 1), np.argmax(X, 1)), X)
    assert_same(lax.reduce(np.zeros((0, 2)), 3.0, lax.add, (0,)), np.full(2, 3.0))
    assert_same(lax.reduce(np.int8([100, 100]), np.int8(0), lax.add, (0,)), np.int8(-56))
    assert_same(lax.reduce_xor(np.array([[5, 3], [1, 1]]), (0, 1)), np.int64(6))
    assert_same(lax.reduce_xor(np.array([True, True, True]), (0,)), np.True_)
    with pytest.raises(errors.ShapeMismatchError, match="reduce was given arrays of the shapes"):
        lax.reduce((X, V), (0.0, 0.0), lambda a, b: a, (0,))


def test_reductions():
    for name in ("sum", "prod", "max", "min"):
        f = getattr(lax, f"reduce_{name}")
        assert_works(lambda x, f=f: f(x, (1,)), getattr(np, name)(X, 1), X)
        assert_works(lambda x, f=f: f(x, [0, 1]), getattr(np, name)(X), X)
    assert_works(lambda x: lax.reduce_and(x > -0.5, (0,)), np.all(X > -0.5, 0), X)
    assert_works(lambda x: lax.reduce_or(x > 0.5, (0,)), np.any(X > 0.5, 0), X)
    assert_works(lambda x: lax.argmax(x, 1, np.int32), np.argmax(X, 1).astype(np.int32), X)
    assert_works(lambda x: lax.argmin(x, 0, np.int16), np.argmin(X, 0).astype(np.int16), X)
    with pytest.raises(errors.ArgumentError, match="takes booleans"):
        lax.reduce_and(np.arange(3), (0,))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_operations(axis, reverse):
    ufuncs = {
        "cumsum": np.add,
        "cumprod": np.multiply,
        "cummax": np.maximum,
        "cummin": np.minimum,
        "cumlogsumexp": np.logaddexp,
    }
    for name, ufunc in ufuncs.items():
        x = np.flip(X, axis) if reverse else X
        expected = ufunc.accumulate(x, axis)
        expected = np.flip(expected, axis) if reverse else expected
        assert_works(
            lambda x, name=name: getattr(lax, name)(x, axis=axis, reverse=reverse), expected, X
        )
