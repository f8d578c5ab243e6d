"""Plain Python loops over the elements of arrays."""

from __future__ import annotations

import numpy as np

import functrace.numpy as fnp


def lu(A):
    A = np.copy(A)
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            for k in range(min(i, j)):
                A[i, j] -= A[i, k] * A[k, j]
            if j < i:
                A[i, j] /= A[j, j]
    return A


def cholesky(A):
    A = np.copy(A)
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] = A[i, j] / A[j, j]
        for k in range(i):
            A[i, i] -= A[i, k] ** 2
        A[i, i] = np.sqrt(A[i, i])
    return np.tril(A)


def triangular_product(A):
    B = np.copy(A.T)
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            for k in range(i + 1, n):
                B[i, j] += A[k, i] * B[k, j]
            B[i, j] *= 1.5
    return B


def seidel(A):
    A = np.copy(A)
    n = A.shape[0]
    for _ in range(2):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                above, below = A[i - 1, j - 1] + A[i - 1, j], A[i + 1, j] + A[i + 1, j + 1]
                A[i, j] = (above + A[i, j - 1] + A[i, j] + A[i, j + 1] + below) / 7.0
    return A


def shortest_paths(A):
    A = np.copy(A)
    n = A.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                A[i, j] = np.minimum(A[i, j], A[i, k] + A[k, j])
    return A


def durbin(A):
    r = A[0] / 10.0
    n = len(r)
    y, z = fnp.zeros(n), np.zeros_like(r)
    y[0] = alpha = -r[0]
    beta = 1.0
    for k in range(1, n):
        beta = (1.0 - alpha * alpha) * beta
        total = 0.0
        for i in range(k):
            total += r[k - i - 1] * y[i]
        alpha = -(r[k] + total) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha
    return y


def tridiagonal(A):
    n = len(A)
    upper, right, x = fnp.zeros(n), fnp.empty(n), np.zeros_like(A[0])
    upper[0], right[0] = A[0, 1] / A[0, 0], A[0, 2] / A[0, 0]
    for i in range(1, n):
        rest = A[i, i] - A[i, i - 1] * upper[i - 1]
        if i < n - 1:
            upper[i] = A[i, i + 1] / rest
        right[i] = (A[i, 0] - A[i, i - 1] * right[i - 1]) / rest
    x[-1] = right[-1]
    for i in range(n - 2, -1, -1):
        x[i] = right[i] - upper[i] * x[i + 1]
    return x


def recurrence(A):
    x = fnp.zeros(3 * len(A))
    x[0], x[1] = A[0, 0], A[0, 1]
    for i in range(2, len(x)):
        x[i] = 0.5 * x[i - 1] - 0.25 * x[i - 2] + A[i % len(A), -1]
    return x[1:] - x[:-1]


def with_slices(A):
    """Sums of parts are read between writes of elements."""
    A = np.copy(A)
    for i in range(len(A)):
        for j in range(len(A)):
            A[i, j] = np.sum(A[i, : j + 1]) - A[j, -1] + A[:, j] @ A[i]
            A[-1, -1 - j] += 1.0
    A[1] = A[0] * A[2]
    A[1, 2] = A[1, 1]
    return A


def in_views(A):
    """Elements are written in parts that are views."""
    A = np.copy(A)
    for i in range(len(A)):
        row, column = A[i], A[:, i]
        for j in range(len(row)):
            row[j] = row[j] * column[j] + row[-1]
    return A


def histories(A):
    """What an array was is read after it has been written."""
    x = fnp.zeros(4)
    states = []
    for i in range(4):
        x[i] = A[i, i] + x[i - 1]
        states.append(x * 1.0)
        x[0] += x[i]
    return states[0] + states[2] * states[3]


def branches(A):
    """An array is written by a number that is known when it runs only."""
    x = fnp.zeros(len(A))
    for i in range(len(A)):
        x[i] = A[i, 0] * 2.0
    place = np.argmax(A[0])
    x[place] = x[place] * x[1] + x[0]
    for i in range(1, len(A)):
        x[i] -= x[i - 1]
    return x


PROGRAMS = (
    lu, cholesky, triangular_product, seidel, shortest_paths, durbin, tridiagonal, recurrence,
    with_slices, in_views, histories, branches,
)  # fmt: skip


def drawn(seed):
    """A function that reads and writes elements, parts and views of arrays at random."""

    def f(x):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 4, size=rng.integers(1, 3)))
        square = np.outer(x, x)
        arrays = [fnp.zeros(shape), np.copy(square[: shape[0], : shape[-1]] if shape[1:] else x)]
        numbers, kept = [x[0], x[1], 2.0, x[2] * 0.5], [x * 1.0]
        for _ in range(rng.integers(3, 40)):
            a = arrays[rng.integers(len(arrays))]
            place = tuple(int(rng.integers(-n, n)) for n in a.shape)
            number = numbers[rng.integers(len(numbers))]
            match rng.integers(12):
                case 0 | 1:
                    a[place] = number
                case 2 | 3:
                    a[place] += number * 0.5
                case 4:
                    numbers.append(a[place])
                case 5 | 6:
                    numbers.append(np.sin(number) + a[place] * numbers[-1] * 0.3)
                case 7:
                    numbers.append(np.sum(a[: rng.integers(0, len(a) + 1)]))
                case 8:
                    a[0 if a.ndim == 2 else slice(0, 2)] = number
                case 9:
                    kept.append(a[place[0] :])
                case 10:
                    arrays.append(a * number if rng.integers(2) else np.copy(a))
                case _:
                    row = a[place[0]] if a.ndim == 2 else a[1:]
                    row[:1] = number
                    kept.append(row + 0.0)
        parts = [part * 1.0 for part in (*kept, *arrays)]
        return (*parts, *numbers[4:])

    return f


def positive(n, dtype=np.float64):
    """A symmetric positive matrix."""
    half = np.random.default_rng(n).uniform(size=(n, n))
    return (half @ half.T + n * np.eye(n)).astype(dtype)
