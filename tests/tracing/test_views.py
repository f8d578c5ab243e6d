"""Writing in place through arrays and views of them, against NumPy, eager and from types alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace import errors
from functrace.errors import ViewWriteError
from functrace.transforms.forward import jvp
from tests.tracing.ways import MATRIX, THREE, WAYS, every_way, on_tape, recorded, same

M = np.arange(12.0).reshape(3, 4) / 7 - 0.8


def differentiated_alike(f: Any, x: Any) -> None:
    """The value as NumPy's, and the derivative as the difference, in each mode.

    The function is a polynomial of its argument, so that differences of the order of 1e-4 tell.
    """
    rng = np.random.default_rng(x.size)
    direction = rng.uniform(-1, 1, x.shape)
    step = 1e-5
    expected = f(x.copy())
    change = (f(x + step * direction) - f(x - step * direction)) / (2 * step)
    weights = rng.uniform(-1, 1, expected.shape)

    def weighted(x: Any) -> Any:
        return np.sum(f(x) * weights)

    value, tangent = ft.jvp(f, (x,), (direction,))
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(tangent, change, rtol=1e-6, atol=1e-6)
    slope = np.sum(change * weights)
    eager = ft.grad(weighted)(x)
    np.testing.assert_allclose(np.sum(eager * direction), slope, rtol=1e-6, atol=1e-6)
    fast = ft.jit(lambda x: (f(x), ft.grad(weighted)(x)))(x)
    np.testing.assert_allclose(fast[0], expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(fast[1], eager, rtol=1e-12, atol=1e-12)
    batch = np.stack([x, x + direction])
    np.testing.assert_allclose(ft.vmap(f)(batch)[0], expected, rtol=1e-13, atol=1e-13)


# An index, and a value of each shape that NumPy lets be assigned there


@st.composite
def assignments(draw: Any) -> tuple[Any, Any, Any]:
    """The shape of an array, an index into it, and the shape of a value."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    kind = draw(st.sampled_from(["basic", "mixed", "mask"]))
    if kind == "basic":
        index = draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    elif kind == "mask":
        used = draw(st.integers(1, len(shape)))
        index = draw(hnp.arrays(bool, shape[:used]))
    else:
        items: list[Any] = []
        inner = draw(st.sampled_from([(), (2,), (1,), (2, 1)]))
        for length in shape[: draw(st.integers(1, len(shape)))]:
            item = draw(st.sampled_from(["array", "slice", "integer", "numpy integer", "new"]))
            if item == "new":
                items.append(None)
                item = "slice"
            whole = st.integers(-length, length - 1)
            if item == "slice":
                items.append(slice(draw(st.sampled_from([None, 0, 1])), None))
            elif item == "array":
                items.append(draw(hnp.arrays(np.int64, inner, elements=whole)))
            else:
                number = draw(whole)
                items.append(number if item == "integer" else np.int64(number))
        index = tuple(items)
    target = np.empty(shape)[index].shape
    value = [draw(st.sampled_from([1, n])) for n in target[draw(st.integers(0, len(target))) :]]
    if isinstance(np.zeros(shape)[index], np.generic):  # an element takes a number only
        return shape, index, ()
    ones = 0 if kind == "mask" else draw(st.integers(0, 2))
    return shape, index, (*(1,) * ones, *value)


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(assignments(), st.sampled_from(["=", "+=", "*="]))
def test_assigning_values_of_all_shapes(drawn, how):
    shape, index, value_shape = drawn
    size = int(np.prod(shape))

    def f(x):
        y = x[:size].reshape(shape) * 1.5
        value = np.sin(np.resize(x, value_shape)) + 2
        if how == "=":
            y[index] = value
        elif how == "+=":
            y[index] += value
        else:
            y[index] *= value
        return y * y

    x = np.linspace(-1, 1, size + 3)
    try:
        f(x.copy())
    except ValueError:
        assert how != "="  # leading axes of length 1 are dropped where one assigns only
        for trace in (ft.jit, lambda f: lambda x: ft.vjp(f, x)):
            with pytest.raises(ValueError, match="shape"):
                trace(f)(x)
        return
    differentiated_alike(f, x)


# Whole programs of reads, writes and views

STEPS = [
    "slice", "reverse", "transpose", "reshape", "ravel", "row", "last axis", "0-d", "split", "copy",
    "set", "add", "scale", "set part", "add part", "from another", "sum", "fill", "sort rows",
    "masked", "gathered", "out", "drop", "swap", "squeeze", "numpy integer",
]  # fmt: skip


def program(seed: int) -> Any:
    """A function of M that makes views and writes through them, as the seed says."""

    def f(x: Any) -> Any:
        rng = np.random.default_rng(seed)
        arrays: list[Any] = [x * 1.0] if seed % 3 else [x]
        results: list[Any] = []
        for number in range(12):
            y = arrays[rng.integers(len(arrays))]
            z = arrays[rng.integers(len(arrays))]
            match STEPS[rng.integers(len(STEPS))]:
                case "slice" if y.ndim:
                    arrays.append(y[rng.integers(2) :: 1 + rng.integers(2)])
                case "reverse" if y.ndim:
                    arrays.append(y[::-1])
                case "transpose":
                    arrays.append(y.T)
                case "reshape" if y.size % 2 == 0:
                    arrays.append(y.reshape(2, -1))
                case "ravel":
                    arrays.append(y.ravel())
                case "row" if y.ndim > 1 and len(y):
                    arrays.append(y[rng.integers(len(y))])
                case "last axis" if y.ndim > 1 and y.shape[-1]:
                    arrays.append(y[..., rng.integers(y.shape[-1])])
                case "0-d" if y.ndim == 1 and len(y):
                    arrays.append(y[..., rng.integers(len(y))])
                case "split" if y.ndim:
                    arrays.extend(np.split(y, [1]))
                case "squeeze":
                    arrays.append(np.squeeze(y[None]))
                case "swap" if y.ndim > 1:
                    arrays.append(np.moveaxis(y, 0, -1))
                case "copy":
                    arrays.append(y.copy())
                case "set":
                    y[...] = number / 7
                case "add":
                    y += number / 7
                case "scale":
                    y *= 0.5
                case "set part" if y.ndim and len(y):
                    y[0] = y[-1] * 2
                case "add part" if y.ndim and len(y) > 1:
                    y[1:] += y[:-1] * 0.5
                case "numpy integer" if y.ndim:
                    for i in np.arange(len(y)):
                        y[i] += 0.25 * y[0]
                case "from another" if y.shape == z.shape:
                    y[...] = z
                case "sum":
                    results.append(np.sum(y * y))
                case "fill":
                    y.fill(0.5)
                case "sort rows" if y.ndim:
                    y.sort()
                case "masked":
                    y[y > 0.5] = 0.25
                case "gathered" if y.ndim and len(y) > 1:
                    y[np.array([0, -1])] *= 2.0
                case "out" if y.shape == z.shape:
                    np.multiply(y, z, out=y)
                case "drop" if len(arrays) > 1:
                    arrays.pop(rng.integers(1, len(arrays)))
                case _:
                    pass
        return np.concatenate([np.stack([0.0 * x[0, 0], *results]), *map(np.ravel, arrays)])

    return f


@pytest.mark.parametrize(
    "seeds", [range(50), pytest.param(range(50, 1000), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_programs_of_views_and_writes(seeds):
    direction = np.cos(np.arange(12.0)).reshape(3, 4)
    refused = 0
    for f in map(program, seeds):
        x = M.copy()
        expected = f(x.copy())
        value, pullback = ft.vjp(f, x)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(x, M)
        pushed, tangent = ft.jvp(f, (x,), (direction,))
        np.testing.assert_allclose(pushed, expected, rtol=1e-12, atol=1e-12)
        weights = np.cos(np.arange(expected.size))
        (gradient,) = pullback(weights)
        np.testing.assert_allclose(np.sum(gradient * direction), weights @ tangent, atol=1e-9)
        try:
            (recorded,) = ft.evaluate(ft.make_ir(f)(x), x)
        except ViewWriteError:  # reshaped, and its layout in memory is not known
            refused += 1
            continue
        np.testing.assert_allclose(recorded, expected, rtol=1e-12, atol=1e-12)
    assert refused <= 0.1 * len(seeds)


def pushed_forward(f: Callable[..., Any], x: Any) -> Any:
    """The result of a function of a tracer with a tangent."""
    return jvp(f, (x,), (np.ones_like(x),))[0]


def grad_of_sum(f: Callable[[Any], Any], x: Any = THREE) -> Any:
    """The function's value and gradient after a sum with weights that tell elements apart."""

    def loss(t):
        y = f(t)
        weights = np.arange(1.0, np.size(y) + 1).reshape(np.shape(y))
        return np.sum(y * weights), y

    (_, value), gradient = ft.value_and_grad(loss, has_aux=True)(x)
    return value, gradient


@every_way
def test_the_elements_that_a_loop_takes_are_scalars(way):
    def f(x):
        total = 0.0
        for element in x:
            last = element
            last += 1.0
            total += last * element
        row = np.reshape(last, -1)
        row[0] = 7.0
        alias = last
        last *= x  # which is an array from here on
        return total, row, alias, last

    same(way(f, THREE), f(THREE))


@every_way
def test_the_callers_array_is_untouched(way):
    def f(x):
        x += 1
        x[0] = 7.0
        x *= 2
        return x

    x = THREE.copy()
    same(way(f, x), np.array([14.0, 6.0, 8.0]))
    same(x, THREE)


def test_the_gradient_through_writes():
    def f(x):
        y = x * 2
        y[0] = y[1] * x[2]
        y += x
        return y

    value, gradient = grad_of_sum(f)
    same(value, np.array([2 * 2 * 3 + 1.0, 6.0, 9.0]))
    # 1 * (2 x1 x2 + x0) + 2 * 3 x1 + 3 * 3 x2
    same(gradient, np.array([1.0, 2 * 3 + 6.0, 2 * 2 + 9.0]))


def test_a_name_in_the_function_that_was_called_sees_the_change():
    def double(y):
        y *= 2

    def f(x):
        y = x + 0.0
        double(y)
        return y

    value, gradient = grad_of_sum(f)
    same(value, THREE * 2)
    same(gradient, np.array([2.0, 4.0, 6.0]))


def test_an_input_of_an_outer_recording_is_changed_for_the_outer_one_too():
    def f(x):
        y = x * 1.0

        def inner(t):
            y[0] = 10.0
            return np.sum(t * y)

        return ft.grad(inner)(THREE) + y

    same(on_tape(f, THREE), np.array([20.0, 4.0, 6.0]))


def test_what_is_captured_is_the_value_at_the_time():
    def pulled_back(x):
        y = x * 1.0
        _, pullback = ft.vjp(lambda t: np.sin(t) * y, y)
        y += 1.0
        return np.sum(pullback(np.ones(3))[0])

    np.testing.assert_allclose(ft.grad(pulled_back)(THREE), np.cos(THREE) - THREE * np.sin(THREE))

    def pushed(x):
        y = x * 1.0
        tangent = jvp(lambda t: t * y, (y,), (y,))[1]
        y *= 2.0
        return np.sum(tangent)

    np.testing.assert_allclose(ft.grad(pushed)(THREE), 2 * THREE)

    def jitted(x):
        y = x * 1.0
        product = ft.jit(lambda t: t * y)
        first = product(1.0)
        y += 1.0
        return np.sum(first * product(1.0))

    np.testing.assert_allclose(ft.grad(jitted)(THREE), 2 * THREE + 1)

    def mapped(x):
        y = x * 1.0
        rows = ft.vmap(lambda row: row * y)(np.ones((2, 3)))
        y += 1.0
        return np.sum(rows * y)

    np.testing.assert_allclose(ft.grad(mapped)(THREE), 2 * (2 * THREE + 1))


VIEWS: dict[str, Callable[[Any], Any]] = {
    "x[1:]": lambda x: x[1:],
    "x[::-1]": lambda x: x[::-1],
    "x[:, 0]": lambda x: x[:, 0],
    "x[...]": lambda x: x[...],
    "x[None]": lambda x: x[None],
    "x[0]": lambda x: x[0],
    "x.T": lambda x: x.T,
    "x.reshape(3, 2)": lambda x: x.reshape(3, 2),
    "np.ravel(x)": np.ravel,
    "x.swapaxes(0, 1)": lambda x: x.swapaxes(0, 1),
    "np.squeeze(x[:1])": lambda x: np.squeeze(x[:1]),
    "np.flip(x)": np.flip,
    "np.expand_dims(x, 0)": lambda x: np.expand_dims(x, 0),
    "np.moveaxis(x, 0, 1)": lambda x: np.moveaxis(x, 0, 1),
    "np.split": lambda x: np.split(x, [1])[0],
    "x[1:][0]": lambda x: x[1:][0],
    "x.T[1:]": lambda x: x.T[1:],
    "iteration": lambda x: next(iter(x)),
    "np.rot90": np.rot90,
    "np.atleast_3d": np.atleast_3d,
    "x.conj()": lambda x: x.conj(),
    "x.real": lambda x: x.real,
    "np.real(x)": np.real,
    "np.asarray": ft.numpy.asarray,
    "np.atleast_2d": np.atleast_2d,
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "x.copy()": lambda x: x.copy(),
    "x + 0": lambda x: x + 0,
    "+x": lambda x: +x,
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "x[mask]": lambda x: x[np.array([True, False])],
    "x.flatten()": lambda x: x.flatten(),
    "np.concatenate": lambda x: np.concatenate([x]),
    "np.stack": lambda x: np.stack([x]),
    "np.tile": lambda x: np.tile(x, 1),
    "np.where": lambda x: np.where(True, x, x),
    "x.astype": lambda x: x.astype(float),
    "x.repeat": lambda x: x.repeat(1),
    "np.roll": lambda x: np.roll(x, 0),
    "np.sort": np.sort,
    "np.conj(x)": np.conj,
    "np.take": lambda x: np.take(x, [0], 0),
}


def as_numpy(f: Callable[[Any], Any], x: Any) -> None:
    """A function gives what NumPy gives, in each way."""
    expected = f(x.copy())
    for way in (*WAYS, pushed_forward):
        same(way(f, x.copy()), expected)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view(name):
    view = VIEWS[name]

    def add_in_place(x):
        y = x * 1.0
        v = view(y)
        v += 1.0
        return y + 0.0

    def write(x):
        y = x * 1.0
        v = view(y)
        v[0] = 9.0
        return y + 0.0

    def write_the_base(x):
        y = x * 1.0
        v = view(y)
        y[0] = 9.0
        return v + 0.0

    def write_the_base_and_use_it(x):
        y = x * 1.0
        v = view(y)
        y += 1.0
        return (y * 2, v * 2)

    def multiply_the_base(x):
        y = x * 1.0
        v = view(y)
        np.multiply(y, 2.0, out=y)
        return v * 1.0

    for f in (add_in_place, write, write_the_base, write_the_base_and_use_it, multiply_the_base):
        as_numpy(f, MATRIX)


@pytest.mark.parametrize("name", COPIES)
def test_a_write_to_a_copy_changes_nothing_else(name):
    def f(x):
        y = x * 1.0
        c = COPIES[name](y)
        c += 1.0
        c[0] = 9.0
        y *= 3.0
        y[0] = 5.0
        return y + 0.0, c + 0.0

    as_numpy(f, MATRIX)


def test_a_slice_that_is_changed_in_place():
    def f(x):
        y = x * 1.0
        y[1:] += 1.0
        y[0] *= 2.0
        y[:, 1] -= y[:, 0]
        y[1][2] = 4.0
        return y + 0.0

    def only_slices(x):
        y = x * 1.0
        y[1:] += 1.0
        y[0] *= 2.0
        y[:, 1] -= y[:, 0]
        y[0, 0] /= 4.0
        return y + 0.0

    as_numpy(only_slices, MATRIX)
    as_numpy(f, MATRIX)


def test_a_view_that_is_gone_is_no_hindrance():
    def f(x):
        y = x * 1.0
        total = np.sum(y[1:]) + y[0].sum()
        y[0] = total
        v = y.T
        first = v[0] * 2.0
        del v
        y += 1.0
        return y, first

    as_numpy(f, MATRIX)


def test_a_view_of_what_was_overwritten_by_an_operation():
    def f(x):
        y = x * 1.0
        v = y[1:]
        y = y + 1.0  # another array
        y[1:] = 0.0
        return y, v + 0.0

    as_numpy(f, MATRIX)


def test_where_the_layout_in_memory_decides_and_is_not_known():
    def use_the_base(x):
        y = x.T + np.ones((3, 2))  # in the order of one or of the other
        v = y.reshape(6)
        v[0] = 1.0  # the write
        return np.sum(y)

    def use_the_view(x):
        y = x.T + np.ones((3, 2))  # in the order of one or of the other
        v = y.reshape(6)[1:]
        y[0] = 1.0  # the write

        return np.sum(v)

    for f in (use_the_base, use_the_view):
        np.testing.assert_allclose(ft.vjp(f, MATRIX)[0], f(MATRIX))
        with pytest.raises(errors.ViewWriteError) as caught:
            ft.make_ir(f)(MATRIX)
        line = f.__code__.co_firstlineno + 3
        assert f"test_views.py:{line} in {f.__name__}" in str(caught.value)
        assert "x.reshape(shape).copy()" in str(caught.value)


def test_a_view_that_a_helper_keeps():
    kept = []

    def f(x):
        y = x * 1.0
        kept.append(y[1:])
        y[1] = 5.0
        return y * kept.pop()[0]

    as_numpy(f, THREE)


def test_an_array_that_cannot_be_written():
    for view in (np.diagonal, lambda x: np.broadcast_to(x, (2, 2, 2)), np.diag):
        for way in WAYS:
            with pytest.raises(ValueError, match="read-only"):
                way(lambda x, view=view: view(x * 1.0).__setitem__(0, 1.0), np.eye(2))


def test_recordings_of_programs_and_their_writes():
    def f(x):
        y = np.zeros_like(x)
        for i in range(3):
            y[i] = x[i] ** 2
        y[1:] += 1.0
        return y

    same(recorded(f, THREE), f(THREE))


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["view", "copy", "add", "set", "iadd", "use", "drop", "slice add"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(OPERATIONS)
def test_any_sequence_of_views_and_writes(operations):

    def f(x):
        arrays = {0: x * 1.0}
        used = []
        for number, (kind, source, target) in enumerate(operations):
            if source not in arrays:
                continue
            y = arrays[source]
            if kind == "view":
                arrays[target] = (y[1:], y[::-1], y.T, y[...])[number % 4]
            elif kind == "copy":
                arrays[target] = y.copy()
            elif kind == "add":
                arrays[target] = y + 1.0
            elif kind == "set":
                y[...] = number * 1.0
            elif kind == "iadd":
                y += number * 1.0
            elif kind == "slice add":
                y[:1] += number * 1.0
            elif kind == "use":
                used.append(np.sum(y))
            elif source:
                del arrays[source]
            del y
        return [*used, *(a + 0.0 for a in arrays.values())]

    as_numpy(f, np.arange(1.0, 9.0))


def untouched(x):
    return x


def filled(x):
    x.fill(2.0)
    return x


def set_by_flat(x):
    x.flat[0] = 2.0
    return x


def set_by_flat_as_a_whole(x):
    x.flat = 2.0
    return x


def put(x):
    x.put(0, 2.0)
    return x


def set_by_an_index(x):
    x[...] = 2.0
    return x


def set_by_no_index(x):
    x[()] = 2.0
    return x


def set_by_its_real_part(x):
    x.real = 2.0
    return x


def copied_to(x):
    np.copyto(x, 2.0)
    return x


def given_as_out(x):
    return np.add(1.0, 1.0, out=x)


WRITES_OF_SCALARS = [
    *[filled, set_by_flat, set_by_flat_as_a_whole, put, set_by_an_index, set_by_no_index],
    *[set_by_its_real_part, copied_to, given_as_out],
]
WRITTEN_UNDER = {
    "grad": lambda f, x: ft.value_and_grad(f)(x),
    "jvp": lambda f, x: ft.jvp(f, (x,), (np.ones_like(x),)),
    "jit": lambda f, x: (ft.jit(f)(x), ft.jit(ft.grad(f))(x)),
    "grad of jit": lambda f, x: ft.value_and_grad(ft.jit(f))(x),
    "Program": lambda f, x: (ft.evaluate(ft.make_ir(f)(x), x)[0], 0.0),
    "cond": lambda f, x: ft.jit(ft.value_and_grad(lambda x: ft.cond(x > 0, f, untouched, x)))(x),
    "checkpoint": lambda f, x: ft.value_and_grad(ft.checkpoint(f))(x),
}


@pytest.mark.parametrize("write", WRITES_OF_SCALARS)
@pytest.mark.parametrize("name", WRITTEN_UNDER)
def test_scalars_are_not_written_like_arrays(name, write):
    f = lambda x: write(x) * 3.0
    expected = f(np.array(4.0))
    value, derivative = WRITTEN_UNDER[name](f, np.array(4.0))
    assert (value, derivative) == (expected, 0.0) == (6.0, 0.0)
    with pytest.raises(errors.ScalarWriteError, match=r"x = functrace\.numpy\.array\(x\)"):
        WRITTEN_UNDER[name](f, np.float64(4.0))
    with pytest.raises(errors.ScalarWriteError):
        WRITTEN_UNDER[name](lambda x: f(x * 1.0), np.array(4.0))
    value, derivative = WRITTEN_UNDER[name](lambda x: f(ft.numpy.array(x)), np.float64(4.0))
    assert (value, derivative) == (expected, 0.0)


def test_a_jitted_function_that_writes_into_an_array_without_axes_refuses_scalars():
    fast = ft.jit(filled)
    for _ in range(3):
        assert fast(np.array(4.0)) == 2.0
        with pytest.raises(errors.ScalarWriteError):
            fast(np.float64(4.0))


def test_the_shape_of_a_scalar_is_not_set():
    def f(x):
        x.shape = (1,)
        return np.sum(x)

    for transform in (ft.grad, lambda f: ft.jit(ft.grad(f))):
        with pytest.raises(errors.ScalarWriteError):
            transform(f)(np.float64(1.0))
    assert ft.grad(f)(np.array(1.0)) == ft.jit(ft.grad(f))(np.array(1.0)) == 1.0
