"""Frames around the boxes of a scope, where nothing else would stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from functrace.drawing.graphs import Box, Graph
from functrace.drawing.layout import Layout

DEEPEST = 2
"""So many scopes within each other have frames; there is no more room between two layers."""
SIDE, TITLE, BELOW = 9.0, 17.0, 5.0
"""What a frame, and each that is within it, takes at the sides, above for its title, and below."""


class Frame(NamedTuple):
    """A frame: the scope's own name, its upper left corner, and its size."""

    title: str
    x: float
    y: float
    width: float
    height: float


def framed(graph: Graph, where: Layout) -> tuple[list[Frame], Layout]:
    """The frames of a graph, outer ones first, and its layout with room for them.

    Operations that come one after the other in one scope are framed, together with the inputs that
    only they use where that is possible. Where another box would be within a frame there is none.

    Args:
        graph: The graph.
        where: The layout of its boxes.
    """
    frames = [frame for depth in range(DEEPEST) for frame in _at_depth(graph, where, depth)]
    if not frames:
        return [], where
    left = max(0.0, -min(frame.x for frame in frames))
    top = max(0.0, -min(frame.y for frame in frames))
    right = max([where.width, *(frame.x + frame.width for frame in frames)])
    bottom = max([where.height, *(frame.y + frame.height for frame in frames)])
    moved = Layout(
        where.sizes,
        [(x + left, y + top) for x, y in where.places],
        [[(x + left, y + top) for x, y in path] for path in where.paths],
        right + left,
        bottom + top,
    )
    return [frame._replace(x=frame.x + left, y=frame.y + top) for frame in frames], moved


def _at_depth(graph: Graph, where: Layout, depth: int) -> Iterator[Frame]:
    numbers = {id(box): number for number, box in enumerate(graph.boxes)}
    uses: dict[int, set[int]] = {}
    for arrow in graph.arrows:
        uses.setdefault(id(arrow.start), set()).add(id(arrow.end))
    operations = [box for box in graph.boxes if box.kind == "operation"]
    for scope, run in groupby(operations, lambda box: box.scope.split("/")[: depth + 1]):
        members = {id(box) for box in run}
        if len(scope) <= depth or not scope[depth] or len(members) < 2:
            continue
        alone = [box for box in graph.boxes if id(box) in members]
        both = [box for box in graph.boxes if id(box) in members or _is_for(box, members, uses)]
        levels = DEEPEST - depth if _deepest(alone) > depth + 1 else 1
        for own in (both, alone):
            inside = {numbers[id(box)] for box in own}
            frame = Frame(scope[depth], *_around(inside, where, levels))
            others = set(range(len(graph.boxes))) - inside
            if not any(_meet(frame, where, number) for number in others):
                yield frame
                break


def _is_for(box: Box, members: set[int], uses: dict[int, set[int]]) -> bool:
    """Whether a box is no operation, and is used by members alone."""
    used = uses.get(id(box), set())
    return box.kind != "operation" and bool(used) and used <= members


def _deepest(boxes: Sequence[Box]) -> int:
    return max(len(box.scope.split("/")) for box in boxes)


def _around(
    numbers: Iterable[int], where: Layout, levels: int
) -> tuple[float, float, float, float]:
    """The corner and the size of a frame around boxes, with room for frames within it."""
    boxes = [(*where.places[n], *where.sizes[n]) for n in numbers]
    left = min(x for x, *_ in boxes) - SIDE * levels
    top = min(y for _, y, *_ in boxes) - TITLE * levels
    right = max(x + width for x, _, width, _ in boxes) + SIDE * levels
    bottom = max(y + height for _, y, _, height in boxes) + BELOW * levels
    return left, top, right - left, bottom - top


def _meet(frame: Frame, where: Layout, number: int) -> bool:
    """Whether a box is in a frame, or in part."""
    (x, y), (width, height) = where.places[number], where.sizes[number]
    is_beside = x + width <= frame.x or x >= frame.x + frame.width
    return not (is_beside or y + height <= frame.y or y >= frame.y + frame.height)
