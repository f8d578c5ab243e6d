"""Separate two clouds of points with a line: the hinge loss and its gradient.

A linear classifier says which of two classes y = -1 or y = +1 a point x belongs to by the sign of
its score w . phi(x), where phi(x) = (1, x1, x2) are the features of the point. Its margin is
(w . phi(x)) y: positive where the answer is right. The hinge loss asks for a margin of at least 1,

    loss(x, y, w) = max(1 - (w . phi(x)) y, 0),

and its gradient is the simplest there is: points with a margin of 1 or more say nothing, and every
other point pulls w towards phi(x) y with the same force,

    d loss / d w = -1[margin < 1] phi(x) y.

This script compares `ft.grad(loss)` with that formula at every point and for several w, trains w by
gradient descent, and shows what is left undecided: at a margin of exactly 1 the loss has a
kink, where every slope between that of the left and that of the right is as good. functrace gives
each side of a tie in a maximum the same share, and so the value in the middle.

    python examples/hinge.py

The points, the line and its margins are drawn to `hinge.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating


def features(x: Array) -> Array:
    """Give phi(x) = (1, x1, x2): the line need not go through the origin."""
    return np.concatenate([np.ones((*x.shape[:-1], 1)), x], axis=-1)


def loss(w: Array, x: Array, y: float) -> Number:
    """Give the hinge loss of one point."""
    margin = np.dot(w, features(x)) * y
    return np.maximum(1 - margin, 0)


def gradient_by_hand(w: Array, x: Array, y: float) -> Array:
    """Give -1[margin < 1] phi(x) y."""
    margin = np.dot(w, features(x)) * y
    return -float(margin < 1) * features(x) * y


def mean_loss(w: Array, x: Array, y: Array) -> Number:
    """Give the mean hinge loss of many points, as one array."""
    margins = (features(x) @ w) * y
    return np.mean(np.maximum(1 - margins, 0))


def two_clouds(generator: np.random.Generator, count: int = 100) -> tuple[Array, Array]:
    """Draw points around (1, 2) of class +1, and around (-1, -1) of class -1."""
    y = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    centres = np.where(y[:, np.newaxis] > 0, [1.0, 2.0], [-1.0, -1.0])
    return centres + generator.normal(size=(count, 2)), y


def compare(x: Array, y: Array, generator: np.random.Generator) -> float:
    """Give the largest difference between our gradient and the formula, over all points."""
    gradient = ft.grad(loss)
    candidates = [np.zeros(3), *generator.normal(size=(3, 3))]
    return max(
        float(np.max(np.abs(gradient(w, point, label) - gradient_by_hand(w, point, label))))
        for w in candidates
        for point, label in zip(x, y, strict=True)
    )


def train(x: Array, y: Array, steps: int, learning_rate: float = 0.1) -> tuple[Array, list[float]]:
    """Follow the gradient of the mean loss downhill, from w = 0."""
    w = np.zeros(3)
    losses: list[float] = []
    for _ in tqdm(range(steps), desc="training", unit="step"):
        value, gradient = ft.value_and_grad(mean_loss)(w, x, y)
        w = w - learning_rate * gradient
        losses.append(float(value))
    return w, losses


def draw(w: Array, x: Array, y: Array, losses: Sequence[float], path: Path) -> None:
    """Draw the points with the line between them, and the loss during training."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])

    across, up = np.meshgrid(np.linspace(-4.5, 4.5, 200), np.linspace(-4.5, 5.5, 200))
    scores = features(np.stack([across, up], axis=-1)) @ w
    left.contourf(across, up, scores, levels=[-1e9, 0, 1e9], colors=["#fbe3d0", "#d9e8f5"])
    left.contour(
        across,
        up,
        scores,
        levels=[-1, 0, 1],
        colors="0.3",
        linestyles=["dashed", "solid", "dashed"],
    )
    margins = (features(x) @ w) * y
    for label, colour in [(1, "tab:blue"), (-1, "tab:orange")]:
        chosen = y == label
        left.scatter(*x[chosen].T, color=colour, edgecolor="white", s=45, label=f"y = {label:+d}")
    pulls = margins < 1
    left.scatter(*x[pulls].T, facecolor="none", edgecolor="0.2", s=110, label="margin < 1: pulls")
    left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    left.set_title("The line, and where the margin is 1 (dashed)")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)

    right.plot(np.arange(1, len(losses) + 1), losses, linewidth=2)
    right.set(xlabel="step", ylabel="mean hinge loss", ylim=(0, None))
    right.set_title(f"{np.mean(margins > 0):.0%} of the points are on their side")
    right.grid(alpha=0.3)

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Compare, train and draw; give the largest difference from the formula."""
    parser = argparse.ArgumentParser(description="The hinge loss and its gradient.")
    parser.add_argument("--steps", type=int, default=200, help="of gradient descent")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(0)
    x, y = two_clouds(generator)

    difference = compare(x, y, generator)
    print(f"largest difference from -1[margin < 1] phi(x) y: {difference:.1e}")

    at_the_kink = ft.grad(loss)(np.array([1.0, 0.0, 0.0]), np.array([2.0, -3.0]), 1.0)
    print(f"at a margin of exactly 1, with phi(x) y = (1, 2, -3): {at_the_kink}")

    w, losses = train(x, y, options.steps)
    print(f"w after {options.steps} steps: {np.round(w, 3)}; mean loss {losses[-1]:.4f}")

    picture = options.out / "hinge.png"
    draw(w, x, y, losses, picture)
    print(f"the points and the line: {picture}")
    return difference


if __name__ == "__main__":
    main()
