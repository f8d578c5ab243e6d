"""Sums so far, beside NumPy's and a triangular matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.ir.types import ArrayType, type_of
from functrace.primitives.cumulating import cumulative_sum_primitive, recurrence, sum_at
from functrace.tracing.tracer import bind
from tests.primitives.linear_laws import check_linear, whole
from tests.strategies import seeds, shapes


@settings(max_examples=40, deadline=None)
@given(shapes().filter(len), st.booleans(), st.data(), seeds())
def test_sums_so_far_are_products_with_a_triangle(shape, reverse, data, seed):
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = whole(shape, seed)
    triangle = np.tri(shape[axis]).T if reverse else np.tri(shape[axis])
    expected = np.moveaxis(np.tensordot(triangle, x, (1, axis)), 0, axis)
    check_linear(cumulative_sum_primitive, expected, x, axis=axis, reverse=reverse)


@pytest.mark.parametrize("dtype", ["?", "b", "H", "q", "e", "f", "F"])
def test_dtypes_are_numpys(dtype):
    x = np.ones((2, 3), dtype)
    for reverse in (False, True):
        found = bind(cumulative_sum_primitive, x, axis=1, reverse=reverse)
        assert found.dtype == np.cumsum(x, 1).dtype
        inferred = cumulative_sum_primitive.infer(type_of(x), axis=1, reverse=reverse)
        assert inferred == ArrayType((2, 3), found.dtype)


def test_an_axis_that_there_is_not():
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        cumulative_sum_primitive.infer(type_of(np.ones((2, 3))), axis=2, reverse=False)


def by_steps(factors, terms, reverse):
    """The recurrence along the first axis, or its transpose, from its definition."""
    out = np.zeros_like(terms)
    for i in reversed(range(len(terms))) if reverse else range(len(terms)):
        out[i] = terms[i]
        if reverse and i + 1 < len(terms):
            out[i] += factors[i + 1] * out[i + 1]
        elif not reverse and i:
            out[i] += factors[i] * out[i - 1]
    return out


KINDS_OF_FACTORS = {
    "moderate": lambda rng, shape: rng.uniform(-1.5, 1.5, shape),
    "with zeros": lambda rng, shape: rng.uniform(0.5, 1.5, shape) * (rng.random(shape) > 0.2),
    "small": lambda rng, shape: rng.uniform(1e-9, 1e-8, shape),
    "of all sizes": lambda rng, shape: 10.0 ** rng.uniform(-90, 90, shape),
    "zeros and ones": lambda rng, shape: rng.integers(0, 2, shape) * 1.0,
}


@pytest.mark.parametrize("kind", KINDS_OF_FACTORS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "shape", [(0,), (1,), (4,), (40,), (300,), (2000,), (40, 5), (5, 40), (300, 2, 2)]
)
def test_recurrences_of_any_length(shape, reverse, kind):
    rng = np.random.default_rng(len(shape) + sum(shape))
    factors, terms = KINDS_OF_FACTORS[kind](rng, shape), rng.normal(size=shape)
    with np.errstate(all="ignore"):
        expected = by_steps(factors, terms, reverse)
        sizes = by_steps(abs(factors), abs(terms), reverse)  # what rounding is relative to
    found = bind(recurrence, factors, terms, axis=0, reverse=reverse)
    sound = np.isfinite(sizes)
    error = abs(found[sound] - expected[sound])
    assert np.all(error <= 1e-11 * sizes[sound] + 1e-200)


def test_zeros_of_recurrences_stay_beside_infinite_factors():
    factors = np.array([np.nan, np.inf, 2.0, np.nan, 3.0])
    terms = np.array([0.0, 0.0, 1.0, 0.0, 1.0])
    found = bind(recurrence, factors, terms, axis=0, reverse=False)
    np.testing.assert_array_equal(found, [0, 0, 1, np.nan, np.nan])
    found = bind(recurrence, factors, np.zeros(5), axis=0, reverse=True)
    np.testing.assert_array_equal(found, 0)
    stop = bind(recurrence, np.array([1.0, 0.0]), np.array([np.inf, 1.0]), axis=0, reverse=False)
    np.testing.assert_array_equal(stop, [np.inf, 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(0, 6), min_size=1, max_size=6), seeds())
def test_sums_at_places_in_any_order(n, places, seed):
    x, places = whole((3, n), seed), np.array(places) % n
    check_linear(sum_at, np.add.reduceat(x, places, 1), x, places, axis=1)
