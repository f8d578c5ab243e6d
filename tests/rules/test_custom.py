"""custom_jvp and custom_vjp: the user's rules, in both modes and under every transformation."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def cube(x):
    return x**3


def forward_rule():
    @ft.custom_jvp
    def f(p, x):
        return {"y": np.sin(x) * p["a"], "n": None}

    @f.defjvp
    def f_jvp(primals, tangents):
        (p, x), (p_dot, x_dot) = primals, tangents
        return f(p, x), {"y": np.cos(x) * p["a"] * x_dot + np.sin(x) * p_dot["a"], "n": None}

    return f


def reverse_rule():
    @ft.custom_vjp
    def f(p, x):
        return {"y": np.sin(x) * p["a"], "n": None}

    def backward(residuals, cotangent):
        p, x = residuals
        ct = cotangent["y"]
        return {"a": np.sin(x) * ct}, np.cos(x) * p["a"] * ct

    f.defvjp(lambda p, x: (f(p, x), (p, x)), backward)
    return f


def both_rules():
    f = reverse_rule()
    f.defjvp(lambda primals, tangents: forward_rule_of(f, primals, tangents))
    return f


def forward_rule_of(f, primals, tangents):
    (p, x), (p_dot, x_dot) = primals, tangents
    return f(p, x), {"y": np.cos(x) * p["a"] * x_dot + np.sin(x) * p_dot["a"], "n": None}


TRANSFORMATIONS = {
    "grad": (ft.grad, 1),
    "jvp": (lambda f: lambda x: ft.jvp(f, (x,), (1.0,))[1], 1),
    "jit": (ft.jit, 0),
}
POINTS = np.array([0.3, 0.75, 1.2])


@pytest.mark.thinned
@pytest.mark.parametrize("make", [forward_rule, reverse_rule, both_rules])
@pytest.mark.parametrize(
    "names",
    [n for depth in (1, 2, 3) for n in itertools.product(TRANSFORMATIONS, repeat=depth)],
    ids="-".join,
)
def test_every_composition(make, names):
    custom = make()
    f = lambda x: custom({"a": x}, x=x**2)["y"] * x
    expected = lambda x: np.sin(x**2) * x * x
    for name in names:
        transform, differentiates = TRANSFORMATIONS[name]
        f = transform(f)
        expected = ft.grad(expected) if differentiates else expected
    exact = [expected(x) for x in POINTS]
    np.testing.assert_allclose([f(x) for x in POINTS], exact, rtol=1e-10)
    np.testing.assert_allclose(ft.vmap(f)(POINTS), exact, rtol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.vmap(f))(POINTS), exact, rtol=1e-10)


def test_the_rule_is_what_is_used():
    @ft.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: (primals[0], 10.0 * tangents[0]))
    assert ft.grad(f)(1.0) == 10.0
    assert ft.jvp(f, (1.0,), (1.0,)) == (1.0, 10.0)
    assert f(1.0) == 1.0

    @ft.custom_vjp
    def g(x):
        return x

    g.defvjp(lambda x: (x, None), lambda _, ct: (ct * 10.0,))
    assert ft.grad(g)(1.0) == 10.0
    assert ft.jvp(g, (1.0,), (1.0,)) == (1.0, 10.0)


def test_each_mode_takes_its_own_rule():
    f = ft.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, ()), lambda _, ct: (ct * 2.0,))
    f.defjvp(lambda primals, tangents: (primals[0], tangents[0] * 3.0))
    assert ft.grad(f)(1.0) == 2.0
    assert ft.jvp(f, (1.0,), (1.0,))[1] == 3.0


def test_defjvps():
    f = ft.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: t * y * 10, None)
    assert ft.grad(f, argnums=(0, 1))(2.0, 3.0) == (30.0, 0.0)


def test_arguments_that_are_not_differentiated():
    @functools.partial(ft.custom_jvp, nondiff_argnums=(0, 2))
    def apply(f, x, name):
        return f(x) if name else x

    @apply.defjvp
    def apply_jvp(f, name, primals, tangents):
        assert name == "twice"
        return apply(f, primals[0], name), 2 * tangents[0]

    assert ft.grad(lambda x: apply(np.sin, x, name="twice"))(0.0) == 2.0

    @functools.partial(ft.custom_vjp, nondiff_argnums=(0,))
    def scaled(scale, x):
        return x * len(scale)

    scaled.defvjp(lambda scale, x: (x, None), lambda scale, _, ct: (ct * len(scale) * 100,))
    assert ft.grad(lambda x: ft.jit(lambda x: scaled("abc", x))(x))(1.0) == 300.0


def test_symbolic_zeros_are_none():
    seen = []
    f = ft.custom_jvp(lambda x, y: x * y)

    def rule(primals, tangents):
        seen.append([t is None for t in tangents])
        x, y = primals
        return x * y, tangents[0] * y

    f.defjvp(rule, symbolic_zeros=True)
    assert ft.jvp(lambda x: f(x, 3.0), (2.0,), (1.0,)) == (6.0, 3.0)
    assert seen == [[False, True]]


def test_integers_and_none_cotangents():
    f = ft.custom_vjp(lambda x, n: (x * n, n))
    f.defvjp(lambda x, n: ((x * n, n), n), lambda n, ct: (ct[0] * n, None))
    assert ft.grad(lambda x: f(x, 3)[0])(2.0) == 3.0
    assert ft.vjp(lambda x: f(x, 3)[0], 2.0)[1](1.0) == (3.0,)


def test_methods():
    class Model:
        scale = 5.0

        @functools.partial(ft.custom_jvp, nondiff_argnums=(0,))
        def value(self, x):
            return self.scale * x

        value.defjvp(lambda self, primals, tangents: (self.value(*primals), tangents[0] * 7))

    assert Model().value(2.0) == 10.0
    assert ft.grad(Model().value)(2.0) == 7.0


def test_python_control_flow_follows_values():
    f = ft.custom_vjp(lambda x: x if x > 0 else -x)
    f.defvjp(lambda x: (abs(x), x > 0), lambda positive, ct: (ct if positive else -ct,))
    assert ft.grad(f)(-2.0) == -1.0


def test_a_function_without_rules_is_refused():
    f = ft.custom_jvp(cube)
    with pytest.raises(errors.MissingRuleError, match=r"(?s)cube has no derivative rule.*defjvp"):
        f(1.0)


everywhere = pytest.mark.parametrize(
    "wrap",
    [lambda f: f, ft.jit, lambda f: lambda x: ft.vmap(f)(ft.tree.map(lambda leaf: leaf[None], x))],
    ids=["eager", "jit", "vmap"],
)


@everywhere
@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda p, t: p[0], r"jvp rule of <lambda> returned float64\[2\]; expected a pair"),
        (lambda p, t: (p[0], t[0], t[0]), "returned a tuple of 3; expected a pair"),
        (lambda p, t: (p[0], (t[0], t[0])), r"tangent like .*\(\*, \*\).*one like Structure\(\*\)"),
        (lambda p, t: (p[0], [t[0]]), r"a tangent like .*\[\*\].*one like Structure\(\*\)"),
        (lambda p, t: ((p[0],), t[0]), r"expected one like .*\("),
        (lambda p, t: (p[0], np.ones(3)), r"float64\[3\] for the output; expected float64\[2\]"),
        (lambda p, t: (p[0], t[0].astype(np.float32)), r"float32\[2\].*expected float64\[2\]"),
        (lambda p, t: (p[0], "no"), r"a str for the output; expected float64\[2\]"),
        (lambda p, t: ("no", t[0]), "an output of a str; expected arrays or numbers"),
    ],
)
def test_a_wrong_jvp_rule_shows_both(rule, says, wrap):
    f = ft.custom_jvp(lambda x: x)
    f.defjvp(rule)
    with pytest.raises(errors.CustomRuleError, match=says):
        wrap(lambda x: ft.jvp(f, (x,), (np.ones(2),)))(np.ones(2))
    with pytest.raises(errors.CustomRuleError, match=says):
        wrap(ft.grad(lambda x: np.sum(f(x))))(np.ones(2))


@everywhere
@pytest.mark.parametrize("result", [lambda y: y, lambda y: (y, 1, 2), lambda y: ("no", y)])
def test_a_wrong_forward_half_shows_both(result, wrap):
    f = ft.custom_vjp(lambda x: x * 2.0)
    f.defvjp(lambda x: result(x * 2.0), lambda _, ct: (ct,))
    says = r"fwd rule of <lambda> returned (float64\[2\]|a tuple of 3|an output of a str); expected"
    with pytest.raises(errors.CustomRuleError, match=says):
        wrap(ft.grad(lambda x: np.sum(f(x))))(np.ones(2))


@everywhere
@pytest.mark.parametrize(
    ("backward", "says"),
    [
        (lambda _, ct: ct, r"bwd rule of <lambda> returned float64\[2\]; expected a tuple of 1"),
        (lambda _, ct: None, "returned None; expected a tuple of 1"),
        (lambda _, ct: (ct, ct), "2 cotangents; expected 1"),
        (lambda _, ct: ("no",), "the argument p a cotangent like.*expected one like"),
        (lambda _, ct: ({"a": ct},), "the argument p a cotangent like.*expected one like"),
        (lambda _, ct: ({"a": ct, "b": ct[:1]},), r"float64\[1\].*\['b'\]; expected float64\[2\]"),
        (lambda _, ct: ({"a": ct, "b": "no"},), r"a str for .*\['b'\]; expected float64\[2\]"),
    ],
)
def test_a_wrong_vjp_rule_shows_both(backward, says, wrap):
    f = ft.custom_vjp(lambda p: p["a"] + p["b"])
    f.defvjp(lambda p: (p["a"] + p["b"], None), backward)
    with pytest.raises(errors.CustomRuleError, match=says):
        wrap(ft.grad(lambda p: np.sum(f(p))))({"a": np.ones(2), "b": np.ones(2)})


@pytest.mark.parametrize(
    "wrap", [lambda f: f, ft.jit, lambda f: lambda x: ft.vmap(f)(np.stack([x]))]
)
def test_a_rule_that_cannot_be_transposed_is_named(wrap):
    @ft.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, ct: (ct * ct * x,))
    says = "square has no jvp rule, and its vjp rule cannot be transposed, because it is not linear"
    with pytest.raises(errors.NonlinearRuleError, match=says):
        wrap(ft.jacfwd(square))(1.0)
    with pytest.raises(errors.NonlinearRuleError, match=says):
        wrap(lambda x: ft.scan(lambda c, _: (ft.jacfwd(square)(c), None), x, length=1))(1.0)

    @ft.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (cube(*primals), tangents[0] ** 2))
    says = "cube has no vjp rule, and its jvp rule cannot be transposed, because it is not linear"
    with pytest.raises(errors.NonlinearRuleError, match=says):
        wrap(ft.grad(cube))(1.0)


@pytest.mark.parametrize("x", [1.0, np.float32(1.0)])
def test_complex_numbers_of_python_do_not_become_real(x):
    f = ft.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, None), lambda _, ct: (1j,))
    with pytest.raises(errors.CustomRuleError, match=r"complex128 for .*; expected float"):
        ft.grad(f)(x)
    with pytest.raises(errors.CotangentError, match="complex"):
        ft.vjp(np.sin, x)[1](1j)
    with pytest.raises(errors.TangentError, match="complex"):
        ft.jvp(np.sin, (x,), (1j,))
    with pytest.raises(errors.TangentError, match="complex"):
        ft.linearize(np.sin, x)[1](1j)
    assert ft.jvp(np.sin, (1j,), (1,))[1] == np.cos(1j)


def test_values_from_around_are_refused_where_they_are_differentiated():
    def outer(a):
        f = ft.custom_vjp(lambda x: x * a)
        f.defvjp(lambda x: (x * a, a), lambda a, ct: (ct * a,))
        return f(a)

    for call in (ft.grad(outer), ft.grad(ft.jit(outer)), lambda a: ft.jvp(outer, (a,), (1.0,))):
        with pytest.raises(errors.CustomRuleError, match="none of its arguments") as caught:
            call(3.0)
        assert "test_custom.py" in str(caught.value)
    constant = lambda a: ft.grad(lambda x: outer_with(a)(x))(2.0)

    def outer_with(a):
        f = ft.custom_vjp(lambda x: x * a)
        f.defvjp(lambda x: (x * a, a), lambda a, ct: (ct * a,))
        return f

    assert constant(3.0) == 3.0
    assert ft.grad(constant)(3.0) == 1.0  # here the rule itself is differentiated


def test_shared_arguments_of_many_examples():
    f = reverse_rule()
    loss = lambda p, x: np.sum(ft.vmap(lambda x: f(p, x)["y"])(x))
    by_p, by_x = ft.grad(loss, argnums=(0, 1))({"a": 2.0}, POINTS)
    assert by_p["a"] == pytest.approx(np.sum(np.sin(POINTS)))
    np.testing.assert_allclose(by_x, 2 * np.cos(POINTS))
