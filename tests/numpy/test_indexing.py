"""Reading and writing by index, against NumPy itself."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import functrace as ft
from functrace.errors import IndexRangeError, OperandError, UnknownValueError, ViewWriteError
from tests.agreement import agrees, assert_like_numpy

V = np.array([0.3, -1.2, 2.0, 0.7, -0.4, 1.6])
M = np.arange(12.0).reshape(3, 4) / 7 - 0.8
T = np.arange(24.0).reshape(2, 3, 4) / 9 - 1.3


READS = {
    "integer": (V, 0),
    "negative integer": (M, -1),
    "element": (M, (1, 2)),
    "numpy integer": (V, np.int64(1)),
    "0-d array": (V, np.array(1)),
    "slices": (M, (slice(1, None), slice(None, None, 2))),
    "ellipsis and new axis": (M, (Ellipsis, None, 1)),
    "reversed": (M, slice(None, None, -1)),
    "nothing": (M, ()),
    "empty slice": (M, slice(1, 1)),
    "array": (V, np.array([2, 0, 2, -1])),
    "list": (M, [0, 2]),
    "empty list": (V, []),
    "array after a slice": (M, (slice(None), np.array([2, 0, 2, -1]))),
    "two lists": (M, ([0, 1], [1, 1])),
    "separated by a slice": (T, (0, slice(None), [1, 1, 2])),
    "separated by a new axis": (M, ([0, 1], None, [0, 1])),
    "separated by an ellipsis": (T, ([1, 0], Ellipsis, [1, 2])),
    "broadcast": (T, (slice(None), [[0], [1]], [2, 0, 2])),
    "array and integer": (M, (np.array([[0], [2]]), 0)),
}


@pytest.mark.parametrize("name", READS)
def test_reading(name):
    x, index = READS[name]
    agrees(lambda x: x[index], x)


@pytest.mark.parametrize(
    ("x", "index"),
    [
        (V, V > 0),
        (M, np.array([True, False, True])),
        (M, (slice(None), M[0] > 0)),
        (M, M > 0),
        (M, (M[:, 0] > -1, 1)),
        (V, V > 10),
    ],
)
def test_reading_with_a_mask(x, index):
    agrees(lambda x: x[index], x)


def test_a_mask_computed_from_traced_values():
    agrees(lambda x: x[x > 0] ** 2, V, types_only=False)


def test_a_mask_of_unknown_values_is_refused():
    with pytest.raises(UnknownValueError, match=r"np\.where\(mask, x, 0\)"):
        ft.make_ir(lambda x: x[x > 0])(V)
    with pytest.raises(UnknownValueError, match=r"np\.where"):
        ft.make_ir(np.flatnonzero)(V)


@pytest.mark.parametrize("make", [ft.make_ir, ft.grad], ids=["types", "values"])
@pytest.mark.parametrize(
    ("index", "text"),
    [
        (6, "index 6 is out of bounds for axis 0 with size 6"),
        (-7, "index -7 is out of bounds"),
        ((0, 0), "too many indices"),
        (np.ones(3), "must be of integer"),
        ("a", "indices"),
        ((Ellipsis, Ellipsis), "single ellipsis"),
        (np.ones(5, bool), "boolean index did not match"),
    ],
)
def test_an_index_out_of_range(make, index, text):
    with pytest.raises(IndexError, match=text):
        make(lambda x: np.sum(x[index]))(V)


def test_an_array_of_indices_out_of_range():
    with pytest.raises(IndexRangeError, match="index 9 is out of bounds for axis 0 with size 6"):
        ft.grad(lambda x: np.sum(x[[0, 9]]))(V)


def test_traced_indices():
    program = ft.make_ir(lambda x, i: x[1:, i])(M, np.array([0, 3]))
    (result,) = ft.evaluate(program, M, np.array([-1, 2]))
    np.testing.assert_array_equal(result, M[1:, [-1, 2]])
    with pytest.raises(IndexRangeError):
        ft.evaluate(program, M, np.array([0, 4]))


@st.composite
def indexed(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    if draw(st.booleans()) or 0 in shape:
        index = draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    else:
        items = []
        used = draw(st.integers(1, len(shape)))
        inner = draw(st.sampled_from([(), (2,), (2, 1), (0,)]))
        for length in shape[:used]:
            kind = draw(st.sampled_from(["array", "slice", "integer", "new"]))
            if kind == "new":
                items.append(None)
            if kind == "slice":
                items.append(slice(draw(st.sampled_from([None, 0, 1])), None))
            elif kind == "integer":
                items.append(draw(st.integers(-length, length - 1)))
            else:
                elements = st.integers(-length, length - 1)
                items.append(draw(hnp.arrays(np.int64, inner, elements=elements)))
        if draw(st.booleans()):
            items.append(Ellipsis)
        index = tuple(items)
    return shape, index


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(indexed())
def test_reading_and_writing_as_numpy_does(drawn):
    shape, index = drawn
    x = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    expected = x[index]
    agrees(lambda x: x[index], x, grads=False)

    def write(x, value):
        y = x * 1.0
        y[index] = value
        return y

    value = -np.arange(1.0, expected.size + 1).reshape(expected.shape)
    written, pullback = ft.vjp(write, x, value)
    np.testing.assert_array_equal(written, write(x, value))
    (types_only,) = ft.evaluate(ft.make_ir(write)(x, value), x, value)
    np.testing.assert_array_equal(types_only, written)
    # Each element of the result is one of x or one of value: that is what the cotangents say.
    cotangent = np.arange(1.0, x.size + 1).reshape(shape)
    to_x, to_value = pullback(cotangent)
    np.testing.assert_array_equal(to_x, np.where(written == x, cotangent, 0))
    assert np.sum(to_x) + np.sum(to_value) == np.sum(cotangent)


# Writing


def fill(x):
    out = np.zeros_like(x)
    out[0] = x[1]
    out[1:3] = x[2:4] * 2
    out[4] += x[0]
    return out


def through_views(x):
    y = x * 1.0
    y[1:] += 1
    y[:2] *= y[0:2]
    y[1:] = y[:-1]
    return y


def repeated(x):
    y = x * 1
    y[[0, 1, 0]] = x[3:6] * 2
    return y


def mixed(x):
    y = np.reshape(x, (2, 3)) * 1
    y[[0, 1], 1] = y[1, 1:3]
    y[..., 0] = y[:, 1]
    y[:, 2:] = [[5.0], [6.0]]
    y[0][1] = x[5]
    return y


def masked(x):
    y = x * 1
    y[y > 1] = 0
    y[y < 0] = x[0]
    return y


def added(x):
    y = x * 1
    np.add.at(y, [0, 0, 1], x[:3])
    np.subtract.at(y, 2, x[4])
    return y


def the_argument(x):
    x[0] = x[1] * x[2]
    x *= 2
    x[::2] = x[1::2]
    return x


@pytest.mark.parametrize("f", [fill, through_views, repeated, mixed, masked, added, the_argument])
def test_writing(f):
    agrees(f, V)


def test_writing_with_a_mask_and_several_values():
    def f(x):
        y = x * 1
        y[y > 0] = x[: np.sum(y > 0)]
        return y

    agrees(f, V, types_only=False)


def test_a_write_is_cast_as_numpy_casts_it():
    def f(x):
        counts = np.zeros_like(x, dtype=int)
        counts[0] = 2.7
        counts[1:] = x[1:] * 3
        return counts

    agrees(f, V, grads=False)
    with pytest.raises(OperandError, match="imaginary part would be lost"):
        ft.grad(lambda x: operator.setitem(x, 0, 1j))(V)
    with pytest.raises(ValueError, match="could not broadcast"):
        ft.grad(lambda x: operator.setitem(x, slice(2), np.ones(3)))(V)


def test_a_view_is_written_at_an_array_of_indices():
    def f(x):
        x[[0, 2]] = x[1:3]
        x[V > 0] = x[:4] * 1  # without * 1 NumPy writes while it reads
        return x

    agrees(f, V)


def test_a_number_is_not_written():
    with pytest.raises(OperandError, match="Python number"):
        ft.grad(lambda x: operator.setitem(x, (), 1.0))(2.0)


def test_a_view_that_is_in_use():
    def f(x):
        y = x[1:]
        x[0] = 1.0
        x[1] *= 2.0
        return y**2

    agrees(f, V)


def test_views_are_written_into_their_bases():
    def f(x):
        y = x[1:]
        z = y[1:][::-1]
        z[0] = 1.0
        del z
        y *= 3
        z = y[:2]
        z += 7
        del z
        x[1:] = y
        return np.sum(y**2) * x

    agrees(f, V)


def test_a_transpose_is_written_while_its_base_is_in_use():
    def f(x):
        y = x.T
        y[0] = 1.0
        x[1] *= 2.0
        return np.sum(y**2) * x

    agrees(f, M)


def test_a_view_of_a_temporary_array_is_written():
    def f(x):
        y = np.reshape(x * 2, (2, 3)).T
        y[0] = 3.0
        y[1:] += y[:-1] * 2
        return y

    agrees(f, V)


def test_a_view_changed_in_place_may_be_written_elsewhere():
    def f(x):
        y = x[1:]
        y += 1
        x[:-1] = y
        return x

    agrees(f, V)


def test_a_view_changed_in_place_stays_a_view():
    def f(x):
        y = x[1:]
        y += 1
        x[1:] = y
        x[1] = 5.0
        return y**2

    agrees(f, V)


def test_an_operand_of_a_write_that_is_a_view_is_used_again():
    def f(x):
        y = x[:-1]
        x[1:] = y
        return y**2

    agrees(f, V)


def test_elements_are_no_views():
    def f(x):
        first = x[0]
        x[0] = 5.0
        return first * x

    agrees(f, V)


def test_iterating():
    agrees(lambda x: sum(row * row for row in np.reshape(x, (2, 3))), V)
    agrees(lambda x: sum(element**2 for element in x), V)
    agrees(lambda x: np.stack([*x, *x[:0]])[::-1], V)
    assert len(ft.make_ir(sum)(np.ones(50)).equations) == 1 + 50

    def f(x):
        for i, element in enumerate(x):
            x[i + 1 : i + 2] += element
        for i, row in enumerate(np.reshape(x, (2, 3))):
            row *= 2 + i
        return x

    agrees(f, V)

    def g(x):
        for i, element in enumerate(x):
            x[i + 1 : i + 2] += element
        y = np.reshape(x, (2, 3)) * 1
        for i, row in enumerate(y):
            row *= 2 + i
            del row
        return y

    agrees(g, V)


def writing_program(seed):
    """A random function that makes views and writes through them; affine in its argument."""

    def f(x):
        rng = np.random.default_rng(seed)
        arrays = [x * 1.0 if seed % 2 else x]
        for _ in range(rng.integers(2, 8)):
            view = arrays[rng.integers(len(arrays))]
            length = view.shape[0]
            match rng.integers(9):
                case 0 if length > 2:
                    arrays.append(view[1:])
                case 1:
                    arrays.append(view[::-1])
                case 2 if length > 1:
                    view[0] = view[1] * 2
                case 3:
                    view *= 1.5
                case 4 if length > 1:
                    view[1:] += 1
                case 5 if length > 2:
                    view[1:] = view[:-1]
                case 6 if len(arrays) > 1:
                    arrays.pop(rng.integers(len(arrays)))
                case 7 if length % 2 == 0:
                    arrays.append(view.reshape(2, -1))
                    arrays[-1] = arrays[-1].reshape(-1)
                case 8:
                    other = arrays[rng.integers(len(arrays))]
                    if other.shape == view.shape and other is not view:
                        view[:] = other * 2
                    del other
                case _:
                    pass
            del view
        return np.concatenate(arrays)

    return f


def test_writing_through_views():
    direction = V[::-1] / 3
    for seed in range(400):
        f = writing_program(seed)
        x = V.copy()
        expected = f(x.copy())
        result, pullback = ft.vjp(f, x)
        (types_only,) = ft.evaluate(ft.make_ir(f)(x), x)
        np.testing.assert_allclose(result, expected, err_msg=f"seed {seed}")
        np.testing.assert_allclose(types_only, expected, err_msg=f"seed {seed}")
        np.testing.assert_array_equal(x, V)
        weights = np.cos(np.arange(expected.size))
        change = weights @ (f(x + direction) - f(x.copy()))
        np.testing.assert_allclose(pullback(weights)[0] @ direction, change, err_msg=f"{seed}")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_python_numbers_are_added_at_an_index_of_any_dtype(dtype):
    def f(x):
        counts = x.copy()
        np.add.at(counts, np.array([0, 0, 2]), 1)
        return counts

    assert_like_numpy(f, np.zeros(3, dtype))


AT_NUMBERS = {
    "row": lambda x, k: x[k],
    "column": lambda x, k: x[..., k],
    "new axis": lambda x, k: x[None, k],
    "rest of a row": lambda x, k: x[k, ..., 1:],
    "turned": lambda x, k: x.T[k],
    "reversed": lambda x, k: x[::-1],
    "copied": lambda x, k: x[ft.numpy.array(k)],
    "written": lambda x, k: (x.__setitem__(k, 0.5 * x[k] + 1), x)[1],
    "written first": lambda x, k: (x.__setitem__((0, ...), 3.0), x)[1],
    "added to": lambda x, k: (operator.setitem(x, k, operator.iadd(x[k], 2.0)), x)[1],
    "scaled": lambda x, k: operator.imul(x, 1.5),
}


def written_at(steps, a, k):
    """Views of an array, and writes into them, one after the other; all of them at the end."""
    arrays = [a * 1.0]
    for which, name in steps:
        x = arrays[which % len(arrays)]
        if x.ndim and min(x.shape) > 2:
            arrays.append(AT_NUMBERS[name](x, k))
    return [x * 1.0 for x in arrays]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(AT_NUMBERS))), max_size=6),
    st.integers(-2, 1),
)
@settings(max_examples=40, deadline=None)
def test_a_view_at_a_number_that_is_not_known_is_one(steps, k):
    a = np.arange(27.0).reshape(3, 3, 3)
    expected = written_at(steps, a, k)
    found = ft.jit(lambda a, k: written_at(steps, a, k), backend="numpy")(a, k)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)

    def loss(a, k):
        return sum(np.sum(x * np.cos(n + x)) for n, x in enumerate(written_at(steps, a, k)))

    np.testing.assert_allclose(ft.jit(ft.grad(loss), backend="numpy")(a, k), ft.grad(loss)(a, k))


def test_a_loop_writes_through_views_at_its_counter():
    def f(a):
        def trip(i, c):
            column, row = c[:, i], c[i]
            column -= 1.0
            row[0] *= 2.0
            return c

        return ft.fori_loop(0, 3, trip, a * 1.0)

    a = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(ft.jit(f)(a), f(a))
    weights = np.array([[1.0, 2.0, 0.5]])
    np.testing.assert_array_equal(
        ft.jit(ft.grad(lambda a: np.sum(weights * f(a))))(a),
        [[2.0, 2.0, 0.5], [2.0, 2.0, 0.5], [2.0, 2.0, 0.5]],
    )


def test_what_is_added_at_a_number_is_written_once():
    def f(x, k):
        y = x * 1.0
        y[k] += 1.0
        return y

    program = ft.make_ir(f)(M, 1)
    names = [equation.primitive.name for equation in program.equations]
    assert names.count("index_update") == 1


@pytest.mark.parametrize("k", [np.array(1), np.int64(1)])
@pytest.mark.parametrize("way", [lambda f: f, ft.jit, lambda f: lambda x, k: ft.vjp(f, x, k)[0]])
def test_at_an_array_without_axes_is_a_copy(way, k):
    def f(x, k):
        y = x * 1.0
        row = y[k]
        y[1] = 0.0
        return row * 1.0, y[..., 0, k]

    row, last = way(f)(M, k)
    np.testing.assert_array_equal(row, M[1] if type(k) is np.ndarray else np.zeros(4))
    assert type(last) is type(f(M, k)[1])


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("index", [np.int64(-2), (1,), np.array(1), (..., 1), [1], slice(1, 2)])
def test_an_element_takes_an_array_with_axes_where_numpys_does(transform, shape, index):
    def f(x):
        y = x * 1.0
        y[index] = np.ones(shape) * np.sum(x)
        return y

    try:
        expected = f(np.arange(3.0))
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)):
            transform(f)(np.arange(3.0))
    else:
        np.testing.assert_array_equal(transform(f)(np.arange(3.0)), expected)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[0][..., -1],
        lambda x: _written(x, np.bool_(True)),
        lambda x: _written(x, x[:, 0] > 1),
        lambda x: _written(x[:1, 0] + 0 * x[:1, 0], -1),
        lambda x: np.broadcast_to(ft.scipy.special.logsumexp(x), (3,)),
        lambda x: ft.scan(lambda c, row: (c, row[0]), 0.0, x)[1],
    ],
)
def test_byte_orders_of_results(f):
    x = np.arange(6.0).reshape(2, 3).astype(">f8")
    expected = f(x)
    for way in (ft.jit(f), lambda x: ft.vjp(f, x)[0]):
        found = way(x.copy())
        assert found.dtype.str == expected.dtype.str
        np.testing.assert_array_equal(found, expected)


def _written(x, index):
    y = np.copy(x)
    y[index] = 0.3
    return y


def _of_values(f):
    return lambda x: ft.vjp(f, x)[0]


@pytest.mark.parametrize("way", [ft.jit, lambda f: lambda x: ft.vmap(f)(x[None])[0], _of_values])
@pytest.mark.filterwarnings("ignore:you are shuffling:UserWarning")
def test_rows_that_numpy_exchanges_itself(way):
    """NumPy exchanges rows by two assignments, which would make two of one: they are views."""

    def shuffled(x):
        x = x * 1.0
        exchange = np.random.default_rng(0).shuffle
        exchange(x)
        return x

    def legacy(x):
        np.random.RandomState(0).shuffle(x)
        return x

    def buffered(x):
        made = ft.numpy.zeros((3, 4))
        np.random.default_rng(0).shuffle(made)
        return made + x

    for f in (shuffled, legacy, buffered):
        with pytest.raises(ViewWriteError, match=r"shuffled[\s\S]*rng\.permutation"):
            way(f)(M)
    numbers = np.arange(5.0)
    np.testing.assert_array_equal(way(shuffled)(numbers), shuffled(numbers))


@pytest.mark.parametrize("way", [ft.jit, _of_values])
def test_rows_that_are_exchanged_in_python_are_views(way):
    def exchanged(x):
        x = x * 1.0
        x[0], x[1] = x[1], x[0]
        operator.setitem(x, 2, x[0])
        return x

    np.testing.assert_array_equal(way(exchanged)(M), exchanged(M))
