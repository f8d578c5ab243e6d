"""Rules that are recorded once, and written again for rows of the same kind."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace.transforms.repeating import RepeatedRules

rng = np.random.default_rng(0)
A = rng.normal(size=(5, 5)) + 5 * np.eye(5)


def factored(a):
    a = a.copy()
    for i in range(len(a)):
        for j in range(i):
            for k in range(j):
                a[i, j] -= a[i, k] * a[k, j]
            a[i, j] /= a[j, j]
        for j in range(i, len(a)):
            for k in range(i):
                a[i, j] -= a[i, k] * a[k, j]
    return np.sum(np.sin(a))


def seidel(a):
    a = a.copy()
    for _ in range(2):
        for i in range(1, 4):
            for j in range(1, 4):
                a[i, j] = (a[i - 1, j] + a[i + 1, j] + a[i, j] + a[i, j - 1] + a[i, j + 1]) / 5.0
    return np.sum(a * a)


def rows(a):
    a = a.copy()
    for i in range(1, 4):
        a[i, 1:-1] = (a[i - 1, 1:-1] + a[i + 1, 1:-1] * a[i, 2:]) / 3.0
        a[i, :2] = a[-i, 0]
    return np.sum(a * a)


def powers(a):
    """The rule of a power asks for its exponent."""
    total = 0.0
    for i in range(5):
        for exponent in (2, 3.0, 0.0, -0.0, -1, 1, True, 0.5):
            total = total + np.abs(a[i, i]) ** exponent * a[i, 0]
    return total


def squares(a):
    """The inputs of a product are one, or two."""
    a = a.copy()
    for i in range(4):
        a[i, 0] = a[i, 1] * a[i, 1]
        a[i, 2] = a[i, 1] * a[i, 0]
        a[i, 3] = a[i, 0] * a[i, 0] - a[i, 4]
    return np.sum(a)


def chosen(a):
    """Zeros that are to stay, beside infinite derivatives."""
    total = 0.0
    for i in range(4):
        x = a[i, 0] * 0.0
        total = total + np.where(x > 0, np.sqrt(x), x) * a[i, 1]
        total = total + np.where(a[0, i] > 0, a[0, i], a[1, i])
    return total


def mixed(a):
    """Numbers in both precisions, arrays without axes, and shapes that differ."""
    total = 0.0
    for i in range(3):
        row = a[i]
        total = total + row[0] * np.float32(0.5) + (row[1:3] * 2).sum() * row[-1]
        total = total + np.sum(a[:, i] * row) + row[2:3].reshape(()) * row[i]
    return total


def dots(a):
    x = a[0]
    for i in range(4):
        x = np.tanh(a @ x) / np.sum(x * x)
        x[i] = x[i - 1] * 2.0
    return np.sum(x)


def contracted(a):
    """Operations that differ in their parameters alone."""
    b = a * 0.5
    for i in range(3):
        c = np.einsum("ij,jk->ki", a, b) + np.einsum("ij,jk->ik", b, a)
        b = np.cumsum(c, axis=i % 2) / np.sum(c * c, axis=1 - i % 2, keepdims=True)
        b = np.flip(b, axis=i % 2) * np.roll(a, i, axis=0)
    return np.sum(b)


FUNCTIONS = [factored, seidel, rows, powers, squares, chosen, mixed, dots, contracted]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_a_gradient_that_is_recorded_is_the_gradient(f):
    expected = ft.grad(f)(A)
    np.testing.assert_allclose(ft.jit(ft.grad(f))(A), expected, rtol=1e-12, atol=1e-12)
    if f is not chosen:
        ft.testing.check_grads(f, (A,), order=1)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_the_recording_is_what_the_rules_record_themselves(f, monkeypatch):
    program = ft.make_ir(ft.grad(f))(A)
    found = []

    def never(self, *row):
        found.append(row)

    monkeypatch.setattr(RepeatedRules, "known", never)
    monkeypatch.setattr(RepeatedRules, "learn", lambda self, parts: None)
    assert str(program) == str(ft.make_ir(ft.grad(f))(A))
    derivatives = lambda x: [e.source and e.source.derivative for e in x.equations]
    told = [d and d[:2] for d in derivatives(program)]
    assert told == [d and d[:2] for d in derivatives(ft.make_ir(ft.grad(f))(A))]
    handled = [e.handling for e in program.equations]
    assert handled == [e.handling for e in ft.make_ir(ft.grad(f))(A).equations]
    assert found


def test_rules_are_called_once_for_each_kind_of_row(monkeypatch):
    calls = []
    known = RepeatedRules.known

    def counted(self, *row):
        parts = known(self, *row)
        calls.append(parts is not None)
        return parts

    monkeypatch.setattr(RepeatedRules, "known", counted)
    ft.make_ir(ft.grad(factored))(A)
    assert sum(calls) > 0.8 * len(calls)


def test_second_derivatives_and_maps_and_values_are_as_before():
    f = lambda a: factored(a[:3, :3])
    np.testing.assert_allclose(ft.jit(ft.hessian(f))(A), ft.hessian(f)(A), rtol=1e-10, atol=1e-12)
    many = np.stack([A, A + 1.0])
    expected = np.stack([ft.grad(rows)(x) for x in many])
    np.testing.assert_allclose(ft.jit(ft.vmap(ft.grad(rows)))(many), expected, rtol=1e-12)
    _, tangent = ft.jvp(ft.grad(squares), (A,), (np.ones_like(A),))
    np.testing.assert_allclose(
        ft.jit(lambda x: ft.jvp(ft.grad(squares), (x,), (np.ones_like(A),))[1])(A), tangent
    )


def test_a_captured_value_of_an_outer_recording_is_not_taken_for_another():
    def f(x, a):
        def inner(y):
            total = 0.0
            for i in range(4):
                total = total + y[i] * x * y[i] + a[i] * y[i]
            return total

        return np.sum(ft.grad(inner)(a) * a)

    x = 2.0
    expected = ft.grad(f)(x, A[0])
    np.testing.assert_allclose(ft.jit(ft.grad(f))(x, A[0]), expected)
    np.testing.assert_allclose(ft.grad(lambda x: ft.jit(lambda a: f(x, a))(A[0]))(x), expected)
