"""Single numbers of each type in generated source, beside what plain NumPy makes of them."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.extend import PRIMITIVES, bind
from functrace.primitives.broadcasting import PYTHON, PYTHON_WITHIN
from functrace.primitives.zero_products import (
    product_or_zero,
    product_or_zero_primitive,
    quotient_or_zero,
    quotient_or_zero_primitive,
)
from functrace.tracing.tables import UFUNCS

STRONG = [
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
    np.float16, np.float32, np.float64, np.complex64, np.complex128,
]  # fmt: skip
KINDS = [*STRONG, bool, int, float, complex]

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
    operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift,
]  # fmt: skip
UNARY = [operator.neg, operator.pos, operator.abs, operator.invert]

OPERATIONS = {
    **{ufunc.__name__: (ufunc, ufunc.nin) for ufunc in UFUNCS if ufunc.nout == 1},
    **{f"operator.{f.__name__}": (f, 2) for f in BINARY},
    **{f"operator.{f.__name__}": (f, 1) for f in UNARY},
    "where": (np.where, 3),
    "clip": (lambda x, low, high: np.clip(x, np.positive(low), np.positive(high)), 3),
    "round": (np.round, 1),
    "nan_to_num": (np.nan_to_num, 1),
    "real": (lambda x: np.real(np.positive(x)), 1),
    "imag": (lambda x: np.imag(np.positive(x)), 1),
    "angle": (np.angle, 1),
    "to float": (lambda x: np.positive(x).astype(np.float64), 1),
    "to int": (lambda x: np.positive(x).astype(np.int16), 1),
    "[()]": (lambda x: np.positive(x)[()], 1),
}
# A name of Python's own is no sign of an operator: these take arrays of matrices.
for _name in ("matmul", "vecdot", "matvec", "vecmat"):
    OPERATIONS.pop(_name, None)

VALUES = {
    "b": [True, False],
    "i": [0, 1, -3, 7],
    "u": [0, 1, 3, 7],
    "f": [0.0, -0.0, 0.5, -1.5, 2.0, 1e300, -800.0, np.inf, -np.inf, np.nan],
    "c": [0j, 1 + 2j, -1.5 + 0j, complex(np.inf, 0)],
}


def drawn(rng, kind):
    """A number of a type."""
    values = VALUES[np.dtype(kind).kind]
    return kind(values[rng.integers(len(values))])


def combination(rng, f, count, kinds=KINDS):
    """Arguments for which NumPy has a result, and the result; None where there is none."""
    for _ in range(5):
        args = [drawn(rng, kinds[rng.integers(len(kinds))]) for _ in range(count)]
        try:
            return args, f(*args)
        except (TypeError, ValueError, ArithmeticError):
            continue
    return None


def of_numpys_class(args, expected):
    """A result as NumPy's: to Python's complex numbers np.float64 is a float of theirs."""
    if any(isinstance(x, np.generic) for x in args) and not isinstance(expected, np.ndarray):
        return np.asarray(expected)[()]
    return expected


def assert_same(name, args, found, expected):
    """The same number in an object of the same class."""
    expected = of_numpys_class(args, expected)
    message = f"{name}{tuple(args)} is {found!r} and not {expected!r}"
    assert type(found) is type(expected), message
    assert np.asarray(found).dtype == np.asarray(expected).dtype, message
    single = np.asarray(expected).dtype.char in "efF"
    np.testing.assert_allclose(found, expected, rtol=2e-3 if single else 1e-12, err_msg=message)


def with_numbers(f):
    """A function beside enough arithmetic on single numbers for these to be Python's."""
    return lambda x, *args: (f(*args), np.sin(x) * np.cos(x) * np.exp(x) * x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_operation_on_numbers_of_each_type(seed):
    rng = np.random.default_rng(seed)
    chosen = {}
    for name, (f, count) in OPERATIONS.items():
        found = combination(rng, f, count)
        if found is not None:
            chosen[name] = found
    # Some of the numbers are known while the function is recorded.
    known = {name: rng.integers(0, 4, len(args)) == 0 for name, (args, _) in chosen.items()}
    for on in known.values():
        on[rng.integers(len(on))] = False

    def f(given):
        results = {name: OPERATIONS[name][0](*args) for name, args in given.items()}
        # What is computed with a result tells its form: True + True is 2 in Python.
        return {name: (result, result + result) for name, result in results.items()}

    def closed(given):
        return f(
            {
                name: [
                    x if on else g for x, g, on in zip(args, given[name], known[name], strict=True)
                ]
                for name, (args, _) in chosen.items()
            }
        )

    given = {name: args for name, (args, _) in chosen.items()}
    for function in (f, closed):
        results, _ = ft.jit(with_numbers(function))(np.float64(0.3), given)
        for name, (args, expected) in chosen.items():
            once = of_numpys_class(args, expected)
            assert_same(name, args, results[name][0], once)
            assert_same(f"twice {name}", args, results[name][1], once + once)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_operation_on_the_rows_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    chosen = {}
    for name, (f, count) in OPERATIONS.items():
        kinds = [STRONG[rng.integers(len(STRONG))] for _ in range(count)]
        args = [np.array([drawn(rng, kind) for _ in range(3)]) for kind in kinds]
        try:
            chosen[name] = args, np.stack([f(*row) for row in zip(*args, strict=True)])
        except (TypeError, ValueError):
            continue

    def trip(x, rows):
        results = {name: OPERATIONS[name][0](*row) for name, row in rows.items()}
        return np.sin(x) * np.cos(x) * np.exp(x) * x, results

    rows = {name: args for name, (args, _) in chosen.items()}
    _, stacked = ft.jit(lambda x, rows: ft.scan(trip, x, rows))(np.float64(0.3), rows)
    for name, (args, expected) in chosen.items():
        if "pow" in name and np.any(np.isneginf(args[0].real) & (args[1] == 0.5)):
            continue  # NumPy's operator on arrays takes the square root, which is nan
        assert_same(name, args, stacked[name], expected)


def warnings_of(f, *args):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = f(*args)
    return result, {str(warning.message) for warning in found}


SPECIAL = [0.0, -0.0, 1.0, -2.5, 1e-300, 1e300, -1e300, 800.0, np.inf, -np.inf, np.nan]
PAIRS = [(x, y) for x in SPECIAL for y in SPECIAL]


@pytest.mark.parametrize("name", sorted({*PYTHON, *PYTHON_WITHIN}))
def test_pythons_floats_give_what_numpy_gives(name):
    primitive = PRIMITIVES[name]
    arguments = PAIRS if primitive.ufunc.nin == 2 else [(x,) for x in SPECIAL]
    f = ft.jit(with_numbers(lambda *xs: bind(primitive, *xs)))
    numbers = [np.float64(x) for x in arguments[0]]
    assert " = np." not in f.source(np.float64(0.3), *numbers)
    for values in arguments:
        numbers = [np.float64(x) for x in values]
        expected, expected_warnings = warnings_of(primitive.run, *numbers)
        (found, _), found_warnings = warnings_of(f, np.float64(0.3), *numbers)
        assert type(found) is type(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)
        if expected == 0 and name not in ("maximum", "minimum"):
            assert np.signbit(found) == np.signbit(expected)
        if name in PYTHON_WITHIN and not (name == "divide" and values[1] != 0):
            assert found_warnings == expected_warnings


def test_products_and_quotients_of_pythons_numbers_keep_zeros():
    f = ft.jit(with_numbers(lambda t, x: (product_or_zero(t, x), quotient_or_zero(t, x))))
    for t, x in PAIRS:
        with np.errstate(all="ignore"):
            product = product_or_zero_primitive.run(np.float64(t), np.float64(x))
            quotient = quotient_or_zero_primitive.run(np.float64(t), np.float64(x))
        found, _ = f(np.float64(0.3), np.float64(t), np.float64(x))
        np.testing.assert_array_equal(found, (product, quotient))


def test_sums_of_comparisons():
    def f(a, b):
        return ((a > 0) + (b > 0)) * np.sin(a) * np.cos(b)

    # Python's True + True is 2, NumPy's is True.
    for a, b in ((0.5, 0.7), (np.float64(0.5), np.float64(0.7))):
        assert np.isclose(f(a, b), np.sin(a) * np.cos(b) * (1 + (type(a) is float)))
        for way in (f, ft.grad(f), ft.grad(ft.grad(f, 1)), ft.grad(f, (0, 1))):
            np.testing.assert_allclose(ft.jit(way)(a, b), way(a, b), rtol=1e-12)


def test_numbers_chosen_by_numbers_are_indexes():
    def f(a, xs, small):
        number = np.where(a > 0, 2, 1)
        return xs[number] * np.sin(a) * np.cos(a) * a, number, small + number, number + 2**60

    args = (np.float64(0.5), np.arange(4.0), np.int8(1))
    for found, expected in zip(ft.jit(f)(*args), f(*args), strict=True):
        assert_same("f", args, found, expected)


def test_what_is_left_of_arrays_without_axes():
    def f(x, w):
        return x * 1, np.where(x > 0, x, x), x + 0 * w, x[...], abs(abs(x)), np.where(True, w, x), x

    args = (np.array(2.0), np.float64(3.0))
    for found, expected in zip(ft.jit(f)(*args), f(*args), strict=True):
        assert isinstance(found, np.ndarray) == isinstance(expected, np.ndarray)
        assert found == expected
        assert found is not args[0]


def test_known_numbers_are_numpys():
    def f(x):
        return np.imag(x), np.imag(np.sin(x)), np.float64(2.0), x * 0 + 1

    results, _ = ft.jit(with_numbers(f))(0.5, 0.3)
    assert [type(x) for x in results] == [float, np.float64, np.float64, float]
    assert [type(x) for x in f(0.5)] == [type(x) for x in results]


def test_truth_of_numbers_among_booleans():
    def f(x, n):
        both = np.logical_and(x > 0, x), np.logical_or(x, n > 9), np.logical_xor(x > 1, n)
        return *both, *(b * np.float64(2.0) for b in both), *(b + b for b in both)

    args = (np.float64(0.3), np.int8(3))
    for found, expected in zip(ft.jit(with_numbers(f))(0.5, *args)[0], f(*args), strict=True):
        assert_same("f", args, found, expected)


def test_divisions_of_weak_numbers_are_pythons():
    f = with_numbers(lambda x, y: x / y)
    for g in (f, ft.jit(f)):
        with pytest.raises(ZeroDivisionError):
            g(0.3, 1.0, 0.0)


def test_numbers_that_are_known_come_back_as_numpys():
    def f(x):
        known = np.float64(-2.25)
        zero = np.zeros_like(x) - np.zeros_like(x)
        return known, -known, zero, np.sin(x) * np.cos(x) * np.exp(x) * np.sqrt(x) + known

    x = np.float64(0.5)
    assert [type(output) for output in ft.jit(f)(x)] == [type(output) for output in f(x)]
