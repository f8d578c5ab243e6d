"""Key paths."""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict

from functrace import tree
from functrace.tree import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey, keystr
from tests.tree.containers import Keyed, Layer, Plain, Point


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
