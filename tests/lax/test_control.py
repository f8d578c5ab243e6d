"""jax.lax's loops, branches and maps: the names, and arguments in JAX's order."""

from __future__ import annotations

import types

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from tests.lax.works import V, X, assert_same, assert_works


def test_all_names_are_listed():
    public = {
        name
        for name, value in vars(lax).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(lax.__all__) == public | {"linalg"}
    assert ft.lax is lax
    for name in lax.__all__:
        value = getattr(lax, name)
        assert not callable(value) or value.__doc__, name


def test_branches_by_keyword_operand():
    for p in (True, False):
        f = lambda x, p=p: lax.cond(p, np.sin, np.cos, operand=x)
        assert f(0.5) == (np.sin if p else np.cos)(0.5)
    fast = ft.jit(lambda p, x: lax.cond(p, np.sin, np.cos, operand=x))
    assert fast(False, 0.5) == pytest.approx(np.cos(0.5), rel=1e-15)
    assert lax.cond(True, lambda x: 2, lambda x: 1, operand=None) == 2
    assert lax.cond(False, lambda: 1, lambda: 2) == 2
    assert lax.switch(1, [lambda x: x, lambda x: -x], operand=2.0) == -2.0
    assert lax.switch(1, [lambda x, y: x, lambda x, y: y], 2.0, 3.0) == 3.0
    with pytest.raises(errors.ArgumentError, match="both by position"):
        lax.cond(True, np.sin, np.cos, 1.0, operand=1.0)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 4, 7])
def test_map(batch_size):
    f = lambda r: {"s": np.sum(np.sin(r)), "r": r * 2}
    expected = {"s": np.sum(np.sin(X), 1), "r": X * 2}
    assert_works(lambda x: lax.map(f, x, batch_size=batch_size), expected, X)
    pairs = lax.map(lambda p: p[0] * p[1], (X, np.arange(3.0)), batch_size=batch_size)
    assert_same(pairs, X * np.arange(3.0)[:, None])


def test_map_of_nothing():
    for size in (None, 2):
        assert lax.map(np.sin, np.zeros((0, 4)), batch_size=size).shape == (0, 4)
    with pytest.raises(errors.ArgumentError, match="no arrays"):
        lax.map(lambda x: x, (), batch_size=2)


def test_collectives_are_here():
    f = lambda x: lax.psum(x, "i") + lax.axis_index("i") * lax.axis_size("i")
    assert_same(ft.vmap(f, axis_name="i")(V), np.sum(V) + 4.0 * np.arange(4))


def test_functions_for_platforms():
    f = lambda x: lax.platform_dependent(x, cpu=lambda x: x * 2.0, tpu=lambda x: x)
    assert_works(f, X * 2.0, X)
    assert_works(lambda x: lax.platform_dependent(x, tpu=np.cos, default=np.sin), np.sin(X), X)
    with pytest.raises(errors.ArgumentError, match="functions for cuda, tpu"):
        lax.platform_dependent(1.0, tpu=np.cos, cuda=np.cos)
