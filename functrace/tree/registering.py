"""Registration: classes whose objects are containers, dataclasses among them."""

# A zip on the path of every gradient does not pay for a keyword.
# ruff: noqa: B905

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast, overload

from functrace.errors import TreeRegistrationError
from functrace.tracebacks import boundary
from functrace.tree.keys import GetAttrKey
from functrace.tree.kinds import KINDS, KNOWN_LEAVES, TUPLE_CLASS, Kind, class_name, dataclasses

_T = TypeVar("_T")


_Class = TypeVar("_Class", bound=type[Any])


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

    >>> from functrace.tree import leaves
    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> register(Interval, lambda i: ((i.low, i.high), None), lambda aux, ends: Interval(*ends))
    >>> leaves({"x": Interval(0.0, 1.0)})
    [0.0, 1.0]
    """
    add_kind(Kind(cls, flatten, unflatten, flatten_with_keys=flatten_with_keys))


def add_kind(kind: Kind) -> None:
    """Enter a kind for its class, which must be new."""
    cls: Any = kind.cls
    if not isinstance(cls, type):
        raise TreeRegistrationError(
            f"Only a class can be registered as a container, but {cls!r:.200} is none.",
            advice="Pass the class itself, not an object of it or its name.",
        )
    if cls in KINDS:
        raise TreeRegistrationError(
            f"The class {class_name(cls)} is registered as a container already.",
            advice="Register each class once, next to where it is defined.",
        )
    KNOWN_LEAVES.discard(cls)
    KINDS[cls] = kind


def assume_leaf(cls: type[Any]) -> None:
    """Note that objects of a class are leaves. This changes nothing but the speed.

    Raises:
        TreeRegistrationError: The class is a container.

    >>> class Tracer: ...
    >>> assume_leaf(Tracer)
    """
    if cls in KINDS or issubclass(cls, TUPLE_CLASS):
        raise TreeRegistrationError(f"The class {class_name(cls)} is a container, not a leaf.")
    KNOWN_LEAVES.add(cls)


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
@boundary
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
    >>> from functrace.tree import map, structure
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


def static(**options: Any) -> Any:
    """A field of a dataclass that is part of the structure, not data.

    Args:
        options: Those of ``dataclasses.field``.

    >>> from dataclasses import dataclass
    >>> from functrace.tree import leaves
    >>> @register_dataclass
    ... @dataclass
    ... class Layer:
    ...     weights: float
    ...     activation: str = static(default="tanh")
    >>> leaves(Layer(1.0))
    [1.0]
    """
    metadata = {**(options.pop("metadata", None) or {}), "static": True}
    return dataclasses().field(metadata=metadata, **options)


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
    name = class_name(cls)
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

    add_kind(Kind(cls, flatten, unflatten, entries=entries, data_names=data, meta_names=meta))


def _dataclass_fields(
    cls: type[Any], data: tuple[str, ...] | None, meta: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide the fields of a dataclass into data and static ones."""
    module = dataclasses()
    name = class_name(cls)
    fields = module.fields(cls)
    init = [field.name for field in fields if field.init]
    for field in cls.__dataclass_fields__.values():
        if field._field_type is module._FIELD_INITVAR and field.default is module.MISSING:
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
