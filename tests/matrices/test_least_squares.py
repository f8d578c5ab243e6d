"""Least-squares solutions: derivatives of full rank, and their refusal of any other."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads

rng = np.random.default_rng(5)
TALL, WIDE, SQUARE = rng.normal(size=(5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(3, 3))
DEFICIENT = np.outer([1.0, 2.0, 3.0, 4.0], [1.0, -1.0])


@pytest.mark.parametrize("a", [TALL, WIDE, SQUARE], ids=["tall", "wide", "square"])
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("columns", [None, 2])
def test_derivatives(a, is_complex, columns):
    b = rng.normal(size=len(a) if columns is None else (len(a), columns))
    if is_complex:
        a, b = a + 1j * a[::-1], b + 0.5j
    for f in (
        lambda a, b: np.linalg.lstsq(a, b)[0],
        lambda a, b: np.linalg.lstsq(a, b)[1],
        lambda a, b: np.linalg.lstsq(a, b)[3],
    ):
        if np.size(f(a, b)):
            check_grads(f, (a, b), order=2)


def test_values_and_types():
    for a in (TALL, WIDE, SQUARE, DEFICIENT, np.zeros((3, 0)), np.zeros((0, 2))):
        for dtype in (np.float64, np.float32, np.complex64, np.int64):
            for b in (np.ones(len(a), dtype), np.ones((len(a), 2), dtype), np.ones((len(a), 0))):
                expected = np.linalg.lstsq(a.astype(dtype), b)
                found = ft.vjp(lambda a, b: np.linalg.lstsq(a, b), 1.0 * a.astype(dtype), 1.0 * b)[
                    0
                ]
                compiled = ft.jit(np.linalg.lstsq)(a.astype(dtype), b)
                for way in (found, compiled):
                    for x, y in zip(way, expected, strict=True):
                        if way is compiled and np.size(x) > np.size(y) == 0:  # the residuals
                            continue
                        assert np.shape(x) == np.shape(y)
                        assert type(x) is type(y)
                        tolerance = 1e-4 if np.dtype(dtype).itemsize == 4 else 1e-12
                        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
                        assert x.dtype == y.dtype or np.dtype(dtype).kind == "i"


def test_compiled_residuals_of_what_has_not_full_rank_are_what_they_say():
    b = rng.normal(size=4)
    x, residuals, rank, _ = ft.jit(np.linalg.lstsq)(DEFICIENT, b)
    assert rank == 1
    np.testing.assert_allclose(residuals, [np.sum((b - DEFICIENT @ x) ** 2)])


def test_no_derivative_where_the_rank_is_not_full():
    f = lambda a: np.sum(np.linalg.lstsq(a, np.arange(4.0))[0])
    assert f(DEFICIENT) == ft.jit(f)(DEFICIENT)
    for derivative in (ft.grad(f), ft.jit(ft.grad(f)), lambda a: ft.jvp(f, (a,), (a,))):
        with pytest.raises(np.linalg.LinAlgError, match="less than 2"):
            derivative(DEFICIENT)
    # A tolerance says what the rank is.
    nearly = DEFICIENT + 1e-6 * rng.normal(size=(4, 2))
    g = lambda a, rcond: np.sum(np.linalg.lstsq(a, np.arange(4.0), rcond)[0])
    assert np.all(np.isfinite(ft.grad(g)(nearly, 1e-9)))
    with pytest.raises(np.linalg.LinAlgError, match="rank"):
        ft.grad(g)(nearly, 1e-3)


def test_each_example():
    a, b = rng.normal(size=(3, 4, 2)), rng.normal(size=(4, 3))
    f = lambda a, b: np.sum(np.linalg.lstsq(a, b)[0] ** 2) + np.linalg.lstsq(a, b)[1][0]
    for found, expected in zip(
        ft.vmap(ft.grad(f, (0, 1)), (0, 1))(a, b),
        zip(*[ft.grad(f, (0, 1))(a[i], b[:, i]) for i in range(3)], strict=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-10)


def test_shapes_that_do_not_fit():
    for a, b in ((TALL, np.ones(3)), (np.ones(3), np.ones(3)), (np.ones((2, 3, 3)), np.ones(3))):
        with pytest.raises(np.linalg.LinAlgError):
            np.linalg.lstsq(a, b)
        with pytest.raises(np.linalg.LinAlgError):
            ft.jit(np.linalg.lstsq)(a, b)
