"""Nodes: counts, paths and texts of structures, beside what a plain walk over the tree finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from functrace import tree
from functrace.tree import nodes
from functrace.tree.kinds import LEAF_NODE, open_container
from functrace.tree.nodes import EMPTY_DICT
from tests.tree.containers import Layer, Plain, Point
from tests.tree.strategies import trees


def node_of(x):
    """The node of a tree, by its definition."""
    opened = open_container(x)
    if opened is None:
        return LEAF_NODE
    kind, aux, children = opened
    inside = [node_of(child) for child in children]
    are_leaves = all(node is LEAF_NODE for node in inside)
    return (kind, aux, len(inside), *(() if are_leaves else inside))


def walked(x):
    """How many leaves and how many nodes a tree has."""
    opened = open_container(x)
    if opened is None:
        return 1, 1
    counts = [walked(child) for child in opened[2]]
    return sum(leaves for leaves, _ in counts), 1 + sum(all_ for _, all_ in counts)


@settings(max_examples=80, deadline=None)
@given(trees())
def test_a_walk_finds_what_is_computed(whole):
    node = node_of(whole)
    assert node == tree.structure(whole).node
    assert (nodes.number_of_leaves(node), nodes.number_of_nodes(node)) == walked(whole)
    assert [*map(node_of, (open_container(whole) or (0, 0, ()))[2])] == [*nodes.child_nodes(node)]
    leaves = tree.leaves(whole)
    assert node is LEAF_NODE or nodes.build(node, iter(leaves)) == whole
    subtrees = []
    assert nodes.flatten_up_to(node, whole, subtrees)
    assert subtrees == leaves


@settings(max_examples=60, deadline=None)
@given(trees(st.just(0)), trees(st.just(0)))
def test_what_fits_is_what_composes(outer, inner):
    node = node_of(outer)
    whole = outer if node is LEAF_NODE else nodes.build(node, iter([inner] * walked(outer)[0]))
    whole = inner if node is LEAF_NODE else whole
    if node_of(inner) is not LEAF_NODE:
        assert nodes.compose(node, node_of(inner)) == node_of(whole)
    subtrees = []
    assert nodes.flatten_up_to(node, whole, subtrees)
    assert subtrees == [inner] * walked(outer)[0]


@settings(max_examples=80, deadline=None)
@given(trees(st.just(0)), trees(st.just(0)))
def test_a_tree_fits_exactly_where_cutting_it_at_the_leaves_gives_the_node(first, second):
    node, subtrees = node_of(first), []
    fits = nodes.flatten_up_to(node, second, subtrees)
    if fits:
        assert nodes.number_of_leaves(node) == len(subtrees)
        again = subtrees[0] if node is LEAF_NODE else nodes.build(node, iter(subtrees))
        assert again == second
    else:
        assert node_of(first) != node_of(second)


def test_texts():
    assert nodes.write(EMPTY_DICT) == "{}"
    assert nodes.write(node_of([Point(1, (2,)), None])) == "[Point(x=*, y=(*,)), None]"
    assert nodes.write(node_of(Layer(1, [2]))) == "Layer(weights=*, bias=[*], activation='tanh')"
    assert nodes.write(node_of(Plain([1]))) == "Plain['tag'](*)"
    assert nodes.write(node_of([0] * 103)) == f"[{'*, ' * 100}... 3 more]"
