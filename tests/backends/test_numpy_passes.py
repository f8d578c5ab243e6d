"""What NumPy's passes do that pays only where one operation runs at a time."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_passes import algebra_for_numpy, simplify, structures_for_numpy
from functrace.simplify import improve_structures, simplify_algebra
from tests.backends.counting import X


@pytest.mark.numpy_backend
def test_passes_for_numpy_are_not_run_for_others():
    def f(x):
        return np.sum(x * x)

    assert "contract(" in str(ft.jit(f).lower(X).compile().program)
    found = str(ft.jit(f, backend="counting").lower(X).compile().program)
    assert "contract(" not in found
    assert "multiply(a, a)" in found or "square(" in found
    rows = np.ones((50, 3))

    def loop(x):
        return ft.scan(lambda c, r: (c * 0.5, np.sin(r) * 2), 1.0, x)

    sines = {
        backend: str(ft.jit(loop, backend=backend).lower(rows).compile().program)
        for backend in ("numpy", "counting")
    }
    assert "float64[50, 3] = sin" in sines["numpy"]
    assert "float64[50, 3] = sin" not in sines["counting"]


def test_sums_of_products_are_contractions_for_numpy_alone():
    program = ft.make_ir(lambda x, y: np.sum(x * y))(X, X)
    found = algebra_for_numpy(program)
    assert "contract(" in str(found)
    assert "contract(" not in str(simplify_algebra(program))
    y = np.cos(X)
    np.testing.assert_allclose(ft.evaluate(found, X, y)[0], (X * y).sum(), rtol=1e-14)


@pytest.mark.parametrize("n", [20, 50])
def test_a_loop_does_for_all_trips_what_can_be_done_so(n):
    program = ft.make_ir(lambda x: ft.scan(lambda c, r: (c * np.sin(r), c), 1.0, x))(np.ones(n))
    found = structures_for_numpy(program)
    assert f"float64[{n}] = sin(" in str(found)
    assert f"float64[{n}] = sin(" not in str(improve_structures(program))
    x = np.linspace(0.5, 1.5, n)
    last, before = 1.0, []
    for r in x:
        before.append(last)
        last = last * np.sin(r)
    for simplified in (found, simplify(program)):
        outputs = ft.evaluate(simplified, x)
        np.testing.assert_allclose(outputs[0], last, rtol=1e-14)
        np.testing.assert_allclose(outputs[1], before, rtol=1e-14)
