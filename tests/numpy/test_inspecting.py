"""What is known of arrays without their values, and comparisons of whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from tests.agreement import agrees

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8


FUNCTIONS = {
    "triangles": (lambda x: x[np.tril_indices_from(x)] * x[np.triu_indices_from(x)], M[:, :3]),
    "diag_indices_from": (lambda x: x[np.diag_indices_from(x)], M[:, :3]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = FUNCTIONS[name]
    agrees(f, x)


def test_what_is_known_without_values():
    def f(x):
        assert np.shape(x) == x.shape == (3, 4)
        assert np.ndim(x) == 2
        assert np.size(x) == 12
        assert np.size(x, 1) == 4
        assert np.result_type(x, np.float32) == np.float64
        assert np.can_cast(x, np.float64)
        assert np.common_type(x) is np.float64
        assert np.isrealobj(x)
        assert not np.iscomplexobj(x)
        return np.sum(x)

    ft.make_ir(f)(M)
    ft.grad(f)(M)


def test_a_weak_number_promotes_as_python_does():
    def f(x):
        assert np.result_type(x, np.float32) == np.float32
        return x

    ft.make_ir(f)(1.0)


def test_comparisons_of_whole_arrays():
    def f(x):
        y = x * 1.0
        assert np.array_equal(x, y)
        assert not np.array_equal(x, y[1:])
        assert np.array_equiv(x[:1], x[0])
        assert np.allclose(x, y + 1e-12)
        assert np.isclose(x, y + 1e-12).all()
        return np.sum(y)

    ft.grad(f)(V)
    program = ft.make_ir(lambda x: np.isclose(x, [0.3, 1, 2, 0.7, np.inf, 0], equal_nan=True))(V)
    other = np.array([0.3, np.nan, 2.1, 0.7, np.inf, 0])
    (close,) = ft.evaluate(program, other)
    np.testing.assert_array_equal(close, np.isclose(other, [0.3, 1, 2, 0.7, np.inf, 0]))


@pytest.mark.parametrize("f", [np.allclose, np.array_equal, np.array_equiv])
def test_an_answer_about_whole_arrays_can_be_recorded(f):
    x = np.array([[1.0, 2.0], [1.0, 3.0]])
    assert ft.jit(f)(x, x)
    assert not ft.jit(f)(x, x[::-1])
    np.testing.assert_array_equal(ft.vmap(f, in_axes=(0, None))(x, x[0]), [True, False])
    chosen = ft.jit(lambda x: ft.cond(f(x[0], x[1]), lambda: x, lambda: -x))
    np.testing.assert_array_equal(chosen(x), -x)
    assert f(*ft.vjp(lambda x: (x, x), x)[0]) is True
    with pytest.raises(ft.errors.UnknownValueError, match="if f"):
        ft.jit(lambda x: x if f(x, x) else -x)(x)


def test_isclose_of_integers_does_not_overflow():
    x = np.array([0, 3, np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    for y in (0, 3):
        np.testing.assert_array_equal(ft.jit(lambda x, y=y: np.isclose(x, y))(x), np.isclose(x, y))
        np.testing.assert_array_equal(ft.jit(np.isclose)(x, y), np.isclose(x, y))
