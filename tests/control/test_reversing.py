"""What a loop keeps for the way back, and which of its carries take part."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.control.looping import bind_loop
from functrace.control.reversing import (
    LinearPlan,
    ReversePlan,
    active_carries,
    transposed_body,
    with_kept_zeros,
)
from functrace.ir.structure import Loop

ROWS = np.array([0.5, 1.5, -0.75])


def body_of(f):
    """The body of a loop with one constant, one carry and one row."""
    return ft.make_ir(f)(*map(np.float64, (1.5, 0.5, 2.0)))


def test_a_carry_takes_part_as_soon_as_one_trip_hands_it_on():
    body = ft.make_ir(lambda w, a, b, c: (b, c, w * 2.0, a + 1.0))(*map(np.float64, range(4)))
    assert active_carries(body, (True,), (False,) * 3, ()) == ((True,) * 3, (True,))
    assert active_carries(body, (False,), (False, True, False), ()) == (
        (True, True, False),
        (True,),
    )
    assert active_carries(body, (False,), (False,) * 3, ()) == ((False,) * 3, (False,))


KEPT = {  # constants, rows, and how many residuals are stacked
    "a constant": (lambda w, c, r: (c * w, r), ([0], [], 0)),
    "a row": (lambda w, c, r: (c * r, w), ([], [2], 0)),
    "both": (lambda w, c, r: (c * w * r, c), ([0], [2], 0)),
    "of the trip": (lambda w, c, r: (np.sin(c) + r, w), ([], [], 1)),
    "nothing": (lambda w, c, r: (c + w, r), ([], [], 0)),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("plan", [LinearPlan, ReversePlan])
def test_only_what_is_not_there_already_is_stacked(plan, name):
    f, (fixed, rows, stacked) = KEPT[name]
    body = body_of(f)
    made = plan(body, (False,), (True,), (False,), counts_trips=False)
    assert set(made.residuals.fixed) <= {0}
    assert set(made.residuals.from_rows) <= {2}
    if name != "both":  # its residuals may be multiplied beforehand
        assert (made.residuals.fixed, made.residuals.from_rows) == (fixed, rows)
        assert len(made.residuals.stacked) == stacked
    assert len(made.forward.outputs) == len(body.outputs) + len(made.residuals.stacked)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_plan_pulls_back_as_a_loop_of_pythons(name, reverse):
    f = KEPT[name][0]

    def in_python(w, c, rows):
        stack = []
        for r in rows[::-1] if reverse else rows:
            c, y = f(w, c, r)
            stack.append(y)
        return c, np.stack(stack[::-1] if reverse else stack)

    body = body_of(f)
    loop = Loop(body, [1.25], [0.5], [ROWS], length=3, reverse=reverse)
    plan = ReversePlan(body, (True,), (True,), (True,), counts_trips=False)
    results = bind_loop(loop._replace(body=plan.forward))
    cotangents = [np.float64(0.5), np.array([2.0, -1.0, 3.0])]
    found = plan.pull_back(bind_loop, loop, cotangents, results[:2], results[2:])
    values, pull_back = ft.vjp(in_python, 1.25, 0.5, ROWS)
    for x, y in zip(results[:2], values, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-14)
    for x, y in zip(found, pull_back(tuple(cotangents)), strict=True):
        np.testing.assert_allclose(0.0 if x is None else x, y, rtol=1e-14)


def test_the_body_of_a_transpose_is_the_transpose_of_the_body():
    body = body_of(lambda w, c, r: (2.0 * c + 3.0 * w - r, c + 5.0 * r))
    matrix = np.array([[3.0, 2.0, -1.0], [0.0, 1.0, 5.0]])
    back = transposed_body(body, (True,), (True,), (True,))
    carry, total, stack = 0.5, 10.0, -2.0
    of_carry, of_constant, of_row = ft.evaluate(back, carry, total, stack)
    expected = matrix.T @ [carry, stack] + [total, 0.0, 0.0]
    np.testing.assert_array_equal([of_constant, of_carry, of_row], expected)


def test_zeros_that_stay_are_followed_trip_after_trip():
    body = ft.make_ir(lambda w, a, b: (a * 2.0, w * 3.0, b))(*map(np.float64, range(3)))
    _, carries, stacks = with_kept_zeros(body, (True, False, False), 1, 2)
    assert (carries, stacks) == ((False, True), (True,))
    _, carries, stacks = with_kept_zeros(body, (False, True, False), 1, 2)
    assert (carries, stacks) == ((True, False), (False,))
