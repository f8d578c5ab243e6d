"""What a tape keeps, and what may be written after it was read."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import functrace as ft
from functrace import errors


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
