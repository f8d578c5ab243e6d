"""Differentiate a solution by what it solves, not by how it was found.

An iteration can be differentiated step by step: reverse mode keeps every step and walks back
through all of them. But where it ends does not depend on the way. If `f(a, x) = 0`, then
`df/dx dx = -df/da da`: one linear system gives the derivative, however many steps there were
(the implicit function theorem; Griewank and Walther, Evaluating Derivatives, chapter 15).

This script takes gradients both ways, and compares each with finite differences:

- Newton's method for a beam on an elastic foundation that stiffens: `-u'' + k u + u^3 = q`, the
  gradient by the foundation's stiffness `k` and the load `q` at each point (`ft.custom_root`);
- a layer of infinite depth (Bai, Kolter and Koltun, Deep equilibrium models, 2019), whose output
  is the `z = tanh(z W + x U + b)` that it keeps: the gradient by the weights (`ft.fixed_point`).

Then it trains such a network for a little while to read handwritten digits.

    python examples/implicit.py

The errors, the memory and the loss are drawn to `implicit.png`.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft
from functrace.scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]
Tree: TypeAlias = dict[str, Any]
Loss: TypeAlias = Callable[[Tree], Any]


# Newton's method


def residual(params: Tree, u: Array) -> Array:
    """Give what is left of `-u'' + k u + u^3 = q`, with `u = 0` at both ends."""
    inside = np.pad(u, 1)
    bending = (2 * inside[1:-1] - inside[:-2] - inside[2:]) * (len(u) + 1) ** 2
    return bending + params["k"] * u + u**3 - params["q"]


def newton(f: Callable[[Any], Any], u: Any, steps: int = 8) -> Any:
    """Solve the linearised equations again and again."""
    for _ in range(steps):
        u = u - np.linalg.solve(ft.jacrev(f)(u), f(u))
    return u


def by_jacobian(g: Callable[[Any], Any], y: Any) -> Any:
    """Solve the linear equations `g(x) = y`."""
    return np.linalg.solve(ft.jacrev(g)(y), y)


def beam_implicit(params: Tree) -> Any:
    """Give the mean square deflection; the solution is differentiated as a root."""
    start = np.zeros(len(params["q"]))
    return np.mean(ft.custom_root(lambda u: residual(params, u), start, newton, by_jacobian) ** 2)


def beam_unrolled(params: Tree) -> Any:
    """Give the same; the solution is differentiated through all of Newton's steps."""
    start = np.zeros(len(params["q"]))
    return np.mean(newton(lambda u: residual(params, u), start) ** 2)


# Deep equilibrium


def layer(z: Any, params: Tree, images: Any) -> Any:
    """Apply the layer once. `W` is kept a contraction, so that the layer can come to rest."""
    W = params["W"] * (0.9 / np.maximum(np.linalg.norm(params["W"], 2), 0.9))
    return np.tanh(z @ W + images @ params["U"] + params["b"])


def cross_entropy(z: Any, params: Tree, labels: Any) -> Any:
    """Give the loss of the scores that are read from the layer's output."""
    scores = z @ params["V"]
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels])


@dataclass(frozen=True)
class Equilibrium:
    """A network with one layer that is applied until its output stays the same."""

    images: Array
    labels: Any

    def implicit(self, params: Tree) -> Any:
        """Give the loss; the equilibrium is differentiated as a fixed point."""
        start = np.zeros((len(self.labels), len(params["b"])))
        z = ft.fixed_point(layer, start, params, self.images, tolerance=1e-12)
        return cross_entropy(z, params, self.labels)

    def unrolled(self, params: Tree, steps: int) -> Any:
        """Give the loss after some steps, differentiated through all of them."""
        z = np.zeros((len(self.labels), len(params["b"])))
        for _ in range(steps):
            z = layer(z, params, self.images)
        return cross_entropy(z, params, self.labels)


def initial_weights(hidden: int, generator: np.random.Generator) -> Tree:
    """Draw the weights of an equilibrium layer."""
    return {
        "W": generator.normal(0, 0.5 / np.sqrt(hidden), (hidden, hidden)),
        "U": generator.normal(0, 1 / 8, (64, hidden)),
        "b": np.zeros(hidden),
        "V": generator.normal(0, 1 / np.sqrt(hidden), (hidden, 10)),
    }


# Comparing


@dataclass(frozen=True)
class Measured:
    """What a gradient costs, and how far it is from finite differences."""

    error: float
    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.error:>12.1e}{1000 * self.seconds:>12.1f}{self.megabytes:>12.2f}"


def slope_by_differences(loss: Loss, params: Tree, direction: Tree) -> float:
    """Give the slope along a direction by central differences of fourth order."""

    def along(step: float) -> float:
        return float(loss(ft.tree.map(lambda p, d: p + step * d, params, direction)))

    h = 1e-4
    return (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)


def measure(loss: Loss, params: Tree, direction: Tree, slope: float) -> Measured:
    """Take a gradient, and measure it: the time, and the memory in a run of its own."""
    gradient = ft.grad(loss)(params)
    seconds: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        ft.grad(loss)(params)
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    ft.grad(loss)(params)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    found = sum(
        float(np.sum(g * d))
        for g, d in zip(ft.tree.leaves(gradient), ft.tree.leaves(direction), strict=True)
    )
    return Measured(abs(found - slope) / abs(slope), min(seconds), peak / 1e6)


def direction_like(params: Tree, generator: np.random.Generator) -> Tree:
    """Draw a direction among the parameters."""
    return ft.tree.map(lambda p: generator.normal(size=np.shape(p)), params)


def train(network: Equilibrium, params: Tree, steps: int, seed: int) -> list[float]:
    """Take steps against the implicit gradient on mini-batches; give the losses."""
    generator = np.random.default_rng(seed)
    losses: list[float] = []
    for _ in tqdm(range(steps), desc="training the equilibrium", unit="step"):
        rows = generator.choice(len(network.labels), 64, replace=False)
        batch = Equilibrium(network.images[rows], network.labels[rows])
        value, gradient = ft.value_and_grad(batch.implicit)(params)
        params = ft.tree.map(lambda p, g: p - 0.3 * g, params, gradient)
        losses.append(float(value))
    return losses


def draw(
    unrolled: dict[int, Measured], implicit: Measured, losses: list[float], path: Path
) -> None:
    """Draw errors and memory over the number of steps, and the loss."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    steps = list(unrolled)
    left.semilogy(steps, [m.error for m in unrolled.values()], "o-", label="through all steps")
    left.axhline(implicit.error, color="tab:red", linewidth=2, label="implicit")
    left.set(title="Error of the gradient", ylabel="relative to finite differences")
    middle.plot(steps, [m.megabytes for m in unrolled.values()], "o-", label="through all steps")
    middle.axhline(implicit.megabytes, color="tab:red", linewidth=2, label="implicit")
    middle.set(title="Memory for the gradient", ylabel="megabytes at most")
    middle.set_ylim(bottom=0)
    for axes in (left, middle):
        axes.set_xlabel("steps of the layer")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    window = min(10, len(losses))
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    right.plot(range(1, len(losses) + 1), losses, color="tab:red", alpha=0.25)
    right.plot(range(window, len(losses) + 1), smooth, color="tab:red", linewidth=2)
    right.axhline(np.log(10), color="0.4", linestyle="dashed", linewidth=1)
    right.text(len(losses), np.log(10), "guessing ", ha="right", va="bottom", color="0.4")
    right.set(title="Training the equilibrium", xlabel="step", ylabel="loss")
    right.set_ylim(0, max(2.6, 1.05 * max(losses)))
    right.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> dict[str, Measured]:
    """Compare, train and draw; give what was measured."""
    parser = argparse.ArgumentParser(description="Derivatives of solutions, by what they solve.")
    parser.add_argument("--points", type=int, default=60, help="of the beam")
    parser.add_argument("--hidden", type=int, default=40, help="units of the equilibrium layer")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)
    generator = np.random.default_rng(options.seed)

    found: dict[str, Measured] = {}
    print(f"{'gradient':36}{'error':>12}{'ms':>12}{'MB':>12}")

    places = np.linspace(0, 1, options.points + 2)[1:-1]
    beam = {"k": 5 + np.cos(7 * places), "q": 200 * np.exp(-30 * (places - 0.4) ** 2)}
    direction = direction_like(beam, generator)
    slope = slope_by_differences(beam_implicit, beam, direction)
    found["Newton, implicit"] = measure(beam_implicit, beam, direction, slope)
    found["Newton, through 8 steps"] = measure(beam_unrolled, beam, direction, slope)

    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 64) / 8 - 1
        labels = file["labels"].astype(np.intp)
    network = Equilibrium(images[:64], labels[:64])
    params = initial_weights(options.hidden, generator)
    # As large as the layer lets it be: then it takes its time to come to rest.
    large = {**params, "W": 4 * params["W"]}
    direction = direction_like(large, generator)
    slope = slope_by_differences(network.implicit, large, direction)
    implicit = measure(network.implicit, large, direction, slope)
    found["equilibrium, implicit"] = implicit
    unrolled: dict[int, Measured] = {}
    for steps in (2, 5, 10, 20, 40, 80, 160):
        unrolled[steps] = measure(
            lambda p, steps=steps: network.unrolled(p, steps), large, direction, slope
        )
        found[f"equilibrium, through {steps} steps"] = unrolled[steps]
    for name, measured in found.items():
        print(f"{name:36}{measured}")

    losses = train(Equilibrium(images, labels), params, options.steps, options.seed)
    print(f"\nloss at first: {losses[0]:.2f}, at last: {np.mean(losses[-10:]):.2f}")
    picture = options.out / "implicit.png"
    draw(unrolled, implicit, losses, picture)
    print(f"errors, memory and loss: {picture}")
    return found


if __name__ == "__main__":
    main()
