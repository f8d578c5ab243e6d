"""Drawing the computation graph of a function, or of a Program."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, cast, overload

from functrace.drawing.dot import arrangement
from functrace.drawing.graphs import Graph, folded, graph_of_call, graph_of_program
from functrace.drawing.svg import svg
from functrace.errors import ArgumentError
from functrace.ir.program import Program
from functrace.tracebacks import boundary
from functrace.transforms.transformed import require_callable, transformed

MOST_BOXES = 60
SMALLEST = 0.75
"""To which part of its size a picture shrinks on a page that is narrower."""


class Drawing:
    """A picture of a computation graph, which shows itself in notebooks.

    Attributes:
        graph: The graph, whole.
        title: What it is called.
        most: How many boxes are drawn before they are folded.
        layout: The method that says where boxes stand.
    """

    def __init__(self, graph: Graph, title: str, most: int, layout: str = "auto") -> None:
        self.graph = graph
        self.title = title
        self.most = most
        self.layout = layout

    def __repr__(self) -> str:
        operations = sum(box.kind == "operation" for box in self.graph.boxes)
        return f"<drawing of {self.title}: {operations} operations>"

    @cached_property
    def svg(self) -> str:
        """The picture as the text of an SVG file, in the colours that its reader prefers."""
        return svg(folded(self.graph, self.most), title=self.title, layout=self.layout)

    @cached_property
    def html(self) -> str:
        """The picture, and below it what is folded, to be opened; a part of a page."""
        return self._html(self.graph)

    def _html(self, graph: Graph) -> str:
        shown = folded(graph, self.most)
        parts = [_scrolling(svg(shown, title=self.title, layout=self.layout))]
        for box in shown.boxes:
            if box.members and box.inside:
                summary = escape(f"{box.name}: {box.formula}, {box.place}".rstrip(", "))
                parts.append(
                    f"<details><summary><code>{summary}</code></summary>\n"
                    f"{self._html(box.inside[0][1])}</details>\n"
                )
        return "".join(parts)

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz, for its own layouts."""
        numbers = {id(box): number for number, box in enumerate(self.graph.boxes)}
        lines = ["digraph {", '  node [shape=box, style=rounded, fontname="monospace"];']
        for box, number in zip(self.graph.boxes, numbers.values(), strict=True):
            label = f"{box.name} = {box.formula}" if box.formula else box.name
            lines.append(f"  n{number} [label={_quoted(label)}, tooltip={_quoted(box.place)}];")
        for arrow in self.graph.arrows:
            label = "" if arrow.partial is None else f"{arrow.partial:.4g}"
            ends = f"n{numbers[id(arrow.start)]} -> n{numbers[id(arrow.end)]}"
            lines.append(f"  {ends} [label={_quoted(label)}];")
        return "\n".join([*lines, "}", ""])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture to a file: ``.svg``, ``.html``, ``.dot``, or ``.png``.

        A PNG takes the package resvg_py, ``pip install "functrace[drawing]"``.

        Raises:
            ArgumentError: The name ends otherwise, or that package is missing.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind == ".svg":
            path.write_text(self.svg, encoding="utf-8")
        elif kind in (".html", ".htm"):
            path.write_text(
                _PAGE.format(title=escape(self.title), body=self.html), encoding="utf-8"
            )
        elif kind == ".dot":
            path.write_text(self.dot, encoding="utf-8")
        elif kind == ".png":
            path.write_bytes(self._png())
        else:
            raise ArgumentError(
                f"A drawing is saved as .svg, .html, .dot or .png, not as {path.name!r}."
            )

    def _png(self) -> bytes:
        try:
            import resvg_py  # noqa: PLC0415  (an optional package)
        except ImportError:
            raise ArgumentError(
                "A PNG takes the package resvg_py, which is not installed.",
                advice='pip install "functrace[drawing]", or save an SVG.',
            ) from None
        graph = folded(self.graph, self.most)
        text = svg(graph, title=self.title, dark=False, layout=self.layout)
        return bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=2))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "image/svg+xml": self.svg, "text/plain": repr(self)}


def _scrolling(picture: str) -> str:
    """A picture on a page; a narrow page scrolls it, as small letters cannot be read."""
    found = re.search(r' width="(\d+)"', picture)
    assert found is not None
    inner = f'<div style="min-width:{SMALLEST * int(found[1]):.0f}px">\n{picture}</div>'
    return f'<div style="overflow-x:auto">{inner}</div>\n'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;margin:1rem}}summary{{margin:.5rem 0}}</style>
<h1>{title}</h1>
{body}
</html>
"""


@overload
def draw(f: Program, *, most: int = MOST_BOXES, layout: str = "auto") -> Drawing: ...
@overload
def draw(
    f: Callable[..., Any], *, most: int = MOST_BOXES, layout: str = "auto"
) -> Callable[..., Drawing]: ...
@boundary
def draw(f: Any, *, most: int = MOST_BOXES, layout: str = "auto") -> Any:
    """Draw the computation graph of a function, with forward and backward values.

    There is one box for each operation, with its formula, the user's expression and line, its
    forward value f and its backward value g, the derivative of the result by it; for arrays shape,
    norm, range and a small picture of both. On the arrows between numbers are the partial
    derivatives with which backward values are multiplied on their way back. Loops are boxes with
    graphs within them; what a jitted function computes, a checkpoint, or the branch that is taken
    has a frame.

    Args:
        f: A function of trees of arrays, as `grad` takes it; or a Program, of which the types are
            drawn.
        most: How many boxes are drawn before they are folded: those of a scope, or of a line, are
            one box then, which is opened on the page that is shown.
        layout: What says where boxes stand: ``"dot"`` of Graphviz, if its program and its package
            are there; ``"layers"`` of functrace; ``"auto"`` for the first of these that is there.

    Returns:
        For a function, one of the same arguments that returns a `Drawing`; it shows itself in a
        notebook, and is saved by ``save``. Backward values are there where the function returns a
        single number. For a Program, the drawing.

    Raises:
        ArgumentError: ``layout`` is no such word, or Graphviz is missing.
        NonScalarOutputError: The function returns nothing that is computed of its arguments.

    Example:
        >>> import functrace as ft
        >>> def loss(x, y, w):
        ...     q = x + y
        ...     return q * w
        >>> drawing = ft.draw(loss)(-2.0, 5.0, -4.0)
        >>> drawing
        <drawing of loss: 2 operations>
        >>> [(box.name, float(box.gradient)) for box in drawing.graph.boxes]
        [('x', -4.0), ('y', -4.0), ('w', 3.0), ('q', -4.0), ('f2', 1.0)]
    """
    arrangement(layout)
    if most < 4:
        raise ArgumentError(f"most={most} boxes are too few: four are needed at least.")
    if isinstance(f, Program):
        return Drawing(graph_of_program(f), "program", most, layout)
    function = cast("Callable[..., Any]", f)
    require_callable(function, "draw")

    @transformed(function, draw, most=most)
    @boundary
    def drawn(*args: Any, **options: Any) -> Drawing:
        graph = graph_of_call(function, args, options)
        return Drawing(graph, name_of(function), most, layout)

    return drawn


def name_of(f: Any) -> str:
    """What a function is called: a part of one as the function, an object as its class."""
    while not hasattr(f, "__name__") and hasattr(f, "func"):
        f = f.func
    return getattr(f, "__name__", type(f).__name__)
