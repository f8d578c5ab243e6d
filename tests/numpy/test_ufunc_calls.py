"""Ufuncs with keywords."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArrayWriteError, OperandError
from functrace.testing import check_grads
from tests.agreement import assert_like_numpy


def test_where_keyword_chooses_between_result_and_out():
    def f(x):
        out = np.zeros_like(x)
        return np.sum(np.log(x, out=out, where=x > 0))

    with np.errstate(all="ignore"):
        gradient = ft.grad(f)(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(gradient, [0, 0.5])


def test_where_keyword_needs_out():
    with pytest.raises(OperandError, match="without out="):
        ft.grad(lambda x: np.sum(np.log(x, where=x > 0)))(np.ones(2))


def test_out_keyword_writes_a_traced_array():
    def f(x):
        y = x * 1
        result = np.multiply(y, 3.0, out=y)
        assert result is y
        return np.sum(y)

    np.testing.assert_array_equal(ft.grad(f)(np.ones(2)), [3, 3])


def test_out_keyword_refuses_an_ordinary_array():
    buffer = np.zeros(2)
    with pytest.raises(ArrayWriteError, match="out"):
        ft.grad(lambda x: np.sum(np.sin(x, out=buffer)))(np.ones(2))
    np.testing.assert_array_equal(buffer, 0)


def test_dtype_keyword_casts_first():
    f = lambda x: np.sum(np.exp(x, dtype=np.float32))
    x = np.ones(2)
    assert f(x).dtype == ft.value_and_grad(f)(x)[0].dtype == np.float32
    gradient = ft.grad(f)(x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, np.exp(np.float32([1, 1])))


def test_dtype_names_the_results_dtype_as_in_numpy():
    z = np.array([3 + 4j, 1j], np.complex64)
    assert_like_numpy(lambda z: np.abs(z, dtype=np.float32), z)
    x = np.array([1, 2], np.uint8)
    assert_like_numpy(lambda x: np.add(x, 1, dtype=np.float32), x)
    assert_like_numpy(lambda x: np.add(x, 1.5, dtype=np.int16, casting="unsafe"), x)
    assert_like_numpy(lambda x: np.isnan(x, dtype=bool), x)
    for f in (
        lambda x: np.isnan(x, dtype=np.float32),
        lambda x: np.negative(x, dtype=bool),
    ):
        for way in (f, ft.jit(f)):
            with pytest.raises(TypeError):
                way(x)


X, Y, V = (np.random.default_rng(0).normal(size=s) for s in [(2, 3, 4), (3, 4, 2), (4,)])
GENERALISED = [
    (np.vecdot, (X, X), {"axis": 0}),
    (np.vecdot, (X, X), {"axis": 1, "keepdims": True}),
    (np.vecdot, (X, X), {"keepdims": True}),
    (np.vecdot, (X, Y), {"axes": [0, 2]}),
    (np.vecdot, (X, Y), {"axes": [(0,), (2,), ()]}),
    (np.vecdot, (X, Y), {"axes": [0, 2], "keepdims": True}),
    (np.vecdot, (X, Y), {"axes": [0, 2, 1], "keepdims": True}),
    (np.vecdot, (V, V), {"keepdims": True}),
    (np.vecdot, (X, V), {"axis": -1, "dtype": np.float32, "casting": "same_kind"}),
    (np.matmul, (X, Y), {"axes": [(0, 2), (1, 2), (0, 1)]}),
    (np.matmul, (X, X), {"axes": [(-1, -2), (-2, -1), (0, 1)]}),
    (np.matmul, (V, Y), {"axes": [(0,), (1, 2), (0,)]}),
    (np.matmul, (V, Y), {"axes": [0, (1, 2), 1]}),
    (np.matmul, (V, V), {"axes": [0, 0, ()]}),
    (np.matmul, (X, V), {"order": "F"}),
    (np.matmul, (V, V), {"signature": "ff->f", "casting": "same_kind"}),
    (np.matvec, (X, V), {"axes": [(-2, -1), 0, 0]}),
    (np.vecmat, (V, Y), {"axes": [0, (1, 2), 0]}),
]


@pytest.mark.parametrize(("ufunc", "args", "options"), GENERALISED)
def test_keywords_of_generalised_ufuncs(ufunc, args, options):
    expected = ufunc(*args, **options)
    call = lambda *xs: ufunc(*xs, **options)
    for transformed in (lambda *xs: ft.vjp(call, *xs)[0], ft.jit(call)):
        found = transformed(*args)
        assert (found.shape, found.dtype) == (np.shape(expected), expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    if "dtype" not in options and "signature" not in options:
        check_grads(call, args, order=1, modes=("fwd", "rev"))


@pytest.mark.parametrize(("ufunc", "args", "options"), [
    (np.matmul, (X, Y), {"keepdims": True}),
    (np.matmul, (X, Y), {"axis": 0}),
    (np.matmul, (X, Y), {"where": np.ones(2, bool)}),
    (np.matmul, (X, Y), {"axes": [(0, 1)]}),
    (np.vecdot, (X, X), {"axis": 3}),
    (np.vecdot, (X, X), {"axis": 0, "axes": [0, 0]}),
    (np.vecdot, (X, X), {"whatever": 0}),
    (np.add, (X, X), {"axis": 0}),
    (np.add, (X, X), {"dtype": np.float32, "signature": "ff->f"}),
    (np.add, (X, X.astype(np.float32)), {"casting": "no"}),
    (np.multiply, (X, np.array([1, 2])), {"casting": "equiv"}),
    (np.matmul, (X, Y.astype(np.float32)), {"casting": "no"}),
])  # fmt: skip
def test_keywords_are_refused_as_numpy_does(ufunc, args, options):
    with pytest.raises((TypeError, ValueError)) as expected:
        ufunc(*args, **options)
    kind = TypeError if issubclass(expected.type, TypeError) else expected.type
    x, *rest = args
    for transformed in (lambda x: ft.vjp(lambda y: ufunc(y, *rest, **options), x),
                        ft.jit(lambda x: ufunc(x, *rest, **options))):  # fmt: skip
        with pytest.raises(kind):
            transformed(x)


@pytest.mark.parametrize("rest", [X, 2.0])
def test_a_rule_of_casting_under_which_nothing_is_cast(rest):
    call = lambda x: np.add(x, rest, casting="no")
    np.testing.assert_array_equal(ft.jit(call)(X), call(X))


def test_signatures_of_ufuncs():
    for signature in ("ff->f", (np.float32, np.float32, np.float32), (None, None, "f4")):
        call = lambda x, signature=signature: np.add(x, 1.0, signature=signature, casting="same_kind")  # fmt: skip  # noqa: E501
        assert ft.jit(call)(X).dtype == call(X).dtype == np.float32


@pytest.mark.parametrize("number", [True, 1, 1.5, 1j])
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind"])
def test_pythons_numbers_are_cast_by_numpys_rules(number, dtype, casting):
    x, f = np.ones(2, dtype), lambda x: np.add(x, number, casting=casting)
    try:
        expected = f(x).dtype
    except TypeError:
        for way in (ft.jit(f), lambda x: ft.vjp(f, x)):
            with pytest.raises(TypeError):
                way(x)
        return
    assert ft.jit(f)(x).dtype == ft.vjp(f, x)[0].dtype == expected


def test_a_rule_of_casting_by_which_anything_goes():
    def f(x, dtype):
        out = np.zeros_like(x, dtype=dtype)
        return np.multiply(x, 1.5, out=out, casting="unsafe")

    for x, dtype in ((X, np.int8), (X > 0, np.float32), (X + 1j, np.float64), (X, bool)):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            expected = f(x, dtype)
        found = ft.jit(lambda x, dtype=dtype: f(x, dtype))(x)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{"order": "X"}, {"dtype": object}, {"signature": "O->O"}])
def test_keywords_of_no_meaning(options):
    with pytest.raises((TypeError, ValueError)):
        ft.jit(lambda x: np.sin(x, **options))(X)


@pytest.mark.parametrize("order", ["K", "A", "C", "F"])
def test_orders_of_memory(order):
    np.testing.assert_array_equal(ft.jit(lambda x: np.sin(x, order=order))(X), np.sin(X))
