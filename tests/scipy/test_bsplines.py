"""B-splines in their data, their knots and at traced points."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate

import functrace as ft
from functrace.scipy.interpolate import BSpline, make_interp_spline
from functrace.testing import check_grads

RNG = np.random.default_rng(3)
X = np.linspace(0, 5, 9) + RNG.uniform(-0.2, 0.2, 9)
Y = RNG.normal(size=9)
POINTS = np.array([[-0.5, 0.4, 2.2], [3.1, X[4], 5.5]])
THEIRS = scipy.interpolate.make_interp_spline


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5])
def test_splines_of_each_degree(k):
    expected = THEIRS(X, Y, k)(POINTS)
    f = lambda x, y, p: make_interp_spline(x, y, k)(p)
    for found in (f(X, Y, POINTS), ft.vjp(f, X, Y, POINTS)[0], ft.jit(f)(X, Y, POINTS)):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    places = POINTS + 0.01  # no knot
    check_grads(lambda y, p: f(X, y, p), (Y, places), order=2, modes=("fwd", "rev"))
    if k:
        check_grads(lambda x: f(x, Y, places), (X,), order=1)
    many = np.stack([Y, Y**2], 1)
    np.testing.assert_allclose(
        ft.vmap(lambda y: f(X, y, POINTS), 1)(many),
        THEIRS(X, many.T, k, axis=1)(POINTS),
        atol=1e-11,
    )


@pytest.mark.parametrize(
    "ends",
    ["natural", "clamped", "not-a-knot", ([(1, 0.5)], [(2, 0.3)]), ([(1, 0.5), (2, 0.1)], None)],
)
def test_conditions_at_the_ends(ends):
    for axis, y in ((0, Y), (1, np.stack([Y, -2 * Y])))[: 1 + isinstance(ends, str)]:
        expected = THEIRS(X, y, 3, bc_type=ends, axis=axis)(POINTS)
        f = lambda y, axis=axis: make_interp_spline(X, y, 3, bc_type=ends, axis=axis)(POINTS)
        np.testing.assert_allclose(f(y), expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ft.jit(f)(y), expected, rtol=1e-10, atol=1e-12)
        check_grads(f, (y,), order=1)
    slope = lambda s: make_interp_spline(X, Y, 3, bc_type=([(1, s)], [(1, 0.0)]))
    np.testing.assert_allclose(ft.grad(lambda s: slope(s)(X[0], 1))(0.7), 1.0, rtol=1e-9)


def test_what_is_made_of_a_spline():
    theirs = THEIRS(X, np.stack([Y, Y**2], 1), 3)
    ours = BSpline(theirs.t, theirs.c, 3)
    for f in (
        lambda s, p: s(p, 2), lambda s, p: s(p, extrapolate=False), lambda s, p: s.derivative(3)(p),
        lambda s, p: s(p, extrapolate="periodic"), lambda s, p: s.antiderivative(2)(p),
        lambda s, p: s.integrate(p[0, 1], p[1, 0]),
        lambda s, p: s.integrate(p[0, 0], p[1, 2], extrapolate=False),
    ):  # fmt: skip
        expected = f(theirs, POINTS)
        for found in (f(ours, POINTS), ft.jit(lambda p, f=f: f(ours, p))(POINTS)):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    check_grads(lambda a, b: ours.integrate(a, b), (0.3, 4.2), order=2)


def test_what_does_not_fit():
    for call in (
        lambda make: make(X, Y[:-1]),
        lambda make: make(X[::-1], Y),
        lambda make: make(X, Y, 3, bc_type=([(1, 0.0)], None)),
        lambda make: make(X, Y, 3, bc_type="no"),
        lambda make: make(X, Y, 0, bc_type="natural"),
    ):
        for make in (make_interp_spline, THEIRS):
            with pytest.raises(ValueError):  # noqa: PT011  (the words are other ones)
                call(make)
    with pytest.raises(ValueError, match="at least 8 knots"):
        BSpline(X[:5], Y, 3)
    with pytest.raises(ValueError, match="First and last points does not match"):
        make_interp_spline(X, Y, bc_type="periodic")
    with pytest.raises(NotImplementedError, match="knots t cannot be given"):
        make_interp_spline(X, np.sin(X) * 0, t=X, bc_type="periodic")


@pytest.mark.parametrize(("k", "count"), [(1, 9), (2, 9), (3, 9), (5, 9), (4, 4)])
def test_periodic_curves(k, count):
    x, y = X[:count], np.append(Y[: count - 1], Y[0])[:, None] * [1.0, -2.0]
    theirs = THEIRS(x, y, k, bc_type="periodic")
    f = lambda y, p: make_interp_spline(x, y, k, bc_type="periodic")(p)
    for found in (f(y, POINTS), ft.jit(f)(y, POINTS)):
        np.testing.assert_allclose(found, theirs(POINTS), rtol=1e-9, atol=1e-9)
    closed = lambda y, p: f(np.concatenate([y, y[:1]]), p)
    check_grads(closed, (y[:-1], POINTS + 0.01), order=2, modes=("fwd", "rev"))
    if k > 1:
        ours = make_interp_spline(x, y, k, bc_type="periodic")
        expected = theirs.integrate(-7.0, 13.0)
        np.testing.assert_allclose(ours.integrate(-7.0, 13.0), expected, rtol=1e-9)
        check_grads(ours.integrate, (-7.0, 13.0), order=1)
        cyclic = lambda x, p: make_interp_spline(x, y, k, bc_type="periodic")(p)
        check_grads(cyclic, (x, POINTS + 0.01), order=1)
