"""Runs with a period in sequences of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace.simplify.repeats import Run, find_runs


def test_a_run_is_as_long_as_it_repeats_itself():
    numbers = np.array([9, 1, 2, 1, 2, 1, 2, 1, 2, 1, 7])
    assert find_runs(numbers, 4) == [Run(1, 10, 2)]
    assert Run(1, 10, 2).trips == 4
    assert Run(1, 10, 2).saved == 6


def test_the_outer_loop_comes_before_the_inner_ones():
    inner = [1, 2] * 5
    found = find_runs(np.array([*inner, 3] * 6), 4)
    assert found[0] == Run(0, 66, 11)
    assert Run(0, 10, 2) in found


def test_two_inner_loops_with_nothing_between_have_an_outer_one():
    found = find_runs(np.array(([1, 2] * 6 + [3, 4, 5] * 6) * 5), 4)
    assert found[0] == Run(0, 150, 30)


@pytest.mark.parametrize("numbers", [[], [1], [1, 2, 3], [*range(50)]])
def test_where_nothing_repeats_itself_there_is_no_run(numbers):
    assert find_runs(np.array(numbers, np.int64), 1) == []


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 10))
@settings(max_examples=100, deadline=None)
def test_runs_repeat_themselves(numbers, least):
    for run in find_runs(np.array(numbers, np.int64), least):
        part = numbers[run.start : run.stop]
        assert part[run.period :] == part[: -run.period]
        assert run.saved >= least
        assert run.trips >= 4
