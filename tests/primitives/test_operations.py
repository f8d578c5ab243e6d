"""How many operations each primitive says it takes."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft


def counted(f, *args):
    """The operations of each equation."""
    return [equation.operations for equation in ft.make_ir(f)(*args).equations]


A, B = np.ones((3, 4)), np.ones((4, 5))
SQUARE = np.eye(6)
TALL = np.ones((9, 6))


@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (lambda x: x * 2 + x, (A,), [12, 12]),
        (lambda a, b: a @ b, (A, B), [2 * 3 * 4 * 5]),
        (lambda a, b: np.einsum("ij,k->ijk", a, b), (A, np.ones(5)), [60]),  # nothing is summed
        (lambda a, b: np.einsum("nij,njk->nik", a, b), (np.ones((1, 2, 3)), np.ones((7, 3, 4))),
         [0, 2 * 7 * 2 * 3 * 4]),
        (lambda a, b: a @ b, (np.ones((3, 0)), np.ones((0, 5))), [0]),
        (np.sum, (A,), [12]),
        (lambda x: np.mean(x, axis=0), (A,), [12]),
        (np.max, (A,), [12]),
        (lambda x: np.argmax(x, axis=1), (A,), [12]),
        (lambda x: x.T, (A,), [0]),
        (lambda x: x[1:], (A,), [0]),
        (lambda x: x.reshape(4, 3), (A,), [0]),
        (lambda x: np.broadcast_to(x, (2, 3, 4)), (A,), [0]),
        (np.argsort, (np.ones(8),), [24]),
        (lambda a, v: np.searchsorted(a, v), (np.arange(7.0), np.ones(5)), [15]),
        (np.linalg.cholesky, (SQUARE,), [72]),
        (np.linalg.inv, (SQUARE,), [2 * 216]),
        (np.linalg.inv, (np.stack([SQUARE] * 5),), [5 * 2 * 216]),
        (np.linalg.det, (SQUARE,), [144 + 6]),
        (np.linalg.solve, (SQUARE, np.ones((6, 2))), [144 + 2 * 36 * 2]),
        (lambda x: np.linalg.eigh(x)[0], (SQUARE,), [9 * 216]),
        (lambda x: np.linalg.qr(x)[1], (TALL,), [2 * (2 * 36 * 9 - 2 * 216 // 3)]),
        (lambda x: np.linalg.svd(x, full_matrices=False)[1], (TALL,), [14 * 9 * 36 + 8 * 216]),
        (lambda x: np.linalg.svd(x)[1], (TALL,), [4 * 81 * 6 + 8 * 9 * 36 + 9 * 216]),
    ],
)  # fmt: skip
def test_the_counts(f, args, expected):
    assert counted(f, *args)[: len(expected)] == expected


def test_operations_that_hold_programs_count_what_they_run():
    step = lambda carry, x: (carry * x + 1, carry)
    assert counted(lambda xs: ft.scan(step, 0.0, xs)[0], np.ones(10)) == [20]
    choose = lambda i, x: ft.switch(i, [lambda x: x * 2, lambda x: np.sin(x) * 2 + x], x)
    assert counted(choose, 1, A)[-1] == 36
    loop = lambda x: ft.while_loop(lambda x: x < 3, lambda x: x * 2 + 1, x)
    assert counted(loop, 1.0) == [3]  # of one trip
    assert counted(ft.jit(lambda x: x * 2 + x), A) == [24]
    each = ft.vmap(choose, in_axes=(0, None))
    assert counted(each, np.arange(5), A)[-1] == 5 * 36
