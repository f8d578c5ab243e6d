"""Nearest codes and their distances, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.cluster.vq as theirs

import functrace as ft
from functrace.scipy.cluster import vq as ours
from functrace.testing import check_grads

RNG = np.random.default_rng(4)
POINTS, CODES = RNG.normal(size=(9, 3)), RNG.normal(size=(4, 3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rank", [1, 2])
def test_nearest_codes(rank, dtype):
    points, codes = (
        x.astype(dtype) if rank == 2 else x[:, 0].astype(dtype) for x in (POINTS, CODES)
    )
    expected = theirs.vq(points, codes)
    for found in (ours.vq(points, codes), ft.jit(ours.vq)(points, codes)):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)
        assert [x.dtype for x in found] == [x.dtype for x in expected]
    if dtype == "float64":
        check_grads(lambda x, c: ours.vq(x, c)[1], (points, codes), order=1)
    each = ft.vmap(ours.vq, in_axes=(0, None))(np.stack([points, -points]), codes)
    np.testing.assert_array_equal(each[0][1], theirs.vq(-points, codes)[0])


def test_scaled_features():
    x = np.column_stack([POINTS, np.full(9, 2.0)])
    with pytest.warns(RuntimeWarning, match="zero"):
        expected = theirs.whiten(x)
    np.testing.assert_allclose(ours.whiten(x), expected, rtol=1e-14)
    check_grads(ours.whiten, (POINTS,), order=2)


def test_what_does_not_fit():
    for points, codes in (
        (POINTS, CODES[0]),
        (POINTS[None], CODES[None]),
        (POINTS * np.nan, CODES),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (each has its own words)
            ours.vq(points, codes)
    assert ours.kmeans is theirs.kmeans
