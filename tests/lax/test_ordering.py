"""Sorting by jax.lax's names, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors, lax
from tests.lax.works import X, assert_same, assert_works


def test_order():
    assert_works(lambda x: lax.sort(x), np.sort(X), X)
    assert_works(lambda x: lax.sort(x, dimension=0), np.sort(X, 0), X)
    keys = np.array([[2, 1, 2, 0], [1, 1, 0, 0], [3, 0, 3, 1]])
    order = np.argsort(keys, 1, kind="stable")
    take = lambda x: np.take_along_axis(x, order, 1)
    assert_works(lambda k, x: lax.sort((k, x)), (take(keys), take(X)), keys, X)
    assert_works(lambda k, x: lax.sort_key_val(k, x), (take(keys), take(X)), keys, X)
    order = np.lexsort((X, keys))
    assert_works(lambda k, x: lax.sort((k, x), num_keys=2), (take(keys), take(X)), keys, X)
    values, indices = lax.top_k(keys, 2)
    assert_same(values, np.array([[2, 2], [1, 1], [3, 3]]))
    assert_same(indices, np.array([[0, 2], [0, 1], [0, 2]]))
    descending = np.sort(X)[:, ::-1][:, :3]
    assert_works(lambda x: lax.top_k(x, 3), (descending, np.argsort(-X)[:, :3]), X)
    assert lax.top_k(np.array([1.0, np.nan, np.inf]), 2)[1].tolist() == [1, 2]
    assert lax.top_k(X, 0)[0].shape == (3, 0)
    assert_same(lax.approx_max_k(X, 2), lax.top_k(X, 2))
    smallest = np.sort(X)[:, :2], np.argsort(X)[:, :2]
    assert_works(lambda x: lax.approx_min_k(x, 2), smallest, X)
    columns = (np.sort(X, 0)[::-1][:2], np.argsort(-X, 0)[:2])
    assert_works(lambda x: lax.top_k(x, 2, axis=0), columns, X)
    assert_same(lax.top_k(X, 2, axis=-2), columns)
    with pytest.raises(errors.ArgumentError, match="asked for 5"):
        lax.top_k(X, 5)
    with pytest.raises(errors.ArgumentError, match="num_keys=3"):
        lax.sort((X, X), num_keys=3)
