"""Trees in files: what is saved is loaded, whatever it holds, and nothing else is."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import functrace as ft
from functrace import tree
from functrace.errors import LoadError, SaveError

Pair = namedtuple("Pair", ["left", "right"])  # noqa: PYI024  (as users write them)


@tree.register_dataclass
@dataclass
class Layer:
    """A registered class."""

    weight: Any
    name: str = tree.static(default="layer")


def saved(params):
    stream = io.BytesIO()
    tree.save(stream, params)
    return stream


def same(found, expected):
    """Whether two trees are the same, in their containers, types and bytes."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, np.ndarray | np.generic):
        return found.dtype == expected.dtype and np.array_equal(
            found, expected, equal_nan=expected.dtype.kind in "fc"
        )
    return found == expected or (found != found and expected != expected)


leaves = st.one_of(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int8, np.uint64, np.bool_, np.complex64]),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
    ),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.complex_numbers(),
    st.text(),
    st.floats().map(np.float64),
)
trees = st.recursive(
    st.none() | leaves,
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=4), children, max_size=3),
        st.dictionaries(st.integers(), children, max_size=3),
        st.dictionaries(st.text(max_size=2), children, max_size=3).map(OrderedDict),
    ),
    max_leaves=8,
)


@given(trees)
@settings(max_examples=150, deadline=None)
def test_what_is_saved_is_loaded(params):
    stream = saved(params)
    assert same(tree.load(stream), params)
    assert same(tree.load(stream, like=params), params)


def test_files_by_their_paths(tmp_path):
    params = {"layers": [{"weight": np.ones((2, 3))}], "rate": 0.1}
    path = tmp_path / "params.npz"
    tree.save(path, params)
    assert same(tree.load(str(path)), params)
    with np.load(path) as found:
        np.testing.assert_array_equal(found["layers/0/weight"], np.ones((2, 3)))
    with pytest.raises(FileNotFoundError):
        tree.load(tmp_path / "other.npz")


def test_names_that_are_alike():
    params = {
        "a/b": np.zeros(1),
        "a": {"b": np.ones(1)},
        "tree.json": np.arange(2),
        "\n": np.eye(2),
    }
    assert same(tree.load(saved(params)), params)


def test_objects_of_classes_need_a_tree_like_them():
    params = {"pair": Pair(np.ones(2), [1.0]), "layer": Layer(np.arange(3), "first")}
    stream = saved(params)
    with pytest.raises(LoadError, match=r"class Layer[\s\S]*like=params"):
        tree.load(stream)
    like = {"pair": Pair(np.zeros(2), [0.0]), "layer": Layer(np.arange(3), "second")}
    found = tree.load(stream, like)
    assert type(found["pair"]) is Pair
    np.testing.assert_array_equal(found["pair"].left, np.ones(2))
    assert found["layer"].name == "second"
    np.testing.assert_array_equal(found["layer"].weight, np.arange(3))


@pytest.mark.parametrize(
    ("like", "message"),
    [
        (
            {"a": np.zeros(3), "b": 1.0},
            r"\['a'\] an array of shape \(2,\) and float64, not",
        ),
        ({"a": np.zeros(2, np.float32), "b": 1.0}, r"float64, not of shape \(2,\) and float32"),
        ({"a": np.zeros(2)}, "holds 2 leaves.*has 1"),
        ({"a": np.zeros(2), "c": 1.0}, r"'b' in the file and .*\['c'\]"),
        ({"a": np.zeros(2), "b": 1.0, "c": 2.0}, "holds 2 leaves.*has 3"),
        ([np.zeros(2), 1.0], "'a' in the file"),
    ],
)
def test_a_tree_that_is_not_like_it(like, message):
    with pytest.raises(LoadError, match=message):
        tree.load(saved({"a": np.zeros(2), "b": 1.0}), like)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a": [object()]}, r"\['a'\]\[0\] is of type object"),
        ([np.array([object()])], "an array of object"),
        ([np.ma.array([1.0, 2.0], mask=[False, True])], "of type MaskedArray"),
        ([np.array([[1.0]]).view(np.matrix)], "of type matrix"),
        ({"a": np.array(["text"])}, "an array of <U4"),
        (np.zeros(2, np.longdouble), "an array of float128|an array of float64"),
        ({(1, 2): 1.0}, r"has the key \(1, 2\)"),
    ],
)
def test_what_cannot_be_saved(params, message, tmp_path):
    with pytest.raises(SaveError, match=message):
        tree.save(tmp_path / "file", params)
    assert not list(tmp_path.iterdir())


def test_traced_values_cannot_be_saved(tmp_path):
    def loss(x):
        tree.save(tmp_path / "file", {"x": x})
        return x**2

    with pytest.raises(SaveError, match="return it from the function first"):
        ft.grad(loss)(1.0)


def with_manifest(change):
    """A saved tree whose description is another one."""
    source = zipfile.ZipFile(saved({"a": np.zeros(2), "b": [1.0, None]}))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "tree.json":
                content = change(content)
            archive.writestr(name, content)
    return stream


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda text: text.replace(b'"array"', b'"arrow"'),
        lambda text: text.replace(b'{"array": "a"}', b'{"array": "z"}'),
        lambda text: text.replace(b'{"array": "a"}', b"{}"),
        lambda text: text.replace(b'["a"', b'[["a"]'),
        lambda text: text.replace(b"functrace tree", b"functrace program"),
    ],
)
def test_damaged_files(change):
    with pytest.raises(LoadError, match="no saved tree, or it is damaged"):
        tree.load(with_manifest(change))


def test_files_of_a_later_version():
    def change(text):
        return json.dumps({**json.loads(text), "version": 2}).encode()

    with pytest.raises(LoadError, match=re.escape("version 2 of the format")):
        tree.load(with_manifest(change))


def test_no_file_of_a_tree():
    with pytest.raises(LoadError, match="zip file"):
        tree.load(io.BytesIO(b"no zip"))
    stream = io.BytesIO()
    ft.make_ir(np.sin)(1.0).save(stream)
    with pytest.raises(LoadError, match="lacks a member"):
        tree.load(stream)


def test_numbers_keep_their_class_and_value():
    params = [math.nan, -0.0, 1e-320, 2**70, True, 1 + 2j, np.float32(0.1), np.array(0.1)]
    found = tree.load(saved(params))
    assert same(found, params)
    assert math.copysign(1, found[1]) == -1
