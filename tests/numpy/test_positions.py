"""Where elements are, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import UnknownValueError
from tests.agreement import agrees, assert_like_numpy

V = np.array([0.3, 0.0, 2.0, 0.0, -0.4, 1.6, 0.0])
M = np.array([[0.0, 0.0, 0.0], [0.0, 1.5, 0.0], [2.0, 0.0, 0.0]])


def test_positions_of_known_values():
    f = lambda x: x * np.flatnonzero(x)[-1] + np.argwhere(x)[0] + x[np.nonzero(x)][0]
    agrees(f, V, types_only=False, grads=False)
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(f(x)))(V), 5 + 7 * (np.arange(7) == 0))
    for f in (np.nonzero, np.argwhere, np.flatnonzero, np.where):
        with pytest.raises(UnknownValueError, match="How many there are"):
            ft.jit(f)(V)


@pytest.mark.parametrize("trim", ["fb", "f", "B"])
def test_zeros_at_the_ends(trim):
    agrees(lambda x: np.trim_zeros(x, trim), V, types_only=False, grads=False)
    agrees(lambda x: np.trim_zeros(x, trim), V * 0, types_only=False, grads=False)
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(np.trim_zeros(x) ** 2))(V), 2 * V)
    with pytest.raises(ValueError, match="unexpected"):
        ft.grad(lambda x: np.sum(np.trim_zeros(x, "x")))(V)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="NumPy trims one axis")
def test_zeros_around_a_matrix():
    for axis in (None, 0, 1, (0, -1)):
        agrees(lambda x, axis=axis: np.trim_zeros(x, axis=axis), M, types_only=False, grads=False)


INDICES = np.array([3, 1, 2, 1, 0, 5])


@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_elements(order):
    for shape in ((2, 3), (3, 1, 2), 6):
        for axis in range(np.size(shape)):
            f = lambda i, s=shape, a=axis: np.unravel_index(i, s, order)[a]
            assert_like_numpy(f, INDICES)
            assert_like_numpy(f, INDICES.astype("u1").reshape(2, 3))
            assert_like_numpy(f, np.int64(4))
    back = lambda i: np.ravel_multi_index(np.unravel_index(i, (3, 2), order), (3, 2), order=order)
    assert_like_numpy(back, INDICES)
    np.testing.assert_array_equal(ft.vmap(back)(INDICES), INDICES)


@pytest.mark.parametrize("mode", ["wrap", "clip", ("wrap", "clip")])
def test_indices_that_are_brought_into_an_axis(mode):
    far = np.array([-5, 7, 1])
    assert_like_numpy(lambda i: np.ravel_multi_index((i, i + 1), (2, 3), mode), far)


@pytest.mark.parametrize("transform", [ft.jit, ft.vmap])
def test_what_lies_outside_is_an_error(transform):
    with pytest.raises(ValueError, match="out of bounds"):
        transform(lambda i: np.unravel_index(i, (2, 2)))(INDICES)
    with pytest.raises(ValueError, match="invalid entry"):
        transform(lambda i: np.ravel_multi_index((i, i), (2, 3)))(INDICES)


def test_the_place_of_the_largest_element():
    x = np.array([[0.3, 2.0], [1.0, -1.0]])
    place = lambda x: x[np.unravel_index(np.argmax(x), x.shape)]
    np.testing.assert_array_equal(ft.grad(place)(x), [[0, 1], [0, 0]])
    np.testing.assert_array_equal(ft.jit(ft.grad(place))(x), [[0, 1], [0, 0]])


def test_lists_of_traced_indices():
    f = ft.jit(lambda i: fnp.ravel_multi_index([i, 1], (4, 3)))
    assert f(2) == 7
