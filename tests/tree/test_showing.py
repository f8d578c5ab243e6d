"""A tree as a table: every leaf, with NumPy's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import tree


def test_rows():
    params = {"a": [np.arange(6, dtype=np.int16).reshape(2, 3), 2.0], "b": (np.array([3j, 4]), "x")}
    table = tree.show(params)
    assert [leaf.path for leaf in table.leaves] == ["['a'][0]", "['a'][1]", "['b'][0]", "['b'][1]"]
    assert [leaf.shape for leaf in table.leaves] == [(2, 3), (), (2,), ()]
    assert [leaf.dtype for leaf in table.leaves] == ["int16", "float64", "complex128", "str"]
    assert [leaf.nbytes for leaf in table.leaves] == [12, 8, 32, 0]
    np.testing.assert_allclose(table.leaves[0].norm, np.sqrt(55))
    assert [leaf.norm for leaf in table.leaves[1:]] == [2.0, 5.0, None]
    assert table.nbytes == 52
    assert table.size == 9
    assert str(table).count("\n") == 5


def test_other_trees():
    assert "0 leaves" in str(tree.show({}))
    assert tree.show(np.zeros((0, 3))).leaves[0].norm == 0
    assert tree.show([np.array(["text"])]).leaves[0].norm is None
    assert "&lt;" in tree.show({"<": 1})._repr_html_()


def test_traced_leaves_have_a_type_and_no_number():
    seen = []

    def f(x):
        seen.append(tree.show({"x": x}))
        return x

    ft.jit(f)(np.ones(3))
    assert seen[0].leaves[0].shape == (3,)
    assert seen[0].leaves[0].norm is None


@pytest.mark.parametrize("size", [1e200, 1e-200, 3.0, 0.0])
@pytest.mark.parametrize("unit", [1.0, 1j])
def test_norms_overflow_where_they_are_too_large_only(size, unit):
    (leaf,) = tree.show(size * unit * np.ones(4)).leaves
    np.testing.assert_allclose(leaf.norm, 2 * size, rtol=1e-15)
