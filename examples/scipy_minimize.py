"""Hand our gradients to SciPy's minimizers.

`scipy.optimize.minimize(f, x0, jac=True)` wants a function that takes a float64 NumPy vector and
gives the value and the gradient. `ft.value_and_grad(f)` is such a function: NumPy arrays go in
and NumPy arrays come out, so nothing needs converting.

- Rosenbrock's valley, f(x) = sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, by BFGS, with our
  gradient and with SciPy's finite differences: how often is f called?
- Multinomial logistic regression on the handwritten digits, by L-BFGS-B. Its parameters are a dict
  of a matrix and a vector; `ft.tree.ravel` makes a flat vector of them, and gives the way back.

    python examples/scipy_minimize.py

The path through the valley, and the weights of each digit, are drawn to `scipy_minimize.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

import functrace as ft
from functrace.scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = np.floating
Labels: TypeAlias = NDArray[np.intp]
Parameters: TypeAlias = dict[str, Array]


def rosenbrock(x: Array) -> Number:
    """Give the height of Rosenbrock's curved valley; its lowest point is (1, ..., 1)."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def loss(parameters: Parameters, images: Array, labels: Labels) -> Number:
    """Give the mean cross-entropy of logistic regression, with a small penalty on the weights."""
    scores = images @ parameters["weights"] + parameters["bias"]
    cross_entropy = np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels])
    return cross_entropy + 1e-3 * np.sum(parameters["weights"] ** 2)


class Regression(NamedTuple):
    """What logistic regression found."""

    parameters: Parameters
    result: OptimizeResult
    accuracy: float


def logistic_regression(generator: np.random.Generator) -> Regression:
    """Fit four fifths of the digits, and read the last fifth."""
    with np.load(HERE / "data" / "digits.npz") as file:
        images = file["images"].reshape(-1, 64) / 16
        labels = file["labels"].astype(np.intp)
    order = generator.permutation(len(labels))
    held_out, training = np.split(order, [len(order) // 5])

    start, unravel = ft.tree.ravel({"weights": np.zeros((64, 10)), "bias": np.zeros(10)})

    def flat_loss(flat: Array) -> Number:
        return loss(unravel(flat), images[training], labels[training])

    result = minimize(ft.value_and_grad(flat_loss), start, jac=True, method="L-BFGS-B")
    parameters = unravel(result.x)
    scores = images[held_out] @ parameters["weights"] + parameters["bias"]
    accuracy = float(np.mean(np.argmax(scores, axis=1) == labels[held_out]))
    return Regression(parameters, result, accuracy)


def draw(trail: Array, regression: Regression, path: Path) -> None:
    """Draw the path through the valley, and the weights of each digit as an image."""
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 1.15])[0]

    axes = left.subplots()
    across, up = np.meshgrid(np.linspace(-1.6, 1.6, 300), np.linspace(-0.7, 1.7, 300))
    heights = 100 * (up - across**2) ** 2 + (1 - across) ** 2
    filled = axes.contourf(
        across, up, heights, levels=np.logspace(-3, 3, 19), norm="log", cmap="Blues_r", extend="min"
    )
    left.colorbar(filled, label="height", ticks=10.0 ** np.arange(-3, 4))
    axes.plot(*trail.T, color="tab:red", marker="o", markersize=4, linewidth=1.2, label="BFGS")
    axes.plot(1, 1, marker="*", color="black", markersize=14, linestyle="none", label="minimum")
    axes.set(xlabel="$x_0$", ylabel="$x_1$")
    axes.set_title(f"Rosenbrock's valley in {len(trail) - 1} steps")
    axes.legend(loc="lower left")

    right.suptitle(
        "Ink that speaks for a digit (blue) and against it (red)\n"
        f"{regression.accuracy:.1%} of the held-out digits are read correctly"
    )
    weights = regression.parameters["weights"]
    limit = np.max(np.abs(weights))
    for digit, cell in enumerate(right.subplots(2, 5).flat):
        cell.imshow(weights[:, digit].reshape(8, 8), cmap="RdBu", vmin=-limit, vmax=limit)
        cell.set_title(str(digit))
        cell.set_axis_off()

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Minimize, print and draw; give the distance from Rosenbrock's minimum and the accuracy."""
    parser = argparse.ArgumentParser(description="SciPy's minimizers with our gradients.")
    parser.add_argument("--dimensions", type=int, default=10, help="of Rosenbrock's function")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    start = np.full(options.dimensions, -1.0)
    with_gradient = minimize(ft.value_and_grad(rosenbrock), start, jac=True, method="BFGS")
    without = minimize(rosenbrock, start, method="BFGS")
    print(f"Rosenbrock in {options.dimensions} dimensions, by BFGS")
    for name, result in [("our gradient", with_gradient), ("finite differences", without)]:
        distance = np.max(np.abs(result.x - 1))
        print(f"  {name:20}{result.nfev:>6} calls of f, {distance:.1e} from the minimum")

    regression = logistic_regression(np.random.default_rng(0))
    print("Logistic regression on the digits, by L-BFGS-B")
    print(f"  {regression.result.nit} steps, {regression.result.nfev} calls of the loss")
    print(f"  accuracy on the held-out digits: {regression.accuracy:.2%}")

    trail = [np.array([-1.2, 1.0])]
    minimize(
        ft.value_and_grad(rosenbrock),
        trail[0],
        jac=True,
        method="BFGS",
        callback=lambda x: trail.append(np.copy(x)),
    )
    picture = options.out / "scipy_minimize.png"
    draw(np.array(trail), regression, picture)
    print(f"the valley and the weights: {picture}")
    return {
        "distance": float(np.max(np.abs(with_gradient.x - 1))),
        "accuracy": regression.accuracy,
    }


if __name__ == "__main__":
    main()
