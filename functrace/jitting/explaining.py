"""Why a jitted function is recorded again: what differs from the most similar call before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from functrace import tree
from functrace.factories import context
from functrace.ir.types import ArrayType
from functrace.tracing.places import Place, source_of
from functrace.transforms.arguments import leaf_names, parameter_name
from functrace.transforms.static_arguments import dynamic_positions
from functrace.tree.differences import in_words, node_difference

_logger = logging.getLogger("functrace.jit")
_is_explaining: ContextVar[bool] = ContextVar("is_explaining", default=False)

MOST_DIFFERENCES = 5
"""How many leaves of other types a message lists."""


class CallKey(Protocol):
    """What a recording holds for."""

    @property
    def structure(self) -> tree.Structure:
        """Of the pair of positional and keyword arguments that are not static."""
        ...

    @property
    def types(self) -> tuple[ArrayType, ...]:
        """Of their leaves."""
        ...

    @property
    def static(self) -> tuple[tuple[int | str, Any, Hashable], ...]:
        """Position or name, value and identity of each static argument."""
        ...

    @property
    def axes(self) -> tuple[tuple[Hashable, int], ...]:
        """The named axes in scope, and their lengths."""
        ...

    @property
    def backend(self) -> str:
        """The name of the backend."""
        ...

    @property
    def strides(self) -> tuple[tuple[int, ...] | None, ...]:
        """Of arrays that do not lie in row-major order, where that makes a difference."""
        ...


@context
def explain_cache_misses(explain: bool = True) -> Generator[None, None, None]:
    """Within this context, and in this thread, say why jitted functions are recorded.

    Each recording is logged by ``logging.getLogger("functrace.jit")`` as a warning, with what
    differs from the most similar call for which there is a recording: an argument's shape, dtype or
    structure, a static argument's value, a named axis.

    Args:
        explain: False keeps silent inside such a context.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> fast = ft.jit(lambda x: x + 1)
        >>> with ft.explain_cache_misses():
        ...     y = fast(np.ones(2))
        ...     y = fast(np.ones(3))  # x has the type float64[3]; before, it had float64[2]
    """
    before = _is_explaining.set(explain)
    try:
        yield
    finally:
        _is_explaining.reset(before)


def is_explaining() -> bool:
    """Whether recordings are to be explained here."""
    return _is_explaining.get()


def why_recorded(f: Callable[..., Any], key: CallKey, earlier: Sequence[CallKey]) -> str:
    """Why a function is recorded, when there are recordings for these earlier calls."""
    if not earlier:
        return "is recorded: first call"
    nearest = min(reversed(earlier), key=lambda other: _distance(key, other))
    found = list(_differences(f, key, nearest))
    return "is recorded again, because " + ("; ".join(found) or _NOT_KEPT)


_NOT_KEPT = (
    "what was recorded for such a call was not kept: it had captured a traced value, or too many "
    "others were used since"
)


def explain_miss(
    f: Callable[..., Any], key: CallKey, earlier: Sequence[CallKey], place: Place | None
) -> None:
    """Log why a function is recorded, when there are recordings for these earlier calls."""
    _log(f, place, why_recorded(f, key, earlier))


def explain_capture(f: Callable[..., Any], captured: Sequence[Any], place: Place | None) -> None:
    """Log that a recording is not kept."""
    found = captured[0]
    where = source_of(found.place)
    made = "" if where is None else f", made at {where}"
    _log(f, place, f"captures a traced value ({found.type}{made}): not kept")


def _log(f: Callable[..., Any], place: Place | None, what: str) -> None:
    where = "" if place is None else f" at {source_of(place)}"
    name = getattr(f, "__name__", "A function")
    _logger.warning("%s, called%s, %s.", name, where, what)


def _distance(key: CallKey, other: CallKey) -> tuple[int, int, int]:
    """How little two calls have in common; most of all their structure counts."""
    parts = (key.static != other.static) + (key.axes != other.axes) + (key.backend != other.backend)
    parts += key.strides != other.strides
    if key.structure != other.structure:
        leaves = abs(key.structure.num_leaves - other.structure.num_leaves)
        return 1, parts, leaves
    return 0, parts, sum(a != b for a, b in zip(key.types, other.types, strict=True))


def _differences(f: Callable[..., Any], key: CallKey, other: CallKey) -> Iterator[str]:
    yield from _static_differences(f, key, other)
    if key.backend != other.backend:
        yield f"the backend is {key.backend!r}; before, {other.backend!r}"
    if key.axes != other.axes:
        yield f"the named axes are {_shown_axes(key.axes)}; before, {_shown_axes(other.axes)}"
    if key.structure != other.structure:
        yield from _structure_differences(f, key, other)
        return
    names = leaf_names(f, key.structure, _positions(key))
    differing = [
        (name, new, old)
        for name, new, old in zip(names, key.types, other.types, strict=True)
        if new != old
    ]
    for name, new, old in differing[:MOST_DIFFERENCES]:
        yield f"{name} has the type {new}; before, it had {old}"
    if key.strides != other.strides and not differing:
        yield "an array lies in memory in another order, which the function depends on"
    if len(differing) > MOST_DIFFERENCES:
        yield f"and {len(differing) - MOST_DIFFERENCES} more leaves have other types"


def _positions(key: CallKey) -> list[int]:
    return dynamic_positions(key.static, key.structure.children()[0].num_children)


def _static_differences(f: Callable[..., Any], key: CallKey, other: CallKey) -> Iterator[str]:
    new = {place: (value, identity) for place, value, identity in key.static}
    old = {place: (value, identity) for place, value, identity in other.static}
    for place, (value, identity) in new.items():
        name = place if isinstance(place, str) else parameter_name(f, place)
        if place not in old:
            yield f"the static argument {name} is given as {value!r:.200}"
        elif old[place][1] != identity:
            before = old[place][0]
            types = "" if repr(before) != repr(value) else f" of type {type(value).__qualname__}"
            yield f"the static argument {name} is {value!r:.200}{types}; before, {before!r:.200}"
    for place in old:
        if place not in new:
            name = place if isinstance(place, str) else parameter_name(f, place)
            yield f"the static argument {name} is not given"


def _structure_differences(f: Callable[..., Any], key: CallKey, other: CallKey) -> Iterator[str]:
    args, kwargs = key.structure.children()
    old_args, old_kwargs = other.structure.children()
    if args.num_children != old_args.num_children:
        given, before = args.num_children, old_args.num_children
        yield f"{given} positional arguments that are not static are given; before, {before}"
    else:
        positions = dynamic_positions(key.static, args.num_children)
        parts = zip(positions, args.children(), old_args.children(), strict=True)
        for position, part, old in parts:
            if part != old:
                yield _structure_difference(parameter_name(f, position), part, old)
    new = dict(zip(kwargs.node[1], kwargs.children(), strict=True))
    old_parts = dict(zip(old_kwargs.node[1], old_kwargs.children(), strict=True))
    if new.keys() != old_parts.keys():
        yield f"the keywords {_shown_keys(new)} are given; before, {_shown_keys(old_parts)}"
    for name, part in new.items():
        if name in old_parts and part != old_parts[name]:
            yield _structure_difference(name, part, old_parts[name])


def _structure_difference(name: str, new: tree.Structure, old: tree.Structure) -> str:
    difference = in_words(node_difference(old.node, new.node)).removesuffix(".")
    difference = difference.removeprefix("At the root, ")
    return f"{name} has another structure: {difference[0].lower()}{difference[1:]}"


def _shown_keys(names: dict[str, Any]) -> str:
    return ", ".join(map(repr, names)) or "(none)"


def _shown_axes(axes: Sequence[tuple[Hashable, int]]) -> str:
    return ", ".join(f"{name!r}: {size}" for name, size in axes) or "(none)"
