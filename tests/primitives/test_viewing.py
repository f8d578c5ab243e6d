"""The same memory as numbers of another dtype, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy


@pytest.mark.parametrize("dtype", ["i8", "u1", "f4", "c8", "c16", "i2"])
def test_numbers_seen_as_others(dtype):
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert_like_numpy(lambda x: x.view(dtype), x)
    np.testing.assert_array_equal(
        ft.vmap(lambda x: x.view(dtype), in_axes=1)(np.stack([x, x], 1))[1], x.view(dtype)
    )


def test_pairs_of_numbers_seen_as_complex_ones_have_a_derivative():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for f in (lambda x: np.exp(x.view(complex)).view(float), lambda x: x.view(complex) ** 2):
        for order in (1, 2):
            check_grads(f, (x,), order=order)
            check_grads(ft.jit(f), (x,), order=order)
    check_grads(lambda z: z.view(float) ** 3, (x.view(complex),), order=2)
    bits = ft.grad(lambda x: np.sum(x.view(np.int64) * 1.0))(x)
    np.testing.assert_array_equal(bits, np.zeros_like(x))


def test_what_is_written_into_a_view_is_written_into_the_numbers():
    def turned(x):
        y = x.copy()
        y.view(complex)[0] *= 2j
        return y

    def masked(x):
        y = x.copy()
        y.view(np.uint8)[0] = 0
        return y

    x = np.arange(12.0).reshape(3, 4) + 1
    assert_like_numpy(turned, x)
    np.testing.assert_array_equal(
        ft.grad(lambda x: np.sum(turned(x) ** 2))(x), 2 * x * np.array([[4], [1], [1]])
    )
    assert_like_numpy(masked, x.astype(np.int32))
    for way in (ft.jit, ft.vmap, lambda f: lambda x: ft.vjp(f, x)[0]):
        with pytest.raises(ft.errors.ViewWriteError, match="lose its derivative"):
            way(masked)(x)


def test_numbers_that_do_not_hold_whole_others_are_refused():
    for dtype, x in (("i4", np.float64(1.0)), ("c16", np.ones((2, 3)))):
        with pytest.raises(ValueError, match=r"itemsize|no whole"):
            ft.jit(lambda x, dtype=dtype: x.view(dtype))(x)
    with pytest.raises(TypeError, match="has numbers"):
        ft.jit(lambda x: x.view("S8"))(np.ones(3))
