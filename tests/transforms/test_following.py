"""A tape that follows all operations, and the cotangents of all its variables."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.transforms.following import FollowingTape, all_cotangents, outputs_of


def followed(f, *args):
    with FollowingTape(outlives=True) as tape:
        return tape, tape.output(f(*tape.lifted(args, [True] * len(args))))


def test_rows_of_what_has_no_derivative():
    def f(x):
        if x[0] > 3 or int(np.argmax(x)) == 2:
            return x[0]
        return np.sum(np.where(np.round(x) > 0, x, 2 * x))

    tape, (value, _) = followed(f, np.array([1.4, -2.0]))
    names = [row[0].name for row in tape.rows]
    assert names == [
        "getitem" if "getitem" in names else "element", "greater", "argmax", "round", "greater",
        "multiply", "select", "sum",
    ]  # fmt: skip
    assert value == 1.4 - 4.0
    assert all(len(outputs_of(row)) == 1 for row in tape.rows)


def test_cotangents_of_all_variables():
    def f(x, n):
        y = np.sin(x) * np.floor(x)
        return np.sum(y[n] ** 2), np.cos(x)

    x, n = np.array([0.5, 2.5, -1.5]), np.array([1, 2, 1])
    tape, (_, variable) = followed(lambda x, n: f(x, n)[0], x, n)
    found = all_cotangents(tape, {variable: 1.0})
    np.testing.assert_allclose(found[0], ft.grad(lambda x: f(x, n)[0])(x))
    assert found[1] is None
    of_floor = next(outputs_of(row)[0] for row in tape.rows if row[0].name == "floor")
    numerical = [
        (
            np.sum((np.sin(x) * (np.floor(x) + h))[n] ** 2)
            - np.sum((np.sin(x) * (np.floor(x) - h))[n] ** 2)
        )
        / 2e-6
        for h in 1e-6 * np.eye(3)
    ]
    np.testing.assert_allclose(found[of_floor], numerical, atol=1e-8)
