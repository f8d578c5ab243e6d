"""Choices of elements by masks whose values may be unknown."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import functrace as ft
from functrace.errors import UnknownValueError
from functrace.testing import check_grads
from tests.agreement import agrees


def written(index, f):
    """A function that writes into what a mask chooses, among other items of an index."""

    def written(x):
        y = x * 1.0
        items = tuple(item(y) if callable(item) else item for item in index)
        y[items] = f(y[items], y)
        return y

    return written


ROWS, COLUMNS = lambda y: y[:, 0] > 0, lambda y: y[0] > 0
WRITTEN = {
    "a column of rows": written((ROWS, 1), lambda v, y: np.sin(v)),
    "one number": written((ROWS, 0), lambda v, y: 7.0),
    "columns": written((slice(None), COLUMNS), lambda v, y: v * y[:, :1]),
    "a row of columns": written((1, COLUMNS), lambda v, y: v * y[2, COLUMNS(y)] + 1),
    "the last": written((Ellipsis, COLUMNS), lambda v, y: v - np.mean(v)),
    "some of rows": written((ROWS, slice(None, 2)), lambda v, y: v + y[3, :2]),
    "backwards": written((slice(None, None, -1), COLUMNS), lambda v, y: np.exp(v)),
    "a new axis": written((None, slice(1, None), COLUMNS), lambda v, y: v**2),
    "elements": written((lambda y: y > 0.3,), lambda v, y: v / np.sum(v)),
    "rows": written((ROWS,), lambda v, y: v / np.sum(v, axis=1, keepdims=True)),
    "all axes of a view": written((None, lambda y: y > 0, None), lambda v, y: np.clip(v, 0, 1)),
}
REDUCED = {
    "sum": lambda x: np.sum(x[x > 0.1]),
    "of nothing": lambda x: np.sum(x[x > 100], axis=0),
    "mean": lambda x: x[x > 0.1].mean(),
    "by size": lambda x: x[x < 1].sum() / x[x < 1].size,
    "prod": lambda x: np.prod(x[ROWS(x)], axis=0),
    "std": lambda x: x[:, COLUMNS(x)].std(ddof=1),
    "var": lambda x: np.var(x[1, COLUMNS(x)]) * x[0],
    "of each": lambda x: np.max(np.sum(x[ROWS(x)] ** 2, axis=1)),
    "max": lambda x: np.max(x[x < 1]),
    "min": lambda x: np.sin(x[ROWS(x), 1]).min(),
    "integers": lambda x: np.amin(np.round(3 * x).astype(int)[x > 0]) * x,
    "any": lambda x: np.any(x[x > 0] > 1) * x,
    "extract": lambda x: np.mean(np.extract(x > 0.1, x)),
    "compress": lambda x: np.sum(np.compress(COLUMNS(x), x, axis=-1), axis=-1),
    "compress all": lambda x: np.max(np.compress(np.ravel(x) > 0, x)),
}


def each_at(x):
    y = x * 1.0
    np.add.at(y, (ROWS(x), 0), 2.0)
    np.multiply.at(y, (slice(None), COLUMNS(x)), x[:, :1])
    np.negative.at(y, x > 0.3)
    return y


AT = {
    "ufuncs": each_at,
    "set": lambda x: np.sin(x).at[ROWS(x), 1].set(x[0, 0]),
    "add": lambda x: x.at[:, COLUMNS(x)].add(7.0),
    "max": lambda x: x.at[x < 0].max(-0.1),
    "apply": lambda x: x.at[0, COLUMNS(x)].apply(np.exp),
    "get": lambda x: np.sum(x.at[x > 0].get()),
}


@pytest.mark.parametrize("name", AT)
def test_a_mask_is_an_index_of_updates(name):
    x = np.random.default_rng(4).normal(size=(4, 3))
    expected = ft.vjp(AT[name], x)[0]
    np.testing.assert_allclose(ft.jit(AT[name])(x), expected, rtol=1e-13)
    np.testing.assert_allclose(ft.vmap(AT[name])(x[None])[0], expected, rtol=1e-13)


@pytest.mark.parametrize("f", [*WRITTEN.values(), *REDUCED.values()], ids=[*WRITTEN, *REDUCED])
def test_what_an_unknown_mask_chooses_is_written_and_reduced_as_numpy_does(f):
    x = np.random.default_rng(3).normal(size=(4, 3)) + 0.1
    agrees(f, x)
    np.testing.assert_allclose(ft.jit(f)(x[::-1]), f(x[::-1]), rtol=1e-13)  # another mask


@pytest.mark.parametrize("f", [
    lambda x: np.max(x[x > 100]), lambda x: x[ROWS(x)] * x[0][COLUMNS(x)],
    lambda x: operator.setitem(x, ROWS(x), np.ones((2, 3))),
    lambda x: operator.setitem(x, (slice(None), COLUMNS(x)), np.ones((4, 2))),
    lambda x: operator.setitem(x, (ROWS(x), 0), x[ROWS(x)]),
    lambda x: operator.setitem(x, (slice(None), COLUMNS(x)), np.ones((5, 1))),
    lambda x: x[COLUMNS(x)], lambda x: len(x[ROWS(x)]), lambda x: np.sort(x[ROWS(x)]),
    lambda x: x[ROWS(x)] @ np.eye(3), lambda x: np.add.reduce(x[ROWS(x)]),
    lambda x: operator.iadd(x[ROWS(x), :1], np.ones(2)),
])  # fmt: skip
def test_what_needs_the_shape_of_what_a_mask_chooses_is_refused(f):
    with pytest.raises((ValueError, UnknownValueError)):
        ft.jit(f)(np.ones((4, 3)))


def scaled(v, a, b=1.0):
    return v * a + b


PIECES = {
    "two": lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: v**2, lambda v: np.exp(v)]),
    "the rest": lambda x: np.piecewise(x, [x < -1, x > 1], [-1.0, 1.0, lambda v: v**3]),
    "arguments": lambda x: np.piecewise(x, [x > 0], [scaled, lambda v, a, b: v - b], 3.0, b=2.0),
    "a known condition": lambda x: np.piecewise(x, [np.ones(x.shape, bool)], [np.sin, np.cos]),
    "overlapping": lambda x: np.piecewise(x, [x > -1, x > 1], [np.sin, np.cos, 7.0]),
    "nowhere": lambda x: np.piecewise(x, [x > 100], [np.log, 0.0]),
    "a traced number": lambda x: np.piecewise(x, [x > 0], [x.sum(), 0.0]),
    "a plain array": lambda x: np.piecewise(np.ones(x.shape), [x > 0], [np.sin, np.cos]),
    "outside of the domain": lambda x: np.piecewise(
        x, [x > 0], [np.log, lambda v: np.sqrt(2.0 - v)]
    ),
}


@pytest.mark.thinned
@pytest.mark.parametrize("x", [
    np.linspace(-2.0, 2.3, 7), np.array([[0.3, -0.4], [-1.7, 1.2]]), np.array(0.5), np.array(-1.5),
], ids=lambda x: str(x.shape))  # fmt: skip
@pytest.mark.parametrize("name", PIECES)
def test_piecewise(name, x):
    f = PIECES[name]
    expected = f(x)
    for found in (ft.jit(f)(x), ft.vjp(f, x)[0], ft.vmap(f)(np.stack([x, x]))[1]):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    check_grads(f, (x,), order=1, modes=("fwd", "rev"))
    check_grads(ft.jit(f), (x,), order=1)


def test_piecewise_of_one_condition():
    x = np.array([-1.0, 2.0])
    f = lambda x: np.piecewise(x, x > 0, [np.sqrt])
    np.testing.assert_array_equal(ft.jit(f)(x), f(x))
    whole = lambda x: np.piecewise(x.astype(int), [x > 0], [1.7, -2])
    assert ft.jit(whole)(x).dtype == np.int64
    np.testing.assert_array_equal(ft.jit(whole)(x), whole(x))


@pytest.mark.parametrize("transformation", [ft.jit, lambda f: lambda x: ft.vjp(f, x)])
def test_piecewise_needs_a_function_for_each_condition(transformation):
    with pytest.raises(ValueError, match="1 or 2 functions"):
        transformation(lambda x: np.piecewise(x, [x > 0], [1, 2, 3]))(np.ones(2))
