"""Sorting, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.testing import check_grads

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
