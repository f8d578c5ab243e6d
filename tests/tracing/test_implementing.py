"""Functions of NumPy's are entered with what they mean, and write into their argument ``out``."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.tracing.implementing import implements, implements_named
from functrace.tracing.tables import FUNCTIONS, UFUNCS, WITHOUT_OUT

THREE = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def enter(monkeypatch):
    """Enter a function for a key of its own, and take it out again."""

    def entered(implementation):
        key = lambda: None
        monkeypatch.setitem(FUNCTIONS, key, None)
        monkeypatch.setitem(WITHOUT_OUT, key, None)
        assert implements(key)(implementation) is implementation
        return key

    return entered


def second(a, out=None):
    return a * 2.0


def third(a, b, out=None):
    return a + b


def by_keyword(a, *, out=None):
    return a - 1.0


CALLS = {
    "second": (second, lambda f, x, out: f(x, out)),
    "second by name": (second, lambda f, x, out: f(x, out=out)),
    "third": (third, lambda f, x, out: f(x, x, out)),
    "keyword": (by_keyword, lambda f, x, out: f(x, out=out)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("transform", [ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]])
def test_a_result_is_written_into_a_traced_out(name, transform, enter):
    implementation, call = CALLS[name]
    key = enter(implementation)

    def f(x):
        y = x * 0.0
        view = y[1:]
        given = call(FUNCTIONS[key], x, y)
        assert given is y
        return y, view

    operands = (THREE, THREE) if name == "third" else (THREE,)
    expected = implementation(*operands)
    written, view = transform(f)(THREE)
    np.testing.assert_array_equal(written, expected)
    np.testing.assert_array_equal(view, expected[1:])


def test_short_calls_skip_the_look_for_out_where_none_can_be_given(enter):
    third_key, second_key = enter(third), enter(second)
    assert WITHOUT_OUT[third_key] is third
    assert WITHOUT_OUT[second_key] is FUNCTIONS[second_key] is not second


def test_a_function_without_out_is_entered_as_it_is(enter):
    plain = lambda a: a
    key = enter(plain)
    assert FUNCTIONS[key] is WITHOUT_OUT[key] is plain


def test_a_ufunc_is_entered_among_the_ufuncs(monkeypatch):
    cube = np.frompyfunc(lambda x: x**3, 1, 1)
    monkeypatch.setitem(UFUNCS, cube, None)
    implements(cube)(lambda x: x * x * x)
    assert cube not in FUNCTIONS
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(cube(x)))(THREE), 3.0 * THREE**2)


def test_names_that_this_numpy_has_not_are_left_out():
    before = dict(FUNCTIONS)
    implements_named("no_function_of_numpys")(lambda a: a)
    assert before == FUNCTIONS
