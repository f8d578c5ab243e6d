"""The lines of generated source: the user's places beside them, and blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import functrace as ft
from functrace.backends.numpy_source import plan_function
from functrace.backends.writer import Writer
from tests.backends.sources import body_of, written


def test_each_statement_has_the_users_line():
    def f(x):
        return np.sin(x) + 1.0

    line = f.__code__.co_firstlineno + 1
    source = written(f, np.ones(3)).source
    assert source.count(f"# {Path(__file__).name}:{line}") == 2


def test_warnings_are_ignored_where_the_rules_of_derivatives_ignore_them():
    source = written(ft.value_and_grad(lambda x: np.sum(np.log(x))), np.ones(3)).source
    loud, silent = source.split("with np.errstate")
    assert "np.log" in loud
    assert "quotient_or_zero" in silent
    source = written(ft.grad(lambda x: np.sum(np.tanh(x))), np.ones(3)).source
    assert "errstate" not in source  # nothing there divides


def written_lines(f, *args):
    writer = Writer(plan_function(ft.make_ir(f)(*args)))
    writer.write()
    return writer


def test_each_line_has_its_place():
    def f(x):
        y = np.sin(x)
        for _ in range(2):
            y = y * x
        return ft.fori_loop(0, 3, lambda i, y: y + 1.0, y)

    writer = written_lines(f, np.ones(3))
    writer.insert(1, "first = 1")
    assert len(writer.lines) == len(writer.places)
    for line, place in zip(writer.lines, writer.places, strict=True):
        _, found, comment = line.partition("  # ")
        assert comment == (place.short if place is not None else "")
        assert bool(found) == (place is not None)
    assert sum(place is not None for place in writer.places) >= 5


def test_choices_are_those_of_python():
    def f(i, x):
        return ft.switch(i, [lambda x: x, lambda x: x * 2.0, lambda x: -x], x)

    function = written(f, 0, np.ones(3))
    body = body_of(function.source)
    blocks = [line for line in body if line.endswith(":")]
    assert [line.split()[0] for line in blocks] == ["if", "elif", "else:"]
    x = np.arange(3.0)
    for i, factor in ((-1, 1), (0, 1), (1, 2), (2, -1), (5, -1)):
        np.testing.assert_array_equal(function.run(i, x)[0], factor * x)


def test_loops_are_those_of_python():
    def f(x):
        x = ft.while_loop(lambda x: np.sum(x) < 10, lambda x: x * 2.0, x)
        return ft.fori_loop(0, 3, lambda i, x: x + i, x)

    function = written(f, np.ones(3))
    body = body_of(function.source)
    assert sum(line == "while True:" for line in body) == 1
    assert body.count("break") == 1
    assert sum(line.startswith("for ") for line in body) == 1
    np.testing.assert_array_equal(function.run(np.ones(3))[0], np.full(3, 4.0 + 3.0))
