"""Programs as JAX's documentation has them, with nothing but their imports changed."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import pytest

import functrace as jax
import functrace.numpy as jnp
from functrace import grad, jit, lax, vmap
from functrace.flatten_util import ravel_pytree
from functrace.scipy.special import logsumexp
from functrace.testing import check_grads
from functrace.tree_util import tree_map

RANDOM = np.random.default_rng(0)


def test_training_a_classifier():
    def init(sizes):
        pairs = pairwise(sizes)
        return [(0.5 * RANDOM.normal(size=(m, n)), np.zeros(n)) for m, n in pairs]

    def predict(params: Any, inputs: jax.Array) -> jax.Array:
        activations = inputs
        for w, b in params[:-1]:
            activations = jnp.tanh(jnp.dot(activations, w) + b)
        final_w, final_b = params[-1]
        logits = jnp.dot(activations, final_w) + final_b
        return logits - logsumexp(logits, axis=1, keepdims=True)

    def loss(params, batch):
        inputs, targets = batch
        return -jnp.mean(jnp.sum(predict(params, inputs) * targets, axis=1))

    @jit
    def update(params, batch):
        grads = grad(loss)(params, batch)
        return tree_map(lambda p, g: p - 0.5 * g, params, grads)

    inputs = RANDOM.normal(size=(64, 2))
    targets = np.eye(2)[(inputs[:, 0] * inputs[:, 1] > 0).astype(int)]
    params = init([2, 16, 2])
    before = loss(params, (inputs, targets))
    for _ in range(300):
        params = update(params, (inputs, targets))
    jax.block_until_ready(params)
    assert loss(params, (inputs, targets)) < 0.3 * before


def test_a_kalman_filter():
    class State(NamedTuple):
        mean: Any
        covariance: Any

    move, look = np.array([[1, 0.1], [0, 1]]), np.array([[1.0, 0]])
    seen = RANDOM.normal(size=(6, 1))

    def loss(noise):
        def step(state, z):
            mean = move @ state.mean
            covariance = move @ state.covariance @ move.T + jnp.exp(noise[0]) * jnp.eye(2)
            s = look @ covariance @ look.T + jnp.exp(noise[1])
            gain = jnp.linalg.solve(s, look @ covariance).T
            v = z - look @ mean
            after = State(mean + gain @ v, (jnp.eye(2) - gain @ look) @ covariance)
            return after, 0.5 * (v @ jnp.linalg.solve(s, v) + jnp.linalg.slogdet(s)[1])

        return jnp.sum(lax.scan(step, State(jnp.zeros(2), jnp.eye(2)), seen)[1])

    # All observations together are normal: the filter only takes them apart.
    def at_once(noise):
        powers = [np.linalg.matrix_power(move, n) for n in range(len(seen) + 1)]
        marginal = [powers[1] @ powers[1].T + np.exp(noise[0]) * np.eye(2)]
        for _ in seen[1:]:
            marginal.append(move @ marginal[-1] @ move.T + np.exp(noise[0]) * np.eye(2))
        s = np.exp(noise[1]) * np.eye(len(seen))
        for i, j in product(range(len(seen)), repeat=2):
            first = marginal[min(i, j)] if i <= j else marginal[min(i, j)].T
            later = first @ powers[abs(i - j)].T
            s[i, j] += (look @ later @ look.T)[0, 0]
        v = seen[:, 0]
        return 0.5 * (v @ np.linalg.solve(s, v) + np.linalg.slogdet(s)[1])

    noise = jnp.array([-1.0, -0.5])
    assert loss(noise) == pytest.approx(at_once(noise), rel=1e-9)
    assert jit(loss)(noise) == pytest.approx(at_once(noise), rel=1e-9)
    check_grads(loss, (noise,), order=2)


def test_the_best_path_and_the_sum_over_paths():
    change = np.log(RANDOM.dirichlet(np.ones(3), 3))
    emission = jnp.array(np.log(RANDOM.dirichlet(np.ones(4), 3)))
    observed = np.array([0, 2, 1, 3, 3])

    def emitting(o):
        return lax.dynamic_index_in_dim(emission, o, axis=1, keepdims=False)

    def best_path(first):
        def forward(score, o):
            scores = score[:, None] + change
            return jnp.max(scores, 0) + emitting(o), jnp.argmax(scores, 0)

        score, back = lax.scan(forward, first, observed[1:])
        last = jnp.argmax(score)
        start, path = lax.scan(lambda s, row: (row[s], s), last, back, reverse=True)
        return jnp.concatenate([jnp.expand_dims(start, 0), path]), jnp.max(score)

    def total(change):
        def forward(score, o):
            return logsumexp(score[:, None] + change, axis=0) + emitting(o), None

        return logsumexp(lax.scan(forward, emission[:, observed[0]], observed[1:])[0])

    def score(path):
        steps = sum(change[a, b] for a, b in pairwise(path))
        return steps + sum(emission[s, o] for s, o in zip(path, observed, strict=True))

    paths = list(product(range(3), repeat=5))
    scores = np.array([score(path) for path in paths])
    first = emission[:, observed[0]]
    for f in (best_path, jit(best_path), lambda x: tree_map(np.squeeze, vmap(best_path)(x[None]))):
        path, found = f(first)
        assert tuple(path) == paths[np.argmax(scores)]
        assert found == pytest.approx(np.max(scores))
    assert total(change) == pytest.approx(logsumexp(scores))
    counts = grad(total)(change)  # how often each change is expected
    assert np.sum(counts) == pytest.approx(4.0)


def test_a_pendulum():
    def solve(y0, g):
        def derivative(y):
            return jnp.array([y[1], -g * jnp.sin(y[0])])

        def body(state):
            y, t = state
            h = jnp.minimum(0.05, 1.0 - t)
            k1 = derivative(y)
            k2 = derivative(y + h / 2 * k1)
            k3 = derivative(y + h / 2 * k2)
            k4 = derivative(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), t + h

        return lax.while_loop(lambda state: state[1] < 1.0, body, (y0, 0.0))[0]

    def energy(y):
        return 0.5 * y[1] ** 2 - 2.0 * jnp.cos(y[0])

    y0 = jnp.array([1.0, 0.0])
    end = jit(solve)(y0, 2.0)
    assert energy(end) == pytest.approx(energy(y0), abs=1e-6)
    # The flow keeps areas: the determinant of its derivative is 1.
    for jacobian in (jax.jacfwd(solve)(y0, 2.0), jax.jacrev(jit(solve))(y0, 2.0)):
        assert jnp.linalg.det(jacobian) == pytest.approx(1.0, abs=1e-6)
    ends = vmap(solve, in_axes=(0, None))(jnp.stack([y0, y0 / 2]), 2.0)
    np.testing.assert_allclose(ends[0], end, rtol=1e-12)


def test_a_fixed_point_with_rules_of_its_own():
    def iterate(f, a, x):
        far = lambda pair: jnp.max(jnp.abs(pair[0] - pair[1])) > 1e-12
        return lax.while_loop(far, lambda pair: (pair[1], f(a, pair[1])), (x, f(a, x)))[1]

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def fixed_point(f, a, x_guess):
        return iterate(f, a, x_guess)

    def forward(f, a, x_init):
        x_star = fixed_point(f, a, x_init)
        return x_star, (a, x_star)

    def backward(f, res, x_star_bar):
        a, x_star = res
        _, vjp_a = jax.vjp(lambda a: f(a, x_star), a)
        packed = (a, x_star, x_star_bar)
        (a_bar,) = vjp_a(fixed_point(partial(rev_iter, f), packed, x_star_bar))
        return a_bar, jnp.zeros_like(x_star)

    def rev_iter(f, packed, u):
        a, x_star, x_star_bar = packed
        _, vjp_x = jax.vjp(lambda x: f(a, x), x_star)
        return x_star_bar + vjp_x(u)[0]

    fixed_point.defvjp(forward, backward)
    root = lambda a: fixed_point(lambda a, x: 0.5 * (x + a / x), a, a)
    assert root(2.0) == pytest.approx(2**0.5)
    for f in (grad(root), jit(grad(root)), lambda a: vmap(grad(root))(jnp.array([a]))[0]):
        assert f(2.0) == pytest.approx(0.5 * 2**-0.5)
    assert grad(grad(root))(2.0) == pytest.approx(-0.25 * 2**-1.5)


def test_learning_to_learn():
    params = {"w": RANDOM.normal(size=(1, 8)), "b": np.zeros(8), "v": RANDOM.normal(size=(8, 1))}

    def loss(p, x, y):
        return jnp.mean((jnp.tanh(x @ p["w"] + p["b"]) @ p["v"] - y) ** 2)

    def after_a_step(p, x, y):
        return tree_map(lambda p, g: p - 0.1 * g, p, grad(loss)(p, x, y))

    def meta_loss(p, x, y, x_new, y_new):
        return loss(after_a_step(p, x, y), x_new, y_new)

    tasks = [RANDOM.normal(size=(3, 5, 1)) for _ in range(4)]
    batch_loss = lambda p: jnp.mean(vmap(partial(meta_loss, p))(*tasks))
    check_grads(batch_loss, (params,), rtol=1e-5)
    flat, unravel = ravel_pytree(jit(grad(batch_loss))(params))
    one_by_one = [grad(meta_loss)(params, *(t[n] for t in tasks)) for n in range(3)]
    np.testing.assert_allclose(flat, np.mean([ravel_pytree(g)[0] for g in one_by_one], 0))
    assert jax.tree.structure(unravel(flat)) == jax.tree.structure(params)
