"""Writing in place under derivatives: the same memory where nobody sees it, and NumPy's values."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
import functrace.numpy as fnp
from functrace.primitives.indexing import index_update
from functrace.tracing.layouts import copied_close

ROWS = 100


def fill(x):
    out = fnp.zeros(x.shape)
    for i in range(len(x)):
        out[i] = np.sin(x[i] * (i + 1.0))
    return np.sum(out**2)


def neighbours(x):
    y = x.copy()
    for i in range(len(y) - 1):
        y[i + 1] = np.sin(y[i]) + y[i + 1]
    return np.sum(y * y)


def columns(x):
    y = x.copy()
    for i in range(y.shape[1] - 1):
        y[:, i + 1] += np.cos(y[:, i])
    return np.sum(y * y)


def blocks(x):
    y = x * 1.0
    for i in range(len(y) - 3):
        y[i + 2 : i : -1, 1:3] = np.sin(y[i + 1 : i + 3, 2:4])
        y[[i, i + 1]] = y[[i + 2, i]] * y[i + 1, 0]
    return np.sum(y * y)


def elements(x):
    y = 2.0 * x
    for i in range(len(y) - 1):
        y[i + 1, 3] = y[i, 2] * y[i, 3]
        row = y[i]
        row[1] = 0.5 * y[i + 1, 1]
    return np.sum(y * y)


ALONG = {
    "grad": lambda f, x, v: np.sum(ft.grad(f)(x) * v),
    "jvp": lambda f, x, v: ft.jvp(f, (x,), (v,))[1],
    "grad of grad": lambda f, x, v: np.sum(v * ft.grad(lambda x: np.sum(ft.grad(f)(x) * v))(x)),
    "jvp of grad": lambda f, x, v: np.sum(v * ft.jvp(ft.grad(f), (x,), (v,))[1]),
    "grad of jvp": lambda f, x, v: np.sum(v * ft.grad(lambda x: ft.jvp(f, (x,), (v,))[1])(x)),
    "jvp of jvp": lambda f, x, v: ft.jvp(lambda x: ft.jvp(f, (x,), (v,))[1], (x,), (v,))[1],
}
"""Derivatives along a direction, of first and of second order."""


@pytest.mark.thinned
@pytest.mark.parametrize("mode", ["grad", "jvp", "grad of grad", "jvp of grad"])
@pytest.mark.parametrize("f", [fill, neighbours, columns, blocks, elements])
def test_no_copy_is_made_for_each_write(f, mode, monkeypatch):
    """A few copies of the array, and memory for what is written and read."""
    copied = []
    run = type(index_update).run

    def counted(self, x, value, *arrays, **params):
        copied.append(np.shape(x))
        return run(self, x, value, *arrays, **params)

    monkeypatch.setattr(type(index_update), "run", counted)
    x = np.random.default_rng(0).normal(size=(ROWS, ROWS)) / 10
    v = np.random.default_rng(1).normal(size=x.shape)
    tracemalloc.start()
    found = ALONG[mode](f, x, v)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert copied.count((ROWS, ROWS)) <= 8
    assert peak < (30 if mode in ("grad", "jvp") else 80) * x.nbytes
    if mode in ("grad", "jvp"):
        slope = (f(x + 5e-7 * v) - f(x - 5e-7 * v)) / 1e-6
    else:
        slope = np.sum(v * (ft.grad(f)(x + 5e-7 * v) - ft.grad(f)(x - 5e-7 * v))) / 1e-6
    np.testing.assert_allclose(found, slope, rtol=1e-4)


STEPS = ("write", "add", "part", "keep", "flat", "column", "whole", "copy", "sum")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(-3, 3)), min_size=3, max_size=14))
def test_arrays_that_share_memory(steps):
    """What was read before, views, and copies hold what NumPy's hold, and so do derivatives."""

    def f(x):
        y = x * 1.5
        seen = [y]
        total = 0.0
        for number, (step, i) in enumerate(steps):
            view = seen[number * 7 % len(seen)]
            if step == "write":
                y[i] = np.sin(y[i - 1]) * (number + 1)
            elif step == "add":
                y[i] += y[i - 1, 0]
            elif step == "part":
                y[i:, 1:3] = np.cos(y[i:, ::2])
            elif step == "keep":
                seen.append(y[i])
            elif step == "flat":
                seen.append(y[i, ::2].ravel())
                y.reshape(-1)[i] = np.sum(view)
            elif step == "column":
                seen.append(y[:, i])
                y[:, i] = y[i]
            elif step == "whole":
                seen.append(y[1:])
                y[1:] = y[:-1] * 0.5
            elif step == "copy":
                seen.append(y.copy())
                view[..., 0] = 0.25
            total = total + np.sum(np.sin(view))
        return total + sum(np.sum(part**2) for part in seen)

    x = np.random.default_rng(0).normal(size=(4, 4)) / 4
    value, gradient = ft.value_and_grad(f)(x)
    np.testing.assert_allclose(value, f(x), rtol=1e-12)
    step = 1e-6 * np.cos(np.arange(16.0)).reshape(4, 4)
    slope = f(x + step) - f(x - step)
    np.testing.assert_allclose(2 * np.sum(gradient * step), slope, rtol=1e-5, atol=1e-9)
    _, pullback = ft.vjp(f, x)
    for _ in range(2):
        np.testing.assert_allclose(pullback(np.float64(1.0))[0], gradient, rtol=1e-12, atol=1e-12)
    value, pushed = ft.jvp(f, (x,), (step,))
    np.testing.assert_allclose(value, f(x), rtol=1e-12)
    np.testing.assert_allclose(pushed, np.sum(gradient * step), rtol=1e-9, atol=1e-15)
    curvature = np.sum(step * (ft.grad(f)(x + step) - ft.grad(f)(x - step))) / 2e-12
    for mode in ("grad of grad", "jvp of grad", "grad of jvp", "jvp of jvp"):
        found = ALONG[mode](f, x, step) / 1e-12
        np.testing.assert_allclose(found, curvature, rtol=1e-4, atol=1e-6)


def update(x):
    y = np.sin(x)
    for i in range(2):
        y[i + 1] = y[i] * y[i + 1]
        y[i] *= 2.0
    return y


def test_derivatives_of_derivatives():
    x = np.random.default_rng(0).normal(size=4)
    f = lambda x: np.sum(update(x) ** 3)
    for g in (f, lambda x: np.sum(ft.grad(f)(x) ** 2), lambda x: np.sum(ft.vmap(f)(x[None] * x))):
        ft.testing.check_grads(g, (x,), order=2, modes=("fwd", "rev"))


def test_what_was_handed_out_is_not_written():
    def f(x):
        y = np.sin(x)
        y[0] = x[1]
        before = y.copy()
        seen = ft.stop_gradient(y)
        y[1] = 2.0 * x[0]
        y[2] = y[0]
        return np.sum(y * before), (before, seen, y)

    x = np.random.default_rng(0).normal(size=4)
    _, (before, seen, after) = ft.grad(f, has_aux=True)(x)
    expected = np.sin(x)
    expected[0] = x[1]
    np.testing.assert_array_equal(before, expected)
    np.testing.assert_array_equal(seen, expected)
    expected[1:3] = 2 * x[0], expected[0]
    np.testing.assert_array_equal(after, expected)


def test_cotangents_that_are_given_are_not_written():
    def f(x):
        y = 1.0 * x
        y[0] = x[1] ** 2
        y[1:] = y[:-1]
        return y

    x = np.arange(1.0, 5.0)
    _, pullback = ft.vjp(f, x)
    given = np.ones(4)
    first = pullback(given)[0]
    np.testing.assert_array_equal(given, 1.0)
    np.testing.assert_array_equal(first, pullback(given)[0])
    np.testing.assert_array_equal(first, [0.0, 4 * x[1] + 1, 1.0, 0.0])


def test_a_failed_write_changes_nothing():
    def f(x):
        y = 1.0 * x
        y[0] = x[1]
        for index, value in ((9, 1.0), (slice(2), np.ones(3))):
            with pytest.raises((IndexError, ValueError)):
                y[index] = value
        return np.sum(y**2)

    np.testing.assert_array_equal(ft.grad(f)(np.arange(3.0)), [0.0, 4.0, 4.0])


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_dtypes_are_kept(dtype):
    def f(x):
        y = 1.0 * x
        for i in range(3):
            y[i + 1] = y[i] * 0.5
            y[i, 1:] += y[i, :-1]
        return np.sum(np.abs(y) ** 2)

    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    gradient = ft.grad(f)(x)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, ft.jit(ft.grad(f))(x), rtol=1e-4)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:3],
        lambda x: x[:, 1],
        lambda x: x[::-1, ::2],
        lambda x: x[1:3, 1:],
        lambda x: x.T[1:],
        lambda x: x[..., None, ::-1],
        lambda x: x.reshape(2, 3, 5)[:, 1:],
        lambda x: x.reshape(2, 3, 5)[:, 0].T,
    ],
)
def test_a_copy_that_lies_close(view):
    array = view(np.arange(30.0).reshape(6, 5))
    copy = copied_close(array)
    np.testing.assert_array_equal(copy, array)
    assert not np.shares_memory(copy, array)
    assert copy.flags.c_contiguous == array.flags.c_contiguous
    assert copy.flags.f_contiguous == array.flags.f_contiguous
    low, high = np.lib.array_utils.byte_bounds(copy)
    assert high - low <= 2**copy.ndim * array.nbytes
    for shape in ((-1,), (array.shape[0], -1), (-1, array.shape[-1])):
        for order in "CF":
            views = [np.shares_memory(x, x.reshape(shape, order=order)) for x in (copy, array)]
            assert views[0] == views[1]
