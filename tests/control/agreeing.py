"""Loops and choices beside the same thing written in Python, under every transformation."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.testing import check_grads

ROWS = np.array([[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0]])
X = np.array([0.7, -0.4])


def scan_in_python(f, init, xs, reverse=False):
    carry, ys = init, [None] * len(xs)
    order = range(len(xs))
    for i in reversed(order) if reverse else order:
        carry, ys[i] = f(carry, xs[i])
    return carry, np.stack(ys)


def assert_same(found, expected, **tolerance):
    """The same trees, dtypes included."""
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12, **tolerance)


def assert_agrees(f, reference, *args, derivatives=True):
    """A function of floating arguments against its reference, under every transformation."""
    expected = reference(*args)
    assert_same(f(*args), expected)
    assert_same(ft.jit(f)(*args), expected)
    stacked = [np.stack([np.asarray(x), np.asarray(x) * 0.5 + 0.1]) for x in args]
    each = [reference(*(x[i] for x in stacked)) for i in range(2)]
    batched = ft.tree.map(lambda *parts: np.stack(parts), *each)
    assert_same(ft.vmap(f)(*stacked), batched)
    assert_same(ft.jit(ft.vmap(f))(*stacked), batched)
    if not derivatives:
        return
    check_grads(f, args)

    def loss(g):
        return lambda *args: sum(
            np.sum(np.sin(leaf)) for leaf in ft.tree.leaves(g(*args)) if leaf.dtype.kind == "f"
        )

    argnums = tuple(range(len(args)))
    wanted = ft.grad(loss(reference), argnums)(*args)
    assert_same(ft.grad(loss(f), argnums)(*args), wanted)
    assert_same(ft.jit(ft.grad(loss(f), argnums))(*args), wanted)
    assert_same(ft.grad(ft.jit(loss(f)), argnums)(*args), wanted)
    many = ft.vmap(ft.grad(loss(f), argnums))(*stacked)
    one_by_one = [ft.grad(loss(reference), argnums)(*(x[i] for x in stacked)) for i in range(2)]
    assert_same(many, ft.tree.map(lambda *parts: np.stack(parts), *one_by_one))
    wanted = ft.jacrev(ft.grad(loss(reference)))(*args)
    assert_same(ft.jacrev(ft.grad(ft.jit(loss(f))))(*args), wanted)
    assert_same(ft.jacrev(ft.grad(loss(f)))(*args), wanted)
