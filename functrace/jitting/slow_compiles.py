"""What the log says of a compile that took long: how many equations, and which loop made them."""

from __future__ import annotations

import ast
import linecache
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache, partial

from functrace.ir.program import Program, Source

_logger = logging.getLogger("functrace")

LONG = 1.0
"""From so many seconds on the log says so."""

MANY = 10
"""From so many times on that a place is come to there is a loop around it."""

Loop = (
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def report_if_long(name: str, program: Program, seconds: float, called: Source | None) -> bool:
    """Log what there is to know of a compile, if it took long.

    Args:
        name: The function's name.
        program: What was recorded.
        seconds: How long recording and compiling took.
        called: Where the jitted function was called: what rules of derivatives do is done there.

    Returns:
        Whether it took long.
    """
    if seconds < LONG:
        return False
    parts = (program, *program.nested())
    sources = [e.source for part in parts for e in part.equations]
    message = "%s took %.1f seconds to compile; its Program has %s equations."
    counts: Counter[tuple[str, int]] = Counter()
    line_of_loop = cache(partial(_line_of_loop, cache(_module)))
    for source, count in _often(parts):
        if called is None or source.code is not called.code:
            line = line_of_loop(source.file, source.line)
            if line is not None:
                counts[source.file, line] += count
    for (file, line), count in counts.most_common(1):
        if 2 * count > len(sources):
            message += (
                f" Most come from the loop at {file}:{line}, of which each trip was "
                "recorded: write it as functrace.scan (or fori_loop, while_loop, map), which "
                "records one."
            )
    _logger.warning(message, name, seconds, f"{len(sources):,}")
    return True


def _often(parts: Sequence[Program]) -> Iterator[tuple[Source, int]]:
    """The places that are come to again and again, with the number of their equations.

    What one call of a function records is at one place, however long it is: its loops are not the
    user's.
    """
    known: dict[Hashable, Source] = {}
    counts: Counter[Hashable] = Counter()
    times: Counter[Hashable] = Counter()
    for part in parts:
        before = None
        for equation in part.equations:
            source = equation.source
            if source is None:
                continue
            # By the identity of the code: a hash of all of it would take longer than the rest.
            place = id(source.code), source.instruction, source.scope
            known[place] = source
            counts[place] += 1
            times[place] += before is None or before[0] != place or before[1] is equation.primitive
            before = place, equation.primitive
    return ((known[place], counts[place]) for place, often in times.items() if often >= MANY)


def _module(file: str) -> ast.Module:
    """The syntax of a file; that of nothing, if it has none."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return ast.Module([], [])


def _line_of_loop(read: Callable[[str], ast.Module], file: str, place: int) -> int | None:
    """The line of the Python loop around a place, or around calls of the function it is in."""
    module = read(file)
    lines = [place]
    seen: set[str] = set()
    while lines:
        callers: set[str] = set()
        for line in lines:
            function = _smallest_around(module, line, Function) or module
            loop = _smallest_around(function, line, Loop)
            if loop is not None:
                return loop.lineno
            callers.update(_names_of(module, function))
        callers -= seen
        seen |= callers
        lines = [call.lineno for call in _calls_of(module, callers)]
    return None


def _smallest_around(
    node: ast.AST, line: int, kinds: tuple[type[ast.AST], ...]
) -> ast.expr | ast.stmt | None:
    """The smallest part of a node that is of these kinds and has the line in it."""
    around = [
        part
        for part in ast.walk(node)
        if isinstance(part, kinds)
        and isinstance(part, ast.expr | ast.stmt)
        and part is not node
        and part.lineno <= line <= (part.end_lineno or part.lineno)
    ]
    return min(around, key=lambda part: (part.end_lineno or 0) - part.lineno, default=None)


def _names_of(module: ast.Module, function: ast.AST) -> Iterator[str]:
    """The names of a function: that of its definition, or those that a lambda is given."""
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        yield function.name
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and node.value is function:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id


def _calls_of(module: ast.Module, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", None)
            if name in names:
                yield node
