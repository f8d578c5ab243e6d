"""Calling a function that may write into its arguments, without a change to the caller's arrays.

Small arrays are copied. To copy large ones at each call would take longer than many a function, and
hardly one writes into them: they are handed over as views that cannot be written. A function that
tries to is called again, on copies. One that writes a traced value into an argument that is not
traced is called again with all its arrays traced. Both are remembered, so that it happens once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType, MappingProxyType
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArrayWriteError, FunctraceError
from functrace.tracing import Recording, Tracer
from functrace.transforms.keeping import COPIED_BYTES, owner_of
from functrace.tree.kinds import KNOWN_LEAVES

AS_THEY_ARE, COPIED, TRACED = range(3)
"""How a function is given arrays: small ones copied, all copied, or all traced."""

_levels: dict[CodeType | None, int] = {}
"""What functions need that write into arguments."""

_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


def owned(value: Any) -> Any:
    """The same value in memory of its own."""
    return value.copy() if isinstance(value, np.ndarray | Tracer) else value


def apart(values: Sequence[Any], others: Iterable[Any] = ()) -> list[Any]:
    """Results in memory of their own: neither read-only, nor shared with others or each other.

    Args:
        values: What was computed.
        others: What it must not share memory with.
    """
    taken = {id(owner_of(x)) for x in others if isinstance(x, np.ndarray)}
    result: list[Any] = []
    for x in values:
        if isinstance(x, np.ndarray):
            owner = owner_of(x)
            if owner.base is not None or id(owner) in taken or not x.flags.writeable:
                result.append(x.copy())
                continue
            taken.add(id(owner))
        result.append(x.copy() if type(x) is Tracer else x)
    return result


def call_apart(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] = _NO_KEYWORDS,
    made: Sequence[int | str] = (),
    tracers: Sequence[Any] | None = None,
) -> Any:
    """Call a function on arguments that are its own.

    Args:
        f: The function.
        args: Its arguments by position.
        kwargs: Its arguments by keyword.
        made: The positions and names of those that were made for this call.
        tracers: The leaves of what was made for this call, where they are known.

    Returns:
        What it returns.
    """
    arguments = _Arguments(args, kwargs, made)
    if not arguments.has_arrays:
        return f(*arguments.own, **arguments.named)
    if tracers is None:
        tracers = [x for own in (*arguments.own, *arguments.named.values()) for x in _leaves(own)]
    recording = _youngest(tracers)
    before = [(x, x.recording, x.value, x.variable) for x in tracers if type(x) is Tracer]
    code = getattr(f, "__code__", None)
    known = level = _levels.get(code, AS_THEY_ARE) if _levels else AS_THEY_ARE
    while True:
        try:
            if level == AS_THEY_ARE:
                result = f(*arguments.own, **arguments.named)
            elif level == COPIED or recording is None:
                result = f(*_copied(arguments.own), **_copied(arguments.named))
            else:
                result = f(
                    *_traced(arguments.own, recording), **_traced(arguments.named, recording)
                )
        except (ValueError, TypeError) as error:
            if level < TRACED and recording is not None and _is_write_of_traced(error):
                level = TRACED
            elif level < COPIED and arguments.views and "read-only" in str(error):
                level = COPIED
            else:
                raise
        else:
            if level > known and code is not None:
                _levels[code] = level
            return result
        for tracer, *state in before:
            tracer.recording, tracer.value, tracer.variable = state
            tracer.memory = tracer.base = None
        arguments = _Arguments(args, kwargs, made)  # what was copied may have been written


class _Arguments:
    """The arguments of one call.

    Attributes:
        own: What the function is given for those by position.
        named: The same for those by keyword.
        has_arrays: Whether one of those that were not made for this call holds arrays.
        views: Those arrays that were handed over as views.
    """

    def __init__(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], made: Sequence[int | str]
    ) -> None:
        self.has_arrays = False
        self.views: list[np.ndarray] = []
        self.own = [x if n in made else self._apart(x) for n, x in enumerate(args)]
        self.named = {name: x if name in made else self._apart(x) for name, x in kwargs.items()}

    def _apart(self, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return self._array(x)
        kind = type(x)
        if kind is Tracer:
            return x.copy()
        if kind in KNOWN_LEAVES:
            return x
        leaves = _leaves(x)
        if not any(isinstance(leaf, np.ndarray | Tracer) for leaf in leaves):
            return x
        return tree.structure(x).unflatten(
            [
                self._array(leaf)
                if isinstance(leaf, np.ndarray)
                else leaf.copy()
                if type(leaf) is Tracer
                else leaf
                for leaf in leaves
            ]
        )

    def _array(self, array: np.ndarray) -> np.ndarray:
        self.has_arrays = True
        if array.nbytes <= COPIED_BYTES:
            return array.copy("K")
        view = array.view()
        view.flags.writeable = False
        self.views.append(view)
        return view


def _leaves(x: Any) -> list[Any]:
    try:
        return tree.leaves(x)
    except FunctraceError:  # it is no tree: keys without an order, a list in itself
        return []


def _copied(args: Any) -> Any:
    """The arguments, with what cannot be written in memory of its own."""
    return tree.map(
        lambda x: x.copy("K") if isinstance(x, np.ndarray) and not x.flags.writeable else x, args
    )


def _traced(args: Any, recording: Recording) -> Any:
    """The arguments, with all arrays traced."""
    return tree.map(
        lambda x: recording.lift(x) if type(x) is np.ndarray and x.dtype.kind in "biufc" else x,
        args,
    )


def _youngest(leaves: Sequence[Any]) -> Recording | None:
    found = [x.recording for x in leaves if type(x) is Tracer]
    return max(found, key=lambda recording: recording.birth) if found else None


def _is_write_of_traced(error: BaseException | None) -> bool:
    """Whether a traced value could not be written into an array."""
    while error is not None:
        if isinstance(error, ArrayWriteError):
            return True
        error = error.__cause__ or error.__context__
    return False
