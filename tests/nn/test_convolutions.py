"""Convolutions and pools against loops over windows."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import nn
from functrace.errors import ArgumentError, ShapeMismatchError
from tests.nn.test_layers import check_layer, perturbed

KEY = ft.random.key(3)


def moved(x, weight, strides, padding, dilation=1):
    """A convolution with one axis of places, window by window."""
    x = np.pad(x, [(0, 0), padding, (0, 0)])
    window = weight.shape[0]
    reach = dilation * (window - 1) + 1
    starts = range(0, x.shape[1] - reach + 1, strides)
    return np.stack(
        [np.einsum("nwi,wio->no", x[:, s : s + reach : dilation], weight) for s in starts], axis=1
    )


@pytest.mark.parametrize(
    ("options", "padding"),
    [
        ({}, (1, 1)),
        ({"strides": 2}, (1, 1)),
        ({"padding": "VALID"}, (0, 0)),
        ({"padding": [(2, 0)]}, (2, 0)),
        ({"dilation": 2, "padding": "VALID"}, (0, 0)),
    ],
)
def test_one_axis(options, padding):
    params = perturbed(nn.init_convolution(KEY, 3, 2, 4))
    x = np.cos(np.arange(28.0)).reshape(2, 7, 2)
    steps, dilation = options.get("strides", 1), options.get("dilation", 1)
    expected = moved(x, params["weight"], steps, padding, dilation) + params["bias"]
    check_layer(lambda p, x: nn.convolution(p, x, **options), params, x, expected)


def test_two_axes_and_groups():
    params = nn.init_convolution(KEY, (2, 3), 4, 6, groups=2, bias=False)
    assert params["weight"].shape == (2, 3, 2, 6)
    x = np.cos(np.arange(160.0)).reshape(2, 4, 5, 4)
    expected = np.zeros((2, 3, 3, 6))
    for i in range(3):
        for j in range(3):
            window = x[:, i : i + 2, j : j + 3]
            for g in range(2):
                part = window[..., 2 * g : 2 * g + 2]
                own = params["weight"][..., 3 * g : 3 * g + 3]
                expected[:, i, j, 3 * g : 3 * g + 3] = np.einsum("nhwi,hwio->no", part, own)
    check_layer(lambda p, x: nn.convolution(p, x, padding="VALID", groups=2), params, x, expected)


def test_transposed():
    params = perturbed(nn.init_convolution(KEY, 3, 2, 4))
    x = np.cos(np.arange(20.0)).reshape(2, 5, 2)
    whole = np.zeros((2, 11, 4))
    for place in range(5):
        for w in range(3):
            whole[:, 2 * place + w] += x[:, place] @ params["weight"][2 - w]
    found = nn.convolution_transpose(params, x, strides=2, padding="VALID")
    np.testing.assert_allclose(found, whole + params["bias"], rtol=1e-12)
    same = nn.convolution_transpose(params, x, strides=2)
    assert same.shape == (2, 10, 4)


@pytest.mark.parametrize(("pool", "reduce"), [(nn.max_pool, np.max), (nn.avg_pool, np.mean)])
def test_pools(pool, reduce):
    x = np.sin(np.arange(96.0) * 1.7).reshape(2, 4, 6, 2)
    expected = reduce(x.reshape(2, 2, 2, 3, 2, 2), axis=(2, 4))
    check_layer(lambda _, x: pool(x, 2), {}, x, expected)
    found = pool(x, (2, 3), strides=1)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2))
    np.testing.assert_allclose(found, reduce(windows, axis=(-1, -2)))
    padded = pool(x[:1, :3, :3], 2, padding="SAME")
    np.testing.assert_allclose(padded[0, 1, 1], x[0, 2, 2])  # what is padded counts for nothing
    edges = pool(x[:1, :2, :2], 2, strides=2, padding=[(1, 1), (1, 1)])
    np.testing.assert_allclose(edges, x[:1, :2, :2])


def test_ties_share():
    gradient = ft.grad(lambda x: np.sum(nn.max_pool(x, 2)))(np.zeros((1, 2, 1)))
    np.testing.assert_array_equal(gradient, np.full((1, 2, 1), 0.5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.convolution(nn.init_convolution(KEY, 3, 2, 4), np.ones((5, 2))),
            ShapeMismatchError,
            r"1 axes of places, 2\), not \(5, 2\)",
        ),
        (lambda: nn.init_convolution(KEY, 3, 2, 5, groups=2), ArgumentError, "not divided by 2"),
        (lambda: nn.max_pool(np.ones((2, 3)), 2), ShapeMismatchError, "a pool has|A pool has"),
        (lambda: nn.max_pool(np.ones((2, 3, 1)), (2, 2)), ArgumentError, "for each of 1 axes"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
