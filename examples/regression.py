"""Fit a curve with a two-layer and a four-layer network, one sample at a time.

The losses of one sample (x, y) are the squared residuals

    two layers:   (w . phi(V phi(x)) - y)^2
    four layers:  (w . phi(V3 phi(V2 phi(V1 phi(x)))) - y)^2

The innermost phi makes the features (1, x) of the number x; the others are the activation function,
here tanh, of each entry of a vector. In functrace a loss is written as it stands, and its gradient
is `ft.grad(loss)`, whatever the number of layers. By hand the two-layer loss already takes some
care: with h = phi(V phi(x)) and the residual r = w . h - y,

    d loss / d w = 2 r h
    d loss / d V = 2 r (w * (1 - h^2)) phi(x)^T

which this script compares with functrace at every sample, before it trains both networks by
stochastic gradient descent: a step after each sample, in random order.

    python examples/regression.py

The curves and the losses during training are drawn to `regression.png`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
Weights: TypeAlias = dict[str, Array]
Prediction: TypeAlias = Callable[[Weights, float], Number]
Loss: TypeAlias = Callable[[Weights, float, float], Number]


def features(x: float) -> Array:
    """Give the features (1, x) of a number; the 1 lets a layer add a constant."""
    return np.array([1.0, x])


def two_layers(weights: Weights, x: float) -> Number:
    """Predict y = w . phi(V phi(x))."""
    return np.dot(weights["w"], np.tanh(weights["V"] @ features(x)))


def four_layers(weights: Weights, x: float) -> Number:
    """Predict y = w . phi(V3 phi(V2 phi(V1 phi(x))))."""
    h1 = np.tanh(weights["V1"] @ features(x))
    h2 = np.tanh(weights["V2"] @ h1)
    h3 = np.tanh(weights["V3"] @ h2)
    return np.dot(weights["w"], h3)


def squared_residual(predict: Prediction) -> Loss:
    """Make the loss of one sample from the prediction."""

    def loss(weights: Weights, x: float, y: float) -> Number:
        return (predict(weights, x) - y) ** 2

    return loss


def two_layer_gradient_by_hand(weights: Weights, x: float, y: float) -> Weights:
    """Give the derivatives of the two-layer loss by w and by V, from the formulas above."""
    w, V = weights["w"], weights["V"]
    h = np.tanh(V @ features(x))
    residual = w @ h - y
    return {
        "w": 2 * residual * h,
        "V": 2 * residual * np.outer(w * (1 - h**2), features(x)),
    }


def draw_weights(shapes: dict[str, tuple[int, ...]], generator: np.random.Generator) -> Weights:
    """Draw weights with variance 1 / inputs, so that the signals keep their size."""
    return {
        name: generator.normal(0, 1 / np.sqrt(shape[-1]), shape) for name, shape in shapes.items()
    }


def samples(generator: np.random.Generator, count: int = 80) -> tuple[Array, Array]:
    """Draw noisy samples of a curve."""
    x = np.sort(generator.uniform(-2, 2, count))
    return x, np.sin(3 * x) + 0.5 * x + generator.normal(0, 0.1, count)


def train(
    name: str,
    loss: Loss,
    weights: Weights,
    data: tuple[Array, Array],
    generator: np.random.Generator,
    *,
    epochs: int,
    learning_rate: float = 0.03,
) -> tuple[Weights, list[float]]:
    """Step against the gradient after each sample; give the mean loss of each epoch as well."""
    x, y = data
    loss_and_gradient = ft.value_and_grad(loss)
    means: list[float] = []
    for _ in tqdm(range(epochs), desc=name, unit="epoch"):
        losses: list[float] = []
        for i in generator.permutation(len(x)):
            value, gradient = loss_and_gradient(weights, float(x[i]), float(y[i]))
            weights = ft.tree.map(lambda v, g: v - learning_rate * g, weights, gradient)
            losses.append(float(value))
        means.append(float(np.mean(losses)))
    return weights, means


def draw(
    data: tuple[Array, Array],
    fits: dict[str, tuple[Prediction, Weights, list[float]]],
    path: Path,
) -> None:
    """Draw the samples with the fitted curves, and the losses."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])

    left.scatter(*data, color="0.6", s=18, label="samples")
    grid = np.linspace(-2, 2, 300)
    left.plot(grid, np.sin(3 * grid) + 0.5 * grid, color="0.3", linestyle="dashed", label="truth")
    for (name, (predict, weights, losses)), colour in zip(
        fits.items(), ["tab:orange", "tab:blue"], strict=True
    ):
        curve = [float(predict(weights, x)) for x in grid]
        left.plot(grid, curve, color=colour, linewidth=2, label=name)
        right.semilogy(np.arange(1, len(losses) + 1), losses, color=colour, label=name)
    left.set(xlabel="x", ylabel="y", title="The fitted curves")
    left.legend(frameon=False)

    right.axhline(0.1**2, color="0.3", linestyle="dotted", label="variance of the noise")
    right.set(xlabel="epoch", ylabel="mean loss of a sample", title="The losses during training")
    right.grid(alpha=0.3, which="both")
    right.legend(frameon=False)

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> dict[str, list[float]]:
    """Compare, train and draw; give the losses of both networks."""
    parser = argparse.ArgumentParser(description="Two-layer and four-layer regression.")
    parser.add_argument("--epochs", type=int, default=300, help="passes over the 80 samples")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(0)
    data = samples(generator)
    width = 16
    networks: dict[str, tuple[Prediction, dict[str, tuple[int, ...]]]] = {
        "two layers": (two_layers, {"V": (width, 2), "w": (width,)}),
        "four layers": (
            four_layers,
            {"V1": (width, 2), "V2": (width, width), "V3": (width, width), "w": (width,)},
        ),
    }

    weights = draw_weights(networks["two layers"][1], generator)
    gradient = ft.grad(squared_residual(two_layers))
    for x, y in zip(*data, strict=True):
        ours = gradient(weights, x, y)
        by_hand = two_layer_gradient_by_hand(weights, x, y)
        for name in weights:
            np.testing.assert_allclose(ours[name], by_hand[name], rtol=1e-10, atol=1e-12)
    print(f"two layers: our gradients agree with the formulas at all {len(data[0])} samples")

    fits: dict[str, tuple[Prediction, Weights, list[float]]] = {}
    for name, (predict, shapes) in networks.items():
        start = draw_weights(shapes, generator)
        loss = squared_residual(predict)
        weights, losses = train(name, loss, start, data, generator, epochs=options.epochs)
        fits[name] = predict, weights, losses
        print(f"{name}: mean loss {losses[0]:.4f} in the first epoch, {losses[-1]:.4f} in the last")

    picture = options.out / "regression.png"
    draw(data, fits, picture)
    print(f"the curves and the losses: {picture}")
    return {name: losses for name, (_, _, losses) in fits.items()}


if __name__ == "__main__":
    main()
