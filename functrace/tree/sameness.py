"""When two values that are equal are the same for every function, so that one stands for the other.

In Python ``2 == 2.0 == True + 1`` and ``0.0 == -0.0``, and a function can tell these apart; a NaN
is not equal to itself, and a function cannot tell it from another one. What is kept for a call, and
looked up by values, is therefore looked up by their `identity`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, cast

import numpy as np

from functrace.tree.kinds import LEAF_NODE, class_of, dataclasses
from functrace.tree.nodes import Node

_PLAIN: Final = frozenset({int, str, bool, bytes, type(None), type(Ellipsis)})
"""Classes of which equal objects are the same."""


def identity(value: Any) -> Hashable:
    """What values have in common if and only if they are the same for every function.

    That is the class, and for numbers the bits; for tuples, frozen sets, slices, ranges, mappings
    and dataclasses the identities of what they hold. Of any other class, ``==`` decides among its
    objects, but where it does not see a difference, as between 2 and 2.0: attributes that are equal
    must be the same. Of a class in C, as `Decimal`, it is what a pickle keeps of an object.

    Returns:
        An object that can be compared. It can be hashed if the value can.

    >>> identity((1, True)) == identity((1, True)), identity(2) == identity(2.0)
    (True, False)
    >>> identity(float("nan")) == identity(float("nan")), identity(0.0) == identity(-0.0)
    (True, False)
    >>> from decimal import Decimal
    >>> identity(Decimal("1")) == identity(Decimal("1.0"))
    False
    """
    cls = class_of(value)
    if cls in _PLAIN:
        return (cls, value)
    make = _IDENTITIES.get(cls)
    if make is not None:
        return (cls, make(value))
    if isinstance(value, np.generic):
        return (cls, _of_scalar(value))
    if isinstance(value, tuple) and cls.__eq__ is tuple.__eq__:
        return (cls, *map(identity, cast("Any", value)))
    if cls.__hash__ is None:
        return (cls, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return (cls, *((identity(key), identity(item)) for key, item in items))
    if hasattr(cls, "__dataclass_fields__") and _is_generated(cls.__eq__):
        fields = [field.name for field in dataclasses().fields(cls) if field.compare]
        return (cls, *(identity(getattr(value, name)) for name in fields))
    if cls.__eq__ is object.__eq__ or cls in _EXACT or cls.__module__.startswith(_EXACT_MODULES):
        return (cls, value)
    if type(cls.__eq__) is not FunctionType and not _attributes(value):
        return (cls, _as_kept(value))
    numbers = (make(value) for base, make in _IDENTITIES.items() if isinstance(value, base))
    return (cls, _Equal(value), *numbers)


_EXACT: Final = frozenset({MethodType, CodeType})
_EXACT_MODULES: Final = ("functrace.", "numpy")
"""Classes, and modules of classes, of which equal objects are the same."""


class _Equal:
    """An object that is the same as another one if they are equal, and their equal attributes are.

    An attribute that differs although the objects are equal does not count: their class says so.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Equal):
            return False
        one, two = self.value, other.value
        if one is two:
            return True
        if not one == two:
            return False
        mine, others = _attributes(one), _attributes(two)
        return all(
            not _are_told_apart(x, others[name]) for name, x in mine.items() if name in others
        )


def _are_told_apart(x: Any, y: Any) -> bool:
    """Whether two values are equal and not the same."""
    if x is y:
        return False
    try:
        return bool(x == y) and identity(x) != identity(y)
    except (TypeError, ValueError):  # no single truth, as of arrays
        return False


def _attributes(value: Any) -> dict[str, Any]:
    """What is kept in an object by names."""
    found = dict(getattr(value, "__dict__", ()))
    for base in type(value).__mro__:
        slots: Any = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            is_private = name.startswith("__") and not name.endswith("__")
            slot = f"_{base.__name__.lstrip('_')}{name}" if is_private else name
            if hasattr(value, slot) and slot not in ("__dict__", "__weakref__"):
                found[slot] = getattr(value, slot)
    return found


def _as_kept(value: Any) -> Hashable:
    """What a pickle would keep of an object, by identities; the object where it would keep none."""
    try:
        kept = identity(value.__reduce_ex__(4))
        hash(kept)
    except Exception:  # noqa: BLE001  (it is its own class's code)
        return value
    return kept


def _of_scalar(x: np.generic) -> Hashable:
    """The dtype and the bits of a NumPy scalar; those of a long double have gaps."""
    dtype = x.dtype
    if dtype.hasobject:
        return x
    return dtype.str, repr(x) if dtype.char in "gG" else x.tobytes()


def _of_float(x: float) -> Hashable:
    return struct.pack("d", x)


def _of_complex(x: complex) -> Hashable:
    return struct.pack("dd", x.real, x.imag)


def _of_tuple(items: tuple[Any, ...]) -> Hashable:
    return tuple(map(identity, items))


def _of_set(items: frozenset[Any]) -> Hashable:
    return frozenset(map(identity, items))


def _of_bounds(x: slice | range) -> Hashable:
    return identity(x.start), identity(x.stop), identity(x.step)


_IDENTITIES: Final[dict[Any, Callable[[Any], Hashable]]] = {
    float: _of_float,
    complex: _of_complex,
    tuple: _of_tuple,
    frozenset: _of_set,
    slice: _of_bounds,
    range: _of_bounds,
}


def _is_generated(method: Any) -> bool:
    """Whether a method is one that `dataclasses` has written."""
    code = getattr(method, "__code__", None)
    return code is not None and code.co_filename == "<string>"


are_strings: Final = frozenset({str}).issuperset


def node_identity(node: Node) -> Hashable:
    """As `identity`, of what a structure is made of: of keys, static fields and auxiliary data."""
    if node is LEAF_NODE:
        return node
    aux = node[1]
    # Nearly all nodes have no other than these, and are what they have in common.
    is_plain = aux is None or (type(aux) is tuple and are_strings(map(type, aux)))
    if len(node) == 3:
        return node if is_plain else (node[0], identity(aux), node[2])
    children = map(node_identity, node[3:])
    return (node[0], aux if is_plain else identity(aux), node[2], *children)
