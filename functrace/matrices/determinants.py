"""Determinants, which singular matrices have too, and the matrices of cofactors.

Sources: Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation (2008), sections 2.2.3 and 2.2.4.
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
    counted,
    diagonal,
    factor_dtype,
    is_complex,
    like,
    operations_of_lu,
    real_dtype,
    require_square,
)
from functrace.matrices.systems import Inverse
from functrace.primitives.linear import add_tangents, conform, dtype_of
from functrace.primitives.zero_products import product_or_zero
from functrace.tracing.tracer import bind


class InverseOrInfinite(Inverse):
    """The inverse, without an error: where a matrix is singular, its cofactors divided by zero."""

    def run(self, a: Any) -> Any:
        """Invert them all, or else one after the other."""
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError:
            cofactors = _adjugate_by_singular_vectors(a)
        result = np.empty_like(cofactors)
        with np.errstate(divide="ignore", invalid="ignore"):
            for index in np.ndindex(a.shape[:-2]):
                try:
                    result[index] = np.linalg.inv(a[index])
                except np.linalg.LinAlgError:
                    result[index] = cofactors[index] / 0.0
        return result


class SignAndLogDeterminant(OfMatrices):
    """The sign of the determinant, and the logarithm of its size."""

    multiple_outputs = True
    makes_scalars = True

    def run(self, a: Any) -> Any:
        """Sum the logarithms of the pivots."""
        return tuple(np.linalg.slogdet(a))

    def infer(self, a: ArrayType) -> tuple[ArrayType, ArrayType]:
        """A sign, complex for complex matrices, and a real logarithm."""
        stack, _ = require_square(a)
        dtype = factor_dtype(a)
        return ArrayType(stack, dtype), ArrayType(stack, real_dtype(dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and a logarithm for each pivot."""
        return counted(inputs, lambda m, n: operations_of_lu(m, n) + 2 * n)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The trace of ``inv A dA`` (Giles, section 2.2.4); a complex sign turns with it.

        Of a singular matrix it is infinite, and that of the others of a stack is what it is.
        """
        inverses = bind(inverse_or_infinite, inputs[0]).mT
        with np.errstate(invalid="ignore"):
            relative = np.sum(product_or_zero(tangents[0], inverses), axis=(-2, -1))
        if not is_complex(relative):
            return None, relative
        return output[0] * (relative - np.conj(relative)) / 2, np.real(relative)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        by_sign, weight = cotangent
        if is_complex(output[0]) and by_sign is not None:
            turning = by_sign * output[0]
            weight = add_tangents(weight, (turning - np.conj(turning)) / 2)
        if weight is None:
            return (None,)
        inverses = bind(inverse_or_infinite, inputs[0]).mT
        return (conform(product_or_zero(weight[..., None, None], inverses), inputs[0]),)


class Determinant(OfMatrices):
    """The determinant of each matrix."""

    makes_scalars = True

    def run(self, a: Any) -> Any:
        """Multiply the pivots."""
        return np.linalg.det(a)

    def infer(self, a: ArrayType) -> ArrayType:
        """A number for each matrix."""
        stack, _ = require_square(a)
        return ArrayType(stack, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and a product for each pivot."""
        return counted(inputs, lambda m, n: operations_of_lu(m, n) + n)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Jacobi's formula with the adjugate, which singular matrices have too."""
        return np.sum(bind(adjugate, inputs[0]).mT * tangents[0], axis=(-2, -1))

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """The transpose of `jvp`."""
        return (conform(cotangent[..., None, None] * bind(adjugate, inputs[0]).mT, inputs[0]),)


class Adjugate(OfSquares):
    """The transposed matrix of cofactors: the determinant times the inverse, where there is one."""

    def run(self, a: Any) -> Any:
        """Multiply all singular values but one, where the inverse would be inexact or is none."""
        by_inverse = _well_conditioned_adjugate(a)
        return _adjugate_by_singular_vectors(a) if by_inverse is None else by_inverse

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """That of the inverse, which it takes unless that is inexact, and a product."""
        return counted(inputs, lambda m, n: 2 * n**3 + n**2)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The second derivative of the determinant, between singular vectors if it is near zero.

        ``det(A + X)`` has the second-order part ``sum_{i<j} p_ij (x_ii x_jj - x_ij x_ji)`` in the
        basis of singular vectors, with ``p_ij`` the product of the other singular values. The
        determinant itself would have to be divided by.
        """
        (a,), (tangent,) = inputs, tangents
        is_finite, a = _finite(a)
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        is_regular = np.min(s, axis=-1, initial=1) * LARGEST_CONDITION > np.max(
            s, axis=-1, initial=0
        )
        is_regular = is_regular[..., None, None] | ~is_finite
        determinant = np.where(is_regular, np.linalg.det(a)[..., None, None], 1)
        slope = np.sum(output.mT * tangent, axis=(-2, -1))[..., None, None]
        regular = (slope * output - output @ tangent @ output) / determinant
        phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        seen = adjoint(u) @ tangent @ adjoint(vh)
        others = _product_of_other_pairs(s)
        eye = like(np.eye(s.shape[-1]), s)
        own = others @ diagonal(seen)[..., None]
        middle = own * eye - others * seen
        singular = phase * (adjoint(vh) @ middle @ adjoint(u))
        return np.where(is_regular, regular, singular)


LARGEST_CONDITION = 1e4
"""Up to this condition number the adjugate is computed by the inverse."""


def _well_conditioned_adjugate(a: Any) -> Any:
    """The determinant times the inverse, which is several times as fast; None if inexact."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.abs(a).sum(-2).max(-1, initial=0) * np.abs(inverse).sum(-2).max(-1, initial=0)
        if not (sizes < LARGEST_CONDITION).all():
            return None
    return np.linalg.det(a)[..., None, None] * inverse


def _finite(a: Any) -> tuple[Any, Any]:
    """Which matrices of a stack are finite, and the stack with zeros in place of the others.

    NumPy refuses to decompose the whole stack for one that is not.
    """
    is_finite = np.all(np.isfinite(a), axis=(-2, -1), keepdims=True)
    return is_finite, np.where(is_finite, a, dtype_of(a).type(0))


def _adjugate_by_singular_vectors(a: Any) -> Any:
    is_finite, finite = _finite(a)
    u, s, vh = np.linalg.svd(finite, full_matrices=False)
    others = _product_of_others(s)
    phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    found = phase * ((adjoint(vh) * others[..., None, :]) @ adjoint(u))
    dtype = factor_dtype(ArrayType(a.shape, a.dtype))
    return np.where(is_finite, found, np.nan).astype(dtype)


def _zeros_and_rest(s: Any) -> tuple[Any, Any, Any]:
    """Which of some numbers are zero, the numbers with 1 in place of these, and their product."""
    is_zero = np.equal(s, 0)
    rest = np.where(is_zero, 1, s)
    return is_zero, rest, np.prod(rest, axis=-1)[..., None]


def _product_of_others(s: Any) -> Any:
    is_zero, rest, product = _zeros_and_rest(s)
    zeros = np.sum(is_zero, axis=-1, keepdims=True)
    return np.where(zeros - is_zero == 0, product / rest, 0)


def _product_of_other_pairs(s: Any) -> Any:
    """At ``ij`` the product of all numbers but the two; 0 on the diagonal."""
    is_zero, rest, product = _zeros_and_rest(s)
    zeros = np.sum(is_zero, axis=-1)[..., None, None]
    left = zeros - is_zero[..., None, :] - is_zero[..., :, None]
    counts = np.logical_and(np.equal(left, 0), np.logical_not(np.eye(s.shape[-1], dtype=bool)))
    pairs = product[..., None] / (rest[..., None, :] * rest[..., :, None])
    return np.where(counts, pairs, 0)


inverse_or_infinite = InverseOrInfinite("inverse_or_infinite")
sign_and_log_determinant = SignAndLogDeterminant("slogdet")
determinant = Determinant("det")
adjugate = Adjugate("adjugate")
