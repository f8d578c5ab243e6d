"""Parts of matrices that rules are written with."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.matrices.stacks import (
    adjoint,
    from_triangle,
    triangle_like,
    triangle_of,
    undefined,
    undefined_cotangent,
)

rng = np.random.default_rng(1)
Z = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("z", [Z, Z.real], ids=["complex", "real"])
def test_a_hermitian_matrix_from_one_triangle(lower, z):
    made = from_triangle(z, lower)
    np.testing.assert_array_equal(made, adjoint(made))
    cut = np.tril if lower else np.triu
    np.testing.assert_array_equal(cut(made, -1 if lower else 1), cut(z, -1 if lower else 1))
    other = adjoint(z[::-1]) + 1
    pairing = lambda a, b: np.sum(a * b).real
    np.testing.assert_allclose(pairing(other, made), pairing(triangle_of(other, lower), z))


def test_triangles_have_the_precision_of_what_they_multiply():
    for dtype in (np.float32, np.complex64):
        part = triangle_like(np.ones((2, 2), dtype), True, 0.5)
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, [[0.5, 0], [1, 0.5]])
    with pytest.raises(ValueError, match="read-only"):
        part[0, 0] = 2


def test_what_has_no_derivative_is_zero_or_nan():
    stack, a = np.stack([np.zeros((2, 2)), np.eye(2)]), np.eye(2)
    np.testing.assert_array_equal(undefined(stack, a).ravel(), [0, np.nan])
    np.testing.assert_array_equal(undefined_cotangent(0 * stack, a, "none").ravel(), [0, 0])
    with pytest.raises(MissingRuleError, match="none"):
        undefined_cotangent(stack, a, "none")
    slopes = ft.jacrev(lambda a: undefined(stack, a).ravel())(a)
    np.testing.assert_array_equal(slopes, [np.zeros((2, 2)), np.full((2, 2), np.nan)])
