"""Functions over trees, and the wording of differences."""

from __future__ import annotations

import pytest

from functrace import tree
from functrace.errors import TreeStructureError
from functrace.tree import keystr
from tests.tree.containers import Layer, is_none

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
