"""Where the boxes of a graph stand, by Graphviz, if its package and its program are there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from functrace.drawing.layout import Layout, layout
from functrace.errors import ArgumentError

Arrange = Callable[[Sequence[tuple[float, float]], Sequence[tuple[int, int]]], Layout]
"""Sizes of boxes, and arrows between them, to a layout."""

INCH = 72.0
HEAVY = 8
"""How much straighter than others dot is to draw what is computed one after the other."""


def arrangement(name: str) -> Arrange:
    """The method of a name: ``"layers"``, ``"dot"``, or ``"auto"`` for dot where it is there.

    Raises:
        ArgumentError: There is no such method, or no dot.
    """
    if name not in ("auto", "layers", "dot"):
        raise ArgumentError(f"layout={name!r} is none of 'auto', 'layers' and 'dot'.")
    is_there = name != "layers" and is_installed()
    if name == "dot" and not is_there:
        raise ArgumentError(
            "layout='dot' takes the program dot and the package graphviz, of which one is missing.",
            advice='Install Graphviz and pip install "functrace[drawing]", or ask for '
            "layout='layers'.",
        )
    return by_dot if is_there else layout


def is_installed() -> bool:
    """Whether Graphviz can be asked."""
    return _pipe() is not None and shutil.which("dot") is not None


def _pipe() -> Callable[[str], str] | None:
    try:
        from graphviz import Source  # noqa: PLC0415  (an optional package)
    except ImportError:
        return None
    return lambda source: Source(source).pipe(format="plain", encoding="utf-8")


def by_dot(sizes: Sequence[tuple[float, float]], arrows: Sequence[tuple[int, int]]) -> Layout:
    """The layout that Graphviz makes; as `layout` takes and gives it."""
    pipe = _pipe()
    if not sizes or pipe is None:
        return Layout([], [], [], 0.0, 0.0)
    computed = {end for _, end in arrows}
    lines = ["digraph {", f"nodesep={24 / INCH} ranksep={44 / INCH}"]
    lines += ['node [shape=box fixedsize=true label=""]', "edge [dir=none]"]
    for number, (width, height) in enumerate(sizes):
        lines.append(f"{number} [width={width / INCH} height={height / INCH}]")
    for start, end in arrows:
        lines.append(f"{start} -> {end} [weight={HEAVY if start in computed else 1}]")
    rows = [line.split() for line in pipe("\n".join([*lines, "}"])).splitlines()]
    width, height = (float(number) * INCH for number in rows[0][2:4])
    places = [(0.0, 0.0)] * len(sizes)
    drawn: dict[tuple[int, int], list[list[tuple[float, float]]]] = {}
    for kind, *words in rows:
        if kind == "node":
            number = int(words[0])
            x, y = float(words[1]) * INCH, height - float(words[2]) * INCH
            places[number] = (x - sizes[number][0] / 2, y - sizes[number][1] / 2)
        elif kind == "edge":
            numbers = [float(word) * INCH for word in words[3 : 3 + 2 * int(words[2])]]
            path = [(x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            drawn.setdefault((int(words[0]), int(words[1])), []).append(path)
    return Layout(sizes, places, [drawn[arrow].pop(0) for arrow in arrows], width, height)
