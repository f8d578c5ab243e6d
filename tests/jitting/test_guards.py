"""Guards: each passes exactly the calls that the general way finds to be the same."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace import tree
from functrace.ir.types import type_of
from functrace.jitting.guards import MISS, make_guard
from functrace.transforms.batch import no_shortcuts
from functrace.tree.sameness import identity
from tests.tree.containers import (
    DictSubclass,
    Keyed,
    Layer,
    ListSubclass,
    Plain,
    Point,
    Slotted,
    Strict,
    TupleSubclass,
    Typed,
)
from tests.tree.test_properties import trees

LEAVES = [
    True, 2, 1.5, 1j, np.float64(1), np.float32(1), np.int64(3), np.longlong(3), np.bool_(True),
    np.ones(3), np.ones((2, 0)), np.ones(3, np.float32), np.ones(3, ">f8"), np.array(1.0),
    np.ones(3, np.longlong), np.ones(3, np.int64), np.ones((3, 1)), np.ones((3, 2))[:, ::2],
    np.ones(3, np.dtype(np.float64, metadata={"unit": "m"})),
]  # fmt: skip

leaf = st.sampled_from(LEAVES)
calls = st.tuples(
    st.lists(trees(leaf), max_size=3).map(tuple),
    st.dictionaries(st.sampled_from("xyz"), trees(leaf), max_size=2),
)


class Checking:
    """What makes functions that check their arguments, in Python."""

    def __init__(self, run, leaves):
        self.run = run
        self.types = list(map(type_of, leaves))

    def checked(self, classes, miss):
        def run(*args):
            fits = list(map(type, args)) == list(classes) and list(map(type_of, args)) == self.types
            return self.run(*args) if fits else miss

        return run

    def guard(self, classes, miss, unless, is_single):
        checked = self.checked(classes, miss)

        def run(args, kwargs):
            result = miss if kwargs or unless else checked(*args)
            return result[0] if is_single and result is not miss else result

        return run


def guard_of(
    args, kwargs=None, run=lambda *leaves: leaves, output=None, static=(), is_checked=False
):
    leaves, structure = tree.flatten((args, kwargs or {}))
    checking = Checking(run, leaves) if is_checked else None
    return make_guard(run, leaves, structure, output or structure, static, (), checking)


def is_same(tree_, other):
    leaves, structure = tree.flatten(tree_)
    others, structure_of_other = tree.flatten(other)
    return structure == structure_of_other and all(map(lambda a, b: a is b, leaves, others))


@given(calls, calls, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_guard_passes_the_calls_of_its_kind_only(call, other, is_checked):
    guard = guard_of(*call, is_checked=is_checked)
    assert is_same(guard(*call), call)
    leaves, structure = tree.flatten(call)
    others, structure_of_other = tree.flatten(other)
    is_alike = (
        structure == structure_of_other
        and list(map(type_of, leaves)) == list(map(type_of, others))
        and list(map(type, leaves)) == list(map(type, others))
    )
    result = guard(*other)
    assert (result is not MISS) == is_alike
    if is_alike:
        assert is_same(result, other)


@given(calls, st.data(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_other_leaves_pass_where_their_types_are_the_same(call, data, is_checked):
    guard = guard_of(*call, is_checked=is_checked)
    leaves, structure = tree.flatten(call)
    others = list(leaves)
    if others:
        others[data.draw(st.integers(0, len(others) - 1))] = data.draw(leaf)
    other = structure.unflatten(others)
    is_alike = all(
        type(a) is type(b) and type_of(a) == type_of(b) for a, b in zip(leaves, others, strict=True)
    )
    assert (guard(*other) is not MISS) == is_alike


@given(calls, calls, st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_guard_makes_the_output(call, output, is_checked):
    outputs, structure = tree.flatten(output)
    run = lambda *leaves: tuple(outputs)
    guard = guard_of(*call, run=run, output=structure, is_checked=is_checked)
    assert is_same(guard(*call), output)


@pytest.mark.parametrize("output", [np.ones(3), (np.ones(3),), (np.ones(3), 2.5), ()], ids=repr)
def test_where_arguments_are_leaves_what_checks_them_is_the_guard(output):
    args = (np.ones(3), 2.5)
    outputs, structure = tree.flatten(output)
    checking = Checking(lambda *leaves: tuple(outputs), args)
    made = []
    checking.guard = lambda *given: made.append(given) or (lambda args, kwargs: "it")
    arguments = tree.flatten((args, {}))[1]
    guard = make_guard(None, args, arguments, structure, checking=checking)
    assert guard(args, {}) == "it"
    is_single = isinstance(output, np.ndarray)
    assert made == [((np.ndarray, float), MISS, no_shortcuts, is_single)]
    in_dict = tree.flatten((args, {"x": 2.5}))
    assert make_guard(None, in_dict[0], in_dict[1], structure, checking=checking)(args, {}) is MISS
    assert len(made) == 1


@given(trees(leaf), trees(leaf))
@settings(max_examples=30, deadline=None)
def test_the_first_call_and_the_next_ones_have_the_same_result(first, second):
    f = ft.jit(lambda x: x)
    for x in (first, second, first, second):
        expected, structure = tree.flatten(x)
        found, found_structure = tree.flatten(f(x))
        assert structure == found_structure
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
            assert type_of(a) == type_of(b)


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ({"a": 1.0}, DictSubclass(a=1.0)),
        ({"a": 1.0}, OrderedDict(a=1.0)),
        ({"a": 1.0}, defaultdict(float, a=1.0)),
        ({"a": 1.0}, {"a": 1.0, "b": None}),
        ({"a": 1.0}, {"b": 1.0}),
        (OrderedDict(a=1.0, b=2.0), OrderedDict(b=2.0, a=1.0)),
        (defaultdict(float, a=1.0), defaultdict(int, a=1.0)),
        (defaultdict(float, a=1.0), defaultdict(float, b=1.0)),
        ([1.0], ListSubclass([1.0])),
        ([1.0], (1.0,)),
        ((1.0,), TupleSubclass((1.0,))),
        ((1.0, 2.0), Point(1.0, 2.0)),
        (Typed(1.0, 2.0), Strict(1.0, 2.0)),
        (None, 1.0),
        (1.0, None),
        ((), None),
        (Layer(1.0, 2.0), Layer(1.0, 2.0, "relu")),
        (Layer(1.0, None), Layer(1.0, 2.0)),
        (Plain([1.0]), Plain([1.0], "other")),
        (Plain([1.0]), Plain([1.0, 2.0])),
        (Keyed(1.0, 2.0), Plain([1.0, 2.0])),
        (Slotted(only=1.0), Keyed(1.0, 2.0)),
    ],
)
def test_what_has_another_structure_is_missed(known, other):
    assert guard_of((known,))((other,), {}) is MISS
    assert guard_of((), {"x": known})((), {"x": other}) is MISS
    assert guard_of(([known],))(([other],), {}) is MISS


def test_keys_match_in_any_order_and_are_not_made():
    guard = guard_of(({"a": 1.0, "b": 2},))
    assert guard(({"b": 3, "a": 4.0},), {}) == (({"a": 4.0, "b": 3},), {})
    given = defaultdict(float, b=1.0)
    assert guard_of((defaultdict(float, a=1.0),))((given,), {}) is MISS
    assert list(given) == ["b"]


def test_keys_of_any_kind():
    for keys in [(1, 2), (1.5, 2.5), (("a", 1), ("b", 2)), (b"x", b"y"), (True,), ("a'b", "\n")]:
        x = dict.fromkeys(keys, 1.0)
        assert guard_of((x,))((x,), {}) == ((x,), {})
    assert guard_of(({1: 2.0},))(({True: 2.0},), {}) is MISS  # although 1 == True


def test_static_arguments_are_equal_and_of_equal_type():
    for value in (2, "sum", (1, 2), None, float("nan"), np.sin):
        guard = guard_of((1.0,), {"y": 2.0}, static=((0, value, identity(value)),))
        assert guard((value, 3.0), {"y": 4.0}) == ((3.0,), {"y": 4.0})
        assert guard((1.0, 3.0), {"y": 4.0}) is MISS
    one = guard_of((1.0,), static=(("n", 1, identity(1)),))
    assert one((1.0,), {"n": 1}) is not MISS
    for other in (True, 1.0, np.int64(1), np.ones(3), [1]):
        assert one((1.0,), {"n": other}) is MISS
    assert one((1.0,), {}) is MISS


def test_an_error_of_a_registered_function_is_left_to_the_general_way():
    class Refusing:
        def __eq__(self, other):
            raise RuntimeError("no comparing")

        __hash__ = object.__hash__

    known = Refusing()
    guard = guard_of((Plain([1.0], known),))
    assert guard((Plain([1.0], known),), {}) is not MISS
    assert guard((Plain([1.0], Refusing()),), {}) is MISS


def test_subclasses_of_arrays_and_numbers_have_no_guard():
    class Sub(np.ndarray):
        pass

    sub = np.ones(3).view(Sub)
    assert guard_of((sub,)) is None
    assert guard_of((np.ones(3),))((sub,), {}) is MISS
    calls = []
    f = ft.jit(lambda x: (calls.append(1), x * 2)[1])
    for x in (sub, np.ones(3), sub):
        assert type(f(x)) is np.ndarray
    assert len(calls) == 1


def test_deep_and_wide_trees_take_the_general_way():
    deep = 1.0
    for _ in range(150):
        deep = [deep]
    assert guard_of((deep,)) is None
    f = ft.jit(lambda x: x)
    assert f(deep) == f(deep) == deep
    wide = [1.0] * 6000
    assert guard_of((wide,)) is None


def test_a_guard_is_missed_inside_a_named_map():
    guard = guard_of((1.0,))
    ft.vmap(lambda x: (x, guard((1.0,), {}) is MISS)[0], axis_name="i")(np.ones(2))
    found = []
    ft.vmap(lambda x: (found.append(guard((1.0,), {})), x)[1], axis_name="i")(np.ones(2))
    assert found == [MISS]
    assert guard((1.0,), {}) is not MISS


def test_tracers_are_missed():
    f = ft.jit(lambda p: p["a"] * 2)
    assert f({"a": 3.0}) == 6.0
    assert ft.grad(f)({"a": 3.0}) == {"a": 2.0}
    np.testing.assert_array_equal(ft.vmap(f)({"a": np.ones(2)}), [2.0, 2.0])
    assert f({"a": 3.0}) == 6.0
