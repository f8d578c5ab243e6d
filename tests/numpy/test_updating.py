"""`x.at[index]`, beside NumPy's assignments."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import IndexRangeError, OperandError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy

X = np.array([[1.3, 0.7, 1.1, 0.4], [0.9, 1.7, 0.6, 1.2], [1.4, 0.8, 1.9, 0.5]])

UFUNCS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "mul": np.multiply,
    "divide": np.divide, "power": np.power, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
INDICES = {
    "repeated": np.array([2, 0, 2]),
    "pairs": (np.array([0, 0]), np.array([1, -1])),
    "a slice": slice(0, 2),
    "a slice and an array": (slice(None), np.array([1, 1, 0])),
    "a mask": X > 1,
    "a number": -1,
    "all": ...,
}


def assigned(x, index, values):
    y = x.copy()
    y[index] = values
    return y


def combined(ufunc, x, index, values):
    y = x.copy()
    ufunc.at(y, index, values)
    return y


def ways(f):
    return (
        ft.jit(f),
        lambda *args: ft.vjp(f, *args)[0],
        lambda *args: ft.jvp(f, args, args)[0],
        lambda *args: ft.vmap(f)(*(np.stack([x, x]) for x in args))[1],
    )


@pytest.mark.parametrize("name", INDICES)
def test_updates_are_assignments_to_a_copy(name):
    index = INDICES[name]
    values = np.random.default_rng(0).uniform(0.5, 1.5, X[index].shape)
    for way in ways(lambda x, v: x.at[index].set(v)):
        np.testing.assert_array_equal(way(X, values), assigned(X, index, values))
    check_grads(ft.jit(lambda x, v: x.at[index].set(v * v)), (X, values), order=2)
    for method, ufunc in UFUNCS.items():
        f = lambda x, v, m=method: getattr(x.at[index], m)(v)
        for way in ways(f)[:2]:
            np.testing.assert_allclose(way(X, values), combined(ufunc, X, index, values))
        check_grads(ft.jit(f), (X, values), order=1, modes=("fwd", "rev"))
    np.testing.assert_array_equal(ft.jit(lambda x: x.at[index].get())(X), X[index])


def test_the_array_stays_as_it_is():
    def f(x):
        y = x.at[0].set(5.0)
        y[1] = 0.0
        return x, y

    for way in (ft.jit(f), lambda x: ft.vjp(f, x)[0]):
        x, y = way(np.ones(3))
        np.testing.assert_array_equal(x, 1)
        np.testing.assert_array_equal(y, [5, 0, 1])


OUT = np.array([5, 1, -7, 2])
KEPT = np.array([1, 2])


@pytest.mark.parametrize("is_traced", [False, True])
def test_what_an_index_out_of_range_means(is_traced):
    v = np.array([10.0, 20.0, 30.0, 40.0])
    x = X[:, 0]

    def with_mode(method, mode):
        f = lambda x, v, i: getattr(x.at[i], method)(v, mode=mode)
        if is_traced:
            return lambda x, v: ft.jit(f)(x, v, OUT)
        return lambda x, v: f(x, v, OUT)

    cases = [
        (None, KEPT, v[[1, 3]]),
        ("drop", KEPT, v[[1, 3]]),
        ("fill", KEPT, v[[1, 3]]),
        ("clip", np.array([2, 1, 0, 2]), v),
        ("wrap", OUT % 3, v),
    ]
    for mode, index, values in cases:
        f = with_mode("set", mode)
        np.testing.assert_array_equal(ft.vjp(f, x, v)[0], assigned(x, index, values))
        check_grads(ft.jit(f), (x, v), order=1, modes=("fwd", "rev"))
        f = with_mode("multiply", mode)
        np.testing.assert_allclose(ft.vjp(f, x, v)[0], combined(np.multiply, x, index, values))
        check_grads(ft.jit(f), (x, v), order=1, modes=("fwd", "rev"))
    with pytest.raises(IndexRangeError):
        ft.vjp(with_mode("set", "promise_in_bounds"), x, v)


@pytest.mark.parametrize("is_traced", [False, True])
def test_reading_out_of_range(is_traced):
    def read(x, i, **options):
        f = lambda x, i: x.at[i].get(**options)
        return ft.jit(f)(x, i) if is_traced else ft.vjp(lambda x: f(x, i), x)[0]

    x, i = X[:, 0], OUT
    np.testing.assert_array_equal(read(x, i), x[[2, 1, 0, 2]])
    np.testing.assert_array_equal(read(x, i, mode="wrap"), x[[2, 1, 2, 2]])
    np.testing.assert_array_equal(read(x, i, mode="fill"), [np.nan, x[1], np.nan, x[2]])
    np.testing.assert_array_equal(read(x, i, fill_value=-1), [-1, x[1], -1, x[2]])
    np.testing.assert_array_equal(read(X, i, fill_value=0)[[0, 2]], np.zeros((2, 4)))
    check_grads(ft.jit(lambda x: x.at[i].get(fill_value=3.0)), (x,), order=2)
    without = read(np.ones((0, 2)), i, fill_value=7.0)
    np.testing.assert_array_equal(without, np.full((4, 2), 7.0))


@pytest.mark.parametrize(("dtype", "expected"), [
    (np.int8, -128), (np.uint16, 65535), (bool, True), (np.float32, np.nan),
])  # fmt: skip
def test_what_is_read_where_there_is_nothing(dtype, expected):
    x = np.ones(3, dtype)
    found = ft.jit(lambda x: x.at[np.array([0, 9])].get(mode="fill"))(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array([1, expected]).astype(dtype))


def test_numbers_out_of_range():
    f = ft.jit(lambda x: (x.at[7].set(0.0), x.at[-9].add(1.0), x.at[0, 9].get(mode="fill")))
    same, too, read = f(X)
    np.testing.assert_array_equal(same, X)
    np.testing.assert_array_equal(too, X)
    assert np.isnan(read)
    np.testing.assert_array_equal(ft.jit(lambda x: x.at[7].get())(X), X[2])
    negative = ft.jit(lambda x: x.at[-1].set(0.0, wrap_negative_indices=False))(X)
    np.testing.assert_array_equal(negative, X)


def test_dtypes_stay():
    for dtype in (np.int32, np.float32, np.uint8):
        x = np.arange(4).astype(dtype)
        assert ft.jit(lambda x: x.at[1].add(1.5))(x).dtype == dtype
        np.testing.assert_array_equal(
            ft.jit(lambda x: x.at[1].multiply(1.5))(x), np.array([0, 1.5, 2, 3]).astype(dtype)
        )
    with pytest.raises(OperandError, match="imaginary part"):
        ft.jit(lambda x: x.at[0].set(1j))(X)


def test_an_array_without_axes():
    assert ft.grad(lambda x: x.at[()].set(x * x))(3.0) == 6.0
    assert ft.jit(lambda x: x.at[...].add(1.0))(2.0) == 3.0


@pytest.mark.parametrize("is_traced", [False, True])
def test_a_function_is_applied_once_for_each_occurrence(is_traced):
    i = np.array([1, 1, 2])
    f = lambda x, i: x.at[i].apply(lambda v: v * v + 1)
    run = (lambda x: ft.jit(f)(x, i)) if is_traced else (lambda x: f(x, i))
    x = np.arange(4.0)
    np.testing.assert_array_equal(ft.vjp(run, x)[0], [0, 5, 5, 3])
    check_grads(ft.jit(run), (x,), order=2)


def test_hints_of_jax_are_taken():
    f = lambda x: x.at[0].set(1.0, indices_are_sorted=True, unique_indices=True, out_sharding=None)
    np.testing.assert_array_equal(ft.jit(f)(np.zeros(2)), [1, 0])
    with pytest.raises(ValueError, match="mode='clamp'"):
        ft.jit(lambda x: x.at[0].set(1.0, mode="clamp"))(X)
    with pytest.raises(TypeError, match="modus"):
        ft.jit(lambda x: x.at[0].set(1.0, modus="clip"))(X)


def test_arrays_that_functrace_makes():
    def f(t):
        x = fnp.zeros(3).at[fnp.arange(2)].set(t)
        return x.at[2].add(t * t).sum()

    assert ft.grad(f)(2.0) == ft.jit(ft.grad(f))(2.0) == 6.0
    assert_like_numpy(lambda x: x * x, X)


@pytest.mark.parametrize("method", ["set", "apply", *UFUNCS])
def test_a_mask_of_unknown_values(method):
    def at_once(x, limit):
        chosen = x.at[x > limit]
        return chosen.apply(np.sqrt) if method == "apply" else getattr(chosen, method)(2 * limit)

    expected = X.copy()
    if method == "apply":
        expected[X > 1] = np.sqrt(X[X > 1])
    elif method == "set":
        expected[X > 1] = 2.0
    else:
        expected[X > 1] = UFUNCS[method](X[X > 1], 2.0)
    for way in ways(at_once):
        np.testing.assert_array_equal(way(X, np.float64(1.0)), expected)
    check_grads(ft.jit(at_once), (X, np.float64(1.0)), order=2)


def test_a_mask_of_unknown_values_and_a_row():
    rows, row = X[:, 0] > 1, np.array([1.0, 2.0, 3.0, 4.0])
    for way in ways(lambda x, v: x.at[x[:, 0] > 1].set(v)):
        np.testing.assert_array_equal(way(X, row), assigned(X, rows, row))
    check_grads(ft.jit(lambda x, v: x.at[x[:, 0] > 1].set(v)), (X, row))
    with pytest.raises(ft.errors.UnknownValueError, match="a mask"):
        ft.jit(lambda x: x.at[x > 1].set(np.ones((3, 4))))(X)
    with pytest.raises(ft.errors.UnknownValueError, match="a mask"):
        ft.jit(lambda x: x.at[x > 1].get())(X)
