"""What was written at an index: what a read finds there, and that no value changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.simplify.indices import relative_index
from tests.simplify.helpers import assert_same_bits, check_pass

HEAD = "def program(a: float64[4, 3], b: float64[3], n: int64):\n"


def check_simplified(lines, result, expected, expected_result):
    """Check what a Program of a matrix, a row and a number becomes."""
    before, after = (
        HEAD + "".join(f"    {line}\n" for line in lines) + f"    return {result}\n"
        for lines, result in ((lines, result), (expected, expected_result))
    )
    program, simple = ft.parse(before), ft.parse(after)
    check_pass(simplify, before, ft.to_text(simple, sources=False))
    rng = np.random.default_rng(0)
    for n in range(-3, 3):
        inputs = rng.normal(size=(4, 3)), rng.normal(size=3), np.int64(n)
        assert_same_bits(ft.evaluate(simple, *inputs), ft.evaluate(program, *inputs))


STORE = "c: float64[4, 3] = index_update(a, b, index=(1,))"


@pytest.mark.parametrize(
    ("lines", "result", "expected", "expected_result"),
    [
        ((STORE, "d: float64[3] = getitem(c, index=(1,))"), "d", (), "b"),
        (
            (STORE, "d: float64[3] = getitem(c, index=(2,))"),
            "d",
            ("c: float64[3] = getitem(a, index=(2,))",),
            "c",
        ),
        (
            (STORE, "d: float64 = element(c, index=(1, -1))"),
            "d",
            ("c: float64 = element(b, index=(2,))",),
            "c",
        ),
        (
            (
                "c: float64[4, 3] = index_update(a, b, index=(slice(0, 2, None),))",
                "d: float64[2] = getitem(c, index=(slice(0, 2, None), 1))",
            ),
            "d",
            (
                "c: float64[2, 3] = broadcast_to(b, shape=(2, 3))",
                "d: float64[2] = getitem(c, index=(slice(None, None, None), 1))",
            ),
            "d",
        ),
        (
            (
                STORE,
                "d: float64[4, 3] = index_update(c, 1.0, index=(3, slice(None, None, 2)))",
                "e: float64[3] = getitem(d, index=(-3,))",
            ),
            "e",
            (),
            "b",
        ),
        (
            (
                "c: float64[4, 3] = index_update(a, 1.0, index=(2,))",
                "d: float64[4, 3] = index_update(c, b, index=(2,))",
            ),
            "d",
            ("c: float64[4, 3] = index_update(a, b, index=(2,))",),
            "c",
        ),
        (
            (
                "c: float64[3] = getitem(a, index=(2,))",
                "d: float64[4, 3] = index_update(a, c, index=(2,))",
            ),
            "d",
            (),
            "a",
        ),
        (
            (
                "c: float64[4, 3] = index_update(a, 0.0, index=(2,))",
                "d: float64[4, 3] = index_add(c, b, index=(2,))",
            ),
            "d",
            ("c: float64[4, 3] = index_update(a, b, index=(2,))",),
            "c",
        ),
        (
            (
                'c: float64[4, 3] = index_update(a, b, n, index=("indices",), unique=True)',
                'd: float64[3] = gather(c, n, index=("indices",), unique=True)',
            ),
            "d",
            (),
            "b",
        ),
        (
            (
                "c: int64 = add(n, 1)",
                'd: float64[4, 3] = index_update(a, b, c, index=("indices",), unique=True)',
                'e: float64[3] = gather(d, n, index=("indices",), unique=True)',
            ),
            "e",
            ("c: float64[3] = gather(a, n, index=('indices',), unique=True)",),
            "c",
        ),
    ],
)
def test_what_was_written_is_not_read_again(lines, result, expected, expected_result):
    check_simplified(lines, result, expected, expected_result)


@pytest.mark.parametrize(
    "lines",
    [
        (STORE, "d: float64[4] = getitem(c, index=(slice(None, None, None), 1))"),
        (STORE, 'd: float64[3] = gather(c, n, index=("indices",), unique=True)'),
        (
            "c: float64[4, 3] = index_update(a, b, index=(slice(None, None, 2),))",
            "d: float64[2, 3] = getitem(c, index=(slice(None, None, 3),))",
        ),
        (
            "c: float64[4, 3] = index_add(a, b, index=(1,))",
            "d: float64[3] = getitem(c, index=(1,))",
        ),
    ],
)
def test_what_may_have_been_written_is_read(lines):
    text = HEAD + "".join(f"    {line}\n" for line in lines) + "    return d\n"
    assert len(simplify(ft.parse(text)).equations) == 2


INTEGERS = st.integers(-4, 3)
SLICES = st.builds(
    slice,
    st.none() | INTEGERS,
    st.none() | INTEGERS,
    st.sampled_from([None, 1, 2, -1, -2]),
)
PLACES = st.lists(INTEGERS, min_size=1, max_size=3).map(np.array)
INDICES = st.tuples(INTEGERS | SLICES | PLACES) | st.tuples(INTEGERS | SLICES, INTEGERS | SLICES)


@given(SLICES | INTEGERS, SLICES | INTEGERS)
def test_an_index_into_a_part(outer, inner):
    x = np.arange(4)
    index = relative_index((4,), (outer,), (inner,))
    if index is not None:
        np.testing.assert_array_equal(x[outer][index], x[inner])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(INDICES, INDICES, st.booleans()), min_size=1, max_size=6))
def test_random_writes_and_reads(steps):
    """Compiled, eager and NumPy's own writes agree, and so do their derivatives."""

    def f(x, y):
        x = x * 1.5
        total = 0.0
        for place, read, is_added in steps:
            part = x[read]
            if is_added:
                x[place] += np.sum(part)
            else:
                x[place] = np.sin(np.sum(part) * y)
            total = total + np.sum(x[place] * 2.0) + np.sum(part**2)
        return total + np.sum(x * x)

    x, y = np.random.default_rng(0).normal(size=(4, 4)) / 4, 0.3
    expected = f(x, y)
    np.testing.assert_allclose(ft.jit(f)(x, y), expected, rtol=1e-10)
    value, gradients = ft.value_and_grad(f, (0, 1))(x, y)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    compiled = ft.jit(ft.grad(f, (0, 1)))(x, y)
    for found, wanted in zip(compiled, gradients, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    step = 1e-6
    slope = (f(x + step * np.cos(x), y + step) - f(x - step * np.cos(x), y - step)) / (2 * step)
    pushed = np.sum(gradients[0] * np.cos(x)) + gradients[1]
    np.testing.assert_allclose(pushed, slope, rtol=1e-4, atol=1e-4)
