"""What choices and checkpoints lose: unused outputs, unused operands, and known choices."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.backends.numpy_passes import simplify
from functrace.simplify import improve_structures, remove_dead_code, simplify_algebra
from tests.simplify.helpers import assert_close, check_pass, check_unchanged


def improved(program):
    return remove_dead_code(improve_structures(remove_dead_code(program)))


def test_unused_outputs_and_operands_of_choices_are_left_out():
    check_pass(
        improved,
        """
        def program(a: int64, b: float64, c: float64, d: float64):
            def branches_0(e: float64, f: float64, g: float64, h: weak_float64):
                i: float64 = multiply(e, h)
                j: float64 = sin(f)
                return (i, j)
            def branches_1(k: float64, l: float64, m: float64, n: weak_float64):
                return (m, l)
            o: float64; p: float64; (o, p) = switch(a, b, c, d, 2.0, branches=\
(branches_0, branches_1))
            return o
        """,
        """
        def program(a: int64, b: float64, c: float64, d: float64):
            def branches_0(e: float64, f: float64):
                g: float64 = multiply(e, 2.0)
                return g
            def branches_1(h: float64, i: float64):
                return i
            j: float64; (j,) = switch(a, b, d, branches=(branches_0, branches_1))
            return j
        """,
    )


def test_of_a_known_choice_what_is_chosen_stays():
    check_pass(
        improved,
        """
        def program(a: float64):
            def branches_0(b: float64):
                c: float64 = sin(b)
                return c
            def branches_1(d: float64):
                e: float64 = cos(d)
                return e
            f: float64; (f,) = switch(7, a, branches=(branches_0, branches_1))
            return f
        """,
        """
        def program(a: float64):
            b: float64 = cos(a)
            return b
        """,
    )


def test_choices_of_each_example_are_simplified():
    def f(i, x, y):
        chosen = ft.switch(i, [lambda a, b: (a * 1.0, b), lambda a, b: (np.sin(a), a)], x, y)
        return chosen[0]

    mapped = ft.vmap(ft.value_and_grad(f, 1), (0, 0, None))
    arguments = np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]), 4.0
    program = ft.make_ir(mapped)(*arguments)
    assert_close(
        ft.evaluate(ft.check(simplify(program)), *arguments), ft.evaluate(program, *arguments)
    )


def test_checkpoints_compute_only_what_is_used():
    f = ft.checkpoint(lambda x, y: (np.sin(x), np.cos(y)))
    program = ft.check(simplify(ft.make_ir(lambda x, y: f(x, y)[0])(1.0, 2.0)))
    (equation,) = program.equations
    assert [e.primitive.name for e in equation.params["program"].equations] == ["sin"]
    assert len(equation.inputs) == 1


def test_a_product_of_a_choice_of_zero_needs_no_care():
    check_pass(
        lambda program: remove_dead_code(simplify_algebra(program)),
        """
        def program(a: bool[3], b: float64[3]):
            c: float64[3] = select(a, 0, 0.25)
            d: float64[3] = kept_product(c, b)
            e: float64[3] = select(a, 1.0, 0.0)
            f: float64[3] = product_or_zero(e, b)
            return (d, f)
        """,
        """
        def program(a: bool[3], b: float64[3]):
            c: float64[3] = multiply(0.25, b)
            d: float64[3] = select(a, 0, c)
            e: float64[3] = select(a, b, 0.0)
            return (d, e)
        """,
    )
    for text in (
        "select(a, 0, 2.0)",  # which could overflow where it is not chosen
        "select(a, 1.0, 0.5)",
        "select(a, b, 0)",
    ):
        check_unchanged(
            simplify_algebra,
            f"""
            def program(a: bool[3], b: float64[3]):
                c: float64[3] = {text}
                d: float64[3] = kept_product(c, b)
                return d
            """,
        )


def test_missing_data_need_no_care():
    data = np.array([1.0, np.nan, 3.0])
    matrix = np.arange(6.0).reshape(3, 2)
    f = ft.grad(lambda w: np.nansum((data - matrix @ w) ** 2))
    source = ft.jit(f).source(np.ones(2))
    assert "kept" not in source
    assert "require_finite" not in source
    np.testing.assert_allclose(ft.jit(f)(np.ones(2)), f(np.ones(2)), rtol=1e-12)
