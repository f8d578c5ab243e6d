"""What the site shows beside the files of docs/: pages of the checkout's other files.

They are written into docs/project/, where Sphinx finds them; `conf.py` calls this.
"""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

import os
import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
ELSEWHERE = {
    ROOT / "CONTRIBUTING.md": HERE / "project" / "contributing.md",
    ROOT / "SECURITY.md": HERE / "project" / "security.md",
    ROOT / "CHANGELOG.md": HERE / "project" / "changelog.md",
    ROOT / "benchmarks" / "README.md": HERE / "project" / "benchmarks.md",
}
"""Pages that stand outside of docs/, and where they stand in the site."""

LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")


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


def write() -> None:
    """Write the pages."""
    for source, page in ELSEWHERE.items():
        put(page, relinked(source.read_text(encoding="utf-8"), source.parent, page))


def read(name: str, source: list[str]) -> None:
    """Change the text of a page as Sphinx reads it."""
    page = HERE / f"{name}.md"
    source[0] = relinked(source[0], page.parent, page)
