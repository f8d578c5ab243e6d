"""What the log says of compiles that take long."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.jitting import slow_compiles


@pytest.fixture
def messages(monkeypatch, caplog):
    """Those of any compile: none needs to take a second."""
    monkeypatch.setattr(slow_compiles, "LONG", 0.0)
    caplog.set_level(logging.WARNING, logger="functrace")
    return lambda: [record.getMessage() for record in caplog.records]


def line_of(text):
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.endswith(text))


def in_a_loop(x):
    for _ in range(30):  # the for loop
        x = np.sin(x) + 0.1
    return x


def in_a_while_loop(x):
    count = 0
    while count < 30:  # the while loop
        x = x * 0.9
        count += 1
    return x


def step(x):
    return np.cos(x) * 0.5


def through(x):
    return step(x) + 1.0


def by_a_function(x):
    for _ in range(30):  # the loop that calls
        x = through(x)
    return x


def in_a_comprehension(x):
    return sum([np.sin(x * k) for k in range(30)])  # the comprehension


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (in_a_loop, "# the for loop"),
        (in_a_while_loop, "# the while loop"),
        (by_a_function, "# the loop that calls"),
        (in_a_comprehension, "# the comprehension"),
    ],
)
@pytest.mark.parametrize("transform", [lambda f: f, ft.grad, ft.value_and_grad])
def test_the_loop_is_named(f, text, transform, messages):
    for _ in range(2):  # a loop around the call is not meant
        ft.jit(transform(f))(0.5)
    (message, _) = messages()
    assert f"{__file__}:{line_of(text)}, of which each trip" in message
    assert "functrace.scan" in message


def test_without_a_loop_there_is_the_number_of_equations(messages):
    ft.jit(lambda x: np.sin(x) * 2.0)(1.0)
    (message,) = messages()
    assert "its Program has 2 equations" in message
    assert "scan" not in message


def test_what_takes_no_time_is_not_mentioned(caplog):
    ft.jit(lambda x: x + 1.0)(1.0)
    assert not caplog.records


def test_loops_of_ours_are_not_the_users(messages):
    def f(x):
        for _ in range(3):
            x = np.polyval([0.1] * 30, x)
        return x

    ft.jit(f)(0.5)
    (message,) = messages()
    assert "scan" not in message


def test_a_loop_that_records_little_is_not_named(messages):
    def f(x, xs):
        for _ in range(12):
            x = x + 1.0
        return x + sum([np.interp(x, xs, xs), *(np.polyval([0.1] * 30, x) for _ in range(3))])

    ft.jit(f)(0.5, np.arange(3.0))
    (message,) = messages()
    assert "scan" not in message
