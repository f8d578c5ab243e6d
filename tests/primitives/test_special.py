"""Special functions: values as SciPy's, on traced values too; zeros and infinities."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace.scipy import special
from functrace.testing import check_grads

POINTS = np.array([
    0, 1e-300, 1e-10, 0.1, 0.3, 0.300001, 0.5, 0.6, 0.9, 1 - 1e-10, 1, 2, 50, 800, np.inf, np.nan,
    -1e-10, -1, -50, -800, -np.inf,
])  # fmt: skip
ONE = ["expit", "logit", "log_expit", "entr", "erf", "erfc", "erfinv", "ndtr"]
TWO = ["xlogy", "xlog1py", "rel_entr"]


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_argument_as_scipy(name):
    with np.errstate(all="ignore"):
        expected = getattr(scipy.special, name)(POINTS)
    np.testing.assert_allclose(getattr(special, name)(POINTS), expected, rtol=1e-14)


@pytest.mark.parametrize(("name", "digits"), [("erf", 2e-15), ("erfc", 1e-13), ("ndtr", 4e-13)])
def test_the_error_function_everywhere(name, digits):
    """Far out erfc has more digits than SciPy's, which loses some of them there."""
    x = np.geomspace(1e-8, 26.0, 20_001)
    x = np.concatenate([-x, x, np.nextafter([0.46875, 4.0, -0.46875, -4.0], 0), [0.46875, 4.0]])
    found = getattr(special, name)(x)
    np.testing.assert_allclose(found, getattr(scipy.special, name)(x), rtol=digits)
    assert getattr(special, name)(x.astype(np.float32)).dtype == np.float32
    assert getattr(special, name)(0).dtype == np.float64


def test_the_inverse_of_the_error_function_everywhere():
    x = np.concatenate([np.tanh(np.linspace(-18, 18, 20_001)), np.geomspace(1e-300, 0.9, 1001)])
    np.testing.assert_allclose(special.erfinv(x), scipy.special.erfinv(x), rtol=2e-15)
    near = np.nextafter(1.0, 0.0)
    np.testing.assert_allclose(special.erfinv(near), scipy.special.erfinv(near), rtol=2e-15)


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_arguments_as_scipy(name):
    x, y = np.meshgrid(POINTS, POINTS)
    with np.errstate(all="ignore"):
        expected = getattr(scipy.special, name)(x, y)
    np.testing.assert_allclose(getattr(special, name)(x, y), expected, rtol=1e-14)


def test_derivatives():
    inside = np.array([0.2, 0.5, 0.9])
    for name in ONE:
        check_grads(getattr(special, name), (inside,), order=2)
    for name in TWO:
        check_grads(getattr(special, name), (inside, inside[::-1] + 0.5), order=2)


def test_scipys_own_functions_take_traced_values():
    x = np.array([0.2, 0.5, 0.9])
    for name in ONE:
        f = getattr(scipy.special, name)
        check_grads(f, (x,), order=2)
        np.testing.assert_allclose(ft.vjp(f, x)[0], f(x), rtol=1e-14)
    for name in TWO:
        check_grads(getattr(scipy.special, name), (x, x + 0.5), order=1)


def test_a_product_with_zero_has_derivative_0_by_the_other():
    assert ft.grad(special.xlogy, 1)(0.0, 0.0) == 0
    assert ft.grad(special.xlog1py, 1)(0.0, -1.0) == 0
    assert ft.grad(special.xlogy)(0.0, 2.0) == np.log(2.0)
    assert ft.grad(lambda x: np.where(x > 0, special.entr(x), 0.0))(0.0) == 0


PLANE = np.array([x + 1j * y for x in (-6, -2, -0.7, -1e-9, 0, 1e-3, 0.5, 1, 1.49, 3, 9)
                  for y in (-5, -1, -1e-9, 0, 0.3, 1.2, 2, 5.5)])  # fmt: skip


@pytest.mark.parametrize("name", ["erf", "erfc", "ndtr"])
def test_the_error_function_of_complex_numbers(name):
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    np.testing.assert_allclose(ours(PLANE), theirs(PLANE), rtol=2e-13)
    check_grads(ours, (PLANE[::7] / 4,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
def test_products_with_logarithms_of_complex_numbers(name):
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    x = np.concatenate([PLANE, [0.0, 0.0, 0.0]])
    y = np.concatenate([PLANE[::-1] * 1.1 + 0.3, [0.0, np.inf, np.nan]])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ours(x, y), theirs(x, y), rtol=1e-12)
    check_grads(ours, (PLANE[5::7], PLANE[6::7] * 0.1 + 2), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("outer", [ft.grad, ft.jacfwd])
@pytest.mark.parametrize("inner", [ft.grad, ft.jacfwd])
def test_mixed_derivatives_of_the_relative_entropy_at_zero(outer, inner):
    with np.errstate(divide="ignore"):
        assert outer(inner(special.rel_entr, 0), 1)(0.0, 2.0) == -0.5
        assert outer(inner(special.rel_entr, 1), 0)(0.0, 2.0) == -0.5
