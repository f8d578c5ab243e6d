"""Identities: equal exactly where no function can tell values apart."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import itertools
import types
import uuid
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import functrace as ft
from functrace import errors, tree
from functrace.tree.sameness import identity


class Name(str):
    __slots__ = ()


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass(frozen=True)
class Options:
    rate: Any
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Loose:
    """Its author says what is the same."""

    name: str

    def __eq__(self, other):
        return isinstance(other, Loose) and self.name.lower() == other.name.lower()

    def __hash__(self):
        return hash(self.name.lower())


Pair = namedtuple("Pair", ["first", "second"])  # noqa: PYI024

NUMBERS = [
    1, True, 1.0, 1 + 0j, np.int64(1), np.float64(1), np.float32(1), np.bool_(True), np.int32(1),
    np.uint8(1), Number.ONE, Fraction(1),
    0, False, 0.0, -0.0, 0j, complex(-0.0, 0), complex(0, -0.0), np.float64(0), np.float64(-0.0),
    np.float32(-0.0), np.longdouble(0), np.longdouble("-0.0"), np.complex128(complex(0, -0.0)),
    float("nan"), np.float64("nan"), np.float32("nan"), complex("nan"), complex(1, float("nan")),
    np.datetime64("NaT"), np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00"),
]  # fmt: skip
OTHERS = [
    "a", Name("a"), np.str_("a"), b"a", None, ..., Color.RED, Color.BLUE, int, float, np.float64,
    np.dtype("f8"), np.dtype(">f8"), "float64", np.sin, len, (), frozenset(), range(0),
    range(1, 1), range(0, 3, 2), range(0, 4, 2), Loose("A"), Pair(1, 2), (1, 2), Pair(1, 2.0),
]  # fmt: skip
WRAPPERS = [
    lambda x: x,
    lambda x: (x, "x"),
    lambda x: ((x,), ()),
    lambda x: frozenset([x, "x"]),
    lambda x: frozenset([(x, 2)]),
    lambda x: Options(x),
    lambda x: Options((Options(x), 3)),
    lambda x: Pair(x, None),
]


def copied(value):
    """The same value as another object, where there can be one."""
    if isinstance(value, float):
        return type(value)(float(value))
    if type(value) is complex:
        return complex(value.real, value.imag)
    return value.copy() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_values_are_the_same_exactly_where_nothing_tells_them_apart(wrap):
    values = [*NUMBERS, *OTHERS]
    identities = [identity(wrap(value)) for value in values]
    assert [identity(wrap(copied(value))) for value in values] == identities
    assert len(set(identities)) == len(values)
    for (a, x), (b, y) in itertools.combinations(zip(values, identities, strict=True), 2):
        assert x != y, (a, b)


class ByHand:
    """A class whose `==` compares a part of it."""

    def __init__(self, rate, note=None):
        self.rate, self.note = rate, note

    def __eq__(self, other):
        return isinstance(other, ByHand) and self.rate == other.rate

    def __hash__(self):
        return hash(self.rate)


class InSlots:
    __slots__ = ("__only", "unset")

    def __init__(self, only):
        self.__only = only

    def __eq__(self, other):
        return isinstance(other, InSlots) and self.__only == other.__only

    def __hash__(self):
        return hash(self.__only)


class Degrees(float):
    __slots__ = ()


class WithUnit(float):
    unit = "m"

    def __init__(self, value):
        self.seen = []


UTC, EAST = dt.UTC, dt.timezone(dt.timedelta(hours=1))

EQUAL_AND_NOT_THE_SAME = {
    "decimal": (Decimal(1), Decimal("1.0"), Decimal("1.00")),
    "signed decimal": (Decimal(0), Decimal("-0")),
    "time zone": (dt.datetime(2020, 1, 1, 12, tzinfo=UTC),
                  dt.datetime(2020, 1, 1, 13, tzinfo=EAST)),
    "fold": (dt.time(1, fold=0), dt.time(1, fold=1)),
    "by hand": (ByHand(2), ByHand(2.0), ByHand(True + 1.0 + 0j)),
    "by hand, within": (ByHand((1, (2,))), ByHand((1, (2.0,))), ByHand((True, (2,)))),
    "by hand, by hand": (ByHand(ByHand(0.0)), ByHand(ByHand(-0.0))),
    "slots": (InSlots(2), InSlots(2.0)),
    "subclass of float": (Degrees(0.0), Degrees(-0.0)),
    "subclass with attributes": (WithUnit(0.0), WithUnit(-0.0)),
    "in a tuple": ((Decimal(1),), (Decimal("1.0"),)),
    "in a dataclass": (Options(Decimal(1)), Options(Decimal("1.0"))),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL_AND_NOT_THE_SAME)
def test_what_is_equal_is_not_always_the_same(name):
    values = EQUAL_AND_NOT_THE_SAME[name]
    identities = [identity(value) for value in values]
    assert len(set(values)) == 1
    assert len(set(identities)) == len(values)
    assert [identity(copy.deepcopy(value)) for value in values] == identities
    assert [hash(identity(copy.deepcopy(value))) for value in values] == [*map(hash, identities)]


def test_each_of_them_is_recorded_for_itself():
    for values in EQUAL_AND_NOT_THE_SAME.values():
        seen = []
        f = ft.jit(lambda option, x: seen.append(option) or x, static_argnums=0)
        for _ in range(3):
            for value in values:
                f(copy.deepcopy(value), 1.0)
        assert len(seen) == len(values)


def test_what_a_class_leaves_out_of_its_comparison_does_not_count():
    assert identity(ByHand(2, "a")) == identity(ByHand(2, "b"))
    assert identity(ByHand(2, np.ones(2))) == identity(ByHand(2, np.zeros(2)))
    assert identity(ByHand(2)) == identity(copy.deepcopy(ByHand(2)))
    for value in (Fraction(1, 3), Decimal("0.1"), Path("a"), uuid.UUID(int=3), Decimal("nan"),
                  dt.date(2020, 1, 1), types.MethodType(len, "a"), list[int]):  # fmt: skip
        assert identity(value) == identity(copy.deepcopy(value))


def test_a_class_says_what_is_the_same():
    assert identity(Loose("A")) == identity(Loose("a"))
    assert identity(Options(1, "a")) == identity(Options(1, "b"))
    assert identity((Options(float("nan")),)) == identity((Options(float("nan")),))
    assert identity(slice(0, 1)) != identity(slice(0.0, True))


@pytest.mark.parametrize("value", [[1], ([1],), {1}, {"a": 1}, np.ones(2), (np.ones(2),),
                                   Options([1]), slice([1])])  # fmt: skip
def test_what_cannot_be_hashed_has_an_identity_that_cannot(value):
    with pytest.raises(TypeError):
        hash(identity(value))


# What is looked up by identities: the recordings of jitted functions


class Boxed:
    def __init__(self, child, aux):
        self.child, self.aux = child, aux


tree.register(Boxed, lambda b: ((b.child,), b.aux), lambda aux, c: Boxed(*c, aux))


@tree.register_dataclass
@dataclasses.dataclass(frozen=True)
class Model:
    weight: Any
    option: Any = dataclasses.field(metadata={"static": True})


GIVEN = {
    "static argument": lambda value: (value, 1.0),
    "static field": lambda value: (None, Model(1.0, value)),
    "auxiliary data": lambda value: (None, Boxed(1.0, value)),
    "nested": lambda value: (None, {"a": [Model(Boxed(1.0, (value,)), ((value,),))]}),
    "key": lambda value: (None, {value: 1.0}),
    "ordered key": lambda value: (None, OrderedDict({value: 1.0})),
}


@pytest.mark.parametrize("place", GIVEN)
@pytest.mark.parametrize(
    "values",
    [
        (1, True, 1.0, np.int64(1), np.float32(1)),
        (0, -0.0, 0.0, False, np.float64(-0.0)),
        ("a", Name("a"), np.str_("a")),
        ((1, 2), Pair(1, 2), (1, 2.0), (True, 2)),
        (float("nan"), np.float64("nan"), 2.0),
        (Options(2), Options(2.0), Options((2,))),
    ],
    ids=str,
)
def test_each_value_is_recorded_once(place, values):
    recorded = []

    @ft.jit(static_argnums=0)
    def f(option, x):
        recorded.append(None)
        return x

    def call(value):
        (option, x) = GIVEN[place](value)
        return tree.structure(f(option, x)).identity, tree.structure(x).identity

    for _ in range(3):
        for value in (*values, *reversed(values)):
            found, expected = call(copied(value))
            assert found == expected
    assert len(recorded) == len(values)
    assert f.cache_info().currsize == len(values)


def test_what_is_static_and_cannot_be_hashed_is_explained():
    f = ft.jit(lambda option, x: x, static_argnums=0)
    with pytest.raises(
        errors.ArgumentError, match=r"(?s)argument option of .* is \[1\], a list.*tuples"
    ):
        f([1], 1.0)
    with pytest.raises(
        errors.ArgumentError, match=r"static argument .* is .*a tuple, which cannot"
    ):
        f(([1],), 1.0)
    with pytest.raises(errors.TreeRegistrationError, match=r"(?s)cannot be hashed.*static fields"):
        f(None, Model(1.0, [1]))
    with pytest.raises(errors.ArgumentError, match="a mappingproxy"):
        f(types.MappingProxyType({"a": []}), 1.0)


def test_a_function_sees_the_value_that_it_was_called_with():
    scale = ft.jit(lambda m: np.full(2, m.option) * m.weight)
    for option in (2, 2.0, True, 1, np.float32(1), 2, 2.0):
        expected = np.full(2, option) * np.float32(3)
        found = scale(Model(np.float32(3), option))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
