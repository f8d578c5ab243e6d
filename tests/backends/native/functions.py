"""Functions that show each way in which machine code is written, with arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

import functrace as ft
import functrace.numpy as fnp

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype)


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def runge_kutta(p):
    def f(y):
        return np.stack([p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1]])

    def step(y, _):
        k = f(y)
        k = f(y + 0.005 * k)
        return y + 0.01 * k, y[0]

    return ft.scan(step, np.array([1.0, 1.0]), None, length=20)


def heat(u, k):
    def step(u, _):
        u = fnp.array(u)
        u[1:-1] = u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u, None

    return ft.scan(step, u, None, length=10)[0]


def backwards(x):
    return ft.scan(lambda c, row: (c * 0.5 + row, c[::-1] * row), x[0], x, reverse=True)


def swapped(x, y):
    return ft.fori_loop(0, 5, lambda i, c: (c[1], c[0] + 0.1 * c[1]), (x, y))


def views_of_copies(x):
    y = np.cos(x)
    rows = np.sin(y).T.reshape(20, 12)[:, ::-1]
    z = np.tanh(np.cos(y.T + 1.0) * y.T)
    return np.sum(z, 0) + np.sum(rows * y, 1)


def newton(a):
    return ft.while_loop(
        lambda c: np.any(np.abs(c[0] * c[0] - a) > 1e-10),
        lambda c: (0.5 * (c[0] + a / c[0]), c[1] + 1),
        (np.ones_like(a), 0),
    )


def chosen(i, x):
    return ft.switch(i, [np.sin, lambda x: x * x, lambda x: x[::-1] * 2.0], x)


def chosen_each(i, x, y):
    branches = [lambda x, y: (np.sin(x), x), lambda x, y: (x * y, y), lambda x, y: (x[::-1], -x)]
    return ft.vmap(lambda i, x: ft.switch(i, branches, x, y))(i, x)


def numbers_each(i, x):
    return ft.vmap(lambda i, x: ft.switch(i, [np.sin, np.cos, lambda x: x * x], x))(i, x)


def assigned(x, v):
    y = fnp.array(x)
    y[1] = v
    y[:, 0] += 2.0 * v
    y[::2, ::-1] *= v
    return y


PAIR = normal(3), normal(3)
MATRICES = normal(3, 4), normal(4, 5)

FUNCTIONS: dict[str, Any] = {
    "elementwise": (lambda x, y: np.sin(x) * y + np.tanh(y) / (1.0 + x * x), normal(7), normal(7)),
    "single": (lambda x: np.exp(-x) * x + np.sqrt(x * x + 1), normal(9, dtype=np.float32)),
    "broadcast": (lambda x, y: x * y + np.maximum(x, y), normal(3, 1), normal(4)),
    "numbers": (lambda x: np.where(x > 0, x * x, -x) * 3.0, 1.5),
    "softmax": (softmax, normal(5, 4)),
    "means": (lambda x: (np.mean(x), np.mean(x, 0), np.var(x, 1), np.max(x, 0)), normal(6, 3)),
    "sums": (lambda x: (np.sum(x, (0, 2)), np.sum(x, 1), np.prod(x, -1)), normal(2, 3, 4)),
    "long sum": (lambda x: np.sum(np.cos(x)), normal(20_000)),
    "empty": (lambda x: (np.sum(x), np.sum(x, 0), x * 2.0), normal(0, 3)),
    "size one": (lambda x: (np.sum(x, 0), np.sum(x, 1), x * 2.0), normal(1, 1)),
    "integers": (lambda i: (i * 3 - (i & 5), i << 2, -i // 1, np.abs(i)), np.arange(-4, 5)),
    "wrap": (lambda i: i * i + i, np.arange(100, 128, dtype=np.int8)),
    "booleans": (lambda x: (np.any(x > 0, 0), np.all(x > -9), ~(x > 0) | (x > 1)), normal(4, 3)),
    "slices": (lambda x: x[1:, ::-1] * x[:-1, ::-1] + x[-1], normal(4, 5)),
    "transposes": (lambda x: x.T * 2.0 + np.swapaxes(x, 0, 1) * x.T, normal(3, 4)),
    "reshape": (lambda x: x.T.reshape(2, 6) * 2.0, normal(3, 4)),
    "joined": (
        lambda x, y: np.concatenate([x, y * 2.0]) + np.stack([x, y]).ravel(),
        normal(3),
        normal(3),
    ),
    "padded": (lambda x: np.pad(x, ((1, 2), (0, 1))) * 2.0, normal(3, 4)),
    "rolled": (lambda x: np.roll(x, (1, -2), (0, 1)) + np.roll(x, 5, 0), normal(3, 4)),
    "taken": (lambda x, i: (x[i], x[:, i], np.take(x, i, 1)), normal(4, 4), np.array([3, -1, 0])),
    "places": (lambda x, i: x[i, :, i + 1], normal(4, 3, 5), np.array([[3, -1], [0, 2]])),
    "number as index": (lambda x, i: x[i] * x[i - 1], normal(4, 3), 2),
    "diagonal": (lambda x: np.diagonal(x) * np.diagonal(x, -1).sum() + np.trace(x), normal(4, 4)),
    "assigned": (assigned, normal(3, 3), normal(3)),
    "products": (
        lambda x, y: (x @ y, x.T @ x, y @ y.T, x[0] @ y, x @ y[:, 0]),
        normal(3, 4),
        normal(4, 5),
    ),
    "whole products": (
        lambda i, b, x: (i @ i.T, i[0] @ i[1], b @ b.T, (i @ i.T) @ x),
        np.arange(100, 112, dtype=np.int8).reshape(3, 4),
        normal(3, 4) > 0,
        normal(3),
    ),
    "batches of one": (
        lambda x, y, z: (x @ y, y @ z, z @ x[0], np.einsum("bij,bjk->bk", x, y)),
        normal(1, 3, 4),
        normal(5, 4, 6),
        normal(1, 6, 3),
    ),
    "outer": (lambda x, y: np.outer(x, y) + np.einsum("i,j->ij", x, y), normal(3), normal(4)),
    "batches": (lambda x, y: np.einsum("bij,bjk->bik", x, y), normal(2, 3, 4), normal(2, 4, 5)),
    "logsumexp": (lambda x: np.log(np.sum(np.exp(x), 0)), normal(4, 3)),
    "runge kutta": (runge_kutta, np.array([1.0, 0.5, 1.0, 0.3])),
    "heat": (heat, normal(8), 0.1),
    "backwards": (backwards, normal(4, 3)),
    "swapped, in memory": (swapped, normal(200), normal(200)),
    "views of copies": (views_of_copies, normal(20, 12)),
    "swapped": (swapped, normal(3), normal(3)),
    "newton": (newton, np.array([2.0, 3.0, 5.0])),
    "choice": (chosen, 1, normal(3)),
    "last choice": (chosen, 7, normal(3)),
    "choices": (chosen_each, np.array([0, 2, -3, 1, 9]), normal(5, 3), normal(3)),
    "choices of numbers": (numbers_each, np.array([0, 2, 1, 1]), normal(4)),
}

WHOLE = {"whole products", "integers", "wrap", "booleans"}
"""Those that have no derivative."""
