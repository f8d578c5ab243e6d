"""Choices, loops and runs are blocks of the function, as deep as Python allows."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_source import Written
from functrace.backends.structures import DEEPEST
from tests.backends.sources import require_plan, require_same, written


def test_branches_and_loops_are_blocks():
    def f(x):
        y = ft.cond(np.sum(x) > 0, lambda x: x * 2.0, lambda x: x, x)
        return ft.while_loop(lambda y: np.sum(y) < 100, lambda y: y * 2.0, y)

    require_plan(
        ft.make_ir(f)(np.ones(3)),
        """
        given a: float64[3] in m0
        b = sum a: scalar
        c = greater b, 0: scalar
        d = an integer of Python's of c
        branch 0 of d
          e = a copy of a
        branch 1 of d
          f = multiply a, 2.0: into m1
          e = f
        g = a copy of e: into m2
        while
          h = sum g: scalar
          i = less h, 100: scalar
          test i
          j = multiply g, 2.0: over m2
          next g = j
        return g
        """,
    )


def test_branches_that_return_operands_and_constants():
    constant = np.arange(3.0)

    def f(i, x):
        y = x + 1.0
        z = ft.switch(i, [lambda y: y, lambda y: constant, lambda y: y * 2.0], y)
        return z * 2.0, y

    for i in (-1, 0, 1, 2, 7):
        require_same(ft.make_ir(f)(0, np.ones(3)), [i, np.arange(3.0)])


def test_loops_nested_deeper_than_python_allows():
    def nested(depth, x):
        if depth == 0:
            return np.sin(x) * 0.5
        return ft.fori_loop(0, 1, lambda i, c: nested(depth - 1, c), x)

    x = np.ones(2)
    require_same(ft.make_ir(lambda x: nested(25, x))(x), [x])


def test_choices_between_numbers_of_both_kinds():
    def f(x, y):
        for _ in range(4):
            x = x * 1.1

        def norm(x, y):
            return np.sqrt(np.sum(y * y)) * x, y

        return ft.cond(x > 1, norm, lambda x, y: (x + 1.0, y * 2.0), x, y)

    program = ft.make_ir(f)(np.float64(1.0), np.ones(3))
    for x in (0.1, 3.0):
        require_same(program, [np.float64(x), np.arange(3.0)])


def test_no_block_of_the_source_is_deeper_than_it_may_be():
    def nested(depth, x):
        if depth == 0:
            return np.sin(x)
        return ft.cond(x[0] > 0, lambda x: nested(depth - 1, x) * 2.0, lambda x: -x, x)

    def deepest(depth):
        source = written(lambda x: nested(depth, x), np.ones(2)).source
        return max((len(line) - len(line.lstrip())) // 4 for line in source.splitlines())

    assert deepest(4) == deepest(3) + 1
    assert deepest(DEEPEST + 1) == deepest(DEEPEST + 8) == DEEPEST


def test_what_runs_a_program_is_written_in_its_place():
    def f(x):
        return ft.checkpoint(lambda x: np.sin(x * 2.0)[:2])(x) + 1.0

    require_plan(
        ft.make_ir(f)(np.ones(3)),
        """
        given a: float64[3] in m0
        b = multiply a, 2.0: into m1
        c = sin b: over m1
        d = getitem c: view of m1
        e = add d, 1.0: over m1
        return e
        """,
    )


def test_a_scan_hands_on_carries_and_fills_stacks():
    def f(xs):
        return ft.scan(lambda c, x: (c * x, c + x), xs[0], xs)

    require_plan(
        ft.make_ir(f)(np.ones((5, 3))),
        """
        given a: float64[5, 3] in m0
        b = getitem a: view of m0
        c = a copy of b: into m1
        for f up to 5, d of a; makes e: float64[5, 3] in m2
          g = multiply c, d: into m3
          h = add c, d: over m1
          e takes h
          next c = g
        return c, e
        """,
    )


def test_carries_that_change_places():
    def f(a, b):
        return ft.fori_loop(0, 5, lambda i, c: (c[1] * 2.0, c[0] + 1.0), (a, b))

    require_same(ft.make_ir(f)(np.ones(2), np.zeros(2)), [np.arange(2.0), np.ones(2)])

    def g(a, b):
        return ft.scan(lambda c, x: ((c[1], c[0]), (c[0], x)), (a, b), np.arange(6.0).reshape(3, 2))

    require_same(ft.make_ir(g)(np.ones(2), np.zeros(2)), [np.arange(2.0), np.ones(2)])


def test_a_carry_may_be_what_a_row_was():
    def f(rows):
        return ft.scan(lambda c, row: (row, c), np.zeros(2), rows)

    rows = np.arange(6.0).reshape(3, 2)
    require_same(ft.make_ir(f)(rows), [rows])


def test_loops_over_numbers_hold_them_in_memory_of_their_own():
    def f(x, ys):
        def step(c, y):
            c = np.sin(c) * y + c
            return c, c * 2.0

        last, stacked = ft.scan(step, x, ys)
        first = stacked[0] if len(ys) else x
        return last, stacked, np.cumsum(stacked), ft.scan(step, last, stacked)[1], first

    ys = np.arange(4.0)
    program = ft.make_ir(f)(0.5, ys)
    assert "new_doubles(4)" in Written(program, frozenset(), "program").source
    require_same(program, [0.5, ys])
    require_same(ft.make_ir(f)(np.float64(0.5), ys[:0]), [np.float64(0.5), ys[:0]])
    require_same(ft.make_ir(f)(np.float64(0.5), ys[::-1]), [np.float64(0.5), ys[::-1]])
    gradient = ft.grad(lambda x, ys: np.sum(f(x, ys)[3]), (0, 1))
    program = ft.make_ir(gradient)(0.5, ys)
    # What only the loop back reads need be no array.
    assert "[None] * 4" in Written(program, frozenset(), "program").source
    require_same(program, [0.5, ys])
    require_same(ft.make_ir(gradient)(0.5, ys[:0]), [0.5, ys[:0]])


def test_rows_and_stacks_of_any_number_of_trips_from_both_ends():
    for length in (0, 1, 5):
        rows = np.arange(2.0 * length).reshape(length, 2)
        for reverse in (False, True):

            def f(x, rows, reverse=reverse):
                trip = lambda c, row: (c * 0.5 + row, (c, row[0]))
                return ft.scan(trip, x, rows, reverse=reverse)

            require_same(ft.make_ir(f)(np.ones(2), rows), [np.full(2, 3.0), rows])


def test_what_a_condition_has_seen_is_not_written_over():
    def f(x):
        return ft.while_loop(
            lambda c: np.sum(c[0] * 2.0) < 99, lambda c: (c[1] * 2.0, c[0] + c[1]), x
        )

    a, b = np.arange(3.0), np.ones(3)
    found = ft.jit(f)((a, b))
    x, y = a, b
    while np.sum(x * 2.0) < 99:
        x, y = y * 2.0, x + y
    np.testing.assert_array_equal(found, (x, y))
    require_same(ft.make_ir(f)((a, b)), [a, b])
