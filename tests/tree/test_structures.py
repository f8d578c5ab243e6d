"""Structures: equality, counts, children and paths."""

# ruff: noqa: RUF043  (the tables of sentences, and patterns whose dots match themselves)

from __future__ import annotations

from collections import OrderedDict, defaultdict

import pytest

from functrace import tree
from functrace.errors import TreeRegistrationError, TreeStructureError
from functrace.tree import LEAF, FlattenedIndexKey, GetAttrKey
from tests.tree.containers import Keyed, Layer, Plain, Point, is_none


@pytest.mark.parametrize(
    ("example", "text"),
    [
        (1, "*"),
        (None, "None"),
        ({"W1": 1, "b": [1, None]}, "{'W1': *, 'b': [*, None]}"),
        ((1,), "(*,)"),
        ((), "()"),
        (Point(1, (2,)), "Point(x=*, y=(*,))"),
        (OrderedDict(b=1), "OrderedDict({'b': *})"),
        (defaultdict(list, a=1), "defaultdict(list, {'a': *})"),
        (defaultdict(None, a=1), "defaultdict(None, {'a': *})"),
        (Plain([1]), "Plain['tag'](*)"),
        (Keyed(1, [2]), "Keyed(*, [*])"),
        (Layer(1), "Layer(weights=*, bias=None, activation='tanh')"),
    ],
)
def test_repr(example, text):
    assert repr(tree.structure(example)) == f"Structure({text})"


def test_equality():
    first = tree.structure({"a": [1, (2, 3)]})
    assert first == tree.structure({"a": ["x", ("y", None.__class__)]})
    assert first != tree.structure({"a": [1, (2, None)]})
    assert first != tree.structure({"a": [1, [2, 3]]})
    assert first != tree.structure({"b": [1, (2, 3)]})
    assert first != "something else"
    assert tree.structure([[1, 2], 3]) != tree.structure([1, [2, 3]])
    assert tree.structure([]) != tree.structure(())
    assert tree.structure([]) != tree.structure(None)
    assert tree.structure(Plain([1], "a")) != tree.structure(Plain([1], "b"))
    assert len({first, tree.structure({"a": [0, (0, 0)]}), LEAF}) == 2


def test_equal_nodes_do_not_depend_on_how_they_were_made():
    leaf = Plain  # a class that is not among those known to be leaves
    whole = tree.structure([(1, 2), [3]])
    assert whole == tree.structure([(leaf, leaf), [leaf]])
    assert whole == tree.structure([(1, leaf), [3]], is_leaf=is_none)
    assert whole == tree.flatten_with_path([(1, 2), [3]])[1]
    pair = tree.structure([0, 0])
    assert pair.compose(tree.structure((0, None))) == tree.structure([(1, None), (1, None)])
    assert pair.compose(LEAF) == pair
    assert LEAF.compose(pair) == pair


def test_children_and_counts():
    structure = tree.structure({"a": 1, "b": (2, None)})
    assert structure.children() == [LEAF, tree.structure((2, None))]
    assert [child.num_leaves for child in structure.children()] == [1, 1]
    assert structure.num_nodes == 5
    assert structure.num_children == 2
    assert LEAF.children() == []
    assert (LEAF.num_leaves, LEAF.num_nodes, LEAF.num_children) == (1, 1, 0)
    empty = tree.structure(None)
    assert (empty.num_leaves, empty.num_nodes, empty.num_children) == (0, 1, 0)


def test_flatten_up_to():
    structure = tree.structure([0, {"a": 0, "b": None}, Point(0, (0,))])
    subtrees = structure.flatten_up_to([[1], {"b": None, "a": {1: 1, "x": 2}}, Point(3, ("p",))])
    assert subtrees == [[1], {1: 1, "x": 2}, 3, "p"]
    assert LEAF.flatten_up_to([1, 2]) == [[1, 2]]
    for other in (1, [0, {"a": 0, "b": 1}, Point(0, (0,))], [0, {"a": 0}, Point(0, (0,))]):
        with pytest.raises(TreeStructureError, match="does not have the expected structure. At "):
            structure.flatten_up_to(other)
    with pytest.raises(TreeStructureError, match="the dict lacks the key 'b' and has .* key 'c'"):
        structure.flatten_up_to([0, {"a": 0, "c": 0}, Point(0, (0,))])


def test_unhashable_static_data_is_explained():
    structure = tree.structure(Plain([1], tag=[1, 2]))
    assert structure == tree.structure(Plain([2], tag=[1, 2]))
    with pytest.raises(TreeRegistrationError, match="cannot be hashed"):
        hash(structure)


def test_paths_are_a_new_list_each_time():
    structure = tree.structure([1, 2])
    structure.paths().clear()
    assert len(structure.paths()) == 2


def test_paths_of_a_class_that_refuses_placeholders():
    class Picky:
        def __init__(self, value):
            if not isinstance(value, float):
                raise TypeError("not a float")
            self.value = value

    tree.register(
        Picky,
        lambda p: ((p.value,), None),
        lambda aux, children: Picky(*children),
        lambda p: (((GetAttrKey("value"), p.value),), None),
    )
    assert tree.leaves_with_path(Picky(1.0)) == [((GetAttrKey("value"),), 1.0)]
    assert tree.structure(Picky(1.0)).paths() == [(FlattenedIndexKey(0),)]
