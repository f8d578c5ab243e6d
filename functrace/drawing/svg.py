"""A graph as the text of a picture: SVG, in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from functrace.drawing.dot import Arrange, arrangement
from functrace.drawing.frames import Frame, framed
from functrace.drawing.graphs import Arrow, Box, Graph, shown_number, summary
from functrace.drawing.layout import Layout, Point
from functrace.drawing.words import said

LETTER = 7.25
"""The width of a letter of 12 pixels in a font of even widths."""
LINE, MARGIN, INNER = 16.0, 10.0, 14.0
CELL, MOST_CELLS = 6.0, 20
MOST_VALUES = 3

# Each class of shapes: its colours in light and in dark.
COLOURS = {
    "paper": ("fill:#ffffff", "fill:#16191d"),
    "operation": ("fill:#eef4fb;stroke:#5b7a9d", "fill:#1f2b38;stroke:#7f9cbd"),
    "input": ("fill:#f5f5f2;stroke:#8b8b84", "fill:#26272a;stroke:#8f9299"),
    "constant": ("fill:#ffffff;stroke:#b9b9b3", "fill:#16191d;stroke:#5d6066"),
    "result": ("stroke:#1f5fae;stroke-width:2.2", "stroke:#8fc1ff;stroke-width:2.2"),
    "frame": ("fill:#ffffff;stroke:#b8c6d6", "fill:#16191d;stroke:#46566a"),
    "scope": (
        "fill:#f3f1fa;stroke:#b3a8cf;stroke-dasharray:5 3",
        "fill:#211f2b;stroke:#6d6389;stroke-dasharray:5 3",
    ),
    "arrow": ("fill:none;stroke:#8d99a6", "fill:none;stroke:#77828e"),
    "tip": ("fill:#8d99a6", "fill:#77828e"),
    "text": ("fill:#1d242c", "fill:#e6ebf0"),
    "faint": ("fill:#6b7580", "fill:#97a1ab"),
    "forward": ("fill:#1a7f37", "fill:#57d37c"),
    "backward": ("fill:#b3261e", "fill:#ff8a80"),
    "partial": ("fill:#7b3fb5", "fill:#cfa3ff"),
    "halo": ("stroke:#ffffff", "stroke:#16191d"),
}
LEGEND = (
    ("forward", "f: forward value"),
    ("backward", "g: backward value, the derivative of the result by f"),
    ("partial", "partial derivative of a box by its input"),
)


class _Text(NamedTuple):
    """A line of text in a box."""

    words: str
    look: str
    is_bold: bool = False


class _Drawn(NamedTuple):
    """A graph with its places: texts of each box, graphs within them, frames, and the layout."""

    texts: Sequence[Sequence[_Text]]
    maps: Sequence[Sequence[tuple[str, np.ndarray]]]
    inner: Sequence[Sequence[tuple[str, Graph, _Drawn]]]
    frames: Sequence[Frame]
    where: Layout


def svg(graph: Graph, *, title: str = "", dark: bool | None = None, layout: str = "auto") -> str:
    """The picture of a graph.

    Args:
        graph: The graph.
        title: What the picture is called for readers that cannot see it.
        dark: Whether it is drawn in dark; None for what the reader prefers.
        layout: The method that says where boxes stand: see `arrangement`.
    """
    drawn = _drawn(graph, arrangement(layout))
    has_values = any(box.value is not None for box in graph.boxes)
    has_gradients = any(box.gradient is not None for box in graph.boxes)
    legend = [
        (look, said(words))
        for look, words in LEGEND
        if (has_values if look == "forward" else has_gradients)
        and (look != "partial" or any(arrow.partial is not None for arrow in graph.arrows))
    ]
    longest = max((LETTER * len(words) for _, words in legend), default=0.0)
    width = max(drawn.where.width, longest) + 2 * MARGIN
    top = MARGIN + LINE * len(legend) + (MARGIN if legend else 0)
    height = top + drawn.where.height + MARGIN
    parts: list[str] = [_rectangle("paper", 0, 0, width, height, 0)]
    for number, (look, words) in enumerate(legend):
        parts.append(_words(words, look, MARGIN, MARGIN + LINE * (number + 0.8), anchor="start"))
    _write(parts, graph, drawn, (width - drawn.where.width) / 2, top)
    label = escape(title or "computation graph")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="functrace" role="img" '
        f'aria-label="{label}" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'style="max-width:100%;height:auto" '
        "font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" "
        f'font-size="12">\n<style>{_style(dark)}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _style(dark: bool | None) -> str:
    """The colours; the halo is of the letters that stand on arrows."""

    def rules(column: int) -> str:
        return "".join(
            f".functrace .{name}{{{colours[column]}}}" for name, colours in COLOURS.items()
        )

    halo = ".functrace .halo{stroke-width:4;paint-order:stroke}"
    if dark is not None:
        return halo + rules(int(dark))
    return f"{halo}{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}"


def _drawn(graph: Graph, arrange: Arrange) -> _Drawn:
    """Where the boxes of a graph are, and those within them."""
    texts = [_texts(box) for box in graph.boxes]
    maps = [_maps(box) for box in graph.boxes]
    inner = [
        [
            (title, inside, _drawn(inside, arrange))
            for title, inside in box.inside
            if not box.members
        ]
        for box in graph.boxes
    ]
    sizes: list[tuple[float, float]] = []
    for lines, pictures, graphs in zip(texts, maps, inner, strict=True):
        widths = [LETTER * len(line.words) for line in lines]
        widths.append(sum(CELL * picture.shape[1] + 2 * LETTER for _, picture in pictures))
        widths += [max(found.where.width, LETTER * len(title)) for title, _, found in graphs]
        height = LINE * len(lines) + INNER
        height += max((CELL * picture.shape[0] + 4 for _, picture in pictures), default=0.0)
        height += sum(found.where.height + INNER + LINE * bool(title) for title, _, found in graphs)
        sizes.append((max([70.0, *widths]) + 2 * INNER, height))
    numbers = {id(box): number for number, box in enumerate(graph.boxes)}
    arrows = [(numbers[id(arrow.start)], numbers[id(arrow.end)]) for arrow in graph.arrows]
    return _Drawn(texts, maps, inner, *framed(graph, arrange(sizes, arrows)))


def _texts(box: Box) -> list[_Text]:
    """The lines of a box: name and formula, the user's words and line, and both values."""
    lines = [_Text(f"{box.name} = {box.formula}" if box.formula else box.name, "text", True)]
    if box.members and box.kind == "operation":
        lines[0] = _Text(f"{box.name}: {box.formula}", "text", True)
    if box.code and box.code not in (box.formula, f"{box.name} = {box.formula}"):
        lines.append(_Text(box.code, "faint"))
    if box.place or box.scope:
        where = " in ".join(part for part in (box.place, box.scope) if part)
        lines.append(_Text(where, "faint"))
    if box.kind == "operation" or box.value is None or np.ndim(box.value):
        shown = ", ".join(map(str, box.types))
        is_number = len(box.types) == 1 and not box.types[0].shape
        if shown and not (is_number and box.value is not None):
            lines.append(_Text(shown, "faint"))
    for letter, look, value in _values(box):
        if np.ndim(value):
            lines += [_Text(f"{letter}: {words}", look) for words in summary(value)]
        else:
            lines.append(_Text(f"{letter} = {shown_number(value)}", look))
    return lines


def _values(box: Box) -> Iterator[tuple[str, str, Any]]:
    """The forward and backward values that are known, with their letters and looks."""
    for letter, look, value in (("f", "forward", box.value), ("g", "backward", box.gradient)):
        if isinstance(value, tuple):
            for number, one in enumerate(value[:MOST_VALUES]):
                if one is not None:
                    yield f"{letter}[{number}]", look, one
        elif value is not None:
            yield letter, look, value


def _maps(box: Box) -> list[tuple[str, np.ndarray]]:
    """The heat maps of an array and of its gradient."""
    found: list[tuple[str, np.ndarray]] = []
    for look, value in (("forward", box.value), ("backward", box.gradient)):
        if value is None or isinstance(value, tuple) or not np.ndim(value) or not np.size(value):
            continue
        found.append((look, blocks(np.asarray(value))))
    return found


def blocks(array: np.ndarray) -> np.ndarray:
    """A small matrix in place of an array: means over blocks, between -1 and 1."""
    numbers = np.abs(array) if array.dtype.kind == "c" else array.astype(float)
    numbers = np.where(np.isfinite(numbers), numbers, 0.0)
    matrix = numbers.reshape(1 if numbers.ndim < 2 else numbers.shape[0], -1)
    for axis in (0, 1):
        length = matrix.shape[axis]
        cuts = np.linspace(0, length, min(length, MOST_CELLS) + 1).astype(int)
        totals = np.add.reduceat(matrix, cuts[:-1], axis=axis)
        counts = np.diff(cuts).reshape((-1, 1) if axis == 0 else (1, -1))
        matrix = totals / counts
    return matrix / max(np.abs(matrix).max(), 1e-300)


def _write(parts: list[str], graph: Graph, drawn: _Drawn, x: float, y: float) -> None:
    """Add a graph at a place: frames and arrows first, so that boxes and numbers stand on them."""
    results = {id(box) for box in graph.results}
    for title, left, top, width, height in drawn.frames:
        parts.append(_rectangle("scope", x + left, y + top, width, height, 9))
        parts.append(_words(title, "faint", x + left + 8, y + top + 12, anchor="start"))
    parts += [_arrow([(x + a, y + b) for a, b in path]) for path in drawn.where.paths]
    for number, box in enumerate(graph.boxes):
        left, top = drawn.where.places[number]
        _box(parts, box, drawn, number, (x + left, y + top), id(box) in results)
    for arrow, path in zip(graph.arrows, drawn.where.paths, strict=True):
        _partial(parts, arrow, [(x + a, y + b) for a, b in path])


def _box(
    parts: list[str], box: Box, drawn: _Drawn, number: int, place: Point, is_result: bool
) -> None:
    x, y = place
    lines, pictures, graphs = drawn.texts[number], drawn.maps[number], drawn.inner[number]
    width, height = drawn.where.sizes[number]
    look = f"{box.kind} result" if is_result else box.kind
    tooltip = escape("\n".join(part for part in (box.place, box.line) if part))
    parts.append(f"<g><title>{tooltip}</title>" if tooltip else "<g>")
    parts.append(_rectangle(look, x, y, width, height, 7))
    if box.members:  # a second sheet behind says that there is more in it
        parts.insert(-1, _rectangle(look, x + 4, y + 4, width, height, 7))
    middle, line = x + width / 2, y + INNER / 2
    for text in lines:
        line += LINE
        parts.append(_words(text.words, text.look, middle, line - 4, is_bold=text.is_bold))
    left = middle - sum(CELL * picture.shape[1] + 2 * LETTER for _, picture in pictures) / 2
    for look, picture in pictures:  # side by side
        _heat(parts, picture, look, left + LETTER, line + 2)
        left += CELL * picture.shape[1] + 2 * LETTER
    line += max((CELL * picture.shape[0] + 4 for _, picture in pictures), default=0.0)
    for title, inside, found in graphs:
        line += INNER / 2
        if title:
            line += LINE
            parts.append(_words(title, "faint", middle, line - 8))
        left = middle - found.where.width / 2
        frame = (left - 5, line - 3, found.where.width + 10, found.where.height + 6)
        parts.append(_rectangle("frame", *frame, 5))
        _write(parts, inside, found, left, line)
        line += found.where.height + INNER / 2
    parts.append("</g>")


def _heat(parts: list[str], picture: np.ndarray, look: str, x: float, y: float) -> None:
    """Small squares: the larger a number, the stronger its colour; negative ones are framed."""
    for (row, column), number in np.ndenumerate(picture):
        strength = abs(float(number)) ** 0.7
        cell = f'x="{x + CELL * column:.1f}" y="{y + CELL * row:.1f}"'
        size = f'width="{CELL - 1:.0f}" height="{CELL - 1:.0f}"'
        shade = look if number >= 0 else "partial"
        parts.append(
            f'<rect class="{shade}" {cell} {size} opacity="{0.08 + 0.92 * strength:.2f}"/>'
        )


def _arrow(path: Sequence[Point]) -> str:
    """A line, and its tip."""
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in path)
    curves = (" ".join(rest[i : i + 3]) for i in range(0, len(rest), 3))
    text = f"M{start}" + "".join(f"C{curve}" for curve in curves)
    (a, b), (x, y) = path[-2:]
    length = math.hypot(x - a, y - b) or 1.0
    along, across = (x - a) / length, (y - b) / length
    tip = f"M{rest[-1]}L" + " ".join(
        f"{x - 8 * along + side * across:.1f},{y - 8 * across - side * along:.1f}"
        for side in (-4, 4)
    )
    return f'<path class="arrow" d="{text}"/><path class="tip" d="{tip}z"/>'


def _partial(parts: list[str], arrow: Arrow, path: Sequence[Point]) -> None:
    """The partial derivative of an arrow, near where it arrives, where arrows are apart."""
    if arrow.partial is None:
        return
    words = shown_number(arrow.partial)
    t = 0.6  # of the last curve
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, path[-4:], strict=True)) for i in (0, 1))
    parts.append(_words(words, "halo partial", x, y + 4))
    parts.append(_words(words, "partial", x, y + 4))


def _rectangle(look: str, x: float, y: float, width: float, height: float, corner: float) -> str:
    return (
        f'<rect class="{look}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{corner:.0f}"/>'
    )


def _words(
    words: str, look: str, x: float, y: float, anchor: str = "middle", is_bold: bool = False
) -> str:
    weight = ' font-weight="600"' if is_bold else ""
    return (
        f'<text class="{look}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )
