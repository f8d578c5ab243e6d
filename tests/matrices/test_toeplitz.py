"""Systems with constant diagonals, held against the matrices that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import functrace as ft
from functrace.matrices.toeplitz import toeplitz_solve
from functrace.scipy import linalg
from functrace.tracing.tracer import bind

rng = np.random.default_rng(12)


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("of", [np.real, lambda x: x])
def test_gradients_are_those_of_the_whole_matrix(size, of):
    c, r, *b = (of(rng.normal(size=size) + 1j * rng.normal(size=size)) for _ in range(4))
    c[0] = r[0] = 4.0
    b = np.stack(b, -1)

    def fast(c, r, b):
        return bind(toeplitz_solve, np.stack([c, r]), b)

    def whole(c, r, b):
        return np.linalg.solve(linalg.toeplitz(c, r), b)

    x, pull = ft.vjp(fast, c, r, b)
    y, other = ft.vjp(whole, c, r, b)
    np.testing.assert_allclose(x, y, atol=1e-12)
    weight = rng.normal(size=x.shape).astype(x.dtype)
    for found, expected in zip(pull(weight), other(weight), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_singular_leading_part_is_no_matter():
    c, r = np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 1.0])
    with pytest.raises(np.linalg.LinAlgError):
        scipy.linalg.solve_toeplitz((c, r), np.ones(3))
    expected = np.linalg.solve(scipy.linalg.toeplitz(c, r), np.ones(3))
    np.testing.assert_allclose(linalg.solve_toeplitz((c, r), np.ones(3)), expected)
    with pytest.raises(np.linalg.LinAlgError):
        linalg.solve_toeplitz(np.ones(3), np.ones(3))


def test_no_matrix_is_made():
    program = ft.make_ir(linalg.solve_toeplitz)(np.ones(300), np.ones(300))
    assert max(x.type.size for e in program.equations for x in e.outputs) <= 600


def test_tangents_of_the_matrix():
    rng = np.random.default_rng(2)
    inputs = (np.array([6.0, *rng.normal(size=3)]), rng.normal(size=4), rng.normal(size=(4, 2)))
    tangents = [rng.normal(size=x.shape) for x in inputs]
    f = lambda c, r, b: linalg.solve_toeplitz((c, r), b)
    whole = lambda c, r, b: np.linalg.solve(linalg.toeplitz(c, r), b)
    for found, expected in zip(
        ft.jvp(f, inputs, tangents), ft.jvp(whole, inputs, tangents), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    square = lambda c: np.sum(f(c, *inputs[1:]) ** 2)
    other = lambda c: np.sum(whole(c, *inputs[1:]) ** 2)
    np.testing.assert_allclose(
        ft.hessian(square)(inputs[0]), ft.hessian(other)(inputs[0]), atol=1e-10
    )
