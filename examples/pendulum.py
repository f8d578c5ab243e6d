"""Swing a pendulum up: a policy that learns through the physics.

A motor at the hinge is too weak to lift the pendulum at once: it must swing to and fro. A small
network sees the angle and the speed, and sets the motor. The physics is differentiable: a
hundred steps of it are one `functrace.scan`, and the gradient of what the swing costs, by
the parameters of the network, goes back through all of them. Sixty-four starts are run at once by
`functrace.vmap`.

    python examples/pendulum.py

How the angle goes before and after training is drawn to `pendulum.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import functrace as ft
from functrace import nn, optim

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

GRAVITY, MOTOR, STEP, STEPS = 10.0, 4.0, 0.05, 100
Parameters = dict[str, Any]


def initialise(key: Any) -> Parameters:
    """Draw the parameters of the policy."""
    first, second = ft.random.split(key)
    return {"hidden": nn.init_dense(first, 3, 32), "motor": nn.init_dense(second, 32, 1)}


def policy(params: Parameters, angle: Any, speed: Any) -> Any:
    """Give the torque of the motor, within its limits."""
    seen = np.stack([np.cos(angle), np.sin(angle), speed / 5])
    return MOTOR * np.tanh(nn.dense(params["motor"], np.tanh(nn.dense(params["hidden"], seen))))[0]


def swing(params: Parameters, start: Any) -> Any:
    """Give the angle at each step (0 is up), and what the swing costs."""

    def step(state: Any, _: Any) -> Any:
        angle, speed = state
        torque = policy(params, angle, speed)
        speed = speed + STEP * (1.5 * GRAVITY * np.sin(angle) + 3 * torque - 0.1 * speed)
        angle = angle + STEP * speed
        height = (1 + np.cos(angle)) / 2  # speed costs at the top only: below it is needed
        cost = 2 - 2 * height + 0.02 * height * speed**2 + 0.001 * torque**2
        return (angle, speed), (angle, cost)

    _, (angles, costs) = ft.scan(step, (start[0], start[1]), None, length=STEPS)
    late = np.linspace(0, 2, STEPS)  # what counts is where it ends
    return angles, np.mean(late * costs)


def loss(params: Parameters, starts: Any) -> Any:
    """Give the mean cost over some starts."""
    return np.mean(ft.vmap(lambda start: swing(params, start)[1])(starts))


def main(arguments: Sequence[str] | None = None) -> float:
    """Train and draw; give the share of new starts from which the pendulum ends upright."""
    parser = argparse.ArgumentParser(description="A policy that swings a pendulum up.")
    parser.add_argument("--steps", type=int, default=600, help="of Adam")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters and the starts")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    key = ft.random.key(options.seed)
    first = params = initialise(ft.random.fold_in(key, 0))
    rate = optim.cosine_decay_schedule(1e-2, options.steps)
    optimiser = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(rate))
    state = optimiser.init(params)

    def starts(key: Any, count: int) -> Any:
        """Hanging down, about at rest."""
        return np.array([np.pi, 0.0]) + 0.3 * ft.random.normal(key, (count, 2))

    @ft.jit
    def step(params: Any, state: Any, key: Any) -> Any:
        value, gradient = ft.value_and_grad(loss)(params, starts(key, 64))
        updates, state = optimiser.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    curve: list[float] = []
    for number in tqdm(range(options.steps), desc="training", unit="step"):
        params, state, value = step(params, state, ft.random.fold_in(key, number + 1))
        curve.append(float(value))

    new = starts(ft.random.fold_in(key, options.steps + 1), 100)
    before, _ = ft.vmap(lambda start: swing(first, start))(new)
    after, _ = ft.vmap(lambda start: swing(params, start))(new)
    upright = float(np.mean(np.cos(after[:, -20:]).min(axis=1) > 0.9))
    print(f"of 100 new starts {upright:.0%} end upright")

    figure = Figure(figsize=(12, 3.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(curve)
    left.set(title="mean cost", xlabel="step")
    times = STEP * np.arange(STEPS)
    for axes, title, angles in ((middle, "before", before), (right, "after", after)):
        axes.plot(times, np.cos(angles[:40].T), color="tab:blue", alpha=0.2)
        axes.set(title=f"height {title} training", xlabel="seconds", ylim=(-1.1, 1.1))
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    picture = options.out / "pendulum.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)
    print(f"the cost and the swings: {picture}")
    return upright


if __name__ == "__main__":
    main()
