"""Loops over time: differential equations, filters, samplers and recurrent networks.

Each is a scan over small states, so that what counts is the cost of a turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import default_rng

from benchmarks import machine, workloads
from benchmarks.peers import Function, Peer
from benchmarks.workloads import Problem

VALUE_AND_GRADIENT = "value_and_gradient"


def empty_loop(turns: int) -> Problem:
    """Next to nothing, so many times: what a turn costs."""

    def function(peer: Peer) -> Function:
        def f(x: Any) -> Any:
            return peer.scan(lambda carry, _: 0.5 * carry + x, x, None, turns)

        return f

    def on_machine(x: Any) -> Callable[[], Any]:
        value = np.empty(())
        return machine.call("empty_loop", float(x), turns, value, result=value)

    return Problem(
        f"empty loop, {turns:,} turns",
        lambda: (np.float64(0.7),),
        function,
        derivative="value",
        machine=on_machine,
    )


# Differential equations


def lotka_volterra(steps: int, h: float = 0.01, carry: str = "two numbers") -> Problem:
    """Hunters and hunted by the method of Runge and Kutta.

    Args:
        steps: How many.
        h: Their length.
        carry: What goes from step to step: "two numbers", or "one array"; or "Python's loop" for
            two numbers without a scan.
    """
    tuple_problem = workloads.lotka_volterra(steps, h)

    def with_array(peer: Peer) -> Function:
        np = peer.np

        def f(params: Any) -> Any:
            rates, start = params
            a, b, c, d = rates[0], rates[1], rates[2], rates[3]

            def slope(z: Any) -> Any:
                x, y = z[0], z[1]
                return np.stack((a * x - b * x * y, c * x * y - d * y))

            return np.sum(peer.scan(runge_kutta(slope, h), start, None, steps))

        return f

    def unrolled(peer: Peer) -> Function:
        def f(params: Any) -> Any:
            rates, start = params
            a, b, c, d = rates[0], rates[1], rates[2], rates[3]
            x, y = start[0], start[1]
            for _ in range(steps):
                x1, y1 = a * x - b * x * y, c * x * y - d * y
                p, q = x + h / 2 * x1, y + h / 2 * y1
                x2, y2 = a * p - b * p * q, c * p * q - d * q
                p, q = x + h / 2 * x2, y + h / 2 * y2
                x3, y3 = a * p - b * p * q, c * p * q - d * q
                p, q = x + h * x3, y + h * y3
                x4, y4 = a * p - b * p * q, c * p * q - d * q
                x = x + h / 6 * (x1 + 2.0 * x2 + 2.0 * x3 + x4)
                y = y + h / 6 * (y1 + 2.0 * y2 + 2.0 * y3 + y4)
            return x + y

        return f

    def on_machine(params: Any) -> Callable[[], Any]:
        value, d_rates, d_start = np.empty(()), np.empty(4), np.empty(2)
        outputs = (value, d_rates, d_start)
        result = (value, (d_rates, d_start))
        return machine.call("lotka_volterra", *params, steps, h, *outputs, result=result)

    forms = {
        "two numbers": tuple_problem.function,
        "one array": with_array,
        "Python's loop": unrolled,
    }
    return Problem(
        f"Lotka-Volterra, {steps:,} RK4 steps, {carry}",
        tuple_problem.inputs,
        forms[carry],
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
        unrolled=carry == "Python's loop",
    )


def runge_kutta(slope: Function, h: float) -> Function:
    """A step of the classical method of Runge and Kutta, for a scan."""

    def step(z: Any, _: Any) -> Any:
        k1 = slope(z)
        k2 = slope(z + h / 2 * k1)
        k3 = slope(z + h / 2 * k2)
        k4 = slope(z + h * k3)
        return z + h / 6 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    return step


def burgers(n: int, steps: int) -> Problem:
    """Burgers's equation on a circle of n points, by the method of Runge and Kutta.

    The slope is ``-u * (u - left) + 0.1 * (left - 2 * u + right)`` with the neighbours by roll.
    """
    h = 0.01

    def function(peer: Peer) -> Function:
        np = peer.np

        def slope(u: Any) -> Any:
            left, right = np.roll(u, 1), np.roll(u, -1)
            return -u * (u - left) + 0.1 * (left - 2.0 * u + right)

        def f(u: Any) -> Any:
            return np.sum(peer.scan(runge_kutta(slope, h), u, None, steps) ** 2)

        return f

    def on_machine(u: Any) -> Callable[[], Any]:
        value, gradient = np.empty(()), np.empty(n)
        return machine.call("burgers", u, n, steps, h, value, gradient, result=(value, gradient))

    return Problem(
        f"ODE with roll, n = {n:,}, {steps} RK4 steps",
        lambda: (np.sin(np.arange(n) / 7.0) + default_rng(0).normal(size=n) / 10,),
        function,
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
    )


def heat_equation(points: int, steps: int) -> Problem:
    """Explicit steps on a rod with fixed ends; the gradient is that in the diffusivity."""

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(diffusivity: Any, start: Any) -> Any:
            def step(u: Any, _: Any) -> Any:
                inner = u[1:-1] + diffusivity * (u[:-2] - 2.0 * u[1:-1] + u[2:])
                return np.concatenate((u[:1], inner, u[-1:]))

            return np.sum(peer.scan(step, start, None, steps) ** 2)

        return f

    def on_machine(diffusivity: Any, start: Any) -> Callable[[], Any]:
        value, gradient = np.empty(()), np.empty(())
        arguments = (float(diffusivity), start, points, steps, value, gradient)
        return machine.call("heat_equation", *arguments, result=(value, gradient))

    return Problem(
        f"heat equation, {points} points, {steps} steps",
        lambda: (np.float64(0.3), default_rng(0).normal(size=points)),
        function,
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
    )


# Probability


def kalman_filter(steps: int) -> Problem:
    """The log-likelihood of noisy positions of something that moves in a plane.

    The state is its position and velocity; the gradient is that in the logarithms of the two
    noises, of the movement and of the observation.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        velocities = np.cumsum(0.1 * rng.normal(size=(steps, 2)), axis=0)
        seen = np.cumsum(velocities, axis=0) + 0.5 * rng.normal(size=(steps, 2))
        return np.log(np.array([0.02, 0.3])), seen

    moves = np.eye(4) + np.eye(4, k=2)
    observes = np.eye(2, 4)

    def function(peer: Peer) -> Function:
        np = peer.np

        def f(logarithms: Any, seen: Any) -> Any:
            movement, observation = np.exp(logarithms)[0], np.exp(logarithms)[1]

            def step(carry: Any, y: Any) -> Any:
                mean, covariance, total = carry
                mean = moves @ mean
                covariance = moves @ covariance @ moves.T + movement * np.eye(4)
                surprise = y - observes @ mean
                spread = observes @ covariance @ observes.T + observation * np.eye(2)
                gain = np.linalg.solve(spread, observes @ covariance).T
                weighed = surprise @ np.linalg.solve(spread, surprise)
                volume = np.linalg.slogdet(spread)[1]
                mean = mean + gain @ surprise
                covariance = covariance - gain @ observes @ covariance
                return mean, covariance, total - 0.5 * (weighed + volume + 2.0 * np.log(2 * np.pi))

            return peer.scan(step, (np.zeros(4), np.eye(4), 0.0), seen, steps)[2]

        return f

    return Problem(
        f"Kalman filter, 4 states, {steps} steps",
        inputs,
        function,
        derivative=VALUE_AND_GRADIENT,
    )


def hamiltonian_monte_carlo(chains: int, leaps: int, rows: int, features: int) -> Problem:
    """A trajectory of each chain by leapfrog, under the posterior of a logistic regression."""
    length = 0.02

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        places, momenta = rng.normal(size=(2, chains, features))
        x, signs = rng.normal(size=(rows, features)), rng.choice([-1.0, 1.0], size=rows)
        return places, momenta, x, signs

    def function(peer: Peer) -> Function:
        np = peer.np

        def energy(w: Any, x: Any, signs: Any) -> Any:
            return np.sum(np.log1p(np.exp(-signs * (x @ w)))) + 0.5 * np.sum(w * w)

        force = peer.gradient(energy)

        def trajectory(place: Any, momentum: Any, x: Any, signs: Any) -> Any:
            def leap(state: Any, _: Any) -> Any:
                q, p = state
                q = q + length * p
                return q, p - length * force(q, x, signs)

            momentum = momentum - length / 2 * force(place, x, signs)
            q, p = peer.scan(leap, (place, momentum), None, leaps)
            p = p + length / 2 * force(q, x, signs)
            return q, p, energy(q, x, signs) + 0.5 * np.sum(p * p)

        return peer.vmap(trajectory, (0, 0, None, None))

    name = f"Hamiltonian Monte Carlo, {chains} chains, {leaps} leaps, {rows} x {features}"
    return Problem(name, inputs, function, derivative="value")


# Networks


def lstm(layers: int, length: int, width: int = 14) -> Problem:
    """Predicts the next of so many characters, with gates for each unit alone, as in ADBench.

    The parameters of a layer are weights and biases of four gates: what is forgotten, taken in,
    given out, and changed. Those around the layers scale the input, and scale and shift the output.
    """

    def inputs() -> tuple[Any, ...]:
        rng = default_rng(0)
        gates = rng.normal(size=(layers, 2, 4, width)) / 2
        around = rng.normal(size=(3, width)) / 2
        start = rng.normal(size=(layers, 2, width)) / 2
        characters = np.eye(width)[rng.integers(width, size=length + 1)]
        return (gates, around), start, characters

    def function(peer: Peer) -> Function:
        np = peer.np

        def sigmoid(x: Any) -> Any:
            return 1.0 / (1.0 + np.exp(-x))

        def f(params: Any, start: Any, characters: Any) -> Any:
            gates, around = params

            def step(carry: Any, pair: Any) -> Any:
                states, total = carry
                x, following = pair
                x = x * around[0]
                after = []
                for (weights, biases), (hidden, before) in zip(gates, states, strict=True):
                    forget = sigmoid(x * weights[0] + biases[0])
                    taken = sigmoid(hidden * weights[1] + biases[1])
                    given = sigmoid(x * weights[2] + biases[2])
                    change = np.tanh(hidden * weights[3] + biases[3])
                    cell = before * forget + taken * change
                    x = given * np.tanh(cell)
                    after.append((x, cell))
                scores = x * around[1] + around[2]
                logarithms = scores - np.log(np.sum(np.exp(scores)) + 2.0)
                return tuple(after), total + np.sum(following * logarithms)

            states = tuple((start[layer, 0], start[layer, 1]) for layer in range(layers))
            _, total = peer.scan(step, (states, 0.0), (characters[:-1], characters[1:]), length)
            return -total / (length * width)

        return f

    def on_machine(params: Any, start: Any, characters: Any) -> Callable[[], Any]:
        gates, around = params
        value, d_gates, d_around = np.empty(()), np.empty_like(gates), np.empty_like(around)
        arguments = (gates, around, start, characters, layers, length, width)
        result = (value, (d_gates, d_around))
        return machine.call("lstm", *arguments, value, d_gates, d_around, result=result)

    return Problem(
        f"LSTM, {layers} layers, sequence of {length:,}",
        inputs,
        function,
        derivative=VALUE_AND_GRADIENT,
        machine=on_machine,
    )


def recurrent_network(steps: int, units: int, batch: int) -> Problem:
    """The network of the other benchmarks."""
    problem = workloads.recurrent_network(steps, units, batch)
    name = f"recurrent network, T = {steps}, H = {units}, B = {batch}"
    return dataclasses.replace(problem, name=name)


RECURRENT = (
    empty_loop(100_000),
    lotka_volterra(1_000),
    lotka_volterra(1_000, carry="one array"),
    lotka_volterra(1_000, carry="Python's loop"),
    burgers(1_000, 100),
    heat_equation(64, 300),
    kalman_filter(500),
    hamiltonian_monte_carlo(16, 50, 200, 8),
    lstm(2, 1_024),
    lstm(4, 1_024),
    recurrent_network(100, 32, 8),
)

SMALL_RECURRENT = (
    empty_loop(10),
    lotka_volterra(4),
    lotka_volterra(4, carry="one array"),
    lotka_volterra(4, carry="Python's loop"),
    burgers(9, 3),
    heat_equation(6, 4),
    kalman_filter(4),
    hamiltonian_monte_carlo(3, 4, 6, 2),
    lstm(2, 3, width=4),
    recurrent_network(3, 4, 2),
)
"""The same families, in sizes for tests."""
