"""Functions of each element that are composed of others."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import UnknownValueError
from functrace.testing import check_grads
from tests.agreement import agrees, assert_like_numpy

Z = np.array([0.3 + 0.4j, -1.2 + 0.7j, 0.8 - 0.5j])


def test_clip_shares_at_its_bounds():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    gradient = ft.grad(lambda x: np.sum(np.clip(x, 0.0, 1.0)))(x)
    np.testing.assert_array_equal(gradient, [0, 0.5, 1, 0.5, 0])


def test_parts_of_complex_numbers_are_views():
    def f(z):
        part = z.real
        part[0] = 1.0  # in NumPy this changes z
        z.imag[1:] *= 2.0
        np.imag(z)[0] = part[1]
        return np.abs(z)

    for trace in (lambda f: lambda z: ft.vjp(f, z)[0], ft.jit):
        np.testing.assert_allclose(trace(lambda z: f(z * 1))(Z), f(Z * 1), rtol=1e-14)


def test_astype_without_a_copy_is_the_array_itself():
    def f(x, convert):
        y = x * 1.0
        convert(y)[0] = x[1] ** 2  # in NumPy this changes y
        return np.sum(y * [1.0, 10.0])

    x = np.array([2.0, 3.0])
    for convert in (
        lambda y: y.astype(float, copy=False),
        lambda y: np.astype(y, np.float64, copy=False),
        lambda y: y.astype(np.float32, copy=False),
        lambda y: y.astype(float),
    ):
        assert ft.value_and_grad(f)(x, convert)[0] == f(x, convert)
        assert ft.jit(f, static_argnums=1)(x, convert) == f(x, convert)


def test_divmod():
    x = np.array([2.3, -1.7])
    check_grads(divmod, (x, np.array([1.0, 2.0])), order=1)
    check_grads(lambda x: divmod(5.0, x), (x,), order=1)


def test_nan_to_num():
    x = np.array([1.5, np.nan, np.inf, -np.inf])
    for dtype in (np.float64, np.float32, np.complex128):
        assert_like_numpy(np.nan_to_num, x.astype(dtype))
    assert_like_numpy(lambda x: np.nan_to_num(x, nan=2.0, posinf=3.0, neginf=-3.0), x)
    assert_like_numpy(np.nan_to_num, np.array([1, 2]))
    gradient = ft.grad(lambda x: np.sum(np.nan_to_num(x, posinf=1.0, neginf=0.0) ** 2))(x)
    np.testing.assert_array_equal(gradient, [3.0, 0, 0, 0])

    def in_place(x):
        y = x * 1.0
        np.nan_to_num(y, copy=False, posinf=1.0, neginf=0.0)
        return y

    assert_like_numpy(in_place, x)


def test_heaviside():
    x = np.array([-1.0, 0.0, 2.0, np.nan])
    assert_like_numpy(np.heaviside, x, np.array(0.5))
    assert_like_numpy(lambda x: np.heaviside(x, 1), x.astype(np.float32))
    gx, gy = ft.grad(lambda x, y: np.sum(np.heaviside(x, y)), argnums=(0, 1))(x, 0.5)
    np.testing.assert_array_equal(gx, np.zeros(4))
    assert gy == 1.0


def test_angle_is_numpys_for_every_dtype():
    for dtype in (np.uint8, np.int64, np.float16, np.float32, np.float64, np.complex64, np.bool_):
        assert_like_numpy(np.angle, np.array([-0.0, 1.0]).astype(dtype))
    assert_like_numpy(np.angle, np.array([-0.0, -1.5, 2.0]))
    assert_like_numpy(lambda x: np.angle(x, deg=True), np.array([-0.0, -1.5, 2.0]))
    assert ft.jit(np.angle)(-0.0) == np.pi
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(np.angle(x)))(np.array([-1.0, 2.0])), 0)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_sign_of_infinite_and_tiny_complex_numbers():
    infinity = np.inf
    z = np.array([complex(-infinity, 0), complex(1, -infinity), complex(infinity, infinity), 0, 3j])
    z = np.concatenate([z, [complex(-0.0, -0.0), 1e308 + 1e308j, complex(np.nan, 1)]])
    expected = np.sign(z)
    for got in (ft.jit(np.sign)(z), ft.vmap(np.sign)(z)):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    gradient = ft.grad(lambda z: np.sum(np.real(np.sign(z))))(np.append(z[:5], -2.0))
    np.testing.assert_allclose(gradient, [0, 0, 0, 0, 1 / 3, 0], atol=1e-12)


def test_clip_by_bounds_outside_of_the_dtype():
    x = np.array([0, 3, 255], np.uint8)
    for bounds in ((-1, 1), (-5, None), (None, 300), (-1, 256), (None, 2)):
        clipped = ft.jit(lambda x, bounds=bounds: np.clip(x, *bounds))(x)
        assert clipped.dtype == np.uint8
        np.testing.assert_array_equal(clipped, np.clip(x.astype(int), *bounds))
    with pytest.raises(OverflowError):
        ft.jit(lambda x: np.clip(x, 256, None))(x)


def test_clip_of_a_number_takes_it_as_an_array():
    low, high = np.float32([0, 1]), np.float32([2, 3])
    assert_like_numpy(lambda low, high: np.clip(2.5, low, high), low, high)
    assert ft.jit(np.clip)(2.5, low, high).dtype == np.float64


def test_where_takes_lists():
    x = np.array([1.0, -1.0])
    assert_like_numpy(lambda x: np.where(x > 0, x, [3, 4]), x)
    assert_like_numpy(lambda x: np.where([True, False], x, 2), x)


def test_numbers_that_are_nearly_real():
    z = np.array([1 + 1e-17j, -0.3 - 1e-16j])
    for tol in (100, 0.5, 1e-20):
        agrees(lambda z, tol=tol: np.real_if_close(z, tol), z, types_only=False, grads=False)
    gradient = ft.grad(lambda z: np.sum(np.real_if_close(z) ** 2))(z)
    np.testing.assert_allclose(gradient, [2, -0.6], rtol=1e-14)
    with pytest.raises(UnknownValueError, match=r"dtype.*\n.*\n.*np\.real\(z\)"):
        ft.jit(np.real_if_close)(z)


@pytest.mark.parametrize("f", [np.arcsin, np.arccos, np.arcsinh])
def test_derivatives_on_branch_cuts(f):
    # On the cut the sign of the zero in the other part tells the side; a step along it keeps it.
    for z in (2.5 + 0j, -2.5 + 0j, 2j, complex(0, -2)):
        step = 1e-6 * z / abs(z)
        expected = (f(z + step) - f(z - step)) / (2 * step)
        for transform in (lambda g: g, ft.jit):
            got = transform(ft.grad(f, holomorphic=True))(z)
            np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("where", [np.where, fnp.where])
def test_a_choice_of_one_value_is_refused_as_by_numpy(where):
    x = np.arange(3.0)
    for f in (lambda x: where(x > 0, x), lambda x: where(x > 0, x, None)):
        with pytest.raises(ValueError, match="either both or neither"):
            ft.jit(f)(x)
    with pytest.raises(ValueError, match="either both or neither"):
        fnp.where(x > 0, x)
