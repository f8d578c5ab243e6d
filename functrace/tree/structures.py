"""Structures: what trees are without their leaves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, final

from functrace.errors import TreeRegistrationError, TreeStructureError
from functrace.tree.differences import count_of, difference, in_words
from functrace.tree.keys import KeyPath
from functrace.tree.kinds import LEAF_NODE, class_of
from functrace.tree.nodes import (
    Node,
    build,
    child_nodes,
    compose,
    flatten_up_to,
    number_of_leaves,
    number_of_nodes,
    paths_into,
    write,
)
from functrace.tree.sameness import node_identity


@final
class Structure:
    """What a tree is without its leaves: its containers, with their keys and lengths.

    Structures are made by :func:`structure` and :func:`flatten`. They can be compared and hashed.
    The structure of every single leaf is the same object, :data:`LEAF`.

    Attributes:
        num_leaves: How many leaves a tree of this structure has.
        node: What it is made of, for the modules of this package.

    >>> from functrace.tree import structure
    >>> structure({"W1": 1.0, "b": [2.0, None]})
    Structure({'W1': *, 'b': [*, None]})
    >>> structure((1, 2)) == structure(("x", "y"))
    True
    """

    # The two other slots are filled when they are first asked for.
    __slots__ = ("__weakref__", "_hash", "_paths", "node", "num_leaves")

    num_leaves: int
    node: Node

    def __init__(self, node: Node, num_leaves: int) -> None:
        self.node = node
        self.num_leaves = num_leaves

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Make the tree of this structure that has the given leaves.

        Raises:
            TreeStructureError: There are too many or too few leaves.

        >>> from functrace.tree import structure
        >>> structure({"a": 0, "b": (0, 0)}).unflatten([1, 2, 3])
        {'a': 1, 'b': (2, 3)}
        """
        given: Any = leaves
        if class_of(given) is not list:
            given = list(given)
        if len(given) != self.num_leaves:
            raise TreeStructureError(
                f"{self!r:.300} has {count_of(self.num_leaves, 'leaf', 'leaves')}, "
                f"but {len(given)} {'was' if len(given) == 1 else 'were'} given.",
                advice="Give one leaf for each * of the structure.",
            )
        node = self.node
        if node is LEAF_NODE:
            return given[0]
        return build(node, iter(given))

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of a tree at the places where this structure has leaves.

        Raises:
            TreeStructureError: The tree differs from this structure above those places.

        >>> from functrace.tree import structure
        >>> structure([0, (0, 0)]).flatten_up_to([{"a": 1}, (2, [3, 4])])
        [{'a': 1}, 2, [3, 4]]
        """
        subtrees: list[Any] = []
        if not flatten_up_to(self.node, tree, subtrees):
            raise TreeStructureError(
                "A tree does not have the expected structure. "
                + in_words(difference(self.node, tree, prefix=True))
            )
        return subtrees

    def compose(self, inner: Structure) -> Structure:
        """The structure of the trees of this structure whose leaves are trees of the inner one.

        >>> from functrace.tree import structure
        >>> structure([0, 0]).compose(structure({"a": 0}))
        Structure([{'a': *}, {'a': *}])
        """
        if self is LEAF:
            return inner
        if inner is LEAF:
            return self
        node = compose(self.node, inner.node)
        return Structure(node, self.num_leaves * inner.num_leaves)

    def children(self) -> list[Structure]:
        """The structures of the children of the outermost container; empty for a leaf.

        >>> from functrace.tree import structure
        >>> structure([0, (0, 0)]).children()
        [Structure(*), Structure((*, *))]
        """
        return [structure_of(node) for node in child_nodes(self.node)]

    def paths(self) -> list[KeyPath]:
        """The key path of each leaf.

        The keys of a class that was registered with ``flatten_with_keys`` are asked of an object
        that is rebuilt with placeholders as children. Where that fails, indices are given instead.

        >>> from functrace.tree import keystr, structure
        >>> [keystr(path) for path in structure({"W": 0, "b": [0, 0]}).paths()]
        ["['W']", "['b'][0]", "['b'][1]"]
        """
        try:
            paths: tuple[KeyPath, ...] = self._paths
        except AttributeError:
            found: list[KeyPath] = []
            paths_into(self.node, (), found)
            self._paths = paths = tuple(found)
        return list(paths)

    @property
    def num_nodes(self) -> int:
        """How many containers and leaves a tree of this structure has together.

        >>> from functrace.tree import structure
        >>> structure([0, (0, None)]).num_nodes
        5
        """
        return number_of_nodes(self.node)

    @property
    def num_children(self) -> int:
        """How many children the outermost container has; 0 for a leaf.

        >>> from functrace.tree import structure
        >>> structure([0, (0, 0)]).num_children
        2
        """
        return 0 if self.node is LEAF_NODE else self.node[2]

    @property
    def identity(self) -> Hashable:
        """What structures have in common if no function can tell them apart.

        Structures are equal if their keys, static fields and auxiliary data are, as ``2 == 2.0``
        are; their identities differ then.

        >>> from functrace.tree import structure
        >>> one, other = structure({1: "x"}), structure({True: "x"})
        >>> one == other, one.identity == other.identity
        (True, False)
        """
        return node_identity(self.node)

    def is_same(self, other: Structure) -> bool:
        """Whether structures are equal, and their identities too: 1 is not True then.

        So branches are compared, and the carry of a loop with that after a trip.

        >>> from functrace.tree import structure
        >>> structure({1: "x"}).is_same(structure({True: "x"}))
        False
        """
        return self is other or (self == other and self.identity == other.identity)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not Structure:
            return NotImplemented
        return self.num_leaves == other.num_leaves and self.node == other.node

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            pass
        try:
            self._hash: int = hash(self.node)
        except TypeError as error:
            raise TreeRegistrationError(
                f"The structure {self!r:.300} cannot be hashed: {error}.",
                advice="Keep only hashable objects in the static fields and auxiliary data of "
                "registered classes; arrays and lists belong into the data.",
            ) from error
        return self._hash

    def __repr__(self) -> str:
        return f"Structure({write(self.node)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (structure_of, (self.node,))

    def __copy__(self) -> Structure:
        return self

    def __deepcopy__(self, memo: Any) -> Structure:
        return self


LEAF: Final = Structure(LEAF_NODE, 1)
"""The structure of every tree that is a single leaf."""


def structure_of(node: Node) -> Structure:
    """The structure that consists of a node."""
    return LEAF if node is LEAF_NODE else Structure(node, number_of_leaves(node))
