from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.kernels import Compiled, why_not


def program(f, *args):
    return decompose(ft.make_ir(f)(*args))


def inverses(x):
    return ft.scan(lambda c, row: (c, np.linalg.inv(row)), 0.0, x)[1]


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (lambda x: np.sin(x), np.ones(3, complex), "complex128"),
        (lambda x: np.sort(x), np.ones(3), "argsort"),
        (
            lambda x: ft.scan(lambda c, r: (c, np.linalg.inv(r)), 0.0, x)[1],
            np.ones((2, 2, 2)),
            "inv",
        ),
    ],
)
def test_it_is_said_why_something_is_numpys(f, x, said):
    assert said in why_not(program(f, x))


def test_what_was_compiled_goes_with_the_last_reference():
    made = Compiled(program(lambda x: np.sin(x) * x, np.ones(3)), "f", {})
    run = made.run
    np.testing.assert_allclose(run(np.ones(3))[0], np.sin(1.0) * np.ones(3))
    gone = weakref.ref(made)
    del made, run
    gc.collect()
    assert gone() is None
