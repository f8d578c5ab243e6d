"""Room on Python's stack for functions that are recorded within functions.

Python refuses calls that are nested more than 1000 deep, so that a function that goes on calling
itself ends with an error and not with a crash. A function within a function, as a branch within a
branch is, takes a dozen of them wherever it is recorded, derived or run. So each such level brings
its own room along, up to a number of levels that no program needs that ends.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType

from functrace.errors import NestingError

FRAMES = 24
"""How many calls a level takes at most: functrace's own, and some of the user's."""

AT_ONCE = 8
"""For so many levels there is more room at once."""

DEEPEST = 1500
"""So many levels there may be; they take a few megabytes of memory, of stack too."""

DEEPEST_RECORDED = 500
"""So many functions may be recorded within each other."""

DEEPEST_FOLLOWED = 500
"""So many transformations may run within each other where values are known."""

UNENDING = (
    "A function that calls itself in a transformed function, or needs its own derivative, does "
    "not end by itself: let Python's if, or a number of levels, end it."
)
"""The advice where values are known, on which a condition may depend."""


class _Here(threading.local):
    levels = 0
    recorded = 0


_here = _Here()


def enter() -> None:
    """Begin one more level.

    The limit is the whole interpreter's. It is moved, not set: what other threads and the user do
    with it stays.

    Raises:
        NestingError: There are too many of them; with many more the process would end.
    """
    levels = _here.levels + 1
    if levels > DEEPEST:
        raise NestingError(f"Functions call each other {DEEPEST} levels deep.", advice=UNENDING)
    _here.levels = levels
    if not levels % AT_ONCE:
        sys.setrecursionlimit(sys.getrecursionlimit() + AT_ONCE * FRAMES)


def leave() -> None:
    """End a level."""
    levels = _here.levels
    _here.levels = levels - 1
    if not levels % AT_ONCE:
        sys.setrecursionlimit(sys.getrecursionlimit() - AT_ONCE * FRAMES)


def require_end(level: int, where: Callable[[], object]) -> None:
    """Check that transformations which run on values within each other are not too many.

    Args:
        level: How many of them are around this one.
        where: Tells the user's line.

    Raises:
        NestingError: They are.
    """
    if level >= DEEPEST_FOLLOWED:
        raise NestingError(
            f"A function is transformed within {DEEPEST_FOLLOWED} others, each within the next.",
            where(),
            UNENDING,
        )


class RecordedLevel:
    """The context of a function that is recorded.

    Args:
        where: Tells the user's line.

    Raises:
        NestingError: It is within too many others.
    """

    def __init__(self, where: Callable[[], object]) -> None:
        self._where = where

    def __enter__(self) -> None:
        if _here.recorded >= DEEPEST_RECORDED:
            raise NestingError(
                f"A function is recorded within {DEEPEST_RECORDED} others, each within the next.",
                self._where(),
            )
        _here.recorded += 1
        enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave()
        _here.recorded -= 1
