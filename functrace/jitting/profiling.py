"""Where time goes, by lines of the user's.

A thread looks at the stack of the one that is profiled, a thousand times a second. What takes the
time is one of the user's lines wherever functrace is at work: the line that calls, while a function
runs eagerly; the line from which an operation was recorded, while it is differentiated, and in the
source that NumPy runs. Machine code has no lines. What it takes belongs to all lines of its
function, and the report tells how many of its operations come from each.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections import defaultdict
from collections.abc import Generator
from time import perf_counter
from types import FrameType
from typing import NamedTuple

from functrace.backends.compiling import simplified
from functrace.factories import context
from functrace.ir.program import Program, short_place
from functrace.jitting.recordings import Entry, Recordings
from functrace.texts import html_text
from functrace.tracing.places import is_library, source_in

INTERVAL = 1e-3
"""The seconds between two looks."""

MOST_LINES = 20
"""How many lines are printed."""

MOST_OF_KERNEL = 5
"""And how many of those that a machine function is made of."""


class Line(NamedTuple):
    """What a line took.

    Attributes:
        seconds: The time, as far as one can see by looking now and then.
        file: The file; empty where no line of the user's is known.
        line: The number of the line; 0 for machine code.
        text: What stands there.
    """

    seconds: float
    file: str
    line: int
    text: str


class Report:
    """What was seen; it prints as a table.

    Attributes:
        seconds: How long the block took.
        samples: How often it was looked at.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.samples = 0
        self._taken: defaultdict[tuple[str, int, str], float] = defaultdict(float)
        self._parts: dict[tuple[str, int, str], list[str]] = {}

    @property
    def lines(self) -> list[Line]:
        """The lines, beginning with the one that took longest."""
        found = sorted(self._taken.items(), key=lambda item: -item[1])
        return [Line(seconds, *place) for place, seconds in found]

    def add(self, frame: FrameType | None, seconds: float) -> None:
        """Take note of what runs."""
        self.samples += 1
        entry = None if frame is None else _machine_code(frame)
        if entry is None:
            place = _place(frame)
        else:
            place = "", 0, f"machine code of {entry.name}"
            if place not in self._parts:
                self._parts[place] = _parts(simplified(entry.program, entry.key.backend))
        self._taken[place] += seconds

    def __repr__(self) -> str:
        return f"<profile: {self.seconds:.3f} seconds of {len(self._taken)} lines>"

    def _repr_html_(self) -> str:
        return html_text(str(self))

    def __str__(self) -> str:
        rows = [f"{self.seconds:.3f} seconds, by line ({self.samples:,} looks):"]
        whole = max(self.seconds, 1e-9)
        for line in self.lines[:MOST_LINES]:
            where = f"{short_place(line.file, line.line)}  " if line.file else ""
            rows.append(f"{line.seconds:9.3f}  {line.seconds / whole:4.0%}  {where}{line.text}")
            parts = self._parts.get((line.file, line.line, line.text), [])
            rows += [f"{'':17}{part}" for part in parts]
        return "\n".join(rows) + "\n"


@context
def profile(*, show: bool = True) -> Generator[Report]:
    """Tell where the time of a block of code goes, by lines of its author's.

    Time is seen by looking a thousand times a second: what takes less than some hundredths of a
    second is to be done in a loop. Only the thread that enters the block is looked at.

    Args:
        show: Whether the report is printed in the end.

    Yields:
        The report, complete when the block has been left.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> with ft.profile(show=False) as report:
        ...     gradient = ft.grad(lambda x: np.sum(np.tanh(x)))(np.ones(10))
        >>> print(report)  # doctest: +ELLIPSIS
        0... seconds, by line (... looks):...
    """
    report = Report()
    watched = threading.get_ident()
    done = threading.Event()

    def watch() -> None:
        before = perf_counter()
        while not done.wait(INTERVAL):
            now = perf_counter()
            frame = sys._current_frames().get(watched)  # pyright: ignore[reportPrivateUsage]
            report.add(frame, now - before)
            before = now

    thread = threading.Thread(target=watch, name="functrace.profile", daemon=True)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(INTERVAL / 10)  # so long what runs may keep the watching thread waiting
    start = perf_counter()
    thread.start()
    try:
        yield report
    finally:
        report.seconds = perf_counter() - start
        done.set()
        thread.join()
        sys.setswitchinterval(switching)
        if show:
            sys.stdout.write(str(report))


def _machine_code(frame: FrameType) -> Entry | None:
    """The recording whose machine code a frame has called: it makes no frame of its own."""
    entry = None
    if frame.f_code is Entry.call.__code__:
        entry = frame.f_locals.get("self")
    elif frame.f_code.co_name == "jitted":
        recordings = frame.f_locals.get("recordings")
        entry = recordings.last if isinstance(recordings, Recordings) else None
    return entry if isinstance(entry, Entry) and entry.is_machine_code else None


def _place(frame: FrameType | None) -> tuple[str, int, str]:
    """The line of the user's for which a frame is at work, and its text."""
    while frame is not None:
        source = source_in(frame)
        if source is not None:
            return _with_text(source.file, source.line)
        file = frame.f_code.co_filename
        if not is_library(file):
            return _with_text(file, frame.f_lineno)
        frame = frame.f_back
    return "", 0, "elsewhere"


def _with_text(file: str, line: int) -> tuple[str, int, str]:
    return file, line, linecache.getline(file, line).strip()


def _parts(program: Program) -> list[str]:
    """The lines that a Program was recorded from, with what they do of its operations."""
    counts: defaultdict[str, float] = defaultdict(float)

    def count(program: Program, times: float) -> None:
        for equation in program.equations:
            inside = sum(part.operations for part in equation.programs)
            if inside:  # a loop's trips, say, whose lines are those of its body
                for part in equation.programs:
                    count(part, times * equation.operations / inside)
            else:
                place = equation.source.short if equation.source else "elsewhere"
                counts[place] += times * equation.operations

    count(program, 1.0)
    whole = max(sum(counts.values()), 1)
    found = [
        f"{n / whole:4.0%} of its operations: {line}"
        for line, n in sorted(counts.items(), key=lambda item: -item[1])
    ]
    more = len(found) - MOST_OF_KERNEL
    return found if more <= 0 else [*found[:MOST_OF_KERNEL], f"and those of {more} more lines"]
