"""Linear systems, inverses, determinants and norms under SciPy's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

import functrace as ft
from functrace.scipy import linalg
from functrace.testing import check_grads
from tests.scipy.rows import check

rng = np.random.default_rng(5)
A = rng.normal(size=(3, 3)) + 3 * np.eye(3)
Z = A + 0.5j * rng.normal(size=(3, 3))
S = A @ A.T
H = Z @ Z.conj().T
V, B = rng.normal(size=3), rng.normal(size=(3, 2))
W = B + 1j * rng.normal(size=(3, 2))
TALL = rng.normal(size=(4, 3))
BANDS = rng.normal(size=(4, 5)) + 4 * (np.arange(4) == 1)[:, None]
HALF = np.stack([0.5 * rng.normal(size=5), 0.5 * rng.normal(size=5), 4 + rng.random(5)])
LONG = rng.normal(size=(5, 2))
ROWS = {
    "solve": (lambda m, a, b: m.solve(a, b), (A, B)),
    "solve, a vector": (lambda m, a, b: m.solve(a, b), (A, V)),
    "solve, complex": (lambda m, a, b: m.solve(a, b), (Z, W)),
    "solve, transposed": (lambda m, a, b: m.solve(a, b, transposed=True), (A, B)),
    "solve, complex and real": (lambda m, a, b: m.solve(a, b), (Z, B)),
    "triangular": (lambda m, a, b: m.solve_triangular(a, b), (A, B)),
    "triangular, lower": (lambda m, a, b: m.solve_triangular(a, b, lower=True), (A, V)),
    "triangular, T": (lambda m, a, b: m.solve_triangular(a, b, "T"), (Z, W)),
    "triangular, C": (lambda m, a, b: m.solve_triangular(a, b, 2, lower=True), (Z, W)),
    "triangular, unit": (lambda m, a, b: m.solve_triangular(a, b, unit_diagonal=True), (A, B)),
    "banded": (lambda m, a, b: m.solve_banded((2, 1), a, b), (BANDS, LONG)),
    "banded, tridiagonal": (lambda m, a, b: m.solve_banded((1, 1), a, b), (BANDS[:3], LONG[:, 0])),
    "banded, complex": (lambda m, a, b: m.solve_banded((2, 1), a, b), (BANDS * (1 + 0.5j), LONG)),
    "hermitian banded": (lambda m, a, b: m.solveh_banded(a, b), (HALF, LONG)),
    "hermitian banded, lower": (
        lambda m, a, b: m.solveh_banded(a, b, lower=True),
        (HALF[::-1].copy(), LONG),
    ),
    "hermitian banded, two": (lambda m, a, b: m.solveh_banded(a, b), (HALF[1:], LONG)),
    "hermitian banded, complex": (
        lambda m, a, b: m.solveh_banded(a, b),
        (HALF + 1j * np.array([[0.3], [0.2], [0]]), LONG),
    ),
    "toeplitz": (lambda m, c, b: m.solve_toeplitz(c, b), (np.array([4.0, 1, 0.5]), B)),
    "toeplitz, pair": (
        lambda m, c, r, b: m.solve_toeplitz((c, r), b),
        (np.array([4.0, 1, 0.5]), np.array([1j, 0.5, -1]), V),
    ),
    "product with toeplitz": (
        lambda m, c, r, b: m.matmul_toeplitz((c, r), b),
        (V, TALL[:, 0], LONG[:4]),
    ),
    "product with toeplitz, complex": (lambda m, c, b: m.matmul_toeplitz(c, b), (W[:, 0], B)),
    "circulant": (lambda m, c, b: m.solve_circulant(c, b), (np.array([4.0, 1, 0.5]), B)),
    "inv": (lambda m, a: m.inv(a), (A,)),
    "inv, complex": (lambda m, a: m.inv(a), (Z,)),
    "det": (lambda m, a: m.det(a), (A,)),
    "det, complex": (lambda m, a: m.det(a), (Z,)),
    "lstsq": (lambda m, a, b: m.lstsq(a, b), (TALL, LONG[:4])),
    "lstsq, a vector": (lambda m, a, b: m.lstsq(a, b)[:2], (TALL, LONG[:4, 0])),
    "lstsq, wide": (lambda m, a, b: m.lstsq(a, b), (TALL.T, B)),
    "lstsq, gelsy": (lambda m, a, b: m.lstsq(a, b, lapack_driver="gelsy")[:3], (TALL, LONG[:4])),
    "pinv": (lambda m, a: m.pinv(a), (TALL,)),
    "pinv, rank": (lambda m, a: m.pinv(a, rtol=1e-3, return_rank=True), (A,)),
    "pinvh": (lambda m, a: m.pinvh(a), (H,)),
    "norm": (lambda m, a: m.norm(a), (A,)),
    "norm, 1": (lambda m, a: m.norm(a, 1, axis=0), (Z,)),
    "norm, nuclear": (lambda m, a: m.norm(a, "nuc"), (A,)),
}  # fmt: skip
DOUBLE = {"lstsq", "lstsq, a vector", "lstsq, gelsy"}


@pytest.mark.thinned
@pytest.mark.parametrize("name", ROWS)
def test_as_scipy(name):
    row, args = ROWS[name]
    order = 1 if "norm, 1" in name else 2
    check(row, linalg, scipy.linalg, args, order=order)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["gen", "general", "diagonal", "tridiagonal", "upper triangular", "lower triangular", "sym",
     "her", "pos"],
)  # fmt: skip
def test_structures(kind, lower, transposed):
    for a, b in ((S, B), (S, V), (H, W)):
        if transposed and a is H:
            continue
        masked = {
            "diagonal": np.diag(np.diag(a)),
            "tridiagonal": np.triu(np.tril(a, 1), -1),
            "upper triangular": np.triu(a),
            "lower triangular": np.tril(a),
        }.get(kind, a)
        if kind == "sym":
            masked = masked + masked.T
        given = {"lower": lower, "transposed": transposed, "assume_a": kind}
        full = masked.T if transposed else masked
        found = linalg.solve(masked, b, **given)
        np.testing.assert_allclose(found, np.linalg.solve(full, b), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found, scipy.linalg.solve(masked, b, **given), rtol=1e-8)
        check_grads(lambda a, b, given=given: linalg.solve(a, b, **given), (masked, b), order=1)
    if kind in ("sym", "her", "pos"):  # the other triangle is not read
        half = np.tril(S) if lower else np.triu(S)
        given = {"lower": lower, "assume_a": kind}
        np.testing.assert_allclose(linalg.solve(half, V, **given), np.linalg.solve(S, V))
        np.testing.assert_allclose(linalg.inv(half, **given), np.linalg.inv(S))


def test_stacks():
    many = np.stack([A, 2 * A])
    for b in (V, B, np.stack([B, B, -B])[:, None]):
        expected = scipy.linalg.solve(many, b)
        np.testing.assert_allclose(linalg.solve(many, b), expected)
        np.testing.assert_allclose(
            linalg.solve_triangular(many, b), scipy.linalg.solve_triangular(many, b)
        )
    bands = np.stack([BANDS, BANDS + 1])
    np.testing.assert_allclose(
        linalg.solve_banded((2, 1), bands, LONG), scipy.linalg.solve_banded((2, 1), bands, LONG)
    )
    columns = np.stack([A[0], 2 * A[0]]) + np.array([5, 0, 0])
    for b in (V, B, np.stack([B, -B])):
        np.testing.assert_allclose(
            linalg.solve_toeplitz(columns, b), np.linalg.solve(linalg.toeplitz(columns), b)
        )
    np.testing.assert_allclose(linalg.pinv(many), scipy.linalg.pinv(many))
    np.testing.assert_allclose(linalg.det(many), scipy.linalg.det(many))


def test_errors_are_scipys():
    singular = np.ones((2, 2))
    for call in (
        lambda m: m.solve(singular, np.ones(2), assume_a="gen"),
        lambda m: m.solve(np.zeros((2, 2)), np.ones(2), assume_a="diagonal"),
        lambda m: m.solve(-np.eye(2), np.ones(2), assume_a="pos"),
        lambda m: m.solve_triangular(np.zeros((2, 2)), np.ones(2)),
        lambda m: m.solve_banded((0, 1), np.zeros((2, 3)), np.ones(3)),
        lambda m: m.solveh_banded(-np.ones((2, 3)), np.ones(3)),
        lambda m: m.solve_circulant(np.ones(3), np.ones(3)),
        lambda m: m.inv(singular),
    ):
        for module in (scipy.linalg, linalg):
            with pytest.raises(np.linalg.LinAlgError):
                call(module)
    for call in (
        lambda m: m.solve(np.ones((2, 3)), np.ones(2)),
        lambda m: m.solve(np.eye(2), np.ones(3)),
        lambda m: m.solve(np.eye(2), np.ones(2), assume_a="no"),
        lambda m: m.solve(np.full((2, 2), np.nan), np.ones(2)),
        lambda m: m.inv(np.full((2, 2), np.inf)),
        lambda m: m.solve_triangular(np.eye(2), np.ones(3)),
        lambda m: m.solve_banded((1, 1), np.ones((2, 3)), np.ones(3)),
        lambda m: m.solve_banded((0, 1), np.ones((2, 3)), np.ones(4)),
        lambda m: m.solve_toeplitz(np.ones(3), np.ones(2)),
        lambda m: m.lstsq(np.ones((3, 2)), np.ones(2)),
        lambda m: m.pinv(np.eye(2), rtol=-1.0),
        lambda m: m.det(np.ones((2, 3))),
    ):
        for module in (scipy.linalg, linalg):
            with pytest.raises(ValueError):  # noqa: PT011  (the words are other ones)
                call(module)
    with pytest.raises(NotImplementedError):
        linalg.solve(Z, W, transposed=True)
    nan = np.full((2, 2), np.nan)
    assert np.all(np.isnan(linalg.solve(nan, np.ones(2), check_finite=False)))


def test_a_singular_matrix_is_told_of_at_the_users_line():
    with pytest.raises(np.linalg.LinAlgError) as caught:
        linalg.solve(np.zeros((2, 2)), np.ones(2))
    assert str(caught.traceback[-1].path).startswith(str(Path(np.__file__).parent))


def test_least_norm_of_circulant_systems():
    c, b = np.array([1.0, 1, 1, 1]), np.arange(4.0)
    found = linalg.solve_circulant(c, b, singular="lstsq")
    np.testing.assert_allclose(found, scipy.linalg.solve_circulant(c, b, singular="lstsq"))


def test_whole_numbers_and_lists():
    assert linalg.solve([[2, 0], [0, 4]], [2, 4]).tolist() == [1, 1]
    assert linalg.det([[2, 0], [0, 4]]) == pytest.approx(8)
    assert ft.jit(linalg.inv)(np.array([[2, 0], [0, 4]])).dtype == np.float64
    np.testing.assert_allclose(linalg.solve(np.array([[2.0]]), np.ones(3)), [0.5, 0.5, 0.5])


def test_a_banded_system_of_one_row_may_be_complex():
    ab, b = np.array([[5.0], [1 + 2j]]), np.array([[3.0, 4.0]])
    found = linalg.solve_banded((0, 1), ab, b)
    np.testing.assert_allclose(found, b / (1 + 2j))
