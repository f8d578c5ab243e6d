"""Losses against their formulas, their derivatives, and what they refuse."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace import nn
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.testing import check_grads

LOGITS = np.cos(np.arange(12.0)).reshape(3, 4) * 3
ROWS = scipy.special.softmax(np.sin(np.arange(12.0)).reshape(3, 4), -1)
NUMBERS = np.array([2, 0, 3])
SIGNS = np.where(np.arange(12).reshape(3, 4) % 3 > 0, 1, -1)
PROBABILITIES = np.linspace(0, 1, 12).reshape(3, 4)
MASK = np.arange(12).reshape(3, 4) % 5 > 0

softmax = scipy.special.softmax(LOGITS, -1)
sigmoid = scipy.special.expit(LOGITS)
entropy = -np.sum(ROWS * np.log(softmax), -1)
binary = -PROBABILITIES * np.log(sigmoid) - (1 - PROBABILITIES) * np.log(1 - sigmoid)
angle = np.sum(LOGITS * ROWS, -1) / np.linalg.norm(LOGITS, axis=-1) / np.linalg.norm(ROWS, axis=-1)
own = LOGITS[np.arange(3), NUMBERS]
other = np.where(np.arange(4) == NUMBERS[:, None], -np.inf, LOGITS).max(-1)
errors = LOGITS - ROWS
divergence = np.sum(ROWS * (np.log(ROWS) - LOGITS), -1)

grown = np.sum(np.exp(LOGITS) - ROWS, -1)


def nearest_probabilities(row):
    """By trying all numbers of classes that are not 0."""
    found = []
    for count in range(1, len(row) + 1):
        level = (np.sort(row)[-count:].sum() - 1) / count
        p = np.maximum(row - level, 0)
        if np.isclose(p.sum(), 1):
            found.append(p)
    return min(found, key=lambda p: np.sum((p - row) ** 2))


nearest = np.array([nearest_probabilities(row) for row in LOGITS])

CASES = {
    "squared_error": (nn.squared_error, ROWS, errors**2),
    "l2_loss": (nn.l2_loss, ROWS, errors**2 / 2),
    "mean_squared_error": (nn.mean_squared_error, ROWS, np.mean(errors**2)),
    "absolute_error": (nn.absolute_error, ROWS, np.abs(errors)),
    "huber_loss": (
        nn.huber_loss,
        ROWS,
        np.where(np.abs(errors) <= 1, errors**2 / 2, np.abs(errors) - 0.5),
    ),
    "log_cosh": (nn.log_cosh, ROWS, np.log(np.cosh(errors))),
    "cosine_similarity": (nn.cosine_similarity, ROWS, angle),
    "cosine_distance": (nn.cosine_distance, ROWS, 1 - angle),
    "hinge_loss": (nn.hinge_loss, SIGNS, np.maximum(1 - LOGITS * SIGNS, 0)),
    "perceptron_loss": (nn.perceptron_loss, SIGNS, np.maximum(-LOGITS * SIGNS, 0)),
    "sigmoid_binary_cross_entropy": (nn.sigmoid_binary_cross_entropy, PROBABILITIES, binary),
    "sigmoid_focal_loss": (
        nn.sigmoid_focal_loss,
        PROBABILITIES,
        binary * (sigmoid * (1 - PROBABILITIES) + (1 - sigmoid) * PROBABILITIES) ** 2,
    ),
    "softmax_cross_entropy": (nn.softmax_cross_entropy, ROWS, entropy),
    "safe_softmax_cross_entropy": (nn.safe_softmax_cross_entropy, ROWS, entropy),
    "softmax_cross_entropy_with_integer_labels": (
        nn.softmax_cross_entropy_with_integer_labels,
        NUMBERS,
        -np.log(softmax[np.arange(3), NUMBERS]),
    ),
    "poly_loss_cross_entropy": (
        nn.poly_loss_cross_entropy,
        ROWS,
        entropy + 2 * (1 - np.sum(ROWS * softmax, -1)),
    ),
    "multiclass_hinge_loss": (nn.multiclass_hinge_loss, NUMBERS, np.maximum(other + 1 - own, 0)),
    "multiclass_perceptron_loss": (
        nn.multiclass_perceptron_loss,
        NUMBERS,
        np.maximum(other - own, 0),
    ),
    "kl_divergence": (nn.kl_divergence, ROWS, divergence),
    "kl_divergence_with_log_targets": (
        nn.kl_divergence_with_log_targets,
        np.log(ROWS),
        divergence,
    ),
    "generalized_kl_divergence": (nn.generalized_kl_divergence, ROWS, divergence + grown),
    "sparsemax_loss": (
        nn.sparsemax_loss,
        SIGNS > 0,
        np.where(
            LOGITS * SIGNS >= 1,
            0,
            np.where(LOGITS * SIGNS <= -1, -LOGITS * SIGNS, (1 - LOGITS * SIGNS) ** 2 / 4),
        ),
    ),
    "multiclass_sparsemax_loss": (
        nn.multiclass_sparsemax_loss,
        NUMBERS,
        np.sum((LOGITS - own[:, None]) * nearest - nearest**2 / 2, -1) + 0.5,
    ),
    "ranking_softmax_loss": (
        lambda x, y: nn.ranking_softmax_loss(x, y, reduce_fn=None),
        ROWS,
        entropy,
    ),
    "triplet_margin_loss": (
        lambda x, y: nn.triplet_margin_loss(x, y, -y, margin=0.5, eps=0.0),
        ROWS,
        np.maximum(
            np.linalg.norm(errors, axis=-1) - np.linalg.norm(LOGITS + ROWS, axis=-1) + 0.5, 0
        ),
    ),
    "make_fenchel_young_loss": (
        nn.make_fenchel_young_loss(lambda x: 0.5 * nn.logsumexp(x / 0.5)),
        ROWS,
        0.5 * scipy.special.logsumexp(LOGITS / 0.5, -1) - np.sum(LOGITS * ROWS, -1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_losses(name):
    loss, targets, expected = CASES[name]
    for f in (loss, ft.jit(loss)):
        found = f(LOGITS, targets)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        assert np.shape(found) == np.shape(expected)
    check_grads(lambda x: loss(x, targets), (LOGITS,), order=2)
    single = [x.astype(np.float32) if x.dtype == float else x for x in (LOGITS, targets)]
    assert loss(*single).dtype == np.float32
    if name != "mean_squared_error":
        mapped = ft.vmap(loss)(LOGITS, targets)
        np.testing.assert_allclose(mapped, expected, rtol=1e-12, atol=1e-14)


def test_options():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(nn.squared_error(LOGITS), LOGITS**2)
        np.testing.assert_allclose(
            nn.huber_loss(LOGITS, 0.0, 0.5),
            np.where(np.abs(LOGITS) <= 0.5, LOGITS**2 / 2, 0.5 * np.abs(LOGITS) - 0.125),
        )
        assert np.isfinite(nn.log_cosh(np.array([-1e4, 1e4]))).all()
        labels = (PROBABILITIES > 0.5).astype(int)
        plain = nn.sigmoid_focal_loss(LOGITS, labels)
        weighed = nn.sigmoid_focal_loss(LOGITS, labels, alpha=0.25)
        np.testing.assert_allclose(weighed, plain * np.where(labels, 0.25, 0.75))
        np.testing.assert_allclose(nn.smooth_labels(np.eye(4), 0.2), 0.8 * np.eye(4) + 0.05)
        np.testing.assert_allclose(nn.cosine_similarity(np.zeros(3), np.ones(3), epsilon=1e-3), 0)


def test_labels_of_classes_that_do_not_count_are_zero():
    rows = np.where(MASK, np.eye(4)[[1, 2, 3]], 0.0)
    f = lambda logits: nn.softmax_cross_entropy(logits, rows, where=MASK)
    kept = np.log(np.sum(np.exp(LOGITS) * MASK, -1))
    expected = np.sum(rows, -1) * kept - np.sum(rows * LOGITS, -1)
    np.testing.assert_allclose(f(LOGITS), expected)
    np.testing.assert_allclose(ft.jit(f)(LOGITS), expected)
    check_grads(f, (LOGITS,), order=2)


def test_lists_that_are_partly_there():
    where, weights = MASK.copy(), np.arange(12.0).reshape(3, 4)
    where[1] = False
    with np.errstate(all="ignore"):
        logarithm = LOGITS - np.log(np.sum(np.exp(LOGITS) * where, -1, keepdims=True))
    losses = -np.sum(ROWS * weights * logarithm, -1, where=where)[[0, 2]]
    options = {"where": where, "weights": weights}
    f = lambda logits, **more: nn.ranking_softmax_loss(logits, ROWS, **options, **more)
    np.testing.assert_allclose(f(LOGITS), np.mean(losses))
    np.testing.assert_allclose(f(LOGITS, reduce_fn=np.sum), np.sum(losses))
    np.testing.assert_allclose(f(LOGITS, reduce_fn=None), [losses[0], 0, losses[1]])
    check_grads(f, (LOGITS,), order=2)
    assert nn.ranking_softmax_loss(LOGITS, ROWS, where=where & False) == 0
    single = LOGITS.astype(np.float32), ROWS.astype(np.float32)
    assert nn.ranking_softmax_loss(*single, where=where).dtype == np.float32


def test_vectors_that_find_each_other():
    x, labels = np.sin(np.arange(15.0)).reshape(5, 3), np.array([0, 1, 0, 0, 1])
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    scores = units @ units.T / 0.5
    losses = []
    for i in range(5):
        others = np.exp(scores[i, labels != labels[i]])
        for j in np.flatnonzero((labels == labels[i]) & (np.arange(5) != i)):
            own = np.exp(scores[i, j])
            losses.append(-np.log(own / (own + np.sum(others))))
    loss = lambda x: nn.ntxent(x, labels, 0.5)
    np.testing.assert_allclose(loss(x), np.mean(losses))
    np.testing.assert_allclose(ft.jit(loss)(x), np.mean(losses))
    check_grads(loss, (x,), order=2)
    assert loss(x.astype(np.float32)).dtype == np.float32


def test_segmentations():
    scores = np.cos(np.arange(48.0)).reshape(2, 2, 4, 3) * 2
    masks = np.eye(3)[np.arange(16).reshape(2, 2, 4) * 7 % 3]
    likely = scipy.special.softmax(scores, -1)
    common, both = np.sum(likely * masks, (1, 2)), np.sum(likely + masks, (1, 2))
    expected = 1 - (2 * common + 2) / (both + 2)
    f = lambda scores, **options: nn.dice_loss(scores, masks, **options)
    np.testing.assert_allclose(f(scores), np.mean(expected, -1))
    np.testing.assert_allclose(f(scores, reduction="none"), expected)
    weights = np.array([1.0, 2.0, 3.0])
    found = f(scores, class_weights=weights, ignore_background=True, reduction="sum")
    np.testing.assert_allclose(found, np.sum((expected * weights)[:, 1:], -1))
    np.testing.assert_allclose(f(likely, apply_softmax=False), np.mean(expected, -1))
    check_grads(f, (scores,), order=2)
    more, less = np.sum(likely, (1, 2)) - common, np.sum(masks, (1, 2)) - common
    expected = 1 - (common + 1) / (common + 0.3 * more + 0.7 * less + 1)
    np.testing.assert_allclose(f(scores, alpha=0.3, beta=0.7, reduction="none"), expected)
    counts = np.sum(masks, (0, 1, 2))
    share = 1 / counts**2 / np.mean(1 / counts**2)
    generalized = np.mean(f(scores, reduction="none") * share)
    found = nn.multiclass_generalized_dice_loss(scores, masks)
    np.testing.assert_allclose(found, generalized, rtol=1e-6)
    one, mask = scores[..., 0], masks[..., 0]
    likely = scipy.special.expit(one)
    expected = 1 - (2 * np.sum(likely * mask, (1, 2)) + 2) / (np.sum(likely + mask, (1, 2)) + 2)
    for found in (
        nn.binary_dice_loss(one, mask),
        nn.binary_dice_loss(one[..., None], mask[..., None]),
        nn.dice_loss(one[..., None], mask),
    ):
        np.testing.assert_allclose(found, expected)


def test_axes_and_classes_that_do_not_count():
    there = np.array([True, True, False, True])
    smooth = nn.smooth_labels(np.eye(4)[:2], 0.3, where=np.broadcast_to(there, (2, 4)))
    np.testing.assert_allclose(smooth, 0.7 * np.eye(4)[:2] + 0.1)
    np.testing.assert_allclose(
        nn.smooth_labels(np.eye(2, 4), 0.2, axis=0), 0.8 * np.eye(2, 4) + 0.1
    )
    kept = np.where(MASK, np.exp(LOGITS), 0)
    likely = kept / kept.sum(0)
    logarithm = np.log(np.where(MASK, likely, 1))
    expected = -np.sum(ROWS * logarithm, 0)
    found = nn.softmax_cross_entropy(LOGITS, ROWS, axis=0, where=MASK)
    np.testing.assert_allclose(found, expected)
    numbers = np.array([1, 2, 0, 2])
    found = nn.softmax_cross_entropy_with_integer_labels(LOGITS, numbers, axis=0, where=MASK)
    np.testing.assert_allclose(found, -logarithm[numbers, np.arange(4)])
    found = nn.kl_divergence(LOGITS, ROWS, axis=0, where=MASK)
    np.testing.assert_allclose(found, np.sum(ROWS * (np.log(ROWS) - LOGITS) * MASK, 0))


def test_events_of_no_probability():
    logits = np.array([0.0, -np.inf, 1.0])
    labels = np.array([0.25, 0.0, 0.75])
    value, gradient = ft.value_and_grad(nn.safe_softmax_cross_entropy)(logits, labels)
    np.testing.assert_allclose(gradient, scipy.special.softmax(logits) - labels)
    assert np.isfinite(value)
    value, gradient = ft.value_and_grad(nn.kl_divergence)(logits, labels)
    np.testing.assert_allclose(gradient, [-0.25, 0, -0.75])
    assert np.isfinite(value)


def test_derivatives_of_the_classical_pairs():
    gradient = ft.grad(lambda z: np.sum(nn.softmax_cross_entropy(z, ROWS)))(LOGITS)
    np.testing.assert_allclose(gradient, softmax - ROWS, atol=1e-15)
    gradient = ft.grad(lambda z: np.sum(nn.sigmoid_binary_cross_entropy(z, PROBABILITIES)))(LOGITS)
    np.testing.assert_allclose(gradient, sigmoid - PROBABILITIES, atol=1e-15)


@pytest.mark.parametrize("loss", [nn.hinge_loss, nn.perceptron_loss])
def test_nothing_is_lost_at_the_margin(loss):
    margin = 1.0 if loss is nn.hinge_loss else 0.0
    assert ft.grad(loss)(margin, 1) == 0
    assert ft.grad(loss)(margin - 1e-9, 1) == -1


def test_extreme_logits():
    logits = np.array([800.0, -800.0, 0.0])
    value, gradient = ft.value_and_grad(
        lambda z: np.sum(nn.sigmoid_binary_cross_entropy(z, np.array([0, 1, 1])))
    )(logits)
    np.testing.assert_allclose(value, 1600 + np.log(2))
    np.testing.assert_allclose(gradient, [1, -1, -0.5])
    value, gradient = ft.value_and_grad(nn.softmax_cross_entropy_with_integer_labels)(logits, 1)
    assert value == 1600
    np.testing.assert_allclose(gradient, [1, -1, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.squared_error(np.ones((3, 1)), np.ones(3)),
            ShapeMismatchError,
            r"\(3, 1\).*\(3,\)",
        ),
        (
            lambda: nn.softmax_cross_entropy_with_integer_labels(LOGITS, ROWS[:, 0]),
            ArgumentError,
            "numbers of classes, integers, and not float64",
        ),
        (
            lambda: nn.softmax_cross_entropy_with_integer_labels(LOGITS, NUMBERS[:2]),
            ShapeMismatchError,
            r"labels of shape \(3,\), not of \(2,\)",
        ),
        (
            lambda: nn.softmax_cross_entropy_with_integer_labels(LOGITS, NUMBERS + 2),
            IndexError,
            "out of bounds",
        ),
        (
            lambda: nn.ntxent(LOGITS, NUMBERS[:2]),
            ShapeMismatchError,
            r"labels of shape \(count,\), not of \(2,\)",
        ),
        (
            lambda: nn.dice_loss(LOGITS, ROWS[:2]),
            ShapeMismatchError,
            r"\(3, 4\) have targets of the same shape",
        ),
        (
            lambda: nn.dice_loss(LOGITS, ROWS, reduction="all"),
            ArgumentError,
            "reduction='all'",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def paths_by_hand(scores, label):
    """Minus the logarithm of the sum over all paths that are read as a label (0 is the blank)."""
    total = 0.0
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        read = [k for k, _ in groupby(path) if k]
        if read == list(label):
            total += np.exp(sum(row[k] for row, k in zip(scores, path, strict=True)))
    return -np.log(total)


def test_labels_without_places_are_summed_over_all_paths():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(4, 5, 3))
    frames, labels = [5, 4, 5, 3], [[1, 2], [1, 1], [2], []]
    logit_paddings = (np.arange(5) >= np.array(frames)[:, None]).astype(float)
    padded = np.array([[*label, 1, 1][:2] for label in labels])
    paddings = (np.arange(2) >= np.array([len(label) for label in labels])[:, None]).astype(float)
    scores = nn.log_softmax(logits)
    given = zip(scores, frames, labels, strict=True)
    expected = [paths_by_hand(own[:count], label) for own, count, label in given]
    f = lambda logits: nn.ctc_loss(logits, logit_paddings, padded, paddings)
    np.testing.assert_allclose(f(logits), expected, rtol=1e-12)
    np.testing.assert_allclose(ft.jit(f)(logits), expected, rtol=1e-12)
    check_grads(f, (logits,), order=2, modes=("fwd", "rev"))
    shifted = nn.ctc_loss(logits[..., [1, 2, 0]], logit_paddings, (padded + 2) % 3, paddings, 2)
    np.testing.assert_allclose(shifted, expected, rtol=1e-12)
