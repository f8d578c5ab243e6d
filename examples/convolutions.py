"""Read handwritten digits with a small convolutional network.

Two convolutions, each followed by a ReLU and by the maximum over squares of two by two pixels, and
one layer that weighs what is left: 6,090 numbers, a third of those of `digits.py`. Convolution and
pooling are those of `functrace.lax`, with the names that `jax.lax` gives them; images have their
channels last. It learns with Adam (Kingma and Ba, 2015) in single precision.

    python examples/convolutions.py
    python examples/convolutions.py --epochs 30 --filters 32 64

The loss, the filters of the first layer and what they see in one digit are drawn to
`convolutions.png`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft
from functrace import lax
from functrace.scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.intp]
Parameters: TypeAlias = dict[str, Array]


class Digits(NamedTuple):
    """Images of shape (count, 8, 8, 1) between 0 and 1, and the digits that they show."""

    images: Array
    labels: Labels


class Moments(NamedTuple):
    """What Adam keeps: running means of the gradients and of their squares."""

    first: Parameters
    second: Parameters


def load_digits() -> Digits:
    """Read the 1,797 digits from the file beside this script."""
    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 8, 8, 1).astype(np.float32) / 16
        return Digits(images, file["labels"].astype(np.intp))


def split(digits: Digits, generator: np.random.Generator) -> tuple[Digits, Digits]:
    """Shuffle the digits; four fifths are for training, one fifth is held out."""
    order = generator.permutation(len(digits.labels))
    held_out, training = np.split(order, [len(order) // 5])
    return (
        Digits(digits.images[training], digits.labels[training]),
        Digits(digits.images[held_out], digits.labels[held_out]),
    )


def initialise(filters: Sequence[int], generator: np.random.Generator) -> Parameters:
    """Draw weights with variance 2 / inputs, for filters of three by three pixels."""
    first, second = filters
    shapes = {"first": (3, 3, 1, first), "second": (3, 3, first, second), "last": (4 * second, 10)}
    parameters: Parameters = {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        parameters[name] = generator.normal(0, scale, shape).astype(np.float32)
        parameters[f"{name} bias"] = np.zeros(shape[-1], np.float32)
    return parameters


def features(images: Array, filters: Array, bias: Array) -> Array:
    """Move filters over images, rectify, and halve the resolution."""
    convolved = lax.conv_general_dilated(
        images, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    rectified = np.maximum(convolved + bias, 0)
    return lax.reduce_window(rectified, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def predict(parameters: Parameters, images: Array) -> Array:
    """Give ten scores for each image; the highest is the digit that the network reads."""
    seen = features(images, parameters["first"], parameters["first bias"])
    seen = features(seen, parameters["second"], parameters["second bias"])
    return seen.reshape(len(images), -1) @ parameters["last"] + parameters["last bias"]


def loss(parameters: Parameters, images: Array, labels: Labels) -> np.floating:
    """Give the mean cross-entropy: minus the log of the probability of the right digit."""
    scores = predict(parameters, images)
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels])


def accuracy(parameters: Parameters, digits: Digits) -> float:
    """Give the fraction of the digits that the network reads correctly."""
    read = np.argmax(predict(parameters, digits.images), axis=1)
    return float(np.mean(read == digits.labels))


def mini_batches(
    digits: Digits, batch_size: int, generator: np.random.Generator
) -> Iterator[Digits]:
    """Go once through the digits in a random order, but for the last few that fill no batch."""
    order = generator.permutation(len(digits.labels))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield Digits(digits.images[chosen], digits.labels[chosen])


def adam(
    parameters: Parameters, gradient: Parameters, moments: Moments, step: int, rate: float
) -> tuple[Parameters, Moments]:
    """Go downhill, along each axis about as far as the rate says."""
    first = ft.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments.first, gradient)
    second = ft.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments.second, gradient)
    by_first, by_second = 1 - 0.9**step, 1 - 0.999**step

    def moved(p: Array, m: Array, v: Array) -> Array:
        step = np.divide(m / by_first, np.sqrt(v / by_second) + 1e-8, dtype=np.float32)
        return np.subtract(p, rate * step, dtype=np.float32)

    return ft.tree.map(moved, parameters, first, second), Moments(first, second)


def train(
    parameters: Parameters,
    training: Digits,
    generator: np.random.Generator,
    *,
    epochs: int,
    batch_size: int = 64,
    rate: float = 3e-3,
) -> tuple[Parameters, list[float]]:
    """Follow the gradient downhill; give the mean loss of each epoch as well."""
    loss_and_gradient = ft.jit(ft.value_and_grad(loss))
    zeros = ft.tree.map(np.zeros_like, parameters)
    moments, step, curve = Moments(zeros, zeros), 0, []
    progress = tqdm(range(epochs), desc="training", unit="epoch")
    for _ in progress:
        losses: list[float] = []
        for images, labels in mini_batches(training, batch_size, generator):
            batch_loss, gradient = loss_and_gradient(parameters, images, labels)
            step += 1
            parameters, moments = adam(parameters, gradient, moments, step, rate)
            losses.append(float(batch_loss))
        curve.append(float(np.mean(losses)))
        progress.set_postfix(loss=f"{curve[-1]:.4f}")
    return parameters, curve


def draw(parameters: Parameters, curve: list[float], digit: Array, path: Path) -> None:
    """Draw the loss, the first filters, and where each of them finds something in one digit."""
    figure = Figure(figsize=(11, 3), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 1.5])[0]
    axes = left.subplots()
    axes.semilogy(np.arange(1, len(curve) + 1), curve, linewidth=2)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", title="loss on the training digits")
    axes.grid(alpha=0.3, which="both")

    filters = parameters["first"][:, :, 0, :8]
    seen = features(digit[np.newaxis], parameters["first"], parameters["first bias"])[0]
    right.suptitle("a digit, the first eight filters, and what they see", fontsize="large")
    cells = right.subplots(2, 9, squeeze=False)
    for cell in cells.flat:
        cell.set_axis_off()
    cells[0, 0].imshow(digit[..., 0], cmap="gray_r")
    limit = float(np.abs(filters).max())
    for number in range(filters.shape[-1]):
        cells[0, number + 1].imshow(filters[..., number], cmap="RdBu", vmin=-limit, vmax=limit)
        cells[1, number + 1].imshow(seen[..., number], cmap="gray_r", vmin=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, print and draw; give the accuracy on the held-out digits."""
    parser = argparse.ArgumentParser(description="Read digits with a convolutional network.")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training digits")
    parser.add_argument("--filters", type=int, nargs=2, default=[16, 32], help="of the two layers")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the start and the order")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(options.seed)
    training, held_out = split(load_digits(), generator)
    parameters = initialise(options.filters, generator)
    size = sum(array.size for array in ft.tree.leaves(parameters))

    start = time.perf_counter()
    parameters, curve = train(parameters, training, generator, epochs=options.epochs)
    seconds = time.perf_counter() - start

    result = accuracy(parameters, held_out)
    print(f"trained {size:,} numbers for {options.epochs} epochs: {seconds:.1f} s")
    print(f"accuracy on the {len(held_out.labels)} held-out digits: {result:.2%}")

    picture = options.out / "convolutions.png"
    draw(parameters, curve, held_out.images[0], picture)
    print(f"loss, filters and what they see: {picture}")
    return result


if __name__ == "__main__":
    main()
