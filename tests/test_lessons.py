"""The lessons run as they stand, say the same in both languages, and solve their exercises.

A lesson is a notebook as text (MyST): its cells of code are blocks `{code-cell}`, some with tags.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import functrace
from functrace.backends.settings import settings

LESSONS = Path(functrace.__file__).parent.parent / "docs" / "lessons"
ENGLISH = sorted((LESSONS / "en").glob("[0-9]*.md"))
SPANISH = sorted((LESSONS / "es").glob("[0-9]*.md"))
EXERCISES = {"en": "Exercises", "es": "Ejercicios"}
SOLUTION = {
    "en": ("Show the solution", "Hide the solution"),
    "es": ("Ver la solución", "Ocultar la solución"),
}
FRONT = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
mystnb:
  code_prompt_show: {}
  code_prompt_hide: {}
---

# """
TAGS = {"remove-cell", "hide-cell", "hide-input", "remove-input"}

CELL = re.compile(
    r"^```\{code-cell\}\n(:tags: \[([^]]*)\]\n\n)?(.*?)^```$", re.MULTILINE | re.DOTALL
)


class Cell(NamedTuple):
    """A cell of code: its tags, its text, and the number of its first line in the page."""

    tags: set[str]
    code: str
    line: int


def cells(text: str) -> list[Cell]:
    return [
        Cell(
            set(re.findall(r"[\w-]+", match[2] or "")),
            match[3],
            text.count("\n", 0, match.start(3)) + 1,
        )
        for match in CELL.finditer(text)
    ]


def prose(text: str) -> str:
    """What is not code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def run(path: Path, namespace: dict[str, Any]) -> None:
    """Run the cells one after the other, and show what a notebook would show."""
    from matplotlib import pyplot as plt

    for cell in cells(path.read_text(encoding="utf-8")):
        # With the lines of the page, so that a failure, and a picture, point there.
        module = ast.parse("\n" * (cell.line - 1) + cell.code, str(path))
        last = module.body.pop() if isinstance(module.body[-1], ast.Expr) else None
        exec(compile(module, str(path), "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(path), "eval"), namespace)
            getattr(value, "_repr_mimebundle_", value.__repr__)()
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
        plt.close("all")


@pytest.fixture
def namespace(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    module = ModuleType("lesson")
    monkeypatch.setitem(sys.modules, "lesson", module)
    monkeypatch.setattr(settings, "language", "en")  # which pages set
    return vars(module)


RIVALS = re.compile(
    r"\barrays?\b|descenso por el gradiente|puntuaci|respecto al? |desviación típica|\by \$y\b"
)
"""What the Spanish pages call by other words: arreglo, descenso de gradiente, puntaje."""

LONG = {"06_training", "07_vanishing_gradients", "08_cost", "11_convolutions"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in LONG)) for path in ENGLISH],
    ids=lambda path: path.stem,
)
def test_lesson(path, namespace, monkeypatch):
    monkeypatch.chdir(path.parent)
    run(path, namespace)


@pytest.mark.slow
@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.stem)
def test_leccion(path, namespace, monkeypatch):
    monkeypatch.chdir(path.parent)
    run(path, namespace)


def test_a_failure_points_into_the_page(namespace, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\n```{code-cell}\n:tags: [remove-cell]\n\na = 1\n\nassert a == 2\n```\n"
    )
    with pytest.raises(AssertionError) as caught:
        run(page, namespace)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == (str(page), 8, "assert a == 2")


@pytest.mark.parametrize("path", ENGLISH + SPANISH, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_form_of(path):
    text, language = path.read_text(encoding="utf-8"), path.parent.name
    assert text.startswith(FRONT.format(*SOLUTION[language]))
    assert all(cell.tags <= TAGS for cell in cells(text)), "tags"
    assert len(cells(text)) == text.count("{code-cell}"), "a cell that is not written as the others"
    body, exercises = text.split(f"\n## {EXERCISES[language]}\n")
    assert not any("hide-cell" in cell.tags for cell in cells(body)), "solutions only"
    assert "\n## " not in prose(exercises)
    parts = exercises.split("\n### ")[1:]
    assert len(parts) == 3, "exercises"
    for part in parts:
        solutions = [cell.code for cell in cells(part) if "hide-cell" in cell.tags]
        assert len(solutions) == 1, part
        assert re.search(r"^ *(assert|np\.testing\.)", solutions[0], re.MULTILINE), part


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in link]


@pytest.mark.parametrize(
    "path", sorted(LESSONS.rglob("*.md")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_links_in(path):
    for link in links(path.read_text(encoding="utf-8")):
        assert (path.parent / link.partition("#")[0]).exists(), link


class WithoutWords(ast.NodeTransformer):
    """Code without what differs from language to language."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        values = [value for value in node.values if not isinstance(value, ast.Constant)]
        return ast.JoinedStr(values)


def formulas(text: str) -> tuple[list[str], set[str]]:
    """The formulas on lines of their own, and those within lines, without words."""
    text = re.sub(r"\\text\{[^}]*\}", r"\\text{}", prose(text))
    shown = re.findall(r"\$\$(.*?)\$\$", text, re.DOTALL)
    inline = re.findall(r"\$(.+?)\$", re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL))
    return [formula.strip() for formula in shown], set(inline)


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.stem)
def test_both_languages_say_the_same_in(path):
    english = path.read_text(encoding="utf-8")
    spanish = (LESSONS / "es" / path.name).read_text(encoding="utf-8")
    for ours, theirs in zip(cells(english), cells(spanish), strict=True):
        assert ours.tags == theirs.tags, f"line {ours.line} and line {theirs.line}"
        first, second = (
            ast.unparse(WithoutWords().visit(ast.parse(c.code))) for c in (ours, theirs)
        )
        assert first == second, f"line {ours.line} and line {theirs.line}"
    levels = [re.findall(r"^(#+) ", prose(text), re.MULTILINE) for text in (english, spanish)]
    assert levels[0] == levels[1]
    (shown, inline), (shown_there, inline_there) = formulas(english), formulas(spanish)
    assert shown == shown_there
    assert inline == inline_there
    assert Counter(links(english)) == Counter(links(spanish))


@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.stem)
def test_one_word_for_one_thing_in(path):
    assert RIVALS.findall(re.sub(r"`[^`]*`", "", prose(path.read_text(encoding="utf-8")))) == []


def test_every_lesson_is_there_in_both_languages():
    assert [path.name for path in ENGLISH] == [path.name for path in SPANISH]


@pytest.mark.parametrize("path", ENGLISH + SPANISH, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_notebook_is_made_of(path):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(path)
    found = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = path.read_text(encoding="utf-8")
    for cell, expected in zip(found, cells(text), strict=True):
        assert cell.source == expected.code.rstrip("\n")
        assert set(cell.metadata.get("tags", [])) == expected.tags
    assert jupytext.writes(notebook, fmt="ipynb").startswith("{")
