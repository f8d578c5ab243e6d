"""What holds of all trees."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace import tree
from functrace.tree import LEAF, FlattenedIndexKey, keystr
from tests.tree.strategies import arrays, trees


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
