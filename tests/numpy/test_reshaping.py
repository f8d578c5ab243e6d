"""Other shapes and orders, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import ShapeMismatchError, UnknownValueError, UnsupportedFunctionError
from tests.agreement import agrees, assert_like_numpy

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8
T = np.arange(24.0).reshape(2, 3, 4) / 9 - 1.3


FUNCTIONS = {
    "reshape": (lambda x: np.reshape(x, (4, -1)), M),
    "reshape in column order": (lambda x: np.reshape(x, (4, 3), order="F"), M),
    "method": (lambda x: x.reshape(2, -1), M),
    "reshape to a number": (lambda x: x[:1].reshape(()), V),
    "ravel": (np.ravel, M),
    "ravel in column order": (lambda x: np.ravel(x, "F"), M),
    "ravel of a vector in memory order": (lambda x: np.ravel(x, "K"), V),
    "flatten": (lambda x: x.flatten(), M),
    "expand_dims": (lambda x: np.expand_dims(x, (0, 2)), M),
    "squeeze": (lambda x: np.squeeze(x[None, :, None]), M),
    "squeeze one axis": (lambda x: np.squeeze(x[None, :, None], 0), M),
    "atleast_1d": (lambda x: np.atleast_1d(x, x[0]), V),
    "atleast_2d": (lambda x: np.atleast_2d(x, x[0], x[0, 0]), M),
    "atleast_3d": (lambda x: np.atleast_3d(x, x[0], x[0, 0]), M),
    "T": (lambda x: x.T, T),
    "mT": (lambda x: x.mT, T),
    "transpose": (lambda x: np.transpose(x, (1, -1, 0)), T),
    "matrix_transpose": (np.matrix_transpose, T),
    "permute_dims": (lambda x: np.permute_dims(x, (1, 2, 0)), T),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), T),
    "moveaxis": (lambda x: np.moveaxis(x, [0, 1], [-1, 0]), T),
    "rollaxis": (lambda x: (np.rollaxis(x, 2), np.rollaxis(x, 0, 3), np.rollaxis(x, 1, -1)), T),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 4)), M),
    "broadcast_arrays": (lambda x: np.broadcast_arrays(x, x[:, :1])[1], M),
    "meshgrid": (lambda x: np.meshgrid(x, x[:2]), V),
    "meshgrid by index": (lambda x: np.meshgrid(x, x[:2], x[:3], indexing="ij", sparse=True), V),
    "flip": (lambda x: (np.flip(x), np.flip(x, -1), np.fliplr(x), np.flipud(x)), M),
    "rot90": (lambda x: tuple(np.rot90(x, k, (0, 2)) for k in range(-1, 4)), T),
    "roll": (lambda x: (np.roll(x, 2), np.roll(x, (1, -2), (0, 1)), np.roll(x, 1, (0, 1))), M),
    "diagonal": (lambda x: np.diagonal(x, 1, 2, 0), T),
    "diag": (lambda x: (np.diag(x, 1), np.diag(x, -7)), M),
    "diag of a vector": (lambda x: (np.diag(x, -2), np.diag(x), np.diag(x, 2)), V),
    "diagflat": (lambda x: np.diagflat(x, -1), M),
    "trace": (lambda x: (np.trace(x, 1), x.trace(), np.trace(x, 0, 1, 0)), M),
    "tril": (lambda x: np.tril(x, 1), T),
    "triu": (lambda x: np.triu(x, -1), V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = FUNCTIONS[name]
    agrees(f, x)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(st.data())
def test_any_shape(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    rank = len(shape)
    permutation = data.draw(st.permutations(range(rank)))
    agrees(lambda x: np.transpose(x, permutation), x, grads=False)
    agrees(lambda x: np.reshape(x, (-1,)) if x.size else np.ravel(x), x, grads=False)
    agrees(lambda x: (np.flip(x), np.squeeze(x), np.roll(x, 1)), x, grads=False)
    if rank:
        axis = data.draw(st.integers(-rank, rank - 1))
        agrees(lambda x: np.swapaxes(np.moveaxis(x, axis, 0), 0, axis), x, grads=False)
    gradient = ft.grad(lambda x: np.sum(np.reshape(np.transpose(x), -1) * 2))(x)
    np.testing.assert_array_equal(gradient, np.full(shape, 2.0))


def test_numbers():
    for f in (
        lambda x: np.sum(np.stack([x, 2.0]) ** 2),
        lambda x: np.sum(np.reshape(x, (1, 1))) ** 2,
        lambda x: np.sum(np.atleast_1d(x) ** 2),
        lambda x: np.sum(np.broadcast_to(x, 1) ** 2),
    ):
        gradient = ft.grad(f)(1.5)
        assert gradient == 3.0
        assert type(gradient) is np.float64


@pytest.mark.parametrize("trace", [ft.make_ir, ft.grad], ids=["types", "values"])
@pytest.mark.parametrize(
    ("f", "kind", "text"),
    [
        (lambda x: np.reshape(x, (4, 2)), ShapeMismatchError, r"size 6 into shape \(4, ?2\)"),
        (lambda x: np.reshape(x, (-1, 4)), ShapeMismatchError, "size 6 into shape"),
        (lambda x: np.reshape(x, (-1, -1)), ShapeMismatchError, "reshape"),
        (lambda x: np.broadcast_to(x, (2, 3)), ShapeMismatchError, "broadcast"),
        (lambda x: np.swapaxes(x, 0, 1), np.exceptions.AxisError, "axis 1 is out of bounds"),
        (lambda x: np.transpose(x, (0, 0)), ValueError, "ax[ei]s"),
        (lambda x: np.squeeze(x, 0), ValueError, "squeeze"),
        (lambda x: np.ravel(np.reshape(x, (2, 3)), "K"), UnsupportedFunctionError, "order='K'"),
    ],
)
def test_errors(trace, f, kind, text):
    with pytest.raises(kind, match=text):
        trace(lambda x: np.sum(f(x)))(V)


def test_views():
    def f(x):
        first, second = np.split(x, 2)
        x[0] = 1.0
        second *= 2.0
        return first * second * x[0]

    agrees(f, V)

    def g(x):
        y = np.ravel(x)
        x[0] = 1.0
        y[-1] *= x[1, 0]
        return y * x[-1, -1]

    agrees(g, M)

    def h(x):
        y = np.tile(x, 2)
        x[0] = 1.0
        return np.sum(y * y)

    np.testing.assert_allclose(ft.grad(h)(V), 4 * V)


@pytest.mark.parametrize("shift", [0, 1, -4, 7, np.int8(-2)])
def test_rolls_by_shifts_of_unknown_value(shift):
    for f in (
        np.roll,
        lambda x, n: np.roll(x, n, 1),
        lambda x, n: np.roll(x, n, (0, 1)),
        lambda x, n: np.roll(x, (n, 2, n), (0, -1, 0)),
        lambda x, n: np.roll(x, -n, [1]),
    ):
        expected = f(M, shift)
        np.testing.assert_array_equal(ft.jit(f)(M, shift), expected)
        shifts = np.array([shift, shift + 1])
        np.testing.assert_array_equal(ft.vmap(f)(np.stack([M, M]), shifts)[0], expected)
        loss = lambda x, n, f=f: np.sum(np.sin(f(x, n)) * M)
        gradient = ft.grad(lambda x, loss=loss: loss(x, int(shift)))(M)
        np.testing.assert_allclose(ft.jit(ft.grad(loss))(M, shift), gradient, rtol=1e-12)
    assert ft.jit(np.roll)(np.zeros((0, 2)), shift).shape == (0, 2)


def test_a_shift_that_is_no_whole_number():
    with pytest.raises(TypeError, match="whole number"):
        ft.jit(np.roll)(M, 1.5)


@pytest.mark.thinned
@pytest.mark.parametrize("k", [-5, -1, 0, 2, 4])
def test_diagonals_of_unknown_number(k):
    for f in (
        lambda x, k: fnp.tril(x, k),
        lambda x, k: fnp.triu(x, k),
        lambda x, k: x + fnp.eye(3, 4, k),
        lambda x, k: x + fnp.tri(3, 4, k=k),
        lambda x, k: fnp.tri(3, k=k, dtype=bool),
        lambda x, k: fnp.eye(3, k=k, dtype="f4"),
        lambda x, k: fnp.trace(x, k),
        lambda x, k: fnp.trace(np.stack([x, x]), k, 2, 1),
    ):
        for i in (k, np.int8(k)):
            assert_like_numpy(f, M, i)
        mapped = ft.vmap(f, in_axes=(None, 0))(M, np.array([k, 0, k]))
        np.testing.assert_array_equal(mapped[0], f(M, k))
        agrees(lambda x, f=f: 1.0 * ft.jit(f)(x, k), M)
    for f in (lambda k: fnp.diag(V, k), lambda k: fnp.diagonal(M, k), lambda k: fnp.diagflat(V, k)):
        with pytest.raises(UnknownValueError, match="static"):
            ft.jit(f)(k)


@pytest.mark.parametrize("axis", [0, -1, ()])
def test_a_number_is_squeezed_along_its_first_axis(axis):
    assert_like_numpy(lambda x: np.squeeze(x, axis), np.array(0.4))


@pytest.mark.parametrize("axis", [(0,), (-1,)])
def test_a_number_has_no_axes_of_a_tuple(axis):
    f = lambda x: np.squeeze(x, axis)
    for call in (f, ft.jit(f), ft.grad(f)):
        with pytest.raises(np.exceptions.AxisError):
            call(np.array(0.4))
