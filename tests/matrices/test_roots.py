"""Roots of polynomials: derivatives by the implicit function theorem, and where there are none."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.testing import check_grads

C = np.array([2.0, -3.0, -1.0, 3.0])


def test_roots_have_the_derivatives_of_the_implicit_function():
    for c in (C, np.array([1.0, 0.5, 2.0, 1.0]), np.array([2.0, 3.0, 0.0]), np.array([0.0, 1, -4])):
        f = lambda c: np.stack([np.real(r := np.roots(c)), np.imag(r)])
        if c[0]:
            check_grads(f, (c,), order=2)
        else:  # a change of the zero would bring one more root
            np.testing.assert_allclose(ft.jacrev(np.roots)(c), [[-16.0, -4, -1]])


def test_equal_roots_have_no_derivative():
    double = np.poly([1.0, 1.0, 3.0])
    jacobian = ft.jacrev(lambda c: np.real(np.roots(c)))(double)
    is_simple = np.isclose(np.roots(double), 3)
    assert np.all(np.isnan(jacobian[~is_simple]))
    np.testing.assert_allclose(jacobian[is_simple], [-np.array([27.0, 9, 3, 1]) / 4], rtol=1e-7)
    at_zero = ft.jacfwd(lambda c: np.real(np.roots(c)))(np.array([1.0, -2.0, 0.0, 0.0]))
    assert np.isnan(at_zero).all(axis=1).tolist() == [False, True, True]
