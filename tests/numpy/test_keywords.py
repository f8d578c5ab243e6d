"""Keywords of JAX's functions, against what NumPy computes without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import functrace as ft
import functrace.numpy
from functrace.testing import check_grads

fnp: Any = functrace.numpy
X = np.array([3.0, 1.0, 2.0, 1.0, -1.0])
M = np.arange(12.0).reshape(3, 4)
WAYS = {
    "plain": lambda f: f,
    "jit": ft.jit,
    "vjp": lambda f: lambda *args: ft.vjp(f, *args)[0],
    "vmap": lambda f: (
        lambda *args: ft.tree.map(lambda x: x[1], ft.vmap(f)(*(np.stack([x, x]) for x in args)))
    ),
}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_descending_orders(way, axis):
    x = np.round(np.sin(M * 3), 1)
    expected = -np.sort(-x, axis)
    np.testing.assert_array_equal(way(lambda x: fnp.sort(x, axis, descending=True))(x), expected)
    order = way(lambda x: fnp.argsort(x, axis, descending=True, stable=True))(x)
    np.testing.assert_array_equal(order, np.argsort(-x, axis, stable=True))
    check_grads(lambda x: fnp.sort(x, axis, descending=True), (M,))


def test_elements_out_of_range(way):
    index = np.array([1, 7, -2, -9])
    for fill in (None, 5.0):
        expected = np.array([X[1], fill, X[-2], fill], float)
        f = lambda x: fnp.take(x, index, mode="fill", fill_value=fill)
        np.testing.assert_array_equal(way(f)(X), expected)
        f = lambda x: fnp.take_along_axis(x, index, 0, mode="fill", fill_value=fill)
        np.testing.assert_array_equal(way(f)(X), expected)
    f = lambda x: fnp.take(x, index, axis=1, mode="fill", fill_value=0.0)
    np.testing.assert_array_equal(way(f)(M)[:, [0, 2]], M[:, [1, -2]])
    assert not way(f)(M)[:, [1, 3]].any()
    f = lambda x: fnp.take_along_axis(x, np.array([[9], [0], [2]]), 1, mode="clip")
    np.testing.assert_array_equal(way(f)(M), [[3], [4], [10]])
    f = lambda x: fnp.take(x, index, mode="wrap", unique_indices=True)
    np.testing.assert_array_equal(way(f)(X), np.take(X, index, mode="wrap"))


WRITES = {
    "fill_diagonal": (5.0,), "put": ([0, 5], [1.5, 2.5]), "place": (M > 3, [7.0, 8.0]),
    "put_along_axis": (np.array([[1], [0], [3]]), 9.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_a_copy_is_written(way, name):
    expected = M.copy()
    getattr(np, name)(expected, *WRITES[name])
    before = M.copy()
    found = way(lambda x: getattr(fnp, name)(x, *WRITES[name], inplace=False))(before)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(before, M)


def test_a_copy_is_written_by_ufuncs(way):
    expected = M.copy()
    np.add.at(expected, [0, 0], 2.0)
    found = way(lambda x: fnp.add.at(x, np.array([0, 0]), 2.0, inplace=False))(M)
    np.testing.assert_array_equal(found, expected)


def test_lines_go_on_outside(way):
    xp, fp = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 15.0])
    x = np.array([0.5, 1.5, 4.0])
    f = lambda x, fp: fnp.interp(x, xp, fp, left="extrapolate", right="extrapolate")
    np.testing.assert_allclose(way(f)(x, fp), [5.0, 15.0, 10.0])
    check_grads(f, (x, fp))
    f = lambda x: fnp.interp(x, xp, fp, left="extrapolate")
    np.testing.assert_allclose(way(f)(x), [5.0, 15.0, 15.0])
    with pytest.raises(ValueError, match="'extrapolate'"):
        fnp.interp(x, xp, fp, left="nearest")


def test_leading_zeros_stay(way):
    a, b = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    f = lambda a, b: fnp.polymul(a, b, trim_leading_zeros=False)
    np.testing.assert_array_equal(way(f)(a, b), [0, 1, 5, 6])
    quotient, rest = way(lambda a, b: fnp.polydiv(a, b, trim_leading_zeros=False))(a, b)
    np.testing.assert_allclose(quotient, [0, 1])
    np.testing.assert_allclose(rest, [0, 0, -1], atol=1e-12)


def test_a_length_that_is_given(way):
    times = np.array([1, 2, 0, 1, 3])
    for length in (7, 4, 9):
        expected = np.append(np.repeat(X, times), [X[-1]] * 2)[:length]
        f = lambda x: fnp.repeat(x, times, total_repeat_length=length)
        np.testing.assert_array_equal(way(f)(X), expected)
        f = lambda x: (x * 1).repeat(times, total_repeat_length=length)
        if way is not WAYS["plain"]:
            np.testing.assert_array_equal(way(f)(X), expected)


def test_elements_that_are_named_once(way):
    if way is WAYS["vjp"]:
        pytest.skip("of whole numbers")
    f = lambda x, i: fnp.delete(x, i, axis=1, assume_unique_indices=True)
    expected = np.delete(M, [3, 0], axis=1)
    np.testing.assert_array_equal(way(f)(M, np.array([-1, 0, 0])[:2]), expected)


def test_what_says_how_has_no_effect(way):
    spd = M[:, :3] + M[:, :3].T + 20 * np.eye(3)
    for f, expected in (
        (lambda x: fnp.linalg.cholesky(x, symmetrize_input=True), np.linalg.cholesky(spd)),
        (lambda x: fnp.linalg.eigh(x, symmetrize_input=False)[0], np.linalg.eigh(spd)[0]),
        (lambda x: fnp.linalg.slogdet(x, method="lu")[1], np.linalg.slogdet(spd)[1]),
        (lambda x: fnp.polyval(x[0], 2.0, unroll=4), np.polyval(spd[0], 2.0)),
        (lambda x: fnp.searchsorted(x[0], 2.0, method="sort"), np.searchsorted(spd[0], 2.0)),
        (lambda x: fnp.dot(x, x, precision="highest"), spd @ spd),
    ):
        np.testing.assert_allclose(way(f)(spd), expected)


def test_dtypes_of_sums():
    x = np.array([100, 100], np.int8)
    for f in (fnp.sum, ft.jit(lambda x, **k: fnp.sum(x, **k), static_argnames="promote_integers")):
        assert f(x, promote_integers=False) == np.int8(-56)
        assert f(x, promote_integers=True) == 200
