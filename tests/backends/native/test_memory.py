from __future__ import annotations

import numpy as np

from functrace.backends.native.memory import ON_STACK, Places, View
from functrace.backends.native.writing import Writer, strides_of

FLOAT = np.dtype(float)
LARGE = ON_STACK // 8 + 1


def places():
    return Places(Writer("define void @f(ptr %memory)"), "%memory")


def test_small_arrays_lie_on_the_stack_and_large_ones_in_lent_memory():
    memory = places()
    small = memory.take((3,), FLOAT)
    assert memory.size == 0
    large = memory.take((LARGE,), FLOAT)
    assert memory.size >= 8 * LARGE
    assert small.tag != large.tag


def test_memory_is_used_again():
    memory = places()
    first = memory.take((LARGE,), FLOAT)
    memory.give_back(first.slot)
    assert memory.take((LARGE,), FLOAT).slot is first.slot
    assert memory.take((LARGE,), FLOAT).slot is not first.slot


def test_views_that_lie_in_a_row():
    def view(shape, strides):
        return View("%p", 1, shape, strides, FLOAT)

    assert view((2, 3), strides_of((2, 3))).is_contiguous
    assert not view((2, 3), (1, 2)).is_contiguous
    assert view((1, 3), (7, 1)).is_contiguous
    assert view((0, 3), (7, 9)).is_contiguous
    assert view((3, 1), (1, 1)).stretched((2, 3, 4)).strides == (0, 1, 0)
