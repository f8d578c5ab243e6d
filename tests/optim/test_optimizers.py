"""Each optimizer, 20 steps by the formula of its paper, and under every transformation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.testing import check_grads

START = np.linspace(-1.0, 1.5, 6)
GRADIENTS = [np.cos(np.arange(6) * (t + 1) + 0.3) * (1 + t % 4) for t in range(20)]
RATE = 0.1


def steps(optimizer, gradients=GRADIENTS, start=START):
    params, state, found = start, optimizer.init(start), []
    for g in gradients:
        updates, state = optimizer.update(g, state, params)
        params = optim.apply_updates(params, updates)
        found.append(params)
    return np.array(found)


# The papers' formulas: p is the parameters, g the gradient, t the number of the step from 1 on.


def sgd(p, g, t, s):
    return p - RATE * g


def momentum(p, g, t, s):
    s["m"] = 0.9 * s.get("m", 0) + g
    return p - RATE * s["m"]


def nesterov(p, g, t, s):
    s["m"] = 0.9 * s.get("m", 0) + g
    return p - RATE * (g + 0.9 * s["m"])


def moments(g, s, b1, b2, what=None):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * (g if what is None else what) ** 2
    return s["m"], s["v"]


def adam_direction(g, t, s, eps=1e-8):
    m, v = moments(g, s, 0.9, 0.999)
    return (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + eps)


def adam(p, g, t, s):
    return p - RATE * adam_direction(g, t, s)


def adamw(p, g, t, s):
    return p - RATE * (adam_direction(g, t, s) + 1e-4 * p)


def nadam(p, g, t, s):
    m, v = moments(g, s, 0.9, 0.999)
    ahead = 0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
    return p - RATE * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def nadamw(p, g, t, s):
    return nadam(p, g, t, s) - RATE * 1e-4 * p


def amsgrad(p, g, t, s):
    m, v = moments(g, s, 0.9, 0.999)
    s["most"] = np.maximum(s.get("most", 0), v / (1 - 0.999**t))
    return p - RATE * m / (1 - 0.9**t) / (np.sqrt(s["most"]) + 1e-8)


def adamax(p, g, t, s):
    m, _ = moments(g, s, 0.9, 0)
    s["u"] = np.maximum(0.999 * s.get("u", 0), abs(g) + 1e-8)
    return p - RATE / (1 - 0.9**t) * m / s["u"]


def adamaxw(p, g, t, s):
    return adamax(p, g, t, s) - RATE * 1e-4 * p


def adabelief(p, g, t, s):
    m = 0.9 * s.get("m", 0) + 0.1 * g
    _, v = moments(g, s, 0.9, 0.999, g - m)
    s["v"] = v + 1e-16
    return p - RATE * m / (1 - 0.9**t) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-16)


def yogi(p, g, t, s):
    s["m"] = 0.9 * s.get("m", 1e-6) + 0.1 * g
    v = s.get("v", 1e-6)
    s["v"] = v - 0.001 * np.sign(v - g * g) * g * g
    return p - RATE * s["m"] / (1 - 0.9**t) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-3)


def radam(p, g, t, s):
    m, v = moments(g, s, 0.9, 0.999)
    end = 2 / (1 - 0.999) - 1
    rho = end - 2 * t * 0.999**t / (1 - 0.999**t)
    if rho < 5:
        return p - RATE * m / (1 - 0.9**t)
    r = math.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
    return p - RATE * r * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def adan(p, g, t, s):
    d = g - s.get("last", g)
    s["last"] = g
    s["m"] = 0.98 * s.get("m", 0) + 0.02 * g
    s["v"] = 0.92 * s.get("v", 0) + 0.08 * d
    s["n"] = 0.99 * s.get("n", 0) + 0.01 * (g + 0.08 * d) ** 2
    above = s["m"] / (1 - 0.98**t) + 0.08 * s["v"] / (1 - 0.92**t)
    return p - RATE * above / (np.sqrt(s["n"] / (1 - 0.99**t) + 1e-8) + 1e-8)


def lion(p, g, t, s):
    m = s.get("m", 0)
    s["m"] = 0.99 * m + 0.01 * g
    return p - RATE * (np.sign(0.9 * m + 0.1 * g) + 1e-3 * p)


def rmsprop(p, g, t, s):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    return p - RATE * g / np.sqrt(s["v"] + 1e-8)


def centered(p, g, t, s):
    m, v = moments(g, s, 0.9, 0.9)
    s["step"] = 0.5 * s.get("step", 0) - RATE * g / (np.sqrt(v - m * m + 1e-3))
    return p + s["step"]


def corrected(p, g, t, s):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    return p - RATE * g / (np.sqrt(s["v"] / (1 - 0.9**t)) + 1e-8)


def adagrad(p, g, t, s):
    s["v"] = s.get("v", 0.1) + g * g
    return p - RATE * g / np.sqrt(s["v"] + 1e-7)


def adadelta(p, g, t, s):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g * g
    step = np.sqrt(s.get("x", 0) + 1e-6) / np.sqrt(s["v"] + 1e-6) * g
    s["x"] = 0.9 * s.get("x", 0) + 0.1 * step * step
    return p - step


def adafactor(p, g, t, s):
    kept = 1 - t**-0.8
    s["v"] = kept * s.get("v", 0) + (1 - kept) * (g * g + 1e-30)
    u = g / np.sqrt(s["v"])
    u = u / max(1, math.sqrt(np.mean(u * u)))
    return p - RATE * max(1e-3, math.sqrt(np.mean(p * p))) * u


def lamb(p, g, t, s):
    u = adam_direction(g, t, s, 1e-6) + 0.01 * p
    return p - RATE * np.linalg.norm(p) / np.linalg.norm(u) * u


def lars(p, g, t, s):
    u = g + 0.01 * p
    s["m"] = 0.9 * s.get("m", 0) - RATE * 0.001 * np.linalg.norm(p) / np.linalg.norm(u) * u
    return p + s["m"]


def novograd(p, g, t, s):
    square = np.sum(g * g)
    s["v"] = 0.25 * s.get("v", square) + 0.75 * square
    s["m"] = 0.9 * s.get("m", 0) + g / (np.sqrt(s["v"]) + 1e-6) + 0.01 * p
    return p - RATE * s["m"]


def fromage(p, g, t, s):
    moved = p - RATE * g * np.linalg.norm(p) / np.linalg.norm(g)
    return moved / math.sqrt(1 + RATE**2)


def sign_sgd(p, g, t, s):
    return p - RATE * np.sign(g)


def signum(p, g, t, s):
    return p - RATE * np.sign(moments(g, s, 0.9, 0)[0])


def rprop(p, g, t, s):
    product = g * s.get("last", 0 * g)
    s["size"] = np.where(
        product > 0,
        np.minimum(s.get("size", RATE) * 1.2, 50),
        np.where(product < 0, np.maximum(s.get("size", RATE) * 0.5, 1e-6), s.get("size", RATE)),
    )
    s["last"] = np.where(product < 0, 0, g)
    return p - s["size"] * np.sign(s["last"])


def sm3(p, g, t, s):
    s["v"] = s.get("v", 0) + g * g
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g / np.sqrt(s["v"] + 1e-8)
    return p - RATE * s["m"]


def optimistic(p, g, t, s):
    last = s.get("last", g)
    s["last"] = g
    return p - RATE * (2 * g - last)


def optimistic_adam(p, g, t, s):
    u = (p - nadam(p, g, t, s)) / RATE
    last = s.get("last", u)
    s["last"] = u
    return p - RATE * (2 * u - last)


PAPERS = [
    (sgd, optim.sgd(RATE)),
    (momentum, optim.sgd(RATE, momentum=0.9)),
    (nesterov, optim.sgd(RATE, momentum=0.9, nesterov=True)),
    (adam, optim.adam(RATE)),
    (adamw, optim.adamw(RATE)),
    (nadam, optim.nadam(RATE)),
    (nadamw, optim.nadamw(RATE)),
    (amsgrad, optim.amsgrad(RATE)),
    (adamax, optim.adamax(RATE)),
    (adamaxw, optim.adamaxw(RATE)),
    (adabelief, optim.adabelief(RATE)),
    (yogi, optim.yogi(RATE)),
    (radam, optim.radam(RATE)),
    (adan, optim.adan(RATE)),
    (lion, optim.lion(RATE)),
    (rmsprop, optim.rmsprop(RATE)),
    (centered, optim.rmsprop(RATE, eps=1e-3, centered=True, momentum=0.5)),
    (corrected, optim.rmsprop(RATE, eps_in_sqrt=False, bias_correction=True)),
    (adagrad, optim.adagrad(RATE)),
    (adadelta, optim.adadelta(1.0)),
    (adafactor, optim.adafactor(RATE)),
    (lamb, optim.lamb(RATE, weight_decay=0.01)),
    (lars, optim.lars(RATE, weight_decay=0.01)),
    (novograd, optim.novograd(RATE, weight_decay=0.01)),
    (fromage, optim.fromage(RATE)),
    (sign_sgd, optim.sign_sgd(RATE)),
    (signum, optim.signum(RATE)),
    (rprop, optim.rprop(RATE)),
    (sm3, optim.sm3(RATE)),
    (optimistic, optim.optimistic_gradient_descent(RATE)),
    (optimistic_adam, optim.optimistic_adam_v2(RATE)),
]
NAMES = [formula.__name__ for formula, _ in PAPERS]
OPTIMIZERS = [optimizer for _, optimizer in PAPERS]


@pytest.mark.parametrize(("formula", "optimizer"), PAPERS, ids=NAMES)
def test_its_papers_formula(formula, optimizer):
    p, state, expected = START, {}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = formula(p, g, t, state)
        expected.append(p)
    # Of optimistic Adam the update is taken of parameters that the difference above rounds.
    np.testing.assert_allclose(steps(optimizer), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_single_precision_stays(optimizer):
    single = [g.astype(np.float32) for g in GRADIENTS[:3]]
    found = steps(optimizer, single, START.astype(np.float32))
    assert found.dtype == np.float32
    params = {"x": START.astype(np.float32)}
    state = optimizer.init(params)
    updates, after = optimizer.update({"x": single[0]}, state, params)
    assert updates["x"].dtype == np.float32
    kinds = [np.result_type(x) for x in ft.tree.leaves(state)]
    assert kinds == [np.result_type(x) for x in ft.tree.leaves(after)]
    np.testing.assert_allclose(found, steps(optimizer, GRADIENTS[:3]), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_in_a_compiled_loop_and_mapped(optimizer):
    gradients = np.array(GRADIENTS)[:6]

    def trained(start):
        def step(carry, g):
            params, state = carry
            updates, state = optimizer.update(g, state, params)
            params = optim.apply_updates(params, updates)
            return (params, state), params

        return ft.scan(step, (start, optimizer.init(start)), gradients)[1]

    expected = steps(optimizer, gradients)
    np.testing.assert_allclose(ft.jit(trained)(START), expected, rtol=1e-10, atol=1e-12)
    starts = np.stack([START, START + 0.5])
    mapped = ft.vmap(trained)(starts)
    np.testing.assert_allclose(mapped[0], expected, rtol=1e-10, atol=1e-12)
    other = steps(optimizer, gradients, START + 0.5)
    np.testing.assert_allclose(mapped[1], other, rtol=1e-10, atol=1e-12)


SMOOTH = ["momentum", "adam", "adamw", "nadam", "yogi", "rmsprop", "adagrad", "lamb", "lars", "sm3"]


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_through_training(name):
    optimizer = OPTIMIZERS[NAMES.index(name)]

    def trained(start):
        params, state = start, optimizer.init(start)
        for _ in range(3):
            g = np.sin(params) + params
            updates, state = optimizer.update(g, state, params)
            params = optim.apply_updates(params, updates)
        return params

    check_grads(trained, (START + 0.2,), modes=("rev",), rtol=1e-4)


def test_a_rate_has_a_derivative():
    def after(rate):
        tx = optim.adam(rate)
        updates, _ = tx.update(START, tx.init(START), START)
        return np.sum(updates)

    np.testing.assert_allclose(ft.grad(after)(0.1), after(0.1) / 0.1, rtol=1e-12)


def test_matrices_have_sums_by_rows_and_columns():
    g = np.array([[1.0, 2.0], [3.0, 0.5]])
    tx = optim.sm3(RATE, 0.0)
    first, state = tx.update(g, tx.init(g))
    np.testing.assert_allclose(first, -RATE * np.sign(g), rtol=1e-6)
    least = np.minimum([[4.0], [9.0]], [9.0, 4.0])
    second, _ = tx.update(g, state)
    np.testing.assert_allclose(second, -RATE * g / np.sqrt(least + g * g), rtol=1e-6)


def test_polyaks_step_takes_the_loss():
    tx = optim.polyak_sgd(max_learning_rate=10.0)
    x = np.array([3.0, 4.0])
    updates, _ = tx.update(2 * x, tx.init(x), x, value=np.sum(x * x))
    np.testing.assert_allclose(updates, -x / 2)


def test_noise_is_added():
    tx = optim.noisy_sgd(1.0, key=3)
    found, _ = tx.update(np.zeros(1000), tx.init(np.zeros(1000)))
    assert abs(found.std() - 0.1) < 0.01


def test_rates_by_schedules():
    schedule = optim.exponential_decay(RATE, 1, 0.5)
    for make in (optim.sgd, optim.adam, optim.fromage, optim.lion):
        found = make(schedule).update(START, make(schedule).init(START), START)[0]
        alone = make(RATE).update(START, make(RATE).init(START), START)[0]
        np.testing.assert_allclose(found, alone, rtol=1e-14)


OPTAX = {
    "sgd": 6.238138787,
    "adam": 3.912518893,
    "nadam": 3.997332884,
    "adamw": 3.911894553,
    "nadamw": 3.996693795,
    "amsgrad": 3.852262643,
    "adamax": 3.41341777,
    "adamaxw": 3.412829903,
    "adabelief": 4.62005261,
    "yogi": 3.908413942,
    "radam": 3.205305441,
    "adan": 3.886733076,
    "lion": 3.830618597,
    "rmsprop": 4.629571624,
    "adagrad": 3.03582475,
    "adadelta": 2.663578852,
    "adafactor": 3.766894253,
    "lamb": 9.732840524,
    "lars": 2.666582078,
    "novograd": 7.461029597,
    "fromage": 4.516920817,
    "sign_sgd": 3.725587202,
    "signum": 4.870318265,
    "sm3": 2.931199926,
    "optimistic_gradient_descent": 6.337143717,
    "optimistic_adam_v2": 4.000857362,
}
"""The norm of parameters after 20 steps of optax 0.2.8 in double precision."""


@pytest.mark.parametrize("name", OPTAX)
def test_numbers_of_optax(name):
    expected = OPTAX[name]
    params = {"w": START.reshape(2, 3), "b": [START[:2] - 0.3]}
    optimizer = getattr(optim, name)(RATE)
    state = optimizer.init(params)
    for g in GRADIENTS:
        gradients = {"w": g.reshape(2, 3), "b": [g[2:4] * 2]}
        updates, state = optimizer.update(gradients, state, params)
        params = optim.apply_updates(params, updates)
    assert float(optim.global_norm(params)) == pytest.approx(expected, rel=1e-6)
