"""Fit a differential equation to noisy data, and say how sure its parameters are.

Hares and lynxes are counted for twenty years; the counts are noisy. Their numbers follow Lotka and
Volterra's equation, whose four rates and two first numbers are not known. They are fitted by
maximum likelihood:

- `functrace.scipy.integrate.solve_ivp` solves the equation by SciPy's LSODA. Its gradient is found
  by the adjoint equation, and handed to SciPy's minimizer.
- The Hessian of the loss at the optimum, forward over reverse through the solver, is the inverse
  covariance of the parameters (as far as these are normally distributed).
- The Jacobian of the solution carries that covariance on to the curves: the bands in the picture.

    python examples/ode_fit.py

The fitted curves, and the parameters with their standard errors, are drawn to `ode_fit.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import functrace as ft
from functrace.scipy.integrate import solve_ivp
from functrace.scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent

Array: TypeAlias = NDArray[np.float64]

NAMES = ("growth of hares", "losses to lynxes", "deaths of lynxes", "gains of lynxes",
         "first hares", "first lynxes")  # fmt: skip
TRUTH = np.log([0.55, 0.028, 0.84, 0.026, 30.0, 4.0])
NOISE = 0.12
"""The standard deviation of the counts' logarithms."""


def change(t: float, state: Array, rates: Array) -> Array:
    """Give how fast the logarithms of the numbers change."""
    hares, lynxes = np.exp(state)
    return np.stack([rates[0] - rates[1] * lynxes, rates[3] * hares - rates[2]])


def solution(p: Array, times: Array) -> Array:
    """Give the logarithms of the numbers, by rows: hares and lynxes."""
    return solve_ivp(
        change,
        (0.0, times[-1]),
        p[4:],
        "LSODA",
        times,
        args=(np.exp(p[:4]),),
        rtol=1e-7,
        atol=1e-7,
    ).y


def loss(p: Array, times: Array, counts: Array) -> np.floating:
    """Give minus the logarithm of the likelihood, but for a constant."""
    return np.sum(((solution(p, times) - counts) / NOISE) ** 2) / 2


def draw(p: Array, covariance: Array, times: Array, counts: Array, path: Path) -> None:
    """Draw the curves with their bands, and the parameters with their standard errors."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    fine = np.linspace(0.0, times[-1], 121)
    curves = solution(p, fine)
    slopes = ft.jacfwd(solution)(p, fine)
    deviation = np.sqrt(np.einsum("stp,pq,stq->st", slopes, covariance, slopes))
    for row, name, color in ((0, "hares", "tab:green"), (1, "lynxes", "tab:orange")):
        low, high = (
            np.exp(curves[row] - 2 * deviation[row]),
            np.exp(curves[row] + 2 * deviation[row]),
        )
        left.fill_between(fine, low, high, color=color, alpha=0.25)
        left.plot(fine, np.exp(curves[row]), color=color, label=f"{name}, fitted")
        left.plot(fine, np.exp(solution(TRUTH, fine)[row]), ":", color="black", linewidth=1)
        left.plot(times, np.exp(counts[row]), ".", color=color, markersize=8)
    left.set(xlabel="years", ylabel="thousands")
    left.set_title("Counts, fitted curves with 2 standard deviations, and truth (dotted)")
    left.legend()
    errors = np.sqrt(np.diag(covariance))
    places = np.arange(len(NAMES))[::-1]
    right.axvline(1.0, color="black", linestyle=":", linewidth=1)
    right.errorbar(
        np.exp(p - TRUTH), places, xerr=2 * errors * np.exp(p - TRUTH), fmt="o", capsize=4
    )
    right.set_yticks(places, NAMES)
    right.set(xlabel="fitted / true, with 2 standard errors")
    right.set_title("Parameters")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Fit, print and draw; give how far from the truth it is, in standard errors."""
    parser = argparse.ArgumentParser(description="A differential equation, fitted to data.")
    parser.add_argument("--years", type=int, default=20, help="of counts")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    generator = np.random.default_rng(1)
    times = np.linspace(0.0, options.years, 2 * options.years + 1)
    counts = solution(TRUTH, times)
    counts = counts + NOISE * generator.normal(size=counts.shape)

    start = np.log([0.5, 0.02, 0.7, 0.02, 25.0, 5.0])
    result = minimize(loss, start, args=(times, counts), method="BFGS", options={"gtol": 1e-4})
    covariance = np.linalg.inv(ft.hessian(loss)(result.x, times, counts))
    errors = np.sqrt(np.diag(covariance))
    print(f"loss {loss(start, times, counts):.0f} at the beginning, {result.fun:.1f} after "
          f"{result.nit} steps")  # fmt: skip
    print("                      fitted    true   error in standard errors")
    for name, found, true, error in zip(NAMES, result.x, TRUTH, errors, strict=True):
        print(f"  {name:18}{np.exp(found):8.3f}{np.exp(true):8.3f}{(found - true) / error:+8.2f}")

    path = options.out / "ode_fit.png"
    draw(result.x, covariance, times, counts, path)
    print(f"the picture: {path}")
    return {
        "loss": float(result.fun),
        "largest": float(np.max(np.abs((result.x - TRUTH) / errors))),
        "error": float(np.max(errors)),
    }


if __name__ == "__main__":
    main()
