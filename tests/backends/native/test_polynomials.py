"""The numbers of the mathematical functions, beside how they were found."""

from __future__ import annotations

import pytest

from functrace.backends.native import polynomials
from tests.backends.native.coefficients import PARTS, TABLES, error, mp, mpf, rounded

ROUNDING = {"double": 2.0**-53, "float": 2.0**-24}
BOUNDS = {
    "EXP2_SINGLE": {"double": 2.0**-27},
    "LOG2_SINGLE": {"double": 2.0**-37},
    "LOG2_TAIL": {"double": 2.0**-65},
    "INVERSE_CBRT": {"double": 2.0**-16, "float": 2.0**-11},  # a first approximation
}
"""Of those that are not for the last digit."""

BITS = {"double": 53, "float": 24}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_polynomials_are_more_exact_than_what_computes_with_them(table):
    for precision, parts in getattr(polynomials, table.name).items():
        bound = BOUNDS.get(table.name, ROUNDING)[precision]
        assert error(table, parts, 40) < bound


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_constants_add_up(name):
    _, value, count = PARTS[name]
    for precision, parts in getattr(polynomials, name).items():
        assert len(parts) == count
        bound = abs(value) * mpf(2) ** (-BITS[precision] * count)
        assert abs(mp.fsum(mpf(rounded(x, precision)) for x in parts) - value) <= bound
