"""Functions of matrices under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import functrace as ft
from functrace.errors import UnsupportedFunctionError
from functrace.scipy import linalg
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(7)
A = rng.normal(size=(3, 3)) / 2 + np.diag([1.0, 2, 3])
Z = A + 0.3j * rng.normal(size=(3, 3))
E = rng.normal(size=(3, 3))
SLOW = pytest.mark.slow
REAL = ("expm", "cosm", "sinm", "coshm", "sinhm", "signm")
QUOTIENTS = [pytest.param(name, marks=SLOW) for name in ("tanm", "tanhm")]


@pytest.mark.thinned
@pytest.mark.parametrize("name", [*REAL, *QUOTIENTS])
@pytest.mark.parametrize("a", [A / 2, Z / 2], ids=["real", "complex"])
def test_as_scipy(name, a):
    order = 2 if name in ("expm", "cosm") else 0 if name == "signm" else 1
    a = a[:2, :2] if order == 1 else a
    check(lambda m, a: getattr(m, name)(a), linalg, scipy.linalg, (a,), order=order)


@pytest.mark.parametrize("name", [pytest.param("logm", marks=SLOW), "sqrtm"])
@pytest.mark.parametrize("a", [A, Z], ids=["real", "complex"])
def test_principal_values(name, a):
    static = ("dtype",) if a is Z else ("jit", "vmap", "dtype")
    row = lambda m, a: getattr(m, name)(a)
    check(row, linalg, scipy.linalg, (a,), static=static)
    compiled = ft.jit(lambda a: getattr(linalg, name)(a))(a)
    assert compiled.dtype == np.complex128
    np.testing.assert_allclose(compiled, getattr(scipy.linalg, name)(a), atol=1e-10)


def test_a_sign_moves_no_eigenvalue():
    a = E @ np.diag([1.0, -2, 3]) @ np.linalg.inv(E)
    np.testing.assert_allclose(linalg.signm(a), E @ np.diag([1.0, -1, 1]) @ np.linalg.inv(E))
    check_grads(linalg.signm, (a,), order=1)


@pytest.mark.slow
def test_powers():
    for t in (0.5, -1.3, 2, -1):
        row = lambda m, a, t=t: m.fractional_matrix_power(a, t)
        check(row, linalg, scipy.linalg, (A[:2, :2],), static=("jit", "vmap", "dtype"), rtol=1e-8)


def test_real_results_of_real_matrices_are_known():
    rotation = np.array([[0.0, 1], [-1, 0]])
    assert linalg.logm(rotation).dtype == np.float64
    assert linalg.sqrtm(np.diag([-1.0, 4])).dtype == np.complex128
    np.testing.assert_allclose(linalg.sqrtm(np.diag([-1.0, 4])), np.diag([1j, 2]))
    gradient = ft.grad(lambda a: np.sum(np.abs(linalg.sqrtm(a)) ** 2))
    np.testing.assert_allclose(np.diag(gradient(np.diag([-1.0, 4]))), [-1, 1], atol=1e-12)


def test_a_frechet_derivative_and_its_own():
    check(lambda m, a, e: m.expm_frechet(a, e), linalg, scipy.linalg, (A, E), static=("dtype",))
    alone = linalg.expm_frechet(Z, E, compute_expm=False)
    np.testing.assert_allclose(alone, ft.jvp(linalg.expm, (Z,), (E + 0j,))[1], rtol=1e-10)
    with pytest.raises(ValueError, match="Unknown"):
        linalg.expm_frechet(A, E, method="no")
    with pytest.raises(ValueError, match="same shape"):
        linalg.expm_frechet(A, E[:2, :2])


def test_third_derivatives():
    check_grads(linalg.expm, (A[:2, :2],), order=3, rtol=1e-4)
    third = lambda f: ft.grad(ft.grad(ft.grad(f)))
    direction = np.array([[0.5, 1], [0, 0.5]])
    f = lambda t: linalg.expm(t * direction)[0, 1]  # t * exp(t / 2)
    t = 0.3
    np.testing.assert_allclose(third(f)(t), (0.75 + t / 8) * np.exp(t / 2), rtol=1e-10)


@pytest.mark.slow
def test_repeated_eigenvalues_have_derivatives():
    for name in ("expm", "logm", "sqrtm"):
        check_grads(getattr(linalg, name), (np.array([[2.0, 1], [0, 2]]),), order=2)
        check_grads(getattr(linalg, name), (np.eye(2),), order=1)


def test_stacks_and_whole_numbers():
    many = np.stack([A, 2 * A])
    for name in ("expm", "logm", "sqrtm", "cosm"):
        np.testing.assert_allclose(
            getattr(linalg, name)(many), getattr(scipy.linalg, name)(many), atol=1e-10
        )
    for whole in (np.eye(2, dtype=int), [[1, 0], [0, 1]]):
        assert linalg.expm(whole).dtype == np.float64
    assert linalg.expm(np.empty((0, 0))).shape == (0, 0)
    with pytest.raises(ValueError, match="square"):
        linalg.expm(np.ones((2, 3)))


def test_a_function_by_its_values_is_refused():
    np.testing.assert_allclose(linalg.funm(A, np.exp), scipy.linalg.expm(A))
    with pytest.raises(UnsupportedFunctionError, match="no derivative"):
        ft.grad(lambda a: np.sum(linalg.funm(a, np.exp)))(A)


def test_names_that_are_not_defined_are_scipys_own():
    assert linalg.cossin is scipy.linalg.cossin
    with pytest.raises(AttributeError, match="has no attribute 'solves'"):
        _ = linalg.solves


@pytest.mark.parametrize("name", ["logm", "sqrtm"])
def test_results_of_real_matrices_are_complex_where_only_types_are_known(name):
    function, a = getattr(linalg, name), np.array([[4.0, 1.0], [0.5, 3.0]])
    assert function(a).dtype == np.float64
    assert ft.jit(function)(a).dtype == np.complex128
    real = ft.jit(lambda a: function(a).real)
    np.testing.assert_allclose(real(a), function(a), rtol=1e-12)
    np.testing.assert_allclose(ft.jacrev(real)(a), ft.jacrev(function)(a), rtol=1e-9)
