"""Trees are taken apart into leaves and structure, and put together again."""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from functrace.errors import ArgumentError, TreeStructureError
from functrace.tracebacks import boundary
from functrace.tree.keys import KeyPath, keystr
from functrace.tree.kinds import (
    DICT,
    KNOWN_LEAVES,
    LEAF_NODE,
    LIST,
    TUPLE,
    TUPLE_CLASS,
    IsLeaf,
    are_known_leaves,
    class_name,
    class_of,
    get_kind,
    is_namedtuple,
    open_container,
    open_with_keys,
    sorted_keys,
)
from functrace.tree.nodes import EMPTY_DICT, Node
from functrace.tree.structures import LEAF, Structure


def flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[Any], Structure]:
    """Take a tree apart into its leaves and its structure.

    Args:
        tree: Any object.
        is_leaf: Called with each node from the root on; where it returns true, the node is a leaf
            whatever it is, ``None`` included.

    Returns:
        The leaves in order, and the structure that puts them together again.

    Raises:
        TreeKeyError: The keys of a dict cannot be sorted.
        TreeStructureError: A container contains itself, or the tree is too deep.

    >>> flatten({"b": (2, 3), "a": 1})
    ([1, 2, 3], Structure({'a': *, 'b': (*, *)}))
    >>> flatten([1, None, (2, 3)], is_leaf=lambda node: node is None or isinstance(node, tuple))
    ([1, None, (2, 3)], Structure([*, *, *]))
    """
    if is_leaf is None and type(tree) in KNOWN_LEAVES:
        return [tree], LEAF
    leaves: list[Any] = []
    try:
        if is_leaf is None:
            node = _flatten_into(tree, leaves)
        else:
            node = _flatten_until(tree, leaves, is_leaf)
    except RecursionError as error:
        _explain_recursion(tree, is_leaf, error)
        raise
    if node is LEAF_NODE:
        return leaves, LEAF
    return leaves, Structure(node, len(leaves))


def _flatten_into(tree: Any, leaves: list[Any]) -> Node:
    """Append the leaves of a tree, and return its node.

    Each level of the tree takes one frame of Python's stack, so there must be no comprehension
    around the call for the children: up to Python 3.11 it would take a second one.
    """
    cls = class_of(tree)
    kind = get_kind(cls)
    if kind is TUPLE or kind is LIST:
        aux = None
        children = tree
    elif kind is DICT:
        if not tree:
            # Worth a line of its own: most calls have no keyword arguments.
            return EMPTY_DICT
        aux = sorted_keys(tree)
        children = [*map(tree.__getitem__, aux)]
    elif kind is None and not issubclass(cls, TUPLE_CLASS):
        leaves.append(tree)
        return LEAF_NODE
    else:
        opened = open_container(tree)
        if opened is None:
            leaves.append(tree)
            return LEAF_NODE
        kind, aux, children = opened
    if are_known_leaves(map(type, children)):
        leaves += children
        return (kind, aux, len(children))
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for child in children:
        if type(child) in KNOWN_LEAVES:
            leaves.append(child)
            nodes.append(LEAF_NODE)
        else:
            node = _flatten_into(child, leaves)
            nodes.append(node)
            if node is not LEAF_NODE:
                only_leaves = False
    if only_leaves:
        del nodes[3:]
    return tuple(nodes)


def _flatten_until(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> Node:
    """As `_flatten_into`, stopping where ``is_leaf`` says so."""
    opened = None if is_leaf(tree) else open_container(tree)
    if opened is None:
        leaves.append(tree)
        return LEAF_NODE
    kind, aux, children = opened
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for child in children:
        node = _flatten_until(child, leaves, is_leaf)
        nodes.append(node)
        if node is not LEAF_NODE:
            only_leaves = False
    if only_leaves:
        del nodes[3:]
    return tuple(nodes)


def _explain_recursion(tree: Any, is_leaf: IsLeaf | None, error: RecursionError) -> None:
    """Raise a TreeStructureError if the tree is to blame for a RecursionError.

    It goes through the tree once more in the same order, without recursion and with the nodes on
    the way to the present one. If there is nothing wrong with the tree, the caller was already
    deep in a recursion of the user's own, and the RecursionError tells the truth.
    """
    deepest = sys.getrecursionlimit() // 2
    path: list[Any] = []
    ancestors: dict[int, int] = {}
    # Each level has its object, which keeps the id valid, and the children still to come.
    levels: list[tuple[Any, Iterator[tuple[Any, Any]]]] = []
    node, entry = tree, None
    while True:
        opened = None if is_leaf is not None and is_leaf(node) else open_with_keys(node)
        if opened is not None and opened[2]:
            if levels:
                path.append(entry)
            if id(node) in ancestors:
                container = keystr(path[: ancestors[id(node)]]) or "the root"
                raise TreeStructureError(
                    f"The tree contains itself: the {type(node).__name__} at {container} comes "
                    f"again at {keystr(path[:20])}{'...' if len(path) > 20 else ''}.",
                    advice="Make a tree whose containers do not contain themselves.",
                ) from error
            if len(levels) > deepest:
                raise TreeStructureError(
                    f"The tree is nested more than {deepest} levels deep, beginning with "
                    f"{keystr(path[:20])}...",
                    advice="Make a flatter tree, or raise the limit by sys.setrecursionlimit.",
                ) from error
            ancestors[id(node)] = len(levels)
            levels.append((node, iter(zip(opened[3], opened[2]))))
        while levels:
            following = next(levels[-1][1], None)
            if following is not None:
                entry, node = following
                break
            del ancestors[id(levels.pop()[0])]
            if path:
                path.pop()
        else:
            return


@boundary
def unflatten(treedef: Structure, leaves: Iterable[Any]) -> Any:
    """Make the tree of a structure that has the given leaves.

    Raises:
        TreeStructureError: There are too many or too few leaves.

    >>> unflatten(structure({"a": 0, "b": (0, 0)}), [1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    return treedef.unflatten(leaves)


def leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """The leaves of a tree in order. See :func:`flatten`.

    >>> leaves({"b": (2, 3), "a": 1, "c": None})
    [1, 2, 3]
    """
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf | None = None) -> Structure:
    """The structure of a tree. See :func:`flatten`.

    >>> structure({"b": (2, 3), "a": 1, "c": None})
    Structure({'a': *, 'b': (*, *), 'c': None})
    """
    return flatten(tree, is_leaf)[1]


def flatten_one_level(tree: Any) -> tuple[Sequence[Any], Any]:
    """The children of a container, and what it is without them.

    Args:
        tree: A container.

    Returns:
        The children, which may be containers themselves, and the auxiliary data: the keys of a
        dict, the class of a named tuple, the static fields of a dataclass, None of a list.

    Raises:
        TreeStructureError: It is a leaf.

    >>> flatten_one_level({"b": [2, 3], "a": 1})
    ([1, [2, 3]], ('a', 'b'))
    """
    opened = open_container(tree)
    if opened is None:
        raise _no_container(tree)
    return opened[2], opened[1]


def flatten_one_level_with_keys(tree: Any) -> tuple[Sequence[tuple[Any, Any]], Any]:
    """As :func:`flatten_one_level`, with pairs ``(key, child)`` in place of the children.

    >>> flatten_one_level_with_keys([2, 3])
    ([(SequenceKey(idx=0), 2), (SequenceKey(idx=1), 3)], None)
    """
    opened = open_with_keys(tree)
    if opened is None:
        raise _no_container(tree)
    _, aux, children, entries = opened
    return list(zip(entries, children)), aux


def _no_container(tree: Any) -> TreeStructureError:
    return TreeStructureError(
        f"A {class_name(type(tree))} is a leaf of trees, and has no children.",
        advice="Ask is_tree_node(type(x)) before, or register the class.",
    )


def is_tree_node(typ: type[Any]) -> bool:
    """Whether the objects of a class are containers.

    >>> is_tree_node(dict), is_tree_node(type(None)), is_tree_node(str)
    (True, True, False)

    Raises:
        ArgumentError: It was given an object.
    """
    if not isinstance(typ, type):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"is_tree_node takes a class, and was given a {type(typ).__qualname__}.",
            advice="Write is_tree_node(type(x)).",
        )
    return get_kind(typ) is not None or is_namedtuple(typ)


# With key paths


def flatten_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Any]], Structure]:
    """As :func:`flatten`, with the key path of each leaf.

    Where ``is_leaf_takes_path`` is set, ``is_leaf`` is called with the path of the node as well,
    before the node.

    >>> pairs, _ = flatten_with_path({"W1": [1.0, 2.0]})
    >>> [(keystr(path), leaf) for path, leaf in pairs]
    [("['W1'][0]", 1.0), ("['W1'][1]", 2.0)]
    """
    pairs: list[tuple[KeyPath, Any]] = []
    try:
        node = _flatten_paths(tree, (), pairs, is_leaf, is_leaf_takes_path)
    except RecursionError as error:
        _explain_recursion(tree, None if is_leaf_takes_path else is_leaf, error)
        raise
    return pairs, LEAF if node is LEAF_NODE else Structure(node, len(pairs))


def _flatten_paths(
    tree: Any,
    path: KeyPath,
    pairs: list[tuple[KeyPath, Any]],
    is_leaf: Callable[..., bool] | None,
    takes_path: bool,
) -> Node:
    stops = is_leaf is not None and (is_leaf(path, tree) if takes_path else is_leaf(tree))
    opened = None if stops else open_with_keys(tree)
    if opened is None:
        pairs.append((path, tree))
        return LEAF_NODE
    kind, aux, children, entries = opened
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for entry, child in zip(entries, children):
        node = _flatten_paths(child, (*path, entry), pairs, is_leaf, takes_path)
        nodes.append(node)
        if node is not LEAF_NODE:
            only_leaves = False
    if only_leaves:
        del nodes[3:]
    return tuple(nodes)


def leaves_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Any]]:
    """The key paths and leaves of a tree. See :func:`flatten_with_path`.

    >>> leaves_with_path((1.0, None))
    [((SequenceKey(idx=0),), 1.0)]
    """
    return flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]
