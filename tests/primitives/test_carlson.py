"""Symmetric elliptic integrals and their derivatives, against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import functrace as ft
from functrace.primitives.carlson import elliptic_integral
from functrace.scipy import special

OF_MPMATH = {
    "elliprc": mpmath.elliprc,
    "elliprf": mpmath.elliprf,
    "elliprd": mpmath.elliprd,
    "elliprg": mpmath.elliprg,
    "elliprj": mpmath.elliprj,
}
COUNTS = {"elliprc": 2, "elliprf": 3, "elliprd": 3, "elliprg": 3, "elliprj": 4}


@pytest.mark.parametrize("name", OF_MPMATH)
@pytest.mark.parametrize("numbers", [(0.5, 1.3, 2.0, 0.7), (1.0, 1.0, 1.0, 1.0), (1e-4, 3.0, 50.0, 2.0)])  # fmt: skip  # noqa: E501
def test_first_derivatives(name, numbers):
    numbers = numbers[: COUNTS[name]]
    found = ft.grad(getattr(special, name), tuple(range(len(numbers))))(*numbers)
    for n, slope in enumerate(found):
        with mpmath.workdps(30):
            value = lambda x: OF_MPMATH[name](*numbers[:n], x, *numbers[n + 1 :])
            assert slope == pytest.approx(float(mpmath.diff(value, numbers[n])), rel=1e-11)


def test_second_derivatives_also_of_equal_arguments():
    for numbers in ((0.5, 1.3, 2.0), (1.0, 1.0, 1.0)):
        found = ft.hessian(lambda v: special.elliprd(*v))(np.array(numbers))
        for i, j in np.ndindex(3, 3):
            orders = [(n == i) + (n == j) for n in range(3)]
            with mpmath.workdps(40):
                expected = float(mpmath.diff(mpmath.elliprd, numbers, orders))
            assert found[i, j] == pytest.approx(expected, rel=1e-9)


def test_the_integral_is_that_of_carlsons_functions():
    x, y, z = 0.5, 1.3, 2.0
    assert elliptic_integral(0, 1, 1, 1, of=(x, y, z)) == pytest.approx(
        2 * special.elliprf(x, y, z)
    )
    assert elliptic_integral(0, 1, 2, of=(x, y)) == pytest.approx(2 * special.elliprc(x, y))
    assert np.isnan(elliptic_integral(0, 1, 2, of=(x, -y)))


@pytest.mark.parametrize(("x", "y"), [(0.7, -0.3), (2.0, -5.0), (1e-3, -40.0)])
def test_the_principal_value_of_the_degenerate_integral(x, y):
    f = special.elliprc
    with mpmath.workdps(30):
        for n in range(2):
            orders = (1 - n, n)
            slope = float(mpmath.re(mpmath.diff(mpmath.elliprc, (x, y), orders)))
            assert ft.grad(f, n)(x, y) == pytest.approx(slope, rel=1e-12)
            assert ft.jvp(f, (x, y), orders)[1] == pytest.approx(slope, rel=1e-12)
            bend = float(mpmath.re(mpmath.diff(mpmath.elliprc, (x, y), (2 - 2 * n, 2 * n))))
            assert ft.grad(ft.grad(f, n), n)(x, y) == pytest.approx(bend, rel=1e-10)
