from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace import lax
from functrace.backends.native import blocked
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import why_not
from functrace.numpy.linear_algebra import solve_triangular
from tests.backends.native.comparing import as_numpy

if not blocked.is_there(np.dtype(np.float64)):
    pytest.skip("NumPy brings no OpenBLAS along", allow_module_level=True)

SIZES = (65, 150)


def covariance(a):
    return a @ a.T + np.eye(len(a), dtype=a.dtype)


def triangles(a, b):
    a = a / len(a) + 2.0 * np.eye(len(a))
    return [
        solve_triangular(way, sides, lower=lower, unit_diagonal=unit)
        for lower in (True, False)
        for unit in (True, False)
        for sides in (b, b[:, :1])
        for way in (a, a.T)
    ]


OPERATIONS = {
    "solve": np.linalg.solve,
    "one right-hand side": lambda a, b: np.linalg.solve(a, b[:, 0]),
    "inverse": lambda a, b: np.linalg.inv(a),
    "logarithm": lambda a, b: np.linalg.slogdet(a)[:],
    "determinant": lambda a, b: np.linalg.det(a / 8),
    "cholesky": lambda a, b: np.linalg.cholesky(covariance(a)),
    "triangles": triangles,
    "lu": lambda a, b: lax.linalg.lu(a),
}


def assert_as_numpy(f, *args, rtol=1e-9, **options):
    for x, y in as_numpy(f, *args, **options):
        atol = rtol * np.max(np.abs(y), initial=0)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


@pytest.mark.thinned
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_values(name, size):
    rng = np.random.default_rng(size)
    assert_as_numpy(OPERATIONS[name], rng.normal(size=(size, size)), rng.normal(size=(size, 9)))


@pytest.mark.parametrize("name", ["cholesky", "solve", "logarithm"])
def test_gradients(name):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(90, 90)), rng.normal(size=(90, 2))

    def loss(a, b):
        return sum(np.sum(np.sin(x)) for x in ft.tree.leaves(OPERATIONS[name](a, b)))

    assert_as_numpy(ft.value_and_grad(loss, (0, 1)), a, b, whole=False)


def test_stacks_and_other_types():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 70, 70)).astype(np.float32)
    b = rng.normal(size=(70, 9)).astype(np.float32)
    assert_as_numpy(lambda a, b: np.linalg.solve(a, b), a, b, rtol=1e-2)
    assert_as_numpy(lambda a: np.linalg.cholesky(a @ a.mT + np.eye(70)), a, rtol=1e-3)
    whole = rng.integers(-3, 3, size=(70, 70)) + 70 * np.eye(70, dtype=int)
    assert_as_numpy(lambda a: (np.linalg.inv(a), solve_triangular(a, a, lower=True)), whole)


def changed(size, place, value):
    a = np.eye(size)
    a[place] = value
    return a


@pytest.mark.thinned
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (69, 69), (69, 3)])
def test_what_numpy_refuses_or_warns_of(place, value):
    def all_of_it(a):
        return np.linalg.cholesky(a), np.linalg.inv(a), np.linalg.slogdet(a)[:]

    f = ft.jit(all_of_it, backend="native")
    a = changed(70, place, value)
    with np.errstate(all="ignore"):
        try:
            expected = all_of_it(a)
        except np.linalg.LinAlgError as error:
            with pytest.raises(np.linalg.LinAlgError, match=str(error)):
                f(a)
        else:
            for x, y in zip(ft.tree.leaves(f(a)), ft.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


# Products


def written(f, *args):
    """Whether a function's products are written for their halves."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        whole = blocked.product
        patch.setattr(blocked, "product", lambda *given: found.append(whole(*given)) or found[-1])
        ft.jit(f, backend="native")(*args)
    return found


LOWER, UPPER = (cut(np.ones((130, 130))) for cut in (np.tril, np.triu))
PRODUCTS = {
    "lower with all": lambda a, b: (a * LOWER) @ b,
    "all with upper": lambda a, b: a @ np.where(UPPER > 0, b, 0.0),
    "lower with lower": lambda a, b: (a * LOWER) @ (b * LOWER),
    "upper with lower": lambda a, b: (a * UPPER) @ (b * LOWER),
    "transposed": lambda a, b: (a * LOWER).T @ (b * UPPER).T,
    "the lower half": lambda a, b: (a @ b) * LOWER,
    "the upper half of halves": lambda a, b: ((a * LOWER) @ (b * UPPER)) * UPPER,
    "a diagonal": lambda a, b: (a * np.eye(130)) @ b,
    "stacks": lambda a, b: np.stack([a, b]) @ (b * LOWER),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_halves(name):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 130, 130))
    assert written(PRODUCTS[name], a, b) == [True]
    assert_as_numpy(PRODUCTS[name], a, b)


def test_what_is_not_finite_meets_zeros_as_in_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 130, 130))
    b[100, 3] = np.nan
    with np.errstate(all="ignore"):
        expected = PRODUCTS["lower with all"](a, b)
        found = ft.jit(PRODUCTS["lower with all"], backend="native")(a, b)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def test_all_of_it_is_machine_code():
    def loss(a):
        return np.sum(np.linalg.cholesky(covariance(a)) ** 2)

    assert why_not(decompose(ft.make_ir(ft.grad(loss))(np.eye(80)))) is None
