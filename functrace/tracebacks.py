"""Tracebacks that show the user's code, and leave out functrace's own frames.

Between a call of a transformed function and the line in it that fails stand frames of functrace,
which tell the user nothing. They are left out where an error leaves functrace by a function that
users call. The frames of users, NumPy and SciPy all stay.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import update_wrapper
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar

import numpy as np

from functrace.errors import FunctraceError
from functrace.factories import context

P = ParamSpec("P")
R = TypeVar("R")

VARIABLE = "FUNCTRACE_FULL_TRACEBACKS"
"""The environment variable that, set to something else than 0, shows all frames."""

_FOLDER = __file__.removesuffix("tracebacks.py")
_LIBRARIES = (
    _FOLDER,
    np.__file__.removesuffix("__init__.py"),
    os.__file__.removesuffix("os.py"),
    "<functrace ",
    "<frozen ",
)
_is_full: ContextVar[bool] = ContextVar("is_full", default=os.environ.get(VARIABLE, "0") != "0")


@context
def full_tracebacks(full: bool = True) -> Generator[None]:
    """Within this context, and in this thread, tracebacks show functrace's own frames too.

    By default they are left out. The environment variable ``FUNCTRACE_FULL_TRACEBACKS=1`` shows
    them everywhere.

    Args:
        full: False leaves them out inside such a context.

    Example:
        >>> import functrace as ft
        >>> with ft.full_tracebacks():
        ...     ft.grad(lambda x: x**2)(3.0)
        np.float64(6.0)
    """
    before = _is_full.set(full)
    try:
        yield
    finally:
        _is_full.reset(before)


def leave_out_own_frames(error: BaseException) -> None:
    """Take functrace's frames out of the traceback of an error, and of those it came from.

    An error of functrace's that names no line gets the user's line that led to it: the innermost
    one that was running, or else that of the call that it leaves.
    Called in an ``except`` clause, which then says ``raise``.
    """
    if isinstance(error, FunctraceError) and error.where is None:
        error.at(_failing_line(error.__traceback__) or _calling_line())
    if _is_full.get():
        return
    if not isinstance(error, FunctraceError) and _is_raised_here(error):
        note = (
            f"functrace's own frames are left out; functrace.full_tracebacks() or {VARIABLE}=1 "
            "shows them"
        )
        if not any(note in other for other in getattr(error, "__notes__", ())):
            line = _failing_line(error.__traceback__) or _calling_line()
            error.add_note(f"called at {line}\n  {note}")
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = _without_own_frames(one.__traceback__)
            waiting += [one.__cause__, one.__context__]


def _failing_line(traceback: TracebackType | None) -> str | None:
    """The innermost line of the user's in a traceback; None if all is functrace's."""
    line = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith((*_LIBRARIES, "<functrace ")):
            line = f"{code.co_filename}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    return line


def _calling_line() -> str | None:
    """The user's line from which functrace was called."""
    frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    if frame is None:
        return None
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_own(step: TracebackType) -> bool:
    return step.tb_frame.f_code.co_filename.startswith((_FOLDER, "<functrace "))


def _is_raised_here(error: BaseException) -> bool:
    """Whether the line that raised an error is one of functrace's."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and _is_own(step)


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while traceback is not None:
        if not _is_own(traceback):
            kept.append(traceback)
        traceback = traceback.tb_next
    result = None
    for step in reversed(kept):
        result = TracebackType(result, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return result


def boundary(function: Callable[P, R]) -> Callable[P, R]:
    """A function that users call: errors leave it without functrace's own frames.

    It costs a call more. Where that counts, the function says for itself what stands here.
    """

    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            leave_out_own_frames(error)
            raise

    update_wrapper(called, function)
    wrapped = getattr(function, "__wrapped__", function)
    called.__wrapped__ = wrapped  # pyright: ignore[reportFunctionMemberAccess]
    return called
