"""Where a sequence of numbers repeats itself: runs with a period, found in linear time.

The number of an equation says what it does, so a run is a loop whose trips were written one by one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int64]]

MOST_PERIODS = 32
"""How many periods are tried."""

FEWEST_TRIPS = 4
"""A run has so many periods at least."""


class Run(NamedTuple):
    """A part of a sequence each number of which stands one period later once more.

    Attributes:
        start: Where it begins.
        stop: Where it ends; the last period need not be whole.
        period: The period.
    """

    start: int
    stop: int
    period: int

    @property
    def trips(self) -> int:
        """How many whole periods it has."""
        return (self.stop - self.start) // self.period

    @property
    def saved(self) -> int:
        """How many numbers repeat what stands in the first period."""
        return (self.trips - 1) * self.period


def find_runs(numbers: Numbers, least: int) -> list[Run]:
    """Runs in a sequence, the longest ones first, and of these the ones of the shortest period.

    Where loops are nested, so are the runs: the outer one is the longer one.

    Args:
        numbers: The sequence.
        least: How many numbers of a run are to repeat what stands in its first period, at least.

    Example:
        >>> find_runs(np.array([9, 1, 2, 1, 2, 1, 2, 1, 2, 1, 7]), 4)
        [Run(start=1, stop=10, period=2)]
    """
    found: list[Run] = []
    for period in _periods(numbers, least):
        same = numbers[period:] == numbers[:-period]
        edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
        starts, stops = edges[::2], edges[1::2] + period
        is_long = stops - starts >= max(FEWEST_TRIPS * period, least + period)
        for start, stop in zip(starts[is_long].tolist(), stops[is_long].tolist(), strict=True):
            run = Run(start, stop, period)
            if run.saved >= least:
                found.append(run)
    found.sort(key=lambda run: (run.start - run.stop, run.period))
    return found


def _periods(numbers: Numbers, least: int) -> list[int]:
    """Distances at which many numbers, or a few in a row, stand once more.

    A number that stands once in a period tells it. Where a loop lies in a loop, numbers stand once
    in the inner one; but what is written where that ends, and what after it, stand side by side
    once in the outer one.
    """
    longest = len(numbers) // FEWEST_TRIPS
    if not longest:
        return []
    counts = np.zeros(longest + 1, np.int64)
    windows, width = numbers, 1
    for _ in range(3):
        order = np.argsort(windows, kind="stable")
        ordered = windows[order]
        for apart in range(1, 5) if width == 1 else (1,):
            gaps = (order[apart:] - order[:-apart])[ordered[apart:] == ordered[:-apart]]
            counts += np.bincount(gaps[gaps <= longest], minlength=longest + 1)
        if len(windows) <= width:
            break
        pairs = windows[:-width] * (int(ordered[-1]) + 1) + windows[width:]
        windows = np.unique(pairs, return_inverse=True)[1]
        width *= 2
    is_often = np.flatnonzero(counts >= FEWEST_TRIPS - 1)
    by_count = is_often[np.argsort(-counts[is_often] * is_often, kind="stable")]
    return by_count[:MOST_PERIODS].tolist()
