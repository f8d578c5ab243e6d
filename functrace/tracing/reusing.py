"""Keys of random numbers that were used, where it is an error to use one twice.

What is drawn from one key twice is the same, or depends on each other: a mistake that no number
shows. Keys whose values are known are told apart by these, traced ones as variables.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from functrace.errors import ArgumentError, KeyReuseError
from functrace.ir.types import UNKNOWN
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer

CHOICES = "allow", "error"

_default: list[str] = ["allow"]
_chosen: ContextVar[str | None] = ContextVar("key_reuse", default=None)
_used: dict[Any, Any] = {}
"""Where each key was used; of a variable also itself, so that no other has its address."""


def reuse_of_keys() -> str:
    """What is done about a key that is used twice."""
    return _chosen.get() or _default[0]


def _checked(choice: str) -> str:
    if choice not in CHOICES:
        raise ArgumentError(f"key_reuse={choice!r} is none of {', '.join(map(repr, CHOICES))}.")
    _used.clear()
    return choice


def choose_reuse(choice: str) -> None:
    """Choose for the whole process; what was used before is forgotten.

    Raises:
        ArgumentError: There is no such choice.
    """
    _default[0] = _checked(choice)


@contextmanager
def use_reuse(choice: str) -> Generator[None]:
    """As `choose_reuse`, within this context and in this thread.

    Raises:
        ArgumentError: There is no such choice.
    """
    token = _chosen.set(_checked(choice))
    try:
        yield
    finally:
        _chosen.reset(token)


def _named(key: Any) -> tuple[Any, Any]:
    """What a key is told apart by, and what it belongs to."""
    while isinstance(key, Tracer) and key.value is not UNKNOWN:
        key = key.value
    if isinstance(key, Tracer):
        return id(key.known_as), key.known_as
    return key.tobytes(), None


def note_use(key: Any) -> None:
    """Note that a key is used: something is drawn from it, or it is split.

    Raises:
        KeyReuseError: It was used before, and that is an error.
    """
    if reuse_of_keys() == "allow":
        return
    name, owner = _named(key)
    place = source_of(user_place(2))
    if name in _used:
        raise KeyReuseError(f"A key is used that was used before, at {_used[name][0]}.", place)
    _used[name] = place, owner


def forget_use(key: Any) -> None:
    """Let a key count as not used."""
    _used.pop(_named(key)[0], None)
