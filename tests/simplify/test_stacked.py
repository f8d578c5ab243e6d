"""Elements that were put together are read where they are: text in, text out."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.simplify import read_stacked
from tests.simplify.helpers import check_pass, check_unchanged


def test_what_was_stacked_is_read():
    check_pass(
        read_stacked,
        """
        def program(a: float64, b: float64):
            c: float64[2] = stack(a, b, axis=0)
            d: float64; e: float64; (d, e) = unstack(c, axis=0)
            f: float64 = getitem(c, index=(-1,))
            g: float64 = add(d, f)
            return (g, c)
        """,
        """
        def program(a: float64, b: float64):
            c: float64[2] = stack(a, b, axis=0)
            d: float64 = add(a, b)
            return (d, c)
        """,
    )


def test_through_slices_joins_and_reshapes():
    check_pass(
        read_stacked,
        """
        def program(a: float64, b: float64, c: float64):
            d: float64[2] = stack(a, b, axis=0)
            e: float64[1] = reshape(c, shape=(1,))
            f: float64[3] = concatenate(d, e, axis=0)
            g: float64[2] = getitem(f, index=(slice(1, None, None),))
            h: float64; i: float64; (h, i) = unstack(g, axis=0)
            j: float64 = subtract(h, i)
            return j
        """,
        """
        def program(a: float64, b: float64, c: float64):
            d: float64[2] = stack(a, b, axis=0)
            e: float64[1] = reshape(c, shape=(1,))
            f: float64[3] = concatenate(d, e, axis=0)
            g: float64[2] = getitem(f, index=(slice(1, None, None),))
            h: float64 = subtract(b, c)
            return h
        """,
    )


def test_through_pieces():
    check_pass(
        read_stacked,
        """
        def program(a: float64, b: float64, c: float64):
            d: float64[3] = stack(a, b, c, axis=0)
            e: float64[1]; f: float64[2]; (e, f) = split(d, boundaries=(1,), axis=0)
            g: float64; h: float64; (g, h) = unstack(f, axis=0)
            i: float64 = subtract(g, h)
            return (e, i)
        """,
        """
        def program(a: float64, b: float64, c: float64):
            d: float64[3] = stack(a, b, c, axis=0)
            e: float64[1]; f: float64[2]; (e, f) = split(d, boundaries=(1,), axis=0)
            g: float64 = subtract(b, c)
            return (e, g)
        """,
    )


def test_arithmetic_is_done_on_the_elements():
    check_pass(
        read_stacked,
        """
        def program(a: float64, b: float64):
            c: float64[2] = stack(a, b, axis=0)
            d: float64[2] = sin(c)
            e: float64[2] = multiply(d, a)
            f: float64; g: float64; (f, g) = unstack(e, axis=0)
            return (f, g)
        """,
        """
        def program(a: float64, b: float64):
            c: float64[2] = stack(a, b, axis=0)
            d: float64[2] = sin(c)
            e: float64[2] = multiply(d, a)
            f: float64 = sin(a)
            g: float64 = sin(b)
            h: float64 = multiply(f, a)
            i: float64 = multiply(g, a)
            return (h, i)
        """,
    )


def test_what_is_not_known_is_left():
    for text in (
        """
        def program(a: float64[2]):
            b: float64; c: float64; (b, c) = unstack(a, axis=0)
            return (b, c)
        """,
        """
        def program(a: float64[3], b: float64[3]):
            c: float64[2, 3] = stack(a, b, axis=0)
            d: float64[3]; e: float64[3]; (d, e) = unstack(c, axis=0)
            return (d, e)
        """,
        # The output is a scalar, and what was stacked may be an array without axes.
        """
        def program(a: float64, b: float64):
            c: float64[2] = stack(a, b, axis=0)
            d: float64 = getitem(c, index=(0,))
            return d
        """,
    ):
        check_unchanged(read_stacked, text)


def test_classes_of_outputs_stay():
    def f(x):
        first, second = np.stack([x, np.sin(x)])
        return first, second

    for x in (2.0, np.float64(2.0), np.array(2.0)):
        for a, b in zip(ft.jit(f)(x), f(x), strict=True):
            assert type(a) is type(b) is np.float64
            assert a == b
