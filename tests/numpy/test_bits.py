"""Bits packed into bytes, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from tests.agreement import assert_like_numpy


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_bits_and_bytes(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=10))
    axis = data.draw(st.sampled_from([None, 0, -1]))
    order = data.draw(st.sampled_from(["big", "little"]))
    x = data.draw(hnp.arrays(data.draw(st.sampled_from(["u1", "i8", "?"])), shape))
    assert_like_numpy(lambda x: np.packbits(x, axis, order), x)
    count = data.draw(st.sampled_from([None, 0, 3, 11, -1])) if x.size else None
    packed = x.astype("u1")
    assert_like_numpy(lambda x: np.unpackbits(x, axis, count, order), packed)


def test_bits_of_each_example():
    rows = np.random.default_rng(0).integers(0, 2, (3, 9))
    expected = np.stack([np.packbits(row) for row in rows])
    np.testing.assert_array_equal(ft.vmap(np.packbits)(rows), expected)
    np.testing.assert_array_equal(ft.vmap(np.unpackbits)(expected)[:, :9], rows)


def test_what_has_no_bits_is_refused():
    for f in (np.packbits, np.unpackbits):
        with pytest.raises(TypeError, match="Expected an input array"):
            ft.jit(f)(np.ones(3))
    with pytest.raises(ValueError, match="order"):
        ft.jit(lambda x: np.packbits(x, bitorder="middle"))(np.ones(3, int))
    with pytest.raises(ValueError, match="exceeds"):
        ft.jit(lambda x: np.unpackbits(x, count=-9))(np.ones(1, "u1"))
