"""Reductions: values and dtypes as NumPy's, derivatives, ties and zeros, errors."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import ArrayWriteError, FunctraceError
from functrace.testing import check_grads

SUMS = [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod, np.nanvar]
EXTREMES = [np.max, np.min, np.ptp, np.nanmax, np.nanmin]
PREDICATES = [np.any, np.all, np.count_nonzero]


def recorded(f: Any, *args: Any) -> Any:
    """The value that a function has when it runs as a recorded Program."""
    (value,) = ft.evaluate(ft.make_ir(f)(*args), *args)
    return value


def assert_like_numpy(f: Any, *args: Any, rtol: float = 1e-13) -> None:
    expected = f(*args)
    program = ft.make_ir(f)(*args)
    (type,) = [atom.type for atom in program.outputs]
    (value,) = ft.evaluate(program, *args)
    assert type.shape == np.shape(expected) == np.shape(value)
    assert type.dtype == expected.dtype == value.dtype
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-14)


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
    with pytest.raises(TypeError, match="where"):
        ft.grad(lambda x: np.logaddexp.reduce(x, where=False))(x[0])


def test_complex_moments():
    z = np.array([[1 + 2j, 0.5j], [-1.0, 2 - 1j]])
    for f in (np.sum, np.mean, np.prod, np.var, np.std, np.linalg.norm):
        assert_like_numpy(f, z)
        check_grads(f, (z,))


def test_keepdims_in_any_way_of_writing_it():
    x = np.ones((2, 3))
    absent = np._NoValue
    for f in (np.sum, np.mean, np.max, np.prod, np.any, np.argmax, np.var, np.linalg.norm):
        for written, shape in ((True, (1, 1)), (1, (1, 1)), (np.True_, (1, 1)), (0, ())):
            assert recorded(lambda x, f=f, k=written: f(x, keepdims=k), x).shape == shape
    for f in (np.sum, np.max, np.mean):
        assert recorded(lambda x, f=f: f(x, keepdims=absent), x).shape == ()


# Kinks and zeros


@pytest.mark.parametrize("f", [np.max, np.min, np.nanmax])
def test_equal_elements_share_equally(f):
    x = np.array([[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(f(x, axis=1)))(x), np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(np.sum(ft.grad(f)(x)), 1)


def test_nan_takes_the_derivative_of_the_maximum_that_it_is():
    np.testing.assert_array_equal(ft.grad(np.max)(np.array([1.0, np.nan, 3.0])), [0, 1, 0])
    np.testing.assert_array_equal(ft.grad(np.nanmax)(np.array([1.0, np.nan, 3.0])), [0, 0, 1])


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [3, 4, 7])
def test_products_with_zeros_are_exact_at_every_order(zeros, count):
    x = np.arange(1.0, count + 1)
    x[:zeros] = 0

    def others(*left_out: int) -> float:
        return float(np.prod([x[k] for k in range(count) if k not in left_out]))

    gradient = ft.grad(np.prod)(x)
    np.testing.assert_allclose(gradient, [others(i) for i in range(count)])
    hessian = ft.jacrev(ft.grad(np.prod))(x)
    wanted = [[0 if i == j else others(i, j) for j in range(count)] for i in range(count)]
    np.testing.assert_allclose(hessian, wanted)
    third = ft.jacrev(lambda x: ft.jacrev(ft.grad(np.prod))(x)[0, 1])(x)
    np.testing.assert_allclose(third, [0 if k < 2 else others(0, 1, k) for k in range(count)])


def test_norm_and_deviation_have_derivative_0_at_their_kink():
    zero = np.zeros(3)
    for order in (None, 1, 2, 3, 1.5, np.inf):
        np.testing.assert_array_equal(ft.grad(lambda x, o=order: np.linalg.norm(x, o))(zero), zero)
    np.testing.assert_array_equal(ft.grad(np.std)(np.ones(3)), zero)
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    gradient = ft.grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(rows)
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0, 0]])


def test_a_masked_maximum_lets_no_nan_through():
    x = np.array([1.0, 2.0])
    with np.errstate(divide="ignore"):
        gradient = ft.grad(lambda x: np.where(x[0] > 5, np.log(np.max(x) - 2.0), 0.0))(x)
    np.testing.assert_array_equal(gradient, [0, 0])


# Norms


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, 2.5, -1, np.inf, -np.inf])
def test_vector_norms(order):
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
    assert_like_numpy(lambda x: np.linalg.norm(x[0], order), x)
    f = lambda x: np.linalg.norm(x, order, axis=1, keepdims=True)
    assert_like_numpy(f, x)
    check_grads(f, (x,))
    assert_like_numpy(lambda x: np.linalg.vector_norm(x, ord=2 if order is None else order), x[0])


@pytest.mark.parametrize("order", [None, "fro", 1, -1, np.inf, -np.inf])
def test_matrix_norms(order):
    x = np.arange(1.0, 13.0).reshape(2, 3, 2) ** 1.1 * [1, -1]
    for options in ({}, {"keepdims": True}):
        f = lambda x, options=options: np.linalg.norm(x, order, axis=(0, 2), **options)
        assert_like_numpy(f, x)
        check_grads(f, (x,))
    assert_like_numpy(lambda x: np.linalg.norm(x, order), x[0])


def test_norm_errors():
    with pytest.raises(ValueError, match="Improper number"):
        ft.grad(lambda x: np.linalg.norm(x, 1))(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="Invalid norm order"):
        ft.grad(lambda x: np.linalg.norm(x, 5))(np.ones((2, 2)))
    with pytest.raises(ValueError, match="Duplicate axes"):
        ft.grad(lambda x: np.linalg.norm(x, 1, axis=(0, 0)))(np.ones((2, 2)))


# Averages


def test_average():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    for weights, axis in (([1, 2, 3], 1), ([0.5, 1.5], 0), (x**2, None), (x.T**2, (1, 0))):
        weights = np.asarray(weights)
        assert_like_numpy(lambda x, w, axis=axis: np.average(x, axis=axis, weights=w), x, weights)
    check_grads(lambda x, w: np.average(x, axis=1, weights=w), (x, np.array([1.0, 2.0, 3.0])))
    mean, total = np.average(x, axis=0, weights=[1.0, 3.0], returned=True)
    pair = ft.vjp(lambda x: np.average(x, axis=0, weights=[1.0, 3.0], returned=True), x)[0]
    np.testing.assert_array_equal(pair, (mean, total))
    with pytest.raises(ZeroDivisionError):
        ft.grad(lambda x: np.average(x, weights=[0.0, 0.0]))(np.ones(2))


def test_moments_with_their_other_keywords():
    x = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    assert_like_numpy(lambda x: np.var(x, axis=1, ddof=1), x)
    assert_like_numpy(lambda x: np.std(x, correction=1), x)
    mean = np.mean(x, axis=0, keepdims=True)
    assert_like_numpy(lambda x: np.var(x, axis=0, mean=mean), x)
    with pytest.raises(ValueError, match="simultaneously"):
        ft.grad(lambda x: np.var(x, ddof=1, correction=1))(x)


def test_numbers_among_nan():
    x = np.array([[1.0, np.nan, 3.0], [0.5, 4.0, np.nan], [2.0, 1.0, 0.25]])
    for f in (np.nansum, np.nanmean, np.nanprod, np.nanmax, np.nanmin, np.nanvar, np.nanstd):
        for axis in (None, 0, 1):
            assert_like_numpy(lambda x, f=f, axis=axis: f(x, axis=axis), x)
            gradient = ft.grad(lambda x, f=f, axis=axis: np.sum(f(x, axis=axis)))(x)
            assert np.all(np.isfinite(gradient)), f
            np.testing.assert_array_equal(gradient[np.isnan(x)], 0)


# Indices of extremes


def test_argmax_is_a_constant():
    x = np.array([[1.0, 5.0, 3.0], [4.0, 0.5, 4.0]])
    for f in (np.argmax, np.argmin):
        for options in ({}, {"axis": 1}, {"axis": -2, "keepdims": True}):
            assert_like_numpy(lambda x, f=f, o=options: f(x, **o), x)
    np.testing.assert_array_equal(ft.grad(lambda x: x[np.argmax(x)])(x[0]), [0, 1, 0])


# Logarithms of sums


@pytest.mark.parametrize(
    ("x", "gradient"),
    [
        ([-np.inf, -np.inf], [0.5, 0.5]),
        ([np.inf, 1.0], [1, 0]),
        ([np.inf, np.inf], [0.5, 0.5]),
        ([-np.inf, 1.0], [0, 1]),
        ([1000.0, 1000.0], [0.5, 0.5]),
    ],
)
def test_logsumexp_is_safe(x, gradient):
    np.testing.assert_allclose(ft.grad(np.logaddexp.reduce)(np.array(x)), gradient)


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
