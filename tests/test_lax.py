"""jax.lax's names: values against NumPy, arguments in JAX's order, under every transformation."""

from __future__ import annotations

import types

import numpy as np
import pytest

import functrace as ft
from functrace import errors, lax
from functrace.testing import check_grads

X = np.cos(np.arange(12.0)).reshape(3, 4)
V = np.array([0.5, -1.5, 2.0, 0.25])


def assert_same(found, expected, rtol=1e-12):
    assert ft.tree.structure(found) == ft.tree.structure(expected)
    for a, b in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


def assert_works(f, expected, *args):
    """Plain, recorded, mapped; and derivatives by the floating arguments."""
    assert_same(f(*args), expected)
    assert_same(ft.jit(f)(*args), expected)
    doubled = [np.stack([np.asarray(x)] * 2) for x in args]
    both = ft.tree.map(lambda y: np.stack([y] * 2), expected)
    assert_same(ft.vmap(f)(*doubled), both)
    floating = [n for n, x in enumerate(args) if np.asarray(x).dtype.kind == "f"]

    def of_floating(*given):
        full = list(args)
        for n, x in zip(floating, given, strict=True):
            full[n] = x
        leaves = ft.tree.leaves(f(*full))
        return [y for y in leaves if np.dtype(y.dtype).kind == "f"]

    if floating and any(np.asarray(y).dtype.kind == "f" for y in ft.tree.leaves(expected)):
        check_grads(of_floating, [args[n] for n in floating], modes=("fwd", "rev"))


def test_all_names_are_listed():
    hidden = {"map_rows", "cast_to", "dtype_of", "known_value", "shape_of", "vmap"}
    imported = {
        "Any",
        "Callable",
        "Sequence",
        "Enum",
        "IntEnum",
        "prod",
        "Tracer",
        "as_operand",
        "bind",
    }
    imported |= {"INDICES", "gather", "index_update", "lexsort", "sigmoid", "annotations"}
    imported |= {"ArgumentError", "ShapeMismatchError", "boundary", "entrances"}
    public = {
        name
        for name, value in vars(lax).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(lax.__all__) == public - hidden - imported
    assert ft.lax is lax
    for name in lax.__all__:
        value = getattr(lax, name)
        assert not callable(value) or value.__doc__, name


def test_branches_by_keyword_operand():
    for p in (True, False):
        f = lambda x, p=p: lax.cond(p, np.sin, np.cos, operand=x)
        assert f(0.5) == (np.sin if p else np.cos)(0.5)
    assert ft.jit(lambda p, x: lax.cond(p, np.sin, np.cos, operand=x))(False, 0.5) == np.cos(0.5)
    assert lax.cond(True, lambda x: 2, lambda x: 1, operand=None) == 2
    assert lax.cond(False, lambda: 1, lambda: 2) == 2
    assert lax.switch(1, [lambda x: x, lambda x: -x], operand=2.0) == -2.0
    assert lax.switch(1, [lambda x, y: x, lambda x, y: y], 2.0, 3.0) == 3.0
    with pytest.raises(errors.ArgumentError, match="both by position"):
        lax.cond(True, np.sin, np.cos, 1.0, operand=1.0)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 4, 7])
def test_map(batch_size):
    f = lambda r: {"s": np.sum(np.sin(r)), "r": r * 2}
    expected = {"s": np.sum(np.sin(X), 1), "r": X * 2}
    assert_works(lambda x: lax.map(f, x, batch_size=batch_size), expected, X)
    pairs = lax.map(lambda p: p[0] * p[1], (X, np.arange(3.0)), batch_size=batch_size)
    assert_same(pairs, X * np.arange(3.0)[:, None])


def test_map_of_nothing():
    for size in (None, 2):
        assert lax.map(np.sin, np.zeros((0, 4)), batch_size=size).shape == (0, 4)
    with pytest.raises(errors.ArgumentError, match="no arrays"):
        lax.map(lambda x: x, (), batch_size=2)


def test_choices():
    mask = X > 0
    assert_works(lambda m, a, b: lax.select(m, a, b), np.where(mask, X, -2 * X), mask, X, -2 * X)
    assert_works(lambda m, a, b: lax.select(m, a, b), X, np.bool_(True), X, -2 * X)
    assert_works(lambda m, a, b: lax.select_n(m, b, a), np.where(mask, X, -2 * X), mask, X, -2 * X)
    which = np.arange(12).reshape(3, 4) % 3
    expected = np.choose(which, [X, 2 * X, 3 * X])
    assert_works(lambda w, x: lax.select_n(w, x, 2 * x, 3 * x), expected, which, X)
    assert_works(lambda w, x: lax.select_n(w, x, 2 * x, 3 * x), 2 * X, np.int64(1), X)
    assert_works(lambda x: lax.clamp(-0.5, x, 0.4), np.clip(X, -0.5, 0.4), X)
    with pytest.raises(errors.ShapeMismatchError):
        lax.select(mask, X, X[0])
    with pytest.raises(errors.ShapeMismatchError):
        lax.select_n(mask[0], X, X)
    with pytest.raises(errors.ArgumentError, match="by booleans"):
        lax.select_n(mask, X, X, X)


def test_slices():
    assert_works(lambda x: lax.slice(x, (1, 0), (3, 4), (1, 3)), X[1:3, 0:4:3], X)
    assert_works(lambda x: lax.slice(x, (0, 2), (2, 2)), X[0:2, 2:2], X)
    assert_works(lambda x: lax.slice_in_dim(x, 1, None, 2, axis=1), X[:, 1::2], X)
    assert_works(lambda x: lax.slice_in_dim(x, -2, -1, axis=-1), X[:, -2:-1], X)
    assert_works(lambda x: lax.index_in_dim(x, -1, axis=1), X[:, -1:], X)
    assert_works(lambda x: lax.index_in_dim(x, 1, keepdims=False), X[1], X)
    for bad in (((0, 0), (4, 1)), ((2, 0), (1, 1)), ((0,), (1,)), ((0, 0), (1, 1), (0, 1))):
        with pytest.raises(errors.ShapeMismatchError, match="has no slice"):
            lax.slice(X, *bad)


def start(i, length, size):
    return int(np.clip(i + length * (i < 0), 0, length - size))


@pytest.mark.parametrize("i", [-9, -3, -1, 0, 1, 2, 3, 9])
def test_dynamic_slices(i):
    a, b = start(i, 3, 2), start(i, 4, 3)
    assert_works(
        lambda x, i: lax.dynamic_slice(x, (i, i), (2, 3)), X[a : a + 2, b : b + 3], X, np.int64(i)
    )
    assert_works(lambda x: lax.dynamic_slice(x, (i, 1), (2, 3)), X[a : a + 2, 1:4], X)
    assert_works(lambda x, i: lax.dynamic_slice(x, (0, i), (2, 4)), X[0:2], X, np.int64(i))
    starts = np.array([i, 0])
    assert_works(lambda x, s: lax.dynamic_slice(x, s, (2, 3)), X[a : a + 2, :3], X, starts)
    assert_works(
        lambda x, i: lax.dynamic_slice_in_dim(x, i, 3, axis=1), X[:, b : b + 3], X, np.int32(i)
    )
    c = start(i, 3, 1)
    assert_works(lambda x, i: lax.dynamic_index_in_dim(x, i), X[c : c + 1], X, np.int64(i))
    assert_works(
        lambda x, i: lax.dynamic_index_in_dim(x, i, 0, keepdims=False), X[c], X, np.int64(i)
    )


@pytest.mark.parametrize("i", [-9, -3, -1, 0, 1, 2, 3, 9])
def test_dynamic_updates(i):
    u = np.sin(np.arange(6.0)).reshape(2, 3)
    a, b = start(i, 3, 2), start(i, 4, 3)
    expected = X.copy()
    expected[a : a + 2, b : b + 3] = u
    assert_works(
        lambda x, u, i: lax.dynamic_update_slice(x, u, (i, i)), expected, X, u, np.int64(i)
    )
    assert_works(lambda x, u: lax.dynamic_update_slice(x, u, (i, i)), expected, X, u)
    expected = X.copy()
    expected[:2, b : b + 3] = u
    assert_works(
        lambda x, u, i: lax.dynamic_update_slice_in_dim(x, u, i, 1), expected, X, u, np.int64(i)
    )
    c = start(i, 3, 1)
    expected = X.copy()
    expected[c] = V
    for update in (V, V[None]):
        assert_works(
            lambda x, u, i: lax.dynamic_update_index_in_dim(x, u, i, 0),
            expected, X, update, np.int64(i),
        )  # fmt: skip
    before = X.copy()
    lax.dynamic_update_slice(X, u, (i, i))
    assert_same(X, before)


def test_slices_at_different_places_for_each_example():
    starts = np.array([0, 3, 1, 9])
    f = lambda i, x: lax.dynamic_slice_in_dim(x, i, 2)
    assert_same(ft.vmap(f, (0, None))(starts, V), np.stack([V[0:2], V[2:4], V[1:3], V[2:4]]))
    g = ft.grad(lambda x: np.sum(ft.vmap(f, (0, None))(starts, x)))(V)
    assert_same(g, np.array([1.0, 2.0, 3.0, 2.0]))
    ring = lambda x: ft.fori_loop(
        0, 4, lambda i, x: lax.dynamic_update_index_in_dim(x, x[i] * 2 + x[0], i, 0), x
    )
    expected = V.copy()
    for i in range(4):
        expected[i] = expected[i] * 2 + expected[0]
    assert_works(ring, expected, V)


def test_dynamic_slices_that_do_not_fit():
    with pytest.raises(errors.ShapeMismatchError, match="does not fit"):
        lax.dynamic_slice(X, (0, 0), (4, 1))
    with pytest.raises(errors.ShapeMismatchError, match="1 start indices"):
        lax.dynamic_slice(X, (0,), (1, 1))
    with pytest.raises(errors.ShapeMismatchError, match="rank"):
        lax.dynamic_update_slice(X, V, (0, 0))
    with pytest.raises(errors.ArgumentError, match="must be an integer"):
        lax.dynamic_slice(V, (0.5,), (1,))
    assert lax.dynamic_slice(np.float64(2.0), (), ()) == 2.0
    assert lax.dynamic_update_slice(np.float64(2.0), 3.0, ()) == 3.0


def test_products():
    a, b = X, np.sin(X).T
    assert_works(lax.dot, a @ b, a, b)
    assert_works(lax.dot, V @ V, V, V)
    assert_works(lax.dot, a @ V, a, V)
    m, n = np.cos(np.arange(24.0)).reshape(2, 3, 4), np.sin(np.arange(40.0)).reshape(4, 2, 5)
    f = lambda m, n: lax.dot_general(m, n, (((2,), (0,)), ((0,), (1,))))
    assert_works(f, np.einsum("bij,jbk->bik", m, n), m, n)
    f = lambda m, n: lax.dot_general(m, n, (((), ()), ((), ())))
    assert_works(f, np.multiply.outer(V, V), V, V)
    assert_works(lax.batch_matmul, m @ np.moveaxis(n, 0, 1), m, np.moveaxis(n, 0, 1))
    for call in (
        lambda: lax.dot(m, V),
        lambda: lax.dot_general(m, n, (((2,), (2,)), ((), ()))),
        lambda: lax.batch_matmul(m, a),
    ):
        with pytest.raises(errors.ShapeMismatchError):
            call()


def test_options_of_products():
    precision = lax.Precision.HIGHEST
    numbers = (((1,), (1,)), ((), ()))
    assert_works(lambda x: lax.dot(x, V, precision=precision), X @ V, X)
    assert_works(lambda x: lax.dot(x, x, dimension_numbers=numbers), X @ X.T, X)
    assert_works(lambda x: lax.dot_general(x, x, numbers, precision), X @ X.T, X)
    assert_works(lambda x: lax.batch_matmul(x, x.T, precision), X @ X.T, X)
    small = np.full((1, 40), 100, np.int8)
    wide = lax.dot_general(small, small, numbers, preferred_element_type=np.int32)
    assert_same(wide, np.array([[400_000]], np.int32))
    assert_same(lax.dot(small, small.T, preferred_element_type=np.float64), np.array([[4e5]]))
    assert_same(
        lax.dot(X, V, preferred_element_type=np.float32), (X @ V).astype(np.float32), rtol=1e-6
    )


def test_parts_and_repetitions():
    assert_works(lambda x: lax.split(x, (1, 0, 3), axis=1), [X[:, :1], X[:, 1:1], X[:, 1:]], X)
    assert_works(lambda x: lax.split(x, [3], axis=-2), [X], X)
    assert_works(lambda x: lax.tile(x, (2, 3)), np.tile(X, (2, 3)), X)
    assert_works(lambda x: lax.tile(x, (2, 1, 1)), np.tile(X, (2, 1, 1)), X)
    assert_works(lax.optimization_barrier, X, X)
    with pytest.raises(errors.ShapeMismatchError, match="do not divide an axis of 4"):
        lax.split(X, (1, 2), axis=1)
    with pytest.raises(errors.ShapeMismatchError, match="1 numbers of repetitions"):
        lax.tile(X, (2,))


@pytest.mark.parametrize("axes", [(0,), (1,), (-1, 0), ()])
def test_reduce(axes):
    total = lambda x: lax.reduce(x, 0.5, lax.add, axes)
    assert_works(total, X + 0.5 if not axes else np.sum(X, axes) + 0.5, X)
    largest = lambda x: lax.reduce(x, -np.inf, lambda a, b: lax.select(a > b, a, b), axes)
    assert_works(largest, np.max(X, axes), X)


def test_reduce_of_several_arrays():
    def largest(a, b):
        return lax.cond(a[0] >= b[0], lambda: a, lambda: b)

    places = np.broadcast_to(np.arange(4), X.shape)
    f = lambda x: lax.reduce((x, places), (-np.inf, -1), largest, (1,))
    assert_works(f, (np.max(X, 1), np.argmax(X, 1)), X)
    assert_same(lax.reduce(np.zeros((0, 2)), 3.0, lax.add, (0,)), np.full(2, 3.0))
    assert_same(lax.reduce(np.int8([100, 100]), np.int8(0), lax.add, (0,)), np.int8(-56))
    assert_same(lax.reduce_xor(np.array([[5, 3], [1, 1]]), (0, 1)), np.int64(6))
    assert_same(lax.reduce_xor(np.array([True, True, True]), (0,)), np.True_)
    with pytest.raises(errors.ShapeMismatchError, match="reduce was given arrays of the shapes"):
        lax.reduce((X, V), (0.0, 0.0), lambda a, b: a, (0,))


def test_shapes():
    assert_works(lambda x: lax.broadcast(x, (2, 1)), np.broadcast_to(X, (2, 1, 3, 4)), X)
    f = lambda x: lax.broadcast_in_dim(x, (2, 3, 5, 4), (1, 3))
    assert_works(f, np.broadcast_to(X[None, :, None], (2, 3, 5, 4)), X)
    assert_works(lambda x: lax.broadcast_to_rank(x, 3), X[None], X)
    assert lax.broadcast_shapes((3, 1), [4]) == (3, 4)
    assert_works(lambda x: lax.concatenate([x, 2 * x], 1), np.concatenate([X, 2 * X], 1), X)
    assert_works(lambda x: lax.reshape(x, (2, 6)), X.reshape(2, 6), X)
    assert_works(lambda x: lax.reshape(x, (2, 6), (1, 0)), X.T.reshape(2, 6), X)
    assert_works(lambda x: lax.transpose(x, [1, 0]), X.T, X)
    assert_works(lambda x: lax.rev(x, (0, 1)), X[::-1, ::-1], X)
    assert_works(lambda x: lax.expand_dims(x, (0, 2)), X[None, :, None], X)
    assert_works(lambda x: lax.squeeze(lax.expand_dims(x, (0, 2)), (2,)), X[None], X)
    assert_works(lambda x: lax.collapse(lax.expand_dims(x, (0,)), 1, 3), X.reshape(1, 12), X)
    assert_works(lambda x: lax.collapse(x, 0), X.ravel(), X)
    with pytest.raises(errors.ShapeMismatchError, match="ascend"):
        lax.broadcast_in_dim(X, (3, 4), (1, 0))


def padded(x, value, low, high, interior):
    """One axis, element by element."""
    spread = []
    for i, element in enumerate(x):
        spread += [element] + [value] * (interior if i < len(x) - 1 else 0)
    spread = [value] * max(low, 0) + spread + [value] * max(high, 0)
    end = len(spread) + min(high, 0)
    return np.array(spread[max(-low, 0) : end], dtype=float)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("interior", [0, 1, 2])
@pytest.mark.parametrize("low", [-3, -1, 0, 2])
@pytest.mark.parametrize("high", [-3, -2, 0, 1])
def test_pad(length, interior, low, high):
    x = np.arange(1.0, length + 1)
    f = lambda x: lax.pad(x, 9.0, [(low, high, interior)])
    if low + high + max(length + (length - 1) * interior, 0) < 0:
        with pytest.raises(errors.ShapeMismatchError, match="takes more away"):
            f(x)
        return
    expected = padded(x, 9.0, low, high, interior)
    assert_same(f(x), expected)
    assert_same(ft.jit(f)(x), expected)
    check_grads(f, (x,), order=1)


def test_pad_of_matrices():
    f = lambda x, v: lax.pad(x, v, [(1, 0, 2), (-1, 2, 0)])
    expected = np.full((8, 5), 7.0)
    expected[1::3, :3] = X[:, 1:]
    assert_works(f, expected, X, np.float64(7.0))
    assert lax.pad(2.0, 0.0, []) == 2.0
    with pytest.raises(errors.ShapeMismatchError):
        lax.pad(X, 0.0, [(0, 0, 0)])
    with pytest.raises(errors.ArgumentError):
        lax.pad(V, 0.0, [(0, 0, -1)])


def test_new_arrays():
    assert_same(lax.iota(np.float32, 3), np.arange(3, dtype=np.float32))
    assert_same(lax.broadcasted_iota(np.int32, (2, 3), 1), np.array([[0, 1, 2]] * 2, np.int32))
    assert_same(lax.full((2,), 3.0), np.full(2, 3.0))
    assert_same(lax.full((), 3, np.int8), np.full((), 3, np.int8))
    assert_same(lax.full_like(np.float32(X), 2), np.full((3, 4), 2, np.float32))
    assert_same(lax.full_like(X, 2, int, (1,)), np.array([2]))
    assert_works(lambda x: lax.full((2, 2), x), np.full((2, 2), 3.0), np.float64(3.0))
    assert_works(lambda x: lax.convert_element_type(x, np.float64), X, X)
    assert_same(lax.convert_element_type(X, "int32"), X.astype("int32"))


def test_reductions():
    for name in ("sum", "prod", "max", "min"):
        f = getattr(lax, f"reduce_{name}")
        assert_works(lambda x, f=f: f(x, (1,)), getattr(np, name)(X, 1), X)
        assert_works(lambda x, f=f: f(x, [0, 1]), getattr(np, name)(X), X)
    assert_works(lambda x: lax.reduce_and(x > -0.5, (0,)), np.all(X > -0.5, 0), X)
    assert_works(lambda x: lax.reduce_or(x > 0.5, (0,)), np.any(X > 0.5, 0), X)
    assert_works(lambda x: lax.argmax(x, 1, np.int32), np.argmax(X, 1).astype(np.int32), X)
    assert_works(lambda x: lax.argmin(x, 0, np.int16), np.argmin(X, 0).astype(np.int16), X)
    with pytest.raises(errors.ArgumentError, match="takes booleans"):
        lax.reduce_and(np.arange(3), (0,))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_operations(axis, reverse):
    ufuncs = {
        "cumsum": np.add,
        "cumprod": np.multiply,
        "cummax": np.maximum,
        "cummin": np.minimum,
        "cumlogsumexp": np.logaddexp,
    }
    for name, ufunc in ufuncs.items():
        x = np.flip(X, axis) if reverse else X
        expected = ufunc.accumulate(x, axis)
        expected = np.flip(expected, axis) if reverse else expected
        assert_works(
            lambda x, name=name: getattr(lax, name)(x, axis=axis, reverse=reverse), expected, X
        )


def test_order():
    assert_works(lambda x: lax.sort(x), np.sort(X), X)
    assert_works(lambda x: lax.sort(x, dimension=0), np.sort(X, 0), X)
    keys = np.array([[2, 1, 2, 0], [1, 1, 0, 0], [3, 0, 3, 1]])
    order = np.argsort(keys, 1, kind="stable")
    take = lambda x: np.take_along_axis(x, order, 1)
    assert_works(lambda k, x: lax.sort((k, x)), (take(keys), take(X)), keys, X)
    assert_works(lambda k, x: lax.sort_key_val(k, x), (take(keys), take(X)), keys, X)
    order = np.lexsort((X, keys))
    assert_works(lambda k, x: lax.sort((k, x), num_keys=2), (take(keys), take(X)), keys, X)
    values, indices = lax.top_k(keys, 2)
    assert_same(values, np.array([[2, 2], [1, 1], [3, 3]]))
    assert_same(indices, np.array([[0, 2], [0, 1], [0, 2]]))
    descending = np.sort(X)[:, ::-1][:, :3]
    assert_works(lambda x: lax.top_k(x, 3), (descending, np.argsort(-X)[:, :3]), X)
    assert lax.top_k(np.array([1.0, np.nan, np.inf]), 2)[1].tolist() == [1, 2]
    assert lax.top_k(X, 0)[0].shape == (3, 0)
    columns = (np.sort(X, 0)[::-1][:2], np.argsort(-X, 0)[:2])
    assert_works(lambda x: lax.top_k(x, 2, axis=0), columns, X)
    assert_same(lax.top_k(X, 2, axis=-2), columns)
    with pytest.raises(errors.ArgumentError, match="asked for 5"):
        lax.top_k(X, 5)
    with pytest.raises(errors.ArgumentError, match="num_keys=3"):
        lax.sort((X, X), num_keys=3)


def test_arithmetic_of_integers_is_that_of_c():
    a, b = np.array([7, -7, 7, -7, 6, 0]), np.array([2, 2, -2, -2, 3, 5])
    assert_works(lax.div, np.array([3, -3, -3, 3, 2, 0]), a, b)
    assert_works(lax.rem, np.array([1, -1, 1, -1, 0, 0]), a, b)
    assert_works(lax.div, X / (X + 2), X, X + 2)
    assert_works(lax.rem, np.fmod(X, 0.3), X, np.full(X.shape, 0.3))
    assert_works(lax.shift_left, a << 2, a, np.full(6, 2))
    assert_works(lax.shift_right_arithmetic, a >> 1, a, np.full(6, 1))
    logical = lax.shift_right_logical(np.array([-1, 8], np.int32), np.array([28, 2], np.int32))
    assert_same(logical, np.array([15, 2], np.int32))
    assert_same(ft.jit(lax.shift_right_logical)(np.int8(-128), np.int8(7)), np.int8(1))


def test_arithmetic():
    assert_works(lambda x: lax.integer_pow(x, 3), X**3, X)
    assert_works(lambda x: lax.integer_pow(x + 2, -2), (X + 2) ** -2.0, X)
    assert_works(lax.rsqrt, 1 / np.sqrt(X + 2), X + 2)
    assert_works(lax.reciprocal, 1 / (X + 2), X + 2)
    assert_works(lax.logistic, 1 / (1 + np.exp(-X)), X)
    halves = np.array([-2.5, -0.5, 0.49999999999999994, 0.5, 1.5, 2.5, 2.4, -2.6, 4.5e15 + 0.5])
    away = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 2.0, -3.0, 4.5e15 + 1])
    even = lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)
    for f, expected in ((lax.round, away), (even, np.rint(halves))):
        assert_same(f(halves), expected)
        assert_same(ft.jit(f)(halves), expected)
    assert ft.grad(lax.round)(0.4) == 0.0
    for dtype in (np.float32, np.float64):
        for f in (lax.rsqrt, lax.reciprocal, lax.logistic, lax.round, lambda x: lax.clamp(0, x, 1)):
            assert f(X.astype(dtype) + 2).dtype == ft.jit(f)(X.astype(dtype) + 2).dtype == dtype
    assert lax.sin is np.sin
    assert_works(lax.atan2, np.arctan2(X, X + 2), X, X + 2)


def test_collectives_are_here():
    f = lambda x: lax.psum(x, "i") + lax.axis_index("i") * lax.axis_size("i")
    assert_same(ft.vmap(f, axis_name="i")(V), np.sum(V) + 4.0 * np.arange(4))
