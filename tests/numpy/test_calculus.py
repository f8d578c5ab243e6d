"""Sums so far and differences, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import ArrayWriteError
from functrace.testing import check_grads
from tests.agreement import agrees, assert_like_numpy

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8
new = pytest.mark.skipif(not hasattr(np, "cumulative_sum"), reason="NumPy 2.1 has it")


# Sums so far


@pytest.mark.parametrize(
    "f",
    [
        np.cumsum,
        lambda x: np.cumsum(x, 1),
        lambda x: x.cumsum(0),
        lambda x: np.cumsum(x[0, 0]),
        lambda x: np.cumsum(x, -1, dtype=np.float32),
        np.add.accumulate,
        pytest.param(lambda x: np.cumulative_sum(x, axis=1, include_initial=True), marks=new),
        pytest.param(lambda x: np.cumulative_sum(x[0]), marks=new),
        np.trapezoid,
        lambda x: np.trapezoid(x, x[0]),
        lambda x: np.trapezoid(x, dx=0.5, axis=0),
        lambda x: np.trapezoid(x, x * x, axis=0),
    ],
)
def test_sums_so_far(f):
    expected = f(M)
    for result in (ft.vjp(f, M)[0], *ft.evaluate(ft.make_ir(f)(M), M)):
        assert np.shape(result) == np.shape(expected)
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=1e-14)
    if expected.dtype == np.float64:
        check_grads(f, (M,), order=2, modes=("rev",))


@settings(deadline=None, max_examples=30, derandomize=True, database=None)
@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3), st.data())
def test_sums_of_any_shape(shape, data):
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    result, pullback = ft.vjp(lambda x: np.cumsum(x, axis), x)
    np.testing.assert_array_equal(result, np.cumsum(x, axis))
    (cotangent,) = pullback(x)
    np.testing.assert_array_equal(cotangent, np.flip(np.cumsum(np.flip(x, axis), axis), axis))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float32, np.complex64])
def test_dtypes_of_sums(dtype):
    x = np.ones((2, 3), dtype)
    kinds = (lambda x: np.cumsum(x, 0), lambda x: np.cumsum(x, 0, dtype=np.int8))
    for f in kinds[: 1 if dtype is np.complex64 else 2]:
        (variable,) = ft.make_ir(f)(x).outputs
        assert variable.type.dtype == f(x).dtype
        (result,) = ft.evaluate(ft.make_ir(f)(x), x)
        assert result.dtype == f(x).dtype


def test_errors_of_sums():
    with pytest.raises(np.exceptions.AxisError):
        ft.grad(lambda x: np.sum(np.cumsum(x, 2)))(M)
    with pytest.raises(ArrayWriteError):
        ft.grad(lambda x: np.sum(np.cumsum(x, out=np.ones(12))))(M)


# Differences


FUNCTIONS = {
    "diff": (lambda x: np.diff(x, 2), M),
    "diff with ends": (lambda x: np.diff(x, axis=0, prepend=0.0, append=x[:1]), M),
    "ediff1d": (lambda x: np.ediff1d(x, to_end=x[0], to_begin=[1.0, 2.0]), V),
    "gradient": (np.gradient, M),
    "gradient of second order": (lambda x: np.gradient(x, 2.0, edge_order=2, axis=1), M),
    "gradient on a grid": (lambda x: np.gradient(x, [0.0, 1, 3, 4.5], edge_order=2, axis=1), M),
    "gradient on a traced grid": (lambda x: np.gradient(x, np.cumsum(np.abs(x) + 0.5)), V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = FUNCTIONS[name]
    agrees(f, x)


def test_gradient_of_booleans_is_refused():
    for way in (np.gradient, ft.jit(np.gradient)):
        with pytest.raises(TypeError):
            way(np.array([True, False, True]))


@pytest.mark.thinned
@pytest.mark.parametrize("n", [2, 3, 256, 257])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "i4"])
def test_gradients_of_few_and_of_many_numbers(n, dtype):
    x = np.random.default_rng(0).integers(-9, 9, (2, n)).astype(dtype)
    for spacing in (1.0, 3, 0.1, np.float64(0.1)):
        assert_like_numpy(lambda x, h=spacing: np.gradient(x, h, axis=1), x)
        assert_like_numpy(lambda x, h=spacing: np.gradient(x, h, axis=0), np.asfortranarray(x.T))
