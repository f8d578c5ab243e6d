"""Arrays that are written element by element: no array is left, and the values are the same."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.simplify import read_last_states, remove_dead_code, replace_elements
from tests.simplify.helpers import check_pass, check_unchanged
from tests.simplify.loops_over_elements import PROGRAMS, drawn, positive, recurrence

HEAD = "def program(a: float64[3], b: float64, c: float64):\n"

REPLACED = {
    "what was written is read, and the array made where it is returned": (
        (
            "    d: float64[3] = index_update(a, b, index=(0,))\n"
            "    e: float64 = element(d, index=(0,))\n"
            "    f: float64 = multiply(e, c)\n"
            "    g: float64[3] = index_update(d, f, index=(-2,))\n"
            "    h: float64[3] = index_update(g, c, index=(2,))\n"
            "    return h"
        ),
        (
            "    d: float64 = multiply(b, c)\n"
            "    e: float64[3] = stack(b, d, c, axis=0)\n"
            "    return e"
        ),
    ),
    "what is added to an element is added to a number": (
        (
            "    d: float64[3] = index_add(a, b, index=(1,))\n"
            "    e: float64[3] = index_add(d, c, index=(1,))\n"
            "    f: float64 = element(e, index=(-2,))\n"
            "    return f"
        ),
        (
            "    d: float64 = element(a, index=(1,))\n"
            "    e: float64 = add(d, b)\n"
            "    f: float64 = add(e, c)\n"
            "    return f"
        ),
    ),
    "what an array was is read later": (
        (
            "    d: float64[3] = index_update(a, b, index=(1,))\n"
            "    e: float64[3] = index_update(d, c, index=(1,))\n"
            "    f: float64 = element(d, index=(1,))\n"
            "    g: float64 = element(e, index=(1,))\n"
            "    h: float64 = element(d, index=(2,))\n"
            "    return (f, g, h)"
        ),
        "    d: float64 = element(a, index=(2,))\n    return (b, c, d)",
    ),
    "a number that is known is one of the array's dtype": (
        (
            "    d: float64[3] = index_update(a, 2, index=(1,))\n"
            "    e: float64 = element(d, index=(1,))\n"
            "    f: float64 = add(e, b)\n"
            "    return f"
        ),
        "    d: float64 = add(float64(2.0), b)\n    return d",
    ),
}


@pytest.mark.parametrize("name", REPLACED)
def test_numbers_stand_for_elements(name):
    before, after = REPLACED[name]
    check_pass(lambda x: remove_dead_code(replace_elements(x)), HEAD + before, HEAD + after)


@pytest.mark.parametrize(
    "body",
    [
        "    d: float64[3] = index_update(a, b, index=(0,))\n    return d",
        (
            "    d: float64[3] = index_update(a, b, index=(slice(None, 2, None),))\n"
            "    e: float64 = element(d, index=(0,))\n"
            "    return e"
        ),
    ],
)
def test_what_is_read_as_a_whole_more_often_stays_an_array(body):
    check_unchanged(replace_elements, HEAD + body)


def test_parts_that_are_used_late_are_read_of_the_last_state():
    check_pass(
        read_last_states,
        HEAD + "    d: float64[3] = index_update(a, b, index=(0,))\n"
        "    e: float64[1] = getitem(d, index=(slice(None, 1, None),))\n"
        "    f: float64[2] = getitem(d, index=(slice(None, 2, None),))\n"
        "    g: float64[1] = add(e, b)\n"
        "    h: float64[3] = index_update(d, c, index=(1,))\n"
        "    i: float64[1] = multiply(e, g)\n"
        "    j: float64[2] = multiply(f, g)\n"
        "    return (h, i, j)",
        HEAD + "    d: float64[3] = index_update(a, b, index=(0,))\n"
        "    e: float64[1] = getitem(d, index=(slice(None, 1, None),))\n"
        "    f: float64[2] = getitem(d, index=(slice(None, 2, None),))\n"
        "    g: float64[1] = add(e, b)\n"
        "    h: float64[3] = index_update(d, c, index=(1,))\n"
        "    i: float64[1] = getitem(h, index=(slice(None, 1, None),))\n"
        "    j: float64[1] = multiply(i, g)\n"
        "    k: float64[2] = multiply(f, g)\n"
        "    return (h, j, k)",
    )


def primitives(program):
    return {equation.primitive.name for equation in program.equations}


def test_nothing_of_an_array_is_left_where_a_number_is_returned():
    gradient = ft.make_ir(ft.grad(lambda b: recurrence(np.ones((2, 2)) * b)[-1]))(1.5)
    left = primitives(remove_dead_code(replace_elements(gradient)))
    assert not left & {"index_update", "index_add", "scatter_add"}


def total(f):
    return lambda A: np.sum(np.sin(f(A)))


@pytest.mark.thinned
@pytest.mark.parametrize("f", PROGRAMS)
def test_loops_over_elements_are_as_without_jit(f):
    A = positive(4)
    tangent = np.cos(A)
    for g, args in (
        (f, (A,)),
        (ft.value_and_grad(total(f)), (A,)),
        (lambda A, t: ft.jvp(f, (A,), (t,)), (A, tangent)),
        (ft.vmap(total(f)), (np.stack([A, A + 1.0]),)),
        (ft.vmap(ft.grad(total(f))), (np.stack([A, A + 1.0]),)),
    ):
        found, expected = ft.tree.leaves(ft.jit(g)(*args)), ft.tree.leaves(g(*args))
        for one, other in zip(found, expected, strict=True):
            assert type(one) is type(other)
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def check_drawn(seed):
    """Compare a function and its gradient with and without `jit`."""
    f = drawn(seed)

    def loss(x):
        return sum(np.sum(np.sin(part)) for part in f(x))

    for g in (f, ft.value_and_grad(loss)):
        x = np.linspace(0.3, 1.1, 3)
        for one, other in zip(ft.jit(g)(x), g(x), strict=True):
            assert type(one) is type(other)
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.thinned
@pytest.mark.parametrize("seed", range(12))
def test_elements_parts_and_views_at_random(seed):
    check_drawn(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 100))
def test_more_elements_at_random(seed):
    check_drawn(seed)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8, np.uint16, np.bool_, complex])
def test_elements_have_the_dtype_of_their_array(dtype):
    def f(x, y):
        z = np.zeros_like(x)
        for i in range(3):
            z[i] = x[i]
            z[i - 1] = z[i] | y if x.dtype == bool else z[i] + 2 * y
        z[1] = 1
        return z, z[0], z[1:2]

    args = np.array([1, 0, 1]).astype(dtype), np.array(1).astype(dtype)[()]
    for one, other in zip(ft.jit(f)(*args), f(*args), strict=True):
        assert type(one) is type(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit_into_an_array_is_refused():
    def f(x):
        z = np.zeros(2, np.int8) * x
        z[0] = 1000
        return z

    with pytest.raises(OverflowError):
        f(np.int8(1))
    with pytest.raises(OverflowError):
        ft.jit(f)(np.int8(1))


def test_an_index_out_of_range_is_refused():
    def f(x):
        x = np.copy(x)
        for i in range(4):
            x[i] = x[i - 1] * 2.0
        return x

    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        ft.jit(f)(np.ones(3))


def test_arrays_without_axes_or_elements_stay_as_they_are():
    def f(x, y):
        x, y = np.copy(x), np.copy(y)
        x[()] = x * 2.0
        y[...] = 1.0
        return x, y

    first, second = ft.jit(f)(np.array(2.0), np.ones((0, 2)))
    np.testing.assert_array_equal(first, 4.0)
    assert second.shape == (0, 2)


def test_what_is_given_is_not_written():
    x = np.ones(3)

    def f(x):
        y = np.copy(x)
        for i in range(3):
            y[i] = y[i] + i
        return y, y

    first, second = ft.jit(f)(x)
    first[0] = 9.0
    np.testing.assert_array_equal(second, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(x, np.ones(3))
