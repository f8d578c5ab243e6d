"""Fit the hyperparameters of a Gaussian process by its marginal likelihood.

Noisy measurements of a curve are explained by a Gaussian process with three hyperparameters, a
dictionary: how far the curve swings, over what length it changes, and how large the noise is. How
likely the measurements are under these is a Cholesky factorization away (Rasmussen and Williams,
Gaussian Processes for Machine Learning, MIT Press 2006, chapter 5).

- `functrace.scipy.optimize.minimize` hands SciPy the loss with its exact gradient, and gives the
  dictionary back.
- What it finds is differentiable by the data, since the loss takes them as an argument: how would
  the fitted length change if one measurement were a little higher? No fit is repeated for that.

    python examples/gaussian_process.py

The curve before and after the fit, and what each measurement does to the length, are drawn to
`gaussian_process.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import functrace as ft
from functrace.scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]
Hyperparameters: TypeAlias = dict[str, np.floating]

START: Hyperparameters = {
    "log_swing": np.float64(0.0),
    "log_length": np.float64(np.log(0.15)),
    "log_noise": np.float64(np.log(0.6)),
}


def truth(x: Array) -> Array:
    """Give the curve that is measured."""
    return np.sin(1.5 * x) + 0.6 * np.cos(2.9 * x)


def measurements(generator: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Measure the curve at random places, with noise of 0.2, and nowhere in the middle."""
    x = np.sort(generator.uniform(0.0, 6.0, count))
    x = x[(x < 2.6) | (x > 3.7)]
    return x, truth(x) + generator.normal(0.0, 0.2, x.size)


def kernel(p: Hyperparameters, a: Array, b: Array) -> Array:
    """Give the covariances of the curve at some places with those at others."""
    distances = (a[:, None] - b) / np.exp(p["log_length"])
    return np.exp(2 * p["log_swing"] - 0.5 * distances**2)


def noisy_kernel(p: Hyperparameters, x: Array) -> Array:
    """Give the covariances of measurements."""
    return kernel(p, x, x) + np.exp(2 * p["log_noise"]) * np.eye(x.size)


def loss(p: Hyperparameters, x: Array, y: Array) -> np.floating:
    """Give minus the logarithm of the likelihood of the measurements."""
    factor = np.linalg.cholesky(noisy_kernel(p, x))
    white = np.linalg.solve(factor, y)
    return 0.5 * white @ white + np.sum(np.log(np.diag(factor))) + 0.5 * x.size * np.log(2 * np.pi)


def curve(p: Hyperparameters, x: Array, y: Array, at: Array) -> tuple[Array, Array]:
    """Give the curve that is expected, and its standard deviation."""
    cross = kernel(p, x, at)
    solved = np.linalg.solve(noisy_kernel(p, x), np.column_stack([y, cross]))
    variance = np.exp(2 * p["log_swing"]) - np.sum(cross * solved[:, 1:], axis=0)
    return cross.T @ solved[:, 0], np.sqrt(variance)


def fitted(x: Array, y: Array) -> Hyperparameters:
    """Give the hyperparameters under which the measurements are most likely."""
    return minimize(loss, START, args=(x, y), options={"gtol": 1e-7}).x


def draw_curve(axes: Axes, title: str, p: Hyperparameters, x: Array, y: Array) -> None:
    """Draw what is expected, with a band of two standard deviations."""
    at = np.linspace(0.0, 6.0, 400)
    mean, deviation = curve(p, x, y, at)
    axes.fill_between(at, mean - 2 * deviation, mean + 2 * deviation, color="tab:blue", alpha=0.2)
    axes.plot(at, mean, color="tab:blue", label="expected, with 2 standard deviations")
    axes.plot(at, truth(at), color="black", linestyle=":", label="truth")
    axes.plot(x, y, ".", color="tab:red", label="measured")
    axes.set_title(f"{title}: loss {loss(p, x, y):.1f}")
    axes.set(ylim=(-2.9, 2.9))


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Fit, print and draw; give what was found, and the error of a derivative."""
    parser = argparse.ArgumentParser(description="A Gaussian process, fitted.")
    parser.add_argument(
        "--count", type=int, default=50, help="of measurements, those in the middle left out"
    )
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    x, y = measurements(np.random.default_rng(3), options.count)
    p = fitted(x, y)
    for name, value in p.items():
        print(f"{name.removeprefix('log_'):8} {np.exp(value):.3f}")
    print(f"loss     {loss(START, x, y):.1f} at the beginning, {loss(p, x, y):.1f} at the end")

    def length(y: Array) -> np.floating:
        return np.exp(fitted(x, y)["log_length"])

    influence = ft.grad(length)(y)
    strongest = int(np.argmax(np.abs(influence)))
    step = 1e-3 * np.eye(y.size)[strongest]
    difference = (length(y + step) - length(y - step)) / 2e-3
    print(f"the length by measurement {strongest}: {influence[strongest]:+.4f}")
    print(f"  by fitting twice more:    {difference:+.4f}")

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[2.2, 1])
    draw_curve(figure.add_subplot(grid[0, 0]), "Before the fit", START, x, y)
    after = figure.add_subplot(grid[0, 1])
    draw_curve(after, "After it", p, x, y)
    after.legend(loc="lower left", fontsize="small")
    below = figure.add_subplot(grid[1, :])
    below.stem(x, influence, linefmt="tab:gray", markerfmt="o", basefmt="k-")
    below.set_title("How much longer the fitted length were, if a measurement were higher by one")
    below.set(xlabel="x", ylabel="d length / d y", xlim=(-0.1, 6.1))
    path = options.out / "gaussian_process.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"the picture: {path}")
    return {
        "noise": float(np.exp(p["log_noise"])),
        "gain": float(loss(START, x, y) - loss(p, x, y)),
        "error": float(abs(influence[strongest] - difference) / abs(difference)),
    }


if __name__ == "__main__":
    main()
