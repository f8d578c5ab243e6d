"""All leaves of a tree in one vector."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from functrace import tree
from functrace.errors import TreeStructureError


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
