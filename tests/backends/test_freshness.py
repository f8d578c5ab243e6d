"""Memory in other hands is never written: neither what Python returns nor what it is given."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.extend import PRIMITIVES, Elementwise, Linear, Primitive, bind, wrap
from functrace.ir.types import ArrayType
from tests.cases import CASES

SIZES = [3, 20_000]  # the larger ones are kept from call to call


def callback(function, x):
    return ft.pure_callback(function, ft.ShapeDtypeStruct(np.shape(x), np.float64), x)


class Kept:
    """A function that returns an array which it keeps, and keeps what it is given."""

    def __init__(self, size):
        self.array = np.arange(float(size))
        self.given = []

    def __call__(self, x):
        self.given.append((x, np.array(x)))
        return self.array

    def require_unchanged(self):
        np.testing.assert_array_equal(self.array, np.arange(float(len(self.array))))
        for x, before in self.given:
            np.testing.assert_array_equal(x, before)


def loop(call):
    def f(x):
        def trip(c, _):
            c = c * 0.5
            y = call(c)
            return y * 2.0 + c, y

        last, rows = ft.scan(trip, x, None, length=3)
        return last * 2.0 + 1.0, rows * 2.0

    return f


def while_loop(call):
    def f(x):
        go_on = lambda c: c[0] + np.sum(call(c[1] * 1.0) * 0.0 + 0.0) < 2
        step = lambda c: (c[0] + 1, call(c[1] * 0.5))
        number, last = ft.while_loop(go_on, step, (0, x))
        return number, last * 2.0 + 1.0

    return f


USES = {
    "arithmetic": lambda call: lambda x: call(x + 1.0) * 2.0 + 1.0,
    "returned": lambda call: lambda x: call(x),
    "returned twice": lambda call: lambda x: (y := call(x), y, y[1:]),
    "in parts": lambda call: lambda x: np.concatenate([call(x)[1:] * 2.0, call(x)[:1]]) + 1.0,
    "written": lambda call: lambda x: np.add.at(y := call(x * 2.0), 0, 1.0) or y * 1.0,
    "its argument is used again": lambda call: lambda x: (y := x + 1.0, call(y) * y + 1.0)[1],
    "its argument is written over": lambda call: (
        lambda x: np.exp((y := x * 2.0) + (call(y) * 0.0)) * y + (y * 3.0)
    ),
    "loop": loop,
    "while": while_loop,
    "chosen": lambda call: (
        lambda x: (
            ft.cond(x[0] > 0, lambda x: call(x * 2.0), lambda x: call(x) + 1.0, x + 1.0) * 2.0 + 1.0
        )
    ),
    "in a jitted function": lambda call: lambda x: ft.jit(call)(x + 1.0) * 2.0 + 1.0,
    "for each": lambda call: lambda x: call(np.sin(x)) * 2.0 + call(np.cos(x)) * 3.0,
}


def require_no_sharing(outputs, kept):
    leaves = [x for x in ft.tree.leaves(outputs) if isinstance(x, np.ndarray)]
    others = [kept.array, *(x for x, _ in kept.given)]
    for number, x in enumerate(leaves):
        assert not any(np.shares_memory(x, y) for y in (*leaves[number + 1 :], *others))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use", sorted(USES))
def test_what_a_callback_returns_or_is_given_is_not_written(use, size):
    kept = Kept(size)
    f = USES[use](lambda x: callback(kept, x))
    plain = Kept(size)
    if use == "in a jitted function":
        plain = lambda x, f=plain: callback(f, x)
    expected = USES[use](plain)(np.linspace(0.1, 1.0, size))
    jitted = ft.jit(f)
    for _ in range(3):
        found = jitted(np.linspace(0.1, 1.0, size))
        kept.require_unchanged()
        require_no_sharing(found, kept)
        for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.mark.parametrize("of", [lambda x: x, lambda x: x[::-1], lambda x: x.reshape(-1)])
@pytest.mark.parametrize("size", SIZES)
def test_a_callback_may_return_what_it_is_given(of, size):
    def f(x, call):
        y = x + 1.0
        z = call(y)
        w = y * 2.0 + 1.0  # here y ends
        v = np.exp(w) * 3.0
        return z + v, z, w * 2.0

    x = np.linspace(0.0, 1.0, size)
    jitted = ft.jit(lambda x: f(x, lambda y: callback(of, y)))
    for _ in range(2):
        for found, expected in zip(jitted(x), f(x, of), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


# Derivatives that users give


def with_vjp(array, residual=None):
    """A function whose rule returns an array that is in its hands."""

    @ft.custom_vjp
    def f(x):
        return x * 2.0

    f.defvjp(lambda x: (x * 2.0, residual), lambda saved, ct: (array if saved is None else saved,))
    return f


class Given(Primitive):
    """A user's operation, whose rules return arrays that are in their hands."""

    def __init__(self, name, array):
        super().__init__(name)
        self.array = array

    def run(self, x):
        return self.array

    def infer(self, x):
        return ArrayType(x.shape, x.dtype)

    def vjp(self, cotangent, inputs, output, needed):
        return (self.array,)

    def jvp(self, inputs, tangents, output):
        return self.array


LOSSES = {
    "once": lambda f: lambda x: np.sum(f(x)),
    "twice": lambda f: lambda x: np.sum(f(x) * f(x)),
    "three times": lambda f: lambda x: np.sum(f(x)) + np.sum(f(x)) + np.sum(x * x),
    "after elements": lambda f: lambda x: x[0] * x[1] + np.sum(f(x)) + x[0],
    "before elements": lambda f: lambda x: np.sum(f(x)) + x[0] * x[1] + x[0],
    "inside": lambda f: lambda x: np.sum(np.sin(f(x * 2.0) * 3.0)) + np.sum(x * 2.0),
    "in a loop": lambda f: (
        lambda x: np.sum(ft.scan(lambda c, _: (f(c) + np.sin(c), None), x, None, length=3)[0])
    ),
    "in python's loop": lambda f: lambda x: sum(np.sum(f(x)) * x[n] for n in range(3)),
}
WAYS = {
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "vjp": lambda f: lambda x: ft.vjp(f, x)[1](np.float64(1.0))[0],
    "hessian": lambda f: ft.jacrev(ft.grad(f)),
}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_what_users_rules_return_is_not_written(loss, way):
    array = np.array([1.0, 2.0, 3.0])
    x = np.array([0.1, 0.2, 0.3])
    given = Given("given_for_a_test", array)
    wrapped = wrap(lambda x: array, vjp=lambda ct, out, x: (array,))
    try:
        functions = [with_vjp(array), with_vjp(None, array), lambda x: bind(given, x), wrapped]
        for f in functions:
            run = WAYS[way](LOSSES[loss](f))
            first = run(x)
            np.testing.assert_array_equal(array, [1.0, 2.0, 3.0])
            assert not np.shares_memory(first, array)
            first[...] = 0.0
            second = run(x)
            assert np.any(second) or way == "hessian"
            np.testing.assert_array_equal(array, [1.0, 2.0, 3.0])
            np.testing.assert_array_equal(x, [0.1, 0.2, 0.3])
    finally:
        del PRIMITIVES["given_for_a_test"]


# What is declared


@pytest.mark.parametrize(("parent", "is_fresh"), [(Primitive, True), (Linear, False)])
def test_a_users_primitive_declares_that_its_results_are_fresh(parent, is_fresh):
    class Doubled(parent):
        def run(self, x):
            return x * 2.0

        def infer(self, x):
            return x

    Doubled.is_fresh = is_fresh
    doubled = Doubled("doubled_for_a_test")
    try:
        source = ft.jit(lambda x: np.exp(bind(doubled, x))).source(np.ones(3))
        assert ("np.exp(b, b)" in source) == is_fresh
    finally:
        del PRIMITIVES["doubled_for_a_test"]


def test_families_do_not_declare_it_for_users():
    same = Elementwise("same_for_a_test", np.positive, lambda t, out, x: t, run=lambda x: x)
    try:
        f = ft.jit(lambda x: np.exp(bind(same, x)) + bind(same, x))
        x = np.ones(3)
        f(x)
        np.testing.assert_array_equal(x, 1.0)
        assert not np.shares_memory(ft.jit(lambda x: bind(same, x))(x), x)
    finally:
        del PRIMITIVES["same_for_a_test"]


def drawn(rng, spec):
    if spec.value is not None:
        return spec.value
    dtype = spec.dtype or {"f": "float64", "i": "int64", "b": "bool"}[spec.domain.kind]
    return spec.domain.values(rng, (3,) if spec.shape is None else spec.shape, dtype)


@pytest.mark.thinned
@pytest.mark.parametrize("name", sorted(CASES))
def test_what_is_declared_holds(name):
    primitive = PRIMITIVES[name]
    if primitive.holds_programs or primitive.calls_python:
        assert not primitive.is_fresh
    if not primitive.is_fresh:
        return
    assert not primitive.makes_views
    for variant in CASES[name].variants:
        rng = np.random.default_rng(0)
        inputs = [drawn(rng, spec) for spec in variant.inputs]
        results = []
        for _ in range(2):
            with np.errstate(all="ignore"):
                result = primitive.run(*inputs, **variant.params)
            results.extend(result if primitive.multiple_outputs else [result])
        arrays = [x for x in (*inputs, *results) if isinstance(x, np.ndarray)]
        for number, x in enumerate(arrays[len(arrays) - len(results) :]):
            others = arrays[: len(arrays) - len(results) + number]
            assert not any(np.shares_memory(x, y) for y in others)
