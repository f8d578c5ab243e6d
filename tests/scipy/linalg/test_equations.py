"""Equations whose unknown is a matrix, under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from functrace.scipy import linalg
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(8)
A = rng.normal(size=(3, 3)) / 3 + np.diag([0.3, 0.6, 0.8])
Z = A + 0.2j * rng.normal(size=(3, 3))
C = rng.normal(size=(2, 2)) / 3 + np.diag([1.0, 2])
Q, B = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
D = B + 0.5j * rng.normal(size=(3, 2))
ROOT, SMALL = rng.normal(size=(3, 3)), rng.normal(size=(2, 2))
CROSS = 0.1 * rng.normal(size=(3, 2))
E = np.eye(3) + 0.2 * rng.normal(size=(3, 3))


def hermitian(x, shift):
    return x @ np.conj(x.T) + shift * np.eye(len(x))


def riccati(name, given=()):
    """Of matrices that are Hermitian by how they are made."""

    def row(m, a, b, root, small, *rest):
        q, r = hermitian(root, 0.5), hermitian(small, 1)
        return getattr(m, name)(a, b, q, r, **dict(zip(given, rest, strict=True)))

    return row


ROWS = {
    "sylvester": (lambda m, a, b, q: m.solve_sylvester(a, b, q), (A, C, Q)),
    "sylvester, complex": (lambda m, a, b, q: m.solve_sylvester(a, b, q), (Z, C * 1j, Q)),
    "lyapunov": (lambda m, a, q: m.solve_continuous_lyapunov(a, q), (A, ROOT)),
    "lyapunov, complex": (lambda m, a, q: m.solve_continuous_lyapunov(a, q), (Z, ROOT)),
    "lyapunov, its other name": (lambda m, a, q: m.solve_lyapunov(a, q), (A, ROOT)),
    "discrete": (lambda m, a, q: m.solve_discrete_lyapunov(a, q), (A, ROOT)),
    "discrete, complex": (lambda m, a, q: m.solve_discrete_lyapunov(a, q), (Z, ROOT)),
    "bilinear": (lambda m, a, q: m.solve_discrete_lyapunov(a, q, "bilinear"), (Z, ROOT)),
    "riccati": (riccati("solve_continuous_are"), (A, B, ROOT, SMALL)),
    "riccati, s": (riccati("solve_continuous_are", ("s",)), (Z, D, ROOT, SMALL, CROSS)),
    "riccati, e": (riccati("solve_continuous_are", ("e", "s")), (A, B, ROOT, SMALL, E, CROSS)),
    "discrete riccati": (riccati("solve_discrete_are"), (A, B, ROOT, SMALL)),
    "discrete riccati, s": (riccati("solve_discrete_are", ("s",)), (Z, D, ROOT, SMALL, CROSS)),
    "discrete riccati, e": (riccati("solve_discrete_are", ("e",)), (A, B, ROOT, SMALL, E)),
}


SLOW = [name for name in ROWS if "riccati, " in name or name == "discrete riccati"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ROWS]
)
def test_as_scipy(name):
    row, args = ROWS[name]
    static = ("dtype",) if "riccati" in name else ()
    check(
        row, linalg, scipy.linalg, args, rtol=1e-8, order=1 if ", e" in name else 2, static=static
    )


def test_large_ones_are_transformed():
    a = rng.normal(size=(12, 12)) / 8
    q = rng.normal(size=(12, 12))
    x = linalg.solve_discrete_lyapunov(a, q)
    np.testing.assert_allclose(a @ x @ a.T - x + q, 0, atol=1e-10)
    check_grads(linalg.solve_discrete_lyapunov, (a, q), order=1)


def test_stacks_and_errors():
    many = np.stack([A, 2 * A])
    found = linalg.solve_sylvester(many, C, Q)
    np.testing.assert_allclose(found, scipy.linalg.solve_sylvester(many, C, Q))
    with pytest.raises(ValueError, match="Unknown"):
        linalg.solve_discrete_lyapunov(A, A, "no")
    with pytest.raises(ValueError, match="shape"):
        linalg.solve_continuous_lyapunov(A, C)
    with pytest.raises(ValueError, match="shapes"):
        linalg.solve_sylvester(A, C, Q.T)
    with pytest.raises(np.linalg.LinAlgError):
        linalg.solve_continuous_are(np.eye(2), np.zeros((2, 1)), np.eye(2), np.eye(1))
