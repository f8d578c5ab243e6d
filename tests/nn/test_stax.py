"""Layers in pairs: shapes, values and gradients of what is put together of them."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError
from functrace.nn import activations, initializers, normalizing, stax
from functrace.testing import check_grads

KEY = ft.random.key(1)
IMAGES = np.cos(np.arange(2 * 6 * 6 * 3.0)).reshape(2, 6, 6, 3)

NETWORKS = {
    "dense": (stax.serial(stax.Flatten, stax.Dense(5), stax.Tanh), (5,)),
    "convolutional": (
        stax.serial(
            stax.Conv(4, (3, 3), padding="SAME"), stax.BatchNorm(), stax.Relu,
            stax.MaxPool((2, 2), strides=(2, 2)), stax.Conv(2, (2, 2), strides=(1, 1)),
            stax.AvgPool((2, 2)), stax.Flatten, stax.LogSoftmax,
        ),
        (2,),
    ),
    "residual": (
        stax.serial(
            stax.FanOut(2),
            stax.parallel(
                stax.serial(stax.Conv(3, (3, 3), padding="SAME"), stax.Gelu), stax.Identity
            ),
            stax.FanInSum, stax.SumPool((3, 3)),
        ),
        (4, 4, 3),
    ),
    "side by side": (
        stax.serial(
            stax.FanOut(2), stax.parallel(stax.Dense(2), stax.Dense(4)), stax.FanInConcat()
        ),
        (6, 6, 6),
    ),
    "transposed": (stax.ConvTranspose(2, (3, 3), strides=(2, 2), padding="SAME"), (12, 12, 2)),
    "by shape": (
        stax.shape_dependent(lambda shape: stax.serial(stax.Flatten, stax.Dense(shape[-1]))),
        (3,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    (init, apply), expected = NETWORKS[name]
    shape, params = init(KEY, (-1, 6, 6, 3))
    assert shape == (-1, *expected)
    assert init(KEY, (2, 6, 6, 3))[0] == (2, *expected)
    y = apply(params, IMAGES)
    assert y.shape == (2, *expected)
    np.testing.assert_allclose(ft.jit(apply)(params, IMAGES), y, rtol=1e-12)
    check_grads(lambda p: apply(p, IMAGES), (params,), order=1)


def test_values():
    init, apply = stax.Dense(2)
    _, (weight, bias) = init(KEY, (-1, 3))
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(apply((weight, bias), x), x @ weight + bias)
    _, pool = stax.AvgPool((2, 2), padding="SAME")
    np.testing.assert_allclose(pool((), np.ones((1, 3, 3, 1))), np.ones((1, 3, 3, 1)))


def test_dropout():
    init, apply = stax.serial(stax.Dropout(0.75), stax.Identity)
    shape, params = init(KEY, (-1, 200))
    assert shape == (-1, 200)
    y = apply(params, np.ones((50, 200)), rng=KEY)
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3])
    assert abs(y.mean() - 1) < 0.03
    _, test = stax.Dropout(0.75, mode="test")
    np.testing.assert_array_equal(test((), np.ones(3)), np.ones(3))
    with pytest.raises(ArgumentError, match="rng=key"):
        apply(params, np.ones((2, 200)))


def test_the_functions_that_stax_hands_on():
    assert stax.logsoftmax is stax.log_softmax is normalizing.log_softmax
    assert (stax.relu, stax.softmax) == (activations.relu, normalizing.softmax)
    assert stax.glorot is initializers.glorot_normal
