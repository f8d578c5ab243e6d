from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import DEEPEST, Compiled, why_not


def program(f, *args):
    return decompose(ft.make_ir(f)(*args))


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (lambda x: np.sin(x), np.ones(3, complex), "complex128"),
        (lambda x: np.partition(x, 1), np.ones(3), "argpartition"),
        (
            lambda x: ft.scan(lambda c, r: (c, np.linalg.eigvalsh(r)), 0.0, x)[1],
            np.ones((2, 2, 2)),
            "eigh",
        ),
    ],
)
def test_it_is_said_why_something_is_numpys(f, x, said):
    assert said in why_not(program(f, x))


def test_what_was_compiled_goes_with_the_last_reference():
    product = program(lambda x: np.sin(x) * x, np.ones(3))
    made = Compiled(lambda: product, product, "f", {})
    run = made.run
    np.testing.assert_allclose(run(np.ones(3))[0], np.sin(1.0) * np.ones(3))
    gone = weakref.ref(made)
    del made, run
    gc.collect()
    assert gone() is None


def test_what_is_nested_deeply_is_numpys():
    def nested(depth):
        if not depth:
            return np.sin
        inner = nested(depth - 1)
        return lambda x: ft.cond(x > depth, inner, lambda x: x * 2.0, x)

    assert why_not(program(nested(DEEPEST), 1.5)) is None
    assert "within Programs" in why_not(program(nested(DEEPEST + 1), 1.5))
