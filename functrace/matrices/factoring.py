"""Factorizations with a triangular factor: Cholesky's, and the one with orthonormal columns.

Sources: Murray, Differentiation of the Cholesky decomposition (arXiv:1602.07527); Walter and
Lehmann, Algorithmic differentiation of linear algebra functions (arXiv:1001.1654).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.stacks import (
    OfMatrices,
    OfSquares,
    adjoint,
    conjugate,
    counted,
    factor_dtype,
    from_triangle,
    is_complex,
    like,
    require_matrix,
    triangle_like,
    triangle_of,
    undefined,
    undefined_cotangent,
)
from functrace.matrices.systems import inverse_of_triangle
from functrace.primitives.linear import LocallyConstant, add_tangents, conform, dtype_of, shape_of
from functrace.primitives.zero_products import product_or_zero
from functrace.tracing.tracer import bind


class Cholesky(OfSquares):
    """The lower triangular factor of positive definite matrices; their lower triangle is read."""

    def run(self, a: Any) -> Any:
        """Factor."""
        return np.linalg.cholesky(a)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 4.2."""
        return counted(inputs, lambda m, n: n**3 / 3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """``L phi(inv L dA inv L^H)``, phi the lower half (Murray 2016, equation 8)."""
        inverse = bind(inverse_of_triangle, output, lower=True)
        middle = inverse @ from_triangle(tangents[0], lower=True) @ adjoint(inverse)
        return output @ (middle * triangle_like(middle, True, 0.5))

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of `jvp` (Murray 2016, equation 9)."""
        inverse = bind(inverse_of_triangle, output, lower=True)
        seen = output.mT @ cotangent
        middle = inverse.mT @ (seen * triangle_like(seen, True, 0.5)) @ conjugate(inverse)
        return (conform(triangle_of(middle, lower=True), inputs[0]),)


class Qr(OfMatrices):
    """The factorization into a matrix with orthonormal columns and an upper triangular one.

    Parameters: ``full``, whether the first factor is square.
    """

    multiple_outputs = True

    def run(self, a: Any, *, full: bool) -> Any:
        """Factor."""
        return tuple(np.linalg.qr(a, "complete" if full else "reduced"))

    def infer(self, a: ArrayType, *, full: bool) -> tuple[ArrayType, ArrayType]:
        """Two matrices."""
        stack, rows, columns = require_matrix(a)
        count = rows if full else min(rows, columns)
        dtype = factor_dtype(a)
        return ArrayType((*stack, rows, count), dtype), ArrayType((*stack, count, columns), dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 5.2: Householder's reflections, and the first factor from them."""
        *_, rows, columns = map(abs, inputs[0].shape)
        count = min(rows, columns)
        if params["full"]:
            second = 4 * (rows**2 * count - rows * count**2 + count**3 / 3)
        else:
            second = 2 * count**2 * (rows - count / 3)
        return counted(inputs, lambda m, n: 2 * n**2 * (m - n / 3) + second)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Walter and Lehmann; of a wide matrix the left square part decides."""
        tangent, (q, r) = tangents[0], output
        if tangent is None:
            return None, None
        rows, columns = shape_of(tangent)[-2:]
        count = min(rows, columns)
        has_rest = full and rows > columns
        if has_rest:
            q, r = q[..., :count], r[..., :count, :]
        inverse, valid = _inverse_or_nan(r[..., :count])
        scaled = tangent[..., :count] @ inverse
        seen = adjoint(q) @ scaled
        below = seen * triangle_like(seen, True, 0.0)
        turn = below - adjoint(below)
        if is_complex(seen):  # the diagonal of R stays real
            turn = turn + (seen - np.conj(seen)) * like(np.eye(count) / 2, seen)
        q_tangent = product_or_zero(q @ (turn - seen) + scaled, valid)
        r_tangent = product_or_zero((seen - turn) @ r[..., :count], valid)
        if columns > rows:
            rest = adjoint(q_tangent) @ inputs[0][..., count:]
            rest = rest + adjoint(q) @ tangent[..., count:]
            r_tangent = np.concatenate([r_tangent, rest], axis=-1)
        if has_rest:
            missing = undefined(tangent, inputs[0])
            missing = np.broadcast_to(missing, (*shape_of(q)[:-1], rows - columns))
            q_tangent = np.concatenate([q_tangent, missing], axis=-1)
            below = np.zeros((*shape_of(r)[:-2], rows - columns, columns), dtype_of(r_tangent))
            r_tangent = np.concatenate([r_tangent, below], axis=-2)
        return q_tangent, r_tangent

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        full: bool,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        a, (q, r), (by_q, by_r) = inputs[0], output, map(conjugate, cotangent)
        rows, columns = shape_of(a)[-2:]
        count = min(rows, columns)
        by_missing = None
        if full and rows > columns:
            if by_q is not None:
                by_missing = undefined_cotangent(by_q[..., count:], inputs[0], _THIN)
                by_q = by_q[..., :count]
            q, r = q[..., :count], r[..., :count, :]
            by_r = None if by_r is None else by_r[..., :count, :]
        inverse, valid = _inverse_or_nan(r[..., :count])
        middle = outside = by_rest = None
        if by_r is not None:
            by_r = product_or_zero(by_r, valid)
            middle = by_r[..., :count] @ adjoint(r[..., :count])
            if columns > rows:
                by_rest = q @ by_r[..., count:]
                by_q = add_tangents(by_q, a[..., count:] @ adjoint(by_r[..., count:]))
        if by_q is not None:
            outside = product_or_zero(by_q, valid)
            middle = add_tangents(middle, -adjoint(q) @ outside)
        if middle is None:
            return (None,)
        above = middle * triangle_like(middle, False, 0.0)
        middle = above + adjoint(above) + np.real(middle) * like(np.eye(count), middle)
        result = add_tangents(outside, q @ middle) @ adjoint(inverse)
        if columns > rows:
            by_rest = np.zeros_like(a[..., count:]) if by_rest is None else by_rest
            result = np.concatenate([result, by_rest], axis=-1)
        if by_missing is not None:
            result = result + by_missing
        return (conform(conjugate(result), a),)


_THIN = (
    "The columns of a complete factor of qr that belong to no column of the matrix have no "
    'derivative; those of np.linalg.qr(x, "reduced") have one.'
)


class SingularTriangle(OfMatrices, LocallyConstant):
    """Whether a triangular factor of a matrix has a zero on its diagonal, but for rounding."""

    def run(self, r: Any) -> Any:
        """Compare with the largest element."""
        eps = np.finfo(r.dtype).eps
        largest = np.max(np.abs(r), axis=(-2, -1), initial=0)[..., None]
        is_zero = np.abs(np.diagonal(r, 0, -2, -1)) <= 4 * r.shape[-1] * eps * largest
        return is_zero.any(-1)[..., None, None]

    def infer(self, r: ArrayType) -> ArrayType:
        """A boolean for each matrix, which broadcasts against it."""
        return ArrayType((*r.shape[:-2], 1, 1), np.dtype(bool))


def _inverse_or_nan(r: Any) -> tuple[Any, Any]:
    """The inverse of triangular factors; and 1, or nan for one that is singular.

    Where a matrix has not the full rank, a part of its first factor is arbitrary.
    """
    is_singular = bind(singular_triangle, r)
    dtype = dtype_of(r)
    regular = np.where(is_singular, np.eye(shape_of(r)[-1], dtype=dtype), r)
    valid = np.where(is_singular, dtype.type(np.nan), dtype.type(1))
    return bind(inverse_of_triangle, regular, lower=False), valid


cholesky = Cholesky("cholesky")
qr = Qr("qr")
singular_triangle = SingularTriangle("singular_triangle")
