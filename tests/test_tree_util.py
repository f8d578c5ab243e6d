"""jax.tree_util's names, each against what JAX documents of it."""

from __future__ import annotations

import dataclasses
import functools
import types

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace import tree_util as tu

TREE = {"b": [2.0, None], "a": (1.0, {"x": 3.0})}


def test_all_names_are_listed():
    public = {
        name
        for name, value in vars(tu).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    helpers = {"Any", "Self", "TypeVar", "Callable", "Iterable", "Sequence", "Kind", "add_kind"}
    assert set(tu.__all__) == public - helpers - {"structure_of", "annotations"}
    assert ft.tree_util is tu


def test_flatten_and_unflatten():
    leaves, treedef = tu.tree_flatten(TREE)
    assert leaves == [1.0, 3.0, 2.0] == tu.tree_leaves(TREE)
    assert isinstance(treedef, tu.PyTreeDef)
    assert treedef == tu.tree_structure(TREE)
    assert tu.tree_unflatten(treedef, leaves) == TREE
    is_none = lambda x: x is None
    assert tu.tree_leaves(TREE, is_leaf=is_none) == [1.0, 3.0, 2.0, None]


def test_map_reduce_all():
    assert tu.tree_map(lambda x: -x, TREE) == {"b": [-2.0, None], "a": (-1.0, {"x": -3.0})}
    assert tu.tree_map(lambda x, y: x + y, (1, [2]), (10, [20])) == (11, [22])
    assert tu.tree_reduce(lambda x, y: x + y, TREE) == 6.0
    assert tu.tree_reduce(lambda x, y: x + y, TREE, 4.0) == 10.0
    assert tu.tree_all((True, [1, {"a": "x"}]))
    assert not tu.tree_all((True, [0]))


def test_one_level():
    assert tu.flatten_one_level({"a": [1, 2], "b": {"c": 3}}) == ([[1, 2], {"c": 3}], ("a", "b"))
    assert tu.flatten_one_level_with_keys({"a": [1]}) == ([(tu.DictKey("a"), [1])], ("a",))
    with pytest.raises(ValueError, match="is a leaf"):
        tu.flatten_one_level(1.0)
    assert tu.is_tree_node(list)
    assert not tu.is_tree_node(float)
    assert tu.tree_reduce_associative(lambda x, y: x + y, [1, (2, 3), [4, 5, 6]]) == 21


def test_paths():
    pairs, treedef = tu.tree_flatten_with_path(TREE)
    assert treedef == tu.tree_structure(TREE)
    assert pairs == tu.tree_leaves_with_path(TREE)
    assert [tu.keystr(path) for path, _ in pairs] == ["['a'][0]", "['a'][1]['x']", "['b'][0]"]
    assert pairs[0][0] == (tu.DictKey("a"), tu.SequenceKey(0))
    assert tu.keystr(pairs[1][0], simple=True, separator="/") == "a/1/x"
    named = tu.tree_map_with_path(lambda path, x: f"{tu.keystr(path)}={x}", TREE)
    assert named["b"] == ["['b'][0]=2.0", None]


def test_transpose_and_broadcast():
    outer, inner = tu.tree_structure([0, 0]), tu.tree_structure({"x": 0})
    assert tu.tree_transpose(outer, inner, [{"x": 1}, {"x": 2}]) == {"x": [1, 2]}
    assert tu.tree_transpose(outer, None, [{"x": 1}, {"x": 2}]) == {"x": [1, 2]}
    assert tu.tree_broadcast((1, [2, 3]), ({"a": 0, "b": (0, 0)}, [0, (0,)])) == (
        {"a": 1, "b": (1, 1)},
        [2, (3,)],
    )
    is_none = lambda x: x is None
    assert tu.tree_broadcast((None, 1), ([0, 0], 0), is_leaf=is_none) == ([None, None], 1)
    with pytest.raises(errors.TreeStructureError):
        tu.tree_broadcast((1, 2), [0, 0])


def test_structures():
    leaf, pair = tu.tree_structure(0), tu.tree_structure((0, 0))
    assert tu.treedef_is_leaf(leaf)
    assert not tu.treedef_is_leaf(pair)
    assert not tu.treedef_is_leaf(tu.tree_structure(None))
    assert tu.treedef_children(tu.tree_structure([0, (0, 0)])) == [leaf, pair]
    assert tu.treedef_tuple([leaf, pair]) == tu.tree_structure((0, (0, 0)))
    assert tu.treedef_tuple([leaf, leaf]) == pair
    assert tu.treedef_tuple([]) == tu.tree_structure(())
    nothing = tu.tree_structure(None)
    assert tu.treedef_tuple(iter([nothing])) == tu.tree_structure((None,))
    assert tu.treedef_tuple([pair, nothing, leaf]).unflatten([1, 2, 3]) == ((1, 2), None, 3)
    children = tu.treedef_children(tu.tree_structure(tuple(TREE.values())))
    assert tu.treedef_tuple(children) == tu.tree_structure(tuple(TREE.values()))
    assert tu.all_leaves([1, "x", np.ones(2)])
    assert not tu.all_leaves([1, None])
    assert tu.all_leaves([[1], 2], is_leaf=lambda x: isinstance(x, list))


class Point:
    def __init__(self, x, y, name="p"):
        self.x, self.y, self.name = x, y, name

    def __eq__(self, other):
        return (self.x, self.y, self.name) == (other.x, other.y, other.name)

    __hash__ = None


def check_container(cls, paths):
    point = cls(1.0, [2.0, 3.0], "q")
    doubled = tu.tree_map(lambda x: 2 * x, point)
    assert type(doubled) is cls
    assert doubled == cls(2.0, [4.0, 6.0], "q")
    assert [tu.keystr(path) for path, _ in tu.tree_leaves_with_path(point)] == paths
    assert tu.tree_structure(point) != tu.tree_structure(cls(1.0, [2.0, 3.0], "r"))
    gradient = ft.grad(lambda p: p.x * p.y[0] + p.y[1])(point)
    assert gradient == cls(2.0, [1.0, 1.0], "q")


def test_register_pytree_node():
    flatten = lambda p: ((p.x, p.y), p.name)
    unflatten = lambda cls: lambda name, children: cls(*children, name)
    keyed = lambda p: (((tu.GetAttrKey("x"), p.x), (tu.GetAttrKey("y"), p.y)), p.name)

    class First(Point):
        pass

    tu.register_pytree_node(First, flatten, unflatten(First))
    check_container(First, ["[<flat index 0>]", "[<flat index 1>][0]", "[<flat index 1>][1]"])

    class Second(Point):
        pass

    tu.register_pytree_node(Second, flatten, unflatten(Second), keyed)
    check_container(Second, [".x", ".y[0]", ".y[1]"])

    class Third(Point):
        pass

    tu.register_pytree_with_keys(Third, keyed, unflatten(Third))
    check_container(Third, [".x", ".y[0]", ".y[1]"])
    with pytest.raises(errors.TreeRegistrationError):
        tu.register_pytree_node(Third, flatten, unflatten(Third))


def test_registering_decorators():
    @tu.register_pytree_node_class
    class First(Point):
        def tree_flatten(self):
            return (self.x, self.y), self.name

        @classmethod
        def tree_unflatten(cls, name, children):
            return cls(*children, name)

    check_container(First, ["[<flat index 0>]", "[<flat index 1>][0]", "[<flat index 1>][1]"])

    @tu.register_pytree_with_keys_class
    class Second(Point):
        def tree_flatten_with_keys(self):
            return ((tu.DictKey("x"), self.x), (tu.DictKey("y"), self.y)), self.name

        @classmethod
        def tree_unflatten(cls, name, children):
            return cls(*children, name)

    check_container(Second, ["['x']", "['y'][0]", "['y'][1]"])


def test_dataclasses_and_static_objects():
    @functools.partial(tu.register_dataclass, data_fields=["x", "y"], meta_fields=["name"])
    @dataclasses.dataclass
    class First:
        x: float
        y: list
        name: str

    check_container(First, [".x", ".y[0]", ".y[1]"])

    @tu.register_dataclass
    @dataclasses.dataclass
    class Second:
        x: float
        y: list
        name: str = dataclasses.field(metadata={"static": True})

    check_container(Second, [".x", ".y[0]", ".y[1]"])

    @tu.register_static
    @dataclasses.dataclass(frozen=True)
    class Options:
        power: int

    f = lambda options, x: x**options.power
    assert ft.jit(f)(Options(3), 2.0) == 8.0
    assert ft.grad(f, argnums=1)(Options(3), 2.0) == 12.0
    assert tu.tree_map(lambda x: 0, [Options(2), 1.0]) == [Options(2), 0]


def test_partial():
    p = tu.Partial(lambda a, x, *, b: a * x + b, 2.0, b=1.0)
    assert p(3.0) == 7.0
    assert isinstance(p, functools.partial)
    assert tu.tree_leaves(p) == [2.0, 1.0]
    assert [tu.keystr(path) for path, _ in tu.tree_leaves_with_path(p)] == [
        ".args[0]",
        ".keywords['b']",
    ]
    g = ft.grad(lambda f, x: f(x))(p, 3.0)
    assert (g.args, g.keywords) == ((3.0,), {"b": 1.0})
    call = ft.jit(lambda f, x: f(x))
    assert call(p, 3.0) == 7.0
    assert tu.tree_map(lambda x: x + 1, p)(3.0) == 11.0
    nested = tu.Partial(tu.Partial(np.add, 1.0), 2.0)
    assert nested() == 3.0
    assert tu.tree_leaves(nested) == [1.0, 2.0]


def test_partial_of_a_partial_keeps_its_arguments_out_of_the_leaves():
    function = functools.partial(int, base=2)
    first, second = tu.Partial(function, "101"), tu.Partial(function, "101")
    assert first() == 5
    assert tu.tree_leaves(first) == ["101"]
    assert first.func == function == second.func == first.func
    assert hash(first.func) == hash(second.func)
    assert tu.tree_structure(first) == tu.tree_structure(second)
    assert repr(first.func) == repr(function)
    nested = tu.Partial(tu.Partial(max, 1), 2)
    assert tu.tree_leaves(nested) == [1, 2]


def test_is_leaf_that_takes_the_path():
    deep = ((1, 2), [3, {"a": 4}])
    is_leaf = lambda path, node: len(path) >= 2
    expected = [
        ((tu.SequenceKey(0), tu.SequenceKey(0)), 1),
        ((tu.SequenceKey(0), tu.SequenceKey(1)), 2),
        ((tu.SequenceKey(1), tu.SequenceKey(0)), 3),
        ((tu.SequenceKey(1), tu.SequenceKey(1)), {"a": 4}),
    ]
    pairs, structure = tu.tree_flatten_with_path(deep, is_leaf, is_leaf_takes_path=True)
    assert pairs == expected == tu.tree_leaves_with_path(deep, is_leaf, is_leaf_takes_path=True)
    assert structure.num_leaves == 4
    sizes = tu.tree_map_with_path(
        lambda path, x, y: (len(path), x, y),
        deep,
        deep,
        is_leaf=lambda path, node: isinstance(node, list),
        is_leaf_takes_path=True,
    )
    assert sizes == (((2, 1, 1), (2, 2, 2)), (1, deep[1], deep[1]))
