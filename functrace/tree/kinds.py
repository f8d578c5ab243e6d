"""Kinds of containers: how the objects of a class are taken apart and put together.

There is one kind for each registered class, one for each built-in container, and one for all named
tuples together. Kinds are found by the exact class of an object.
"""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias, cast, final

import numpy as np

from functrace.errors import TreeKeyError, TreeRegistrationError
from functrace.tree.keys import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

IsLeaf: TypeAlias = Callable[[Any], bool]


@final
class Kind:
    """How the objects of one class are taken apart and put together.

    Kinds are compared by identity: there is one for each registered class, one for each built-in
    container, and one for all named tuples together (whose class is in the auxiliary data).
    """

    __slots__ = ("cls", "data_names", "entries", "flatten", "flatten_with_keys", "meta_names",
                 "unflatten")  # fmt: skip

    def __init__(
        self,
        cls: type[Any],
        flatten: Callable[[Any], tuple[Iterable[Any], Any]],
        unflatten: Callable[[Any, Any], Any],
        *,
        entries: Callable[[Any, int], Sequence[Any]] | None = None,
        flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
        data_names: tuple[str, ...] | None = None,
        meta_names: tuple[str, ...] = (),
    ) -> None:
        self.cls = cls
        self.flatten = flatten
        self.unflatten = unflatten
        # The key entries where they follow from the auxiliary data and the number of children.
        self.entries = entries
        self.flatten_with_keys = flatten_with_keys
        # Only of dataclasses: the fields that are children, and those in the auxiliary data.
        self.data_names = data_names
        self.meta_names = meta_names

    def __reduce__(self) -> tuple[Any, ...]:
        # A structure that comes out of a pickle must hold the same kinds, as they are compared by
        # identity. The class has to be registered in the process that reads the pickle.
        return (kind_of_class, (None if self is NONE else self.cls,))


def kind_of_class(cls: type[Any] | None) -> Kind:
    """The kind of a registered class; of None that of None."""
    kind = NONE if cls is None else NAMEDTUPLE if cls is _TupleWithNames else KINDS.get(cls)
    if kind is None:
        raise TreeRegistrationError(
            f"The class {class_name(cls)} is not registered as a container."
        )
    return kind


@final
class _Leaf:
    """The class of the one node that stands for a leaf."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "*"

    def __reduce__(self) -> str:
        return "LEAF_NODE"


LEAF_NODE: Final = _Leaf()


@final
class _TupleWithNames:
    """The class recorded for the kind of all named tuples."""


def sorted_keys(tree: dict[Any, Any]) -> tuple[Any, ...]:
    """The keys of a dict in the order of its leaves."""
    try:
        return tuple(sorted(tree))
    except TypeError as error:
        if _is_from_within(error):
            raise
        keys = ", ".join([repr(key) for key in islice(tree, 10)])
        if len(tree) > 10:
            keys += f" and {len(tree) - 10} more"
        raise TreeKeyError(
            f"The leaves of a {type(tree).__name__} are taken in the order of its sorted keys, "
            f"but its keys cannot be sorted: {keys}."
        ) from error


def _is_from_within(error: BaseException) -> bool:
    """Whether code that was called raised it, such as a user's, and not the lines that catch it."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is not None


def _flatten_dict(tree: dict[Any, Any]) -> tuple[list[Any], Any]:
    keys = sorted_keys(tree)
    return [tree[key] for key in keys], keys


def _flatten_ordered_dict(tree: OrderedDict[Any, Any]) -> tuple[list[Any], Any]:
    return list(tree.values()), tuple(tree)


def _flatten_defaultdict(tree: defaultdict[Any, Any]) -> tuple[list[Any], Any]:
    # Sorted, as in a dict: the order in which the keys were first asked for means nothing.
    keys = sorted_keys(tree)
    return [tree[key] for key in keys], (tree.default_factory, keys)


def _flatten_namedtuple(tree: Any) -> tuple[Any, Any]:
    cls = class_of(tree)
    return tree, cls


def _sequence_entries(aux: Any, count: int) -> list[Any]:
    return [SequenceKey(index) for index in range(count)]


def _dict_entries(aux: Any, count: int) -> list[Any]:
    return [DictKey(key) for key in aux]


LIST: Final = Kind(
    list, lambda tree: (tree, None), lambda aux, children: list(children), entries=_sequence_entries
)


TUPLE: Final = Kind(
    tuple,
    lambda tree: (tree, None),
    lambda aux, children: tuple(children),
    entries=_sequence_entries,
)


DICT: Final = Kind(
    dict, _flatten_dict, lambda aux, children: dict(zip(aux, children)), entries=_dict_entries
)


NONE: Final = Kind(
    type(None), lambda tree: ((), None), lambda aux, children: None, entries=lambda aux, count: ()
)


ORDERED_DICT: Final = Kind(
    OrderedDict,
    _flatten_ordered_dict,
    lambda aux, children: OrderedDict(zip(aux, children)),
    entries=_dict_entries,
)


DEFAULTDICT: Final = Kind(
    defaultdict,
    _flatten_defaultdict,
    lambda aux, children: defaultdict(aux[0], zip(aux[1], children)),
    entries=lambda aux, count: _dict_entries(aux[1], count),
)


# `_make` does not call a `__new__` that a subclass of a named tuple may have.
NAMEDTUPLE: Final = Kind(
    _TupleWithNames,
    _flatten_namedtuple,
    lambda aux, children: aux._make(children),
    entries=lambda aux, count: [GetAttrKey(name) for name in aux._fields],
)


KINDS: Final[dict[type[Any], Kind]] = {
    kind.cls: kind for kind in (LIST, TUPLE, DICT, NONE, ORDERED_DICT, DEFAULTDICT)
}


get_kind: Final = KINDS.get


# Classes known to be leaves. It only saves time: any other class is looked at each time anew. So it
# need not grow, and does not keep alive the classes that happen to pass through.
KNOWN_LEAVES: Final[set[type[Any]]] = {
    np.ndarray, bool, int, float, complex, str, bytes, object, *np.sctypeDict.values()
}  # fmt: skip


are_known_leaves: Final = KNOWN_LEAVES.issuperset


# As `type`, for the type checker: that of an object of unknown type is no more known than it.
class_of: Final = cast("Callable[[Any], Any]", type)


# Typed as Any, because `issubclass` would otherwise narrow a class to one of unknown tuples.
TUPLE_CLASS: Final = cast("Any", tuple)


def dataclasses() -> Any:
    """The module of this name.

    It takes longer to import than this whole library; whoever has a dataclass has imported it.
    """
    import dataclasses  # noqa: PLC0415

    return dataclasses


def class_name(cls: Any) -> str:
    """The name of a class for a message, also of what is none."""
    return getattr(cls, "__qualname__", None) or repr(cls)


def is_namedtuple(cls: Any) -> bool:
    """Whether a class is that of named tuples."""
    return issubclass(cls, TUPLE_CLASS) and hasattr(cls, "_fields") and hasattr(cls, "_make")


def open_container(tree: Any) -> tuple[Kind, Any, Sequence[Any]] | None:
    """Take one container apart into its kind, auxiliary data and children; None for a leaf."""
    cls = class_of(tree)
    kind = get_kind(cls)
    if kind is None:
        return (NAMEDTUPLE, cls, tree) if is_namedtuple(cls) else None
    result = kind.flatten(tree)
    if kind.entries is not None:
        # A built-in container or a dataclass, whose function is of this module.
        return kind, result[1], cast("Sequence[Any]", result[0])
    try:
        children, aux = result
        return kind, aux, tuple(children)
    except (TypeError, ValueError) as error:
        if _is_from_within(error):
            raise
        raise TreeRegistrationError(
            f"The function registered to flatten {class_name(cls)} must return a pair "
            f"(children, auxiliary data), but returned {type(result).__name__}: {result!r:.200}.",
            advice="Return the children as a tuple, and after it what never changes, or None.",
        ) from error


def open_with_keys(tree: Any) -> tuple[Kind, Any, Sequence[Any], Sequence[Any]] | None:
    """As `open_container`, with the key entries of the children at the end."""
    cls = class_of(tree)
    kind = get_kind(cls)
    if kind is None or kind.flatten_with_keys is None:
        opened = open_container(tree)
        if opened is None:
            return None
        kind, aux, children = opened
        if kind.entries is not None:
            return kind, aux, children, kind.entries(aux, len(children))
        return kind, aux, children, [FlattenedIndexKey(index) for index in range(len(children))]
    result = kind.flatten_with_keys(tree)
    try:
        pairs, aux = result
        entries: list[Any] = []
        children_with_keys: list[Any] = []
        for entry, child in pairs:
            entries.append(entry)
            children_with_keys.append(child)
    except (TypeError, ValueError) as error:
        if _is_from_within(error):
            raise
        raise TreeRegistrationError(
            f"The function registered to flatten {class_name(kind.cls)} with keys must return "
            f"((key, child), ...) and the auxiliary data, but returned {result!r:.200}.",
            advice="Return one pair of a key and a child for each child.",
        ) from error
    return kind, aux, children_with_keys, entries
