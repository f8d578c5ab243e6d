"""Sums over all trips of a loop, taken after it."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.simplify import adding, preparing, stacking, trips
from tests.simplify.helpers import check_pass, improved

LOOP = """
def program(a: {type}, b: {rows}):
    def body(c: {type}, d: {type}):
        e: {type} = {term}
        f: {type} = add(c, e)
        return {outputs}
    {declared} = scan(a, b, body=body, constants=0, carries=1, length={length}, reverse=False)
    return c
"""


def loop(term="sin(d)", type="float64", shape="", length=9, outputs="f"):
    rows = f"{type}[{length}{', ' if shape else ''}{shape}]"
    full = f"{type}[{shape}]" if shape else type
    declared = f"c: {full}; (c,)" if outputs == "f" else f"c: {full}; g: {rows}; (c, g)"
    text = LOOP.format(
        type=full, rows=rows, term=term, length=length, outputs=outputs, declared=declared
    )
    return ft.check(ft.parse(text.strip()))


def has_loop(program):
    return any(e.primitive.name == "scan" for e in improved(program).equations)


def test_what_is_added_in_each_trip_is_summed_after_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[4, 5, 3], z: float64[5, 3]):
            def body(d: float64[2, 3], s: float64[3], k: float64[5, 3], e: float64[5, 2], f: \
float64[5, 3]):
                n: float64[5, 3] = multiply(k, f)
                g: float64[2, 3] = contract(e, n, subscripts='ab,ac->bc')
                h: float64[2, 3] = subtract(d, g)
                t: float64[3] = sum(n, axes=(0,), keepdims=False, dtype=None)
                u: float64[3] = add(s, t)
                v: float64[5, 3] = sin(n)
                return (h, u, v)
            d: float64[2, 3]; s: float64[3]; k: float64[5, 3]; (d, s, k) = scan(a, array((0.0, \
0.0, 0.0), float64[3]), z, b, c, body=body, constants=0, carries=3, length=4, reverse=True)
            return (d, s)
        """,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[4, 5, 3], d: float64[5, 3]):
            def body(e: float64[5, 3], f: float64[5, 3]):
                g: float64[5, 3] = multiply(e, f)
                h: float64[5, 3] = sin(g)
                return (h, g)
            i: float64[5, 3]; j: float64[4, 5, 3]; (i, j) = scan(d, c, body=body, constants=0, \
carries=1, length=4, reverse=True)
            k: float64[2, 3] = contract(b, j, subscripts='dab,dac->bc')
            l: float64[2, 3] = subtract(a, k)
            m: float64[3] = sum(j, axes=(0, 1), keepdims=False, dtype=None)
            return (l, m)
        """,
    )


def test_small_terms_are_stacked_and_summed():
    check_pass(
        improved,
        """
        def program(a: float64, b: float64, c: float64[2]):
            def body(d: float64, e: float64[2], f: float64):
                g: float64 = sin(f)
                h: float64 = multiply(g, 2.0)
                i: float64 = add(d, h)
                j: float64[2] = subtract(e, g)
                return (i, j, g)
            d: float64; e: float64[2]; f: float64; (d, e, f) = scan(a, c, b, body=body, \
constants=0, carries=3, length=9, reverse=False)
            return (d, e)
        """,
        """
        def program(a: float64, b: float64, c: float64[2]):
            def body(d: float64):
                e: float64 = sin(d)
                f: float64 = multiply(e, 2.0)
                return (e, f, e)
            g: float64; h: float64[9]; i: float64[9]; (g, h, i) = scan(b, body=body, constants=0, \
carries=1, length=9, reverse=False)
            j: float64 = sum(h, axes=None, keepdims=False, dtype=None)
            k: float64 = add(a, j)
            l: float64 = sum(i, axes=None, keepdims=False, dtype=None)
            m: float64[2] = subtract(c, l)
            return (k, m)
        """,
    )


def test_sums_leave_the_loop_up_to_limits(monkeypatch):
    assert not has_loop(loop())
    assert not has_loop(loop(length=trips.FEWEST_TRIPS))
    assert has_loop(loop(length=trips.FEWEST_TRIPS - 1))
    assert has_loop(loop(type="int64", term="negative(d)")), "integers stay"
    assert not has_loop(loop(shape="512"))
    assert has_loop(loop(shape="100000")), "large arrays are better added one by one"
    for limit, expected in (9 * 8 * 512, False), (9 * 8 * 512 - 1, True):
        for module in (adding, stacking, preparing):
            monkeypatch.setattr(module, "LARGEST_STACKS", limit)
        assert has_loop(loop(shape="512")) is expected, "more memory than is allowed"


def test_sums_that_are_read_stay():
    assert has_loop(loop("sin(c)"))
    assert has_loop(loop("multiply(c, d)"))
    assert not has_loop(loop(outputs="(f, f)")), "the sum is read by a stack that nobody reads"

    def partial_sums(x):
        return ft.scan(lambda c, y: (c + np.sin(y), c), 0.0, x)

    found = simplify(ft.make_ir(partial_sums)(np.ones(9)))
    assert any(e.primitive.name == "scan" for e in found.equations)
