from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.lowering import EMBEDDED, Kernel
from functrace.backends.native.memory import ON_STACK
from functrace.backends.native.operations import ALONE


def kernel(f, *args):
    return Kernel(decompose(ft.make_ir(f)(*args)), "kernel", ALONE)


def test_a_loop_is_a_loop_and_its_numbers_are_in_registers():
    text = kernel(lambda x: ft.fori_loop(0, 100, lambda i, c: c * 0.5 + 1.0, x), 1.0).text
    assert text.count("phi i64") == 1
    assert text.count("fmul") == 1


def test_large_constants_are_outside_of_the_text():
    large = np.arange(EMBEDDED / 8 + 1)
    made = kernel(lambda x: np.sum(x * large), np.ones(large.shape))
    (constant,) = made.constants.values()
    np.testing.assert_array_equal(constant, large)
    assert not kernel(lambda x: np.sum(x * np.arange(3.0)), np.ones(3)).constants


def test_memory_is_asked_for_once_for_all_trips():
    n = ON_STACK // 8 + 1

    def f(x):
        return ft.fori_loop(0, 100, lambda i, c: c[::-1] * 2.0, x)

    assert kernel(f, np.ones(n)).size < 4 * 8 * n


def test_mathematics_that_is_called_is_named():
    assert kernel(lambda x: np.sin(x) + np.exp(x), np.ones(3)).functions == {
        ("sin", "double"),
        ("exp", "double"),
    }


def test_an_index_out_of_range_ends_a_loop():
    def first_large(x):
        return ft.while_loop(lambda i: x[i] < 5.0, lambda i: i + 1, np.int64(0))

    fast = ft.jit(first_large, backend="native")
    assert fast(np.array([1.0, 2.0, 9.0])) == 2
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        fast(np.array([1.0, 2.0, 3.0]))
