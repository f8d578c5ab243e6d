"""Python's collector of garbage looks less often while a Program is recorded and compiled.

After each few hundred new objects the collector looks for garbage among these, and from time to
time among all that there are. A Program is made of many objects, all of which stay, so to look
takes a third to a half of the time in which they are made.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import gc
import threading
from types import TracebackType

OBJECTS = 100_000
"""After so many new objects the collector looks; they take some ten megabytes."""


class _LessOften:
    """The context in which the collector looks less often.

    The setting is the whole interpreter's: the last of several threads to leave puts it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = gc.get_threshold()
                if 0 < self._before[0] < OBJECTS:  # 0: it is switched off
                    gc.set_threshold(OBJECTS, *self._before[1:])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and gc.get_threshold() == (OBJECTS, *self._before[1:]):
                gc.set_threshold(*self._before)


collecting_less_often = _LessOften()
"""The context: it may be entered within itself, and by several threads."""
