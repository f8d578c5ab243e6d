"""The lines of Programs, of generated source and of the user's functions, with their places."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.exploring import listing
from functrace.exploring.listing import Places, program_lines, source_lines, users_lines


class Model:
    """Something to call."""

    def __init__(self):
        self.w = 2.0

    def __call__(self, x):
        return np.sin(x * self.w)

    def loss(self, x):
        return self(x) ** 2


@ft.jit
def layer(x):
    return np.tanh(x) * 2


def loss(x):
    hidden = layer(x)
    return np.sum(hidden)


def listed(f, *args):
    places = Places(None)
    return program_lines(ft.make_ir(f)(*args), places), places


def shown(f, *args):
    """The lines that are shown of the user's functions."""
    _, places = listed(f, *args)
    return [line["text"] for line in users_lines(f, places)]


def test_lines_are_those_of_the_printed_program():
    program = ft.make_ir(loss)(np.ones(2))
    lines = program_lines(program, Places(None))
    assert "\n".join(line["text"] for line in lines) == ft.to_text(program, sources=False)


def test_the_name_is_that_of_the_last_of_several_steps():
    def f(x):
        y = ft.nn.softmax(x)
        for _ in range(2):
            y = np.sin(y)
        return y

    lines, _ = listed(f, np.ones(2))
    steps = [line.get("isPart", False) for line in lines if "path" in line]
    assert steps == [True] * 5 + [False] * 3


def test_equations_have_paths_and_places():
    lines, places = listed(loss, np.ones(2))
    steps = [(line["path"], places.data[line["place"]]) for line in lines if "path" in line]
    assert [path for path, _ in steps] == ["0.0", "0.1", "0", "1"]
    assert [place["code"] for _, place in steps] == [
        "np.tanh(x)", "np.tanh(x) * 2", "layer(x)", "np.sum(hidden)",
    ]  # fmt: skip
    assert [place["name"] for _, place in steps] == ["", "", "hidden", ""]
    for _, place in steps:
        start, stop = place["columns"]
        file, _, number = place["line"].rpartition(":")
        text = Path(file).read_text(encoding="utf-8").split("\n")
        assert text[int(number) - 1][start:stop] == place["code"]


def test_columns_count_letters_not_bytes():
    _, places = listed(lambda x: {"å": np.sin(x) + np.cos(x)}["å"], 1.0)
    spans = {tuple(place["columns"]) for place in places.data}
    assert len(spans) == len({place["code"] for place in places.data}) == 3
    for place in places.data:
        start, stop = place["columns"]
        assert stop - start == len(place["code"])


def test_programs_within_are_indented():
    @ft.custom_vjp
    def twice(x):
        return 2 * x

    twice.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))

    def f(x):
        x = ft.scan(lambda c, r: (c * r, None), x, np.arange(3.0))[0]
        x = ft.cond(x > 0, np.sin, np.cos, x)
        return twice(x)

    lines, _ = listed(f, 1.0)
    texts = [line["text"] for line in lines]
    for name in ("body", "branches_0", "branches_1", "twice"):
        assert any(text.startswith(f"    def {name}(") for text in texts), texts
    assert all("path" not in line for line in lines if line["text"].startswith(" " * 8))


def test_scopes():
    def f(x):
        with ft.named_scope("encoder"):
            return np.sin(x)

    lines, _ = listed(f, 1.0)
    assert lines[1]["scope"] == "encoder"


def test_generated_source_has_the_places_of_its_lines():
    _, places = listed(loss, np.ones(2))
    lines = source_lines(ft.jit(loss).source(np.ones(2)), places)
    assert not any("#" in line["text"] for line in lines)
    written = {line["text"].strip(): line.get("place") for line in lines}
    assert written["def loss(a):"] is None
    (tanh,) = [place for text, place in written.items() if "np.tanh" in text]
    assert places.data[tanh]["short"].startswith("test_listing.py:")


def test_users_functions_whole_each_once():
    text = shown(loss, np.ones(2))
    assert text == [
        "# test_listing.py",
        "@ft.jit", "def layer(x):", "    return np.tanh(x) * 2",
        "…",
        "def loss(x):", "    hidden = layer(x)", "    return np.sum(hidden)",
    ]  # fmt: skip


def test_methods_objects_and_parts_of_functions():
    model = Model()
    text = shown(model.loss, 1.0)
    assert "        return np.sin(x * self.w)" in text
    assert "        return self(x) ** 2" in text
    assert "class Model:" not in text
    assert "    def __call__(self, x):" in shown(model, 1.0)
    part = functools.partial(lambda x, n: x**n, n=2)
    assert any("functools.partial" in line for line in shown(part, 1.0))
    assert shown(ft.grad(lambda x: x**2), 1.0)


def test_source_that_is_not_there(tmp_path):
    made = {}
    exec(compile("f = lambda x: x * 2", "<stdin>", "exec"), {}, made)
    lines, places = listed(made["f"], 1.0)
    assert users_lines(made["f"], places) == []
    assert places.data[lines[1]["place"]]["short"] == "<stdin>:1"
    assert places.data[lines[1]["place"]]["code"] == ""


def test_source_that_is_no_module(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(
        "Some words:\n\n```python\ndef f(x):\n    return x * 2\n```\n", encoding="utf-8"
    )
    code = compile("\n\n\ndef f(x):\n    return x * 2\n", str(file), "exec")
    made = {"np": np}
    exec(code, made)
    assert shown(made["f"], 1.0) == ["# page.md", "def f(x):", "    return x * 2"]


def test_what_the_caller_does_is_no_part():
    program = ft.make_ir(np.sin)(1.0)
    places = Places(program.equations[0].source.code)
    assert "place" in (line := program_lines(program, places)[1])
    assert line["place"] is None
    assert places.data == []


def test_long_texts_are_cut(monkeypatch):
    monkeypatch.setattr(listing, "MOST_LINES", 3)
    lines, _ = listed(lambda x: x * x * x * x * x, 1.0)
    assert [line["text"] for line in lines[-1:]] == ["… and 3 more lines"]
    assert len(lines) == 4


@pytest.mark.parametrize("statement", ["if True:", "with np.errstate():", "try:"])
def test_functions_within_statements(tmp_path, monkeypatch, statement):
    end = "\nexcept OSError:\n    pass\n" if statement == "try:" else ""
    (tmp_path / "within.py").write_text(
        f"import numpy as np\n{statement}\n    a = 1\n    def f(x):\n        return x * 2\n{end}",
        encoding="utf-8",
    )
    made = {}
    code = (tmp_path / "within.py").read_text(encoding="utf-8")
    exec(compile(code, str(tmp_path / "within.py"), "exec"), made)
    assert shown(made["f"], 1.0) == ["# within.py", "    def f(x):", "        return x * 2"]
