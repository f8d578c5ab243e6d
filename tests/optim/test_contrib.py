"""Optimizers of ``optax.contrib``: 20 steps by the formulas of their papers, and its numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError
from functrace.optim import contrib

START = np.linspace(-1.0, 1.5, 6)
GRADIENTS = [np.cos(np.arange(6) * (t + 1) + 0.3) * (1 + t % 4) for t in range(20)]
LOSSES = [3.0 + 0.5 * math.cos(t) * math.exp(-0.1 * t) for t in range(20)]
RATE = 0.1


def steps(optimizer, start=START, gradients=GRADIENTS):
    params, state, found = start, optimizer.init(start), []
    for g, value in zip(gradients, LOSSES, strict=False):
        step = optim.with_extra_args_support(optimizer).update
        updates, state = step(g, state, params, value=value)
        params = optim.apply_updates(params, updates)
        found.append(params)
    return np.array(found)


# The papers' formulas: p is the parameters, g the gradient, t the number of the step from 1 on.


def schedule_free(p, g, t, s):
    z = s.get("z", p)
    x = s.get("x", p)
    s["z"] = z - RATE * g
    s["x"] = x + (s["z"] - x) / t
    return 0.1 * s["z"] + 0.9 * s["x"]


def schedule_free_adamw(p, g, t, s):
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    g = g / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8) + 0.01 * p
    return schedule_free(p, g, t, s)


def corrected(t):
    return math.sqrt(1 - 0.999**t) / (1 - 0.9**t)


def prodigy(p, g, t, s):
    s.setdefault("p0", p)
    d, b = s.get("d", 1e-6), math.sqrt(0.999)
    rate = d * corrected(t)
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * d * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * d * d * g * g
    s["r"] = b * s.get("r", 0) + d / 1e-6 * rate * (g @ (s["p0"] - p))
    s["s"] = b * s.get("s", 0) + d / 1e-6 * rate * g
    s["d"] = max(d, s["r"] / np.sum(abs(s["s"])))
    return p - rate * s["m"] / (np.sqrt(s["v"]) + s["d"] * 1e-8)


def dadapt_adamw(p, g, t, s):
    d, b = s.get("d", 1e-6), math.sqrt(0.999)
    rate = d * corrected(t)
    product = g @ (s.get("s", 0 * p) / (np.sqrt(s.get("v", 0 * p)) + 1e-8))
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * rate * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    s["r"] = b * s.get("r", 0) + (1 - b) * rate * product
    s["s"] = b * s.get("s", 0) + (1 - b) * rate * g
    s["d"] = max(d, s["r"] / ((1 - b) * np.sum(abs(s["s"]))))
    return p - s["m"] / (np.sqrt(s["v"]) + 1e-8)


def dog(p, g, t, s):
    s.setdefault("p0", p)
    s["r"] = max(s.get("r", 0.1), np.linalg.norm(p - s["p0"]))
    s["v"] = s.get("v", 0) + g @ g
    return p - s["r"] / math.sqrt(s["v"] + 1e-8) * g


def dowg(p, g, t, s):
    s.setdefault("p0", p)
    s["r"] = max(s.get("r", 1e-4), np.sum((p - s["p0"]) ** 2))
    s["v"] = s.get("v", 0) + s["r"] * (g @ g)
    return p - s["r"] / (math.sqrt(s["v"]) + 1e-4) * g


def cocob(p, g, t, s):
    s.setdefault("p0", p)
    s["l"] = np.maximum(s.get("l", 1e-8), abs(g))
    s["a"] = s.get("a", 0) + abs(g)
    s["r"] = np.maximum(s.get("r", 0) - g * (p - s["p0"]), 0)
    s["c"] = s.get("c", 0) - g
    bet = s["c"] / (s["l"] * np.maximum(s["a"] + s["l"], 100 * s["l"]))
    return s["p0"] + bet * (s["l"] + s["r"])


def mechanic(p, g, t, s):
    s.setdefault("p0", p)
    betas = 1 - 0.1 ** np.arange(1, 7)
    size = np.sum(s.get("s", np.full(6, 1e-6)))
    looked = g + 0.01 * size * np.linalg.norm(g) / (np.linalg.norm(p) + 1e-8) * p
    far = (s["p0"] - p) / (size + 1e-8)
    h = looked @ far
    last = s.get("m", np.zeros(6))
    s["m"] = np.maximum(betas * last, abs(h) + 1e-8)
    s["v"] = betas**2 * s.get("v", 0) + h * h
    s["r"] = betas * s.get("r", 0) + np.clip(h, -last, last) * s.get("s", 1e-6)
    s["s"] = (1e-6 / 6 * s["m"] + np.maximum(s["r"], 0)) / (np.sqrt(s["v"]) + 1e-8)
    return s["p0"] - np.sum(s["s"]) * (far + RATE * g)


def momo(p, g, t, s):
    b = 0 if t == 1 else 0.9
    s["d"] = b * s.get("d", 0) + (1 - b) * g
    s["f"] = b * s.get("f", 0) + (1 - b) * LOSSES[t - 1]
    s["c"] = b * s.get("c", 0) + (1 - b) * (g @ p)
    height = max(s["f"] - s["c"] + s["d"] @ p, 0)
    return p - min(RATE, height / (s["d"] @ s["d"])) * s["d"]


def momo_adam(p, g, t, s):
    s["d"] = 0.9 * s.get("d", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    s["f"] = 0.9 * s.get("f", 0) + 0.1 * LOSSES[t - 1]
    s["c"] = 0.9 * s.get("c", 0) + 0.1 * (g @ p)
    u = s["d"] / (1e-8 + np.sqrt(s["v"] / (1 - 0.999**t)))
    height = max(s["f"] - s["c"] + s["d"] @ p, 0)
    return p - min(RATE / (1 - 0.9**t), height / (s["d"] @ u)) * u


def madgrad(p, g, t, s):
    s.setdefault("p0", p)
    weight = (RATE + 1e-6) * math.sqrt(t)
    s["s"] = s.get("s", 0) + weight * g
    s["v"] = s.get("v", 0) + weight * g * g
    return 0.9 * p + 0.1 * (s["p0"] - s["s"] / (np.cbrt(s["v"]) + 1e-6))


def ademamix(p, g, t, s):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["slow"] = 0.9999 * s.get("slow", 0) + 0.0001 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    above = s["m"] / (1 - 0.9**t) + 5 * s["slow"]
    return p - RATE * above / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)


def simplified_ademamix(p, g, t, s):
    s["m"] = 0.99 * s.get("m", 0) + g
    s["v"] = 0.95 * s.get("v", 0) + 0.05 * g * g
    return p - RATE * (s["m"] + 2 * g) / (np.sqrt(s["v"] / (1 - 0.95**t)) + 1e-8)


def adopt(p, g, t, s):
    if t == 1:
        s["m"], s["v"] = 0, g * g
        return p
    limit = (t - 1) ** 0.25
    seen = np.clip(g / np.maximum(np.sqrt(s["v"]), 1e-6), -limit, limit)
    s["m"] = 0.9 * s["m"] + 0.1 * seen
    s["v"] = 0.9999 * s["v"] + 0.0001 * g * g
    return p - RATE * s["m"]


PAPERS = [
    (schedule_free, contrib.schedule_free_sgd(RATE)),
    (schedule_free_adamw, contrib.schedule_free_adamw(RATE, weight_decay=0.01)),
    (prodigy, contrib.prodigy()),
    (dadapt_adamw, contrib.dadapt_adamw()),
    (dog, contrib.dog(init_step=("distance", 0.1))),
    (dowg, contrib.dowg()),
    (cocob, contrib.cocob()),
    (mechanic, contrib.mechanize(optim.sgd(RATE))),
    (momo, contrib.momo(RATE)),
    (momo_adam, contrib.momo_adam(RATE)),
    (madgrad, contrib.madgrad(RATE)),
    (ademamix, contrib.ademamix(RATE)),
    (simplified_ademamix, contrib.simplified_ademamix(RATE, alpha=2.0)),
    (adopt, contrib.adopt(RATE)),
]
NAMES = [formula.__name__ for formula, _ in PAPERS]


@pytest.mark.parametrize(("formula", "optimizer"), PAPERS, ids=NAMES)
def test_its_papers_formula(formula, optimizer):
    p, state, expected = START, {}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = formula(p, g, t, state)
        expected.append(p)
    np.testing.assert_allclose(steps(optimizer), expected, rtol=1e-10, atol=1e-11)


OTHERS = [
    contrib.dog(),
    contrib.dog(init_step=("learning_rate", RATE), weight_decay=0.1),
    contrib.momo(0.5, lower_bound=0.1, weight_decay=0.1, adapt_lower_bound=True),
    contrib.momo_adam(0.5, lower_bound=0.1, weight_decay=0.1, adapt_lower_bound=True),
    contrib.prodigy(optim.cosine_decay_schedule(1.0, 30), safeguard_warmup=True),
    contrib.schedule_free_adamw(RATE, warmup_steps=4),
    contrib.adopt(RATE, nesterov=True, use_clipping=False),
    optim.chain(optim.sgd(RATE), contrib.reduce_on_plateau(0.5, 2, cooldown=1)),
    contrib.sam(optim.adam(RATE), optim.chain(contrib.normalize(), optim.sgd(0.05))),
]
ALL = [optimizer for _, optimizer in PAPERS] + OTHERS


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_single_precision_stays(optimizer):
    start = START.astype(np.float32)
    single = [g.astype(np.float32) for g in GRADIENTS[:4]]
    found = steps(optimizer, start, single)
    assert found.dtype == np.float32
    state = optimizer.init(start)
    step = optim.with_extra_args_support(optimizer).update
    updates, after = step(single[0], state, start, value=1.0)
    assert updates.dtype == np.float32
    kinds = [np.result_type(x) for x in ft.tree.leaves(state)]
    assert kinds == [np.result_type(x) for x in ft.tree.leaves(after)]
    assert np.dtype(np.float64) not in kinds
    np.testing.assert_allclose(found, steps(optimizer, START, GRADIENTS[:4]), rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_in_a_compiled_loop_and_mapped(optimizer):
    given = np.array(GRADIENTS)[:6], np.array(LOSSES)[:6]

    def trained(start):
        def step(carry, seen):
            params, state = carry
            update = optim.with_extra_args_support(optimizer).update
            updates, state = update(seen[0], state, params, value=seen[1])
            params = optim.apply_updates(params, updates)
            return (params, state), params

        return ft.scan(step, (start, optimizer.init(start)), given)[1]

    expected = steps(optimizer, START, GRADIENTS[:6])
    np.testing.assert_allclose(ft.jit(trained)(START), expected, rtol=1e-9, atol=1e-11)
    mapped = ft.vmap(trained)(np.stack([START, START + 0.5]))
    np.testing.assert_allclose(mapped[0], expected, rtol=1e-9, atol=1e-11)
    other = steps(optimizer, START + 0.5, GRADIENTS[:6])
    np.testing.assert_allclose(mapped[1], other, rtol=1e-9, atol=1e-11)


def test_the_average_of_a_schedule_free_training():
    optimizer = contrib.schedule_free_sgd(RATE)
    state, params, s, p = optimizer.init(START), START, {}, START
    for t, g in enumerate(GRADIENTS, 1):
        updates, state = optimizer.update(g, state, params)
        params = optim.apply_updates(params, updates)
        p = schedule_free(p, g, t, s)
    found = contrib.schedule_free_eval_params(state, params)
    np.testing.assert_allclose(found, s["x"], rtol=1e-10)
    with pytest.raises(ArgumentError, match="schedule_free"):
        contrib.schedule_free_eval_params(optim.sgd(RATE).init(START), START)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_muon_takes_the_orthogonal_factor(shape):
    x = np.random.default_rng(0).normal(size=shape)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    for preconditioning in ("frobenius", "spectral", "schatten"):
        tx = contrib.scale_by_muon((1.5, -0.5, 0.0), 40, preconditioning=preconditioning)
        found, _ = tx.update(x, tx.init(x))
        np.testing.assert_allclose(found, u @ v, atol=1e-8)


def test_muon_of_rows_made_shorter():
    x = np.random.default_rng(0).normal(size=(3, 5))
    rows = x / np.sqrt(np.sum(abs(x @ x.T), axis=1, keepdims=True))
    u, _, v = np.linalg.svd(rows, full_matrices=False)
    tx = contrib.scale_by_muon((1.5, -0.5, 0.0), 40, preconditioning="aol")
    np.testing.assert_allclose(tx.update(x, tx.init(x))[0], u @ v, atol=1e-8)


def test_muon_by_its_coefficients():
    g = GRADIENTS[3].reshape(2, 3)
    x = g / np.linalg.norm(g)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    tx = contrib.muon(RATE)
    params = {"w": START.reshape(2, 3), "b": START[:2]}
    found, _ = tx.update({"w": g, "b": START[:2]}, tx.init(params), params)
    np.testing.assert_allclose(found["w"], -RATE * math.sqrt(3 / 2) * x, rtol=1e-6)
    adam = optim.nadamw(RATE, weight_decay=0.0)
    expected, _ = adam.update(START[:2], adam.init(START[:2]), START[:2])
    np.testing.assert_allclose(found["b"], expected, rtol=1e-12)


def test_muon_of_stacks_and_of_chosen_axes():
    numbers = contrib.MuonDimensionNumbers((0, 2), -1)
    stack = np.random.default_rng(1).normal(size=(2, 4, 3, 5))
    chosen = {"w": numbers, "b": None}
    tx = contrib.muon(1.0, muon_weight_dimension_numbers=lambda params: chosen)
    params = {"w": stack, "b": np.ones(3)}
    found, _ = tx.update(params, tx.init(params), params)
    for k in range(4):
        alone = contrib.muon(1.0)
        part = stack[:, k].reshape(6, 5)
        expected, _ = alone.update(part, alone.init(part), part)
        np.testing.assert_allclose(found["w"][:, k].reshape(6, 5), expected, rtol=1e-10)


def test_climbing_by_calls_and_at_once():
    slope = lambda x, i=0: np.cos(x) + x
    up = optim.chain(contrib.normalize(), optim.sgd(0.05))
    calls = contrib.sam(optim.adam(RATE), up, sync_period=3)
    once = contrib.sam(optim.adam(RATE), up, sync_period=3, opaque_mode=True)
    x = y = START
    state, other = calls.init(x), once.init(y)
    for _ in range(4):
        for _ in range(3):
            updates, state = calls.update(slope(x), state, x)
            x = optim.apply_updates(x, updates)
        updates, other = once.update(slope(y), other, y, grad_fn=slope)
        y = optim.apply_updates(y, updates)
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_gradients_of_examples_are_limited_and_noisy():
    grads = {"w": np.random.default_rng(0).normal(size=(5, 4000)), "b": np.ones((5, 2))}
    tx = contrib.differentially_private_aggregate(2.0, 0.0, key=ft.random.key(1))
    found, _ = tx.update(grads, tx.init(None))
    rows = [np.append(w, b) for w, b in zip(grads["w"], grads["b"], strict=True)]
    expected = np.mean([row * min(1, 2 / np.linalg.norm(row)) for row in rows], axis=0)
    np.testing.assert_allclose(np.append(found["w"], found["b"]), expected, rtol=1e-12)
    noisy = contrib.differentially_private_aggregate(2.0, 3.0, seed=1)
    drawn, state = noisy.update(grads, noisy.init(None))
    assert np.std(drawn["w"] - found["w"]) == pytest.approx(2 * 3 / 5, rel=0.05)
    again, _ = noisy.update(grads, state)
    assert not np.any(again["w"] == drawn["w"])


OPTAX = {
    "schedule_free_sgd": 4.52280557,
    "schedule_free_adamw": 3.347770238,
    "prodigy": 2.660847675,
    "dadapt_adamw": 2.660836234,
    "dog": 2.66083238,
    "dowg": 2.69818464,
    "cocob": 2.766478437,
    "mechanize": 2.660845969,
    "momo": 4.343856454,
    "momo_adam": 2.748507866,
    "madgrad": 4.466029848,
    "ademamix": 3.920587877,
    "simplified_ademamix": 20.080844744,
    "adopt": 3.546275097,
    "muon": 4.141562971,
    "reduce_on_plateau": 3.689012955,
    "sam": 3.480553126,
}
"""The norm of parameters after 20 steps of optax 0.2.8 in double precision."""

NAMED = {
    "schedule_free_sgd": contrib.schedule_free_sgd(RATE),
    "schedule_free_adamw": contrib.schedule_free_adamw(RATE),
    "prodigy": contrib.prodigy(),
    "dadapt_adamw": contrib.dadapt_adamw(),
    "dog": contrib.dog(),
    "dowg": contrib.dowg(),
    "cocob": contrib.cocob(),
    "mechanize": contrib.mechanize(optim.sgd(RATE)),
    "momo": contrib.momo(),
    "momo_adam": contrib.momo_adam(),
    "madgrad": contrib.madgrad(RATE),
    "ademamix": contrib.ademamix(RATE),
    "simplified_ademamix": contrib.simplified_ademamix(RATE),
    "adopt": contrib.adopt(RATE),
    "muon": contrib.muon(RATE),
    "reduce_on_plateau": optim.chain(optim.sgd(RATE), contrib.reduce_on_plateau(0.5, 2)),
    "sam": contrib.sam(optim.adam(RATE), optim.chain(contrib.normalize(), optim.sgd(0.05))),
}


@pytest.mark.parametrize("name", OPTAX)
def test_numbers_of_optax(name):
    params = {"w": START.reshape(2, 3), "b": [START[:2] - 0.3]}
    optimizer = optim.with_extra_args_support(NAMED[name])
    state = optimizer.init(params)
    for g, value in zip(GRADIENTS, LOSSES, strict=True):
        gradients = {"w": g.reshape(2, 3), "b": [g[2:4] * 2]}
        updates, state = optimizer.update(gradients, state, params, value=value)
        params = optim.apply_updates(params, updates)
    assert float(optim.global_norm(params)) == pytest.approx(OPTAX[name], rel=1e-6)


MISTAKES = [
    (lambda: contrib.dog(init_step=("nothing", 1.0)), "init_step"),
    (lambda: contrib.reduce_on_plateau(factor=2.0), "factor=2"),
    (lambda: contrib.reduce_on_plateau(rtol=0.0), "rtol=0"),
    (lambda: contrib.muon(RATE, "fast"), "'fast'"),
    (lambda: contrib.scale_by_muon((1.0, 2.0)), "ns_coeffs"),
    (lambda: contrib.scale_by_muon(((1, 2, 3),) * 3, 2), "3 triples"),
    (lambda: contrib.scale_by_muon(preconditioning="none"), "'none'"),
    (lambda: contrib.sam(optim.sgd(1.0), optim.sgd(1.0), sync_period=0), "sync_period=0"),
    (lambda: contrib.differentially_private_aggregate(1.0, 1.0), "one key"),
]


@pytest.mark.parametrize(("make", "words"), MISTAKES)
def test_mistakes(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_what_is_missing_at_a_step():
    optimizer = contrib.prodigy()
    with pytest.raises(ArgumentError, match="needs the parameters"):
        optimizer.update(START, optimizer.init(START))
    once = contrib.sam(optim.sgd(1.0), optim.sgd(1.0), opaque_mode=True)
    with pytest.raises(ArgumentError, match="function of gradients"):
        once.update(START, once.init(START), START)
    tx = contrib.scale_by_muon()
    with pytest.raises(ArgumentError, match="no rows and columns"):
        tx.update(START, tx.init(START))
