"""The choice between two arrays gives NumPy's bits, whichever way it is done."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.choosing import MANY, choose

SHAPES = [(), (1,), (7,), (0,), (MANY - 1,), (MANY,), (3, MANY), (2, MANY // 2, 3)]
KINDS = ["both", "first", "second", "numbers", "row", "swapped"]


def drawn(rng, shape, dtype):
    """Numbers with nan, infinities, and zeros of both signs among them."""
    x = rng.normal(size=shape).astype(dtype)
    if np.dtype(dtype).kind == "i":
        return x
    special = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype), shape)
    return np.where(rng.random(shape) < 0.5, x, special)


def alternatives(rng, kind, shape, dtype):
    x, y = drawn(rng, shape, dtype), drawn(rng, shape, dtype)
    return {
        "both": (x, y),
        "first": (x, 0),
        "second": (0.0, x),
        "numbers": (x, dtype(-0.0)),
        "row": (x[..., :1, :] if x.ndim > 1 else x, dtype(0)),
        "swapped": (x.T.copy().T, y),
    }[kind]


def assert_same_bits(found, expected):
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()
    assert found.flags.c_contiguous == expected.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.complex64, np.int64])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_where(kind, dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        with np.errstate(invalid="ignore"):
            x, y = alternatives(rng, kind, shape, dtype)
        for condition in (rng.random(shape) < 0.5, np.ones(shape, bool), rng.random(shape)):
            expected = np.where(condition, x, y)
            assert_same_bits(choose(condition, x, y), expected)
            if dtype is not np.int64:
                compiled = ft.jit(lambda c, x, y: np.where(c, x, y))(condition, x, y)
                np.testing.assert_array_equal(compiled, expected, strict=True)


def test_other_memory_orders_and_byte_orders():
    rng = np.random.default_rng(1)
    x = drawn(rng, (MANY, 3), np.float64)
    condition = rng.random((MANY, 3)) < 0.5
    for c, a, b in (
        (condition[::-1], x, 0.0),
        (condition, x[::-1], x),
        (condition, x.astype(">f8"), 0.0),
        (condition, x.astype(">f8"), x),
        (condition.T, x.T, 0.0),
        (condition, x[:, :1], 0.0),
        (condition, 0.0, np.broadcast_to(x[:1], x.shape)),
        (condition[:, :1], x, 0.0),
    ):
        assert_same_bits(choose(c, a, b), np.where(c, a, b))


@pytest.mark.numpy_backend
def test_compiled_code_chooses_bits_in_memory_of_its_own():
    rng = np.random.default_rng(2)
    x, y = drawn(rng, (2, MANY), np.float64)

    def f(x, y):
        return np.where(x > y, x * 2.0, np.where(y > 0, y + 1.0, 0.0))

    with np.errstate(invalid="ignore"):
        expected = f(x, y)
        fast = ft.jit(f)
        assert fast.source(x, y).count("choose") == 2
        for _ in range(2):
            np.testing.assert_array_equal(fast(x, y), expected)
        np.testing.assert_array_equal(ft.vmap(ft.jit(f))(x[None], y[None])[0], expected)


def test_gradients_of_large_maxima_are_shared_and_keep_zeros():
    x = np.tile(np.array([-1.0, 0.0, 2.0, np.inf]), MANY)
    weights = np.tile(np.array([np.inf, 2.0, 3.0, 5.0]), MANY)

    def loss(x):
        return np.sum(np.maximum(x, 0.0) * weights)

    expected = np.tile([0.0, 1.0, 3.0, 5.0], MANY)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ft.grad(loss)(x), expected)
        np.testing.assert_array_equal(ft.jit(ft.grad(loss))(x), expected)
