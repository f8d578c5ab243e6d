"""Functions whose results have a size that is given, as programs for JAX give it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
import functrace.numpy
from functrace.testing import check_grads

fnp: Any = functrace.numpy
WAYS = [lambda f: f, ft.jit, lambda f: lambda x: ft.vmap(f)(np.stack([x, x]))]


def at_size(x, size, fill):
    """What NumPy gives, cut or filled up."""
    missing = max(size - len(x), 0)
    return np.concatenate([x[:size], np.full((missing, *x.shape[1:]), fill, x.dtype)])


@pytest.mark.parametrize("size", [0, 2, 3, 9])
@pytest.mark.parametrize("fill", [None, -1])
def test_positions(size, fill):
    for x in (np.array([0.3, 0.0, -2.0, 0.0, 1.0]), np.array([[0, 1, 1], [1, 0, 0]])):
        expected = [at_size(row, size, fill or 0) for row in np.nonzero(x)]
        for f in (fnp.nonzero, fnp.where):
            got = ft.jit(lambda x, f=f: f(x, size=size, fill_value=fill))(x)
            np.testing.assert_array_equal(got, expected)
            assert {row.dtype for row in got} == {np.dtype(np.intp)}
        got = ft.jit(lambda x: fnp.argwhere(x, size=size, fill_value=fill))(x)
        np.testing.assert_array_equal(got, np.transpose(expected))
        got = ft.vmap(lambda x: fnp.flatnonzero(x, size=size, fill_value=fill))(
            np.stack([x, 1 - x])
        )
        for i, row in enumerate((x, 1 - x)):
            np.testing.assert_array_equal(got[i], at_size(np.flatnonzero(row), size, fill or 0))


def test_filling_of_each_axis():
    got = fnp.nonzero(np.eye(2), size=3, fill_value=(7, 8))
    np.testing.assert_array_equal(got, [[0, 1, 7], [0, 1, 8]])


@settings(deadline=None, max_examples=30, derandomize=True, database=None)
@given(st.data())
def test_different_elements(data):
    numbers = st.sampled_from([0.0, 1.0, 2.5, -1.0, np.nan])
    axis = data.draw(st.sampled_from([None, 0, 1]))
    shape = (data.draw(st.integers(1, 5)), 2)
    x = data.draw(hnp.arrays(float, shape, elements=numbers))
    if axis is not None:
        x = np.nan_to_num(x)
    size = data.draw(st.integers(0, 8))
    f = lambda x: fnp.unique(x, True, True, True, axis, size=size)
    expected = np.unique(x, True, True, True, axis)
    got = ft.jit(f)(x)
    along = axis or 0
    elements = np.moveaxis(expected[0], along, 0)
    expected_elements = at_size(elements, size, 0)
    expected_elements[len(elements) :] = elements[:1]
    np.testing.assert_array_equal(np.moveaxis(got[0], along, 0), expected_elements)
    np.testing.assert_array_equal(got[1], at_size(expected[1], size, expected[1][0]))
    np.testing.assert_array_equal(got[2], expected[2].reshape(got[2].shape))
    np.testing.assert_array_equal(got[3], at_size(expected[3], size, 0))
    filled = ft.jit(lambda x: fnp.unique(x, axis=axis, size=size, fill_value=9))(x)
    np.testing.assert_array_equal(np.moveaxis(filled, along, 0), at_size(elements, size, 9))


def test_derivatives_of_what_is_chosen():
    x = np.array([2.0, 1.0, 2.0, 3.0])
    for way in (lambda f: f, ft.jit):
        f = way(lambda x: fnp.unique(x, size=5, fill_value=7.0))
        np.testing.assert_array_equal(ft.grad(lambda x, f=f: np.sum(f(x) ** 2))(x), [4, 2, 0, 6])
        f = way(lambda x: fnp.extract(x > 1.5, x, size=2))
        np.testing.assert_array_equal(ft.grad(lambda x, f=f: np.sum(f(x) ** 2))(x), [4, 0, 4, 0])
    union = ft.jit(lambda x: fnp.union1d(x, np.array([5.0, 1.0]), size=4))
    np.testing.assert_array_equal(union(x), [1, 2, 3, 5])


def test_counts_of_numbers():
    numbers = np.array([3, 1, 1, 7])
    for way in WAYS[:2]:
        got = way(lambda n: fnp.bincount(n, length=4))(numbers)
        np.testing.assert_array_equal(got, [0, 2, 0, 1])
        assert got.dtype == np.intp
    rows = np.stack([numbers, numbers // 2])
    got = ft.vmap(lambda n: fnp.bincount(n, numbers * 0.5, length=4))(rows)
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(got[i], np.bincount(row, numbers * 0.5, 8)[:4])
    weighted = ft.jit(lambda n, w: fnp.bincount(n, w, length=4))
    check_grads(lambda w: weighted(numbers, w), (np.arange(4.0),), order=2)
    with pytest.raises(ValueError, match="negative"):
        ft.jit(lambda n: fnp.bincount(n, length=4))(-numbers)


def test_without_a_size_they_are_numpys():
    x = np.array([[0.0, 2.0], [1.0, 2.0]])
    for name in ("nonzero", "flatnonzero", "argwhere", "unique", "where"):
        np.testing.assert_array_equal(getattr(fnp, name)(x), getattr(np, name)(x))
    np.testing.assert_array_equal(fnp.bincount(np.array([1, 1]), minlength=3), [0, 2, 0])
    np.testing.assert_array_equal(fnp.unique(x, axis=0, return_counts=True)[1], [1, 1])


def test_choices_by_keyword():
    x = np.array([0.3, -1.2])
    for way in WAYS[:2]:
        f = way(lambda x: fnp.where(condition=x > 0, x=x, y=0.0))
        np.testing.assert_array_equal(f(x), [0.3, 0])
        np.testing.assert_array_equal(ft.grad(lambda x, f=f: np.sum(f(x)))(x), [1, 0])
    np.testing.assert_array_equal(fnp.where(x > 0, y=x, x=1), [1, -1.2])


@pytest.mark.parametrize("size", [0, 2, 4, 9])
@pytest.mark.parametrize("seed", range(3))
def test_sets(size, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 7) * 1.0, rng.integers(2, 9, 6) * 1.0
    for name in ("setdiff1d", "intersect1d", "setxor1d", "union1d"):
        known = getattr(np, name)(a, b)
        f = partial(getattr(fnp, name), size=size, fill_value=-7.0)
        for way in WAYS[:2]:
            np.testing.assert_array_equal(way(f)(a, b), at_size(known, size, -7.0))
        np.testing.assert_array_equal(
            ft.vmap(f)(np.stack([b, a[:6]]), np.stack([a[:6], b]))[1], f(a[:6], b)
        )
    filled = fnp.setxor1d(a, b, size=9)
    expected = np.setxor1d(a, b)
    np.testing.assert_array_equal(filled, at_size(expected, 9, expected[0]))
    found, ours, theirs = ft.jit(lambda a, b: fnp.intersect1d(a, b, False, True, size=size))(a, b)
    common, first, second = np.intersect1d(a, b, return_indices=True)
    count = min(size, len(common))
    np.testing.assert_array_equal(found[:count], common[:count])
    np.testing.assert_array_equal(ours, at_size(first, size, len(a)))
    np.testing.assert_array_equal(theirs, at_size(second, size, len(b)))


def test_parts_of_what_is_different():
    x = np.array([3.0, 1.0, np.nan, 1.0, 3.0, 2.0])
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        expected = getattr(np, name)(x)
        found = ft.jit(partial(getattr(fnp, name), size=len(expected.values)))(x)
        assert type(found) is type(expected)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    found = ft.jit(lambda x: fnp.unique_values(x, size=5))(x)
    np.testing.assert_array_equal(np.sort(found), np.sort(at_size(np.unique_values(x), 5, 1.0)))


def test_compressed_rows():
    x, keeps = np.arange(12.0).reshape(3, 4), np.array([True, False, True])
    for way in (lambda f: f, ft.jit):
        f = way(lambda k, x: fnp.compress(k, x, axis=0, size=3, fill_value=-1.0))
        np.testing.assert_array_equal(f(keeps, x), [x[0], x[2], [-1.0] * 4])
        f = way(lambda k, x: fnp.compress(k, x, size=1))
        np.testing.assert_array_equal(f(keeps, x), [0.0])
    check_grads(lambda x: fnp.compress(keeps, x, axis=0, size=3), (x,))


def test_derivatives_of_sets():
    a, b = np.array([3.0, 1.0, 3.0, 2.0]), np.array([2.0, 5.0])
    for name, expected in (("setdiff1d", [6, 2, 0, 0]), ("intersect1d", [0, 0, 0, 4])):
        choose = partial(getattr(fnp, name), size=4, fill_value=0.0)
        derivative = ft.grad(lambda a, f=choose: np.sum(f(a, b) ** 2))
        np.testing.assert_array_equal(ft.jit(derivative)(a), expected)
