"""Where users enter functrace, so that errors leave it without its own frames."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from functools import update_wrapper
from typing import Any, TypeVar, cast

from functrace.errors import LeakedTracerError
from functrace.tracebacks import leave_out_own_frames

F = TypeVar("F", bound=Callable[..., Any])


running: ContextVar[Any] = ContextVar("running", default=None)
"""The recording whose function is running, the innermost one; None if none is."""


def is_recording() -> bool:
    """Whether a transformed function is running, so that whatever it calls may use its tracers."""
    return running.get() is not None


def at_entrance(error: Exception) -> None:
    """Take functrace's own frames out of the traceback of an error that is about to leave it.

    Within a transformation that is for the transformation to do, which needs to see them; but a
    tracer that has leaked is used outside of the one that it is of. Called as
    `leave_out_own_frames` is; to be ready for it costs nothing.
    """
    if isinstance(error, LeakedTracerError) or not is_recording():
        leave_out_own_frames(error)


def entrance(function: F) -> F:
    """The same function, whose errors leave functrace without its frames: see `at_entrance`.

    Messages tell what the user wrote by the first frame of functrace's after this one.
    """

    def called(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except Exception as error:
            at_entrance(error)
            raise

    return cast("F", update_wrapper(called, function))


ENTRANCE = entrance(len).__code__
"""The code that all entrances share."""


def entrances(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The public functions that a module defines, each as an `entrance`."""
    return {
        name: entrance(value)
        for name, value in namespace.items()
        if inspect.isfunction(value)
        and value.__module__ == namespace["__name__"]
        and not name.startswith("_")
    }


def enter_by_methods(cls: type, asked: Collection[str] = (), known: Collection[str] = ()) -> None:
    """Make the methods and properties of a class that users reach an `entrance` each.

    Args:
        cls: The class.
        asked: Special methods that are entrances too, without their underscores.
        known: Properties that read what is known, and raise nothing.
    """
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and (name[0] != "_" or name.strip("_") in asked):
            setattr(cls, name, entrance(method))
        elif isinstance(method, property):
            reads = cast("Any", method.fget)
            if name not in known:
                reads = entrance(reads)
            setattr(cls, name, property(reads, method.fset and entrance(method.fset)))
