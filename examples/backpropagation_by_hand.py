"""Backpropagation by hand, box by box, against functrace.

A computation graph is a chain of boxes. Box i has a forward value f_i, computed from the boxes
before it, and a backward value g_i = d loss / d f_i, computed from the boxes behind it: every box
multiplies its own g_i by its partial derivatives and adds the products to the g of its inputs. That
is the chain rule, and all there is to backpropagation.

Here it is written out, with the partial derivatives of six kinds of boxes (sum, difference,
product, square, max, sigmoid), on three graphs:

    y = (3 x + 2)^2                          the chain rule
    z = (x + y) * w                          a box with two inputs
    loss = (sigmoid(max(u, v) * w) - t)^2    with u = a + b and v = a * b: all six kinds

and compared with the boxes of `ft.draw`, which is given the same three functions as a user of NumPy
writes them. At the end it prints the two programs that functrace records: the function, and its
gradient, which is the same walk backwards.

    python examples/backpropagation_by_hand.py

The graphs are drawn with the values of their boxes: `backpropagation_by_hand_1.svg` and so on, and
the last one as `backpropagation_by_hand.png`, too.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

import functrace as ft
from functrace.scipy.special import expit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functrace.drawing.pictures import Drawing

HERE = Path(__file__).parent

Values: TypeAlias = dict[str, float]


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
    """A computation: inputs and constants with their values, and boxes; the last is the loss.

    And the same computation as a function.
    """

    title: str
    function: Callable[..., float]
    inputs: Values
    constants: Values
    boxes: Sequence[Box]


def chain_rule(x: float) -> float:
    """Compute the first graph."""
    f1 = 3 * x
    f2 = f1 + 2
    y = f2**2
    return y  # noqa: RET504  (its box has the name)


def two_inputs(x: float, y: float, w: float) -> float:
    """Compute the second graph."""
    f1 = x + y
    z = f1 * w
    return z  # noqa: RET504


def all_six_kinds(a: float, b: float, w: float) -> float:
    """Compute the third graph."""
    u = a + b
    v = a * b
    f3 = np.maximum(u, v)
    f4 = f3 * w
    f5 = expit(f4)
    f6 = f5 - 0.25
    loss = f6**2
    return loss  # noqa: RET504


CHAIN_RULE = Graph(
    "y = (3 x + 2)^2",
    chain_rule,
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
    two_inputs,
    inputs={"x": -2.0, "y": 5.0, "w": -4.0},
    constants={},
    boxes=[
        Box("f1", SUM, ("x", "y")),
        Box("z", PRODUCT, ("f1", "w")),
    ],
)

ALL_SIX_KINDS = Graph(
    "loss = (sigmoid(max(a + b, a * b) * w) - t)^2",
    all_six_kinds,
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


def forward(graph: Graph) -> Values:
    """Compute every f_i, from the first box to the last."""
    values = {**graph.constants, **graph.inputs}
    for box in graph.boxes:
        values[box.name] = box.operation.forward(*(values[name] for name in box.inputs))
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


def compare(graph: Graph, drawing: Drawing) -> float:
    """Print a line for each input and box; give the largest difference between the two columns."""
    values = forward(graph)
    by_hand = backward_by_hand(graph, values)
    ours = {box.name: box.gradient for box in drawing.graph.boxes}

    print(f"\n{graph.title}\n")
    print(f"{'':6}{'box':<18}{'f_i':>10}{'g_i by hand':>16}{'by functrace':>16}")
    formulas = dict.fromkeys(graph.inputs, "input")
    formulas |= {box.name: str(box) for box in graph.boxes}
    for name, formula in formulas.items():
        line = f"{name:<6}{formula:<18}{values[name]:>10.4f}"
        print(f"{line}{by_hand[name]:>16.6f}{ours[name]:>16.6f}")
    return max(abs(by_hand[name] - ours[name]) for name in formulas)


def main(arguments: Sequence[str] | None = None) -> float:
    """Print, compare and draw; give the largest difference from the values by hand."""
    parser = argparse.ArgumentParser(description="Backpropagation by hand against ft.grad.")
    parser.add_argument("--out", type=Path, default=HERE / "output", help="where to draw")
    options = parser.parse_args(arguments)

    graphs = [CHAIN_RULE, TWO_INPUTS, ALL_SIX_KINDS]
    drawings = [ft.draw(graph.function)(*graph.inputs.values()) for graph in graphs]
    pairs = zip(graphs, drawings, strict=True)
    difference = max(compare(graph, drawing) for graph, drawing in pairs)
    print(f"\nlargest difference between the two columns: {difference:.1e}")

    print("\nWhat functrace records of y = (3 x + 2)^2:\n")
    print(ft.make_ir(chain_rule)(1.0))
    print("\nand of its gradient, dy/dx = 2 (3 x + 2) * 3:\n")
    print(ft.make_ir(ft.grad(chain_rule))(1.0))

    options.out.mkdir(parents=True, exist_ok=True)
    for number, drawing in enumerate(drawings, 1):
        picture = options.out / f"backpropagation_by_hand_{number}.svg"
        drawing.save(picture)
        print(f"\na graph: {picture}")
    drawings[-1].save(options.out / "backpropagation_by_hand.png")
    return difference


if __name__ == "__main__":
    main()
