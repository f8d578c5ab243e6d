"""What rows and pullbacks hold: made and needed by the operations that rules tell."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.holding import Holding

X = np.linspace(0.1, 0.9, 1000)


def held(f, *args):
    return Holding(f, 0, args, {}).held


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (np.exp, {"exp": {"exp"}}),
        (np.sin, {"sin": set(), "multiply": {"sin"}}),
        (lambda x: x + 1, {"add": set()}),
        (lambda x: x / (2 * X), {"divide": set(), "constant": {"divide"}}),
        (lambda x: np.sqrt(x)[:0], {"sqrt": {"sqrt"}}),
    ],
)
def test_rules_say_what_they_need(f, expected):
    found = held(lambda x: f(x * 1.0), X)
    assert {one.operation: one.needed for one in found} == {
        "argument": set(), "multiply": set(), **expected
    }  # fmt: skip


def test_memory_is_told_of_once():
    views = held(lambda x: np.sum((x * 2)[::2] * (x * 3)[1::2]), X)
    whole = [one for one in views if one.operation == "multiply" and one.nbytes == X.nbytes]
    assert len(whole) == 2


def test_calls_are_those_of_the_users_functions():
    def inner(x):
        return np.sin(x)

    def outer(x):
        return inner(inner(x)) + 1

    holding = Holding(outer, 0, (X,), {})
    names = [[code.co_name for code, _ in calls] for calls in holding.calls]
    assert names == [["outer", "inner"], ["outer", "inner"], ["outer"]]
    assert holding.calls[0][1] != holding.calls[1][1]


def test_rules_of_the_users_hold_what_they_keep():
    @ft.custom_vjp
    def squared(x):
        return x**2

    squared.defvjp(lambda x: (x**2, {"x": [x * 1.0]}), lambda kept, ct: (2 * kept["x"][0] * ct,))
    found = held(squared, X)
    assert sum(one.nbytes for one in found) == 3 * X.nbytes  # the argument's copy, x * 1, x**2
    assert {"custom_call"} in [one.needed for one in found]
