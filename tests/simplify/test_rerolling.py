"""Loops found again: which equations become a scan, and that it does the same."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
import functrace.numpy as fnp
from functrace.ir.structure import Loop, structure_of
from functrace.simplify import rerolling
from tests.simplify.helpers import assert_same_bits, check_pass, check_unchanged

reroll = partial(rerolling.reroll, smallest=0, saved=3, large=0)


def loops(program):
    """The loops of a Program, outermost only, but for those that the functions here write."""
    found = map(structure_of, program.equations)
    return [s for s in found if isinstance(s, Loop) and s.length is not None and s.length > 3]


def check_rerolled(f, *args, count: int = 1, reroll=reroll) -> Any:
    """Check that the Program of a function has so many loops then, and does the same."""
    program = ft.make_ir(f)(*args)
    found = ft.check(reroll(program))
    assert len(loops(found)) == count
    leaves = ft.tree.leaves(args)
    assert_same_bits(ft.evaluate(found, *leaves), ft.evaluate(program, *leaves))
    return found


# Text in, text out


def test_what_the_trip_before_has_made_is_a_carry_and_what_all_read_a_constant():
    check_pass(
        reroll,
        """
        def program(a: float64[3], b: float64[3]):
            c: float64[3] = multiply(a, b)
            d: float64[3] = sin(c)
            e: float64[3] = multiply(d, b)
            f: float64[3] = sin(e)
            g: float64[3] = multiply(f, b)
            h: float64[3] = sin(g)
            i: float64[3] = multiply(h, b)
            j: float64[3] = sin(i)
            return j
        """,
        """
        def program(a: float64[3], b: float64[3]):
            def body(c: float64[3], d: float64[3]):
                e: float64[3] = multiply(d, c)
                f: float64[3] = sin(e)
                return f
            g: float64[3]; (g,) = scan(b, a, body=body, constants=1, carries=1, length=4, \
reverse=False)
            return g
        """,
    )


def test_numbers_that_differ_are_rows():
    check_pass(
        reroll,
        """
        def program(a: weak_float64):
            b: weak_float64 = multiply(a, 2.0)
            c: weak_float64 = multiply(b, 3.0)
            d: weak_float64 = multiply(c, 5.0)
            e: weak_float64 = multiply(d, -0.0)
            f: weak_float64 = multiply(e, 7.0)
            return f
        """,
        """
        def program(a: weak_float64):
            def body(b: weak_float64, c: weak_float64):
                d: weak_float64 = multiply(b, c)
                return d
            e: weak_float64; (e,) = scan(a, array((2.0, 3.0, 5.0, -0.0, 7.0), float64[5]), \
body=body, constants=0, carries=1, length=5, reverse=False)
            return e
        """,
    )


def test_rows_of_an_array_are_read_as_rows():
    check_pass(
        reroll,
        """
        def program(a: float64[2], b: float64[6, 2]):
            c: float64[2] = getitem(b, index=(1,))
            d: float64[2] = add(a, c)
            e: float64[2] = getitem(b, index=(2,))
            f: float64[2] = add(d, e)
            g: float64[2] = getitem(b, index=(3,))
            h: float64[2] = add(f, g)
            i: float64[2] = getitem(b, index=(4,))
            j: float64[2] = add(h, i)
            return j
        """,
        """
        def program(a: float64[2], b: float64[6, 2]):
            c: float64[4, 2] = getitem(b, index=(slice(1, 5, 1),))
            def body(d: float64[2], e: float64[2]):
                f: float64[2] = add(d, e)
                return f
            g: float64[2]; (g,) = scan(a, c, body=body, constants=0, carries=1, length=4, \
reverse=False)
            return g
        """,
    )


def test_an_index_into_what_trips_write_is_a_row():
    check_pass(
        reroll,
        """
        def program(a: float64[6]):
            b: float64 = element(a, index=(0,))
            c: float64[6] = index_update(a, b, index=(1,))
            d: float64 = element(c, index=(1,))
            e: float64[6] = index_update(c, d, index=(2,))
            f: float64 = element(e, index=(2,))
            g: float64[6] = index_update(e, f, index=(3,))
            h: float64 = element(g, index=(3,))
            i: float64[6] = index_update(g, h, index=(4,))
            return i
        """,
        """
        def program(a: float64[6]):
            def body(b: float64[6], c: weak_int64, d: weak_int64):
                e: float64 = gather(b, c, index=('indices',), unique=True)
                f: float64[6] = index_update(b, e, d, index=('indices',), unique=True)
                return f
            g: float64[6]; (g,) = scan(a, array((0, 1, 2, 3), int64[4]), \
array((1, 2, 3, 4), int64[4]), body=body, constants=0, carries=1, length=4, reverse=False)
            return g
        """,
    )


def test_a_second_loop_reads_the_trips_of_the_first_in_reverse():
    check_pass(
        reroll,
        """
        def program(a: float64):
            b: float64 = sin(a)
            c: float64 = sin(b)
            d: float64 = sin(c)
            e: float64 = sin(d)
            f: float64 = multiply(e, d)
            g: float64 = multiply(f, c)
            h: float64 = multiply(g, b)
            i: float64 = multiply(h, a)
            return i
        """,
        """
        def program(a: float64):
            def body(b: float64):
                c: float64 = sin(b)
                return (c, b)
            d: float64; e: float64[4]; (d, e) = scan(a, body=body, constants=0, carries=1, \
length=4, reverse=False)
            f: float64[4] = getitem(e, index=(slice(3, None, -1),))
            def body(g: float64, h: float64):
                i: float64 = multiply(g, h)
                return i
            j: float64; (j,) = scan(d, f, body=body, constants=0, carries=1, length=4, \
reverse=False)
            return j
        """,
    )


def test_small_programs_and_what_does_not_repeat_itself_stay():
    text = """
        def program(a: float64):
            b: float64 = sin(a)
            c: float64 = sin(b)
            d: float64 = cos(c)
            e: float64 = sin(d)
            f: float64 = sin(e)
            g: float64 = sin(f)
            return g
        """
    check_unchanged(reroll, text)
    check_unchanged(rerolling.reroll, text)


def test_rows_alone_are_no_loop():
    check_rerolled(lambda x: fnp.stack([x[n] for n in range(20)]), np.arange(20.0), count=0)


# What trips read and what is read of them


def test_values_of_trips_may_be_read_one_by_one():
    def f(x):
        found = []
        for _ in range(12):
            x = np.sin(x) * 2.0
            found.append(x)
        return found[3], found[-1], found[-2], found[0]

    check_rerolled(f, np.ones(3))
    check_rerolled(f, np.float32(0.5))
    check_rerolled(lambda x: f(np.sin(x))[:1], 0.5)


def test_python_numbers_of_trips_stay_python_numbers():
    def f(x, y):
        found = []
        for _ in range(12):
            x = x * 1.5 - x
            found.append(x)
        return found[4] * y, found[10], found[11] * y

    program = check_rerolled(f, 0.5, np.ones(2, np.float32))
    assert program.outputs[0].type.dtype == np.float32
    assert program.outputs[1].type.weak


def test_stacks_of_all_trips_are_those_of_the_loop():
    def f(x):
        found = []
        for _ in range(12):
            x = np.sin(x)
            found.append(x)
        return np.stack(found), np.concatenate(found), np.stack(found[::-1]), np.stack(found, 1)

    program = check_rerolled(f, np.ones((2, 3)))
    assert len(program.equations) < 40


def test_what_trips_long_ago_have_made_is_a_carry_too():
    def f(x):
        found = [x, x + 1, x + 2]
        for _ in range(12):
            found.append(np.sin(found[-1]) - found[-3] * found[-2])
        return found[-1]

    check_rerolled(f, np.ones(2))
    check_rerolled(f, 0.25)


def test_a_value_of_the_first_trip_that_all_others_read_is_a_constant():
    def f(x):
        first = None
        for _ in range(12):
            x = np.sin(x)
            first = x if first is None else first
            x = x * first
        return x

    check_rerolled(f, np.ones(2))


def test_one_trip_that_is_unlike_the_others_divides_the_loop():
    def f(x, y):
        for n in range(24):
            x = np.sin(x) * (x if n < 12 else y)
        return x

    check_rerolled(f, 0.5, 0.25, count=2)


def test_inputs_one_for_each_trip_are_stacked():
    def f(x, ys):
        for y in ys:
            x = np.sin(x) + y
        return x

    check_rerolled(f, np.ones(2), [np.full(2, n / 10) for n in range(12)])
    check_rerolled(f, np.ones(2), [n / 10 for n in range(12)])


def test_indices_in_any_order_are_read_at_once():
    x = np.arange(60.0).reshape(3, 4, 5)
    order = [3, 1, -1, 0, 2, 2, 1, 0, 3, -2, 1, 0]

    def rows(x, total):
        for n in order:
            total = np.sin(total) + x[:, n, 1:]
        return total

    def elements(x, total):
        for n, m in zip(order, order[::-1], strict=True):
            total = np.sin(total) + x[-1, n, m]
        return total

    def columns(x, total):
        for n in range(4, -1, -1):
            total = np.sin(total) * x[..., n][1:, None]
        return total

    check_rerolled(rows, x, np.zeros((3, 4)))
    check_rerolled(elements, x, 0.0)
    check_rerolled(columns, x, np.ones(4))


def test_writing_at_indices():
    def f(x):
        x = x.copy()
        for n in range(1, 12):
            x[n, 2] = x[n - 1, 1] * 0.5 + x[-n, 0]
            x[n] += x[n - 1]
        return x

    check_rerolled(f, np.arange(36.0).reshape(12, 3))


def test_large_integers_are_no_rows():
    def f(x):
        for n in range(12):
            x = x * (2**70 + n)
        return x

    check_rerolled(f, 0.5, count=0)


def test_constants_of_other_types_or_bits_are_told_apart():
    def f(x):
        for n in range(12):
            x = x + (0.0 if n % 2 else -0.0)
        return x, 1 / x

    with np.errstate(all="ignore"):
        check_rerolled(f, np.array([-0.0]))

    def g(x):
        for n in range(12):
            x = np.multiply(x, np.float64(2.0) if n % 2 else 2.0)
        return x

    check_rerolled(g, np.ones(2, np.float64))


def test_scopes_and_handling_of_errors_divide_loops():
    def scoped(x):
        for n in range(12):
            with ft.named_scope(f"step{n}"):
                x = np.sin(x)
        return x

    check_rerolled(scoped, 0.5, count=0)

    def handled(x):
        for n in range(12):
            with np.errstate(divide="ignore" if n % 2 else "warn"):
                x = np.sin(x)
        return x

    check_rerolled(handled, 0.5, count=1)


def test_nested_loops_are_found_from_the_outermost():
    def f(x):
        for _ in range(6):
            for n in range(5):
                x = np.sin(x) * n
            x = x + 1.0
            for _ in range(5):
                x = np.cos(x) - 0.5
        return x

    program = check_rerolled(f, np.ones(2))
    assert len(loops(reroll(loops(program)[0].body))) == 2


def test_triangular_loops():
    def f(a):
        a = a.copy()
        size = len(a)
        for i in range(size):
            for j in range(i):
                for k in range(j):
                    a[i, j] -= a[i, k] * a[k, j]
                a[i, j] /= a[j, j]
            for j in range(i, size):
                for k in range(i):
                    a[i, j] -= a[i, k] * a[k, j]
        return a

    a = np.random.default_rng(0).normal(size=(8, 8)) + 8 * np.eye(8)
    program = ft.make_ir(f)(a)
    found = ft.check(rerolling.reroll(program, 0, 40, 0))
    assert loops(found)
    assert_same_bits(ft.evaluate(found, a), ft.evaluate(program, a))


# Effects, errors, and what holds Programs


def test_effects_keep_their_order(capsys):
    def f(x):
        for n in range(6):
            x = x * 2.0
            ft.debug.print("{} {}", x, n)
        return x

    program = ft.make_ir(f)(1.0)
    expected = ft.evaluate(program, 1.0)
    printed = capsys.readouterr().out
    found = ft.check(reroll(program))
    assert ft.evaluate(found, 1.0) == expected
    assert capsys.readouterr().out == printed != ""


def test_errors_name_the_line():
    def f(x):
        for n in range(400):
            x = np.linalg.cholesky(x - np.eye(2) * float(n == 300) * 2.0)
            x = x @ x.T
            x = x * 2.0
            x = x * 0.5
        return x

    with pytest.raises(np.linalg.LinAlgError) as error:
        ft.jit(f)(np.eye(2))
    assert "test_rerolling.py" in "".join(error.value.__notes__)


def test_loops_choices_and_checkpoints_within_trips():
    @ft.jit
    def halved(x):
        return x * 0.5

    @ft.checkpoint
    def waved(x):
        return np.sin(x) * x

    def f(x):
        for _ in range(6):
            x = halved(x) + 1.0
            x = ft.cond(np.sum(x) > 1.0, np.cos, np.sin, x)
            x, _ = ft.scan(lambda c, _: (c * 0.9, None), x, None, 3)
            x = waved(x)
        return x

    check_rerolled(f, np.ones(2))
    check_rerolled(ft.grad(lambda x: np.sum(f(x))), np.ones(2), count=2)


def test_a_gradient_has_two_loops():
    def f(w, x):
        h = np.zeros(3)
        total = 0.0
        for t in range(20):
            h = np.tanh(h @ w + x[t])
            total = total + np.sum(h**2)
        return total

    rng = np.random.default_rng(0)
    args = rng.normal(size=(3, 3)), rng.normal(size=(20, 3))
    program = check_rerolled(ft.grad(f, (0, 1)), *args, count=2)
    assert len(program.equations) < 80


def test_what_trips_are_handed_is_stacked_rather_than_joined():
    def f(x, scale):
        for _ in range(20):
            x = x * x * scale
        return x

    program = check_rerolled(ft.grad(f), 0.9, 1.1, count=2)
    assert "concatenate" not in [e.primitive.name for e in program.equations]

    def forward(x):
        found = [x]
        for _ in range(20):
            x = np.sin(x)
            found.append(x)
        return x, np.stack(found[:-1]), np.stack(found[:-3])

    program = check_rerolled(forward, np.ones(3))
    assert "concatenate" not in [e.primitive.name for e in program.equations]


# Through jit


def steps(x, y):
    for n in range(120):
        z = x * 0.01 * y
        x = x + (0.5 * x - z) * 0.01 + n
        y = y + (z - 0.25 * y) * 0.01
        y = y * np.cos(x) if n % 1 == 0 else y
    return x * y


def test_jit_writes_loops_and_gives_the_same():
    for f in (steps, ft.grad(steps, (0, 1)), ft.value_and_grad(steps)):
        compiled = ft.jit(f)
        for args in ((1.0, 2.0), (np.float32(1.0), np.float32(2.0))):
            found, expected = ft.tree.leaves(compiled(*args)), ft.tree.leaves(f(*args))
            for one, other in zip(found, expected, strict=True):
                assert np.asarray(one).dtype == np.asarray(other).dtype
                assert type(one) is type(other)
                np.testing.assert_allclose(one, other, rtol=1e-4)
            assert compiled.source(*args).count("\n") < 500


def test_a_program_without_loops_may_be_large():
    def f(x):
        for n in range(400):
            x = np.sin(x) if n * n % 7 == 1 else np.cos(x) + (x if n * n % 11 == 5 else 0.0)
        return x

    program = ft.make_ir(f)(0.5)
    found = rerolling.reroll(program, 0)
    assert_same_bits(ft.evaluate(found, 0.5), ft.evaluate(program, 0.5))


# Drawn steps

OPERATIONS = ["add", "subtract", "multiply", "sin", "tanh", "maximum", "where", "row", "number"]


@st.composite
def step_functions(draw):
    """A function of a few values and an array of rows, with a loop whose trips do what is drawn."""
    trips = draw(st.integers(4, 9))
    count = draw(st.integers(1, 3))
    operations = [
        (draw(st.sampled_from(OPERATIONS)), draw(st.integers(0, 9)), draw(st.integers(0, 9)))
        for _ in range(draw(st.integers(1, 5)))
    ]
    memory = draw(st.integers(1, 3))
    keeps = [draw(st.integers(0, 9)) for _ in range(count)]
    special = draw(st.sampled_from([None, 0, 1, trips - 1, trips // 2]))
    picked = draw(st.lists(st.integers(0, trips - 1), max_size=3))
    stride = draw(st.sampled_from([1, -1, 2]))

    def f(values, xs):
        history = [list(values) for _ in range(memory)]
        for n in range(trips):
            known = [*history[-1], *history[-memory], 0.5]
            for name, i, j in operations:
                x, y = known[i % len(known)], known[j % len(known)]
                if name in ("sin", "tanh"):
                    z = getattr(np, name)(x)
                elif name == "where":
                    z = np.where(x > y, x, 0.25)
                elif name == "row":
                    z = x * xs[(stride * n + j) % len(xs), i % 2]
                elif name == "number":
                    z = x * (0.5 + n / 7)
                else:
                    z = getattr(np, name)(x, y)
                known.append(z)
            if n == special:
                known.append(np.cos(known[-1]))
            history.append([known[-1 - keep % len(known)] for keep in keeps])
        return [*history[-1], *(x for n in picked for x in history[n + memory])]

    return f, count


TYPES = ["weak", "double", "single", "array", "half array"]


def value_of(kind, number):
    return {
        "weak": number,
        "double": np.float64(number),
        "single": np.float32(number),
        "array": np.array([number, -number]),
        "half array": np.array([number, 1.0], np.float16),
    }[kind]


@given(step_functions(), st.lists(st.sampled_from(TYPES), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_drawn_loops_do_the_same(step, kinds):
    f, count = step
    values = [value_of(kind, 0.3 + n / 5) for n, kind in enumerate(kinds[:count])]
    xs = np.linspace(-1, 1, 24).reshape(12, 2)
    program = ft.make_ir(f)(values, xs)
    found = ft.check(reroll(program))
    assert_same_bits(ft.evaluate(found, *values, xs), ft.evaluate(program, *values, xs))


@given(step_functions(), st.lists(st.sampled_from(TYPES[:4]), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_gradients_of_drawn_loops_are_the_same(step, kinds):
    f, count = step
    values = [value_of(kind, 0.3 + n / 5) for n, kind in enumerate(kinds[:count])]
    xs = np.linspace(-1, 1, 24).reshape(12, 2)
    total = lambda values, xs: sum(np.sum(x) for x in f(values, xs))
    program = ft.make_ir(ft.grad(total, (0, 1)))(values, xs)
    found = ft.check(reroll(program))
    assert_same_bits(ft.evaluate(found, *values, xs), ft.evaluate(program, *values, xs))


def test_equal_constants_of_other_classes_are_told_apart_where_they_are_returned():
    def f(x):
        for _ in range(12):
            x = np.sin(x) * np.array(2.0)
        return x, np.float64(2.0), np.array(2.0)

    program = ft.make_ir(f)(0.5)
    found = reroll(program)
    assert [type(x) for x in ft.evaluate(found, 0.5)] == [np.float64, np.float64, np.ndarray]
