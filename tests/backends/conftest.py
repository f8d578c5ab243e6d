"""Counts of the backend of the tests begin anew for each test."""

from __future__ import annotations

import pytest

from tests.backends.counting import COUNTING


@pytest.fixture(autouse=True)
def fresh():
    COUNTING.counts.clear()
    COUNTING.compiles.clear()
