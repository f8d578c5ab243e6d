"""Forward mode against reverse mode, and what it promises by itself."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.extend import wrap


def test_a_tangent_is_pushed_forward():
    assert ft.jvp(np.sin, (0.0,), (2.0,)) == (0.0, 2.0)
    value, tangent = ft.jvp(lambda x, y: x * y, (3.0, np.ones(2)), (1.0, np.full(2, 10.0)))
    np.testing.assert_array_equal(tangent, [31.0, 31.0])
    np.testing.assert_array_equal(value, [3.0, 3.0])


def test_forward_agrees_with_reverse():
    def f(p):
        return np.sum(np.tanh(p["w"] @ p["x"]) ** 2) / (1 + p["s"])

    rng = np.random.default_rng(0)
    p = {"w": rng.normal(size=(3, 2)), "x": rng.normal(size=2), "s": 0.5}
    t = {"w": rng.normal(size=(3, 2)), "x": rng.normal(size=2), "s": 2.0}
    _, tangent = ft.jvp(f, (p,), (t,))
    gradient = ft.grad(f)(p)
    products = ft.tree.leaves(ft.tree.map(lambda g, d: np.sum(g * d), gradient, t))
    assert tangent == pytest.approx(sum(products))


def test_any_nesting_with_reverse_mode():
    f = lambda x: np.sin(x) * x**3
    forward = lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1]
    expected = ft.grad(ft.grad(f))(0.7)
    assert forward(ft.grad(f))(0.7) == pytest.approx(expected, rel=1e-14)
    assert ft.grad(forward(f))(0.7) == pytest.approx(expected, rel=1e-14)
    assert forward(forward(f))(0.7) == pytest.approx(expected, rel=1e-14)


def test_perturbations_are_not_confused():
    inner = lambda x: ft.jvp(lambda y: x + y, (1.0,), (1.0,))[1]
    assert ft.jvp(lambda x: x * inner(x), (3.0,), (1.0,)) == (3.0, 1.0)


def test_zero_tangents_are_none_or_zeros():
    value, tangent = ft.jvp(lambda x, n: (x * n, n), (2.0, 3), (1.0, None))
    assert value == (6.0, 3)
    assert tangent == (3.0, None)
    assert ft.jvp(lambda x, y: x * y, (2.0, 3.0), (None, 1.0)) == (6.0, 2.0)
    assert ft.jvp(lambda x: 5.0, (2.0,), (1.0,)) == (5.0, 0.0)


def test_auxiliary_data_is_handed_on():
    assert ft.jvp(lambda x: (x * x, x), (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, 3.0)


def test_python_control_flow_follows_values():
    f = lambda x: x * x if x > 2 else -x
    assert ft.jvp(f, (3.0,), (1.0,)) == (9.0, 6.0)
    assert ft.jvp(f, (1.0,), (1.0,)) == (-1.0, -1.0)


def test_a_zero_tangent_stays_zero_at_a_singular_point():
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0)
    assert ft.jvp(f, (0.0,), (1.0,))[1] == 0.0
    assert ft.jvp(lambda x: np.sqrt(x * 0.0), (0.0,), (1.0,))[1] == 0.0


@pytest.mark.parametrize(
    ("tangents", "says"),
    [
        ((np.ones(2),), r"float64\[2\].*float64\[3\]"),
        ((np.ones(3, np.float32),), r"float32\[3\].*float64\[3\]"),
        ((np.ones(3), np.ones(3)), "structure"),
        (({"x": np.ones(3)},), "dict"),
    ],
)
def test_a_tangent_that_does_not_fit(tangents, says):
    with pytest.raises(errors.TangentError, match=says) as caught:
        ft.jvp(np.sin, (np.ones(3),), tangents)
    assert "test_forward.py" in str(caught.value)


def test_a_leaked_value_is_named():
    kept = []
    ft.jvp(lambda x: (kept.append(x), x)[1], (1.0,), (1.0,))
    with pytest.raises(errors.LeakedTracerError):
        kept[0] + 1


def test_memory_does_not_grow_with_the_length_of_the_function():
    def chain(length):
        def f(x):
            for _ in range(length):
                x = x + 1.0
            return x

        tracemalloc.start()
        try:
            ft.jvp(f, (0.0,), (1.0,))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    chain(100)
    assert chain(20_000) < chain(200) + 20_000


# One rule, both modes


def test_a_vjp_gives_a_jvp():
    sinc = wrap(np.sinc, vjp=lambda ct, out, x: ct * (np.cos(np.pi * x) - out) / x)
    x = np.array([0.3, 0.5])
    by_reverse = ft.grad(lambda x: np.sum(sinc(x) * np.array([1.0, 10.0])))(x)
    _, tangent = ft.jvp(sinc, (x,), (np.array([1.0, 2.0]),))
    np.testing.assert_allclose(tangent, by_reverse * [1.0, 0.2], rtol=1e-12)
    assert ft.grad(lambda x: ft.jvp(sinc, (x,), (1.0,))[1])(0.5) == pytest.approx(
        ft.grad(ft.grad(sinc))(0.5)
    )


def test_a_jvp_gives_a_vjp():
    product = wrap(
        np.multiply,
        jvp=lambda inputs, tangents, out: tangents[0] * inputs[1] + inputs[0] * tangents[1],
    )
    assert ft.grad(product, argnums=(0, 1))(2.0, 5.0) == (5.0, 2.0)
    assert ft.grad(ft.grad(lambda x: product(x, x)))(3.0) == 2.0


def test_a_rule_that_is_not_linear_is_refused():
    squared = wrap(np.sinc, vjp=lambda ct, out, x: ct * ct)
    with pytest.raises(errors.NonlinearRuleError, match=r"multiply.*not linear") as caught:
        ft.jvp(squared, (0.5,), (1.0,))
    assert "test_forward.py" in str(caught.value)
    shifted = wrap(np.sinc, jvp=lambda inputs, tangents, out: np.exp(tangents[0]))
    with pytest.raises(errors.NonlinearRuleError, match="exp"):
        ft.grad(shifted)(0.5)
    compared = wrap(np.sinc, jvp=lambda inputs, tangents, out: np.floor(tangents[0]))
    with pytest.raises(errors.NonlinearRuleError, match="floor"):
        ft.grad(compared)(0.5)


def test_a_rule_that_cannot_be_traced_is_refused():
    opaque = wrap(np.sinc, vjp=lambda ct, out, x: np.float64(float(ct) * 2))
    assert ft.grad(opaque)(0.5) == 2.0
    with pytest.raises(errors.NonlinearRuleError, match=r"cannot be traced.*float\(\)"):
        ft.jvp(opaque, (0.5,), (1.0,))


@pytest.mark.parametrize(
    "held",
    [
        lambda f: ft.jit(f)(),
        lambda f: ft.checkpoint(f)(),
        lambda f: ft.cond(True, f, f),
        lambda f: ft.scan(lambda carry, _: (carry, f()), 0.0, None, 1)[1][0],
    ],
    ids=["jit", "checkpoint", "cond", "scan"],
)
def test_values_with_one_tangent_are_told_apart_where_they_are_captured(held):
    def f(x):
        shifted = x - 0.5
        return held(lambda: x**3 * shifted)

    assert ft.jvp(f, (1.0,), (1.0,)) == (0.5, 2.5)
    assert ft.hessian(f)(1.0) == 9.0


def test_iterating_over_an_array_that_is_shifted_meanwhile():
    def f(x):
        x = x.copy()
        found = []
        for element in x:
            found.append(element)
            x += 1
        return ft.numpy.array(found)

    x = np.arange(3.0)
    np.testing.assert_array_equal(ft.jvp(f, (x,), (x,)), (f(x), x))


def test_a_view_that_was_sorted_has_its_tangent():
    def f(x):
        parts = (x + 0j).real  # every other number of what it is a view of
        parts.sort()
        return parts

    x, t = np.array([0.3, -0.2, 0.1]), np.array([1.0, 2.0, 3.0])
    for found in (ft.jvp(f, (x,), (t,))[1], ft.linearize(f, x)[1](t), ft.jacrev(f)(x) @ t):
        np.testing.assert_array_equal(found, [2.0, 3.0, 1.0])
