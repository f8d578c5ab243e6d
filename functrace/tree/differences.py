"""Where two trees first differ in structure, and how: one sentence."""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from functrace.tree.keys import KeyPath, keystr
from functrace.tree.kinds import (
    DEFAULTDICT,
    DICT,
    LEAF_NODE,
    LIST,
    NAMEDTUPLE,
    NONE,
    ORDERED_DICT,
    TUPLE,
    IsLeaf,
    Kind,
    open_container,
)
from functrace.tree.nodes import Node, child_nodes, entries_of


def difference(
    node: Node, tree: Any, is_leaf: IsLeaf | None = None, prefix: bool = False
) -> str | None:
    """The first difference of a tree from a node; None if there is none.

    Where ``prefix`` is set, the tree may have any subtree where the node has a leaf.
    """
    if is_leaf is None:
        return _found(node, tree, (), open_container, prefix)

    def open_until(tree: Any) -> tuple[Kind, Any, Sequence[Any]] | None:
        return None if is_leaf(tree) else open_container(tree)

    return _found(node, tree, (), open_until, prefix)


def node_difference(node: Node, other: Node) -> str | None:
    """The first difference of a node from another one; None if there is none."""
    return _found(node, other, (), _open_node, False)


def in_words(difference: str | None) -> str:
    """A difference of trees that are known to differ, for use in a message."""
    # There is none when the auxiliary data of a class is not equal to itself.
    return difference or "Their auxiliary data does not compare as equal."


def _open_node(node: Node) -> tuple[Kind, Any, Sequence[Any]] | None:
    """As `open_container`, for the node of a structure in place of a tree."""
    return None if node is LEAF_NODE else (node[0], node[1], child_nodes(node))


def _found(
    node: Node,
    other: Any,
    path: KeyPath,
    open_other: Callable[[Any], tuple[Kind, Any, Sequence[Any]] | None],
    prefix: bool,
) -> str | None:
    if node is LEAF_NODE and prefix:
        return None
    opened = open_other(other)
    if node is LEAF_NODE:
        if opened is None:
            return None
        return _mismatch(path, "a leaf", _describe(opened[0], opened[1], len(opened[2])))
    kind, aux, count = node[:3]
    if opened is None:
        found = "a leaf" if other is LEAF_NODE else f"a leaf of type {type(other).__name__}"
        return _mismatch(path, _describe(kind, aux, count), found)
    other_kind, other_aux, children = opened
    if other_kind is not kind or (kind is NAMEDTUPLE and other_aux is not aux):
        return _mismatch(
            path,
            _describe(kind, aux, count),
            _describe(other_kind, other_aux, len(children)),
        )
    if len(children) != count or other_aux != aux:
        return f"At {place_of(path)}, {_container_difference(node, other_aux, len(children))}."
    if len(node) == 3 and prefix:
        return None
    for entry, child_node, child in zip(entries_of(node), child_nodes(node), children):
        found = _found(child_node, child, (*path, entry), open_other, prefix)
        if found is not None:
            return found
    return None


# In words


def place_of(path: KeyPath) -> str:
    """A key path for a message."""
    return keystr(path) or "the root"


def _mismatch(path: KeyPath, expected: str, found: str) -> str:
    return f"At {place_of(path)}, {expected} was expected, but {found} was found."


def count_of(count: int, one: str, several: str) -> str:
    """A number with the noun in its number."""
    return f"{count} {one if count == 1 else several}"


def _describe(kind: Kind, aux: Any, count: int) -> str:
    """A container in words."""
    if kind is NONE:
        return "None"
    if kind is LIST or kind is TUPLE:
        return f"a {kind.cls.__name__} of length {count}"
    name: str = aux.__name__ if kind is NAMEDTUPLE else kind.cls.__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _container_difference(node: Node, other_aux: Any, other_count: int) -> str:
    """How two containers of one kind differ apart from their children."""
    kind, aux, count = node[:3]
    if kind is LIST or kind is TUPLE:
        expected = _describe(kind, aux, count)
        return f"{expected} was expected, but one of length {other_count} was found"
    name = kind.cls.__name__
    if kind is DICT or kind is ORDERED_DICT or kind is DEFAULTDICT:
        keys, other_keys = aux, other_aux
        if kind is DEFAULTDICT:
            keys, other_keys = aux[1], other_aux[1]
        known, present = set(keys), set(other_keys)
        missing = [key for key in keys if key not in present]
        extra = [key for key in other_keys if key not in known]
        parts: list[str] = []
        if missing:
            parts.append(f"lacks the {_key_list(missing)}")
        if extra:
            parts.append(f"has the unexpected {_key_list(extra)}")
        if parts:
            return f"the {name} {' and '.join(parts)}"
        if keys != other_keys:
            return (
                f"the {name} has its keys in the order {_shown(other_keys)}, "
                f"but {_shown(keys)} was expected"
            )
        return f"the default_factory of the {name} is {other_aux[0]!r}, but {aux[0]!r} was expected"
    # Only the auxiliary data of a dataclass is known to be a tuple.
    fields = zip(kind.meta_names, aux, other_aux) if kind.meta_names else ()
    for field, value, other_value in fields:
        if value is not other_value and value != other_value:
            return (
                f"the static field {field!r} of the {name} is {other_value!r:.200}, "
                f"but {value!r:.200} was expected"
            )
    if count != other_count:
        expected = f"{_describe(kind, aux, count)} with {count_of(count, 'child', 'children')}"
        return f"{expected} was expected, but one with {other_count} was found"
    return f"the auxiliary data of the {name} is {other_aux!r:.200}, but {aux!r:.200} was expected"


def _shown(keys: Sequence[Any]) -> str:
    shown = ", ".join([repr(key) for key in keys[:10]])
    return f"{shown} and {len(keys) - 10} more" if len(keys) > 10 else shown


def _key_list(keys: Sequence[Any]) -> str:
    return f"{'key' if len(keys) == 1 else 'keys'} {_shown(keys)}"
