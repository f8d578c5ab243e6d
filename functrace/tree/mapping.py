"""Functions over trees: map, reduce, transpose, prefixes and differences.

Within this module ``map``, ``all`` and ``reduce`` are the functions on trees; Python's own are
reached through ``builtins``.
"""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any, Final

from functrace.errors import TreeStructureError
from functrace.tracebacks import boundary
from functrace.tree.differences import difference, in_words, node_difference
from functrace.tree.kinds import KNOWN_LEAVES, IsLeaf
from functrace.tree.nodes import flatten_up_to
from functrace.tree.structures import LEAF, Structure
from functrace.tree.traversing import flatten, flatten_with_path

_builtin_map: Final = builtins.map


@boundary
def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Apply a function to each leaf of a tree, and to the corresponding parts of other trees.

    Args:
        f: Takes a leaf of ``tree``, and one argument of each tree of ``rest``.
        tree: Gives the structure of the result.
        rest: Trees of the same structure. Where ``tree`` has a leaf they may have a whole subtree,
            which is then passed to ``f``.
        is_leaf: As for :func:`flatten`, for ``tree``.

    Returns:
        A tree of the structure of ``tree`` with the results.

    Raises:
        TreeStructureError: A tree of ``rest`` differs from ``tree``. The message says where.

    >>> map(lambda x, y: x + y, {"a": 1, "b": [2, None]}, {"a": 10, "b": [20, None]})
    {'a': 11, 'b': [22, None]}
    >>> map(lambda x, subtree: (x, len(subtree)), [1, 2], [(0, 0), {"k": 0}])
    [(1, 2), (2, 1)]
    """
    first, structure = flatten(tree, is_leaf)
    if not rest:
        return structure.unflatten([*_builtin_map(f, first)])
    columns = _columns(structure, rest, "map")
    return structure.unflatten([*_builtin_map(f, first, *columns)])


@boundary
def map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """As :func:`map`, with the key path of each leaf as the first argument of the function.

    ``is_leaf`` is as for :func:`flatten_with_path`.

    >>> from functrace.tree import keystr
    >>> map_with_path(lambda path, leaf: keystr(path), {"a": 1, "b": [2]})
    {'a': "['a']", 'b': ["['b'][0]"]}
    """
    pairs, structure = flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    columns = _columns(structure, rest, "map_with_path")
    paths = [path for path, _ in pairs]
    first = [leaf for _, leaf in pairs]
    return structure.unflatten([*_builtin_map(f, paths, first, *columns)])


def _columns(structure: Structure, rest: tuple[Any, ...], caller: str) -> list[list[Any]]:
    """The parts of each other tree at the leaves of the first one's structure."""
    columns: list[list[Any]] = []
    for number, other in enumerate(rest, 2):
        column: list[Any] = []
        if not flatten_up_to(structure.node, other, column):
            raise TreeStructureError(
                f"Tree {number} of {caller} does not have the structure of the first one. "
                + in_words(difference(structure.node, other, prefix=True))
            )
        columns.append(column)
    return columns


_nothing: Final[Any] = object()


@boundary
def reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _nothing,
    is_leaf: IsLeaf | None = None,
) -> Any:
    """Combine the leaves of a tree from the first to the last by a function of two arguments.

    Args:
        function: Takes the result so far and the next leaf.
        tree: The tree.
        initializer: The result so far for the first leaf; without it, the first leaf itself.
        is_leaf: As for :func:`flatten`.

    Raises:
        TreeStructureError: The tree has no leaves, and there is no initializer.

    >>> reduce(lambda total, leaf: total + leaf, {"a": 1, "b": (2, 3)})
    6
    >>> reduce(lambda total, leaf: total + leaf, None, 0)
    0
    """
    found = flatten(tree, is_leaf)[0]
    if initializer is not _nothing:
        return functools.reduce(function, found, initializer)
    if not found:
        raise TreeStructureError(
            "A tree without leaves cannot be reduced without an initializer.",
            advice="Give the result for an empty tree as initializer.",
        )
    return functools.reduce(function, found)


@boundary
def reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _nothing,
    is_leaf: IsLeaf | None = None,
) -> Any:
    """Combine the leaves of a tree by an associative function, by halves.

    The result depends on each leaf by a chain of operations as long as the logarithm of their
    number, where that of :func:`reduce` is as long as the number; sums are rounded less.

    Args:
        operation: Takes two results, those of neighbouring leaves.
        tree: The tree.
        identity: The result for a tree without leaves.
        is_leaf: As for :func:`flatten`.

    Raises:
        TreeStructureError: The tree has no leaves, and there is no identity.

    >>> reduce_associative(lambda x, y: f"({x}{y})", ["a", ("b", "c"), "d"])
    '((ab)(cd))'
    """
    found = flatten(tree, is_leaf)[0]
    if not found:
        if identity is _nothing:
            raise TreeStructureError(
                "A tree without leaves cannot be reduced without an identity.",
                advice="Give the result for an empty tree as identity.",
            )
        return identity
    return _by_halves(operation, found)


def _by_halves(operation: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return operation(_by_halves(operation, values[:half]), _by_halves(operation, values[half:]))


def all(tree: Any, *, is_leaf: IsLeaf | None = None) -> bool:
    """Whether all leaves of a tree are true.

    >>> all({"a": True, "b": (1, None)})
    True
    """
    return builtins.all(flatten(tree, is_leaf)[0])


@boundary
def transpose(
    outer_treedef: Structure,
    inner_treedef: Structure | None,
    pytree_to_transpose: Any,
    is_leaf: IsLeaf | None = None,
) -> Any:
    """Turn a tree of trees inside out.

    Args:
        outer_treedef: The structure of the outer tree.
        inner_treedef: The structure of each inner tree; None for that of the first one.
        pytree_to_transpose: A tree of the outer structure whose leaves are trees of the inner.
        is_leaf: As for :func:`flatten`, for ``pytree_to_transpose``.

    Returns:
        A tree of the inner structure whose leaves are trees of the outer.

    Raises:
        TreeStructureError: The tree does not have the structure
            ``outer_treedef.compose(inner_treedef)``.

    >>> from functrace.tree import structure
    >>> pairs = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    >>> transpose(structure([0, 0]), structure({"x": 0, "y": 0}), pairs)
    {'x': [1, 3], 'y': [2, 4]}
    """
    outer, inner = outer_treedef, inner_treedef
    found, whole = flatten(pytree_to_transpose, is_leaf)
    if inner is None:
        if outer.num_leaves == 0:
            raise TreeStructureError(
                "The inner structure cannot be found where the outer structure has no leaves.",
                advice="Give the inner structure.",
            )
        inner = flatten(outer.flatten_up_to(pytree_to_transpose)[0], is_leaf)[1]
    expected = outer.compose(inner)
    if whole != expected:
        raise TreeStructureError(
            "The tree to transpose does not consist of the inner structure within the outer one. "
            + in_words(node_difference(expected.node, whole.node))
        )
    inner_size = inner.num_leaves
    # The leaves are in the order outer, inner: those of one inner place are `inner_size` apart.
    return inner.unflatten([outer.unflatten(found[i::inner_size]) for i in range(inner_size)])


# Prefixes and differences


@boundary
def broadcast_prefix(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Repeat each leaf of a prefix for all leaves of the subtree that it stands for.

    Args:
        prefix_tree: A tree like ``full_tree``, with leaves in place of some of its subtrees.
        full_tree: The tree with all leaves.
        is_leaf: As for :func:`flatten`, for ``prefix_tree``. A ``None`` of the prefix stands for a
            ``None`` of the full tree; to let it stand for anything, make it a leaf here.

    Returns:
        One object for each leaf of ``full_tree``.

    Raises:
        TreeStructureError: The prefix does not fit the tree. The message says where.

    >>> broadcast_prefix([0, None], [{"a": 1, "b": 2}, (3, 4)], is_leaf=lambda x: x is None)
    [0, 0, None, None]
    """
    prefix, structure = flatten(prefix_tree, is_leaf)
    if structure is LEAF:
        return prefix * len(flatten(full_tree)[0])
    subtrees: list[Any] = []
    if not flatten_up_to(structure.node, full_tree, subtrees):
        raise TreeStructureError(
            "The first tree is not a prefix of the second one. "
            + in_words(difference(structure.node, full_tree, prefix=True)),
            advice="Give the prefix the containers of the tree, down to where a single leaf of "
            "the prefix stands for all that is below it.",
        )
    result: list[Any] = []
    for leaf, subtree in zip(prefix, subtrees):
        if type(subtree) in KNOWN_LEAVES:
            result.append(leaf)
        else:
            result += [leaf] * len(flatten(subtree)[0])
    return result


@boundary
def broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """As :func:`broadcast_prefix`, with the result as a tree like the full one.

    >>> broadcast((1, 2), ([0, 0], {"a": 0}))
    ([1, 1], {'a': 2})
    """
    leaves = broadcast_prefix(prefix_tree, full_tree, is_leaf)
    return flatten(full_tree)[1].unflatten(leaves)


def first_difference(expected: Any, other: Any, is_leaf: IsLeaf | None = None) -> str | None:
    """Say where two trees first differ in structure, and how.

    Args:
        expected: A tree or a :class:`Structure`.
        other: A tree or a :class:`Structure`.
        is_leaf: As for :func:`flatten`, for both.

    Returns:
        One sentence with the key path, or None if there is no difference.

    >>> first_difference({"W": 0, "b": [0, 0]}, {"W": 1, "b": [1, 2, 3]})
    "At ['b'], a list of length 2 was expected, but one of length 3 was found."
    >>> first_difference({"W": 0, "b": 0}, {"W": 0, "c": 0})
    "At the root, the dict lacks the key 'b' and has the unexpected key 'c'."
    """
    if not isinstance(expected, Structure):
        expected = flatten(expected, is_leaf)[1]
    if isinstance(other, Structure):
        return node_difference(expected.node, other.node)
    return difference(expected.node, other, is_leaf)
