"""Bayesian regression in two ways: by variational inference, and by Hamiltonian Monte Carlo.

A curve is a sum of a few waves with unknown weights; some noisy points of it are known. What are
the weights? Their posterior is found

- by variational inference: a normal distribution with a mean and a spread for each weight goes up
  the gradient of the bound on the evidence, which points drawn from it estimate (Kucukelbir et al.,
  2017);
- by Hamiltonian Monte Carlo (Neal, 2011): chains roll through the landscape of the posterior by
  leapfrog steps, under `functrace.scan`, and `functrace.vmap` runs sixteen of them at once.

For this model the posterior is known: both are held against it.

    python examples/bayesian_regression.py

The curves of both posteriors are drawn to `bayesian_regression.png`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

import functrace as ft
from functrace import optim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

HERE = Path(__file__).parent

WAVES, NOISE = 4, 0.2


def features(x: Any) -> Any:
    """Give the waves at some places: of shape (places, 2 WAVES)."""
    angles = x[:, np.newaxis] * np.arange(1, WAVES + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def log_posterior(weights: Any, x: Any, y: Any) -> Any:
    """Give the logarithm of the posterior, up to a constant: standard normal weights, and noise."""
    errors = (features(x) @ weights - y) / NOISE
    return -0.5 * np.sum(weights**2) - 0.5 * np.sum(errors**2)


def by_variation(density: Callable[[Any], Any], key: Any, steps: int) -> Any:
    """Give the means and spreads of the normal distribution nearest to a posterior."""

    def loss(params: Any, key: Any) -> Any:
        mean, log_spread = params
        drawn = mean + np.exp(log_spread) * ft.random.normal(key, (32, len(mean)))
        return -np.mean(ft.vmap(density)(drawn)) - np.sum(log_spread)

    optimiser = optim.adam(0.05)
    params = np.zeros(2 * WAVES), np.zeros(2 * WAVES) - 1

    @ft.jit
    def fitted(params: Any, key: Any) -> Any:
        def step(carry: Any, key: Any) -> Any:
            params, state = carry
            updates, state = optimiser.update(ft.grad(loss)(params, key), state, params)
            return (optim.apply_updates(params, updates), state), params

        first = params, optimiser.init(params)
        _, path = ft.scan(step, first, ft.random.split(key, steps))
        return [np.mean(part[steps // 2 :], axis=0) for part in path]  # the noise is averaged out

    mean, log_spread = fitted(params, key)
    return mean, np.exp(log_spread)


def by_chains(
    density: Callable[[Any], Any], key: Any, draws: int, *, size: float = 0.05, leaps: int = 20
) -> Any:
    """Give draws of sixteen chains, of shape (16, draws, weights), and the share accepted."""
    slope = ft.grad(density)

    def leapfrog(place: Any, speed: Any, size: Any) -> Any:
        """Roll on without friction: half a kick, and then moves and kicks in turn."""

        def leap(carry: Any, _: Any) -> Any:
            place, speed = carry
            place = place + size * speed
            return (place, speed + size * slope(place)), None

        speed = speed + 0.5 * size * slope(place)
        (place, speed), _ = ft.scan(leap, (place, speed), None, length=leaps)
        return place, speed - 0.5 * size * slope(place)

    def step(place: Any, key: Any) -> Any:
        first, second, third = ft.random.split(key, 3)
        speed = ft.random.normal(first, place.shape)
        # Of steps of one size some waves would come back to where they were each time.
        end, last = leapfrog(place, speed, size * ft.random.uniform(third, minval=0.7, maxval=1.3))
        gain = density(end) - 0.5 * last @ last - density(place) + 0.5 * speed @ speed
        accepted = np.log(ft.random.uniform(second)) < gain
        place = np.where(accepted, end, place)
        return place, (place, accepted)

    def chain(key: Any) -> Any:
        first, second = ft.random.split(key)
        start = ft.random.normal(first, (2 * WAVES,))
        _, (places, accepted) = ft.scan(step, start, ft.random.split(second, draws + 50))
        return places[50:], np.mean(accepted)

    places, accepted = ft.jit(ft.vmap(chain))(ft.random.split(key, 16))
    return places, float(np.mean(accepted))


def exact(x: Any, y: Any) -> tuple[Any, Any]:
    """Give the mean and the covariance of the posterior, which is normal for this model."""
    waves = features(x)
    covariance = np.linalg.inv(np.eye(2 * WAVES) + waves.T @ waves / NOISE**2)
    return covariance @ waves.T @ y / NOISE**2, covariance


def draw_curves(axes: Axes, title: str, weights: Any, x: Any, y: Any, mean: Any) -> None:
    """Draw the curves of some weights, the mean of the posterior, and the points."""
    places = np.linspace(-np.pi, np.pi, 200)
    axes.plot(places, features(places) @ weights.T, color="tab:blue", alpha=0.08, linewidth=1)
    axes.plot(places, features(places) @ mean, color="black", linewidth=1.5, label="exact mean")
    axes.plot(x, y, "o", color="tab:red", markersize=4, label="known points")
    axes.set(title=title, xlabel="x", xlim=(-np.pi, np.pi), ylim=(-4, 4))
    axes.legend(loc="upper left", fontsize="small")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Fit, print and draw; give how far means and spreads are from the exact ones, in spreads."""
    parser = argparse.ArgumentParser(description="Bayesian regression in two ways.")
    parser.add_argument("--steps", type=int, default=1500, help="of variational inference")
    parser.add_argument("--draws", type=int, default=300, help="of each chain")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    keys = ft.random.split(ft.random.key(options.seed), 5)
    x = ft.random.uniform(keys[0], (12,), minval=-np.pi, maxval=np.pi)
    true = ft.random.normal(keys[1], (2 * WAVES,))
    y = features(x) @ true + NOISE * ft.random.normal(keys[2], (12,))
    mean, covariance = exact(x, y)
    spread = np.sqrt(np.diag(covariance))

    def density(weights: Any) -> Any:
        return log_posterior(weights, x, y)

    found: dict[str, float] = {}
    start = time.perf_counter()
    fitted, width = by_variation(density, keys[3], options.steps)
    found["variation"] = float(np.max(np.abs(fitted - mean) / spread))
    seconds = time.perf_counter() - start
    print(f"variational inference: {seconds:.1f} s")
    print(f"  the farthest mean is {found['variation']:.2f} spreads off")

    start = time.perf_counter()
    chains, accepted = by_chains(density, keys[4], options.draws)
    draws = chains.reshape(-1, 2 * WAVES)
    found["chains"] = float(np.max(np.abs(draws.mean(axis=0) - mean) / spread))
    found["spreads"] = float(np.max(np.abs(draws.std(axis=0) / spread - 1)))
    seconds = time.perf_counter() - start
    print(f"16 chains of Hamiltonian Monte Carlo: {seconds:.1f} s, {accepted:.0%} accepted")
    print(f"  the farthest mean is {found['chains']:.2f} spreads off")
    print(f"  the spreads are {found['spreads']:.0%} off at most")

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    cloud = fitted + width * np.random.default_rng(0).normal(size=(150, 2 * WAVES))
    draw_curves(left, "variational inference", cloud, x, y, mean)
    draw_curves(right, "Hamiltonian Monte Carlo", draws[:: len(draws) // 150], x, y, mean)
    picture = options.out / "bayesian_regression.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)
    print(f"curves of both posteriors: {picture}")
    return found


if __name__ == "__main__":
    main()
