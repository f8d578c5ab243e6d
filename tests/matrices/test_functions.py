"""Derivatives of functions of matrices, held against what is known of diagonalizable ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import functrace as ft
from functrace.matrices.functions import exponential, logarithm, power, square_root
from functrace.tracing.tracer import bind

V = np.array([[1.0, 0.5], [-0.25, 1]])
W = np.array([0.5, 1.5])
A = V @ np.diag(W) @ np.linalg.inv(V)
E = np.array([[1.0, -2], [3, 0.5]])
CASES = {
    "expm": (lambda a: bind(exponential, a), np.exp, np.exp),
    "logm": (lambda a: bind(logarithm, a), np.log, lambda x: 1 / x),
    "sqrtm": (lambda a: bind(square_root, a), np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "power": (lambda a: bind(power, a, t=0.3), lambda x: x**0.3, lambda x: 0.3 * x**-0.7),
}


@pytest.mark.parametrize("name", CASES)
def test_the_theorem_of_daleckii_and_krein(name):
    """In the basis of eigenvectors the derivative multiplies by divided differences."""
    f, of_number, slope = CASES[name]
    differences = np.subtract.outer(of_number(W), of_number(W))
    gaps = np.subtract.outer(W, W)
    divided = np.where(gaps == 0, slope(W), differences / np.where(gaps == 0, 1, gaps))
    inverse = np.linalg.inv(V)
    expected = V @ (divided * (inverse @ E @ V)) @ inverse
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(ft.jvp(f, (A,), (E,))[1], expected, atol=1e-12)
        found = ft.vjp(f, A)[1](E.astype(f(A).dtype))[0]
    turned = inverse.T @ (divided * (V.T @ E @ inverse.T)) @ V.T
    np.testing.assert_allclose(found, turned, atol=1e-12)


def test_a_derivative_of_a_triangle_that_cannot_be_made_diagonal():
    jordan = np.array([[2.0, 1], [0, 2]])
    found = ft.jvp(CASES["expm"][0], (jordan,), (jordan,))[1]
    np.testing.assert_allclose(found, np.exp(2) * np.array([[2, 3], [0, 2]]), rtol=1e-12)
