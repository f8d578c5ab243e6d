"""What a tape keeps, and what may be written after it was read."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.transforms.tape import LET_GO_BYTES


def test_a_leaked_value_is_named():
    kept = []

    def f(x):
        kept.append(x * 2)  # made here
        return x

    ft.grad(f)(1.0)
    with pytest.raises(errors.LeakedTracerError) as caught:
        kept[0] + 1
    assert "test_tape.py" in str(caught.value)
    with pytest.raises(errors.LeakedTracerError):
        ft.grad(lambda x: kept[0])(1.0)


def test_threads_do_not_meet():
    results = {}

    def work(number):
        for _ in range(50):
            results[number] = ft.grad(lambda x: np.sin(x) * number)(0.5)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, gradient in results.items():
        assert gradient == number * np.cos(0.5)


def test_generators_do_not_confuse_recordings():
    def values(x):
        for factor in (1.0, 2.0, 3.0):
            yield ft.grad(lambda y, factor: x * y * factor)(1.0, factor)

    assert ft.grad(lambda x: sum(values(x)))(1.0) == 6.0


def test_a_gradient_leaves_no_memory_behind():
    def run():
        array = np.ones(1000)
        ft.grad(lambda x: np.sum(np.sin(x) * array))(np.ones(1000))
        return weakref.ref(array)

    gc.disable()
    try:
        assert run()() is None  # by reference counts alone
    finally:
        gc.enable()


@pytest.mark.parametrize("size", [3, 100_000])
def test_a_constant_that_is_only_added_may_be_written_whatever_its_size(size):
    buffer = np.ones(size)

    def f(x):
        total = 0.0
        for i in range(3):
            buffer[:] = i
            total = total + np.sum((x - buffer) * (buffer + x))
        return total

    x = np.full(size, 2.0)
    np.testing.assert_allclose(ft.grad(f)(x), 6.0 * x)


class Labelled(np.ndarray):
    """A subclass of NumPy's class, as `numpy.memmap` is."""


_labelled_x = np.array([0.7, 1.9, 2.6])


@pytest.mark.parametrize(
    "use",
    [
        lambda x, b: ft.linearize(lambda x: x * x, x)[1](b),
        lambda x, b: ft.linearize(lambda x: x * x, b)[1](x),
        lambda x, b: ft.jvp(lambda x: x * x, (x,), (b,))[1],
        lambda x, b: ft.jvp(lambda b: b * x, (b,), (x,))[0],
        lambda x, b: ft.vjp(lambda x: x * x, x)[1](b)[0],
        lambda x, b: ft.vjp(lambda b: b * x * b, b)[1](x)[0],
        lambda x, b: ft.grad(lambda b: np.sum(b * x * b))(b),
        lambda x, b: ft.linear_transpose(lambda y: y * x, x)(b)[0],
        lambda x, b: ft.evaluate(ft.make_ir(np.multiply)(x, b), x, b)[0],
    ],
)
def test_arrays_of_subclasses_may_be_written_after_they_were_read(use):
    def f(x, b):
        total = np.sum(np.sin(use(x, b)))
        b[:] = 7.0
        return total

    def subclass():
        return np.array([1.0, 2.0, 3.0]).view(Labelled)

    def gradient(x):
        b = subclass()
        return ft.grad(lambda x: f(x, b))(x)

    expected = ft.grad(lambda x: f(x, np.array([1.0, 2.0, 3.0])))(_labelled_x)
    found = gradient(_labelled_x)
    np.testing.assert_allclose(found, expected)
    assert type(found) is np.ndarray
    b = subclass()
    _, pullback = ft.vjp(lambda b: np.sum(np.sin(use(_labelled_x, b))), b)
    expected = pullback(1.0)[0]
    b[:] = 9.0
    np.testing.assert_array_equal(pullback(1.0)[0], expected)


LARGE = np.linspace(0.5, 1.5, 3 * LET_GO_BYTES // 8)


def written_in_parts(x):
    y = x**2
    half = y.size // 2
    y[half:] = 1.5 * x[half:]
    before = y[:half] * 1.0
    y[:half] = before + x[:half] ** 2
    return np.sum(y[:half]) + 2 * np.sum(y[half:])


def f_of_shifted(f, x, step):
    return ft.grad(f)(x + step)


WAYS_BACK = {
    "squares of differences": (
        lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        lambda x: (
            np.append(-400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1]), 0)
            + np.append(0, 200 * (x[1:] - x[:-1] ** 2))
        ),
    ),
    "product with itself": (lambda x: np.sum(3.0 * (x * x) * x), lambda x: 9 * x**2),
    "one value in many places": (
        lambda x: np.sum((y := np.exp(-x)) * y + np.tanh(y) - y),
        lambda x: -np.exp(-x) * (2 * np.exp(-x) + np.cosh(np.exp(-x)) ** -2 - 1),
    ),
    "difference of a value and itself": (
        lambda x: np.sum(((2 * x) - (2 * x) ** 2) * x),
        lambda x: 4 * x - 12 * x**2,
    ),
    "what is read of what is written": (written_in_parts, lambda x: np.where(x < 1, 4 * x, 3.0)),
}


@pytest.mark.parametrize(("f", "derivative"), WAYS_BACK.values(), ids=WAYS_BACK)
def test_large_arrays_are_let_go_and_written_over_without_a_trace(f, derivative):
    x = LARGE.copy()
    expected = derivative(LARGE)
    np.testing.assert_allclose(ft.grad(f)(x), expected, rtol=1e-12, atol=1e-12)
    value, pullback = ft.vjp(f, x)
    for _ in range(2):
        np.testing.assert_allclose(pullback(1.0)[0], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(x), value)
    weighted = ft.grad(lambda x: np.sum(ft.grad(f)(x)))(x)  # large arrays, known and traced
    step = 1e-6
    numerical = (f_of_shifted(f, x, step) - f_of_shifted(f, x, -step)) / (2 * step)
    np.testing.assert_allclose(np.sum(weighted), np.sum(numerical), rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(x, LARGE)


def test_a_cotangent_that_the_user_holds_is_not_written_over():
    for f in (np.negative, np.exp, np.tanh, lambda x: x * 2.0, lambda x: 1 - x, lambda x: x**2):
        given = np.full(LARGE.shape, 3.0)
        ft.vjp(f, LARGE)[1](given)
        np.testing.assert_array_equal(given, 3.0)


def test_what_rules_of_users_hold_is_not_written_over():
    kept = np.full(LARGE.shape, 2.0)
    f = ft.custom_vjp(lambda x: 2 * x)
    f.defvjp(lambda x: (2 * x, None), lambda _, t: (kept,))
    found = ft.grad(lambda x: np.sum(f(np.tanh(x) * 3.0) + f(x)))(LARGE)
    np.testing.assert_allclose(found, 6 / np.cosh(LARGE) ** 2 + 2)
    np.testing.assert_array_equal(kept, 2.0)


def test_a_product_on_the_way_back_overflows_where_the_derivative_does_only():
    x = np.full(LARGE.shape, 1e-3)
    found = ft.vjp(lambda x: (x**2) * 1e308, x)[1](np.ones(x.shape))[0]
    np.testing.assert_allclose(found, 2e305)


def test_sums_and_sines_keep_what_their_derivatives_read_only():
    def f(x):
        for _ in range(20):
            x = (x + 1.0) * 2.0 - 0.5
        return np.sum(x)

    gradient = ft.grad(f)
    gradient(LARGE)
    tracemalloc.start()
    gradient(LARGE)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 * LARGE.nbytes
