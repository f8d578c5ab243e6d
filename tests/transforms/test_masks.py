"""Masks of values, and zeros in place of None, beside lists written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.ir.types import type_of
from functrace.transforms import masks

few = settings(max_examples=25, deadline=None)

values = st.lists(st.tuples(st.integers(), st.booleans()), max_size=6)


@few
@given(values)
def test_what_is_selected_is_scattered_again(pairs):
    given_, mask = [x for x, _ in pairs], tuple(on for _, on in pairs)
    chosen = masks.selected(given_, mask)
    assert chosen == [x for x, on in pairs if on]
    assert masks.scattered(chosen, mask) == [x if on else None for x, on in pairs]
    assert masks.zero_or_none(mask) == tuple(masks.scattered([0] * len(chosen), mask))


LIKE = [1.5, np.float32(2), np.ones((0, 2)), np.full(3, 1j), np.full((2, 2), np.nan)]


@pytest.mark.parametrize("x", LIKE)
def test_zeros_have_the_type_of_a_value(x):
    zeros = masks.zeros_as(x)
    assert type_of(zeros) == type_of(x).strong
    assert not np.any(zeros)


@few
@given(st.lists(st.tuples(st.sampled_from(LIKE), st.booleans(), st.booleans()), max_size=4))
def test_zeros_stand_in_place_of_none_where_a_mask_is_on(rows):
    likes, mask = [like for like, _, _ in rows], [on for _, _, on in rows]
    cotangents = [like if there else None for like, there, _ in rows]
    expected = [
        like if there else np.zeros(np.shape(like), np.asarray(like).dtype)
        for like, there, on in rows
        if on
    ]
    found = masks.instantiated(cotangents, likes, mask)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
