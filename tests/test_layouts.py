"""What is written through a reshaped array, by how the elements of the argument lie in memory."""

import numpy as np
import pytest

import functrace as ft
from functrace.layouts import copied, layout_of, order_of

ARRAY = np.random.default_rng(0).random((4, 6))
LYING = {
    "rows": lambda: ARRAY.copy(),
    "columns": lambda: np.asfortranarray(ARRAY),
    "transposed": lambda: ARRAY.reshape(6, 4).T,
    "with gaps": lambda: np.tile(ARRAY, (2, 2))[::2, ::2],
    "gaps between rows": lambda: np.tile(ARRAY, (1, 2))[:, :6],
    "backwards": lambda: ARRAY[::-1, ::-1],
}
WEIGHTS = np.arange(24.0).reshape(4, 6)


def writes_the_argument(y):
    v = np.reshape(y, -1)
    v[0] = y.ravel()[1] * 3.0
    return np.sum(np.cos(y) * WEIGHTS) + v.sum()


def writes_what_is_computed(y):
    z = y * 2.0
    v = z.reshape(6, 4)
    v[1, 0] = 5.0
    w = z.ravel()
    w[2] = 7.0
    return np.sum(z * WEIGHTS) + v.sum()


def grows(y):
    y = np.expand_dims(y, 0)
    v = y.reshape(2, 12)
    v *= 2.0
    return np.sum(y[0] * WEIGHTS) + v[0, 1]


MODES = {
    "jit": lambda f: ft.jit(f),
    "grad": lambda f: lambda y: ft.value_and_grad(f)(y)[0],
    "jit of grad": lambda f: lambda y: ft.jit(ft.value_and_grad(f))(y)[0],
    "grad of jit": lambda f: lambda y: ft.value_and_grad(ft.jit(f))(y)[0],
    "jit of jit": lambda f: ft.jit(lambda y: ft.jit(f)(y)),
    "make_ir": lambda f: lambda y: ft.evaluate(ft.make_ir(f)(y), y)[0],
    "jvp": lambda f: lambda y: ft.jvp(f, (y,), (y,))[0],
    "undifferentiated": lambda f: lambda y: ft.value_and_grad(lambda t, y: t * f(y))(1.0, y)[0],
}


@pytest.mark.parametrize("f", [writes_the_argument, writes_what_is_computed, grows])
@pytest.mark.parametrize("mode", MODES)
def test_what_numpy_computes_is_computed_for_all_that_lies_in_other_orders(f, mode):
    transformed = MODES[mode](f)
    for _ in range(2):
        for name, make in LYING.items():
            y = make()
            np.testing.assert_allclose(transformed(y), f(copied(y)), err_msg=name)
            np.testing.assert_array_equal(y, make())


def test_examples_of_a_map_lie_as_numpy_takes_them():
    y = np.random.default_rng(1).random((2, 6, 4)).transpose(0, 2, 1)
    expected = [writes_the_argument(copied(example)) for example in y]
    np.testing.assert_allclose(ft.vmap(writes_the_argument)(y), expected)


def test_only_what_depends_on_it_is_recorded_again():
    summed, written = ft.jit(lambda y: np.sum(y * 2.0)), ft.jit(writes_the_argument)
    for make in LYING.values():
        summed(make())
        written(make())
    assert summed.cache_info().misses == 1
    assert 1 < written.cache_info().misses <= len(LYING)


@pytest.mark.parametrize("name", LYING)
def test_a_copy_lies_as_the_array_does(name):
    y = LYING[name]()
    twin = copied(y)
    assert twin.strides == y.strides or y.flags.forc
    assert not np.may_share_memory(twin, y)
    np.testing.assert_array_equal(twin, y)
    layout = layout_of(y)
    assert (layout is None) == y.flags.c_contiguous
    if layout is not None:
        assert np.may_share_memory(layout, layout.reshape(-1)) == np.may_share_memory(
            y, y.reshape(-1)
        )
        assert order_of(layout) == ((1, 0) if name in ("columns", "transposed") else (0, 1))


MADE_OF_ARRAYS = {
    "sort": lambda y: np.sort(y, axis=0),
    "copy": lambda y: y.copy(),
    "flip": lambda y: np.flip(y).copy(),
    "broadcast": lambda y: np.broadcast_to(y, (2, 4, 6)).copy(),
    "product": lambda y: y * 2.0,
    "take": lambda y: np.take(y, [0, 1], 0),
}


@pytest.mark.parametrize("name", MADE_OF_ARRAYS)
def test_what_is_made_of_arrays_lies_as_numpy_lets_it_lie(name):
    def f(y):
        z = MADE_OF_ARRAYS[name](y)
        v = z.ravel()
        v[1] = 7.0
        w = z.reshape(-1)
        w[2] = 5.0
        return np.sum(z.reshape(-1) * np.arange(z.size))

    for lying, make in LYING.items():
        np.testing.assert_allclose(ft.vjp(f, make())[0], f(copied(make())), err_msg=lying)
