"""Primitives that draw: their types, and that maps and compiling change no bit."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ShapeMismatchError
from functrace.random import drawing, rejecting, tails
from functrace.testing import check_primitive

KEYS = ft.random.split(ft.random.key(7), 6)

ROOMS = drawing, rejecting, tails
DRAWS = {
    name: value
    for room in ROOMS
    for name, value in vars(room).items()
    if isinstance(value, drawing.Draw)
}
SHAPES = np.array([[0.4, 3.0], [1.0, 0.1], [20.0, 7.5]])
PARAMETERS = {
    "random_loggamma": (SHAPES,),
    "random_poisson": (3 * SHAPES,),
    "random_binomial": (np.array([12.0, 90.0]), np.array([[0.2], [0.7], [0.5]])),
    "random_integers": (np.array([-3, 5]), np.array([2**63 + 9, 2**63 + 5], np.uint64)),
    "random_truncated_normal": (np.array([-1.0, 2.0]), np.array([[2.5], [4.0], [9.0]])),
}
DTYPES = dict.fromkeys(("random_bits", "random_split", "random_integers"), np.uint64)


def draw(name, shape=(3, 2), dtype=None):
    dtype = np.dtype(dtype or DTYPES.get(name, np.float64))
    return lambda key, *rest: ft.extend.bind(DRAWS[name], key, *rest, shape=shape, dtype=dtype)


@pytest.mark.parametrize("name", sorted(DRAWS.keys() - PARAMETERS.keys()))
def test_rules_fit_together(name):
    """Of those without parameters: by parameters derivatives are zero, and differences are not."""
    dtype = np.dtype(DTYPES.get(name, np.float64))
    check_primitive(DRAWS[name], KEYS[0], shape=(3, 2), dtype=dtype)


@pytest.mark.parametrize("name", PARAMETERS)
def test_programs_keep_their_parameters(name):
    program = ft.make_ir(draw(name))(KEYS[0], *PARAMETERS[name])
    ft.check(program)
    (found,) = ft.evaluate(ft.parse(str(program)), KEYS[0], *PARAMETERS[name])
    np.testing.assert_array_equal(found, draw(name)(KEYS[0], *PARAMETERS[name]))


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
    one = draw(name, shape)
    rest = [x.dtype.type(1 + place) for place, x in enumerate(PARAMETERS.get(name, ()))]
    assert np.shape(one(KEYS[0], *rest)) == shape
    assert isinstance(one(KEYS[0], *rest), np.ndarray if shape else np.generic)
    in_axes = (0, *(None,) * len(rest))
    assert ft.vmap(one, in_axes=in_axes)(KEYS, *rest).shape == (6, *shape)
    assert ft.vmap(one, in_axes=in_axes)(KEYS[:0], *rest).shape == (0, *shape)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_mapped_with_and_without_keys(name):
    rest = tuple(np.broadcast_to(x, (3, 2)) for x in PARAMETERS[name])
    one = draw(name, (2,))
    shared = np.stack([one(KEYS[0], *(x[row] for x in rest)) for row in range(3)])
    in_axes = (None, *(0,) * len(rest))
    np.testing.assert_array_equal(ft.vmap(one, in_axes=in_axes)(KEYS[0], *rest), shared)
    by_key = np.stack([one(KEYS[row], *(x[row] for x in rest)) for row in range(3)])
    np.testing.assert_array_equal(ft.vmap(one)(KEYS[:3], *rest), by_key)
    both = ft.vmap(ft.vmap(one, in_axes=in_axes), in_axes=(0, *(None,) * len(rest)))
    expected = [[one(key, *(x[row] for x in rest)) for row in range(3)] for key in KEYS]
    np.testing.assert_array_equal(both(KEYS, *rest), expected)


@pytest.mark.parametrize("name", DRAWS)
def test_many_keys_draw_what_each_draws(name):
    """Of many keys the words are made in another way."""
    rest = PARAMETERS.get(name, ())
    keys = ft.random.split(ft.random.key(8), 150)
    alone = np.stack([draw(name)(key, *rest) for key in keys])
    mapped = ft.vmap(draw(name), in_axes=(0, *(None,) * len(rest)))
    np.testing.assert_array_equal(mapped(keys, *rest), alone)


def test_no_array_of_keys_is_refused():
    with pytest.raises(ShapeMismatchError, match="no array of keys"):
        ft.make_ir(draw("random_normal"))(np.zeros(3, np.uint64))
