"""What may be done for all trips at once, and what not."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_passes import simplify
from tests.simplify.helpers import check_values

RNG = np.random.default_rng(0)


def test_effects_stay_in_the_loop():
    seen = []

    def f(x):
        def step(total, y):
            z = np.sin(y)
            ft.debug.callback(lambda value: seen.append(float(value)), z)
            return total + z, None

        return ft.scan(step, 0.0, x)[0]

    x = np.arange(5.0)
    found = simplify(ft.make_ir(f)(x))
    np.testing.assert_allclose(ft.evaluate(found, x)[0], np.sin(x).sum())
    np.testing.assert_allclose(seen, np.sin(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_what_depends_on_a_counter_is_computed_for_all_trips_if_its_dtype_stays(dtype):
    x = np.arange(1, 4).astype(dtype)
    step = lambda i, c: c + np.sin(x * (2 * i - 1)) / (i + 1)
    f = lambda c: ft.fori_loop(0, 6, step, c)
    found = check_values(f, x)
    assert [e.primitive.name for e in found.equations].count("scan") == (dtype == np.float32)
    assert ft.evaluate(found, x)[0].dtype == f(x).dtype
