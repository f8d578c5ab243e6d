"""What an operand of an operation is, and in which dtype."""

from __future__ import annotations

import enum
import operator

import numpy as np
import pytest

import functrace as ft
from tests.tracing.ways import THREE, every_way, on_tape, same


@pytest.mark.parametrize("f", [operator.add, operator.mul, operator.matmul, operator.pow])
@pytest.mark.parametrize("other", [None, "text", {}, object()])
def test_operands_that_are_no_arrays(f, other):
    with pytest.raises(TypeError):
        on_tape(lambda t: f(t, other), THREE)
    with pytest.raises(TypeError):
        on_tape(lambda t: f(other, t), THREE)


@every_way
def test_python_scalars_take_the_dtype_that_they_meet(way):
    x = THREE.astype(np.float32)
    for f in (lambda a: a * x, lambda a: x * a, lambda a: (a + 1) * x, lambda a: (-a) ** 2 + x):
        same(way(f, 2.0), f(2.0))
    same(way(lambda a: np.sin(a) * x, 2.0), np.sin(2.0) * x)


class Level(enum.IntEnum):
    HIGH = 3


class Metres(float):
    """A subclass of Python's floats."""


class Impedance(complex):
    """A subclass of Python's complex numbers."""


@pytest.mark.parametrize("number", [Level.HIGH, Metres(2.5), Impedance(1 + 2j)])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, np.float32, np.float64, np.complex64])
def test_numbers_of_subclasses_are_not_weak_as_in_numpy(number, dtype):
    for x in (np.ones(2, dtype) * dtype(100), np.ones((), dtype)[()] * dtype(100)):
        for f in (
            lambda x, y: x * y,
            lambda x, y: y * x,
            lambda x, y: np.add(x, y),
            lambda x, y: np.where(x, x, y),
        ):
            expected = f(x, number)
            for found in (ft.jit(f)(x, number), ft.jit(lambda x, f=f: f(x, number))(x)):
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == np.asarray(expected).dtype


def test_whole_numbers_of_more_than_64_bits_as_bases():
    for f in (lambda x: (10**30) ** x, lambda x: np.power(10.0**30, x)):
        expected = 10.0**30 * np.log(10.0**30)
        for found in (ft.grad(f)(1.0), ft.jvp(f, (1.0,), (1.0,))[1], ft.jit(ft.grad(f))(1.0)):
            np.testing.assert_allclose(found, expected, rtol=1e-14)
