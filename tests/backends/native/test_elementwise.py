from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.native import kernels
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.elementwise import BOOLEANS, REAL, WHOLE
from functrace.backends.native.kernels import why_not
from functrace.ir.primitive import PRIMITIVES
from functrace.tracing.tracer import bind

pytest.importorskip("llvmlite")

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -2.5, 1e-300, np.inf, -np.inf, np.nan]
BEYOND = {"direction": "is asked of sizes only"}


def assert_as_numpy(name, args):
    """A primitive by machine code and by NumPy: values, dtypes and warnings."""
    primitive = PRIMITIVES[name]

    def f(*inputs):
        return bind(primitive, *inputs)

    def run(backend):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = ft.jit(f, backend=backend)(*args)
            except (TypeError, ValueError, ArithmeticError) as error:
                return type(error), None
        return result, {str(warning.message) for warning in caught}

    (found, said), (expected, wanted) = run("native"), run("numpy")
    if isinstance(expected, type):
        assert found is expected
        return
    assert found.dtype == expected.dtype
    single = expected.dtype.itemsize == 4
    np.testing.assert_allclose(found, expected, rtol=1e-6 if single else 1e-14)
    if expected.dtype.kind == "f":
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
    assert said == wanted


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(REAL.keys() - BEYOND.keys()))
def test_real_numbers(name, dtype):
    x, y = (np.ravel(a).astype(dtype) for a in np.meshgrid(SPECIAL, SPECIAL))
    count = PRIMITIVES[name].ufunc.nin
    assert_as_numpy(name, (x, y)[:count])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.sampled_from(["int8", "int64", "uint8", "uint32"]),
    st.integers(0, 2**32),
)
def test_integers(name, dtype, seed):
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    args = [rng.integers(info.min, info.max, 5, dtype, endpoint=True) for _ in range(2)]
    if "shift" in name:
        args[1] = rng.integers(0, 80, 5).astype(dtype)
    assert_as_numpy(name, args[: PRIMITIVES[name].ufunc.nin])


@pytest.mark.parametrize("name", sorted(BOOLEANS))
def test_booleans(name):
    x, y = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert_as_numpy(name, (x, y)[: PRIMITIVES[name].ufunc.nin])


@pytest.mark.parametrize("exponent", [0, 0.5, -1, 1, 2, 3, 2.5, -0.5, 7])
def test_powers(exponent):
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (lambda x: x**exponent, lambda x: np.power(2.5, x) + np.power(x, exponent)):
            np.testing.assert_allclose(
                ft.jit(f, backend="native")(x), ft.jit(f)(x), rtol=1e-14, err_msg=str(exponent)
            )


@pytest.mark.parametrize("target", ["float32", "float64", "int64", "bool", "uint8", "int16"])
@pytest.mark.parametrize("source", ["float32", "float64", "int64", "bool", "uint8", "int16"])
def test_conversions(source, target):
    x = np.array([0, 1, 2, 100, 127], source)
    found = ft.jit(lambda x: x.astype(target), backend="native")(x)
    np.testing.assert_array_equal(found, x.astype(target), strict=True)


# Python's integers

ENDS = [0, 1, -1, 2, -3, 7, 63, 64, 2**31, -(2**63), 2**63 - 1, 2**62]


def assert_same(f, *cases):
    """What Python makes of numbers, errors included."""
    native, python = (ft.jit(f, backend=name) for name in ("native", "numpy"))

    def run(f, args):
        try:
            result = f(*args)
        except (ArithmeticError, ValueError) as error:
            return type(error), str(error)
        return type(result), result

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for args in cases:
            assert run(native, args) == run(python, args)


ENDLESS_FUNCTIONS = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "left_shift": lambda x, y: x << y,
    "right_shift": lambda x, y: x >> y,
    "bits": lambda x, y: (x & y) | (x ^ ~y),
    "divide": lambda x, y: x / y,
    "compare": lambda x, y: (x < y) + (x == y) * 2,
    "one": lambda x, y: abs(-x) + (-y) ** 3,
}


@pytest.mark.parametrize("name", ENDLESS_FUNCTIONS)
def test_pythons_integers_have_no_end(name):
    pairs = [(x, y) for x in ENDS for y in ENDS if name != "left_shift" or y < 100]
    assert_same(ENDLESS_FUNCTIONS[name], *pairs)


def test_loops_count_in_pythons_integers():
    def f(x):
        def body(c):
            i, total = c
            return i + 1, total * 0.5 + x[i % 3] * (i * i - 3)

        return ft.while_loop(lambda c: c[0] < 20, body, (0, 0.0))

    x = np.array([1.0, 2.0, 3.0])
    assert why_not(decompose(ft.make_ir(f)(x))) is None
    assert_same(f, (x,))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64"])
@pytest.mark.parametrize("n", [3, -1, 200, 300])
def test_integers_that_numpy_refuses(dtype, n):
    x = np.array([1, 2], dtype)
    f = lambda x, n: x + n * 1
    outcomes = []
    for backend in ("native", "numpy"):
        try:
            outcomes.append(ft.jit(f, backend=backend)(x, n).tolist())
        except OverflowError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint32"])
def test_division_of_integers(dtype):
    info = np.iinfo(dtype)
    values = np.array([0, 1, 3, info.max, info.min, info.max - 1], dtype)
    if info.min:
        values = np.append(values, np.array([-1, -3], dtype))
    x, y = map(np.ravel, np.meshgrid(values, values))
    for name in ("floor_divide", "remainder", "fmod"):
        assert_as_numpy(name, (x, y))
        assert_as_numpy(name, (x[y != 0], y[y != 0]))


# Operations with parameters


@pytest.mark.parametrize("target", ["int64", "int8", "uint8", "uint64", "int32"])
@pytest.mark.parametrize("source", ["float64", "float32"])
def test_whole_parts(source, target):
    values = [0.0, -0.0, 0.9, -0.9, 1.5, 100.7, 127.9]
    beyond = [-1.0, -1.5, -128.9, 128.0, 255.9, 256.0, 1e9, 3e9, 1e19, -1e19, np.inf, np.nan]
    both = [ft.jit(lambda x: x.astype(target), backend=name) for name in ("native", "numpy")]
    for x in (np.array([x], source) for x in (*values, *beyond)):
        results = []
        for f in both:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = f(x)
            results.append((found.tolist(), found.dtype, [str(w.message) for w in caught]))
        assert results[0] == results[1]


@pytest.mark.parametrize("decimals", [0, 1, 3, -1, -2])
def test_rounding(decimals):
    x = np.array([*SPECIAL, 2.675, 1234.5, 0.05, -1.25e15])
    with np.errstate(all="ignore"):
        for given in (x, x.astype(np.float32), np.array([15, -25, 7])):
            f = lambda x: np.round(x, decimals)
            np.testing.assert_array_equal(ft.jit(f, backend="native")(given), f(given))


def test_integers_to_known_powers():
    x = np.array([-3, 0, 2, 100], np.int64)
    for n in (0, 1, 2, 5, 13):
        f = lambda x: x**n
        np.testing.assert_array_equal(ft.jit(f, backend="native")(x), f(x), strict=True)
        small = x.astype(np.int8)
        np.testing.assert_array_equal(ft.jit(f, backend="native")(small), f(small), strict=True)


def test_bits_and_powers_of_two():
    f = lambda x, n: (np.bitwise_count(n), np.ldexp(x, n))
    x, n = np.array([1.5, -0.0, np.inf, 3.0]), np.array([3, -5, 2, -1074])
    for found, expected in zip(ft.jit(f, backend="native")(x, n), f(x, n), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


PARTS = {
    "divmod": lambda x, y: np.divmod(x, y),
    "modf": lambda x, y: np.modf(x),
    "frexp": lambda x, y: np.frexp(x),
}


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
@pytest.mark.parametrize("name", PARTS)
def test_functions_with_two_results(name, dtype):
    values = np.array([0.0, -0.0, 1.0, 0.5, 3.0, 100.0, 2.5])
    if dtype[0] == "f":
        values = np.array([*SPECIAL, -7.25, 1e-310])
    x, y = (np.ravel(a).astype(dtype) for a in np.meshgrid(values, values))
    outcomes = []
    for backend in ("native", "numpy"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            f = ft.jit(PARTS[name], backend=backend)
            results = [*f(x, y), *f(x[-1], y[-1]), *f(x[y == 0.5], y[y == 0.5])]
        outcomes.append((results, {str(warning.message) for warning in caught}))
    (found, said), (expected, wanted) = outcomes
    assert said == wanted
    for a, b in zip(found, expected, strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b, strict=True)
        if a.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
def test_scalars_that_overflow_are_warned_of_and_arrays_are_not(dtype):
    of = np.dtype(dtype).type
    info = np.iinfo(dtype)

    def told(f, *args):
        found = []
        for backend in ("native", "numpy"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                value = ft.jit(f, backend=backend)(*args)
            found.append((np.asarray(value).tolist(), [str(w.message) for w in caught]))
        assert found[0] == found[1]
        return found[0][1]

    least, greatest, one = of(info.min), of(info.max), of(1)
    assert told(lambda x, y: x + y, greatest, one)
    assert told(lambda x, y: x - y, least, one)
    assert told(lambda x, y: x * y, greatest, of(2))
    assert told(lambda x: -x, least or one)
    assert not told(lambda x, y: x + y, one, one)
    assert not told(lambda x, y: x + y, np.array([greatest]), one)

    def quiet(x, y):
        with np.errstate(over="ignore"):
            return x + y

    assert not told(quiet, greatest, one)


@pytest.fixture
def refused(monkeypatch):
    """The calls that machine code leaves to NumPy."""
    calls = []
    by_numpy = kernels._ByNumPy.__call__
    monkeypatch.setattr(
        kernels._ByNumPy,
        "__call__",
        lambda self, *args: (calls.append(args), by_numpy(self, *args))[1],
    )
    return calls


IGNORED = [{"divide": "ignore"}, {"invalid": "ignore"}, {"divide": "ignore", "invalid": "ignore"}]

QUIET_ONES = {
    "divide": lambda x, y: x / y,
    "reciprocal": lambda x, y: 1.0 / np.abs(y),
    "sqrt": lambda x, y: np.sqrt(x),
    "log": lambda x, y: np.log(x),
    "log2": lambda x, y: np.log2(x),
    "log10": lambda x, y: np.log10(x),
    "log1p": lambda x, y: np.log1p(x),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("ignored", IGNORED, ids=" ".join)
@pytest.mark.parametrize("name", QUIET_ONES)
def test_what_is_ignored_is_done_by_machine_code(refused, name, ignored, dtype):
    x, y = (np.ravel(a).astype(dtype) for a in np.meshgrid(SPECIAL, SPECIAL))

    def f(x, y):
        with np.errstate(**ignored):
            return QUIET_ONES[name](x, y)

    fast = ft.jit(f, backend="native")
    said = []
    for number in range(len(x)):
        one = x[number : number + 1].repeat(9), y[number : number + 1].repeat(9)
        refused.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = fast(*one)
        with warnings.catch_warnings(record=True) as expected_caught:
            warnings.simplefilter("always")
            expected = f(*one)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        is_number = ~np.isnan(expected)
        signs = np.signbit(found[is_number]), np.signbit(expected[is_number])
        np.testing.assert_array_equal(*signs)
        assert {str(w.message) for w in caught} == {str(w.message) for w in expected_caught}
        is_known = not np.isnan(one).any()  # comparisons with nan raise a flag
        said.append(bool(refused) and not caught and is_known)
    # Infinity by infinity, and little else, is left to NumPy though nobody wants to hear of it.
    assert sum(said) <= (4 if name == "divide" else 0)


MASKED = {
    "quotient": lambda x: np.where(x != 0, np.sin(x) / x, 1.0),
    "logarithm": lambda x: np.where(x > 0, np.log(x), 0.0),
    "root": lambda x: np.where(x > 0, np.sqrt(x), 0.0),
}


@pytest.mark.parametrize("name", MASKED)
def test_what_is_masked_is_done_by_machine_code(refused, name):
    def total(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            part = MASKED[name](x)
        return np.sum(np.cos(part) * 2.0 + part)

    x = np.linspace(-1.0, 1.0, 101)
    for f in (total, ft.grad(total)):
        np.testing.assert_allclose(ft.jit(f, backend="native")(x), f(x), rtol=1e-12, atol=1e-14)
    assert not refused


HOLDING = sorted(kernels._FUNCTIONS | (kernels._ARITHMETIC & REAL.keys()))


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", HOLDING)
def test_results_hold_though_flags_were_raised(refused, name, dtype):
    primitive = PRIMITIVES[name]
    rng = np.random.default_rng(0)
    itemsize = np.dtype(dtype).itemsize
    drawn = np.frombuffer(rng.bytes(itemsize * 3000), dtype)  # any bits, and so any sizes
    usual = (rng.normal(size=3000) * 10.0 ** rng.integers(-3, 4, 3000)).astype(dtype)
    ends = np.array([*SPECIAL, 709.5, 710.5, -745.0, 88.6, 89.0, 1e30, -1e30, 1e-40], dtype)
    x = np.concatenate([drawn, usual, np.repeat(ends, len(ends))])
    y = np.concatenate([rng.permutation(drawn), drawn, np.tile(ends, len(ends))])
    args = (x, y)[: primitive.ufunc.nin]
    fast = ft.jit(lambda *args: bind(primitive, *args), backend="native")
    with np.errstate(all="ignore"):
        found, expected = fast(*args), bind(primitive, *args)
    assert not refused
    limits = np.finfo(dtype)
    rtol, atol = float(4 * limits.eps), float(2 * limits.smallest_subnormal)
    np.testing.assert_allclose(found, expected, rtol, atol)


def test_what_a_call_ignores_is_done_by_machine_code(refused):
    x = np.linspace(-1.0, 1.0, 101)
    x[50] = 0.0
    quotient = ft.jit(lambda x: 1.0 / x, backend="native")
    logarithm = ft.jit(lambda x: np.log(x) * 0.5, backend="native")
    sine = ft.jit(lambda x: np.sin(1.0 / x), backend="native")
    for f in (quotient, logarithm, sine):
        with pytest.warns(RuntimeWarning):
            f(x)
    assert len(refused) == 3
    with np.errstate(divide="ignore"):
        assert np.isinf(quotient(x)[50])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        np.testing.assert_array_equal(np.isnan(logarithm(x)), x < 0)
    assert len(refused) == 3
    with np.errstate(divide="ignore"), pytest.warns(RuntimeWarning, match="invalid"):
        logarithm(x)
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning, match="divide"):
        logarithm(x)
    with np.errstate(all="ignore"):  # flags of a sine say that it must be computed by NumPy
        assert np.isnan(sine(x)[50])
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        quotient(x)
    assert len(refused) == 7


def test_what_a_whole_function_ignores_is_done_by_machine_code(refused):
    def quiet(x):
        with np.errstate(all="ignore"):
            return np.where(x < 0.5, np.exp(x * 1000.0) * 0.0, np.log(x) / (x - x))

    def partly(x):
        with np.errstate(divide="ignore"):
            part = 1.0 / x
        return np.sum(np.minimum(part, 2.0) * x[::-1])

    x = np.linspace(-1.0, 1.0, 101)
    x[50] = 0.0
    for f in (quiet, partly):
        np.testing.assert_allclose(ft.jit(f, backend="native")(x), f(x), rtol=1e-12)
    assert not refused
    with pytest.warns(RuntimeWarning, match="overflow"):
        ft.jit(lambda x: np.where(x > 2.0, quiet(x), 1e308) * (x + 10.0), backend="native")(x)
    assert refused
