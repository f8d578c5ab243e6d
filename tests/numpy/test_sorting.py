"""Sorting and searching, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import agrees

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])


# Sorting


M = np.random.default_rng(0).permutation(12).reshape(3, 4) / 4 - 1.3


@pytest.mark.parametrize(
    "f",
    [
        np.sort,
        lambda x: np.sort(x, 0),
        lambda x: np.sort(x, None),
        lambda x: np.sort(x, kind="stable"),
        lambda x: np.sort(x, stable=True),
        lambda x: np.sort(x, 1) * np.argsort(x, 0),
    ],
)
def test_sorting(f):
    np.testing.assert_array_equal(ft.vjp(f, M)[0], f(M))
    np.testing.assert_array_equal(ft.evaluate(ft.make_ir(f)(M), M)[0], f(M))
    check_grads(f, (M,), order=2, modes=("rev",))


@pytest.mark.parametrize(
    "f",
    [
        np.argsort,
        lambda x: np.argsort(x, 0),
        lambda x: x.argsort(axis=None),
        lambda x: np.argsort(x, kind="mergesort"),
        lambda x: np.argsort(x[0, 0]),
        lambda x: np.lexsort((x, np.round(x))),
        lambda x: np.lexsort((x, np.round(x), -x), axis=0),
    ],
)
def test_orders(f):
    (result,) = ft.evaluate(ft.make_ir(f)(M), M)
    np.testing.assert_array_equal(result, f(M))
    assert result.dtype == f(M).dtype
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(f(x) * 1.0))(M), np.zeros_like(M))


def test_sorting_in_place():
    def f(x):
        x.sort(0)
        return x

    expected = M.copy()
    expected.sort(0)
    np.testing.assert_array_equal(ft.vjp(f, M)[0], expected)


@pytest.mark.parametrize("transform", [lambda f: lambda x: ft.vjp(f, x)[0], ft.jit])
@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("kth", [1, -2, (0, 2)])
def test_partitions(kth, axis, transform):
    def check(parts, order):
        flat, length = (M.ravel(), M.size) if axis is None else (M, M.shape[axis])
        along = 0 if axis is None else axis
        np.testing.assert_array_equal(np.take_along_axis(flat, order, along), parts)
        np.testing.assert_array_equal(np.sort(parts, along), np.sort(flat, along))
        for place in np.atleast_1d(kth) % length:
            wanted = np.take(np.partition(flat, kth, along), [place], along)
            np.testing.assert_array_equal(np.take(parts, [place], along), wanted)
            assert np.all(np.take(parts, range(place), along) <= wanted)
            assert np.all(np.take(parts, range(place, length), along) >= wanted)

    def in_place(x):
        y = np.ravel(x) * 1.0 if axis is None else x * 1.0
        y.partition(kth, -1 if axis is None else axis)
        return y

    order = transform(lambda x: np.argpartition(x, kth, axis) + 0)(M)
    check(transform(lambda x: np.partition(x, kth, axis))(M), order)
    check(transform(in_place)(M), transform(lambda x: x.argpartition(kth, axis) + 0)(M))
    chosen = lambda x: np.take(np.partition(x, kth, axis), kth, 0 if axis is None else axis)
    check_grads(chosen, (M,), order=1, modes=("rev",))


def test_places_of_partitions_lie_within_the_axis():
    for call in (lambda x: np.partition(x, 4), lambda x: x.partition(7, 0)):
        with pytest.raises(ValueError, match="out of bounds"):
            ft.grad(lambda x, call=call: (call(x), np.sum(x))[1])(M)


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_any_values(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    x = data.draw(hnp.arrays(float, shape, elements=st.sampled_from([0, 1, 2, np.inf, np.nan])))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    result, pullback = ft.vjp(lambda x: np.sort(x, axis), x)
    np.testing.assert_array_equal(result, np.sort(x, axis))
    cotangent = np.arange(x.size * 1.0).reshape(shape)
    (back,) = pullback(cotangent)
    np.testing.assert_array_equal(np.sort(back, axis=None), cotangent.ravel())


def test_errors():
    with pytest.raises(np.exceptions.AxisError):
        ft.grad(lambda x: np.sum(np.sort(x, 2)))(M)
    with pytest.raises(ValueError, match="order"):
        ft.grad(lambda x: np.sum(np.sort(x, order="a")))(M)


# Searching


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.searchsorted(np.array([-1.0, 0, 1]), x),
        lambda x: np.searchsorted(np.sort(x), [0.0, 1.0], "right"),
        lambda x: np.digitize(x, [-1.0, 0, 1]),
        lambda x: np.digitize(x, [1.0, 0, -1], right=True),
        lambda x: np.digitize(x, np.sort(x)),
        lambda x: np.digitize(x, np.sort(x)[::-1]),
        lambda x: np.digitize(x, np.sort(x)[::-1], right=True),
        lambda x: np.digitize(x[0], x[:0]),
        lambda x: np.searchsorted(x, [0.1, 5.0], "right", np.argsort(x)),
    ],
)
def test_locally_constant_functions(f):
    agrees(f, V, grads=False)
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(f(x) * 1.0))(V), np.zeros(6))


def test_bins_of_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="complex"):
        ft.jit(lambda z: np.digitize(z, [0.0, 1.0]))(np.ones(2, complex))


def test_bins_in_no_order_are_refused():
    for transform in (ft.jit, ft.vmap, ft.grad):
        with pytest.raises(ValueError, match="monotonically"):
            transform(lambda x: np.sum(np.digitize(0.3, V + x) * 1.0))(
                0.0 if transform is not ft.vmap else V
            )
    with pytest.raises(ValueError, match=r"sorter\.size"):
        ft.grad(lambda x: np.searchsorted(x, 0.3, sorter=[0]) * 1.0)(V)


def test_complex_numbers_in_order():
    for dtype in ("f8", "f4", "i1", "c8"):
        agrees(np.sort_complex, V.astype(dtype), grads=False)
    check_grads(np.sort_complex, (V,), order=2)
