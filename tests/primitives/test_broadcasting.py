"""Dtypes and weakness of what ufuncs give, and who is a scalar."""

from __future__ import annotations

import operator
from itertools import product

import numpy as np
import pytest

import functrace as ft
from functrace.errors import OperandError
from functrace.extend import type_of
from functrace.testing import check_grads
from functrace.tracing.tables import UFUNCS
from tests.agreement import assert_like_numpy

DTYPES = "?bBhHiIlLqQefdgFDG"


@pytest.mark.thinned
@pytest.mark.parametrize(
    "ufunc", [u for u in UFUNCS if u.signature is None], ids=lambda ufunc: ufunc.__name__
)
def test_every_ufunc_infers_the_dtypes_of_numpy(ufunc):
    operands = [np.ones(2, code) for code in DTYPES]
    operands += [np.float32(1), np.int64(1), True, 1, 1.0, 1j]
    with np.errstate(all="ignore"):
        for inputs in product(operands, repeat=ufunc.nin):
            try:
                expected = ufunc(*inputs)
            except TypeError:
                with pytest.raises(TypeError):
                    ft.make_ir(ufunc)(*inputs)
                continue
            expected = expected if isinstance(expected, tuple) else (expected,)
            outputs = ft.make_ir(ufunc)(*inputs).outputs
            assert [atom.type for atom in outputs] == list(map(type_of, expected)), inputs


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0 * x + 1,
        lambda x: x**2,
        lambda x: 1 / (x - 3.5),
        lambda x: np.maximum(x, 0.0),
        lambda x: np.where(x > 0.5, x, 1.0),
        lambda x: np.hypot(x, 2),
        lambda x: np.clip(x, 0, 0.5),
        lambda x: abs(-x) % 1.0,
    ],
)
def test_single_precision_stays_single_with_python_scalars(f):
    x = np.float32([0.25, 0.75])
    assert f(x).dtype == np.float32
    assert ft.make_ir(f)(x).outputs[0].type.dtype == np.float32
    gradient = ft.grad(lambda x: np.sum(f(x)))(x)
    assert gradient.dtype == np.float32
    assert ft.grad(f)(np.float32(0.25)).dtype == np.float32


def test_python_scalars_as_arguments_stay_weak():
    def f(x, s):
        return np.sum(x * s + (s + 1) * 2)

    x = np.float32([1, 2])
    assert f(x, 2.0).dtype == np.float32
    program = ft.make_ir(f)(x, 2.0)
    assert program.outputs[0].type.dtype == np.float32
    assert ft.evaluate(program, x, 2.0)[0].dtype == np.float32
    value, gradients = ft.value_and_grad(f, (0, 1))(x, 2.0)
    assert value.dtype == gradients[0].dtype == np.float32
    assert gradients[1].dtype == np.float64


def test_numpy_functions_make_weak_scalars_strong():
    x = np.float32([1, 2])
    f = lambda x, s: x + np.sin(s)
    assert f(x, 2.0).dtype == np.float64
    assert ft.make_ir(f)(x, 2.0).outputs[0].type.dtype == np.float64


def test_gradients_of_numbers_are_scalars():
    for f in (np.maximum, lambda x, y: np.where(x > y, x, y), np.add, np.hypot):
        gradients = ft.grad(f, (0, 1))(1.0, 1.0)
        assert [type(gradient) for gradient in gradients] == [np.float64, np.float64]


def test_python_operators_on_numbers():
    x = 0.7
    for f in (
        lambda x: 1 + x - 2 * x / 3,
        lambda x: 2**x + x**2 + 1 / x,
        lambda x: -abs(-x) + +x,
        lambda x: 5 % x + x % 0.3,
        lambda x: (x > 0.5) * x,
        lambda x: x if x > 0.5 else -x,
    ):
        check_grads(f, (x,), order=2)


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.parametrize("x", [True, False])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "pow", "lshift", "and_", "neg", "invert"])
def test_operators_of_python_booleans_are_those_of_python(name, x):
    apply = getattr(operator, name)
    count = 1 if name in ("neg", "invert") else 2

    def f(*args):
        found = apply(*args)
        return found, found * np.array([3], np.int8)

    args = (x,) * count
    expected = f(*args)
    found = ft.jit(f)(*args)
    assert type(found[0]) is type(expected[0])
    assert found[0] == expected[0]
    assert found[1] == expected[1]
    types = [atom.type.dtype for atom in ft.make_ir(f)(*args).outputs]
    assert types == [np.asarray(x).dtype for x in expected]


def test_powers_of_booleans_have_numpys_dtypes():
    flags = np.array([True, False])
    for f in (lambda x: x**2, lambda x: np.power(x, 2), lambda x: x**3):
        assert_like_numpy(f, flags)
        assert ft.jit(f)(flags).dtype == f(flags).dtype
        assert_like_numpy(f, flags[0])
        assert ft.vmap(f)(flags).dtype == f(flags[0]).dtype
    assert_like_numpy(lambda x: x ** [1, 2], flags)
    assert ft.jit(lambda x: x**2)(True) == 1
    # An exponent that is not known when the types are recorded.
    for f in (ft.jit(lambda x, y: x**y), ft.jit(lambda x, y: np.power(x, y))):
        assert f(flags, 2).dtype == np.int64


def test_powers_of_python_numbers_keep_the_type_that_was_recorded():
    root = ft.jit(lambda x: x**0.5)
    assert root(4.0) == 2.0
    with pytest.raises(OperandError, match=r"-4\.0 \*\* 0\.5 is (?s:.*)np\.power") as raised:
        root(-4.0)
    assert "test_broadcasting.py" in raised.value.__notes__[0]
    with pytest.raises(OperandError, match=r"2 \*\* -1 is 0\.5"):
        ft.jit(lambda x, y: x**y)(2, -1)
    with np.errstate(invalid="ignore"):
        assert np.isnan(ft.jit(lambda x: np.power(x, 0.5))(-4.0))
    assert ft.jit(lambda x: x**-1)(2) == ft.jit(lambda x: np.add(x**-1, 0))(2) == 0.5


def test_a_part_that_is_written_leaves_the_other_as_it_is():
    def written(x, y):
        z = x + 0j
        z.real = x
        z.imag = y
        return z

    x, y = np.array([-0.0, 1.0, np.inf]), np.array([np.inf, -0.0, np.nan])
    for way in (ft.jit(written), lambda x, y: ft.vjp(written, x, y)[0]):
        z = way(x, y)
        np.testing.assert_array_equal(z.real, x)
        np.testing.assert_array_equal(z.imag, y)
        np.testing.assert_array_equal(np.signbit(z.real), np.signbit(x))
    filled = ft.jit(lambda z: np.nan_to_num(z, posinf=np.inf))(written(x, y))
    np.testing.assert_array_equal(filled.real, x)
