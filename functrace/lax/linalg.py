"""The names of ``jax.lax.linalg``, with its arguments, their order and that of the results.

Where JAX gives nan for a matrix that has no such factorization, or is singular, NumPy's error is
raised. Options that choose an algorithm are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.matrices.pivoting import column_order, permutation
from functrace.matrices.pivoting import lu as lu_primitive
from functrace.matrices.stacks import adjoint
from functrace.matrices.tridiagonal import tridiagonal_solve as tridiagonal_solve_primitive
from functrace.numpy.linear_algebra import solve_triangular
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.rules.callbacks import pure_callback
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind
from functrace.transforms.shapes import ShapeDtypeStruct


def _matrix(x: Any) -> Any:
    x = as_operand(x)
    return cast_to(x, np.dtype(np.float64)) if dtype_of(x).kind in "biu" else x


def _hermitian_part(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Any:
    """The lower triangular factor of positive definite matrices.

    Args:
        x: Shape (..., n, n).
        symmetrize_input: Whether its Hermitian part is factored; else its lower triangle is read.

    Raises:
        LinAlgError: A matrix is not positive definite.

    Example:
        >>> import numpy as np
        >>> cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
        array([[2., 0.],
               [1., 2.]])
    """
    x = _matrix(x)
    return np.linalg.cholesky(_hermitian_part(x) if symmetrize_input else x)


def cholesky_update(r_matrix: Any, w_vector: Any) -> Any:
    """The upper factor of ``R.T @ R + outer(w, w)``, from R and w.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> r = linalg.cholesky_update(np.eye(2), np.array([3.0, 0.0]))
        >>> (r.T @ r).round(3)
        array([[10.,  0.],
               [ 0.,  1.]])
    """
    r, w = _matrix(r_matrix), _matrix(w_vector)
    return np.linalg.cholesky(r.mT @ r + w[..., :, None] * w[..., None, :], upper=True)


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Solve ``op(a) x = b`` if ``left_side``, else ``x op(a) = b``, for a triangular matrix.

    Args:
        a: Shape (..., n, n).
        b: Shape (..., n, k) if ``left_side``, else (..., k, n); or a vector in place of a matrix.
        left_side: On which side the matrix stands.
        lower: Which of its triangles is meant; the other one is not read.
        transpose_a: Whether it is transposed.
        conjugate_a: Whether it is conjugated.
        unit_diagonal: Whether its diagonal is taken as 1.

    Raises:
        LinAlgError: There is a zero on the diagonal.

    Example:
        >>> import numpy as np
        >>> triangular_solve(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([[2.0, 5.0]]))
        array([[1., 1.]])
    """
    a, b = _matrix(a), _matrix(b)
    is_vector = len(shape_of(b)) == len(shape_of(a)) - 1
    if is_vector:
        b = b[..., :, None] if left_side else b[..., None, :]
    if conjugate_a:
        a = np.conj(a)
    if transpose_a:
        a, lower = a.mT, not lower
    if left_side:
        x = solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)
    else:
        x = solve_triangular(a.mT, b.mT, lower=not lower, unit_diagonal=unit_diagonal).mT
    if not is_vector:
        return x
    return x[..., 0] if left_side else x[..., 0, :]


def lu(x: Any) -> tuple[Any, Any, Any]:
    """The factors L and U of the rows in another order.

    Args:
        x: Shape (..., m, n).

    Returns:
        Both factors in one matrix, the ones on the diagonal of L left out; the row with which each
        row was exchanged; and the order of rows that these exchanges make.

    Example:
        >>> import numpy as np
        >>> lu(np.array([[1.0, 2.0], [2.0, 1.0]]))[0]
        array([[2. , 1. ],
               [0.5, 1.5]])
    """
    return tuple(bind(lu_primitive, _matrix(x)))


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The order of rows that exchanges make.

    Args:
        pivots: Shape (..., k): the row with which each row is exchanged, one after the other.
        permutation_size: The number of rows.

    Example:
        >>> import numpy as np
        >>> lu_pivots_to_permutation(np.array([2, 2, 2]), 3)
        array([2, 0, 1], dtype=int32)
    """
    return bind(permutation, as_operand(pivots), count=int(permutation_size))


def qr(x: Any, *, pivoting: bool = False, full_matrices: bool = True) -> tuple[Any, ...]:
    """The factors Q and R; with ``pivoting`` of the columns in another order, and that order.

    Args:
        x: Shape (..., m, n).
        pivoting: Whether the columns change places, so that the diagonal of R falls in size.
        full_matrices: Whether Q is square.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> a = np.array([[3.0, 1.0], [4.0, 2.0]])
        >>> q, r = linalg.qr(a)
        >>> np.abs(np.diag(r)).round(3), (q @ r).round(3)
        (array([5. , 0.4]), array([[3., 1.],
               [4., 2.]]))
    """
    x = _matrix(x)
    mode = "complete" if full_matrices else "reduced"
    if not pivoting:
        return tuple(np.linalg.qr(x, mode))
    order = bind(column_order, x)
    return (*np.linalg.qr(np.take_along_axis(x, order[..., None, :], axis=-1), mode), order)


def _between(x: Any, subset_by_index: tuple[int, int] | None, axis: int) -> Any:
    if subset_by_index is None:
        return x
    part = slice(*subset_by_index)
    return x[..., part] if axis == -1 else x[..., part, :]


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """The singular value decomposition, or the singular values alone.

    Args:
        x: Shape (..., m, n).
        full_matrices: Whether both matrices of vectors are square.
        compute_uv: Whether the vectors are wanted.
        subset_by_index: The numbers of the first singular value that is wanted, and of the first
            that is not.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> linalg.svd(np.array([[3.0, 0.0], [0.0, -4.0]]), compute_uv=False).round(3)
        array([4., 3.])
    """
    if not compute_uv:
        return _between(np.linalg.svd(_matrix(x), compute_uv=False), subset_by_index, -1)
    if subset_by_index is not None and full_matrices:
        raise ArgumentError(
            "A part of the singular values has no full matrices.",
            source_of(user_place(2)),
            "Write svd(x, full_matrices=False, subset_by_index=...).",
        )
    u, s, vh = np.linalg.svd(_matrix(x), full_matrices=full_matrices)
    parts = ((u, -1), (s, -1), (vh, -2))
    return tuple(_between(part, subset_by_index, axis) for part, axis in parts)


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
) -> tuple[Any, Any]:
    """The eigenvectors and the eigenvalues of Hermitian matrices, in this order.

    Args:
        x: Shape (..., n, n).
        lower: Which triangle is read.
        symmetrize_input: Whether the Hermitian part is taken first.
        sort_eigenvalues: They are in ascending order in any case.
        subset_by_index: The numbers of the first eigenvalue that is wanted, and of the first that
            is not.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> vectors, values = linalg.eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))
        >>> values.round(3)
        array([1., 3.])
    """
    x = _matrix(x)
    values, vectors = np.linalg.eigh(
        _hermitian_part(x) if symmetrize_input else x, "L" if lower else "U"
    )
    return _between(vectors, subset_by_index, -1), _between(values, subset_by_index, -1)


def eig(
    x: Any, *, compute_left_eigenvectors: bool = True, compute_right_eigenvectors: bool = True
) -> list[Any]:
    """The eigenvalues of general matrices, then left and right eigenvectors where wanted.

    They are complex, in no order; each vector has norm 1 and a largest component that is real.
    ``vl.conj().mT @ x`` is the left vectors' own rows times the eigenvalues.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> a = np.array([[0.0, 1.0], [0.0, 2.0]])
        >>> values, vectors = linalg.eig(a, compute_left_eigenvectors=False)
        >>> np.sort(values.real).round(3) + 0.0
        array([0., 2.])
    """
    x = _matrix(x)
    values, right = np.linalg.eig(x if dtype_of(x).kind == "c" else x + dtype_of(x).type(0) * 1j)
    found = [values]
    if compute_left_eigenvectors:
        left = adjoint(np.linalg.inv(right))
        left = left / np.linalg.norm(left, axis=-2, keepdims=True)
        largest = np.argmax(np.abs(left), axis=-2, keepdims=True)
        component = np.take_along_axis(left, largest, axis=-2)
        found.append(left * (np.conj(component) / np.abs(component)))
    return [*found, right] if compute_right_eigenvectors else found


def schur(x: Any, *, compute_schur_vectors: bool = True) -> tuple[Any, Any]:
    """The Schur form of square matrices and its vectors, by SciPy; it has no derivative.

    Args:
        x: Shape (..., n, n).
        compute_schur_vectors: Whether the vectors are wanted; an empty array is in their place.

    Raises:
        MissingPackageError: SciPy is not installed.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> a = np.array([[1.0, 2.0], [0.0, 3.0]])
        >>> t, z = linalg.schur(a)
        >>> np.diag(t).round(3), (z @ t @ z.T).round(3) + 0.0
        (array([1., 3.]), array([[1., 2.],
               [0., 3.]]))
    """
    x = _matrix(x)
    factors = scipy_module(
        "linalg", "functrace.lax.linalg.schur", "np.linalg.eigh for Hermitian matrices"
    ).schur
    form, vectors = _by_scipy(factors, x, shape_of(x))
    return form, vectors if compute_schur_vectors else np.empty((0, 0), dtype_of(x))


def hessenberg(a: Any) -> tuple[Any, Any]:
    """Square matrices in Hessenberg form, and the reflections that bring them there, by LAPACK.

    They have no derivative.

    Args:
        a: Shape (..., n, n).

    Returns:
        An array of shape (..., n, n), with the form on and above the first diagonal below the main
        one, and the vectors of the reflections under it; and one of shape (..., n - 1) with their
        factors, which `householder_product` takes.

    Raises:
        MissingPackageError: SciPy is not installed.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> a, taus = linalg.hessenberg(np.diag(np.ones(3), -1))
        >>> a.shape, taus.shape
        ((4, 4), (3,))
    """
    a = _matrix(a)
    get_lapack_funcs = scipy_module(
        "linalg", "functrace.lax.linalg.hessenberg", "np.linalg.qr"
    ).get_lapack_funcs

    def factors(matrix: Any) -> tuple[Any, Any]:
        if not len(matrix):
            return matrix, matrix[:0, 0]
        packed, factors, _ = get_lapack_funcs(("gehrd",), (matrix,))[0](matrix)
        return packed, factors

    *stack, n, _ = shape_of(a)
    return _by_scipy(factors, a, (*stack, max(n - 1, 0)))


def _by_scipy(
    factors: Callable[[Any], tuple[Any, Any]], x: Any, shape: tuple[int, ...]
) -> tuple[Any, Any]:
    """What a function of one matrix gives for each, the second time in this shape."""
    core = shape[len(shape_of(x)) - 2 :]

    def factored(a: Any) -> tuple[Any, Any]:
        first = np.empty_like(a)
        second = np.empty(a.shape[:-2] + core, a.dtype)
        for index in np.ndindex(a.shape[:-2]):
            first[index], second[index] = factors(a[index])
        return first, second

    kinds = tuple(ShapeDtypeStruct(each, dtype_of(x)) for each in (shape_of(x), shape))
    return pure_callback(factored, kinds, x, vmap_method="expand_dims")


def qdwh(
    x: Any,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
) -> tuple[Any, Any, Any, Any]:
    """The polar decomposition ``x = u @ h`` of matrices of full rank, here by singular values.

    Args:
        x: Shape (m, n), of which m is not less than n.
        is_hermitian: Taken, and without effect.
        max_iterations: Taken, and without effect: there are none.
        eps: Taken, and without effect.
        dynamic_shape: Must be None.

    Returns:
        u, shape (m, n), whose columns are orthonormal; h, shape (n, n), positive semidefinite; the
        number of iterations, which is 0; and whether it has converged, which is True.

    Raises:
        ArgumentError: There is a ``dynamic_shape``, or there are more columns than rows.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> u, h, iterations, has_converged = linalg.qdwh(np.array([[0.0, -2.0], [3.0, 0.0]]))
        >>> u.round(3) + 0.0, h.round(3) + 0.0
        (array([[ 0., -1.],
               [ 1.,  0.]]), array([[3., 0.],
               [0., 2.]]))
    """
    x = _matrix(x)
    if dynamic_shape is not None:
        raise ArgumentError("qdwh takes no dynamic_shape.")
    if shape_of(x)[-2] < shape_of(x)[-1]:
        raise ArgumentError(f"qdwh takes matrices with as many rows as columns, not {shape_of(x)}.")
    u, values, vh = np.linalg.svd(x, full_matrices=False)
    right = adjoint(vh)
    return u @ vh, (right * np.expand_dims(values, -2)) @ vh, np.int64(0), np.True_


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any) -> Any:
    """Solve systems whose matrix has three diagonals.

    Args:
        dl: Shape (..., n), below the main diagonal; the first element is not read.
        d: Shape (..., n), on the main diagonal.
        du: Shape (..., n), above it; the last element is not read.
        b: Shape (..., n, k).

    Raises:
        LinAlgError: A matrix is singular.

    Example:
        >>> import numpy as np
        >>> ones = np.ones(3)
        >>> tridiagonal_solve(ones, 2 * ones, ones, np.array([[3.0], [4.0], [3.0]]))
        array([[1.],
               [1.],
               [1.]])
    """
    return bind(tridiagonal_solve_primitive, *map(_matrix, (dl, d, du, b)))


def householder_product(a: Any, taus: Any) -> Any:
    """The matrix with orthonormal columns that reflections make, as LAPACK stores them.

    Args:
        a: Shape (..., m, n), m not less than n: below its diagonal column i holds the vector of
            reflection i, whose element i is 1.
        taus: Shape (..., k), the factors of the reflections.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> a = np.array([[9.0, 9.0], [0.0, 9.0]])  # what is not below the diagonal is not read
        >>> linalg.householder_product(a, np.array([2.0, 0.0]))
        array([[-1.,  0.],
               [ 0.,  1.]])
    """
    a, taus = _matrix(a), _matrix(taus)
    *stack, rows, columns = shape_of(a)
    dtype = np.result_type(dtype_of(a), dtype_of(taus))
    vectors = np.tril(a, -1) + np.eye(rows, columns, dtype=dtype)
    result = np.broadcast_to(np.eye(rows, columns, dtype=dtype), (*stack, rows, columns))
    for number in reversed(range(shape_of(taus)[-1])):
        vector = vectors[..., :, number, None]
        result = result - taus[..., number, None, None] * (vector @ (adjoint(vector) @ result))
    return result


def symmetric_product(
    a_matrix: Any,
    c_matrix: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
) -> Any:
    """``alpha * a @ a.mT + beta * c``; it is symmetric in any case where ``c`` is.

    Example:
        >>> import numpy as np
        >>> from functrace.lax import linalg
        >>> linalg.symmetric_product(np.array([[1.0], [2.0]]), np.eye(2), beta=10.0)
        array([[11.,  2.],
               [ 2., 14.]])
    """
    a, c = _matrix(a_matrix), _matrix(c_matrix)
    return alpha * (a @ a.mT) + beta * c


globals().update(entrances(globals()))

__all__ = [
    "cholesky",
    "cholesky_update",
    "eig",
    "eigh",
    "hessenberg",
    "householder_product",
    "lu",
    "lu_pivots_to_permutation",
    "qdwh",
    "qr",
    "schur",
    "svd",
    "symmetric_product",
    "triangular_solve",
    "tridiagonal_solve",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
