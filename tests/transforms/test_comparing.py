"""Types of branches that are known from one like them: always those that recording would find."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functrace import tree
from functrace.errors import ShapeMismatchError
from functrace.ir.types import type_of
from functrace.transforms import comparing
from functrace.transforms.comparing import types_of_branches


def over(held):
    def branch(x):
        return {"sum": x + held, "held": held} if isinstance(held, np.ndarray) else x * 1

    return branch


def by_default(held):
    def branch(x, held=held):
        return x[:held] if type(held) is int else x + held

    return branch


def by_containers(held):
    inside = {"a": [(held, None)]}

    def branch(x):
        (((first, _),),) = inside.values()
        return np.broadcast_to(first, (3,)) if np.ndim(first) == 0 else first + x

    return branch


def by_partial(held):
    def add(held, x):
        return np.stack([x, x]) if held is True else x + held

    return functools.partial(add, held)


held_values = st.one_of(
    st.integers(0, 3),
    st.booleans(),
    st.floats(-2, 2),
    st.sampled_from([np.float32(1), np.int8(2), 1j]),
    st.builds(
        lambda shape, dtype, seed: np.random.default_rng(seed).integers(0, 3, shape).astype(dtype),
        st.sampled_from([(), (3,), (1, 3)]),
        st.sampled_from(["f", "d", "q", "?"]),
        st.integers(0, 3),
    ),
)
X = np.arange(3.0)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([over, by_default, by_containers, by_partial]),
    st.lists(held_values, min_size=2, max_size=3),
)
def test_what_is_known_is_what_recording_finds(make, values):
    branches = [make(held) for held in values]
    found = types_of_branches(branches, [X])
    assert found == types_of_branches(branches, [X], anew=True)
    for branch, (structure, types) in zip(branches, found, strict=True):
        leaves, own = tree.flatten(branch(X))
        assert structure == own
        assert [t.strong for t in types] == [type_of(x).strong for x in leaves]


@pytest.fixture
def times(monkeypatch):
    """Tells how often branches over these values are recorded, one after the other."""
    recorded = []
    record = comparing._recorded_types

    def counting(*args):
        recorded.append(args)
        return record(*args)

    monkeypatch.setattr(comparing, "_recorded_types", counting)
    monkeypatch.setattr(comparing, "_known", {})

    def times(make, *values):
        comparing._known.clear()
        return again(make, *values)

    def again(make, *values):
        recorded.clear()
        for held in values:
            types_of_branches([make(held)], [X])
        return len(recorded)

    times.again = again
    return times


class Holder:
    def __init__(self, value):
        self.value = value


ALIKE = [(1.5, 2.5), (np.ones(3), np.zeros(3)), (np.float32(1), np.float32(2))]
DIFFERENT = [(1, 2), (1.5, 2), (np.ones(3), np.ones(1)), (np.ones(3), np.ones(3, "f")), (1, True)]


@pytest.mark.parametrize("make", [over, by_default, by_containers])
def test_branches_that_differ_in_numbers_only_are_recorded_once(make, times):
    for first, second in ALIKE:
        assert times(make, first, second, first) == 1
    for first, second in DIFFERENT:
        assert times(make, first, second, first) == 2


def test_what_may_change_is_recorded_each_time(times):
    def branch_of(held):
        def branch(x):
            return np.full(held.value, 1.0)

        return branch

    holder = Holder(2)
    assert times(branch_of, holder, holder) == 2
    ((_, (type_,)),) = types_of_branches([branch_of(holder)], [X])
    holder.value = 5
    ((_, (later,)),) = types_of_branches([branch_of(holder)], [X])
    assert (type_.shape, later.shape) == ((2,), (5,))


scale = 2.0


def test_globals_count(monkeypatch):
    branch = lambda x: x * scale
    before = types_of_branches([branch], [X])
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "scale", np.ones((2, 1)))
        assert types_of_branches([branch], [X])[0][1][0].shape == (2, 3)
    assert types_of_branches([branch], [X]) == before


def test_what_is_wrong_is_an_error_and_what_cannot_be_recorded_is_none():
    with pytest.raises(ShapeMismatchError):
        types_of_branches([lambda x: x + np.ones(2)], [X])
    called = []

    def asks(x):
        called.append(x)
        return x if x[0] > 0 else -x

    for _ in range(2):
        with pytest.raises(comparing._UnrecordableError):
            types_of_branches([asks], [X])
    assert not comparing.is_comparing.get()
    assert called


def test_not_all_that_was_ever_found_is_kept(monkeypatch, times):
    monkeypatch.setattr(comparing, "MOST_KNOWN", 3)
    assert times(by_default, 0, 1, 2, 3) == 4
    assert len(comparing._known) == 3
    assert times.again(by_default, 3, 2) == 0
    assert times.again(by_default, 0) == 1  # the oldest
