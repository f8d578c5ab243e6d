"""Series of `functrace.numpy.polynomial`: values as NumPy's, in every mode, and derivatives."""

from __future__ import annotations

from importlib import import_module
from inspect import isfunction

import numpy as np
import pytest

import functrace as ft
from functrace.errors import UnsupportedFunctionError
from functrace.testing import check_grads

MODULES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}
X, Y, Z = np.array([0.3, -0.7, 1.1]), np.array([0.5, 0.2, -0.4]), np.array([0.1, 0.9, 0.6])
C, D = np.array([0.5, -1.0, 0.25, 2.0]), np.array([1.5, 0.5, -0.5])
C2, C3 = np.arange(1.0, 7).reshape(2, 3) / 3, np.arange(1.0, 13).reshape(2, 3, 2) / 5
POINTS = np.linspace(-1, 1, 9)
VALUES, WEIGHTS = np.sin(3 * POINTS), 1 + POINTS**2

CALLS = {
    "val": [(X, C), (0.4, C), (X, C2), (X[:, None], C2), (X, C2, False), (X, C[:1])],
    "val2d": [(X, Y, C2)],
    "val3d": [(X, Y, Z, C3)],
    "grid2d": [(X, Y[:2], C2)],
    "grid3d": [(X, Y[:2], Z, C3)],
    "vander": [(X, 3), (X[:, None], 0)],
    "vander2d": [(X, Y, [1, 2])],
    "vander3d": [(X, Y, Z, [1, 2, 1])],
    "add": [(C, D), (D, C), (C2[0], C2[1])],
    "sub": [(C, D), (D, C)],
    "mul": [(C, D), (C[:1], D)],
    "mulx": [(C,), (D,)],
    "div": [(C, D), (C, D[:1]), (D, C)],
    "pow": [(D, 3), (D, 0), (D, 1)],
    "der": [(C,), (C, 2), (C, 1, 2.0), (C2, 1, 1, 1), (C, 9)],
    "int": [(C,), (C, 2, [0.5, 1.5]), (C, 1, 0.3, 0.2, 2.0), (C2, 1, 0, 0, 1, 1)],
    "line": [(0.5, 1.5)],
    "roots": [(C,), (D[:2],), (D,)],
    "fromroots": [(X,), (X[:1],)],
    "companion": [(C,), (D[:2],)],
    "weight": [(X / 2,)],
    "fit": [
        (POINTS, VALUES, 3),
        (POINTS, VALUES, [0, 2], None, False, WEIGHTS),
        (POINTS, np.stack([VALUES, WEIGHTS], 1), 2),
    ],
    "valfromroots": [(X, D), (X, C2, True), (0.5, C2)],
    "trim": [(C,)],
}
ALL = [
    pytest.param(module, name, args, id=f"{name}-{number}")
    for module, prefix in MODULES.items()
    for short, calls in CALLS.items()
    for number, args in enumerate(calls)
    if hasattr(getattr(np.polynomial, module), name := prefix + short)
]
ALL += [
    pytest.param(module, name, (C,), id=name)
    for module, prefix in MODULES.items()
    for name in (f"{prefix}2poly", f"poly2{prefix}")
    if module != "polynomial"
]


def functions(module, name):
    own = import_module(f"functrace.numpy.polynomial.{module}")
    return getattr(own, name), getattr(getattr(np.polynomial, module), name)


def arrays(args):
    """The numbers of the arguments that are traced: arrays and numbers in floating point."""
    return [n for n, x in enumerate(args) if isinstance(x, np.ndarray | float)]


def of_arrays(f, args):
    places = arrays(args)

    def g(*traced):
        given = list(args)
        for place, x in zip(places, traced, strict=True):
            given[place] = x
        return f(*given)

    return g, [args[place] for place in places]


def parts(x):
    leaves = x if isinstance(x, tuple) else (x,)
    return [p for leaf in leaves for p in (np.real(leaf), np.imag(leaf))]


def assert_close(found, expected, with_dtype=True):
    for x, y in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
        assert np.shape(x) == np.shape(y)
        if with_dtype:
            assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-11)


@pytest.mark.thinned
@pytest.mark.parametrize(("module", "name", "args"), ALL)
def test_values_and_derivatives(module, name, args):
    own, original = functions(module, name)
    expected = original(*args)
    f, traced = of_arrays(own, args)
    assert_close(own(*args), expected)
    assert_close(ft.vjp(f, *traced)[0], expected)
    if not name.endswith("trim"):
        is_complex_when_compiled = name.endswith("roots")
        assert_close(ft.jit(f)(*traced), expected, with_dtype=not is_complex_when_compiled)
        stacked = [np.stack([x, x]) for x in traced]
        mapped = ft.vmap(f)(*stacked)
        assert_close(ft.tree.map(lambda x: x[1], mapped), expected, not is_complex_when_compiled)
    g = lambda *xs: sum(np.sum(np.log1p(p**2)) for p in parts(f(*xs)))
    check_grads(g, traced, order=1)
    if "fit" not in name and "3d" not in name:
        check_grads(g, traced, order=2, modes=("rev",))


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there(module):
    own = import_module(f"functrace.numpy.polynomial.{module}")
    original = getattr(np.polynomial, module)
    assert own.__all__ == original.__all__
    known = {MODULES[module] + short for short in CALLS} | {
        f"{MODULES[module]}2poly",
        f"poly2{MODULES[module]}",
        f"{MODULES[module]}gauss",
        "chebpts1",
        "chebpts2",
        "chebinterpolate",
    }
    assert {name for name in original.__all__ if isfunction(getattr(original, name))} <= known | {
        name for name in original.__all__ if hasattr(getattr(original, name), "__wrapped__")
    }


@pytest.mark.parametrize("module", MODULES)
def test_quadrature_is_known_in_compiled_functions(module):
    own, original = (
        getattr(space, f"{MODULES[module]}gauss", None)
        for space in (
            import_module(f"functrace.numpy.polynomial.{module}"),
            getattr(np.polynomial, module),
        )
    )
    if own is None:
        return
    x, w = original(5)

    def integral(t):
        nodes, weights = own(5)
        assert type(nodes) is np.ndarray
        return np.sum(weights * np.cos(t * nodes))

    np.testing.assert_allclose(ft.jit(integral)(0.5), np.sum(w * np.cos(0.5 * x)))
    check_grads(integral, (0.5,), order=2)


def test_a_function_that_closes_over_traced_values_is_interpolated():
    from functrace.numpy.polynomial.chebyshev import chebinterpolate

    f = lambda t: chebinterpolate(lambda x: np.exp(t * x), 4)
    np.testing.assert_allclose(
        ft.vjp(f, 0.5)[0], np.polynomial.chebyshev.chebinterpolate(lambda x: np.exp(x / 2), 4)
    )
    check_grads(f, (0.5,), order=2)


@pytest.mark.parametrize(
    "kind", ["Polynomial", "Chebyshev", "Legendre", "Hermite", "HermiteE", "Laguerre"]
)
def test_classes(kind):
    own, original = getattr(ft.numpy.polynomial, kind), getattr(np.polynomial, kind)

    def f(kind, c, x):
        p = kind([c[0], c[1], 2.0])
        q = (p * p - p + 1.5) // p
        return q(x) + p.deriv()(x) * p.integ(1, k=[x])(c[2]) + (p**2).coef[1] + p.roots().real[0]

    expected = f(original, C, 0.3)
    np.testing.assert_allclose(ft.vjp(lambda c, x: f(own, c, x), C, 0.3)[0], expected)
    check_grads(lambda c, x: f(own, c, x), (C, 0.3), order=1)
    fitted = lambda y: own.fit(POINTS, y, 3)(0.2)
    np.testing.assert_allclose(ft.jit(fitted)(VALUES), original.fit(POINTS, VALUES, 3)(0.2))
    check_grads(fitted, (VALUES,), order=1)


def test_zeros_at_the_end_are_left_out_where_they_are_known():
    from functrace.numpy.polynomial.polynomial import polysub

    c = np.array([1.0, 2.0, 3.0])
    assert ft.vjp(lambda c: polysub(c, np.array([0.0, 0.0, 3.0])), c)[0].shape == (2,)
    assert ft.jit(lambda c: polysub(c, np.array([0.0, 0.0, 3.0])))(c).shape == (3,)


def test_numpys_own_namespace_says_where_to_go():
    from numpy.polynomial import Polynomial, chebyshev, polynomial

    for f, match in (
        (lambda t: chebyshev.chebmul(t, C), r"functrace\.numpy\.polynomial\.chebyshev\.chebmul"),
        (
            lambda t: polynomial.polyval(0.5, t),
            r"functrace\.numpy\.polynomial\.polynomial\.polyval",
        ),
        (lambda t: Polynomial(t)(0.5), r"functrace\.numpy\.polynomial,"),
    ):
        with pytest.raises(UnsupportedFunctionError, match=match):
            ft.grad(lambda t, f=f: np.sum(f(t)))(D)


def test_what_numpy_would_broadcast_otherwise_is_refused():
    # NumPy's code asks whether x is an array, and a traced value is none.
    for module, prefix in MODULES.items():
        val = getattr(getattr(np.polynomial, module), f"{prefix}val")
        np.testing.assert_array_equal(ft.jit(lambda x, val=val: val(x, C))(X), val(X, C))
        square = np.arange(9.0).reshape(3, 3)
        for way in (ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]):
            with pytest.raises(UnsupportedFunctionError, match=f"polynomial.{module}.{prefix}val"):
                way(lambda x, val=val: val(x, square))(X)
    with pytest.raises(UnsupportedFunctionError, match=r"polynomial\.polyvalfromroots"):
        ft.jit(lambda x: np.polynomial.polynomial.polyvalfromroots(x, D))(X)
