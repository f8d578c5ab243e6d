"""Recursive filters as operations."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.primitives.filtering import delayed, recursion
from functrace.tracing.tracer import bind

rng = np.random.default_rng(23)
A, X = np.array([1.5, -0.4, 0.2]), rng.normal(size=20)


def test_the_equation_holds():
    y = bind(recursion, A, X)
    np.testing.assert_allclose(sum(A[k] * delayed(y, k) for k in range(3)), X, atol=1e-13)


def test_the_transpose_pairs_with_it():
    f = lambda x: bind(recursion, A, x)
    cotangent = rng.normal(size=20)
    (pulled,) = ft.vjp(f, X)[1](cotangent)
    assert np.vdot(pulled, X) == pytest.approx(np.vdot(cotangent, f(X)))
    (turned,) = ft.linear_transpose(f, X)(cotangent)
    np.testing.assert_allclose(turned, pulled, atol=1e-13)


def test_signals_without_values():
    assert bind(recursion, A, np.empty((2, 0))).shape == (2, 0)
    with pytest.raises(ValueError, match="filter"):
        bind(recursion, np.ones((2, 3)), np.ones((3, 4)))
