"""Ufuncs with keywords, and their methods."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArrayWriteError, OperandError, UnknownValueError
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
