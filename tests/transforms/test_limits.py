"""Power series in the distance of equal values: their arithmetic beside that of polynomials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.matrices import spectral
from functrace.tracing.tracer import Tracer, bind
from functrace.transforms import limits
from functrace.transforms.limits import EXACT, LIMIT, Series, Term

few = settings(max_examples=25, deadline=None)
KNOWN = 3


def series_of(coefficients, known=KNOWN, lowest=0):
    """A tracer of the series with these coefficients."""
    terms = {n: Term(np.float64(c), abs(c)) for n, c in enumerate(coefficients, lowest)}
    return limits._of_series([Series(terms, known)] * 2)


def coefficients_of(x, lowest=0):
    """The coefficients that are known of a tracer, from this power on."""
    assert type(x) is Tracer
    assert x.recording is LIMIT
    first, second = x.known_as.series
    assert first.known == second.known
    found = []
    for terms, known in (first, second):
        assert min(terms, default=lowest) >= lowest
        found.append([terms[n].value if n in terms else 0.0 for n in range(lowest, known + 1)])
    np.testing.assert_array_equal(*found)
    return found[0]


def exact_taylor(function, coefficients):
    """The coefficients of a function of a polynomial, by sums of many points on a circle."""
    count, radius = 64, 0.05
    points = radius * np.exp(2j * np.pi * np.arange(count) / count)
    values = function(np.polynomial.polynomial.polyval(points, coefficients))
    return [np.mean(values / points**n).real for n in range(KNOWN + 1)]


polynomials = st.lists(st.floats(-2, 2), min_size=KNOWN + 1, max_size=KNOWN + 1)


@few
@given(polynomials, polynomials)
def test_sums_and_products_are_those_of_polynomials(p, q):
    x, y = series_of(p), series_of(q)
    np.testing.assert_allclose(coefficients_of(x - 2 * y), np.subtract(p, np.multiply(q, 2)))
    expected = [sum(p[i] * q[n - i] for i in range(n + 1)) for n in range(KNOWN + 1)]
    np.testing.assert_allclose(coefficients_of(x * y), expected, atol=1e-12)
    np.testing.assert_allclose(
        coefficients_of(np.stack([x, y]) @ np.array([1.0, 3.0])), np.add(p, np.multiply(q, 3)),
        atol=1e-12,
    )  # fmt: skip


FUNCTIONS = {
    "exp": np.exp,
    "sin": np.sin,
    "sqrt": lambda x: np.sqrt(x + 4),
    "log": lambda x: np.log(x + 4),
    "power": lambda x: (x + 4) ** -1.5,
    "quotient": lambda x: np.cos(x) / (x + 4),
    "reciprocal": lambda x: 1 / (x + 4),
    "composed": lambda x: np.tanh(np.exp(x) * x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@few
@given(p=polynomials)
def test_functions_of_series_have_taylors_coefficients(name, p):
    found = coefficients_of(FUNCTIONS[name](series_of(p)))
    np.testing.assert_allclose(found, exact_taylor(FUNCTIONS[name], p), rtol=1e-6, atol=1e-6)


@few
@given(st.floats(0.5, 2), polynomials)
def test_the_inverse_of_a_gap_is_a_pole_where_values_are_equal(slope, p):
    pole = bind(spectral.inverse_of_gap, series_of([0.0, slope]))
    assert coefficients_of(pole, -1)[:2] == [1 / slope, 0]
    # What is multiplied with h before it is divided by h is what it was, for all powers but one.
    back = coefficients_of(pole * (series_of(p) * series_of([0.0, slope], EXACT)), -1)
    np.testing.assert_allclose(back[: KNOWN + 1], [0, *p[:KNOWN]], atol=1e-12)
    distance = p[0] + math.copysign(1, p[0])
    regular = coefficients_of(bind(spectral.inverse_of_gap, series_of([distance, slope])), -1)
    expected = [0, *(-((-slope) ** n) / -(distance ** (n + 1)) for n in range(KNOWN + 1))]
    np.testing.assert_allclose(regular, expected, rtol=1e-10)


def test_the_limit_is_what_stands_at_zero_unless_a_pole_is_left():
    assert limits.limit_of(series_of([2.0, 3.0])) == 2
    assert math.isnan(limits.limit_of(series_of([1.0, 2.0, 3.0], lowest=-1)))
    assert math.isnan(limits.limit_of(series_of([2.0], known=-1)))
    rounding = series_of([1e-17, 2.0], lowest=-1)
    terms = {-1: Term(np.float64(1e-17), 1.0), 0: Term(np.float64(2), 2.0)}
    assert limits.limit_of(limits._of_series([Series(terms, KNOWN)] * 2)) == 2
    assert math.isnan(limits.limit_of(rounding))  # where nothing larger was added up to it
    one, other = ({0: Term(np.float64(value), 3.0)} for value in (2.0, 3.0))
    assert math.isnan(limits.limit_of(limits._of_series([Series(one, 3), Series(other, 3)])))
    assert limits.limit_of(2.5) == limits.as_found(2.5) == 2.5
