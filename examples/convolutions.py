"""Read handwritten digits with a small convolutional network.

Two convolutions, each followed by a ReLU and by the maximum over squares of two by two pixels, and
one layer that weighs what is left. The layers are those of `functrace.nn`, pure functions of
parameters that it draws; images have their channels last. It learns with Adam (Kingma and Ba,
2015), of `functrace.optim`, in single precision. What keeps it from learning the digits by heart:
each is bent anew for every epoch, the last layer sees 70 % of its inputs, and no digit is to be
read with more than 91 % of certainty. An epoch is a loop that is one operation, `functrace.scan`,
so that all of it is compiled once.

    python examples/convolutions.py
    python examples/convolutions.py --epochs 20 --filters 16 32

The loss, the filters of the first layer and what they see in one digit are drawn to
`convolutions.png`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

import functrace as ft
from functrace import nn, optim
from functrace.scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.intp]
Parameters: TypeAlias = dict[str, dict[str, Array]]


class Digits(NamedTuple):
    """Images of shape (count, 8, 8, 1) between 0 and 1, and the digits that they show."""

    images: Array
    labels: Labels


def load_digits() -> Digits:
    """Read the 1,797 digits from the file beside this script."""
    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 8, 8, 1).astype(np.float32) / 16
        return Digits(images, file["labels"].astype(np.intp))


def split(digits: Digits, key: Any) -> tuple[Digits, Digits]:
    """Shuffle the digits; four fifths are for training, one fifth is held out."""
    order = ft.random.permutation(key, len(digits.labels))
    held_out, training = np.split(order, [len(order) // 5])
    return (
        Digits(digits.images[training], digits.labels[training]),
        Digits(digits.images[held_out], digits.labels[held_out]),
    )


def initialise(filters: Sequence[int], key: Any) -> Parameters:
    """Draw the parameters, with filters of three by three pixels."""
    first, second = filters
    keys = ft.random.split(key, 3)
    he: Any = {"weight": nn.initializers.he_normal(), "dtype": np.float32}
    return {
        "first": nn.init_convolution(keys[0], (3, 3), 1, first, **he),
        "second": nn.init_convolution(keys[1], (3, 3), first, second, **he),
        "scores": nn.init_dense(keys[2], 4 * second, 10, dtype=np.float32),
    }


def bend(key: Any, image: Array) -> Array:
    """Turn, stretch, shear and move an image a little, by a random affine map of its pixels."""
    first, second = ft.random.split(key)
    affine = np.eye(2) + ft.random.uniform(first, (2, 2), minval=-0.1, maxval=0.1)
    moved = 3.5 + ft.random.uniform(second, (2, 1), minval=-0.4, maxval=0.4)
    places = affine @ (np.indices((8, 8)).reshape(2, 64) - 3.5) + moved
    return ndimage.map_coordinates(image[..., 0], places, order=1).reshape(8, 8, 1)


def features(layer: dict[str, Array], images: Array) -> Array:
    """Move filters over images, rectify, and halve the resolution."""
    return nn.max_pool(nn.relu(nn.convolution(layer, images)), 2)


def predict(parameters: Parameters, images: Array, key: Any = None) -> Array:
    """Give ten scores for each image; the highest is the digit that the network reads."""
    seen = features(parameters["second"], features(parameters["first"], images))
    seen = seen.reshape(len(images), -1)
    if key is not None:
        seen = nn.dropout(key, seen, 0.3)
    return nn.dense(parameters["scores"], seen)


def loss(parameters: Parameters, images: Array, labels: Labels, key: Any) -> np.floating:
    """Give the mean cross-entropy with labels of which a tenth is spread over all digits."""
    wanted = nn.smooth_labels(nn.one_hot(labels, 10, dtype=np.float32), 0.1)
    return np.mean(nn.softmax_cross_entropy(predict(parameters, images, key), wanted))


def accuracy(parameters: Parameters, digits: Digits) -> float:
    """Give the fraction of the digits that the network reads correctly."""
    read = np.argmax(predict(parameters, digits.images), axis=1)
    return float(np.mean(read == digits.labels))


def train(
    parameters: Parameters, training: Digits, key: Any, *, epochs: int, batch_size: int = 64
) -> tuple[Parameters, list[float]]:
    """Follow the gradient downhill; give the mean loss of each epoch as well."""
    batches = len(training.labels) // batch_size
    optimiser = optim.adam(optim.cosine_decay_schedule(4e-3, epochs * batches))
    state = optimiser.init(parameters)

    @ft.jit
    def epoch(parameters: Parameters, state: Any, key: Any) -> Any:
        """Go once through the digits in a random order, but for the few that fill no batch."""
        first, second, third = ft.random.split(key, 3)
        order = ft.random.permutation(first, len(training.labels))[: batches * batch_size]
        keys = ft.random.split(third, len(training.labels))
        bent = ft.vmap(bend)(keys, training.images).astype(np.float32)

        def step(carry: Any, given: Any) -> Any:
            parameters, state = carry
            chosen, key = given
            images = ft.numpy.take(bent, chosen, axis=0)
            labels = ft.numpy.take(training.labels, chosen)
            value, gradient = ft.value_and_grad(loss)(parameters, images, labels, key)
            updates, state = optimiser.update(gradient, state, parameters)
            return (optim.apply_updates(parameters, updates), state), value

        rows = order.reshape(batches, batch_size), ft.random.split(second, batches)
        (parameters, state), values = ft.scan(step, (parameters, state), rows)
        return parameters, state, np.mean(values)

    curve: list[float] = []
    progress = tqdm(range(epochs), desc="training", unit="epoch")
    for number in progress:
        parameters, state, value = epoch(parameters, state, ft.random.fold_in(key, number))
        curve.append(float(value))
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

    filters = parameters["first"]["weight"][:, :, 0, :8]
    seen = features(parameters["first"], digit[np.newaxis])[0]
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
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training digits")
    parser.add_argument("--filters", type=int, nargs=2, default=[32, 128], help="of the two layers")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the start and the order")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    keys = ft.random.split(ft.random.key(options.seed), 3)
    training, held_out = split(load_digits(), keys[0])
    parameters = initialise(options.filters, keys[1])
    size = sum(array.size for array in ft.tree.leaves(parameters))

    start = time.perf_counter()
    parameters, curve = train(parameters, training, keys[2], epochs=options.epochs)
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
