"""Why deep networks stop learning, layer by layer, and five remedies.

On its way back from the loss a gradient passes every layer, and each multiplies it by its weights
and by the slope of its activation function. The slope of the sigmoid is at most 1/4: behind twenty
such layers next to nothing is left, and the first layers do not learn. With weights that are too
large it is the other way round: the gradient explodes.

This script reads handwritten digits with a network of twenty hidden layers, lets
`ft.gradient_report` tell what is wrong with the gradient before the first step, and shows its norm
by the weights of each layer:

- with the sigmoid, tanh and ReLU, and small weights;
- with the initialisations of Glorot and Bengio (2010, called Xavier's) and of He et al. (2015),
  whose variances, 1 / inputs and 2 / inputs, keep the size of the signals;
- with batch normalisation (Ioffe and Szegedy, 2015), which gives each unit mean 0 and variance 1
  over the batch whatever came in;
- with skip connections (He et al., 2016), which add what came in to what goes out, so that the
  gradient has a way back that no slope makes smaller;
- with weights that are too large, and the gradient clipped to norm 1 (Pascanu et al., 2013).

A norm that is the same in all layers need not be a good one: with small weights and tanh or ReLU
the signal fades on its way forward as the gradient does on its way back, and the gradient by the
weights, their product, is tiny everywhere. Nor does the right size of the weights help the sigmoid.
At the end some of the networks are trained, for the norms do not matter by themselves.

    python examples/vanishing_gradients.py

The norms and the losses are drawn to `vanishing_gradients.png`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft
from functrace.scipy.special import expit, logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

HERE = Path(__file__).parent
RATE = 0.02
"""Of the steps of training."""

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating
Labels: TypeAlias = NDArray[np.intp]
Layer: TypeAlias = dict[str, Array]
Activation: TypeAlias = Callable[[Array], Array]


def relu(z: Array) -> Array:
    """Leave what is positive, and nothing of the rest."""
    return np.maximum(z, 0)


@dataclass(frozen=True)
class Network:
    """A way to build a deep network.

    The weights of a layer have the variance `gain` / inputs. 1/3 is what many programs took once,
    1 is Xavier's choice, 2 is He's.
    """

    name: str
    colour: str
    activation: Activation
    gain: float = 1 / 3
    normalised: bool = False
    skips: bool = False
    clipped: bool = False

    def initialise(self, sizes: Sequence[int], generator: np.random.Generator) -> list[Layer]:
        """Draw the weights of all layers."""
        return [
            {
                "W": generator.normal(0, np.sqrt(self.gain / inputs), (inputs, outputs)),
                "b": np.zeros(outputs),
            }
            for inputs, outputs in pairwise(sizes)
        ]

    def scores(self, layers: Sequence[Layer], images: Array) -> Array:
        """Give ten scores for each image."""
        *hidden_layers, last_layer = layers
        signal = images
        for layer in hidden_layers:
            z = signal @ layer["W"] + layer["b"]
            if self.normalised:
                z = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)
            signal = self.activation(z) + (signal if self.skips else 0)
        return signal @ last_layer["W"] + last_layer["b"]

    def loss(self, layers: Sequence[Layer], images: Array, labels: Labels) -> Number:
        """Give the mean cross-entropy."""
        scores = self.scores(layers, images)
        return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels])

    def loss_and_gradient(
        self, layers: list[Layer], images: Array, labels: Labels
    ) -> tuple[Number, list[Layer]]:
        """Give the loss and its gradient, clipped where that was asked for."""
        value, gradient = ft.value_and_grad(self.loss)(layers, images, labels)
        return value, clip(gradient) if self.clipped else gradient


SIGMOID = Network("sigmoid", "tab:blue", expit)
TANH = Network("tanh", "tab:cyan", np.tanh)
RELU = Network("ReLU", "tab:green", relu)
SIGMOID_XAVIER = Network("sigmoid, Xavier", "tab:blue", expit, gain=1)
TANH_XAVIER = Network("tanh, Xavier", "tab:purple", np.tanh, gain=1)
RELU_HE = Network("ReLU, He", "tab:olive", relu, gain=2)
SIGMOID_NORMALISED = Network("sigmoid, normalised", "tab:blue", expit, normalised=True)
RELU_NORMALISED = Network("ReLU, normalised", "tab:red", relu, normalised=True)
TANH_SKIPS = Network("tanh, skips", "tab:brown", np.tanh, skips=True)
RELU_SKIPS = Network("ReLU, skips", "tab:green", relu, skips=True)
LARGE = Network("ReLU, large weights", "black", relu, gain=4)
LARGE_CLIPPED = Network("ReLU, large weights, clipped", "tab:pink", relu, gain=4, clipped=True)

PANELS = {
    "Small weights": [SIGMOID, TANH, RELU],
    "Initialisation": [SIGMOID_XAVIER, TANH_XAVIER, RELU_HE],
    "Batch normalisation": [SIGMOID_NORMALISED, RELU_NORMALISED],
    "Skip connections": [TANH_SKIPS, RELU_SKIPS],
    "Large weights, and clipping": [LARGE, LARGE_CLIPPED],
}
TRAINED = [SIGMOID, TANH, TANH_XAVIER, RELU_HE, RELU_NORMALISED, TANH_SKIPS, LARGE_CLIPPED]


def clip(gradient: list[Layer], limit: float = 1.0) -> list[Layer]:
    """Shorten a gradient that is longer than the limit, and keep its direction."""
    norm = np.sqrt(sum(np.sum(leaf**2) for leaf in ft.tree.leaves(gradient)))
    return ft.tree.map(lambda leaf: leaf * min(1.0, limit / norm), gradient)


def gradient_norms(
    network: Network, sizes: Sequence[int], images: Array, labels: Labels, seed: int
) -> tuple[Array, str]:
    """Look at the gradient before the first step.

    Give its norm by the weights of each hidden layer, and in words what is wrong.
    """
    layers = network.initialise(sizes, np.random.default_rng(seed))
    report = ft.gradient_report(network.loss, rate=RATE)(layers, images, labels)
    norms = np.array([row.gradient for row in report.rows if row.name.endswith("['W']")][:-1])
    if network.clipped:
        norms *= min(1.0, 1.0 / np.linalg.norm([row.gradient for row in report.rows]))
    told = Counter(fault.partition(":")[0] for fault in report.faults.values())
    return norms, ", ".join(f"{count} arrays: {fault}" for fault, count in told.most_common(1))


def train(
    network: Network,
    sizes: Sequence[int],
    images: Array,
    labels: Labels,
    *,
    seed: int,
    steps: int,
    learning_rate: float = RATE,
) -> list[float]:
    """Take steps against the gradient on mini-batches; give the losses."""
    generator = np.random.default_rng(seed)
    layers = network.initialise(sizes, generator)
    losses: list[float] = []
    for _ in tqdm(range(steps), desc=f"{network.name:30}", unit="step"):
        batch = generator.choice(len(labels), 128, replace=False)
        value, gradient = network.loss_and_gradient(layers, images[batch], labels[batch])
        layers = ft.tree.map(lambda p, g: p - learning_rate * g, layers, gradient)
        losses.append(float(value))
    return losses


def draw_norms(axes: Axes, title: str, norms: dict[Network, Array]) -> None:
    """Draw the norms of some networks, layer by layer."""
    for (network, values), marker in zip(norms.items(), "osD", strict=False):
        layers = np.arange(1, len(values) + 1)
        axes.semilogy(
            layers, values, color=network.colour, marker=marker, markersize=4, label=network.name
        )
    axes.set(title=title, xlabel="hidden layer")
    axes.xaxis.set_major_locator(MultipleLocator(5))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")


def draw_losses(axes: Axes, losses: dict[Network, list[float]]) -> None:
    """Draw the losses of some networks, smoothed over twenty steps."""
    for network, values in losses.items():
        window = min(20, len(values))
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        steps = np.arange(window, len(values) + 1)
        axes.semilogy(steps, smooth, color=network.colour, linewidth=2, label=network.name)
    axes.axhline(np.log(10), color="0.4", linewidth=1, linestyle="dashed", label="guessing")
    axes.set(title="What it means for learning", xlabel="step", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize="large")


def draw(
    norms: dict[str, dict[Network, Array]], losses: dict[Network, list[float]], path: Path
) -> None:
    """Draw a panel for each group of networks, and one for the losses."""
    figure = Figure(figsize=(15, 9), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    panels = upper.subplots(1, len(norms), sharey=True)
    for axes, (title, group) in zip(panels, norms.items(), strict=True):
        draw_norms(axes, title, group)
    panels[0].set_ylabel("norm of the gradient by the weights")
    draw_losses(lower.subplots(), losses)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> dict[str, Array]:
    """Print, train and draw; give the norms, from the first hidden layer to the last."""
    parser = argparse.ArgumentParser(description="Vanishing gradients, and five remedies.")
    parser.add_argument("--depth", type=int, default=20, help="hidden layers")
    parser.add_argument("--steps", type=int, default=300, help="of training for each network")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the mini-batches")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 64) / 8 - 1
        labels = file["labels"].astype(np.intp)
    sizes = [64] * (options.depth + 1) + [10]

    norms: dict[str, dict[Network, Array]] = {}
    print(f"{'norm of the gradient in the':32}{'first hidden layer':>20}{'last':>12}")
    for title, networks in PANELS.items():
        norms[title] = {}
        for network in networks:
            values, told = gradient_norms(network, sizes, images[:256], labels[:256], options.seed)
            norms[title][network] = values
            print(f"{network.name:32}{values[0]:>20.1e}{values[-1]:>12.1e}  {told}")

    losses = {
        network: train(network, sizes, images, labels, seed=options.seed, steps=options.steps)
        for network in TRAINED
    }
    print(f"\nloss after {options.steps} steps; guessing gives {np.log(10):.2f}")
    for network, values in losses.items():
        print(f"{network.name:32}{np.mean(values[-10:]):>8.3f}")

    picture = options.out / "vanishing_gradients.png"
    draw(norms, losses, picture)
    print(f"\nthe norms and the losses: {picture}")
    return {network.name: values for group in norms.values() for network, values in group.items()}


if __name__ == "__main__":
    main()
