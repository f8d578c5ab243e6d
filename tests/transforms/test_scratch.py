"""Arrays from around them that bodies and branches write: NumPy's numbers, or an error."""

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


X = np.array([1.0, 2.0, 3.0])


def adds_its_input(buffer, r, x):
    buffer += r


def adds_what_is_outside(buffer, r, x):
    buffer += x


def is_filled_with_its_input(buffer, r, x):
    buffer[:] = r * 2


def is_filled_with_what_is_outside(buffer, r, x):
    np.multiply(x, 2.0, out=buffer)


def is_written_at_one_index(buffer, r, x):
    buffer[0] = r


def grows_at_one_index(buffer, r, x):
    buffer[0] += r


def moves_on(buffer, r, x):
    buffer[1:] = buffer[:-1] * 1.0
    buffer[0] = r


def doubles_a_view(buffer, r, x):
    view = buffer[1:]
    view *= 2


STEPS = [
    adds_its_input,
    adds_what_is_outside,
    is_filled_with_its_input,
    is_filled_with_what_is_outside,
    is_written_at_one_index,
    grows_at_one_index,
    moves_on,
    doubles_a_view,
]
FILLED = [is_filled_with_its_input, is_filled_with_what_is_outside]
MAKES = {
    "plain": lambda x: fnp.zeros(3) + 1,
    "alike": lambda x: np.zeros_like(x) + 1,
    "traced": lambda x: x * 0.0 + 1,
    "argument": lambda x: x,
}
ROWS = np.array([1.0, 2.0])
LOOPS_OF_ROWS = {
    "scan": lambda f, c: ft.scan(lambda c, r: (c + f(r), None), c, ROWS)[0],
    "fori_loop": lambda f, c: ft.fori_loop(1, 3, lambda i, c: c + f(i * 1.0), c),
    "while_loop": lambda f, c: ft.while_loop(
        lambda p: p[0] < 3, lambda p: (p[0] + 1, p[1] + f(p[0] * 1.0)), (1, c)
    )[1],
    "map": lambda f, c: np.sum(ft.map(f, c + ROWS)),
}
MODES_OF_ARRAYS = {
    "vjp": lambda f: ft.vjp(f, X)[0],
    "make_ir": lambda f: ft.evaluate(ft.make_ir(f)(X), X)[0],
}


@pytest.mark.thinned
@pytest.mark.parametrize("write", STEPS)
@pytest.mark.parametrize("loop", LOOPS_OF_ROWS)
@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("is_known", [False, True])
def test_an_array_that_holds_traced_values(write, loop, make, is_known):
    def f(x):
        buffer = MAKES[make](x)

        def step(r):
            write(buffer, r, x)
            return np.sum(buffer)

        return LOOPS_OF_ROWS[loop](step, 0.0 if is_known else x[0])

    expected = f(X.copy())
    for mode in MODES_OF_ARRAYS.values():
        try:
            found = mode(f)
        except errors.ArrayWriteError as error:
            refusal = str(error)
            # That of a buffer is not known.
            assert f" in {write.__name__}" in refusal or make in ("plain", "alike")
            assert not is_known
            # What is filled with the argument that it is grows, too.
            assert write not in FILLED or (make == "argument" and write is FILLED[1])
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("loop", LOOPS_OF_ROWS)
@pytest.mark.parametrize("make", ["plain", "traced"])
def test_a_buffer_that_is_filled_in_each_trip_leaves_a_loop_one_operation(loop, make):
    def f(x):
        buffer = MAKES[make](x)

        def step(r):
            np.multiply(x, r, out=buffer)
            return np.sum(np.sin(buffer))

        return LOOPS_OF_ROWS[loop](step, x[0])

    names = {e.primitive.name for e in ft.make_ir(f)(X).equations}
    assert names & {"scan", "while_loop", "while", "map"}
    assert "sin" not in names
    ft.testing.check_grads(f, (X,))
    np.testing.assert_allclose(ft.jit(f)(X), f(X.copy()), rtol=1e-13)


def test_after_a_loop_what_its_body_wrote_is_not_known():
    def f(x, is_filled_again):
        buffer = x * 1.0
        view = buffer[1:]

        def step(c, r):
            buffer[:] = r
            return c + np.sum(buffer), None

        total = ft.scan(step, x[0], ROWS)[0]
        if is_filled_again:
            buffer[...] = x
        return total + np.sum(view)

    expected = f(X, True)
    for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]):
        assert transform(lambda x: f(x, True))(X) == expected
        with pytest.raises(errors.LeakedTracerError, match=r"test_scratch\.py:\d+ in step"):
            transform(lambda x: f(x, False))(X)


@pytest.mark.thinned
@pytest.mark.parametrize("write", STEPS)
@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("is_used", [False, True])
def test_branches_that_write_an_array_from_around_them(write, make, is_first, is_used):
    def f(x):
        buffer = MAKES[make](x)

        def writes():
            write(buffer, 3.0, x)
            return np.sum(buffer)

        branches = (
            (writes, lambda: np.sum(buffer)) if is_first else (lambda: np.sum(buffer), writes)
        )
        y = ft.cond(np.sum(x) > 0, *branches)
        return y + np.sum(buffer) if is_used else y

    expected = f(X.copy())
    for name, mode in MODES_OF_ARRAYS.items():
        try:
            found = mode(f)
        except (errors.ArrayWriteError, errors.LeakedTracerError):
            assert name == "make_ir"  # the choice is not known
            assert is_used or make in ("plain", "alike")
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_the_condition_of_a_loop_writes():
    def f(x):
        buffer = x * 1.0

        def goes_on(p):
            np.add(buffer, 1.0, out=buffer)
            return np.sum(buffer) < 20.0

        return ft.while_loop(goes_on, lambda p: p + 1.0, x[0])

    assert ft.vjp(f, X)[0] == f(X.copy())
    with pytest.raises(errors.ArrayWriteError):
        ft.jit(f)(X)
