"""Frames of scopes: around their boxes, apart from all others, with room in the picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

import functrace as ft
from functrace.drawing.frames import framed
from functrace.drawing.graphs import graph_of_call
from functrace.drawing.layout import layout


def frames_of(f, *args):
    """The frames, the graph, and its layout, of boxes of one size."""
    graph = graph_of_call(f, args, {})
    numbers = {id(box): number for number, box in enumerate(graph.boxes)}
    arrows = [(numbers[id(a.start)], numbers[id(a.end)]) for a in graph.arrows]
    return graph, *framed(graph, layout([(100.0, 60.0)] * len(graph.boxes), arrows))


def inside(frame, where, number):
    (x, y), (width, height) = where.places[number], where.sizes[number]
    is_across = frame.x <= x and x + width <= frame.x + frame.width
    return is_across and frame.y <= y and y + height <= frame.y + frame.height


def network(params, x):
    for number, (w, b) in enumerate(params):
        with ft.named_scope(f"layer{number}"):
            x = np.tanh(x @ w + b)
    with ft.named_scope("loss"):
        return np.mean(x**2)


PARAMS = [(np.ones((2, 2)), np.ones(2))] * 3


def test_each_layer_has_its_frame():
    graph, frames, where = frames_of(network, PARAMS, np.ones((3, 2)))
    assert [frame.title for frame in frames] == ["layer0", "layer1", "layer2", "loss"]
    for frame in frames:
        for number, box in enumerate(graph.boxes):
            if box.kind == "operation":
                assert inside(frame, where, number) == (box.scope == frame.title)
        assert frame.x >= 0
        assert frame.y >= 0
        assert frame.x + frame.width <= where.width
        assert frame.y + frame.height <= where.height


def test_scopes_within_scopes():
    def f(x):
        with ft.named_scope("outer"):
            with ft.named_scope("first"):
                x = np.sin(np.cos(x))
            with ft.named_scope("second"):
                x = np.exp(np.tanh(x))
        return x

    _, frames, _ = frames_of(f, 0.5)
    assert [frame.title for frame in frames] == ["outer", "first", "second"]
    outer, *others = frames
    for frame in others:
        assert outer.x < frame.x
        assert frame.x + frame.width < outer.x + outer.width
        assert outer.y + 12 <= frame.y
        assert frame.y + frame.height < outer.y + outer.height


def test_the_branch_that_is_taken_has_a_frame():
    def f(x):
        y = ft.cond(x > 0, lambda x: np.sin(x) * x, lambda x: np.cos(x) / x, x)
        return ft.switch(1, [np.exp, lambda y: np.exp(y) - y], y) + x

    for x, title in ((0.5, "cond: True"), (-0.5, "cond: False")):
        graph, frames, _ = frames_of(f, x)
        assert [frame.title for frame in frames] == [title, "switch: 1"]
        assert [box.scope for box in graph.boxes if box.kind == "operation"] == [
            *[title] * 2,
            *["switch: 1"] * 2,
            "",
        ]
        assert graph.boxes[0].gradient == pytest.approx(ft.grad(f)(x))


def test_a_scope_that_others_stand_between_has_none():
    def f(x, y):
        with ft.named_scope("here"):
            a = np.sin(x)
        b = np.cos(y)
        with ft.named_scope("here"):
            return a * b

    assert frames_of(f, 0.5, 0.5)[1] == []
    assert frames_of(np.sin, 0.5)[1] == []


def test_frames_are_drawn():
    picture = ft.draw(network)(PARAMS, np.ones((3, 2))).svg
    root = ET.fromstring(picture)
    drawn = [e for e in root.iter() if e.get("class") == "scope"]
    assert len(drawn) == 4
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "layer1" in texts
