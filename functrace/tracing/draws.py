"""Warnings of random numbers that are drawn while a function is recorded.

What NumPy draws then becomes a constant of the Program: the same numbers at each call, for all
examples of a map and in all trips of a loop. NumPy tells nobody of a draw, but a generator's state
changes by it. The generators that a function can reach by a few steps are found before it is
recorded, and their states are compared whenever a number or an array is captured, and at the end.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar, Token
from ctypes import c_uint64
from typing import Any

import numpy as np

from functrace.errors import FrozenDrawWarning
from functrace.tracing.places import source_of, user_place
from functrace.tracing.reaching import is_generator, reached


class _Watched:
    """A generator, and its state when it was last looked at."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.read = _reader_of(generator)
        self.state = self.read()


class _Watch:
    """The generators that are watched."""

    def __init__(self) -> None:
        self._known: dict[int, _Watched] = {}

    def add(self, f: Callable[..., Any]) -> None:
        """Watch what a function can reach, and the generator behind functions of numpy.random."""
        module = sys.modules.get("numpy.random")
        if module is not None:
            self._add(module.get_state.__self__)
            for found in reached(f):
                if is_generator(found):
                    self._add(found)

    def _add(self, generator: Any) -> None:
        if id(generator) not in self._known:
            self._known[id(generator)] = _Watched(generator)

    def look(self, file: str | None = None, line: int = 0) -> None:
        """Warn of what was drawn since the last look, at the user's line that is running."""
        for watched in self._known.values():
            state = watched.read()
            if state == watched.state:
                continue
            watched.state = state
            source = None if file else source_of(user_place(2))
            name = type(watched.generator).__name__
            warnings.warn_explicit(
                f"Numbers were drawn from a {name} of numpy.random while a function was recorded: "
                "they are constants of what was recorded, the same at each call, for all examples "
                "of a map and in all trips of a loop. Draw them outside, and pass them as an "
                "argument.",
                FrozenDrawWarning,
                file or (source.file if source else "<unknown>"),
                line or (source.line if source else 1),
            )


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)
watch_that_runs = _watch.get
"""What watches the generators of the function that is being recorded; None if nothing does."""


class watching_draws:  # noqa: N801  (as `contextlib.suppress`: it is used as a verb)
    """Warn of random numbers that are drawn within this context, where a function is recorded."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self._f = f
        self._begun: Token[_Watch | None] | None = None

    def __enter__(self) -> None:
        watch = _watch.get()
        if watch is None:
            watch = _Watch()
            self._begun = _watch.set(watch)
        watch.add(self._f)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._begun is not None:
            watch = _watch.get()
            _watch.reset(self._begun)
            if kind is None and watch is not None:
                code = getattr(self._f, "__code__", None)
                watch.look(*((code.co_filename, code.co_firstlineno) if code else ("<unknown>", 1)))


_WORDS = 624
"""The state of a Mersenne Twister is so many words of 32 bits, and the position among them."""

_without_spare: list[int] = [-1]
"""The last state of the shared generator beside which no spare number was kept."""


def _reader_of(generator: Any) -> Callable[[], Any]:
    """What reads the part of a generator's state that another number drawn changes.

    NumPy makes the state of a Mersenne Twister, the shared generator, word by word, in 30 us. The
    last word and the position are read from its memory in 0.1 us: all words change together when
    the position has come to their end. Only a second normal number, spared since the first one was
    drawn, is not in there.
    """
    is_legacy = isinstance(generator, np.random.RandomState)
    bits: Any = getattr(generator, "_bit_generator" if is_legacy else "bit_generator")
    if type(bits) is not np.random.MT19937:
        if is_legacy:
            return lambda: _comparable(generator.get_state(legacy=False))
        return lambda: _comparable(bits.state)
    words = c_uint64.from_address(bits.ctypes.state_address + 4 * (_WORDS - 1))
    if not is_legacy:
        return lambda owner=bits: words.value

    def read(owner: Any = bits) -> Any:
        if words.value == _without_spare[0]:
            return _without_spare[0]
        state = generator.get_state(legacy=False)
        if state["has_gauss"]:
            return _comparable(state)
        _without_spare[0] = words.value
        return _without_spare[0]

    return read


def _comparable(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _comparable(value) for key, value in state.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return state.tobytes() if isinstance(state, np.ndarray) else state
