"""A report of gradients, parameter by parameter: what vanishes, explodes, or is dead.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace import tree
from functrace.texts import html_table, text_table
from functrace.tracebacks import boundary
from functrace.transforms.arguments import parameter_name
from functrace.transforms.reverse import value_and_grad
from functrace.transforms.transformed import require_callable, transformed

VANISHING = 1e-5
"""A gradient is vanishing whose mean square is so small beside that of the largest one."""
EXPLODING = 1.0
"""A gradient is exploding that would change its parameters by so much of themselves in a step."""


class Row(NamedTuple):
    """What is known of one array of parameters.

    Attributes:
        name: How the user would write it: ``params['W1']``.
        shape: Of the array.
        value: The norm of the array.
        gradient: The norm of its gradient.
        zeros: The share of zeros in the gradient.
        dead: How many units get no gradient at all: columns of a matrix, filters.
        ratio: By how much of itself a step of the given rate changes the array.
        verdict: In words what is wrong; empty where nothing is.
    """

    name: str
    shape: tuple[int, ...]
    value: float
    gradient: float
    zeros: float
    dead: int
    ratio: float
    verdict: str


class GradientReport:
    """A table with a row for each array of parameters, which prints and shows itself.

    Attributes:
        loss: The value of the loss.
        rows: In the order of the leaves.
        rate: The rate that update ratios are of.
    """

    HEADERS = "parameters", "shape", "norm", "gradient", "zeros", "dead", "update", ""

    def __init__(self, loss: Any, rows: Sequence[Row], rate: float) -> None:
        self.loss = loss
        self.rows = list(rows)
        self.rate = rate

    @property
    def faults(self) -> dict[str, str]:
        """The verdicts by the names of the arrays, of those where something is wrong."""
        return {row.name: row.verdict for row in self.rows if row.verdict}

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                row.name,
                "x".join(map(str, row.shape)) or "number",
                f"{row.value:.3g}",
                f"{row.gradient:.3g}",
                f"{row.zeros:.0%}",
                str(row.dead) if row.dead else "",
                f"{row.ratio:.1e}",
                row.verdict,
            )
            for row in self.rows
        ]

    def __str__(self) -> str:
        title = f"loss {self.loss:.6g}; updates of the rate {self.rate:g}"
        return f"{title}\n{text_table(self.HEADERS, self._cells(), left=(0, 7))}"

    def __repr__(self) -> str:
        return f"<gradient report of {len(self.rows)} arrays, {len(self.faults)} with a fault>"

    def _repr_html_(self) -> str:
        title = f"loss {self.loss:.6g}; updates of the rate {self.rate:g}"
        return f"<p>{title}</p>{html_table(self.HEADERS, self._cells())}"

    def plot(self, axes: Any) -> None:
        """Draw norms on axes of matplotlib's: of gradients as bars, of values as dots.

        Where something is wrong the bar is red. Norms that are zero, or not finite, have no place
        on the logarithmic scale and are left out.
        """
        names = [row.name for row in self.rows]
        places = range(len(names))
        norms, values = (
            [x if np.isfinite(x) else 0.0 for x in found]
            for found in zip(*((row.gradient, row.value) for row in self.rows), strict=True)
        )
        colours = ["tab:red" if row.verdict else "tab:blue" for row in self.rows]
        axes.barh(places, norms, color=colours, label="gradient")
        axes.plot(values, places, "o", color="0.5", label="value")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        if any(norms) or any(values):
            axes.set_xscale("log")
        axes.set(xlabel="norm", title="gradients; faults in red")
        axes.legend()


@boundary
def gradient_report(
    loss: Callable[..., Any], argnums: int = 0, *, rate: float = 1e-2, has_aux: bool = False
) -> Callable[..., GradientReport]:
    """Make a function that tells of each array of parameters how its gradient is.

    Args:
        loss: A scalar function, as `grad` takes it.
        argnums: The argument with the parameters.
        rate: The learning rate of the updates that are told of.
        has_aux: Whether the loss returns a pair of its value and other data.

    Returns:
        A function of the arguments of ``loss`` that returns a `GradientReport`: for each array its
        norm and that of its gradient, the share of zeros in the gradient, how many units (columns,
        filters) get none at all, the ratio of an update of gradient descent to the array; and in
        words what is wrong: a gradient that is not finite, that is zero, that is vanishing beside
        the others, or that would change the parameters by all that they are. Print it, or let a
        notebook show it; ``report.plot(axes)`` draws it, ``report.faults`` has the words alone.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(params, x):
        ...     h = np.maximum(x @ params["V"] - 100.0, 0)
        ...     return np.sum((h @ params["w"] - 1.0) ** 2)
        >>> params = {"V": np.ones((2, 3)), "w": np.ones(3)}
        >>> print(ft.gradient_report(loss)(params, np.ones((4, 2))))
        loss 4; updates of the rate 0.01
        parameters   shape  norm  gradient  zeros  dead   update
        params['V']    2x3  2.45         0   100%     3  0.0e+00  no gradient: it is zero everywhere
        params['w']      3  1.73         0   100%        0.0e+00  no gradient: it is zero everywhere
    """
    require_callable(loss, "gradient_report")
    differentiated: Any = value_and_grad(loss, argnums, has_aux=has_aux)

    @transformed(loss, gradient_report)
    @boundary
    def report(*args: Any, **options: Any) -> GradientReport:
        value, gradient = differentiated(*args, **options)
        value = value[0] if has_aux else value
        name = parameter_name(loss, argnums)
        leaves = tree.leaves_with_path(args[argnums])
        found = tree.leaves(gradient)
        squares = [float(np.mean(np.abs(g) ** 2)) if np.size(g) else 0.0 for g in found]
        largest = max((s for s in squares if np.isfinite(s)), default=0.0)
        rows = [
            _row(f"{name}{tree.keystr(path)}", leaf, g, square, largest, rate)
            for (path, leaf), g, square in zip(leaves, found, squares, strict=True)
        ]
        return GradientReport(value, rows, rate)

    return report


def _row(name: str, leaf: Any, gradient: Any, square: float, largest: float, rate: float) -> Row:
    value, norm = (float(np.linalg.norm(np.ravel(x))) for x in (leaf, gradient))
    is_zero = np.equal(gradient, 0)
    axes = tuple(range(np.ndim(gradient) - 1))
    dead = int(np.sum(np.all(is_zero, axis=axes))) if axes else 0
    ratio = rate * norm / value if value else 0.0
    return Row(
        name, np.shape(leaf), value, norm, float(np.mean(is_zero)) if np.size(leaf) else 0.0,
        dead, ratio, _verdict(norm, square, largest, ratio, dead, np.shape(gradient)),
    )  # fmt: skip


def _verdict(
    norm: float, square: float, largest: float, ratio: float, dead: int, shape: Sequence[int]
) -> str:
    if not np.isfinite(norm):
        return "not finite: functrace.find_nan() says where it comes from"
    if not norm:
        return "no gradient: it is zero everywhere"
    if np.sqrt(square) < VANISHING * np.sqrt(largest):
        return "vanishing beside the others"
    if ratio > EXPLODING:
        return "exploding: an update is larger than the parameters"
    return f"{dead} of {shape[-1]} units get no gradient" if dead else ""
