"""Indexing: types, reading, adding and writing, beside NumPy's for every kind of index."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from functrace.ir.types import type_of
from functrace.primitives import indexing
from functrace.primitives.indexing import INDICES
from functrace.tracing.tracer import bind
from tests.primitives.linear_laws import check_linear, whole
from tests.strategies import seeds

RNG = np.random.default_rng(0)

SHAPE = (2, 3, 4)
ITEMS = (None, Ellipsis, slice(None), slice(0, 5, 2), -1, INDICES)


def filled(index, arrays):
    """The index as NumPy takes it."""
    following = iter(arrays)
    return tuple([next(following) if item is INDICES else item for item in index])


def test_types_of_all_kinds_of_indices():
    x, array = np.empty(SHAPE), np.array([[0, 1]])
    for length in range(5):
        for index in itertools.product(ITEMS, repeat=length):
            arrays = [array] * index.count(INDICES)
            try:
                expected = type_of(x[filled(index, arrays)])
            except IndexError:
                with pytest.raises(IndexError):
                    indexing.indexed_type(type_of(x), index, [*map(type_of, arrays)])
                continue
            found = indexing.indexed_type(type_of(x), index, [*map(type_of, arrays)])
            assert found == expected, index


@st.composite
def indices(draw):
    """A shape, an index in canonical form, and its arrays."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    index, arrays, common = [], [], draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=2))
    for n in shape:
        kind = draw(st.sampled_from(["integer", "slice", "array", "array"]))
        if kind == "integer":
            index.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            index.append(draw(st.slices(n)))
        else:
            own = draw(st.sampled_from([common, common[1:], (1,) * len(common)]))
            values = np.random.default_rng(draw(seeds())).integers(-n, n, own)
            index.append(INDICES)
            arrays.append(np.asarray(values))
    index = index[: draw(st.integers(0, len(index)))]
    arrays = arrays[: index.count(INDICES)]
    if draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))), None)
    return shape, tuple(index), arrays


drawn = settings(max_examples=60, deadline=None)


@drawn
@given(indices(), seeds())
def test_reading_and_adding_are_adjoint(where, seed):
    shape, index, arrays = where
    x = whole(shape, seed)
    expected = x[filled(index, arrays)]
    primitive = indexing.gather if arrays else indexing.getitem_primitive
    if not arrays and np.ndim(expected) == 0:
        primitive = indexing.element
    check_linear(primitive, expected, x, *arrays, index=index)
    values = whole(np.shape(expected), seed + 1)
    total = np.zeros(shape)
    np.add.at(total, filled(index, arrays), values)
    check_linear(indexing.scatter_add, total, values, *arrays, index=index, shape=shape)


@drawn
@given(indices(), seeds())
def test_writing_is_numpys_and_what_is_overwritten_counts_no_more(where, seed):
    shape, index, arrays = where
    x = whole(shape, seed)
    at = filled(index, arrays)
    value = whole(np.shape(x[at]), seed + 1)
    written, added = x.copy(), x.copy()
    written[at] = value
    np.add.at(added, at, value)
    kept = x.copy()
    found = bind(indexing.index_update, x, value, *arrays, index=index)
    np.testing.assert_array_equal(found, written)
    np.testing.assert_array_equal(bind(indexing.index_add, x, value, *arrays, index=index), added)
    np.testing.assert_array_equal(x, kept)
    # By its elements' numbers: which of x is still there, and which of the value.
    marks = bind(indexing.index_update, np.zeros(shape), np.ones(value.shape), *arrays, index=index)
    cotangent = whole(shape, seed + 2)
    needed = [True, True, *[None] * len(arrays)]
    by_x, by_value, *_ = indexing.index_update.vjp(
        cotangent, (x, value, *arrays), found, needed, index=index
    )
    np.testing.assert_array_equal(by_x, np.where(marks == 1, 0, cotangent))
    assert np.vdot(by_x, x) + np.vdot(by_value, value) == np.vdot(cotangent, written)


@drawn
@given(indices(), seeds(), st.data())
def test_writing_into_many_examples_is_a_loop(where, seed, data):
    shape, index, arrays = where
    numpys = filled(index, arrays)
    value_shape = np.shape(np.empty(shape)[numpys])
    xs, values = whole((3, *shape), seed), whole((3, *value_shape), seed + 1)
    axes = data.draw(st.sampled_from([(0, 0), (0, None), (None, 0)]))
    given_ = [x if axis == 0 else x[0] for x, axis in zip((xs, values), axes, strict=True)]
    for primitive in (indexing.index_update, indexing.index_add):
        found, axis = primitive.batch(
            3, (*given_, *arrays), (*axes, *[None] * len(arrays)), index=index
        )
        loop = [
            bind(
                primitive,
                *(x[n] if axis == 0 else x for x, axis in zip(given_, axes, strict=True)),
                *arrays,
                index=index,
            )
            for n in range(3)
        ]
        np.testing.assert_array_equal(np.moveaxis(found, axis, 0), np.stack(loop))


@drawn
@given(indices(), st.booleans(), seeds())
def test_adding_at_indices_is_numpys(where, is_turned, seed):
    shape, index, arrays = where
    at = filled(index, arrays)
    total = whole(shape, seed)
    expected = total.copy()
    total = total.T.copy().T if is_turned else total
    values = whole(np.shape(total[at]), seed + 1)
    np.add.at(expected, at, values)
    if arrays:
        indexing.add_at(total, at, values)
        np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("rest", [(4,), (8, 2), (64,)])
@pytest.mark.parametrize("shape", [(700,), (20, 30)])
@pytest.mark.parametrize("first", [0, -7])
def test_rows_that_are_often_met_are_added_one_after_the_other(dtype, rest, shape, first):
    numbers = RNG.integers(first, 7, shape, np.int32)
    values = RNG.normal(size=(*shape, *rest)).astype(dtype)
    expected = RNG.normal(size=(9, *rest)).astype(dtype)
    total = expected.copy()
    np.add.at(expected, numbers, values)
    indexing.add_at(total, (numbers,), values)
    np.testing.assert_allclose(total, expected, atol=1e4 * np.finfo(dtype).eps)


def test_a_row_that_is_not_there_is_refused_when_many_are_added():
    numbers = RNG.integers(0, 9, 1000)
    numbers[500] = 9
    total = np.zeros((9, 4))
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        indexing.add_at(total, (numbers,), np.ones((1000, 4)))


def test_nan_and_infinity_stay_in_the_rows_that_they_are_added_to():
    numbers = np.arange(1000) % 5
    values = np.ones((1000, 4))
    values[11], values[12] = np.nan, np.inf
    total = np.zeros((9, 4))
    indexing.add_at(total, (numbers,), values)
    np.testing.assert_array_equal(total[:, 0], [200, np.nan, np.inf, 200, 200, 0, 0, 0, 0])


@drawn
@given(indices())
def test_an_index_as_it_is_written_is_that_index(where):
    shape, index, arrays = where
    x = np.arange(np.prod(shape)).reshape(shape)
    text = indexing.index_code(index, first=0)
    names = [f"a{number}" for number in range(len(arrays))]
    found = eval(f"x[{text.format(*names)}]", {"x": x, **dict(zip(names, arrays, strict=True))})
    np.testing.assert_array_equal(found, x[filled(index, arrays)])


def test_a_known_integer_beyond_the_end_is_refused_from_types():
    with pytest.raises(IndexError, match="index -4 is out of bounds for axis 1 with size 3"):
        indexing.indexed_type(type_of(np.empty(SHAPE)), (0, -4), [])
