from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native import halves
from functrace.backends.native.decomposing import decompose
from functrace.primitives.contracting import plan_of

LOWER = np.tril(np.ones((3, 3)))
A = np.arange(1.0, 10.0).reshape(3, 3) + 5 * np.eye(3)


def zero(f, *args):
    program = decompose(ft.make_ir(f)(*args))
    (output,) = program.outputs
    return set(halves.known(program).zero.get(output, ()))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (np.linalg.cholesky, {"lower"}),
        (lambda a: np.linalg.cholesky(a).T, {"upper"}),
        (lambda a: -np.linalg.cholesky(a), {"lower"}),
        (lambda a: a * LOWER, {"lower"}),
        (lambda a: a * np.eye(3), {"lower", "upper"}),
        (lambda a: a * LOWER + a * np.eye(3), {"lower"}),
        (lambda a: a * LOWER + a, set()),
        (lambda a: a * LOWER + a * LOWER.T, set()),
        (lambda a: np.where(LOWER > 0, a, 0.0), {"lower"}),
        (lambda a: np.where(LOWER > 0, a, 1.0), set()),
        (lambda a: np.where(LOWER > 0, 0.0, a), set()),
        (lambda a: a * np.array([[1.0, np.nan, 0.0]] * 3), set()),
        (lambda a: np.linalg.cholesky(a) * a[0], {"lower"}),
        (lambda a: (a * LOWER) @ (a * LOWER), {"lower"}),
        (lambda a: (a * LOWER) @ (a * LOWER).T, set()),
        (lambda a: (a * LOWER).T @ (a * LOWER.T), {"upper"}),
        (lambda a: (a * LOWER) @ a, set()),
        (lambda a: np.exp(a * LOWER), set()),
        (lambda a: (a * LOWER)[::-1], set()),
    ],
)
def test_what_is_zero(f, expected):
    assert zero(f, A) == expected
    found = np.asarray(f(A))
    for half in expected:
        np.testing.assert_array_equal(found, {"lower": np.tril, "upper": np.triu}[half](found))


def twice_read(a):
    product = a @ a
    return product + product * LOWER


def read(f):
    """What is read of the product in a function."""
    program = decompose(ft.make_ir(f)(A))
    (product,) = [e for e in program.equations if e.primitive.name in halves.CONTRACTIONS]
    return set(halves.known(program).read[product.outputs[0]])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda a: (a @ a) * LOWER, {"lower"}),
        (lambda a: (a @ a).T * LOWER, {"upper"}),
        (lambda a: (-(a @ a) + 1.0) * LOWER, {"lower"}),
        (lambda a: np.where(LOWER > 0, a @ a, 0.0), {"lower"}),
        (lambda a: np.where(LOWER > 0, 0.0, a @ a), set()),
        (lambda a: a @ a, set()),
        (twice_read, set()),
    ],
)
def test_what_is_read(f, expected):
    assert read(f) == expected


def test_labels_of_matrices():
    found = halves.matrices(plan_of("bij,kj->bki"))
    assert found is not None
    assert (found.row, found.column, found.summed) == ("i", "k", "j")
    lower, upper = frozenset({"lower"}), frozenset({"upper"})
    assert found.of_product(lower, upper) == upper
    assert found.of_product(lower, lower) == halves.NONE
    for subscripts in ("ij,j->i", "ij,ij->", "bij,cjk->bcik", "i,j->ij"):
        plan = plan_of(subscripts)
        assert (halves.matrices(plan) is None) == (subscripts != "bij,cjk->bcik")
