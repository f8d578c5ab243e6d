"""Read handwritten digits with a network: the main example.

It shows everything that training needs: a network written as plain NumPy code, parameters in a nest
of dicts and lists, `ft.value_and_grad`, which gives the loss and a gradient of the same nest, and
`ft.jit`, which writes both as NumPy code once and runs that from then on.
The network has two hidden layers. It starts from the initialisation of He et al. (2015) and learns
by stochastic gradient descent with momentum, on mini-batches of four fifths of the 1,797 digits of
`data/digits.npz`. Half of the mini-batches are moved by a pixel: a digit is the same wherever it
is. The network is then asked to read the last fifth, which it never saw.

    python examples/digits.py
    python examples/digits.py --epochs 100 --hidden 256 128 --seed 3

The loss curves, and some of the digits that the network misreads, are drawn to `digits.png`.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft
from functrace.scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating
Labels: TypeAlias = NDArray[np.intp]
Layer: TypeAlias = dict[str, Array]
Parameters: TypeAlias = dict[str, list[Layer]]


class Digits(NamedTuple):
    """Images as rows of 64 pixels between 0 and 1, and the digits that they show."""

    images: Array
    labels: Labels


class Curves(NamedTuple):
    """The mean losses after each epoch."""

    training: list[float]
    held_out: list[float]


def load_digits() -> Digits:
    """Read the 1,797 digits from the file beside this script."""
    with np.load(HERE / "data" / "digits.npz") as file:
        return Digits(file["images"].reshape(-1, 64) / 16, file["labels"].astype(np.intp))


def split(digits: Digits, generator: np.random.Generator) -> tuple[Digits, Digits]:
    """Shuffle the digits; four fifths are for training, one fifth is held out."""
    order = generator.permutation(len(digits.labels))
    held_out, training = np.split(order, [len(order) // 5])
    return (
        Digits(digits.images[training], digits.labels[training]),
        Digits(digits.images[held_out], digits.labels[held_out]),
    )


def initialise(sizes: Sequence[int], generator: np.random.Generator) -> Parameters:
    """Draw weights with variance 2 / inputs, so that ReLU layers keep the size of their signal."""
    return {
        "layers": [
            {
                "weights": generator.normal(0, np.sqrt(2 / inputs), (inputs, outputs)),
                "bias": np.zeros(outputs),
            }
            for inputs, outputs in pairwise(sizes)
        ]
    }


def predict(parameters: Parameters, images: Array) -> Array:
    """Give ten scores for each image; the highest is the digit that the network reads."""
    *hidden_layers, last_layer = parameters["layers"]
    signal = images
    for layer in hidden_layers:
        signal = np.maximum(signal @ layer["weights"] + layer["bias"], 0)
    return signal @ last_layer["weights"] + last_layer["bias"]


def loss(parameters: Parameters, images: Array, labels: Labels) -> Number:
    """Give the mean cross-entropy: minus the log of the probability of the right digit."""
    scores = predict(parameters, images)
    scores_of_the_right_digits = scores[np.arange(len(labels)), labels]
    return np.mean(logsumexp(scores, axis=1) - scores_of_the_right_digits)


def accuracy(parameters: Parameters, digits: Digits) -> float:
    """Give the fraction of the digits that the network reads correctly."""
    read = np.argmax(predict(parameters, digits.images), axis=1)
    return float(np.mean(read == digits.labels))


def moved(images: Array, generator: np.random.Generator) -> Array:
    """Move the images by up to a pixel, up or down and left or right."""
    with_a_border = np.pad(images.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    top, left = generator.integers(0, 3, size=2)
    return with_a_border[:, top : top + 8, left : left + 8].reshape(-1, 64)


def mini_batches(
    digits: Digits, batch_size: int, generator: np.random.Generator
) -> Iterator[Digits]:
    """Go through all the digits once, in a random order, a few at a time; move half of them."""
    order = generator.permutation(len(digits.labels))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        images = digits.images[chosen]
        if generator.random() < 0.5:
            images = moved(images, generator)
        yield Digits(images, digits.labels[chosen])


def accelerate(
    velocity: Parameters, gradient: Parameters, learning_rate: float, momentum: float = 0.9
) -> Parameters:
    """Keep most of the velocity, and pull it downhill."""
    return ft.tree.map(lambda v, g: momentum * v - learning_rate * g, velocity, gradient)


def train(
    parameters: Parameters,
    training: Digits,
    held_out: Digits,
    generator: np.random.Generator,
    *,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 0.05,
) -> tuple[Parameters, Curves]:
    """Follow the gradient downhill, with momentum and a learning rate that falls to zero."""
    loss_and_gradient = ft.jit(ft.value_and_grad(loss))
    velocity = ft.tree.map(np.zeros_like, parameters)
    curves = Curves([], [])

    progress = tqdm(range(epochs), desc="training", unit="epoch")
    for epoch in progress:
        rate = learning_rate * (1 - epoch / epochs)
        losses: list[float] = []
        for images, labels in mini_batches(training, batch_size, generator):
            batch_loss, gradient = loss_and_gradient(parameters, images, labels)
            velocity = accelerate(velocity, gradient, rate)
            parameters = ft.tree.map(np.add, parameters, velocity)
            losses.append(float(batch_loss))
        curves.training.append(float(np.mean(losses)))
        curves.held_out.append(float(loss(parameters, *held_out)))
        progress.set_postfix(loss=f"{curves.training[-1]:.4f}")
    return parameters, curves


def draw(curves: Curves, parameters: Parameters, held_out: Digits, path: Path) -> None:
    """Draw the loss curves, and up to sixteen of the digits that the network misreads."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.15, 1])[0]

    axes = left.subplots()
    epochs = np.arange(1, len(curves.training) + 1)
    for values, label, colour in [
        (curves.training, "training digits, half of them moved", "tab:blue"),
        (curves.held_out, "held-out digits", "tab:orange"),
    ]:
        axes.semilogy(epochs, values, color=colour, label=label, linewidth=2)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", xlim=(1, max(2, len(epochs))))
    axes.set_title(
        f"{accuracy(parameters, held_out):.1%} of the held-out digits are read correctly"
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)

    read = np.argmax(predict(parameters, held_out.images), axis=1)
    misread = np.flatnonzero(read != held_out.labels)
    right.suptitle(f"Misread: {len(misread)} of {len(read)}", fontsize="large")
    columns = 2 if len(misread) <= 4 else 4
    cells = list(right.subplots(columns, columns, squeeze=False).flat)
    for cell in cells:
        cell.set_axis_off()
    for cell, index in zip(cells, misread[: len(cells)], strict=False):
        cell.imshow(held_out.images[index].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        cell.set_title(f"{held_out.labels[index]} read as {read[index]}", fontsize="medium")

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, print and draw; give the accuracy on the held-out digits."""
    parser = argparse.ArgumentParser(description="Read handwritten digits with a network.")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training digits")
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 64], help="hidden layers")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the start and the order")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(options.seed)
    training, held_out = split(load_digits(), generator)
    parameters = initialise([64, *options.hidden, 10], generator)

    start = time.perf_counter()
    parameters, curves = train(parameters, training, held_out, generator, epochs=options.epochs)
    seconds = time.perf_counter() - start

    result = accuracy(parameters, held_out)
    print(f"trained on {len(training.labels)} digits for {options.epochs} epochs: {seconds:.1f} s")
    print(f"accuracy on the {len(held_out.labels)} held-out digits: {result:.2%}")

    picture = options.out / "digits.png"
    draw(curves, parameters, held_out, picture)
    print(f"loss curves and misread digits: {picture}")
    return result


if __name__ == "__main__":
    main()
