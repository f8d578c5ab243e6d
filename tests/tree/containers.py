"""A container of every kind, with its leaves."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any, NamedTuple

import pytest

from functrace import tree
from functrace.tree import GetAttrKey

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024


class Typed(NamedTuple):
    first: Any
    second: Any = None


class Strict(Typed):
    """A named tuple that refuses what is not a number."""

    def __new__(cls, first, second):
        if not isinstance(first, float):
            raise TypeError("not a number")
        return super().__new__(cls, first, second)


class Plain:
    """Registered without keys; the tag is its auxiliary data."""

    def __init__(self, children, tag="tag"):
        self.children = tuple(children)
        self.tag = tag

    def __eq__(self, other):
        return type(other) is Plain and (self.children, self.tag) == (other.children, other.tag)

    __hash__ = None


tree.register(Plain, lambda p: (p.children, p.tag), lambda tag, children: Plain(children, tag))


class Keyed:
    """Registered with keys."""

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def __eq__(self, other):
        return type(other) is Keyed and (self.low, self.high) == (other.low, other.high)

    __hash__ = None


tree.register(
    Keyed,
    lambda k: ([k.low, k.high], None),
    lambda aux, children: Keyed(*children),
    lambda k: (((GetAttrKey("low"), k.low), (GetAttrKey("high"), k.high)), None),
)


@tree.register_dataclass
@dataclasses.dataclass(frozen=True)
class Layer:
    weights: Any
    bias: Any = None
    activation: str = dataclasses.field(default="tanh", metadata={"static": True})


@tree.register_dataclass
@dataclasses.dataclass(slots=True, frozen=True, kw_only=True)
class Slotted:
    only: Any


class ListSubclass(list):
    pass


class DictSubclass(dict):
    pass


class TupleSubclass(tuple):
    pass


def is_none(node):
    return node is None


# Every kind of container, with its leaves in order.
EXAMPLES = [
    (1.0, [1.0]),
    ("leaf", ["leaf"]),
    (None, []),
    ((), []),
    ([], []),
    ({}, []),
    ((1,), [1]),
    ([1, 2], [1, 2]),
    ({"b": 2, "a": 1}, [1, 2]),
    (OrderedDict([("b", 2), ("a", 1)]), [2, 1]),
    (OrderedDict(), []),
    (defaultdict(list, {"b": 2, "a": 1}), [1, 2]),
    (Point(1, 2), [1, 2]),
    (Typed(1), [1]),
    (Plain([1, 2]), [1, 2]),
    (Plain([]), []),
    (Keyed(1, 2), [1, 2]),
    (Layer(1, 2, "relu"), [1, 2]),
    (Slotted(only=1), [1]),
    ([None, [None]], []),
    (((1, 2), {}), [1, 2]),
    ({"a": [Point(1, None), Plain([2, {"z": 3}])], "b": Layer([4], (5, 6))}, [1, 2, 3, 4, 5, 6]),
    ({2: "two", 1: "one"}, ["one", "two"]),
]
example = pytest.mark.parametrize(("example", "expected"), EXAMPLES, ids=lambda x: repr(x)[:30])
