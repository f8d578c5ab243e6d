"""Trees: taking apart, putting together, key paths, prefixes, vectors and the wording of errors."""

# ruff: noqa: ISC004, RUF043  (the tables of sentences, and patterns whose dots match themselves)

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace import tree
from functrace.errors import TreeKeyError, TreeRegistrationError, TreeStructureError
from functrace.tree import LEAF, DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey, keystr
from functrace.tree.kinds import kind_of_class

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


# Flatten and unflatten


@example
def test_flatten_and_unflatten_are_inverse(example, expected):
    leaves, structure = tree.flatten(example)
    assert leaves == expected
    rebuilt = tree.unflatten(structure, leaves)
    assert rebuilt == example
    assert type(rebuilt) is type(example)
    assert structure.num_leaves == len(leaves)
    assert tree.leaves(example) == leaves
    assert tree.structure(example) == structure
    assert tree.structure(rebuilt) == structure
    assert hash(tree.structure(rebuilt)) == hash(structure)


@example
def test_is_leaf_that_is_never_true_changes_nothing(example, expected):
    assert tree.flatten(example, is_leaf=lambda node: False) == tree.flatten(example)


@example
def test_paths_lead_to_the_leaves(example, expected):
    pairs, structure = tree.flatten_with_path(example)
    assert [leaf for _, leaf in pairs] == expected
    assert structure == tree.structure(example)
    assert structure.paths() == [path for path, _ in pairs]
    assert tree.leaves_with_path(example) == pairs


@example
def test_structures_survive_copies_and_pickles(example, expected):
    structure = tree.structure(example)
    assert copy.deepcopy(structure) is structure
    assert copy.copy(structure) is structure
    read = pickle.loads(pickle.dumps(structure))
    assert read == structure
    assert read.unflatten(expected) == example
    assert (read is LEAF) == (structure is LEAF)


def test_a_pickle_needs_the_class_to_be_registered():
    class Local: ...

    with pytest.raises(TreeRegistrationError, match="Local is not registered"):
        kind_of_class(Local)


def test_a_leaf_has_one_structure():
    for leaf in (1.0, np.float64(1), np.ones(2), object(), "text", int, Plain):
        leaves, structure = tree.flatten(leaf)
        assert leaves[0] is leaf
        assert structure is LEAF
    assert tree.structure([1, 2], is_leaf=lambda node: True) is LEAF
    assert tree.structure([1]).children()[0] is LEAF
    assert tree.flatten_with_path(3)[1] is LEAF


@pytest.mark.parametrize("cls", [ListSubclass, DictSubclass, TupleSubclass])
def test_subclasses_of_containers_are_leaves(cls):
    assert tree.structure(cls()) is LEAF
    assert tree.leaves([cls()]) == [cls()]
    assert tree.leaves([cls()], is_leaf=lambda node: False) == [cls()]


def test_an_ordered_dict_is_no_dict():
    assert tree.structure({"a": 1}) != tree.structure(OrderedDict(a=1))
    assert tree.structure(OrderedDict(a=1, b=2)) != tree.structure(OrderedDict(b=1, a=2))


def test_a_defaultdict_keeps_its_factory():
    doubled = tree.map(lambda leaf: 2 * leaf, defaultdict(list, a=1))
    assert doubled == {"a": 2}
    assert doubled["new"] == []
    assert tree.structure(defaultdict(list)) != tree.structure(defaultdict(int))


def test_flattening_does_not_add_keys_to_a_defaultdict():
    counts = defaultdict(int)
    tree.leaves([counts])
    assert not counts


def test_a_named_tuple_is_rebuilt_without_its_checks():
    assert type(tree.map(str, Strict(1.0, 2.0))) is Strict
    assert tree.structure(Point(1, 2)) != tree.structure((1, 2))
    assert tree.structure(Point(1, 2)) != tree.structure(Typed(1, 2))


def test_is_leaf_sees_every_node_from_the_root_on():
    seen = []
    tree.flatten([1, {"a": None}], is_leaf=seen.append)
    assert seen == [[1, {"a": None}], 1, {"a": None}, None]


def test_is_leaf_makes_none_a_leaf():
    assert tree.leaves([None, 1, (None,)], is_leaf=is_none) == [None, 1, None]
    assert tree.map(lambda leaf: leaf is None, {"a": None}, is_leaf=is_none) == {"a": True}
    assert tree.structure(None, is_leaf=is_none) is LEAF


def test_unflatten_takes_any_iterable_and_keeps_the_leaves():
    leaf = object()
    rebuilt = tree.unflatten(tree.structure({"a": 1, "b": [2]}), iter((leaf, [3])))
    assert rebuilt["a"] is leaf
    assert rebuilt == {"a": leaf, "b": [[3]]}


def test_unflatten_makes_new_containers():
    leaves, structure = tree.flatten([1, 2])
    assert structure.unflatten(leaves) is not leaves


@pytest.mark.parametrize(("count", "text"), [(1, "but 1 was given"), (3, "but 3 were given")])
def test_unflatten_counts_the_leaves(count, text):
    with pytest.raises(TreeStructureError, match=rf"\(\*, \*\)\) has 2 leaves, {text}"):
        tree.unflatten(tree.structure((1, 2)), range(count))
    with pytest.raises(TreeStructureError, match="has 1 leaf"):
        LEAF.unflatten([])


def test_keys_that_cannot_be_sorted_are_named():
    for mixed in ({1: 0, "a": 0}, defaultdict(int, {1: 0, "a": 0})):
        with pytest.raises(TreeKeyError, match="cannot be sorted: 1, 'a'"):
            tree.flatten(mixed)
        with pytest.raises(TreeKeyError, match="cannot be sorted"):
            tree.flatten_with_path([mixed])
    with pytest.raises(TreeKeyError, match="and 3 more"):
        tree.flatten(dict.fromkeys([*range(12), "a"]))
    assert tree.leaves(OrderedDict([(1, 0), ("a", 1)])) == [0, 1]


# Depth, size and cycles


def nested(depth, leaf=1.0):
    for _ in range(depth):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize("wrap", [lambda t: [t], lambda t: {"k": t}, lambda t: Slotted(only=t)])
def test_depth_500(wrap):
    deep = 1.0
    for _ in range(500):
        deep = wrap(deep)
    leaves, structure = tree.flatten(deep)
    assert leaves == [1.0]
    rebuilt = structure.unflatten(leaves)
    other = tree.structure(rebuilt)
    assert structure == other
    assert hash(structure) == hash(other)
    assert tree.leaves(deep, is_leaf=lambda node: False) == [1.0]
    assert len(structure.paths()[0]) == 500
    assert len(tree.leaves_with_path(deep)[0][0]) == 500
    assert structure.num_nodes == 501
    assert structure.compose(tree.structure([0, 0])).num_leaves == 2
    assert tree.leaves(tree.map(lambda x, y: x + y, deep, rebuilt)) == [2.0]
    assert tree.first_difference(deep, rebuilt) is None
    assert repr(structure).startswith("Structure(")


def test_wide_trees():
    wide = [1.0] * 100_000
    leaves, structure = tree.flatten(wide)
    assert leaves == wide
    assert structure.unflatten(leaves) == wide
    assert len(repr(structure)) < 1000
    assert "... 99900 more" in repr(structure)


def cyclic_list():
    cycle = [1]
    cycle.append({"k": cycle})
    return cycle


def test_a_tree_that_contains_itself_is_explained():
    for function in (tree.flatten, tree.leaves_with_path, lambda t: tree.flatten(t, is_none)):
        with pytest.raises(TreeStructureError, match=r"the list at the root comes again at \[1\]"):
            function(cyclic_list())
        with pytest.raises(
            TreeStructureError, match=r"list at \['a'\]\[1\] comes again at \['a'\]"
        ):
            function({"a": (0, cyclic_list())})


def test_a_shared_container_is_no_cycle():
    shared = [1, 2]
    assert tree.leaves([shared, shared, (shared,)]) == [1, 2] * 3


def test_a_tree_that_is_too_deep_is_explained():
    with pytest.raises(TreeStructureError, match="nested more than .* levels deep"):
        tree.flatten([[], 1, nested(5000)])


def test_a_recursion_of_the_users_own_is_not_blamed_on_the_tree():
    def forever():
        tree.flatten([[1], object()])
        forever()

    with pytest.raises(RecursionError):
        forever()

    def leaf_forever(node):
        return leaf_forever(node)

    with pytest.raises(RecursionError):
        tree.flatten([1], is_leaf=leaf_forever)


# Structures


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


# Key paths


def test_key_entries_are_written_as_python_would_index():
    path = (DictKey("W1"), SequenceKey(0), GetAttrKey("field"), DictKey(3), FlattenedIndexKey(1))
    assert keystr(path) == "['W1'][0].field[3][<flat index 1>]"
    assert keystr(path, simple=True, separator="/") == "W1/0/field/3/1"
    assert keystr(()) == ""
    assert keystr(("own key",)) == keystr(("own key",), simple=True) == "own key"


def test_key_entries_are_values():
    assert DictKey("a") == DictKey("a")
    assert DictKey("a") != DictKey("b")
    assert DictKey(0) != SequenceKey(0)
    assert len({DictKey(0), SequenceKey(0), FlattenedIndexKey(0), DictKey(0)}) == 3
    assert repr(GetAttrKey("x")) == "GetAttrKey(name='x')"
    assert (DictKey("a").key, SequenceKey(1).idx) == ("a", 1)
    assert (GetAttrKey("n").name, FlattenedIndexKey(2).key) == ("n", 2)
    assert pickle.loads(pickle.dumps(SequenceKey(1))) == SequenceKey(1)


def test_paths_of_each_kind():
    whole = {
        "d": defaultdict(int, k=1),
        "k": Keyed(1, 2),
        "l": Layer(1, [2]),
        "o": OrderedDict(z=1),
        "p": Plain([1, 2]),
        "t": Point(1, 2),
    }
    written = [keystr(path) for path in tree.structure(whole).paths()]
    assert written == [
        "['d']['k']",
        "['k'].low",
        "['k'].high",
        "['l'].weights",
        "['l'].bias[0]",
        "['o']['z']",
        "['p'][<flat index 0>]",
        "['p'][<flat index 1>]",
        "['t'].x",
        "['t'].y",
    ]


def test_paths_stop_at_is_leaf():
    pairs = tree.leaves_with_path({"a": [1, 2], "b": None}, is_leaf=lambda n: type(n) is list)
    assert [(keystr(path), leaf) for path, leaf in pairs] == [("['a']", [1, 2])]


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

    with pytest.raises(TreeRegistrationError, match="not a dataclass.*\n.*above @dataclass"):
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


# Vectors


def test_ravel():
    flat, unravel = tree.ravel({"b": np.arange(2.0), "W": np.ones((2, 3)), "n": None})
    assert flat.shape == (8,)
    assert flat.dtype == np.float64
    np.testing.assert_array_equal(flat, [1, 1, 1, 1, 1, 1, 0, 1])
    back = unravel(flat * 2)
    np.testing.assert_array_equal(back["W"], np.full((2, 3), 2.0))
    np.testing.assert_array_equal(back["b"], [0, 2])
    assert back["n"] is None


def test_ravel_promotes_and_unravel_casts_back():
    whole = [np.float32(1.5), np.arange(2, dtype=np.int16), np.array(True), 2, 1j]
    flat, unravel = tree.ravel(whole)
    assert flat.dtype == np.complex128
    back = unravel(flat)
    assert [leaf.dtype for leaf in back] == [
        np.float32,
        np.int16,
        np.bool_,
        np.int64,
        np.complex128,
    ]
    assert [np.shape(leaf) for leaf in back] == [(), (2,), (), (), ()]
    assert back[0] == 1.5
    assert isinstance(back[2], np.ndarray)
    assert isinstance(back[3], np.int64)
    assert tree.ravel([np.float32(1), np.ones(2, np.float32)])[0].dtype == np.float32
    assert tree.ravel([np.float32(1), np.int8(1)])[0].dtype == np.float32


def test_the_vector_is_a_copy():
    leaf = np.ones(2)
    flat, _ = tree.ravel(leaf)
    flat[0] = 5
    assert leaf[0] == 1


@pytest.mark.parametrize("empty", [None, [], {"a": ()}])
def test_ravel_of_an_empty_tree(empty):
    flat, unravel = tree.ravel(empty)
    assert flat.shape == (0,)
    assert flat.dtype == np.float64
    assert unravel(flat) == empty


def test_unravel_checks_the_vector():
    _, unravel = tree.ravel([np.ones(2, np.float32), np.float32(3)])
    with pytest.raises(TreeStructureError, match=r"shape \(3,\) is needed .* shape \(4,\) was"):
        unravel(np.zeros(4, np.float32))
    with pytest.raises(TreeStructureError, match="object of type list was given"):
        unravel([1, 2, 3])
    with pytest.raises(TreeStructureError, match=r"(?s)dtype float32 .* float64 .*np\.float32"):
        unravel(np.zeros(3))


def test_ravel_names_leaves_that_are_no_numbers():
    with pytest.raises(TreeStructureError, match=r"leaf at \['name'\] .* of type str"):
        tree.ravel({"a": 1.0, "name": "text"})
    with pytest.raises(TreeStructureError, match="no common dtype"):
        tree.ravel([np.ones(1), np.zeros(1, "datetime64[s]")])


class Array:
    """What ravel may use of a tracer: NumPy's functions, shape, dtype, astype and indexing."""

    used: ClassVar[set[str]] = set()

    def __init__(self, value):
        self.value = value

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)

    def astype(self, dtype):
        return Array(self.value.astype(dtype))

    def __getitem__(self, index):
        return Array(self.value[index])

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a tracer is no array")

    def __array_function__(self, func, types, args, kwargs):
        Array.used.add(func.__name__)
        args = tree.map(lambda x: x.value if isinstance(x, Array) else x, args)
        return Array(func(*args, **kwargs))


def test_ravel_works_on_tracers():
    whole = {
        "W": Array(np.ones((2, 2))),
        "b": Array(np.arange(2)),
        "c": 3.0,
        "s": Array(np.array(1j)),
    }
    flat, unravel = tree.ravel(whole)
    assert isinstance(flat, Array)
    np.testing.assert_array_equal(flat.value, [1, 1, 1, 1, 0, 1, 3, 1j])
    back = unravel(flat)
    np.testing.assert_array_equal(back["W"].value, np.ones((2, 2)))
    assert back["b"].dtype == np.arange(2).dtype
    assert Array.used <= {"ravel", "reshape", "concatenate", "real"}


# Properties of all trees

keys = st.text("abc", max_size=2)
leaf_values = st.one_of(
    st.floats(allow_nan=False), st.integers(), st.text(max_size=2), st.booleans()
)


def containers(children):
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(keys, children, max_size=3),
        st.dictionaries(keys, children, max_size=3).map(OrderedDict),
        st.dictionaries(keys, children, max_size=3).map(lambda d: defaultdict(list, d)),
        st.builds(Point, children, children),
        st.builds(Typed, children, st.none()),
        st.lists(children, max_size=2).map(Plain),
        st.builds(Keyed, children, children),
        st.builds(Layer, children, children, st.sampled_from(["tanh", "relu"])),
        st.none(),
    )


def trees(leaf=leaf_values):
    return st.recursive(leaf | st.none(), containers, max_leaves=8)


@given(trees())
@settings(max_examples=80, deadline=None)
def test_round_trips(whole):
    leaves, structure = tree.flatten(whole)
    assert structure.unflatten(leaves) == whole
    assert tree.map(lambda leaf: leaf, whole) == whole
    assert tree.flatten(whole, is_leaf=lambda node: False) == (leaves, structure)
    marks = list(range(len(leaves)))
    assert tree.leaves(structure.unflatten(marks)) == marks
    assert structure.flatten_up_to(whole) == leaves
    assert tree.broadcast_prefix(whole, whole) == leaves
    assert tree.broadcast_prefix(7, whole) == [7] * len(leaves)
    assert tree.first_difference(whole, whole) is None
    assert structure.num_leaves == sum(child.num_leaves for child in structure.children()) or (
        structure is LEAF
    )
    assert pickle.loads(pickle.dumps(structure)) == structure


@given(trees())
@settings(max_examples=60, deadline=None)
def test_paths_and_leaves_belong_together(whole):
    pairs, structure = tree.flatten_with_path(whole)
    leaves, expected = tree.flatten(whole)
    assert structure == expected
    assert [leaf for _, leaf in pairs] == leaves
    assert structure.paths() == [path for path, _ in pairs]
    assert len(set(structure.paths())) == len(leaves)
    for path, leaf in pairs:
        if not any(isinstance(entry, FlattenedIndexKey) for entry in path):
            assert eval("whole" + keystr(path), {"whole": whole}) == leaf


@given(trees(), trees())
@settings(max_examples=80, deadline=None)
def test_structures_differ_exactly_when_there_is_a_difference(first, second):
    difference = tree.first_difference(first, second)
    one, two = tree.structure(first), tree.structure(second)
    assert (difference is None) == (one == two)
    assert difference is None or (difference.startswith("At ") and difference.endswith("."))
    if one == two:
        assert hash(one) == hash(two)
        assert tree.map(lambda x, y: y, first, second) == second


@given(trees(st.just(0)), trees(st.just(0)))
@settings(max_examples=60, deadline=None)
def test_compose_and_transpose(outer_tree, inner_tree):
    outer, inner = tree.structure(outer_tree), tree.structure(inner_tree)
    composed = outer.compose(inner)
    whole = outer.unflatten([inner_tree] * outer.num_leaves)
    assert composed == tree.structure(whole)
    assert composed.num_leaves == outer.num_leaves * inner.num_leaves
    marked = composed.unflatten(range(composed.num_leaves))
    turned = tree.transpose(outer, inner, marked)
    assert tree.structure(turned) == inner.compose(outer)
    assert tree.transpose(inner, outer, turned) == marked


arrays = st.builds(
    lambda shape, dtype: np.arange(1, 1 + int(np.prod(shape))).reshape(shape).astype(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from([np.float32, np.float64, np.int16, np.complex64, np.bool_]),
)


@given(trees(arrays | st.integers(-100, 100) | st.floats(-10, 10)))
@settings(max_examples=80, deadline=None)
def test_ravel_and_unravel(whole):
    flat, unravel = tree.ravel(whole)
    assert flat.ndim == 1
    back = unravel(flat)
    assert tree.structure(back) == tree.structure(whole)
    for leaf, original in zip(tree.leaves(back), tree.leaves(whole), strict=True):
        assert leaf.dtype == np.asarray(original).dtype
        np.testing.assert_array_equal(leaf, original)


# The module


def test_importing_it_imports_nothing_slow():
    code = (
        "import sys, numpy; before = set(sys.modules); import functrace.tree; "
        "new = set(sys.modules) - before; "
        "print(sorted({'inspect', 'dataclasses', 'typing_extensions'} & new))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
