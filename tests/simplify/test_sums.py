"""Sums of multiples and of products, and factors of factors: text in, text out, and values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_passes import algebra_for_numpy, simplify
from functrace.simplify import remove_dead_code
from functrace.simplify.constants import MODERATE
from functrace.simplify.indices import merged_index
from functrace.simplify.sums import LARGEST_SINGLE_SUM
from tests.simplify.helpers import check_pass, special_values


def applied(program):
    while True:
        before = program
        program = remove_dead_code(algebra_for_numpy(program))
        if program is before:
            return program


def primitives(f, *args):
    return [e.primitive.name for e in simplify(ft.make_ir(f)(*args)).equations]


def test_sums_of_negatives_and_multiples():
    check_pass(
        applied,
        """
        def program(a: float64[3, 4], b: float64[3, 4]):
            c: float64[3, 4] = negative(a)
            d: float64[4] = sum(c, axes=(0,), keepdims=False, dtype=None)
            e: float64[3, 4] = multiply(2.5, b)
            f: float64[3, 1] = mean(e, axes=(1,), keepdims=True, dtype=None)
            return (d, f)
        """,
        """
        def program(a: float64[3, 4], b: float64[3, 4]):
            c: float64[4] = sum(a, axes=(0,), keepdims=False, dtype=None)
            d: float64[4] = negative(c)
            e: float64[3, 1] = mean(b, axes=(1,), keepdims=True, dtype=None)
            f: float64[3, 1] = multiply(e, 2.5)
            return (d, f)
        """,
    )


def test_sums_of_products_are_contractions():
    check_pass(
        applied,
        """
        def program(a: float64[3, 4], b: float64[3, 4], c: float64[4], d: float64[3, 1]):
            e: float64[3, 4] = multiply(a, b)
            f: float64 = sum(e, axes=None, keepdims=False, dtype=None)
            g: float64[3, 4] = multiply(a, c)
            h: float64[3] = sum(g, axes=(1,), keepdims=False, dtype=None)
            i: float64[3, 4] = multiply(d, b)
            j: float64[1, 4] = sum(i, axes=(0,), keepdims=True, dtype=None)
            k: float64[3, 4] = multiply(a, a)
            l: float64 = mean(k, axes=None, keepdims=False, dtype=None)
            return (f, h, j, l)
        """,
        """
        def program(a: float64[3, 4], b: float64[3, 4], c: float64[4], d: float64[3, 1]):
            e: float64 = contract(a, b, subscripts='ab,ab->')
            f: float64[3] = contract(a, c, subscripts='ab,b->a')
            g: float64[3] = reshape(d, shape=(3,))
            h: float64[4] = contract(g, b, subscripts='a,ab->b')
            i: float64[1, 4] = reshape(h, shape=(1, 4))
            j: float64 = contract(a, a, subscripts='ab,ab->')
            k: float64 = divide(j, float64(12.0))
            return (e, f, i, k)
        """,
    )


def test_factors_of_operands_are_those_of_small_contractions():
    check_pass(
        applied,
        """
        def program(a: float64[9, 4], b: float64[9, 3]):
            c: float64[9, 4] = negative(a)
            d: float64[9, 3] = multiply(b, 4.5)
            e: float64[4, 3] = contract(c, d, subscripts='ab,ac->bc')
            return e
        """,
        """
        def program(a: float64[9, 4], b: float64[9, 3]):
            c: float64[4, 3] = contract(a, b, subscripts='ab,ac->bc')
            d: float64[4, 3] = multiply(c, -4.5)
            return d
        """,
    )


def test_multiples_of_doubles_and_doubles_of_multiples():
    check_pass(
        applied,
        """
        def program(a: float64[3], b: float64[3], c: float64[3], d: float32[3]):
            e: float64[3] = add(a, a)
            f: float64[3] = multiply(1.25, e)
            g: float64[3] = multiply(b, 3.0)
            h: float64[3] = add(g, g)
            i: float64[3] = add(c, c)
            j: float64[3] = negative(i)
            k: float32[3] = multiply(0.25, d)
            l: float32[3] = multiply(k, float32(3.0))
            return (f, h, j, l)
        """,
        """
        def program(a: float64[3], b: float64[3], c: float64[3], d: float32[3]):
            e: float64[3] = multiply(2.5, a)
            f: float64[3] = multiply(6.0, b)
            g: float64[3] = multiply(float64(-2.0), c)
            h: float32[3] = multiply(float32(0.75), d)
            return (e, f, g, h)
        """,
    )


def test_axes_that_come_and_go():
    check_pass(
        applied,
        """
        def program(a: float64[3, 4], b: float64[3, 4, 1]):
            c: float64[1, 4] = sum(a, axes=(0,), keepdims=True, dtype=None)
            d: float64[4] = reshape(c, shape=(4,))
            e: float64[3, 1, 4] = getitem(a, index=(slice(None, None, None), None))
            f: float64[3, 4] = scatter_add(b, index=(..., None), shape=(3, 4), unique=True)
            return (d, e, f)
        """,
        """
        def program(a: float64[3, 4], b: float64[3, 4, 1]):
            c: float64[4] = sum(a, axes=(0,), keepdims=False, dtype=None)
            d: float64[3, 1, 4] = reshape(a, shape=(3, 1, 4))
            e: float64[3, 4] = reshape(b, shape=(3, 4))
            return (c, d, e)
        """,
    )


@pytest.mark.parametrize(
    ("name", "f", "shapes"),
    [
        ("stays with both", lambda x, y: np.sum(x * y, axis=1), [(3, 4), (3, 4)]),
        ("is in one factor only", lambda x, y: np.sum(x * y, axis=0), [(3, 4), (4,)]),
        ("is in no factor of its length", lambda x, y: np.sum(x * y), [(3, 1), (1, 4)]),
        ("holds integers", lambda x, y: np.sum(x * y), [(3,), (3,)]),
    ],
)
def test_sums_that_are_no_plain_contractions_stay(name, f, shapes):
    dtype = int if "integers" in name else float
    args = [np.ones(shape, dtype) for shape in shapes]
    assert primitives(f, *args) == ["multiply", "sum"]


def test_products_that_are_read_elsewhere_stay():
    def f(x, y):
        z = x * y
        return np.sum(z), np.sin(z)

    assert primitives(f, np.ones(3), np.ones(3)) == ["multiply", "sum", "sin"]


def test_long_sums_in_single_precision_stay():
    f = lambda x: np.sum(x * x)
    few, many = (np.ones(LARGEST_SINGLE_SUM + n, np.float32) for n in (0, 1))
    assert primitives(f, few) == ["contract"]
    assert primitives(f, many) == ["multiply", "sum"]
    assert primitives(f, many.astype(float)) == ["contract"]
    assert primitives(f, few.astype(np.float16)) == ["multiply", "sum"]


@pytest.mark.parametrize("factor", [0.0, np.inf, np.nan, 2 * MODERATE, 0.5 / MODERATE])
def test_factors_that_are_not_moderate_stay(factor):
    assert primitives(lambda x: np.sum(factor * x), np.ones(3)) == ["multiply", "sum"]
    assert primitives(lambda x: factor * (x + x), np.ones(3)) == ["add", "multiply"]


def test_a_difference_of_squares_is_one_multiple_of_the_error():
    loss = lambda x, y: np.sum((x - y) ** 2)
    assert primitives(ft.grad(loss), np.ones(8), np.zeros(8)) == ["subtract", "add"]
    loss = lambda x, y: 3.0 * np.sum((x - y) ** 2)
    assert primitives(ft.grad(loss), np.ones(8), np.zeros(8)) == ["subtract", "multiply"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("c", [0.25, -0.5, 1.0, 3.0, 1000.0])
@pytest.mark.parametrize("d", [0.25, -0.5, 1.0, 3.0, 1000.0])
def test_moving_factors_makes_nothing_infinite_or_finite(dtype, c, d):
    largest = np.finfo(dtype).max
    x = largest * np.array([1.0, 0.6, 0.4, 1e-3, -1.0, 0.25, np.inf, np.nan, 0.0], dtype)
    functions = [
        lambda x: c * (x + x),
        lambda x: c * (d * x),
        lambda x: c * x + c * x,
        lambda x: -(c * x),
        lambda x: (c * x) * d,
        lambda x: np.negative(x + x),
    ]
    for f in functions:
        with np.errstate(all="ignore"):
            expected, found = f(x), ft.jit(f)(x)
        np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def random_sum(rng):
    """A function of two arrays that sums multiples and products, in a random way."""
    shape = tuple(rng.choice([1, 2, 3, 5], rng.integers(1, 4)))
    factors = rng.choice([2.0, -0.25, 3.0, 0.1, 1e-9], 3)
    own = tuple(n if rng.random() < 0.6 else 1 for n in shape)[rng.integers(2) * (len(shape) > 1) :]
    axes = tuple(axis for axis in range(len(shape)) if rng.random() < 0.6) or None
    reduce = [np.sum, np.mean][rng.integers(2)]
    kinds = rng.integers(4, size=3)
    keeps = bool(rng.integers(2))

    def changed(x, kind, factor):
        return [lambda: x, lambda: -x, lambda: factor * x, lambda: x + x][kind]()

    def f(x, y):
        x, y = changed(x, kinds[0], factors[0]), changed(y, kinds[1], factors[1])
        return changed(
            reduce(changed(x * y, kinds[2], factors[2]), axis=axes, keepdims=keeps), 2, 3
        )

    return f, [shape, own]


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(st.integers(0, 2**20), st.sampled_from([np.float64, np.float32]), st.booleans())
def test_random_sums(seed, dtype, special):
    rng = np.random.default_rng(seed)
    f, shapes = random_sum(rng)
    inputs = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    program = ft.make_ir(lambda *xs: [f(*xs), *ft.grad(lambda *ys: np.sum(f(*ys)), (0, 1))(*xs)])(
        *inputs
    )
    found = ft.check(simplify(program))
    if special:
        inputs = [special_values(v.type, seed + n) for n, v in enumerate(program.inputs)]
    with np.errstate(all="ignore"):
        expected = ft.evaluate(program, *inputs)
        results = ft.evaluate(found, *inputs)
    precision = 1e-12 if dtype is np.float64 else 1e-5
    for x, y in zip(results, expected, strict=True):
        assert x.dtype == y.dtype
        assert np.shape(x) == np.shape(y)
        scale = np.max(np.abs(y), initial=1, where=np.isfinite(y))
        np.testing.assert_allclose(x, y, rtol=precision, atol=precision * scale)


def test_stacks_of_matrices_are_contracted_unless_they_are_tiny():
    f = lambda x, y: np.sum(x[:, :, None] * y, axis=0)
    assert primitives(f, np.ones((100, 4)), np.ones((100, 4, 5))) == ["contract"]
    assert "contract" not in primitives(f, np.ones((10, 4)), np.ones((10, 4, 5)))
    assert "contract" not in primitives(f, np.ones((1000, 4)), np.ones((1000, 4, 1)))
    args = [np.random.default_rng(0).normal(size=shape) for shape in [(100, 4), (100, 4, 5)]]
    found = simplify(ft.make_ir(f)(*args))
    np.testing.assert_allclose(ft.evaluate(found, *args)[0], f(*args), rtol=1e-12)


def test_parts_of_parts_are_parts_of_the_whole():
    check_pass(
        applied,
        """
        def program(a: float64[6, 5], b: float64[2, 5]):
            c: float64[4, 5] = getitem(a, index=(slice(1, 5, None),))
            d: float64[2] = getitem(c, index=(slice(None, None, 2), -1))
            e: float64[8, 5] = concatenate(a, b, axis=0)
            f: float64[2, 5] = getitem(e, index=(slice(6, None, None), ...))
            g: float64[3, 5] = getitem(e, index=(slice(5, None, None),))
            return (d, f, g)
        """,
        """
        def program(a: float64[6, 5], b: float64[2, 5]):
            c: float64[2] = getitem(a, index=(slice(1, 5, 2), 4))
            d: float64[8, 5] = concatenate(a, b, axis=0)
            e: float64[3, 5] = getitem(d, index=(slice(5, None, None),))
            return (c, b, e)
        """,
    )


def random_item(rng, length):
    start, stop = (None if rng.random() < 0.3 else int(rng.integers(-length, length)) for _ in "ab")
    if rng.random() < 0.25:
        return int(rng.integers(-length, length))
    return slice(start, stop, [None, 1, 2, -1, -2, 3][rng.integers(6)])


@settings(derandomize=True, deadline=None, max_examples=200, database=None)
@given(st.integers(0, 2**20))
def test_merged_indices_take_the_same_elements(seed):
    rng = np.random.default_rng(seed)
    x = np.arange(120).reshape(4, 5, 6)
    first = tuple(random_item(rng, n) for n in x.shape[: rng.integers(4)])
    if rng.random() < 0.3:
        first = (..., *first)
        first = first if len(first) < 4 else first[1:]
    try:
        part = x[first]
        second = tuple(random_item(rng, max(n, 1)) for n in part.shape[: rng.integers(4)])
        if rng.random() < 0.3:
            second = (*second, ...)
        expected = part[second]
    except IndexError:
        return
    merged = merged_index(x.shape, first, second)
    if merged is not None:
        np.testing.assert_array_equal(x[merged], expected)
        if not isinstance(part, np.generic):
            assert type(x[merged]) is type(expected)


def test_signs_within_products_are_taken_out():
    check_pass(
        applied,
        """
        def program(a: float64[3], b: float64[3], c: float64[3]):
            d: float64[3] = negative(b)
            e: float64[3] = multiply(d, c)
            f: float64[3] = multiply(a, e)
            g: float64[3] = add(a, f)
            return g
        """,
        """
        def program(a: float64[3], b: float64[3], c: float64[3]):
            d: float64[3] = multiply(b, c)
            e: float64[3] = multiply(a, d)
            f: float64[3] = subtract(a, e)
            return f
        """,
    )
