from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace import lax
from functrace.backends.native import blocked
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.elimination import UNROLLED
from functrace.backends.native.kernels import why_not
from functrace.backends.native.matrices import LARGEST
from functrace.numpy.linear_algebra import solve_triangular
from tests.backends.native.comparing import as_numpy


def triangles(a, b):
    options = [{"lower": low, "unit_diagonal": unit} for low in (0, 1) for unit in (0, 1)]
    return [solve_triangular(a + 2.0 * np.eye(len(a)), b, **kind) for kind in options]


def covariance(a):
    return a @ a.T + np.eye(len(a))


OPERATIONS = {
    "solve": np.linalg.solve,
    "one right-hand side": lambda a, b: np.linalg.solve(a, b[:, 0]),
    "inverse": lambda a, b: np.linalg.inv(a),
    "determinant": lambda a, b: np.linalg.det(a),
    "logarithm": lambda a, b: np.linalg.slogdet(a)[:],
    "cholesky": lambda a, b: np.linalg.cholesky(covariance(a)),
    "triangles": triangles,
    "lu": lambda a, b: lax.linalg.lu(a),
    "three diagonals": lambda a, b: lax.linalg.tridiagonal_solve(a[0], a[-1] + 3.0, a[0], b),
}


def assert_as_numpy(f, *args, whole=True):
    for x, y in as_numpy(f, *args, whole=whole):
        rtol = 1e-3 if y.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(
            x, y, rtol=rtol, atol=rtol * np.max(np.abs(y), initial=0, where=np.isfinite(y))
        )


@pytest.mark.thinned
@pytest.mark.parametrize("size", [1, 2, UNROLLED, UNROLLED + 1, 11])
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients(name, size):
    rng = np.random.default_rng(size)
    a, b = rng.normal(size=(size, size)), rng.normal(size=(size, 3))
    f = OPERATIONS[name]
    assert_as_numpy(f, a, b)

    def loss(a, b):
        return sum(np.sum(np.sin(x)) for x in ft.tree.leaves(f(a, b)) if x.dtype.kind == "f")

    assert_as_numpy(ft.value_and_grad(loss, (0, 1)), a, b, whole=False)


@pytest.mark.parametrize("shapes", [((3, 4, 4), (4, 2)), ((4, 4), (3, 4, 2)), ((2, 0, 0), (0, 2))])
def test_stacks(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    assert_as_numpy(lambda a, b: (np.linalg.solve(a, b), np.linalg.det(a)), a, b)
    assert_as_numpy(lambda a: (np.linalg.inv(a), *np.linalg.slogdet(a)), a)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_numbers_of_other_types(dtype):
    a = np.array([[4, 1, 0], [1, 3, 1], [0, 1, 2]]).astype(dtype)
    f = lambda a: (np.linalg.inv(a), np.linalg.cholesky(a), np.linalg.det(a))
    assert_as_numpy(f, a)
    assert_as_numpy(lambda a: np.linalg.solve(a, a), a)


SPECIAL = {
    "singular": [[1.0, 2.0], [2.0, 4.0]],
    "singular by rounding": [[1.0, 3.0], [3.0, 9.0]],
    "singular of three": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]],
    "zeros": np.zeros((3, 3)),
    "indefinite": [[1.0, 2.0], [2.0, 1.0]],
    "no number": [[1.0, np.nan], [2.0, 1.0]],
    "infinite": [[1.0, np.inf], [2.0, 1.0]],
    "exchanged": [[0.0, 1.0], [1.0, 0.0]],
    "apart": [[1e200, 0.0], [0.0, 1e-200]],
    "small": np.eye(3) * 1e-200,
    "large": np.eye(3) * 1e200,
}


@pytest.mark.thinned
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"three diagonals", "triangles"}))
def test_what_numpy_refuses_or_warns_of(name, kind):
    a = np.array(SPECIAL[kind])
    assert_as_numpy(OPERATIONS[name], a, np.ones((len(a), 1)))


@pytest.mark.parametrize("kind", SPECIAL)
def test_the_triangle_that_is_read(kind):
    a = np.array(SPECIAL[kind])
    assert_as_numpy(np.linalg.cholesky, a)


def test_a_singular_triangle():
    a = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert_as_numpy(lambda a: solve_triangular(a, a, lower=True), a)
    assert_as_numpy(lambda d: lax.linalg.tridiagonal_solve(d, d, d, d[:, None]), np.zeros(3))


def test_large_ones_may_be_numpys(monkeypatch):
    program = decompose(ft.make_ir(np.linalg.inv)(np.eye(LARGEST + 1)))
    monkeypatch.setattr(blocked, "is_there", lambda dtype: False)
    assert why_not(program) == f"inverse of {LARGEST + 1} rows is NumPy's"
