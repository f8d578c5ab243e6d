"""Which traced arrays share memory: those of which NumPy says so."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.tracing.sharing import new_memory

MATRIX = np.arange(12.0).reshape(3, 4)

MADE = {
    "rows": lambda x: x[1:],
    "every other": lambda x: x[:, ::-2],
    "a row": lambda x: x[1],
    "an element": lambda x: x[1, 2],
    "chosen rows": lambda x: x[[0, 2]],
    "a mask": lambda x: x[np.array([True, False, True])],
    "a new axis": lambda x: x[:, None],
    "transposed": lambda x: x.T,
    "axes moved": lambda x: np.moveaxis(x, 0, 1),
    "reshaped": lambda x: x.reshape(2, 6),
    "raveled": lambda x: x.ravel(),
    "flattened": lambda x: x.flatten(),
    "transposed and raveled": lambda x: x.T.ravel(),
    "broadcast": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "diagonal": lambda x: np.diagonal(x),
    "flipped": lambda x: np.flip(x),
    "copied": lambda x: x.copy(),
    "sum": lambda x: x + 0.0,
    "a view of a view": lambda x: x[1:].T[2],
    "a part": lambda x: np.split(x, 3)[1],
    "squeezed": lambda x: np.squeeze(x[:1]),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("transform", [ft.make_ir, lambda f: lambda x: ft.vjp(f, x)[0]])
def test_no_view_is_missed(name, transform):
    make = MADE[name]
    found = []

    def f(x):
        x = x * 1.0
        y = make(x)
        memory = getattr(y, "memory", None)
        found.append(memory is not None and memory is x.memory)
        return np.sum(y)

    transform(f)(MATRIX)
    if name != "transposed and raveled":  # of which the first write tells
        assert found == [np.shares_memory(make(MATRIX), MATRIX)]


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("transform", [ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]])
def test_a_write_is_seen_where_numpy_sees_it(name, transform):
    def f(x):
        x = x * 1.0
        y = MADE[name](x)
        y[...] = -1.0
        return x

    try:
        expected = f(MATRIX)
    except (TypeError, ValueError):  # a scalar, or a view that is not written
        with pytest.raises((TypeError, ValueError)):
            transform(f)(MATRIX)
        return
    np.testing.assert_array_equal(transform(f)(MATRIX), expected)


def test_views_that_are_gone_are_forgotten():
    kept = []

    def f(x):
        x = x * 1.0
        for _ in range(1000):
            x[1:]
        held = [x[number % 3 :] for number in range(50)]
        for _ in range(1000):
            x[1:]
        kept.append((len(x.memory.views), len(held)))
        alive = {id(entry()) for entry in x.memory.views}
        assert alive.issuperset(map(id, held))
        return x

    ft.make_ir(f)(MATRIX)
    (count, held) = kept[0]
    assert held <= count <= 2 * held + 17


def test_memory_is_for_one_array():
    one, other = new_memory(), new_memory(MATRIX)
    assert one.views is not other.views
    assert one.layout is None
    assert other.layout is MATRIX
