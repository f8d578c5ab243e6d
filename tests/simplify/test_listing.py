"""Programs as arrays of numbers."""

from __future__ import annotations

from textwrap import dedent

import functrace as ft
from functrace.simplify.listing import Listing


def listed(text):
    return Listing(ft.parse(dedent(text)))


def test_equations_that_do_the_same_have_the_same_number():
    listing = listed(
        """
        def program(a: float64[3], b: float32):
            c: float64[3] = add(a, 1.0)
            d: float64[3] = add(c, 2.0)
            e: float64[3] = multiply(d, 2.0)
            f: float64[3] = add(e, b)
            return f
        """
    )
    first, second, product, mixed = listing.kinds.tolist()
    assert first == second
    assert len({first, product, mixed}) == 3


def test_variables_are_counted_up_and_equal_constants_are_one():
    listing = listed(
        """
        def program(a: float64):
            b: float64 = add(a, 1.0)
            c: float64 = add(b, 1.0)
            d: float64 = add(c, -0.0)
            e: float64 = add(d, 0.0)
            return e
        """
    )
    inputs = listing.inputs.reshape(-1, 2)
    assert inputs[:, 0].tolist() == [-1, 0, 1, 2]
    assert inputs[0, 1] == inputs[1, 1]
    assert len(set(inputs[1:, 1].tolist())) == 3
    assert [listing.atom(n) for n in range(4)] == listing.made


def test_integers_in_an_index_do_not_count():
    listing = listed(
        """
        def program(a: float64[3, 4]):
            b: float64[4] = getitem(a, index=(0,))
            c: float64[4] = getitem(a, index=(2,))
            d: float64[3] = getitem(a, index=(slice(None, None, None), 1))
            e: float64 = element(a, index=(1, 3))
            return (b, c, d, e)
        """
    )
    assert listing.kinds[0] == listing.kinds[1]
    assert len(set(listing.kinds.tolist())) == 3
    assert listing.integers.tolist() == [0, 2, 1, 1, 3]
    assert listing.first_integer.tolist() == [0, 1, 2, 3, 5]


def test_what_no_stack_holds_is_like_nothing_else():
    listing = listed(
        f"""
        def program(a: float64):
            b: float64 = multiply(a, {2**70})
            c: float64 = multiply(b, {2**70})
            return c
        """
    )
    assert listing.kinds[0] != listing.kinds[1]
