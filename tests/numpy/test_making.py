"""Arrays made of traced values, which NumPy itself cannot see."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace import numpy as fnp
from functrace.testing import check_grads
from tests.agreement import agrees


def test_plain_arrays_are_made_as_numpy_makes_them():
    for made, expected in [
        (fnp.array([1, 2.5]), np.array([1, 2.5])),
        (fnp.array(3, ndmin=2), np.array(3, ndmin=2)),
        (fnp.asarray([[1], [2]], dtype=np.float32), np.asarray([[1], [2]], dtype=np.float32)),
        (fnp.full((2, 2), 7), np.full((2, 2), 7)),
        (fnp.ascontiguousarray(3.0), np.ascontiguousarray(3.0)),
        (fnp.mean([1.0, 2.0]), np.mean([1.0, 2.0])),
        (fnp.r_[1:4, 0, 5.5], np.r_[1:4, 0, 5.5]),
        (fnp.c_[np.ones(2), np.zeros(2)], np.c_[np.ones(2), np.zeros(2)]),
    ]:
        np.testing.assert_array_equal(made, expected)
        assert made.dtype == expected.dtype
    assert fnp.sin.__doc__ == np.sin.__doc__
    assert fnp.asarray(x := np.ones(2)) is x


def test_nested_lists_of_traced_values():
    def f(x):
        y = fnp.array([[x, 2.0], [x * x, np.float32(1.0)]])
        assert y.shape == (2, 2)
        assert y.dtype == np.float64
        return np.sum(y * np.array([[1.0, 10.0], [100.0, 1000.0]]))

    value, gradient = ft.value_and_grad(f)(3.0)
    assert (value, gradient) == (3 + 20 + 900 + 1000, 1 + 600)


def test_options_of_array():
    def f(x):
        assert fnp.array(x, ndmin=2).shape == (1, 1)
        assert fnp.array([x, 1], dtype=np.float32).dtype == np.float32
        assert fnp.asarray(x * np.ones(2)).shape == (2,)
        assert fnp.ascontiguousarray(x).shape == (1,)
        return np.sum(fnp.full((2, 3), x))

    assert ft.grad(f)(1.0) == 6.0


def test_a_copy_can_be_written_without_changing_the_original():
    def f(x):
        y = fnp.array(x)
        y[0] = 100.0
        return np.sum(x) + np.sum(y)

    np.testing.assert_array_equal(ft.grad(f)(np.ones(2)), [1.0, 2.0])


@pytest.mark.parametrize("name", ["mean", "sum", "std", "max", "prod"])
def test_functions_of_lists(name):
    ours, numpys = getattr(fnp, name), getattr(np, name)
    for make in (list, tuple):
        on_list = lambda x, make=make: ours(make([x, x * 3, 2.0]))
        on_array = lambda x: numpys(np.stack([x, x * 3, 2.0]))
        assert ft.value_and_grad(on_list)(1.5) == ft.value_and_grad(on_array)(1.5)


def test_functions_of_several_lists():
    f = lambda x: fnp.dot([x, 2.0], [3.0, x])
    assert ft.value_and_grad(f)(5.0) == (25.0, 5.0)


def test_joining_by_indexing():
    f = lambda x: np.sum(fnp.r_[x, 0:3, 4.0] ** 2)
    np.testing.assert_array_equal(ft.grad(f)(np.array([1.0, 2.0])), [2.0, 4.0])
    g = lambda x: np.sum(fnp.c_[x, 2 * x] * np.array([[1.0, 10.0], [100.0, 1000.0]]))
    np.testing.assert_array_equal(ft.grad(g)(np.ones(2)), [21.0, 2100.0])
    with pytest.raises(errors.OperandError, match=r"directive such as '0,2'.*\n.*test_making"):
        ft.grad(lambda x: np.sum(fnp.r_["0,2", x]))(np.ones(2))


def test_numpy_itself_says_what_to_write_instead():
    with pytest.raises(errors.ArrayConversionError, match=r"functrace\.numpy\.array"):
        ft.grad(lambda x: np.sum(np.array([x, x])))(1.0)


# Arrays like others


V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8

FUNCTIONS = {
    "like": (lambda x: (np.zeros_like(x), np.ones_like(x, shape=2), np.full_like(x, x[0])), V),
    "full_like": (lambda x: (np.full_like(x, 2), np.full_like(x, 2.7, dtype=int)), V),
    "copy": (np.copy, V),
    "linspace": (lambda x: np.linspace(x[0], x[1], 5), V),
    "linspace of arrays": (lambda x: np.linspace(x[0], x[1], 5, endpoint=False, axis=1), M),
    "linspace of one": (lambda x: np.linspace(x[0], 3, 1), V),
    "linspace and step": (lambda x: np.linspace(0, x[1], 4, retstep=True), V),
    "logspace": (lambda x: np.logspace(x[0], x[1], 4), V),
    "logspace of bases": (lambda x: np.logspace(0, x[1], 4, base=x[2:4], axis=1), V),
    "geomspace": (lambda x: np.geomspace(x[0] ** 2, 3 + x[1] ** 2, 5), V),
    "geomspace below zero": (lambda x: np.geomspace(-1 - x[0] ** 2, -8.0, 4, endpoint=False), V),
    "geomspace of arrays": (lambda x: np.geomspace(1 + x[0] ** 2, 4 + x[1] ** 2, 3, axis=-1), M),
    "geomspace of one": (lambda x: np.geomspace(x[0] ** 2, 2.0, 1), V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = FUNCTIONS[name]
    agrees(f, x)


def test_geometric_sequences():
    for ends in ((-2.0, -8.0), (1j, 8.0), (1 + 2j, -3 - 1j), (2, 2.0), (-1.0 + 0j, 4)):
        for f in (np.geomspace, lambda a, b: np.geomspace(a, b, 3, endpoint=False)):
            expected = f(*ends)
            for found in (ft.jit(f)(*ends), ft.vjp(f, *ends)[0]):
                assert found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=1e-13)
            if ends[0] in (1j, 1 + 2j):  # not at the branch cut
                check_grads(f, (complex(ends[0]), complex(ends[1])), order=1)
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="cannot include zero"):
        ft.grad(lambda x: np.sum(np.geomspace(x, 1.0)))(0.0)


def test_the_step_between_no_samples_is_no_number():
    for count in (0, 1):
        f = lambda x, count=count: np.linspace(x, 2 * x, count, retstep=True)
        assert np.isnan(f(1.0)[1])
        samples, step = ft.vjp(f, 1.0)[0]
        assert np.isnan(step)
        np.testing.assert_array_equal(samples, f(1.0)[0])


def test_an_ordinary_array_takes_no_copy_of_traced_values():
    with pytest.raises(errors.ArrayWriteError, match="ordinary NumPy array"):
        ft.grad(lambda x: np.sum(np.copyto(np.ones(6), x)))(V)


LIKE = {
    "array": lambda x: np.array([x[0], 2.0 * x[1]], like=x),
    "array of a dtype": lambda x: np.array([x[0], x[1]], np.float32, ndmin=2, like=x),
    "asarray": lambda x: np.asarray([x[0], 2.0 * x[1]], like=x),
    "asanyarray": lambda x: np.asanyarray([[x[0]], [x[1]]], like=x),
    "ascontiguousarray": lambda x: np.ascontiguousarray(x, like=x),
    "asfortranarray": lambda x: np.asfortranarray([x, x], like=x),
    "zeros": lambda x: np.zeros(2, like=x) + x,
    "ones": lambda x: np.ones((3, 2), like=x) * x,
    "empty": lambda x: np.empty(2, like=x).shape[0] * x,
    "full": lambda x: np.full(2, x[0], like=x),
    "arange": lambda x: np.arange(1.0, 3.0, like=x) * x,
    "eye": lambda x: np.eye(2, 3, like=x) * x[:, None],
    "identity": lambda x: np.identity(2, like=x) @ x,
    "tri": lambda x: np.tri(2, like=x) @ x,
    "fromfunction": lambda x: np.fromfunction(lambda i: i + 1.0, (2,), like=x) * x,
}


@pytest.mark.parametrize("name", LIKE)
def test_arrays_are_made_like_traced_ones(name):
    f, x = LIKE[name], np.array([1.0, 3.0])
    expected = f(x)
    for found in (ft.jit(f)(x), ft.jvp(f, (x,), (x,))[0], ft.vmap(f)(x[None])[0]):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found, expected)
    # They are linear in what they are made of.
    np.testing.assert_allclose(ft.jvp(f, (x,), (x,))[1], expected)
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(f(x)))(x) @ x, np.sum(expected))


def test_zeros_like_a_traced_array_can_be_written_into():
    def f(x):
        y = np.zeros(2, like=x)
        y[1] = x[0] * 3.0
        return np.sum(y)

    np.testing.assert_array_equal(ft.grad(f)(np.ones(2)), [3.0, 0.0])


MADE_OF_ARRAYS = ["array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"]


@pytest.mark.parametrize("name", MADE_OF_ARRAYS)
def test_an_array_of_an_ordinary_one_is_indexed_by_traced_numbers(name):
    table = np.arange(6.0).reshape(3, 2)
    f = lambda i: getattr(ft.numpy, name)(table)[i]
    np.testing.assert_array_equal(ft.jit(f)(1), table[1])
    np.testing.assert_array_equal(ft.vmap(f)(np.array([2, 0])), table[[2, 0]])
