"""Carries: the types that they keep, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import functrace as ft
from functrace import errors, tree
from tests.control.agreeing import assert_same, scan_in_python


def test_a_carry_that_becomes_complex_is_complex_from_the_beginning():
    f = lambda z: ft.scan(lambda c, _: (c * z + 1, c), z, length=3)
    z = np.complex128(0.3 + 0.4j)
    assert_same(ft.jit(f)(z), scan_in_python(lambda c, _: (c * z + 1, c), z, [None] * 3))
    g = lambda f: ft.grad(lambda z: np.real(f(z)[0] ** 2))
    assert_same(g(ft.jit(f))(z), g(f)(z))


@pytest.mark.parametrize("trips", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int32])
def test_carries_have_one_type_with_and_without_jit(trips, dtype):
    one = dtype(1)
    swap = lambda c: (c[1], c[0])
    cases = [
        (swap, (0, one)),
        (lambda c: (c[0], 0), (one, one)),
        (lambda c: (c[0] + c[1], c[1]), (0, one)),
        (lambda c: (c[0], c[1] * 1.5 if dtype is not np.int32 else c[1] * 2), (True, one)),
    ]
    for step, init in cases:
        loops = [
            lambda c, step=step: ft.fori_loop(0, trips, lambda i, c: step(c), c),
            lambda c, step=step: ft.scan(lambda c, _: (step(c), None), c, None, trips)[0],
            lambda c, step=step: ft.while_loop(
                lambda n: n[0] < trips, lambda n: (n[0] + 1, step(n[1])), (0, c)
            )[1],
        ]
        for loop in loops:
            found, expected = loop(init), ft.jit(lambda loop=loop, init=init: loop(init))()
            assert found == expected
            for a, b in zip(found, expected, strict=True):
                assert np.asarray(a).dtype == np.asarray(b).dtype


def test_a_number_that_becomes_a_boolean_is_refused():
    with pytest.raises(errors.CarryError, match=r"\[1\].*float32 before.*bool after"):
        ft.while_loop(lambda c: True, lambda c: (True, True), (True, np.float32(0)))


@pytest.mark.parametrize("way", [lambda f: f, ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]])
def test_a_carry_that_takes_on_a_dtype_leaves_the_others_as_they_are(way):
    def f(x):
        step = lambda carry, row: ((np.tanh(row), carry[1] * 3 % 7), None)
        return ft.scan(step, (0.5, 1), x)[0]

    last, count = way(f)(np.ones(3, np.float32))
    assert last.dtype == np.float32
    assert type(count) is int
    assert count == 6


SWAPPED = {
    "element": lambda x: x[1],
    "row": lambda x: x[None][0],
    "sum": np.sum,
    "largest": lambda x: np.max(x[None], axis=0),
    "product": np.prod,
    "mean": np.mean,
    "parts": lambda x: next(iter(x)),
}


@pytest.mark.parametrize("make", SWAPPED.values(), ids=SWAPPED)
def test_numbers_of_arrays_in_the_other_byte_order_are_carries(make):
    def f(x):
        return ft.fori_loop(0, 2, lambda i, c: c * 2, make(x)), make(x)

    x = np.arange(1.0, 4.0).astype(np.dtype(float).newbyteorder())
    for found, expected in zip(ft.jit(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert ft.make_ir(make)(x).outputs[0].type.dtype == make(x).dtype


def test_rows_of_numbers_in_the_other_byte_order_are_stacked_in_the_machines():
    x = np.arange(3.0).astype(np.dtype(float).newbyteorder())
    f = lambda x: ft.scan(lambda c, row: (c + row, row), 0.0, x)
    for way in (f, ft.jit(f), lambda x: ft.vjp(f, x)[0]):
        total, rows = way(x)
        assert total.dtype == rows.dtype == np.float64


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ft.fori_loop(0, 2, lambda i, c: c * 2, x),
        lambda x: ft.scan(lambda c, row: (c + row, None), x, x)[0],
        lambda x: ft.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] * 2), (0, x))[1],
        lambda x: ft.cond(np.sum(x) > 0, lambda: x * 2, lambda: x),
        lambda x: ft.fori_loop(0, 2, lambda i, c: c * 2, x[..., 1]),
    ],
)
def test_a_carry_in_the_other_byte_order_becomes_what_the_body_returns(f):
    x = np.arange(1.0, 4.0)
    swapped = x.astype(x.dtype.newbyteorder())
    for way in (f, ft.jit(f), lambda x: ft.vjp(f, x)[0], lambda x: ft.jvp(f, (x,), (x,))[0]):
        found = way(swapped)
        np.testing.assert_array_equal(found, f(x))
        assert found.dtype == np.float64


@tree.register_dataclass
@dataclasses.dataclass
class Counted:
    value: object
    count: object = tree.static(default=1)


LOOPS = {
    "scan": lambda body, first: ft.scan(lambda c, _: (body(c), None), first, None, 3)[0],
    "while_loop": lambda body, first: ft.while_loop(lambda c: c.value < 3.0, body, first),
    "fori_loop": lambda body, first: ft.fori_loop(0, 3, lambda i, c: body(c), first),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, ft.grad], ids=["as it is", "jit", "grad"])
@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0)])
def test_static_fields_of_carries_are_told_apart_as_those_of_branches(loop, wrap, one, other):
    def of(after):
        return lambda x: loop(lambda c: Counted(c.value + 1.0, after), Counted(x, one)).value

    wrap(of(one))(0.0)
    with pytest.raises(errors.CarryError) as caught:
        wrap(of(other))(0.0)
    assert f"count={one})) before a trip" in str(caught.value)
    assert f"count={other})) after it" in str(caught.value)
