"""Types of values: shapes, dtypes, weakness, and how they combine."""

from __future__ import annotations

import numpy as np
import pytest

from functrace.ir.types import ArrayType, broadcast_shapes, promotion_operand, result_dtype, type_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((2, 3)), "float64[2, 3]"),
        (np.zeros((0,), np.float32), "float32[0]"),
        (np.zeros((), np.int8), "int8"),
        (np.float16(1), "float16"),
        (np.bool_(True), "bool"),
        (True, "weak_bool"),
        (3, "weak_int64"),
        (1.5, "weak_float64"),
        (1j, "weak_complex128"),
        (np.float64(1.5), "float64"),
        (np.complex128(1j), "complex128"),
    ],
)
def test_type_of(value, text):
    assert str(type_of(value)) == text


def test_type_of_a_subclass_of_an_array():
    assert type_of(np.zeros(3).view(np.recarray)).shape == (3,)


@pytest.mark.parametrize("value", ["text", None, [1.0], object()])
def test_type_of_something_else(value):
    with pytest.raises(TypeError, match="is not the type of an array or a scalar"):
        type_of(value)


def test_size_rank_and_kind():
    type = ArrayType((2, 0, 3), np.dtype(np.float32))
    assert (type.ndim, type.size, type.is_inexact) == (3, 0, True)
    assert ArrayType((), np.dtype(int)).size == 1
    assert not ArrayType((), np.dtype(int)).is_inexact
    assert ArrayType((), np.dtype(complex)).is_inexact


def test_results_promote_as_in_numpy():
    values = [np.float32([1]), np.int64([1]), np.float16(1), np.complex64(1), 1, 1.5, 1j, True]
    for x in values:
        for y in values:
            expected = np.result_type(x, y)
            if not isinstance(x, np.generic | np.ndarray) and not isinstance(y, np.generic):
                continue  # Python scalars among themselves are Python's business
            assert result_dtype(type_of(x), type_of(y)) == expected


def test_promotion_operand():
    assert promotion_operand(type_of(1.5)) is float
    assert promotion_operand(type_of(np.float32(1.5))) == np.float32


def test_broadcasting():
    assert broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    assert broadcast_shapes((0,), (1,)) == (0,)
    assert broadcast_shapes((2,)) == (2,)
    with pytest.raises(ValueError, match="broadcast"):
        broadcast_shapes((2,), (3,))
