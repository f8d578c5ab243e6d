import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.primitives.linear import in_each, sum_to_shape
from tests.strategies import arrays, shapes

SHAPES = [own for rank in range(4) for own in itertools.product((0, 1, 2, 3), repeat=rank)]


def broadcast_from(own):
    """The shapes that broadcast to a shape."""
    for first in range(len(own) + 1):
        for is_one in itertools.product((False, True), repeat=len(own) - first):
            yield tuple(1 if one else n for one, n in zip(is_one, own[first:], strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, ">f8", np.float16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_over_what_was_broadcast_are_the_adjoint_of_broadcasting(dtype, order):
    rng = np.random.default_rng(0)
    for own in SHAPES:
        x = np.array(rng.integers(-9, 9, own), dtype, order=order)[()]
        for shape in broadcast_from(own):
            expected = np.zeros(shape)
            places = np.arange(expected.size).reshape(shape)
            np.add.at(expected.reshape(-1), np.broadcast_to(places, own), np.real(x))
            found = sum_to_shape(x, shape)
            assert np.shape(found) == shape
            assert found.dtype.char == x.dtype.char
            np.testing.assert_array_equal(found, expected)  # of whole numbers: exact


def test_sums_of_what_is_not_finite_are_those_of_numpy():
    x = np.array([[np.inf, 1.0, np.nan], [1.0, -np.inf, 2.0], [-np.inf, 1.0, 1.0]])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(sum_to_shape(x, (3,)), x.sum(0))
        np.testing.assert_array_equal(sum_to_shape(x, (3, 1)), x.sum(1, keepdims=True))


@settings(max_examples=25, deadline=None)
@given(shapes(), st.integers(0, 3), st.data())
def test_the_batch_axis_stands_in_front(shape, size, data):
    x = data.draw(arrays(shape=shape))
    copies = in_each(size, x, None)
    assert np.shape(copies) == (size, *shape)
    for copy in copies:
        np.testing.assert_array_equal(copy, x)
    for axis in range(len(shape)):
        moved = in_each(shape[axis], x, axis)
        for n, example in enumerate(moved):
            np.testing.assert_array_equal(example, np.take(x, n, axis))
