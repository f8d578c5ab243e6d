"""Products of vectors and matrices: as NumPy's, derivatives, errors."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArrayWriteError, ShapeMismatchError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check, real

SHAPES = [(), (3,), (1,), (0,), (2, 3), (3, 2), (3, 3), (1, 3), (4, 2, 3), (4, 3, 2), (1, 3, 5)]


@pytest.mark.parametrize("f", [np.matmul, np.dot, np.inner, np.outer, np.vdot, np.kron])
def test_every_pair_of_shapes_that_numpy_takes(f):
    taken = 0
    for first in SHAPES:
        for second in SHAPES:
            x, y = real(*first), real(*second)
            try:
                f(x, y)
            except ValueError:
                if f is np.matmul or np.ndim(x) > 0 < np.ndim(y):
                    with pytest.raises(ValueError, match=r"."):
                        ft.make_ir(f)(x, y)
                    with pytest.raises(ValueError, match=r"."):
                        ft.vjp(f, x, y)
                continue
            taken += 1
            assert_like_numpy(f, x, y)
            check_grads(f, (x, y), order=1)
    assert taken > 10


@pytest.mark.parametrize("first", ["?", "b", "l", "f", "d", "D"])
@pytest.mark.parametrize("second", ["?", "l", "f", "d", "F", "D"])
def test_dtypes_as_numpy(first, second):
    x = np.array([[1, 0, 2], [3, 1, 1]]).astype(first)
    y = np.array([[1, 0], [2, 1], [1, 1]]).astype(second)
    for f in (np.matmul, np.dot, np.kron, lambda x, y: np.einsum("ij,jk->ki", x, y)):
        assert_like_numpy(f, x, y)
    assert_like_numpy(lambda x: np.dot(x, 2.0), x)
    assert_like_numpy(lambda x: np.einsum("ij->j", x), x)


def test_gradients_have_the_dtype_of_their_inputs():
    x, y = real(2, 3).astype(np.float32), real(3, 2) + 1j
    gradients = ft.grad(lambda x, y: np.sum(np.abs(x @ y)), (0, 1))(x, y)
    assert [g.dtype for g in gradients] == [np.float32, np.complex128]


def test_products_of_stacks():
    for first, second in (
        ((4, 2, 3), (3, 5)), ((3,), (4, 3, 5)), ((1, 2, 3), (4, 3, 5)), ((6, 1, 2, 3), (4, 3, 1)),
    ):  # fmt: skip
        check(np.matmul, real(*first), real(*second))


def test_transposed_operands():
    check(lambda x, y: x.T @ y, real(3, 2), real(3, 4))
    check(lambda x, y: x @ y.T, real(2, 3), real(4, 3))
    check(lambda x: x.T @ x, real(3, 2))


@pytest.mark.parametrize("axes", [0, 1, ((1,), (0,)), ([0, 1], [1, 0]), (-1, 0)])
def test_tensordot(axes):
    check(lambda x, y: np.tensordot(x, y, axes), real(3, 4), real(4, 3))


def test_tensordot_errors_name_axes_and_shapes():
    with pytest.raises(ValueError, match=r"\[1\] and \[0\].*\(2, 3\) and \(2, 3\)"):
        ft.vjp(lambda x: np.tensordot(x, x, 1), real(2, 3))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
def test_matrix_power(n):
    check(lambda x: np.linalg.matrix_power(x, n) + 0 * x, real(3, 3))
    check(lambda x: np.linalg.matrix_power(x, n) + 0 * x, real(2, 2, 2))
    with pytest.raises(ShapeMismatchError, match="square"):
        ft.vjp(lambda x: np.linalg.matrix_power(x, n), real(2, 3))


def test_cross():
    check(np.cross, real(3), real(3))
    check(np.cross, real(4, 3), real(3))
    check(lambda x, y: np.cross(x, y, axis=0), real(3, 4), real(3, 4))
    check(np.linalg.cross, real(3), real(3))
    with pytest.raises(ValueError, match="length 2 or 3"):
        ft.vjp(np.cross, real(4), real(4))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("vecdot", (4, 3), (3,)),
        ("matvec", (5, 2, 3), (3,)),
        ("vecmat", (2,), (5, 2, 3)),
    ],
)
def test_newer_products_of_vectors(name, first, second):
    f = getattr(np, name, None)
    if f is None:
        pytest.skip(f"this NumPy has no {name}")
    check(f, real(*first), real(*second))
    check(f, real(*first) + 0.5j, real(*second) * 1j + 1)
    with pytest.raises(ValueError, match="axes or more"):
        ft.vjp(f, 1.0, 2.0)


def test_products_in_linalg():
    check(np.linalg.matmul, real(2, 3), real(3, 2))
    check(np.linalg.outer, real(2), real(3))
    check(np.linalg.tensordot, real(2, 3, 4), real(3, 4, 2))
    check(lambda x, y: np.linalg.vecdot(x, y, axis=0), real(3, 2), real(3, 2))


def test_mismatching_shapes_are_named():
    for record in (ft.vjp, lambda f, *xs: ft.make_ir(f)(*xs)):
        with pytest.raises(ShapeMismatchError, match=r"float64\[2, 3\], float64\[4, 5\]"):
            record(lambda x, y: x @ y, real(2, 3), real(4, 5))
        with pytest.raises(ValueError, match="does not take a scalar"):
            record(lambda x, y: x @ y, real(2, 3), 2.0)
    with pytest.raises(ArrayWriteError):
        ft.vjp(lambda x: np.dot(x, x, out=np.zeros(())), real(3))


def test_numbers_are_arrays_in_products():
    x = np.ones(2, np.float32)
    for f in (np.dot, np.inner, np.outer, np.kron, np.multiply.outer, np.subtract.outer):
        for number in (2, 1.5):
            expected = f(x, number).dtype
            assert ft.jit(f)(x, number).dtype == expected
            assert ft.jit(lambda x, f=f, number=number: f(x, number))(x).dtype == expected
