"""Other shapes for the same elements: NumPy's values, adjoints, and maps as loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.ir.types import type_of
from functrace.primitives import shaping
from functrace.tracing.tracer import bind
from tests.primitives.linear_laws import check_linear, whole
from tests.strategies import seeds, shapes

drawn = settings(max_examples=30, deadline=None)


def factorings(size):
    """Shapes of so many elements."""
    if size == 0:
        return [(0,), (2, 0), (0, 3, 1)]
    pairs = [(n, size // n) for n in range(1, size + 1) if size % n == 0]
    return [(size,), *pairs, *((1, a, 1, b) for a, b in pairs), *([()] if size == 1 else [])]


@drawn
@given(shapes(), st.data(), seeds())
def test_reshape(shape, data, seed):
    x = whole(shape, seed)
    new = data.draw(st.sampled_from(factorings(x.size)))
    check_linear(shaping.reshape_primitive, np.reshape(x, new), x, shape=new)


@drawn
@given(shapes(), st.data(), seeds())
def test_transpose(shape, data, seed):
    x = whole(shape, seed)
    axes = tuple(data.draw(st.permutations(range(x.ndim))))
    check_linear(shaping.transpose_primitive, np.transpose(x, axes), x, permutation=axes)


@drawn
@given(shapes(), st.data(), seeds())
def test_broadcast_to(shape, data, seed):
    own = [data.draw(st.sampled_from([1, n])) for n in shape]
    own = tuple(own[data.draw(st.integers(0, len(own))) :])
    x = whole(own, seed)
    check_linear(shaping.broadcast_to_primitive, np.broadcast_to(x, shape), x, shape=shape)


@drawn
@given(shapes(), st.data(), seeds())
def test_flip_and_roll(shape, data, seed):
    x = whole(shape, seed)
    axes = tuple(data.draw(st.lists(st.sampled_from(range(x.ndim)), unique=True)) if shape else ())
    shifts = tuple(data.draw(st.integers(-4, 4)) for _ in axes)
    check_linear(shaping.flip_primitive, np.flip(x, axes), x, reverse=tuple(sorted(axes)))
    if axes:  # which NumPy asks for
        check_linear(shaping.roll_primitive, np.roll(x, shifts, axes), x, shifts=shifts, along=axes)


@drawn
@given(shapes(), st.data(), seeds())
def test_pad(shape, data, seed):
    x = whole(shape, seed)
    ends = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in shape)
    check_linear(shaping.pad_primitive, np.pad(x, ends) if shape else x, x, padding=ends)


@drawn
@given(shapes().filter(len), st.data(), seeds())
def test_what_is_taken_apart_is_joined_again(shape, data, seed):
    x = whole(shape, seed)
    axis = data.draw(st.integers(0, x.ndim - 1))
    ends = tuple(sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3))))
    parts = np.split(x, ends, axis)
    check_linear(shaping.split_primitive, parts, x, boundaries=ends, axis=axis)
    again = bind(shaping.concatenate_primitive, *parts, axis=axis)
    np.testing.assert_array_equal(again, x)
    if shape[axis]:
        rows = [np.take(x, n, axis) for n in range(shape[axis])]
        check_linear(shaping.unstack_primitive, rows, x, axis=axis)
        np.testing.assert_array_equal(bind(shaping.stack_primitive, *rows, axis=axis), x)


@drawn
@given(st.lists(st.integers(0, 2), min_size=1, max_size=3), st.integers(0, 2), st.data(), seeds())
def test_joining_is_linear_in_all_that_is_joined(lengths, other, data, seed):
    parts = [whole((n, other), seed + n) for n in lengths]
    cotangent = whole((sum(lengths), other), seed)
    joined = shaping.concatenate_primitive
    needed = [data.draw(st.sampled_from([True, None])) for _ in parts]
    pulled = joined.vjp(cotangent, parts, np.concatenate(parts), needed, axis=0)
    expected = np.split(cotangent, np.cumsum(lengths)[:-1])
    for part, need, found in zip(expected, needed, pulled, strict=True):
        if need:
            np.testing.assert_array_equal(found, part)
        else:
            assert found is None
    mapped = ft.vmap(lambda *xs: bind(joined, *xs, axis=0), in_axes=(1, *[None] * (len(parts) - 1)))
    stacked = np.stack([parts[0], 2 * parts[0]], 1)
    for example, found in zip((parts[0], 2 * parts[0]), mapped(stacked, *parts[1:]), strict=True):
        np.testing.assert_array_equal(found, np.concatenate([example, *parts[1:]]))


@pytest.mark.parametrize(
    ("rows", "columns", "offset"), [*itertools.product((0, 1, 3), (0, 2, 3), (-2, 0, 1, 3))]
)
def test_diagonals(rows, columns, offset):
    for before in ((), (2,)):
        x = whole((*before, rows, columns), rows + columns)
        expected = np.diagonal(x, offset, -2, -1)
        check_linear(shaping.diagonal_primitive, expected, x, offset=offset)
        d = expected.copy()
        matrix = np.zeros(x.shape)
        for n in range(d.shape[-1]):
            matrix[..., n + max(-offset, 0), n + max(offset, 0)] = d[..., n]
        sides = {"offset": offset, "rows": rows, "columns": columns}
        check_linear(shaping.from_diagonal, matrix, d, **sides)


@pytest.mark.parametrize(
    ("primitive", "params", "numpys"),
    [
        (shaping.reshape_primitive, {"shape": (4,)}, lambda x: np.reshape(x, 4)),
        (shaping.transpose_primitive, {"permutation": (0, 0)}, lambda x: np.transpose(x, (0, 0))),
        (shaping.broadcast_to_primitive, {"shape": (3, 3)}, lambda x: np.broadcast_to(x, (3, 3))),
        (shaping.concatenate_primitive, {"axis": 2}, lambda x: np.concatenate([x], 2)),
        (shaping.unstack_primitive, {"axis": 2}, lambda x: np.unstack(x, axis=2)),
    ],
)
def test_what_numpy_refuses_is_refused_from_types(primitive, params, numpys):
    x = np.ones((2, 3))
    with pytest.raises(ValueError):  # noqa: PT011  (NumPy's words are not ours)
        numpys(x)
    with pytest.raises(ValueError):  # noqa: PT011
        primitive.infer(type_of(x), **params)
