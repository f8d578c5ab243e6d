"""Kinds of containers: found by class, taken apart and put together again."""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functrace import tree
from functrace.errors import TreeKeyError, TreeRegistrationError
from functrace.tree import kinds
from tests.tree.containers import Keyed, Layer, Plain, Point, Typed, example


@example
def test_a_container_is_put_together_again_from_what_it_is_taken_apart_into(example, expected):
    opened = kinds.open_container(example)
    if opened is None:
        assert expected == [example]
        return
    kind, aux, children = opened
    again = kind.unflatten(aux, tuple(children))
    assert type(again) is type(example)
    assert again == example
    assert [leaf for child in children for leaf in tree.leaves(child)] == expected


@example
def test_keys_belong_to_the_children(example, expected):
    opened = kinds.open_with_keys(example)
    if opened is None:
        return
    kind, aux, children, entries = opened
    assert (kind, aux, [*children]) == (*kinds.open_container(example)[:2], [*children])
    assert len(entries) == len(children)
    if type(example) in (list, tuple, dict, OrderedDict, defaultdict):
        assert [example[entry.key if hasattr(entry, "key") else entry.idx] for entry in entries] \
            == [*children]  # fmt: skip
    elif not isinstance(example, Plain):
        assert [getattr(example, entry.name) for entry in entries] == [*children]


@pytest.mark.parametrize("x", [[], (), {}, None, Point(1, 2), Plain([]), Keyed(1, 2), Layer(1)])
def test_there_is_one_kind_of_each_class_also_after_a_pickle(x):
    kind = kinds.open_container(x)[0]
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert kinds.open_container(Typed(1))[0] is kinds.NAMEDTUPLE


def test_a_class_without_a_kind():
    with pytest.raises(TreeRegistrationError, match="complex is not registered"):
        kinds.kind_of_class(complex)


@given(st.dictionaries(st.integers() | st.booleans() | st.floats(allow_nan=False), st.none()))
def test_keys_are_those_that_python_sorts(x):
    assert [*kinds.sorted_keys(x)] == sorted(x)


def test_errors_of_the_users_own_comparison_are_the_users():
    class Key:
        def __lt__(self, other):
            raise TypeError("mine")

    with pytest.raises(TypeError, match="mine") as caught:
        kinds.sorted_keys({Key(): 1, Key(): 2})
    assert not isinstance(caught.value, TreeKeyError)
    with pytest.raises(TreeKeyError, match="and 2 more"):
        kinds.sorted_keys({**dict.fromkeys(range(11)), "a": 1})
