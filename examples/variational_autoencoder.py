"""Draw digits that nobody wrote: a variational autoencoder (Kingma and Welling, 2014).

An encoder reads an image as a small cloud in a plane: a mean and a spread. A point is drawn from
it, and a decoder draws the image again from the point alone. The loss is how badly that is done,
and how far the clouds are from one round cloud around zero. What is drawn at random is the mean
plus the spread times a standard normal number, so that the gradient goes through.

    python examples/variational_autoencoder.py

Where the digits lie in the plane, and what the decoder draws all over it, is drawn to
`variational_autoencoder.png`.
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


def initialise(key: Any, hidden: int) -> dict[str, Any]:
    """Draw the parameters of both networks, in single precision."""
    keys = ft.random.split(key, 4)
    sizes = {"read": (64, hidden), "cloud": (hidden, 4), "grow": (2, hidden), "paint": (hidden, 64)}
    return {
        name: nn.init_dense(own, *size, dtype=np.float32)
        for own, (name, size) in zip(keys, sizes.items(), strict=True)
    }


def encode(params: dict[str, Any], images: Any) -> tuple[Any, Any]:
    """Give the mean of each image's cloud, and the logarithm of its spread."""
    seen = nn.dense(params["cloud"], nn.gelu(nn.dense(params["read"], images)))
    return seen[:, :2], seen[:, 2:]


def decode(params: dict[str, Any], points: Any) -> Any:
    """Give the score of each pixel: the sigmoid of it is how dark it is."""
    return nn.dense(params["paint"], nn.gelu(nn.dense(params["grow"], points)))


def loss(params: dict[str, Any], key: Any, images: Any) -> Any:
    """Give minus the bound on the log-likelihood of an image, on average."""
    mean, spread = encode(params, images)
    points = mean + np.exp(spread) * ft.random.normal(key, mean.shape, np.float32)
    badly = np.sum(nn.sigmoid_binary_cross_entropy(decode(params, points), images), axis=1)
    far = 0.5 * np.sum(mean**2 + np.exp(2 * spread) - 1 - 2 * spread, axis=1)
    return np.mean(badly + far)


def draw(params: dict[str, Any], images: Any, labels: Any, path: Path) -> None:
    """Draw the means of all digits, and a grid of what the decoder draws."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    mean, _ = encode(params, images)
    points = left.scatter(*mean.T, c=labels, cmap="tab10", s=6)
    figure.colorbar(points, ax=left, ticks=range(10), label="digit")
    left.set(title="where the digits lie", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")

    places = np.linspace(-2, 2, 14, dtype=np.float32)
    grid = np.stack(np.meshgrid(places, places[::-1]), axis=-1).reshape(-1, 2)
    drawn = nn.sigmoid(decode(params, grid)).reshape(14, 14, 8, 8)
    right.imshow(drawn.transpose(0, 2, 1, 3).reshape(112, 112), cmap="gray_r")
    right.set(title="what the decoder draws there, from -2 to 2")
    right.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train and draw; give the mean loss of each epoch."""
    parser = argparse.ArgumentParser(description="A variational autoencoder of the digits.")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the digits")
    parser.add_argument("--hidden", type=int, default=128, help="units of the hidden layers")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters and the draws")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 64).astype(np.float32) / 16
        labels = file["labels"]
    key = ft.random.key(options.seed)
    params = initialise(ft.random.fold_in(key, 0), options.hidden)
    optimiser = optim.adam(2e-3)
    state = optimiser.init(params)
    batches = len(images) // 64

    @ft.jit
    def epoch(params: Any, state: Any, key: Any) -> Any:
        """Go once through the digits, in a random order."""
        first, second = ft.random.split(key)
        order = ft.random.permutation(first, len(images))[: batches * 64].reshape(batches, 64)

        def step(carry: Any, given: Any) -> Any:
            params, state = carry
            chosen, key = given
            value, gradient = ft.value_and_grad(loss)(params, key, ft.numpy.asarray(images)[chosen])
            updates, state = optimiser.update(gradient, state, params)
            return (optim.apply_updates(params, updates), state), value

        keys = ft.random.split(second, batches)
        (params, state), values = ft.scan(step, (params, state), (order, keys))
        return params, state, np.mean(values)

    curve: list[float] = []
    progress = tqdm(range(options.epochs), desc="training", unit="epoch")
    for number in progress:
        params, state, value = epoch(params, state, ft.random.fold_in(key, number + 1))
        curve.append(float(value))
        progress.set_postfix(loss=f"{value:.2f}")
    print(f"loss of an image: {curve[0]:.2f} at first, {curve[-1]:.2f} at last")

    picture = options.out / "variational_autoencoder.png"
    draw(params, images, labels, picture)
    print(f"the plane of digits: {picture}")
    return curve


if __name__ == "__main__":
    main()
