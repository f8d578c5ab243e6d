"""Compiled code whose lines are the user's.

Errors and warnings that come out of generated source are the user's concern, so they are to name
the lines that were recorded. A code object says of each of its instructions where it stands; here
that is rewritten, which costs nothing when it runs. Python then shows the user's lines in
tracebacks and counts warnings by them, as if their file held the code.

Source: InternalDocs/code_objects.md in CPython, on the format of ``co_linetable``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from types import CodeType
from typing import Any

from functrace.ir.program import Source

_IS_KNOWN = sys.implementation.name == "cpython" and sys.version_info < (3, 15)
"""Whether the format is the one described there, which may change with Python's versions."""

_LONGEST = 8
"""So many instructions, of two bytes each, has an entry of the table at most."""

_NOWHERE, _LINE, _LINES_AND_COLUMNS = 15, 13, 14


def line_of(code: CodeType, instruction: int) -> int | None:
    """The line of an instruction."""
    for start, stop, line in code.co_lines():
        if start <= instruction < stop:
            return line
    return None


def placed(code: CodeType, places: Sequence[Source | None]) -> CodeType:
    """The same code, which says of each of its lines that it stands where the user wrote it.

    Args:
        code: Compiled from generated source.
        places: For each line of the source the place in the user's code, all in one file. What
            has none is said to stand where the line before it does.
    """
    if not _IS_KNOWN:
        return code
    last = next(place for place in places if place is not None)
    filled: list[Source] = []
    for place in places:
        last = place or last
        filled.append(last)
    return _placed(code, filled, {})


def _placed(code: CodeType, places: Sequence[Source], known: dict[int, list[Any]]) -> CodeType:
    before = first = places[0].line
    table = bytearray()
    written: dict[tuple[int, int], tuple[int, int, bytes]] = {}  # line, kind and rest of the entry
    for number, ranges in groupby(code.co_lines(), lambda part: part[2]):
        start, *_, stop = [offset for start, stop, _ in ranges for offset in (start, stop)]
        if number is None:
            line, kind, rest = before, _NOWHERE, b""
        else:
            place = places[number - 1]
            key = id(place.code), place.instruction  # a hash of all code would take longer
            if key not in written:
                written[key] = _entry(place, known)
            line, kind, rest = written[key]
        step = b"" if kind == _NOWHERE else _signed(line - before)
        before = line
        units = (stop - start) // 2
        while units:
            count = min(units, _LONGEST)
            table.append(0x80 | kind << 3 | count - 1)
            table += step + rest
            step = b"" if kind == _NOWHERE else b"\0"
            units -= count
    return code.replace(
        co_filename=places[0].file,
        co_firstlineno=first,
        co_linetable=bytes(table),
        co_consts=tuple(
            _placed(constant, places, known) if isinstance(constant, CodeType) else constant
            for constant in code.co_consts
        ),
    )


def _entry(place: Source, known: dict[int, list[Any]]) -> tuple[int, int, bytes]:
    code = place.code
    if place.instruction < 0:
        return code.co_firstlineno, _LINE, b""
    if id(code) not in known:  # the positions of all instructions of a function at once
        known[id(code)] = list(code.co_positions())
    line, last_line, column, last_column = known[id(code)][place.instruction // 2]
    if line is None or last_line is None or column is None or last_column is None:
        return line or code.co_firstlineno, _LINE, b""
    columns = _unsigned(column + 1) + _unsigned(last_column + 1)
    return line, _LINES_AND_COLUMNS, _unsigned(last_line - line) + columns


def _unsigned(number: int) -> bytes:
    """Six bits in a byte, the lowest first; one more bit says that another byte follows."""
    parts = bytearray()
    while number >= 64:
        parts.append(64 | number & 63)
        number >>= 6
    parts.append(number)
    return bytes(parts)


def _signed(number: int) -> bytes:
    return _unsigned(-number << 1 | 1 if number < 0 else number << 1)
