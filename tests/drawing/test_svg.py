"""The text of pictures: well-formed, complete, and safe whatever the names."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np

import functrace as ft

NAMESPACE = "{http://www.w3.org/2000/svg}"


def texts(drawing):
    root = ET.fromstring(drawing.svg)
    return [element.text for element in root.iter(f"{NAMESPACE}text")]


def test_numbers_are_written():
    def loss(x, y, w):
        q = x + y
        return q * w

    found = texts(ft.draw(loss)(-2.0, 5.0, -4.0))
    assert "q = x + y" in found
    assert "f = -12" in found
    assert found.count("g = -4") == 3
    assert found.count("-4") == 2  # the partial derivative, and the halo behind it


def test_arrays_are_written_with_pictures():
    drawing = ft.draw(lambda x: np.sum(x**2))(np.array([[1.0, -2.0], [0.0, np.pi]]))
    found = texts(drawing)
    assert "f: norm 3.856" in found
    assert "f: -2 … 3.14" in found
    assert drawing.svg.count('class="backward"') > 4
    assert "f: 1 of 2 not finite" in texts(ft.draw(lambda x: np.sum(x))(np.array([np.inf, 1.0])))


def test_odd_values():
    for x in (np.zeros((0, 3)), np.ones(()), np.ones((2, 3, 4)), np.array([1j, 2.0])):
        drawing = ft.draw(lambda x: np.sum(np.abs(x)) * 1.0)(x)
        ET.fromstring(drawing.svg)


def test_names_are_escaped():
    drawing = ft.draw(lambda p: p["<b> & 'c'"] * 2)({"<b> & 'c'": 1.0})
    root = ET.fromstring(drawing.svg)
    assert any("<b> & " in (e.text or "") for e in root.iter(f"{NAMESPACE}text"))


def test_light_and_dark():
    drawing = ft.draw(np.sin)(1.0)
    assert "prefers-color-scheme:dark" in drawing.svg
