from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import functrace as ft
import functrace.numpy as fnp
from tests.backends.native.comparing import as_numpy


def assert_as_numpy(f, *args):
    for x, y in zip(ft.jit(f, backend="native")(*args), f(*args), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-14)


CONTRACTIONS = [
    "ij,jk->ik", "ji,jk->ik", "ij,kj->ki", "bij,bkj->bik", "i,ij->j", "ij,ij->", "ij,kl->ikjl",
    "ij,ij->ij",
]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_contractions_of_all_sizes(data):
    names = data.draw(st.sampled_from(CONTRACTIONS))
    sizes = {label: data.draw(st.integers(1, 9)) for label in "ijklb"}
    first, _, rest = names.partition(",")
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=[sizes[c] for c in part]) for part in (first, rest.partition("-")[0]))
    assert_as_numpy(lambda x, y: (np.einsum(names, x, y), np.einsum(names, x * 2.0, y)), x, y)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_writing_at_indices(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    index = []
    for n in shape:
        kind = data.draw(st.sampled_from(["slice", "number", "array", "all"]))
        if kind == "slice":
            step = data.draw(st.sampled_from([1, 2, -1]))
            index.append(slice(data.draw(st.integers(0, n)), None, step))
        elif kind == "number":
            index.append(data.draw(st.integers(-n, n - 1)))
        elif kind == "array":
            index.append(np.array([data.draw(st.integers(-n, n - 1))] * 2))
        else:
            index.append(slice(None))
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape)
    v = rng.normal(size=x[tuple(index)].shape)

    def f(x, v):
        y, z = fnp.array(x), fnp.array(x)
        y[tuple(index)] = np.sin(v)
        np.add.at(z, tuple(index), v)
        return y, z * 2.0, x[tuple(index)] * v

    assert_as_numpy(f, x, v)


def test_what_is_written_in_a_loop_is_written_in_place():
    def f(x):
        def body(i, x):
            x = fnp.array(x)
            x[i] = x[i - 1] * 0.5 + x[i]
            return x

        return (ft.fori_loop(1, 2000, body, x),)

    assert_as_numpy(f, np.random.default_rng(0).normal(size=2000))


@pytest.mark.parametrize("value", [2.0, np.inf, -np.inf, np.nan])
def test_zeros_stay_zeros_beside_factors_that_are_looked_at(value):
    x, w, v = np.linspace(0.1, 1.0, 9), np.linspace(-1.0, 1.0, 12), np.ones((9, 40))
    w[3] = value

    def stretched(x, w):
        return np.sum(np.sin(x)[:, None] * w * 2.0, axis=1)

    def contracted(x, w):
        return (np.sin(x)[:, None] * v).T @ np.cos(x) * np.sum(w)

    for f in (stretched, contracted):
        for found, expected in as_numpy(ft.jacfwd(f), x, w):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
