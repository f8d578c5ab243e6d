"""Arrays that belong to the user: what a function reads counts as it is when it is read.

The truth is NumPy: a function that writes into buffers of its own as it goes along.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import functrace as ft
from functrace import errors, extend
from functrace.transforms import keeping
from functrace.transforms.keeping import BUFFERED_BYTES, COPIED_BYTES

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


# Modes that follow values: what the walk back needs is what was read

LARGE = BUFFERED_BYTES // 8 + 4  # protected at once
FOLLOWED = {
    "grad": lambda f, x: ft.grad(f)(x),
    "vjp": lambda f, x: ft.vjp(f, x)[1](1.0)[0],
    "linearize": lambda f, x: along_each(ft.linearize(f, x)[1], x),
    "jvp": lambda f, x: along_each(lambda unit: ft.jvp(f, (x,), (unit,))[1], x),
    "jacrev": lambda f, x: ft.jacrev(f)(x),
    "jit of grad": lambda f, x: ft.jit(ft.grad(f))(x),
    "grad of jit": lambda f, x: ft.grad(ft.jit(f))(x),
    "grad of checkpoint": lambda f, x: ft.grad(ft.checkpoint(f))(x),
    "vmap of grad": lambda f, x: ft.vmap(ft.grad(f))(x[None])[0],
    "custom_vjp": lambda f, x: ft.grad(as_custom_vjp(f))(x),
}


def along_each(pushforward, x):
    return np.array([pushforward(unit) for unit in np.eye(len(x))])


def as_custom_vjp(f):
    """The function, with a rule that pulls back itself."""
    custom = ft.custom_vjp(f)
    custom.defvjp(lambda x: (f(x), x), lambda x, cotangent: (ft.jit(ft.grad(f))(x) * cotangent,))
    return custom


@pytest.mark.parametrize("mode", FOLLOWED)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_a_derivative_uses_what_a_buffer_held(write, mode):
    f = scratch(write)
    found = FOLLOWED[mode](f, START)
    np.testing.assert_allclose(found, slope(f, START), rtol=1e-6)


@pytest.mark.thinned
@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_writing_into_a_large_buffer_gives_the_right_slope_or_an_error(write):
    f, x = scratch(write, LARGE), np.linspace(0.5, 1.5, LARGE)
    unit = np.ones(LARGE)
    expected = (f(x + 1e-6) - f(x - 1e-6)) / 2e-6
    with pytest.raises((ValueError, TypeError)) as caught:
        ft.grad(f)(x)
    if not isinstance(caught.value, TypeError):  # what Python's memoryview says
        assert "test_keeping.py" in "".join(
            [str(caught.value), *getattr(caught.value, "__notes__", ())]
        )
    for slope_along in (
        ft.vjp(f, x)[1](1.0)[0] @ unit,
        ft.jvp(f, (x,), (unit,))[1],
        ft.linearize(f, x)[1](unit),
        ft.jit(ft.grad(f))(x) @ unit,
    ):
        np.testing.assert_allclose(slope_along, expected, rtol=1e-6)
    assert x.flags.writeable


@pytest.mark.parametrize("size", [4, LARGE])
def test_what_vjp_and_linearize_read_may_be_written_afterwards(size):
    x, factor = np.linspace(0.5, 1.5, size), np.linspace(1.0, 2.0, size)
    output, pullback = ft.vjp(lambda x: np.sin(x) * factor, x)
    linear_output, pushforward = ft.linearize(lambda x: np.sin(x) * factor, x)
    expected = np.cos(x) * factor
    x += 1.0
    factor[:] = 0.0
    output *= 3.0
    linear_output *= 3.0
    for _ in range(2):
        cotangent = np.ones(size)
        (found,) = pullback(cotangent)
        np.testing.assert_allclose(found, expected)
        found *= 2.0
        np.testing.assert_allclose(pushforward(cotangent), expected)
        np.testing.assert_array_equal(cotangent, 1.0)


def test_large_arrays_can_be_written_again_when_the_derivative_is_there():
    owner = np.ones((2, LARGE))
    view, read_only = owner[1], np.broadcast_to(1.0, LARGE)
    foreign = np.frombuffer(bytearray(8 * LARGE))

    def f(x):
        return np.sum(x * view) + np.sum(x * owner.T[:, 0] * foreign * read_only)

    for call in (ft.grad(f), ft.value_and_grad(f), ft.grad(lambda x: ft.grad(f)(x)[0])):
        call(np.ones(LARGE))
        assert owner.flags.writeable
        assert view.flags.writeable
        assert foreign.flags.writeable
        assert not read_only.flags.writeable
    with pytest.raises(ZeroDivisionError):
        ft.grad(lambda x: f(x) + 1 // 0)(np.ones(LARGE))
    assert owner.flags.writeable
    assert view.flags.writeable


def test_an_array_is_protected_until_the_last_that_needs_it_is_done():
    data = np.ones(LARGE)

    def inner(y):
        return np.sum(y * data)

    def outer(x):
        ft.grad(inner)(np.ones(LARGE))
        assert data.flags.writeable == (not used)
        return np.sum(x * data)

    used = []
    ft.grad(outer)(np.ones(LARGE))

    def outer_first(x):
        total = np.sum(x * data)
        used.append(True)
        return total + 0.0 * outer(x)

    ft.grad(outer_first)(np.ones(LARGE))
    assert data.flags.writeable


def test_threads_that_need_one_array_release_it_together():
    data = np.ones(LARGE)
    gradient = ft.grad(lambda x: np.sum(np.sin(x * data)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: gradient(np.ones(LARGE)), range(40)))
    assert data.flags.writeable


def test_the_error_for_a_protected_array_says_what_needs_it_and_what_to_write():
    buffer = np.zeros(LARGE)

    def f(x):
        total = np.sum(x * buffer)
        buffer[:] = 1.0
        return total

    with pytest.raises(ValueError, match="read-only") as caught:
        ft.grad(f)(np.ones(LARGE))
    for note in caught.value.__notes__:
        assert "test_keeping.py" in note
        assert "write into a copy" in note


def test_a_large_array_that_numpy_protects_is_only_read():
    data = np.ones(LARGE)
    data.flags.writeable = False
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(x * data))(np.ones(LARGE)), data)
    assert not data.flags.writeable


def test_memory_maps(tmp_path):
    data = np.memmap(tmp_path / "data", np.float64, "w+", shape=(LARGE,))
    data[:] = 2.0
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(x * data))(np.ones(LARGE)), 2.0)
    data[:] = 3.0
    assert ft.jit(lambda x: np.sum(x * data))(np.ones(LARGE)) == 3.0 * LARGE


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("size", [COPIED_BYTES // 8 + 4, BUFFERED_BYTES // 8])
def test_buffers_of_middle_size_that_are_read_once_may_be_written(write, size):
    def f(x):
        buffer = np.linspace(1.0, 2.0, size)
        view = buffer[1 : size // 2]
        total = np.sum(np.sin(x) * buffer)
        write(buffer, view, 0)
        return total

    x = np.linspace(0.5, 1.5, size)
    expected = np.cos(x) * np.linspace(1.0, 2.0, size)
    np.testing.assert_allclose(ft.grad(f)(x), expected, rtol=1e-14)


def test_buffers_of_middle_size_that_are_read_again_and_again_are_protected_then():
    buffer = np.ones(COPIED_BYTES // 8 + 4)

    def f(x):
        first = np.sum(x * buffer)
        buffer[:] = 2.0
        second = np.sum(x * buffer)
        with pytest.raises(ValueError, match="read-only"):
            buffer[:] = 3.0
        return first + second

    np.testing.assert_array_equal(ft.grad(f)(np.ones(buffer.size)), 3.0)
    assert buffer.flags.writeable


def test_a_copy_that_a_rule_of_the_user_has_seen_stays_as_it_is():
    seen = []

    def pull_back(cotangent, output, x):
        seen.extend([x, x[::2]])
        return x

    half_square = extend.wrap(
        lambda x: np.sum(x**2) / 2, vjp=pull_back, infer=lambda x: x.update(shape=())
    )
    inputs = [np.full(COPIED_BYTES // 8 + 4, float(n)) for n in range(3)]
    gradients = [ft.grad(half_square)(x) for x in inputs]
    for number in range(3):
        np.testing.assert_array_equal(gradients[number], number)
        np.testing.assert_array_equal(seen[2 * number], number)
        np.testing.assert_array_equal(seen[2 * number + 1], number)


def test_threads_have_copies_of_their_own():
    def gradient(number):
        data = np.full(COPIED_BYTES // 8 + 4, float(number))
        return np.unique(ft.grad(lambda x: np.sum(np.sin(x) * data))(np.zeros(data.size)))

    with ThreadPoolExecutor(4) as pool:
        for number, found in enumerate(pool.map(gradient, range(60))):
            np.testing.assert_array_equal(found, [number])


def test_the_memory_for_copies_is_limited(monkeypatch):
    monkeypatch.setattr(keeping, "MOST_BUFFERED", 3 << 18)
    monkeypatch.setattr(keeping, "_buffers", keeping._Buffers())
    data = [np.full((COPIED_BYTES // 8 + 4 * n,), 1.0 + n) for n in range(1, 6)]

    def f(x):
        total = 0.0
        for a in data:
            total = total + np.sum(x * a)
        return total, sum(not a.flags.writeable for a in data)

    for _ in range(2):
        slope, protected = ft.grad(f, has_aux=True)(1.0)
        assert slope == sum(np.sum(a) for a in data)
        assert protected == 3  # two copies fit
    assert all(a.flags.writeable for a in data)


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.complex128])
@pytest.mark.parametrize("shape", [(100_003,), (700, 301), (3, 5, 40_001)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_element_of_a_large_array_that_is_written_through_an_older_view_is_noticed(
    dtype, shape, order
):
    rng = np.random.default_rng(0)
    array = np.asarray(rng.integers(1, 100, (shape)), dtype, order=order)
    while array.nbytes <= BUFFERED_BYTES:
        array = np.concatenate([array] * 4)
    for number in (0, 1, 12_345, array.size // 2, array.size - 1):
        view = array.reshape(-1, order=order)

        def f(x, view=view, number=number):
            y = np.sum(x * array)
            view[number] += 1
            return y.real

        with pytest.raises(errors.KeptArrayError):
            ft.grad(f)(1.0)

        def swaps(x, view=view, number=number):
            y = np.sum(x * array)
            view[[number, (number + 5000) % view.size]] = view[
                [(number + 5000) % view.size, number]
            ]
            return y.real

        if view[number] != view[(number + 5000) % view.size]:
            with pytest.raises(errors.KeptArrayError):
                ft.grad(swaps)(1.0)
