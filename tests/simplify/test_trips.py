"""What scans do for all trips at once, before or after the loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.backends.numpy_passes import simplify, structures_for_numpy
from functrace.simplify import remove_dead_code, trips
from tests.simplify.helpers import assert_close, check_pass
from tests.strategies import programs

RNG = np.random.default_rng(0)


def improved(program):
    while True:
        before = program
        program = remove_dead_code(structures_for_numpy(remove_dead_code(program)))
        if program is before:
            return program


def check_values(f, *args):
    program = ft.make_ir(f)(*args)
    found = ft.check(simplify(program))
    leaves = ft.tree.leaves(args)
    assert_close(ft.evaluate(found, *leaves), ft.evaluate(program, *leaves))
    return found


# Sums over all trips


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


# What only goes to stacks


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


# What depends on rows only


def test_what_depends_on_rows_only_is_computed_before_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[5, 3], g: float64[3]):
            def body(d: float64[2, 3], k: float64[3], e: float64[5, 3], f: float64[5, 2]):
                h: float64[5, 3] = contract(f, d, subscripts='ab,bc->ac')
                i: float64[5, 3] = add(h, k)
                j: float64[5, 3] = multiply(e, i)
                return j
            d: float64[5, 3]; (d,) = scan(a, g, c, b, body=body, constants=2, carries=1, \
length=4, reverse=True)
            return d
        """,
        """
        def program(a: float64[2, 3], b: float64[4, 5, 2], c: float64[5, 3], d: float64[3]):
            e: float64[4, 5, 3] = contract(b, a, subscripts='dab,bc->dac')
            f: float64[4, 5, 3] = add(e, d)
            def body(g: float64[5, 3], h: float64[5, 3]):
                i: float64[5, 3] = multiply(g, h)
                return i
            j: float64[5, 3]; (j,) = scan(c, f, body=body, constants=0, carries=1, length=4, \
reverse=True)
            return j
        """,
    )


def test_operations_on_shapes_and_sums_are_computed_for_all_rows():
    check_pass(
        improved,
        """
        def program(a: float64[3, 2], b: float64[4, 3], c: float64[4], z: float64[3]):
            def body(k: float64[3, 2], e: float64[3], f: float64[3], x: float64):
                h: float64[3] = multiply(f, x)
                i: float64[2, 3] = transpose(k, permutation=(1, 0))
                j: float64[2, 3] = multiply(i, h)
                l: float64[2] = mean(j, axes=(1,), keepdims=False, dtype=None)
                m: float64[2, 1] = reshape(l, shape=(2, 1))
                n: float64[2, 3] = broadcast_to(m, shape=(2, 3))
                o: float64[3] = getitem(n, index=(0,))
                p: float64[3] = multiply(o, e)
                return p
            d: float64[3]; (d,) = scan(a, z, b, c, body=body, constants=1, carries=1, length=4, \
reverse=False)
            return d
        """,
        """
        def program(a: float64[3, 2], b: float64[4, 3], c: float64[4], d: float64[3]):
            e: float64[2, 3] = transpose(a, permutation=(1, 0))
            f: float64[4, 1] = reshape(c, shape=(4, 1))
            g: float64[4, 3] = multiply(b, f)
            h: float64[4, 1, 3] = reshape(g, shape=(4, 1, 3))
            i: float64[4, 2, 3] = multiply(e, h)
            j: float64[4, 2] = mean(i, axes=(2,), keepdims=False, dtype=None)
            k: float64[4, 2, 1] = reshape(j, shape=(4, 2, 1))
            l: float64[4, 2, 3] = broadcast_to(k, shape=(4, 2, 3))
            m: float64[4, 3] = getitem(l, index=(slice(None, None, None), 0))
            def body(n: float64[3], o: float64[3]):
                p: float64[3] = multiply(o, n)
                return p
            q: float64[3]; (q,) = scan(d, m, body=body, constants=0, carries=1, length=4, \
reverse=False)
            return q
        """,
    )


# What stays


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


def test_sums_leave_the_loop_up_to_limits(monkeypatch):
    assert not has_loop(loop())
    assert not has_loop(loop(length=trips.FEWEST_TRIPS))
    assert has_loop(loop(length=trips.FEWEST_TRIPS - 1))
    assert has_loop(loop(type="int64", term="negative(d)")), "integers stay"
    assert not has_loop(loop(shape="512"))
    assert has_loop(loop(shape="100000")), "large arrays are better added one by one"
    monkeypatch.setattr(trips, "LARGEST_STACKS", 9 * 8 * 512)
    assert not has_loop(loop(shape="512"))
    monkeypatch.setattr(trips, "LARGEST_STACKS", 9 * 8 * 512 - 1)
    assert has_loop(loop(shape="512")), "more memory than is allowed"


def test_sums_that_are_read_stay():
    assert has_loop(loop("sin(c)"))
    assert has_loop(loop("multiply(c, d)"))
    assert not has_loop(loop(outputs="(f, f)")), "the sum is read by a stack that nobody reads"

    def partial_sums(x):
        return ft.scan(lambda c, y: (c + np.sin(y), c), 0.0, x)

    found = simplify(ft.make_ir(partial_sums)(np.ones(9)))
    assert any(e.primitive.name == "scan" for e in found.equations)


def test_trips_of_unknown_number_stay():
    def f(x):
        def body(state):
            k, total, y = state
            return k + 1, total + np.sin(y), y * 0.9

        return ft.while_loop(lambda state: state[0] < 5, body, (0, 0.0, x))[1]

    check_values(ft.grad(f), 0.3)


def test_effects_stay_in_the_loop():
    seen = []

    def f(x):
        def step(total, y):
            z = np.sin(y)
            ft.debug.callback(lambda value: seen.append(float(value)), z)
            return total + z, None

        return ft.scan(step, 0.0, x)[0]

    x = np.arange(5.0)
    found = simplify(ft.make_ir(f)(x))
    np.testing.assert_allclose(ft.evaluate(found, x)[0], np.sin(x).sum())
    np.testing.assert_allclose(seen, np.sin(x))


def test_a_loop_of_no_trips_returns_what_it_was_given():
    f = lambda h, x: ft.scan(lambda c, y: (c + np.sin(y), np.cos(y)), h, x)
    check_values(f, 2.0, np.ones(0))


def test_divisions_of_the_way_back_stay_silent():
    def f(x, y):
        def step(c, z):
            return c * 0.5, np.where(z > 0, np.sqrt(z), 0.0)

        return np.sum(ft.scan(step, x, y)[1])

    y = np.array([0.0, 1.0, 2.0, 4.0, 0.0])
    found = ft.jit(ft.grad(f, 1))(1.0, y)  # warnings are errors here
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5**1.5, 0.25, 0.0])


# Values


def recurrent(params, start, xs):
    W, U, b = params

    def step(h, x):
        h = np.tanh(h @ W + x @ U + b)
        return h, h[0] * 2.0

    last, outputs = ft.scan(step, start, xs)
    return np.mean(last**2) + np.sum(outputs)


def arguments(dtype):
    rng = np.random.default_rng(0)
    params = [rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), rng.normal(size=4)]
    return (
        [x.astype(dtype) for x in params],
        np.zeros((2, 4), dtype),
        rng.normal(size=(7, 2, 3)).astype(dtype),
    )


def test_the_gradient_of_a_recurrent_network_has_short_loops():
    found = check_values(ft.grad(recurrent, (0, 1, 2)), *arguments(float))
    there, back = (e.params["body"] for e in found.equations if e.primitive.name == "scan")
    assert [e.primitive.name for e in there.equations] == ["contract", "add", "add", "tanh"]
    assert len(back.equations) <= 5


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_other_dtypes(dtype):
    f = lambda *args: np.real(recurrent(*args))
    args = arguments(dtype)
    program = ft.make_ir(ft.grad(f, (0, 1, 2)))(*args)
    found = ft.check(simplify(program))
    leaves = ft.tree.leaves(args)
    expected = ft.evaluate(program, *leaves)
    for x, y in zip(ft.evaluate(found, *leaves), expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)


def test_checkpointed_and_mapped_loops():
    args = arguments(float)

    def blocks(params, start, xs):
        block = ft.checkpoint(lambda h, x: (recurrent(params, h, x) * h, None))
        return np.sum(ft.scan(block, start, np.stack([xs, xs * 0.5]))[0])

    check_values(ft.grad(blocks, (0, 1, 2)), *args)
    check_values(
        ft.vmap(ft.grad(recurrent), in_axes=(None, None, 0)), *args[:2], np.stack([args[2]] * 3)
    )
    check_values(ft.hessian(lambda b: recurrent([*args[0][:2], b], *args[1:])), args[0][2])


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(programs(max_steps=6), st.booleans(), st.sampled_from([4, 9]))
def test_random_loops_have_the_same_values(drawn, reverse, length):
    body, inputs = drawn
    rows = RNG.random(length)

    def f(*xs):
        def step(carry, row):
            total, now = carry
            ys = ft.evaluate(body, *[x + row for x in now])
            loss = sum(np.sum(np.sin(y)) for y in ys)
            rest = [np.cos(row) * y for y in ys]
            return (total + loss * row, [0.9 * np.cos(x) for x in now]), rest

        (total, last), stacks = ft.scan(step, (0.0, list(xs)), rows, reverse=reverse)
        return total + sum(np.sum(x * x) for x in [*last, *stacks])

    check_values(f, *inputs)
    check_values(ft.grad(f, tuple(range(len(inputs)))), *inputs)


def test_a_carry_that_only_stacks_are_made_of():
    def f(c, xs):
        return ft.scan(lambda c, x: (x * 2.0, np.sin(c) * np.cos(c)), c, xs)

    c, xs = np.ones(3), np.arange(60.0).reshape(20, 3)
    found, expected = ft.jit(f)(c, xs), f(c, xs)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


# Counters, which are Python's numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_what_depends_on_a_counter_is_computed_for_all_trips_if_its_dtype_stays(dtype):
    x = np.arange(1, 4).astype(dtype)
    step = lambda i, c: c + np.sin(x * (2 * i - 1)) / (i + 1)
    f = lambda c: ft.fori_loop(0, 6, step, c)
    found = check_values(f, x)
    assert [e.primitive.name for e in found.equations].count("scan") == (dtype == np.float32)
    assert ft.evaluate(found, x)[0].dtype == f(x).dtype


def test_counters_beyond_64_bits_stay_python_s():
    f = lambda c: ft.fori_loop(0, 6, lambda i, c: c + (2**62 * (i + 1) // 2**62) * np.ones(3), c)
    np.testing.assert_array_equal(ft.jit(f)(np.zeros(3)), f(np.zeros(3)))


# What each trip reads again


def test_what_is_repeated_in_each_trip_is_repeated_once_before_the_loop():
    check_pass(
        improved,
        """
        def program(a: float64[3], b: float64[4, 3], c: float64[3]):
            def body(d: float64[3], e: float64[4, 3]):
                f: float64[4, 3] = add(d, e)
                g: float64[4, 3] = multiply(f, array((1.0, 2.0, 3.0), float64[3]))
                h: float64[4, 3] = tanh(g)
                return (h,)
            d: float64[4, 3] = scan(a, b, body=body, constants=1, carries=1, length=6, \
reverse=False)
            return (d,)
        """,
        """
        def program(a: float64[3], b: float64[4, 3], c: float64[3]):
            d: float64[4, 3] = broadcast_to(a, shape=(4, 3))
            def body(e: float64[4, 3], f: float64[4, 3]):
                g: float64[4, 3] = add(e, f)
                h: float64[4, 3] = multiply(g, array(((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), \
(1.0, 2.0, 3.0), (1.0, 2.0, 3.0)), float64[4, 3]))
                i: float64[4, 3] = tanh(h)
                return i
            j: float64[4, 3]; (j,) = scan(d, b, body=body, constants=1, carries=1, length=6, \
reverse=False)
            return j
        """,
    )


@pytest.mark.parametrize(
    ("shape", "operand"),
    [((3, 8), (8,)), ((3, 8), (1, 8)), ((), ()), ((8,), ()), ((70, 70), (70,)), ((8, 3), (8, 3))],
    ids=str,
)
def test_a_few_rows_and_large_ones_are_added_to_as_they_are(shape, operand):
    b = RNG.normal(size=operand)
    f = lambda x, b: ft.fori_loop(0, 9, lambda _, c: np.sin(c + b), x)
    program = check_values(f, RNG.normal(size=shape), b)
    assert "broadcast_to" not in str(program)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_matrices_that_stay_are_read_along_their_rows(dtype):
    def f(w, x):
        return ft.scan(lambda h, _: (np.tanh(h @ w.T), None), x, None, length=50)[0]

    w, x = (RNG.normal(size=shape).astype(dtype) for shape in ((5, 5), (3, 5)))
    program = check_values(f, w, x)
    text = str(program)
    assert "row_major" in text
    assert "'ij,jk->ik'" in text
    fast = ft.jit(f, backend="numpy")
    np.testing.assert_allclose(fast(w, x), f(w, x), rtol=1e-4 if dtype == np.float32 else 1e-12)
    # Too large for so few trips.
    large, x = RNG.normal(size=(90, 90)), RNG.normal(size=(3, 90))
    program = check_values(
        lambda w, x: ft.scan(lambda h, _: (h @ w.T / 9, None), x, None, length=5)[0], large, x
    )
    assert "row_major" not in str(program)


def test_the_left_matrix_of_a_product_is_laid_anew_too():
    def f(w, x):
        return ft.scan(lambda h, _: (np.tanh(w.T @ h), None), x, None, length=50)[0]

    text = str(check_values(f, RNG.normal(size=(5, 5)), RNG.normal(size=(5, 3))))
    assert "row_major" in text


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_second_derivatives_of_laid_operands(rows):
    def loss(w, b, x):
        step = lambda h, _: (np.tanh(h @ w + b), None)
        return np.sum(ft.scan(step, x, None, length=6)[0] ** 2)

    w, b, x = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=(rows, 3))
    ft.testing.check_grads(ft.jit(loss, backend="numpy"), (w, b, x), order=2)
    eager = ft.hessian(loss, argnums=1)(w, b, x)
    fast = ft.jit(ft.hessian(loss, argnums=1), backend="numpy")(w, b, x)
    np.testing.assert_allclose(fast, eager, rtol=1e-10)
