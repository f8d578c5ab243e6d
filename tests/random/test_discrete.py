"""Discrete distributions against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import random

COUNT = 100_000


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_bits(dtype):
    found = random.bits(random.key(0), (COUNT,), dtype)
    assert found.dtype == dtype
    width = 8 * found.itemsize
    unsigned = found.view(f"u{found.itemsize}")
    means = [(unsigned >> place & 1).mean() for place in range(width)]
    np.testing.assert_allclose(means, 0.5, atol=4 * 0.5 / np.sqrt(COUNT))
