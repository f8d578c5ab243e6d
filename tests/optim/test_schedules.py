"""Schedules against their formulas, at known steps and under jit."""

from __future__ import annotations

import math

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError


def wave(part):
    return 0.5 * (1 + math.cos(math.pi * part))


WARM = optim.warmup_cosine_decay_schedule(0.0, 1.0, 4, 12, 0.2)
LINES = optim.piecewise_interpolate_schedule("linear", 1.0, {2: 3.0, 4: 0.5})
CYCLE = optim.linear_onecycle_schedule(10, 1.0, 0.2, 0.6, 10.0, 100.0)
WAVE = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 1, "decay_steps": 3}
ROWS = [
    (optim.constant_schedule(0.3), [0.3] * 5),
    (optim.linear_schedule(1.0, 0.0, 4, 2), [1, 1, 1, 0.75, 0.5, 0.25, 0, 0]),
    (optim.polynomial_schedule(2.0, 1.0, 2, 2), [2, 1.25, 1, 1]),
    (optim.polynomial_schedule(2.0, 1.0, 2, 0), [2, 2]),
    (optim.exponential_decay(1.0, 2, 0.25), [1, 0.5, 0.25, 0.125]),
    (optim.exponential_decay(1.0, 2, 0.25, 1, True), [1, 1, 1, 0.25, 0.25, 1 / 16]),
    (optim.exponential_decay(1.0, 1, 0.5, end_value=0.3), [1, 0.5, 0.3, 0.3]),
    (optim.exponential_decay(1.0, 1, 2.0, end_value=3.0), [1, 2, 3, 3]),
    (optim.exponential_decay(1.0, 1, 0.0), [1, 1]),
    (optim.cosine_decay_schedule(2.0, 4), [2 * wave(x / 4) for x in (0, 1, 2, 3, 4, 4)]),
    (optim.cosine_decay_schedule(1.0, 2, 0.5, 2), [1, 0.5 * 0.25 + 0.5, 0.5]),
    (optim.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1}), [1, 1, 0.5, 0.5, 0.05]),
    (optim.piecewise_constant_schedule(1.0), [1, 1]),
    (LINES, [1, 2, 3, 2.25, 1.5, 1.5]),
    (optim.piecewise_interpolate_schedule("cosine", 1.0, {2: 3.0}), [1, 2, 3, 3]),
    (optim.warmup_constant_schedule(0.0, 1.0, 2), [0, 0.5, 1, 1]),
    (WARM, [0, 0.25, 0.5, 0.75, *(0.8 * wave(x / 8) + 0.2 for x in range(9)), 0.2]),
    (optim.warmup_exponential_decay_schedule(0.0, 1.0, 2, 1, 0.5), [0, 0.5, 1, 0.5, 0.25]),
    (optim.join_schedules([lambda t: 10 + t, lambda t: 20 + t], [2]), [10, 11, 20, 21]),
    (CYCLE, [0.1, 0.55, 1, 0.775, 0.55, 0.325, 0.1]),
    (optim.cosine_onecycle_schedule(4, 1.0, 0.5, 10.0, 10.0), [0.1, 0.55, 1, 0.505, 0.01]),
    (optim.sgdr_schedule([WAVE] * 2), [0, 1, 0.5, 0, 1, 0.5]),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "expected"), ROWS)
def test_schedule(schedule, expected):
    found = [schedule(step) for step in range(len(expected))]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    counts = np.arange(len(expected), dtype=np.int32)
    mapped = ft.vmap(lambda count: schedule(count) + 0.0 * count)(counts)
    np.testing.assert_allclose(mapped, expected, atol=1e-15)


def test_what_is_no_schedule_is_refused():
    for make in (
        lambda: optim.cosine_decay_schedule(1.0, 0),
        lambda: optim.piecewise_constant_schedule(1.0, {2: -1.0}),
        lambda: optim.piecewise_interpolate_schedule("cubic", 1.0, {}),
        lambda: optim.linear_onecycle_schedule(0, 1.0),
        lambda: optim.cosine_onecycle_schedule(0, 1.0),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_an_optimizer_follows_its_schedule():
    tx = optim.sgd(optim.piecewise_constant_schedule(1.0, {2: 0.5}))
    state, found = tx.init(0.0), []
    for _ in range(3):
        update, state = tx.update(1.0, state)
        found.append(float(update))
    assert found == [-1, -1, -0.5]
    single = np.ones(2, np.float32)
    assert tx.update(single, tx.init(single))[0].dtype == np.float32
