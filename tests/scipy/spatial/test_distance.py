"""Distances of traced points, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance as theirs

import functrace as ft
from functrace.errors import ArgumentError
from functrace.scipy.spatial import distance as ours
from functrace.testing import check_grads

RNG = np.random.default_rng(8)
A, B = RNG.uniform(0.2, 2.0, (4, 3)), RNG.uniform(0.2, 2.0, (5, 3))
W, V = np.array([0.5, 2.0, 1.0]), np.array([0.3, 1.0, 2.0])
VI = np.linalg.inv(np.cov(RNG.normal(size=(9, 3)).T)).T
ROWS = [
    *((name, {}) for name in ours.METRICS),
    *((name, {"w": W}) for name in ours.METRICS if name[:2] not in ("je", "ma", "se")),
    ("minkowski", {"p": 3.5}), ("minkowski", {"p": 1, "w": W}), ("minkowski", {"p": np.inf}),
    ("minkowski", {"p": 2.5, "w": W}),
    ("seuclidean", {"V": V}), ("mahalanobis", {"VI": VI}),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "options"), ROWS)
def test_all_pairs(metric, options):
    many, pairs = (
        lambda a, b: ours.cdist(a, b, metric, **options),
        lambda a: ours.pdist(a, metric, **options),
    )
    both = np.concatenate([A, B])
    for f, args, expected in (
        (many, (A, B), theirs.cdist(A, B, metric, **options)),
        (pairs, (both,), theirs.pdist(both, metric, **options)),
    ):
        for found in (f(*args), ft.vjp(f, *args)[0], ft.jit(f)(*args)):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    check_grads(many, (A, B), order=1)
    if metric not in ("hamming", "correlation", "jensenshannon"):  # roots of what nearly cancels
        derivative = ft.grad(lambda a: np.sum(many(a, A)))(A)
        assert np.all(np.isfinite(derivative))


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis", "minkowski", "cosine"])
def test_no_derivative_is_infinite_where_points_are_the_same(metric):
    kernel = lambda s: np.sum(np.exp(-ours.cdist(s * A, s * A, metric)))
    assert np.isfinite(ft.grad(kernel)(1.3))
    assert np.isfinite(ft.grad(ft.grad(kernel))(1.3))


@pytest.mark.parametrize("name", ours.METRICS)
def test_two_vectors(name):
    u, v = A[0], B[0]
    more = {"mahalanobis": (VI,), "seuclidean": (V,)}.get(name, ())
    f = getattr(ours, name)
    expected = getattr(theirs, name)(u, v, *more)
    for found in (f(u, v, *more), ft.vjp(f, u, v, *more)[0], f(list(u), list(v), *more)):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        assert np.ndim(found) == 0
    check_grads(f, (u, v, *more), order=2)
    if "w" in f.__code__.co_varnames or name in ("euclidean", "cosine"):
        check_grads(lambda u, w: f(u, v, w=w), (u, W), order=1)
        np.testing.assert_allclose(f(u, v, w=W), getattr(theirs, name)(u, v, w=W), rtol=1e-13)


def test_metrics_of_users():
    metric = lambda u, v: np.sum(np.sin(u) * v) ** 2
    for f, args in ((ours.cdist, (A, B)), (ours.pdist, (A,))):
        expected = getattr(theirs, f.__name__)(*args, metric)
        np.testing.assert_allclose(ft.vjp(lambda *x, f=f: f(*x, metric), *args)[0], expected)
    check_grads(lambda a: ours.cdist(a, B, metric), (A,), order=1)
    assert ft.vjp(lambda a: ours.pdist(a, metric), A[:1])[0].shape == (0,)


def test_square_forms():
    y = theirs.pdist(A)
    for x in (y, theirs.squareform(y), np.zeros(0), np.zeros((1, 1))):
        expected = theirs.squareform(x)
        for found in (
            ours.squareform(x),
            ft.vjp(ours.squareform, x)[0],
            ft.jit(ours.squareform)(x),
        ):
            np.testing.assert_array_equal(found, expected)
            assert found.shape == expected.shape
    check_grads(ours.squareform, (y,), order=1)
    matrix = lambda y: ours.squareform(np.triu(y, 1) + np.triu(y, 1).T)
    check_grads(matrix, (np.triu(theirs.squareform(y)),), order=1, modes=("fwd", "rev"))
    for wrong in (np.ones(4), np.ones((2, 3)), np.ones((2, 2))):
        with pytest.raises(ValueError):  # noqa: PT011  (SciPy's words)
            ft.vjp(ours.squareform, wrong)


def test_what_does_not_fit():
    for call in (
        lambda a: ours.cdist(a, np.ones((2, 4))),
        lambda a: ours.cdist(a[0], a),
        lambda a: ours.pdist(a[0]),
        lambda a: ours.cdist(a, a, "minkowski", p=-1),
        lambda a: ours.cdist(a, a, w=-W),
        lambda a: ours.pdist(a[:2], "mahalanobis"),
        lambda a: ours.euclidean(a, 1.0),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
            ft.vjp(call, A)
    with pytest.raises(ArgumentError, match="no metric 'yule' of traced points") as caught:
        ft.vjp(lambda a: ours.cdist(a, a, "yule"), A)
    assert "test_distance.py" in str(caught.value)
    with pytest.raises(ArgumentError, match="out"):
        ft.vjp(lambda a: ours.pdist(a, out=np.empty(6)), A)
    assert ours.cdist(A > 1, B > 1, "yule").shape == (4, 5)
    with pytest.raises(TypeError, match="real"):
        ours.cosine(A[0] * 1j, A[1])
