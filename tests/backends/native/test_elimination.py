from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native.elimination import UNROLLED
from tests.backends.native.comparing import as_numpy


@pytest.mark.parametrize("size", [UNROLLED, UNROLLED + 1])
def test_few_rows_are_exchanged_by_choosing_and_others_by_search(size):
    a = np.eye(size)[::-1] + 0.1 * np.arange(size * size).reshape(size, size)
    for x, y in as_numpy(lambda a: (np.linalg.solve(a, a[0]), *np.linalg.slogdet(a)), a):
        np.testing.assert_allclose(x, y, rtol=1e-10)


def test_a_few_rows_are_written_out():
    def loops(size):
        f = ft.jit(np.linalg.inv, backend="native")
        return f.llvm(np.eye(size)).count("phi i64")

    assert loops(2) == 0
    assert loops(UNROLLED + 2) > 0


def test_columns_that_are_not_finite_are_numpys():
    a = np.eye(3)
    a[2, 0] = np.inf
    assert as_numpy(np.linalg.det, a)
