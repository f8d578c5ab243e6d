from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.backends.native import lowering
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.lowering import EMBEDDED, Kernel
from functrace.backends.native.memory import ON_STACK
from functrace.backends.native.operations import ALONE
from tests.backends.native.comparing import as_numpy


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


def added_up(x):
    """Sums so far, each written into the array that is carried."""

    def step(k, carry):
        carry = fnp.array(carry)
        carry[k + 1] += np.sin(carry[k])
        return carry

    return ft.fori_loop(0, len(x) - 1, step, x)


def in_turns(x):
    """A loop within a loop, whose array is carried by both."""

    def turn(_, carry):
        return added_up(carry[::-1] * 0.5)

    return ft.fori_loop(0, 3, turn, x)


def in_place_of_each_other(x):
    def step(carry, k):
        x, y = carry
        y = fnp.array(y)
        y[k] = np.sum(x)
        return (y, x), y[0]

    return ft.scan(step, (x, x), np.arange(3))


@pytest.mark.parametrize("f", [added_up, in_turns, in_place_of_each_other])
def test_carries_are_written_in_place(f):
    x = np.linspace(0.0, 1.0, 7)
    gradient = ft.grad(lambda x: sum(np.sum(np.cos(y)) for y in ft.tree.leaves(f(x))))
    for function in (f, gradient, lambda x: (f(x), x), lambda x: f(np.sin(x))):
        for found, expected in as_numpy(function, x):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_no_array_is_copied_in_a_trip(monkeypatch):
    copied = []
    whole = lowering.copy
    monkeypatch.setattr(
        lowering, "copy", lambda write, x, y: copied.append(x.shape) or whole(write, x, y)
    )
    size = 4 * ON_STACK
    for f, loops in ((added_up, 1), (ft.grad(lambda x: np.sum(added_up(x) ** 2)), 2)):
        copied.clear()
        Kernel(decompose(ft.make_ir(f)(np.ones(size))), "f", ALONE)
        assert copied.count((size,)) == loops  # of what each begins with
