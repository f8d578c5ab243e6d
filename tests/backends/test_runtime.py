"""What generated source calls: memory for numbers, copies, stacks."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.runtime import as_array, fresh_copy, from_array, new_doubles, stacked
from functrace.ir.types import ANY_LENGTH, ArrayType


@pytest.mark.parametrize(
    "x", [np.arange(4.0), np.arange(4.0)[::-1], np.arange(8.0)[::2], np.ones(0)]
)
def test_numbers_of_an_array_and_back(x):
    numbers = from_array(x)
    assert list(numbers) == list(x)
    assert all(type(number) is float for number in numbers)
    back = as_array(numbers)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


def test_an_array_of_numbers_is_the_same_memory():
    numbers = new_doubles(3)
    assert list(numbers) == [0.0, 0.0, 0.0]
    x = as_array(numbers)
    numbers[1] = 2.5
    x[2] = -1.0
    np.testing.assert_array_equal(x, [0.0, 2.5, -1.0])
    assert list(numbers) == [0.0, 2.5, -1.0]
    assert as_array(new_doubles(0)).shape == (0,)


def test_only_arrays_are_copied():
    x = np.array(2.0)
    assert isinstance(fresh_copy(x), np.ndarray)
    assert not np.shares_memory(fresh_copy(x), x)
    for number in (2.0, np.float64(2.0)):
        assert fresh_copy(number) is number


@pytest.mark.parametrize("shape", [(), (2,), (0, 3), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.bool_])
def test_stacks_of_known_shape(shape, dtype):
    values = [np.full(shape, k, dtype) for k in range(3)]
    found = stacked(values, ArrayType(shape, np.dtype(dtype)))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.stack(values))
    assert stacked([], ArrayType(shape, np.dtype(dtype))).shape == (0, *shape)


def test_stacks_of_unknown_length_are_filled_with_zeros():
    type = ArrayType((ANY_LENGTH, 2), np.dtype(float))
    values = [np.ones((1, 2)), np.ones((3, 2)), np.ones((0, 2))]
    found = stacked(values, type)
    assert found.shape == (3, 3, 2)
    np.testing.assert_array_equal(found.sum(axis=(1, 2)), [2.0, 6.0, 0.0])
    np.testing.assert_array_equal(found[0], [[1, 1], [0, 0], [0, 0]])
    assert stacked([], type).shape == (0, 0, 2)


def test_stacks_have_derivatives():
    type = ArrayType((ANY_LENGTH,), np.dtype(float))
    weights = np.arange(6.0).reshape(2, 3) + 1

    def f(x):
        return np.sum(stacked([x[:1], x * x], type) * weights)

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(ft.grad(f)(x), [1 + 8, 20, 36])
