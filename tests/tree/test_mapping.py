"""Functions over trees, and the wording of differences."""

# ruff: noqa: ISC004  (the tables of sentences, and patterns whose dots match themselves)

from __future__ import annotations

from collections import OrderedDict, defaultdict

import pytest

from functrace import tree
from functrace.errors import TreeStructureError
from functrace.tree import keystr
from tests.tree.containers import Keyed, Layer, Plain, Point, Typed, is_none

# Functions over trees


def test_map():
    assert tree.map(lambda x: x + 1, {"a": [1, None], "b": (2,)}) == {"a": [2, None], "b": (3,)}
    assert tree.map(lambda x, y, z: x + y + z, [1, 2], [10, 20], [100, 200]) == [111, 222]
    assert tree.map(lambda *args: args, 1, [2], {"a": 3}) == (1, [2], {"a": 3})
    assert tree.map(lambda x: None, [1]) == [None]


def test_map_says_which_tree_differs_and_where():
    with pytest.raises(TreeStructureError) as caught:
        tree.map(lambda *args: 0, {"a": [1, 2]}, {"a": [1, 2]}, {"a": [1, 2, 3]})
    assert caught.value.what == (
        "Tree 3 of map does not have the structure of the first one. "
        "At ['a'], a list of length 2 was expected, but one of length 3 was found."
    )
    with pytest.raises(TreeStructureError, match="At the root, None was expected, but a leaf"):
        tree.map(lambda *args: 0, None, 1)


def test_map_lets_errors_of_the_function_through():
    with pytest.raises(ZeroDivisionError):
        tree.map(lambda x: x / 0, [1])
    with pytest.raises(TypeError):
        tree.map(lambda x: x, [1], [2])


def test_map_with_path():
    mapped = tree.map_with_path(
        lambda path, x, y: f"{keystr(path)}={x}{y}", [1, {"a": 2}], [3, {"a": 4}]
    )
    assert mapped == ["[0]=13", {"a": "[1]['a']=24"}]
    with pytest.raises(TreeStructureError, match="Tree 2 of map_with_path"):
        tree.map_with_path(lambda path, x, y: 0, [1], (1,))


def test_reduce():
    assert tree.reduce(lambda x, y: x + y, {"a": "x", "b": ["y", "z"]}) == "xyz"
    assert tree.reduce(lambda x, y: x + y, [1, 2], 10) == 13
    assert tree.reduce(lambda x, y: [x, y], [1], None) == [None, 1]
    assert tree.reduce(lambda x, y: x + y, [], initializer=5) == 5
    assert tree.reduce(lambda x, y: x + y, [(1,), (2,)], is_leaf=lambda n: type(n) is tuple) == (
        1,
        2,
    )
    with pytest.raises(TreeStructureError, match="without an initializer"):
        tree.reduce(lambda x, y: x + y, [None])


def test_all():
    assert tree.all([])
    assert tree.all({"a": True, "b": [1]})
    assert not tree.all([True, (0,)])
    assert not tree.all([None], is_leaf=is_none)


def test_transpose():
    outer = tree.structure({"a": 0, "b": 0})
    inner = tree.structure((0, [0]))
    whole = {"a": (1, [2]), "b": (3, [4])}
    expected = ({"a": 1, "b": 3}, [{"a": 2, "b": 4}])
    assert tree.transpose(outer, inner, whole) == expected
    assert tree.transpose(outer, None, whole) == expected
    assert tree.transpose(inner, outer, expected) == whole
    assert tree.transpose(tree.structure([]), tree.structure((0, 0)), []) == ([], [])
    with pytest.raises(TreeStructureError, match=r"At \['b'\]\[1\], a list of length 1"):
        tree.transpose(outer, inner, {"a": (1, [2]), "b": (3, 4)})
    with pytest.raises(TreeStructureError, match="Give the inner structure"):
        tree.transpose(tree.structure([]), None, [])


def test_broadcast_prefix():
    full = [{"a": 1, "b": [2, 3]}, (4, None), 5]
    assert tree.broadcast_prefix(0, full) == [0] * 5
    assert tree.broadcast_prefix([0, 1, 2], full) == [0, 0, 0, 1, 2]
    assert tree.broadcast_prefix([{"a": 7, "b": 8}, 1, 2], full) == [7, 8, 8, 1, 2]
    assert tree.broadcast_prefix([None, 1, 2], full, is_leaf=is_none) == [None] * 3 + [1, 2]
    assert tree.broadcast_prefix(None, full, is_leaf=is_none) == [None] * 5
    assert tree.broadcast_prefix((0, (1, None)), (1, (2, None))) == [0, 1]
    assert tree.broadcast_prefix(0, None) == []


def test_broadcast_prefix_says_where_it_does_not_fit():
    with pytest.raises(TreeStructureError, match=r"At \[0\], None was expected, but a dict"):
        tree.broadcast_prefix([None], [{"a": 1}])
    with pytest.raises(TreeStructureError) as caught:
        tree.broadcast_prefix((0, (0, 0)), (1, [2, 3]))
    assert caught.value.what == (
        "The first tree is not a prefix of the second one. At [1], a tuple of length 2 was "
        "expected, but a list of length 2 was found."
    )


def test_broadcast_makes_a_tree_like_the_full_one():
    full = [{"a": 1, "b": [2, 3]}, (4, None), Layer(5, None)]
    assert tree.broadcast([0, 1, 2], full) == [{"a": 0, "b": [0, 0]}, (1, None), Layer(2, None)]
    assert tree.broadcast(None, (1, [2]), is_leaf=is_none) == (None, [None])
    with pytest.raises(TreeStructureError, match="not a prefix"):
        tree.broadcast((0, 1), [0, 1])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 100])
def test_reduce_associative_keeps_the_order_and_is_shallow(count):
    def combine(a, b):
        return [*a[0], *b[0]], 1 + max(a[1], b[1])

    leaves = [([number], 0) for number in range(count)]
    is_pair = lambda x: type(x) is tuple
    found, depth = tree.reduce_associative(combine, {"a": leaves}, is_leaf=is_pair)
    assert found == list(range(count))
    assert depth == (count - 1).bit_length()


def test_reduce_associative_of_no_leaves():
    assert tree.reduce_associative(max, [None], identity=None) is None
    assert tree.reduce_associative(max, [3], identity=5) == 3
    with pytest.raises(TreeStructureError, match="without an identity"):
        tree.reduce_associative(max, {})


# Differences


@pytest.mark.parametrize(
    ("expected", "other", "sentence"),
    [
        ([1], [2], None),
        (1, [], "At the root, a leaf was expected, but a list of length 0 was found."),
        ([1], 2.0, "At the root, a list of length 1 was expected, but a leaf of type float "
                   "was found."),
        ({"a": [1, None]}, {"a": [1, 2]}, "At ['a'][1], None was expected, but a leaf of type int "
                                          "was found."),
        ([None], [[]], "At [0], None was expected, but a list of length 0 was found."),
        ({"a": 1}, OrderedDict(a=1), "At the root, a dict was expected, but an OrderedDict was "
                                     "found."),
        ((1, 2), Point(1, 2), "At the root, a tuple of length 2 was expected, but a Point was "
                              "found."),
        (Point(1, 2), Typed(1, 2), "At the root, a Point was expected, but a Typed was found."),
        ({"a": 1}, {"a": 1, "b": 2}, "At the root, the dict has the unexpected key 'b'."),
        ([{"a": 1, "b": 2, "c": 3}], [{"b": 2}], "At [0], the dict lacks the keys 'a', 'c'."),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), "At the root, the OrderedDict has its keys "
         "in the order 'b', 'a', but 'a', 'b' was expected."),
        (defaultdict(list), defaultdict(int), "At the root, the default_factory of the defaultdict "
         "is <class 'int'>, but <class 'list'> was expected."),
        (Layer(1), Layer(1, None, "relu"), "At the root, the static field 'activation' of the "
         "Layer is 'relu', but 'tanh' was expected."),
        (Layer([1]), Layer([[1]]), "At .weights[0], a leaf was expected, but a list of length 1 "
         "was found."),
        (Plain([1], 2), Plain([1], 3), "At the root, the auxiliary data of the Plain is 3, but 2 "
         "was expected."),
        (Plain([1]), Plain([1, 2]), "At the root, a Plain with 1 child was expected, but one with "
         "2 was found."),
        ([Keyed(1, [2])], [Keyed(1, (2,))], "At [0].high, a list of length 1 was expected, but a "
         "tuple of length 1 was found."),
    ],
)  # fmt: skip
def test_first_difference(expected, other, sentence):
    assert tree.first_difference(expected, other) == sentence
    assert tree.first_difference(tree.structure(expected), other) == sentence
    of_structures = tree.first_difference(tree.structure(expected), tree.structure(other))
    if sentence is not None:
        # A structure does not know the types of its leaves.
        sentence = sentence.replace(" of type float", "").replace(" of type int", "")
    assert of_structures == sentence
    assert (tree.structure(expected) == tree.structure(other)) == (sentence is None)


def test_first_difference_with_is_leaf():
    assert tree.first_difference([None], [1], is_leaf=is_none) is None
    assert tree.first_difference([1], [None], is_leaf=is_none) is None
    assert tree.first_difference([None], [[]], is_leaf=is_none) == (
        "At [0], a leaf was expected, but a list of length 0 was found."
    )


def test_long_lists_of_keys_are_shortened():
    sentence = tree.first_difference({}, dict.fromkeys(range(30), 0))
    assert sentence is not None
    assert sentence.endswith("has the unexpected keys 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more.")
