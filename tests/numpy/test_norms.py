"""Norms: as NumPy's, and their derivatives with those at the kink."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy


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


def test_norm_and_deviation_have_derivative_0_at_their_kink():
    zero = np.zeros(3)
    for order in (None, 1, 2, 3, 1.5, np.inf):
        np.testing.assert_array_equal(ft.grad(lambda x, o=order: np.linalg.norm(x, o))(zero), zero)
    np.testing.assert_array_equal(ft.grad(np.std)(np.ones(3)), zero)
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    gradient = ft.grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(rows)
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0, 0]])


@pytest.mark.parametrize("order", [0.5, -0.5, 0, -1, -2, 1, 1.5, np.inf, -np.inf])
@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [0.0, 0.0, 2.0], [0.0, 0.0]])
def test_elements_that_are_0_count_nothing_in_the_derivative_of_any_norm(order, x):
    """A norm depends on their sizes, which have a kink: its slope is 0 in all modes."""
    x = np.array(x)
    f = lambda x: np.linalg.norm(x, order)
    of_others = np.zeros_like(x)
    if order > 0 and x.any():
        of_others[x != 0] = ft.grad(f)(x[x != 0])
    for gradient in (ft.grad(f), ft.jacfwd(f), ft.jit(ft.grad(f)), ft.jit(ft.jacfwd(f))):
        np.testing.assert_allclose(gradient(x), of_others)
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(x[None]), of_others[None])


def test_norms_of_nothing():
    # NumPy 2.0 to 2.2 had no answer.
    for x, order in ((np.zeros(0), np.inf), (np.zeros((0, 2)), 1), (np.zeros((2, 0)), 2)):
        for keepdims in (False, True):
            norm = ft.jit(lambda x, o=order, k=keepdims: np.linalg.norm(x, o, keepdims=k))(x)
            np.testing.assert_array_equal(norm, np.zeros((1,) * x.ndim if keepdims else ()))
    with pytest.raises(ValueError, match="identity"):
        ft.jit(lambda x: np.linalg.norm(x, -np.inf))(np.zeros(0))


@pytest.mark.parametrize("axis", [0, -1, (0,)])
def test_a_number_has_no_axis_for_a_vector(axis):
    f = lambda x: np.linalg.vector_norm(x, axis=axis)
    for call in (f, ft.jit(f), ft.grad(f)):
        with pytest.raises(np.exceptions.AxisError):
            call(np.array(0.4))
    whole = lambda x: np.linalg.vector_norm(x, axis=())
    assert ft.jit(whole)(np.array(0.4)) == whole(np.array(0.4))
