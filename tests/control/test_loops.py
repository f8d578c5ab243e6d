"""Loops, each against the same thing written in Python, under every transformation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace import errors
from functrace.transforms.tape import Tape
from tests.agreement import recorded
from tests.control.agreeing import ROWS, X, assert_agrees, assert_same, scan_in_python

# scan


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_of_rows(reverse):
    step = lambda c, x: (np.sin(c) * x + c, c * x)
    f = lambda c, xs: ft.scan(step, c, xs, reverse=reverse)
    assert_agrees(f, lambda c, xs: scan_in_python(step, c, xs, reverse), X, ROWS)


def test_scan_of_a_length_only():
    f = lambda c: ft.scan(lambda c, _: (np.sin(c), c), c, length=3)
    assert_agrees(f, lambda c: scan_in_python(lambda c, _: (np.sin(c), c), c, [None] * 3), X)


def test_scan_that_closes_over_traced_values():
    def f(scan):
        def run(w, x):
            y = np.cos(x)

            def step(c, row):
                return c * w + row * y[0], np.sum(c) * w[1] + x

            return scan(step, x, w * ROWS)

        return run

    assert_agrees(f(ft.scan), f(scan_in_python), np.array([0.3, 0.9]), X)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: ft.jit(f),
        lambda f: ft.grad(f),
        lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1],
        lambda f: lambda x: ft.vmap(f)(np.reshape(x, (1,)))[0],
    ],
    ids=["jit", "grad", "jvp", "vmap"],
)
@pytest.mark.parametrize(
    "outer",
    [
        lambda f: ft.jit(f),
        lambda f: ft.grad(f),
        lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1],
        lambda f: lambda x: ft.vmap(f)(np.reshape(x, (1,)))[0],
    ],
    ids=["jit", "grad", "jvp", "vmap"],
)
@pytest.mark.parametrize("kind", ["scan", "while", "fori", "cond"])
def test_transformations_inside_and_outside_a_body(transform, outer, kind):
    def body(x, in_body):
        inner = lambda c: np.sin(c * x) + x * c**2
        if not in_body:
            inner = transform(inner)
            c = inner(inner(1.1))
            return inner(c) if kind == "cond" else c
        if kind == "scan":
            return ft.scan(lambda c, _: (transform(inner)(c), None), 1.1, length=2)[0]
        if kind == "fori":
            return ft.fori_loop(0, 2, lambda i, c: transform(inner)(c), 1.1)
        if kind == "cond":
            c = transform(inner)(transform(inner)(1.1))
            return ft.cond(x < 5, lambda c: transform(inner)(c), lambda c: c, c)
        start = (0, 1.1 + 0 * x)
        go = lambda c: (c[0] + 1, transform(inner)(c[1]))
        return ft.while_loop(lambda c: c[0] < 2, go, start)[1]

    expected = outer(lambda x: body(x, False))(0.3)
    np.testing.assert_allclose(outer(lambda x: body(x, True))(0.3), expected, rtol=1e-12)


def test_integer_and_boolean_carries():
    def step(carry, x):
        total, count, seen = carry
        big = x[0] > 0.3
        return (total + np.where(seen, x, 2 * x), count + big, seen | big), (count, big, total)

    def reference(total, xs):
        carry, rows = (total, np.int64(0), np.False_), []
        for x in xs:
            carry, y = step(carry, x)
            rows.append(y)
        return carry, tuple(np.stack(column) for column in zip(*rows, strict=True))

    f = lambda total, xs: ft.scan(step, (total, np.int64(0), np.False_), xs)
    assert_agrees(f, reference, X, ROWS)


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit], ids=["plain", "jit"])
def test_empty_trees_as_carry_rows_and_results(transform):
    x = np.arange(3.0)
    assert transform(lambda: ft.scan(lambda c, r: (c, r), None, None, length=2))() == (None, None)
    assert transform(lambda: ft.scan(lambda c, r: (c, r), {}, (), length=2))() == ({}, ())
    c, y = transform(lambda x: ft.scan(lambda c, r: (None, {"a": r, "b": None}), None, x))(x)
    assert c is None
    assert y["b"] is None
    np.testing.assert_array_equal(y["a"], x)
    c, y = transform(
        lambda x: ft.scan(lambda c, r: ((c[0] + r["x"], None), ()), (0.0, None), {"x": x})
    )(x)
    assert (c, y) == ((3.0, None), ())
    assert transform(lambda: ft.while_loop(lambda c: False, lambda c: c, ()))() == ()
    assert transform(lambda: ft.fori_loop(0, 3, lambda i, c: c, {"a": None}))() == {"a": None}


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit], ids=["plain", "jit"])
def test_scan_of_no_rows(transform):
    step = lambda c, r: (c * 2, (r + np.float32(1), np.astype(c, np.int32), r > 0))
    f = lambda c, xs: ft.scan(step, c, xs)
    c, (a, b, d) = transform(f)(np.float64(3.0), np.zeros((0, 4), np.float32))
    assert c == 3.0
    assert [x.shape for x in (a, b, d)] == [(0, 4), (0,), (0, 4)]
    assert [x.dtype.name for x in (a, b, d)] == ["float32", "int32", "bool"]
    loss = lambda c, xs: np.sum(f(c, xs)[1][0]) + f(c, xs)[0]
    g = transform(ft.grad(loss, (0, 1)))(3.0, np.zeros((0, 4)))
    assert g[0] == 1.0
    assert g[1].shape == (0, 4)
    many = transform(ft.vmap(f, (0, None)))(np.arange(5.0), np.zeros((0, 4), np.float32))
    assert [x.shape for x in ft.tree.leaves(many)] == [(5,), (5, 0, 4), (5, 0), (5, 0, 4)]
    _, tangent = ft.jvp(loss, (3.0, np.zeros((0, 4))), (2.0, np.zeros((0, 4))))
    assert tangent == 2.0


def test_no_examples():
    f = lambda c: ft.scan(lambda c, r: (c + r, c * r), c, np.arange(3.0))
    g = lambda c: ft.while_loop(lambda c: c < 5.0, lambda c: c + 1.0, c)
    h = lambda n, c: ft.fori_loop(0, n, lambda i, c: c * 2.0, c)
    for wrap in (lambda f: f, ft.jit):
        c, y = wrap(ft.vmap(f))(np.zeros(0))
        assert (c.shape, y.shape) == ((0,), (0, 3))
        assert wrap(ft.vmap(g))(np.zeros(0)).shape == (0,)
        assert wrap(ft.vmap(ft.grad(g)))(np.zeros(0)).shape == (0,)
        assert wrap(ft.vmap(h))(np.zeros(0, int), np.zeros((0, 2))).shape == (0, 2)


def test_bodies_that_return_constants_or_their_own_input():
    f = lambda x: ft.scan(lambda c, r: (c, 1.0), x, ROWS)
    assert_agrees(f, lambda x: (x, np.ones(3)), X)
    f = lambda x: ft.scan(lambda c, r: (np.ones(2), c), x, ROWS)
    assert_agrees(f, lambda x: (np.ones(2), np.stack([x, np.ones(2), np.ones(2)])), X)
    f = lambda x: ft.scan(lambda c, r: (r, r), x, ROWS * x)
    assert_agrees(f, lambda x: (ROWS[-1] * x, ROWS * x), X)
    f = lambda x: ft.scan(lambda c, r: (c, x), np.zeros(2), ROWS)
    assert_agrees(f, lambda x: (np.zeros(2), np.stack([x, x, x])), X)
    f = lambda x: ft.scan(lambda c, r: ((c[1], c[0]), (c[0], c[0])), (x, 2 * x), ROWS)
    assert_agrees(
        f,
        lambda x: ((2 * x, x), (np.stack([x, 2 * x, x]), np.stack([x, 2 * x, x]))),
        X,
    )


def test_repeated_arguments():
    f = lambda x: ft.scan(
        lambda c, r: ((c[0] * r[0], c[1] + r[1]), c[0] * c[1]), (x[0], x[0]), (x, x)
    )

    def reference(x):
        a = b = x[0]
        ys = []
        for r in x:
            ys.append(a * b)
            a, b = a * r, b + r
        return (a, b), np.stack(ys)

    assert_agrees(f, reference, np.array([0.5, 1.5, -0.7]))


def test_python_numbers_in_carries_take_the_dtype_of_the_rows():
    rows = np.arange(3, dtype=np.float32)
    f = lambda xs: ft.scan(lambda c, x: (c + x, c), 0.0, xs)
    for run in (f, ft.jit(f)):
        c, y = run(rows)
        assert (c, c.dtype, y.dtype) == (3.0, np.float32, np.float32)
    g = lambda xs: ft.scan(lambda c, x: (c + x, c * x), 0, xs)
    for run in (g, ft.jit(g)):
        c, y = run(rows)
        assert (c, c.dtype, y.dtype) == (3.0, np.float32, np.float32)
    gradient = ft.grad(lambda xs: ft.scan(lambda c, x: (c + x * x, None), 0.0, xs)[0])(rows)
    assert_same(gradient, 2 * rows)


def test_mixed_dtypes():
    step = lambda c, x: ((c[0] + x, c[1] * 2), c[0].astype(np.float32) + c[1])
    f = lambda a, xs: ft.scan(step, (a, np.float32(1.0)), xs)
    rows = np.arange(3.0)
    expected = f(np.float64(0.5), rows)
    assert [x.dtype.name for x in ft.tree.leaves(expected)] == ["float64", "float32", "float32"]
    assert_same(ft.jit(f)(np.float64(0.5), rows), expected)
    loss = lambda a: f(a, rows)[0][0] + np.sum(f(a, rows)[1])
    assert ft.grad(loss)(0.5) == ft.grad(ft.jit(loss))(0.5) == 4.0


def test_scan_over_trees_of_rows():
    xs = {"a": np.arange(3.0), "b": (np.ones((3, 2)), np.arange(3))}
    step = lambda c, x: (c + x["a"] * np.sum(x["b"][0]), {"n": x["b"][1] * 2, "c": c})
    for run in (ft.scan, ft.jit(ft.scan, static_argnums=0)):
        c, y = run(step, 0.0, xs)
        assert c == 6.0
        assert_same(y, {"n": np.array([0, 2, 4]), "c": np.array([0.0, 0.0, 2.0])})


def test_updates_in_place_inside_a_body():
    def step(c, i):
        c = c.copy()
        c[i] = np.sin(c[i]) + c[0]
        return c, c[i]

    f = lambda x: ft.scan(step, x, np.array([1, 0, 1]))
    assert_agrees(f, lambda x: scan_in_python(step, x, np.array([1, 0, 1])), X)


# while_loop


def test_while_loop():
    go_on = lambda c: np.sum(c[0]) < 6.0
    step = lambda c: (c[0] * 1.5 + np.sin(c[0]) ** 2, c[1] + 1)

    def reference(x):
        c = (x, np.int64(0))
        while go_on(c):
            c = step(c)
        return c

    assert_agrees(lambda x: ft.while_loop(go_on, step, (x, np.int64(0))), reference, X + 1)


def test_while_loop_that_closes_over_traced_values_in_both_functions():
    def reference(x, limit):
        y, c = np.sin(x), x
        while c < limit * 2:
            c = c * 1.5 + y
        return c * y

    def f(x, limit):
        y = np.sin(x)
        return y * ft.while_loop(lambda c: c < limit * 2, lambda c: c * 1.5 + y, x)

    assert_agrees(f, reference, np.float64(0.9), np.float64(3.1))


def test_while_loop_without_a_trip():
    f = lambda x: ft.while_loop(lambda c: c[0] < 0, lambda c: (c[0] * 2, c[1] / 0), (x, x * 3))
    assert_agrees(f, lambda x: (x, x * 3), np.float64(0.7))
    g = ft.jit(lambda x: ft.while_loop(lambda c: False, lambda c: c * np.ones(2) * x, x))
    assert_same(ft.vjp(g, X)[1](np.ones(2))[0], np.ones(2))


def test_a_condition_that_is_the_same_for_all_examples():
    f = lambda x: ft.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (np.int64(0), x)
    )
    assert_agrees(f, lambda x: (np.int64(3), x**4), np.float64(0.7))


# fori_loop


@pytest.mark.parametrize(("lower", "upper"), [(0, 4), (-2, 1), (3, 3), (5, 2), (-3, -5)])
def test_fori_loop(lower, upper):
    def reference(x):
        for i in range(lower, upper):
            x = np.sin(x) + i * x
        return x

    f = lambda x: ft.fori_loop(lower, upper, lambda i, x: np.sin(x) + i * x, x)
    assert_agrees(f, reference, X)
    traced = lambda a, b, x: ft.fori_loop(a, b, lambda i, x: np.sin(x) + i * x, x)
    assert_same(ft.jit(traced)(lower, upper, X), reference(X))
    slope = ft.grad(lambda a, b, x: np.sum(ft.jit(traced)(a, b, x)), 2)
    assert_same(slope(lower, upper, X), ft.grad(lambda x: np.sum(reference(x)))(X))


def test_fori_loop_with_bounds_of_each_example():
    f = lambda a, b: ft.fori_loop(a, b, lambda i, c: c + i, 0)
    a, b = np.array([0, 2, 5, -2]), np.array([4, 2, 3, 2])
    expected = [sum(range(p, q)) for p, q in zip(a, b, strict=True)]
    for run in (ft.vmap(f), ft.jit(ft.vmap(f))):
        np.testing.assert_array_equal(run(a, b), expected)


def test_fori_loop_that_indexes_by_its_counter():
    def reference(x):
        total = np.zeros(2)
        for i in range(3):
            total = total + ROWS[i] * x[i]
        return total

    f = lambda x: ft.fori_loop(0, 3, lambda i, t: t + ROWS[i] * x[i], np.zeros(2))
    assert_agrees(f, reference, np.array([0.3, 0.2, -0.4]))
    upto = lambda n, x: ft.fori_loop(0, n, lambda i, t: t + x[i] * x[i], 0.0)
    x = np.arange(1.0, 5.0)
    np.testing.assert_array_equal(ft.grad(ft.jit(upto), 1)(2, x), [2.0, 4.0, 0.0, 0.0])


COUNTED = {
    "multiply": lambda i, c: c * i,
    "add": lambda i, c: i + c,
    "floor_divide": lambda i, c: c // (i + 1),
    "divide": lambda i, c: c / (i + 1),
    "power": lambda i, c: c**i,
    "replace": lambda i, c: i,
    "choose": lambda i, c: np.where(i % 2 == 0, c, c + i),
    "compare": lambda i, c: c * (i > 1),
    "fill": lambda i, c: c + np.full_like(c, i),
    "extreme": lambda i, c: np.maximum(c, i),
    "branch": lambda i, c: ft.cond(i > 1, lambda c: c * i, lambda c: c, c),
}

DTYPES = "?bBhHiIlLefdFD"
CARRIES = st.sampled_from(
    [
        *(True, 2, 1.5, 1j),
        *(np.dtype(code).type(1) for code in DTYPES),
        *(np.ones(2, code) for code in DTYPES),
    ]
)
BOUNDS = st.sampled_from(
    [
        *[(0, 3), (np.int32(0), np.int32(3)), (0, np.int8(3)), (np.int64(1), 4), (False, True)],
        *[(np.uint8(0), np.uint64(3)), (np.int64(0), np.uint64(3)), (np.array(0), np.array(3))],
        *[(0, 0), (np.int16(2), np.int16(2)), (0.0, 3.0), (np.float32(0), 3.0)],
    ]
)


def outcome(f, *args):
    """What a function returns, or the kind of error that it raises."""
    try:
        return f(*args)
    except (errors.CarryError, errors.BranchOutputError) as error:
        return error.__class__
    except TypeError:
        return TypeError


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(COUNTED)), CARRIES, BOUNDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_counter_means_the_same_in_every_mode(name, carry, bounds):
    f = lambda c: ft.fori_loop(*bounds, COUNTED[name], c)
    expected = outcome(f, carry)
    ways = [
        outcome(ft.jit(f), carry),
        outcome(lambda c: recorded(f, c), carry),
        outcome(ft.jit(lambda c, a, b: ft.fori_loop(a, b, COUNTED[name], c)), carry, *bounds),
    ]
    if isinstance(carry, np.ndarray):
        ways.append(outcome(lambda c: ft.vmap(f)(c[None])[0], carry))
    for found in ways:
        if expected is TypeError or found is TypeError:  # a loop without a trip may hide it
            assert found is TypeError
            assert expected is TypeError or bounds[0] == bounds[1]
        elif isinstance(expected, type):
            assert found is expected
        else:
            assert type(found) is type(expected) or name == "choose"
            assert np.asarray(found).dtype == np.asarray(expected).dtype
            np.testing.assert_allclose(found, expected, rtol=1e-3)


class Plain(np.ndarray):
    """A subclass that adds nothing."""


def swapped(x):
    return x.astype(x.dtype.newbyteorder())


BEGINNINGS = [
    *[2, 0.5, True, np.float64(0.5), np.float32(0.5), np.int8(3), np.array(0.5), np.array(2)],
    *[np.array(0.5, np.float32), swapped(np.array(0.5)), swapped(np.arange(3.0)), np.arange(3)],
    *[np.asfortranarray(np.ones((2, 3))), np.arange(4.0).view(Plain), np.array(0.5).view(Plain)],
    *[np.arange(6.0)[::2], np.zeros((0, 2)), swapped(np.array(2, np.int16))],
]
BODIES = {
    "as it is": lambda c: c,
    "half": lambda c: c * 0.5,
    "one more": lambda c: c + 1,
    "tanh": lambda c: np.tanh(c),
    "negative": lambda c: -c,
    "copy": lambda c: ft.numpy.array(c),
    "sum": lambda c: np.sum(c) + 0.0 * c,
}
WITHOUT_TRIPS = {
    "scan": lambda body, c: ft.scan(lambda c, _: (body(c), None), c, None, 0)[0],
    "scan rows": lambda body, c: ft.scan(lambda c, x: (body(c), x), c, np.ones((0, 2)))[0],
    "fori": lambda body, c: ft.fori_loop(3, 3, lambda i, c: body(c), c),
    "while": lambda body, c: ft.while_loop(
        lambda p: p[1] < 0, lambda p: (body(p[0]), p[1]), (c, 1)
    )[0],
    "segments": lambda body, c: ft.while_loop(
        lambda p: p[1] < 0, lambda p: (body(p[0]), p[1]), (c, 1), checkpoint=2
    )[0],
}
AROUND = {
    "a recording": lambda f, c: recorded(f, c),
    "jit": lambda f, c: ft.jit(f)(c),
    "a constant of jit": lambda f, c: ft.jit(lambda x: (x, f(c)))(1.0)[1],
    "grad": lambda f, c: ft.value_and_grad(lambda x: (x, f(c)), has_aux=True)(1.0)[0][1],
    "grad through it": lambda f, c: ft.value_and_grad(
        lambda x: (np.sum(x) * 1.0, f(x)), has_aux=True, allow_int=True
    )(c)[0][1],
}


def kind_of(x):
    """What a value is, beside its numbers."""
    return type(x), np.shape(x), np.asarray(x).dtype.str


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(BEGINNINGS),
    st.sampled_from(sorted(BODIES)),
    st.sampled_from(sorted(WITHOUT_TRIPS)),
    st.sampled_from(sorted(AROUND)),
)
def test_without_trips_the_carry_is_what_a_trip_would_make_of_it(begin, body, loop, around):
    f = lambda c: WITHOUT_TRIPS[loop](BODIES[body], c)
    expected = outcome(f, begin)
    found = outcome(lambda c: AROUND[around](f, c), begin)
    if isinstance(expected, type):
        assert found is expected
    else:
        assert kind_of(found) == kind_of(expected)
        once = outcome(lambda c: ft.fori_loop(0, 1, lambda i, c: BODIES[body](c), c), begin)
        assert kind_of(once) == kind_of(found)


@pytest.mark.parametrize("f", [np.tanh, lambda x: x, lambda x: x * 0.5])
@pytest.mark.parametrize("transform", [lambda g: g, ft.jit], ids=["plain", "jit"])
def test_rows_in_another_byte_order(f, transform):
    def total(c, x):
        c, (a, b) = ft.scan(lambda c, row: (c * 0.9 + f(row), (row, c)), c, x)
        return np.sum(np.sin(a)) + np.sum(b) + c, (a, b)

    x = np.linspace(0.1, 1.3, 5)
    gradient = transform(ft.value_and_grad(total, (0, 1), has_aux=True))
    for found, expected in zip(
        ft.tree.leaves(gradient(0.3, swapped(x))), ft.tree.leaves(gradient(0.3, x)), strict=True
    ):
        assert kind_of(found) == kind_of(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("around", sorted(AROUND))
@pytest.mark.parametrize(
    "loop",
    [
        lambda x: ft.scan(lambda c, _: (c, x), 0.0, None, 2)[1],
        lambda x: ft.scan(lambda c, _: (c, (c, c * 1)), x, None, 2)[1][0],
        lambda x: ft.scan(lambda c, row: (c, row), 0.0, x[None])[1],
        lambda x: ft.map(lambda row: row, np.stack([x, x]).astype(x.dtype)),
    ],
)
def test_what_is_stacked_has_the_byte_order_of_stacks(loop, around):
    x = swapped(np.arange(3.0))
    found = AROUND[around](loop, x)
    assert kind_of(found) == kind_of(np.stack(loop(x)))
    np.testing.assert_array_equal(found, loop(x))


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_gradients_have_the_dtype_of_the_argument_beside_python_counters(dtype, shape):
    x = np.full(shape, 1.5, dtype)
    step = lambda i, c: c * (i + 2) + c / (i + 1)
    while_step = lambda p: (p[0] + 1, step(*p))
    loops = {
        "known": lambda n, c: ft.fori_loop(0, 3, step, c),
        "traced": lambda n, c: ft.fori_loop(0, n, step, c),
        "while": lambda n, c: ft.while_loop(lambda p: p[0] < 3, while_step, (0, c))[1],
        "scan": lambda n, c: ft.scan(lambda p, _: (while_step(p), None), (0, c), None, 3)[0][1],
        "ends by value": lambda n, c: ft.while_loop(
            lambda p: np.sum(p[1]) < 30, while_step, (0, c)
        )[1],
    }
    for loop in loops.values():
        f = lambda n, x, loop=loop: np.sum(loop(n, x))
        slope, push = ft.grad(f, 1), lambda n, x, f=f: ft.jvp(f, (n, x), (None, x))[1]
        curve = ft.grad(lambda n, x, f=f: np.sum(ft.grad(f, 1)(n, x) * x), 1)
        eager = loop(3, x)
        assert np.asarray(eager).dtype == dtype
        for derive in (slope, curve, push):
            expected = derive(3, x)
            assert expected.dtype == dtype
            mapped = ft.vmap(derive, in_axes=(None, 0))(3, x[None])[0]
            for found in (ft.jit(derive)(3, x), mapped):
                assert found.dtype == dtype
                np.testing.assert_allclose(found, expected, rtol=1e-2)


# Loops within loops


def nested(scan, while_loop, cond):
    def f(x):
        def step(c, row):
            inner = lambda c: scan(lambda d, r: (d * 0.9 + r * x, d[0] * r), c, ROWS * row)[0]
            c = while_loop(
                lambda s: np.sum(s * s) < 2.0 + row[0],
                lambda s: cond(
                    s[0] > 0, lambda s: s * 1.7 + 0.3, lambda s: inner(s) * 1.4 - 0.2, s
                ),
                c,
            )
            return np.tanh(c), c * row

        return scan(step, x, ROWS)

    return f


def test_a_scan_in_a_branch_in_a_while_loop_in_a_scan():
    def while_in_python(go_on, step, c):
        while go_on(c):
            c = step(c)
        return c

    reference = nested(scan_in_python, while_in_python, lambda p, a, b, *x: a(*x) if p else b(*x))
    assert_agrees(nested(ft.scan, ft.while_loop, ft.cond), reference, X)


def grown(x, limit):
    """A loop whose trips depend on its arguments: 0 to about 5."""
    return ft.while_loop(lambda c: c < limit, lambda c: c * 1.5 + 0.1 * np.sin(c * x), x * x + 0.1)


def grown_in_python(x, limit):
    c = x * x + 0.1
    while c < limit:
        c = c * 1.5 + 0.1 * np.sin(c * x)
    return c


@pytest.mark.slow
def test_trips_that_differ_from_one_trip_of_the_outer_loop_to_the_next():
    limits = np.array([0.5, 0.0, 3.0, 1.0])

    def with_scan(inner, scan):
        return lambda x: scan(lambda c, r: (c + inner(c, r), inner(x, r) * c), x, limits)

    assert_agrees(
        with_scan(grown, ft.scan), with_scan(grown_in_python, scan_in_python), np.float64(0.4)
    )

    def reference(x):
        c = x
        while c < 4.0:
            c = c + grown_in_python(x, c)
        return c

    f = lambda x: ft.while_loop(lambda c: c < 4.0, lambda c: c + grown(x, c), x)
    assert_agrees(f, reference, np.float64(0.4))

    choose = lambda inner, cond: (
        lambda x: cond(x < 0.35, lambda x: inner(x, 2.0) * x, lambda x: inner(x, 1.0) - x, x)
    )
    python_cond = lambda p, a, b, *x: a(*x) if p else b(*x)
    for x in (0.4, 0.2):
        assert_agrees(choose(grown, ft.cond), choose(grown_in_python, python_cond), np.float64(x))
    both = lambda inner, scan, cond: (
        lambda x: scan(
            lambda c, r: (cond(r > 0.7, lambda c: inner(c, r), lambda c: c * x, c), c), x, limits
        )
    )
    assert_agrees(
        both(grown, ft.scan, ft.cond),
        both(grown_in_python, scan_in_python, python_cond),
        np.float64(0.4),
    )


def test_hessians_of_loops():
    f = lambda x: np.sum(ft.scan(lambda c, r: (np.sin(c * r) + c, c * c), x, ROWS)[1])
    g = lambda x: np.sum(scan_in_python(lambda c, r: (np.sin(c * r) + c, c * c), x, ROWS)[1])
    expected = ft.jacrev(ft.grad(g))(X)
    for h in (
        ft.jacrev(ft.grad(f)),
        ft.jit(ft.jacrev(ft.grad(f))),
        lambda x: np.stack([ft.jvp(ft.grad(f), (x,), (e,))[1] for e in np.eye(2)]),
        lambda x: np.stack([ft.grad(lambda x: ft.jvp(f, (x,), (e,))[1])(x) for e in np.eye(2)]),
    ):
        assert_same(h(X), expected)


# Whatever is traced in a loop, it is one operation

LENGTH = 40


def python_loop(kind, traced, theta):
    """The sum of a carry after some trips, which theta enters at one place."""
    init = np.ones(2) * (theta if "init" in traced else 0.7)
    rows = np.linspace(0.1, 0.9, LENGTH) * (theta if "rows" in traced else 0.7)
    inside = theta if "body" in traced else 0.7
    limit = theta * 0 + LENGTH if "condition" in traced else LENGTH
    step = lambda y, row: 0.9 * y + 0.1 * np.sin(y * inside) * row
    if kind == "scan":
        return np.sum(ft.scan(lambda y, row: (step(y, row), y[0]), init, rows)[1])
    if kind == "map":
        return np.sum(ft.lax.map(lambda row: step(np.ones(2) * 0.7, row), rows))
    if kind == "fori":
        return np.sum(ft.fori_loop(0, LENGTH, lambda i, y: step(y, 0.3), init))
    go = lambda state: (state[0] + 1, step(state[1], 0.3))
    return np.sum(ft.while_loop(lambda state: state[0] < limit, go, (0, init))[1])


PLACES = [
    ("scan", ["init", "rows", "body"]),
    ("map", ["rows", "body"]),
    ("fori", ["init", "body"]),
    ("while", ["init", "body", "condition"]),
]
EACH_PLACE = [(kind, (place,)) for kind, places in PLACES for place in places]
EACH_PLACE += [(kind, tuple(places)) for kind, places in PLACES]
EACH_PLACE += [(kind, ()) for kind, _ in PLACES]


@pytest.mark.thinned
@pytest.mark.parametrize(("kind", "traced"), EACH_PLACE)
def test_a_loop_is_one_operation_wherever_it_is_traced(kind, traced, monkeypatch):
    f = lambda theta: python_loop(kind, traced, theta) + 0.0 * theta
    expected = f(0.8)
    slope = (f(0.8 + 1e-6) - f(0.8 - 1e-6)) / 2e-6
    program = ft.make_ir(f)(0.8)
    loops = [e for e in program.equations if e.primitive.name in ("scan", "while_loop")]
    assert len(loops) == (1 if traced else 0)
    assert len(program.equations) < 12
    assert len(ft.jit(f).source(0.8).splitlines()) < 60
    assert len(ft.make_ir(ft.grad(f))(0.8).equations) < 30
    many = ft.make_ir(ft.vmap(f))(np.array([0.8, 0.8]))
    assert len(many.equations) < 20
    rows = []
    record = Tape.record
    monkeypatch.setattr(
        Tape, "record", lambda self, *args: (rows.append(args[0]), record(self, *args))[1]
    )
    np.testing.assert_allclose(ft.grad(f)(0.8), slope, rtol=1e-6, atol=1e-9)
    assert len(rows) < 60  # those of the body's own derivative are among them
    for value in (
        ft.jit(f)(0.8),
        ft.vmap(f)(np.array([0.8, 0.8]))[1],
        ft.checkpoint(f)(0.8),
        ft.jvp(f, (0.8,), (1.0,))[0],
    ):
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    for derivative in (
        ft.jvp(f, (0.8,), (1.0,))[1],
        ft.vjp(f, 0.8)[1](np.float64(1.0))[0],
        ft.linearize(f, 0.8)[1](1.0),
        ft.jit(ft.grad(f))(0.8),
        ft.grad(ft.jit(f))(0.8),
        ft.grad(ft.checkpoint(f))(0.8),
        ft.jit(ft.vmap(ft.grad(f)))(np.array([0.8]))[0],
    ):
        np.testing.assert_allclose(derivative, slope, rtol=1e-6, atol=1e-9)
    if len(traced) == 1 and kind != "while":
        second = (ft.grad(f)(0.8 + 1e-5) - ft.grad(f)(0.8 - 1e-5)) / 2e-5
        for hessian in (ft.grad(ft.grad(f)), ft.jit(ft.hessian(f))):
            np.testing.assert_allclose(hessian(0.8), second, rtol=1e-6, atol=1e-8)


def test_long_loops_that_only_close_over_traced_values():
    """What was 175,000 lines of source is fifty."""
    start = np.array([1.0, 0.5])

    def loss(theta):
        def step(y, _):
            return y + 0.01 * np.sin(theta * y), None

        return np.sum(ft.scan(step, start, None, length=1000)[0] ** 2)

    fast = ft.jit(ft.value_and_grad(loss))
    assert len(fast.source(0.7).splitlines()) < 100
    value, slope = fast(0.7)
    np.testing.assert_allclose(value, loss(0.7), rtol=1e-12)
    np.testing.assert_allclose(slope, (loss(0.7 + 1e-6) - loss(0.7 - 1e-6)) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("transform", [ft.jit, ft.grad, lambda f: f], ids=["jit", "grad", "plain"])
def test_a_body_that_asks_for_known_values_is_called_on_them(transform):
    def by_scan(x):
        halved = lambda n, _: (n // 2 if n % 2 == 0 else 3 * n + 1, None)
        return x * ft.scan(halved, 7, None, length=4)[0]

    def by_fori(x):
        table = [1.0, 10.0, 100.0]
        return x * ft.fori_loop(0, 3, lambda i, total: total + table[i], 0.0)

    def by_while(x):
        return x * ft.while_loop(lambda n: n < 50, lambda n: n * (2 if n < 10 else 3), 1)

    for f, factor in ((by_scan, 17.0), (by_fori, 111.0), (by_while, 144.0)):
        assert transform(f)(1.0) == factor


def test_a_body_that_asks_for_values_is_differentiated_trip_by_trip():
    step = lambda y: y * 3.0 if y < 10.0 else y + 1.0
    f = lambda y: ft.fori_loop(0, 4, lambda i, y: step(y), y)
    assert ft.value_and_grad(f)(2.0) == (20.0, 9.0)
    assert ft.jvp(f, (2.0,), (1.0,)) == (20.0, 9.0)
    with pytest.raises(errors.UnknownValueError):
        ft.jit(f)(2.0)


def test_a_loop_outside_every_transformation_calls_its_body_for_each_trip():
    seen = []

    def step(y, row):
        seen.append((y, row))
        return y + row, y

    ft.scan(step, 0, np.array([1, 2]))
    assert seen[-2:] == [(0, 1), (1, 2)]
    seen.clear()
    ft.fori_loop(0, 2, lambda i, y: step(y, i)[0], 5)
    assert seen == [(5, 0), (5, 1)]


def test_effects_in_a_loop_in_which_nothing_is_traced(capsys):
    def f(x):
        def step(total, row):
            ft.debug.print("row {}", row)
            return total + row, None

        return x * ft.scan(step, 0.0, np.array([1.0, 2.0]))[0]

    fast = ft.jit(f)
    for _ in range(2):
        assert fast(2.0) == 6.0
        assert capsys.readouterr().out == "row 1.0\nrow 2.0\n"
    assert ft.grad(f)(2.0) == 3.0
    assert capsys.readouterr().out == "row 1.0\nrow 2.0\n"


# What does not fit


def test_errors_name_the_line_and_what_differs():
    x = np.ones(2)
    cases = [
        (lambda x: ft.scan(lambda c, _: ((c, c), None), x, length=2), "structure"),
        (lambda x: ft.scan(lambda c, _: (np.sum(c), None), x, length=2), r"float64\[2\] before"),
        (lambda x: ft.scan(lambda c, _: (c + 1j, None), x, length=2), "complex128"),
        (lambda x: ft.scan(lambda c, _: c, x, length=2), "not a pair"),
        (lambda x: ft.while_loop(lambda c: np.sum(c) < 3, lambda c: (c,), x), "structure"),
        (lambda x: ft.while_loop(lambda c: np.sum(c) < 3, lambda c: c > 0, x), "bool"),
        (lambda x: ft.fori_loop(0, 3, lambda i, c: c[:1], x), r"\[1\] after"),
    ]
    for f, text in cases:
        for run in (f, ft.jit(f)):
            with pytest.raises(errors.CarryError, match=text):
                run(x)
    with pytest.raises(errors.ArgumentError, match="must return a boolean scalar"):
        ft.jit(lambda x: ft.while_loop(lambda c: c < 3, lambda c: c, x))(x)
    with pytest.raises(errors.ArgumentError, match="lengths of scan differ"):
        ft.scan(lambda c, r: (c, None), 0.0, (np.ones(2), np.ones(3)))
    with pytest.raises(errors.ArgumentError, match="lengths of scan differ"):
        ft.scan(lambda c, r: (c, None), 0.0, np.ones(2), length=3)
    with pytest.raises(errors.ArgumentError, match="no length"):
        ft.scan(lambda c, r: (c, None), 0.0)
    with pytest.raises(errors.ArgumentError, match="has no rows"):
        ft.scan(lambda c, r: (c, None), 0.0, 1.0)
    with pytest.raises(errors.ArgumentError, match="must be integers"):
        ft.fori_loop(0, 2.5j, lambda i, c: c, 0.0)
    assert ft.fori_loop(0.0, 2.5, lambda i, c: c + 1, 0.0) == 3.0


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, ft.grad, ft.vmap])
def test_arguments_that_make_no_sense_are_refused(transform):
    step = lambda c, _: (c, None)
    keep = lambda i, c: c
    calls = [
        lambda x: ft.fori_loop(0, 2.5, keep, x),
        lambda x: ft.fori_loop(0.5, 3, keep, x),
        lambda x: ft.fori_loop(0, np.float32(2), keep, x),
        lambda x: ft.fori_loop(0, np.ones(2, int), keep, x),
        lambda x: ft.fori_loop(0, 3, keep, x, unroll=-1),
        lambda x: ft.fori_loop(0, 3, keep, x, unroll=0),
        lambda x: ft.fori_loop(0, 3, keep, x, unroll=1.5),
        lambda x: ft.scan(step, x, None, 3, unroll=-1)[0],
        lambda x: ft.scan(step, x, None, 3, unroll="all")[0],
        lambda x: ft.scan(step, x, None, -1)[0],
        lambda x: ft.scan(step, x, None, 2.5)[0],
        lambda x: ft.scan(step, x, None, "3")[0],
        lambda x: ft.scan(step, x, None, 3, checkpoint=0)[0],
        lambda x: ft.while_loop(lambda c: c < 0, lambda c: c, x, checkpoint=-2),
        lambda x: x * np.sum(ft.lax.map(np.sin, np.ones(3), batch_size=0)),
    ]
    x = np.ones(2) if transform is ft.vmap else 1.0
    for f in calls:
        with pytest.raises(errors.ArgumentError):
            transform(f)(x)
    for unroll in (True, False, None, 1, 7, np.int64(2)):
        assert np.all(transform(lambda x, n=unroll: ft.fori_loop(0, 2, keep, x, unroll=n))(x) == 1)


def test_rows_that_are_no_arrays_or_differ():
    x = np.ones(2)
    for run in (ft.scan, ft.jit(ft.scan, static_argnums=0)):
        with pytest.raises(errors.OperandError, match=r"under scan.* returned a str") as caught:
            run(lambda c, r: (c, "x"), 0.0, x)
        assert "flat" not in str(caught.value)
    with pytest.raises(errors.ShapeMismatchError, match=r"\(1,\) and \(2,\)") as caught:
        ft.scan(lambda c, r: (c + 1, np.ones(int(c) + 1)), 0.0, x)
    assert "test_loops.py" in str(caught.value)
    with pytest.raises(errors.TreeStructureError):
        ft.scan(lambda c, r: (c + 1, [0] * int(c)), 0.0, x)


def test_an_error_in_a_body_leaves_nothing_behind():
    def fails(c, r):
        raise RuntimeError("from the body")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="from the body"):
            ft.grad(ft.jit(lambda x: ft.scan(fails, x, ROWS)[0]))(1.0)
    assert ft.grad(lambda x: ft.scan(lambda c, r: (c * x, None), x, ROWS)[0])(2.0) == 32.0


@pytest.mark.parametrize(
    "condition", [lambda c: (True, True), lambda c: 1.0, lambda c: np.float32(1), lambda c: None]
)
def test_a_known_condition_that_is_no_boolean_is_refused(condition):
    with pytest.raises(errors.ArgumentError, match="must return a boolean scalar"):
        ft.while_loop(condition, lambda c: c, 0.0)


def test_the_condition_of_a_recorded_loop_is_recorded_once():
    seen = []

    def goes_on(x):
        ft.debug.callback(lambda x: seen.append(float(x)), x)
        return x < 8.0

    f = lambda x: ft.while_loop(goes_on, lambda x: x + 1.0, x)
    for run in (f, ft.jit(f), ft.jit(lambda x: f(x + 0.0))):
        seen.clear()
        assert run(5.0) == 8.0
        assert seen == [5.0, 6.0, 7.0, 8.0]


def test_a_known_counter_beside_an_unknown_carry_is_one_operation():
    def f(x):
        return ft.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1]

    assert len(ft.make_ir(f)(2.0).equations) == 1
    assert ft.jit(f)(2.0) == f(2.0) == 16.0
    assert ft.jit(ft.grad(f))(2.0) == 32.0


@pytest.mark.parametrize(("lower", "upper"), [
    (np.uint8(250), 256), (np.int8(-128), 128), (np.uint8(1), 300), (-3, np.uint8(3)),
    (0, np.uint8(3)), (-3, np.uint64(1)), (np.int8(-3), np.uint64(2)),
])  # fmt: skip
def test_counters_between_a_python_number_and_another(lower, upper):
    f = lambda lower, upper, x: ft.fori_loop(lower, upper, lambda i, c: c + i * 0.5, x)
    expected = 0.5 * sum(range(int(lower), int(upper)))
    unknown = ft.jit(f)(lower, upper, 0.0)  # has an end
    number = lower if type(lower) is int else upper
    dtype = np.result_type(*(x.dtype for x in (lower, upper) if type(x) is not int))
    if type(number) is not int or dtype.kind == "f":
        fits = True
    else:
        fits = np.iinfo(dtype).min <= number <= np.iinfo(dtype).max + (number is upper)
    for call in (f, lambda *args: ft.jit(lambda x: f(*args[:2], x))(args[2])):
        if fits:
            assert call(lower, upper, 0.0) == unknown == expected
        else:
            with pytest.raises(errors.ArgumentError, match="does not fit into"):
                call(lower, upper, 0.0)


def test_a_loop_may_count_further_than_there_is_memory_for(monkeypatch):
    def count(x, end):
        step = lambda i, carry: ft.cond(i < 3, lambda c: c * x + i, lambda c: c, carry)
        return ft.fori_loop(0, end, step, x)

    f = lambda x: count(x, 10**15)
    assert len(str(ft.make_ir(f)(2.0))) < 5000  # and no array of petabytes
    jitted = ft.jit(lambda x: count(x, 9))
    expected = jitted(2.0), ft.value_and_grad(count)(2.0, 9)
    monkeypatch.setattr("functrace.control.loops.MOST_ROWS", 4)
    jitted = ft.jit(lambda x: count(x, 9))
    found = jitted(2.0), ft.value_and_grad(count)(2.0, 9)
    assert found == expected
    assert type(found[0]) is type(expected[0])
