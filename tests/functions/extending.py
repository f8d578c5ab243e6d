"""Rows of numpy.emath."""

from __future__ import annotations

from tests.cases import OPEN_UNIT, POSITIVE, REALS, Input
from tests.functions.rows import call, known

for _name in ("sqrt", "log", "log2", "log10"):
    known(f"np.emath.{_name}", call(Input((2, 3), POSITIVE)))
for _name in ("arccos", "arcsin", "arctanh"):
    known(f"np.emath.{_name}", call(Input((2, 3), OPEN_UNIT)))
known("np.emath.logn", call(2, Input((2, 3), POSITIVE)), call(Input((3,), POSITIVE), (2, 3)))
known("np.emath.power", call(Input((2, 3), POSITIVE), -2), call(Input((2, 3), REALS), (3,)))
