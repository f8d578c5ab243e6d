"""Every function of NumPy's that works on traced values, by the battery.

How to add a row is told at the head of ``tests/functions/rows.py``: one line in most cases.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.linear import as_array
from functrace.tracing.tables import FUNCTIONS, WITHOUT_OUT
from tests.functions.checks import CHECKS, CheckError, check
from tests.functions.decisions import value_named
from tests.functions.rows import load

ROWS = load()
POLYNOMIALS = "np.polynomial."


def test_exceptions_are_known_and_have_reasons():
    for row in ROWS.values():
        assert set(row.skip) <= set(CHECKS), row
        assert all(row.skip.values()), row


@pytest.mark.parametrize("name", [name for name in ROWS if not name.startswith(POLYNOMIALS)])
def test_function(name: str):
    require(name, of_others=("values", "batch", "derivative"))


@pytest.mark.thinned
@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith(POLYNOMIALS)])
def test_function_of_polynomials(name: str):
    require(name, of_others=("values", "batch", "derivative"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if len(row.calls) > 1])
def test_function_called_in_all_ways(name: str):
    require(name, of_others=CHECKS)


def require(name: str, of_others: Collection[str]) -> None:
    """Check a row, and print which checks were left out, and why."""
    is_older = np.lib.NumpyVersion(np.__version__) < f"{ROWS[name].since}.0"
    if value_named(name) is None or is_older:
        pytest.skip("this version of NumPy has another one, or none")
    for check_name, result in check(ROWS[name], of_others).items():
        if result != "passed":
            print(f"{name}: {check_name} left out: {result}")  # noqa: T201


FLIP = FUNCTIONS[np.flip]
FAULTS = {
    "value": lambda m, axis=None: m,
    "dtype": lambda m, axis=None: FLIP(m, axis).astype(np.float64),
    "class": lambda m, axis=None: as_array(FLIP(m, axis)),
    "derivative": lambda m, axis=None: ft.stop_gradient(FLIP(m, axis)),
    "error": lambda m, axis=None: FLIP(m, axis) if axis is None or axis < m.ndim else m,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(monkeypatch, fault):
    monkeypatch.setitem(FUNCTIONS, np.flip, FAULTS[fault])
    monkeypatch.setitem(WITHOUT_OUT, np.flip, FAULTS[fault])
    with pytest.raises(CheckError):
        check(ROWS["np.flip"])
