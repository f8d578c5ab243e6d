"""Generated NumPy source: what it computes, and how it fails."""

from __future__ import annotations

import inspect
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from tests.backends.sources import require_same, written
from tests.strategies import programs
from tests.test_random_programs import WRAPPINGS, costly, thorough


@thorough
@given(programs())
def test_random_programs(drawn):
    require_same(*drawn)


@thorough
@given(programs())
def test_gradients_of_random_programs(drawn):
    program, inputs = drawn

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in ft.evaluate(program, *xs))

    gradient = ft.value_and_grad(loss, tuple(range(len(inputs))))
    require_same(ft.make_ir(gradient)(*inputs), inputs)


@pytest.mark.thinned
@pytest.mark.parametrize("outer", WRAPPINGS)
@settings(costly, max_examples=6)
@given(drawn=programs(max_steps=8), inner=st.sampled_from(sorted(WRAPPINGS)))
def test_programs_that_contain_programs(outer, drawn, inner):
    program, inputs = drawn
    plain = lambda *xs: list(ft.evaluate(program, *xs))
    wrapped = WRAPPINGS[outer](lambda *xs: list(WRAPPINGS[inner](plain)(*xs)))
    require_same(ft.make_ir(wrapped)(*inputs), inputs)

    def loss(*xs):
        return sum(np.sum(np.sin(y)) for y in wrapped(*xs))

    gradient = ft.make_ir(ft.grad(loss, tuple(range(len(inputs)))))(*inputs)
    require_same(gradient, inputs)


def test_complex_numbers_are_true_where_only_their_imaginary_part_is_not_zero():
    f = lambda x: x.astype(bool)
    for x in (np.array([1j, 0.0, 1.0]), np.complex128(1j)):
        np.testing.assert_array_equal(f(x), ft.jit(f)(x))
        assert f(x).dtype == ft.jit(f)(x).dtype


# How it fails


def test_errors_point_at_the_users_line():
    def f(x):
        y = x + 1.0
        return np.linalg.inv(y * 0.0)

    run = written(f, np.eye(2)).run
    with pytest.raises(np.linalg.LinAlgError) as caught:
        run(np.eye(2))
    line = f.__code__.co_firstlineno + 2
    assert any(f"test_numpy_source.py:{line} in f" in note for note in caught.value.__notes__)
    text = "".join(traceback.format_exception(caught.value))
    assert f'test_numpy_source.py", line {line}, in ' in text
    assert inspect.getsource(f).splitlines()[2].strip() in text  # as if the user's file held it
    assert f"test_numpy_source.py:{line}" in text


def test_an_index_out_of_range_is_an_error():
    def f(x, i):
        return x[i]

    run = written(f, np.ones(3), np.array([0, 1])).run
    with pytest.raises(IndexError) as caught:
        run(np.ones(3), np.array([0, 3]))
    assert "test_numpy_source.py" in caught.value.__notes__[0]


def test_long_programs():
    def f(x):
        for _ in range(5_000):
            x = np.sin(x) * 2.0
        return x

    require_same(ft.make_ir(f)(np.ones(2)), [np.ones(2)])


# Numbers of Python's


@pytest.mark.parametrize("x", [np.float32(0.0), np.float64(0.0), 0.0])
def test_derivatives_at_singular_points_warn_no_more_than_without_jit(x):
    for f in (np.cbrt, np.sqrt, lambda x: np.where(x > 0, np.log(x + 1.0) / (x - 1.0), x)):
        gradient = ft.grad(f)
        found, expected = ft.jit(gradient)(x), gradient(x)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("x", [0.0, np.float64(0.0), np.array(0.0), np.float32(0.0)])
def test_a_chosen_zero_over_zero_is_zero(x):
    gradient = ft.jit(ft.grad(lambda x: np.where(x > 0, np.sqrt(x), 0) * 2))
    assert gradient(x) == 0
    assert gradient(x).dtype == ft.grad(np.sin)(x).dtype


@pytest.mark.numpy_backend
@pytest.mark.parametrize(
    "name", ["f", "add_at", "program", "k0", "math", "np", "for", "<lambda>", "é"]
)
def test_the_function_has_the_users_name_if_it_can(name):
    f = lambda x: np.sin(x) * 2.0 + 100.0
    f.__name__ = name
    fast = ft.jit(f)
    x = np.ones(3)
    np.testing.assert_array_equal(fast(x), f(x))
    expected = name if name in ("f", "add_at", "program", "k0", "é") else "program"
    assert fast.source(x).startswith(f"def {expected}(")
