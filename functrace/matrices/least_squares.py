"""Least-squares solutions, pseudo-inverses and ranks, by the singular values of a matrix.

The solution is the pseudo-inverse times the right-hand side, and has a derivative where the matrix
has full rank; where it has not, the nearest matrices have another rank, and their solutions are far
away. There a derivative is refused.

Source: Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares
problems whose variables separate (SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.matrices.stacks import (
    OfMatrices,
    adjoint,
    counted,
    factor_dtype,
    from_triangle,
    operations_of_eigh,
    operations_of_svd,
    real_dtype,
    require_matrix,
)
from functrace.primitives.linear import (
    LocallyConstant,
    add_tangents,
    conform,
    in_each,
    shape_of,
)
from functrace.primitives.requiring import require
from functrace.tracing.tracer import bind


class PseudoInverse(OfMatrices):
    """The Moore-Penrose inverse of each matrix.

    Parameters: ``tolerance``, below which share of the largest singular value others count as
    zero, which must be zeros but for rounding; None for NumPy's default; ``hermitian``.
    """

    def run(self, a: Any, *, tolerance: float | None, hermitian: bool) -> Any:
        """Invert the singular values."""
        if tolerance is None:
            return np.linalg.pinv(a, hermitian=hermitian)
        return np.linalg.pinv(a, tolerance, hermitian)

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """Transposed."""
        stack, rows, columns = require_matrix(a)
        return ArrayType((*stack, columns, rows), factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A singular value decomposition (section 8.6), and a product of matrices."""
        decomposed = operations_of_eigh if params["hermitian"] else operations_of_svd
        return counted(inputs, lambda m, n: decomposed(m, n) + 2 * m * n**2)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The derivative where the rank does not change (Golub and Pereyra, equation 4.12)."""
        a, t, p = inputs[0], tangents[0], output
        if params["hermitian"]:  # NumPy reads the lower triangle
            a, t = from_triangle(a, lower=True), from_triangle(t, lower=True)
        flipped, ph = adjoint(t), adjoint(p)
        left, right = _product(p, ph, flipped), _product(flipped, ph, p)
        return left - _product(left, a, p) + right - _product(p, a, right) - _product(p, t, p)


def _product(x: Any, y: Any, z: Any) -> Any:
    """The product of three matrices, by way of the smaller one of the two matrices between."""
    by_first = x.shape[-2] * y.shape[-1] <= y.shape[-2] * z.shape[-1]
    return x @ y @ z if by_first else x @ (y @ z)


class MatrixRank(OfMatrices, LocallyConstant):
    """The number of singular values that are not zero. Parameters: as `numpy.linalg`."""

    makes_scalars = True

    def run(self, a: Any, *, tolerance: Any, relative: bool, hermitian: bool) -> Any:
        """Count."""
        tolerance = None if tolerance is None else np.asarray(tolerance)
        named = {} if tolerance is None else {"rtol" if relative else "tol": tolerance}
        return np.linalg.matrix_rank(a, hermitian=hermitian, **named)

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """An integer for each matrix."""
        stack, _, _ = require_matrix(a)
        factor_dtype(a)
        return ArrayType(stack, np.dtype(np.intp))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.6: the singular values alone."""
        return counted(inputs, lambda m, n: 4 * m * n**2 - 4 / 3 * n**3)


class LeastSquares(Primitive):
    """The solutions of least norm, the sums of squared residuals, and the rank of the matrix.

    Both inputs are stacks of matrices with the same leading axes. Parameters: ``tolerance``, below
    which share of the largest singular value others count as zero; None for NumPy's default.
    """

    multiple_outputs = True
    is_fresh = True
    constant_outputs = frozenset({2})

    def run(self, a: Any, b: Any, *, tolerance: float | None) -> Any:
        """Solve one after the other: NumPy takes one matrix."""
        types = self.infer(*(ArrayType(x.shape, x.dtype) for x in (a, b)))
        x, residuals, ranks = (np.empty(type.shape, type.dtype) for type in types)
        for index in np.ndindex(a.shape[:-2]):
            found, sums, ranks[index], _ = np.linalg.lstsq(a[index], b[index], tolerance)
            if sums.shape != residuals.shape[-1:]:  # NumPy leaves them out
                sums = np.sum(np.abs(b[index] - a[index] @ found) ** 2, axis=0)
            x[index], residuals[index] = found, sums
        return x, residuals, ranks[()]

    def infer(
        self, a: ArrayType, b: ArrayType, **params: Any
    ) -> tuple[ArrayType, ArrayType, ArrayType]:
        """A matrix, a row of real numbers, and an integer."""
        stack, rows, columns = require_matrix(a)
        _, other_rows, count = require_matrix(b)
        if rows != other_rows:
            raise np.linalg.LinAlgError("Incompatible dimensions")
        dtype = factor_dtype(a, b)
        return (
            ArrayType((*stack, columns, count), dtype),
            ArrayType((*stack, count), real_dtype(dtype)),
            ArrayType(stack, np.dtype(np.intc)),
        )

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A singular value decomposition, and a product for each right-hand side."""
        *_, count = map(abs, inputs[1].shape)
        return counted(inputs, lambda m, n: operations_of_svd(m, n) + 4 * m * n * count)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of Golub and Pereyra's equation 4.12, for matrices of full rank."""
        (a, b), (x, _, rank) = inputs, output
        by_x, by_sums, _ = cotangent
        rows, columns = shape_of(a)[-2:]
        full = min(rows, columns)
        x = require(x, np.equal(rank, full), _REFUSED.format(full), np.linalg.LinAlgError)
        residual = b - a @ x
        by_b = by_a = None
        if by_x is not None:
            inverse = bind(pseudo_inverse, a, tolerance=0.0, hermitian=False)
            by_b = inverse.mT @ by_x
            if rows > columns:
                by_a = np.conj(residual @ (by_b.mT @ adjoint(inverse)))
            elif rows < columns:
                by_a = np.conj(adjoint(inverse) @ x @ (by_x.mT - by_b.mT @ a))
        if by_sums is not None:
            by_b = add_tangents(by_b, 2 * by_sums[..., None, :] * np.conj(residual))
        if by_b is None:
            return None, None
        by_a = add_tangents(by_a, -by_b @ x.mT)
        return conform(by_a, a), conform(by_b, b)

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """One more leading axis."""
        moved = [in_each(size, x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return bind(self, *moved, **params), (0, 0, 0)


_REFUSED = (
    "The solution of lstsq has no derivative where the rank of the matrix is less than {}: the "
    "nearest matrices have other ranks."
)

least_squares = LeastSquares("lstsq")
pseudo_inverse = PseudoInverse("pinv")
matrix_rank = MatrixRank("matrix_rank")
