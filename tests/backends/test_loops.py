"""What loops hand from trip to trip, and where they put what they stack."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_source import Written
from tests.backends.sources import require_plan, require_same


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
