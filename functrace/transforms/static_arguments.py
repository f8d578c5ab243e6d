"""Parameters that options name by position or by name, and arguments that are not traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import wraps
from typing import Any, NamedTuple, cast

from functrace.errors import ArgumentError
from functrace.tracing.places import source_of, user_place
from functrace.transforms.arguments import parameter_name
from functrace.tree.sameness import identity


class NamedParameters(NamedTuple):
    """The parameters that an option such as ``static_argnums`` names.

    Attributes:
        positions: Where they stand among positional arguments; negative ones count from the end
            of a call's arguments.
        names: Under which names they are found among keyword arguments.
    """

    positions: frozenset[int]
    names: frozenset[str]

    def positions_of(self, count: int) -> list[int]:
        """Their positions among so many positional arguments, in order."""
        return sorted({p % count for p in self.positions if -count <= p < count})


def named_parameters(
    f: Callable[..., Any],
    argnums: int | Iterable[int] | None,
    argnames: str | Iterable[str] | None,
    option: str,
) -> NamedParameters:
    """The parameters of a function that are named by position or name; by both where possible.

    Args:
        f: The function.
        argnums: Positions.
        argnames: Names.
        option: What the positions are called, for a message.

    Raises:
        ArgumentError: The function has no parameter at a position.
    """
    names_option = option.replace("nums", "names")
    positions = set(_listed(argnums, int, option, "positions, integers"))
    names = set(_listed(argnames, str, names_option, "names, strings"))
    if not positions and not names:
        return NamedParameters(frozenset(), frozenset())
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return NamedParameters(frozenset(positions), frozenset(names))
    function = getattr(f, "__name__", "the function")
    own_names = ", ".join(p.name for p in parameters) or "none"
    by_position = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    by_name = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = sorted(names - by_name)
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise ArgumentError(
            f"{names_option} names {unknown[0]!r}, which is no parameter of {function}.",
            source_of(user_place(3)),
            f"Its parameters are: {own_names}.",
        )
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for position in list(positions):
        if -len(by_position) <= position < len(by_position) and not (takes_any and position < 0):
            positions.discard(position)
            positions.add(position % len(by_position))
            names.add(by_position[position])
        elif not takes_any:
            raise ArgumentError(
                f"{option} names argument {position}, but {function} has {len(by_position)}.",
                source_of(user_place(3)),
                f"The first argument has number 0; its parameters are: {own_names}.",
            )
    positions.update(index for index, name in enumerate(by_position) if name in names)
    return NamedParameters(frozenset(positions), frozenset(names))


def _listed(given: Any, kind: type, option: str, what: str) -> list[Any]:
    """What an option lists: one thing or several, of one kind, none of them twice."""
    if given is None:
        return []
    is_one = isinstance(given, str) or not isinstance(given, Iterable)
    items = [given] if is_one else list(cast("Iterable[Any]", given))
    for item in items:
        if not isinstance(item, kind) or isinstance(item, bool):
            raise ArgumentError(
                f"{option} must hold {what}, not {item!r}.",
                source_of(user_place(4)),
                "Positions go into the option that ends in nums, names into that ending in names.",
            )
    if len(set(items)) < len(items):
        raise ArgumentError(
            f"{option}={given!r} names an argument twice.",
            source_of(user_place(4)),
            "Name each argument once.",
        )
    return items


class Separated(NamedTuple):
    """A call's arguments, the static ones apart from the others.

    Attributes:
        static: Position or name, value, and what stands for it in a cache (as in `identity`) of
            each static argument.
        args: The other positional arguments.
        kwargs: The other keyword arguments.
    """

    static: tuple[tuple[int | str, Any, Hashable], ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def separated(
    parameters: NamedParameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Separated:
    """Separate the static arguments of a call from the others."""
    if not parameters.names and not parameters.positions:
        return Separated((), args, kwargs)
    positions = parameters.positions_of(len(args))
    names = sorted(name for name in parameters.names if name in kwargs)
    given: list[tuple[int | str, Any]] = [(position, args[position]) for position in positions]
    given += [(name, kwargs[name]) for name in names]
    return Separated(
        tuple((place, value, identity(value)) for place, value in given),
        tuple(x for position, x in enumerate(args) if position not in positions),
        {name: x for name, x in kwargs.items() if name not in names},
    )


def dynamic_positions(static: Sequence[tuple[int | str, Any, Hashable]], count: int) -> list[int]:
    """Where among all positional arguments ``count`` ones that are not static stand."""
    fixed = {place for place, _, _ in static}
    positions = (position for position in range(count + len(fixed)) if position not in fixed)
    return [position for position, _ in zip(positions, range(count), strict=False)]


def with_static(
    f: Callable[..., Any], static: Sequence[tuple[int | str, Any, Hashable]]
) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    """The function of the other arguments, given as a tuple and a dict."""
    by_position = {place: value for place, value, _ in static if isinstance(place, int)}
    by_name = {place: value for place, value, _ in static if isinstance(place, str)}

    @wraps(f)
    def called(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rest = iter(args)
        merged = [
            by_position[position] if position in by_position else next(rest)
            for position in range(len(args) + len(by_position))
        ]
        return f(*merged, **kwargs, **by_name)

    return called


def require_hashable(
    function: Callable[..., Any], static: Sequence[tuple[int | str, Any, Hashable]]
) -> None:
    """Check that static arguments of a function can be looked up.

    Raises:
        ArgumentError: One of them cannot be hashed.
    """
    name = getattr(function, "__name__", "the function")
    unhashable = [
        f"The static argument {_shown(function, place)} of {name} is {value!r:.100}, a "
        f"{type(value).__qualname__}, which cannot be hashed."
        for place, value, known_as in static
        if not _is_hashable(known_as)
    ]
    if unhashable:
        raise ArgumentError(
            " ".join(unhashable),
            source_of(user_place(3)),
            advice="Give static arguments as tuples, strings or numbers, not as lists, dicts or "
            "arrays.",
        )


def _shown(function: Callable[..., Any], place: int | str) -> str:
    return place if isinstance(place, str) else parameter_name(function, place)


def _is_hashable(x: Hashable) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True
