"""Layers of boxes: nothing overlaps, arrows point down, and chains are straight."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from functrace.drawing.layout import layout

sizes = st.tuples(st.floats(10, 300), st.floats(10, 200))


@st.composite
def graphs(draw):
    boxes = draw(st.lists(sizes, min_size=1, max_size=12))
    pairs = [(a, b) for b in range(len(boxes)) for a in range(b)]
    arrows = draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    return boxes, arrows


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_boxes_are_apart_and_arrows_point_down(graph):
    boxes, arrows = graph
    found = layout(boxes, arrows)
    rectangles = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(found.places, boxes, strict=True)]
    for i, (left, top, right, bottom) in enumerate(rectangles):
        assert left >= -1e-6
        assert top >= 0
        assert right <= found.width + 1e-6
        assert bottom <= found.height + 1e-6
        for a, b, c, d in rectangles[:i]:
            assert right <= a + 1e-6 or c <= left + 1e-6 or bottom <= b or d <= top
    for (start, end), path in zip(arrows, found.paths, strict=True):
        heights = [y for _, y in path]
        assert heights == sorted(heights)
        assert heights[0] == pytest.approx(rectangles[start][3])
        assert heights[-1] == pytest.approx(rectangles[end][1])
        for rectangle, x in ((rectangles[start], path[0][0]), (rectangles[end], path[-1][0])):
            assert rectangle[0] - 1e-6 <= x <= rectangle[2] + 1e-6


def test_a_chain_is_straight():
    found = layout([(50, 20), (200, 20), (80, 20)], [(0, 1), (1, 2)])
    middles = [x + w / 2 for (x, _), w in zip(found.places, (50, 200, 80), strict=True)]
    assert max(middles) - min(middles) < 1e-6


def test_inputs_stand_beside_a_straight_chain():
    arrows = [(0, 1), (2, 1), (1, 3), (4, 3), (3, 5), (6, 5)]
    found = layout([(60, 20)] * 7, arrows)
    chain = [found.places[node][0] for node in (1, 3, 5)]
    assert max(chain) - min(chain) < 4
    assert found.width < 4 * 60


def test_crossings_are_taken_away():
    arrows = [(0, 5), (1, 4), (2, 3)]  # which cross in the order in which boxes are given
    found = layout([(40, 20)] * 6, arrows)
    starts, ends = [0, 1, 2], [5, 4, 3]
    assert sorted(starts, key=lambda n: found.places[n][0]) == [
        starts[ends.index(n)] for n in sorted(ends, key=lambda n: found.places[n][0])
    ]


def test_nothing():
    assert layout([], []).width == 0
