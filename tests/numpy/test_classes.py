"""The classes of arrays and scalars, which know traced values."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functrace as ft
import functrace.numpy as fnp
from functrace.errors import ArrayWriteError
from functrace.tracing.tracer import Tracer

SCALARS = [
    "bool_", "int8", "int32", "int64", "uint8", "float16", "float32", "float64", "complex64",
    "complex128", "single", "double", "intp",
]  # fmt: skip


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_classes_stay_those_of_numpy(name):
    ours, theirs = getattr(fnp, name), getattr(np, name)
    assert np.dtype(ours) == np.dtype(theirs)
    assert np.zeros(2, ours).dtype == theirs
    assert np.ones(2).astype(ours).dtype == theirs
    assert np.result_type(ours, np.int8) == np.result_type(theirs, np.int8)
    assert ours == theirs
    assert theirs == ours
    assert ours != np.str_
    assert {theirs: 1}[ours] == 1
    assert issubclass(ours, theirs)
    assert issubclass(theirs, ours)
    assert np.issubdtype(ours, np.generic)
    assert isinstance(theirs(1), ours)
    assert not isinstance("1", ours)
    assert type(ours(1)) is theirs
    assert ours([1, 0]).dtype == theirs
    assert pickle.loads(pickle.dumps(ours)) is ours
    assert theirs.__name__ in repr(ours)


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_classes_cast_traced_values(name):
    ours, theirs = getattr(fnp, name), getattr(np, name)
    for x in (2.5, np.array([0.0, 1.5]), np.int8(1)):
        found, expected = ft.jit(ours)(x), theirs(x)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert ft.jit(lambda x: ours([x, 1]))(1.0).dtype == np.dtype(theirs)
    kinds = []
    ft.jit(lambda x: kinds.append(isinstance(ours(x), ours)) or x)(1.0)
    assert kinds == [True]
    if np.issubdtype(theirs, np.floating):
        gradient = ft.grad(lambda x: ours(x) ** 2)(3.0)
        assert (gradient, gradient.dtype) == (6.0, np.float64)


def test_kinds_of_scalars_are_those_of_numpy():
    for name in ("floating", "integer", "number", "generic", "str_", "datetime64"):
        assert getattr(fnp, name) is getattr(np, name)


def test_traced_values_are_arrays():
    for transform in (ft.grad, ft.jit, ft.vmap):
        kinds = []
        transform(lambda x: kinds.append(isinstance(x, fnp.ndarray)) or np.sum(x))(np.ones(2))
        assert kinds == [True]
    assert isinstance(np.ones(2), fnp.ndarray)
    assert not isinstance([1.0], fnp.ndarray)
    assert issubclass(np.ndarray, fnp.ndarray)
    assert issubclass(Tracer, fnp.ndarray)
    assert not issubclass(list, fnp.ndarray)
    assert type(fnp.ndarray((2, 3), np.float32)) is np.ndarray
    assert fnp.ndarray.sum is np.ndarray.sum

    def filled(x):
        made = fnp.ndarray(2, dtype=np.float32)
        made[:] = x
        return made

    np.testing.assert_array_equal(ft.jit(filled)(2.0), np.full(2, 2.0, np.float32))
    with pytest.raises(ArrayWriteError):
        ft.jit(lambda x: fnp.ndarray(2, buffer=np.ones(2)).fill(x))(2.0)

    class Own(fnp.ndarray):
        pass

    assert Own.__mro__[1] is np.ndarray
