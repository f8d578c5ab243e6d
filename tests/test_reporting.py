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


def rectified(z):
    return np.maximum(z, 0)  # the rectifier


def layered(params, x):
    for layer in params:
        x = rectified(x @ layer["W"] + layer["b"])
    return np.sum(x**2)


def scanned(params, x):
    stacked = {key: np.stack([layer[key] for layer in params]) for key in params[0]}

    def layer(x, given):
        return rectified(x @ given["W"] + given["b"]), None

    return np.sum(ft.scan(layer, x, stacked)[0] ** 2)


def layers(*shifts):
    generator = np.random.default_rng(0)
    return [{"W": generator.uniform(0, 1, (5, 5)), "b": np.zeros(5) + b} for b in shifts]


@pytest.mark.parametrize(
    "loss",
    [
        layered,
        ft.jit(layered),
        ft.checkpoint(layered),
        lambda params, x: np.sum(ft.vmap(lambda row: layered(params, row))(x)),
    ],
    ids=["eager", "jit", "checkpoint", "vmap"],
)
def test_dead_layers_are_told_with_their_lines(loss):
    stops = ft.gradient_report(loss)(layers(0, -1e3, 0, -1e3), np.abs(X)).stops
    dead = [stop for stop in stops if "rectifier" in stop.line]
    assert [stop.parameter for stop in dead] == ["params[1]['b']", "params[3]['b']"]
    assert all((stop.operation, stop.of) == ("maximum", 0) for stop in dead)
    assert all("test_reporting.py:" in stop.place and "in rectified" in stop.place for stop in dead)


def test_dead_layers_of_loops():
    stops = ft.gradient_report(scanned)(layers(0, -1e3, 0, -1e3), np.abs(X)).stops
    (dead,) = (stop for stop in stops if "rectifier" in stop.line)
    assert (dead.times, dead.of) == (2, 0)
    assert "2 times, at" in str(dead)


def test_dead_units_are_told_with_their_lines():
    params = layers(0, 0, 0)
    params[1]["b"][[1, 3]] = -1e3
    report = ft.gradient_report(layered)(params, np.abs(X))
    (stop,) = report.stops
    assert (stop.parameter, stop.units, stop.of) == ("params[1]['b']", 2, 5)
    text = "2 of 5 units get no gradient through maximum after params[1]['b'], at "
    assert text in str(report)
    assert text in report._repr_html_()


@pytest.mark.parametrize("way", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_units_of_matrices_that_multiply_examples_are_rows(way):
    def loss(params, x):
        for layer in params:
            x = rectified(layer["W"] @ x + layer["b"][:, np.newaxis])
        return np.sum(x**2)

    params = layers(0, 0, 0)
    params[1]["b"][[1, 3]] = -1e3
    x = np.abs(X.T)
    x[:, 2] = 0  # an example of zeros is no dead unit
    report = ft.gradient_report(way(loss), rate=1e-9)(params, x)
    assert [row.dead for row in report.rows] == [0, 0, 2, 0, 0, 0]
    assert report.faults == {"params[1]['W']": "2 of 5 units get no gradient"}
    assert ("params[1]['b']", 2, 5) in [(s.parameter, s.units, s.of) for s in report.stops]
    assert all(stop.parameter == "params[1]['b']" for stop in report.stops)


def test_rules_of_the_users_can_be_dead():
    @ft.custom_vjp
    def activation(x):
        return np.tanh(x)

    activation.defvjp(lambda x: (np.tanh(x), None), lambda _, ct: (0 * ct,))
    for loss in (lambda p: np.sum(activation(X @ p)), ft.jit(lambda p: np.sum(activation(X @ p)))):
        (stop,) = ft.gradient_report(loss)(np.ones((5, 2))).stops
        assert "activation(X @ p)" in stop.line


CONSTANT = {
    "round": lambda p: np.sum(np.round(X @ p)),
    "stop_gradient": lambda p: np.sum(np.tanh(X @ ft.stop_gradient(p))),
    "floor": lambda p: np.sum(np.floor(p) * p[0] * 0.0),
    "sign": lambda p: ft.fori_loop(0, 2, lambda i, s: s + np.sum(np.sign(p)), 0.0),
    "ceil": ft.jit(lambda p: np.sum(np.ceil(p))),
    "greater": lambda p: np.sum(np.where(p > 0.1, 1.0, 2.0)),
    "astype": lambda p: np.sum(p.astype(int).astype(float)),
}


@pytest.mark.parametrize(
    "rectify",
    [ft.nn.relu, lambda z: z * (z > 0), lambda z: np.where(z > 0, z, 0.0), lambda z: np.fmax(z, 0)],
)
def test_a_comparison_stops_nothing_where_numbers_are_chosen_by_it(rectify):
    def loss(params, x):
        for layer in params:
            x = rectify(x @ layer["W"] + layer["b"])  # the rectifier
        return np.sum(x**2)

    (stop,) = ft.gradient_report(loss)(layers(0, -1e3, 0.5), np.abs(X)).stops
    assert stop.operation in ("select", "multiply", "fmax")
    assert stop.parameter == "params[1]['b']"


@pytest.mark.parametrize("name", CONSTANT)
def test_what_is_constant_stops_gradients(name):
    stops = ft.gradient_report(CONSTANT[name])(np.full(5, 0.3)).stops
    assert any(f'"{name}": ' in stop.line and stop.of == 0 for stop in stops)


def test_what_is_constant_beside_other_ways_stops_nothing():
    def loss(p):
        z = X @ p - ft.stop_gradient(np.max(p))
        return np.sum(np.where(np.round(z) > 0, z, 0.5 * z)) + 0.0 * np.sum(p)

    assert not ft.gradient_report(loss)(np.array([1.0, 0.0, 0.0, 0.0, 0.0])).stops


def test_two_operations_that_stop_a_gradient_together():
    loss = lambda p: np.sum(np.clip(X @ p, -1e-3, 1e-3) ** 2)  # too narrow
    (stop,) = ft.gradient_report(loss)(np.full(5, 1e3)).stops
    assert stop.operation in ("maximum", "minimum")
    assert "too narrow" in stop.line


def test_what_the_loss_is_not_computed_of_is_not_told():
    def loss(params):
        np.round(X @ params["W"])
        return np.sum(params["b"] ** 2)

    report = ft.gradient_report(loss)({"W": np.ones((5, 3)), "b": np.ones(3)})
    assert list(report.faults) == ["params['W']"]
    assert not report.stops
    table = {True: 1.0, False: 0.0}
    report = ft.gradient_report(lambda p: table[p[0] > 2] * p[0] + 0.0 * p[1])(np.ones(2))
    assert report.rows[0].zeros == 1
    assert not ft.gradient_report(lambda p: 3.0)(np.ones(2)).stops


def test_zeros_alone_stop_nothing():
    loss = lambda p: np.sum((X @ p["W"] + p["b"] - 1.0) ** 2) + np.sum(p["b"] ** 2)
    assert not ft.gradient_report(loss)({"W": np.ones((5, 3)), "b": np.zeros(3)}).stops


def test_large_and_empty_gradients():
    huge, empty = ft.gradient_report(lambda p: np.sum(1e180 * p[0]) + np.sum(p[1]))(
        [np.full(4, 1e-180), np.zeros((0, 3))]
    ).rows
    np.testing.assert_allclose((huge.value, huge.gradient), (2e-180, 2e180), rtol=1e-15)
    assert (empty.dead, empty.zeros, empty.verdict) == (0, 0.0, "")
