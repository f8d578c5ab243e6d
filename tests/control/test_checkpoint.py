"""checkpoint: the same derivatives with less memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functrace as ft
from functrace import errors

KEEP = ft.checkpoint_policies
POLICIES = {
    "default": None,
    "everything": KEEP.everything_saveable,
    "nothing": KEEP.nothing_saveable,
    "dots": KEEP.dots_saveable,
    "dots of all": KEEP.dots_with_no_batch_dims_saveable,
    "names": KEEP.save_only_these_names("hidden"),
    "all names": KEEP.save_any_names_but_these("another"),
    "other names": KEEP.save_any_names_but_these("hidden"),
    "but for names": KEEP.save_anything_except_these_names("hidden"),
    "dots or names": KEEP.save_from_both_policies(
        KEEP.dots_saveable, KEEP.save_only_these_names("hidden")
    ),
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


def test_policies_by_other_names_and_of_two():
    policies = ft.checkpoint_policies
    assert policies.checkpoint_dots is policies.dots_saveable
    no_batch = policies.dots_with_no_batch_dims_saveable
    assert policies.checkpoint_dots_with_no_batch_dims is no_batch
    assert kept_by("nothing").count("tanh") == kept_by("other names").count("tanh") == 1
    assert "tanh" not in kept_by("all names")
    assert "sin" not in kept_by("but for names")
    assert "tanh" not in kept_by("dots or names")
    assert kept_by("dots or names").count("contract") == kept_by("dots").count("contract")
    assert kept_by("dots of all").count("contract") == kept_by("dots").count("contract")


def test_a_contraction_for_each_example_is_one_of_a_batch():
    (plain,) = ft.make_ir(lambda w, x: w @ x)(PARAMS["w"], X).equations
    many = ft.make_ir(ft.vmap(lambda w, x: w @ x))(np.ones((2, 3, 3)), np.ones((2, 3))).equations
    (batched,) = [e for e in many if e.primitive.name == "contract"]
    no_batch = ft.checkpoint_policies.dots_with_no_batch_dims_saveable
    assert no_batch(plain)
    assert not no_batch(batched)
    assert ft.checkpoint_policies.dots_saveable(batched)


def test_static_arguments_by_name():
    f = ft.checkpoint(lambda x, kind: np.sin(x) if kind == "sin" else x, static_argnames="kind")
    assert ft.grad(f)(0.0, kind="sin") == 1.0
    assert ft.grad(f)(0.0, "sin") == 1.0


def test_captured_values_and_static_arguments():
    def f(a):
        g = ft.checkpoint(lambda x, n: np.sin(x * a) ** n, static_argnums=1)
        return g(2.0, 3)

    assert ft.grad(f)(0.4) == pytest.approx(ft.grad(lambda a: np.sin(2.0 * a) ** 3)(0.4))


@pytest.mark.slow
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


# Loops that keep few carries


def scanned(x, checkpoint, reverse=False):
    step = lambda carry, row: (carry * np.sin(row) + x * 0.1, carry * row)
    last, rows = ft.scan(step, x, x * np.linspace(0, 1, 11), reverse=reverse, checkpoint=checkpoint)
    return last * np.sum(rows)


@pytest.mark.thinned
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [1, 3, 11, 20, "sqrt"])
def test_a_scan_that_keeps_few_carries(checkpoint, reverse):
    plain = lambda x: scanned(x, None, reverse)
    ours = lambda x: scanned(x, checkpoint, reverse)
    for order in (ft.grad, lambda f: ft.grad(ft.grad(f)), lambda f: ft.jit(ft.grad(f))):
        assert order(ours)(1.1) == pytest.approx(order(plain)(1.1), rel=1e-10)
    assert ft.vmap(ft.grad(ours))(np.array([1.1]))[0] == pytest.approx(ft.grad(plain)(1.1))


@pytest.mark.parametrize("checkpoint", [1, 4, 23, 50, "sqrt"])
def test_a_while_loop_that_keeps_few_carries(checkpoint):
    def looped(x, checkpoint):
        step = lambda state: (np.sin(state[0]) * x + state[0], state[1] + 1)
        return ft.while_loop(lambda state: state[1] < 23, step, (x, 0), checkpoint=checkpoint)[0]

    plain, ours = (lambda x: looped(x, None)), (lambda x: looped(x, checkpoint))
    for order in (ft.grad, lambda f: ft.grad(ft.grad(f)), lambda f: ft.jit(ft.grad(f))):
        assert order(ours)(0.7) == pytest.approx(order(plain)(0.7), rel=1e-10)


def test_what_is_no_number_of_trips_is_refused():
    with pytest.raises(errors.ArgumentError, match="checkpoint=0 is no number of trips"):
        ft.grad(lambda x: scanned(x, 0))(1.0)


@pytest.mark.numpy_backend
def test_memory_of_a_scan_that_keeps_few_carries():
    def loss(checkpoint):
        def f(x):
            step = lambda state, _: (np.tanh(state * 1.01 + x), None)
            return np.sum(ft.scan(step, np.zeros(200), None, 1000, checkpoint=checkpoint)[0])

        return f

    def peak(f):
        ft.grad(f)(0.1)
        tracemalloc.start()
        try:
            ft.grad(f)(0.1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(loss("sqrt")) < 0.15 * peak(loss(None))


@pytest.mark.parametrize("held", [ft.jit, ft.checkpoint, lambda f: ft.checkpoint(ft.jit(f))])
def test_third_derivatives_of_a_loop_of_unknown_length(held):
    def f(x):
        body = lambda state: (state[0] + 1, state[1] * np.cos(state[1]))
        return ft.while_loop(lambda state: state[0] < 3, body, (0, np.sum(x)))[1]

    def third(f):
        squares = lambda x: np.sum(ft.grad(f)(x) ** 2)
        return ft.grad(lambda x: np.sum(ft.grad(squares)(x)))

    x = np.array([0.5, -0.25, 0.125])
    np.testing.assert_allclose(third(held(f))(x), third(f)(x), rtol=1e-12)
