"""The memory of a tape, by the user's lines; and what `checkpoint` would save.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import linecache
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from functrace.holding import Held, Holding, Made
from functrace.ir.primitive import Primitive
from functrace.ir.program import Equation, Program, Source, Variable, short_place
from functrace.texts import escaped, html_table, text_table
from functrace.tracebacks import boundary
from functrace.transforms.arguments import Argnums
from functrace.transforms.transformed import require_callable, transformed

MOST_LINES = 20
"""How many lines are printed."""

MOST_CANDIDATES = 8
"""And how many candidates for `checkpoint`."""


class Array(NamedTuple):
    """Arrays of one type that a line keeps.

    Attributes:
        count: How many.
        type: Their shape and dtype, in words.
        nbytes: How many bytes they take together.
        operation: What made them: the name of a primitive, "argument" or "constant".
        needed: The operations whose derivatives need them; none, where the tape keeps them only
            because it keeps what an operation was given and what it made.
    """

    count: int
    type: str
    nbytes: int
    operation: str
    needed: tuple[str, ...]


class Line(NamedTuple):
    """What is kept of a line.

    Attributes:
        nbytes: How many bytes.
        file: The file; empty where no line of the user's is known.
        line: The number of the line.
        text: What stands there.
        arrays: What is kept.
    """

    nbytes: int
    file: str
    line: int
    text: str
    arrays: tuple[Array, ...]

    @property
    def place(self) -> str:
        """The file's name and the line."""
        return short_place(self.file, self.line) if self.file else ""


class Candidate(NamedTuple):
    """What could be put into `functrace.checkpoint`.

    Attributes:
        saves: How many bytes less are kept then.
        again: How many of these are computed again at once: those of the largest call.
        kind: "scope", "function" or "line".
        name: The scope, the function, or the line.
        place: The file's name and the line.
        calls: How many calls there are, or blocks.
    """

    saves: int
    again: int
    kind: str
    name: str
    place: str
    calls: int


class TapeMemory:
    """What is kept for the way back, line by line; it prints and shows itself as tables.

    Attributes:
        lines: The lines, beginning with the one that keeps most.
        candidates: What `functrace.checkpoint` could be used for, beginning with what saves most.
    """

    HEADERS = "bytes", "share", "line", "made by", "kept", "needed by"
    OFFERS = "saves", "share", "again", "calls", "checkpoint of"

    def __init__(self, name: str, lines: Sequence[Line], candidates: Sequence[Candidate]) -> None:
        self.name = name
        self.lines = list(lines)
        self.candidates = list(candidates)

    @property
    def nbytes(self) -> int:
        """How many bytes are kept, besides what others hold as well: the arguments, say."""
        return sum(line.nbytes for line in self.lines)

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for line in self.lines[:MOST_LINES]:
            where = f"{line.place}  {line.text}".strip() or "elsewhere"
            for number, array in enumerate(line.arrays):
                first = (f"{line.nbytes:,}", self._share(line.nbytes), where)
                kept = f"{array.count} of {array.type}" if array.count > 1 else array.type
                rows.append(
                    (
                        *(first if not number else ("", "", "")),
                        array.operation,
                        kept,
                        ", ".join(array.needed) or "-",
                    )
                )
        return rows

    def _offers(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{one.saves:,}",
                self._share(one.saves),
                f"{one.again:,}",
                str(one.calls),
                f"{one.kind} {one.name}, {one.place}".removesuffix(", "),
            )
            for one in self.candidates[:MOST_CANDIDATES]
        ]

    def _share(self, nbytes: int) -> str:
        return f"{nbytes / max(self.nbytes, 1):.0%}"

    @property
    def _title(self) -> str:
        return f"{self.name} keeps {self.nbytes:,} bytes for the way back"

    def __str__(self) -> str:
        parts = [self._title]
        if self.lines:
            parts.append(text_table(self.HEADERS, self._rows(), left=(2, 3, 4, 5)))
        if self.candidates:
            parts += ["what functrace.checkpoint would save:"]
            parts.append(text_table(self.OFFERS, self._offers(), left=(4,)))
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"<tape memory of {self.name}: {self.nbytes:,} bytes>"

    def _repr_html_(self) -> str:
        text = f"<p>{escaped(self._title)}</p>{html_table(self.HEADERS, self._rows())}"
        if self.candidates:
            offers = html_table(self.OFFERS, self._offers())
            text += f"<p>what <code>functrace.checkpoint</code> would save:</p>{offers}"
        return text


@boundary
def tape_memory(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., TapeMemory]:
    """Make a function that tells which memory the gradient of ``f`` keeps for its way back.

    It runs ``f`` as `grad` does, up to where the way back begins, and looks at what is kept then:
    arrays, each once, without those that somebody else holds anyway, such as large arguments. In
    jitted functions and loops that is what was recorded for the way back through them.

    Args:
        f: A function of trees of arrays.
        argnums: The position, or positions, of the arguments to differentiate.

    Returns:
        A function of the arguments of ``f`` that returns a `TapeMemory`: by line of yours, how
        many bytes are kept, of which shapes, what made them, and which operations need them for
        their derivatives. Below stands what would be saved if a scope, a function that is called,
        or a line were put into `checkpoint`, and how much of that is computed again at once.
        ``memory.lines`` and ``memory.candidates`` have the numbers.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> def layer(w, x):
        ...     return np.tanh(np.sin(x) @ w)
        >>> def loss(weights, x):
        ...     for w in weights:
        ...         x = layer(w, x)
        ...     return np.sum(x)
        >>> memory = ft.tape_memory(loss)([np.eye(100)] * 4, np.ones((1000, 100)))
        >>> memory
        <tape memory of loss: 6,640,000 bytes>
        >>> memory.candidates[0].name, memory.candidates[0].saves
        ('layer', 2400000)
    """
    require_callable(f, "tape_memory")

    @transformed(f, tape_memory)
    @boundary
    def measured(*args: Any, **kwargs: Any) -> TapeMemory:
        holding = Holding(f, argnums, args, kwargs)
        own = getattr(getattr(f, "__wrapped__", f), "__code__", None)
        name = getattr(f, "__name__", "a function")
        return TapeMemory(name, _by_line(holding.held), _candidates(holding, own))

    return measured


def _by_line(held: Sequence[Held]) -> list[Line]:
    by_line: defaultdict[tuple[str, int], list[Held]] = defaultdict(list)
    for one in held:
        by_line[_line(one.source)].append(one)
    lines: list[Line] = []
    for (file, number), those in by_line.items():
        counts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        sizes: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        for one in those:
            key = one.operation, str(one.type), tuple(sorted(filter(None, one.needed)))
            counts[key] += 1
            sizes[key] += one.nbytes
        arrays = tuple(
            Array(counts[key], key[1], size, key[0], key[2]) for key, size in sizes.most_common()
        )
        text = linecache.getline(file, number).strip()
        lines.append(Line(sizes.total(), file, number, text, arrays))
    return sorted(lines, key=lambda line: -line.nbytes)


def _line(source: Source | None) -> tuple[str, int]:
    return ("", 0) if source is None else (source.file, source.line)


# What could be computed again

Key = tuple[str, Hashable]
"""The kind of a candidate, and which one: a scope, the code of a function, a line."""


def _keys(source: Source | None) -> Iterator[Key]:
    """The candidates that a place belongs to."""
    if source is None:
        return
    yield "line", (source.file, source.line)
    scope = source.scope
    while scope:
        yield "scope", scope
        scope = scope.rpartition("/")[0]


def _candidates(holding: Holding, own: Any) -> list[Candidate]:
    parts: defaultdict[Key, list[_Saved]] = defaultdict(list)
    for key, rows in _blocks(holding):
        if len(rows) == len(holding.sources):
            continue  # all would be computed again at once
        inside = set(rows)
        again = sum(
            one.nbytes
            for one in holding.held
            if one.holders <= inside
            and one.maker in inside
            and one.operation not in ("argument", "constant")
            and holding.users.get(one.maker, inside) <= inside  # what it returns is kept
        )
        given = {
            maker: nbytes
            for row in rows
            for maker, nbytes in holding.missing[row].items()
            if maker not in inside
        }
        parts[key].append(_Saved(again - sum(given.values()), again, 1))
    for key, saved in _within_programs(holding, own):
        parts[key].append(saved)
    found = [
        Candidate(
            sum(part.nbytes for part in those), max(part.again for part in those),
            key[0], *_named(key), sum(part.calls for part in those),
        )
        for key, those in parts.items()
    ]  # fmt: skip
    return sorted(
        (one for one in found if one.saves > 0), key=lambda x: (-x.saves, x.again, x.kind)
    )


class _Saved(NamedTuple):
    """What less is kept, how much of it is computed again at once, and of how many calls."""

    nbytes: int
    again: int
    calls: int


def _named(key: Key) -> tuple[str, str]:
    """What a candidate is called, and where it stands."""
    kind, which = key
    if kind == "scope":
        return str(which), ""
    if kind == "line":
        file, number = which  # pyright: ignore[reportGeneralTypeIssues]
        return linecache.getline(file, number).strip(), short_place(file, number)
    code: Any = which
    return code.co_name, Source(code, -1).short


def _blocks(holding: Holding) -> Iterator[tuple[Key, list[int]]]:
    """Runs of rows that belong together: one call of a function, one block of a scope, one line."""
    running: dict[Any, list[int]] = {}
    passes: Counter[Key] = Counter()
    reached: dict[Key, tuple[Any, int]] = {}
    for number, (source, calls) in enumerate(zip(holding.sources, holding.calls, strict=True)):
        if not calls:
            continue  # the function itself is one operation
        here: set[Any] = {(("function", code), call) for code, call in calls[1:]}
        for key in _keys(source):
            if key[0] == "line" and source is not None:  # in a loop the same line begins again
                call, instruction = reached.get(key, (None, -1))
                now = calls[-1]
                passes[key] += call != now or source.instruction < instruction
                reached[key] = now, source.instruction
            here.add((key, passes[key]))
        for block in [block for block in running if block not in here]:
            yield block[0], running.pop(block)
        for block in here:
            running.setdefault(block, []).append(number)
    for (key, _), rows in running.items():
        yield key, rows


def _within_programs(holding: Holding, own: Any) -> Iterator[tuple[Key, _Saved]]:
    """What computing again would save of what Programs keep: in jitted functions, in loops."""
    by_program: defaultdict[tuple[int, Program], list[tuple[Held, Made]]] = defaultdict(list)
    for one in holding.held:
        if one.inside is not None:
            by_program[one.maker, one.inside.program].append((one, one.inside))
    for (row, program), residuals in by_program.items():
        outer = {*_keys(holding.sources[row]), ("function", own)}
        outer |= {("function", code) for code, _ in holding.calls[row][1:]}
        keys = {key for one, _ in residuals for key in _keys_within(one.source)}
        for key in keys - outer:
            yield key, _saved_within(program, key, residuals)


def _saved_within(program: Program, key: Key, residuals: Sequence[tuple[Held, Made]]) -> _Saved:
    """What is saved if each pass through some equations is computed again."""
    passes = _Passes(program, key)
    saves: Counter[int] = Counter()
    kept: set[Variable] = set()
    trips, carries = residuals[0][1].trips, residuals[0][1].carries
    for one, made in residuals:
        variable = made.variable
        number = passes.made_in.get(variable)
        places = one.readers or ()
        if number is not None and all(passes.touched.get((s, variable)) == number for s in places):
            saves[number] += one.nbytes
        else:
            kept.add(variable)
    given = passes.given - kept - ({*program.inputs} - {*carries})  # which are there anyway
    cost = sum(max(v.type.size, 0) * v.type.dtype.itemsize for v in given)
    again = max(saves.values(), default=0)
    count = len(passes.members)
    return _Saved(int(saves.total() - trips * cost), int(again / trips), int(count * trips))


class _Passes:
    """The equations of a candidate in a Program, by the times that its code was run through.

    Attributes:
        members: The equations of each pass. What a derivative rule has added stands at the end of
            the Program, and belongs to the pass with the operation whose rule it is.
        touched: In which pass a variable is made or read at a place.
        made_in: In which pass it is made.
        given: What passes read that none of them has made, or another one.
    """

    def __init__(self, program: Program, key: Key) -> None:
        self.members: list[list[Equation]] = []
        self.touched: dict[tuple[Source, Variable], int] = {}
        self.made_in: dict[Variable, int] = {}
        self.given: set[Variable] = set()
        begins: dict[Source, Primitive] = {}
        first = before = None
        for equation in program.equations:
            source = equation.source and equation.source.bare
            if source is None or key not in _keys_within(source):
                continue
            read = [x for x in equation.inputs if isinstance(x, Variable)]
            near = [self.touched[source, x] for x in read if (source, x) in self.touched]
            is_again = begins.setdefault(source, equation.primitive) is equation.primitive
            if near and not is_again:
                number = max(near)
            else:
                if first is None or (source == first and (before != first or is_again)):
                    first = source
                    self.members.append([])
                number, before = len(self.members) - 1, source
            self.members[number].append(equation)
            for variable in (*read, *equation.outputs):
                self.touched[source, variable] = number
            self.made_in.update(dict.fromkeys(equation.outputs, number))
            self.given |= {x for x in read if self.made_in.get(x) != number}


def _keys_within(source: Source | None) -> set[Key]:
    return set() if source is None else {*_keys(source), ("function", source.code)}
