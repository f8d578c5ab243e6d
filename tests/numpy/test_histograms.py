"""Counts, against NumPy itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import UnknownValueError
from functrace.testing import check_grads
from tests.agreement import leaves

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
W = np.array([0.5, 1.0, 2.0, 0.25, 1.5, 0.75])
EDGES = np.array([-1.0, 0.0, 0.5, 1.3, 2.5])


def compare(f, *args):
    """The same numbers as NumPy's with known and unknown values; floating ones are traced."""
    expected = leaves(f(*args))
    floating = [i for i, x in enumerate(args) if x.dtype.kind == "f"]

    def of_floating(*values):
        given = dict(zip(floating, values, strict=True))
        return f(*(given.get(i, x) for i, x in enumerate(args)))

    for got in (ft.jit(f)(*args), ft.vjp(of_floating, *(args[i] for i in floating))[0]):
        for x, y in zip(_flat(got), _flat(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6 if x.dtype == "f4" else 1e-12)
            assert x.dtype == y.dtype
            assert x.shape == y.shape


def _flat(output):
    return [y for x in output for y in (_flat(x) if isinstance(x, list | tuple) else [x])]


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_histograms(data):
    numbers = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0])
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4))
    a = data.draw(hnp.arrays(data.draw(st.sampled_from(["f8", "f4"])), shape, elements=numbers))
    weights = data.draw(st.sampled_from([None, "f8", "f4", "i8", "c16"]))
    if weights is not None:
        weights = np.arange(1, a.size + 1).reshape(shape).astype(weights)
    bins = data.draw(st.sampled_from([1, 4, [-0.5, 0.0, 0.0, 1.0], (0.0, 2.0)]))
    span = data.draw(st.sampled_from([None, (-0.5, 1.0), (1, 1)]))
    density = weights is None and a.size > 0 and data.draw(st.booleans())
    with np.errstate(all="ignore"):
        if weights is None:
            compare(lambda a: np.histogram(a, bins, span, density), a)
        else:
            compare(lambda a, w: np.histogram(a, bins, span, density, w), a, weights)


def test_numbers_on_edges():
    for dtype in ("f8", "f4"):
        on_edges = np.linspace(0, 1, 11).astype(dtype)
        compare(lambda a: np.histogram(a, 10, (0, 1)), on_edges)
        compare(lambda a: np.histogram(a, 10), on_edges)


def test_histograms_of_several_variables():
    sample = np.stack([V, W], axis=1)
    for f in (
        lambda x, y, w: np.histogram2d(x, y),
        lambda x, y, w: np.histogram2d(x, y, [3, 2], weights=w),
        lambda x, y, w: np.histogram2d(x, y, EDGES, density=True),
        lambda x, y, w: np.histogram2d(x, y, [EDGES, 3], [[0, 1], [-1, 2]], True, w),
        lambda x, y, w: np.histogramdd((x, y, w), 2),
        lambda x, y, w: np.histogramdd([x, y], [EDGES, np.sort(w)], weights=w, density=True),
    ):
        compare(f, V, W, W + 1)
    compare(lambda x: np.histogramdd(x, (2, 3), [None, (0, 1)]), sample)
    compare(lambda x: np.histogramdd(x, 4), V)


def test_derivatives_by_weights_edges_and_data():
    check_grads(lambda w: np.histogram(V, 4, weights=w)[0], (W,), order=2)
    check_grads(lambda w: np.histogram(V, EDGES, density=True, weights=w)[0], (W,), order=2)
    check_grads(lambda e: np.histogram(V, e, density=True, weights=W)[0], (EDGES,), order=2)
    check_grads(lambda v: np.histogram_bin_edges(v, 3), (V,), order=2)
    check_grads(lambda v, s: np.histogram(v, 4, (s, 2.5), weights=W)[1], (V, -1.4), order=1)
    check_grads(
        lambda w, e: np.histogram2d(V, W, [e, EDGES], density=True, weights=w)[0], (W, EDGES)
    )
    np.testing.assert_array_equal(ft.grad(lambda v: np.sum(np.histogram(v, EDGES)[0] * 1.0))(V), 0)


def test_histograms_of_each_example():
    batch = np.stack([V, V + 0.3, -V])
    got, edges = ft.vmap(lambda v, w: np.histogram(v, 3, weights=w))(batch, batch**2)
    for i, row in enumerate(batch):
        expected = np.histogram(row, 3, weights=row**2)
        np.testing.assert_allclose(got[i], expected[0])
        np.testing.assert_allclose(edges[i], expected[1])


def test_how_many_bins_is_estimated_of_known_values():
    for rule in ("auto", "fd", "doane", "scott", "stone", "rice", "sturges", "sqrt"):
        got = ft.vjp(lambda v, rule=rule: np.histogram(v, rule), V)[0]
        for x, y in zip(got, np.histogram(V, rule), strict=True):
            np.testing.assert_array_equal(x, y)
    with pytest.raises(UnknownValueError, match="bins=20"):
        ft.jit(lambda v: np.histogram(v, "auto"))(V)


@pytest.mark.parametrize("transform", [ft.jit, lambda f: lambda *args: ft.vjp(f, *args)[0]])
def test_what_numpy_refuses(transform):
    for f, match in (
        (lambda v: np.histogram(v, 0), "positive"),
        (lambda v: np.histogram(v, EDGES[::-1]), "monotonically"),
        (lambda v: np.histogram(v, v), "monotonically"),
        (lambda v: np.histogram(v, 3, (1, 0)), "max must be larger"),
        (lambda v: np.histogram(v / 0, 3), "not finite"),
        (lambda v: np.histogram(v, [[1.0]]), "1d"),
        (lambda v: np.histogram(v, 3, weights=v[1:]), "same shape"),
        (lambda v: np.histogramdd(v, [1, 2]), "dimension"),
        (lambda v: np.histogram2d(v, v[1:]), "same length"),
    ):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=match):
            transform(f)(V)
    with pytest.raises(TypeError, match="must be an integer"):
        transform(lambda v: np.histogram(v, 1.5))(V)
    with pytest.raises(TypeError, match="weighted"):
        transform(lambda v: np.histogram(v, "auto", weights=v))(V)


def test_lists_of_traced_values():
    compare(lambda v, w: fnp.histogram([v[0], v[1], 0.3], [-2.0, w[0], 3.0]), V, W)
    compare(lambda v, w: fnp.histogram2d([v[0], v[1]], [w[0], w[1]], [[-2.0, 0.0, 2.0], 2]), V, W)


# Whole numbers


def test_counts_of_numbers():
    numbers = np.array([1, 1, 0, 3, 3, 3])
    compare(lambda w: [np.bincount(numbers, w, 6)], V)
    compare(lambda w: [np.bincount(numbers[:0], w[:0])], V)
    check_grads(lambda w: np.bincount(numbers, w), (V,), order=2)
    with pytest.raises(UnknownValueError, match="length=n"):
        ft.jit(np.bincount)(numbers)
    with pytest.raises(TypeError, match="Cannot cast"):
        ft.jit(lambda w: np.bincount(numbers, w))(V + 1j)
    with pytest.raises(ValueError, match="same length"):
        ft.jit(lambda w: np.bincount(numbers, w))(V[1:])
