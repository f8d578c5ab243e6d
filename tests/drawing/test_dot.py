"""Layouts by Graphviz, where it is there: nothing overlaps, and lines go from box to box."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
from hypothesis import given, settings

import functrace as ft
from functrace.drawing import dot
from functrace.drawing.layout import layout
from functrace.errors import ArgumentError
from tests.drawing.test_layout import graphs


@pytest.fixture
def _graphviz():
    pytest.importorskip("graphviz")
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")


@pytest.mark.usefixtures("_graphviz")
@given(graphs())
@settings(max_examples=15, deadline=None)
def test_boxes_are_apart_and_lines_go_from_box_to_box(graph):
    boxes, arrows = graph
    found = dot.by_dot(boxes, arrows)
    rectangles = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(found.places, boxes, strict=True)]
    for i, (left, top, right, bottom) in enumerate(rectangles):
        assert min(left, top) >= -2
        assert right <= found.width + 2
        assert bottom <= found.height + 2
        for a, b, c, d in rectangles[:i]:
            assert right <= a + 1 or c <= left + 1 or bottom <= b + 1 or d <= top + 1
    for (start, end), path in zip(arrows, found.paths, strict=True):
        assert len(path) % 3 == 1
        for rectangle, (x, y) in ((rectangles[start], path[0]), (rectangles[end], path[-1])):
            assert rectangle[0] - 2 <= x <= rectangle[2] + 2
            assert rectangle[1] - 2 <= y <= rectangle[3] + 2
        assert rectangles[start][3] <= rectangles[end][1]


@pytest.mark.usefixtures("_graphviz")
def test_pictures():
    def f(x):
        return ft.scan(lambda c, r: (np.sin(c * r), c), x, np.arange(3.0))[0] * x

    by_dot, layers = (ft.draw(f, layout=name)(0.5) for name in ("dot", "layers"))
    assert ft.draw(f)(0.5).svg == by_dot.svg != layers.svg
    assert by_dot.svg.count("<text") == layers.svg.count("<text")
    assert ft.draw(ft.make_ir(f)(0.5), layout="dot").svg


def test_without_graphviz(monkeypatch):
    monkeypatch.setattr(dot.shutil, "which", lambda name: None)
    assert dot.arrangement("auto") is dot.arrangement("layers") is layout
    with pytest.raises(ArgumentError, match="of which one is missing"):
        ft.draw(np.sin, layout="dot")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "graphviz", None)
    assert dot.arrangement("auto") is layout
    with pytest.raises(ArgumentError, match="none of 'auto', 'layers' and 'dot'"):
        ft.draw(np.sin, layout="neato")


def test_nothing():
    assert dot.by_dot([], []).width == 0
