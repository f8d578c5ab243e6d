"""Warnings of random numbers that are drawn while a function is recorded.

What NumPy draws then becomes a constant of the Program: the same numbers at each call, for all
examples of a map and in all trips of a loop. NumPy tells nobody of a draw, but a generator's state
changes by it. The generators that a function can reach by a few steps are found before it is
recorded, and their states are compared whenever a number or an array is captured, and at the end.
One that is made without a seed while a function is recorded is seen when NumPy asks the system for
its seed. One that is made with a seed draws the same numbers at each call in NumPy, too, and so
does one that the function gives a seed or a state.
"""

from __future__ import annotations

import ast
import dis
import sys
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from ctypes import c_uint64
from importlib import import_module
from types import CodeType, FrameType, FunctionType
from typing import Any

import numpy as np

from functrace.errors import FrozenDrawWarning
from functrace.tracing.expressions import expression_at, value_of
from functrace.tracing.places import source_of, user_place
from functrace.tracing.reaching import is_generator, names_in, reached


class _Watched:
    """A generator, and its state when it was last looked at."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.read = _reader_of(generator)
        self.state = self.read()


class _Watch:
    """The generators that are watched."""

    is_heeded = True

    def __init__(self) -> None:
        self._known: dict[int, _Watched] = {}
        self._told: set[tuple[str, int]] = set()
        self._functions: list[Callable[..., Any]] = []

    def add(self, f: Callable[..., Any]) -> None:
        """Watch what a function can reach, and the generator behind functions of numpy.random."""
        self._functions.append(f)
        found = reached(f)
        module = _module_of(found)
        if module is not None:
            _hear_of_seeds(module)
            self._add(module.get_state.__self__)
            for x in found:
                if is_generator(x):
                    self._add(x)

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
            if any(map(_gives_a_seed, self._functions)):  # to ask takes a while
                continue
            name = type(watched.generator).__name__
            self._tell(f"Numbers were drawn from a {name} of numpy.random", file, line)

    def look_past(self) -> None:
        """Do not warn of what was drawn since the last look."""
        for watched in self._known.values():
            watched.state = watched.read()

    def hear_of_seed(self) -> None:
        """Warn that a generator takes a seed from the system, at the line that is running."""
        self._tell("A generator of numpy.random was seeded by the system", None, 0)

    def _tell(self, what: str, file: str | None, line: int) -> None:
        source = None if file else source_of(user_place(3))
        file = file or (source.file if source else "<unknown>")
        line = line or (source.line if source else 1)
        if (file, line) in self._told:  # a body is recorded again where types change
            return
        self._told.add((file, line))
        warnings.warn_explicit(
            f"{what} while a function was recorded: its numbers are constants of what was "
            "recorded, the same at each call, for all examples of a map and in all trips of a "
            "loop. Draw them outside, and pass them as an argument; or draw from a key, "
            "functrace.random.normal(key), and pass the key.",
            FrozenDrawWarning,
            file,
            line,
        )


class _Unheeded(_Watch):
    """Watches nothing: what is recorded is not kept."""

    is_heeded = False

    def add(self, f: Callable[..., Any]) -> None:
        """Watch nothing."""


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)
watch_that_runs = _watch.get
"""What watches the generators of the function that is being recorded; None if nothing does."""


class watching_draws:  # noqa: N801  (as `contextlib.suppress`: it is used as a verb)
    """Warn of random numbers that are drawn within this context, where a function is recorded.

    Args:
        f: The function.
        is_kept: Whether what is recorded is kept even where what records it is not.
    """

    def __init__(self, f: Callable[..., Any], *, is_kept: bool = False) -> None:
        self._f = f
        self._is_kept = is_kept
        self._begun: Token[_Watch | None] | None = None

    def __enter__(self) -> None:
        watch = _watch.get()
        if watch is _of_one_call:
            self._begun = _watch.set(None)
            return
        if watch is None or (self._is_kept and not watch.is_heeded):
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


class unheeded_draws:  # noqa: N801  (as `contextlib.suppress`: it is used as a verb)
    """Do not warn of draws within this context: what is recorded is looked at, and dropped."""

    def __enter__(self) -> None:
        self._outer = _watch.get()
        if self._outer is not None:
            self._outer.look()
        self._begun = _watch.set(_Unheeded())

    def __exit__(self, *error: object) -> None:
        _watch.reset(self._begun)
        if self._outer is not None:
            self._outer.look_past()


_of_one_call = _Unheeded()


class draws_of_one_call:  # noqa: N801  (as `contextlib.suppress`: it is used as a verb)
    """Do not watch the function that is recorded next: what it draws is drawn for one call.

    So it is where a derivative is mapped over directions, which all belong to the same numbers.
    """

    def __enter__(self) -> None:
        self._begun = _watch.set(_watch.get() or _of_one_call)

    def __exit__(self, *error: object) -> None:
        _watch.reset(self._begun)


def _module_of(found: Sequence[Any]) -> Any:
    """The module `numpy.random`, if it is there, or functions that were found will ask for it."""
    module = sys.modules.get("numpy.random")
    if module is None and any(
        isinstance(x, FunctionType) and "random" in names_in(x.__code__) for x in found
    ):
        return import_module("numpy.random")
    return module


def _gives_a_seed(f: Callable[..., Any]) -> bool:
    """Whether a function, or one that it can reach, gives a generator a seed or a state."""
    return any(isinstance(x, FunctionType) and _calls_seed(x.__code__) for x in reached(f))


def _calls_seed(code: CodeType) -> bool:
    """Whether it calls what is named so; an attribute that is only read may be anything."""
    is_named = not {"seed", "set_state"}.isdisjoint(code.co_names)
    return (
        is_named
        and any(
            instruction.argval in ("seed", "set_state")
            and (instruction.opname == "LOAD_METHOD" or "NULL" in instruction.argrepr)
            for instruction in dis.get_instructions(code)
        )
    ) or any(isinstance(x, CodeType) and _calls_seed(x) for x in code.co_consts)


class _SystemSeed:
    """Asks the system for a seed as NumPy does, and lets the watch know."""

    def __init__(self, ask: Callable[[int], int]) -> None:
        self._ask = ask

    def __call__(self, bits: int) -> int:
        watch = _watch.get()
        if watch is not None and watch.is_heeded and not _seeds_itself(sys._getframe(1)):  # pyright: ignore[reportPrivateUsage]
            watch.hear_of_seed()
        return self._ask(bits)


def _seeds_itself(frame: FrameType) -> bool:
    """Whether what runs is ``RandomState(seed)``: it takes one from the system, and drops it."""
    call = expression_at((frame.f_code, frame.f_lasti))
    if not isinstance(call, ast.Call) or not (call.args or call.keywords):
        return False
    seed = (call.args or [keyword.value for keyword in call.keywords])[0]
    called = value_of(call.func, frame)
    is_legacy = isinstance(called, type) and issubclass(called, np.random.RandomState)
    return is_legacy and not (isinstance(seed, ast.Constant) and seed.value is None)


def _hear_of_seeds(module: Any) -> None:
    """Let `numpy.random` ask for seeds by a `_SystemSeed`; all of its classes ask there."""
    ask = getattr(module.bit_generator, "randbits", None)
    if ask is not None and not isinstance(ask, _SystemSeed):
        module.bit_generator.randbits = _SystemSeed(ask)


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
        return _words_of(bits) or (lambda: _comparable(bits.state))
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


def _words_of(bits: Any) -> Callable[[], Any] | None:
    """What reads the state of the default generator from its memory, in a tenth of the time.

    There lie the address of the two words that each number changes, and what is spared: half a
    word. None where they do not lie so.
    """
    if type(bits) not in (np.random.PCG64, np.random.PCG64DXSM):
        return None
    state = bits.state["state"]["state"]
    here = bits.ctypes.state_address
    words = (c_uint64 * 2).from_address(c_uint64.from_address(here).value)
    low, high = words
    if state not in (low | high << 64, high | low << 64):
        return None
    spared = c_uint64.from_address(here + 8)
    return lambda owner=bits: (words[0], words[1], spared.value)


def _comparable(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _comparable(value) for key, value in state.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return state.tobytes() if isinstance(state, np.ndarray) else state
