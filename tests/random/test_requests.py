"""Shapes and dtypes that are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.random import requests


def test_dtypes():
    assert requests.floating(None) == np.float64
    assert requests.floating(np.float32) == np.float32
    assert requests.floating_or_complex("c8") == np.complex64
    assert requests.whole(None) == np.int64
    assert requests.whole(None, np.uint64) == np.uint64
    for ask, dtype in (
        (requests.floating, int), (requests.floating, complex), (requests.whole, bool),
        (requests.whole, float), (requests.floating_or_complex, int),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=np.dtype(dtype).name):
            ask(dtype)


def test_shapes():
    assert requests.common_shape(None, 1.0, np.ones((3, 1)), np.ones(2)) == (3, 2)
    assert requests.common_shape(4, 1.0) == (4,)
    assert requests.common_shape([5, 2], np.ones(2)) == (5, 2)
    with pytest.raises(ShapeMismatchError, match="do not broadcast to each other"):
        requests.common_shape(None, np.ones(2), np.ones(3))
    with pytest.raises(ShapeMismatchError, match=r"to the shape \(3,\)"):
        requests.common_shape(3, np.ones(2))
    with pytest.raises(ShapeMismatchError, match=r"to the shape \(\)"):
        requests.common_shape((), np.ones(2))


def test_parameters():
    (x, y) = requests.parameters(np.dtype(np.float32), 1, [2, 3])
    assert x.dtype == y.dtype == np.float32
