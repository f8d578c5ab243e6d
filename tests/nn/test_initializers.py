"""Drawn parameters have the mean, the variance and the shape that they should have."""

from __future__ import annotations

import numpy as np
import pytest

from functrace import errors
from functrace.nn import initializers

SHAPE = (3, 2, 60, 50)
FANS = {"fan_in": 360, "fan_out": 300, "fan_avg": 330, "fan_geo_avg": np.sqrt(360 * 300)}


def close(found, expected):
    """Within five standard errors, roughly, of 18,000 numbers."""
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
@pytest.mark.parametrize("mode", FANS)
def test_variance_scaling(mode, distribution):
    init = initializers.variance_scaling(2.0, mode, distribution)
    drawn = init(np.random.default_rng(0), SHAPE)
    assert drawn.shape == SHAPE
    close(drawn.var(), 2.0 / FANS[mode])
    assert abs(drawn.mean()) < 4 * np.sqrt(2.0 / FANS[mode] / drawn.size)
    np.testing.assert_array_equal(init(3, SHAPE), init(np.random.default_rng(3), SHAPE))
    assert init(0, SHAPE, np.float32).dtype == np.float32


def test_axes():
    init = initializers.variance_scaling(1.0, "fan_in", "normal", 0, 1)
    close(init(0, (50, 400)).var(), 1 / 50)
    init = initializers.variance_scaling(1.0, "fan_in", "normal", (1, 2), 3, batch_axis=(0,))
    close(init(0, (5, 4, 25, 40)).var(), 1 / 100)


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (initializers.glorot_uniform(), 1 / 330),
        (initializers.glorot_normal(), 1 / 330),
        (initializers.xavier_uniform(), 1 / 330),
        (initializers.lecun_uniform(), 1 / 360),
        (initializers.lecun_normal(), 1 / 360),
        (initializers.he_uniform(), 2 / 360),
        (initializers.kaiming_normal(), 2 / 360),
        (initializers.uniform(0.5), 0.25 / 12),
        (initializers.normal(0.5), 0.25),
        (initializers.truncated_normal(2.0), 4 * 0.7737),
    ],
)
def test_variances(init, variance):
    drawn = init(1, SHAPE)
    close(drawn.var() if abs(drawn.mean()) < 0.1 else ((drawn - 0.25) ** 2).mean(), variance)


def test_known_arrays():
    np.testing.assert_array_equal(initializers.zeros(0, (2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.ones(None, [2]), np.ones(2))
    filled = initializers.constant(3)(0, (2, 2), np.float32)
    np.testing.assert_array_equal(filled, np.full((2, 2), 3, np.float32), strict=True)
    filled[0, 0] = 1.0


def test_bounds():
    drawn = initializers.truncated_normal(1.0, lower=-0.5, upper=3.0)(0, (5000,))
    assert -0.5 <= drawn.min() < drawn.max() <= 3.0
    with pytest.raises(errors.ArgumentError, match="no numbers between"):
        initializers.truncated_normal(1.0, lower=1.0, upper=1.0)(0, (2,))


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4)])
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_orthogonal(shape, axis, dtype):
    drawn = initializers.orthogonal(2.0, axis, dtype)(0, shape)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    matrix = np.moveaxis(drawn, axis, -1).reshape(-1, shape[axis])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    gram = matrix.conj().T @ matrix
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_delta_orthogonal():
    filters = initializers.delta_orthogonal()(0, (3, 4, 2, 5))
    matrix = filters[1, 1]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-14)
    assert np.count_nonzero(filters) == np.count_nonzero(matrix)
    for shape in ((2, 5), (3, 5, 2)):
        with pytest.raises(errors.ArgumentError, match="not orthogonal"):
            initializers.delta_orthogonal()(0, shape)


def test_what_is_no_choice_is_refused():
    with pytest.raises(errors.ArgumentError, match="mode='fan'"):
        initializers.variance_scaling(1.0, "fan", "normal")
    with pytest.raises(errors.ArgumentError, match="distribution='cauchy'"):
        initializers.variance_scaling(1.0, "fan_in", "cauchy")
    with pytest.raises(errors.ArgumentError, match="no axes for inputs"):
        initializers.he_normal()(0, (3,))
    with pytest.raises(errors.ArgumentError, match="no matrix"):
        initializers.orthogonal()(0, (3,))
