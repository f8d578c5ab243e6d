"""Every partial derivative of a network, by hand and by functrace.

Part 1 derives a network of three sigmoid layers with the mean squared error, as one does on paper.
Layer l computes z_l = a_{l-1} W_l + b_l and a_l = sigmoid(z_l), from a_0 = x. From the last layer
back:

    dL/da_3 = 2 (a_3 - y) / n                   n: the number of entries of y
    dL/dz_l = dL/da_l * a_l (1 - a_l)           the slope of the sigmoid is a (1 - a)
    dL/dW_l = a_{l-1}^T dL/dz_l
    dL/db_l = the sum of dL/dz_l over the batch
    dL/da_{l-1} = dL/dz_l W_l^T

Part 2 is the same for any number of layers, with softmax and cross-entropy at the end, where the
two derivatives collapse into dL/dz_L = (yhat - y) / m for a batch of m samples.

Part 3 takes a batch as one array, and as a loop over its samples. The gradients are the same, but
the times are not: the work of recording is done once, or once for each sample.

    python examples/layers_by_hand.py
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

import functrace as ft
from functrace.scipy.special import expit, logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating
Layer: TypeAlias = dict[str, Array]
Signals: TypeAlias = dict[str, Array]


def initialise(sizes: Sequence[int], generator: np.random.Generator) -> list[Layer]:
    """Draw weights with variance 1 / inputs, and small biases."""
    return [
        {
            "W": generator.normal(0, 1 / np.sqrt(inputs), (inputs, outputs)),
            "b": generator.normal(0, 0.1, outputs),
        }
        for inputs, outputs in pairwise(sizes)
    ]


# Part 1: three sigmoid layers and the mean squared error.


def forward(layers: Sequence[Layer], x: Array, nudges: Signals | None = None) -> Signals:
    """Give every z_l and a_l, each after adding its nudge where there is one.

    The derivative by a nudge of zero is the derivative by the signal itself: this is how one asks
    `ft.grad` for the derivative by something between input and output.
    """
    nudges = nudges or {}
    signals = {"a0": x}
    for number, layer in enumerate(layers, start=1):
        z, a = f"z{number}", f"a{number}"
        signals[z] = signals[f"a{number - 1}"] @ layer["W"] + layer["b"] + nudges.get(z, 0.0)
        signals[a] = expit(signals[z]) + nudges.get(a, 0.0)
    return signals


def mean_squared_error(
    layers: Sequence[Layer], x: Array, y: Array, nudges: Signals | None = None
) -> Number:
    """Give the mean of (a_L - y)^2."""
    output = forward(layers, x, nudges)[f"a{len(layers)}"]
    return np.mean((output - y) ** 2)


def sigmoid_layers_by_hand(layers: Sequence[Layer], x: Array, y: Array) -> Signals:
    """Give every partial derivative of the derivation above, by name."""
    signals = forward(layers, x)
    last = len(layers)
    partials = {f"a{last}": 2 * (signals[f"a{last}"] - y) / y.size}
    for number in range(last, 0, -1):
        activation = signals[f"a{number}"]
        by_z = partials[f"a{number}"] * activation * (1 - activation)
        partials[f"z{number}"] = by_z
        partials[f"W{number}"] = signals[f"a{number - 1}"].T @ by_z
        partials[f"b{number}"] = by_z.sum(axis=0)
        partials[f"a{number - 1}"] = by_z @ layers[number - 1]["W"].T
    return partials


def sigmoid_layers_by_functrace(layers: Sequence[Layer], x: Array, y: Array) -> Signals:
    """Give the same partial derivatives from a single call of `ft.grad`."""
    signals = forward(layers, x)
    nudges = {name: np.zeros_like(value) for name, value in signals.items() if name != "a0"}
    by_layers, by_x, by_signals = ft.grad(mean_squared_error, argnums=(0, 1, 3))(
        layers, x, y, nudges
    )
    partials = {"a0": by_x, **by_signals}
    for number, layer in enumerate(by_layers, start=1):
        partials[f"W{number}"], partials[f"b{number}"] = layer["W"], layer["b"]
    return partials


# Part 2: any number of layers, softmax and cross-entropy.


def scores(layers: Sequence[Layer], x: Array) -> Array:
    """Give the last z of a network whose hidden layers are sigmoid layers."""
    *hidden_layers, last_layer = layers
    signal = x
    for layer in hidden_layers:
        signal = expit(signal @ layer["W"] + layer["b"])
    return signal @ last_layer["W"] + last_layer["b"]


def cross_entropy(layers: Sequence[Layer], x: Array, y: Array) -> Number:
    """Give the mean of -log yhat at the right class, for labels y as rows of zeros and a one."""
    z = scores(layers, x)
    log_yhat = z - logsumexp(z, axis=-1, keepdims=True)
    return -np.mean(np.sum(y * log_yhat, axis=-1))


def cross_entropy_by_hand(layers: Sequence[Layer], x: Array, y: Array) -> list[Layer]:
    """Give the derivatives by every W and b, from the last layer back to the first."""
    activations = [x]
    for layer in layers[:-1]:
        activations.append(expit(activations[-1] @ layer["W"] + layer["b"]))
    z = scores(layers, x)
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    yhat = exponentials / exponentials.sum(axis=-1, keepdims=True)

    by_z = (yhat - y) / len(y)
    gradient: list[Layer] = []
    for layer, activation in zip(reversed(layers), reversed(activations), strict=True):
        gradient.append({"W": activation.T @ by_z, "b": by_z.sum(axis=0)})
        by_z = (by_z @ layer["W"].T) * activation * (1 - activation)
    return gradient[::-1]


# Part 3: a batch as one array, and as a loop over its samples.


def gradient_of_the_batch(layers: Sequence[Layer], x: Array, y: Array) -> list[Layer]:
    """Differentiate the loss of all the samples at once."""
    return ft.grad(cross_entropy)(layers, x, y)


def gradient_in_a_loop(layers: Sequence[Layer], x: Array, y: Array) -> list[Layer]:
    """Differentiate the loss of each sample, and take the mean of the gradients."""
    gradient = ft.grad(cross_entropy)
    total = ft.tree.map(np.zeros_like, layers)
    for sample in range(len(x)):
        one = slice(sample, sample + 1)
        total = ft.tree.map(np.add, total, gradient(layers, x[one], y[one]))
    return ft.tree.map(lambda value: value / len(x), total)


def largest_difference(ours: object, by_hand: object) -> float:
    """Give the largest difference between the entries of two nests of arrays."""
    pairs = zip(ft.tree.leaves(ours), ft.tree.leaves(by_hand), strict=True)
    return max(float(np.max(np.abs(a - b))) for a, b in pairs)


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Give the best time of three calls."""
    times: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def main(arguments: Sequence[str] | None = None) -> float:
    """Print all comparisons; give the largest difference."""
    parser = argparse.ArgumentParser(description="Partial derivatives by hand and by functrace.")
    parser.add_argument("--layers", type=int, default=6, help="how deep part 2 goes")
    parser.add_argument("--batch", type=int, default=256, help="the samples of part 3")
    options = parser.parse_args(arguments)
    generator = np.random.default_rng(0)
    differences: list[float] = []

    print("Part 1: three sigmoid layers, mean squared error")
    layers = initialise([4, 6, 5, 3], generator)
    x, y = generator.normal(size=(8, 4)), generator.uniform(size=(8, 3))
    by_hand = sigmoid_layers_by_hand(layers, x, y)
    ours = sigmoid_layers_by_functrace(layers, x, y)
    columns = f"{'norm by hand':>14}{'by functrace':>16}{'difference':>14}"
    print(f"  {'derivative by':<16}{'shape':<10}{columns}")
    for name, value in by_hand.items():
        differences.append(largest_difference(ours[name], value))
        norms = f"{np.linalg.norm(value):>14.8f}{np.linalg.norm(ours[name]):>16.8f}"
        print(f"  {name:<16}{value.shape!s:<10}{norms}{differences[-1]:>14.1e}")

    print("\nPart 2: L layers, softmax and cross-entropy")
    x = generator.normal(size=(8, 4))
    y = np.eye(3)[generator.integers(0, 3, 8)]
    for depth in range(1, options.layers + 1):
        layers = initialise([4, *[6] * (depth - 1), 3], generator)
        by_hand = cross_entropy_by_hand(layers, x, y)
        differences.append(largest_difference(ft.grad(cross_entropy)(layers, x, y), by_hand))
        print(f"  L = {depth}: largest difference {differences[-1]:.1e}")

    print(f"\nPart 3: a batch of {options.batch} samples")
    layers = initialise([64, 64, 10], generator)
    x = generator.normal(size=(options.batch, 64))
    y = np.eye(10)[generator.integers(0, 10, options.batch)]
    at_once = gradient_of_the_batch(layers, x, y)
    differences.append(largest_difference(at_once, gradient_in_a_loop(layers, x, y)))
    print(f"  largest difference of the gradients: {differences[-1]:.1e}")
    batch_seconds = seconds(gradient_of_the_batch, layers, x, y)
    loop_seconds = seconds(gradient_in_a_loop, layers, x, y)
    print(f"  as one array: {1e3 * batch_seconds:8.2f} ms")
    ratio = loop_seconds / batch_seconds
    print(f"  as a loop:    {1e3 * loop_seconds:8.2f} ms, {ratio:.0f} times as long")
    return max(differences)


if __name__ == "__main__":
    main()
