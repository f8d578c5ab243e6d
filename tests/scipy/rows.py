"""What is checked of a function that has a namesake in SciPy.

A row is a function of a module, SciPy's or functrace's, and of arrays: ``lambda m, a: m.inv(a)``.
SciPy is the truth for values, dtypes and shapes; finite differences for derivatives, a loop for
``vmap``, and what is computed at once for what is compiled.
"""

from __future__ import annotations

import warnings

import numpy as np

import functrace as ft
from functrace import tree
from functrace.testing import check_grads


def compare(found, expected, rtol, what):
    """Require the same structure, dtypes and shapes, and values within a tolerance."""
    found, expected = tree.leaves(found), tree.leaves(expected)
    assert len(found) == len(expected), what
    for x, y in zip(found, expected, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.dtype, x.shape) == (y.dtype, y.shape), what
        scale = float(np.max(np.abs(y), initial=1.0, where=np.isfinite(y)))
        np.testing.assert_allclose(x, y, rtol, rtol * scale, err_msg=what)


def floating(f):
    """The floating outputs of a function alone."""
    return lambda *xs: [y for y in tree.leaves(f(*xs)) if np.result_type(y).kind in "fc"]


def check(row, ours, theirs, args, *, seen=lambda x: x, order=2, rtol=1e-9, static=()):
    """Run the checks.

    Args:
        row: The function.
        ours: The module of functrace's.
        theirs: That of SciPy's.
        args: The arrays.
        seen: What is compared and differentiated of the result: what does not depend on signs,
            say.
        order: Up to which order derivatives are checked; 0 for none.
        rtol: The tolerance of values.
        static: Checks that are left out: "jit", "vmap", "dtype".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f = lambda *xs: seen(row(ours, *xs))
        expected = seen(row(theirs, *args))
        compare(f(*args), expected, rtol, "plain")
        if any(np.asarray(x).dtype.kind in "fc" for x in args):
            compare(ft.vjp(f, *args)[0], expected, rtol, "vjp")
        if "jit" not in static:
            compare(ft.jit(f)(*args), expected, rtol, "jit")
        if order:
            g = floating(f)
            check_grads(g, args, order=order)
            ones = [np.ones_like(y) for y in g(*args)]
            pulled = lambda *xs: ft.vjp(g, *xs)[1](ones)
            if "jit" not in static:
                compare(ft.jit(pulled)(*args), pulled(*args), 1e-7, "jit of the pullback")
        if "vmap" not in static:
            many = [np.stack([x, x * 1.03125]) for x in map(np.asarray, args)]
            each = [f(*(x[number] for x in many)) for number in range(2)]
            looped = tree.map(lambda *ys: np.stack(ys), *each)
            compare(ft.vmap(f)(*many), looped, rtol, "vmap")
            one = ft.vmap(f, in_axes=(0,) + (None,) * (len(args) - 1))(many[0], *args[1:])
            each = [f(x, *args[1:]) for x in many[0]]
            compare(one, tree.map(lambda *ys: np.stack(ys), *each), rtol, "vmap of the first alone")
        if "dtype" not in static:
            single = [np.asarray(x).astype("F" if np.iscomplexobj(x) else "f") for x in args]
            compare(f(*single), seen(row(theirs, *single)), 2e-4, "single precision")
