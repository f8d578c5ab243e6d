"""What a function can reach: everything that it can change, and little else."""

from __future__ import annotations

import functools
import types

import numpy as np
import pytest

from functrace.tracing import reaching

IN_GLOBALS = np.zeros(3)
GENERATOR = np.random.default_rng(0)


class Holder:
    of_class = np.random.default_rng(1)

    def __init__(self, held):
        self.held = held

    def method(self):
        return self.held


class Slots:
    __slots__ = ()


def has(f, x):
    return any(found is x for found in reaching.reached(f))


def with_closure(x):
    return lambda: x


def with_default(x):
    return lambda y=x: y


def with_keyword_default(x):
    return lambda *, y=x: y


def in_inner_function(x):
    def f():
        return lambda: x

    return f


def as_partial(x):
    return functools.partial(max, x)


def as_keyword(x):
    return functools.partial(max, key=x)


def as_method(x):
    return Holder(x).method


def wrapped(x):
    inner = with_closure(x)

    @functools.wraps(inner)
    def outer():
        return inner()

    return outer


def in_containers(x):
    held = {"a": [Holder(x)]}
    return lambda: held


WAYS = [
    *[with_closure, with_default, with_keyword_default, in_inner_function, as_partial],
    *[as_keyword, as_method, wrapped, in_containers],
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_way_to_hold_an_array(way):
    x, other = np.zeros(2), np.zeros(2)
    assert has(way(x), x)
    assert not has(way(x), other)


def test_globals_count_where_the_code_names_them():
    assert has(lambda: IN_GLOBALS, IN_GLOBALS)
    assert has(lambda: [lambda: IN_GLOBALS], IN_GLOBALS)
    assert not has(lambda: np.zeros(3), IN_GLOBALS)


def test_generators_count_wherever_they_are():
    assert has(lambda: 1, GENERATOR)
    assert has(Holder(1).method, Holder.of_class)
    assert reaching.is_generator(GENERATOR)
    assert reaching.is_generator(np.random.RandomState(0))
    assert not reaching.is_generator(np.random)


def test_one_step_more_than_an_object_is_too_far():
    x = np.zeros(2)
    held = x
    for steps in range(8):
        assert has(lambda held=held: held, x) == (steps <= reaching.STEPS), steps
        held = Holder(held)


def test_of_long_containers_the_beginning_is_looked_at():
    for x, place in ((np.zeros(1), 0), (np.ones(1), reaching.MOST_ITEMS)):
        items = [0] * (reaching.MOST_ITEMS + 1)
        items[place] = x
        assert has(lambda items=items: items, x) == (place == 0)


def test_what_holds_itself_ends_and_what_cannot_be_looked_into_is_no_error():
    ring = []
    ring.append(ring)

    def later():
        return empty, Slots(), ring

    assert has(later, ring)
    assert has(types.SimpleNamespace(f=later).f, ring)
    empty = 1
    assert has(later, ring)


def test_names_are_those_that_python_finds_in_the_code():
    def f(x):
        def g():
            return np.sin(alpha) + [beta for _ in x][0]  # noqa: F821, RUF015

        return g

    assert reaching.names_in(f.__code__) >= {"np", "sin", "alpha", "beta"}
    assert "x" not in reaching.names_in(f.__code__)
