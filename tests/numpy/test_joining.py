"""Joining, splitting, repeating and padding, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import ArrayWriteError, ShapeMismatchError, UnknownValueError
from functrace.testing import check_grads
from tests.agreement import agrees, assert_like_numpy, recorded

Z = np.array(1.3)
V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8
T = np.arange(24.0).reshape(2, 3, 4) / 9 - 1.3


FUNCTIONS = {
    "tile": (lambda x: np.tile(x, (2, 1, 3)), M),
    "tile a number": (lambda x: np.tile(x, 2), Z),
    "repeat": (lambda x: np.repeat(x, 2, 1), M),
    "repeat by array": (lambda x: np.repeat(x, [1, 0, 2], 0), M),
    "repeat flat": (lambda x: np.repeat(x, 3), M),
    "resize": (lambda x: np.resize(x, (5, 4)), M),
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
    "pad with constants": (lambda x: np.pad(x, (1, 2), constant_values=((1, 2), (3, 4))), M),
    "pad edges": (lambda x: np.pad(x, ((2, 1), (5, 6)), "edge"), M),
    "pad reflected": (lambda x: np.pad(x, ((2, 1), (5, 6)), "reflect"), M),
    "pad symmetric": (lambda x: np.pad(x, ((2, 1), (5, 6)), "symmetric"), M),
    "pad wrapped": (lambda x: np.pad(x, ((2, 1), (5, 6)), "wrap"), M),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda v: v[:2] * v[2], 1, x), T),
    "apply_along_axis to numbers": (lambda x: np.apply_along_axis(lambda v: v[0] * v[1], 0, x), T),
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


def test_pad_by_a_dict():
    # Compared with the same widths in a tuple: not every NumPy takes a dict.
    by_dict = lambda x: np.pad(x, {-1: (1, 2)})
    by_tuple = lambda x: np.pad(x, ((0, 0), (1, 2)))
    expected, pullback = ft.vjp(by_tuple, M)
    got, pulled_back = ft.vjp(by_dict, M)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(recorded(by_dict, M), expected)
    np.testing.assert_array_equal(pulled_back(expected), pullback(expected))


def test_pad_with_traced_constants():
    f = lambda x: np.pad(x, 1, constant_values=x[0, 0])
    agrees(f, M)
    program = lambda x: np.pad(x, 1, constant_values=(x[0, 0], 2.0))
    result, _ = ft.vjp(program, M)
    np.testing.assert_array_equal(result, np.pad(M, 1, constant_values=(M[0, 0], 2.0)))


def in_threes(vector, widths, axis, options):
    """A function for pad that reads, and writes in place."""
    before, after = widths
    vector[:before] = vector[before] * 3
    if after:
        vector[-after:] = options.get("scale", 1) * vector[-after - 1] + axis


MODES = [
    ("empty", {}),
    ("linear_ramp", {}),
    ("linear_ramp", {"end_values": ((1, 2), (3, 4.5))}),
    ("maximum", {}),
    ("maximum", {"stat_length": ((1, 2), (3, 1))}),
    ("minimum", {"stat_length": 2}),
    ("mean", {}),
    ("mean", {"stat_length": (2, 1)}),
    ("median", {}),
    ("reflect", {"reflect_type": "odd"}),
    ("symmetric", {"reflect_type": "odd"}),
    ("symmetric", {"reflect_type": "even"}),
    (in_threes, {}),
    (in_threes, {"scale": 2}),
]


@pytest.mark.thinned
@pytest.mark.parametrize("widths", [1, ((2, 0), (1, 3)), ((7, 5), (9, 11))])
@pytest.mark.parametrize("number", range(len(MODES)))
def test_modes_of_pad(number, widths):
    mode, options = MODES[number]
    x = M[:, [1, 3, 0, 2]] if callable(mode) else np.cos(M * 40)
    f = lambda x: np.pad(x, widths, mode, **options)
    if mode == "empty":  # what it leaves open is anything
        first, second = (slice(i, i + n) for i, n in ((7, 3), (9, 4)))
        widths = ((7, 5), (9, 11))
        f = lambda x: np.pad(x, widths, mode)[first, second].copy()
    assert_like_numpy(f, x)
    for dtype in (np.int8, np.uint8, np.float32):
        assert_like_numpy(f, (abs(x) * 9).astype(dtype))
    check_grads(f, (x,), order=1, modes=("fwd", "rev"))
    mapped = ft.vmap(f, in_axes=2)(np.stack([x, 2 * x], 2))
    np.testing.assert_allclose(mapped, [f(x), f(2 * x)])


def test_pad_with_traced_ends():
    f = lambda x, ends: np.pad(x, 2, "linear_ramp", end_values=ends)
    check_grads(f, (M, 0.5), order=2)
    np.testing.assert_allclose(ft.jit(f)(M, 0.5), f(M, 0.5))
    pairs = lambda x, a, b: np.pad(x, 2, "linear_ramp", end_values=((a, b), (1.0, a * b)))
    np.testing.assert_allclose(ft.jit(pairs)(M, 0.5, 2.0), pairs(M, 0.5, 2.0))
    check_grads(ft.jit(pairs), (M, 0.5, 2.0), order=2)


@pytest.mark.parametrize(("times", "length", "places"), [
    ([1, 2, 3], 4, [0, 1, 1, 2]),
    ([1, 2, 0], 6, [0, 1, 1, 2, 2, 2]),
    ([0, 0, 0], 2, [2, 2]),
    (2, 6, [0, 0, 1, 1, 2, 2]),
    (2, 4, [0, 0, 1, 1]),
    ([1, 1, 1], 0, []),
])  # fmt: skip
def test_repeats_that_are_traced(times, length, places):
    times = np.array(times)
    for axis, taken in ((0, M[places]), (1, M.T[places].T)):
        x = M if axis == 0 else M[:, :3]
        f = lambda x, times: fnp.repeat(x, times, axis=axis, total_repeat_length=length)
        expected = taken if axis == 0 else x[:, places]
        np.testing.assert_array_equal(ft.jit(f)(x, times), expected)
        np.testing.assert_array_equal(f(x, times), expected)
        mapped = ft.vmap(f, in_axes=(None, 0))(x, np.stack([times, times]))
        np.testing.assert_array_equal(mapped, [expected, expected])
        check_grads(lambda x: f(x * x, times), (x,), order=2)
    flat = ft.jit(lambda x: fnp.repeat(x, 3, total_repeat_length=5))
    np.testing.assert_array_equal(flat(V), V[[0, 0, 0, 1, 1]])
    with pytest.raises(UnknownValueError, match="repeats"):
        ft.jit(lambda x, n: fnp.repeat(x, n))(V, 2)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(st.data())
def test_any_shape(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    rank = len(shape)
    agrees(lambda x: (np.stack([x, x], -1), np.tile(x, (2, 1)), np.repeat(x, 2)), x, grads=False)
    agrees(lambda x: np.pad(x, 1), x, grads=False)
    if rank:
        axis = data.draw(st.integers(-rank, rank - 1))
        agrees(lambda x: np.concatenate([x, x], axis), x, grads=False)
        agrees(lambda x: np.array_split(x, 3, axis), x, grads=False)


@pytest.mark.parametrize("trace", [ft.make_ir, ft.grad], ids=["types", "values"])
@pytest.mark.parametrize(
    ("f", "kind", "text"),
    [
        (lambda x: np.concatenate([x, x[None]]), ShapeMismatchError, "dimension"),
        (lambda x: np.concatenate([x[0], x[1]]), ValueError, "zero-dimensional"),
        (lambda x: np.stack([x, x[1:]]), ValueError, "same shape"),
        (lambda x: np.split(x, 4), ValueError, "equal division"),
        (lambda x: np.pad(x, 1, "mode"), ValueError, "mode 'mode' is not supported"),
        (lambda x: np.pad(x, 1, "edge", stat_length=1), ValueError, "unsupported keyword"),
        (lambda x: np.pad(x, 1, "maximum", stat_length=0), ValueError, "stat_length of 0"),
        (lambda x: np.pad(x[:0], 1, "mean"), ValueError, "can't extend empty axis 0"),
        (lambda x: np.pad(x, -1), ValueError, "negative"),
        (lambda x: np.stack([x, x], out=np.ones((2, 6))), ArrayWriteError, "the argument `out`"),
    ],
)
def test_errors(trace, f, kind, text):
    with pytest.raises(kind, match=text):
        trace(lambda x: np.sum(f(x)))(V)


def test_numbers_are_joined_in_numpys_dtypes():
    x = np.ones(2, np.float32)
    for f in (
        lambda x, y: np.concatenate([x, y], axis=None),
        lambda x, y: np.append(x, y),
        lambda x, y: np.hstack([x, y]),
        lambda x, y: np.stack([x[0], y]),
        lambda x, y: np.block([x, y]),
    ):
        for number in (1.5, 2):
            expected = f(x, number)
            traced = recorded(f, x, number), recorded(lambda x, f=f, y=number: f(x, y), x)
            for got in (*traced, ft.jit(f)(x, number)):
                assert got.dtype == expected.dtype
                np.testing.assert_array_equal(got, expected)
