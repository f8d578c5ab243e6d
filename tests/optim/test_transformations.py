"""Parts of optimizers that no optimizer shows: limits, norms, additions."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import optim
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.testing import check_grads

G = {"w": np.array([[3.0, 0.0], [-4.0, 0.0]]), "b": np.array([0.0, 12.0])}
P = {"w": np.array([[1.0, 2.0], [2.0, -2.0]]), "b": np.array([0.0, 0.0])}


def after(tx, updates=G, params=P):
    return tx.update(updates, tx.init(params), params)[0]


def test_by_global_norm():
    short = after(optim.clip_by_global_norm(20.0))
    np.testing.assert_array_equal(short["w"], G["w"])
    long = after(optim.clip_by_global_norm(6.5))
    np.testing.assert_allclose(long["b"], [0, 6])
    np.testing.assert_allclose(optim.global_norm(long), 6.5)
    zeros = optim.tree.zeros_like(G)
    np.testing.assert_array_equal(after(optim.clip_by_global_norm(1.0), zeros)["w"], 0)
    normal = after(optim.normalize_by_update_norm(2.0, 0.0))
    np.testing.assert_allclose(normal["b"], [0, 24 / 13])


def test_clipped_gradients_have_derivatives_at_zero():
    def clipped(g):
        return optim.clip_by_global_norm(1.0).update([g], ())[0][0]

    np.testing.assert_array_equal(ft.jacobian(clipped)(np.zeros(2)), np.eye(2))
    check_grads(clipped, (np.array([3.0, 4.0]),))


def test_by_elements_and_blocks():
    np.testing.assert_array_equal(after(optim.clip(3.5))["w"], [[3, 0], [-3.5, 0]])
    blocks = after(optim.clip_by_block_rms(1.0))
    np.testing.assert_allclose(blocks["w"], G["w"] / 2.5)
    np.testing.assert_allclose(after(optim.clip_by_block_rms(100.0))["b"], G["b"])
    np.testing.assert_allclose(after(optim.centralize())["w"], [[1.5, -1.5], [-2, 2]])
    np.testing.assert_allclose(after(optim.centralize())["b"], G["b"])


def test_by_units():
    found = after(optim.adaptive_grad_clip(0.5))
    np.testing.assert_allclose(found["w"][:, 0], G["w"][:, 0] / 5 * 0.5 * np.sqrt(5))
    np.testing.assert_allclose(found["b"], G["b"] / 12 * 0.5 * 1e-3)
    with pytest.raises(ArgumentError, match="6 axes"):
        after(optim.adaptive_grad_clip(0.5), np.ones((2,) * 6), np.ones((2,) * 6))


def test_by_the_size_of_parameters():
    np.testing.assert_allclose(after(optim.scale_by_param_block_norm())["w"], G["w"] * np.sqrt(13))
    np.testing.assert_allclose(after(optim.scale_by_param_block_norm())["b"], G["b"] * 1e-3)
    rms = after(optim.scale_by_param_block_rms())
    np.testing.assert_allclose(rms["w"], G["w"] * np.sqrt(13 / 4))
    np.testing.assert_allclose(after(optim.scale_by_trust_ratio())["w"], G["w"] * np.sqrt(13) / 5)
    np.testing.assert_allclose(after(optim.scale_by_trust_ratio())["b"], G["b"])


def test_what_is_not_finite_or_would_be_negative():
    bad = np.array([1.0, np.nan, np.inf])
    np.testing.assert_array_equal(after(optim.zero_nans(), bad, bad), [1, 0, np.inf])
    kept = after(optim.keep_params_nonnegative(), np.array([-3.0, 1.0]), np.array([2.0, 0.0]))
    np.testing.assert_array_equal(kept, [-2, 1])


def test_averages():
    tx = optim.ema(0.5)
    state = tx.init(np.zeros(1))
    first, state = tx.update(np.array([4.0]), state)
    second, state = tx.update(np.array([1.0]), state)
    np.testing.assert_allclose([first, second], [[4], [2]])
    assert optim.ema(0.5, accumulator_dtype=np.float32).init(np.zeros(1)).ema.dtype == np.float32
    assert (
        optim.trace(0.5, accumulator_dtype=np.float32).init(np.zeros(1)).trace.dtype == np.float32
    )


def test_noise_falls_and_depends_on_its_key():
    tx = optim.add_noise(4.0, 1.0, 0)
    zeros = {"x": np.zeros(20_000), "y": np.zeros(20_000, np.float32)}
    state, sizes = tx.init(zeros), []
    for _ in range(2):
        noise, state = tx.update(zeros, state)
        sizes.append(noise["x"].std())
    np.testing.assert_allclose(sizes, [2, np.sqrt(2)], rtol=0.02)
    assert noise["y"].dtype == np.float32
    assert abs(np.corrcoef(noise["x"], noise["y"])[0, 1]) < 0.03
    again = optim.add_noise(4.0, 1.0, ft.random.key(0))
    np.testing.assert_array_equal(
        again.update(zeros, again.init(zeros))[0]["x"], tx.update(zeros, tx.init(zeros))[0]["x"]
    )


def test_lion_has_modes():
    g = np.array([0.5, -40.0])
    smooth = optim.scale_by_lion(mode="smooth", smooth_beta=2.0)
    np.testing.assert_allclose(after(smooth, g, g), np.tanh(0.2 * g))
    np.testing.assert_allclose(after(optim.scale_by_lion(mode="refined"), g, g), [0.05, -1])
    with pytest.raises(ArgumentError, match="'soft' is none"):
        optim.scale_by_lion(mode="soft")


def test_polyaks_variants():
    tx = optim.scale_by_polyak(variant="sps+", f_min=1.0)
    assert tx.update(np.array([1.0]), (), value=0.5)[0] == 0
    assert tx.update(np.array([2.0]), (), value=3.0)[0] == 1
    assert tx.update(np.array([0.0]), (), value=3.0)[0] == 0
    with pytest.raises(ArgumentError, match="'sps\\+'"):
        optim.scale_by_polyak(variant="other")


def test_large_matrices_are_factored():
    g = np.outer([1.0, 2.0, 3.0], [1.0, 4.0])
    tx = optim.scale_by_factored_rms(min_dim_size_to_factor=2)
    state = tx.init(g)
    assert [np.shape(x) for x in (state.v_row, state.v_col, state.v)] == [(2,), (3,), (1,)]
    update, _ = tx.update(g, state, g)
    np.testing.assert_allclose(update, 1.0)  # of squares of rank one nothing is lost


def test_gradients_of_examples_are_clipped():
    grads = {"w": np.array([[[3.0, 0.0]], [[0.0, 0.0]], [[0.6, 0.0]]]), "b": np.zeros((3, 1))}
    grads["b"][0] = 4.0
    sums, count = optim.per_example_global_norm_clip(grads, 1.0)
    np.testing.assert_allclose(sums["w"], [[1.2, 0.0]])
    np.testing.assert_allclose(sums["b"], [0.8])
    assert count == 1
    sums, counts = optim.per_example_layer_norm_clip(grads, 1.0, uniform=False)
    np.testing.assert_allclose(sums["w"], [[(2 / 3) ** 0.5 + 0.6, 0.0]])
    np.testing.assert_allclose(sums["b"], [(1 / 3) ** 0.5])
    assert counts == {"w": 1, "b": 1}
    none, count = optim.per_example_global_norm_clip(grads, 0.0)
    assert (count, np.sum(none["w"])) == (2, 0)
    with pytest.raises(ShapeMismatchError, match="examples first"):
        optim.per_example_global_norm_clip({"w": np.ones((2, 3)), "b": np.ones(3)}, 1.0)


def test_units_along_axes_that_are_said():
    g, p = np.arange(24.0).reshape(2, 3, 4), np.ones((2, 3, 4))
    tx = optim.adaptive_grad_clip(0.5, axis=(1, 2))
    found, _ = tx.update(g, tx.init(p), p)
    np.testing.assert_allclose(np.linalg.norm(found.reshape(2, 12), axis=1), 0.5 * 12**0.5)
    six = np.ones((2,) * 6)
    tx = optim.adaptive_grad_clip(0.5, axis=(0, 1, 2, 3, 4))
    np.testing.assert_allclose(tx.update(six, tx.init(six), six)[0], 0.5)
