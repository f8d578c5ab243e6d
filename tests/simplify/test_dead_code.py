"""What nothing needs is left out, and nothing else: text in, text out."""

from __future__ import annotations

from functrace.simplify import (
    remove_dead_code,
)
from tests.simplify.helpers import check_pass


def test_what_nothing_uses_is_left_out():
    check_pass(
        remove_dead_code,
        """
        def program(a: float64[4]):
            b: float64[2]; c: float64[2]; (b, c) = split(a, boundaries=(2,), axis=0)
            d: float64[2] = sin(c)
            e: float64[2] = cos(d)
            f: float64[2] = add(b, 1)
            return f
        """,
        """
        def program(a: float64[4]):
            b: float64[2]; c: float64[2]; (b, c) = split(a, boundaries=(2,), axis=0)
            d: float64[2] = add(b, 1)
            return d
        """,
    )
