"""Functions with rules of the user's in saved Programs: values, but no derivative in silence."""

from __future__ import annotations

import io

import numpy as np
import pytest

import functrace as ft
from functrace.errors import MissingRuleError
from functrace.rules.ruleless import ruleless, unmapped


@ft.custom_jvp
def clipped(x):
    return np.where(np.abs(x) > 1, np.sign(x), x)


clipped.defjvp(lambda primals, tangents: (clipped(*primals), tangents[0]))


@ft.custom_vjp
def scaled(x):
    return 2 * x


scaled.defvjp(lambda x: (scaled(x), None), lambda _, ct: (7 * ct,))


@ft.custom_vmap
def total(x):
    return np.sum(x * x)


total.def_vmap(lambda size, is_batched, x: (np.sum(x * x, -1), True))


def loaded(f, x):
    """The function of a Program that was saved and read again."""
    file = io.BytesIO()
    ft.make_ir(f)(x).save(file)
    file.seek(0)
    program = ft.Program.load(file)
    return program, lambda x: ft.evaluate(program, x)[0]


X = np.array([-3.0, 0.5, 2.0])
WAYS = {
    "grad": lambda f: ft.grad(lambda x: np.sum(f(x)))(X),
    "jvp": lambda f: ft.jvp(f, (X,), (X,)),
    "linearize": lambda f: ft.linearize(f, X),
    "grad of jit": lambda f: ft.grad(ft.jit(lambda x: np.sum(f(x))))(X),
    "make_ir": lambda f: ft.make_ir(ft.grad(lambda x: np.sum(f(x))))(X),
}


@pytest.mark.parametrize("f", [clipped, scaled])
def test_values_and_maps_are_there_and_derivatives_are_refused(f):
    program, again = loaded(lambda x: f(x), X)
    assert [equation.primitive for equation in program.equations] == [ruleless]
    for run in (again, ft.jit(again)):
        np.testing.assert_array_equal(run(X), f(X))
    stack = np.stack([X, 2 * X])
    np.testing.assert_array_equal(ft.vmap(again)(stack), [f(row) for row in stack])
    for way in WAYS.values():
        with pytest.raises(
            MissingRuleError, match=f"{f.__name__} has a derivative rule of its own"
        ):
            way(again)


@pytest.mark.parametrize("f", [clipped, scaled])
def test_the_program_of_the_derivative_has_the_rule_in_it(f):
    derivative = ft.grad(lambda x: np.sum(f(x)))
    _, again = loaded(derivative, X)
    np.testing.assert_array_equal(again(X), derivative(X))


def test_derivatives_are_there_and_maps_are_refused():
    program, again = loaded(lambda x: total(x), X)
    assert [equation.primitive for equation in program.equations] == [unmapped]
    np.testing.assert_array_equal(ft.grad(again)(X), 2 * X)
    pullback = ft.vjp(again, X)[1]
    for mapped in (
        ft.vmap(again),
        ft.jit(ft.vmap(again)),
        ft.vmap(ft.grad(again)),
        lambda rows: ft.vmap(pullback)(rows[:, 0]),
    ):
        with pytest.raises(MissingRuleError, match="total has a vmap rule of its own"):
            mapped(np.stack([X, X]))
    _, again = loaded(ft.vmap(total), np.stack([X, X]))
    assert again(np.stack([X, 2 * X])).tolist() == [X @ X, 4 * X @ X]
