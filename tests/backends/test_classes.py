"""Whether an output without axes is an array or a scalar: as NumPy itself says."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.backends.classes import Given, classes_of_outputs, origins_of_outputs

X = np.linspace(0.5, 2.0, 6).reshape(2, 3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (np.sum(x), x[0, 0], np.max(x) * 2.0, np.sin(x[1, 1])),
        lambda x: (x[..., 0, 0], np.reshape(x[:1, :1], ()), np.squeeze(x[:1, :1])),
        lambda x: (np.sin(x[..., 0, 0]), x[..., 0, 0] + 1.0, np.reshape(x[..., 0, 0], ())),
        lambda x: (np.where(x[0, 0] > 1, x[0, 1], 0.0), np.mean(x), x[0] @ x[1]),
        lambda x: (x, np.sum(x), x.T),
        lambda x: (np.argmax(x), np.any(x > 1), np.linalg.norm(x)),
    ],
)
def test_classes_are_numpys(f):
    found = classes_of_outputs(ft.make_ir(f)(X))
    expected = {n: isinstance(y, np.ndarray) for n, y in enumerate(f(X)) if not np.ndim(y)}
    assert found.items() <= expected.items()
    arrays = {n for n, is_array in expected.items() if is_array}
    assert arrays <= found.keys()  # without a word they are scalars
    for y, like in zip(ft.jit(f)(X), f(X), strict=True):
        assert type(y) is type(like)


@pytest.mark.parametrize("x", [np.array(2.0), np.float64(2.0)])
def test_nothing_is_said_of_what_is_of_the_class_of_an_input(x):
    program = ft.make_ir(lambda x: (x, np.sin(x), x[...]))(x)
    assert classes_of_outputs(program).get(0) is None
    for y, expected in zip(ft.jit(lambda x: (x, np.sin(x)))(x), (x, np.sin(x)), strict=True):
        assert type(y) is type(expected)


def test_choices_say_it_as_their_branches_do():
    array, scalar = (lambda x: x[..., 0, 0]), (lambda x: x[0, 0])

    def of(*branches):
        return classes_of_outputs(ft.make_ir(lambda x: ft.switch(x[0, 1] > 1, branches, x))(X))

    assert of(array, array) == {0: True}
    assert of(scalar, scalar) == {0: False}
    assert of(array, scalar) == of(scalar, array) == {0: False}

    def handed(array, x):
        first = ft.cond(x[0] > 1, lambda x: np.tanh(x) * 0.9, lambda x: x, array)
        return first, np.linalg.eigvalsh(np.outer(x, x))

    for sign in (1.0, -1.0):
        for backend in ("numpy", None):
            first, _ = ft.jit(handed, backend=backend)(np.array(0.5), sign * X[0])
            assert type(first) is np.float64


def test_constants_say_it_of_themselves_and_through_choices():
    known = np.array(0.7), np.float64(0.7)

    def f(x):
        chosen = ft.checkpoint(lambda x: ft.switch(0, [lambda x: known, lambda x: known], x))(x)
        return (*known, *chosen, np.transpose(known[0]), np.sum(x))

    expected = {n: isinstance(y, np.ndarray) for n, y in enumerate(f(X))}
    assert classes_of_outputs(ft.make_ir(f)(X)) == expected
    assert list(map(type, ft.jit(f)(X))) == list(map(type, f(X)))


@pytest.mark.parametrize(
    "way", [ft.checkpoint, ft.jit, lambda f: lambda *x: ft.cond(True, f, f, *x)]
)
def test_what_is_handed_through_is_of_the_class_of_what_is_given(way):
    def f(x, y):
        number, array = np.sum(x), x[..., 0, 0]
        through = way(lambda a, b, c: (c, b, a))(number, array, y)
        swapped = ft.fori_loop(0, 3, lambda _, c: (c[0], c[2], c[1]), (number, number, array))
        return (*through, *swapped[:1])

    program = ft.make_ir(f)(X, np.array(2.0))
    assert classes_of_outputs(program) == {1: True, 2: False, 3: False}
    assert origins_of_outputs(program) == {0: Given(1), 1: True, 2: False, 3: False}
    for y in (np.array(2.0), np.float64(2.0)):
        assert list(map(type, ft.jit(f)(X, y))) == list(map(type, f(X, y)))


@pytest.mark.parametrize("x", [np.array(0.3), np.float64(0.3)], ids=["array", "scalar"])
@pytest.mark.parametrize(
    "way",
    [
        lambda x: ft.checkpoint(lambda y, z: (z, y))(x, x)[0],
        lambda x: ft.cond(x > 0, lambda c: c, lambda c: c, x),
        lambda x: ft.fori_loop(0, 0, lambda _, c: x, np.sum(x)),
        lambda x: ft.fori_loop(0, 2, lambda _, c: x, np.sum(x)),
        lambda x: ft.fori_loop(0, 0, lambda _, c: np.sin(x), x),
    ],
)
def test_numbers_of_python_become_what_was_given(way, x):
    f = lambda x: (way(x), np.sin(np.sin(x)) * 2.0 + np.cos(x))
    assert list(map(type, ft.jit(f)(x))) == list(map(type, f(x)))
