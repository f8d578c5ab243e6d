"""The documentation's code runs, and prints what the documentation says."""

from __future__ import annotations

import doctest
import io
import os
import re
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import functrace

ROOT = Path(__file__).parent.parent
PACKAGE = Path(functrace.__file__).parent
DOCS = ROOT / "docs"
FILES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("guides/*.md"))]
PAGES = [*FILES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
TEXT_ONLY = {
    "decisions.md",
    "examples.md",
    "floors.md",
    "guides/index.md",
    "names.md",
    "numpy.md",
    "reference.md",
}
"""Pages that tell and run nothing."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the number of its first line."""

    language: str
    text: str
    line: int


def label(path: Path) -> str:
    """The path within docs/, or the name."""
    return path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else path.name


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in FENCE.finditer(text)
    ]


def compiled(block: Block, path: Path) -> Any:
    """The block's code, with the line numbers of the file, so that a failure points there."""
    return compile("\n" * (block.line - 1) + block.text, str(path), "exec")


def matches(printed: str, expected: str) -> bool:
    """Whether what is printed is what is expected, where ``...`` stands for anything."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, printed, options)


@pytest.mark.parametrize(
    "path", [path for path in FILES if label(path) not in TEXT_ONLY], ids=label
)
def test_the_code_in(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = blocks(path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block, following in zip(found, [*found[1:], Block("", "", 0)], strict=True):
        if block.language != "python":
            continue
        where = f"{path.name}, line {block.line}"
        if ">>>" in block.text:
            test = doctest.DocTestParser().get_doctest(
                block.text, namespace, path.name, str(path), block.line - 1
            )
            runner = doctest.DocTestRunner(
                optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            )
            report = io.StringIO()
            runner.run(test, out=report.write, clear_globs=False)
            assert not runner.summarize(verbose=False).failed, report.getvalue()
            namespace = test.globs
            continue
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compiled(block, path), namespace)
        if following.language == "text":
            text = printed.getvalue()
            assert matches(text, following.text), f"{where} prints:\n{text}"


def test_every_document_has_code_or_tells_why():
    for path in FILES:
        has_code = any(b.language == "python" for b in blocks(path))
        assert has_code == (label(path) not in TEXT_ONLY), path


@pytest.mark.parametrize("path", PAGES, ids=label)
def test_links_and_files_named_in(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target
    for name in re.findall(r"`((?:functrace|tests|docs|examples|benchmarks)/[\w/.]*)`", text):
        assert (ROOT / name).exists() or name.startswith("docs/_build"), name


def test_pages_from_elsewhere_keep_their_links():
    pages = runpy.run_path(str(ROOT / "docs" / "pages.py"))
    for source, page in pages["ELSEWHERE"].items():
        text = pages["relinked"](source.read_text(encoding="utf-8"), source.parent, page)
        for target in pages["LINK"].findall(text):
            there = Path(os.path.normpath(page.parent / target))
            assert there.exists() or there in pages["ELSEWHERE"].values(), target
    text = "[a](../CONTRIBUTING.md#tests), [b](seeing.md), [c](https://a.org/x.md)"
    found = pages["relinked"](text, ROOT / "docs", ROOT / "docs" / "index.md")
    assert found == text.replace("../CONTRIBUTING.md", "project/contributing.md")


def test_the_reference_has_every_public_name():
    pytest.importorskip("scipy")
    pages = runpy.run_path(str(ROOT / "docs" / "pages.py"))
    known: dict[int, str] = {}
    found: set[str] = set()
    for module in pages["modules"]():
        text = pages["reference"](module, known)
        home = module.__name__
        entries = re.findall(r"^\.\. py:\w+:: (\w+)|^\.\. auto\w+:: ([\w.]+)", text, re.MULTILINE)
        found |= {f"{home}.{short}" if short else full for short, full in entries}
        for name in getattr(module, "__all__", ()):
            assert f"{home}.{name}" in found or isinstance(getattr(module, name), ModuleType)
    assert {"functrace.grad", "functrace.errors.KeyReuseError"} <= found
    assert {"functrace.numpy.linalg.norm", "functrace.scipy.special.jv"} <= found
    assert set(pages["public"]()) <= found


def test_every_public_name_is_shown_by_an_example():
    pytest.importorskip("scipy")
    pages = runpy.run_path(str(ROOT / "docs" / "pages.py"))
    ours = [
        (f"{module.__name__}.{name}", value)
        for module in pages["modules"]()
        for name in pages["names"](module)
        if callable(value := getattr(module, name)) and pages["is_ours"](value, module)
    ]
    assert len(ours) > 1_200
    assert [name for name, value in ours if ">>> " not in (value.__doc__ or "")] == []


def test_the_site_has_the_page_of_a_neuron():
    pages = runpy.run_path(str(ROOT / "docs" / "pages.py"))
    source = [(ROOT / "docs" / "seeing.md").read_text(encoding="utf-8")]
    assert source[0].count(pages["EXPLORED"]) == 1
    pages["read"]("seeing", source)
    before, frame, after = source[0].split("````")
    assert frame.startswith("{raw} html\n<iframe srcdoc=")
    assert "z = w * x + b" in frame
    assert pages["EXPLORED"] not in before + after


def test_the_table_of_names_has_all_of_the_package():
    text = (DOCS / "names.md").read_text(encoding="utf-8")
    missing = [n for n in functrace.__all__ if not re.search(rf"\b(ft|functrace)\.{n}\b", text)]
    assert not missing


def test_the_pictures_of_measurements_show_what_was_measured():
    pytest.importorskip("matplotlib")
    script = runpy.run_path(str(DOCS / "performance.py"), run_name="performance")
    for picture, (name, peers) in script["PICTURES"].items():
        stamp, rows = script["ratios"](name)
        drawn = (DOCS / picture).read_text(encoding="utf-8")
        assert all(row in drawn for row in [*rows, *peers, stamp.partition(",")[0]]), picture
        assert all(set(peers) & ratios.keys() for ratios in rows.values())


def test_the_picture_of_a_neuron_is_what_is_drawn(tmp_path):
    script = runpy.run_path(str(ROOT / "docs" / "graph.py"), run_name="graph")
    script["main"](tmp_path / "graph.svg")
    drawn = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert drawn == script["PICTURE"].read_text(encoding="utf-8"), "run python docs/graph.py"
    page = (ROOT / "docs" / "seeing.md").read_text(encoding="utf-8")
    body = (ROOT / "docs" / "graph.py").read_text(encoding="utf-8")
    for line in ("z = w * x + b", "a = 1 / (1 + np.exp(-z))", "return (a - y) ** 2"):
        assert line in page
        assert line in body


@pytest.mark.slow
def test_the_picture_of_complex_numbers_shows_what_the_page_says(tmp_path):
    pytest.importorskip("matplotlib")
    script = runpy.run_path(str(ROOT / "docs" / "complex.py"), run_name="complex")
    right, up = script["columns"](script["other"], script["POINT"])
    printed = f"[[{right.real:.0f}.  {up.real:.0f}. ]\n [{right.imag} {up.imag:.0f}. ]]"
    assert printed in (ROOT / "docs" / "complex.md").read_text(encoding="utf-8")
    script["draw"]().savefig(tmp_path / "drawn.svg")
    drawn = (tmp_path / "drawn.svg").read_text(encoding="utf-8")
    kept = script["PICTURE"].read_text(encoding="utf-8")
    comments = re.compile(r"<!-- (.*?) -->")
    assert comments.findall(drawn) == comments.findall(kept), "run python docs/complex.py"
