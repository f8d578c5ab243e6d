"""Elements taken, written and chosen by functions, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import ArrayWriteError
from tests.agreement import agrees, assert_like_numpy, check, real

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8


FUNCTIONS = {
    "take": (lambda x: np.take(x, [2, 0, 2, -1]), M),
    "take along an axis": (lambda x: np.take(x, [2, 0, 2, -1], 1), M),
    "take one": (lambda x: x.take(1, axis=0), M),
    "take and wrap": (lambda x: np.take(x, [7, -9], 0, mode="wrap"), M),
    "take and clip": (lambda x: np.take(x, [7, -9], 0, mode="clip"), M),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.array([[1, 1], [0, 3], [2, 0]]), 1), M),
    "take_along_axis flat": (lambda x: np.take_along_axis(x, np.array([1, 1]), None), M),
    "compress": (lambda x: np.compress([True, False, True], x, 0), M),
    "extract": (lambda x: np.extract(M > 0, x), M),
    "select": (lambda x: np.select([V > 1, V > 0], [x, x * 2], x**2), V),
    "select default": (lambda x: np.select([V > 1], [x], 7), V),
    "choose": (lambda x: np.choose(np.array([0, 1, 0, 1, 1, 0]), [x, x * 2]), V),
    "delete": (lambda x: np.delete(x, [1, -1], 1), M),
    "delete flat": (lambda x: np.delete(x, slice(1, 3)), M),
    "insert": (lambda x: np.insert(x, 1, x[:, 0], 1), M),
    "insert constants": (lambda x: np.insert(x, [1, 2], 5.0), V),
    "insert several": (lambda x: np.insert(x, [0, 0, 3], x[:3]), V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    agrees(*FUNCTIONS[name])


def functions_in_place(x):
    y = np.reshape(x[:4], (2, 2)) * 1
    np.fill_diagonal(y, y[0, 1])
    np.put(y, [1, -1], [3.0, x[5]] if isinstance(x, np.ndarray) else np.stack([3.0, x[5]]))
    np.copyto(y, x[4], where=np.eye(2) > 0)
    np.putmask(y, np.array([[False, True], [False, False]]), y * 2)
    np.put_along_axis(y, np.array([[0], [1]]), x[2:3], 1)
    np.place(y, np.array([[False, False], [True, False]]), x[3])
    return y


def test_functions_in_place():
    agrees(functions_in_place, V)


def placed(values):
    def place(x, mask):
        y = x * 1
        np.place(y, mask, x[:values] * 2)
        return y

    return place


IN_PLACE = {
    "place one": placed(1),
    "place two": placed(2),
    "place more than there are": placed(6),
    "putmask": lambda x, mask: [y := x * 1, np.putmask(y, mask, x[:2])][0],
    "copyto": lambda x, mask: [y := x * 1, np.copyto(y, x[::-1], where=mask)][0],
    "add": lambda x, mask: np.add(x, x, out=x * 1, where=mask),
    "ix_": lambda x, mask: np.reshape(x * 1, (2, 3))[np.ix_(mask[:2].astype(int), mask[2:] * 1)],
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("mask", [V > 0, V > 9, V < 9], ids=["some", "none", "all"])
def test_writing_by_a_mask_of_unknown_values(name, mask):
    f = IN_PLACE[name]
    expected = f(V.copy(), mask)
    gradient = ft.grad(lambda x: np.sum(np.sin(f(x, mask))))(V)
    np.testing.assert_array_equal(ft.jit(f)(V, mask), expected)
    np.testing.assert_array_equal(ft.vmap(f)(V[None], mask[None])[0], expected)
    compiled = ft.jit(lambda x, mask: ft.grad(lambda x: np.sum(np.sin(f(x, mask))))(x))
    np.testing.assert_allclose(compiled(V, mask), gradient, rtol=1e-12)
    check(lambda x: f(x, mask), V)


def test_ordinary_arrays_are_not_written():
    for write in (
        lambda x: np.copyto(np.ones(6), x),
        lambda x: np.put_along_axis(np.ones(6), np.array([0]), x[:1], 0),
        lambda x: np.put(np.ones(6), [0], x[:1]),
    ):
        with pytest.raises((ArrayWriteError, TypeError)):
            ft.grad(write)(V)


def test_sliding_windows():
    windows = np.lib.stride_tricks.sliding_window_view
    check(lambda x: windows(x, 3), real(5))
    check(lambda x: windows(x, (2, 3)), real(4, 5))
    check(lambda x: windows(x, 2, axis=0), real(4, 5))
    check(lambda x: windows(x, (2, 2), axis=(1, 1)), real(2, 5))
    assert_like_numpy(lambda x: windows(x, 3), real(3))
    with pytest.raises(ValueError, match="larger"):
        ft.grad(lambda x: np.sum(windows(x, 4)))(real(3))

    def write_beneath(x):
        y = x * 1.0
        view = windows(y, 2)
        y[0] = 0.0  # in NumPy this changes the view
        return view * view

    check(write_beneath, real(3))
    with pytest.raises(ValueError, match="read-only"):
        ft.grad(lambda x: windows(x, 2).__setitem__(0, 0.0))(real(3))


def test_a_table_that_is_not_traced():
    table = real(4, 2)
    rows = np.array([3, 0, 3])
    for f in (ft.jit, ft.vmap):
        found = f(lambda i: ft.numpy.take(table, i, axis=0))(rows)
        np.testing.assert_array_equal(found, table[rows])
    filled = ft.vmap(lambda t: ft.numpy.full(2, t))(table[:, 0])
    np.testing.assert_array_equal(filled, np.stack([table[:, 0]] * 2, axis=1))


def test_insert_drops_leading_axes_of_length_one():
    x = np.arange(3.0)
    for values in ([[5.0]], [[[5.0]]], [[5.0], [6.0]]):
        assert_like_numpy(lambda x, v=values: np.insert(x, [0], np.array(v).reshape(-1, 1)[:1]), x)
    with pytest.raises(ValueError, match="broadcast"):
        ft.jit(lambda x: np.insert(x, 0, [[1.0, 2.0, 3.0]]))(x)


def test_choices_that_are_numbers_are_weak():
    x = np.ones(2, np.float32)
    for number in (2, 1.5):
        assert_like_numpy(lambda x, y=number: np.choose([0, 1], [x, y]), x)
        assert ft.jit(lambda x, y: np.choose([0, 1], [x, y]))(x, number).dtype == np.float32


def test_choose_by_booleans():
    flags = np.array([True, False])
    assert_like_numpy(lambda a, b: np.choose(flags, [a, b]), np.arange(2.0), np.ones(2))
    assert_like_numpy(lambda flags: np.choose(flags, [[1, 2], [3, 4]]), flags)
    with pytest.raises(TypeError):
        ft.jit(lambda a: np.choose([0.5, 1.0], [a, a]))(np.ones(2))


def test_choose_knows_three_modes():
    with pytest.raises(ValueError, match="clipmode must be one of"):
        ft.jit(lambda x: np.choose([0, 1], [x, x], mode="other"))(np.ones(2))


# Places of unknown value


@pytest.mark.parametrize("place", [0, 2, -1, -6, 5])
def test_one_element_less(place):
    for dtype in (int, "u1", "i1"):
        if place < 0 and dtype == "u1":
            continue
        i = np.dtype(dtype).type(place)
        assert_like_numpy(lambda x, i: np.delete(x, i), V, i)
        assert_like_numpy(lambda x, i: np.delete(x, i, 1), np.stack([V, -V]), i)
    check(lambda x: ft.jit(lambda i: np.delete(x, i))(place), V)


def test_each_element_left_out():
    got = ft.vmap(lambda i: fnp.delete(V, i))(np.arange(6))
    np.testing.assert_array_equal(got, [np.delete(V, i) for i in range(6)])


@pytest.mark.parametrize("place", [0, 3, -2, [1, 4], [4, 1, 1], [-1, 6, 0], [2]])
def test_elements_inserted(place):
    i = np.array(place)[()]
    for values in (9.5, V[: i.size] * 2 if i.size > 1 else V[:1]):
        f = lambda x, v, i: np.insert(x, i, v)
        assert_like_numpy(f, V, values, i)
        assert_like_numpy(lambda x, i, v=values: np.insert(x, i, v, axis=1), np.stack([V, -V]), i)
        check(lambda x, v: ft.jit(f)(x, v, i), V, values)
    mapped = ft.vmap(lambda i: fnp.insert(V, i, 7.0))(np.stack([i, i]))
    np.testing.assert_array_equal(mapped[1], np.insert(V, i, 7.0))


def test_several_values_at_one_place():
    assert_like_numpy(lambda x, v, i: np.insert(x, i, v), V, V[::-1], 2)
    assert_like_numpy(lambda x, v, i: np.insert(x, i, v, axis=0), M, M[:2], 1)
    agrees(lambda x: np.insert(x, [], x[0]), V)


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, ft.vmap])
def test_places_outside(transform):
    for place in (6, -7):
        with pytest.raises(IndexError, match="out of bounds"):
            transform(lambda i: fnp.delete(V, i))(
                np.array([place, 0])[: 1 + (transform is ft.vmap)]
            )
    for f in (lambda i: fnp.insert(V, i, 0.0), lambda i: fnp.insert(V, [0, i], 0.0)):
        with pytest.raises(IndexError, match="out of bounds"):
            ft.jit(f)(7)


def test_choices_outside():
    for transform in (ft.jit, ft.vmap):
        with pytest.raises(ValueError, match="invalid entry"):
            transform(lambda i: fnp.choose(i, [1.0, 2.0]))(np.array([0, 2]))
    with pytest.raises(ValueError, match="invalid entry"):
        ft.grad(lambda x: np.choose(2, [x, x]))(1.0)
    with pytest.raises(ValueError, match="clipmode"):
        ft.grad(lambda x: np.choose(0, [x, x], mode="first"))(1.0)


def test_rows_and_columns_keep_their_derivative():
    f = lambda x: np.ix_(x, [1, 2])[0] * 2.0
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(f(x)))(V), np.full(6, 2.0))
    assert_like_numpy(lambda i: np.ix_(i, i)[1], np.arange(3))


# Writing

WRITES = {
    "putmask": lambda x, v: np.putmask(x, [1, 0, 1], v),
    "place": lambda x, v: np.place(x, [True, False, True], v),
    "copyto": lambda x, v: np.copyto(x, v),
    "copyto of the same dtype": lambda x, v: np.copyto(x, v, casting="no"),
    "copyto of any dtype": lambda x, v: np.copyto(x, v, casting="unsafe", where=[1, 0, 1]),
    "put": lambda x, v: np.put(x, [0, -1], v),
    "put in another mode": lambda x, v: np.put(x, [0, -1], v, mode="other"),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("value", [
    2, 2.5, True, np.float64(1.5), np.int64(3), np.array([1.5]), np.array([3, 4, 5]), [2], [1.5, 2],
], ids=repr)  # fmt: skip
def test_what_is_written_is_cast_by_numpys_rules(name, value):
    for dtype in ("q", "f", "d", "B", "?"):

        def f(x):
            y = x.copy()
            WRITES[name](y, value)
            return y

        x = np.ones(3, dtype)
        try:
            expected = f(x)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                ft.jit(f)(x)
        else:
            found = ft.jit(f)(x)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_the_imaginary_part_of_real_numbers_is_not_written():
    def f(x):
        x.imag[0] = 1.0
        return x

    for way in (f, ft.jit(f), lambda x: ft.vjp(f, x)[0]):
        with pytest.raises(ValueError, match="read-only"):
            way(np.ones(2))


@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_has_a_first_axis_to_take_along(axis):
    assert_like_numpy(lambda x: np.take(x, [0, -1], axis=axis), np.array(0.4))
    assert_like_numpy(lambda x: np.take(x, 0, axis=axis), np.array(0.4))
    with pytest.raises(IndexError):
        ft.jit(lambda x: np.take(x, [1], axis=axis))(np.array(0.4))


@pytest.mark.parametrize("transform", [ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]])
@pytest.mark.parametrize("place", [1, [0, 2]])
def test_insert_keeps_the_byte_order(transform, place):
    f = lambda x: np.insert(x.astype(">f8"), place, 2.0, axis=1)
    assert transform(f)(M).dtype == f(M).dtype == np.dtype(">f8")
