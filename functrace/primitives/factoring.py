"""Factorizations of matrices, linear systems, inverses and determinants.

As in NumPy, all of them act on the last two axes, and the axes before those count matrices: many
examples at once are no more than one axis in front. Each primitive states one derivative; the
other mode is its transpose. The rules are written with the same functions, so they can be
differentiated again.

Where NumPy reads one triangle of a Hermitian matrix only (`cholesky`, `eigh`), the derivative with
respect to the other triangle is zero: it is the derivative of what NumPy computes. A cotangent for
a symmetric matrix made of parameters comes out the same as with any other convention.

Sources: Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation (2008); Murray, Differentiation of the Cholesky decomposition
(arXiv:1602.07527); Townsend, Differentiating the singular value decomposition (2016); Walter and
Lehmann, Algorithmic differentiation of linear algebra functions (arXiv:1001.1654); Golub and
Pereyra, The differentiation of pseudo-inverses (SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import MissingRuleError
from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType, Shape, broadcast_shapes, promotion_operand
from functrace.primitives.linear import (
    LocallyConstant,
    conform,
    dtype_of,
    in_front,
    move_batch_axis,
    shape_of,
)
from functrace.tracing import bind


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


def _require_matrix(type: ArrayType) -> tuple[Shape, int, int]:
    """The leading axes, the rows and the columns."""
    if type.ndim < 2:
        raise ValueError(
            f"{type.ndim}-dimensional array given. Array must be at least two-dimensional"
        )
    return type.shape[:-2], type.shape[-2], type.shape[-1]


def _require_square(type: ArrayType) -> tuple[Shape, int]:
    stack, rows, columns = _require_matrix(type)
    if rows != columns:
        raise ValueError("Last 2 dimensions of the array must be square")
    return stack, rows


def is_complex(x: Any) -> bool:
    """Whether an array is complex."""
    return dtype_of(x).kind == "c"


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return np.conj(x.mT) if is_complex(x) else x.mT


def diagonal(x: Any) -> Any:
    """The diagonal of each matrix."""
    return np.diagonal(x, 0, -2, -1)


def from_triangle(t: Any, lower: bool) -> Any:
    """The Hermitian matrix of which NumPy reads one triangle, as a linear function of it."""
    size = t.shape[-1]
    weights = np.tri(size, k=-1) + np.eye(size) / 2
    part = t * _like(weights if lower else weights.T, t)
    return part + adjoint(part)


def _like(weights: Any, x: Any) -> Any:
    """Constants in the precision of an array, so that they do not promote it."""
    return weights.astype(real_dtype(dtype_of(x)))


def _reciprocal_differences(squares: Any) -> Any:
    """``1 / (x_j - x_i)`` at ``ij``, and 0 where the two are equal.

    The eigenvectors of equal eigenvalues have no derivative: any rotation of them would do as
    well. With 0 for them, the derivative of whatever does not depend on the choice comes out
    right, as long as the perturbation keeps the eigenvalues together.
    """
    differences = squares[..., None, :] - squares[..., :, None]
    is_zero = np.equal(differences, 0)
    return np.where(is_zero, 0, 1 / np.where(is_zero, 1, differences))


def _counted(types: Sequence[ArrayType], operations: Callable[[int, int], float]) -> int:
    """The operations for a stack of matrices, from a formula in the larger and the smaller side.

    The formulas are those of Golub and Van Loan, Matrix Computations, 4th edition.
    """
    *leading, rows, columns = map(abs, types[0].shape)
    large, small = max(rows, columns), min(rows, columns)
    return math.prod(leading) * round(operations(large, small))


def _of_lu(m: int, n: int) -> float:
    return 2 / 3 * n**3


def _of_thin_svd(m: int, n: int) -> float:
    return 14 * m * n**2 + 8 * n**3


def _of_eigh(m: int, n: int) -> float:
    return 9 * n**3


class OfMatrices(Primitive):
    """A function of one stack of matrices. Its examples are one more leading axis."""

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front of the leading axes."""
        output = bind(self, in_front(inputs[0], axes[0]), **params)
        return output, (0,) * len(output) if self.multiple_outputs else 0


class Solve(Primitive):
    """The solution of linear systems; the right-hand sides are matrices, never vectors."""

    def run(self, a: Any, b: Any) -> Any:
        """Solve by LU factorization."""
        return np.linalg.solve(a, b)

    def infer(self, a: ArrayType, b: ArrayType) -> ArrayType:
        """The leading axes broadcast."""
        stack, size = _require_square(a)
        other, rows, columns = _require_matrix(b)
        if rows != size:
            raise ValueError(f"the matrix has {size} rows, the right-hand side {rows}")
        return ArrayType((*broadcast_shapes(stack, other), size, columns), factor_dtype(a, b))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and two substitutions for each right-hand side."""
        *leading, size, columns = map(abs, outputs[0].shape)
        solving = math.prod(leading) * 2 * size**2 * columns
        return _counted(inputs, _of_lu) + solving

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
            first = conform(-(pulled @ output.mT), a)
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
        """Cut the triangle out, and solve: NumPy has no substitution of its own."""
        triangle = np.tril(a, -1) if lower else np.triu(a, 1)
        eye = np.eye(a.shape[-1], dtype=a.dtype)
        return np.linalg.solve(triangle + (eye if unit_diagonal else eye * a), b)

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


class Inverse(OfMatrices):
    """The inverse of each matrix."""

    def run(self, a: Any) -> Any:
        """Invert."""
        return np.linalg.inv(a)

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        _require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 3.4."""
        return _counted(inputs, lambda m, n: 2 * n**3)

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


class Cholesky(OfMatrices):
    """The lower triangular factor of positive definite matrices; their lower triangle is read."""

    def run(self, a: Any) -> Any:
        """Factor."""
        return np.linalg.cholesky(a)

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        _require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 4.2."""
        return _counted(inputs, lambda m, n: n**3 / 3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """``L phi(inv L dA inv L^H)``, phi the lower half (Murray 2016, equation 8)."""
        tangent = from_triangle(tangents[0], lower=True)
        middle = bind(solve_triangular, output, tangent, lower=True, unit_diagonal=False)
        middle = adjoint(
            bind(solve_triangular, output, adjoint(middle), lower=True, unit_diagonal=False)
        )
        size = output.shape[-1]
        half = _like(np.tri(size, k=-1) + np.eye(size) / 2, output)
        return output @ (middle * half)


class Eigh(OfMatrices):
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices.

    Parameters: ``lower``, which triangle is read.
    """

    multiple_outputs = True

    def run(self, a: Any, *, lower: bool) -> Any:
        """Factor."""
        return tuple(np.linalg.eigh(a, "L" if lower else "U"))

    def infer(self, a: ArrayType, *, lower: bool) -> tuple[ArrayType, ArrayType]:
        """Real eigenvalues, and a matrix of eigenvectors."""
        _require_square(a)
        dtype = factor_dtype(a)
        return ArrayType(a.shape[:-1], real_dtype(dtype)), ArrayType(a.shape, dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.3: the symmetric QR algorithm, with eigenvectors."""
        return _counted(inputs, _of_eigh)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, lower: bool
    ) -> Any:
        """First-order perturbation (Giles, section 3.1, for Hermitian matrices).

        Where complex eigenvectors are concerned, the phase of each is held: only what does not
        depend on these phases has a derivative at all.
        """
        values, vectors = output
        seen = adjoint(vectors) @ from_triangle(tangents[0], lower) @ vectors
        turned = vectors @ (seen * _reciprocal_differences(values))
        return np.real(diagonal(seen)), turned


class Svd(OfMatrices):
    """The singular value decomposition ``a = (u * s) @ vh``.

    Parameters: ``full``, whether ``u`` and ``vh`` are square.
    """

    multiple_outputs = True

    def run(self, a: Any, *, full: bool) -> Any:
        """Factor."""
        return tuple(np.linalg.svd(a, full_matrices=full))

    def infer(self, a: ArrayType, *, full: bool) -> tuple[ArrayType, ArrayType, ArrayType]:
        """Real singular values between two matrices."""
        stack, rows, columns = _require_matrix(a)
        dtype = factor_dtype(a)
        count = min(rows, columns)
        return (
            ArrayType((*stack, rows, rows if full else count), dtype),
            ArrayType((*stack, count), real_dtype(dtype)),
            ArrayType((*stack, columns if full else count, columns), dtype),
        )

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.6: the algorithm of Golub and Reinsch."""
        if params["full"]:
            return _counted(inputs, lambda m, n: 4 * m**2 * n + 8 * m * n**2 + 9 * n**3)
        return _counted(inputs, _of_thin_svd)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Townsend 2016, for complex matrices as well."""
        tangent, (u, s, vh) = tangents[0], output
        rows, columns = tangent.shape[-2:]
        if full and rows != columns:
            # The vectors that belong to no singular value are any basis of what is left.
            raise MissingRuleError(
                "The full matrices of svd have no derivative where the matrix is not square; "
                "those of np.linalg.svd(x, full_matrices=False) have one."
            )
        v = adjoint(vh)
        seen = adjoint(u) @ tangent @ v
        inverse = np.where(np.equal(s, 0), 0, 1 / np.where(np.equal(s, 0), 1, s))
        mixing = _reciprocal_differences(s * s)
        right, left = seen * s[..., None, :], seen * s[..., :, None]
        u_turned = mixing * (right + adjoint(right))
        if is_complex(tangent):  # the phase of each pair: all of it is given to u
            eye = _like(np.eye(s.shape[-1]), s)
            u_turned = u_turned + (seen - adjoint(seen)) * (eye * inverse[..., None, :]) / 2
        u_tangent = u @ u_turned
        v_tangent = v @ (mixing * (left + adjoint(left)))
        if rows > columns:
            outside = tangent @ v
            outside = outside - u @ (adjoint(u) @ outside)
            u_tangent = u_tangent + outside * inverse[..., None, :]
        if columns > rows:
            outside = adjoint(tangent) @ u
            outside = outside - v @ (vh @ outside)
            v_tangent = v_tangent + outside * inverse[..., None, :]
        return u_tangent, np.real(diagonal(seen)), adjoint(v_tangent)


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
        stack, rows, columns = _require_matrix(a)
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
        return _counted(inputs, lambda m, n: 2 * n**2 * (m - n / 3) + second)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, *, full: bool
    ) -> Any:
        """The derivative of Walter and Lehmann; of a wide matrix the left square part decides."""
        tangent, (q, r) = tangents[0], output
        rows, columns = tangent.shape[-2:]
        if full and rows > columns:
            raise MissingRuleError(
                "The complete factors of qr have no derivative where there are more rows than "
                'columns; those of np.linalg.qr(x, "reduced") have one.'
            )
        count = min(rows, columns)
        left = r[..., :count]
        # Of the tangent times inv R, as the transpose of a lower triangular system.
        scaled = bind(
            solve_triangular, left.mT, tangent[..., :count].mT, lower=True, unit_diagonal=False
        ).mT
        seen = adjoint(q) @ scaled
        below = seen * _like(np.tri(count, k=-1), seen)
        turn = below - adjoint(below)
        if is_complex(seen):  # the diagonal of R stays real
            turn = turn + (seen - np.conj(seen)) * _like(np.eye(count) / 2, seen)
        q_tangent = q @ (turn - seen) + scaled
        r_tangent = (seen - turn) @ left
        if columns > rows:
            rest = adjoint(q_tangent) @ inputs[0][..., count:]
            rest = rest + adjoint(q) @ tangent[..., count:]
            r_tangent = np.concatenate([r_tangent, rest], axis=-1)
        return q_tangent, r_tangent


class SignAndLogDeterminant(OfMatrices):
    """The sign of the determinant, and the logarithm of its size."""

    multiple_outputs = True

    def run(self, a: Any) -> Any:
        """Sum the logarithms of the pivots."""
        return tuple(np.linalg.slogdet(a))

    def infer(self, a: ArrayType) -> tuple[ArrayType, ArrayType]:
        """A sign, complex for complex matrices, and a real logarithm."""
        stack, _ = _require_square(a)
        dtype = factor_dtype(a)
        return ArrayType(stack, dtype), ArrayType(stack, real_dtype(dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and a logarithm for each pivot."""
        return _counted(inputs, lambda m, n: _of_lu(m, n) + 2 * n)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The trace of ``inv A dA`` (Giles, section 2.2.4); a complex sign turns with it."""
        relative = np.sum(np.linalg.inv(inputs[0]).mT * tangents[0], axis=(-2, -1))
        if not is_complex(relative):
            return None, relative
        return output[0] * (relative - np.conj(relative)) / 2, np.real(relative)


class Determinant(OfMatrices):
    """The determinant of each matrix."""

    def run(self, a: Any) -> Any:
        """Multiply the pivots."""
        return np.linalg.det(a)

    def infer(self, a: ArrayType) -> ArrayType:
        """A number for each matrix."""
        stack, _ = _require_square(a)
        return ArrayType(stack, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A factorization (section 3.4), and a product for each pivot."""
        return _counted(inputs, lambda m, n: _of_lu(m, n) + n)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """Jacobi's formula with the adjugate, which singular matrices have too."""
        return np.sum(bind(adjugate, inputs[0]).mT * tangents[0], axis=(-2, -1))


class Adjugate(OfMatrices):
    """The transposed matrix of cofactors: the determinant times the inverse, where there is one."""

    def run(self, a: Any) -> Any:
        """Multiply all singular values but one, where the inverse would be inexact or is none."""
        by_inverse = _well_conditioned_adjugate(a)
        if by_inverse is not None:
            return by_inverse
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        others = _product_of_others(s)
        phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        return (phase * ((adjoint(vh) * others[..., None, :]) @ adjoint(u))).astype(
            factor_dtype(ArrayType(a.shape, a.dtype))
        )

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        _require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """That of the inverse, which it takes unless that is inexact, and a product."""
        return _counted(inputs, lambda m, n: 2 * n**3 + n**2)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The second derivative of the determinant, between singular vectors if it is zero.

        There, ``det(A + X)`` has the second-order part ``sum_{i<j} p_ij (x_ii x_jj - x_ij x_ji)``
        in the basis of singular vectors, with ``p_ij`` the product of the other singular values.
        """
        (a,), (tangent,) = inputs, tangents
        determinant = np.linalg.det(a)[..., None, None]
        is_singular = np.equal(determinant, 0)
        slope = np.sum(output.mT * tangent, axis=(-2, -1))[..., None, None]
        regular = (slope * output - output @ tangent @ output) / np.where(
            is_singular, 1, determinant
        )
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        seen = adjoint(u) @ tangent @ adjoint(vh)
        others = _product_of_other_pairs(s)
        eye = _like(np.eye(s.shape[-1]), s)
        own = others @ diagonal(seen)[..., None]
        middle = own * eye - others * seen
        return np.where(is_singular, phase * (adjoint(vh) @ middle @ adjoint(u)), regular)


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


class PseudoInverse(OfMatrices):
    """The Moore-Penrose inverse of each matrix.

    Parameters: ``tolerance``, below which share of the largest singular value others count as
    zero; None for NumPy's default; ``hermitian``.
    """

    def run(self, a: Any, *, tolerance: float | None, hermitian: bool) -> Any:
        """Invert the singular values."""
        if tolerance is None:
            return np.linalg.pinv(a, hermitian=hermitian)
        return np.linalg.pinv(a, tolerance, hermitian)

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """Transposed."""
        stack, rows, columns = _require_matrix(a)
        return ArrayType((*stack, columns, rows), factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A singular value decomposition (section 8.6), and a product of matrices."""
        decomposed = _of_eigh if params["hermitian"] else _of_thin_svd
        return _counted(inputs, lambda m, n: decomposed(m, n) + 2 * m * n**2)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The derivative where the rank does not change (Golub and Pereyra, equation 4.12)."""
        a, t, p = inputs[0], tangents[0], output
        flipped, ph = adjoint(t), adjoint(p)
        left = p @ (ph @ flipped)
        right = (flipped @ ph) @ p
        return left - (left @ a) @ p + right - p @ (a @ right) - p @ t @ p


class MatrixRank(OfMatrices, LocallyConstant):
    """The number of singular values that are not zero. Parameters: as `numpy.linalg`."""

    def run(self, a: Any, *, tolerance: float | None, relative: bool, hermitian: bool) -> Any:
        """Count."""
        named = {} if tolerance is None else {"rtol" if relative else "tol": tolerance}
        return np.linalg.matrix_rank(a, hermitian=hermitian, **named)

    def infer(self, a: ArrayType, **params: Any) -> ArrayType:
        """An integer for each matrix."""
        stack, _, _ = _require_matrix(a)
        factor_dtype(a)
        return ArrayType(stack, np.dtype(np.intp))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 8.6: the singular values alone."""
        return _counted(inputs, lambda m, n: 4 * m * n**2 - 4 / 3 * n**3)


solve = Solve("solve")
solve_triangular = SolveTriangular("solve_triangular")
inverse = Inverse("inverse")
cholesky = Cholesky("cholesky")
eigh = Eigh("eigh")
svd = Svd("svd")
qr = Qr("qr")
sign_and_log_determinant = SignAndLogDeterminant("slogdet")
determinant = Determinant("det")
adjugate = Adjugate("adjugate")
pseudo_inverse = PseudoInverse("pinv")
matrix_rank = MatrixRank("matrix_rank")
