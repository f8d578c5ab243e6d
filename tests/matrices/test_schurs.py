"""Schur's decomposition: its derivative by what must stay true, and the system behind it."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.matrices.schurs import commutator, hessenberg, schur
from functrace.tracing.tracer import bind

rng = np.random.default_rng(13)
T = np.triu(rng.normal(size=(5, 5)), 1) + np.diag(np.arange(5.0))
E = np.tril(rng.normal(size=(5, 5)), -1)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_commutator_is_found(transposed):
    t = T.T if transposed else T
    x = bind(commutator, T, E, transposed=transposed)
    np.testing.assert_array_equal(x, np.tril(x, -1))
    np.testing.assert_allclose(np.tril(x @ t - t @ x, -1), E, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
def test_tangents_keep_the_factors_what_they_are(is_complex):
    a = T + 0.1 * rng.normal(size=(5, 5)) + is_complex * 0.3j
    da = rng.normal(size=(5, 5)) + is_complex * 1j * rng.normal(size=(5, 5))
    (t, z), (dt, dz) = ft.jvp(lambda a: bind(schur, a), (a,), (da,))
    zh = np.conj(z.T)
    np.testing.assert_allclose(dz @ t @ zh + z @ dt @ zh + z @ t @ np.conj(dz.T), da, atol=1e-11)
    np.testing.assert_allclose(zh @ dz + np.conj(dz.T) @ z, 0, atol=1e-12)
    np.testing.assert_allclose(np.tril(dt, -1), 0, atol=1e-12)


def test_there_is_none_where_eigenvalues_are_equal_or_in_pairs():
    for a in (np.eye(2), np.array([[0.0, 1], [-1, 0]])):
        for part in (0, 1):
            found = ft.jvp(lambda a, part=part: bind(schur, a)[part], (a,), (np.ones((2, 2)),))[1]
            assert np.all(np.isnan(found))


@pytest.mark.parametrize("is_complex", [False, True])
def test_tangents_keep_the_form_of_hessenberg(is_complex):
    a = T + rng.normal(size=(5, 5)) + is_complex * 0.3j
    da = rng.normal(size=(5, 5)) + is_complex * 1j * rng.normal(size=(5, 5))
    (h, q), (dh, dq) = ft.jvp(lambda a: bind(hessenberg, a), (a,), (da,))
    qh = np.conj(q.T)
    np.testing.assert_allclose(dq @ h @ qh + q @ dh @ qh + q @ h @ np.conj(dq.T), da, atol=1e-10)
    np.testing.assert_allclose(qh @ dq + np.conj(dq.T) @ q, 0, atol=1e-12)
    np.testing.assert_allclose(dq[:, 0], 0, atol=1e-13)
    np.testing.assert_allclose(np.tril(dh, -2), 0, atol=1e-12)
    np.testing.assert_allclose(np.imag(np.diag(dh, -1)), 0, atol=1e-12)


def test_it_has_no_derivative_where_it_falls_apart():
    found = ft.jvp(lambda a: bind(hessenberg, a)[0], (T,), (E,))[1]
    assert np.all(np.isnan(found))
