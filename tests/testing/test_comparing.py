"""What checks hold to be equal, and what they show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.ir.types import type_of
from functrace.testing import comparing
from tests.strategies import arrays, seeds, shapes

few = settings(max_examples=25, deadline=None)


@few
@given(shapes(), st.sampled_from("efdFD"), seeds())
def test_random_values_have_the_type_and_differ(shape, dtype, seed):
    type = type_of(np.zeros(shape, dtype)[()])
    x, y = (comparing.random(np.random.default_rng(seed + n), type) for n in range(2))
    assert type_of(x) == type_of(y) == type
    assert not np.size(x) or np.any(x != y)
    wide = comparing.widened(x)
    assert np.asarray(wide).dtype.char in "dD"
    np.testing.assert_array_equal(wide, x)


@few
@given(st.lists(shapes(), max_size=3), st.data())
def test_what_cotangents_give_for_tangents(forms, data):
    tangents = [data.draw(arrays(shape=shape)) for shape in forms]
    cotangents = [data.draw(st.sampled_from([None, 2 * x, -x])) for x in tangents]
    flat = [(c, t) for c, t in zip(cotangents, tangents, strict=True) if c is not None]
    terms = np.concatenate([np.ravel(c * t) for c, t in flat]) if flat else np.zeros(0)
    value, scale = comparing.pairing(cotangents, tangents)
    assert value == pytest.approx(math.fsum(terms), abs=1e-12)
    assert scale == pytest.approx(math.fsum(abs(terms)), abs=1e-12)


def test_of_complex_numbers_the_real_part_counts():
    assert comparing.pairing([1 + 2j], [3 + 5j])[0] == ((1 + 2j) * (3 + 5j)).real


def test_the_scale_is_that_of_the_terms_where_they_cancel():
    assert comparing.pairing([np.array([1.0, -1.0]), None], [np.ones(2), 5.0]) == (0, 2)


@pytest.mark.parametrize(
    ("x", "y", "are_equal"),
    [
        (1.0, 1.1, True),
        (1.0, 1.2, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (1.0, math.inf, False),
    ],
)
def test_what_is_equal(x, y, are_equal):
    assert comparing.agree(x, y, 0.15) == are_equal


def test_the_least_precise_type_sets_the_tolerance():
    def types(*codes):
        return [type_of(np.zeros(1, code)) for code in codes]

    by_precision = [comparing.tolerances(types(c), None, None)[0] for c in "dfe"]
    assert by_precision == sorted(by_precision)
    assert comparing.tolerances(types("D"), None, None) == comparing.tolerances(
        types("d", "q"), None, None
    )
    assert comparing.tolerances(types("d", "F"), None, None)[0] == by_precision[1]
    assert comparing.tolerances(types("e"), 0.5, None) == (0.5, 0.05)
    assert comparing.tolerances(types("e"), 0.5, 0.0) == (0.5, 0.0)


def test_what_is_shown():
    assert comparing.shown((1.0, [None, np.array([0.123456789])])) == "(1., (None, [0.123457]))"
    with pytest.raises(AssertionError) as caught:
        comparing.fail("It is wrong.", found="1", expected="2")
    assert str(caught.value) == "It is wrong.\n  found     1\n  expected  2"
