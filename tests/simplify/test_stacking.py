"""What only goes to stacks, computed after a loop."""

from __future__ import annotations

import numpy as np

import functrace as ft
from tests.simplify.helpers import check_pass, improved

RNG = np.random.default_rng(0)


def test_what_only_goes_to_stacks_is_computed_after_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[3], b: float64[3, 3]):
            def body(c: float64[3, 3], d: float64[3]):
                e: float64[3] = contract(c, d, subscripts='ab,b->a')
                f: float64[3] = tanh(e)
                g: float64[3] = multiply(f, f)
                h: float64[3] = subtract(1.0, g)
                return (f, h)
            c: float64[3]; d: float64[6, 3]; (c, d) = scan(b, a, body=body, constants=1, \
carries=1, length=6, reverse=False)
            return (c, d)
        """,
        """
        def program(a: float64[3], b: float64[3, 3]):
            def body(c: float64[3, 3], d: float64[3]):
                e: float64[3] = contract(c, d, subscripts='ab,b->a')
                f: float64[3] = tanh(e)
                return (f, f)
            g: float64[3]; h: float64[6, 3]; (g, h) = scan(b, a, body=body, constants=1, \
carries=1, length=6, reverse=False)
            i: float64[6, 3] = multiply(h, h)
            j: float64[6, 3] = subtract(1.0, i)
            return (g, j)
        """,
    )


def test_numbers_are_computed_again_where_that_is_cheaper_than_stacking_them():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64):
            def body(c: float64, d: float64):
                e: float64 = multiply(c, d)
                f: float64 = multiply(d, d)
                g: float64 = add(e, f)
                return (g, e, f)
            c: float64; d: float64[500]; e: float64[500]; (c, d, e) = scan(b, a, body=body, \
constants=1, carries=1, length=500, reverse=False)
            return (c, d, e)
        """,
        """
        def program(a: float64, b: float64):
            def body(c: float64, d: float64):
                e: float64 = multiply(c, d)
                f: float64 = multiply(d, d)
                g: float64 = add(e, f)
                return (g, d)
            h: float64; i: float64[500]; (h, i) = scan(b, a, body=body, constants=1, carries=1, \
length=500, reverse=False)
            j: float64[500] = multiply(b, i)
            k: float64[500] = multiply(i, i)
            return (h, j, k)
        """,
    )


def test_views_are_made_of_the_stack_of_what_they_show():
    check_pass(
        improved,
        """
        def program(a: float64[2, 6], b: float64[2, 3]):
            def body(c: float64[2, 6], d: float64[2, 3]):
                e: float64[2, 3]; f: float64[2, 3]; (e, f) = split(c, boundaries=(3,), axis=1)
                g: float64[2, 6] = concatenate(d, d, axis=1)
                h: float64[2, 3]; i: float64[2, 3]; (h, i) = split(g, boundaries=(3,), axis=1)
                j: float64[2, 3] = multiply(h, i)
                k: float64[2, 3] = tanh(j)
                return (k, h, i)
            c: float64[2, 3]; d: float64[5, 2, 3]; e: float64[5, 2, 3]; (c, d, e) = scan(a, b, \
body=body, constants=1, carries=1, length=5, reverse=False)
            return (c, d, e)
        """,
        """
        def program(a: float64[2, 6], b: float64[2, 3]):
            def body(c: float64[2, 3]):
                d: float64[2, 6] = concatenate(c, c, axis=1)
                e: float64[2, 3]; f: float64[2, 3]; (e, f) = split(d, boundaries=(3,), axis=1)
                g: float64[2, 3] = multiply(e, f)
                h: float64[2, 3] = tanh(g)
                return (h, d)
            i: float64[2, 3]; j: float64[5, 2, 6]; (i, j) = scan(b, body=body, constants=0, \
carries=1, length=5, reverse=False)
            k: float64[5, 2, 3]; l: float64[5, 2, 3]; (k, l) = split(j, boundaries=(3,), axis=2)
            return (i, k, l)
        """,
    )


def test_a_carry_that_only_stacks_are_made_of():
    def f(c, xs):
        return ft.scan(lambda c, x: (x * 2.0, np.sin(c) * np.cos(c)), c, xs)

    c, xs = np.ones(3), np.arange(60.0).reshape(20, 3)
    found, expected = ft.jit(f)(c, xs), f(c, xs)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)
