"""Where two trees first differ, in one sentence."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

import pytest

from functrace import tree
from tests.tree.containers import Keyed, Layer, Plain, Point, Typed, is_none


@pytest.mark.parametrize(
    ("expected", "other", "sentence"),
    [
        ([1], [2], None),
        (1, [], "At the root, a leaf was expected, but a list of length 0 was found."),
        (
            [1],
            2.0,
            ("At the root, a list of length 1 was expected, but a leaf of type float was found."),
        ),
        (
            {"a": [1, None]},
            {"a": [1, 2]},
            ("At ['a'][1], None was expected, but a leaf of type int was found."),
        ),
        ([None], [[]], "At [0], None was expected, but a list of length 0 was found."),
        (
            {"a": 1},
            OrderedDict(a=1),
            ("At the root, a dict was expected, but an OrderedDict was found."),
        ),
        (
            (1, 2),
            Point(1, 2),
            ("At the root, a tuple of length 2 was expected, but a Point was found."),
        ),
        (Point(1, 2), Typed(1, 2), "At the root, a Point was expected, but a Typed was found."),
        ({"a": 1}, {"a": 1, "b": 2}, "At the root, the dict has the unexpected key 'b'."),
        ([{"a": 1, "b": 2, "c": 3}], [{"b": 2}], "At [0], the dict lacks the keys 'a', 'c'."),
        (
            OrderedDict(a=1, b=2),
            OrderedDict(b=2, a=1),
            (
                "At the root, the OrderedDict has its keys "
                "in the order 'b', 'a', but 'a', 'b' was expected."
            ),
        ),
        (
            defaultdict(list),
            defaultdict(int),
            (
                "At the root, the default_factory of the defaultdict "
                "is <class 'int'>, but <class 'list'> was expected."
            ),
        ),
        (
            Layer(1),
            Layer(1, None, "relu"),
            (
                "At the root, the static field 'activation' of the "
                "Layer is 'relu', but 'tanh' was expected."
            ),
        ),
        (
            Layer([1]),
            Layer([[1]]),
            ("At .weights[0], a leaf was expected, but a list of length 1 was found."),
        ),
        (
            Plain([1], 2),
            Plain([1], 3),
            ("At the root, the auxiliary data of the Plain is 3, but 2 was expected."),
        ),
        (
            Plain([1]),
            Plain([1, 2]),
            ("At the root, a Plain with 1 child was expected, but one with 2 was found."),
        ),
        (
            [Keyed(1, [2])],
            [Keyed(1, (2,))],
            ("At [0].high, a list of length 1 was expected, but a tuple of length 1 was found."),
        ),
    ],
)
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
