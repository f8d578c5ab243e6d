"""Pages of HTML that show what becomes of a function."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable
from functools import cached_property
from html import escape
from importlib.resources import files
from os import PathLike
from typing import Any, ParamSpec

import numpy as np

from functrace.backends.compiling import compiled, simplified
from functrace.drawing.pictures import name_of
from functrace.errors import ArgumentError
from functrace.exploring.listing import Places, program_lines, source_lines, users_lines
from functrace.exploring.recording import Explored, Path, explored, is_call
from functrace.exploring.values import (
    MOST_COMPUTED,
    MOST_NUMBERS,
    MOST_SHOWN,
    Data,
    array_data,
    computed_in,
    numbers_in,
    program_data,
)
from functrace.tracebacks import boundary
from functrace.tracing.places import user_place
from functrace.transforms.transformed import require_callable, transformed

P = ParamSpec("P")


class Page:
    """A page that shows what becomes of a function, which shows itself in notebooks.

    Attributes:
        title: What the function is called.
        data: What the page knows, as JSON can write it.
    """

    def __init__(self, title: str, data: Data) -> None:
        self.title = title
        self.data = data

    def __repr__(self) -> str:
        return f"<page that explores {self.title}: {len(self.data['steps'])} steps>"

    @cached_property
    def html(self) -> str:
        """The page, which needs nothing from anywhere else."""
        room = files("functrace.exploring")
        # Within a script nothing but "<" ends it, or begins a comment.
        data = json.dumps(self.data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        parts = {
            "title": escape(self.title),
            "data": data,
            **{name: _text(room / name) for name in ("page.css", "evaluate.js", "page.js")},
        }
        return re.sub(r"\{\{(.+?)\}\}", lambda found: parts[found[1]], _text(room / "page.html"))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file.

        Raises:
            ArgumentError: Its name does not end in ``.html``.
        """
        file = pathlib.Path(path)
        if file.suffix.lower() not in (".html", ".htm"):
            raise ArgumentError(f"A page is saved as .html, not as {file.name!r}.")
        file.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        # A frame of its own, so that neither styles nor scripts meet those of the notebook.
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self.title)}" '
            'sandbox="allow-scripts" '
            'style="width:100%;height:50rem;border:1px solid #8886"></iframe>'
        )


def _text(file: Any) -> str:
    return file.read_text(encoding="utf-8")


@boundary
def explore(f: Callable[P, Any]) -> Callable[P, Page]:
    """Make a page on which one sees what becomes of a function.

    Beside the function's source stand the Program that is recorded of it, the Program of its
    gradient, what simplification makes of that, and the NumPy source that is compiled. A line that
    is pointed at lights up all that it became. A slider goes through the forward values f and
    then through the backward values g, the derivatives of the result by each f. The numbers of
    the arguments can be edited; the page computes small Programs itself.

    Args:
        f: A function of trees of arrays. What is neither an array nor a number, such as a string,
            is handed on as it is. Where Python asks for a value (``if x > 0:``), the page shows
            what was done for these values, and says so. Where there are several results, or one
            that is no single number, it asks by which number the derivatives are to be taken.

    Returns:
        A function of the same arguments that returns a page: a single file with all that it needs,
        written by ``save``; it shows itself in a notebook.

    Raises:
        ArgumentError: No argument is an array or a number.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def loss(w, x, y):
        ...     return np.sum((np.tanh(x @ w) - y) ** 2)
        >>> ft.explore(loss)(np.ones(2), np.ones((3, 2)), np.zeros(3))
        <page that explores loss: 5 steps>
    """
    require_callable(f, "explore")

    @transformed(f, explore)
    @boundary
    def page(*args: P.args, **options: P.kwargs) -> Page:
        place = user_place(1)
        name = name_of(f)
        caller = None if place is None else place[0]
        return Page(name, page_data(f, name, explored(f, args, options), Places(caller)))

    return page


def page_data(f: Callable[..., Any], name: str, found: Explored, places: Places) -> Data:
    """All that a page knows of a function."""
    program, gradient = found.program, found.gradient
    recorded = program_lines(program, places)
    letters = [variable.name for variable in program.inputs]
    panes = [{"title": "Program", "lines": recorded}]
    last, written = program, []
    if gradient is not None:
        last = gradient.program
        panes.append({"title": "Program of the gradient", "lines": program_lines(last, places)})
        written = [getattr(atom, "name", "") for atom in gradient.whole.outputs]
    simple = simplified(last, "numpy")
    panes.append({"title": "Simplified", "lines": program_lines(simple, places)})
    source = str(compiled(last, name=name, backend="numpy").source)
    panes.append({"title": "NumPy source", "lines": source_lines(source, places)})

    def backward(key: Path | int) -> Data:
        """The backward values of a step, where they are computed, and what they are called."""
        if gradient is None or key not in gradient.numbers:
            return {}
        numbers = gradient.numbers[key]
        return {
            "outputs": numbers,
            "gradients": [None if n is None else array_data(gradient.values[n]) for n in numbers],
            "written": [None if n is None else written[n] for n in numbers],
        }

    steps: list[Data] = []
    for number, line in enumerate(recorded):
        if "path" in line:
            path = tuple(map(int, line["path"].split(".")))
            values = [*map(array_data, found.values[path])]
            steps.append({"line": number, "values": values, **backward(path)})
    reason = _reason(found)
    most = MOST_SHOWN if reason else MOST_NUMBERS
    return {
        "title": name,
        "isDecided": found.is_decided,
        "hasGradient": gradient is not None,
        "source": users_lines(f, places),
        "panes": panes,
        "places": places.data,
        "steps": steps,
        "inputs": [
            {"name": x.name, "letter": letter, "value": array_data(x.value, most), **backward(n)}
            for n, (x, letter) in enumerate(zip(found.inputs, letters, strict=True))
        ],
        "choices": _choices(found),
        "seeds": [] if gradient is None else [array_data(x, most) for x in gradient.seeds],
        "reason": reason,
        "program": None if reason else program_data(program, is_call),
        "gradient": program_data(gradient.whole, is_call) if gradient and not reason else None,
    }


def _reason(found: Explored) -> str:
    """Why the page cannot compute what is explored; empty if it may be able to."""
    programs = [found.program, *([] if found.gradient is None else [found.gradient.whole])]
    held, made = max(map(numbers_in, programs)), max(map(computed_in, programs))
    if held > MOST_NUMBERS:
        return f"there are {held:,} numbers in arguments and constants, of at most {MOST_NUMBERS:,}"
    if made > MOST_COMPUTED:
        return f"{made:,} numbers are computed, of at most {MOST_COMPUTED:,}"
    return ""


def _choices(found: Explored) -> list[Data]:
    """By which numbers the derivatives can be taken, where there are several."""
    gradient = found.gradient
    if gradient is None:
        return []
    choices: list[Data] = []
    for number, (seed, output) in enumerate(zip(gradient.seeds, gradient.outputs, strict=False)):
        for element, index in enumerate(np.ndindex(np.shape(seed))):
            label = found.results[output] + (f"[{', '.join(map(str, index))}]" if index else "")
            choices.append({"label": label, "seed": number, "element": element})
            if len(choices) == MOST_SHOWN:
                return choices
    return choices
