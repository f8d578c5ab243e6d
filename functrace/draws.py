"""Warnings of random numbers that are drawn while a function is recorded.

What NumPy draws then becomes a constant of the Program: the same numbers at each call, for all
examples of a map and in all trips of a loop. NumPy tells nobody of a draw, but a generator's state
changes by it. The generators that a function can reach by a few steps are found before it is
recorded, and their states are compared whenever a number or an array is captured, and at the end.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from functrace.errors import FrozenDrawWarning
from functrace.places import LIBRARIES, source_of, user_place

STEPS = 3
"""How far a generator may be from the function: a closure, an object in it, its attribute."""

MOST_ITEMS = 100
"""So many items of a container are looked at."""


class _Watch:
    """The generators that are watched, and their states when they were last looked at."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def add(self, f: Callable[..., Any]) -> None:
        """Watch what a function can reach, and the generator behind functions of numpy.random."""
        module = sys.modules.get("numpy.random")
        if module is not None:
            shared = module.get_state.__self__
            self._known.setdefault(id(shared), (shared, _state_of(shared)))
            for found in _reached(f, STEPS, set()):
                self._known.setdefault(id(found), (found, _state_of(found)))

    def look(self, file: str | None = None, line: int = 0) -> None:
        """Warn of what was drawn since the last look, at the user's line that is running."""
        for generator, before in [*self._known.values()]:
            state = _state_of(generator)
            if state == before:
                continue
            self._known[id(generator)] = generator, state
            source = None if file else source_of(user_place(2))
            name = type(generator).__name__
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


@contextmanager
def watching_draws(f: Callable[..., Any]) -> Generator[None]:
    """Warn of random numbers that are drawn within this context, where a function is recorded."""
    watch = _watch.get()
    if watch is not None:
        watch.add(f)
        yield
        return
    watch = _Watch()
    watch.add(f)
    token = _watch.set(watch)
    try:
        yield
        code = getattr(f, "__code__", None)
        watch.look(*((code.co_filename, code.co_firstlineno) if code else ("<unknown>", 1)))
    finally:
        _watch.reset(token)


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.RandomState):
        return _comparable(generator.get_state(legacy=False))
    return _comparable(generator.bit_generator.state)


def _comparable(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _comparable(value) for key, value in state.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _reached(x: Any, steps: int, seen: set[int]) -> Iterator[Any]:
    """The generators within so many steps of an object."""
    if isinstance(x, np.random.Generator | np.random.RandomState):
        yield x
        return
    if id(x) in seen or steps < 0 or isinstance(x, np.ndarray | np.generic | str | type):
        return
    seen.add(id(x))
    for next_one in _next_to(x):
        yield from _reached(next_one, steps - 1, seen)


def _next_to(x: Any) -> Iterator[Any]:
    """What an object refers to."""
    if isinstance(x, FunctionType):
        if x.__code__.co_filename.startswith(LIBRARIES):
            wrapped = getattr(x, "__wrapped__", None)
            yield from () if wrapped is None else (wrapped,)
        else:
            names = _names_in(x.__code__)
            for name, value in [*x.__globals__.items()]:
                if name in names or isinstance(value, np.random.Generator | np.random.RandomState):
                    yield value
            yield from x.__defaults__ or ()
            yield from (x.__kwdefaults__ or {}).values()
        for cell in x.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # it is empty yet
                continue
    elif isinstance(x, MethodType):
        yield x.__self__
        yield x.__func__
    elif isinstance(x, partial):
        yield x.func  # pyright: ignore[reportUnknownMemberType]
        yield from x.args
        yield from x.keywords.values()
    elif isinstance(x, list | tuple):
        yield from x[:MOST_ITEMS]  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(x, dict):
        yield from [*x.values()][:MOST_ITEMS]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(x, ModuleType):
        if not str(getattr(x, "__file__", None)).startswith(LIBRARIES):
            for value in [*vars(x).values()]:
                if isinstance(value, np.random.Generator | np.random.RandomState):
                    yield value
    else:
        yield from [*getattr(x, "__dict__", {}).values()][:MOST_ITEMS]


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
