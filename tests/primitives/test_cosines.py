"""Discrete cosine and sine transforms: their matrices are orthogonal."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.ir.types import type_of
from functrace.primitives.cosines import INVERSE, trigonometric_transform
from functrace.tracing.tracer import bind


@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("function", ["dct", "dst"])
def test_a_matrix_is_orthogonal_and_its_inverse_is_of_another_type(function, type):
    matrix = bind(trigonometric_transform, np.eye(5), function=function, type=type)
    other = bind(trigonometric_transform, np.eye(5), function=function, type=INVERSE[type])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(other, matrix.T, atol=1e-14)
    z = np.array([1.0, 2j, 3.0, -1.0, 0.5j])
    found = bind(trigonometric_transform, z, function=function, type=type)
    np.testing.assert_allclose(found, z @ matrix, atol=1e-14)


@pytest.mark.parametrize(
    ("x", "type", "said"),
    [
        (np.ones(1), 1, "size < 2"),
        (np.ones(0), 2, "data points"),
        (np.ones(3, int), 2, "precision"),
    ],
)
def test_what_has_no_transform(x, type, said):
    with pytest.raises(ValueError, match=said):
        trigonometric_transform.infer(type_of(x), function="dct", type=type)
