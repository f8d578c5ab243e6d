"""Factorizations with exchanges, beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.lax import linalg
from functrace.testing import check_grads

rng = np.random.default_rng(8)
SHAPES = [(4, 4), (5, 3), (3, 5), (1, 1), (0, 3)]


def matrix(shape, is_complex):
    real = rng.normal(size=shape)
    return real + 1j * rng.normal(size=shape) if is_complex else real


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_complex", [True, False])
def test_lu_multiplies_to_the_rows_in_order(shape, is_complex):
    a = matrix(shape, is_complex)
    factors, pivots, order = linalg.lu(a)
    count = min(shape)
    lower = np.tril(factors[:, :count], -1) + np.eye(shape[0], count)
    np.testing.assert_allclose(lower @ np.triu(factors[:count]), a[order], atol=1e-13)
    np.testing.assert_array_equal(linalg.lu_pivots_to_permutation(pivots, shape[0]), order)
    assert np.all(np.abs(lower) <= np.sqrt(2) + 1e-12)
    if count:
        check_grads(lambda a: linalg.lu(a)[0], (a,), order=2)


def test_lu_is_lapacks():
    of_scipy = pytest.importorskip("scipy.linalg").lu_factor
    for is_complex in (False, True):
        a = matrix((6, 6), is_complex)
        factors, pivots, _ = linalg.lu(a)
        expected, expected_pivots = of_scipy(a)
        np.testing.assert_allclose(factors, expected, atol=1e-13)
        np.testing.assert_array_equal(pivots, expected_pivots)


def test_a_singular_matrix_has_factors_but_no_derivative():
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_array_equal(linalg.lu(a)[0], [[2, 4], [0.5, 0]])
    with pytest.raises(np.linalg.LinAlgError):
        ft.jacrev(lambda a: linalg.lu(a)[0])(a)


def test_each_example():
    stack = rng.normal(size=(3, 4, 4))
    for found, expected in zip(
        ft.vmap(linalg.lu)(stack), zip(*map(linalg.lu, stack), strict=True), strict=True
    ):
        np.testing.assert_allclose(found, np.stack(expected), atol=1e-14)
    np.testing.assert_allclose(ft.jit(linalg.lu)(stack[0])[0], linalg.lu(stack[0])[0], atol=1e-14)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("is_complex", [True, False])
def test_pivoted_qr_is_lapacks(shape, is_complex):
    of_scipy = pytest.importorskip("scipy.linalg").qr
    a = matrix(shape, is_complex)
    q, r, order = linalg.qr(a, pivoting=True, full_matrices=False)
    expected = of_scipy(a, pivoting=True, mode="economic")
    np.testing.assert_array_equal(order, expected[2])
    np.testing.assert_allclose(r, expected[1], atol=1e-12)
    np.testing.assert_allclose(q @ r, a[:, order], atol=1e-13)
    check_grads(
        lambda a: np.abs(linalg.qr(a, pivoting=True, full_matrices=False)[1]), (a,), order=1
    )
