"""What says how it was made: functions that functions make, such as schedules, and contexts.

Internal: users find what they need in `functrace` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ContextDecorator, contextmanager
from functools import partial, wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 60
"""How many letters of an argument are shown."""


class Made(partial[Any]):
    """A function that says what it was made by and of, and is pickled as that."""

    made_by: tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any], str | None]
    """The factory, its arguments and options; and the name of the part, where it makes several."""

    def __repr__(self) -> str:
        part = self.made_by[3]
        return f"<{'' if part is None else f'{part} of '}{how_made(self)}>"

    def __reduce__(self) -> Any:
        return _made, self.made_by

    def __deepcopy__(self, memo: Any) -> Made:
        return self


def says_how_made(make: Callable[P, R]) -> Callable[P, R]:
    """As a decorator: let the function that another one makes, or each in a tuple, say so."""

    @wraps(make)
    def called(*args: P.args, **options: P.kwargs) -> R:
        def made(function: Any, part: str | None) -> Any:
            found = Made(function)
            found.made_by = called, args, options, part
            return found

        result: Any = make(*args, **options)
        if isinstance(result, tuple):
            names = cast("Any", result)._fields
            pairs = zip(cast("Sequence[Any]", result), names, strict=True)
            return cast("Any", type(result))(*(made(function, name) for function, name in pairs))
        return made(result, None)

    return called


class Context(ContextDecorator, Generic[R]):
    """A context of a generator, as `contextlib.contextmanager` makes it, that says what it is."""

    def __init__(
        self, make: Callable[..., AbstractContextManager[R]], args: Any, options: Mapping[str, Any]
    ) -> None:
        self._made_by = make, args, options
        self._manager: Any = make(*args, **options)

    def _recreate_cm(self) -> Context[R]:
        return Context(*self._made_by)  # one for each call of a function

    def __enter__(self) -> R:
        return self._manager.__enter__()

    def __exit__(self, *exception: object) -> bool | None:
        return self._manager.__exit__(*exception)

    def __repr__(self) -> str:
        return f"<context {_call(*self._made_by)}>"


def context(make: Callable[P, Generator[R]]) -> Callable[P, Context[R]]:
    """As a decorator: `contextlib.contextmanager`, of which the contexts say what they are."""
    made = contextmanager(make)

    @wraps(make)
    def called(*args: P.args, **options: P.kwargs) -> Context[R]:
        return Context(made, args, options)

    return called


def _made(make: Any, args: Sequence[Any], options: Mapping[str, Any], part: str | None) -> Any:
    result = make(*args, **options)
    return result if part is None else getattr(result, part)


def how_made(function: Any) -> str | None:
    """The call that has made a function; None where it is not known."""
    if not isinstance(function, Made):
        return None
    return _call(*function.made_by[:3])


def _call(make: Any, args: Sequence[Any], options: Mapping[str, Any]) -> str:
    named = [f"{name}={_in_short(x)}" for name, x in options.items()]
    return f"{make.__name__.lstrip('_')}({', '.join([*map(_in_short, args), *named])})"


def _in_short(x: Any) -> str:
    """An argument, as one would write it; of an array its type."""
    if isinstance(x, dict):
        pairs = cast("dict[Any, Any]", x).items()
        return f"{{{', '.join(f'{key!r}: {_in_short(value)}' for key, value in pairs)}}}"
    if isinstance(x, tuple | list):
        parts = cast("Sequence[Any]", x)
        if hasattr(x, "_fields"):  # functions that one factory has made
            return how_made(parts[0]) or repr(x)
        inner = ", ".join(map(_in_short, parts))
        return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(parts) == 1)})"
    if hasattr(x, "shape") and not isinstance(x, type):
        return f"{x.dtype}[{', '.join(map(str, x.shape))}]" if x.shape else str(x)
    text = how_made(x) or getattr(x, "__name__", None) or repr(x)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
