"""`draw`: files of every kind, what notebooks show, folding, and what is refused."""

from __future__ import annotations

from functools import partial
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError


def many(x):
    for _ in range(200):
        x = np.sin(x) * 1.1
    return x


def test_files(tmp_path):
    drawing = ft.draw(lambda x, y: np.sin(x) * y)(1.0, 2.0)
    for kind in ("svg", "html", "dot"):
        drawing.save(tmp_path / f"graph.{kind}")
    ET.parse(tmp_path / "graph.svg")
    page = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    dot = (tmp_path / "graph.dot").read_text(encoding="utf-8")
    assert dot.count("->") == 3
    with pytest.raises(ArgumentError, match=r"\.svg, \.html, \.dot or \.png"):
        drawing.save(tmp_path / "graph.jpg")


def test_png(tmp_path):
    pytest.importorskip("resvg_py")
    ft.draw(np.sin)(1.0).save(str(tmp_path / "graph.png"))
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_png_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(ArgumentError, match=r"functrace\[drawing\]"):
        ft.draw(np.sin)(1.0).save(tmp_path / "graph.png")
    assert not list(tmp_path.iterdir())


def test_notebooks():
    bundle = ft.draw(np.sin)(1.0)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == "<drawing of sin: 1 operations>"


class Balanced(HTMLParser):
    """Counts elements that can be opened, and checks that they are closed."""

    depth = opened = 0

    def handle_starttag(self, tag, attrs):
        if tag == "details":
            self.depth += 1
            self.opened += 1

    def handle_endtag(self, tag):
        if tag == "details":
            self.depth -= 1


def test_what_is_folded_can_be_opened():
    drawing = ft.draw(many)(1.0)
    parser = Balanced()
    parser.feed(drawing.html)
    width = drawing.svg.partition(' width="')[2].partition('"')[0]
    assert parser.opened > 1
    assert parser.depth == 0
    assert len(drawing.svg) < len(drawing.html)
    assert f'<div style="min-width:{0.75 * int(width):.0f}px">' in drawing.html
    for number in range(2, 200):
        assert f"x#{number} = " in drawing.html


def test_titles():
    class Model:
        def __call__(self, x):
            return x * 2

    titles = [ft.draw(f)(1.0).title for f in (np.sin, ft.jit(many), partial(many), Model())]
    assert titles == ["sin", "many", "many", "Model"]


def test_programs():
    drawing = ft.draw(ft.make_ir(lambda x: np.sin(x) * 2)(np.ones(3)))
    assert repr(drawing) == "<drawing of program: 2 operations>"
    assert "float64[3]" in drawing.svg


def test_what_cannot_be_drawn():
    with pytest.raises(ArgumentError, match="four are needed"):
        ft.draw(np.sin, most=2)
    with pytest.raises(TypeError, match="draw"):
        ft.draw(3)(1.0)
