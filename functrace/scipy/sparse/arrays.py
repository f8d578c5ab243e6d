"""Sparse matrices whose elements may be traced: SciPy's constructors."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import OperandError
from functrace.matrices.sparse import Rows, compressed, product, product_on_the_right
from functrace.primitives.linear import dtype_of, known_choice, shape_of
from functrace.tracing.entrances import enter_by_methods, entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.refusals import STATIC


class SparseArray:
    """A sparse matrix whose places are known, and whose elements may be traced.

    It has products with arrays (``A @ x``, ``x @ A``, ``A.dot(x)``) and with numbers, a transpose,
    and a dense form. It is a tree with the elements and their places as leaves.

    Attributes:
        rows: The matrix, or its transpose, in compressed rows.
        is_transposed: Whether it is the transpose.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import sparse
        >>> a = sparse.csr_array(np.array([[1.0, 0.0], [2.0, 3.0]]))
        >>> a
        <sparse matrix of shape (2, 2) with 3 elements of float64>
        >>> a @ np.array([1.0, 10.0]), a.T @ np.array([1.0, 10.0])
        (array([ 1., 32.]), array([21., 30.]))
    """

    __array_ufunc__ = None  # NumPy's arrays leave their operators to it
    ndim = 2

    def __init__(self, rows: Rows, is_transposed: bool = False) -> None:
        self.rows = rows
        self.is_transposed = is_transposed

    @property
    def data(self) -> Any:
        """The elements, in the order in which they were given."""
        return self.rows.data

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and the columns."""
        rows, columns = self.rows.shape
        return (columns, rows) if self.is_transposed else (rows, columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the elements."""
        return dtype_of(self.data)

    @property
    def nnz(self) -> int:
        """How many elements are stored."""
        return shape_of(self.data)[0]

    @property
    def T(self) -> SparseArray:  # noqa: N802  (NumPy's name)
        """The transpose."""
        return SparseArray(self.rows, not self.is_transposed)

    def transpose(self) -> SparseArray:
        """The transpose."""
        return self.T

    def with_data(self, data: Any) -> SparseArray:
        """The matrix with other elements at the same places, in the same order."""
        return SparseArray(self.rows._replace(data=as_operand(data)), self.is_transposed)

    def toarray(self) -> Any:
        """The dense matrix."""
        return self @ np.eye(self.shape[1], dtype=self.dtype)

    todense = toarray

    def dot(self, other: Any) -> Any:
        """The product with an array."""
        return self @ other if np.ndim(other) else self * other

    def __matmul__(self, other: Any) -> Any:
        return product(self.rows, self.is_transposed, other)

    def __rmatmul__(self, other: Any) -> Any:
        return product_on_the_right(other, self.rows, self.is_transposed)

    def __mul__(self, number: Any) -> Any:
        if np.ndim(number):
            raise OperandError(
                "A sparse matrix with traced elements is multiplied by numbers alone.",
                advice="Write A @ x for the product of matrices, A.toarray() * x for elements.",
            )
        return self.with_data(self.data * number)

    __rmul__ = __mul__

    def __truediv__(self, number: Any) -> Any:
        return self * (1 / number)

    def __neg__(self) -> SparseArray:
        return self.with_data(-self.data)

    def __repr__(self) -> str:
        return f"<sparse matrix of shape {self.shape} with {self.nnz} elements of {self.dtype}>"


enter_by_methods(SparseArray, ("matmul", "rmatmul", "mul", "truediv"), ("T", "nnz"))
tree.register(
    SparseArray,
    lambda a: (a.rows[:3], (a.rows.shape, a.is_transposed)),
    lambda aux, leaves: SparseArray(Rows(*leaves, shape=aux[0]), aux[1]),
)


def as_sparse(a: Any) -> SparseArray | None:
    """A sparse matrix, SciPy's or one of these; None for anything else."""
    if isinstance(a, SparseArray):
        return a
    if type(a).__module__.startswith("scipy.sparse."):
        return SparseArray(*compressed(a))
    return None


def _places(x: Any) -> Any:
    return np.asarray(
        known_choice(as_operand(x), "Where the elements of a sparse matrix are", STATIC)
    )


def _by_rows(arg1: Any, shape: Any, dtype: Any, name: str) -> tuple[Any, ...] | SparseArray:
    """What the constructors for compressed formats share."""
    if isinstance(arg1, tuple) and len(arg1) == 3:
        return (as_operand(arg1[0]), *map(as_operand, arg1[1:]))
    if isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[1], tuple):
        return coo_array(arg1, shape, dtype)
    sparse = as_sparse(arg1)
    if sparse is not None:
        return sparse
    make = getattr(scipy_module("sparse", f"functrace.scipy.sparse.{name}"), name)
    found = make(arg1, shape=shape, dtype=dtype)
    return SparseArray(*compressed(found))


def _cast(data: Any, dtype: Any) -> Any:
    return data if dtype is None else data.astype(dtype)


def csr_array(arg1: Any, shape: tuple[int, int] | None = None, dtype: Any = None) -> SparseArray:
    """A matrix in compressed rows, whose elements may be traced.

    Args:
        arg1: ``(data, indices, indptr)``: the elements row by row, the column of each, and where
            each row begins; ``(data, (row, column))``, as `coo_array` takes it; or a matrix of
            values, sparse or dense.
        shape: The rows and the columns; None for as many as the places need.
        dtype: That of the elements.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import sparse
        >>> def total(data):
        ...     a = sparse.csr_array((data, [0, 1, 1], [0, 1, 3]), shape=(2, 2))
        ...     return np.sum(a @ np.array([1.0, 10.0]))
        >>> ft.grad(total)(np.array([1.0, 2.0, 3.0]))
        array([ 1., 10., 10.])
    """
    found = _by_rows(arg1, shape, dtype, "csr_array")
    if isinstance(found, SparseArray):
        return found
    data, indices, indptr = found
    if shape is None:
        columns = int(np.max(_places(indices), initial=-1)) + 1
        shape = (shape_of(indptr)[0] - 1, columns)
    return SparseArray(Rows(_cast(data, dtype), indices, indptr, (int(shape[0]), int(shape[1]))))


def csc_array(arg1: Any, shape: tuple[int, int] | None = None, dtype: Any = None) -> SparseArray:
    """As `csr_array`, by columns: the row of each element, and where each column begins.

    Example:
        >>> from functrace.scipy import sparse
        >>> sparse.csc_array(([1.0, 2.0, 3.0], [0, 1, 1], [0, 2, 3]), shape=(2, 2)).toarray()
        array([[1., 0.],
               [2., 3.]])
    """
    found = _by_rows(arg1, shape, dtype, "csc_array")
    if isinstance(found, SparseArray):
        return found
    return csr_array(found, None if shape is None else (shape[1], shape[0]), dtype).T


def coo_array(arg1: Any, shape: tuple[int, int] | None = None, dtype: Any = None) -> SparseArray:
    """A matrix of elements at places; those at the same place are added.

    Args:
        arg1: ``(data, (row, column))``, three arrays of the same length, of which the places are
            known; or a matrix of values, sparse or dense.
        shape: The rows and the columns; None for as many as the places need.
        dtype: That of the elements.

    Example:
        >>> from functrace.scipy import sparse
        >>> sparse.coo_array(([1.0, 2.0, 3.0], ([0, 1, 1], [1, 0, 0])), shape=(2, 2)).toarray()
        array([[0., 1.],
               [5., 0.]])
    """
    if not (isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[1], tuple | list)):
        return csr_array(arg1, shape, dtype)
    data, (row, column) = as_operand(arg1[0]), map(_places, arg1[1])
    if shape is None:
        shape = (int(np.max(row, initial=-1)) + 1, int(np.max(column, initial=-1)) + 1)
    order = np.lexsort((column, row))
    begins = np.searchsorted(row[order], np.arange(shape[0] + 1)).astype(row.dtype)
    return csr_array((_cast(data[order], dtype), column[order], begins), shape)


csr_matrix, csc_matrix, coo_matrix = csr_array, csc_array, coo_array

globals().update(entrances(globals()))
