"""The solver of ``jax.experimental.ode``: values, derivatives, trees, dtypes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.integrate

import functrace as ft
from functrace.experimental.ode import odeint
from functrace.solvers import runge_kutta

TIMES = np.linspace(0.0, 1.5, 4)
LOOSE = {"rtol": 1e-6, "atol": 1e-6}


def pendulum(y, t, damping, pull):
    angle, speed = y
    return np.stack([speed, -damping * speed - pull * np.sin(angle)])


def test_values_are_scipys():
    y0 = np.array([np.pi - 0.1, 0.0])
    expected = scipy.integrate.odeint(pendulum, y0, TIMES, (0.25, 9.8), rtol=1e-10, atol=1e-10)
    found = odeint(pendulum, y0, TIMES, 0.25, 9.8)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    fast = ft.jit(lambda y0: odeint(pendulum, y0, TIMES, 0.25, 9.8))
    np.testing.assert_allclose(fast(y0), found, rtol=1e-12)
    backwards = odeint(pendulum, expected[-1], TIMES[::-1], 0.25, 9.8)
    np.testing.assert_allclose(backwards[-1], y0, atol=1e-5)


def test_derivatives_by_all_arguments():
    direction = (np.array([0.3, -0.2]), np.array([0.5, -0.3, 0.2, 0.4]), 0.7, -0.4)

    def loss(y0, ts, damping, pull):
        return np.sum(np.sin(odeint(pendulum, y0, ts, damping, pull)))

    at = (np.array([1.0, -0.5]), TIMES, 0.3, 2.0)
    step = 1e-5
    ahead, behind = (
        loss(*(a + sign * step * d for a, d in zip(at, direction, strict=True))) for sign in (1, -1)
    )
    value, slope = ft.jvp(loss, at, direction)
    assert value == pytest.approx(loss(*at))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)
    gradients = ft.jit(ft.grad(loss, argnums=(0, 1, 2, 3)))(*at)
    total = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
    assert total == pytest.approx(slope, rel=1e-6)


@pytest.mark.slow
def test_second_derivatives_in_every_order():
    # y(1) = exp(-k) y0, so d2/dk2 = y(1).
    last = lambda k: odeint(lambda y, t, k: -k * y, np.float64(2.0), np.array([0.0, 1.0]), k)[1]
    assert ft.grad(ft.grad(last))(0.7) == pytest.approx(2 * np.exp(-0.7), rel=1e-6)
    assert ft.jit(ft.hessian(last))(0.7) == pytest.approx(2 * np.exp(-0.7), rel=1e-6)


@pytest.mark.slow
def test_trees_closures_and_many_examples():
    def solve(k):
        f = lambda y, t: {"a": -k * y["a"], "b": [np.sum(y["a"]) * np.ones((2, 2))]}
        return odeint(f, {"a": np.ones(3), "b": [np.zeros((2, 2))]}, TIMES, **LOOSE)

    y = solve(1.3)
    assert y["a"].shape == (4, 3)
    assert y["b"][0].shape == (4, 2, 2)
    np.testing.assert_allclose(y["a"][-1], np.exp(-1.3 * 1.5), rtol=1e-5)
    many = ft.vmap(lambda k: solve(k)["a"][-1, 0])
    ks = np.array([0.5, 1.3, 40.0])  # each takes steps of its own
    np.testing.assert_allclose(many(ks), np.exp(-1.5 * ks), atol=1e-5)
    slopes = ft.vmap(ft.grad(lambda k: solve(k)["a"][-1, 0]))(ks[:2])
    np.testing.assert_allclose(slopes, -1.5 * np.exp(-1.5 * ks[:2]), rtol=1e-4)


def test_complex_states_and_single_precision():
    wave = lambda w: odeint(lambda y, t: 1j * w * y, np.array([1.0 + 0j]), TIMES)[-1, 0]
    assert wave(2.0) == pytest.approx(np.exp(3j), rel=1e-6)
    slope = ft.grad(lambda w: np.real(wave(w)))(2.0)
    assert slope == pytest.approx(-1.5 * np.sin(3.0), rel=1e-5)
    narrow = odeint(lambda y, t: -y, np.ones(2, np.float32), TIMES, rtol=1e-5, atol=1e-5)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow[:, 0], np.exp(-TIMES), rtol=1e-4)


def test_lists_of_derivatives():
    f = lambda y, t: [y[1], -y[0]]
    at_end = odeint(f, np.array([1.0, 0.0]), TIMES)[-1]
    np.testing.assert_allclose(at_end, [np.cos(1.5), -np.sin(1.5)], atol=1e-6)
    both = odeint(f, [1.0, 0.0], TIMES)
    np.testing.assert_allclose(both[0][-1], np.cos(1.5), atol=1e-6)


@pytest.mark.numpy_backend
def test_steps_of_a_small_system_are_computed_with_numbers():
    f = ft.jit(ft.grad(lambda k, y0: np.sum(odeint(pendulum, y0, TIMES, k, 2.0))))
    lines = f.source(0.3, np.array([1.0, 0.0])).splitlines()
    loops = [n for n, line in enumerate(lines) if line.lstrip().startswith("while True")]
    assert len(loops) == 2  # forwards and backwards
    for begin in loops:
        margin = len(lines[begin]) - len(lines[begin].lstrip())
        body = list(
            itertools.takewhile(
                lambda line: len(line) - len(line.lstrip()) > margin, lines[begin + 1 :]
            )
        )
        assert len(body) > 100
        assert not [line for line in body if "np.array" in line or "np.concatenate" in line]


def test_outside_of_jit_a_solution_is_compiled_once(monkeypatch):
    seen = []
    compiled = runge_kutta.compiled
    monkeypatch.setattr(runge_kutta, "compiled", lambda p: seen.append(p) or compiled(p))
    for k in (0.3, 0.4):
        odeint(pendulum, np.array([1.0, 0.0]), TIMES, k, 2.0)
    assert len(seen) == 2
    assert seen[0] is seen[1]


def test_limits_of_steps():
    f = lambda y, t: -y
    few = odeint(f, np.ones(1), TIMES, mxstep=1)
    assert np.isnan(few[-1, 0])
    fine = odeint(f, np.ones(1), TIMES, hmax=0.01, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(fine[:, 0], np.exp(-TIMES), rtol=1e-9)


def test_errors_teach():
    with pytest.raises(ft.errors.ArgumentError, match=r"are int64\[3\], but must be a vector of"):
        odeint(lambda y, t: y, 1.0, np.arange(3))
    with pytest.raises(ft.errors.ArgumentError, match=r"with the shapes \[\(3,\)\]; the state"):
        odeint(lambda y, t: np.ones(3), np.ones(2), TIMES)
