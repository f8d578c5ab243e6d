from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native import products

LAYOUTS = ["ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ji,kj->ik", "ij,jk->ki", "ij,j->i", "ji,j->i",
           "bij,bjk->bik", "bij,jk->bik", "ijl,jk->ilk"]  # fmt: skip
SIZES = [1, 2, 3, 4, 7, 8, 9, 16, 17, 25, 33]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_products_of_all_sizes_and_layouts(data):
    names = data.draw(st.sampled_from(LAYOUTS))
    dtype = data.draw(st.sampled_from(["float64", "float32"]))
    sizes = {c: data.draw(st.sampled_from(SIZES if c in "ijk" else [1, 2, 3])) for c in "ijkbl"}
    first, _, rest = names.partition(",")
    rng = np.random.default_rng(0)
    x, y = (
        rng.normal(size=[sizes[c] for c in part]).astype(dtype)
        for part in (first, rest.partition("-")[0])
    )
    found = ft.jit(lambda x, y: np.einsum(names, x, y) + 0, backend="native")(x, y)
    assert found.dtype == dtype
    scale = np.einsum(names, np.abs(x), np.abs(y))
    assert np.all(np.abs(found - np.einsum(names, x, y)) <= 8 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("names", ["ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "bij,bjk->bik"])
def test_large_products_are_the_librarys(names, monkeypatch):
    monkeypatch.setattr(products, "FROM_LIBRARY", 8)
    first, _, rest = names.partition(",")
    rng = np.random.default_rng(0)
    x = rng.normal(size=[5] * len(first))
    y = rng.normal(size=[5] * len(rest.partition("-")[0]))
    found = ft.jit(lambda x, y: np.einsum(names, x, y) + 0, backend="native")(x, y)
    np.testing.assert_allclose(found, np.einsum(names, x, y), rtol=1e-13, atol=1e-13)


def test_lanes_are_vectors_of_powers_of_two():
    assert products._widths(21, 8) == [8, 8, 4, 1]
    assert products._widths(3, 8) == [2, 1]
