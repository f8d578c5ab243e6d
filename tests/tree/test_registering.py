"""Registered classes, dataclasses among them."""

# ruff: noqa: RUF043  (the tables of sentences, and patterns whose dots match themselves)

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest

from functrace import tree
from functrace.errors import TreeRegistrationError
from functrace.tree import LEAF
from tests.tree.containers import Layer, Plain, Point, Slotted

# Registration


def test_registering_twice_is_an_error():
    for cls in (Plain, Layer, dict, list, tuple, type(None), OrderedDict, defaultdict):
        with pytest.raises(TreeRegistrationError, match="registered as a container already"):
            tree.register(cls, lambda x: ((), None), lambda aux, children: None)
    with pytest.raises(TreeRegistrationError, match="already"):
        tree.register_dataclass(Layer)
    with pytest.raises(TreeRegistrationError, match="Only a class can be registered"):
        tree.register(Layer(1), lambda x: ((), None), lambda aux, children: None)


def test_subclasses_of_registered_classes_are_leaves():
    class Special(Plain): ...

    assert tree.structure(Special([1])) is LEAF


def test_a_registered_named_tuple_is_no_longer_one():
    First = namedtuple("First", ["child", "static"])  # noqa: PYI024
    assert tree.leaves(First(1, 2)) == [1, 2]
    tree.register(First, lambda f: ((f.child,), f.static), lambda s, c: First(*c, s))
    assert tree.leaves(First(1, 2)) == [1]
    assert tree.map(str, First(1, 2)) == First("1", 2)


def test_children_may_be_any_iterable():
    class Lazy:
        def __init__(self, children):
            self.children = children

    tree.register(Lazy, lambda x: (iter(x.children), None), lambda aux, c: Lazy(c))
    assert tree.leaves([Lazy([1, Lazy([2])])]) == [1, 2]
    assert tree.map(str, Lazy([1])).children == ("1",)


@pytest.mark.parametrize("result", [None, (1, 2), (1,), ((), None, None)])
def test_functions_that_flatten_badly_are_explained(result):
    class Bad: ...

    tree.register(Bad, lambda b: result, lambda aux, c: Bad(), lambda b: result)
    with pytest.raises(TreeRegistrationError, match="registered to flatten .*Bad must return"):
        tree.flatten(Bad())
    with pytest.raises(TreeRegistrationError, match="Bad with keys must return"):
        tree.flatten_with_path(Bad())


def test_assume_leaf():
    class Tracer: ...

    tree.assume_leaf(Tracer)
    assert tree.structure(Tracer()) is LEAF
    tree.register(Tracer, lambda t: ((), None), lambda aux, c: Tracer())
    assert tree.leaves([Tracer()]) == []
    for cls in (Tracer, list, Point):
        with pytest.raises(TreeRegistrationError, match="is a container"):
            tree.assume_leaf(cls)


# Dataclasses


def test_dataclass_as_a_decorator_with_arguments():
    @tree.register_dataclass(meta_fields=["size"])
    @dataclasses.dataclass
    class Grid:
        values: Any
        size: int
        spacing: Any

    assert tree.leaves(Grid(1, 2, 3)) == [1, 3]
    assert tree.map(str, Grid(1, 2, 3)) == Grid("1", 2, "3")


def test_dataclass_by_a_call():
    @dataclasses.dataclass
    class Grid:
        values: Any
        size: int

    assert tree.register_dataclass(Grid, data_fields=("values",)) is Grid
    assert tree.structure(Grid(1, 2)) != tree.structure(Grid(1, 3))


def test_dataclass_fields_in_the_order_given():
    @tree.register_dataclass(data_fields=["b", "a"], meta_fields=[])
    @dataclasses.dataclass
    class Swapped:
        a: Any
        b: Any

    assert tree.leaves(Swapped(1, 2)) == [2, 1]
    assert tree.map(str, Swapped(1, 2)) == Swapped("1", "2")


def test_dataclass_without_children():
    @tree.register_dataclass
    @dataclasses.dataclass
    class Empty: ...

    @tree.register_dataclass(data_fields=[])
    @dataclasses.dataclass
    class Static:
        a: int

    assert tree.leaves([Empty(), Static(1)]) == []
    assert tree.map(str, [Empty(), Static(1)]) == [Empty(), Static(1)]


def test_fields_that_init_does_not_take_are_computed_again():
    @tree.register_dataclass
    @dataclasses.dataclass
    class Doubled:
        value: Any
        twice: Any = dataclasses.field(init=False)
        constant: int = dataclasses.field(init=False, default=3)

        def __post_init__(self):
            self.twice = self.value * 2

    assert tree.leaves(Doubled(1)) == [1]
    assert tree.map(lambda x: x + 1, Doubled(1)).twice == 4


def test_frozen_and_slotted_dataclasses():
    assert tree.map(lambda x: x + 1, [Slotted(only=1), Layer(1)]) == [Slotted(only=2), Layer(2)]


def test_a_class_that_is_no_dataclass():
    class Named:
        def __init__(self, *, a, b):
            self.a, self.b = a, b

    with pytest.raises(TreeRegistrationError, match="(?s)not a dataclass.*\n.*above @dataclass"):
        tree.register_dataclass(Named)
    tree.register_dataclass(Named, data_fields=["a"], meta_fields=["b"])
    assert tree.map(str, Named(a=1, b=2)).a == "1"

    class Inherits(Layer): ...

    with pytest.raises(TreeRegistrationError, match="Inherits is not a dataclass"):
        tree.register_dataclass(Inherits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_fields": ["a", "x"]}, "x are not among its fields"),
        ({"meta_fields": ["c"]}, "c are declared with init=False"),
        ({"data_fields": ["a"], "meta_fields": []}, "neither in .*: b"),
        ({"data_fields": ["a", "b"], "meta_fields": ["b"]}, "more than once: b"),
        ({"data_fields": "ab"}, r"(?s)is the string 'ab'.*Write data_fields=\['ab'\]"),
    ],
)
def test_dataclass_fields_that_do_not_fit(arguments, message):
    @dataclasses.dataclass
    class Grid:
        a: Any
        b: Any
        c: Any = dataclasses.field(init=False, default=0)

    with pytest.raises(TreeRegistrationError, match=message):
        tree.register_dataclass(Grid, **arguments)


def test_init_variables():
    @dataclasses.dataclass
    class Needs:
        a: Any
        seed: dataclasses.InitVar[int]

    with pytest.raises(TreeRegistrationError, match="needs the InitVar 'seed'"):
        tree.register_dataclass(Needs)

    @tree.register_dataclass
    @dataclasses.dataclass
    class Optional:
        a: Any
        seed: dataclasses.InitVar[int] = 0

    assert tree.map(str, Optional(1)) == Optional("1")


def test_a_static_field_is_a_field_with_its_options():
    @tree.register_dataclass
    @dataclasses.dataclass
    class Model:
        w: float
        size: int = tree.static(default=3, metadata={"unit": "cm"}, repr=False)
        names: tuple = tree.static(default_factory=tuple)

    assert tree.leaves(Model(1.0)) == [1.0]
    assert tree.map(lambda x: x + 1, Model(1.0, 4, ("a",))) == Model(2.0, 4, ("a",))
    field = dataclasses.fields(Model)[1]
    assert dict(field.metadata) == {"unit": "cm", "static": True}
    assert not field.repr
