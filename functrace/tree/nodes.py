"""Nodes: what a structure is made of, and what is computed from it.

A node is `LEAF_NODE`, or a plain tuple (kind, aux, number of children, *nodes of the children), in
which the nodes of the children are left out when all of them are leaves. So a node has length 3
exactly when all its children are leaves, and two nodes are equal exactly when they stand for the
same structure. Plain tuples are made, compared and hashed in C, several times faster than objects
of a Python class, and one level of the tree is one level of recursion there, not two.
"""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias, cast

from functrace.tree.keys import FlattenedIndexKey, KeyPath
from functrace.tree.kinds import (
    DEFAULTDICT,
    DICT,
    LEAF_NODE,
    LIST,
    NAMEDTUPLE,
    NONE,
    ORDERED_DICT,
    TUPLE,
    Kind,
    open_container,
)

Node: TypeAlias = Any


EMPTY_DICT: Final[Node] = (DICT, (), 0)


def child_nodes(node: Node) -> Sequence[Node]:
    """The nodes of the children; none for a leaf."""
    if node is LEAF_NODE:
        return ()
    return node[3:] if len(node) > 3 else (LEAF_NODE,) * node[2]


def number_of_leaves(node: Node) -> int:
    """How many leaves a tree of this node has."""
    if node is LEAF_NODE:
        return 1
    if len(node) == 3:
        return node[2]
    count = 0
    for child in node[3:]:
        count += number_of_leaves(child)
    return count


def number_of_nodes(node: Node) -> int:
    """How many containers and leaves a tree of this node has together."""
    if node is LEAF_NODE:
        return 1
    if len(node) == 3:
        return 1 + node[2]
    count = 1
    for child in node[3:]:
        count += number_of_nodes(child)
    return count


def compose(node: Node, inner: Node) -> Node:
    """The node with the inner one, which is that of a container, in place of each leaf."""
    if node is LEAF_NODE:
        return inner
    if len(node) == 3:
        return (*node, *((inner,) * node[2]))
    nodes = list(node[:3])
    for child in node[3:]:
        nodes.append(compose(child, inner))  # noqa: PERF401  (takes a frame: see _flatten_into)
    return tuple(nodes)


_placeholder: Final = object()


def entries_of(node: Node) -> Sequence[Any]:
    """The key entries of the children of a node."""
    kind: Kind = node[0]
    count: int = node[2]
    if kind.entries is not None:
        return kind.entries(node[1], count)
    if kind.flatten_with_keys is not None:
        try:
            rebuilt = kind.unflatten(node[1], (_placeholder,) * count)
            entries = [entry for entry, _ in kind.flatten_with_keys(rebuilt)[0]]
            if len(entries) == count:
                return entries
        except Exception:  # noqa: BLE001, S110
            # The class does not accept placeholders, whatever it says about them. Paths are for
            # reading, so it is better to have less telling ones than none.
            pass
    return [FlattenedIndexKey(index) for index in range(count)]


def paths_into(node: Node, path: KeyPath, paths: list[KeyPath]) -> None:
    """Append the key path of each leaf, beginning with the path of the node."""
    if node is LEAF_NODE:
        paths.append(path)
        return
    entries = entries_of(node)
    if len(node) == 3:
        paths += [(*path, entry) for entry in entries]
        return
    for entry, child in zip(entries, node[3:]):
        paths_into(child, (*path, entry), paths)


# Writing


_LONGEST_WRITTEN: Final = 100


def write(node: Node) -> str:
    """The node as it is shown, with ``*`` for each leaf."""
    if node is LEAF_NODE:
        return "*"
    kind, aux, count = node[:3]
    if kind is NONE:
        return "None"
    nodes = child_nodes(node)
    parts: list[str] = []
    for child in nodes[:_LONGEST_WRITTEN]:
        parts.append(write(child))  # noqa: PERF401  (takes a frame: see _flatten_into)
    # The rest of a very long container is only counted, as `...` and a number.
    rest = [f"... {count - _LONGEST_WRITTEN} more"] if count > _LONGEST_WRITTEN else []
    if kind is LIST:
        return f"[{', '.join(parts + rest)}]"
    if kind is TUPLE:
        return f"({parts[0]},)" if count == 1 else f"({', '.join(parts + rest)})"
    if kind is NAMEDTUPLE:
        return _write_call(aux.__name__, aux._fields, parts, rest)
    if kind.data_names is not None:
        fixed = [f"{name}={value!r}" for name, value in zip(kind.meta_names, aux)]
        return _write_call(kind.cls.__name__, kind.data_names, parts, rest + fixed)
    if kind is DICT or kind is ORDERED_DICT or kind is DEFAULTDICT:
        keys = aux[1] if kind is DEFAULTDICT else aux
        items = [f"{key!r}: {part}" for key, part in zip(keys, parts)] + rest
        written = f"{{{', '.join(items)}}}"
        if kind is ORDERED_DICT:
            return f"OrderedDict({written})"
        if kind is DEFAULTDICT:
            factory = aux[0]
            return f"defaultdict({getattr(factory, '__name__', repr(factory))}, {written})"
        return written
    static = "" if aux is None or aux == () else f"[{aux!r}]"
    return f"{kind.cls.__name__}{static}({', '.join(parts + rest)})"


def _write_call(name: str, fields: Iterable[str], parts: list[str], rest: list[str]) -> str:
    arguments = [f"{field}={part}" for field, part in zip(fields, parts)] + rest
    return f"{name}({', '.join(arguments)})"


# Taking apart and putting together


def build(node: Node, leaves: Iterator[Any]) -> Any:
    """Make the tree of a node that is not a leaf from the next leaves."""
    kind = node[0]
    children: Any
    if len(node) == 3:
        if kind is DICT:
            # The keys come first, so this takes no leaf too many.
            return dict(zip(node[1], leaves))
        children = islice(leaves, node[2])
    else:
        children = []
        for child in node[3:]:
            children.append(next(leaves) if child is LEAF_NODE else build(child, leaves))
        if kind is LIST:
            return children
    if kind is TUPLE:
        return tuple(children)
    if kind is LIST:
        return list(children)
    if kind is DICT:
        return dict(zip(node[1], children))
    return kind.unflatten(node[1], tuple(children))


def flatten_up_to(node: Node, tree: Any, subtrees: list[Any]) -> bool:
    """Append the subtrees at the leaves of a node; return False if the tree does not fit."""
    if node is LEAF_NODE:
        subtrees.append(tree)
        return True
    kind = node[0]
    if kind is TUPLE or kind is LIST:
        if type(tree) is not kind.cls or len(tree) != node[2]:
            return False
        children = tree
    elif kind is DICT:
        if type(tree) is not dict or len(cast("dict[Any, Any]", tree)) != node[2]:
            return False
        try:
            children = [*map(cast("Any", tree).__getitem__, node[1])]
        except KeyError:
            return False
    else:
        opened = open_container(tree)
        if opened is None or opened[0] is not kind:
            return False
        children = opened[2]
        if len(children) != node[2] or opened[1] != node[1]:
            return False
    if len(node) == 3:
        subtrees += children
        return True
    for child_node, child in zip(node[3:], children):
        if child_node is LEAF_NODE:
            subtrees.append(child)
        elif not flatten_up_to(child_node, child, subtrees):
            return False
    return True
