from __future__ import annotations

import numpy as np
import pytest

from functrace.backends.native.elements import collapsed, first_of_all, neutral


def test_neighbouring_axes_become_one():
    lengths, strides, reduced = collapsed((2, 3, 4), [(12, 4, 1), (12, 4, 1)], [])
    assert (lengths, strides, reduced) == ([24], [(1,), (1,)], [])


def test_axes_that_something_sees_otherwise_stay():
    lengths, strides, _ = collapsed((2, 3, 4), [(12, 4, 1), (0, 4, 1)], [])
    assert (lengths, strides) == ([2, 12], [(12, 1), (0, 1)])
    lengths, _, reduced = collapsed((2, 3, 4), [(12, 4, 1)], [frozenset({2})])
    assert (lengths, reduced) == ([6, 4], [frozenset({1})])


def test_axes_of_length_one_fall_away():
    assert collapsed((1, 5, 1), [(5, 1, 1)], [frozenset({0})])[::2] == ([5], [frozenset()])
    assert collapsed((1, 1), [(1, 1)], [])[0] == []


def test_where_only_reduced_axes_follow():
    assert first_of_all(frozenset({1, 2}), 3) == 1
    assert first_of_all(frozenset({0}), 3) == 3
    assert first_of_all(frozenset(), 0) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "bool"])
@pytest.mark.parametrize(("name", "ufunc"), [("max", np.maximum), ("min", np.minimum)])
def test_what_changes_no_extreme(name, ufunc, dtype):
    info = np.array([0, 1, 100], dtype)
    start = np.asarray(neutral(name, np.dtype(dtype))).astype(dtype)
    np.testing.assert_array_equal(ufunc(info, start), info)
