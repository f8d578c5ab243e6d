"""The primitive of functions with rules of their own, applied by itself: any rules do, if right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.errors import CustomRuleError, MissingRuleError, NonlinearRuleError
from functrace.ir.types import ArrayType, type_of
from functrace.rules.custom_call import Application, Residuals, custom_call
from functrace.rules.ruleless import ruleless
from functrace.tracing.tracer import bind
from tests.strategies import seeds

DOUBLE = np.dtype(float)


def run(x, y):
    """Of two vectors the element-wise product's sine, and how many elements there are."""
    return np.sin(x * y), np.size(x)


def jvp(inputs, tangents):
    (x, y), (dx, dy) = inputs, tangents
    parts = [d * other for d, other in ((dx, y), (dy, x)) if d is not None]
    return run(x, y), (np.cos(x * y) * sum(parts), None)


def forward(inputs, perturbed):
    x, y = inputs

    def pull_back(traced, cotangents):
        slope, x, y = traced
        ct = cotangents[0]
        if ct is None:
            return [None, None]
        return [ct * slope * y if perturbed[0] else None, ct * slope * x if perturbed[1] else None]

    return run(x, y), Residuals([np.cos(x * y), x, y], pull_back, is_opaque=False)


RULES = {"jvp": (jvp, None), "vjp": (None, forward), "both": (jvp, forward)}


def function_with(rules, **options):
    application = Application("product", run, *RULES[rules], **options)
    return lambda x, y: bind(custom_call, x, y, function=application)[0]


@pytest.mark.parametrize("rules", RULES)
@settings(max_examples=8, deadline=None)
@given(size=st.integers(0, 3), seed=seeds(), data=st.data())
def test_right_rules_change_no_derivative_in_either_mode(rules, size, seed, data):
    x, y, dx, dy = np.random.default_rng(seed).normal(size=(4, size))
    plain, custom = lambda x, y: run(x, y)[0], function_with(rules)
    in_axes = data.draw(st.sampled_from([(0, 0), (None, 0), (1, 0)]))
    args = [np.stack([v, v + 1, -v], axis or 0) if axis is not None else v
            for v, axis in zip((x, y), in_axes, strict=True)]  # fmt: skip
    argnum = data.draw(st.integers(0, 1))
    for transform in (
        lambda f: f(x, y),
        lambda f: ft.jvp(f, (x, y), (dx, dy))[1],
        lambda f: ft.vjp(f, x, y)[1](dx),
        lambda f: ft.grad(lambda x, y: np.sum(f(x, y) ** 2), argnum)(x, y),
        lambda f: ft.jvp(ft.grad(lambda x, y: np.sum(f(x, y)), argnum), (x, y), (dx, dy))[1],
        lambda f: ft.vmap(f, in_axes)(*args),
        lambda f: ft.vmap(lambda x, y: ft.vjp(f, x, y)[1](x), in_axes)(*args),
        lambda f: ft.vjp(ft.vmap(f, in_axes), *args)[1](np.ones((3, size))),
        lambda f: ft.jit(ft.vmap(lambda x, y: ft.jvp(f, (x, y), (y, x))[1], in_axes))(*args),
    ):
        ours, expected = map(ft.tree.leaves, map(transform, (custom, plain)))
        for one, other in zip(ours, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_what_the_rules_say_counts():
    def wrong(inputs, tangents):
        return run(*inputs), (tangents[0] * 100, None)

    application = Application("product", run, wrong, None)
    f = lambda x: bind(custom_call, x, 2.0, function=application)[0]
    assert ft.grad(f)(1.0) == ft.jvp(f, (1.0,), (1.0,))[1] == 100
    assert ft.jit(ft.vmap(ft.grad(f)))(np.ones(2)).tolist() == [100, 100]


def test_a_hidden_leaf_has_no_derivative():
    hidden = function_with("jvp", hidden=1)
    assert ft.grad(hidden)(0.5, 1.0) == np.cos(0.5)
    with pytest.raises(CustomRuleError, match="none of its arguments"):
        ft.grad(hidden, 1)(0.5, 1.0)
    of_rules = Application("product", run, jvp, None, hidden=1, of_rules=frozenset([1]))
    assert of_rules.is_constant([None, True])
    assert not of_rules.is_constant([True, None])


def test_without_any_rule_the_error_names_the_function():
    bare = Application("product", run, None, None)
    f = lambda x: bind(custom_call, x, 2.0, function=bare)[0]
    for rule, derive in (("vjp", ft.grad(f)), ("jvp", lambda x: ft.jvp(f, (x,), (x,)))):
        with pytest.raises(MissingRuleError, match="product") as caught:
            derive(1.0)
        assert caught.value.is_of("product", rule)


def test_a_rule_that_is_not_linear_cannot_be_transposed():
    def squared(inputs, tangents):
        return run(*inputs), (tangents[0] ** 2, None)

    application = Application("product", run, squared, None)
    with pytest.raises(NonlinearRuleError, match="its jvp rule cannot be transposed"):
        ft.grad(lambda x: bind(custom_call, x, 2.0, function=application)[0])(1.0)


def test_what_runs_and_what_is_saved_is_the_recorded_function():
    application = Application("pro-duct", run, jvp, None)
    type = ArrayType((3,), DOUBLE)
    assert custom_call.infer(type, type, function=application)[0] == type
    program = application.program((type, type))
    assert application.program((type, type)) is program
    assert custom_call.structure([type, type], {"function": application}).program is program
    primitive, params = custom_call.portable([type, type], {"function": application})
    assert (primitive, params) == (ruleless, {"program": program, "function": "pro_duct"})
    x = np.arange(3.0)
    for one, other in zip(bind(custom_call, x, x, function=application), run(x, x), strict=True):
        np.testing.assert_array_equal(one, other)
        assert type_of(one).shape == type_of(other).shape
