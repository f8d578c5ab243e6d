"""Texts with their places: the lines of Programs, of generated source, and of the user's files."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import CodeType
from typing import Any

from functrace.drawing.graphs import are_last
from functrace.exploring.recording import Path, is_call
from functrace.exploring.values import Data
from functrace.ir.program import Equation, Printer, Program, Source, held_programs, titled_programs
from functrace.ir.structure import structure_of
from functrace.tracing.expressions import assigned_at, expression_at

MOST_LINES = 2000
"""Longer texts are cut."""


class Places:
    """The places in the user's code, each once.

    Attributes:
        data: Of each place what the page is told.
        sources: The places themselves.
    """

    def __init__(self, caller: CodeType | None) -> None:
        """Begin without places.

        Args:
            caller: The code that asks for the page. What is done there is no part of the function.
        """
        self._caller = caller
        self.data: list[Data] = []
        self.sources: list[Source] = []
        self._numbers: dict[tuple[CodeType, int], int] = {}
        self._by_name: dict[str, int] = {}

    def number(self, source: Source | None) -> int | None:
        """The number of a place."""
        if source is None or source.code is self._caller:
            return None
        key = source.code, source.instruction
        if key not in self._numbers:
            number = self._numbers[key] = len(self.data)
            place = (source.code, source.instruction)
            written = expression_at(place)
            self.data.append({
                "line": f"{source.file}:{source.line}",
                "short": source._replace(scope="").short,
                "number": source.line,
                "code": "" if written is None else ast.unparse(written),
                "name": assigned_at(place) or "",
                "columns": _columns(source),
            })  # fmt: skip
            self.sources.append(source)
            self._by_name.setdefault(source._replace(scope="").short, number)
        return self._numbers[key]

    def named(self, short: str) -> int | None:
        """The number of a place on a line that is called so, if there is one."""
        return self._by_name.get(short)


def _columns(source: Source) -> tuple[int, int] | None:
    """Where on its line the expression at a place stands; None where it is on several."""
    if source.instruction < 0:
        return None
    found = next(islice(source.code.co_positions(), source.instruction // 2, None), (None,) * 4)
    first, last, start, stop = found
    if first is None or first != last or start is None or stop is None:
        return None
    line = linecache.getline(source.file, first).encode()
    return len(line[:start].decode(errors="replace")), len(line[:stop].decode(errors="replace"))


def program_lines(program: Program, places: Places) -> list[Data]:
    """The lines of a Program; with the path of each equation that is a step."""
    printer = Printer(sources=False)

    def definition(title: str, program: Program, path: Path | None, indent: str) -> Iterator[Data]:
        printer.forget(program)
        inputs = ", ".join(f"{printer.name(v)}: {v.type}" for v in program.inputs)
        yield {"text": f"{indent}def {title}({inputs}):"}
        inner = indent + "    "
        lasts = are_last((places.number(e.source), e.primitive) for e in program.equations)
        for number, (equation, is_last) in enumerate(zip(program.equations, lasts, strict=True)):
            here = None if path is None else (*path, number)
            for atom in equation.inputs:
                printer.atom(atom)  # named before what is in the Programs
            for name, held in _held(equation):
                yield from definition(name, held, here if is_call(equation) else None, inner)
            line: Data = {
                "text": inner + printer.line(equation),
                "place": places.number(equation.source),
            }
            if here is not None and equation.outputs:
                line["path"] = ".".join(map(str, here))
                line["names"] = [printer.name(v) for v in equation.outputs]
                if not is_last:  # the name of the place is not its own
                    line["isPart"] = True
            if equation.source is not None and equation.source.scope:
                line["scope"] = equation.source.scope
            yield line
        outputs = ", ".join(map(printer.atom, program.outputs))
        yield {"text": f"{inner}return {outputs if len(program.outputs) == 1 else f'({outputs})'}"}

    return _cut(definition("program", program, (), ""))


def _held(equation: Equation) -> Iterator[tuple[str, Program]]:
    """The Programs that an equation runs, under the names that these have in the text."""
    yield from titled_programs(equation.params)
    if not any(map(held_programs, equation.params.values())):
        structure = structure_of(equation) if equation.primitive.holds_programs else None
        if structure is not None:  # what has a rule of the user's
            function = getattr(equation.params.get("function"), "name", equation.primitive.name)
            for program in structure.programs:
                yield str(function), program


_BESIDE = re.compile(r"  # (?P<place>\S.*?:\d+)( in (?P<scope>\S+))?$")


def source_lines(text: str, places: Places) -> list[Data]:
    """The lines of generated source, whose places stand beside them."""

    def lines() -> Iterator[Data]:
        for line in text.rstrip("\n").split("\n"):
            found = _BESIDE.search(line)
            if found is None:
                yield {"text": line}
            else:
                yield {"text": line[: found.start()], "place": places.named(found["place"])}

    return _cut(lines())


def _cut(lines: Iterator[Data]) -> list[Data]:
    found = [*islice(lines, MOST_LINES)]
    left = sum(1 for _ in lines)
    return [*found, {"text": f"… and {left:,} more lines"}] if left else found


def users_lines(f: Callable[..., Any], places: Places) -> list[Data]:
    """The user's functions: the one that is explored, and those at whose lines something is done.

    Of a function whose file cannot be read there are none.
    """
    codes = [source.code for source in places.sources]
    own = _code_of(f)
    wanted: dict[str, set[int]] = {}
    for code in codes if own is None else [own, *codes]:
        wanted.setdefault(code.co_filename, set()).add(code.co_firstlineno)
    for source in places.sources:
        wanted[source.file].add(source.line)
    found: list[Data] = []
    for file, numbers in wanted.items():
        lines = [line.rstrip("\n") for line in linecache.getlines(file)]
        try:
            body = ast.parse("\n".join(lines)).body
        except (SyntaxError, ValueError):  # a page with code in it, for example
            body = None
        parts = _merged(
            [_around(lines, body, number) for number in numbers if number <= len(lines)]
        )
        title = f"# {file.replace(chr(92), '/').rpartition('/')[2]}"
        for number, (first, last) in enumerate(parts):
            found.append({"text": "…" if number else title})
            found += [
                {"text": text, "number": at, "line": f"{file}:{at}"}
                for at, text in enumerate(lines[first - 1 : last], first)
            ]
    return _cut(iter(found))


def _code_of(f: Any) -> CodeType | None:
    """The code of a function, of what a function is made of, or of an object that can be called."""
    f = inspect.unwrap(f)
    while hasattr(f, "func"):
        f = inspect.unwrap(f.func)
    code = getattr(f, "__code__", None)
    if code is None and not inspect.isclass(f):
        code = getattr(type(f).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _around(lines: Sequence[str], body: list[ast.stmt] | None, number: int) -> tuple[int, int]:
    """The first and the last line of the function, or statement, that a line is in."""
    if body is None:
        try:
            block = inspect.getblock([line + "\n" for line in lines[number - 1 :]])
        except (tokenize.TokenError, SyntaxError, IndexError):
            return number, number
        return number, number + max(len(block), 1) - 1
    while True:
        around = next((s for s in body if _first(s) <= number <= (s.end_lineno or s.lineno)), None)
        if around is None:
            return number, number
        if not isinstance(around, ast.ClassDef | ast.If | ast.With | ast.Try):
            return _first(around), around.end_lineno or around.lineno
        # `walk` goes from the outside in.
        body = [s for s in ast.walk(around) if isinstance(s, ast.stmt) and s is not around]


def _first(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _merged(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of lines without overlaps, in order."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(parts):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
