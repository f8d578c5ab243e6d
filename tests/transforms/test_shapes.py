"""eval_shape: the types of what a function returns."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors


class Described:
    """Something that tells a shape and a dtype."""

    def __init__(self, *shape):
        self.shape = shape
        self.dtype = np.dtype(np.float32)


def test_arrays_numbers_and_what_describes_them():
    f = lambda x, y, scale=1.0: {"out": np.tanh(x @ y + 3.0) * scale, "row": x[0]}
    expected = {
        "out": ft.ShapeDtypeStruct((2, 4), np.float32),
        "row": ft.ShapeDtypeStruct((3,), np.float32),
    }
    x, y = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    assert ft.eval_shape(f, x, y) == expected
    assert ft.eval_shape(f, Described(2, 3), Described(3, 4), scale=2.0) == expected
    assert ft.eval_shape(lambda: np.ones(3)) == ft.ShapeDtypeStruct((3,), np.float64)
    assert ft.eval_shape(lambda pair: pair[0] + pair[1], (x, 1.0)).shape == (2, 3)


def test_nothing_is_computed():
    huge = ft.ShapeDtypeStruct((10**9, 10**9), np.float64)
    assert ft.eval_shape(lambda x: np.sum(np.exp(x), axis=0), huge).shape == (10**9,)
    with pytest.raises(errors.UnknownValueError):
        ft.eval_shape(lambda x: 1.0 if x > 0 else 2.0, 1.0)
    with pytest.raises(errors.ShapeMismatchError):
        ft.eval_shape(np.matmul, np.ones((3, 3)), np.ones((4, 4)))


def test_what_a_struct_tells():
    struct = ft.ShapeDtypeStruct((2, 3), "float32")
    assert (struct.ndim, struct.size, len(struct)) == (2, 6, 2)
    scalar = ft.ShapeDtypeStruct((), np.int64)
    assert (scalar.ndim, scalar.size) == (0, 1)
    with pytest.raises(TypeError, match="unsized"):
        len(scalar)
    with pytest.raises(errors.ArgumentError, match="needs a dtype"):
        ft.ShapeDtypeStruct((), None)
