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
from typing import Any, NamedTuple

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.determinants import inverse_or_infinite
from functrace.matrices.stacks import (
    OfMatrices,
    adjoint,
    conjugate,
    counted,
    diagonal,
    factor_dtype,
    like,
    require_square,
    undefined,
)
from functrace.primitives.linear import add_tangents, conform, dtype_of, shape_of, stop_gradient
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
        tangent, vectors = tangents[0], output[1]
        parts = _separated(inputs[0], output)
        with np.errstate(invalid="ignore", over="ignore"):
            seen = parts.inverse @ (tangent @ vectors)
            moved = vectors @ np.where(parts.skipped, 0, seen / parts.gaps)
            moved = moved - vectors * _scale(vectors, moved)
        missing = undefined(tangent, inputs[0]) * dtype_of(vectors).type(1 + 1j)
        return (
            np.where(parts.is_simple, diagonal(seen), missing[..., 0]),
            np.where(parts.is_simple[..., None, :], moved, missing),
        )

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        by_values, by_vectors = map(conjugate, cotangent)
        vectors = output[1]
        parts = _separated(inputs[0], output)
        middle = missing = None
        if by_values is not None:
            others = np.where(parts.is_simple, 0, by_values)[..., None, :]
            missing = undefined(others, inputs[0])
            simple = np.where(parts.is_simple, by_values, 0)
            middle = simple[..., None, :] * like(np.eye(shape_of(simple)[-1]), simple)
        if by_vectors is not None:
            is_simple = parts.is_simple[..., None, :]
            others = np.where(is_simple, 0, by_vectors)
            missing = add_tangents(missing, undefined(others, inputs[0]))
            by_moved = _scale_transposed(vectors, np.where(is_simple, by_vectors, 0))
            seen = adjoint(vectors) @ by_moved / np.conj(parts.gaps)
            middle = add_tangents(middle, np.where(parts.skipped, 0, seen))
        if middle is None:
            return (None,)
        result = adjoint(parts.inverse) @ middle @ adjoint(vectors)
        return (conform(np.conj(result) + missing, inputs[0]),)


class _Parts(NamedTuple):
    """What the rules are written with.

    Attributes:
        inverse: That of the matrix of vectors.
        gaps: By how much eigenvalue j lies above i at ``ij``; 1 where that is skipped.
        skipped: Whether it is on the diagonal, or nothing that rounding tells apart.
        is_simple: Which eigenvalues are told apart from all others.
    """

    inverse: Any
    gaps: Any
    skipped: Any
    is_simple: Any


def _separated(a: Any, output: Any) -> _Parts:
    values, vectors = output
    with np.errstate(invalid="ignore", over="ignore"):
        inverse = bind(inverse_or_infinite, vectors)
        confused = _confused(a, values, inverse)
        inverse = np.where(np.isfinite(inverse), inverse, 0)
    skipped = confused | np.eye(shape_of(values)[-1], dtype=bool)
    gaps = np.where(skipped, 1, values[..., None, :] - values[..., :, None])
    return _Parts(inverse, gaps, skipped, ~np.any(confused, axis=-2))


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


def _largest(vectors: Any) -> Any:
    """The number of the component of each vector that LAPACK has made real."""
    sizes = np.where(np.equal(np.imag(vectors), 0), np.abs(vectors), -1)
    return np.argmax(sizes, axis=-2, keepdims=True)


def _scale(vectors: Any, moved: Any) -> Any:
    """What takes moved eigenvectors back to norm 1 and to a largest component that is real."""
    along = np.sum(np.real(np.conj(vectors) * moved), axis=-2, keepdims=True)
    if not shape_of(vectors)[-1]:
        return along
    largest = _largest(vectors)
    component, change = (np.take_along_axis(x, largest, -2) for x in (vectors, moved))
    return along + np.imag(change / component) * dtype_of(vectors).type(1j)


def _scale_transposed(vectors: Any, cotangent: Any) -> Any:
    """The transpose of taking moved eigenvectors back, for a conjugated cotangent."""
    size = shape_of(vectors)[-1]
    if not size:
        return cotangent
    along = np.sum(np.conj(cotangent) * vectors, axis=-2, keepdims=True)
    largest = _largest(vectors)
    component = np.take_along_axis(vectors, largest, -2)
    turned = np.imag(along) / np.conj(component) * dtype_of(vectors).type(1j)
    is_largest = np.equal(largest, np.arange(size)[:, None])
    return cotangent - vectors * np.real(along) + np.where(is_largest, turned, 0)


eig = Eig("eig")
