"""Plain arrays that bodies of loops and branches write: NumPy's numbers, or an error."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace import errors

KEPT = np.zeros(2)


class Holder:
    def __init__(self):
        self.kept = np.zeros(2)


def grows(buffer):
    buffer[:] = buffer + 1


def grows_in_place(buffer):
    buffer += 1


def grows_by_a_view(buffer):
    view = buffer[1:]
    view += 1.0


def is_filled_anew(buffer):
    buffer[:] = 2.0
    buffer[0] = 1.0


def in_fori_loop(step):
    return lambda x: ft.fori_loop(0, 3, lambda i, c: c + step(x), x * 0.0)


def in_scan(step):
    return lambda x: ft.scan(lambda c, row: (c + step(x) * row, None), x * 0.0, np.ones(3))[0]


def in_while_loop(step):
    body = lambda p: (p[0] + 1, p[1] + step(x_of[0]))
    x_of = [None]

    def f(x):
        x_of[0] = x
        return ft.while_loop(lambda p: p[0] < 3, body, (0, x * 0.0))[1]

    return f


WRITES = [grows, grows_in_place, grows_by_a_view, is_filled_anew]
LOOPS = [in_fori_loop, in_scan, in_while_loop]
MODES = {
    "grad": lambda f: lambda x: ft.value_and_grad(f)(x)[0],
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (x,))[0],
    "jit": ft.jit,
    "jit of grad": lambda f: lambda x: ft.jit(ft.value_and_grad(f))(x)[0],
    "vmap": lambda f: lambda x: ft.vmap(f)(np.full(2, x))[0],
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("make", [np.zeros, fnp.zeros])
@pytest.mark.parametrize("mode", MODES)
def test_a_buffer_that_a_body_writes(write, loop, make, mode):
    def f(x):
        buffer = make(3)

        def step(x):
            write(buffer)
            return np.sum(x * buffer)

        return loop(step)(x)

    expected = f(2.0)
    try:
        found = MODES[mode](f)(2.0)
    except errors.ArrayWriteError:
        assert mode not in ("grad", "jvp")
        assert write is not is_filled_anew
    else:
        assert found == expected


@pytest.mark.parametrize("transform", [ft.jit, ft.vmap, ft.grad])
def test_arrays_that_globals_and_objects_hold_are_as_before_where_it_is_refused(transform):
    holder = Holder()
    for kept in (KEPT, holder.kept):

        def step(i, c, kept=kept):
            kept[:] = kept + 1
            return c + np.sum(kept) * c

        f = lambda x, step=step: ft.fori_loop(0, 3, step, x)
        if transform is ft.grad:
            assert ft.grad(f)(1.0) == 3 * 5 * 7
            np.testing.assert_array_equal(kept, 3.0)
            kept[:] = 0.0
            continue
        with pytest.raises(errors.ArrayWriteError, match=r"test_scratch\.py:\d+ in step"):
            transform(f)(np.ones(2))
        np.testing.assert_array_equal(kept, 0.0)
        kept[:] = 0.0  # and can be written again


def test_a_branch_that_is_not_taken_writes_nothing():
    def f(x):
        buffer = np.zeros(3)

        def grow(by):
            buffer[:] = buffer + by
            return x * np.sum(buffer)

        y = ft.cond(x > 0, lambda: grow(1.0), lambda: grow(10.0))
        return y + x * np.sum(buffer)

    assert f(2.0) == ft.value_and_grad(f)(2.0)[0] == ft.jvp(f, (2.0,), (1.0,))[0] == 12.0
    for transform in (ft.jit, ft.vmap):
        with pytest.raises(errors.ArrayWriteError, match="A branch changes an ordinary array"):
            transform(f)(2.0 if transform is ft.jit else np.full(2, 2.0))
