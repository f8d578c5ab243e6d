"""Linear systems and inverses, of any matrices and of triangular ones.

NumPy has no substitution. A triangular matrix is halved until its blocks are small, which leaves
nearly all of the work to products of matrices.

Sources: Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation (2008); Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
sections 8.1 and 14.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, broadcast_shapes
from functrace.matrices.stacks import (
    OfSquares,
    counted,
    factor_dtype,
    operations_of_lu,
    require_matrix,
    require_square,
    triangle_like,
)
from functrace.primitives.linear import conform, move_batch_axis, shape_of
from functrace.tracing.tracer import bind


class Solve(Primitive):
    """The solution of linear systems; the right-hand sides are matrices, never vectors."""

    is_fresh = True
    linear_in = (1,)

    def run(self, a: Any, b: Any) -> Any:
        """Solve by LU factorization."""
        return np.linalg.solve(a, b)

    def infer(self, a: ArrayType, b: ArrayType) -> ArrayType:
        """The leading axes broadcast."""
        stack, size = require_square(a)
        other, rows, columns = require_matrix(b)
        if rows != size:
            raise ValueError(f"the matrix has {size} rows, the right-hand side {rows}")
        return ArrayType((*broadcast_shapes(stack, other), size, columns), factor_dtype(a, b))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and two substitutions for each right-hand side."""
        *leading, size, columns = map(abs, outputs[0].shape)
        solving = math.prod(leading) * 2 * size**2 * columns
        return counted(inputs, operations_of_lu) + solving

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """One more system, with the transposed matrix (Giles, section 2.3.1)."""
        a, b = inputs
        pulled = bind(self, a.mT, cotangent)
        first = second = None
        if needed[0] is not None:
            # Of one right-hand side a product of vectors, in which nothing is added up.
            is_one = shape_of(output)[-1] == 1
            product = -pulled * output.mT if is_one else -pulled @ output.mT
            first = conform(product, a)
        if needed[1] is not None:
            second = conform(pulled, b)
        return first, second

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Line up the batch axes in front of the leading axes; NumPy broadcasts."""
        ranks = [
            len(shape_of(x)) - (axis is not None) for x, axis in zip(inputs, axes, strict=True)
        ]
        moved = [
            x if axis is None else move_batch_axis(x, axis, max(ranks))
            for x, axis in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved, **params), 0


class SolveTriangular(Solve):
    """As `Solve`, for a matrix of which one triangle counts.

    Parameters: ``lower``, which triangle; ``unit_diagonal``, whether its diagonal is taken as 1.
    """

    def run(self, a: Any, b: Any, *, lower: bool, unit_diagonal: bool) -> Any:
        """Substitute block by block."""
        if unit_diagonal:
            a = np.tril(a, -1) if lower else np.triu(a, 1)
            a = a + np.eye(a.shape[-1], dtype=a.dtype)
        return _substituted(a, b, lower)

    def infer(self, a: ArrayType, b: ArrayType, **params: Any) -> ArrayType:
        """As `Solve`."""
        return super().infer(a, b)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        lower: bool,
        unit_diagonal: bool,
    ) -> Sequence[Any]:
        """One more system, with the transposed triangle."""
        a, b = inputs
        pulled = bind(self, a.mT, cotangent, lower=not lower, unit_diagonal=unit_diagonal)
        first = second = None
        if needed[0] is not None:
            cut = np.tril if lower else np.triu
            offset = int(unit_diagonal) * (-1 if lower else 1)
            first = conform(cut(-(pulled @ output.mT), offset), a)
        if needed[1] is not None:
            second = conform(pulled, b)
        return first, second


SMALLEST = 32
"""Of so many rows a triangular matrix is no longer halved."""


def _substituted(a: Any, b: Any, lower: bool) -> Any:
    """Solve a triangular system, of whose matrix the other triangle is not read."""
    size = a.shape[-1]
    if size <= SMALLEST:
        return np.linalg.solve(a * triangle_like(a, lower, 1.0), b)
    half = size // 2
    first, second = (slice(half), slice(half, None))[:: 1 if lower else -1]
    x = _substituted(a[..., first, first], b[..., first, :], lower)
    rest = b[..., second, :] - a[..., second, first] @ x
    y = _substituted(a[..., second, second], rest, lower)
    return np.concatenate([x, y] if lower else [y, x], axis=-2)


class Inverse(OfSquares):
    """The inverse of each matrix."""

    def run(self, a: Any) -> Any:
        """Invert."""
        return np.linalg.inv(a)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 3.4."""
        return counted(inputs, lambda m, n: 2 * n**3)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """From ``d(inv A) = -inv A dA inv A`` (Giles, section 2.2.3)."""
        transpose = output.mT
        return (conform(-(transpose @ cotangent @ transpose), inputs[0]),)


class InverseOfTriangle(Inverse):
    """The inverse of triangular matrices, whose other triangle is not read.

    Parameters: ``lower``, which triangle.
    """

    def run(self, a: Any, *, lower: bool) -> Any:
        """Invert block by block."""
        dtype = factor_dtype(ArrayType(a.shape, a.dtype))
        result = np.zeros(a.shape, dtype)
        _invert(a, result, lower)
        return result

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """As `Inverse`."""
        return super().infer(a)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 3.1."""
        return counted(inputs, lambda m, n: n**3 / 3)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        lower: bool,
    ) -> Sequence[Any]:
        """That of the inverse, of the triangle that is read."""
        (full,) = super().vjp(cotangent, inputs, output, needed)
        return (full * triangle_like(full, lower, 1.0),)


def _invert(a: Any, result: Any, lower: bool) -> None:
    """Write the inverse of a triangular matrix into zeros."""
    size = a.shape[-1]
    if size <= SMALLEST:
        triangle = triangle_like(a, lower, 1.0)
        np.multiply(np.linalg.inv(a * triangle), triangle, out=result)
        return
    half = size // 2
    first, second = slice(half), slice(half, None)
    for block in (first, second):
        _invert(a[..., block, block], result[..., block, block], lower)
    row, column = (second, first) if lower else (first, second)
    outer = result[..., row, row] @ a[..., row, column]
    np.negative(outer @ result[..., column, column], out=result[..., row, column])


solve = Solve("solve")
solve_triangular = SolveTriangular("solve_triangular")
inverse = Inverse("inverse")
inverse_of_triangle = InverseOfTriangle("inverse_of_triangle")
