"""Primitives that draw: their types, and that maps and compiling change no bit."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ShapeMismatchError
from functrace.random import drawing
from functrace.testing import check_primitive

KEYS = ft.random.split(ft.random.key(7), 6)

DRAWS = {name: value for name, value in vars(drawing).items() if isinstance(value, drawing.Draw)}
PARAMETERS = {}
DTYPES = {"random_bits": np.uint64, "random_split": np.uint64}


def draw(name, shape=(3, 2), dtype=None):
    dtype = np.dtype(dtype or DTYPES.get(name, np.float64))
    return lambda key, *rest: ft.extend.bind(DRAWS[name], key, *rest, shape=shape, dtype=dtype)


@pytest.mark.parametrize("name", DRAWS)
def test_rules_fit_together(name):
    dtype = np.dtype(DTYPES.get(name, np.float64))
    rest = PARAMETERS.get(name, ())
    check_primitive(DRAWS[name], KEYS[0], *rest, shape=(3, 2), dtype=dtype)


def test_rules_of_folding_fit_together():
    check_primitive(drawing.random_fold_in, KEYS[0], np.uint64(5))


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("name", DRAWS)
def test_the_same_bits_in_every_way(name, backend):
    one, rest = draw(name), PARAMETERS.get(name, ())
    alone = np.stack([one(key, *rest) for key in KEYS])
    in_axes = (0, *(None,) * len(rest))

    def scanned(keys, *rest):
        return ft.scan(lambda carry, key: (carry, one(key, *rest)), 0, keys)[1]

    mapped = ft.vmap(one, in_axes=in_axes)
    for way in (mapped, ft.jit(mapped, backend=backend), ft.jit(scanned, backend=backend)):
        np.testing.assert_array_equal(way(KEYS, *rest), alone)
    twice = ft.vmap(mapped, in_axes=in_axes)
    np.testing.assert_array_equal(twice(KEYS.reshape(2, 3, 2), *rest).reshape(alone.shape), alone)


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_shapes_that_hurt(name, shape):
    one, rest = draw(name, shape), (1.0,) * len(PARAMETERS.get(name, ()))
    assert np.shape(one(KEYS[0], *rest)) == shape
    assert isinstance(one(KEYS[0], *rest), np.ndarray if shape else np.generic)
    in_axes = (0, *(None,) * len(rest))
    assert ft.vmap(one, in_axes=in_axes)(KEYS, *rest).shape == (6, *shape)
    assert ft.vmap(one, in_axes=in_axes)(KEYS[:0], *rest).shape == (0, *shape)


def test_no_array_of_keys_is_refused():
    with pytest.raises(ShapeMismatchError, match="no array of keys"):
        ft.make_ir(draw("random_normal"))(np.zeros(3, np.uint64))
