"""Reshaping, joining and splitting, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import (
    ArrayWriteError,
    ShapeMismatchError,
    UnsupportedFunctionError,
    ViewWriteError,
)
from functrace.testing import check_grads

Z = np.array(1.3)
V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8
T = np.arange(24.0).reshape(2, 3, 4) / 9 - 1.3


def leaves(output):
    return list(output) if isinstance(output, list | tuple) else [output]


def agrees(f, x, grads=True):
    """Values, shapes and dtypes as NumPy's, traced with values and from types; derivatives."""
    expected = leaves(f(x.copy()))
    got, _ = ft.vjp(f, x)
    for results in (leaves(got), ft.evaluate(ft.make_ir(f)(x), x)):
        assert len(results) == len(expected)
        for result, y in zip(results, expected, strict=True):
            assert np.shape(result) == np.shape(y)
            assert np.asarray(result).dtype == np.asarray(y).dtype
            np.testing.assert_allclose(result, y, rtol=1e-14)
    if grads:
        check_grads(f, (x,), order=2, modes=("rev",))


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
    "tile": (lambda x: np.tile(x, (2, 1, 3)), M),
    "tile a number": (lambda x: np.tile(x, 2), Z),
    "repeat": (lambda x: np.repeat(x, 2, 1), M),
    "repeat by array": (lambda x: np.repeat(x, [1, 0, 2], 0), M),
    "repeat flat": (lambda x: np.repeat(x, 3), M),
    "resize": (lambda x: np.resize(x, (5, 4)), M),
    "flip": (lambda x: (np.flip(x), np.flip(x, -1), np.fliplr(x), np.flipud(x)), M),
    "rot90": (lambda x: tuple(np.rot90(x, k, (0, 2)) for k in range(-1, 4)), T),
    "roll": (lambda x: (np.roll(x, 2), np.roll(x, (1, -2), (0, 1)), np.roll(x, 1, (0, 1))), M),
    "concatenate": (lambda x: np.concatenate([x, x[:1], np.ones((2, 4), np.float32)]), M),
    "concatenate flat": (lambda x: np.concatenate((x, x[0]), axis=None), M),
    "concatenate lists": (lambda x: np.concatenate([x, [1, 2]]), V),
    "concat": (lambda x: np.concat([x, x], -1, dtype=np.float64), M),
    "stack": (lambda x: np.stack([x[0], x[1]], -1), M),
    "stack of numbers": (lambda x: np.stack([x[0], x[1], 1.0]), V),
    "hstack": (lambda x: (np.hstack([x, x]), np.hstack([x[0], x[0, 0], [1.0, 2.0]])), M),
    "vstack": (lambda x: np.vstack([x, x]), V),
    "dstack": (lambda x: np.dstack([x, x]), V),
    "column_stack": (lambda x: np.column_stack([x, x**2]), V),
    "block": (lambda x: np.block([[x, x], [x[:1], np.ones((1, 4))]]), M),
    "append": (lambda x: (np.append(x, x[:1], 0), np.append(x, 1.0)), M),
    "split": (lambda x: np.split(x, 3), V),
    "split at": (lambda x: np.split(x, [1, 1, 4]), V),
    "split in disorder": (lambda x: np.split(x, [4, 2, -1, 9]), V),
    "array_split": (lambda x: np.array_split(x, 4), V),
    "hsplit": (lambda x: np.hsplit(x, 2), M),
    "vsplit": (lambda x: np.vsplit(x, 3), M),
    "dsplit": (lambda x: np.dsplit(x, 2), T),
    "pad": (lambda x: np.pad(x, ((1, 2), (0, 3))), M),
    "pad by a dict": (lambda x: np.pad(x, {-1: (1, 2)}), M),
    "pad with constants": (lambda x: np.pad(x, (1, 2), constant_values=((1, 2), (3, 4))), M),
    "pad edges": (lambda x: np.pad(x, ((2, 1), (5, 6)), "edge"), M),
    "pad reflected": (lambda x: np.pad(x, ((2, 1), (5, 6)), "reflect"), M),
    "pad symmetric": (lambda x: np.pad(x, ((2, 1), (5, 6)), "symmetric"), M),
    "pad wrapped": (lambda x: np.pad(x, ((2, 1), (5, 6)), "wrap"), M),
    "diagonal": (lambda x: np.diagonal(x, 1, 2, 0), T),
    "diag": (lambda x: (np.diag(x, 1), np.diag(x, -7)), M),
    "diag of a vector": (lambda x: (np.diag(x, -2), np.diag(x), np.diag(x, 2)), V),
    "diagflat": (lambda x: np.diagflat(x, -1), M),
    "trace": (lambda x: (np.trace(x, 1), x.trace(), np.trace(x, 0, 1, 0)), M),
    "tril": (lambda x: np.tril(x, 1), T),
    "triu": (lambda x: np.triu(x, -1), V),
    "like": (lambda x: (np.zeros_like(x), np.ones_like(x, shape=2), np.full_like(x, x[0])), V),
    "full_like": (lambda x: (np.full_like(x, 2), np.full_like(x, 2.7, dtype=int)), V),
    "copy": (np.copy, V),
    "linspace": (lambda x: np.linspace(x[0], x[1], 5), V),
    "linspace of arrays": (lambda x: np.linspace(x[0], x[1], 5, endpoint=False, axis=1), M),
    "linspace of one": (lambda x: np.linspace(x[0], 3, 1), V),
    "linspace and step": (lambda x: np.linspace(0, x[1], 4, retstep=True), V),
    "logspace": (lambda x: np.logspace(x[0], x[1], 4), V),
    "logspace of bases": (lambda x: np.logspace(0, x[1], 4, base=x[2:4], axis=1), V),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda v: v[:2] * v[2], 1, x), T),
    "apply_along_axis to numbers": (lambda x: np.apply_along_axis(lambda v: v[0] * v[1], 0, x), T),
    "triangles": (lambda x: x[np.tril_indices_from(x)] * x[np.triu_indices_from(x)], M[:, :3]),
    "diag_indices_from": (lambda x: x[np.diag_indices_from(x)], M[:, :3]),
    "diff": (lambda x: np.diff(x, 2), M),
    "diff with ends": (lambda x: np.diff(x, axis=0, prepend=0.0, append=x[:1]), M),
    "ediff1d": (lambda x: np.ediff1d(x, to_end=x[0], to_begin=[1.0, 2.0]), V),
    "gradient": (np.gradient, M),
    "gradient of second order": (lambda x: np.gradient(x, 2.0, edge_order=2, axis=1), M),
    "gradient on a grid": (lambda x: np.gradient(x, [0.0, 1, 3, 4.5], edge_order=2, axis=1), M),
    "gradient on a traced grid": (lambda x: np.gradient(x, np.cumsum(np.abs(x) + 0.5)), V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = FUNCTIONS[name]
    agrees(f, x)


@pytest.mark.skipif(not hasattr(np, "unstack"), reason="NumPy 2.1 has it")
def test_unstack():
    agrees(lambda x: np.unstack(x, axis=1), M)
    agrees(np.unstack, V)
    agrees(np.unstack, np.ones((0, 2)))
    agrees(np.unstack, np.ones((1, 2)))


def test_pad_with_traced_constants():
    f = lambda x: np.pad(x, 1, constant_values=x[0, 0])
    agrees(f, M)
    program = lambda x: np.pad(x, 1, constant_values=(x[0, 0], 2.0))
    result, _ = ft.vjp(program, M)
    np.testing.assert_array_equal(result, np.pad(M, 1, constant_values=(M[0, 0], 2.0)))


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(st.data())
def test_any_shape(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    rank = len(shape)
    permutation = data.draw(st.permutations(range(rank)))
    agrees(lambda x: np.transpose(x, permutation), x, grads=False)
    agrees(lambda x: np.reshape(x, (-1,)) if x.size else np.ravel(x), x, grads=False)
    agrees(lambda x: (np.flip(x), np.squeeze(x), np.tile(x, (2, 1)), np.roll(x, 1)), x, grads=False)
    agrees(lambda x: (np.stack([x, x], -1), np.atleast_2d(x), np.repeat(x, 2)), x, grads=False)
    agrees(lambda x: np.pad(x, 1), x, grads=False)
    if rank:
        axis = data.draw(st.integers(-rank, rank - 1))
        agrees(lambda x: np.concatenate([x, x], axis), x, grads=False)
        agrees(lambda x: np.array_split(x, 3, axis), x, grads=False)
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
        (lambda x: np.concatenate([x, x[None]]), ShapeMismatchError, "dimension"),
        (lambda x: np.concatenate([x[0], x[1]]), ValueError, "zero-dimensional"),
        (lambda x: np.stack([x, x[1:]]), ValueError, "same shape"),
        (lambda x: np.split(x, 4), ValueError, "equal division"),
        (lambda x: np.swapaxes(x, 0, 1), np.exceptions.AxisError, "axis 1 is out of bounds"),
        (lambda x: np.transpose(x, (0, 0)), ValueError, "ax[ei]s"),
        (lambda x: np.squeeze(x, 0), ValueError, "squeeze"),
        (lambda x: np.pad(x, 1, "mean"), UnsupportedFunctionError, "'mean'.*[\n].*\n.*constant"),
        (lambda x: np.pad(x, -1), ValueError, "negative"),
        (lambda x: np.ravel(np.reshape(x, (2, 3)), "K"), UnsupportedFunctionError, "order='K'"),
        (lambda x: np.stack([x, x], out=np.ones((2, 6))), ArrayWriteError, "out"),
        (lambda x: np.copyto(np.ones(6), x), ArrayWriteError, "copyto"),
    ],
)
def test_errors(trace, f, kind, text):
    with pytest.raises(kind, match=text):
        trace(lambda x: np.sum(f(x)))(V)


def test_views():
    def f(x):
        first, second = np.split(x, 2)
        x[0] = 1.0
        return np.sum(first + second)

    with pytest.raises(ViewWriteError):
        ft.grad(f)(V)

    def g(x):
        y = np.ravel(x)
        x[0] = 1.0
        return np.sum(y)

    with pytest.raises(ViewWriteError):
        ft.grad(g)(M)

    def h(x):
        y = np.tile(x, 2)
        x[0] = 1.0
        return np.sum(y * y)

    np.testing.assert_allclose(ft.grad(h)(V), 4 * V)


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
