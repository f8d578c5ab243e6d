"""Where the boxes of a graph stand: in layers, each below all that it is computed of.

The method is that of Sugiyama, Tagawa and Toda (1981): layers by longest paths; in arrows that skip
layers, points to go through; an order within each layer with few crossings, by the means of
neighbours; then coordinates. These are the ones that are nearest to the means of neighbours among
those that keep boxes apart: a least-squares problem that pooling solves exactly. What is computed
of nothing counts little in it: so what is computed one after the other stands in one line, with
inputs at its side.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]
SWEEPS = 12
LITTLE = 0.02
"""How much counts what is computed of nothing, of 1."""


class Layout(NamedTuple):
    """Where everything is.

    Attributes:
        sizes: For each box its width and its height.
        places: For each box its upper left corner.
        paths: For each arrow a smooth line from the lower edge of a box to the upper edge of
            another, as the points of cubic Bézier curves: where it begins, and then for each curve
            two that it bends to, and its end.
        width: Of the whole.
        height: Of the whole.
    """

    sizes: Sequence[tuple[float, float]]
    places: Sequence[Point]
    paths: Sequence[Sequence[Point]]
    width: float
    height: float


def layout(
    sizes: Sequence[tuple[float, float]],
    arrows: Sequence[tuple[int, int]],
    between: float = 24.0,
    below: float = 44.0,
) -> Layout:
    """Place boxes in layers.

    Args:
        sizes: For each box its width and its height.
        arrows: Pairs of boxes, the first of which is an input of the second; without circles.
        between: The least distance of two boxes side by side.
        below: The distance of two layers.
    """
    if not sizes:
        return Layout([], [], [], 0.0, 0.0)
    rank = _ranks(len(sizes), arrows)
    count = len(sizes)
    widths = [width for width, _ in sizes]
    ends = {end for _, end in arrows}
    weights = [1.0 if node in ends else LITTLE for node in range(count)]
    links: list[tuple[int, int]] = []
    routes: list[list[int]] = []
    for start, end in arrows:
        route = [start]
        for layer in range(rank[start] + 1, rank[end]):
            route.append(count)
            rank.append(layer)
            widths.append(6.0)
            weights.append(weights[start])
            count += 1
        route.append(end)
        routes.append(route)
        links += itertools.pairwise(route)

    layers: list[list[int]] = [[] for _ in range(max(rank) + 1)]
    for node in range(count):
        layers[rank[node]].append(node)
    above: list[list[int]] = [[] for _ in range(count)]
    under: list[list[int]] = [[] for _ in range(count)]
    for start, end in links:
        under[start].append(end)
        above[end].append(start)
    layers = _ordered(layers, above, under)
    centres = _coordinates(layers, above, under, widths, weights, between)

    tops: list[float] = []
    y = 0.0
    for layer in layers:
        tops.append(y)
        y += max((sizes[node][1] for node in layer if node < len(sizes)), default=0.0) + below
    left = min(centres[node] - widths[node] / 2 for node in range(count))
    width = max(centres[node] + widths[node] / 2 for node in range(count)) - left
    places = [
        (centres[node] - sizes[node][0] / 2 - left, tops[rank[node]]) for node in range(len(sizes))
    ]
    heights = [
        max((sizes[node][1] for node in layer if node < len(sizes)), default=0.0)
        for layer in layers
    ]
    ports = _ports(arrows, routes, centres, widths)
    paths: list[list[Point]] = []
    for (start, end), route, port in zip(arrows, routes, ports, strict=True):
        through = [(centres[start] - left, places[start][1] + sizes[start][1])]
        for node in route[1:-1]:
            layer = rank[node]
            through.append((centres[node] - left, tops[layer]))
            through.append((centres[node] - left, tops[layer] + heights[layer]))
        through.append((port - left, places[end][1]))
        paths.append(_upright(through))
    return Layout(sizes, places, paths, width, y - below)


def _upright(through: Sequence[Point]) -> list[Point]:
    """A line through points, straight down at each of them."""
    path = [through[0]]
    for (x, y), (a, b) in itertools.pairwise(through):
        path += [(x, (y + b) / 2), (a, (y + b) / 2), (a, b)]
    return path


def _ranks(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """For each box its layer. What is computed of nothing stands just above what uses it."""
    inputs: list[list[int]] = [[] for _ in range(count)]
    uses: list[list[int]] = [[] for _ in range(count)]
    for start, end in arrows:
        inputs[end].append(start)
        uses[start].append(end)
    waiting = [len(found) for found in inputs]
    ready = [node for node in range(count) if not waiting[node]]
    rank = [0] * count
    for node in ready:  # which grows
        for end in uses[node]:
            rank[end] = max(rank[end], rank[node] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    for node in range(count):
        if not inputs[node] and uses[node]:
            rank[node] = min(rank[end] for end in uses[node]) - 1
    return rank


def _ordered(
    layers: list[list[int]], above: list[list[int]], under: list[list[int]]
) -> list[list[int]]:
    """The layers in an order with few crossings: the best of some sweeps down and up."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(best, under)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        is_down = sweep % 2 == 0
        place = {node: float(i) for layer in layers for i, node in enumerate(layer)}
        neighbours = above if is_down else under
        for layer in layers if is_down else reversed(layers):
            means = {
                node: sum(place[n] for n in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in layer
            }
            layer.sort(key=means.__getitem__)
            place.update((node, float(i)) for i, node in enumerate(layer))
        crossings = _crossings(layers, under)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _crossings(layers: list[list[int]], under: list[list[int]]) -> int:
    """How many pairs of arrows cross."""
    total = 0
    for layer, following in itertools.pairwise(layers):
        place = {node: i for i, node in enumerate(following)}
        seen: list[int] = []
        for node in layer:
            ends = sorted(place[end] for end in under[node])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _coordinates(
    layers: list[list[int]],
    above: list[list[int]],
    under: list[list[int]],
    widths: list[float],
    weights: list[float],
    between: float,
) -> list[float]:
    """For each node the middle of its box."""
    centres = [0.0] * len(widths)
    for layer in layers:
        x = 0.0
        for node in layer:
            centres[node] = x + widths[node] / 2
            x += widths[node] + between
        for node in layer:
            centres[node] -= x / 2
    for sweep in range(2 * SWEEPS):
        is_down = sweep % 2 == 0
        for layer in layers if is_down else reversed(layers):
            wanted: list[float] = []
            for node in layer:
                near = above[node] if is_down else under[node]
                near = near or [*above[node], *under[node]] or [node]
                total = sum(weights[n] for n in near)
                wanted.append(sum(weights[n] * centres[n] for n in near) / total)
            found = _apart(layer, wanted, widths, weights, between)
            for node, centre in zip(layer, found, strict=True):
                centres[node] = centre
    return centres


def _apart(
    layer: list[int],
    wanted: list[float],
    widths: list[float],
    weights: list[float],
    between: float,
) -> list[float]:
    """The places nearest to those wanted at which boxes in this order do not overlap.

    With the widths taken off, the places must not decrease: neighbours that would are pooled, and
    stand around their mean.
    """
    offsets: list[float] = []
    x = 0.0
    for i, node in enumerate(layer):
        x += widths[node] / 2 + (widths[layer[i - 1]] / 2 + between if i else 0.0)
        offsets.append(x)
    pools: list[tuple[float, float, int]] = []  # of each the mean, the weight, and the boxes
    for place, offset, node in zip(wanted, offsets, layer, strict=True):
        pools.append((place - offset, weights[node], 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (mean, size, count), (last, more, others) = pools[-2:]
            together = size + more
            pools[-2:] = [((mean * size + last * more) / together, together, count + others)]
    found = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(found, offsets, strict=True)]


def _ports(
    arrows: Sequence[tuple[int, int]],
    routes: Sequence[Sequence[int]],
    centres: Sequence[float],
    widths: Sequence[float],
) -> list[float]:
    """Where each arrow arrives: those of one box side by side, in the order they come from."""
    arriving: dict[int, list[int]] = {}
    for number, (_, end) in enumerate(arrows):
        arriving.setdefault(end, []).append(number)
    ports = [0.0] * len(arrows)
    for end, numbers in arriving.items():
        numbers.sort(key=lambda number: centres[routes[number][-2]])
        room = min(widths[end] * 0.7, 36.0 * len(numbers))
        for i, number in enumerate(numbers):
            ports[number] = centres[end] + room * ((i + 0.5) / len(numbers) - 0.5)
    return ports
