"""Arrays that belong to the user: what a function reads counts as it is when it is read.

The truth is NumPy: a function that writes into buffers of its own as it goes along.
"""

import numpy as np
import pytest

import functrace as ft

SIZE = 4
START = np.linspace(0.5, 1.5, SIZE)


def assign(buffer, view, i):
    buffer[:] = i + 1.0


def assign_elements(buffer, view, i):
    for j in range(0, len(buffer), max(len(buffer) // 8, 1)):
        buffer[j] = i + j


def add_in_place(buffer, view, i):
    buffer += i + 1.0


def out_of_a_function(buffer, view, i):
    np.multiply(np.arange(float(len(buffer))), i + 1.0, out=buffer)


def copyto(buffer, view, i):
    np.copyto(buffer, i - 0.5)


def add_at(buffer, view, i):
    np.add.at(buffer, [0, len(buffer) // 2, 0], i + 1.0)


def through_a_view(buffer, view, i):
    view[...] = i + 2.0


def through_a_new_view(buffer, view, i):
    buffer.reshape(2, -1)[1] = i + 2.0


def sort(buffer, view, i):
    if i == 0:
        buffer[:] = np.arange(float(len(buffer)))[::-1]
    else:
        buffer.sort()


def fill(buffer, view, i):
    buffer.fill(i * 0.3)


def put(buffer, view, i):
    buffer.put([0, len(buffer) - 1], i + 7.0)


def draw(buffer, view, i):
    np.random.default_rng(i).random(out=buffer)


def buffer_protocol(buffer, view, i):
    memoryview(buffer)[0] = i + 3.0


WRITES = [
    assign, assign_elements, add_in_place, out_of_a_function, copyto, add_at, through_a_view,
    through_a_new_view, sort, fill, put, draw, buffer_protocol,
]  # fmt: skip


def scratch(write, size=SIZE):
    """A function that uses a buffer of its own again and again."""

    def f(x):
        buffer = np.linspace(1.0, 2.0, size)
        view = buffer[1 : size // 2]
        total = 0.0
        for i in range(3):
            write(buffer, view, i)
            total = total + np.sum(np.sin(x) * buffer) + np.sum(x[1:] * view[0] * buffer[:-1])
        return total

    return f


def slope(f, x):
    """The derivative of a sum of linear functions of sin(x) and x, one element after the other."""
    step = 1e-6
    units = np.eye(len(x)) * step
    return np.array([(f(x + unit) - f(x - unit)) / (2 * step) for unit in units])


RECORDED = {
    "jit": lambda f: ft.jit(f)(START),
    "vmap": lambda f: ft.vmap(f)(START[None])[0],
    "make_ir": lambda f: ft.evaluate(ft.make_ir(f)(START), START)[0],
    "checkpoint": lambda f: ft.checkpoint(f)(START),
    "scan": lambda f: ft.scan(lambda c, _: (c + f(START + 0 * c), None), 0.0, None, 1)[0],
    "cond": lambda f: ft.jit(lambda x: ft.cond(x[0] > 0, f, lambda x: 0.0, x))(START),
}


@pytest.mark.parametrize("transformation", RECORDED)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_a_recording_keeps_what_a_buffer_held(write, transformation):
    f = scratch(write)
    np.testing.assert_allclose(RECORDED[transformation](f), f(START), rtol=1e-14)


def test_arrays_that_a_jitted_function_captured_are_those_of_its_recording():
    buffer, numbers = np.ones(3), np.arange(3.0)

    def f(x):
        folded = numbers * 2.0
        return np.sum(x * buffer) + np.sum(x * (buffer + numbers)) + np.sum(x * folded), buffer

    fast = ft.jit(f)
    first, returned = fast(np.ones(3))
    np.testing.assert_array_equal(returned, np.ones(3))
    returned[:] = 9.0
    buffer[:], numbers[:] = 5.0, 7.0
    second, returned = fast(np.ones(3))
    assert second == first
    np.testing.assert_array_equal(returned, np.ones(3))
    fast.clear_cache()  # recorded again, from what they hold now
    assert fast(np.ones(3))[0] == f(np.ones(3))[0]


def test_a_captured_array_is_one_constant_for_each_of_its_states():
    weights = np.arange(6.0).reshape(2, 3)

    def f(x):
        h = x
        for _ in range(3):
            h = weights.T @ (weights @ h)
        weights[0, 0] = 4.0
        return weights @ h

    found = {id(constant.value) for constant in ft.make_ir(f)(np.ones(3)).constants()}
    assert len(found) == 3  # weights, its transpose, weights when it was written


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.bool_, np.complex128])
def test_kinds_of_captured_arrays(kind):
    buffer = np.array([1, 0, 1]).astype(kind)

    def f(x):
        y = np.where(buffer, x, 2 * x) * buffer
        buffer[0] = 0
        return np.sum(y * buffer)

    expected = f(np.arange(1.0, 4.0))
    buffer[0] = 1
    found = ft.jit(f)(np.arange(1.0, 4.0))
    assert found == expected
    assert found.dtype == expected.dtype


def test_indices_and_arguments_of_calls_are_kept_too():
    index, shown = np.array([0, 1]), []

    def f(x):
        y = x[index]
        index[:] = 2
        ft.debug.callback(lambda a, b: shown.append((a.copy(), b.copy())), x, index)
        index[:] = 0
        return np.sum(y) + np.sum(np.take(x, index))

    found = ft.jit(f)(np.array([1.0, 10.0, 100.0]))
    assert found == 13.0
    np.testing.assert_array_equal(shown[0][1], [2, 2])
