"""Matrices that are made of a few numbers, under SciPy's names."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import functrace as ft
from functrace.scipy import linalg
from tests.scipy.rows import check

rng = np.random.default_rng(9)
V, W, A = rng.normal(size=4), rng.normal(size=3), rng.normal(size=(2, 3))
C = V + 1j * rng.normal(size=4)
ROWS = {
    "toeplitz": (lambda m, c: m.toeplitz(c), (C,)),
    "toeplitz, row": (lambda m, c, r: m.toeplitz(c, r), (V, W)),
    "circulant": (lambda m, c: m.circulant(c), (C,)),
    "hankel": (lambda m, c: m.hankel(c), (V,)),
    "hankel, row": (lambda m, c, r: m.hankel(c, r), (V, W)),
    "block_diag": (lambda m, a, b: m.block_diag(a, 2.0, b), (A, W)),
    "companion": (lambda m, a: m.companion(a), (V,)),
    "fiedler_companion": (lambda m, a: m.fiedler_companion(a), (V,)),
    "leslie": (lambda m, f, s: m.leslie(f, s), (V, W)),
    "fiedler": (lambda m, a: m.fiedler(a), (V,)),
    "convolution": (lambda m, a: m.convolution_matrix(a, 3), (V,)),
    "convolution, same": (lambda m, a: m.convolution_matrix(a, 6, "same"), (V,)),
    "convolution, valid": (lambda m, a: m.convolution_matrix(a, 2, "valid"), (C,)),
    "khatri_rao": (lambda m, a, b: m.khatri_rao(a, b), (A, rng.normal(size=(4, 3)))),
}


@pytest.mark.parametrize("name", ROWS)
def test_as_scipy(name):
    row, args = ROWS[name]
    order = 1 if name == "fiedler" else 2
    check(row, linalg, scipy.linalg, args, order=order)


@pytest.mark.parametrize("name", ["toeplitz", "circulant", "companion", "fiedler"])
def test_stacks(name):
    many = rng.normal(size=(2, 2, 4))
    expected = np.stack([[getattr(scipy.linalg, name)(x) for x in row] for row in many])
    np.testing.assert_array_equal(getattr(linalg, name)(many), expected)


def test_dtypes():
    for dtype in "?bilefgDG":
        c = np.array([1, 0, 1, 1]).astype(dtype)
        for name in ("toeplitz", "circulant", "hankel", "block_diag", "leslie"):
            args = (c, c[1:]) if name == "leslie" else (c,)
            found, expected = (getattr(m, name)(*args) for m in (linalg, scipy.linalg))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
            assert ft.jit(getattr(linalg, name))(*args).dtype == expected.dtype


def test_constants():
    for name in ("hadamard", "hilbert", "invhilbert", "pascal", "invpascal", "helmert", "dft"):
        expected = getattr(scipy.linalg, name)(4)
        np.testing.assert_array_equal(getattr(linalg, name)(4), expected)
        assert ft.jit(lambda x, name=name: getattr(linalg, name)(4) @ x)(V).shape == (
            len(expected),
        )


def test_errors():
    for call in (
        lambda m: m.companion([1.0]),
        lambda m: m.companion([0.0, 1.0]),
        lambda m: m.leslie([1.0, 2.0], [1.0, 2.0]),
        lambda m: m.leslie([1.0], []),
        lambda m: m.convolution_matrix([], 2),
        lambda m: m.convolution_matrix([1.0], 0),
        lambda m: m.convolution_matrix([1.0], 2, "no"),
        lambda m: m.khatri_rao(A, A.T),
        lambda m: m.khatri_rao(A, W),
    ):
        for module in (linalg, scipy.linalg):
            with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
                call(module)
    assert linalg.block_diag().shape == scipy.linalg.block_diag().shape
    np.testing.assert_array_equal(linalg.kron(A, A), np.kron(A, A))
