"""Trees: nested containers whose leaves are arrays, numbers or anything else.

A tree is a dict, list, tuple, named tuple, ``None`` (an empty tree), ``OrderedDict``,
``defaultdict`` or an object of a registered class, whose children are trees. Everything else is a
leaf. Containers are recognised by their exact class: a subclass of ``list`` that nobody registered
is a leaf.

>>> from functrace import tree
>>> leaves, structure = tree.flatten({"b": [1.0, None], "W": 2.0})
>>> leaves
[2.0, 1.0]
>>> structure
Structure({'W': *, 'b': [*, None]})
>>> structure.unflatten([20.0, 10.0])
{'W': 20.0, 'b': [10.0, None]}

The names and their meaning are those of ``jax.tree``. Within this module ``map``, ``all`` and
``reduce`` are therefore the functions on trees; Python's own are reached through ``builtins``.
"""

# The functions of all kinds have the same arguments, needed or not (ARG). A zip on the path of
# every gradient does not pay for a keyword (B905).
# ruff: noqa: B905

from __future__ import annotations

import builtins
import functools
import math
import operator
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar, cast, final, overload

import numpy as np

from functrace.errors import TreeKeyError, TreeRegistrationError, TreeStructureError

__all__ = [
    "LEAF",
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyPath",
    "SequenceKey",
    "Structure",
    "all",
    "assume_leaf",
    "broadcast_prefix",
    "first_difference",
    "flatten",
    "flatten_with_path",
    "keystr",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "ravel",
    "reduce",
    "register",
    "register_dataclass",
    "structure",
    "transpose",
    "unflatten",
]

_T = TypeVar("_T")
_Class = TypeVar("_Class", bound=type[Any])

KeyPath: TypeAlias = tuple[Any, ...]
"""The key entries that lead from the root of a tree to one of its nodes."""

IsLeaf: TypeAlias = Callable[[Any], bool]

# A node is `_leaf`, or a plain tuple (kind, aux, number of children, *nodes of the children), in
# which the nodes of the children are left out when all of them are leaves. So a node has length 3
# exactly when all its children are leaves, and two nodes are equal exactly when they stand for the
# same structure. Plain tuples are made, compared and hashed in C, several times faster than objects
# of a Python class, and one level of the tree is one level of recursion there, not two.
_Node: TypeAlias = Any


# Key entries


class _Key:
    """What the key entries share: each has one attribute, named in ``__match_args__``."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def value(self) -> Any:
        """The key, index or name itself."""
        return getattr(self, self.__match_args__[0])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return builtins.bool(self.value() == cast("_Key", other).value())

    def __hash__(self) -> int:
        return hash((type(self), self.value()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__match_args__[0]}={self.value()!r})"


@final
class DictKey(_Key):
    """The entry of a key path that goes through a dict.

    >>> str(DictKey("W1"))
    "['W1']"
    """

    __slots__ = ("key",)
    __match_args__ = ("key",)

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@final
class SequenceKey(_Key):
    """The entry of a key path that goes through a list or a tuple.

    >>> str(SequenceKey(0))
    '[0]'
    """

    __slots__ = ("idx",)
    __match_args__ = ("idx",)

    def __init__(self, idx: int) -> None:
        self.idx = idx

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@final
class GetAttrKey(_Key):
    """The entry of a key path that goes through an attribute of a named tuple or a dataclass.

    >>> str(GetAttrKey("weights"))
    '.weights'
    """

    __slots__ = ("name",)
    __match_args__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f".{self.name}"


@final
class FlattenedIndexKey(_Key):
    """The entry of a key path through an object of a class that was registered without keys.

    There is no way to write the child down in Python, so its place among the children is given.

    >>> str(FlattenedIndexKey(0))
    '[<flat index 0>]'
    """

    __slots__ = ("key",)
    __match_args__ = ("key",)

    def __init__(self, key: int) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


def keystr(path: Iterable[Any], *, simple: bool = False, separator: str = "") -> str:
    """Write a key path the way Python would index the tree.

    Args:
        path: The entries of the path.
        simple: Write only the key, index or name of each entry, without brackets, quotes and dots.
        separator: Written between the entries.

    >>> path = (DictKey("W1"), SequenceKey(0), GetAttrKey("field"))
    >>> keystr(path)
    "['W1'][0].field"
    >>> keystr(path, simple=True, separator="/")
    'W1/0/field'
    """
    if not simple:
        return separator.join([str(entry) for entry in path])
    return separator.join(
        [str(entry.value() if isinstance(entry, _Key) else entry) for entry in path]
    )


# Kinds of containers


@final
class _Kind:
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
        return (_kind_of_class, (None if self is _none else self.cls,))


def _kind_of_class(cls: type[Any] | None) -> _Kind:
    kind = _none if cls is None else _namedtuple if cls is _TupleWithNames else _kinds.get(cls)
    if kind is None:
        raise TreeRegistrationError(
            f"The class {_class_name(cls)} is not registered as a container."
        )
    return kind


@final
class _Leaf:
    """The class of the one node that stands for a leaf."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "*"

    def __reduce__(self) -> str:
        return "_leaf"


_leaf: Final = _Leaf()


@final
class _TupleWithNames:
    """The class recorded for the kind of all named tuples."""


def _sorted_keys(tree: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(tree))
    except TypeError as error:
        keys = ", ".join([repr(key) for key in islice(tree, 10)])
        if len(tree) > 10:
            keys += f" and {len(tree) - 10} more"
        raise TreeKeyError(
            f"The leaves of a {type(tree).__name__} are taken in the order of its sorted keys, "
            f"but its keys cannot be sorted: {keys}."
        ) from error


def _flatten_dict(tree: dict[Any, Any]) -> tuple[list[Any], Any]:
    keys = _sorted_keys(tree)
    return [tree[key] for key in keys], keys


def _flatten_ordered_dict(tree: OrderedDict[Any, Any]) -> tuple[list[Any], Any]:
    return list(tree.values()), tuple(tree)


def _flatten_defaultdict(tree: defaultdict[Any, Any]) -> tuple[list[Any], Any]:
    # Sorted, as in a dict: the order in which the keys were first asked for means nothing.
    keys = _sorted_keys(tree)
    return [tree[key] for key in keys], (tree.default_factory, keys)


def _flatten_namedtuple(tree: Any) -> tuple[Any, Any]:
    cls = _type_of(tree)
    return tree, cls


def _sequence_entries(aux: Any, count: int) -> list[Any]:
    return [SequenceKey(index) for index in range(count)]


def _dict_entries(aux: Any, count: int) -> list[Any]:
    return [DictKey(key) for key in aux]


_list: Final = _Kind(
    list, lambda tree: (tree, None), lambda aux, children: list(children), entries=_sequence_entries
)
_tuple: Final = _Kind(
    tuple,
    lambda tree: (tree, None),
    lambda aux, children: tuple(children),
    entries=_sequence_entries,
)
_dict: Final = _Kind(
    dict, _flatten_dict, lambda aux, children: dict(zip(aux, children)), entries=_dict_entries
)
_none: Final = _Kind(
    type(None), lambda tree: ((), None), lambda aux, children: None, entries=lambda aux, count: ()
)
_ordered_dict: Final = _Kind(
    OrderedDict,
    _flatten_ordered_dict,
    lambda aux, children: OrderedDict(zip(aux, children)),
    entries=_dict_entries,
)
_defaultdict: Final = _Kind(
    defaultdict,
    _flatten_defaultdict,
    lambda aux, children: defaultdict(aux[0], zip(aux[1], children)),
    entries=lambda aux, count: _dict_entries(aux[1], count),
)
# `_make` does not call a `__new__` that a subclass of a named tuple may have.
_namedtuple: Final = _Kind(
    _TupleWithNames,
    _flatten_namedtuple,
    lambda aux, children: aux._make(children),
    entries=lambda aux, count: [GetAttrKey(name) for name in aux._fields],
)

_kinds: Final[dict[type[Any], _Kind]] = {
    kind.cls: kind for kind in (_list, _tuple, _dict, _none, _ordered_dict, _defaultdict)
}
_get_kind: Final = _kinds.get

# Classes known to be leaves. It only saves time: any other class is looked at each time anew. So it
# need not grow, and does not keep alive the classes that happen to pass through.
_known_leaves: Final[set[type[Any]]] = {
    np.ndarray, bool, int, float, complex, str, bytes, object, *np.sctypeDict.values()
}  # fmt: skip
_are_known_leaves: Final = _known_leaves.issuperset
_builtin_map: Final = builtins.map
# As `type`, for the type checker: that of an object of unknown type is no more known than it.
_type_of: Final = cast("Callable[[Any], Any]", type)
# Typed as Any, because `issubclass` would otherwise narrow a class to one of unknown tuples.
_tuple_class: Final = cast("Any", tuple)


def _class_name(cls: Any) -> str:
    return getattr(cls, "__qualname__", None) or repr(cls)


def _open(tree: Any) -> tuple[_Kind, Any, Sequence[Any]] | None:
    """Take one container apart into its kind, auxiliary data and children; None for a leaf."""
    cls = _type_of(tree)
    kind = _get_kind(cls)
    if kind is None:
        if issubclass(cls, _tuple_class) and hasattr(cls, "_fields") and hasattr(cls, "_make"):
            return _namedtuple, cls, tree
        return None
    result = kind.flatten(tree)
    if kind.entries is not None:
        # A built-in container or a dataclass, whose function is of this module.
        return kind, result[1], cast("Sequence[Any]", result[0])
    try:
        children, aux = result
        return kind, aux, tuple(children)
    except (TypeError, ValueError) as error:
        raise TreeRegistrationError(
            f"The function registered to flatten {_class_name(cls)} must return a pair "
            f"(children, auxiliary data), but returned {type(result).__name__}: {result!r:.200}.",
            advice="Return the children as a tuple, and after it what never changes, or None.",
        ) from error


def _open_with_keys(tree: Any) -> tuple[_Kind, Any, Sequence[Any], Sequence[Any]] | None:
    """As `_open`, with the key entries of the children at the end."""
    cls = _type_of(tree)
    kind = _get_kind(cls)
    if kind is None or kind.flatten_with_keys is None:
        opened = _open(tree)
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
        raise TreeRegistrationError(
            f"The function registered to flatten {_class_name(kind.cls)} with keys must return "
            f"((key, child), ...) and the auxiliary data, but returned {result!r:.200}.",
            advice="Return one pair of a key and a child for each child.",
        ) from error
    return kind, aux, children_with_keys, entries


# Registration


def register(
    cls: type[_T],
    flatten: Callable[[_T], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Any], _T],
    flatten_with_keys: Callable[[_T], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make the objects of a class containers. Subclasses are not affected.

    Args:
        cls: The class.
        flatten: Returns the pair ``(children, aux)`` of an object. ``aux`` holds what is not a
            child; it becomes part of the structure, so it must be hashable and comparable.
        unflatten: Makes an object from ``aux`` and a tuple of children. The children may be
            anything, so this function must not check or convert them.
        flatten_with_keys: As ``flatten``, with pairs ``(key, child)`` in place of the children.
            Without it, key paths go through :class:`FlattenedIndexKey`.

    Raises:
        TreeRegistrationError: The class is a container already, or is not a class.

    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> register(Interval, lambda i: ((i.low, i.high), None), lambda aux, ends: Interval(*ends))
    >>> leaves({"x": Interval(0.0, 1.0)})
    [0.0, 1.0]
    """
    _add_kind(_Kind(cls, flatten, unflatten, flatten_with_keys=flatten_with_keys))


def _add_kind(kind: _Kind) -> None:
    cls: Any = kind.cls
    if not isinstance(cls, type):
        raise TreeRegistrationError(
            f"Only a class can be registered as a container, but {cls!r:.200} is none.",
            advice="Pass the class itself, not an object of it or its name.",
        )
    if cls in _kinds:
        raise TreeRegistrationError(
            f"The class {_class_name(cls)} is registered as a container already.",
            advice="Register each class once, next to where it is defined.",
        )
    _known_leaves.discard(cls)
    _kinds[cls] = kind


def assume_leaf(cls: type[Any]) -> None:
    """Note that objects of a class are leaves. This changes nothing but the speed.

    Raises:
        TreeRegistrationError: The class is a container.

    >>> class Tracer: ...
    >>> assume_leaf(Tracer)
    """
    if cls in _kinds or issubclass(cls, _tuple_class):
        raise TreeRegistrationError(f"The class {_class_name(cls)} is a container, not a leaf.")
    _known_leaves.add(cls)


@overload
def register_dataclass(
    cls: _Class,
    *,
    data_fields: Iterable[str] | None = None,
    meta_fields: Iterable[str] | None = None,
) -> _Class: ...
@overload
def register_dataclass(
    cls: None = None,
    *,
    data_fields: Iterable[str] | None = None,
    meta_fields: Iterable[str] | None = None,
) -> Callable[[_Class], _Class]: ...
def register_dataclass(
    cls: Any = None,
    *,
    data_fields: Iterable[str] | None = None,
    meta_fields: Iterable[str] | None = None,
) -> Any:
    """Make the objects of a dataclass containers, as a decorator or by a call.

    Each field that ``__init__`` takes is either data, and then a child, or static, and then part of
    the structure (so it must be hashable and comparable). Without arguments, fields declared with
    ``metadata={"static": True}`` are static, and all others are data. Where one of the two lists is
    given, the other has the remaining fields.

    An object is rebuilt by calling the class with all these fields by keyword, so that
    ``__post_init__`` runs; it must accept any object as data. A field declared with ``init=False``
    is neither data nor static: ``__post_init__`` or its default sets it again.

    Args:
        cls: The dataclass. Any other class will do when both lists are given and it can be called
            with these names as keywords.
        data_fields: The names of the fields that are children, in this order.
        meta_fields: The names of the static fields.

    Returns:
        The class; without ``cls``, a decorator.

    Raises:
        TreeRegistrationError: The class is a container already, is not a dataclass, or cannot be
            rebuilt from the fields named.

    >>> from dataclasses import dataclass, field
    >>> @register_dataclass
    ... @dataclass(frozen=True)
    ... class Layer:
    ...     weights: float
    ...     bias: float
    ...     activation: str = field(default="tanh", metadata={"static": True})
    >>> map(lambda leaf: 2 * leaf, Layer(1.0, 3.0))
    Layer(weights=2.0, bias=6.0, activation='tanh')
    >>> structure(Layer(1.0, 3.0))
    Structure(Layer(weights=*, bias=*, activation='tanh'))
    """
    data = None if data_fields is None else _names(data_fields, "data_fields")
    meta = None if meta_fields is None else _names(meta_fields, "meta_fields")
    if cls is None:

        def decorate(decorated: _Class) -> _Class:
            _register_dataclass(decorated, data, meta)
            return decorated

        return decorate
    _register_dataclass(cls, data, meta)
    return cls


def _names(names: Iterable[str], argument: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise TreeRegistrationError(
            f"{argument} must be a list of names, but is the string {names!r}.",
            advice=f"Write {argument}=[{names!r}].",
        )
    return tuple(names)


def _register_dataclass(
    cls: type[Any], data: tuple[str, ...] | None, meta: tuple[str, ...] | None
) -> None:
    if not isinstance(cast("Any", cls), type):
        raise TreeRegistrationError(
            f"Only a class can be registered as a container, but {cls!r:.200} is none.",
            advice="Pass the class itself; name the fields by data_fields= and meta_fields=.",
        )
    name = _class_name(cls)
    # A base class that is a dataclass does not make the class one: `__dataclass_fields__` would be
    # found there, without the fields of the class itself.
    if "__dataclass_fields__" in vars(cls):
        data, meta = _dataclass_fields(cls, data, meta)
    elif data is None or meta is None:
        raise TreeRegistrationError(
            f"The class {name} is not a dataclass.",
            advice="Write @register_dataclass above @dataclass, or give both data_fields and "
            "meta_fields.",
        )
    repeated = sorted({field for field in data + meta if (data + meta).count(field) > 1})
    if repeated:
        raise TreeRegistrationError(
            f"Fields of {name} are named more than once: {', '.join(repeated)}.",
            advice="Name each field once, in data_fields or in meta_fields.",
        )
    get_data = _attributes(data)
    get_meta = _attributes(meta)

    def flatten(tree: Any) -> tuple[Sequence[Any], Any]:
        return get_data(tree), get_meta(tree)

    def unflatten(aux: Any, children: Iterable[Any]) -> Any:
        fields = dict(zip(data, children))
        fields.update(zip(meta, aux))
        return cls(**fields)

    def entries(aux: Any, count: int) -> list[Any]:
        return [GetAttrKey(field) for field in data]

    _add_kind(_Kind(cls, flatten, unflatten, entries=entries, data_names=data, meta_names=meta))


def _dataclass_fields(
    cls: type[Any], data: tuple[str, ...] | None, meta: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide the fields of a dataclass into data and static ones."""
    # Imported here because it takes longer to import than this whole library; whoever has a
    # dataclass has imported it.
    import dataclasses  # noqa: PLC0415

    name = _class_name(cls)
    fields = dataclasses.fields(cls)
    init = [field.name for field in fields if field.init]
    for field in cls.__dataclass_fields__.values():
        if (
            field._field_type is cast("Any", dataclasses)._FIELD_INITVAR
            and field.default is dataclasses.MISSING
        ):
            raise TreeRegistrationError(
                f"The dataclass {name} cannot be rebuilt from its fields: its __init__ needs "
                f"the InitVar {field.name!r}, which is not kept.",
                advice="Give the InitVar a default, or register the class by register(...).",
            )
    if data is None and meta is None:
        static = {field.name for field in fields if field.metadata.get("static", False)}
        meta = tuple([field for field in init if field in static])
    if data is None:
        data = tuple([field for field in init if field not in cast("tuple[str, ...]", meta)])
    if meta is None:
        meta = tuple([field for field in init if field not in data])
    unknown = [field for field in data + meta if field not in init]
    if unknown:
        computed = {field.name for field in fields if not field.init}
        reason = (
            "declared with init=False, so they cannot be given to __init__"
            if computed.issuperset(unknown)
            else "not among its fields"
        )
        raise TreeRegistrationError(
            f"The dataclass {name} cannot be rebuilt: {', '.join(unknown)} are {reason}.",
            advice=f"Name only these fields: {', '.join(init)}.",
        )
    absent = [field for field in init if field not in data and field not in meta]
    if absent:
        raise TreeRegistrationError(
            f"The dataclass {name} has fields that are neither in data_fields nor in "
            f"meta_fields: {', '.join(absent)}.",
            advice="Name each field in one of the two lists, or leave one of the lists out.",
        )
    return data, meta


def _attributes(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Make the function that takes these attributes of an object, as a tuple."""
    if not names:
        return lambda tree: ()
    if len(names) == 1:
        get = operator.attrgetter(names[0])
        return lambda tree: (get(tree),)
    return operator.attrgetter(*names)


# Structures


@final
class Structure:
    """What a tree is without its leaves: its containers, with their keys and lengths.

    Structures are made by :func:`structure` and :func:`flatten`. They can be compared and hashed.
    The structure of every single leaf is the same object, :data:`LEAF`.

    Attributes:
        num_leaves: How many leaves a tree of this structure has.

    >>> structure({"W1": 1.0, "b": [2.0, None]})
    Structure({'W1': *, 'b': [*, None]})
    >>> structure((1, 2)) == structure(("x", "y"))
    True
    """

    # The slots after the first two are filled when they are first asked for.
    __slots__ = ("__weakref__", "_hash", "_node", "_paths", "num_leaves")

    num_leaves: int

    def __init__(self, node: _Node, num_leaves: int) -> None:
        self._node = node
        self.num_leaves = num_leaves

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Make the tree of this structure that has the given leaves.

        Raises:
            TreeStructureError: There are too many or too few leaves.

        >>> structure({"a": 0, "b": (0, 0)}).unflatten([1, 2, 3])
        {'a': 1, 'b': (2, 3)}
        """
        given: Any = leaves
        if _type_of(given) is not list:
            given = list(given)
        if len(given) != self.num_leaves:
            raise TreeStructureError(
                f"{self!r:.300} has {_count_of(self.num_leaves, 'leaf', 'leaves')}, "
                f"but {len(given)} {'was' if len(given) == 1 else 'were'} given.",
                advice="Give one leaf for each * of the structure.",
            )
        node = self._node
        if node is _leaf:
            return given[0]
        return _build(node, iter(given))

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of a tree at the places where this structure has leaves.

        Raises:
            TreeStructureError: The tree differs from this structure above those places.

        >>> structure([0, (0, 0)]).flatten_up_to([{"a": 1}, (2, [3, 4])])
        [{'a': 1}, 2, [3, 4]]
        """
        subtrees: list[Any] = []
        if not _flatten_up_to(self._node, tree, subtrees):
            raise TreeStructureError(
                "A tree does not have the expected structure. "
                + _found_difference(self, tree, prefix=True)
            )
        return subtrees

    def compose(self, inner: Structure) -> Structure:
        """The structure of the trees of this structure whose leaves are trees of the inner one.

        >>> structure([0, 0]).compose(structure({"a": 0}))
        Structure([{'a': *}, {'a': *}])
        """
        if self is LEAF:
            return inner
        if inner is LEAF:
            return self
        node = _compose(self._node, inner._node)
        return Structure(node, self.num_leaves * inner.num_leaves)

    def children(self) -> list[Structure]:
        """The structures of the children of the outermost container; empty for a leaf.

        >>> structure([0, (0, 0)]).children()
        [Structure(*), Structure((*, *))]
        """
        return [_structure_of(node) for node in _child_nodes(self._node)]

    def paths(self) -> list[KeyPath]:
        """The key path of each leaf.

        The keys of a class that was registered with ``flatten_with_keys`` are asked of an object
        that is rebuilt with placeholders as children. Where that fails, indices are given instead.

        >>> [keystr(path) for path in structure({"W": 0, "b": [0, 0]}).paths()]
        ["['W']", "['b'][0]", "['b'][1]"]
        """
        try:
            paths: tuple[KeyPath, ...] = self._paths
        except AttributeError:
            found: list[KeyPath] = []
            _paths_into(self._node, (), found)
            self._paths = paths = tuple(found)
        return list(paths)

    @property
    def num_nodes(self) -> int:
        """How many containers and leaves a tree of this structure has together.

        >>> structure([0, (0, None)]).num_nodes
        5
        """
        return _number_of_nodes(self._node)

    @property
    def num_children(self) -> int:
        """How many children the outermost container has; 0 for a leaf.

        >>> structure([0, (0, 0)]).num_children
        2
        """
        return 0 if self._node is _leaf else self._node[2]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not Structure:
            return NotImplemented
        return self.num_leaves == other.num_leaves and self._node == other._node

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            pass
        try:
            self._hash: int = hash(self._node)
        except TypeError as error:
            raise TreeRegistrationError(
                f"The structure {self!r:.300} cannot be hashed: {error}.",
                advice="Keep only hashable objects in the static fields and auxiliary data of "
                "registered classes; arrays and lists belong into the data.",
            ) from error
        return self._hash

    def __repr__(self) -> str:
        return f"Structure({_write(self._node)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_structure_of, (self._node,))

    def __copy__(self) -> Structure:
        return self

    def __deepcopy__(self, memo: Any) -> Structure:
        return self


_empty_dict: Final[_Node] = (_dict, (), 0)

LEAF: Final = Structure(_leaf, 1)
"""The structure of every tree that is a single leaf."""


def _structure_of(node: _Node) -> Structure:
    return LEAF if node is _leaf else Structure(node, _number_of_leaves(node))


def _child_nodes(node: _Node) -> Sequence[_Node]:
    if node is _leaf:
        return ()
    return node[3:] if len(node) > 3 else (_leaf,) * node[2]


def _number_of_leaves(node: _Node) -> int:
    if node is _leaf:
        return 1
    if len(node) == 3:
        return node[2]
    count = 0
    for child in node[3:]:
        count += _number_of_leaves(child)
    return count


def _number_of_nodes(node: _Node) -> int:
    if node is _leaf:
        return 1
    if len(node) == 3:
        return 1 + node[2]
    count = 1
    for child in node[3:]:
        count += _number_of_nodes(child)
    return count


def _compose(node: _Node, inner: _Node) -> _Node:
    if node is _leaf:
        return inner
    if len(node) == 3:
        return (*node, *((inner,) * node[2]))
    nodes = list(node[:3])
    for child in node[3:]:
        nodes.append(_compose(child, inner))  # noqa: PERF401  (takes a frame: see _flatten_into)
    return tuple(nodes)


_placeholder: Final = object()


def _entries(node: _Node) -> Sequence[Any]:
    """The key entries of the children of a node."""
    kind: _Kind = node[0]
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


def _paths_into(node: _Node, path: KeyPath, paths: list[KeyPath]) -> None:
    if node is _leaf:
        paths.append(path)
        return
    entries = _entries(node)
    if len(node) == 3:
        paths += [(*path, entry) for entry in entries]
        return
    for entry, child in zip(entries, node[3:]):
        _paths_into(child, (*path, entry), paths)


_LONGEST_WRITTEN: Final = 100


def _write(node: _Node) -> str:
    if node is _leaf:
        return "*"
    kind, aux, count = node[:3]
    if kind is _none:
        return "None"
    nodes = _child_nodes(node)
    parts: list[str] = []
    for child in nodes[:_LONGEST_WRITTEN]:
        parts.append(_write(child))  # noqa: PERF401  (takes a frame: see _flatten_into)
    # The rest of a very long container is only counted, as `...` and a number.
    rest = [f"... {count - _LONGEST_WRITTEN} more"] if count > _LONGEST_WRITTEN else []
    if kind is _list:
        return f"[{', '.join(parts + rest)}]"
    if kind is _tuple:
        return f"({parts[0]},)" if count == 1 else f"({', '.join(parts + rest)})"
    if kind is _namedtuple:
        return _write_call(aux.__name__, aux._fields, parts, rest)
    if kind.data_names is not None:
        fixed = [f"{name}={value!r}" for name, value in zip(kind.meta_names, aux)]
        return _write_call(kind.cls.__name__, kind.data_names, parts, rest + fixed)
    if kind is _dict or kind is _ordered_dict or kind is _defaultdict:
        keys = aux[1] if kind is _defaultdict else aux
        items = [f"{key!r}: {part}" for key, part in zip(keys, parts)] + rest
        written = f"{{{', '.join(items)}}}"
        if kind is _ordered_dict:
            return f"OrderedDict({written})"
        if kind is _defaultdict:
            factory = aux[0]
            return f"defaultdict({getattr(factory, '__name__', repr(factory))}, {written})"
        return written
    static = "" if aux is None or aux == () else f"[{aux!r}]"
    return f"{kind.cls.__name__}{static}({', '.join(parts + rest)})"


def _write_call(name: str, fields: Iterable[str], parts: list[str], rest: list[str]) -> str:
    arguments = [f"{field}={part}" for field, part in zip(fields, parts)] + rest
    return f"{name}({', '.join(arguments)})"


# Taking apart and putting together


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
    if is_leaf is None and type(tree) in _known_leaves:
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
    if node is _leaf:
        return leaves, LEAF
    return leaves, Structure(node, len(leaves))


def _flatten_into(tree: Any, leaves: list[Any]) -> _Node:
    """Append the leaves of a tree, and return its node.

    Each level of the tree takes one frame of Python's stack, so there must be no comprehension
    around the call for the children: up to Python 3.11 it would take a second one.
    """
    cls = _type_of(tree)
    kind = _get_kind(cls)
    if kind is _tuple or kind is _list:
        aux = None
        children = tree
    elif kind is _dict:
        if not tree:
            # Worth a line of its own: most calls have no keyword arguments.
            return _empty_dict
        aux = _sorted_keys(tree)
        children = [*_builtin_map(tree.__getitem__, aux)]
    elif kind is None and not issubclass(cls, _tuple_class):
        leaves.append(tree)
        return _leaf
    else:
        opened = _open(tree)
        if opened is None:
            leaves.append(tree)
            return _leaf
        kind, aux, children = opened
    if _are_known_leaves(_builtin_map(type, children)):
        leaves += children
        return (kind, aux, len(children))
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for child in children:
        if type(child) in _known_leaves:
            leaves.append(child)
            nodes.append(_leaf)
        else:
            node = _flatten_into(child, leaves)
            nodes.append(node)
            if node is not _leaf:
                only_leaves = False
    if only_leaves:
        del nodes[3:]
    return tuple(nodes)


def _flatten_until(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> _Node:
    """As `_flatten_into`, stopping where ``is_leaf`` says so."""
    opened = None if is_leaf(tree) else _open(tree)
    if opened is None:
        leaves.append(tree)
        return _leaf
    kind, aux, children = opened
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for child in children:
        node = _flatten_until(child, leaves, is_leaf)
        nodes.append(node)
        if node is not _leaf:
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
        opened = None if is_leaf is not None and is_leaf(node) else _open_with_keys(node)
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


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Make the tree of a structure that has the given leaves.

    Raises:
        TreeStructureError: There are too many or too few leaves.

    >>> unflatten(structure({"a": 0, "b": (0, 0)}), [1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    return structure.unflatten(leaves)


def _build(node: _Node, leaves: Iterator[Any]) -> Any:
    """Make the tree of a node that is not a leaf from the next leaves."""
    kind = node[0]
    children: Any
    if len(node) == 3:
        if kind is _dict:
            # The keys come first, so this takes no leaf too many.
            return dict(zip(node[1], leaves))
        children = islice(leaves, node[2])
    else:
        children = []
        for child in node[3:]:
            children.append(next(leaves) if child is _leaf else _build(child, leaves))
        if kind is _list:
            return children
    if kind is _tuple:
        return tuple(children)
    if kind is _list:
        return list(children)
    if kind is _dict:
        return dict(zip(node[1], children))
    return kind.unflatten(node[1], tuple(children))


def _flatten_up_to(node: _Node, tree: Any, subtrees: list[Any]) -> bool:
    """Append the subtrees at the leaves of a node; return False if the tree does not fit."""
    if node is _leaf:
        subtrees.append(tree)
        return True
    kind = node[0]
    if kind is _tuple or kind is _list:
        if type(tree) is not kind.cls or len(tree) != node[2]:
            return False
        children = tree
    elif kind is _dict:
        if type(tree) is not dict or len(cast("dict[Any, Any]", tree)) != node[2]:
            return False
        try:
            children = [*_builtin_map(cast("Any", tree).__getitem__, node[1])]
        except KeyError:
            return False
    else:
        opened = _open(tree)
        if opened is None or opened[0] is not kind:
            return False
        children = opened[2]
        if len(children) != node[2] or opened[1] != node[1]:
            return False
    if len(node) == 3:
        subtrees += children
        return True
    for child_node, child in zip(node[3:], children):
        if child_node is _leaf:
            subtrees.append(child)
        elif not _flatten_up_to(child_node, child, subtrees):
            return False
    return True


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


# Functions over trees


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


def _columns(structure: Structure, rest: tuple[Any, ...], caller: str) -> list[list[Any]]:
    """The parts of each other tree at the leaves of the first one's structure."""
    columns: list[list[Any]] = []
    for number, other in enumerate(rest, 2):
        column: list[Any] = []
        if not _flatten_up_to(structure._node, other, column):  # pyright: ignore[reportPrivateUsage]
            raise TreeStructureError(
                f"Tree {number} of {caller} does not have the structure of the first one. "
                + _found_difference(structure, other, prefix=True)
            )
        columns.append(column)
    return columns


_nothing: Final[Any] = object()


def reduce(
    f: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _nothing,
    is_leaf: IsLeaf | None = None,
) -> Any:
    """Combine the leaves of a tree from the first to the last by a function of two arguments.

    Args:
        f: Takes the result so far and the next leaf.
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
        return functools.reduce(f, found, initializer)
    if not found:
        raise TreeStructureError(
            "A tree without leaves cannot be reduced without an initializer.",
            advice="Give the result for an empty tree as initializer.",
        )
    return functools.reduce(f, found)


def all(tree: Any, *, is_leaf: IsLeaf | None = None) -> bool:
    """Whether all leaves of a tree are true.

    >>> all({"a": True, "b": (1, None)})
    True
    """
    return builtins.all(flatten(tree, is_leaf)[0])


def transpose(
    outer: Structure, inner: Structure | None, tree: Any, is_leaf: IsLeaf | None = None
) -> Any:
    """Turn a tree of trees inside out.

    Args:
        outer: The structure of the outer tree.
        inner: The structure of each inner tree; None for that of the first one.
        tree: A tree of structure ``outer`` whose leaves are trees of structure ``inner``.
        is_leaf: As for :func:`flatten`, for ``tree``.

    Returns:
        A tree of structure ``inner`` whose leaves are trees of structure ``outer``.

    Raises:
        TreeStructureError: The tree does not have the structure ``outer.compose(inner)``.

    >>> pairs = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    >>> transpose(structure([0, 0]), structure({"x": 0, "y": 0}), pairs)
    {'x': [1, 3], 'y': [2, 4]}
    """
    found, whole = flatten(tree, is_leaf)
    if inner is None:
        if outer.num_leaves == 0:
            raise TreeStructureError(
                "The inner structure cannot be found where the outer structure has no leaves.",
                advice="Give the inner structure.",
            )
        inner = flatten(outer.flatten_up_to(tree)[0], is_leaf)[1]
    expected = outer.compose(inner)
    if whole != expected:
        raise TreeStructureError(
            "The tree to transpose does not consist of the inner structure within the outer one. "
            + _found_difference(expected, whole)
        )
    inner_size = inner.num_leaves
    # The leaves are in the order outer, inner: those of one inner place are `inner_size` apart.
    return inner.unflatten([outer.unflatten(found[i::inner_size]) for i in range(inner_size)])


def flatten_with_path(
    tree: Any, is_leaf: IsLeaf | None = None
) -> tuple[list[tuple[KeyPath, Any]], Structure]:
    """As :func:`flatten`, with the key path of each leaf.

    >>> pairs, _ = flatten_with_path({"W1": [1.0, 2.0]})
    >>> [(keystr(path), leaf) for path, leaf in pairs]
    [("['W1'][0]", 1.0), ("['W1'][1]", 2.0)]
    """
    pairs: list[tuple[KeyPath, Any]] = []
    try:
        node = _flatten_paths(tree, (), pairs, is_leaf)
    except RecursionError as error:
        _explain_recursion(tree, is_leaf, error)
        raise
    return pairs, LEAF if node is _leaf else Structure(node, len(pairs))


def _flatten_paths(
    tree: Any, path: KeyPath, pairs: list[tuple[KeyPath, Any]], is_leaf: IsLeaf | None
) -> _Node:
    opened = None if is_leaf is not None and is_leaf(tree) else _open_with_keys(tree)
    if opened is None:
        pairs.append((path, tree))
        return _leaf
    kind, aux, children, entries = opened
    nodes: list[Any] = [kind, aux, len(children)]
    only_leaves = True
    for entry, child in zip(entries, children):
        node = _flatten_paths(child, (*path, entry), pairs, is_leaf)
        nodes.append(node)
        if node is not _leaf:
            only_leaves = False
    if only_leaves:
        del nodes[3:]
    return tuple(nodes)


def leaves_with_path(tree: Any, is_leaf: IsLeaf | None = None) -> list[tuple[KeyPath, Any]]:
    """The key paths and leaves of a tree. See :func:`flatten_with_path`.

    >>> leaves_with_path((1.0, None))
    [((SequenceKey(idx=0),), 1.0)]
    """
    return flatten_with_path(tree, is_leaf)[0]


def map_with_path(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None
) -> Any:
    """As :func:`map`, with the key path of each leaf as the first argument of the function.

    >>> map_with_path(lambda path, leaf: keystr(path), {"a": 1, "b": [2]})
    {'a': "['a']", 'b': ["['b'][0]"]}
    """
    pairs, structure = flatten_with_path(tree, is_leaf)
    columns = _columns(structure, rest, "map_with_path")
    paths = [path for path, _ in pairs]
    first = [leaf for _, leaf in pairs]
    return structure.unflatten([*_builtin_map(f, paths, first, *columns)])


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
    if not _flatten_up_to(structure._node, full_tree, subtrees):  # pyright: ignore[reportPrivateUsage]
        raise TreeStructureError(
            "The first tree is not a prefix of the second one. "
            + _found_difference(structure, full_tree, prefix=True),
            advice="Give the prefix the containers of the tree, down to where a single leaf of "
            "the prefix stands for all that is below it.",
        )
    result: list[Any] = []
    for leaf, subtree in zip(prefix, subtrees):
        if type(subtree) in _known_leaves:
            result.append(leaf)
        else:
            result += [leaf] * len(flatten(subtree)[0])
    return result


# Differences


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
    return _difference(expected, other, is_leaf, prefix=False)


def _difference(
    expected: Structure, other: Any, is_leaf: IsLeaf | None, prefix: bool
) -> str | None:
    open_other = _open_node
    if isinstance(other, Structure):
        other = other._node  # pyright: ignore[reportPrivateUsage]
    elif is_leaf is None:
        open_other = _open
    else:
        # The name is bound anew so that the function sees it without its None.
        is_leaf_of_other = is_leaf

        def open_until(tree: Any) -> tuple[_Kind, Any, Sequence[Any]] | None:
            return None if is_leaf_of_other(tree) else _open(tree)

        open_other = open_until
    return _node_difference(expected._node, other, (), open_other, prefix)  # pyright: ignore[reportPrivateUsage]


def _found_difference(expected: Structure, other: Any, prefix: bool = False) -> str:
    """The difference of trees that are known to differ, for use in a message."""
    difference = _difference(expected, other, None, prefix)
    # There is none when the auxiliary data of a class is not equal to itself.
    return difference or "Their auxiliary data does not compare as equal."


def _open_node(node: _Node) -> tuple[_Kind, Any, Sequence[Any]] | None:
    """As `_open`, for the node of a structure in place of a tree."""
    return None if node is _leaf else (node[0], node[1], _child_nodes(node))


def _node_difference(
    node: _Node,
    other: Any,
    path: KeyPath,
    open_other: Callable[[Any], tuple[_Kind, Any, Sequence[Any]] | None],
    prefix: bool,
) -> str | None:
    if node is _leaf and prefix:
        return None
    opened = open_other(other)
    if node is _leaf:
        if opened is None:
            return None
        return _mismatch(path, "a leaf", _describe(opened[0], opened[1], len(opened[2])))
    kind, aux, count = node[:3]
    if opened is None:
        found = "a leaf" if other is _leaf else f"a leaf of type {type(other).__name__}"
        return _mismatch(path, _describe(kind, aux, count), found)
    other_kind, other_aux, children = opened
    if other_kind is not kind or (kind is _namedtuple and other_aux is not aux):
        return _mismatch(
            path,
            _describe(kind, aux, count),
            _describe(other_kind, other_aux, len(children)),
        )
    if len(children) != count or other_aux != aux:
        return f"At {_place(path)}, {_container_difference(node, other_aux, len(children))}."
    if len(node) == 3 and prefix:
        return None
    for entry, child_node, child in zip(_entries(node), _child_nodes(node), children):
        difference = _node_difference(child_node, child, (*path, entry), open_other, prefix)
        if difference is not None:
            return difference
    return None


def _place(path: KeyPath) -> str:
    return keystr(path) or "the root"


def _mismatch(path: KeyPath, expected: str, found: str) -> str:
    return f"At {_place(path)}, {expected} was expected, but {found} was found."


def _count_of(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _describe(kind: _Kind, aux: Any, count: int) -> str:
    """A container in words."""
    if kind is _none:
        return "None"
    if kind is _list or kind is _tuple:
        return f"a {kind.cls.__name__} of length {count}"
    name: str = aux.__name__ if kind is _namedtuple else kind.cls.__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _container_difference(node: _Node, other_aux: Any, other_count: int) -> str:
    """How two containers of one kind differ apart from their children."""
    kind, aux, count = node[:3]
    if kind is _list or kind is _tuple:
        expected = _describe(kind, aux, count)
        return f"{expected} was expected, but one of length {other_count} was found"
    name = kind.cls.__name__
    if kind is _dict or kind is _ordered_dict or kind is _defaultdict:
        keys, other_keys = aux, other_aux
        if kind is _defaultdict:
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
        expected = f"{_describe(kind, aux, count)} with {_count_of(count, 'child', 'children')}"
        return f"{expected} was expected, but one with {other_count} was found"
    return f"the auxiliary data of the {name} is {other_aux!r:.200}, but {aux!r:.200} was expected"


def _shown(keys: Sequence[Any]) -> str:
    shown = ", ".join([repr(key) for key in keys[:10]])
    return f"{shown} and {len(keys) - 10} more" if len(keys) > 10 else shown


def _key_list(keys: Sequence[Any]) -> str:
    return f"{'key' if len(keys) == 1 else 'keys'} {_shown(keys)}"


# Vectors


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Join all leaves of a tree into one vector.

    Args:
        tree: A tree of arrays and numbers. A Python number counts as an array of the dtype that
            NumPy gives it.

    Returns:
        The vector, whose dtype is that to which NumPy promotes the dtypes of the leaves, and a
        function ``unravel`` that turns such a vector into a tree again, with the shapes and dtypes
        of the original leaves. Numbers come back as NumPy scalars. Arrays that need no change of
        dtype are views of the vector, as those of ``np.reshape``. An empty tree has a vector of
        shape (0,) and dtype float64.

    Raises:
        TreeStructureError: A leaf is neither an array nor a number, or the dtypes cannot be
            promoted to a common one; in ``unravel``, the vector has another shape or dtype.

    >>> flat, unravel = ravel({"W": np.ones((2, 2)), "b": 3.0})
    >>> flat
    array([1., 1., 1., 1., 3.])
    >>> unravel(2 * flat)["W"]
    array([[2., 2.],
           [2., 2.]])
    """
    # Tracers come through here, so there is nothing but NumPy's functions and attributes.
    found, structure = flatten(tree)
    arrays: list[Any] = []
    # Of each leaf: its first place in the vector, that after its last, shape, dtype, is a scalar.
    places: list[tuple[int, int, tuple[int, ...], np.dtype[Any], bool]] = []
    size = 0
    for index, leaf in enumerate(found):
        array = leaf
        if not isinstance(getattr(leaf, "dtype", None), np.dtype):
            if not isinstance(leaf, (bool, int, float, complex)):
                raise TreeStructureError(
                    f"The leaf at {_place(structure.paths()[index])} cannot be part of a vector: "
                    f"it is neither an array nor a number, but of type {type(leaf).__name__}.",
                    advice="Ravel a tree of arrays and numbers only.",
                )
            array = np.asarray(leaf)
        shape = tuple(array.shape)
        after = size + math.prod(shape)
        is_scalar = shape == () and not isinstance(leaf, np.ndarray)
        places.append((size, after, shape, array.dtype, is_scalar))
        arrays.append(array)
        size = after
    dtype: np.dtype[Any] = np.dtype(np.float64)
    if places:
        try:
            dtype = np.result_type(*[place[3] for place in places])
        except TypeError as error:
            names = ", ".join(sorted({str(place[3]) for place in places}))
            raise TreeStructureError(
                f"The leaves cannot be joined into one vector, because there is no common dtype "
                f"for theirs: {names}.",
                advice="Ravel a tree of numbers only.",
            ) from error
    flat: Any = np.zeros(0, dtype)
    if places:
        vectors = [np.ravel(array) for array in arrays]
        flat = np.concatenate(
            [
                vector if place[3] == dtype else vector.astype(dtype)
                for vector, place in zip(vectors, places)
            ]
        )

    def unravel(flat: Any) -> Any:
        """Turn a vector into a tree of the structure, shapes and dtypes of the ravelled one."""
        found_shape = getattr(flat, "shape", None)
        if found_shape != (size,):
            found = (
                f"an object of type {type(flat).__name__}"
                if found_shape is None
                else f"an array of shape {found_shape}"
            )
            raise TreeStructureError(
                f"A vector of shape ({size},) is needed to make the tree, but {found} was given.",
                advice="Give a vector like the one that ravel returned.",
            )
        if flat.dtype != dtype:
            raise TreeStructureError(
                f"A vector of dtype {dtype} is needed to make the tree, but one of dtype "
                f"{flat.dtype} was given.",
                advice=f"Change its dtype first: flat.astype(np.{dtype.name}).",
            )
        leaves: list[Any] = []
        for start, after, shape, leaf_dtype, is_scalar in places:
            leaf = flat[start] if is_scalar else np.reshape(flat[start:after], shape)
            if leaf_dtype != dtype:
                if dtype.kind == "c" and leaf_dtype.kind != "c":
                    # The imaginary part is dropped on purpose, so there must be no warning of it.
                    leaf = np.real(leaf)
                leaf = leaf.astype(leaf_dtype)
            leaves.append(leaf)
        return structure.unflatten(leaves)

    return flat, unravel
