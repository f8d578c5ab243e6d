"""Long Programs as tables: short ones are taken for long ones here."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native import tables
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.operations import ALONE
from functrace.backends.native.tables import LongKernel
from tests.backends.native.comparing import as_numpy
from tests.simplify.loops_over_elements import PROGRAMS, drawn, positive


@pytest.fixture(autouse=True)
def all_are_long():
    with mock.patch.object(tables, "LONGEST", -1):
        yield


def kernel(f, *args):
    return LongKernel(decompose(ft.make_ir(f)(*args)), "kernel", ALONE)


def kinds(made):
    return made.text.count("define internal")


def test_steps_that_differ_in_numbers_places_and_lengths_are_of_one_kind():
    def f(x):
        for n in range(10, 20):
            x = x + 0.1 * n
            x[n] = np.sum(x[:n] * x[1 : n + 1])
        return x

    made = kernel(f, np.ones(30))
    few = kinds(made)
    assert few < 12
    assert made.constants["kernel.table"].size > 30
    ((found, expected),) = as_numpy(f, np.linspace(0.0, 1.0, 30))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.thinned
@pytest.mark.parametrize("f", PROGRAMS)
def test_loops_over_elements(f):
    def total(A):
        return np.sum(np.sin(f(A)))

    for found, expected in as_numpy(ft.value_and_grad(total), positive(4)):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def both(f, *args):
    for found, expected in as_numpy(f, *args):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_views_of_what_is_written_later_are_what_they_were():
    def f(x):
        first, row, turned = x[0, 0] * 1.0, x[1], x.T
        y = np.copy(x)
        corner, part = y[0, 0], y[1, ::2]
        y[0, 0] = 5.0
        y[1] += y[0]
        return first, row + 0.0, turned * 1.0, corner + 0.0, part * 2.0, y

    both(f, np.arange(9.0).reshape(3, 3))


def test_numbers_of_what_is_written_later_are_what_they_were():
    def f(x):
        y = np.copy(x)
        number = y[0]
        spread = np.broadcast_to(number, (2,))
        y[0] = 5.0
        y[1:] += number
        return spread * 2.0, y, number + 0.0

    both(f, np.arange(1.0, 4.0))


@pytest.mark.thinned
@pytest.mark.parametrize("seed", range(8))
def test_elements_parts_and_views_at_random(seed):
    def loss(x):
        return sum(np.sum(np.sin(part)) for part in drawn(seed)(x))

    for found, expected in as_numpy(ft.value_and_grad(loss), np.linspace(0.3, 1.1, 3)):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_an_array_that_is_written_into_itself():
    def f(x):
        y = x * 1.0
        y[1:] = y[:-1]
        y[:2] += y[2:4]
        y[0] = y[3]
        return y, y[::-1]

    both(f, np.arange(6.0))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, np.float64])
def test_dtypes(dtype):
    def f(x, y):
        z = np.concatenate((x, np.stack((y, y))))
        z = np.where(z, z, x[0])
        z[1] = 1
        return z, z[-1], z[:0], x.astype(np.float64) + 0.3, np.sum(x)

    both(f, np.array([1, 0, 1]).astype(dtype), np.array(1, dtype))


def test_inputs_constants_and_the_same_value_twice_as_results():
    def f(x, y):
        z = x + y
        return z, z, np.zeros_like(x), y * 1.0, x[0] + 0.0

    both(f, np.ones(3), np.float64(2.0))


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_indices_of_any_dtype_say_where_is_written(dtype):
    def f(x, where, values):
        y, z = np.copy(x), np.copy(x)
        y[where] = values
        z[where] += values
        np.add.at(z, where, values)
        return y, z, y[where] == values

    both(
        f, np.arange(5).astype(dtype), np.array([[2], [0], [4]]), np.arange(3, dtype=dtype)[:, None]
    )

    def scattered(x, where):
        return ft.grad(lambda x: np.sum(x[where] * x[where[::-1]]))(x)

    both(scattered, np.arange(5.0), np.array([2, 0, 2, 1]))


def test_derivatives_of_what_is_written_at_repeated_indices():
    def f(x, where, values):
        y = np.copy(x)
        y[where] = values
        return np.sum(y * y)

    args = np.arange(5.0), np.array([[2], [0], [0], [1], [1]]), np.arange(1.0, 6.0)[:, None]
    both(ft.grad(f, argnums=(0, 2)), *args)


def test_loops_and_choices_within():
    def f(x):
        y = ft.fori_loop(0, 3, lambda i, c: c * 0.5 + x[i], x)
        z = ft.cond(x[0] > 0.0, lambda: y[0], lambda: y[1])
        return y * z, ft.while_loop(lambda c: c < 100.0, lambda c: c * c + 1.0, z)

    both(f, np.linspace(1.0, 2.0, 4))
    both(f, np.linspace(-1.0, 2.0, 4))


def test_what_numpy_is_asked_for():
    def f(x, n):
        y = x[n] / x[0]
        return x + y

    fast = ft.jit(f, backend="native")
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        fast(np.ones(3), np.int64(7))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.testing.assert_array_equal(fast(np.array([0.0, 1.0]), np.int64(1)), [np.inf, np.inf])
