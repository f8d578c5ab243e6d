"""Eigenvalues and eigenvectors of general matrices.

NumPy gives real results where all eigenvalues of a real stack are real, which depends on the
values; the primitive's are always complex. Each eigenvector has norm 1, and LAPACK makes its
largest component real: that is the choice of scale and phase whose derivative is taken.

A matrix is differentiated where the eigenvalue is simple. Eigenvalues that cannot be told apart
within the rounding, as those of a defective matrix, have the derivative nan, and so have their
vectors. To first order rounding moves an eigenvalue by its condition number times the rounding of
the matrix, and of a defective matrix this number is infinite.

Sources: Magnus, On differentiating eigenvalues and eigenvectors (Econometric Theory 1, 1985);
Golub and Van Loan, Matrix Computations, 4th edition, section 7.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.determinants import inverse_or_infinite
from functrace.matrices.stacks import (
    OfMatrices,
    counted,
    diagonal,
    factor_dtype,
    require_square,
)
from functrace.primitives.elementwise import product_or_zero
from functrace.primitives.linear import dtype_of, stop_gradient
from functrace.tracing.tracer import bind


class Eig(OfMatrices):
    """Complex eigenvalues, in no order, and the matrices whose columns are eigenvectors."""

    multiple_outputs = True

    def run(self, a: Any) -> Any:
        """Factor."""
        values, vectors = np.linalg.eig(a)
        dtype = np.result_type(values.dtype, np.complex64)
        return values.astype(dtype, copy=False), vectors.astype(dtype, copy=False)

    def infer(self, a: ArrayType) -> tuple[ArrayType, ArrayType]:
        """A complex vector and a complex matrix."""
        require_square(a)
        dtype = np.result_type(factor_dtype(a), np.complex64)
        return ArrayType(a.shape[:-1], dtype), ArrayType(a.shape, dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 7.5.6: the QR algorithm, with eigenvectors."""
        return counted(inputs, lambda m, n: 25 * n**3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """First-order perturbation (Magnus 1985), with the norm and the phase that LAPACK gives."""
        if tangents[0] is None:
            return None, None
        tangent, (values, vectors) = tangents[0], output
        with np.errstate(invalid="ignore", over="ignore"):
            inverse = bind(inverse_or_infinite, vectors)
            confused = _confused(inputs[0], values, inverse)
            inverse = np.where(np.isfinite(inverse), inverse, 0)
            seen = inverse @ (tangent @ vectors)
            skipped = confused | np.eye(values.shape[-1], dtype=bool)
            gaps = values[..., None, :] - values[..., :, None]
            moved = vectors @ np.where(skipped, 0, seen / np.where(skipped, 1, gaps))
            moved = moved - vectors * _scale(vectors, moved)
        is_simple = ~np.any(confused, axis=-2)
        nan = dtype_of(values).type(complex(np.nan, np.nan))
        undefined = np.sum(product_or_zero(tangent, nan), axis=(-2, -1))[..., None]
        return (
            np.where(is_simple, diagonal(seen), undefined),
            np.where(is_simple[..., None, :], moved, undefined[..., None]),
        )


def _confused(a: Any, values: Any, inverse: Any) -> Any:
    """At ``ij``, whether rounding moves eigenvalue j as far as another one, i."""
    a, values, inverse = map(stop_gradient, (a, values, inverse))
    size = values.shape[-1]
    eps = float(np.finfo(dtype_of(values)).eps)
    conditions = np.sqrt(np.sum(np.abs(inverse) ** 2, axis=-1))  # the vectors have norm 1
    scale = np.sqrt(np.sum(np.abs(a) ** 2, axis=(-2, -1)))[..., None, None]
    gaps = np.abs(values[..., None, :] - values[..., :, None])
    moves = 8 * size * eps * scale * conditions[..., None, :]
    return ~(gaps > moves) & ~np.eye(size, dtype=bool)


def _scale(vectors: Any, moved: Any) -> Any:
    """What takes moved eigenvectors back to norm 1 and to a largest component that is real."""
    along = np.sum(np.real(np.conj(vectors) * moved), axis=-2, keepdims=True)
    if not vectors.shape[-1]:
        return along
    sizes = np.where(np.equal(np.imag(vectors), 0), np.abs(vectors), -1)
    largest = np.argmax(sizes, axis=-2, keepdims=True)
    component, change = (np.take_along_axis(x, largest, -2) for x in (vectors, moved))
    return along + np.imag(change / component) * dtype_of(vectors).type(1j)


eig = Eig("eig")
