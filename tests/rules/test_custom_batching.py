"""custom_vmap: the user's rule is asked wherever a map comes to the function, and only there."""

from __future__ import annotations

import io

import numpy as np
import pytest

import functrace as ft
from functrace import errors

XS = np.array([0.5, -1.0, 2.0])
YS = np.array([1.5, 2.0, -0.5])


def plain(x, y):
    return np.sin(x) * y, {"x": x}


@pytest.fixture
def custom():
    """The function, and what its rule was asked for."""
    asked = []
    f = ft.custom_vmap(lambda x, y=2.0: plain(x, y))

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        asked.append((axis_size, tuple(in_batched)))
        x_batched, y_batched = in_batched
        shape = (axis_size,) if x_batched or y_batched else ()
        value = np.zeros(shape) + np.sin(x) * y
        return (value, {"x": x}), (x_batched or y_batched, {"x": x_batched})

    return f, asked


def assert_trees_close(found, expected):
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        assert np.asarray(a).dtype == np.asarray(b).dtype


TRANSFORMED = {
    "vmap": lambda f: ft.vmap(f)(XS, YS),
    "second shared": lambda f: ft.vmap(f, (0, None))(XS, 2.0),
    "first shared": lambda f: ft.vmap(f, (None, 0))(0.5, YS),
    "default": lambda f: ft.vmap(lambda x: f(x)[0])(XS) if f is not plain else 2.0 * np.sin(XS),
    "keyword": lambda f: ft.vmap(lambda x, y: f(y=y, x=x))(XS, YS),
    "jit": lambda f: ft.jit(ft.vmap(f))(XS, YS),
    "vmap of jit": lambda f: ft.vmap(ft.jit(f))(XS, YS),
    "grad": lambda f: ft.vmap(ft.grad(lambda x, y: f(x, y)[0], (0, 1)))(XS, YS),
    "grad of one shared": lambda f: ft.vmap(ft.grad(lambda x, y: f(x, y)[0], (0, 1)), (0, None))(
        XS, 2.0
    ),
    "grad around": lambda f: ft.grad(
        lambda x, y: np.sum(ft.vmap(lambda x, y: f(x, y)[0], (0, None))(x, y)), (0, 1)
    )(XS, 2.0),
    "second derivative": lambda f: ft.vmap(ft.hessian(lambda x, y: f(x, y)[0], (0, 1)))(XS, YS),
    "forward over reverse": lambda f: ft.jit(
        ft.vmap(ft.jacfwd(ft.grad(lambda x, y: f(x, y)[0]), 1))
    )(XS, YS),
    "jvp": lambda f: ft.vmap(lambda x: ft.jvp(f, (x, 2.0), (1.0, 0.5)))(XS),
    "mapped tangents": lambda f: ft.vmap(lambda t: ft.jvp(f, (0.5, 2.0), (t, 1.0)))(XS),
    "vmap of vmap": lambda f: ft.vmap(ft.vmap(f, (None, 0)), (0, None))(XS, YS),
    "scan in vmap": lambda f: ft.vmap(
        lambda x, y: ft.scan(lambda c, _: (f(c, y)[0], c), x, None, length=3)
    )(XS, YS),
    "vmap in scan": lambda f: ft.scan(
        lambda c, _: (ft.vmap(lambda x, y: f(x, y)[0])(c, YS), c), XS, None, length=3
    ),
    "grad of scan": lambda f: ft.jit(
        ft.vmap(ft.grad(lambda x, y: ft.scan(lambda c, _: (f(c, y)[0], c), x, None, length=3)[0]))
    )(XS, YS),
    "linearize": lambda f: ft.vmap(lambda x, y: ft.linearize(f, x, y)[1](1.0, 0.5))(XS, YS),
    "checkpoint": lambda f: ft.vmap(ft.grad(ft.checkpoint(lambda x, y: f(x, y)[0])))(XS, YS),
}


@pytest.mark.parametrize("transformed", TRANSFORMED)
def test_a_right_rule_changes_no_value(transformed, custom):
    f, asked = custom
    assert_trees_close(TRANSFORMED[transformed](f), TRANSFORMED[transformed](plain))
    # The argument is shared there; only its tangents are mapped.
    assert asked or transformed == "mapped tangents"


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(0.5, 2.0),
        lambda f: ft.grad(lambda x: f(x)[0] if x > 0 else x)(0.5),
        lambda f: ft.jit(ft.grad(lambda x, y: f(x, y)[0]))(0.5, 2.0),
        lambda f: ft.vmap(lambda x: x + f(0.5)[0])(XS),
    ],
)
def test_without_a_map_of_the_arguments_the_rule_is_not_asked(call, custom):
    f, asked = custom
    call(f)
    assert not asked


def test_what_the_rule_is_given(custom):
    f, asked = custom
    ft.vmap(f, (0, None))(XS, 2.0)
    ft.vmap(f, (None, 0))(0.5, YS)
    assert asked == [(3, (True, False)), (3, (False, True))]


def test_trees_and_axes():
    @ft.custom_vmap
    def f(params, x):
        return {"y": params["w"] * x, "n": params["n"]}

    seen = []

    @f.def_vmap
    def rule(axis_size, in_batched, params, x):
        seen.append((in_batched, params["w"].shape, x.shape))
        return {"y": params["w"] * x, "n": params["n"]}, {"y": True, "n": False}

    w, x = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2)
    axes = ({"w": 1, "n": None}, 0)
    found = ft.vmap(f, axes, {"y": 1, "n": None})({"w": w, "n": 3}, x)
    np.testing.assert_array_equal(found["y"], w * x.T)
    assert found["n"] == 3
    assert seen == [([{"n": False, "w": True}, True], (3, 2), (3, 2))]


@ft.custom_vmap
def pair(x):
    return x, x


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda n, b, x: x, "float64.*; expected a pair"),
        (lambda n, b, x: ((x, x), True), "to say which leaves"),
        (lambda n, b, x: ((x, x), [True, True]), "to say which leaves"),
        (lambda n, b, x: (x, True), "an output like"),
        (lambda n, b, x: ((x, x[:2]), (True, True)), r"for the output\[1\]; expected float64\[3\]"),
        (
            lambda n, b, x: ((x, x), (True, False)),
            r"\[3\] for the output\[1\]; .* float64\.",
        ),
        (lambda n, b, x: ((x, x.astype(int)), (True, True)), "int64"),
    ],
)
def test_a_wrong_rule_is_told_what_is_expected(rule, message):
    pair.def_vmap(rule)
    with pytest.raises(errors.CustomRuleError, match=message):
        ft.vmap(pair)(XS)


def test_errors_that_teach():
    f = ft.custom_vmap(lambda x: x)
    with pytest.raises(errors.MissingRuleError, match="def_vmap"):
        f(1.0)

    def closing(y):
        g = ft.custom_vmap(lambda x: x * y)
        g.def_vmap(lambda n, b, x: (x * y, True))
        return g(y)

    with pytest.raises(errors.CustomRuleError, match="none of its arguments"):
        ft.vmap(closing)(XS)

    g = ft.custom_vmap(lambda x: x)

    @g.def_vmap
    def failing(n, b, x):
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="the user's own"):
        ft.vmap(g)(XS)


def test_a_rule_may_close_over_differentiated_values():
    def loss(w):
        f = ft.custom_vmap(lambda x: x * w)
        f.def_vmap(lambda n, b, x: (x * w, True))
        return np.sum(ft.vmap(f)(XS))

    assert ft.grad(loss)(2.0) == np.sum(XS)
    assert ft.jit(ft.grad(loss))(2.0) == np.sum(XS)


def test_a_saved_program_refuses_to_be_mapped(custom):
    f, _ = custom
    file = io.BytesIO()
    ft.make_ir(lambda x: f(x, 2.0)[0])(0.5).save(file)
    file.seek(0)
    program = ft.Program.load(file)
    assert ft.evaluate(program, 0.5) == [np.sin(0.5) * 2]
    assert ft.grad(lambda x: ft.evaluate(program, x)[0])(0.5) == np.cos(0.5) * 2
    with pytest.raises(errors.MissingRuleError, match="vmap rule of its own, which is Python"):
        ft.vmap(lambda x: ft.evaluate(program, x)[0])(XS)


def test_methods_and_names():
    class Model:
        scale = 3.0

        @ft.custom_vmap
        def double(self, x):
            """Twice."""
            return 2 * x

        double.def_vmap(lambda axis_size, in_batched, self, x: (2 * x, True))

    assert Model().double(2.0) == 4.0
    assert Model.double.__doc__ == "Twice."
    assert repr(pair) == "<pair, a function with a vmap rule of its own>"


# One example after the other


def test_sequential_vmap_calls_for_each_example():
    seen = []

    @ft.sequential_vmap
    def f(d, k=2.0):
        ft.debug.callback(lambda a: seen.append(float(a)), d["a"])
        return {"o": d["a"] * k, "n": np.sum(d["b"])}

    found = ft.vmap(f, ({"a": 0, "b": None},))({"a": XS, "b": YS})
    np.testing.assert_array_equal(found["o"], 2 * XS)
    np.testing.assert_array_equal(found["n"], [3.0] * 3)
    assert seen == list(XS)


def test_sequential_vmap_within_other_transformations():
    f = ft.sequential_vmap(lambda a, b: np.sin(a) * b)
    g = lambda a, b: np.sin(a) * b
    for wrapped in (
        lambda f: ft.vmap(ft.grad(f, (0, 1)))(XS, YS),
        lambda f: ft.jit(ft.vmap(ft.vmap(f, (0, None)), (None, 0)))(XS, YS),
        lambda f: ft.grad(lambda x: np.sum(ft.vmap(f)(x, YS)))(XS),
        lambda f: ft.vmap(lambda a, b: ft.jvp(f, (a, b), (1.0, b)))(XS, YS),
    ):
        assert_trees_close(wrapped(f), wrapped(g))
