"""What became of a function: line by line, with the reasons for what was decided on the way.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from functrace.backends.backend import NATIVE, backend_named
from functrace.control.loops import unrolled
from functrace.errors import ArgumentError, FunctraceError, UnknownValueError
from functrace.ir.program import DIVISION, Program, Source, equation_texts, short_place
from functrace.jitting.jit import jit
from functrace.jitting.recordings import Reason
from functrace.jitting.stages import Lowered
from functrace.texts import html_table
from functrace.tracebacks import boundary
from functrace.tracing.expressions import LoopNode, loop_around
from functrace.tracing.places import source_of
from functrace.transforms.transformed import require_callable, transformed

MOST_TEXTS = 6
"""How many equations or statements of one line are printed."""


class LineStory(NamedTuple):
    """What a line of the user's became.

    Attributes:
        file: The file.
        line: The number of the line.
        text: What stands there.
        recorded: The equations that were recorded, for the way back too.
        simplified: Those that were left.
        source: The statements of the source that runs.
    """

    file: str
    line: int
    text: str
    recorded: tuple[str, ...]
    simplified: tuple[str, ...]
    source: tuple[str, ...]

    @property
    def place(self) -> str:
        """The file's name and the line."""
        return short_place(self.file, self.line)


class Unrolled(NamedTuple):
    """A loop whose trips were recorded, or run, one by one.

    Attributes:
        place: The file's name and the line.
        text: The line.
        trips: How many trips were recorded; None where it ran on values.
        why: What decided.
    """

    place: str
    text: str
    trips: int | None
    why: str


class Explanation:
    """What became of a function, which prints and shows itself.

    Attributes:
        lines: The user's lines, in the order of the file.
        loops: The loops that were unrolled.
        recordings: Of a jitted function, why it was recorded, each time.
        machine_code: What machine code computes, and what NumPy does in its place, and why.
        failure: Why it cannot be recorded, so that nothing becomes of it; else None.
    """

    def __init__(
        self,
        name: str,
        lines: Sequence[LineStory],
        loops: Sequence[Unrolled],
        recordings: Sequence[Reason],
        machine_code: Sequence[str],
        failure: str | None,
    ) -> None:
        self.name = name
        self.lines = list(lines)
        self.loops = list(loops)
        self.recordings = list(recordings)
        self.machine_code = list(machine_code)
        self.failure = failure

    def _remarks(self) -> Iterator[tuple[str, list[str]]]:
        if self.failure:
            yield "not recorded", [self.failure]
        if self.recordings:
            yield (
                "recordings",
                [f"{number}. {one.why}" + (f" (called at {one.place})" if one.place else "")
                 for number, one in enumerate(self.recordings, 1)],
            )  # fmt: skip
        if self.loops:
            found: list[str] = []
            for loop in self.loops:
                trips = "" if loop.trips is None else f", {loop.trips} trips"
                found.append(f"{loop.place}  {loop.text}{trips}: {loop.why}")
            yield "loops that were unrolled", found
        if self.machine_code:
            yield "machine code", self.machine_code

    def __str__(self) -> str:
        parts = [f"what became of {self.name}"]
        for story in self.lines:
            parts += ["", f"{story.place}  {story.text}"]
            for title in ("recorded", "simplified", "source"):
                texts = _cut(getattr(story, title))
                parts += [
                    f"  {title if not number else '':<12}{text}"
                    for number, text in enumerate(texts or ["(nothing)"])
                ]
        for title, texts in self._remarks():
            parts += ["", f"{title}:", *(f"  {text}" for text in texts)]
        return "\n".join(parts) + "\n"

    def __repr__(self) -> str:
        state = "not recorded" if self.failure else f"{len(self.lines)} lines"
        return f"<explanation of {self.name}: {state}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{story.place}\n{story.text}",
                "\n".join(story.recorded),
                "\n".join(story.simplified),
                "\n".join(story.source),
            )
            for story in self.lines
        ]
        table = html_table(("line", "recorded", "simplified", "source"), rows)
        remarks = "".join(
            html_table((title,), [(text,) for text in texts]) for title, texts in self._remarks()
        )
        return f'<div style="white-space:pre-wrap">{table if rows else ""}{remarks}</div>'


def _cut(texts: Sequence[str]) -> list[str]:
    more = len(texts) - MOST_TEXTS
    return [*texts] if more <= 1 else [*texts[:MOST_TEXTS], f"... and {more} more"]


@boundary
def explain(f: Callable[..., Any]) -> Callable[..., Explanation]:
    """Make a function that tells what becomes of ``f``.

    Args:
        f: A function of trees of arrays; one under `jit`, perhaps, or `grad`.

    Returns:
        A function of the arguments of ``f`` that returns an `Explanation`, which prints: for each
        line of yours the equations that are recorded, what simplification leaves of them, and
        the NumPy source; of a jitted function why it was recorded, each time: which argument's
        shape or dtype, or which static argument, was another one; which loops were unrolled, and
        what decided how many trips there are; and what machine code does not compute, and why.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def f(x, n=2):
        ...     for _ in range(n):
        ...         x = np.sin(x) * 1
        ...     return x
        >>> explained = ft.explain(f)(np.ones(3))
        >>> explained.loops[0].trips
        2
    """
    require_callable(f, "explain")

    @transformed(f, explain)
    @boundary
    def explained(*args: Any, **kwargs: Any) -> Explanation:
        name = getattr(f, "__name__", "a function")
        is_jitted = hasattr(f, "why_recorded")
        function: Any = f if is_jitted else jit(f)
        noted: list[Any] = []
        before = unrolled.set(noted)
        lowered: Lowered[Any] | None = None
        failure = None
        try:
            try:
                lowered = function.lower(*args, **kwargs)
            except UnknownValueError as error:
                failure = str(error)
                if not is_jitted:
                    f(*args, **kwargs)  # on values, as the function is called
        finally:
            unrolled.reset(before)
        loops = [_as_noted(place, error) for place, error in noted]
        lines: list[LineStory] = []
        machine: list[str] = []
        if lowered is not None:
            compiled = lowered.compile()
            known = _Names(f, args, kwargs)
            loops += _python_loops(lowered.program, compiled.program, known)
            lines = _stories(lowered.program, compiled.program, compiled.source)
            machine = _machine_code(function, args, kwargs)
        reasons = function.why_recorded() if is_jitted else []
        return Explanation(name, lines, loops, reasons, machine, failure)

    return explained


def _stories(recorded: Program, simplified: Program, source: str) -> list[LineStory]:
    found: defaultdict[tuple[str, int], tuple[list[str], list[str], list[str]]]
    found = defaultdict(lambda: ([], [], []))
    places: dict[str, tuple[str, int]] = {}
    for column, program in enumerate((recorded, simplified)):
        for where, text in _equations(program):
            place = where.file, where.line
            places[where.short] = place
            found[place][column].append(text)
    for statement in source.split("\n"):
        code, mark, where = statement.strip().rpartition("  # ")
        if mark and where in places:
            found[places[where]][2].append(code)
    return [
        LineStory(file, line, linecache.getline(file, line).strip(), *map(tuple, texts))
        for (file, line), texts in sorted(found.items())
    ]


def _equations(program: Program) -> Iterator[tuple[Source, str]]:
    """The equations with their places, and below one those of the Programs that it holds."""
    texts = equation_texts(program)
    for equation, text in zip(program.equations, texts, strict=True):
        if equation.source is not None:
            yield equation.source, text
        for inner in equation.programs:
            yield from _equations(inner)


def _machine_code(function: Any, args: Any, kwargs: Any) -> list[str]:
    """What is machine code, or would be; and what is not, and why."""
    try:
        backend_named(NATIVE)
    except ArgumentError as error:
        return [error.what]
    text: str = function.explain(*args, **kwargs)
    first = []
    if "machine code, " not in text and "NumPy: " not in text:
        first = [line for line in text.splitlines() if line]
        _, inner, options = function.made_by
        options: dict[str, Any] = {**options, "backend": NATIVE}
        try:
            native: Any = jit(inner, **options)
            text = native.explain(*args, **kwargs)
        except FunctraceError as error:
            return [*first, error.what]
        first.append("compiled to machine code it would be:")
    kept = ("machine code, ", "NumPy: ", "There is no", "This stays", "Machine code is on trial")
    return [*first, *(line for line in text.splitlines() if line.startswith(kept))]


# Loops


def _as_noted(place: Any, error: Exception) -> Unrolled:
    """A loop of functrace's that was run trip by trip, since its functions ask for values."""
    source = source_of(place)
    why = error.what if isinstance(error, FunctraceError) else f"{type(error).__name__}: {error}"
    text = "" if source is None else linecache.getline(source.file, source.line).strip()
    return Unrolled(
        "" if source is None else source.short, text, None,
        f"its function cannot be recorded, and is called for each trip. {why}",
    )  # fmt: skip


class _Names:
    """What the names in a function stand for, in words, as far as they are known."""

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        function: Any = inspect.unwrap(f)
        self.code = getattr(function, "__code__", None)
        self.values: dict[str, Any] = {}
        if self.code is None:
            return
        variables = inspect.getclosurevars(function)
        self.values = {**variables.globals, **variables.nonlocals}
        try:
            bound = inspect.signature(function).bind(*args, **kwargs)
        except TypeError:
            return
        bound.apply_defaults()
        self.values |= bound.arguments

    def in_words(self, expression: ast.expr) -> str:
        """The values of the names in an expression."""
        found: dict[str, str] = {}
        for node in ast.walk(expression):
            if isinstance(node, ast.Name) and node.id in self.values:
                value = self.values[node.id]
                if isinstance(value, bool | int | float | str):
                    found[node.id] = f"{node.id} = {value!r}"
                elif isinstance(value, np.ndarray):
                    found[node.id] = f"{node.id} has the shape {value.shape}"
                elif isinstance(value, list | tuple | dict):
                    found[node.id] = f"{node.id} has {len(value)} elements"
        return ", ".join(found.values())


def _python_loops(program: Program, simplified: Program, names: _Names) -> list[Unrolled]:
    """Python's loops whose trips stand in a Program one after the other."""
    trips: defaultdict[tuple[str, LoopNode], int] = defaultdict(int)
    within = _places_within(simplified) - _places_within(program)
    again: set[LoopNode] = set()
    for part in (program, *program.nested()):
        counts: Counter[tuple[Source, str]] = Counter()
        first: dict[Source, str] = {}
        for equation in part.equations:
            source = equation.source and equation.source.bare
            if source is not None and equation.handling is not DIVISION:  # of no derivative rule
                name = first.setdefault(source, equation.primitive.name)
                counts[source, name] += equation.primitive.name == name
        for (source, _), count in counts.items():
            loop = loop_around(source) if count > 1 else None
            if loop is not None:
                trips[source.file, loop] = max(trips[source.file, loop], count)
                again |= {loop} if source in within else set()
    return [
        Unrolled(
            short_place(file, loop.lineno),
            linecache.getline(file, loop.lineno).strip(),
            count,
            _who_decided(loop, names) + "; compiled, it is a loop again" * (loop in again),
        )
        for (file, loop), count in trips.items()
    ]


def _places_within(program: Program) -> set[Source | None]:
    """The places of what is done in loops, choices and calls."""
    equations = (equation for inner in program.nested() for equation in inner.equations)
    return {equation.source and equation.source.bare for equation in equations}


def _who_decided(loop: LoopNode, names: _Names) -> str:
    if isinstance(loop, ast.While):
        return f"`{ast.unparse(loop.test)}` was known when it was recorded"
    iterated = loop.iter if isinstance(loop, ast.For) else loop.generators[0].iter
    values = names.in_words(iterated)
    decided = f"Python goes over `{ast.unparse(iterated)}`" + (
        f", where {values}" if values else ""
    )
    return f"{decided}; functrace.scan and fori_loop record one trip"
