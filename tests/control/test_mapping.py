"""Associative scans, and map."""

from __future__ import annotations

import numpy as np
import pytest

import functrace as ft
from functrace import errors
from functrace.control.mapping import map_rows
from tests.control.agreeing import ROWS, X, assert_agrees, assert_same, scan_in_python


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 7, 8, 9])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(length, reverse):
    x = np.cos(np.arange(2.0 * length)).reshape(length, 2) + 2
    order = slice(None, None, -1) if reverse else slice(None)
    f = lambda x: ft.associative_scan(np.add, x, reverse=reverse)
    assert_same(f(x), np.cumsum(x[order], 0)[order])
    assert_same(ft.jit(f)(x), np.cumsum(x[order], 0)[order])
    g = ft.grad(lambda x: np.sum(np.sin(f(x))))(x)
    h = ft.grad(lambda x: np.sum(np.sin(np.cumsum(x[order], 0))))(x)
    assert_same(g, h)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 4, 5])
def test_associative_scan_of_matrix_products(length, reverse):
    matrices = np.cos(np.arange(4.0 * length)).reshape(length, 2, 2)
    expected = [matrices[-1 if reverse else 0]]
    rest = matrices[-2::-1] if reverse else matrices[1:]
    for m in rest:
        expected.append(expected[-1] @ m)
    expected = np.stack(expected[::-1] if reverse else expected)
    f = lambda m: ft.associative_scan(np.matmul, m, reverse=reverse)
    assert_same(f(matrices), expected)
    assert_same(ft.vmap(f)(matrices[None])[0], expected)


def test_associative_scan_along_another_axis():
    x = np.cos(np.arange(24.0)).reshape(2, 4, 3)
    for axis in (1, 2, -1):
        found = ft.associative_scan(
            lambda p, q: ft.tree.map(np.add, p, q), {"a": x, "b": x * 2}, axis=axis
        )
        assert_same(found, {"a": np.cumsum(x, axis), "b": np.cumsum(2 * x, axis)})


def test_associative_scan_of_a_linear_recurrence():
    a, b = np.array([0.5, 0.2, -0.3, 0.9]), np.array([1.0, 2.0, 3.0, 4.0])
    combine = lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1])
    f = lambda a, b: ft.associative_scan(combine, (a, b))[1]
    reference = lambda a, b: scan_in_python(
        lambda c, i: (c * a[i] + b[i], c * a[i] + b[i]), 0.0, range(4)
    )[1]
    assert_agrees(f, reference, a, b)


def test_map_of_rows():
    assert_agrees(
        lambda x: map_rows(lambda r: {"a": np.sin(r), "b": np.sum(r * x)}, ROWS * x),
        lambda x: {
            "a": np.sin(ROWS * x),
            "b": np.stack([np.sum(r * x) for r in ROWS * x]),
        },
        X,
    )


def test_associative_scan_of_arrays_without_the_axis():
    with pytest.raises(errors.ArgumentError, match=r"axis 1 of elems\['a'\], which has 1 axes"):
        ft.associative_scan(np.add, {"a": np.ones(3)}, axis=1)
    with pytest.raises(errors.ArgumentError, match="axis 0 of elems, which has 0 axes"):
        ft.associative_scan(np.add, 1.0)
