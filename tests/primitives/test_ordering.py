"""Rules of orders."""

from __future__ import annotations

import numpy as np

from functrace.primitives.ordering import searchsorted_primitive


def test_batches_of_sorted_arrays():
    a = np.array([[0.0, 1, 1, np.nan], [-1, 0, 2, 3]])
    v = np.array([[1.0, np.nan, -2], [2, 5, 0]])
    for side in ("left", "right"):
        result, axis = searchsorted_primitive.batch(2, (a, v), (0, 0), side=side)
        expected = [np.searchsorted(row, values, side) for row, values in zip(a, v, strict=True)]
        np.testing.assert_array_equal(np.moveaxis(result, axis, 0), expected)
