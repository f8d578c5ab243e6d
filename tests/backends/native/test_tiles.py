from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native import parallel, tiles
from functrace.backends.native.decomposing import decompose
from tests.backends.native.comparing import as_numpy

ROWS = 37


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Tiles of few rows, of which some are in two of them."""
    for name, value in {"LARGE": 1, "LEAST": 4, "MOST": 10, "ALIGNED": 5, "HELD": 1}.items():
        monkeypatch.setattr(tiles, name, value)


def softmax(x):
    shifted = np.exp(x - np.max(x, axis=1, keepdims=True))
    return shifted / np.sum(shifted, axis=1, keepdims=True)


def layer_norm(x):
    centred = x - np.mean(x, axis=1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)


def network(x, w):
    return np.sum(np.tanh(np.tanh(x @ w) @ w.T) ** 2)


def written(x):
    result = np.zeros_like(x)
    result[:, 1] = np.sum(x, axis=1)
    result[:, :2] += x[:, ::-1][:, :2]
    return np.sum(result, axis=1, keepdims=True) * result


def shaped(x):
    pairs = np.stack([x, np.sin(x)], axis=1)
    turned = np.swapaxes(pairs, 1, 2).reshape(len(x), -1)
    joined = np.concatenate([turned, np.sum(turned, axis=1, keepdims=True)], axis=1)
    return np.broadcast_to(joined[:, None], (len(x), 2, joined.shape[1])) + joined[:, None]


FUNCTIONS = {
    "softmax": softmax,
    "layer norm": layer_norm,
    "written": written,
    "shaped": shaped,
    "network": lambda x: network(x, np.linspace(-1.0, 1.0, 15).reshape(3, 5)),
    "norms": lambda x: np.linalg.norm(x * 2.0, axis=1)[:, None] * x,
    "sums over all rows": lambda x: (np.sum(softmax(x), axis=0), np.max(softmax(x), axis=0)),
    "products over all rows": lambda x: (x.T @ softmax(x), np.prod(softmax(x), axis=0)),
    "what all rows are needed for": lambda x: softmax(x - np.mean(softmax(x), axis=0)),
    "truth": lambda x: np.any(softmax(x) > 0.5, axis=0),
    "a constant": lambda x: softmax(x * np.arange(3 * len(x)).reshape(-1, 3)),
    "another length": lambda x: softmax(x)[1:] + np.cos(softmax(x[1:])),
    "rows with each other": lambda x: np.sin(softmax(x) @ softmax(x).T),
    "of integers": lambda x: np.sum(np.cumsum(x.astype(int), axis=1) * 2, axis=1) + 1,
}


def has_tiles(f, *args):
    program = decompose(ft.make_ir(f)(*args))
    return any(e.primitive is tiles.tiles for e in tiles.tiled(program).equations)


@pytest.mark.thinned
@pytest.mark.parametrize("rows", [ROWS, 40])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name, rows):
    x = np.random.default_rng(rows).normal(size=(rows, 3))
    f = FUNCTIONS[name]
    assert has_tiles(f, x) or name in ("of integers", "a constant")
    functions = [f]
    if name not in ("truth", "of integers"):
        functions.append(
            ft.value_and_grad(lambda x: sum(np.sum(np.sin(y)) for y in ft.tree.leaves(f(x))))
        )
    for function in functions:
        for found, expected in as_numpy(function, x, whole=False):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(not parallel.is_there(), reason="there are no threads to be had")
@pytest.mark.parametrize("name", ["softmax", "written", "sums over all rows"])
def test_threads_share_tiles(name):
    x = np.random.default_rng(0).normal(size=(ROWS, 3))
    fast = ft.jit(ft.value_and_grad(lambda x: np.sum(FUNCTIONS[name](x)[0])), backend="native")
    assert "@parallel" in fast.llvm(x)
    before, results = ft.config.threads, []
    for ft.config.threads in (1, 2, 3, 7, 1000):
        results += [ft.tree.leaves(fast(x)) for _ in range(5)]
    ft.config.threads = before
    for result in results:
        assert all(map(np.array_equal, result, results[0]))


def test_many_examples_and_their_weights():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(ROWS, 3)), rng.normal(size=(3, 5))
    gradient = ft.grad(network, argnums=(0, 1))
    assert has_tiles(gradient, x, w)
    for found, expected in as_numpy(gradient, x, w):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    jacobian = ft.vmap(ft.jacobian(lambda row: np.tanh(row @ w) * np.sum(row)))
    assert has_tiles(jacobian, x)
    for found, expected in as_numpy(jacobian, x):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_sums_leave_out_rows_that_were_counted():
    def f(x):
        return np.sum(softmax(x), axis=0)

    program = decompose(ft.make_ir(f)(np.ones((ROWS, 3))))
    (joined,) = [e for e in tiles.tiled(program).equations if e.primitive is tiles.tiles]
    assert joined.params["is_masked"]
    assert joined.params["totals"] == ("sum",)
    program = decompose(ft.make_ir(f)(np.ones((40, 3))))
    (joined,) = [e for e in tiles.tiled(program).equations if e.primitive is tiles.tiles]
    assert not joined.params["is_masked"]


def test_what_is_small_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(tiles, "LARGE", 1 << 20)
    assert not has_tiles(softmax, np.ones((ROWS, 3)))
    assert has_tiles(softmax, np.ones((100_000, 3)))
    assert not has_tiles(lambda x: np.sin(x) * x + np.cos(x), np.ones((100_000, 3)))  # one loop


def test_matrices_are_a_librarys():
    large = np.ones((300, 300))
    assert not has_tiles(lambda x: np.tanh(x @ large), np.ones((ROWS, 300)))


def test_warnings_and_what_is_not_finite():
    x = np.ones((ROWS, 3))
    x[5, 1], x[36, 0] = np.nan, np.inf
    for found, expected in as_numpy(softmax, x):
        np.testing.assert_array_equal(found, expected)
    for found, expected in as_numpy(
        lambda x: np.sum(np.log(x) * softmax(x), axis=0), 0 * np.ones((ROWS, 3))
    ):
        np.testing.assert_array_equal(found, expected)
