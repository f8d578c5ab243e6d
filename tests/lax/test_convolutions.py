"""Convolutions against loops over their definition, against SciPy, and as ways back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads
from tests.lax.works import assert_same, assert_works


def numbers(*shape):
    return np.sin(np.arange(1.0, 1 + np.prod(shape))).reshape(shape)


def by_loops(x, filters, strides, padding, between, dilations, groups=1, batches=1):
    """The definition, with examples and channels first."""
    spatial = [(n - 1) * step + 1 if n else 0 for n, step in zip(x.shape[2:], between, strict=True)]
    padded = [low + n + high for n, (low, high) in zip(spatial, padding, strict=True)]
    wide = np.zeros((*x.shape[:2], *padded))
    for index in itertools.product(*map(range, x.shape[2:])):
        place = tuple(
            low + i * step for i, step, (low, _) in zip(index, between, padding, strict=True)
        )
        if all(0 <= p < n for p, n in zip(place, padded, strict=True)):
            wide[(slice(None), slice(None), *place)] = x[(slice(None), slice(None), *index)]
    counts = [
        max((n - (k - 1) * d - 1) // s + 1, 0)
        for n, k, s, d in zip(padded, filters.shape[2:], strides, dilations, strict=True)
    ]
    examples, outputs = x.shape[0] // batches, filters.shape[0]
    result = np.zeros((examples, outputs, *counts))
    inputs, each = filters.shape[1], outputs // (groups * batches)
    for number, output in itertools.product(range(examples), range(outputs)):
        group = output // each
        example = number + (group * examples if batches > 1 else 0)
        first = group * inputs if groups > 1 else 0
        for place in itertools.product(*map(range, counts)):
            window = [
                slice(p * s, p * s + (k - 1) * d + 1, d)
                for p, s, k, d in zip(place, strides, filters.shape[2:], dilations, strict=True)
            ]
            taken = wide[(example, slice(first, first + inputs), *window)]
            result[(number, output, *place)] = np.sum(taken * filters[output])
    return result


@st.composite
def convolutions(draw):
    """The arguments of a convolution: arrays with examples and channels first, and options."""
    rank = draw(st.integers(0, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    batches = draw(st.sampled_from([1, 2])) if groups == 1 else 1
    inputs, each = draw(st.integers(1, 2)), draw(st.integers(1, 2))

    def some(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    x = numbers(draw(st.integers(0, 2)) * batches, inputs * groups, *some(1, 5))
    filters = numbers(each * groups * batches, inputs, *some(1, 3))
    return (
        x,
        filters,
        some(1, 3),
        tuple(zip(some(-1, 3), some(0, 3), strict=True)),
        some(1, 2),
        (some(1, 2)),
        groups,
        batches,
    )


@settings(deadline=None, max_examples=60)
@given(convolutions(), st.randoms(use_true_random=False))
def test_a_convolution_is_what_it_is_by_definition(call, random):
    x, filters, strides, padding, between, dilations, groups, batches = call
    padded = [
        low + (n - 1) * step + 1 + high
        for n, step, (low, high) in zip(x.shape[2:], between, padding, strict=True)
    ]
    if min(padded, default=1) < 0:
        return
    expected = by_loops(*call)
    spatial = "XYZ"[: x.ndim - 2]
    shuffled = ["".join(random.sample(own + spatial, x.ndim)) for own in ("NC", "OI", "NC")]
    in_order = iter(spatial)  # options count the axes as the filters do
    shuffled[1] = "".join(x if x in "OI" else next(in_order) for x in shuffled[1])
    for names in (None, tuple(shuffled)):
        orders = [(0, *range(1, x.ndim))] * 3
        if names is not None:
            orders = [
                [(own + spatial).index(letter) for letter in name]
                for own, name in zip(("NC", "OI", "NC"), names, strict=True)
            ]

        def f(x, filters, names=names):
            return lax.conv_general_dilated(
                x, filters, strides, padding, between, dilations, names, groups, batches
            )

        args = np.transpose(x, orders[0]), np.transpose(filters, orders[1])
        found = f(*args)
        np.testing.assert_allclose(found, np.transpose(expected, orders[2]), atol=1e-13)
        assert_same(ft.jit(f)(*args), found)


def test_derivatives_and_batches():
    x, filters = numbers(2, 4, 5, 4), numbers(6, 2, 3, 2)

    def f(x, filters):
        return lax.conv_general_dilated(
            x, filters, (2, 1), "SAME", rhs_dilation=(1, 2), feature_group_count=2
        )

    assert_works(f, f(x, filters), x, filters)
    check_grads(f, (x, filters), order=2)
    filters = numbers(6, 4, 2, 2)
    g = lambda x, filters: lax.conv_general_dilated(
        x, filters, (1, 1), ((1, 0), (0, 2)), (2, 2), batch_group_count=2
    )
    assert_works(g, g(x, filters), x, filters)


def test_it_is_scipys_correlation():
    x, filters = numbers(9, 7), numbers(3, 2)
    found = lax.conv(x[None, None], filters[None, None], (1, 1), "VALID")[0, 0]
    np.testing.assert_allclose(found, scipy.signal.correlate2d(x, filters, "valid"), atol=1e-13)


def test_same_padding_leaves_as_many_windows_as_elements():
    x, one = numbers(1, 1, 7), np.ones((1, 1, 1))
    for length, stride in itertools.product(range(1, 5), range(1, 4)):
        filters = np.zeros((1, 1, length))
        filters[..., (length - 1) // 2] = 1.0
        same = lax.conv_general_dilated(x, filters, (stride,), "SAME")
        assert same.shape[-1] == -(-7 // stride)
        if stride == 1:
            np.testing.assert_array_equal(same, x)
            lower = lax.conv_general_dilated(x, filters[..., ::-1], (1,), "SAME_LOWER")
            np.testing.assert_array_equal(lower, x)
    np.testing.assert_array_equal(lax.conv(x, one, (2,), "valid"), x[..., ::2])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_transposed_convolution_is_the_way_back(padding):
    filters = numbers(3, 2, 4, 5)  # HWIO of the convolution whose way back it is
    names = ("NHWC", "HWIO", "NHWC")
    for strides in ((1, 1), (2, 2)):
        x = numbers(2, 6, 8, 4) if padding == "SAME" else numbers(2, 7, 6, 4)
        f = lambda x, strides=strides: lax.conv_general_dilated(
            x, filters, strides, padding, dimension_numbers=names
        )
        y, pull_back = ft.vjp(f, x)
        (expected,) = pull_back(y)
        found = lax.conv_transpose(
            y, filters, strides, padding, dimension_numbers=names, transpose_kernel=True
        )
        np.testing.assert_allclose(found, expected, atol=1e-11)
        assert_same(lax.conv_transpose(y, filters, strides, padding, None, None, True), found)


def test_general_padding_and_patches():
    x, filters = numbers(2, 3, 6), numbers(4, 3, 2)
    found = lax.conv_with_general_padding(x, filters, (1,), [(1, 0)], None, (2,))
    assert_same(found, lax.conv_general_dilated(x, filters, (1,), [(1, 0)], None, (2,)))
    patches = lax.conv_general_dilated_patches(x, (2,), (1,), "VALID")
    assert patches.shape == (2, 6, 5)
    expected = np.stack([x[:, :, :-1], x[:, :, 1:]], axis=2).reshape(2, 6, 5)
    np.testing.assert_array_equal(patches, expected)
    names = ("NHC", "HIO", "NHC")
    last = lax.conv_general_dilated_patches(
        np.moveaxis(x, 1, 2), (2,), (1,), "VALID", dimension_numbers=names
    )
    np.testing.assert_array_equal(last, np.moveaxis(expected, 1, 2))


def test_dtypes():
    x, filters = numbers(1, 1, 4).astype(np.float32), numbers(1, 1, 2).astype(np.float32)
    assert lax.conv(x, filters, (1,), "VALID").dtype == np.float32
    assert lax.conv(x, filters.astype(np.float64), (1,), "VALID").dtype == np.float64
    wide = lax.conv(x, filters, (1,), "VALID", preferred_element_type=np.float64)
    assert wide.dtype == np.float64
    whole = np.full((1, 1, 3), 100, np.int8)
    found = lax.conv(whole, whole, (1,), "VALID", preferred_element_type=np.int32)
    assert_same(found, np.array([[[30_000]]], np.int32))
    z = numbers(1, 2, 4) + 1j
    np.testing.assert_allclose(
        lax.conv(z, numbers(1, 2, 1), (1,), "VALID")[0, 0],
        np.einsum("ci,c->i", z[0], numbers(2)),
    )


def test_numbers_of_dimensions():
    found = lax.conv_dimension_numbers((1, 2, 3), (4, 2, 3), ("NHC", "HIO", "CNH"))
    assert found == lax.ConvDimensionNumbers((0, 2, 1), (2, 1, 0), (1, 0, 2))
    assert lax.conv_dimension_numbers((1, 2), (3, 2), found) is found


X, FILTERS = numbers(2, 3, 5, 5), numbers(4, 3, 2, 2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: lax.conv(X, FILTERS[0], (1, 1), "SAME"),
            errors.ShapeMismatchError,
            "as many axes",
        ),
        (lambda: lax.conv(X[0, 0, 0], X[0, 0, 0], (), "SAME"), errors.ShapeMismatchError, "(5,)"),
        (lambda: lax.conv(X, FILTERS, (1,), "SAME"), errors.ArgumentError, "2 positive numbers"),
        (lambda: lax.conv(X, FILTERS, (1, 0), "SAME"), errors.ArgumentError, "window_strides"),
        (lambda: lax.conv(X, FILTERS, (1, 1), "FULL"), errors.ArgumentError, "'SAME_LOWER'"),
        (lambda: lax.conv(X, FILTERS, (1, 1), [(0, 0)]), errors.ArgumentError, "1 pairs"),
        (lambda: lax.conv(X[:, :2], FILTERS, (1, 1), "SAME"), errors.ShapeMismatchError, "2 chan"),
        (
            lambda: lax.conv_general_dilated(X, FILTERS, (1, 1), "SAME", (2, 2)),
            errors.ArgumentError,
            "conv_transpose",
        ),
        (
            lambda: lax.conv_general_dilated(
                X, FILTERS, (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWD")
            ),
            errors.ArgumentError,
            "'NHWD' should hold N, C, H, W",
        ),
        (
            lambda: lax.conv_general_dilated(
                X, FILTERS, (1, 1), "SAME", dimension_numbers=("NHC", "OIH", "NHC")
            ),
            errors.ShapeMismatchError,
            "do not fit arrays of 4 axes",
        ),
        (
            lambda: lax.conv_general_dilated(
                X, FILTERS, (1, 1), "SAME", feature_group_count=3, batch_group_count=2
            ),
            errors.ArgumentError,
            "3 and 2",
        ),
        (
            lambda: lax.conv_general_dilated(X, FILTERS, (1, 1), "SAME", feature_group_count=3),
            errors.ShapeMismatchError,
            "in 3 groups",
        ),
        (lambda: lax.conv_transpose(X, FILTERS, (1, 1), "FULL"), errors.ArgumentError, "neither"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
