"""What the site shows beside the files of docs/: the reference, and the checkout's other pages.

They are written into docs/reference/ and docs/project/, where Sphinx finds them; `conf.py` calls
this. The reference has a page for each module that users import, and on it each public name.
"""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

import importlib
import inspect
import os
import re
import runpy
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

import functrace

HERE = Path(__file__).parent
ROOT = HERE.parent
REFERENCE = HERE / "reference"
LESSONS = HERE / "lessons"
ELSEWHERE = {
    ROOT / "CONTRIBUTING.md": HERE / "project" / "contributing.md",
    ROOT / "SECURITY.md": HERE / "project" / "security.md",
    ROOT / "CHANGELOG.md": HERE / "project" / "changelog.md",
    ROOT / "benchmarks" / "README.md": HERE / "project" / "benchmarks.md",
}
"""Pages that stand outside of docs/, and where they stand in the site."""

LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")


def digest() -> str:
    """What tells functrace's sources from others: by them the outputs of lessons are known."""
    found = sha256()
    for file in sorted(Path(functrace.__file__).parent.rglob("*")):
        if file.suffix in (".py", ".js", ".css", ".html"):
            found.update(file.read_bytes())
    return found.hexdigest()[:16]


def relinked(text: str, home: Path, place: Path) -> str:
    """The text of a page of the folder `home`, with links as they are from the page `place`."""

    def link(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(home / match[1]))
        target = ELSEWHERE.get(target, target)
        return f"]({Path(os.path.relpath(target, place.parent)).as_posix()}"

    return LINK.sub(link, text)


def put(path: Path, text: str) -> None:
    """Write a page, unless it is there as it is: Sphinx reads what is new."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def modules(module: ModuleType = functrace) -> Iterator[ModuleType]:
    """The modules that users import, each before those that it names."""
    yield module
    for name in names(module):
        inner = getattr(module, name)
        if isinstance(inner, ModuleType) and inner.__name__ == f"{module.__name__}.{name}":
            yield from modules(inner)


def names(module: ModuleType) -> list[str]:
    """The public names of a module.

    They are those of its ``__all__``. Where it has none, they are what it defines itself; and of a
    module that stands in for another library's, which may use more of itself, what that has too.
    """
    if hasattr(module, "__all__"):
        return sorted(set(module.__all__))
    own = (n for n in sorted(dir(module)) if n[0] != "_" and is_ours(getattr(module, n), module))
    return [name for name in own if is_of_scipy(module, name)]


def public() -> Iterator[str]:
    """All public names, whole."""
    for module in modules():
        for name in names(module):
            if not isinstance(getattr(module, name), ModuleType):
                yield f"{module.__name__}.{name}"


def is_ours(value: Any, module: ModuleType) -> bool:
    """Whether a value is one of this module's, or of its room's."""
    home = getattr(value, "__module__", None) or ""
    is_room = hasattr(module, "__path__")
    return home == module.__name__ or (is_room and home.startswith(f"{module.__name__}."))


def is_of_scipy(module: ModuleType, name: str) -> bool:
    """Whether SciPy's module has the name; True for a module that stands in for none of SciPy's."""
    home = module.__name__.removeprefix("functrace.")
    return not home.startswith("scipy") or hasattr(importlib.import_module(home), name)


def original(value: Any) -> str | None:
    """Whose a value is, where it or what is written about it is NumPy's, SciPy's or Python's."""
    home = getattr(value, "__module__", None) or type(value).__module__
    library = home.partition(".")[0]
    if library in LIBRARIES:
        return LIBRARIES[library]
    name = getattr(value, "__name__", "").rpartition(".")[2]
    document = inspect.getdoc(value) or ""
    for module in ("numpy", "numpy.linalg", "numpy.fft", "numpy.polynomial", "math"):
        namesake = getattr(importlib.import_module(module), name, None)
        if namesake is not None and inspect.getdoc(namesake) == document:
            return LIBRARIES[module.partition(".")[0]]
    return None


LIBRARIES = {"numpy": "NumPy's", "scipy": "SciPy's", "math": "Python's"}


def summary(value: Any) -> str:
    """What another library says first of a function, but for how it is called."""
    paragraphs = (inspect.getdoc(value) or "").split("\n\n")
    first = next((text for text in paragraphs if not re.match(r"\w+\(", text)), "")
    return re.sub(r"([*`|\\_])", r"\\\1", " ".join(first.split()))


def signature(value: Any) -> str:
    """How a function is called, as far as Python knows."""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return "(...)"
    return "(...)" if "<" in text else text


def entry(module: ModuleType, name: str, known: dict[int, str]) -> str:
    """The lines that document a name; of one that is `known` by another, which that is."""
    value, full = getattr(module, name), f"{module.__name__}.{name}"
    kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
    if kind == "data":
        return settings(name) if value is functrace.config else constant(full, value)
    if id(value) in known:
        return f".. py:{kind}:: {name}{signature(value)}\n\n   As `{known[id(value)]}`.\n"
    known[id(value)] = full
    whose = original(value)
    if whose:
        text = f"{whose}: {summary(value)}"
        return f".. py:{kind}:: {name}{signature(value)}\n\n   {text}\n"
    return f".. auto{kind}:: {full}\n" + ("   :members:\n" if kind == "class" else "")


def constant(full: str, value: Any) -> str:
    """The lines that document what is no function."""
    name, home = full.rpartition(".")[2], type(value).__module__
    if home.startswith("functrace") and not full.startswith("functrace.numpy."):
        return f".. autodata:: {full}\n   :no-value:\n"
    value = f"   :value: {value}\n" if isinstance(value, int | float | str) else ""
    return f".. py:data:: {name}\n{value}\n   {CONSTANTS.get(full, '')}\n"


CONSTANTS = {
    "functrace.extend.PRIMITIVES": "Every primitive by its name: a dict.",
    "functrace.testing.CHECKS": "What `check_primitive` looks at: a tuple of names.",
}


def settings(name: str) -> str:
    """The lines that document ``functrace.config``, whose attributes are those of its class."""
    kind = type(functrace.config)
    text = (inspect.getdoc(kind) or "").partition("Example:")[0]
    parts = [f".. py:data:: {name}\n\n{indent(text, '   ')}"]
    for attribute, value in vars(kind).items():
        if attribute[0] != "_":
            text = (inspect.getdoc(value) or "").partition("\n\nArgs:")[0]
            parts.append(f".. py:attribute:: {name}.{attribute}\n\n{indent(text, '   ')}\n")
    return "\n".join(parts)


def reference(module: ModuleType, known: dict[int, str]) -> str:
    """The page of a module."""
    title = module.__name__
    parts = [f"{title}\n{'=' * len(title)}\n"]
    if original(module):
        parts += [f".. py:module:: {title}\n", summary(module) + "\n"]
    else:
        parts += [f".. automodule:: {title}\n"]
    inner = [name for name in names(module) if isinstance(getattr(module, name), ModuleType)]
    own = [name for name in names(module) if name not in inner]
    listed = (f":py:obj:`{name} <{title}.{name}>`" for name in own)
    if own:
        parts += [f".. rst-class:: names\n\n{' '.join(listed)}\n"]
    parts += [entry(module, name, known) for name in own]
    return "\n".join(parts)


def write() -> None:
    """Write the pages."""
    for source, page in ELSEWHERE.items():
        put(page, relinked(source.read_text(encoding="utf-8"), source.parent, page))
    known: dict[int, str] = {}
    texts = {f"{module.__name__}.rst": reference(module, known) for module in modules()}
    for name, text in texts.items():
        put(REFERENCE / name, text)
    for page in REFERENCE.iterdir():
        if page.name not in texts:
            page.unlink()  # of a module that is no more


OTHER = {"en": ("es", "en español"), "es": ("en", "in English")}


EXPLORED = "<!-- page of a neuron -->"
"""Where the site has the page that `functrace.explore` makes."""


def read(name: str, source: list[str]) -> None:
    """Change the text of a page as Sphinx reads it: its links; a lesson's other language; pages."""
    page = HERE / f"{name}.md"
    if not page.exists():
        return
    source[0] = relinked(source[0], page.parent, page)
    if EXPLORED in source[0]:
        neuron = runpy.run_path(str(HERE / "graph.py"))["loss"]
        frame = functrace.explore(neuron)(0.5, -0.25)._repr_html_()
        source[0] = source[0].replace(EXPLORED, f"````{{raw}} html\n{frame}\n````")
    if page.parent.parent == LESSONS and page.name[0].isdigit():
        language, words = OTHER[page.parent.name]
        other = f"[{words}](../{language}/{page.name})"
        notebook = f'<a href="{page.stem}.ipynb" download>{page.stem}.ipynb</a>'
        title = re.compile(r"^# .*$", re.MULTILINE)
        source[0] = title.sub(rf"\g<0>\n\n{other} · {notebook}", source[0], count=1)
