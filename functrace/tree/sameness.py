"""When two values that are equal are the same for every function, so that one stands for the other.

In Python ``2 == 2.0 == True + 1`` and ``0.0 == -0.0``, and a function can tell these apart; a NaN
is not equal to itself, and a function cannot tell it from another one. What is kept for a call, and
looked up by values, is therefore looked up by their `identity`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
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
    objects: a class that defines it says by it what is the same.

    Returns:
        An object that can be compared. It can be hashed if the value can.

    >>> identity((1, True)) == identity((1, True)), identity(2) == identity(2.0)
    (True, False)
    >>> identity(float("nan")) == identity(float("nan")), identity(0.0) == identity(-0.0)
    (True, False)
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
    return (cls, value)


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
