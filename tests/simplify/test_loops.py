"""What loops lose: unused outputs, carries and rows, and what is the same in each trip."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.simplify import improve_structures, remove_dead_code
from tests.simplify.helpers import assert_same_bits, check_pass, check_unchanged


def improved(program):
    while True:
        before = program
        program = remove_dead_code(improve_structures(remove_dead_code(program)))
        if program is before:
            return program


def test_unused_stacks_and_what_only_they_need_are_left_out():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64[3], c: float64[3]):
            def body(d: float64, e: float64, f: float64):
                g: float64 = add(d, e)
                h: float64 = sin(f)
                return (g, h)
            d: float64; e: float64[3]; (d, e) = scan(a, b, c, body=body, constants=0, carries=1, \
length=3, reverse=False)
            return d
        """,
        """
        def program(a: float64, b: float64[3], c: float64[3]):
            def body(d: float64, e: float64):
                f: float64 = add(d, e)
                return f
            g: float64; (g,) = scan(a, b, body=body, constants=0, carries=1, length=3, \
reverse=False)
            return g
        """,
    )


def test_carries_that_only_each_other_need_are_left_out():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64, c: float64):
            def body(d: float64, e: float64, f: float64):
                g: float64 = multiply(d, 2.0)
                h: float64 = add(e, f)
                i: float64 = sin(e)
                return (g, h, i)
            d: float64; e: float64; f: float64; (d, e, f) = scan(a, b, c, body=body, constants=0, \
carries=3, length=3, reverse=False)
            return d
        """,
        """
        def program(a: float64, b: float64, c: float64):
            def body(d: float64):
                e: float64 = multiply(d, 2.0)
                return e
            f: float64; (f,) = scan(a, body=body, constants=0, carries=1, length=3, reverse=False)
            return f
        """,
    )


def test_carries_that_stay_the_same_are_constants():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64):
            def body(c: float64, d: float64):
                e: float64 = multiply(c, d)
                return (e, d)
            c: float64; d: float64; (c, d) = scan(a, b, body=body, constants=0, carries=2, \
length=3, reverse=False)
            return (c, d)
        """,
        """
        def program(a: float64, b: float64):
            def body(c: float64, d: float64):
                e: float64 = multiply(d, c)
                return e
            f: float64; (f,) = scan(b, a, body=body, constants=1, carries=1, length=3, \
reverse=False)
            return (f, b)
        """,
    )


def test_what_depends_on_constants_only_is_computed_before_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[3], b: float64[3]):
            def body(c: float64[3], d: float64[3]):
                e: float64[3] = sin(c)
                f: float64[3] = multiply(e, 2.0)
                g: float64[3] = add(d, f)
                return g
            c: float64[3]; (c,) = scan(a, b, body=body, constants=1, carries=1, length=3, \
reverse=False)
            return c
        """,
        """
        def program(a: float64[3], b: float64[3]):
            c: float64[3] = sin(a)
            d: float64[3] = multiply(c, 2.0)
            def body(e: float64[3], f: float64[3]):
                g: float64[3] = add(f, e)
                return g
            h: float64[3]; (h,) = scan(d, b, body=body, constants=1, carries=1, length=3, \
reverse=False)
            return h
        """,
    )


def test_what_could_fail_stays_in_the_loop():
    check_unchanged(
        improved,
        """
        def program(a: float64[2, 2], b: float64[2, 2], c: weak_float64, d: int64[2]):
            def body(e: float64[2, 2], f: weak_float64, g: int64[2], h: float64[2, 2]):
                i: float64[2, 2] = inverse(e)
                j: weak_float64 = divide(1.0, f)
                k: float64[2, 2] = multiply(i, j)
                l: float64[2, 2] = gather(e, g, index=('indices',), unique=False)
                m: float64[2, 2] = add(k, l)
                n: float64[2, 2] = add(m, h)
                return n
            e: float64[2, 2]; (e,) = scan(a, c, d, b, body=body, constants=3, carries=1, length=0, \
reverse=False)
            return e
        """,
    )


def test_known_constants_stand_in_the_body():
    check_pass(
        improved,
        """
        def program(a: float64):
            def body(b: weak_float64, c: float64, d: float64):
                e: float64 = multiply(c, b)
                f: float64 = add(e, d)
                return f
            b: float64; (b,) = scan(2.0, a, array((1.0, 1.0), float64[2]), body=body, constants=1, \
carries=1, length=2, reverse=False)
            return b
        """,
        """
        def program(a: float64):
            def body(b: float64):
                c: float64 = multiply(b, 2.0)
                d: float64 = add(c, float64(1.0))
                return d
            e: float64; (e,) = scan(a, body=body, constants=0, carries=1, length=2, reverse=False)
            return e
        """,
    )


def test_what_is_stacked_twice_or_there_already_is_not_stacked():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64, c: float64[4]):
            def body(d: float64, e: float64, f: float64):
                g: float64 = add(e, f)
                return (g, g, g, f, d)
            d: float64; e: float64[4]; f: float64[4]; g: float64[4]; h: float64[4]; \
(d, e, f, g, h) = scan(a, b, c, body=body, constants=1, carries=1, length=4, reverse=True)
            return (e, f, g, h)
        """,
        """
        def program(a: float64, b: float64, c: float64[4]):
            d: float64[4] = broadcast_to(a, shape=(4,))
            def body(e: float64, f: float64):
                g: float64 = add(e, f)
                return (g, g)
            h: float64; i: float64[4]; (h, i) = scan(b, c, body=body, constants=0, carries=1, \
length=4, reverse=True)
            return (i, i, c, d)
        """,
    )


def test_the_rows_that_alone_tell_the_length_stay():
    check_unchanged(
        improved,
        """
        def program(a: float64, b: float64[any]):
            def body(c: float64, d: float64):
                e: float64 = sin(c)
                return e
            c: float64; (c,) = scan(a, b, body=body, constants=0, carries=1, length=None, \
reverse=False)
            return c
        """,
    )


def test_conditions_of_while_loops_share_the_constants():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64, c: float64):
            def condition(d: float64, e: float64, f: float64):
                g: float64 = multiply(d, d)
                h: bool = less(e, g)
                return h
            def body(i: float64, j: float64, k: float64):
                l: float64 = sin(i)
                m: float64 = add(j, l)
                n: float64 = multiply(k, m)
                return (m, n, j)
            o: float64; p: float64; q: float64[any]; (o, p, q) = while_loop(a, b, c, \
condition=condition, body=body, constants=1)
            return o
        """,
        """
        def program(a: float64, b: float64, c: float64):
            d: float64 = sin(a)
            e: float64 = multiply(a, a)
            def condition(f: float64, g: float64, h: float64):
                i: bool = less(h, g)
                return i
            def body(j: float64, k: float64, l: float64):
                m: float64 = add(l, j)
                return m
            n: float64; (n,) = while_loop(d, e, b, condition=condition, body=body, constants=2)
            return n
        """,
    )


def test_effects_stay_with_what_they_need():
    def f(x, y):
        def step(carry, _):
            ft.debug.print("{}", carry[1])
            return (carry[0] + 1.0, carry[1] * 2.0), None

        return ft.scan(step, (x, y), None, 3)[0][0]

    program = simplify(ft.make_ir(f)(1.0, 2.0))
    (loop,) = program.equations
    assert loop.params["carries"] == 2
    assert loop.has_effect


def test_gradients_of_loops_have_the_same_values():
    def loss(w, u, xs):
        def step(carry, x):
            h, count = carry
            h = np.tanh(np.sin(w) @ h + u @ x)
            return (h, count + 1), (h, x, count)

        (h, _), (hs, _, _) = ft.scan(step, (np.zeros(4), 0), xs)
        return np.sum(hs**2) + np.sum(h)

    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    program = ft.make_ir(ft.grad(loss, (0, 1, 2)))(*arguments)
    found = ft.check(simplify(program))
    assert sum(loop.params["carries"] for loop in found.equations if "carries" in loop.params) <= 4
    for x, y in zip(ft.evaluate(found, *arguments), ft.evaluate(program, *arguments), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_loops_of_no_trips_give_what_they_were_given():
    def f(x, w):
        step = lambda c, _: ((c[0] / w, c[1]), np.log(w))
        (a, b), logs = ft.scan(step, (x, w), None, 0)
        return a, b, logs

    program = ft.make_ir(f)(np.float64(1.0), np.float64(-2.0))
    inputs = np.float64(1.0), np.float64(-2.0)
    with np.errstate(all="ignore"):
        assert_same_bits(
            ft.evaluate(ft.check(simplify(program)), *inputs), ft.evaluate(program, *inputs)
        )


def test_operations_of_the_user_stay_in_the_loop():
    class Checked(ft.extend.Elementwise):
        """Raises where an element is negative."""

        def __init__(self):
            super().__init__("checked", np.sqrt, run=self.checked)

        def checked(self, x):
            if np.any(x < 0):
                raise ValueError("negative")
            return np.sqrt(x)

    Checked()
    program = ft.parse(
        """
def program(a: float64, b: float64):
    def body(c: float64, d: float64):
        e: float64 = checked(c)
        f: float64 = add(d, e)
        return f
    c: float64; (c,) = scan(b, a, body=body, constants=1, carries=1, length=0, reverse=False)
    return c
"""
    )
    assert ft.evaluate(simplify(program), np.float64(1.0), np.float64(-2.0)) == [1.0]
