"""What users set for the whole process, and what the environment sets when it begins."""

from __future__ import annotations

import ctypes
import os

LANGUAGES = ("en", "es")
"""Of the words in drawings."""


class Settings:
    """The settings, as they are now.

    Attributes:
        cache: Whether machine code is kept on disk; ``FUNCTRACE_CACHE=0`` begins without.
        language: The language of the words in drawings: "en" or "es".
        address_of_threads: Where machine code finds how many threads it may use.
    """

    def __init__(self) -> None:
        self.cache = os.environ.get("FUNCTRACE_CACHE", "1") != "0"
        self.language = "en"
        self._threads = ctypes.c_int64(_number(os.environ.get("FUNCTRACE_THREADS")) or _cores())
        self.address_of_threads = ctypes.addressof(self._threads)

    @property
    def threads(self) -> int:
        """How many threads machine code may use for one loop.

        They are as many as there are cores for this process; ``FUNCTRACE_THREADS`` begins with
        another number.
        """
        return self._threads.value

    @threads.setter
    def threads(self, count: int) -> None:
        self._threads.value = count


def _number(text: str | None) -> int:
    """A number of threads, or 0 for what is none."""
    return int(text) if text is not None and text.isdecimal() else 0


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


settings = Settings()
"""The settings of this process."""
