"""Solve the heat equation by a network that knows physics (Raissi et al., 2019).

A rod of length 1 is warm in its middle and cold at both ends: u_t = k u_xx, u(0, x) = sin(pi x),
u(t, 0) = u(t, 1) = 0. A network is u(t, x). Its loss is how badly it fulfils the equation at some
places and times: the derivatives by t and x stand within the loss, `functrace.grad` of `grad`, and
the loss is differentiated once more. The start and the ends are built in. The solution is
known, exp(-k pi^2 t) sin(pi x).

    python examples/heat_network.py

The network, the solution and the difference are drawn to `heat_network.png`.
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

CONDUCTIVITY = 0.2
Parameters = list[dict[str, Any]]


def initialise(key: Any, sizes: Sequence[int]) -> Parameters:
    """Draw the parameters of layers of these sizes."""
    keys = ft.random.split(key, len(sizes) - 1)
    return [nn.init_dense(*given) for given in zip(keys, sizes, sizes[1:], strict=False)]


def u(params: Parameters, t: Any, x: Any) -> Any:
    """Give the temperature at one time and place: right at the start and at both ends."""
    h = np.stack([t, x])
    for layer in params[:-1]:
        h = np.tanh(nn.dense(layer, h))
    return np.sin(np.pi * x) + t * x * (1 - x) * nn.dense(params[-1], h)[0]


def residual(params: Parameters, t: Any, x: Any) -> Any:
    """Give u_t - k u_xx."""
    u_t = ft.grad(u, argnums=1)(params, t, x)
    u_xx = ft.grad(ft.grad(u, argnums=2), argnums=2)(params, t, x)
    return u_t - CONDUCTIVITY * u_xx


def loss(params: Parameters, points: Any) -> Any:
    """Give the mean square of the residual at some points (t, x)."""
    return np.mean(ft.vmap(residual, in_axes=(None, 0, 0))(params, *points.T) ** 2)


def draw(found: Any, true: Any, curve: list[float], path: Path) -> None:
    """Draw the network, the solution, the difference, and the loss."""
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    axes = figure.subplots(1, 4)
    pictures = {"network": found, "solution": true, "difference": found - true}
    for place, (title, picture) in zip(axes, pictures.items(), strict=False):
        image = place.imshow(picture.T, origin="lower", extent=(0, 1, 0, 1), cmap="inferno")
        place.set(title=title, xlabel="time", ylabel="place")
        figure.colorbar(image, ax=place, shrink=0.8)
    axes[-1].semilogy(curve)
    axes[-1].set(title="loss", xlabel="step")
    axes[-1].grid(alpha=0.3, which="both")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train and draw; give the greatest difference from the solution."""
    parser = argparse.ArgumentParser(description="The heat equation by a network.")
    parser.add_argument("--steps", type=int, default=800, help="of Adam")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters and the points")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    key = ft.random.key(options.seed)
    params = initialise(ft.random.fold_in(key, 0), [2, 24, 24, 1])
    optimiser = optim.adam(5e-3)
    state = optimiser.init(params)

    @ft.jit
    def step(params: Any, state: Any, key: Any) -> Any:
        points = ft.random.uniform(key, (200, 2))
        value, gradient = ft.value_and_grad(loss)(params, points)
        updates, state = optimiser.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    curve: list[float] = []
    for number in tqdm(range(options.steps), desc="training", unit="step"):
        params, state, value = step(params, state, ft.random.fold_in(key, number + 1))
        curve.append(float(value))

    t, x = np.meshgrid(np.linspace(0, 1, 50), np.linspace(0, 1, 50), indexing="ij")
    found = ft.vmap(ft.vmap(u, in_axes=(None, 0, 0)), in_axes=(None, 0, 0))(params, t, x)
    true = np.exp(-CONDUCTIVITY * np.pi**2 * t) * np.sin(np.pi * x)
    difference = float(np.max(np.abs(found - true)))
    print(f"greatest difference from the solution: {difference:.1e}")

    picture = options.out / "heat_network.png"
    draw(found, true, curve, picture)
    print(f"the network and the solution: {picture}")
    return difference


if __name__ == "__main__":
    main()
