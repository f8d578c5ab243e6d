"""Layers against their formulas, in all modes, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import nn
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.testing import check_grads

KEY = ft.random.key(7)
X = np.cos(np.arange(30.0)).reshape(2, 3, 5)


def perturbed(params):
    """Parameters of which none is zero or one, so that a mistake in any of them is seen."""
    return ft.tree.map(lambda p: p + 0.3 * np.sin(1 + np.arange(p.size)).reshape(p.shape), params)


def check_layer(layer, params, x, expected):
    """The value, the derivatives in both modes by all parameters, `jit`, `vmap` and float32."""
    np.testing.assert_allclose(layer(params, x), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ft.jit(layer)(params, x), expected, rtol=1e-12, atol=1e-13)
    check_grads(layer, (params, x), order=2)
    several = np.stack([x, -x])
    mapped = ft.vmap(layer, in_axes=(None, 0))(params, several)
    for one, found in zip(several, mapped, strict=True):
        np.testing.assert_allclose(found, layer(params, one), rtol=1e-12, atol=1e-13)
    single = ft.tree.map(lambda p: p.astype(np.float32), params)
    assert layer(single, x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("bias", [True, False])
def test_dense(bias):
    params = perturbed(nn.init_dense(KEY, 5, 4, bias=bias))
    assert ("bias" in params) == bias
    expected = X @ params["weight"] + (params["bias"] if bias else 0)
    check_layer(nn.dense, params, X, expected)
    with pytest.raises(ShapeMismatchError, match=r"takes 5 features.*\(2, 3\)"):
        nn.dense(params, np.ones((2, 3)))


def test_embedding():
    params = nn.init_embedding(KEY, 7, 3)
    numbers = np.array([[0, 6], [6, 2]])
    np.testing.assert_array_equal(nn.embedding(params, numbers), params["weight"][numbers])
    gradient = ft.grad(lambda p: np.sum(nn.embedding(p, numbers)))(params)["weight"]
    np.testing.assert_array_equal(gradient[:, 0], [1, 0, 1, 0, 0, 0, 2])
    np.testing.assert_array_equal(nn.embedding(params, 2), params["weight"][2])
    with pytest.raises(ArgumentError, match="an integer, not float64"):
        nn.embedding(params, np.ones(3))
    with pytest.raises(IndexError):
        nn.embedding(params, np.array([7]))


def test_layer_norm():
    params = perturbed(nn.init_layer_norm(5))
    normal = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5)
    check_layer(nn.layer_norm, params, X, normal * params["scale"] + params["bias"])


def test_rms_norm():
    params = perturbed(nn.init_rms_norm(5))
    expected = X / np.sqrt(np.mean(X**2, -1, keepdims=True) + 1e-6) * params["scale"]
    check_layer(nn.rms_norm, params, X, expected)


def test_group_norm():
    x = np.sin(np.arange(48.0)).reshape(2, 4, 6)
    params = perturbed(nn.init_layer_norm(6))
    parts = [
        (part - part.mean((1, 2), keepdims=True)) / np.sqrt(part.var((1, 2), keepdims=True) + 1e-5)
        for part in np.split(x, 3, axis=-1)
    ]
    expected = np.concatenate(parts, axis=-1) * params["scale"] + params["bias"]
    check_layer(lambda p, x: nn.group_norm(p, x, 3), params, x, expected)
    with pytest.raises(ShapeMismatchError, match="divided into 4 groups"):
        nn.group_norm(params, x, 4)


def test_batch_norm():
    params, statistics = nn.init_batch_norm(5)
    params = perturbed(params)
    mean, variance = X.mean((0, 1)), X.var((0, 1))
    expected = (X - mean) / np.sqrt(variance + 1e-5) * params["scale"] + params["bias"]
    check_layer(lambda p, x: nn.batch_norm(p, statistics, x, training=True)[0], params, X, expected)
    _, seen = nn.batch_norm(params, statistics, X, training=True, momentum=0.75)
    np.testing.assert_allclose(seen["mean"], 0.25 * mean)
    np.testing.assert_allclose(seen["variance"], 0.75 + 0.25 * variance)
    found, same = nn.batch_norm(params, seen, X, training=False)
    expected = (X - seen["mean"]) / np.sqrt(seen["variance"] + 1e-5)
    np.testing.assert_allclose(found, expected * params["scale"] + params["bias"])
    assert same is seen

    def loss(params, statistics):
        y, statistics = nn.batch_norm(params, statistics, X, training=True)
        return np.sum(y**3), statistics

    (_, handed_out), _ = ft.value_and_grad(loss, has_aux=True)(params, statistics)
    np.testing.assert_allclose(handed_out["mean"], 0.1 * mean)


def test_dropout():
    x = np.ones((400, 50))
    for f in (nn.dropout, ft.jit(nn.dropout, static_argnums=2)):
        found = f(KEY, x, 0.25)
        np.testing.assert_allclose(np.unique(found), [0, 4 / 3])
        assert abs(found.mean() - 1) < 0.02
    np.testing.assert_array_equal(found, nn.dropout(KEY, x, 0.25))
    gradient = ft.grad(lambda x: np.sum(nn.dropout(KEY, x, 0.25)))(x)
    np.testing.assert_array_equal(gradient, found)
    np.testing.assert_array_equal(nn.dropout(KEY, X, 0.0), X)
    np.testing.assert_array_equal(nn.dropout(KEY, X, 0.9, training=False), X)
    np.testing.assert_array_equal(nn.dropout(KEY, X, 1.0), np.zeros_like(X))
    assert nn.dropout(KEY, X.astype(np.float32), 0.5).dtype == np.float32
    with pytest.raises(ArgumentError, match="no share"):
        nn.dropout(KEY, x, 25)
    with pytest.raises(ArgumentError, match="no share"):
        nn.dropout(x, 0.25, KEY)


def by_hand(params, query, key, value, mask):
    """Attention head by head and example by example."""
    found = np.zeros_like(query)
    heads, size = params["query"]["weight"].shape[1:]
    for head in range(heads):
        q, k, v = (
            x @ params[name]["weight"][:, head] + params[name]["bias"][head]
            for name, x in (("query", query), ("key", key), ("value", value))
        )
        scores = np.where(mask, q @ k.T / np.sqrt(size), -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        found += weights @ v @ params["output"]["weight"][head]
    return found + params["output"]["bias"]


@pytest.mark.parametrize("is_causal", [False, True])
def test_attention(is_causal):
    params = perturbed(nn.init_attention(KEY, 6, 2))
    x = np.cos(np.arange(24.0)).reshape(4, 6)
    mask = np.tri(4, dtype=bool) if is_causal else np.ones((4, 4), bool)
    expected = by_hand(params, x, x, x, mask)
    check_layer(lambda p, x: nn.attention(p, x, is_causal=is_causal), params, x, expected)
    other = np.sin(np.arange(18.0)).reshape(3, 6)
    found = nn.attention(params, x[None], other[None])[0]
    np.testing.assert_allclose(found, by_hand(params, x, other, other, np.ones((4, 3), bool)))
    seen = np.arange(12).reshape(4, 3) % 3 > 0
    found = nn.attention(params, x, other, other[::-1], mask=seen)
    np.testing.assert_allclose(found, by_hand(params, x, other, other[::-1], seen))
    assert "bias" not in nn.init_attention(KEY, 6, 2, bias=False)["query"]
    assert nn.init_attention(KEY, 6, 4, size=3)["output"]["weight"].shape == (4, 3, 6)
    with pytest.raises(ArgumentError, match="4 heads cannot share 6 features"):
        nn.init_attention(KEY, 6, 4)


def test_parameters_are_drawn_from_keys():
    params = nn.init_dense(KEY, 30, 40)
    np.testing.assert_array_equal(params["weight"], nn.init_dense(KEY, 30, 40)["weight"])
    assert params["weight"].std() == pytest.approx(1 / np.sqrt(30), rel=0.1)
    assert nn.init_dense(KEY, 3, 4, dtype=np.float32)["weight"].dtype == np.float32
    mapped = ft.vmap(lambda key: nn.init_dense(key, 3, 4))(ft.random.split(KEY, 5))
    assert mapped["weight"].shape == (5, 3, 4)
    assert mapped["bias"].shape in ((5, 4), (4,))


KEY = ft.random.key(0)
ATTENTION = nn.init_attention(KEY, 4, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: nn.dense(nn.init_dense(KEY, 4, 4), x),
        lambda x: nn.layer_norm(nn.init_layer_norm(4), x),
        lambda x: nn.rms_norm(nn.init_rms_norm(4), x),
        lambda x: nn.group_norm(nn.init_layer_norm(4), x, 1),
        lambda x: nn.batch_norm(*nn.init_batch_norm(4), x, training=True)[0],
        lambda x: nn.batch_norm(*nn.init_batch_norm(4), x, training=False)[0],
        lambda x: nn.attention(ATTENTION, x),
        lambda x: nn.attention(ATTENTION, np.ones((3, 4)), x),
    ],
)
def test_no_feature_is_repeated_for_parameters_that_are_more(call):
    assert call(np.ones((3, 4))).shape == (3, 4)
    for features in (1, 5):
        for f in (call, ft.jit(call)):
            with pytest.raises(ShapeMismatchError, match=rf"4 features.*\(3, {features}\)"):
                f(np.ones((3, features)))
