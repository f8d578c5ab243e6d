"""Functions that become complex where they must, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import UnknownValueError
from functrace.testing import check_grads
from tests.agreement import agrees, assert_like_numpy

INSIDE, OUTSIDE = np.array([0.3, 0.7]), np.array([-0.3, 2.5, -2.0])
UNARY = ["sqrt", "log", "log2", "log10", "arccos", "arcsin", "arctanh"]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i1"])
def test_real_and_complex_results(name, dtype):
    function = getattr(np.emath, name)
    for x in (INSIDE, OUTSIDE):
        x = (x * 4).astype(dtype) if dtype[0] == "i" else x.astype(dtype)
        # Whole numbers are known where nothing is traced but what they are added to.
        with np.errstate(all="ignore"):
            expected = function(x)
            got, _ = ft.vjp(lambda t, x=x: function(x + t * 0) if dtype[0] == "f" else function(x),
                            x.dtype.type(0) if dtype[0] == "f" else 0.0)  # fmt: skip
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        assert got.dtype == expected.dtype


@pytest.mark.parametrize("name", UNARY)
def test_derivatives(name):
    function = getattr(np.emath, name)
    agrees(function, INSIDE, types_only=False)
    agrees(function, np.array([-0.3, 2.5]), types_only=False)
    check_grads(function, (0.4 + 0.3j,), order=2)
    assert_like_numpy(function, OUTSIDE + 0.5j)


def test_powers_and_logarithms_of_any_base():
    for x, p in ((OUTSIDE, INSIDE[0]), (INSIDE, -2.0), (OUTSIDE, 3.0)):
        check_grads(np.emath.power, (x, p), order=2)
        check_grads(np.emath.logn, (np.abs(x) + 0.5, x), order=2)
    got, _ = ft.vjp(lambda x: np.emath.power(x, np.array([-1, 2])), INSIDE)
    np.testing.assert_array_equal(got, np.emath.power(INSIDE, np.array([-1, 2])))


@pytest.mark.parametrize("transform", [ft.jit, ft.vmap])
def test_unknown_real_numbers_are_refused(transform):
    for name in UNARY:
        with pytest.raises(UnknownValueError, match=rf"numpy\.emath\.{name}.*dtype"):
            transform(getattr(np.emath, name))(INSIDE)
    for name in ("power", "logn"):
        with pytest.raises(UnknownValueError, match="astype"):
            transform(lambda x, name=name: getattr(np.emath, name)(x, x))(INSIDE)


def test_lists_of_traced_values():
    got = ft.grad(lambda t: np.imag(fnp.emath.sqrt([t, 1.0]))[0])(-4.0)
    assert got == pytest.approx(-0.25)


@pytest.mark.parametrize("values", [-1, (-1, 3), (-1.0, 3.14), 300.0])
def test_constants_that_the_dtype_does_not_hold(values):
    x = np.array([1, 2], np.uint8)
    assert_like_numpy(lambda x: np.pad(x, 1, constant_values=values), x)
