"""A textbook's worked network, and how gradient checking catches the textbook's mistake.

The network has two inputs, three hidden units and one output. For one sample with label y = 1,

    x = [1, 2]
    z1 = W1 x + b1,   a1 = ReLU(z1)            W1 = [[.1, .2], [.3, .4], [.5, .6]],  b1 = 0
    z2 = W2^T a1 + b2,  yhat = sigmoid(z2)     W2 = [[.7], [.8], [.9]],  b2 = 0
    L = -(y log yhat + (1 - y) log(1 - yhat))

Going forward: z1 = [.5, 1.1, 1.7], z2 = 2.76, yhat = 0.9405, L = 0.0614. Going back, the
derivatives of the binary cross-entropy and of the sigmoid cancel, and leave

    dL/dz2 = (yhat - y) / (yhat (1 - yhat)) * yhat (1 - yhat) = yhat - y.

The text that this network comes from takes yhat - y for dL/dyhat and multiplies it by sigmoid'(z2)
once more. Every gradient it finds is then too small by the factor sigmoid'(z2) = 0.056. It points
downhill all the same and trains the network, only slowly: a mistake that is hard to see.

Gradient checking sees it. It compares a gradient a with the central differences n of the loss,

    error = ||a - n|| / (||a|| + ||n||),

and takes the gradient for right where the error is below 1e-7.

    python examples/worked_network.py
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import functrace as ft
from functrace.testing import check_grads

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating
Parameters: TypeAlias = dict[str, Array]

X = np.array([1.0, 2.0])
Y = 1.0
LEARNING_RATE = 0.1


class Signals(NamedTuple):
    """What flows forward through the network."""

    z1: Array
    a1: Array
    z2: Array
    yhat: Array


def parameters_of_the_text() -> Parameters:
    """Give the weights and biases that the text starts from."""
    return {
        "W1": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
        "b1": np.zeros(3),
        "W2": np.array([[0.7], [0.8], [0.9]]),
        "b2": np.zeros(1),
    }


def sigmoid(z: Array) -> Array:
    """Squash numbers into (0, 1)."""
    return 1 / (1 + np.exp(-z))


def forward(parameters: Parameters) -> Signals:
    """Go forward through the network."""
    z1 = parameters["W1"] @ X + parameters["b1"]
    a1 = np.maximum(z1, 0)
    z2 = parameters["W2"].T @ a1 + parameters["b2"]
    return Signals(z1, a1, z2, yhat=sigmoid(z2))


def loss(parameters: Parameters) -> Number:
    """Give the binary cross-entropy of the sample."""
    yhat = forward(parameters).yhat
    return np.sum(-(Y * np.log(yhat) + (1 - Y) * np.log(1 - yhat)))


def gradient_by_hand(parameters: Parameters, dz2: Array) -> Parameters:
    """Go back through the network, from the derivative of the loss by z2."""
    signals = forward(parameters)
    da1 = parameters["W2"] @ dz2
    dz1 = da1 * (signals.z1 > 0)
    return {
        "W1": np.outer(dz1, X),
        "b1": dz1,
        "W2": np.outer(signals.a1, dz2),
        "b2": dz2,
    }


def central_differences(parameters: Parameters, step: float = 1e-5) -> Parameters:
    """Move each parameter a little to both sides, and see how the loss changes."""
    result = ft.tree.map(np.zeros_like, parameters)
    for name, values in parameters.items():
        for index in np.ndindex(values.shape):
            change = np.zeros_like(values)
            change[index] = step
            above = loss({**parameters, name: values + change})
            below = loss({**parameters, name: values - change})
            result[name][index] = (above - below) / (2 * step)
    return result


def relative_error(analytic: Array, numeric: Array) -> float:
    """Give ||a - n|| / (||a|| + ||n||)."""
    norm = np.linalg.norm
    return float(norm(analytic - numeric) / (norm(analytic) + norm(numeric)))


def update(parameters: Parameters, gradient: Parameters) -> Parameters:
    """Take one step of gradient descent."""
    return ft.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradient)


def show(title: str, values: Parameters) -> None:
    """Print each of the parameters, or of their derivatives, on a line."""
    print(f"\n{title}")
    for name, value in values.items():
        print(f"  {name} = {np.round(value, 6).tolist()}")


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
    """Print all of it; give the errors of our gradients and of the text's."""
    argparse.ArgumentParser(description="A worked network, and gradient checking.").parse_args(
        arguments
    )

    parameters = parameters_of_the_text()
    signals = forward(parameters)
    print("Forward")
    for name, value in signals._asdict().items():
        print(f"  {name} = {np.round(value, 4).tolist()}")
    print(f"  L = {loss(parameters):.4f}")

    ours = ft.grad(loss)(parameters)
    show("Gradients from ft.grad", ours)
    dz2 = signals.yhat - Y
    by_hand = gradient_by_hand(parameters, dz2)
    show("Gradients by hand, with dL/dz2 = yhat - y", by_hand)
    sigmoid_slope = signals.yhat * (1 - signals.yhat)
    of_the_text = gradient_by_hand(parameters, dz2 * sigmoid_slope)
    show("Gradients of the text, with dL/dz2 = (yhat - y) * sigmoid'(z2)", of_the_text)

    numeric = central_differences(parameters)
    gradients = {"ft.grad": ours, "by hand": by_hand, "the text": of_the_text}
    errors = {
        whose: {name: relative_error(gradient[name], numeric[name]) for name in parameters}
        for whose, gradient in gradients.items()
    }
    print("\nGradient checking: ||a - n|| / (||a|| + ||n||), to be below 1e-7")
    print(f"  {'':10}" + "".join(f"{name:>12}" for name in parameters))
    for whose, row in errors.items():
        verdict = "right" if max(row.values()) < 1e-7 else "WRONG"
        print(f"  {whose:10}" + "".join(f"{error:>12.1e}" for error in row.values()), verdict)

    check_grads(loss, (parameters,))
    print("functrace.testing.check_grads finds nothing to complain of either")

    print(f"\nThe update with the learning rate {LEARNING_RATE}")
    for whose in ("ft.grad", "the text"):
        updated = update(parameters, gradients[whose])
        show(f"with the gradients of {whose}: L = {loss(updated):.6f}", updated)
    return errors


if __name__ == "__main__":
    main()
