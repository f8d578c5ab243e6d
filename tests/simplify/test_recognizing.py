"""Which equations are trips of a loop, and what each reads."""

from __future__ import annotations

import pytest

import functrace as ft
from functrace.simplify.listing import Listing
from functrace.simplify.recognizing import Finding

TYPE = "float64"


def found(body, saved=3, *, may_index=False):
    """The loops in a Program, as first equation, equations of a trip, and trips."""
    lines = "\n".join(f"    {line}" for line in body)
    program = ft.parse(f"def program(a: {TYPE}[9], x: {TYPE}, y: {TYPE}):\n{lines}\n")
    repeats = Finding(Listing(program), saved, may_index).repeats()
    return [(repeat.start, repeat.period, repeat.trips) for repeat in repeats], repeats


def chain(trips, second="y"):
    """Each trip multiplies what the one before has made, and adds something."""
    body, last = [], "x"
    for trip in range(trips):
        body.append(f"m{trip}: {TYPE} = multiply({last}, y)")
        body.append(f"s{trip}: {TYPE} = add(m{trip}, {second})")
        last = f"s{trip}"
    return [*body, f"return {last}"]


def test_what_was_made_a_trip_before_is_told_from_what_all_trips_read():
    places, (repeat,) = found(chain(6))
    assert places == [(0, 2, 6)]
    assert repeat.lags.tolist() == [1, -1, 0, -1]
    assert repeat.is_same.tolist() == [False, True, False, True]
    assert repeat.place(repeat.base + 2 * 4 + 1) == (4, 1)


def test_a_loop_has_to_save_enough():
    assert found(chain(6), saved=10)[0] == [(0, 2, 6)]
    assert not found(chain(6), saved=11)[0]


def test_a_trip_that_reads_something_else_ends_a_loop():
    body = chain(12)
    body[8] = body[8].replace("s3", "x")
    places, _ = found(body)
    assert places == [(0, 2, 4), (10, 2, 7)]


@pytest.mark.parametrize("may_index", [False, True])
def test_writing_at_another_index_in_each_trip_has_to_be_wanted(may_index):
    body, last = [], "a"
    for trip in range(8):
        body.append(f"m{trip}: {TYPE} = multiply(x, y)")
        body.append(f"w{trip}: {TYPE}[9] = index_update({last}, m{trip}, index=({trip},))")
        last = f"w{trip}"
    places, _ = found([*body, f"return {last}"], may_index=may_index)
    assert bool(places) == may_index


@pytest.mark.parametrize("may_index", [False, True])
def test_a_write_that_comes_first_in_a_trip_has_to_be_wanted_too(may_index):
    body, last, value = [], "a", "x"
    for trip in range(8):
        body.append(f"w{trip}: {TYPE}[9] = index_update({last}, {value}, index=({trip},))")
        body.append(f"m{trip}: {TYPE} = multiply({value}, y)")
        last, value = f"w{trip}", f"m{trip}"
    places, _ = found([*body, f"return {last}"], may_index=may_index)
    assert bool(places) == may_index
