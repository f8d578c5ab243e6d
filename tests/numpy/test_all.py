"""Every function of NumPy's that works on traced values, by the battery.

How to add a row is told at the head of ``tests/functions/rows.py``: one line in most cases.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.functions.checks import CHECKS, check
from tests.functions.decisions import value_named
from tests.functions.rows import load

ROWS = load()


def test_exceptions_are_known_and_have_reasons():
    for row in ROWS.values():
        assert set(row.skip) <= set(CHECKS), row
        assert all(row.skip.values()), row


@pytest.mark.parametrize("name", ROWS)
def test_function(name: str):
    is_older = np.lib.NumpyVersion(np.__version__) < f"{ROWS[name].since}.0"
    if value_named(name) is None or is_older:
        pytest.skip("this version of NumPy has another one, or none")
    for check_name, result in check(ROWS[name]).items():
        if result != "passed":
            print(f"{name}: {check_name} left out: {result}")  # noqa: T201
