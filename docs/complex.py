"""Draws the picture of docs/complex.md: what a derivative does to the plane of complex numbers.

``python docs/complex.py`` writes docs/complex.svg; the numbers in it are computed by functrace.
"""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import functrace as ft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = Path(__file__).with_suffix(".svg")
POINT = 1.0 + 0.5j
BLUE, RED, GREY = "#1f5fa8", "#c0392b", "#8a8a8a"
OFFSETS = {BLUE: (8, -12), RED: (-8, 12)}
"""Where the label of an arrow of a color stands, from its head: outside of the square."""


def holomorphic(z: Any) -> Any:
    """A function with a complex derivative, ``2 z``."""
    return z * z


def other(z: Any) -> Any:
    """A function without one."""
    return np.real(z) ** 2 + 1j * np.imag(z) * (1 + np.real(z))


def columns(f: Any, z: complex) -> tuple[complex, complex]:
    """How the output moves where the real part of ``z`` grows, and where the imaginary one does."""
    return ft.jvp(f, (z,), (1.0 + 0j,))[1], ft.jvp(f, (z,), (1j,))[1]


def arrow(axes: Axes, start: complex, step: complex, color: str, label: str) -> None:
    """An arrow in the plane, with a label beside its head."""
    end = start + step
    axes.annotate(
        "",
        (end.real, end.imag),
        (start.real, start.imag),
        arrowprops={
            "arrowstyle": "-|>",
            "color": color,
            "linewidth": 2.2,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=4,
    )
    axes.annotate(
        label, (end.real, end.imag), xytext=OFFSETS[color], textcoords="offset points",
        color=color, ha="center", va="center", fontsize=11, zorder=5,
    )  # fmt: skip


def square(axes: Axes, start: complex, sides: tuple[complex, complex], size: float) -> None:
    """What becomes of a small square, and its grid."""
    right, up = (size * side for side in sides)
    corners = [start, start + right, start + right + up, start + up]
    axes.fill(
        [c.real for c in corners], [c.imag for c in corners], color="#f2e3b3", alpha=0.8, zorder=1
    )
    for k in np.linspace(0, 1, 5):
        for first, along in ((start + k * right, up), (start + k * up, right)):
            ends = first, first + along
            axes.plot(
                [e.real for e in ends], [e.imag for e in ends], color="#b9a25a", linewidth=0.7
            )


def panel(
    axes: Axes, start: complex, sides: tuple[complex, complex], labels: tuple[str, str], title: str
) -> None:
    """One plane, with a point, a square at it and two arrows along its sides."""
    square(axes, start, sides, 1.0)
    for side, color, label in zip(sides, (BLUE, RED), labels, strict=True):
        arrow(axes, start, side, color, label)
    axes.plot([start.real], [start.imag], "o", color="black", markersize=5, zorder=6)
    axes.set_title(title, fontsize=12)
    axes.set_aspect("equal")
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.tick_params(labelsize=8, colors=GREY)
    for side in axes.spines.values():
        side.set_visible(False)


def matrix(sides: tuple[complex, complex]) -> str:
    """The real Jacobian, as two rows of text."""
    right, up = sides
    rows = ((right.real, up.real), (right.imag, up.imag))
    return "\n".join(f"{first:5.1f} {second:5.1f}" for first, second in rows)


def bracketed(axes: Axes, sides: tuple[complex, complex], below: str) -> None:
    """The Jacobian under a plane, in brackets, and what is to be said of it."""
    axes.text(
        0.5, -0.24, matrix(sides), transform=axes.transAxes, ha="center", va="top",
        family="monospace", fontsize=11, linespacing=1.5,
    )  # fmt: skip
    for x, inner in ((0.3, 0.32), (0.7, 0.68)):
        axes.plot(
            [inner, x, x, inner], [-0.23, -0.23, -0.43, -0.43], transform=axes.transAxes,
            color="black", linewidth=1, clip_on=False,
        )  # fmt: skip
    axes.text(
        0.5, -0.48, below, transform=axes.transAxes, ha="center", va="top", fontsize=10,
        linespacing=1.4,
    )  # fmt: skip


def draw() -> Figure:
    """The picture: a square, and what two functions make of it."""
    figure = Figure(figsize=(11, 5.4))
    figure.subplots_adjust(left=0.04, right=0.98, top=0.92, bottom=0.4, wspace=0.16)
    first, second, third = figure.subplots(1, 3)
    panel(first, POINT, (1 + 0j, 1j), ("1", "i"), "a point z = x + iy")
    first.set(xlim=(-0.6, 2.6), ylim=(-0.5, 2.5))
    first.text(
        0.5, -0.24, "blue: x grows\nred: y grows", transform=first.transAxes, ha="center",
        va="top", fontsize=10, linespacing=1.6,
    )  # fmt: skip
    sides = columns(holomorphic, POINT)
    panel(second, holomorphic(POINT), sides, ("f'(z)", "i f'(z)"), "f(z) = z²")
    second.set(xlim=(-1.6, 3.6), ylim=(-0.5, 4.4))
    bracketed(
        second,
        sides,
        f"turned and stretched: one number,\nf'(z) = {sides[0].real:g} + {sides[0].imag:g}i",
    )
    sides = columns(other, POINT)
    panel(third, other(POINT), sides, ("jvp(1)", "jvp(i)"), "f(z) = x² + i y (1 + x)")
    third.set(xlim=(-0.9, 4.3), ylim=(-0.5, 4.4))
    bracketed(
        third, sides, "sheared: four numbers. A row is what\nvjp gives, a column what jvp gives"
    )
    return figure


def main() -> None:
    """Write the picture."""
    with mpl.rc_context({"svg.hashsalt": "functrace", "font.family": "DejaVu Sans"}):
        draw().savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
