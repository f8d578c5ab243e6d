"""Splines and grids: SciPy's values, and derivatives by points, values and nodes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.interpolate

import functrace as ft
from functrace.scipy import interpolate

RNG = np.random.default_rng(0)
X = np.array([0.0, 0.7, 1.5, 2.0, 3.2, 4.0])
Y = np.array([1.0, 0.2, 0.5, 2.0, 1.8, 1.0])
POINTS = np.array([[0.1, 0.7, 3.9], [2.2, 1.49, 3.0]])


def numerical(f, x, step=1e-6):
    """The Jacobian by central differences."""
    columns = []
    for n in range(x.size):
        move = np.zeros(x.size)
        move[n] = step
        move = move.reshape(x.shape)
        columns.append((f(x + move) - f(x - move)) / (2 * step))
    return np.stack(columns, -1).reshape(*np.shape(f(x)), *x.shape)


def agree(f, x, expected, rtol=1e-10):
    """Values, and first derivatives in every mode."""
    np.testing.assert_allclose(f(x), expected, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(ft.jit(f)(x), expected, rtol=rtol, atol=1e-12)
    jacobian = ft.jacrev(f)(x)
    np.testing.assert_allclose(jacobian, numerical(f, x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ft.jacfwd(f)(x), jacobian, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ft.jit(ft.jacrev(f))(x), jacobian, rtol=1e-9, atol=1e-11)
    many = np.stack([x, x + 0.01])
    np.testing.assert_allclose(ft.vmap(f)(many)[1], f(x + 0.01), rtol=1e-9, atol=1e-11)


CONDITIONS = {
    "not-a-knot": "not-a-knot",
    "natural": "natural",
    "clamped": "clamped",
    "periodic": "periodic",
    "mixed": ((1, 0.3), "natural"),
    "second": ((2, -0.5), (1, 2.0)),
    "half": ("not-a-knot", (2, 0.4)),
}


@pytest.mark.thinned
@pytest.mark.parametrize("count", [2, 3, 4, 6])
@pytest.mark.parametrize("name", CONDITIONS)
def test_cubic_splines_in_their_data(name, count):
    bc_type = CONDITIONS[name]
    x, y = X[:count], Y[:count]
    points = np.array([0.05, 0.31, 0.69, x[-1] - 0.02])
    if name == "periodic":
        y = np.append(y[:-1], y[0])
        rest = lambda y: np.append(y, y[0])
        make = lambda y: interpolate.CubicSpline(x, np.append(y, y[:1]), bc_type=bc_type)(points)
        theirs = scipy.interpolate.CubicSpline(x, y, bc_type=bc_type)(points)
        agree(make, y[:-1], theirs)
        assert rest(y[:-1]).shape == x.shape
        return
    theirs = scipy.interpolate.CubicSpline(x, y, bc_type=bc_type)(points)
    agree(lambda y: interpolate.CubicSpline(x, y, bc_type=bc_type)(points), y, theirs)
    agree(lambda x: interpolate.CubicSpline(x, y, bc_type=bc_type)(points), x, theirs)


@pytest.mark.parametrize("nu", [0, 1, 2, 3, 4, -1])
@pytest.mark.parametrize("kind", ["CubicSpline", "PchipInterpolator"])
def test_splines_at_traced_points(kind, nu):
    ours, theirs = getattr(interpolate, kind)(X, Y), getattr(scipy.interpolate, kind)(X, Y)
    points = np.array([-0.3, 0.1, 2.2, 1.49, 3.9, 4.4])
    expected = theirs(points, nu) if nu >= 0 else theirs.antiderivative()(points)
    np.testing.assert_allclose(ours(points, nu), expected, rtol=1e-12, atol=1e-13)
    agree(lambda p: ours(p, nu), points, expected)
    slope = ft.vmap(ft.grad(lambda p: ours(p, nu)))(points)
    np.testing.assert_allclose(slope, ours(points, nu + 1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["CubicSpline", "PchipInterpolator"])
def test_derivatives_and_integrals_of_splines(kind):
    make, theirs = getattr(interpolate, kind), getattr(scipy.interpolate, kind)(X, Y)
    agree(lambda y: make(X, y).derivative(2)(POINTS), Y, theirs.derivative(2)(POINTS), 1e-9)
    agree(lambda y: make(X, y).antiderivative(2)(POINTS), Y, theirs.antiderivative(2)(POINTS))
    agree(lambda y: make(X, y).integrate(0.3, 4.4), Y, theirs.integrate(0.3, 4.4))
    agree(
        lambda e: make(X, Y).integrate(e[0], e[1]), np.array([3.0, 0.2]), theirs.integrate(3.0, 0.2)
    )
    np.testing.assert_allclose(make(X, Y).derivative(5)(1.0), 0.0)
    np.testing.assert_allclose(make(X, Y).solve(0.9), theirs.solve(0.9))
    np.testing.assert_allclose(make(X, Y - 0.9).roots(), theirs.solve(0.9), atol=1e-12)
    with pytest.raises(ft.errors.ArgumentError, match="brentq"):
        ft.jacrev(lambda y: make(X, y).roots())(Y)


def test_periodic_splines_go_round():
    y = np.append(Y[:-1], Y[0])
    ours = interpolate.CubicSpline(X, y, bc_type="periodic")
    theirs = scipy.interpolate.CubicSpline(X, y, bc_type="periodic")
    points = np.array([-3.3, 4.5, 9.1, 1.0])
    agree(ours, points, theirs(points))
    agree(lambda e: ours.integrate(e[0], e[1]), np.array([-3.0, 9.5]), theirs.integrate(-3.0, 9.5))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes_of_values(axis):
    y = np.moveaxis(RNG.normal(size=(6, 2, 3)), 0, axis)
    for kind in ("CubicSpline", "PchipInterpolator"):
        theirs = getattr(scipy.interpolate, kind)(X, y, axis=axis)
        for points in (1.1, np.array([0.2, 3.3]), POINTS):
            ours = ft.jit(lambda y: getattr(interpolate, kind)(X, y, axis=axis)(points))(y)
            np.testing.assert_allclose(ours, theirs(points), rtol=1e-11, atol=1e-12)
            slopes = getattr(interpolate, kind)(X, y, axis=axis).derivative()
            np.testing.assert_allclose(slopes(points), theirs(points, 1), rtol=1e-11, atol=1e-12)


def test_extrapolation():
    for extrapolate in (True, False):
        ours = interpolate.CubicSpline(X, Y, extrapolate=extrapolate)
        theirs = scipy.interpolate.CubicSpline(X, Y, extrapolate=extrapolate)
        points = np.array([-1.0, 0.0, 4.0, 5.0])
        np.testing.assert_allclose(ft.jit(ours)(points), theirs(points))
    slopes = ft.jacrev(interpolate.CubicSpline(X, Y, extrapolate=False))(points)
    assert np.all(slopes[[0, 3]] == 0)


def test_second_derivatives_and_hermite_splines():
    slopes = np.array([0.5, -1.0, 0.3, 0.2, -0.7, 0.0])
    theirs = scipy.interpolate.CubicHermiteSpline(X, Y, slopes)(POINTS)
    agree(lambda s: interpolate.CubicHermiteSpline(X, Y, s)(POINTS), slopes, theirs)
    f = lambda p: interpolate.CubicSpline(X, Y)(p)
    assert ft.grad(ft.grad(f))(1.1) == pytest.approx(interpolate.CubicSpline(X, Y)(1.1, 2))
    complex_y = Y + 1j * Y[::-1]
    theirs = scipy.interpolate.CubicSpline(X, complex_y)(POINTS)
    found = ft.jit(lambda y: interpolate.CubicSpline(X, y)(POINTS))(complex_y)
    np.testing.assert_allclose(found, theirs, rtol=1e-11)


def test_many_nodes():
    x = np.linspace(0.0, 10.0, 300)
    f = lambda y: np.sum(interpolate.CubicSpline(x, y)(np.array([0.11, 5.05, 9.99])))
    weights = ft.grad(f)(np.sin(x))
    assert np.sum(weights * np.sin(x)) == pytest.approx(
        np.sum(np.sin([0.11, 5.05, 9.99])), abs=1e-5
    )


def test_errors_of_splines():
    with pytest.raises(ValueError, match="strictly increasing"):
        ft.jacrev(lambda y: interpolate.CubicSpline(X[::-1], y)(1.0))(Y)
    with pytest.raises(ValueError, match="doesn't match the length"):
        ft.jacrev(lambda y: interpolate.CubicSpline(X[:-1], y)(1.0))(Y)
    with pytest.raises(ValueError, match="must be identical"):
        ft.jacrev(lambda y: interpolate.CubicSpline(X, y, bc_type="periodic")(1.0))(Y + X)
    with pytest.raises(ValueError, match="is not allowed"):
        ft.jacrev(lambda y: interpolate.CubicSpline(X, y, bc_type="loose")(1.0))(Y)


@pytest.mark.parametrize(
    "kind",
    [
        "linear",
        "slinear",
        "zero",
        "previous",
        "next",
        "nearest",
        "nearest-up",
        "quadratic",
        "cubic",
        4,
    ],
)
def test_interp1d(kind):
    points = np.array([[0.1, 0.8, 3.9], [2.2, 1.49, 3.0]])
    theirs = scipy.interpolate.interp1d(X, Y, kind)(points)
    agree(lambda y: interpolate.interp1d(X, y, kind)(points), Y, theirs)
    agree(lambda p: interpolate.interp1d(X, Y, kind)(p), points, theirs)
    order = RNG.permutation(6)
    agree(lambda x: interpolate.interp1d(x, Y[order], kind)(points), X[order], theirs)
    y = np.stack([Y, 2 * Y])
    both = interpolate.interp1d(X, y, kind)(points)
    np.testing.assert_allclose(both, scipy.interpolate.interp1d(X, y, kind)(points), atol=1e-12)
    first = interpolate.interp1d(X, y.T, kind, axis=0)(points)
    np.testing.assert_allclose(first, np.moveaxis(both, 0, -1), atol=1e-12)


@pytest.mark.parametrize(
    "kind",
    [
        "linear",
        "slinear",
        "nearest",
        "nearest-up",
        "previous",
        "next",
        "zero",
        "quadratic",
        "cubic",
    ],
)
def test_interp1d_has_scipys_dtypes(kind):
    single, double = np.dtype("f4"), np.dtype("f8")
    points = np.array([-1.0, 0.3, 2.5])
    for dtypes in itertools.product(
        (single, double), (single, double, np.dtype("i4")), (single, double)
    ):
        x, y, p = (a.astype(dtype) for a, dtype in zip((X, Y, points), dtypes, strict=True))
        for fill in (np.nan, np.float64(0.5), np.array(2.0)):
            more = {"fill_value": fill, "bounds_error": False}
            theirs = scipy.interpolate.interp1d(x, y, kind, **more)(p)
            f = interpolate.interp1d(x, y, kind, **more)
            for ours in (f(p), ft.jit(f)(p), ft.vmap(f)(p)):
                assert ours.dtype == theirs.dtype
                np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    f = interpolate.interp1d(X.astype(single), Y.astype(single), kind, fill_value=0.0)
    g = interpolate.interp1d(X, Y, kind, fill_value=0.0)
    slope = ft.grad(f)(np.float32(2.5))
    assert slope.dtype == single
    np.testing.assert_allclose(slope, ft.grad(g)(2.5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "nearest", "previous", "next", "quadratic", "cubic"])
def test_interp1d_at_nodes_and_outside(kind):
    points = np.array([-1.0, *X, 0.35, 5.0])
    for more in (
        {"bounds_error": False},
        {"fill_value": 7.0, "bounds_error": False},
        {"fill_value": (6.0, 7.0), "bounds_error": False},
        {"fill_value": "extrapolate"},
    ):
        theirs = scipy.interpolate.interp1d(X, Y, kind, **more)(points)
        ours = interpolate.interp1d(X, Y, kind, **more)
        np.testing.assert_allclose(ours(points), theirs, rtol=1e-11)
        np.testing.assert_allclose(ft.jit(ours)(points), theirs, rtol=1e-11)
    strict = interpolate.interp1d(X, Y, kind)
    with pytest.raises(ValueError, match="below the interpolation range"):
        ft.grad(strict)(-1.0)
    assert np.isnan(ft.jit(strict)(-1.0))


def test_interp1d_of_other_kinds_is_refused():
    with pytest.raises(ft.errors.ArgumentError, match=r"'smooth'.*\n.*\n.*CubicSpline"):
        interpolate.interp1d(X, Y, "smooth")


GRID = (X[:4], np.array([-1.0, 0.5, 3.0]), np.array([5.0, 2.0]))
VALUES = RNG.normal(size=(4, 3, 2, 2))
INSIDE = np.array([[0.3, 0.1, 4.0], [1.9, 2.9, 2.2], [0.71, -0.9, 3.3]])


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_regular_grids(method):
    theirs = scipy.interpolate.RegularGridInterpolator(GRID, VALUES, method)(INSIDE)
    make = lambda values: interpolate.RegularGridInterpolator(GRID, values, method)
    agree(lambda v: make(v)(INSIDE), VALUES, theirs)
    agree(lambda p: make(VALUES)(p), INSIDE, theirs)
    nodes = GRID[0]
    by_nodes = lambda x: interpolate.interpn((x, *GRID[1:]), VALUES, INSIDE, method)
    agree(by_nodes, nodes, theirs)
    apart = tuple(INSIDE.T)
    np.testing.assert_allclose(make(VALUES)(apart), theirs, rtol=1e-12)
    one = scipy.interpolate.RegularGridInterpolator(GRID, VALUES, method)(INSIDE[0])
    np.testing.assert_allclose(make(VALUES)(INSIDE[0]), one, rtol=1e-12)
    shaped = INSIDE.reshape(1, 3, 3)
    assert make(VALUES)(shaped).shape == (1, 3, 2)


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_regular_grids_outside(method):
    outside = np.array([[-0.5, 0.1, 4.0], [9.0, 9.0, 9.0], [0.3, 0.1, 4.0], [np.nan, 0.1, 4.0]])
    for fill in (np.nan, 3.0, None):
        more = {"bounds_error": False, "fill_value": fill}
        theirs = scipy.interpolate.RegularGridInterpolator(GRID, VALUES, method, **more)(outside)
        ours = interpolate.RegularGridInterpolator(GRID, VALUES, method, **more)
        np.testing.assert_allclose(ours(outside), theirs, rtol=1e-11)
        np.testing.assert_allclose(ft.jit(ours)(outside), theirs, rtol=1e-11)
    strict = interpolate.RegularGridInterpolator(GRID, VALUES, method)
    with pytest.raises(ValueError, match="out of bounds in dimension 0"):
        strict(outside[:2])
    with pytest.raises(ValueError, match="out of bounds in dimension 0"):
        ft.jacrev(strict)(outside[0])


def test_grids_as_scipy_has_them():
    single = (np.array([0.0]), X)
    values = Y[None]
    points = np.array([[0.0, 1.0], [0.0, 3.3]])
    theirs = scipy.interpolate.RegularGridInterpolator(single, values)(points)
    ours = interpolate.RegularGridInterpolator(single, values)(points)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    line = interpolate.RegularGridInterpolator((X,), Y)
    theirs = scipy.interpolate.RegularGridInterpolator((X,), Y)
    for points in ([1.0, 2.0], np.array([[1.0], [2.0]])):
        np.testing.assert_allclose(line(points), theirs(points), rtol=1e-12)
    with pytest.raises(ft.errors.ArgumentError, match="'cubic'"):
        interpolate.RegularGridInterpolator((X,), Y, "cubic")
    with pytest.raises(ValueError, match="have dimension 2 but this"):
        line(np.ones((3, 2)))
    with pytest.raises(ValueError, match="6 points and 5 values in dimension 0"):
        interpolate.RegularGridInterpolator((X,), Y[:5])
    with pytest.raises(ValueError, match="strictly ascending or descending"):
        interpolate.RegularGridInterpolator((np.zeros(6),), Y)
    assert interpolate.BarycentricInterpolator is scipy.interpolate.BarycentricInterpolator
    with pytest.raises(AttributeError, match="has no attribute 'CubeSpline'"):
        interpolate.CubeSpline  # noqa: B018


def test_reprs():
    spline = interpolate.CubicSpline(np.arange(4.0), np.arange(4.0) ** 2)
    assert repr(spline) == "<CubicSpline of 3 pieces>"
