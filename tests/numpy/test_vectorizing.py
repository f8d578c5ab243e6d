"""`functrace.numpy.vectorize`, against `numpy.vectorize`."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.testing import check_grads

X, Y = np.array([[1.5], [-0.5]]), np.array([1.0, -2.0, 3.0])
product = lambda a, b: (a @ b, np.sum(a))
MATRICES = {"signature": "(i,j),(j,k)->(i,k)"}
CASES = {
    "elements": (lambda x, y: x * np.sin(y), (X, Y), {}, {}),
    "keywords": (lambda x, y=2.0: x * y, (X,), {"y": Y}, {}),
    "scalars": (lambda x, y: x + y, (1.5, 2.0), {}, {}),
    "excluded": (lambda p, x: p[0] * x + p[1], (Y, X), {}, {"excluded": [0]}),
    "excluded by name": (lambda x, p: np.polyval(p, x), (Y,), {"p": Y}, {"excluded": ["p"]}),
    "otypes": (lambda x: x * 2, (Y,), {}, {"otypes": "f"}),
    "several": (lambda x, y: (x + y, x * y), (X, Y), {}, {}),
    "signature": (product, (np.ones((2, 1, 3)), Y), {}, {"signature": "(n),(n)->(),()"}),
    "matrices": (np.matmul, (np.ones((4, 2, 3)), np.ones((3, 2))), {}, MATRICES),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_that_of_numpy(name):
    f, args, kwargs, options = CASES[name]
    expected = np.vectorize(f, **options)(*args, **kwargs)
    ours = fnp.vectorize(f, **options)
    call = lambda *xs: ours(*xs, **kwargs)
    for found in (call(*args), ft.jit(call)(*args), ft.vjp(call, *args)[0]):
        for part, other in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-6)
    if name != "otypes":
        check_grads(call, args, order=2, modes=("fwd", "rev"))


def test_branches_where_values_are_known():
    @fnp.vectorize(otypes=[np.float64])
    def ramp(x, slope):
        """A ramp."""
        return slope * x if x > 0 else 0.0

    assert ramp.__doc__ == "A ramp."
    assert ramp.__name__ == "ramp"
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(ramp(x, 3.0)))(Y), [3.0, 0.0, 3.0])
    np.testing.assert_array_equal(ft.jacfwd(lambda t: ramp(t * Y, 3.0))(1.0), [3.0, 0.0, 9.0])


def test_what_does_not_fit_is_refused():
    rows = fnp.vectorize(product, signature="(n),(n)->(),()")
    for x, y in ((Y, np.ones(2)), (1.0, Y)):
        with pytest.raises(ValueError, match="dimension"):
            ft.vjp(rows, x, y)
    with pytest.raises(ValueError, match="operands"):
        ft.jit(rows)(Y)


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit])
def test_functions_of_rows_that_close_over_traced_values(transform):
    rows = np.array([[0.3, -1.2, 2.0], [0.7, -0.4, 1.6]])
    along = transform(lambda t: fnp.apply_along_axis(lambda r: t * np.sum(r), 1, rows))
    np.testing.assert_allclose(ft.jacrev(along)(2.0), np.sum(rows, 1))
    pieces = transform(lambda t: fnp.piecewise(rows, [rows > 0], [lambda v: t * v, lambda v: v]))
    np.testing.assert_allclose(ft.jacfwd(pieces)(2.0), np.where(rows > 0, rows, 0))
    over = transform(lambda t: fnp.apply_over_axes(lambda x, axis: t * np.sum(x, axis), rows, [0]))
    np.testing.assert_allclose(ft.jacrev(over)(2.0), np.sum(rows, 0, keepdims=True))
    listed = transform(lambda t: fnp.piecewise([t, 1.0], [[True, False]], [lambda v: v**2, 7.0]))
    np.testing.assert_allclose(ft.jacrev(listed)(2.0), [4, 0])
    mapped = ft.vmap(along)(np.array([1.0, 2.0]))
    np.testing.assert_allclose(mapped[1], 2 * np.sum(rows, 1))


def test_functions_of_rows():
    rows = np.array([[0.3, -1.2, 2.0], [0.7, -0.4, 1.6]])
    # Where rows are known, a function of one may have branches.
    branches = lambda r: np.max(r) if r[0] > 0.5 else np.min(r)
    gradient = ft.grad(lambda x: np.sum(np.apply_along_axis(branches, 1, x)))(rows)
    np.testing.assert_array_equal(gradient, [[0, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="iteration dimensions are 0"):
        ft.jit(lambda x: np.apply_along_axis(np.sum, 0, x))(np.zeros((2, 0)))
    with pytest.raises(ValueError, match="correct shape"):
        ft.jit(lambda x: np.apply_over_axes(lambda x, axis: np.sum(x), x, [0]))(rows)
    assert type(fnp.apply_along_axis(np.sum, 0, rows)) is np.ndarray


def test_methods_of_functions_of_two_elements():
    plain = np.frompyfunc(lambda a, b: a * b + a, 2, 1)
    traced = fnp.frompyfunc(lambda a, b: a * b + a, 2, 1)
    x = np.arange(6.0).reshape(2, 3) / 3
    for f in (
        lambda u, x: u.reduce(x), lambda u, x: u.reduce(x, axis=1, keepdims=True),
        lambda u, x: u.reduce(x, axis=-1), lambda u, x: u.accumulate(x, axis=1),
        lambda u, x: u.outer(x, x[0]),
    ):  # fmt: skip
        expected = f(plain, x).astype(float)
        np.testing.assert_allclose(ft.jit(lambda x, f=f: f(traced, x))(x), expected)
        np.testing.assert_array_equal(f(traced, x), f(plain, x))
        check_grads(ft.jit(lambda x, f=f: f(traced, x)), (x,))
