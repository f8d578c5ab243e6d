"""Stacks of matrices: their types, their parts, and what rules on them have in common.

As in NumPy, all functions of matrices act on the last two axes, and the axes before those count
matrices: many examples at once are no more than one axis in front.

Where NumPy reads one triangle of a Hermitian matrix only (`cholesky`, `eigh`), the derivative with
respect to the other triangle is zero: it is the derivative of what NumPy computes. A cotangent for
a symmetric matrix made of parameters comes out the same as with any other convention.

Source of the counts: Golub and Van Loan, Matrix Computations, 4th edition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from functrace.errors import MissingRuleError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, Shape, promotion_operand
from functrace.primitives.linear import dtype_of, in_front, known_value, shape_of
from functrace.primitives.zero_products import product_or_zero
from functrace.tracing.tracer import bind


def factor_dtype(*types: ArrayType) -> np.dtype[Any]:
    """The dtype in which NumPy's linear algebra computes: integers become double precision.

    Raises:
        TypeError: LAPACK has no such numbers (half precision, long double).
    """
    whole = np.dtype(np.float64)
    dtype = np.result_type(
        *(whole if type.dtype.kind in "biu" else promotion_operand(type) for type in types)
    )
    if dtype.char not in "fdFD":
        raise TypeError(f"array type {dtype.name} is unsupported in linalg")
    return dtype


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the real part."""
    return np.dtype(dtype.char.lower())


def require_matrix(type: ArrayType) -> tuple[Shape, int, int]:
    """The leading axes, the rows and the columns."""
    if type.ndim < 2:
        raise np.linalg.LinAlgError(
            f"{type.ndim}-dimensional array given. Array must be at least two-dimensional"
        )
    return type.shape[:-2], type.shape[-2], type.shape[-1]


def require_square(type: ArrayType) -> tuple[Shape, int]:
    """The leading axes, and the size."""
    stack, rows, columns = require_matrix(type)
    if rows != columns:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return stack, rows


def is_complex(x: Any) -> bool:
    """Whether an array is complex."""
    return dtype_of(x).kind == "c"


def conjugate(x: Any) -> Any:
    """The complex conjugate; real arrays, and None, as they are."""
    return np.conj(x) if x is not None and is_complex(x) else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return np.conj(x.mT) if is_complex(x) else x.mT


def diagonal(x: Any) -> Any:
    """The diagonal of each matrix."""
    return np.diagonal(x, 0, -2, -1)


@lru_cache(maxsize=64)
def _triangle(size: int, char: str, lower: bool, diagonal: float) -> Any:
    part = (np.tri(size, k=-1) + diagonal * np.eye(size)).astype(char)
    part = part if lower else part.T
    part.flags.writeable = False
    return part


def triangle_like(x: Any, lower: bool, diagonal: float) -> Any:
    """Ones in one triangle of a square, a number on the diagonal, in the precision of an array."""
    return _triangle(shape_of(x)[-1], real_dtype(dtype_of(x)).char, lower, diagonal)


def from_triangle(t: Any, lower: bool) -> Any:
    """The Hermitian matrix of which NumPy reads one triangle, as a linear function of it."""
    part = t * triangle_like(t, lower, 0.5)
    return part + adjoint(part)


def triangle_of(cotangent: Any, lower: bool) -> Any:
    """The transpose of `from_triangle`: the cotangent of the triangle that is read."""
    return (cotangent + adjoint(cotangent)) * triangle_like(cotangent, lower, 0.5)


def like(weights: Any, x: Any) -> Any:
    """Constants in the precision of an array, so that they do not promote it."""
    return weights.astype(real_dtype(dtype_of(x)))


def counted(types: Sequence[ArrayType], operations: Callable[[int, int], float]) -> int:
    """The operations for a stack of matrices, from a formula in the larger and the smaller side."""
    *leading, rows, columns = map(abs, types[0].shape)
    large, small = max(rows, columns), min(rows, columns)
    return math.prod(leading) * round(operations(large, small))


def operations_of_lu(m: int, n: int) -> float:
    """An LU factorization."""
    return 2 / 3 * n**3


def operations_of_svd(m: int, n: int) -> float:
    """The thin singular value decomposition."""
    return 14 * m * n**2 + 8 * n**3


def operations_of_eigh(m: int, n: int) -> float:
    """The eigenvalues and eigenvectors of a Hermitian matrix."""
    return 9 * n**3


def undefined(tangent: Any, a: Any) -> Any:
    """The tangent of outputs that have no derivative: zero where the input's is zero, else nan.

    Args:
        tangent: That of the input, of shape (..., m, n).
        a: The input, of shape (..., k, l), by which the result has no derivative either.

    Returns:
        A number for each matrix, of shape (..., 1, 1).
    """
    nan = dtype_of(tangent).type(np.nan)
    nan = nan + np.sum(product_or_zero(a, nan), axis=(-2, -1), keepdims=True)
    return np.sum(product_or_zero(tangent, nan), axis=(-2, -1), keepdims=True)


def undefined_cotangent(cotangent: Any, a: Any, message: str) -> Any:
    """The transpose of `undefined`: the cotangent of an input.

    Args:
        cotangent: That of the outputs that have none, of shape (..., m, n).
        a: The input.
        message: What is said where some are known not to be zero.

    Returns:
        The cotangent for each element of the matrix, of shape (..., 1, 1).

    Raises:
        MissingRuleError: Some are known not to be zero.
    """
    known = known_value(cotangent)
    if isinstance(known, np.ndarray) and known.any():
        raise MissingRuleError(message)
    return undefined(cotangent, a)


class OfMatrices(Primitive):
    """A function of one stack of matrices. Its examples are one more leading axis."""

    is_fresh = True

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front of the leading axes."""
        output = bind(self, in_front(inputs[0], axes[0]), **params)
        return output, (0,) * len(output) if self.multiple_outputs else 0


class OfSquares(OfMatrices):
    """One that makes square matrices of square matrices."""

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        require_square(a)
        return ArrayType(a.shape, factor_dtype(a))
