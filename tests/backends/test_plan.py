"""What a plan says of memory, copies, numbers and blocks: from the text of a Program to it."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

import functrace as ft
from functrace.backends.numpy_source import Written, plan_function
from functrace.extend import Primitive, bind
from functrace.ir.emission import Code
from functrace.ir.types import ArrayType


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def require_plan(program, expected, donated=()):
    """A Program, or its text, has the plan; what is expected is indented at will."""
    if isinstance(program, str):
        program = ft.parse(textwrap.dedent(program).strip() + "\n")
    found = lines(str(plan_function(program, frozenset(donated))))
    wanted = lines(expected)
    indent = min(len(line) - len(line.lstrip()) for line in wanted)
    assert found == [line[indent:] for line in wanted]


def test_results_go_over_what_nobody_needs():
    text = """
    def program(a: float64[3]):
        b: float64[3] = multiply(a, 2.0)
        c: float64[3] = tanh(b)
        d: float64[3] = add(c, b)
        return d
    """
    require_plan(
        text,
        """
        given a: float64[3] in m0
        b = multiply a, 2.0: into m1
        c = tanh b: into m2
        d = add c, b: over m2
        return d
        """,
    )


def test_views_are_views_until_they_are_returned():
    text = """
    def program(a: float64[4]):
        b: float64[4] = sin(a)
        c: float64[2] = getitem(b, index=(slice(None, 2, None),))
        return b, c
    """
    require_plan(
        text,
        """
        given a: float64[4] in m0
        b = sin a: into m1
        c = getitem b: view of m1
        return b, a copy of c
        """,
    )


def test_a_donated_input_is_written_over():
    text = """
    def program(a: float64[4]):
        b: float64[4] = sin(a)
        return b
    """
    require_plan(text, "given a: float64[4] in m0\nb = sin a: over m0\nreturn b", donated=[0])


def test_large_arrays_are_kept_unless_they_are_returned():
    text = """
    def program(a: float64[10000]):
        b: float64[10000] = sin(a)
        c: float64[10000] = cos(a)
        d: float64 = sum(b, axes=None, keepdims=False, dtype=None)
        return c, d
    """
    require_plan(
        text,
        """
        given a: float64[10000] in m0
        b = sin a: into w1
        c = cos a: into m2
        d = sum b: scalar
        release w1
        return c, d
        """,
    )


def test_numbers_are_pythons():
    text = """
    def program(a: float64, b: float64):
        c: float64 = multiply(a, b)
        d: float64 = add(c, a)
        e: float64 = divide(d, b)
        f: float64 = exp(e)
        return f
    """
    require_plan(
        text,
        """
        given a: float64, b: float64
        a becomes a float of Python's of a
        b becomes a float of Python's of b
        c = multiply a, b: number
        d = add c, a: number
        e = divide d, b: number
        f = exp e: number
        return a float64 of NumPy's of f
        """,
    )


def test_what_is_still_read_of_an_array_is_moved_before_it_is_written():
    text = """
    def program(a: float64[4, 3], b: float64):
        c: float64[4, 3] = sin(a)
        d: float64[3] = getitem(c, index=(1,))
        e: float64[4, 3] = index_update(c, b, index=(0,))
        f: float64[3] = add(d, 1.0)
        return e, f
    """
    require_plan(
        text,
        """
        given a: float64[4, 3] in m0, b: float64 in m1
        c = sin a: into m2
        d = getitem c: view of m2
        move d into m3
        e = index_update c, b: over m2
        f = add d, 1.0: over m3
        return e, f
        """,
    )


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


def test_numbers_that_only_loops_read_are_tuples():
    def f(xs):
        _, ys = ft.scan(lambda c, x: (c * x, np.sin(c) + x), 1.0, xs)
        total, _ = ft.scan(lambda c, y: (np.exp(c) * y, None), 0.5, ys)
        return total

    def g(xs):
        _, ys = ft.scan(lambda c, x: (c * x, np.sin(c) + x), 1.0, xs)
        total, _ = ft.scan(lambda c, y: (np.exp(c) * y, None), 0.5, ys)
        return total, ys

    assert ": tuples" in str(plan_function(ft.make_ir(f)(np.ones(5))))
    assert ": numbers" in str(plan_function(ft.make_ir(g)(np.ones(5))))


def test_branches_and_loops_are_blocks():
    def f(x):
        y = ft.cond(np.sum(x) > 0, lambda x: x * 2.0, lambda x: x, x)
        return ft.while_loop(lambda y: np.sum(y) < 100, lambda y: y * 2.0, y)

    require_plan(
        ft.make_ir(f)(np.ones(3)),
        """
        given a: float64[3] in m0
        b = sum a: scalar
        c = greater b, 0: scalar
        d = an integer of Python's of c
        branch 0 of d
          e = a copy of a
        branch 1 of d
          f = multiply a, 2.0: into m1
          e = f
        g = a copy of e: into m2
        while
          h = sum g: scalar
          i = less h, 100: scalar
          test i
          j = multiply g, 2.0: over m2
          next g = j
        return g
        """,
    )


class Halves(Primitive):
    """Fractions and whole numbers, which NumPy writes into given arrays."""

    multiple_outputs = True
    is_fresh = True

    def run(self, x):
        return tuple(np.modf(x))

    def infer(self, x: ArrayType):
        return x, x

    def numpy_code(self, names, inputs, outputs, **params):
        return Code("np.modf({0})", "np.modf({0}, out=({out[0]}, {out[1]}))", in_place=True)


@pytest.mark.parametrize("size", [3, 10_000])
def test_operations_with_several_outputs_write_into_given_memory(size):
    primitive = Halves("halves")

    def f(x):
        fraction, whole = bind(primitive, x * 1.5)
        return np.sum(fraction * whole) + np.sum(whole)

    program = ft.make_ir(f)(np.ones(size))
    plan = str(plan_function(program))
    kind = "m" if size < 1000 else "w"
    assert f"c, d = halves b: over {kind}1, into {kind}2" in plan
    written = Written(program, frozenset(), "program")
    assert "out=(b, " in written.source or size > 1000
    x = np.linspace(-3.0, 7.0, size)
    for _ in range(2):
        (found,) = written.run(x)
        np.testing.assert_allclose(found, ft.evaluate(program, x)[0], rtol=1e-12)


def test_a_plan_is_written_as_often_as_one_likes():
    program = ft.make_ir(lambda x: np.tanh(x * 2.0) + x)(np.ones(3))
    plan = plan_function(program)
    before = str(plan)
    Written(program, frozenset(), "program")
    assert str(plan) == before == str(plan_function(program))
