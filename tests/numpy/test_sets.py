"""Arrays as sets, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import UnknownValueError
from tests.agreement import agrees, leaves

TIES = np.array([2.0, 1.0, 2.0, 3.0, 1.0])
OTHER = np.array([3.0, 5.0, 1.0, 1.0])
NAN = np.array([2.0, np.nan, 1.0, np.nan, 2.0])
ROWS = np.array([[1.0, 2, 1], [0, 1, 0], [1, 2, 1]])


def same(got, expected):
    for x, y in zip(leaves(got), leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        assert np.shape(x) == np.shape(y)


@pytest.mark.parametrize("x", [TIES, NAN, ROWS, TIES[:0], TIES.astype("f4"), 1j * TIES[::-1]])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"return_index": True}, {"return_inverse": True}, {"return_counts": True},
        {"return_index": True, "return_inverse": True, "return_counts": True},
        {"equal_nan": False}, {"axis": 0},
    ],
    ids=str,
)  # fmt: skip
def test_different_elements(x, options):
    same(ft.vjp(lambda x: np.unique(x, **options), x)[0], np.unique(x, **options))


@pytest.mark.parametrize("x", [TIES, NAN, ROWS, TIES[:0]])
@pytest.mark.parametrize("name", ["all", "counts", "inverse", "values"])
def test_different_elements_by_the_array_api(x, name):
    function = getattr(np, f"unique_{name}")
    got = ft.vjp(function, x)[0]
    same(got, function(x))
    if name != "values":
        assert got._fields == function(x)._fields


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.3.0", reason="NumPy always sorts")
def test_different_elements_in_the_order_of_numpy():
    for x in (TIES, NAN, ROWS, np.arange(50.0) % 7):
        same(ft.vjp(lambda x: np.unique(x, sorted=False), x)[0], np.unique(x, sorted=False))


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_two_sets(data):
    numbers = st.sampled_from([0.0, 1.0, 2.5, -1.0, np.inf, np.nan])
    x, y = (data.draw(hnp.arrays(float, st.integers(0, 5), elements=numbers)) for _ in range(2))
    if data.draw(st.booleans()):
        y = np.nan_to_num(y, posinf=3).astype("f4")
    for f in (np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d):
        same(ft.vjp(f, x, y)[0], f(x, y))
        same(ft.vjp(lambda x, f=f, y=y: f(x, y), x)[0], f(x, y))
        same(ft.vjp(lambda y, f=f, x=x: f(x, y), y)[0], f(x, y))
    pair = lambda x, y: np.intersect1d(x, y, return_indices=True)
    same(ft.vjp(pair, x, y)[0], pair(x, y))
    for options in ({}, {"invert": True}, {"kind": "sort"}):
        same(ft.jit(lambda x, y, o=options: np.isin(x, y, **o))(x, y), np.isin(x, y, **options))


def test_sets_that_are_known_to_be_ones():
    x, y = np.array([3.0, 1.0, 2.0]), np.array([2.0, 5.0])
    for f in (np.intersect1d, np.setdiff1d, np.setxor1d):
        same(ft.vjp(lambda x, y, f=f: f(x, y, assume_unique=True), x, y)[0], f(x, y, True))


def test_derivatives_go_to_the_first_of_equal_elements():
    square = lambda f: lambda *sets: np.sum(f(*sets) ** 2)
    np.testing.assert_array_equal(ft.grad(square(np.unique))(TIES), [4, 2, 0, 6, 0])
    np.testing.assert_array_equal(ft.jvp(np.unique, (TIES,), (TIES,))[1], [1, 2, 3])
    both = (0, 1)
    of_union = ft.grad(square(np.union1d), argnums=both)(TIES, OTHER)
    same(of_union, (np.array([4.0, 2, 0, 6, 0]), np.array([0.0, 10, 0, 0])))
    of_common = ft.grad(square(np.intersect1d), argnums=both)(TIES, OTHER)
    same(of_common, (np.array([0.0, 2, 0, 6, 0]), np.zeros(4)))
    of_rest = ft.grad(square(np.setdiff1d), argnums=both)(TIES, OTHER)
    same(of_rest, (np.array([4.0, 0, 0, 0, 0]), np.zeros(4)))
    of_others = ft.grad(square(np.setxor1d), argnums=both)(TIES, OTHER)
    same(of_others, (np.array([4.0, 0, 0, 0, 0]), np.array([0.0, 10, 0, 0])))
    assert ft.hessian(square(np.unique))(TIES).diagonal().tolist() == [2, 2, 0, 2, 0]


@pytest.mark.parametrize("transform", [ft.jit, ft.vmap])
@pytest.mark.parametrize("name", ["union1d", "intersect1d", "setdiff1d", "setxor1d"])
def test_unknown_sets_are_refused(transform, name):
    x = np.stack([TIES, TIES])
    with pytest.raises(UnknownValueError, match=f"{name} is a traced.*shape.*\n.*\n.*s\\[1:\\]"):
        transform(lambda x: getattr(np, name)(x, np.ones(2)))(x)


def test_members_of_unknown_sets():
    tests = np.arange(40.0) / 4
    x = np.array([[0.25, 0.3], [np.nan, 9.75]])
    for f in (lambda x: np.isin(x, tests), lambda x: np.isin(x, tests, invert=True),
              lambda x: np.isin(tests, x), lambda x: np.isin(x, x[0]),
              lambda x: np.isin(0.25, x)):  # fmt: skip
        agrees(f, x, grads=False)
    mapped = ft.vmap(np.isin)(np.stack([x, x]), np.stack([tests, tests + 0.05]))
    np.testing.assert_array_equal(mapped[1], np.isin(x, tests + 0.05))
    with pytest.raises(ValueError, match="table"):
        ft.jit(lambda x: np.isin(x, tests, kind="table"))(x)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float16])
def test_a_union_with_a_number_of_pythons_keeps_the_dtype(dtype):
    x = np.array([2.5, 1.0], dtype)
    for f in (lambda x: np.union1d(x, 2), lambda x: np.union1d(2.0, x)):
        found = ft.vjp(f, x)[0]
        np.testing.assert_array_equal(found, f(x))
        assert found.dtype == f(x).dtype == dtype
