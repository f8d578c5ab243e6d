from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.native.decomposing import decompose

CASES = {
    "mean": lambda x: np.mean(x, 0),
    "mean of all": lambda x: np.mean(x, keepdims=True),
    "winners": lambda x: ft.grad(lambda x: np.sum(np.max(x, 1) ** 2))(x),
    "logsumexp": lambda x: np.logaddexp.reduce(x, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_types_are_the_same(name):
    for values in ([[1.0, 2.0, 2.0], [np.nan, 0.0, 1.0]], [[-np.inf] * 3, [np.inf, 1.0, 2.0]]):
        x = np.array(values)
        program = ft.make_ir(CASES[name])(x)
        simple = decompose(program)
        assert [a.type for a in simple.outputs] == [a.type for a in program.outputs]
        with np.errstate(invalid="ignore", divide="ignore"):
            for found, expected in zip(
                ft.evaluate(simple, x), ft.evaluate(program, x), strict=True
            ):
                np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_programs_within_are_written_anew():
    f = lambda x: ft.scan(lambda c, row: (c + np.mean(row), None), 0.0, x)[0]
    assert "mean(" in str(ft.make_ir(f)(np.ones((3, 2))))
    assert "mean(" not in str(decompose(ft.make_ir(f)(np.ones((3, 2)))))
