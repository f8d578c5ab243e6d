"""Wrong rules are found where they are, in loops and branches, with the lines of both."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.extend import Elementwise, Primitive, bind, wrap
from functrace.testing import check_grads
from functrace.testing.suspects import suspect

X = np.array([0.5, 1.0, 0.7])


@ft.custom_jvp
def soft(x):
    return np.log(1 + np.exp(x))


@soft.defjvp
def soft_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return soft(x), t * (1 - 0.9 / (1 + np.exp(x)))


@ft.custom_vjp
def square(x):
    return x**2


def square_rule(x, ct):
    return ((2.0 + 0.1 * (x > 0.9)) * x * ct,)


square.defvjp(lambda x: (x**2, x), square_rule)


def sine_rule(ct, out, x):
    return ct * np.cos(x) * 1.001


sine = wrap(np.sin, vjp=sine_rule)


class Cube(Primitive):
    def run(self, x):
        return x**3

    def infer(self, x):
        return x

    def jvp(self, inputs, tangents, output):
        return 2 * inputs[0] ** 2 * tangents[0]


cube = Cube("test_suspects_cube")


def wrong_partial(t, output, x, y):
    return t * y


product = Elementwise(
    "test_suspects_product",
    np.multiply,
    lambda t, output, x, y: t * y,
    wrong_partial,
    run=np.multiply,
)


def in_a_scan(x):
    return ft.scan(lambda c, row: (np.sin(soft(c)) * row, None), np.sum(x), X)[0]


def in_a_while_loop(x):
    return ft.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, sine(s[1])), (0, np.sum(x)))[1]


def in_a_branch(x):
    return ft.cond(np.sum(x) > 0, lambda x: np.sum(square(x)), lambda x: np.sum(soft(x)), x)


FAULTS = {
    "custom_jvp": (lambda x: np.sum(np.exp(soft(x))), "soft", "soft_rule"),
    "custom_vjp": (lambda x: np.sum(square(x)), "square", "square_rule"),
    "wrap": (lambda x: np.sum(sine(x) * 2), sine.primitive.name, "sine_rule"),
    "primitive": (lambda x: np.sum(bind(cube, x)), cube.name, "jvp"),
    "partial": (lambda x: np.sum(bind(product, 1 / x, x**2)), product.name, "wrong_partial"),
    "scan": (in_a_scan, "soft", "soft_rule"),
    "while": (in_a_while_loop, sine.primitive.name, "sine_rule"),
    "cond": (in_a_branch, "square", "square_rule"),
    "vmap": (lambda x: np.sum(ft.vmap(soft)(x)), "soft", "soft_rule"),
    "jit": (ft.jit(in_a_scan), "soft", "soft_rule"),
    "checkpoint": (ft.checkpoint(in_a_branch), "square", "square_rule"),
    "reversed scan": (
        lambda x: ft.scan(lambda c, row: (square(c) * row, c), 1.5, x, reverse=True)[0],
        "square",
        "square_rule",
    ),
}


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("name", FAULTS)
def test_check_grads_names_the_rule(name, mode):
    f, operation, rule = FAULTS[name]
    with pytest.raises(AssertionError) as caught:
        check_grads(f, (X,), modes=mode, order=1)
    message = str(caught.value)
    own = {"fwd": "jvp", "rev": "vjp"}[mode]
    assert f"the {own} rule of {operation}, at {__file__}:" in message
    assert f" in {rule}, applied at {__file__}:" in message
    assert "entry       args[0][" in message


def test_the_entry_is_one_that_is_wrong():
    with pytest.raises(AssertionError) as caught:
        check_grads(lambda x: np.sum(square(x)), (X,), order=1)
    lines = dict(line.split(maxsplit=1) for line in str(caught.value).splitlines()[1:])
    assert lines["entry"] == "args[0][1]"
    cotangent = float(lines["numerical"]) / 2
    np.testing.assert_allclose(float(lines["functrace"]), 2.1 * cotangent)


def test_the_second_order():
    cosine = wrap(np.cos, vjp=lambda ct, out, x: -ct * sine(x))
    for mode in ("rev", "fwd"):
        with pytest.raises(AssertionError, match=r"of the \w+ by args.*") as caught:
            check_grads(lambda x: cosine(x[0]) * x[1], (X,), order=2, modes=mode)
        assert "in sine_rule, applied at" in str(caught.value)


def test_right_rules_are_not_suspected():
    def f(x):
        first = ft.scan(lambda c, row: (np.sin(c) * row, c), x[0], x)[1]
        return [ft.cond(x[0] > 0, np.cumsum, np.cumprod, x), np.linalg.norm(first)]

    assert suspect(f, [X], "vjp") is None
    assert suspect(f, [X], "jvp") is None


def test_a_solver_that_did_not_converge_is_told_as_other_differences():
    optimize = pytest.importorskip("functrace.scipy.optimize")
    pytest.importorskip("scipy")

    def rough(b):
        loss = lambda x, b: np.sum((x - b) ** 2) + np.sum(x**4)
        return optimize.minimize(loss, np.ones(2), args=(b,), tol=0.3).x

    with pytest.raises(AssertionError, match=r"The (jvp|vjp) by args\[0\]"):
        check_grads(rough, (np.array([1.0, 2.0]),), order=1)
