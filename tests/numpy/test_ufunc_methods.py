"""Ufuncs' methods: reduce, accumulate, reduceat, outer and at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.errors import OperandError, UnknownValueError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy, check
from tests.strategies import seeds


def test_outer():
    x, y = np.array([1.0, 2.0]), np.array([[3.0, 4.0, 5.0]])
    f = np.multiply.outer
    np.testing.assert_array_equal(ft.evaluate(ft.make_ir(f)(x, y), x, y)[0], f(x, y))
    check_grads(f, (x, y), order=2)
    check_grads(lambda x: np.hypot.outer(x, 2.0), (x,), order=1)


@pytest.mark.parametrize("ufunc", [np.add, np.subtract])
def test_at(ufunc):
    def f(x, y):
        z = x * 1
        ufunc.at(z, np.array([0, 0, 2]), y)
        return z * z

    x, y = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25, 4.0])
    expected = f(x, y)
    np.testing.assert_array_equal(ft.vjp(f, x, y)[0], expected)
    check_grads(f, (x, y), order=2)


# NumPy's vector loops of powers and of arctan2 overlook that a reduction reads what it wrote; the
# others have no rule, or no reduction.
WITHOUT = {"arctan2", "atan2", "power", "pow", "float_power", "nextafter", "ldexp"}
OF_TWO = {
    name: ufunc
    for name, ufunc in sorted(vars(np).items())
    if isinstance(ufunc, np.ufunc) and (ufunc.nin, ufunc.nout) == (2, 1)
    and ufunc.signature is None and name == ufunc.__name__ and name not in WITHOUT
}  # fmt: skip
METHODS = {
    "reduce": lambda ufunc, x: ufunc.reduce(x),
    "reduce the last axis": lambda ufunc, x: ufunc.reduce(x, axis=-1, keepdims=True),
    "accumulate": lambda ufunc, x: ufunc.accumulate(x),
    "accumulate along the last axis": lambda ufunc, x: ufunc.accumulate(x, axis=-1),
    "reduceat": lambda ufunc, x: ufunc.reduceat(x, [0, 1, 1, 0]),
    "reduceat along the last axis": lambda ufunc, x: ufunc.reduceat(x, np.array([2, 0]), -1),
}


@pytest.mark.thinned
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", OF_TWO)
def test_methods_are_those_of_numpy(name, method):
    ufunc, f = OF_TWO[name], METHODS[method]
    floats = np.array([[1.3, 0.7, 2.1, 1.1], [0.9, 1.7, 0.4, 1.2], [2.3, 0.6, 1.9, 0.8]])
    for x in (floats, (floats * 3).astype(np.int8), floats > 1.0):
        try:
            with np.errstate(all="ignore"):
                expected = f(ufunc, x)
        except (TypeError, ValueError):
            continue
        rtol = 3e-3 if expected.dtype == np.float16 else 1e-12
        for run in (ft.jit, lambda g: lambda x: ft.jvp(g, (x,), (None,))[0]):
            with np.errstate(all="ignore"):
                found = run(lambda x: f(ufunc, x))(x)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=rtol)
        with np.errstate(all="ignore"):
            mapped = ft.vmap(lambda x: f(ufunc, x))(np.stack([x, x]))
        np.testing.assert_allclose(mapped, np.stack([expected, expected]), rtol=rtol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ufunc", [
    np.add, np.subtract, np.multiply, np.divide, np.maximum, np.fmin, np.logaddexp, np.hypot,
], ids=lambda ufunc: ufunc.__name__)  # fmt: skip
def test_methods_are_differentiated(ufunc, method):
    x = np.array([[1.3, 0.7, 1.1], [0.9, 1.7, 0.4], [1.4, 0.6, 1.9]])
    check_grads(lambda x: METHODS[method](ufunc, x), (x,), order=1, modes=("fwd", "rev"))


@pytest.mark.parametrize("length", [0, 1])
def test_methods_of_few_elements(length):
    x = np.ones((2, length))
    for ufunc in (np.maximum, np.multiply, np.subtract):
        found = ft.jit(lambda x, ufunc=ufunc: ufunc.accumulate(x, axis=1))(x)
        np.testing.assert_array_equal(found, ufunc.accumulate(x, axis=1))


def test_indices_of_reduceat_are_known():
    with pytest.raises(UnknownValueError, match="indices of reduceat"):
        ft.jit(lambda x, i: np.add.reduceat(x, i))(np.ones(3), np.array([0, 1]))
    with pytest.raises(IndexError):
        ft.jit(lambda x: np.add.reduceat(x, [0, 5]))(np.ones(3))


# Ties


def test_ties_so_far_share_equally():
    x = np.array([1.0, 2.0, 2.0, 0.0, 2.0, 3.0])
    half, third = 1 / 2, 1 / 3
    expected = np.array([
        [1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, half, half, 0, 0, 0],
        [0, half, half, 0, 0, 0],
        [0, third, third, 0, third, 0],
        [0, 0, 0, 0, 0, 1],
    ])  # fmt: skip
    for ufunc, sign in ((np.maximum, 1), (np.fmax, 1), (np.minimum, -1), (np.fmin, -1)):
        for jacobian in (ft.jacrev, ft.jacfwd):
            found = jacobian(ufunc.accumulate)(sign * x)
            np.testing.assert_allclose(found, expected)
            for n in range(1, 7):  # as `reduce` of the same elements
                np.testing.assert_allclose(jacobian(ufunc.reduce)(sign * x[:n]), found[n - 1, :n])


def test_the_nan_that_an_extreme_is_share_equally():
    x = np.array([1.0, np.nan, 3.0, np.nan])
    found = ft.jacrev(np.maximum.accumulate)(x)
    np.testing.assert_array_equal(
        found, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0.5, 0, 0.5]]
    )
    found = ft.jacrev(np.fmax.accumulate)(x)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]])


def test_ties_at_an_index_share_equally():
    def f(x, y):
        z = x.copy()
        np.maximum.at(z, [0, 2, 0, 0], y)
        return z

    x, y = np.array([2.0, 5.0, 1.0]), np.array([2.0, 7.0, 2.0, 0.0])
    for of_x, of_y in (
        ft.jacrev(f, argnums=(0, 1))(x, y),
        ft.jacfwd(f, argnums=(0, 1))(x, y),
        ft.jacrev(ft.jit(f), argnums=(0, 1))(x, y),
    ):
        np.testing.assert_allclose(of_x, [[1 / 3, 0, 0], [0, 1, 0], [0, 0, 0]])
        np.testing.assert_allclose(of_y, [[1 / 3, 0, 1 / 3, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


# Keywords of reduce

A = np.array([[1.3, 0.7, 1.1, 0.4], [0.9, 1.7, 0.6, 1.2], [1.4, 0.8, 1.9, 0.5]])
MASK = np.array([[True, False, True, True], [True, True, False, True], [True, False, False, True]])
KEYWORDS = [
    {"initial": 1.5},
    {"axis": None, "initial": 2},
    {"axis": (0, 1)},
    {"axis": ()},
    {"axis": -1, "keepdims": True, "initial": None},
    {"where": MASK, "initial": 1.25},
    {"axis": 1, "where": MASK[:1], "initial": 0.45},
    {"axis": (1, 0), "where": MASK, "initial": 3, "keepdims": True},
    {"where": MASK},
    {"dtype": np.float32, "initial": 2},
]


@pytest.mark.thinned
@pytest.mark.parametrize("number", range(len(KEYWORDS)))
@pytest.mark.parametrize("name", [
    "add", "subtract", "multiply", "divide", "maximum", "fmin", "logaddexp", "hypot", "logical_or",
])  # fmt: skip
def test_keywords_of_reduce(name, number):
    ufunc, options = getattr(np, name), KEYWORDS[number]
    f = lambda x: ufunc.reduce(x, **options)
    try:
        f(A)
    except (TypeError, ValueError) as error:
        for way in (ft.jit(f), lambda x: ft.vjp(f, x)[0]):
            with pytest.raises((TypeError, ValueError), match=str(error)[:20].replace("(", ".")):
                way(A)
        return
    single = 1e-5 if "dtype" in options else None
    assert_like_numpy(f, A, rtol=single)
    mapped = ft.vmap(f, in_axes=1)(np.stack([A, 2 * A], 1))
    np.testing.assert_allclose(mapped, [f(A), f(2 * A)], rtol=single or 1e-12)
    if "dtype" not in options and name != "logical_or":
        check_grads(f, (A,), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.subtract, np.logaddexp, np.maximum])
def test_what_begins_and_what_is_left_out_may_be_traced(ufunc):
    f = lambda x, first, mask: ufunc.reduce(x, axis=1, initial=first, where=mask)
    for first in (0.25, 1.75):
        expected = f(A, first, MASK)
        np.testing.assert_allclose(ft.jit(f)(A, first, MASK), expected)
        found = ft.vmap(f, in_axes=(None, 0, 0))(A, np.full(2, first), np.stack([MASK, MASK]))
        np.testing.assert_allclose(found, [expected, expected])
        check_grads(lambda x, b, f=f: f(x, b, MASK), (A, first), order=2, modes=("fwd", "rev"))
        check_grads(
            lambda x, b, f=f: ft.jit(f)(x, b, MASK), (A, first), order=1, modes=("fwd", "rev")
        )


def test_nothing_is_reduced_to_what_there_is_before():
    for ufunc in (np.multiply, np.hypot, np.logaddexp, np.gcd, np.bitwise_and):
        kind = np.int64 if ufunc in (np.gcd, np.bitwise_and) else np.float64
        assert_like_numpy(ufunc.reduce, np.ones((0, 2), kind))
    assert_like_numpy(lambda x: np.divide.reduce(x, initial=2.0), np.ones((0, 2)))
    for ufunc in (np.subtract, np.maximum, np.fmin):
        with pytest.raises(ValueError, match="zero-size array"):
            ft.jit(ufunc.reduce)(np.ones((0, 2)))


def test_a_single_negative_number_is_reduced_with_the_identity():
    assert_like_numpy(np.hypot.reduce, np.array([-3.0]))
    assert_like_numpy(np.gcd.reduce, np.array([-4]))
    assert_like_numpy(np.hypot.accumulate, np.array([-3.0, 4.0]))


# At an index


def at(ufunc, x, index, *operands):
    y = x.copy()
    ufunc.at(y, index, *operands)
    return y


OF_AT = [
    np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.fmin, np.logaddexp,
    np.hypot, np.arctan2,
]  # fmt: skip
INDICES = {
    "repeated": np.array([2, 0, 2, 2]),
    "negative": np.array([[-1, 0], [2, 1]]),
    "pairs": (np.array([0, 0, 1]), np.array([1, 1, -1])),
    "a slice and an array": (slice(None), np.array([1, 1, 0])),
    "a mask": MASK[:, :3],
    "one place": (1, 2),
    "all": ...,
    "none": np.array([], int),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("ufunc", OF_AT, ids=lambda ufunc: ufunc.__name__)
def test_each_of_repeated_indices_counts(ufunc, name):
    x, index = A[:, :3], INDICES[name]
    operand = np.random.default_rng(0).uniform(0.5, 1.5, x[index].shape)
    f = lambda x, y: at(ufunc, x, index, y)
    assert_like_numpy(f, x, operand)
    check_grads(f, (x, operand), order=2, modes=("fwd", "rev"))
    found = ft.vmap(f, in_axes=(1, None))(np.stack([x, 2 * x], 1), operand)
    np.testing.assert_allclose(found, [f(x, operand), f(2 * x, operand)])
    one = lambda x: at(ufunc, x, index, 1.25)
    assert_like_numpy(one, x)


@pytest.mark.thinned
@pytest.mark.parametrize("ufunc", [*OF_AT, np.negative, np.square], ids=lambda u: u.__name__)
def test_indices_of_unknown_value(ufunc):
    x, i = A[:, 0], np.array([[2, 0, 2, -1], [1, 1, 1, 0]])
    y = (np.array([0.75, 1.5, 1.25, 0.5]),) * (ufunc.nin - 1)
    f = lambda x, i, *y: at(ufunc, x, i, *y)
    np.testing.assert_allclose(ft.jit(f)(x, i[0], *y), f(x, i[0], *y))
    found = ft.vmap(f, in_axes=(None, 0, *(None,) * len(y)))(x, i, *y)
    np.testing.assert_allclose(found, [f(x, i[0], *y), f(x, i[1], *y)])
    for row in i:
        check_grads(lambda *given, i=row: ft.jit(f)(given[0], i, *given[1:]), (x, *y), order=2)


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "f2", "f4", "c8"])
@pytest.mark.parametrize("ufunc", [
    np.add, np.subtract, np.multiply, np.maximum, np.floor_divide, np.less, np.bitwise_xor, np.gcd,
    np.true_divide,
], ids=lambda ufunc: ufunc.__name__)  # fmt: skip
def test_dtypes_of_what_is_written(ufunc, dtype):
    x = np.array([1, 3, 6]).astype(dtype)
    for operand in (2, np.int8(2), 2.5, np.array([3, 1, 2], np.float32), np.array([2, 3, 2])):
        f = lambda x: at(ufunc, x, [0, 0, 1], operand)
        try:
            f(x)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                ft.jit(f)(x)
        else:
            assert_like_numpy(f, x, rtol=1e-3 if dtype == "f2" else None)


def test_complex_numbers_are_not_written_into_real_ones():
    for ufunc in (np.add, np.multiply):
        with pytest.raises(OperandError, match="imaginary part"):
            ft.jit(lambda x: at(ufunc, x, [0, 0], 1j))(np.ones(2))


def test_functions_of_one_operand_at_an_index():
    for ufunc in (np.negative, np.square, np.sin):
        check(lambda x, u=ufunc: at(u, x, [0, 0, 2]), A[:, 0])


def test_many_operations_on_few_and_on_many_elements():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.9, 1.1, 50)
    for i in (rng.integers(0, 50, 400), np.repeat([3, 7], [300, 2]), rng.permutation(50)):
        y = rng.uniform(0.9, 1.1, len(i))
        for ufunc in (np.multiply, np.maximum, np.divide):
            f = lambda x, y: at(ufunc, x, i, y)
            np.testing.assert_allclose(ft.vjp(f, x, y)[0], f(x, y), rtol=1e-12)
            check_grads(f, (x, y), order=1, modes=("fwd", "rev"))


# Reduceat


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(0, 6), min_size=1, max_size=5), seeds())
def test_places_in_any_order(n, places, seed):
    places = [place % n for place in places]
    x = np.random.default_rng(seed).uniform(0.5, 1.5, (2, n))
    for ufunc in (np.add, np.multiply, np.subtract, np.maximum):
        f = lambda x, u=ufunc: u.reduceat(x, places, axis=1)
        np.testing.assert_allclose(ft.vjp(f, x)[0], f(x), rtol=1e-14)
        check_grads(f, (x,), order=1, modes=("fwd", "rev"))
        np.testing.assert_allclose(ft.vmap(f)(np.stack([x, -x])), [f(x), f(-x)], rtol=1e-14)


def test_second_derivatives_of_reduceat():
    for ufunc in (np.add, np.multiply, np.logaddexp):
        check(lambda x, u=ufunc: u.reduceat(x * x, [2, 0, 1, 1], axis=0), A)


# What there is no method for


def test_methods_that_a_ufunc_has_not():
    for call in (
        lambda x: np.sin.reduce(x),
        lambda x: np.sin.outer(x, x),
        lambda x: np.divmod.accumulate(x),
        lambda x: np.matmul.reduce(x),
        lambda x: np.add.accumulate(x[0, 0]),
        lambda x: np.subtract.reduce(x, axis=(0, 1)),
        lambda x: np.add.at(x.copy(), [0]),
    ):
        with pytest.raises((TypeError, ValueError, RuntimeError)) as expected:
            call(A)
        with pytest.raises(expected.type):
            ft.jit(call)(A)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logaddexp, np.hypot])
def test_an_axis_stands_in_a_tuple(ufunc):
    x = np.array([[0.5, 1.5, 1.0], [2.0, 0.25, 3.0]])
    for axis in ((1,), (-2,)):
        assert_like_numpy(lambda x, axis=axis: ufunc.accumulate(x, axis), x)
        assert_like_numpy(lambda x, axis=axis: ufunc.reduceat(x, [0, 1], axis), x)
    with pytest.raises(ValueError, match="multiple axes"):
        ft.jit(lambda x: ufunc.accumulate(x, (0, 1)))(x)
