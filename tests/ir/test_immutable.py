"""Copies that nobody can write."""

import numpy as np
import pytest

from functrace.ir.immutable import ImmutableArrays, immutable, is_immutable

rng = np.random.default_rng(0)
BLOCK = rng.normal(size=(3, 4, 5))
ARRAYS = {
    "0-d": np.array(3.0),
    "empty": np.zeros((0, 3)),
    "one element": np.ones((1, 1)),
    "C order": BLOCK,
    "F order": np.asfortranarray(BLOCK),
    "axes in another order": BLOCK.transpose(1, 2, 0),
    "backwards": BLOCK[::-1, :, ::-2],
    "repeated": np.broadcast_to(np.arange(3.0), (4, 3)),
    "repeated, empty": np.broadcast_to(1.0, (0, 3)),
    "windows": np.lib.stride_tricks.sliding_window_view(np.arange(6.0), 3),
    "booleans": np.array([True, False]),
    "float16": np.arange(3, dtype=np.float16),
    "foreign byte order": np.arange(3, dtype=">f8"),
    "nan": np.array([np.nan, -0.0, 0.0]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_copy_is_the_same_array_which_nobody_can_write(name):
    array = ARRAYS[name]
    copy = immutable(array)
    np.testing.assert_array_equal(copy, array)
    assert (copy.dtype, copy.shape) == (array.dtype, array.shape)
    assert not np.shares_memory(copy, array)
    assert is_immutable(copy)
    assert is_immutable(copy.T)
    assert is_immutable(copy[...])
    assert not is_immutable(array)
    with pytest.raises(ValueError, match="WRITEABLE"):
        copy.setflags(write=True)


def test_the_order_of_memory_is_kept():
    for array in (BLOCK, np.asfortranarray(BLOCK), BLOCK.transpose(1, 2, 0)):
        assert immutable(array).strides == array.strides


def test_what_is_repeated_takes_memory_once():
    copy = immutable(np.broadcast_to(np.arange(3.0), (10**9, 3)))
    assert copy.strides == (0, 8)
    assert copy.shape == (10**9, 3)


def test_an_array_is_copied_once_for_each_of_its_states():
    arrays = ImmutableArrays()
    buffer = np.zeros(3)
    first = arrays.of(buffer)
    assert arrays.of(buffer) is first
    assert arrays.of(buffer[:]) is first
    assert arrays.of(first) is first
    buffer[1] = 2.0
    second = arrays.of(buffer)
    assert second is not first
    np.testing.assert_array_equal(first, [0, 0, 0])
    np.testing.assert_array_equal(second, [0, 2, 0])
    buffer[1] = -0.0  # equal to what it was first, but not the same
    assert np.signbit(arrays.of(buffer)[1])
    assert not np.signbit(arrays.of(np.zeros(3))[1])
    assert arrays.of(np.zeros(3, np.int64)).dtype == np.int64


def test_a_large_array_is_copied_once_for_each_of_its_states_too():
    arrays = ImmutableArrays()
    buffer = np.zeros(100_000)
    first = arrays.of(buffer)
    assert arrays.of(buffer) is first
    assert arrays.of(buffer[:]) is first
    buffer[-1] = -0.0
    second = arrays.of(buffer)
    assert np.signbit(second[-1])
    assert not np.signbit(first[-1])
    assert arrays.of(buffer.reshape(1000, 100)).shape == (1000, 100)
