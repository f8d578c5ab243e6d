"""Backpropagation by hand, box by box, against `ft.grad`.

A computation graph is a chain of boxes. Box i has a forward value f_i, computed from the boxes
before it, and a backward value g_i = d loss / d f_i, computed from the boxes behind it: every box
multiplies its own g_i by its partial derivatives and adds the products to the g of its inputs. That
is the chain rule, and all there is to backpropagation.

Here it is written out, with the partial derivatives of six kinds of boxes (sum, difference,
product, square, max, sigmoid), on three graphs:

    y = (3 x + 2)^2                          the chain rule
    z = (x + y) * w                          a box with two inputs
    loss = (sigmoid(max(u, v) * w) - t)^2    with u = a + b and v = a * b: all six kinds

and compared with what functrace finds for the same boxes. At the end it prints the two programs
that functrace records: the function, and its gradient, which is the same walk backwards.

    python examples/backpropagation_by_hand.py

The graphs are drawn with the values of their boxes to `backpropagation_by_hand.png`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import functrace as ft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

HERE = Path(__file__).parent

Values: TypeAlias = dict[str, float]

CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}
SMALL: dict[str, Any] = {**CENTRED, "fontsize": 9}
ON_WHITE: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1}


@dataclass(frozen=True)
class Operation:
    """A kind of box: what it computes, and its partial derivative by each input."""

    symbol: str
    forward: Callable[..., float]
    partials: Callable[..., tuple[float, ...]]


def sigmoid(a: float) -> float:
    """Squash a number into (0, 1)."""
    return 1 / (1 + np.exp(-a))


SUM = Operation("+", lambda a, b: a + b, lambda *_: (1, 1))
DIFFERENCE = Operation("-", lambda a, b: a - b, lambda *_: (1, -1))
PRODUCT = Operation("*", lambda a, b: a * b, lambda a, b: (b, a))
SQUARE = Operation("square", lambda a: a**2, lambda a: (2 * a,))
MAXIMUM = Operation("max", np.maximum, lambda a, b: (float(a > b), float(b > a)))
SIGMOID = Operation("sigmoid", sigmoid, lambda a: (sigmoid(a) * (1 - sigmoid(a)),))


@dataclass(frozen=True)
class Box:
    """One step of a computation: an operation on boxes or inputs that came before."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        """Write the box as a formula."""
        if len(self.inputs) == 2 and self.operation is not MAXIMUM:
            return f" {self.operation.symbol} ".join(self.inputs)
        return f"{self.operation.symbol}({', '.join(self.inputs)})"


@dataclass(frozen=True)
class Graph:
    """A computation: inputs and constants with their values, and boxes; the last is the loss."""

    title: str
    inputs: Values
    constants: Values
    boxes: Sequence[Box]


CHAIN_RULE = Graph(
    "y = (3 x + 2)^2",
    inputs={"x": 1.0},
    constants={"3": 3.0, "2": 2.0},
    boxes=[
        Box("f1", PRODUCT, ("3", "x")),
        Box("f2", SUM, ("f1", "2")),
        Box("y", SQUARE, ("f2",)),
    ],
)

TWO_INPUTS = Graph(
    "z = (x + y) * w",
    inputs={"x": -2.0, "y": 5.0, "w": -4.0},
    constants={},
    boxes=[
        Box("f1", SUM, ("x", "y")),
        Box("z", PRODUCT, ("f1", "w")),
    ],
)

ALL_SIX_KINDS = Graph(
    "loss = (sigmoid(max(a + b, a * b) * w) - t)^2",
    inputs={"a": 3.0, "b": 0.5, "w": 0.4},
    constants={"t": 0.25},
    boxes=[
        Box("u", SUM, ("a", "b")),
        Box("v", PRODUCT, ("a", "b")),
        Box("f3", MAXIMUM, ("u", "v")),
        Box("f4", PRODUCT, ("f3", "w")),
        Box("f5", SIGMOID, ("f4",)),
        Box("f6", DIFFERENCE, ("f5", "t")),
        Box("loss", SQUARE, ("f6",)),
    ],
)


def forward(graph: Graph, inputs: Mapping[str, float], nudges: Mapping[str, float]) -> Values:
    """Compute every f_i, from the first box to the last.

    `nudges` are added to the values of the boxes. By hand, nobody nudges; but the derivative by the
    nudge of a box *is* the derivative by its value, and so functrace is asked for that.
    """
    values = {**graph.constants, **inputs}
    for box in graph.boxes:
        value = box.operation.forward(*(values[name] for name in box.inputs))
        values[box.name] = value + nudges.get(box.name, 0.0)
    return values


def backward_by_hand(graph: Graph, values: Values) -> Values:
    """Compute every g_i, from the last box to the first."""
    backward = dict.fromkeys(values, 0.0)
    backward[graph.boxes[-1].name] = 1.0
    for box in reversed(graph.boxes):
        partials = box.operation.partials(*(values[name] for name in box.inputs))
        for name, partial in zip(box.inputs, partials, strict=True):
            backward[name] += backward[box.name] * partial
    return backward


def backward_by_functrace(graph: Graph) -> Values:
    """Ask `ft.grad` for the derivatives of the loss by the inputs and by all the boxes."""

    def loss(inputs: Values, nudges: Values) -> float:
        return forward(graph, inputs, nudges)[graph.boxes[-1].name]

    no_nudges = {box.name: 0.0 for box in graph.boxes}
    by_inputs, by_boxes = ft.grad(loss, argnums=(0, 1))(graph.inputs, no_nudges)
    return {**by_inputs, **by_boxes}


def compare(graph: Graph) -> float:
    """Print a line for each input and box; give the largest difference between the two columns."""
    values = forward(graph, graph.inputs, nudges={})
    by_hand = backward_by_hand(graph, values)
    ours = backward_by_functrace(graph)

    print(f"\n{graph.title}\n")
    print(f"{'':6}{'box':<18}{'f_i':>10}{'g_i by hand':>16}{'by functrace':>16}")
    formulas = dict.fromkeys(graph.inputs, "input")
    formulas |= {box.name: str(box) for box in graph.boxes}
    for name, formula in formulas.items():
        line = f"{name:<6}{formula:<18}{values[name]:>10.4f}"
        print(f"{line}{by_hand[name]:>16.6f}{ours[name]:>16.6f}")
    return max(abs(by_hand[name] - ours[name]) for name in formulas)


def places(graph: Graph) -> dict[str, tuple[float, float]]:
    """Put every box to the right of its inputs, and those of one column below each other."""
    column = dict.fromkeys([*graph.inputs, *graph.constants], 0)
    for box in graph.boxes:
        column[box.name] = 1 + max(column[name] for name in box.inputs)
    for name in [*graph.inputs, *graph.constants]:
        first_use = min(column[box.name] for box in graph.boxes if name in box.inputs)
        column[name] = first_use - 1

    result: dict[str, tuple[float, float]] = {}
    for index in set(column.values()):
        names = [name for name in column if column[name] == index]
        for row, name in enumerate(reversed([n for n in column if n in names])):
            result[name] = (index, row - (len(names) - 1) / 2)
    return result


def draw_graph(axes: Axes, graph: Graph, columns: int) -> None:
    """Draw the boxes with f_i and g_i, and the partial derivatives on the arrows between them."""
    values = forward(graph, graph.inputs, nudges={})
    backward = backward_by_hand(graph, values)
    place = places(graph)
    half_width, half_height = 0.34, 0.36

    for box in graph.boxes:
        partials = box.operation.partials(*(values[name] for name in box.inputs))
        for name, partial in zip(box.inputs, partials, strict=True):
            start = place[name][0] + half_width, place[name][1]
            end = place[box.name][0] - half_width, place[box.name][1]
            axes.annotate(
                "",
                xy=end,
                xytext=start,
                arrowprops={"arrowstyle": "-|>", "color": "0.6", "shrinkA": 2, "shrinkB": 2},
            )
            if name not in graph.constants:
                # Nearer to the start, where arrows to the same box are furthest from each other.
                x, y = (0.72 * s + 0.28 * e for s, e in zip(start, end, strict=True))
                axes.text(x, y, f"{partial:.3g}", **SMALL, color="tab:purple", bbox=ON_WHITE)

    formulas = {box.name: f"{box.name} = {box}" for box in graph.boxes}
    for name, (x, y) in place.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - half_width, y - half_height),
                2 * half_width,
                2 * half_height,
                boxstyle="round,pad=0,rounding_size=0.08",
                facecolor="aliceblue" if name in formulas else "whitesmoke",
                edgecolor="0.35",
            )
        )
        axes.text(x, y + 0.2, formulas.get(name, name), **SMALL)
        axes.text(x, y - 0.01, f"{values[name]:.4g}", **CENTRED, color="green")
        if name not in graph.constants:
            axes.text(x, y - 0.22, f"{backward[name]:.4g}", **CENTRED, color="firebrick")

    axes.set(xlim=(-0.4, columns - 0.6), ylim=(-1, 1))
    axes.set_title(graph.title, loc="left", fontweight="bold")
    axes.set_axis_off()


def draw(graphs: Sequence[Graph], path: Path) -> None:
    """Draw the graphs below each other."""
    figure = Figure(figsize=(13, 8.5), layout="constrained")
    columns = 1 + max(int(x) for graph in graphs for x, _ in places(graph).values())
    for axes, graph in zip(figure.subplots(len(graphs)), graphs, strict=True):
        draw_graph(axes, graph, columns)
    legend = {
        "forward value f": "green",
        "backward value g = d loss / d f": "firebrick",
        "partial derivative of a box: what g is multiplied by on its way back": "tab:purple",
    }
    for line, (text, colour) in enumerate(legend.items()):
        figure.text(0.99, 0.97 - 0.03 * line, text, color=colour, ha="right", va="center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> float:
    """Print, compare and draw; give the largest difference from the values by hand."""
    parser = argparse.ArgumentParser(description="Backpropagation by hand against ft.grad.")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    graphs = [CHAIN_RULE, TWO_INPUTS, ALL_SIX_KINDS]
    difference = max(compare(graph) for graph in graphs)
    print(f"\nlargest difference between the two columns: {difference:.1e}")

    def chain(x: float) -> float:
        return (3 * x + 2) ** 2

    print("\nWhat functrace records of y = (3 x + 2)^2:\n")
    print(ft.make_ir(chain)(1.0))
    print("\nand of its gradient, dy/dx = 2 (3 x + 2) * 3:\n")
    print(ft.make_ir(ft.grad(chain))(1.0))

    picture = options.out / "backpropagation_by_hand.png"
    draw(graphs, picture)
    print(f"\nthe graphs: {picture}")
    return difference


if __name__ == "__main__":
    main()
