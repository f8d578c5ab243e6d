"""Trips of loops, recognized among equations that were recorded one by one.

Equations that repeat themselves, as their numbers say (`functrace.simplify.repeats`), are trips of
a loop as far as each trip reads what the one before it has read: the same, or what was made as many
trips before.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.program import Atom, Equation
from functrace.simplify.listing import READING, Listing
from functrace.simplify.repeats import FEWEST_TRIPS, Numbers, Run, find_runs

LONGEST_MEMORY = 4
"""So many trips later, at most, a loop reads what one has made."""


class Before(NamedTuple):
    """What a trip is handed of a variable of the trip before it; the first one, something else."""

    output: int
    first: int


Stacked = int | Before
"""A variable of each trip, or what the trip was handed."""


class Repeat:
    """Trips of a loop.

    Attributes:
        start: The number of the first equation.
        period: How many equations a trip has.
        trips: How many trips there are.
        base: The number of the first variable that they make.
        width: How many variables a trip makes.
        inputs: The numbers of what each trip reads, a row for each trip.
        integers: The integers in its indices, likewise.
        lags: How many trips before the value was made that a place in a row reads; -1 for one that
            was made elsewhere.
        outputs: Which of its trip's variables it is.
        is_same: Which places read the same in all trips.
        needed: The numbers of variables that are read elsewhere, each by itself.
        stacks: The stacks of variables of which the values of several trips are read elsewhere;
            None as long as they are not written.
    """

    def __init__(self, listing: Listing, start: int, period: int, trips: int) -> None:
        self.start, self.period, self.trips = start, period, trips
        stop = start + period * trips
        self.base = int(listing.first_output[start])
        self.width = max(int(listing.first_output[start + period]) - self.base, 1)
        first, last = listing.first_input[start], listing.first_input[stop]
        self.inputs = listing.inputs[first:last].reshape(trips, -1)
        first, last = listing.first_integer[start], listing.first_integer[stop]
        self.integers = listing.integers[first:last].reshape(trips, -1)
        distance = self.inputs[-1] - self.base - (trips - 1) * self.width
        is_inside = self.inputs[-1] >= self.base
        self.lags: Numbers = np.where(is_inside, -(distance // self.width), -1)
        self.lags[is_inside & (distance >= 0)] = 0
        self.outputs = distance + self.lags * self.width
        self.is_same = (self.inputs == self.inputs[0]).all(0)
        self.needed: set[int] = set()
        self.stacks: dict[Stacked, Atom | None] = {}

    @property
    def stop(self) -> int:
        """The number of the equation after the last."""
        return self.start + self.period * self.trips

    def trip(self, listing: Listing) -> Iterator[tuple[Equation, range, range]]:
        """The equations of the first trip, with their places among inputs and among integers."""
        stop = self.start + self.period
        ends = [
            (first[self.start : stop + 1] - first[self.start]).tolist()
            for first in (listing.first_input, listing.first_integer)
        ]
        inputs, integers = ([range(a, b) for a, b in pairwise(found)] for found in ends)
        return zip(listing.program.equations[self.start : stop], inputs, integers, strict=True)

    def is_same_index(self, columns: range) -> bool:
        """Whether all trips have the same integers in these columns."""
        integers = self.integers[:, columns.start : columns.stop]
        return bool((integers == integers[0]).all())

    def reads_row(self, equation: Equation, places: range) -> bool:
        """Whether an equation reads a part of the same array in all trips, at an integer."""
        if equation.primitive not in READING or not self.is_same[places[0]]:
            return False
        return self.lags[places[0]] < 0 and all(
            type(item) in (int, slice) for item in equation.params["index"]
        )

    def place(self, number: int) -> tuple[int, int]:
        """Which trip makes a variable, and which of its variables it is."""
        return divmod(number - self.base, self.width)


class Finding:
    """Finds the trips of loops.

    Attributes:
        listing: A Program.
        saved: How many equations a loop has to save.
        may_index: Whether a loop may have an index that it computes.
    """

    def __init__(self, listing: Listing, saved: int, may_index: bool) -> None:
        self.listing = listing
        self.saved = saved
        self.may_index = may_index

    def repeats(self) -> list[Repeat]:
        """Trips of loops that do not overlap, in order."""
        kinds = self.listing.kinds
        taken = np.zeros(len(kinds), bool)
        found: list[Repeat] = []
        runs = find_runs(kinds, self.saved)
        waiting = [(run.start - run.stop, run.period, run) for run in runs]
        heapify(waiting)
        while waiting:
            *_, run = heappop(waiting)
            if taken[run.start : run.stop].any():
                rest = [run._replace(start=a, stop=b) for a, b in _free(taken, run)]
            else:
                repeat = self.repeat_in(run)
                if repeat is None:
                    continue
                taken[repeat.start : repeat.stop] = True
                found.append(repeat)
                rest = [run]
            for part in rest:
                if self.pays(part.trips, part.period):
                    heappush(waiting, (part.start - part.stop, part.period, part))
        return sorted(found, key=lambda repeat: repeat.start)

    def pays(self, trips: int, period: int) -> bool:
        """Whether a loop saves enough."""
        return trips >= FEWEST_TRIPS and (trips - 1) * period >= self.saved

    def repeat_in(self, run: Run) -> Repeat | None:
        """The longest part of a run in which each trip reads what the one before it has read."""
        whole = Repeat(self.listing, run.start, run.period, run.trips)
        first, last = max(pairwise(_breaks(whole)), key=lambda ends: ends[1] - ends[0])
        if not self.pays(last - first, run.period):
            return None
        part = Repeat(self.listing, run.start + first * run.period, run.period, last - first)
        part = self.turned(part, run.stop if last == whole.trips else part.stop)
        is_plain = part.lags.max(initial=0) <= LONGEST_MEMORY
        return part if is_plain and self.is_wanted(part) else None

    def is_wanted(self, repeat: Repeat) -> bool:
        """Whether a loop does more than to read rows, and has no index that is unwanted."""
        trip = [*repeat.trip(self.listing)]
        if all(equation.primitive in READING for equation, *_ in trip):
            return False
        return self.may_index or all(
            repeat.is_same_index(columns) or repeat.reads_row(equation, places)
            for equation, places, columns in trip
        )

    def turned(self, repeat: Repeat, stop: int) -> Repeat:
        """The same loop with the end of a trip where least is handed to the next one.

        It may take equations up to the one whose number is ``stop``.
        """
        offset = int(np.argmin(_carried_at(self.listing, repeat)))
        start, period = repeat.start + offset, repeat.period
        for trips in ((stop - start) // period, repeat.trips - 1) if offset else ():
            if self.pays(trips, period):
                turned = Repeat(self.listing, start, period, trips)
                if _breaks(turned) == [0, trips]:
                    return turned
        return repeat


def _free(taken: Any, run: Run) -> list[tuple[int, int]]:
    """The parts of a run that are free."""
    edges = np.flatnonzero(np.diff(~taken[run.start : run.stop], prepend=False, append=False))
    return [(run.start + int(a), run.start + int(b)) for a, b in edges.reshape(-1, 2)]


def _carried_at(listing: Listing, repeat: Repeat) -> Numbers:
    """What it costs to hand on what lives, for each equation before which a trip might end."""
    start, period = repeat.start, repeat.period
    equations = listing.program.equations[start : start + period]
    makers = np.repeat(np.arange(period), np.diff(listing.first_output[start : start + period + 1]))
    readers = np.repeat(np.arange(period), np.diff(listing.first_input[start : start + period + 1]))
    inside = repeat.lags >= 0
    last = makers.copy()
    reads = readers[inside] + period * np.minimum(repeat.lags[inside], LONGEST_MEMORY)
    np.maximum.at(last, repeat.outputs[inside], reads)
    costs = np.array([_handing_on(equation) for equation in equations])[makers]
    steps = np.zeros((LONGEST_MEMORY + 2) * period + 1, np.int64)
    np.add.at(steps, makers + 1, costs)
    np.subtract.at(steps, last + 1, costs)
    return np.cumsum(steps[:-1]).reshape(-1, period).sum(0)


def _handing_on(equation: Equation) -> int:
    """What it costs to hand outputs to the next trip; of a view, its array must not be written."""
    if not any(variable.type.shape for variable in equation.outputs):
        return 1
    return 8 if equation.primitive.makes_views else 2


def _breaks(repeat: Repeat) -> list[int]:
    """The trips in which something is read in another way than in the one before; and the ends."""
    distance = repeat.inputs - repeat.base
    is_inside = distance >= 0
    trip = distance // repeat.width
    distance -= repeat.width * np.arange(repeat.trips)[:, None]
    after, before = is_inside[1:], is_inside[:-1]
    changes = after & before & (distance[1:] != distance[:-1])
    stays = changes & (repeat.inputs[1:] == repeat.inputs[:-1])
    # What one trip has made is a constant for all that come after it.
    breaks = set((trip[1:][stays] + 1).tolist())
    changes &= ~stays
    changes |= after & ~before & (trip[1:] > 0)
    changes |= before & ~after
    breaks.update((np.flatnonzero(changes.any(1)) + 1).tolist())
    return sorted({0, repeat.trips, *breaks})
