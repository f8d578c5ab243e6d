"""Custom rules where it is hard: collectives, closures, odd residuals, zeros, and wrong rules."""

from __future__ import annotations

import functools
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax

X = np.array([1.0, 2.0, 3.0])


def with_reverse(f, fwd, bwd, **options):
    custom = ft.custom_vjp(f)
    custom.defvjp(fwd, bwd, **options)
    return custom


def with_forward(f, rule, **options):
    custom = ft.custom_jvp(f)
    custom.defjvp(rule, **options)
    return custom


def once(f):
    return lambda x: ft.scan(lambda carry, _: (f(carry), None), x, None, length=1)[0]


# Collectives, with the derivative taken around the map


def total_by_reverse(names):
    return with_reverse(
        lambda x: lax.psum(x, names),
        lambda x: (lax.psum(x, names), None),
        lambda _, ct: (lax.psum(ct, names),),
    )


def total_by_forward(names):
    return with_forward(
        lambda x: lax.psum(x, names),
        lambda primals, tangents: (lax.psum(primals[0], names), lax.psum(tangents[0], names)),
    )


@pytest.mark.parametrize("make", [total_by_reverse, total_by_forward])
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, once, ft.checkpoint])
def test_collectives_with_the_derivative_around_the_map(make, wrap):
    def loss(f):
        return lambda x: np.sum(ft.vmap(f, axis_name="i")(x) ** 3)

    custom = loss(wrap(make("i")))
    plain = loss(lambda x: lax.psum(x, "i"))
    for transform in (ft.grad, ft.hessian, lambda f: ft.jit(ft.grad(f)), ft.jacfwd):
        np.testing.assert_allclose(transform(custom)(X), transform(plain)(X))


@pytest.mark.parametrize("make", [total_by_reverse, total_by_forward])
@pytest.mark.parametrize("names", ["i", "j", ("i", "j")])
def test_collectives_over_nested_maps(make, names):
    xs = np.arange(6.0).reshape(2, 3)

    def loss(f):
        inner = ft.vmap(f, axis_name="i")
        return lambda x: np.sum(ft.vmap(inner, axis_name="j")(x) ** 2)

    expected = ft.grad(loss(lambda x: lax.psum(x, names)))(xs)
    np.testing.assert_allclose(ft.grad(loss(make(names)))(xs), expected)


def test_a_collective_in_the_backward_half_alone():
    f = with_reverse(lambda x: x, lambda x: (x, None), lambda _, ct: (lax.psum(ct, "i"),))
    gradient = ft.grad(lambda x: np.sum(ft.vmap(f, axis_name="i")(x) ** 2))(X)
    np.testing.assert_allclose(gradient, np.full(3, 12.0))


def test_a_collective_of_an_argument_that_all_examples_share():
    for f in (total_by_reverse("i"), total_by_forward("i")):
        loss = lambda w, f=f: np.sum(ft.vmap(lambda x: x * f(w), axis_name="i")(X))
        for transform in (ft.grad(loss), ft.grad(ft.jit(loss)), ft.jacfwd(loss)):
            assert transform(2.0) == 18.0
        shared = ft.vmap(lambda _, w, f=f: f(w), (0, None), None, axis_name="i")
        assert ft.jit(shared)(X, 2.0) == shared(X, 2.0) == 6.0


# Values from around, which are not differentiated


@pytest.mark.parametrize("mapped", [False, True])
def test_rules_may_close_over_the_example_of_a_map(mapped):
    def outer(make):
        def of_all(z):
            return ft.vmap(lambda x, z: make(x)(z), (0, 0 if mapped else None))(X, z)

        return of_all

    forward = outer(lambda x: with_forward(lambda y: x * y, lambda p, t: (x * p[0], 7 * x * t[0])))
    reverse = outer(
        lambda x: with_reverse(lambda y: x * y, lambda y: (x * y, x), lambda x, ct: (7 * x * ct,))
    )
    z = np.ones(3) if mapped else 1.0
    for f in (forward, reverse):
        output, tangent = ft.jvp(f, (z,), (z,))
        np.testing.assert_allclose(output, X)
        np.testing.assert_allclose(tangent, 7 * X)
        np.testing.assert_allclose(ft.grad(lambda z, f=f: np.sum(f(z)))(z), 7 * X if mapped else 42)


def test_a_rule_that_calls_its_function_may_close_over_the_example_of_a_map():
    def of_example(x, y):
        f = ft.custom_jvp(lambda y: x * y)
        f.defjvp(lambda primals, tangents: (f(*primals), 5 * x * tangents[0]))
        return f(y)

    loss = lambda y: np.sum(ft.vmap(of_example)(X, y))
    np.testing.assert_allclose(ft.grad(loss)(X), 5 * X)

    def of_square(x, y):
        f = ft.custom_jvp(lambda y: x * y**2)
        f.defjvp(lambda primals, tangents: (f(*primals), 2 * x * primals[0] * tangents[0]))
        return f(y)

    loss = lambda y: np.sum(ft.vmap(of_square)(X, y))
    np.testing.assert_allclose(ft.hessian(loss)(X), np.diag(2 * X))


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit])
@pytest.mark.parametrize("mapped", [False, True])
def test_rules_alone_may_close_over_the_example_of_a_map(wrap, mapped):
    def by_backward(x, y):
        scale = functools.partial(np.multiply, x)
        return with_reverse(lambda y: y, lambda y: (y, None), lambda _, ct: (scale(ct),))(y)

    def by_tangent(x, y):
        return with_forward(lambda y: y, lambda p, t: (p[0], x * t[0]))(y)

    for f in (by_backward, by_tangent):
        loss = wrap(lambda y, f=f: np.sum(ft.vmap(f, (0, 0 if mapped else None))(X, y)))
        y = np.ones(3) if mapped else 1.0
        np.testing.assert_allclose(ft.grad(loss)(y), X if mapped else 6.0)
        np.testing.assert_allclose(ft.jvp(loss, (y,), (y,))[1], 6.0)


def test_functions_and_rules_within_a_named_map_may_need_the_values():
    f = with_reverse(
        lambda x: 2 * x if x > 0 else x,
        lambda x: (2 * x if x > 0 else x, x > 0),
        lambda positive, ct: (5 * ct if positive else ct,),
    )
    loss = lambda w: np.sum(ft.vmap(lambda x: x * f(w), axis_name="i")(X))
    assert ft.grad(loss)(2.0) == 30.0
    assert ft.grad(loss)(-2.0) == 6.0


def test_a_mapped_argument_may_be_one_that_is_not_differentiated():
    f = ft.custom_jvp(lambda x, y: x * y, nondiff_argnums=0)
    f.defjvp(lambda x, primals, tangents: (f(x, *primals), 5 * x * tangents[0]))
    g = ft.custom_vjp(lambda x, y: x * y, nondiff_argnums=0)
    g.defvjp(lambda x, y: (x * y, None), lambda x, _, ct: (5 * x * ct,))
    for custom in (f, g):
        loss = lambda y, custom=custom: np.sum(ft.vmap(custom)(X, y))
        np.testing.assert_allclose(ft.grad(loss)(np.ones(3)), 5 * X)
        np.testing.assert_allclose(ft.grad(ft.jit(loss))(np.ones(3)), 5 * X)


def test_a_rule_that_uses_a_differentiated_value_of_an_inner_derivative_is_refused():
    def outer(z):
        def inner(x):
            f = with_forward(lambda y: x * y, lambda p, t: (x * p[0], x * t[0]))
            return f(z) * x

        return ft.grad(inner)(3.0)

    with pytest.raises(errors.CustomRuleError, match="none of its arguments"):
        ft.jvp(outer, (2.0,), (1.0,))


# Residuals, and what is applied to tangents


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, once, ft.checkpoint])
def test_residuals_may_be_functions(wrap):
    square = lambda x: x**2
    f = with_reverse(square, lambda x: ft.vjp(square, x), lambda pullback, ct: pullback(ct))
    g = wrap(with_reverse(f, lambda x: ft.vjp(f, x), lambda pullback, ct: pullback(ct)))
    assert ft.grad(g)(3.0) == 6.0
    assert ft.grad(ft.grad(g))(3.0) == 2.0
    np.testing.assert_allclose(ft.vmap(ft.grad(g))(X), 2 * X)
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(ft.vmap(g)(x)))(X), 2 * X)
    np.testing.assert_allclose(ft.hessian(lambda x: np.sum(ft.vmap(g)(x)))(X), 2 * np.eye(3))


def test_residuals_may_be_strings_and_numbers_that_a_rule_reads():
    def backward(residuals, ct):
        name, count, x = residuals
        return (sum([ct * x] * count) if name == "times" else None,)

    f = with_reverse(lambda x: x, lambda x: (x, ("times", 3, x)), backward)
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(ft.vmap(f)(x)))(X), 3 * X)


def test_a_rule_may_apply_its_function_to_tangents():
    ratio = ft.custom_jvp(lambda x, y: x / y)
    ratio.defjvp(lambda primals, tangents: (ratio(*primals), ratio(tangents[0], primals[1])))
    f = lambda x: ratio(x, 2.0)
    for transform, wrap in itertools.product((ft.grad, ft.jacfwd), (lambda f: f, ft.jit, once)):
        assert transform(wrap(f))(1.0) == 0.5
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(ft.vmap(f)(x)))(X), np.full(3, 0.5))


# Zeros


def test_none_is_a_zero_cotangent_for_any_part_of_an_argument():
    for parts in (None, (None, None), (None, {"a": None})):
        f = with_reverse(lambda x: x[0], lambda x: (x[0], None), lambda _, ct, p=parts: ((ct, p),))
        assert ft.grad(f)((1.0, (2.0, {"a": 3.0}))) == (1.0, (0.0, {"a": 0.0}))
        assert ft.grad(ft.jit(f))((1.0, (2.0, {"a": 3.0}))) == (1.0, (0.0, {"a": 0.0}))
    f = with_reverse(lambda x: x[0], lambda x: (x[0], None), lambda _, ct: ((ct, (None, None)),))
    assert ft.grad(f)((1.0, (2.0, None))) == (1.0, (0.0, None))
    f = with_reverse(lambda x: x[0], lambda x: (x[0], None), lambda _, ct: (ct,))
    with pytest.raises(errors.CustomRuleError, match="argument x a cotangent like"):
        ft.grad(f)((1.0, (2.0, 3.0)))


@pytest.mark.parametrize("is_mapped", [False, True])
@pytest.mark.parametrize("is_recorded", [False, True])
def test_symbolic_zeros_of_a_reverse_rule(is_mapped, is_recorded):
    def fwd(a, b, c):
        assert [x.perturbed for x in (a, b, c)] == [False, False, True]
        return (a.value, b.value, b.value + c.value), (a.value,)

    def bwd(residuals, cts):
        assert cts[0] is None
        assert cts[1] is not None
        return residuals[0] + 90, cts[1] + 91, cts[2] + 92

    f = with_reverse(lambda a, b, c: (a, b, b + c), fwd, bwd, symbolic_zeros=True)
    if is_mapped:
        mapped = ft.vmap(f)
        call = lambda *args: [x[0] for x in mapped(*(np.reshape(x, (1,)) for x in args))]
    else:
        call = f
    pull = lambda c: ft.vjp(lambda c: tuple(call(1.0, 2.0, c)[1:]), c)[1]((10.0, 20.0))[0]
    assert (ft.jit(pull) if is_recorded else pull)(4.0) == 112.0


def test_symbolic_zeros_in_a_loop_change_with_the_trips():
    f = with_reverse(
        lambda x, y: x + y,
        lambda x, y: (x.value + y.value, None if y.perturbed else []),
        lambda _, ct: (ct, ct),
        symbolic_zeros=True,
    )
    body = lambda carry, _: ((f(*carry), carry[0]), None)
    assert ft.grad(lambda x: ft.scan(body, (x, 1.0), None, length=2)[0][0])(1.0) == 2.0


def test_defjvps_leaves_integers_alone():
    f = ft.custom_jvp(lambda x, n: x * n)
    f.defjvps(lambda t, out, x, n: t * n, lambda t, out, x, n: t * x)
    assert ft.grad(f)(2.0, 3) == 3.0
    f.defjvps(lambda t, out, x, n: t)
    with pytest.raises(errors.ArgumentError, match=r"2 arguments.*1 rules"):
        ft.grad(f)(2.0, 3)
    with pytest.raises(errors.ArgumentError, match=r"not differentiated.*\n.*defjvp"):
        ft.custom_jvp(lambda n, x: x, nondiff_argnums=0).defjvps(None)


# Arguments


@pytest.mark.parametrize(
    "options",
    [
        {"nondiff_argnums": (0,), "nondiff_argnames": ("g",)},
        {"nondiff_argnames": ("f", "g")},
        {"nondiff_argnums": [0, -2]},
    ],
)
def test_arguments_that_are_not_differentiated_by_name(options):
    @functools.partial(ft.custom_vjp, **options)
    def total(f, g, x):
        return f(x) + g(x)

    total.defvjp(lambda f, g, x: (total(f, g, x), x), lambda f, g, x, ct: (ct * f(x) * g(x),))
    assert ft.grad(lambda x: total(np.sin, g=np.cos, x=x))(1.0) == np.sin(1.0) * np.cos(1.0)
    with pytest.raises(errors.ArgumentError, match="no parameter 'h'"):
        ft.custom_jvp(np.sin, nondiff_argnames="h")


def test_keyword_only_parameters_keep_their_defaults():
    @ft.custom_jvp
    def f(x, *, scale=2.0):
        return x * scale

    f.defjvp(lambda primals, tangents: (f(*primals), 7 * tangents[0]))
    assert f(3.0) == 6.0
    assert ft.grad(f)(3.0) == 7.0
    with pytest.raises(errors.ArgumentError, match="scale"):
        f(3.0, scale=4.0)
    bound = functools.partial(lambda x, a: x * a, a=3.0)
    g = with_forward(bound, lambda primals, tangents: ft.jvp(bound, primals, tangents))
    assert ft.grad(g)(1.0) == 3.0
    h = with_forward(np.sin, lambda primals, tangents: (np.sin(primals[0]), tangents[0]))
    assert ft.grad(ft.jit(h))(1.0) == 1.0


def test_a_custom_function_shows_its_name():
    @ft.custom_vjp
    def expit(x):
        """The logistic function."""
        return 1 / (1 + np.exp(-x))

    assert expit.__name__ == "expit"
    assert expit.__doc__ == "The logistic function."
    assert repr(expit) == "<expit, a function with derivative rules of its own>"


# Rules that do not fit the function


@pytest.mark.parametrize("wrap", [ft.jit, once, lambda f: lambda x: ft.vmap(f)(x[np.newaxis])])
def test_a_rule_whose_output_differs_from_the_functions_shows_both(wrap):
    f = ft.custom_jvp(lambda x: x)
    loss = lambda x: ft.tree.leaves(wrap(f)(x))[0].sum()
    f.defjvp(lambda p, t: ((p[0], p[0]), (t[0], t[0])))
    with pytest.raises(errors.CustomRuleError, match=r"jvp rule.*output like.*\(\*, \*\).*functi"):
        ft.grad(loss)(np.float32(1.0))
    f.defjvp(lambda p, t: (np.zeros(3, np.float32), t[0]))
    with pytest.raises(errors.CustomRuleError, match=r"jvp rule.*float32\[3\].*expected float32,"):
        ft.grad(loss)(np.float32(1.0))
    f = ft.custom_vjp(lambda x: x)
    f.defvjp(lambda x: ((x, x), None), lambda _, ct: (ct[0],))
    with pytest.raises(errors.CustomRuleError, match=r"fwd rule.*output like"):
        ft.grad(loss)(np.float32(1.0))
    f.defvjp(lambda x: (np.zeros(3, np.float32), None), lambda _, ct: (ct[0],))
    with pytest.raises(errors.CustomRuleError, match=r"fwd rule.*float32\[3\]"):
        ft.grad(loss)(np.float32(1.0))


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, once])
def test_an_output_whose_tangent_is_zero_is_constant(wrap):
    def rule(primals, tangents):
        assert tangents[1] is None
        return primals[1], tangents[1]

    f = with_forward(lambda x, y: y, rule, symbolic_zeros=True)
    g = wrap(lambda x: f(x, f(x, 1.0)) + x)
    assert ft.grad(g)(2.0) == ft.jvp(g, (2.0,), (1.0,))[1] == 1.0
    np.testing.assert_allclose(ft.grad(lambda x: np.sum(ft.vmap(g)(x)))(X), np.ones(3))


# Values that are differentiated, and are no arguments


def closes_over(a):
    f = ft.custom_vjp(lambda x: x * a)
    f.defvjp(lambda x: (x * a, None), lambda _, ct: (ct * a,))
    return f


def function_alone_closes_over(a):
    f = ft.custom_vjp(lambda x: x * a)
    f.defvjp(lambda x: (x * 3.0, None), lambda _, ct: (ct * 3.0,))
    return f


def rule_alone_closes_over(a):
    f = ft.custom_vjp(lambda x: x * 2.0)
    f.defvjp(lambda x: (x * 2.0, None), lambda _, ct: (ct * a,))
    return f


def jvp_closes_over(a):
    f = ft.custom_jvp(lambda x: x * a)
    f.defjvp(lambda primals, tangents: (primals[0] * a, tangents[0] * a))
    return f


def holds_in_a_container(a):
    parameters = {"rates": [a]}
    f = ft.custom_jvp(lambda x: x * parameters["rates"][0])
    f.defjvp(lambda primals, tangents: (primals[0] * 3.0, tangents[0] * 3.0))
    return f


def holds_in_an_object(a):
    model = SimpleNamespace(rate=a)
    f = ft.custom_jvp(lambda x: x * model.rate)
    f.defjvp(lambda primals, tangents: (primals[0] * 3.0, tangents[0] * 3.0))
    return f


def takes_as_an_option(a):
    f = ft.custom_vjp(lambda n, x: x * n, nondiff_argnums=0)
    f.defvjp(lambda n, x: (x * 3.0, None), lambda n, _, ct: (ct * 3.0,))
    return lambda x: f(a, x)


def by_custom_gradient(a):
    return ft.custom_gradient(lambda x: (x * a, lambda ct: ct * a))


DERIVATIVES = {
    "grad": lambda g: ft.grad(g)(3.0),
    "jit of grad": lambda g: ft.jit(ft.grad(g))(3.0),
    "grad of jit": lambda g: ft.grad(ft.jit(g))(3.0),
    "jvp": lambda g: ft.jvp(g, (3.0,), (1.0,))[1],
    "vjp": lambda g: ft.vjp(g, 3.0)[1](np.float64(1.0))[0],
    "jit of jvp": lambda g: ft.jit(lambda a: ft.jvp(g, (a,), (1.0,))[1])(3.0),
    "vmap of grad": lambda g: ft.vmap(ft.grad(g))(np.array([3.0])),
    "grad of vmap": lambda g: ft.grad(lambda a: np.sum(ft.vmap(g)(a)))(np.array([3.0])),
    "linearize": lambda g: ft.linearize(g, 3.0)[1](1.0),
    "checkpoint": lambda g: ft.grad(ft.checkpoint(g))(3.0),
    "scan": lambda g: ft.grad(
        lambda a: ft.scan(lambda c, _: (c + g(a), None), 0.0, None, length=2)[0]
    )(3.0),
    "second": lambda g: ft.grad(ft.grad(g))(3.0),
}
CLOSURES = [
    closes_over,
    function_alone_closes_over,
    jvp_closes_over,
    holds_in_a_container,
    holds_in_an_object,
    takes_as_an_option,
    by_custom_gradient,
    rule_alone_closes_over,
]


@pytest.mark.parametrize("mode", DERIVATIVES)
@pytest.mark.parametrize("make", CLOSURES)
def test_rules_cannot_know_of_a_differentiated_value_that_is_no_argument(make, mode):
    with pytest.raises(errors.CustomRuleError, match="none of its arguments"):
        DERIVATIVES[mode](lambda a: make(a)(a * 2.0))
    if make is rule_alone_closes_over:  # the rule is called for no derivative
        assert DERIVATIVES[mode](lambda a: make(a)(2.0)) == 0.0
    else:
        with pytest.raises(errors.CustomRuleError, match="none of its arguments"):
            DERIVATIVES[mode](lambda a: make(a)(2.0))


@pytest.mark.parametrize("make", CLOSURES)
def test_custom_functions_may_close_over_traced_values_of_which_there_is_no_derivative(make):
    f = lambda a: make(a)(2.0)
    for value in (ft.jit(f)(3.0), ft.vmap(f)(np.array([3.0]))[0]):
        assert value == f(3.0)
    held = lambda a: make(ft.stop_gradient(a))(a * 2.0)
    for mode in ("grad", "jit of grad", "jvp", "grad of vmap", "linearize"):
        assert DERIVATIVES[mode](held) == 6.0


@pytest.mark.parametrize("mode", DERIVATIVES)
def test_a_derivative_inside_may_depend_on_a_value_that_is_differentiated_outside(mode):
    slope = lambda a: ft.grad(closes_over(a))(2.0) ** 2
    expected = {"second": 2.0, "scan": 12.0}.get(mode, 6.0)
    assert DERIVATIVES[mode](slope) == expected


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_a_rule_that_is_not_called_may_close_over_anything(kind):
    def f(theta, x):
        if kind == "jvp":
            g = ft.custom_jvp(lambda x: np.sin(x))
            g.defjvp(lambda primals, tangents: (g(*primals), theta * tangents[0]))
        else:
            g = ft.custom_vjp(lambda x: np.sin(x))
            g.defvjp(lambda x: (g(x), None), lambda _, cotangent: (theta * cotangent,))
        return g(x) + theta

    def in_a_loop(theta, x):
        return ft.scan(lambda c, _: (f(theta, x) + 0.0 * c, None), 0.0, None, length=2)[0]

    for h in (f, in_a_loop, ft.jit(f), ft.jit(in_a_loop), ft.checkpoint(f)):
        for wrap in (lambda h: h, ft.jit):
            assert wrap(ft.grad(h))(2.0, 0.5) == 1.0
            assert wrap(ft.jacfwd(h))(2.0, 0.5) == 1.0
            assert wrap(ft.vmap(ft.grad(h), (0, None)))(np.array([2.0]), 0.5) == [1.0]
            assert wrap(ft.grad(h, 1))(2.0, 0.5) == 2.0
            assert wrap(ft.grad(lambda t, h=h: ft.grad(h, 1)(t, 0.5)))(2.0) == 1.0
            with pytest.raises(errors.CustomRuleError):
                wrap(ft.grad(h, (0, 1)))(2.0, 0.5)


def test_a_ufunc_has_its_inputs_as_arguments():
    f = ft.custom_vjp(np.sin)
    f.defvjp(lambda x: (f(x), x), lambda x, cotangent: (3.0 * cotangent,))
    g = ft.custom_jvp(np.multiply)
    g.defjvp(lambda primals, tangents: (g(*primals), tangents[0] - tangents[1]))
    for wrap in (lambda h: h, ft.jit):
        assert wrap(ft.grad(f))(0.5) == 3.0
        assert wrap(ft.grad(g, (0, 1)))(0.5, 2.0) == (1.0, -1.0)


def test_a_wrong_rule_names_the_line_of_the_call_in_every_mode():
    @ft.custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda primals, tangents: (primals[0] ** 2, np.ones(7)))
    for run in (
        lambda: ft.grad(lambda x: np.sum(square(x)))(np.ones(3)),
        lambda: ft.jvp(square, (np.ones(3),), (np.ones(3),)),
        lambda: ft.jit(ft.grad(lambda x: np.sum(square(x))))(np.ones(3)),
    ):
        with pytest.raises(errors.CustomRuleError, match=r"at .*test_custom_rules\.py"):
            run()
