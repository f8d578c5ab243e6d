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
from functrace.primitives.elementwise import product_or_zero
from functrace.primitives.linear import (
    LocallyConstant,
    conform,
    dtype_of,
    in_front,
    move_batch_axis,
    shape_of,
)
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
    part = t * like(weights if lower else weights.T, t)
    return part + adjoint(part)


def triangle_of(cotangent: Any, lower: bool) -> Any:
    """The transpose of `from_triangle`: the cotangent of the triangle that is read."""
    size = cotangent.shape[-1]
    weights = np.tri(size, k=-1) + np.eye(size) / 2
    both = cotangent + adjoint(cotangent)
    return both * like(weights if lower else weights.T, both)


def like(weights: Any, x: Any) -> Any:
    """Constants in the precision of an array, so that they do not promote it."""
    return weights.astype(real_dtype(dtype_of(x)))


def counted(types: Sequence[ArrayType], operations: Callable[[int, int], float]) -> int:
    """The operations for a stack of matrices, from a formula in the larger and the smaller side.

    The formulas are those of Golub and Van Loan, Matrix Computations, 4th edition.
    """
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


class OfMatrices(Primitive):
    """A function of one stack of matrices. Its examples are one more leading axis."""

    is_fresh = True

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """Put the batch axis in front of the leading axes."""
        output = bind(self, in_front(inputs[0], axes[0]), **params)
        return output, (0,) * len(output) if self.multiple_outputs else 0


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
            first = conform(-pulled @ output.mT, a)
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
        require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

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


class Cholesky(OfMatrices):
    """The lower triangular factor of positive definite matrices; their lower triangle is read."""

    def run(self, a: Any) -> Any:
        """Factor."""
        return np.linalg.cholesky(a)

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 4.2."""
        return counted(inputs, lambda m, n: n**3 / 3)

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
        half = like(np.tri(size, k=-1) + np.eye(size) / 2, output)
        return output @ (middle * half)


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
        rows, columns = tangent.shape[-2:]
        if full and rows > columns:
            raise MissingRuleError(
                "The complete factors of qr have no derivative where there are more rows than "
                'columns; those of np.linalg.qr(x, "reduced") have one.'
            )
        count = min(rows, columns)
        left, is_singular = _regular_triangle(r[..., :count])
        # Of the tangent times inv R, as the transpose of a lower triangular system.
        scaled = bind(
            solve_triangular, left.mT, tangent[..., :count].mT, lower=True, unit_diagonal=False
        ).mT
        seen = adjoint(q) @ scaled
        below = seen * like(np.tri(count, k=-1), seen)
        turn = below - adjoint(below)
        if is_complex(seen):  # the diagonal of R stays real
            turn = turn + (seen - np.conj(seen)) * like(np.eye(count) / 2, seen)
        # Where the matrix has not the full rank, a part of Q is arbitrary.
        valid = np.where(is_singular, dtype_of(left).type(np.nan), dtype_of(left).type(1))
        q_tangent = product_or_zero(q @ (turn - seen) + scaled, valid)
        r_tangent = product_or_zero((seen - turn) @ left, valid)
        if columns > rows:
            rest = adjoint(q_tangent) @ inputs[0][..., count:]
            rest = rest + adjoint(q) @ tangent[..., count:]
            r_tangent = np.concatenate([r_tangent, rest], axis=-1)
        return q_tangent, r_tangent


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


def _regular_triangle(r: Any) -> tuple[Any, Any]:
    """A triangular factor, an identity in place of one that is singular, and which are so."""
    is_singular = bind(singular_triangle, r)
    return np.where(is_singular, np.eye(r.shape[-1], dtype=dtype_of(r)), r), is_singular


class SignAndLogDeterminant(OfMatrices):
    """The sign of the determinant, and the logarithm of its size."""

    multiple_outputs = True

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


class Determinant(OfMatrices):
    """The determinant of each matrix."""

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


class Adjugate(OfMatrices):
    """The transposed matrix of cofactors: the determinant times the inverse, where there is one."""

    def run(self, a: Any) -> Any:
        """Multiply all singular values but one, where the inverse would be inexact or is none."""
        by_inverse = _well_conditioned_adjugate(a)
        return _adjugate_by_singular_vectors(a) if by_inverse is None else by_inverse

    def infer(self, a: ArrayType) -> ArrayType:
        """The same shape."""
        require_square(a)
        return ArrayType(a.shape, factor_dtype(a))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """That of the inverse, which it takes unless that is inexact, and a product."""
        return counted(inputs, lambda m, n: 2 * n**3 + n**2)

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
        is_finite, a = _finite(a)
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
        seen = adjoint(u) @ tangent @ adjoint(vh)
        others = _product_of_other_pairs(s)
        eye = like(np.eye(s.shape[-1]), s)
        own = others @ diagonal(seen)[..., None]
        middle = own * eye - others * seen
        at_zero = phase * (adjoint(vh) @ middle @ adjoint(u))
        return np.where(is_finite & is_singular, at_zero, regular)


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

    def run(self, a: Any, *, tolerance: float | None, relative: bool, hermitian: bool) -> Any:
        """Count."""
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


solve = Solve("solve")
solve_triangular = SolveTriangular("solve_triangular")
inverse = Inverse("inverse")
inverse_or_infinite = InverseOrInfinite("inverse_or_infinite")
cholesky = Cholesky("cholesky")
qr = Qr("qr")
singular_triangle = SingularTriangle("singular_triangle")
sign_and_log_determinant = SignAndLogDeterminant("slogdet")
determinant = Determinant("det")
adjugate = Adjugate("adjugate")
pseudo_inverse = PseudoInverse("pinv")
matrix_rank = MatrixRank("matrix_rank")
