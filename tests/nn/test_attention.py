"""Attention against loops over queries, and against JAX where it is installed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors, nn
from functrace.testing import check_grads

QUERY = np.sin(np.arange(2 * 3 * 4 * 5.0)).reshape(2, 3, 4, 5)
KEY = np.cos(np.arange(2 * 6 * 2 * 5.0)).reshape(2, 6, 2, 5)
VALUE = np.sin(np.arange(2 * 6 * 2 * 5.0) ** 2).reshape(2, 6, 2, 5)


def by_loops(query, key, value, sees=lambda b, h, t, s: True, bias=None, scale=None):
    batch, queries, heads, features = query.shape
    keys, each = key.shape[1], heads // key.shape[2]
    scale = 1 / np.sqrt(features) if scale is None else scale
    result = np.zeros(query.shape)
    for b, t, h in itertools.product(range(batch), range(queries), range(heads)):
        seen = [s for s in range(keys) if sees(b, h, t, s)]
        products = np.array([query[b, t, h] @ key[b, s, h // each] * scale for s in seen])
        if bias is not None:
            products = (
                products + np.broadcast_to(bias, (batch, heads, queries, keys))[b, h, t, seen]
            )
        weights = np.exp(products)
        result[b, t, h] = (weights / weights.sum()) @ value[b, seen, h // each]
    return result


CALLS = {
    "plain": ({}, lambda b, h, t, s: True),
    "causal": ({"is_causal": True}, lambda b, h, t, s: s <= t),
    "window": ({"local_window_size": 1}, lambda b, h, t, s: abs(s - t) <= 1),
    "two windows": ({"local_window_size": (2, 0)}, lambda b, h, t, s: -2 <= s - t <= 0),
    "lengths": ({"key_value_seq_lengths": np.array([6, 2])}, lambda b, h, t, s: s < (6, 2)[b]),
    "mask": (
        {"mask": (np.arange(18).reshape(1, 1, 3, 6) % 4 > 0)},
        lambda b, h, t, s: (t * 6 + s) % 4 > 0,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_derivatives(name):
    options, sees = CALLS[name]
    expected = by_loops(QUERY, KEY, VALUE, sees)
    f = lambda q, k, v: nn.dot_product_attention(q, k, v, **options)
    np.testing.assert_allclose(f(QUERY, KEY, VALUE), expected, rtol=1e-12)
    np.testing.assert_allclose(ft.jit(f)(QUERY, KEY, VALUE), expected, rtol=1e-12)
    check_grads(f, (QUERY, KEY, VALUE))


def test_options():
    bias = np.cos(np.arange(18.0)).reshape(3, 6)
    found = nn.dot_product_attention(QUERY, KEY, VALUE, bias=bias, scale=0.3)
    np.testing.assert_allclose(found, by_loops(QUERY, KEY, VALUE, bias=bias, scale=0.3), rtol=1e-12)
    one = nn.dot_product_attention(QUERY[0], KEY[0], VALUE[0])
    np.testing.assert_allclose(one, by_loops(QUERY, KEY, VALUE)[0], rtol=1e-12)
    short = nn.dot_product_attention(QUERY, KEY, VALUE, query_seq_lengths=np.array([1, 3]))
    np.testing.assert_array_equal(short[0, 1:], 0.0)
    np.testing.assert_allclose(short[1], by_loops(QUERY, KEY, VALUE)[1], rtol=1e-12)
    found, residual = nn.dot_product_attention(QUERY, KEY, VALUE, return_residual=True)
    products = np.einsum("bthf,bshf->bths", QUERY, np.repeat(KEY, 2, 2)) / np.sqrt(5)
    np.testing.assert_allclose(residual, np.log(np.exp(products).sum(-1)), rtol=1e-12)
    assert nn.dot_product_attention(QUERY[0], KEY[0], VALUE[0], return_residual=True)[1].ndim == 2
    single = [x.astype(np.float32) for x in (QUERY, KEY, VALUE)]
    assert nn.dot_product_attention(*single).dtype == np.float32


def test_what_does_not_fit_is_refused():
    for args in ((QUERY, KEY[:1], VALUE), (QUERY[:, :, :3], KEY, VALUE), (QUERY[0, 0], KEY, VALUE)):
        with pytest.raises(errors.ShapeMismatchError, match="do not fit together"):
            nn.dot_product_attention(*args)
    with pytest.raises(errors.ArgumentError, match="Lengths of sequences"):
        nn.dot_product_attention(QUERY[0], KEY[0], VALUE[0], query_seq_lengths=np.array([1]))


@pytest.mark.parametrize("name", CALLS)
def test_it_is_as_in_jax(name):
    jax = pytest.importorskip("jax")
    options = CALLS[name][0]
    single = [x.astype(np.float32) for x in (QUERY, KEY, VALUE)]
    expected = jax.nn.dot_product_attention(*single, **options)
    found = nn.dot_product_attention(*single, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
