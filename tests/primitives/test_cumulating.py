"""Sums so far, beside NumPy's and a triangular matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.ir.types import ArrayType, type_of
from functrace.primitives.cumulating import cumulative_sum_primitive
from functrace.tracing.tracer import bind
from tests.primitives.linear_laws import check_linear, whole
from tests.strategies import seeds, shapes


@settings(max_examples=40, deadline=None)
@given(shapes().filter(len), st.booleans(), st.data(), seeds())
def test_sums_so_far_are_products_with_a_triangle(shape, reverse, data, seed):
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = whole(shape, seed)
    triangle = np.tri(shape[axis]).T if reverse else np.tri(shape[axis])
    expected = np.moveaxis(np.tensordot(triangle, x, (1, axis)), 0, axis)
    check_linear(cumulative_sum_primitive, expected, x, axis=axis, reverse=reverse)


@pytest.mark.parametrize("dtype", ["?", "b", "H", "q", "e", "f", "F"])
def test_dtypes_are_numpys(dtype):
    x = np.ones((2, 3), dtype)
    for reverse in (False, True):
        found = bind(cumulative_sum_primitive, x, axis=1, reverse=reverse)
        assert found.dtype == np.cumsum(x, 1).dtype
        inferred = cumulative_sum_primitive.infer(type_of(x), axis=1, reverse=reverse)
        assert inferred == ArrayType((2, 3), found.dtype)


def test_an_axis_that_there_is_not():
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        cumulative_sum_primitive.infer(type_of(np.ones((2, 3))), axis=2, reverse=False)
