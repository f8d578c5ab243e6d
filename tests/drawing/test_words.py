"""The words of drawings in each language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.backends.settings import LANGUAGES
from functrace.drawing import graphs, svg
from functrace.drawing.words import SPANISH, WORDS, said


@pytest.fixture(autouse=True)
def _restored():
    yield
    ft.config.language = "en"


def loss(x):
    y, _ = ft.scan(lambda c, a: (c * a, None), x, np.ones(3))
    return np.sum(ft.cond(y > 0, np.sin, np.cos, y) * np.ones(2))


def test_english_is_spoken_at_first():
    assert ft.config.language == "en"
    assert "f: forward value" in ft.draw(loss)(1.0).svg


def test_every_word_is_translated():
    ft.config.language = "es"
    drawing = ft.draw(loss)(1.0)
    shown = drawing.svg
    for words in ("valor hacia adelante", "valor hacia atrás", "derivada parcial", "norma 1.4"):
        assert words in shown
    assert "3 vueltas" in drawing.html
    for words in SPANISH:
        plain = re.sub(r"\{\}", "", words).strip()
        assert not re.search(rf">{re.escape(plain)}<", shown), words


def test_what_is_said_stands_in_the_table():
    used = {words for _, words in svg.LEGEND}
    for module in (graphs, svg):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "said":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    used.add(first.value)
                elif isinstance(first, ast.BinOp):  # the longer one is optional
                    used |= {"branch {}", "branch {}, which is taken"}
    assert used == set(SPANISH)
    assert set(WORDS) == set(LANGUAGES)
    for english, spanish in SPANISH.items():
        assert english.count("{}") == spanish.count("{}")


def test_a_language_without_words_is_refused():
    with pytest.raises(ft.errors.ArgumentError, match="no words in 'fr'"):
        ft.config.language = "fr"
    assert ft.config.language == "en"
    assert said("{} trips", 3) == "3 trips"
