"""Trees taken apart and put together; their depth, size and cycles."""

# ruff: noqa: RUF043  (the tables of sentences, and patterns whose dots match themselves)

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

import functrace
from functrace import tree
from functrace.errors import TreeKeyError, TreeRegistrationError, TreeStructureError
from functrace.tree import LEAF
from functrace.tree.kinds import kind_of_class
from tests.tree.containers import (
    DictSubclass,
    ListSubclass,
    Plain,
    Point,
    Slotted,
    Strict,
    TupleSubclass,
    Typed,
    example,
    is_none,
)

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


# The module


def test_importing_it_imports_nothing_slow():
    # In a package of its own: the real one imports all of functrace.
    code = (
        "import sys, types, numpy; package = types.ModuleType('functrace'); "
        f"package.__path__ = {list(functrace.__path__)!r}; sys.modules['functrace'] = package; "
        "before = set(sys.modules); import functrace.tree; "
        "new = set(sys.modules) - before; "
        "print(sorted({'inspect', 'dataclasses', 'typing_extensions'} & new))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# One level


@example
def test_one_level_together_with_the_children_is_the_whole(example, expected):
    if not tree.is_tree_node(type(example)):
        assert tree.leaves(example) == [example]
        with pytest.raises(TreeStructureError, match="is a leaf"):
            tree.flatten_one_level(example)
        with pytest.raises(TreeStructureError, match="is a leaf"):
            tree.flatten_one_level_with_keys(example)
        return
    children, aux = tree.flatten_one_level(example)
    assert [leaf for child in children for leaf in tree.leaves(child)] == expected
    assert aux == tree.structure(example).node[1]
    pairs, again = tree.flatten_one_level_with_keys(example)
    assert again == aux
    assert [child for _, child in pairs] == list(children)
    paths = [(key, *path) for key, x in pairs for path, _ in tree.leaves_with_path(x)]
    assert paths == [path for path, _ in tree.leaves_with_path(example)]


def test_which_classes_are_containers():
    containers = [list, tuple, dict, type(None), OrderedDict, defaultdict, Point, Typed, Strict]
    leaves = [int, str, np.ndarray, ListSubclass, DictSubclass, TupleSubclass, set, object]
    assert all(map(tree.is_tree_node, [*containers, Plain, Slotted]))
    assert not any(map(tree.is_tree_node, leaves))
