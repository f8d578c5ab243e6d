"""What is asked of every function of functrace.lax."""

from __future__ import annotations

import numpy as np

import functrace as ft
from functrace.testing import check_grads

X = np.cos(np.arange(12.0)).reshape(3, 4)
V = np.array([0.5, -1.5, 2.0, 0.25])


def assert_same(found, expected, rtol=1e-12):
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


def assert_works(f, expected, *args):
    """Plain, recorded, mapped; and derivatives by the floating arguments."""
    assert_same(f(*args), expected)
    assert_same(ft.jit(f)(*args), expected)
    doubled = [np.stack([np.asarray(x)] * 2) for x in args]
    both = ft.tree.map(lambda y: np.stack([y] * 2), expected)
    assert_same(ft.vmap(f)(*doubled), both)
    floating = [n for n, x in enumerate(args) if np.asarray(x).dtype.kind == "f"]

    def of_floating(*given):
        full = list(args)
        for n, x in zip(floating, given, strict=True):
            full[n] = x
        leaves = ft.tree.leaves(f(*full))
        return [y for y in leaves if np.dtype(y.dtype).kind == "f"]

    if floating and any(np.asarray(y).dtype.kind == "f" for y in ft.tree.leaves(expected)):
        check_grads(of_floating, [args[n] for n in floating], modes=("fwd", "rev"))
