"""Matrices that are mostly zeros: their products with dense ones, and systems, by SciPy.

A matrix is what SciPy's compressed rows hold: its elements that are stored, row by row, the column
of each, and where each row begins. The elements are differentiated, the places are not. A product
is linear in the elements and in the dense matrix; both derivatives are products again, and gathered
ones for the elements.

Where an operator of Python's has one of SciPy's sparse matrices on one side and a traced value on
the other, the operation comes here (`operated`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from functrace.errors import OperandError, ShapeMismatchError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.matrices.stacks import factor_dtype, require_matrix
from functrace.primitives.linear import add_tangents, conform, in_each, shape_of
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tables import SPARSE
from functrace.tracing.tracer import bind


class Rows(NamedTuple):
    """A matrix in compressed rows.

    Attributes:
        data: Shape (k,): the elements that are stored.
        indices: Shape (k,): the column of each.
        indptr: Shape (m + 1,): the number of the first element of each row, and k.
        shape: The rows and the columns.
    """

    data: Any
    indices: Any
    indptr: Any
    shape: tuple[int, int]


class OfSparse(Primitive):
    """A function of a sparse matrix and a dense one, linear in the latter.

    Inputs: those of `Rows` and a matrix. Parameters: ``shape``, that of the sparse matrix, and
    ``transposed``, whether its transpose is meant.
    """

    is_fresh = True
    linear_in = (3,)

    def infer(
        self,
        data: ArrayType,
        indices: ArrayType,
        indptr: ArrayType,
        x: ArrayType,
        *,
        shape: tuple[int, int],
        transposed: bool,
    ) -> ArrayType:
        """A matrix with as many columns as the dense one."""
        stack, rows, columns = require_matrix(x)
        height, width = shape[::-1] if transposed else shape
        if stack or rows != width or data.shape != indices.shape or data.ndim != 1:
            raise ValueError(f"a sparse matrix of shape {(height, width)} meets one of {x.shape}")
        if indptr.shape != (shape[0] + 1,):
            raise ValueError(f"{shape[0]} rows have no beginnings of shape {indptr.shape}")
        return ArrayType((height, columns), self.dtype(data, x))

    def dtype(self, data: ArrayType, x: ArrayType) -> np.dtype[Any]:
        """The dtype of the result."""
        return np.result_type(data.dtype, x.dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A product and a sum for each element and column."""
        return 2 * abs(inputs[0].size) * abs(inputs[3].shape[1])

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Side by side, where all share the sparse matrix; else as blocks on a diagonal."""
        data, indices, indptr, x = inputs
        rows, columns = params["shape"]
        if all(axis is None for axis in axes[:3]):
            x = np.moveaxis(x, axes[3] or 0, 1)
            height, _, width = shape_of(x)
            found = bind(self, data, indices, indptr, np.reshape(x, (height, -1)), **params)
            return np.reshape(found, (-1, size, width)), 1
        data, indices, indptr, x = (
            in_each(size, value, axis) for value, axis in zip(inputs, axes, strict=True)
        )
        count = shape_of(data)[1]
        number = np.arange(size)[:, None]
        begins = np.reshape(indptr[:, :-1] + number * count, -1)
        found = bind(
            self,
            np.reshape(data, -1),
            np.reshape(indices + number * columns, -1),
            np.concatenate([begins, np.full(1, size * count, begins.dtype)]),
            np.reshape(x, (-1, shape_of(x)[-1])),
            shape=(size * rows, size * columns),
            transposed=params["transposed"],
        )
        return np.reshape(found, (size, -1, shape_of(x)[-1])), 0


def rows_of(indptr: Any, count: int) -> Any:
    """The row of each element."""
    return np.searchsorted(indptr, np.arange(count), side="right") - 1


def _by_elements(left: Any, right: Any, indices: Any, indptr: Any, transposed: bool) -> Any:
    """The elements of ``left @ right.mT`` at the places of a sparse matrix."""
    if transposed:
        left, right = right, left
    rows = rows_of(indptr, shape_of(indices)[0])
    return np.sum(left[rows] * right[indices], axis=-1)


class SparseProduct(OfSparse):
    """The product of a sparse matrix with a dense one."""

    def run(
        self, data: Any, indices: Any, indptr: Any, x: Any, *, shape: Any, transposed: bool
    ) -> Any:
        """Multiply."""
        matrix = scipy_module("sparse", "functrace.scipy.sparse").csr_array(
            (data, indices, indptr), shape
        )
        return np.asarray((matrix.T if transposed else matrix) @ x)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The product rule."""
        data, indices, indptr, x = inputs
        by_data, _, _, by_x = tangents
        first = second = None
        if by_data is not None:
            first = bind(self, by_data, indices, indptr, x, **params)
        if by_x is not None:
            second = bind(self, data, indices, indptr, by_x, **params)
        return add_tangents(first, second)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        shape: tuple[int, int],
        transposed: bool,
    ) -> Sequence[Any]:
        """The product with the transpose, and those of rows with rows."""
        data, indices, indptr, x = inputs
        by_data = by_x = None
        if needed[0] is not None:
            by_data = conform(_by_elements(cotangent, x, indices, indptr, transposed), data)
        if needed[3] is not None:
            params = {"shape": shape, "transposed": not transposed}
            by_x = conform(bind(self, data, indices, indptr, cotangent, **params), x)
        return by_data, None, None, by_x


class SparseSolve(OfSparse):
    """The solution of systems of a sparse matrix, by SuperLU.

    Its factors are kept for a while: the way back solves the transposed system by them.
    """

    def dtype(self, data: ArrayType, x: ArrayType) -> np.dtype[Any]:
        """That of factors."""
        return factor_dtype(data, x)

    def run(
        self, data: Any, indices: Any, indptr: Any, x: Any, *, shape: Any, transposed: bool
    ) -> Any:
        """Factor, or take the factors that are there; nan where the matrix is singular."""
        type = self.infer(
            *(ArrayType(value.shape, value.dtype) for value in (data, indices, indptr, x)),
            shape=shape,
            transposed=transposed,
        )
        factors = _factored(data.astype(type.dtype, copy=False), indices, indptr, shape)
        if factors is None:
            return np.full(type.shape, np.nan, type.dtype)
        # What SuperLU is given as columns are the rows: its matrix is the transpose.
        found = factors.solve(x.astype(type.dtype, order="F"), "N" if transposed else "T")
        return np.ascontiguousarray(found)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        shape: tuple[int, int],
        transposed: bool,
    ) -> Sequence[Any]:
        """One more system, with the transposed matrix (Giles 2008, section 2.3.1)."""
        data, indices, indptr, x = inputs
        params = {"shape": shape, "transposed": not transposed}
        pulled = bind(self, data, indices, indptr, cotangent, **params)
        by_data = by_x = None
        if needed[0] is not None:
            by_data = conform(-_by_elements(pulled, output, indices, indptr, transposed), data)
        if needed[3] is not None:
            by_x = conform(pulled, x)
        return by_data, None, None, by_x


KEPT = 4
"""Of so many matrices the factors are kept, the last ones that were used."""
_kept: list[tuple[tuple[Any, ...], Any]] = []
_lock = Lock()


def _factored(*matrix: Any) -> Any:
    """The factors of a matrix in compressed rows; None where it is singular."""
    with _lock:
        for number, (known, factors) in enumerate(_kept):
            if _are_same(known, matrix):
                _kept.insert(0, _kept.pop(number))
                return factors
    data, indices, indptr, shape = matrix
    sparse = scipy_module("sparse", "functrace.scipy.sparse.linalg.spsolve")
    linalg = scipy_module("sparse.linalg", "functrace.scipy.sparse.linalg.spsolve")
    try:
        factors = linalg.splu(sparse.csc_array((data, indices, indptr), shape))
    except RuntimeError:
        warnings.warn("Matrix is exactly singular", linalg.MatrixRankWarning, stacklevel=2)
        factors = None
    with _lock:
        arrays = (np.array(data), np.array(indices), np.array(indptr), shape)
        _kept.insert(0, (arrays, factors))
        del _kept[KEPT:]
    return factors


def _are_same(known: tuple[Any, ...], matrix: tuple[Any, ...]) -> bool:
    return known[3] == matrix[3] and all(
        x.dtype == y.dtype and np.array_equal(x, y)
        for x, y in zip(known[:3], matrix[:3], strict=True)
    )


sparse_product = SparseProduct("sparse_product")
sparse_solve = SparseSolve("sparse_solve")


# SciPy's matrices


def compressed(a: Any) -> tuple[Rows, bool]:
    """One of SciPy's sparse matrices in compressed rows, or its transpose, and whether it is that.

    Raises:
        ShapeMismatchError: It has not two axes.
    """
    if len(a.shape) != 2:
        raise ShapeMismatchError(f"A sparse array of shape {a.shape} is no matrix.")
    is_transposed = a.format == "csc"
    found = a if is_transposed else a.tocsr()
    shape = tuple(map(int, a.shape))
    rows, columns = shape[::-1] if is_transposed else shape
    return Rows(found.data, found.indices, found.indptr, (rows, columns)), is_transposed


def product(a: Rows, transposed: bool, x: Any) -> Any:
    """The product of a sparse matrix, or of its transpose, with a vector, matrix or stack."""
    x = as_operand(x)
    shape, own = shape_of(x), a.shape[::-1] if transposed else a.shape
    if not shape or shape[-2 if len(shape) > 1 else 0] != own[-1]:
        raise ShapeMismatchError(
            f"A sparse matrix of shape {own} has no product with an array of shape {shape}.",
            source_of(user_place(2)),
        )
    params = {"shape": a.shape, "transposed": transposed}
    if len(shape) == 1:
        return bind(sparse_product, a.data, a.indices, a.indptr, x[:, None], **params)[:, 0]
    *stack, _, width = x.shape
    side = np.reshape(np.moveaxis(x, -2, 0), (own[-1], math.prod(stack) * width))
    found = bind(sparse_product, a.data, a.indices, a.indptr, side, **params)
    return np.moveaxis(np.reshape(found, (own[0], *stack, width)), 0, -2)


def product_on_the_right(x: Any, a: Rows, transposed: bool) -> Any:
    """The product of a vector, matrix or stack with a sparse matrix, or with its transpose."""
    x = as_operand(x)
    turned = x if len(shape_of(x)) < 2 else x.mT
    found = product(a, not transposed, turned)
    return found if len(shape_of(x)) < 2 else found.mT


def operated(ufunc: np.ufunc, x: Any, y: Any, is_left: bool) -> Any:
    """What an operator of Python's gives for a sparse matrix and a traced value.

    Args:
        ufunc: What the operator means.
        x: The traced value.
        y: One of SciPy's sparse matrices or arrays.
        is_left: Whether the traced value stands on the left.

    Raises:
        OperandError: The result would be a dense matrix that was not asked for.
    """
    is_matrix = type(y).__name__.endswith("_matrix")
    if ufunc is np.matmul or (ufunc is np.multiply and is_matrix and shape_of(x)):
        rows, is_transposed = compressed(y)
        if is_left:
            return product_on_the_right(x, rows, is_transposed)
        return product(rows, is_transposed, x)
    if ufunc is np.multiply:
        return x * y.toarray()
    raise OperandError(
        f"A {type(y).__qualname__} met a traced {x.type} in {ufunc.__name__}, whose result would "
        "be dense.",
        source_of(user_place(2)),
        "Write A.toarray() in place of A; products A @ t and t @ A stay sparse.",
    )


SPARSE.append(operated)
