"""Draws the picture of docs/seeing.md: a neuron as a computation graph.

``python docs/graph.py`` writes docs/graph.svg.
"""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import functrace as ft

PICTURE = Path(__file__).with_suffix(".svg")


def loss(w: Any, b: Any, x: float = 2.0, y: float = 1.0) -> Any:
    """The squared error of one neuron."""
    z = w * x + b
    a = 1 / (1 + np.exp(-z))
    return (a - y) ** 2


def main(path: Path = PICTURE) -> None:
    """Write the picture."""
    ft.draw(loss, layout="layers")(0.5, -0.25).save(path)


if __name__ == "__main__":
    main()
