"""The names of ``jax.tree_util``: `functrace.tree` for code that was written for JAX.

>>> import functrace.tree_util as jtu
>>> jtu.tree_map(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
{'a': 11, 'b': [22]}
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

from functrace import tree
from functrace.tree import DictKey, FlattenedIndexKey, GetAttrKey, KeyPath, SequenceKey, keystr
from functrace.tree.kinds import Kind
from functrace.tree.registering import add_kind
from functrace.tree.structures import structure_of

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyPath",
    "Partial",
    "PyTreeDef",
    "SequenceKey",
    "all_leaves",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_reduce_associative",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]

_Class = TypeVar("_Class", bound=type[Any])

PyTreeDef = tree.Structure

flatten_one_level = tree.flatten_one_level
flatten_one_level_with_keys = tree.flatten_one_level_with_keys
is_tree_node = tree.is_tree_node
tree_all = tree.all
tree_broadcast = tree.broadcast
tree_flatten = tree.flatten
tree_flatten_with_path = tree.flatten_with_path
tree_leaves = tree.leaves
tree_leaves_with_path = tree.leaves_with_path
tree_map = tree.map
tree_map_with_path = tree.map_with_path
tree_reduce = tree.reduce
tree_reduce_associative = tree.reduce_associative
tree_structure = tree.structure
tree_unflatten = tree.unflatten


def tree_transpose(
    outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any
) -> Any:
    """Turn a tree of trees inside out; as `functrace.tree.transpose`.

    Example:
        >>> pairs = {"a": (1, 2), "b": (3, 4)}
        >>> tree_transpose(tree_structure({"a": 0, "b": 0}), tree_structure((0, 0)), pairs)
        ({'a': 1, 'b': 3}, {'a': 2, 'b': 4})
    """
    return tree.transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def all_leaves(iterable: Iterable[Any], is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether each of some objects is a single leaf.

    Example:
        >>> all_leaves([1, "x"]), all_leaves([1, (2,)])
        (True, False)
    """
    return all(tree.structure(x, is_leaf) is tree.LEAF for x in iterable)


# Structures


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether a structure is that of a single leaf.

    Example:
        >>> treedef_is_leaf(tree_structure(0)), treedef_is_leaf(tree_structure([0]))
        (True, False)
    """
    return treedef == tree.LEAF


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the children of the outermost container.

    Example:
        >>> treedef_children(tree_structure([0, (0, 0)]))
        [Structure(*), Structure((*, *))]
    """
    return treedef.children()


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple whose children have these structures.

    Example:
        >>> treedef_tuple([tree_structure(0), tree_structure([0, 0])])
        Structure((*, [*, *]))
    """
    nodes = [treedef.node for treedef in treedefs]
    outer = tree.structure((0,) * len(nodes))
    if all(node is tree.LEAF.node for node in nodes):
        return outer
    return structure_of((*outer.node[:3], *nodes))


# Registration


def register_pytree_node(
    nodetype: type[Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make the objects of a class containers; as `functrace.tree.register`.

    Args:
        nodetype: The class.
        flatten_func: Returns the pair (children, auxiliary data) of an object.
        unflatten_func: Makes an object from the auxiliary data and a tuple of children.
        flatten_with_keys_func: As ``flatten_func``, with pairs (key, child).

    Raises:
        TreeRegistrationError: The class is a container already, or is not a class.

    Example:
        >>> class Interval:
        ...     def __init__(self, low, high):
        ...         self.low, self.high = low, high
        >>> register_pytree_node(
        ...     Interval,
        ...     lambda x: ((x.low, x.high), None),
        ...     lambda aux, children: Interval(*children),
        ... )
        >>> tree_map(lambda x: 2 * x, Interval(1, 3)).high
        6
    """
    tree.register(nodetype, flatten_func, unflatten_func, flatten_with_keys_func)


def register_pytree_with_keys(
    nodetype: type[Any],
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Make the objects of a class containers whose children have keys.

    Args:
        nodetype: The class.
        flatten_with_keys: Returns ``(pairs (key, child), auxiliary data)`` of an object.
        unflatten_func: Makes an object from the auxiliary data and a tuple of children.
        flatten_func: The same without keys, where that can be had with less work.

    Raises:
        TreeRegistrationError: The class is a container already, or is not a class.

    Example:
        >>> class Range:
        ...     def __init__(self, low, high):
        ...         self.low, self.high = low, high
        >>> register_pytree_with_keys(
        ...     Range,
        ...     lambda x: (((GetAttrKey("low"), x.low), (GetAttrKey("high"), x.high)), None),
        ...     lambda aux, children: Range(*children),
        ... )
        >>> [keystr(path) for path, _ in tree_flatten_with_path(Range(1, 3))[0]]
        ['.low', '.high']
    """

    def without_keys(x: Any) -> tuple[Sequence[Any], Any]:
        pairs, aux = flatten_with_keys(x)
        return [child for _, child in pairs], aux

    tree.register(nodetype, flatten_func or without_keys, unflatten_func, flatten_with_keys)


def register_pytree_node_class(cls: _Class) -> _Class:
    """As a decorator: use the class's ``tree_flatten`` and its classmethod ``tree_unflatten``.

    Example:
        >>> @register_pytree_node_class
        ... class Pair:
        ...     def __init__(self, x, y):
        ...         self.x, self.y = x, y
        ...
        ...     def tree_flatten(self):
        ...         return (self.x, self.y), None
        ...
        ...     @classmethod
        ...     def tree_unflatten(cls, aux, children):
        ...         return cls(*children)
        >>> tree_leaves(Pair(1, [2, 3]))
        [1, 2, 3]
    """
    tree.register(cls, cls.tree_flatten, cls.tree_unflatten)
    return cls


def register_pytree_with_keys_class(cls: _Class) -> _Class:
    """As a decorator: use ``tree_flatten_with_keys`` and the classmethod ``tree_unflatten``.

    Where the class has ``tree_flatten`` too, that is used where keys are not asked for.

    Example:
        >>> @register_pytree_with_keys_class
        ... class Segment:
        ...     def __init__(self, low, high):
        ...         self.low, self.high = low, high
        ...
        ...     def tree_flatten_with_keys(self):
        ...         return ((GetAttrKey("low"), self.low), (GetAttrKey("high"), self.high)), None
        ...
        ...     @classmethod
        ...     def tree_unflatten(cls, aux, children):
        ...         return cls(*children)
        >>> [keystr(path) for path, _ in tree_flatten_with_path(Segment(1, 3))[0]]
        ['.low', '.high']
    """
    register_pytree_with_keys(
        cls, cls.tree_flatten_with_keys, cls.tree_unflatten, getattr(cls, "tree_flatten", None)
    )
    return cls


def register_dataclass(
    nodetype: Any = None,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
) -> Any:
    """Make the objects of a dataclass containers; as `functrace.tree.register_dataclass`.

    Args:
        nodetype: The dataclass; without it, a decorator is returned.
        data_fields: The names of the fields that are children.
        meta_fields: The names of the fields that are part of the structure.

    Raises:
        TreeRegistrationError: The class is a container already, is not a dataclass, or cannot be
            rebuilt from the fields named.

    Example:
        >>> from dataclasses import dataclass, field
        >>> @register_dataclass
        ... @dataclass
        ... class Layer:
        ...     weight: float
        ...     name: str = field(metadata={"static": True})
        >>> tree_leaves(Layer(2.0, "first"))
        [2.0]
    """
    return tree.register_dataclass(nodetype, data_fields=data_fields, meta_fields=meta_fields)


def register_static(cls: _Class) -> _Class:
    """As a decorator: objects of the class have no leaves; they are part of the structure.

    They must be hashable and comparable.

    Example:
        >>> @register_static
        ... class Mode(str):
        ...     pass
        >>> tree_leaves({"mode": Mode("fast"), "x": 1.0})
        [1.0]
    """
    tree.register(cls, lambda x: ((), x), lambda aux, children: aux)
    return cls


class _Boxed:
    """A `functools.partial` that another one takes for an ordinary function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return self.function == (other.function if isinstance(other, _Boxed) else other)

    def __hash__(self) -> int:
        return hash(self.function)

    def __repr__(self) -> str:
        return repr(self.function)


class Partial(functools.partial[Any]):
    """A `functools.partial` whose arguments are leaves; the function is part of the structure.

    So a function together with the arrays that it needs can be handed to a transformed function.
    What a `functools.partial` has that is given as the function stays part of the structure.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> ft.grad(lambda f: f(3.0))(Partial(np.multiply, 2.0)).args
        (np.float64(3.0),)
    """

    def __new__(cls, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Self:
        """Make one, without merging another partial's arguments into the leaves."""
        if isinstance(func, functools.partial) and not isinstance(func, Partial):
            func = _Boxed(func)
        return super().__new__(cls, func, *args, **kwargs)


add_kind(
    Kind(
        Partial,
        lambda p: ((p.args, p.keywords), p.func),
        lambda function, children: Partial(function, *children[0], **children[1]),
        entries=lambda aux, count: (GetAttrKey("args"), GetAttrKey("keywords")),
    )
)


def __dir__() -> list[str]:
    return sorted(__all__)
