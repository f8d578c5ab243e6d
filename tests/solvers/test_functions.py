"""Functions of users, recorded for solvers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

import functrace as ft
from functrace.ir.types import ArrayType
from functrace.solvers.functions import DOUBLE, Function, Vector, is_unknown, on_values, scalar

VECTOR = ArrayType((3,), DOUBLE)
X = np.array([1.0, 2.0, 3.0])


def test_a_function_takes_what_it_captured_as_inputs():
    data = np.array([3.0, 4.0, 5.0])

    def derivative(a):
        function = Function(lambda x: np.sum(x * data) * a, VECTOR)
        assert function.is_recorded
        assert [type(x) is np.ndarray for x in function.captured].count(True) == 1
        fast = function.compiled("gradient", ft.grad, [2.0, data])
        np.testing.assert_array_equal(fast(X), 2 * data)
        return function(X)

    assert ft.grad(derivative)(7.0) == np.sum(X * data)


def test_functions_that_do_the_same_are_compiled_once():
    def record(data):
        return Function(lambda x: np.sum(x * data), VECTOR)

    assert record(X).program is record(2 * X).program


def test_numbers_among_arguments_are_inputs():
    f = lambda x, a, n: np.sum(x) * a * np.ones(n)
    first, second = (Function(f, VECTOR, args=(a, 2)) for a in (2.0, 3.0))
    assert first.program is second.program
    np.testing.assert_array_equal(second(X), [18.0, 18.0])
    asks = Function(lambda x, a: x if a > 0 else -x, VECTOR, args=(-1.0,))
    assert asks.is_recorded
    np.testing.assert_array_equal(asks(X), -X)


def test_a_function_that_cannot_be_recorded_is_called_on_values():
    function = Function(lambda x: x if x[0] > 0 else -x, VECTOR)
    assert not function.is_recorded
    assert function.shapes(X) == [(3,)]
    np.testing.assert_array_equal(function.compiled("value", lambda f: f, [])(-X), X)

    def closes_over(a):
        function = Function(lambda x: a * x if x[0] > 0 else x, VECTOR)
        return function.compiled("value", lambda f: f, [])(X)

    with pytest.raises(ft.errors.UnknownValueError):
        ft.jacfwd(closes_over)(2.0)


def test_what_hands_values_to_other_libraries_is_called_on_values():
    function = Function(lambda x: scipy.optimize.rosen(x), VECTOR)
    assert not function.is_recorded
    assert function.compiled("value", lambda f: f, [])(np.ones(3)) == 0.0
    with pytest.raises(ft.errors.UnsupportedFunctionError, match="rosen"):
        function.compiled("gradient", ft.grad, [])(np.ones(3))


def test_a_host_is_called_on_values_wherever_they_are_known():
    seen = []

    def host(x):
        seen.append(type(x))
        return [2 * x]

    double = lambda x: on_values(host, [VECTOR], [x])[0]
    for f in (double, ft.jit(double), lambda x: ft.vmap(double)(x[None])[0]):
        np.testing.assert_array_equal(f(X), 2 * X)
    assert set(seen) == {np.ndarray}


def test_unknown_is_what_no_recording_follows():
    seen = []
    ft.grad(lambda x: seen.append(is_unknown([x])) or x)(1.0)
    ft.jit(lambda x: seen.append(is_unknown({"a": x})) or x)(1.0)
    assert seen == [False, True]


def test_vectors_of_trees():
    tree = {"a": np.ones((2, 2), np.float32), "b": 3, "c": np.arange(2.0)}
    vector = Vector(tree, "x")
    np.testing.assert_array_equal(vector.flat, [1, 1, 1, 1, 3, 0, 1])
    assert vector.flat.dtype == np.float64
    back = vector.tree(vector.flat)
    assert back["a"].dtype == np.float32
    assert back["a"].shape == (2, 2)
    assert back["b"] == 3.0
    np.testing.assert_array_equal(vector.of(2.0, "y"), np.full(7, 2.0))
    np.testing.assert_array_equal(
        vector.of({"a": 1.0, "b": 2.0, "c": [3.0, 4.0]}, "y"), [1, 1, 1, 1, 2, 3, 4]
    )
    with pytest.raises(ft.errors.ArgumentError, match=r"y\['c'\] has the shape \(3,\)"):
        vector.of({"a": 1.0, "b": 2.0, "c": np.ones(3)}, "y")
    with pytest.raises(ft.errors.ArgumentError, match="y is no tree like the parameters"):
        vector.of({"a": 1.0}, "y")
    assert Vector([1, 2], "x").tree(np.ones(2)).shape == (2,)
    assert Vector(1.0, "x").tree(np.ones(1)).shape == (1,)
    gradient = ft.grad(lambda a: Vector([a, 2.0], "x").flat @ np.array([3.0, 4.0]))
    assert gradient(1.0) == 3.0  # a list of numbers is an array, where some are traced, too
    assert Vector([], "x").flat.shape == (0,)


def test_scalars_are_single_real_numbers():
    assert scalar(np.array([[2]]), "f") == 2.0
    with pytest.raises(ft.errors.ArgumentError, match=r"f returned float64\[2\], but must"):
        scalar(np.ones(2), "f")
    with pytest.raises(ft.errors.ArgumentError, match="f returned a tree"):
        scalar((1.0, 2.0), "f")
