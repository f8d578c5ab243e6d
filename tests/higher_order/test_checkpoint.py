"""checkpoint: the same derivatives with less memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functrace as ft

POLICIES = {
    "default": None,
    "everything": ft.checkpoint_policies.everything_saveable,
    "nothing": ft.checkpoint_policies.nothing_saveable,
    "dots": ft.checkpoint_policies.dots_saveable,
    "names": ft.checkpoint_policies.save_only_these_names("hidden"),
}
RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(3, 3)), "b": RNG.normal(size=3)}
X = RNG.normal(size=3)


def block(p, x):
    h = ft.checkpoint_name(np.tanh(p["w"] @ x + p["b"]), "hidden")
    return np.sin(p["w"] @ h) * x


def loss(block):
    return lambda p, x: np.sum(block(p, block(p, x)) ** 2)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_derivatives(policy):
    kept = ft.checkpoint(block, policy=POLICIES[policy])
    np.testing.assert_array_equal(kept(PARAMS, X), block(PARAMS, X))
    plain, ours = loss(block), loss(kept)
    for transform in (
        lambda f: ft.grad(f),
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: ft.grad(lambda p, x: ft.jvp(lambda x: f(p, x), (x,), (np.ones(3),))[1]),
        lambda f: ft.grad(lambda p, x: np.sum(ft.grad(f, argnums=1)(p, x) ** 2)),
    ):
        expected = ft.tree.leaves(transform(plain)(PARAMS, X))
        for a, b in zip(ft.tree.leaves(transform(ours)(PARAMS, X)), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    batched = ft.vmap(ft.grad(ours), (None, 0))(PARAMS, np.stack([X, 2 * X]))
    expected = ft.vmap(ft.grad(plain), (None, 0))(PARAMS, np.stack([X, 2 * X]))
    np.testing.assert_allclose(batched["w"], expected["w"], rtol=1e-9)


def kept_by(policy):
    """The primitives in the way back of a checkpointed block, which tell what is run again."""
    f = ft.checkpoint(block, policy=POLICIES[policy])
    _, pullback = ft.vjp(lambda x: f(PARAMS, x), X)
    program = ft.make_ir(lambda ct: pullback(ct)[0])(np.ones(3))
    (equation,) = [e for e in program.equations if e.primitive.name == "checkpoint"]
    return [e.primitive.name for e in equation.params["program"].equations]


def test_policies_decide_what_is_run_again():
    assert kept_by("nothing").count("tanh") == 1
    assert "tanh" not in kept_by("names")
    assert "tanh" not in kept_by("everything")
    assert kept_by("dots").count("contract") < kept_by("nothing").count("contract")


def test_captured_values_and_static_arguments():
    def f(a):
        g = ft.checkpoint(lambda x, n: np.sin(x * a) ** n, static_argnums=1)
        return g(2.0, 3)

    assert ft.grad(f)(0.4) == pytest.approx(ft.grad(lambda a: np.sin(2.0 * a) ** 3)(0.4))


def test_memory_of_a_long_chain():
    def chain(block):
        def f(x):
            for _ in range(20):
                x = block(x)
            return np.sum(x)

        return f

    def segment(x):
        for _ in range(10):
            x = np.sin(x) * 1.01
        return x

    def peak(f):
        tracemalloc.start()
        try:
            ft.grad(f)(np.ones(20_000))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(chain(ft.checkpoint(segment)))
    assert peak(chain(ft.checkpoint(segment))) < 0.3 * peak(chain(segment))
