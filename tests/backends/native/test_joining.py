from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native.decomposing import decompose
from functrace.backends.native.joining import around, joins, parts_of
from tests.backends.native.comparing import as_numpy

X = np.arange(1.0, 13.0).reshape(3, 4)


def read_elsewhere(x):
    y = np.sin(x)
    return np.concatenate([y, x]) * np.sum(y)


JOINED = {
    "rows": lambda x: np.concatenate([np.sin(x), np.cos(x)]),
    "columns": lambda x: np.concatenate([np.sin(x), x * 2.0], axis=1),
    "stacked": lambda x: np.stack([np.sin(x), np.cos(x), x]),
    "stacked inside": lambda x: np.stack([np.sin(x), np.cos(x)], axis=1),
    "padded": lambda x: np.pad(np.sin(x), ((1, 2), (0, 0))),
    "padded all around": lambda x: np.pad(np.sin(x), 1),
    "sums": lambda x: np.stack([np.sum(x, axis=0), np.max(x, axis=0)]),
    "products": lambda x: np.concatenate([x @ x.T, np.sin(x @ x.T)]),
    "twice the same": lambda x: np.concatenate([np.sin(x)] * 2),
    "read elsewhere": read_elsewhere,
    "in each other": lambda x: np.concatenate([np.stack([np.sin(x), x]), np.cos(x)[None]]),
    "other numbers": lambda x: np.concatenate([np.sin(x), np.arange(12).reshape(3, 4)]),
}


@pytest.mark.thinned
@pytest.mark.parametrize("name", JOINED)
def test_values_and_gradients(name):
    f = JOINED[name]
    for function in (f, ft.grad(lambda x: np.sum(np.sin(f(x)) ** 2)), lambda x: np.exp(f(x) / 9)):
        for found, expected in as_numpy(function, X):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2),
        lambda x: np.sum(np.sin(x[1:-1]) * np.cos(x[2:]) + x[:-2]),
        lambda x: np.sum(np.sin(x[0]) * x[1:]) + np.sum(x[:, 1] ** 2),
    ],
)
def test_cotangents_of_parts(f):
    for found, expected in as_numpy(ft.value_and_grad(f), X):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_in_loops():
    def f(x):
        def step(state, row):
            state = np.concatenate([np.sin(state[1:]), np.cos(state[:1])]) + row
            return state, np.stack([state, row])

        return ft.scan(step, np.ones(4), x)

    for found, expected in as_numpy(f, X):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    for found, expected in as_numpy(ft.grad(lambda x: np.sum(f(x)[1] ** 2)), X):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "f", [JOINED[name] for name in ("rows", "columns", "stacked inside", "padded all around")]
)
def test_parts_and_what_is_around_are_all_of_it(f):
    program = decompose(ft.make_ir(f)(X))
    equation = program.equations[-1]
    shape = equation.outputs[0].type.shape
    parts = parts_of(equation)
    assert parts is not None
    counted = np.zeros(shape, int)
    pieces = [*parts, *(around(shape, parts[0]) if len(parts) == 1 else [])]
    for part in pieces:
        ends = zip(part.starts, part.lengths, strict=True)
        counted[tuple(slice(start, start + length) for start, length in ends)] += 1
    np.testing.assert_array_equal(counted, 1)


def test_what_others_read_is_not_computed_in_a_part():
    def joined(name):
        program = decompose(ft.make_ir(JOINED[name])(X))
        return len(joins(program.equations, program.outputs))

    assert joined("rows") == 2
    assert joined("read elsewhere") == 0
    assert joined("twice the same") == 0
    assert joined("other numbers") == 1
