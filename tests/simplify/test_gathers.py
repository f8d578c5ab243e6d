"""Rows that are read of products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace.simplify import EXACT

ROWS = np.array([3, 0, 3])


def shapes_of(f, *args):
    """The shapes of what products make in a simplified Program."""
    program = EXACT(ft.make_ir(f)(*args))
    return [
        equation.outputs[0].type.shape
        for equation in program.equations
        if equation.primitive.name.startswith("contract")
    ]


def test_only_what_is_read_of_a_product_is_computed():
    a, b = np.ones((4, 5)), np.ones((5, 9))
    assert shapes_of(lambda a, b, rows: (a @ b)[:, rows], a, b, ROWS) == [(4, 3)]
    assert shapes_of(lambda a, b, rows: (b.T @ a.T)[rows], a, b, ROWS) == [(3, 4)]
    placed = lambda a, b, rows: (a @ b + np.ones((4, 1)))[:, rows]
    assert shapes_of(placed, a, b, ROWS) == [(4, 3)]


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b, rows: (a @ b)[:, np.concatenate([rows, rows])],  # nearly all of it
        lambda a, b, rows: ((c := a @ b)[:, rows], c),  # something else reads it
        lambda a, b, rows: np.exp(a @ b)[:, rows],
        lambda a, b, rows: (a @ b)[rows, rows],
    ],
)
def test_elsewhere_all_is_computed(f):
    assert shapes_of(f, np.ones((4, 5)), np.ones((5, 9)), ROWS) == [(4, 9)]


def blended(x, turns, skin, weights, rows):
    moved = (turns * x)[:, :3] @ skin
    placed = np.sum(moved * weights[:, None], axis=0) - np.ones((3, 1))
    return (np.ones((3, 1)) - 2.0 * placed)[:, rows]


WAYS = {
    "values": lambda f: f,
    "gradient": lambda f: ft.grad(lambda *args: np.sum(np.sin(f(*args)))),
    "Jacobian": lambda f: ft.jacfwd(f),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("backend", ["numpy", None])
def test_the_results_stay(way, backend):
    rng = np.random.default_rng(0)
    args = (
        0.7, rng.normal(size=(5, 4, 4)), rng.normal(size=(4, 40)), rng.normal(size=(5, 40)), ROWS,
    )  # fmt: skip
    f = way(blended)
    np.testing.assert_allclose(ft.jit(f, backend=backend)(*args), f(*args), rtol=1e-12)
    with pytest.raises(IndexError):
        ft.jit(f, backend=backend)(*args[:-1], ROWS + 40)


LAYERS = st.lists(
    st.sampled_from(
        [
            lambda x, y: x @ y,
            lambda x, y: y @ x,
            lambda x, y: x * y[0],
            lambda x, y: y[:, :1] - x,
            lambda x, y: x.T,
            lambda x, y: -x[:, None, :].reshape(8, 1, 8)[:, 0],
            lambda x, y: np.sum(x[:, :, None] * y, axis=1),
            lambda x, y: np.einsum("ij,jk->ki", x, y),
            lambda x, y: np.diag(np.diagonal(x)) @ y,
        ]
    ),
    max_size=4,
)


@given(LAYERS, st.integers(0, 1), st.lists(st.integers(-8, 7), max_size=4))
@settings(max_examples=40, deadline=None)
def test_rows_of_any_sums_of_products(layers, axis, rows):
    def f(x, y, rows):
        for layer in layers:
            x = layer(x, y)
        return x[rows] if axis == 0 else x[:, rows]

    rng = np.random.default_rng(1)
    args = rng.normal(size=(8, 8)), rng.normal(size=(8, 8)), np.array(rows, int)
    (found,) = ft.evaluate(EXACT(ft.make_ir(f)(*args)), *args)
    np.testing.assert_allclose(found, f(*args), rtol=1e-9, atol=1e-9)
