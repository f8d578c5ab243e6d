"""Reductions: values and dtypes as NumPy's, derivatives, keywords and errors."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import ArrayWriteError, FunctraceError, OperandError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, recorded

SUMS = [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod, np.nanvar]
EXTREMES = [np.max, np.min, np.ptp, np.nanmax, np.nanmin]
PREDICATES = [np.any, np.all, np.count_nonzero]


@st.composite
def reductions(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))
    axes = st.none() | hnp.valid_tuple_axes(len(shape)) if shape else st.none() | st.just(())
    axis = draw(axes)
    if isinstance(axis, tuple) and len(axis) == 1 and draw(st.booleans()):
        (axis,) = axis
    x = np.random.default_rng(draw(st.integers(0, 9999))).permutation(int(np.prod(shape)))
    x = (x.reshape(shape) * 0.5 - 1.1)[()]
    return x, {"axis": axis, "keepdims": draw(st.booleans())}


@pytest.mark.thinned
@pytest.mark.parametrize("f", SUMS + EXTREMES + PREDICATES)
@settings(deadline=None, max_examples=15, derandomize=True, database=None)
@given(drawn=reductions())
def test_any_axes_as_numpy(f, drawn):
    x, options = drawn
    assert_like_numpy(partial(f, **options), x)


@pytest.mark.parametrize("f", [*SUMS, np.max, np.min, np.ptp])
@settings(deadline=None, max_examples=6, derandomize=True, database=None)
@given(drawn=reductions())
def test_derivatives_over_any_axes(f, drawn):
    x, options = drawn
    if f is np.std and np.any(f(x, **options) == 0):
        return  # a kink
    check_grads(partial(f, **options), (x,), order=2)


@pytest.mark.parametrize("f", [np.sum, np.prod, np.mean, np.max, np.any, np.var, np.std])
@pytest.mark.parametrize("dtype", ["?", "b", "B", "i", "l", "L", "e", "f", "d", "F", "D"])
def test_dtypes_as_numpy(f, dtype):
    if f in {np.var, np.std} and dtype == "?":
        return  # NumPy cannot subtract booleans there
    x = np.array([[1, 2, 3], [1, 0, 2]]).astype(dtype)
    rtol = {"e": 2e-3, "f": 1e-6, "F": 1e-6}.get(dtype, 1e-13)
    assert_like_numpy(f, x, rtol=rtol)
    assert_like_numpy(lambda x: f(x, axis=1), x, rtol=rtol)


def test_a_given_dtype():
    x = np.ones((2, 3), np.float32)
    for f in (np.sum, np.mean, np.prod, np.var):
        assert_like_numpy(lambda x, f=f: f(x, dtype=np.float64), x)
    gradient = ft.grad(lambda x: np.sum(x, dtype=np.float64))(x)
    assert gradient.dtype == np.float32


def test_initial_and_where():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    kept = x > 0
    for f in (np.sum, np.prod, np.max, np.min):
        assert_like_numpy(lambda x, f=f: f(x, axis=1, initial=0.25, where=kept), x)
        check_grads(lambda x, f=f: f(x, axis=1, initial=0.3, where=kept), (x,))
    for f in (np.mean, np.var, np.std, np.any, np.all):
        assert_like_numpy(lambda x, f=f: f(x, axis=0, where=kept | (x < -1)), x)


def test_ufunc_reduce_reduces_the_first_axis():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum, np.logical_or, np.logaddexp):
        assert_like_numpy(ufunc.reduce, x)
        assert_like_numpy(lambda x, u=ufunc: u.reduce(x, axis=(0, 1)), x) if (
            ufunc is not np.logaddexp
        ) else None
        assert_like_numpy(lambda x, u=ufunc: u.reduce(x, axis=1, keepdims=True), x)
    assert_like_numpy(lambda x: np.add.reduce(x, None), x)


def test_keepdims_in_any_way_of_writing_it():
    x = np.ones((2, 3))
    absent = np._NoValue
    for f in (np.sum, np.mean, np.max, np.prod, np.any, np.argmax, np.var, np.linalg.norm):
        for written, shape in ((True, (1, 1)), (1, (1, 1)), (np.True_, (1, 1)), (0, ())):
            assert recorded(lambda x, f=f, k=written: f(x, keepdims=k), x).shape == shape
    for f in (np.sum, np.max, np.mean):
        assert recorded(lambda x, f=f: f(x, keepdims=absent), x).shape == ()


# Errors


def test_wrong_axes():
    for f in (np.sum, np.mean, np.max, np.prod, np.any, np.argmax, np.linalg.norm, np.var):
        for error in (ValueError, IndexError, np.exceptions.AxisError, FunctraceError):
            with pytest.raises(error, match=r"axis 2 is out of bounds .*dimension 2"):
                ft.vjp(partial(f, axis=2), np.ones((2, 2)))
    with pytest.raises(ValueError, match="twice"):
        ft.grad(lambda x: np.sum(x, axis=(0, -2)))(np.ones((2, 2)))
    with pytest.raises(TypeError):
        ft.grad(lambda x: np.sum(x, axis=1.5))(np.ones((2, 2)))


@pytest.mark.parametrize("record", [recorded, ft.vjp])
def test_nothing_has_no_maximum(record):
    for f in (np.max, np.min):
        with pytest.raises(ValueError, match="no identity"):
            record(f, np.ones((0, 3)))
        assert record(lambda x, f=f: f(x, axis=1), np.ones((0, 3))) is not None
    with pytest.raises(ValueError, match="empty"):
        record(np.argmax, np.ones(0))
    assert_like_numpy(lambda x: np.max(x, initial=2.0), np.ones(0))


def test_out_is_refused():
    out = np.zeros(())
    for f in (np.sum, np.mean, np.max, np.prod, np.any, np.argmax, np.var, np.nanvar, np.nanmax):
        with pytest.raises(ArrayWriteError, match="out"):
            ft.vjp(lambda x, f=f: f(x, out=out), np.ones(3))


def test_a_mask_without_an_identity():
    with pytest.raises(ValueError, match="initial"):
        ft.grad(lambda x: np.max(x, where=[True, False]))(np.ones(2))


def test_arrays_without_axes_are_reduced_along_the_first_and_last():
    x = np.array(2.5)
    for f in (np.sum, np.prod, np.max, np.min, np.any, np.all, np.argmax, np.add.reduce):
        for axis in (0, -1):
            assert_like_numpy(lambda x, f=f, axis=axis: f(x, axis=axis), x)
        with pytest.raises(ValueError, match="axis 1"):
            ft.jit(lambda x, f=f: f(x, axis=1))(x)
    with pytest.raises((TypeError, ValueError)):
        ft.jit(lambda x: np.argmax(x, axis=()))(x)


def test_initial_takes_the_dtype_of_the_reduction():
    for dtype in (np.bool_, np.uint8, np.int64, np.float32):
        x = np.array([1, 0, 3], dtype)
        for f in (np.sum, np.prod, np.max, np.min):
            for initial in (2, 2.5, np.float64(1.5)):
                assert_like_numpy(lambda x, f=f, initial=initial: f(x, initial=initial), x)
                assert_like_numpy(lambda x, f=f, initial=initial: f(x, initial=initial), x[:0])
    with pytest.raises(OverflowError):
        ft.jit(lambda x: np.max(x, initial=-1))(np.ones(2, np.uint8))


def test_dtypes_of_integers_in_means_and_products():
    x = np.array([1.5, 2.5, 4.0])
    for dtype in (bool, np.int8, np.int64):
        for f in (np.mean, np.prod, np.sum):
            assert_like_numpy(lambda x, f=f, dtype=dtype: f(x, dtype=dtype), x)
    assert_like_numpy(lambda x: np.maximum.reduce(x, dtype=np.float32), x)
    assert_like_numpy(np.logaddexp.reduce, np.array([True, False]), rtol=2e-3)
    assert_like_numpy(np.logaddexp.reduce, np.array([1, 2, 3]))
    with pytest.raises(TypeError):
        ft.jit(np.logaddexp.reduce)(np.ones(2, complex))


def test_masks_that_are_larger_than_the_array_are_refused():
    x, mask = np.ones((1, 1)), np.array([True, False])
    for f in (np.sum, np.prod, np.any, np.all, lambda x, where: np.max(x, initial=0, where=where)):
        for way in (f, ft.jit(f)):
            with pytest.raises(ValueError, match="broadcast"):
                way(x, where=mask)


# Places without nan


def test_places_of_extremes_without_nan():
    x = np.array([[np.nan, 4.0, 1.0], [2.0, 3.0, np.nan]])
    for f in (np.nanargmax, np.nanargmin):
        for options in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
            assert_like_numpy(lambda x, f=f, o=options: f(x, **o), x)
        assert_like_numpy(f, np.array([3, 1, 2]))
        assert_like_numpy(f, x + 1j)
        np.testing.assert_array_equal(ft.vmap(f)(x), f(x, axis=1))
        for transform in (ft.jit, ft.grad):
            with pytest.raises(ValueError, match="All-NaN"):
                transform(lambda x, f=f: np.sum(f(x, axis=0) * 1.0))(x * np.array([1, 1, np.nan]))


FREELY = [
    np.sum, np.prod, np.max, np.min, np.any, np.all, np.mean, np.var, np.nansum, np.nanmax,
    np.cumsum, np.cumprod, np.nancumsum, np.add.reduce, np.maximum.reduce, np.multiply.accumulate,
    np.median,
]  # fmt: skip


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["q", "b", "?", "f"])
@pytest.mark.parametrize("number", range(len(FREELY)))
def test_reductions_are_cast_to_what_they_are_written_into(number, dtype):
    function = FREELY[number]
    for x in (np.array([1.7, -2.2, 0.6]), np.array([1, -1, 3]), np.array([True, False, True])):

        def f(x):
            out = np.zeros_like(x, dtype=dtype, shape=function(x).shape)
            assert function(x, out=out) is out
            return out

        found, expected = ft.jit(f)(x), f(x)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_imaginary_parts_are_not_lost_in_what_is_written_into():
    with pytest.raises(OperandError, match="complex128"):
        ft.jit(lambda x: np.sum(x, out=np.zeros_like(x, dtype=float, shape=())))(np.ones(2) * 1j)


def test_where_a_reduction_begins_shares_in_ties():
    x = np.array([2.0, 2.0, 1.0])
    for way in (lambda f: f, ft.jit):
        f = way(lambda x, first: np.max(x, initial=first))
        of_x, of_first = ft.grad(f, argnums=(0, 1))(x, 2.0)
        np.testing.assert_allclose([*of_x, of_first], [1 / 3, 1 / 3, 0, 1 / 3])
    f = lambda x, first: np.min(x, axis=(0, 2), initial=first, keepdims=True)
    cube = np.cos(np.arange(24.0)).reshape(2, 3, 4)
    assert_like_numpy(f, cube, -0.5)
    check_grads(f, (cube, -0.95), order=2)
