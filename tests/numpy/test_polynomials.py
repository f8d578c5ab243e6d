"""Polynomials of NumPy's own namespace: what depends on the values, roots, fits and classes."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.testing import check_grads

C = np.array([2.0, -3.0, -1.0, 3.0])
X = np.linspace(-1, 1.5, 8)
Y, W = np.cos(2 * X) + 0.1 * X**3, 1 + X**2


def same(found, expected, dtype=True):
    assert np.shape(found) == np.shape(expected)
    assert not dtype or found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_roots_of_each_kind():
    for c in (
        C,
        C[:2],
        C.astype(np.float32),
        C + 1j,
        [1.0, 0, 1.0],
        [0.0, 0, 1, -2, 0],
        [0.0, 5.0],
    ):
        c = np.asarray(c)
        same(ft.vjp(np.roots, c)[0], np.roots(c)) if len(np.roots(c)) else None
        if c[0]:
            compiled = ft.jit(np.roots)(c)
            assert compiled.dtype.kind == "c"
            np.testing.assert_allclose(compiled, np.roots(c), rtol=1e-6)
    assert ft.jit(np.roots)(np.array([3.0])).shape == (0,)
    with pytest.raises(np.linalg.LinAlgError, match="first coefficient"):
        ft.jit(np.roots)(np.array([0.0, 1.0, 2.0]))


def test_products_and_quotients_are_trimmed_where_values_are_known():
    a, b = np.array([0.0, 0.0, 1.0, 2.0]), np.array([1.0, -1.0])
    same(ft.vjp(np.polymul, a, b)[0], np.polymul(a, b))
    same(ft.jit(np.polymul)(a, b), np.convolve(a, b))
    u, v = np.array([1.0, 3.0, 3.0, 1.0]), np.array([1.0, 1.0])
    for way in (lambda f, *x: ft.vjp(f, *x)[0], lambda f, *x: ft.jit(f)(*x)):
        for found, expected in zip(way(np.polydiv, u, v), np.polydiv(u, v), strict=True):
            same(found, expected)
    product, rest = ft.jit(np.polydiv)(C, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(
        np.polyadd(np.polymul(product, [1.0, 2.0, 3.0]), rest), C, rtol=1e-13
    )


def test_coefficients_from_roots():
    for zeros in (np.array([1.0, -2.0, 0.5]), np.array([1j, -1j, 2.0]), np.array([1 + 1j, 2])):
        same(ft.vjp(np.poly, zeros)[0], np.poly(zeros))
        check_grads(
            lambda z: np.stack([np.real(p := np.poly(z)), np.imag(p)]), (zeros.real,), order=2
        )
    a = np.array([[1.0, 2.0], [3.0, 5.0]])
    same(ft.vjp(np.poly, a)[0], np.poly(a))
    check_grads(np.poly, (a,), order=1)  # the trace and the determinant
    np.testing.assert_allclose(
        ft.jacrev(np.poly)(a)[1:], [-np.eye(2), [[5.0, -3], [-2, 1]]], atol=1e-12
    )


@pytest.mark.parametrize("columns", [None, 2])
@pytest.mark.parametrize("w", [None, W])
@pytest.mark.parametrize("options", [{}, {"full": True}, {"cov": True}, {"cov": "unscaled"}])
def test_fits(columns, w, options):
    y = Y if columns is None else np.stack([Y, Y**2], axis=1)
    f = lambda x, y, w: np.polyfit(x, y, 2, w=w, **options)
    expected = f(X, y, w)
    for found in (ft.vjp(lambda x, y: f(x, y, w), X, y)[0], ft.jit(f)(X, y, w)):
        for part, other in zip(*((p if options else (p,)) for p in (found, expected)), strict=True):
            same(part, np.asarray(other), dtype=np.ndim(other) > 0)
    numbers = lambda *args: f(*args)[:2] if options else f(*args)
    given = (X, y) if w is None else (X, y, w)
    check_grads(lambda *args: numbers(*args, *([None] * (3 - len(args)))), given, order=1)


def test_a_fit_of_too_few_points_warns_at_the_users_line():
    f = lambda y: np.sum(np.polyfit(np.array([1.0, 1.0, 2.0]), y, 2))
    with pytest.warns(np.exceptions.RankWarning) as said:
        assert np.isfinite(ft.vjp(f, np.arange(3.0))[0])
    assert said[0].filename == __file__
    refused = pytest.raises(np.linalg.LinAlgError, match="less than 3")
    with refused, pytest.warns(np.exceptions.RankWarning):
        ft.grad(f)(np.arange(3.0))


def test_degrees_and_orders_are_known():
    with pytest.raises(TypeError):
        ft.jit(lambda n: np.polyfit(X, Y, n))(2)
    f = lambda p, k: np.polyint(p, 2, k=[k, 2.0])
    check_grads(lambda p, k: ft.numpy.polyint(p, 2, k=[k, 2.0]), (C, 0.5), order=2)
    same(ft.vjp(lambda p: f(p, 1.0), C)[0], f(C, 1.0))


def test_objects_hold_traced_coefficients():
    def computed(poly1d, c, x):
        p = poly1d([c[0], c[1], 1.0])
        q = p * p + p.deriv() - p.integ(k=x)
        quotient, _ = np.polydiv(q.coeffs, p.coeffs)
        return q(x) + np.polyval(quotient, 2.0) + q.coeffs[1] + p.roots.real[0] + p[0] * len(p)

    f = lambda c, x: computed(ft.numpy.poly1d, c, x)
    plain = lambda c, x: computed(np.poly1d, c, x)
    np.testing.assert_allclose(ft.vjp(f, C, 0.5)[0], plain(C, 0.5))
    check_grads(f, (C, 0.5), order=1)
    same(
        ft.vjp(lambda c: np.polyadd(np.poly1d([1.0, 2.0]), c).coeffs, C)[0],
        C + np.array([0, 0, 1, 2]),
    )


def test_values_in_lists():
    f = lambda t: ft.numpy.polyval([t, 1.0], 2.0) + ft.numpy.roots([1.0, t])[0]
    assert ft.grad(f)(3.0) == 1.0
