"""The lines of generated source: the user's places beside them, and blocks."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_source import plan_function
from functrace.backends.writer import Writer
from functrace.scipy.special import expit, logsumexp
from tests.backends.sources import body_of, written


def test_each_statement_has_the_users_line():
    def f(x):
        return np.sin(x) + 1.0

    line = f.__code__.co_firstlineno + 1
    source = written(f, np.ones(3)).source
    assert source.count(f"# {Path(__file__).name}:{line}") == 2


def test_warnings_are_ignored_where_the_rules_of_derivatives_ignore_them():
    source = written(ft.value_and_grad(lambda x: np.sum(np.log(x))), np.ones(3)).source
    loud, silent = source.split("begin_silence")
    assert "np.log" in loud
    assert "quotient_or_zero" in silent
    source = written(ft.grad(lambda x: np.sum(np.tanh(x))), np.ones(3)).source
    assert "silence" not in source  # nothing there divides, or takes what is infinite


@pytest.mark.numpy_backend
def test_a_loop_is_silent_as_a_whole_and_not_trip_by_trip():
    f = lambda x: ft.scan(lambda c, _: (np.exp(c) * x, None), x, None, length=9)[0]
    source = ft.jit(ft.grad(lambda x: np.sum(f(x)))).source(np.ones(3))
    assert source.count("= begin_silence()") == 1
    assert source.index("begin_silence") < source.rindex("for ")


def logaddexp(x):
    return np.sum(np.logaddexp(x, 0.0))


SILENT_AT_INFINITY = {
    "norm": np.linalg.norm,
    "logaddexp": logaddexp,
    "logsumexp": logsumexp,
    "sigmoid": lambda x: np.sum(x * expit(-x)),
    "exp": lambda x: np.sum(x * np.exp(-x * x)),
    "in a loop": lambda x: ft.fori_loop(0, 2, lambda i, s: s + logaddexp(x), 0.0),
    "in a branch": lambda x: ft.cond(x[1] > 0, np.linalg.norm, np.sum, x),
}


@pytest.mark.parametrize("name", SILENT_AT_INFINITY)
@pytest.mark.parametrize("x", [np.array([0.0, np.inf, 1.5]), np.array([np.inf, -np.inf, 0.0])])
def test_what_the_gradient_does_not_warn_of_the_jitted_one_does_not_either(name, x):
    f = SILENT_AT_INFINITY[name]

    def said(g):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            g(x)
        return {str(warning.message) for warning in caught}

    assert said(ft.jit(ft.grad(f))) <= said(ft.grad(f))


def test_what_numpy_was_told_holds_again_after_a_silent_part():
    fast = ft.jit(ft.grad(lambda x: np.sum(np.exp(-x) * x)))
    x = np.array([np.inf, 1.0])
    fast(x)
    for told in ("ignore", "raise", "warn"):
        with np.errstate(all=told, under="ignore"):
            before = np.geterr()
            fast(x)
            assert np.geterr() == before


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


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_memory_that_a_block_may_have_made_views_of_is_let_go_after_it(backend):
    if backend == "native":
        pytest.importorskip("llvmlite")
    x = np.linspace(0.0, 1.0, 1200).reshape(3, 400)

    def chosen(x, count):
        y = np.sin(x)
        found = ft.cond(count > 0, lambda y: np.sum(y.T * 2.0), lambda y: 0.0, y)
        return np.sum(np.cos(x)) + found

    def repeated(x, count):
        rows = np.sin(x).reshape(400, 3)
        found = ft.fori_loop(0, count, lambda i, c: c + np.sum(rows[i]), 0.0)
        return np.sum(np.cos(x)) + found

    for f in (chosen, repeated):
        compiled = ft.jit(f, backend=backend)
        for count in (0, 1, 0):
            np.testing.assert_allclose(compiled(x, count), f(x, count))
