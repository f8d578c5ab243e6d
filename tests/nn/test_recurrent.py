"""Recurrent layers against loops with one weight for each gate."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import nn
from tests.nn.test_layers import check_layer, perturbed

KEY = ft.random.key(5)
XS = np.cos(np.arange(40.0)).reshape(4, 5, 2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(params, xs, h, c):
    """Gate by gate, as in Gers et al. (2000)."""
    gates = [{k: np.split(v, 4, -1)[g] for k, v in params.items()} for g in range(4)]
    outputs = []
    for x in xs:
        i, f, g, o = (x @ p["input"] + h @ p["state"] + p["bias"] for p in gates)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), (h, c)


def gru_by_hand(params, xs, h):
    """Gate by gate."""
    weights = [
        {k: np.split(params[k], 3, -1)[g] for k in ("input", "state", "bias")} for g in range(3)
    ]
    r, z, n = weights
    outputs = []
    for x in xs:
        reset = sigmoid(x @ r["input"] + r["bias"] + h @ r["state"])
        keep = sigmoid(x @ z["input"] + z["bias"] + h @ z["state"])
        seen = reset * (h @ n["state"] + params["state_bias"])
        h = keep * h + (1 - keep) * np.tanh(x @ n["input"] + n["bias"] + seen)
        outputs.append(h)
    return np.stack(outputs), h


@pytest.mark.parametrize("reverse", [False, True])
def test_lstm(reverse):
    params = perturbed(nn.init_lstm(KEY, 2, 3))
    zeros = np.zeros((5, 3))
    order = slice(None, None, -1) if reverse else slice(None)
    expected, (h, c) = lstm_by_hand(params, XS[order], zeros, zeros)
    check_layer(lambda p, x: nn.lstm(p, x, reverse=reverse)[0], params, XS, expected[order])
    found, (output, cell) = nn.lstm(params, XS, (zeros + 1, zeros - 1), reverse=reverse)
    expected, (h, c) = lstm_by_hand(params, XS[order], zeros + 1, zeros - 1)
    np.testing.assert_allclose(found, expected[order])
    np.testing.assert_allclose(output, h)
    np.testing.assert_allclose(cell, c)


def test_gru():
    params = perturbed(nn.init_gru(KEY, 2, 3))
    expected, _ = gru_by_hand(params, XS, np.zeros((5, 3)))
    check_layer(lambda p, x: nn.gru(p, x)[0], params, XS, expected)
    found, last = nn.gru(params, XS, np.ones((5, 3)))
    expected, h = gru_by_hand(params, XS, np.ones((5, 3)))
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(last, h)


def test_first_parameters():
    params = nn.init_lstm(KEY, 2, 3)
    np.testing.assert_array_equal(params["bias"], [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    for square in np.split(params["state"], 4, axis=1):
        np.testing.assert_allclose(square @ square.T, np.eye(3), atol=1e-12)
    assert nn.init_gru(KEY, 2, 3, dtype=np.float32)["state"].dtype == np.float32


def test_one_sequence_alone():
    params = nn.init_gru(KEY, 2, 3)
    alone, _ = nn.gru(params, XS[:, 0])
    np.testing.assert_allclose(alone, nn.gru(params, XS)[0][:, 0])


def test_steps_one_by_one_are_the_sequence_and_far_gates_are_open_or_shut():
    params = perturbed(nn.init_lstm(KEY, 2, 3))
    state = np.zeros((4, 3)), np.ones((4, 3))
    xs = np.random.default_rng(1).normal(size=(5, 4, 2))
    outputs, last = nn.lstm(params, xs, state)
    for x, output in zip(xs, outputs, strict=True):
        state, found = nn.lstm_step(params, state, x)
        np.testing.assert_allclose(found, output, rtol=1e-12)
    for found, expected in zip(state, last, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    # The input gate is shut and the forget gate open, whatever is seen: the cell stays.
    far = {**params, "bias": np.repeat([-800.0, 800.0, 0.0, 800.0], 3)}
    _, (output, cell) = nn.lstm(far, xs, state)
    np.testing.assert_allclose(cell, state[1], rtol=1e-15)
    np.testing.assert_allclose(output, np.tanh(cell), rtol=1e-15)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_other_numbers_of_features_are_refused(kind):
    params = getattr(nn, f"init_{kind}")(KEY, 3, 4)
    layer, step = getattr(nn, kind), getattr(nn, f"{kind}_step")
    state = (np.zeros((2, 4)),) * 2 if kind == "lstm" else np.zeros((2, 4))
    wrong = (np.zeros((2, 5)),) * 2 if kind == "lstm" else np.zeros((2, 5))
    by_input = "input weight of shape .* takes 3 features; the input's shape is"
    by_state = "state weight of shape .* takes 4 features; the input's shape is"
    with pytest.raises(ft.errors.ShapeMismatchError, match=by_input):
        layer(params, np.ones((5, 2, 2)))
    with pytest.raises(ft.errors.ShapeMismatchError, match=by_input):
        step(params, state, np.ones((2, 1)))
    with pytest.raises(ft.errors.ShapeMismatchError, match=by_state):
        layer(params, np.ones((5, 2, 3)), wrong)
    with pytest.raises(ft.errors.ShapeMismatchError, match=by_state):
        step(params, wrong, np.ones((2, 3)))
