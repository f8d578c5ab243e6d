"""Factorizations that exchange rows or columns: NumPy has none that shows its pivots.

Sources: Golub and Van Loan, Matrix Computations, 4th edition, sections 3.4 and 5.4; de Hoog,
Anderssen and Lukas, Differentiation of matrix functionals using triangular factorization
(Mathematics of Computation 80, 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.stacks import (
    OfMatrices,
    counted,
    factor_dtype,
    operations_of_lu,
    real_dtype,
    require_matrix,
)
from functrace.matrices.systems import inverse_of_triangle
from functrace.primitives.linear import LocallyConstant, dtype_of, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind

_WHOLE = np.dtype(np.int32)
"""LAPACK's integers, and JAX's."""


class Lu(OfMatrices):
    """Both factors in one matrix, the exchanges of rows, and the order of rows that they make.

    The lower factor has ones on its diagonal, which are left out.
    """

    multiple_outputs = True
    constant_outputs = frozenset({1, 2})

    def run(self, a: Any) -> Any:
        """Eliminate column by column, by the largest element, as LAPACK does."""
        factors = np.array(a, factor_dtype(ArrayType(a.shape, a.dtype)))
        *stack, rows, columns = factors.shape
        pivots = np.empty((*stack, min(rows, columns)), _WHOLE)
        order = np.empty((*stack, rows), _WHOLE)
        for index in np.ndindex(*stack):
            _eliminate(factors[index], pivots[index])
            order[index] = permutation_of(pivots[index], rows)
        return factors, pivots, order

    def infer(self, a: ArrayType) -> tuple[ArrayType, ArrayType, ArrayType]:
        """A matrix, and two rows of integers."""
        stack, rows, columns = require_matrix(a)
        return (
            ArrayType(a.shape, factor_dtype(a)),
            ArrayType((*stack, min(rows, columns)), _WHOLE),
            ArrayType((*stack, rows), _WHOLE),
        )

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 3.4."""
        return counted(inputs, operations_of_lu)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """``L low(inv L dA inv U) + up(inv L dA inv U) U``, with the pivots held."""
        if tangents[0] is None:
            return None, None, None
        factors, _, order = output
        rows, columns = shape_of(factors)[-2:]
        lower, upper = _square_factors(factors, rows, columns)
        tangent = np.take_along_axis(tangents[0], order[..., None], axis=-2)
        seen = bind(inverse_of_triangle, lower, lower=True) @ tangent
        seen = seen @ bind(inverse_of_triangle, upper, lower=False)
        below = seen * np.tri(rows, columns, -1, real_dtype(dtype_of(seen)))
        return lower @ below + (seen - below) @ upper, None, None


class LuByLapack(Lu):
    """The same, where SciPy is there."""

    def run(self, a: Any) -> Any:
        """Eliminate by LAPACK, one matrix after the other."""
        linalg = scipy_module("linalg", "functrace.scipy.linalg.lu_factor")
        type, places, rows = self.infer(ArrayType(a.shape, a.dtype))
        if 0 in a.shape:
            return super().run(a)
        factors = np.empty(type.shape, type.dtype)
        pivots, order = (np.empty(each.shape, each.dtype) for each in (places, rows))
        (eliminate,) = linalg.get_lapack_funcs(("getrf",), (factors,))
        for index in np.ndindex(a.shape[:-2]):
            factors[index], pivots[index], _ = eliminate(a[index])
            order[index] = permutation_of(pivots[index].tolist(), a.shape[-2])
        return factors, pivots, order


def _square_factors(factors: Any, rows: int, columns: int) -> tuple[Any, Any]:
    """The lower and the upper factor, each completed by an identity to a square."""
    dtype, stack = dtype_of(factors), shape_of(factors)[:-2]
    wide, high = max(rows - columns, 0), max(columns - rows, 0)
    left = np.concatenate([factors[..., :rows], np.zeros((*stack, rows, wide), dtype)], axis=-1)
    above = np.concatenate([factors[..., :columns, :], np.zeros((*stack, high, columns))], axis=-2)
    lower = np.tril(left, -1) + np.eye(rows, dtype=dtype)
    added = np.diag(np.arange(columns) >= rows).astype(dtype)
    return lower, np.triu(above).astype(dtype) + added


def _eliminate(a: Any, pivots: Any) -> None:
    """Write the factors of one matrix over it."""
    for k in range(len(pivots)):
        column = a[k:, k]
        sizes = np.abs(column.real) + np.abs(column.imag)
        pivots[k] = pivot = k + int(np.argmax(sizes))
        if pivot != k:
            a[[k, pivot]] = a[[pivot, k]]
        if a[k, k]:
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])


def permutation_of(pivots: Any, count: int) -> Any:
    """The order of rows that exchanges make, one after the other."""
    order = np.arange(count, dtype=_WHOLE)
    for k, pivot in enumerate(pivots):
        order[[k, pivot]] = order[[pivot, k]]
    return order


class Permutation(OfMatrices, LocallyConstant):
    """The orders of rows that exchanges make. Parameters: ``count``, the number of rows."""

    def run(self, pivots: Any, *, count: int) -> Any:
        """Exchange."""
        order = np.empty((*pivots.shape[:-1], count), _WHOLE)
        for index in np.ndindex(*pivots.shape[:-1]):
            order[index] = permutation_of(pivots[index], count)
        return order

    def infer(self, pivots: ArrayType, *, count: int) -> ArrayType:
        """Whole numbers."""
        if pivots.dtype.kind not in "iu" or not pivots.ndim >= 1:
            raise TypeError("pivots are an array of integers")
        if count < pivots.shape[-1]:
            raise ValueError(f"{pivots.shape[-1]} pivots cannot exchange {count} rows")
        return ArrayType((*pivots.shape[:-1], count), _WHOLE)


class ColumnOrder(OfMatrices, LocallyConstant):
    """The order of columns in which each next one is the farthest from the span of those before."""

    def run(self, a: Any) -> Any:
        """Take away from all columns their parts along the one that is chosen."""
        *stack, rows, columns = a.shape
        order = np.empty((*stack, columns), _WHOLE)
        for index in np.ndindex(*stack):
            rest = np.array(a[index], factor_dtype(ArrayType(a.shape, a.dtype)))
            found = np.arange(columns, dtype=_WHOLE)
            for k in range(min(rows, columns)):
                lengths = np.sum(np.abs(rest[:, k:]) ** 2, axis=0)
                pivot = k + int(np.argmax(lengths))
                rest[:, [k, pivot]] = rest[:, [pivot, k]]
                found[[k, pivot]] = found[[pivot, k]]
                length = np.sqrt(lengths[pivot - k])
                if length:
                    unit = rest[:, k] / length
                    rest[:, k + 1 :] -= np.outer(unit, np.conj(unit) @ rest[:, k + 1 :])
            order[index] = found
        return order

    def infer(self, a: ArrayType) -> ArrayType:
        """A whole number for each column."""
        stack, _, columns = require_matrix(a)
        factor_dtype(a)
        return ArrayType((*stack, columns), _WHOLE)


lu = Lu("lu")
lu_by_lapack = LuByLapack("lu_by_lapack")
permutation = Permutation("permutation_of_pivots")
column_order = ColumnOrder("column_order")
