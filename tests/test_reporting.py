"""`gradient_report`: planted faults are told in words, with the numbers of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft

X = np.cos(np.arange(40.0)).reshape(8, 5)


def deep(activation, count):
    def loss(params, x):
        for weight in params:
            x = activation(x @ weight)
        return np.sum(x**2)

    generator = np.random.default_rng(0)
    return loss, [generator.normal(0, 0.3, (5, 5)) for _ in range(count)]


def test_numbers():
    def loss(params, x):
        return np.sum(np.maximum(x @ params["V"], 0) @ params["w"])

    params = {"V": np.sin(np.arange(15.0)).reshape(5, 3), "w": np.array([1.0, 0.0, -1.0])}
    report = ft.gradient_report(loss, rate=0.1)(params, X)
    gradient = ft.grad(loss)(params, X)
    assert report.loss == loss(params, X)
    v, w = report.rows
    assert (v.name, w.name) == ("params['V']", "params['w']")
    np.testing.assert_allclose(v.gradient, np.linalg.norm(gradient["V"]))
    np.testing.assert_allclose(v.value, np.linalg.norm(params["V"]))
    np.testing.assert_allclose(v.ratio, 0.1 * v.gradient / v.value)
    assert v.zeros == np.mean(gradient["V"] == 0)
    assert v.dead == 1  # whose weight is zero
    assert "1 of 3 units" in v.verdict
    assert w.shape == (3,)


def test_vanishing_gradients_are_told():
    loss, params = deep(lambda x: 1 / (1 + np.exp(-x)), 12)
    report = ft.gradient_report(loss)(params, X)
    assert report.faults["params[0]"] == "vanishing beside the others"
    assert "params[11]" not in report.faults


def test_exploding_gradients_are_told():
    loss, params = deep(lambda x: 10 * x, 6)
    assert "exploding" in ft.gradient_report(loss)(params, X).faults["params[0]"]


def test_dead_layers_and_nan_are_told():
    loss, params = deep(lambda x: np.maximum(x - 1e3, 0), 2)
    assert set(ft.gradient_report(loss)(params, X).faults) == {"params[0]", "params[1]"}
    with np.errstate(all="ignore"):
        report = ft.gradient_report(lambda p: np.sum(np.sqrt(p)))(np.zeros(2))
    assert "not finite" in report.faults["p"]


def test_healthy_gradients_have_no_fault():
    loss, params = deep(np.tanh, 2)
    report = ft.gradient_report(loss, rate=1e-3)(params, X)
    assert not report.faults
    assert repr(report) == "<gradient report of 2 arrays, 0 with a fault>"


def test_what_is_shown():
    report = ft.gradient_report(lambda p: (np.sum(p["<a>"] ** 2), 1), has_aux=True)({"<a>": X})
    assert "&lt;a&gt;" in report._repr_html_()
    assert "8x5" in str(report)
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    report.plot(axes)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["p['<a>']"]


def test_other_arguments():
    report = ft.gradient_report(lambda x, p: np.sum(x @ p), argnums=1)(X, np.ones(5))
    assert report.rows[0].name == "p"
    with pytest.raises(TypeError, match="gradient_report"):
        ft.gradient_report(3)
