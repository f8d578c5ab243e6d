"""Laws of what is read and written at an index: text in, text out, and the same values."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.simplify import remove_dead_code, simplify_algebra
from tests.simplify.helpers import check_pass, check_unchanged


def simplified(program):
    while (after := remove_dead_code(simplify_algebra(program))) is not program:
        program = after
    return program


HEAD = "def program(a: float64[4, 3], b: float64[3], c: float64):\n"

REWRITTEN = {
    "what was written is read": (
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64[3] = getitem(d, index=(1,))\n"
            "    f: float64[3] = add(e, c)\n"
            "    return f"
        ),
        "    d: float64[3] = add(b, c)\n    return d",
    ),
    "a part of it is read": (
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64 = element(d, index=(1, 2))\n"
            "    return e"
        ),
        "    d: float64 = element(b, index=(2,))\n    return d",
    ),
    "writes to other rows are looked through": (
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64[4, 3] = index_update(d, c, index=(2, 0))\n"
            "    f: float64[3] = getitem(e, index=(3,))\n"
            "    return f"
        ),
        "    d: float64[3] = getitem(a, index=(3,))\n    return d",
    ),
    "what was read is written back": (
        (
            "    d: float64[3] = getitem(a, index=(1,))\n"
            "    e: float64[4, 3] = index_update(a, d, index=(1,))\n"
            "    f: float64[4, 3] = multiply(e, c)\n"
            "    return f"
        ),
        "    d: float64[4, 3] = multiply(a, c)\n    return d",
    ),
    "what is written over need not be written": (
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64[4, 3] = index_update(d, c, index=(1,))\n"
            "    return e"
        ),
        "    d: float64[4, 3] = index_update(a, c, index=(1,))\n    return d",
    ),
    "what is added where something is put into zeros is added first": (
        (
            "    d: float64[3] = negative(b)\n"
            "    e: float64[4, 3] = scatter_add(b, index=(1,), shape=(4, 3), unique=False)\n"
            "    f: float64[4, 3] = index_add(e, d, index=(1,), unique=False)\n"
            "    return f"
        ),
        (
            "    d: float64[3] = subtract(b, b)\n"
            "    e: float64[4, 3] = scatter_add(d, index=(1,), shape=(4, 3), unique=False)\n"
            "    return e"
        ),
    ),
    "what is added to zeros is written": (
        (
            "    d: float64[4, 3] = index_update(a, 0.0, index=(1,))\n"
            "    e: float64[4, 3] = index_add(d, b, index=(1,))\n"
            "    return e"
        ),
        "    d: float64[4, 3] = index_update(a, b, index=(1,))\n    return d",
    ),
    "reads of reads": (
        (
            "    d: float64[2, 3] = getitem(a, index=(slice(1, 3, None),))\n"
            "    e: float64[3] = getitem(d, index=(1,))\n"
            "    return e"
        ),
        "    d: float64[3] = getitem(a, index=(2, slice(None, None, None)))\n    return d",
    ),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_what_is_read_and_written(name):
    before, after = REWRITTEN[name]
    check_pass(simplified, HEAD + before, HEAD + after)
    rng = np.random.default_rng(0)
    given = rng.normal(size=(4, 3)), rng.normal(size=3), np.float64(0.5)
    for found, expected in zip(
        ft.evaluate(ft.parse(HEAD + after), *given),
        ft.evaluate(ft.parse(HEAD + before), *given),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "lines",
    [
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64[2, 3] = getitem(d, index=(slice(1, 3, None),))\n"
            "    return e"
        ),
        (
            "    d: float64[4, 3] = index_add(a, b, index=(1,))\n"
            "    e: float64[3] = getitem(d, index=(1,))\n"
            "    return e"
        ),
        (
            "    d: float64[4, 3] = index_update(a, b, index=(1,))\n"
            "    e: float64[4, 3] = index_update(d, c, index=(1,))\n"
            "    return (d, e)"
        ),
    ],
)
def test_what_stays(lines):
    check_unchanged(simplified, HEAD + lines)


def test_a_scatter_that_is_used_twice_stays():
    check_unchanged(
        simplified,
        """
        def program(a: float64[4], b: float64[2]):
            c: float64[4] = scatter_add(b, index=(slice(1, 3, None),), shape=(4,))
            d: float64[4] = add(c, a)
            return (c, d)
        """,
    )
