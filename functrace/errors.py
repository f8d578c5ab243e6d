"""Every exception of functrace, each with the advice it gives.

An error is written for the person who made the mistake. Its message has up to three parts: what
happened (with the primitive, the shapes and the argument's path), where it happened (the line of the
user's own file), and what to write instead. The last part belongs to the class, so that the same
mistake always gets the same advice; the first two come from the place that found it.

Each class also derives from the built-in exception that NumPy or Python would raise for the same
mistake, so that existing ``except ValueError`` clauses keep their meaning.
"""

from __future__ import annotations

from typing import ClassVar


class FunctraceError(Exception):
    """The base of all errors of functrace.

    Args:
        what: What happened, in one or two sentences.
        where: The user's line, as ``file.py:12 in name``, or None where there is none to name.
        advice: Replaces the advice of the class where a better one is known.
    """

    advice: ClassVar[str] = ""

    def __init__(self, what: str, where: object = None, advice: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        message = what
        if self.where is not None:
            message += f"\n  at {self.where}"
        advice = self.advice if advice is None else advice
        if advice:
            message += f"\n  {advice}"
        super().__init__(message)


# Pytrees


class TreeStructureError(FunctraceError, ValueError):
    """Two trees that must have the same structure differ, or a structure does not fit its leaves."""

    advice = "Give every tree the same containers, keys and lengths, in the same order."


class TreeRegistrationError(FunctraceError, TypeError):
    """A class cannot be registered as a container, or was registered before."""


class TreeKeyError(FunctraceError, TypeError):
    """The keys of a dict in a tree cannot be put in order."""

    advice = "Use keys of one kind that can be sorted, for instance only strings."
