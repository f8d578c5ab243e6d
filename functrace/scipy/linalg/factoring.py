"""Factorizations, eigenvalues and singular values: the names of ``scipy.linalg``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.matrices import eigen, factoring, schurs, spectral, systems
from functrace.matrices import pivoting as exchanges
from functrace.matrices.stacks import adjoint, from_triangle, is_complex
from functrace.primitives.linear import dtype_of, in_dtype, known_value, shape_of
from functrace.scipy.linalg.operands import (
    double,
    is_vector,
    only_values,
    operands,
    precision,
    real_where_known,
    square,
    together,
    with_vectors,
)
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import Tracer, bind

# Cholesky's


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """The triangular factor of positive definite matrices; here it is the upper one by default.

    Args:
        a: Shape (..., n, n), of which one triangle is read. The derivative with respect to the
            other one is zero.
        lower: Which triangle is read, and returned.
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        L with ``L @ L^H = a``, or U with ``U^H @ U = a``.

    Raises:
        LinAlgError: A matrix is not positive definite.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
        array([[2., 1.],
               [0., 2.]])
    """
    a = square(operands(np.atleast_2d(as_operand(a)), check_finite=check_finite))
    return np.linalg.cholesky(a, upper=not lower)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """Cholesky's factor for `cho_solve`, with what ``a`` holds in its other triangle.

    Args:
        a: Shape (..., n, n), of which one triangle is read.
        lower: Which triangle.
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        The factor in one triangle of a matrix, and which one.

    Raises:
        LinAlgError: A matrix is not positive definite.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.cho_factor([[4.0, 2.0], [2.0, 5.0]])
        (array([[2., 1.],
               [2., 2.]]), False)
    """
    a = square(operands(np.atleast_2d(as_operand(a)), check_finite=check_finite))
    factor = np.linalg.cholesky(a, upper=not lower)
    rest = np.triu(a, 1) if lower else np.tril(a, -1)
    return factor + rest, lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solve ``a x = b`` by what `cho_factor` gives.

    Args:
        c_and_lower: The factor, shape (..., n, n), and which triangle it is in.
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        overwrite_b: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> a = np.array([[4.0, 2.0], [2.0, 5.0]])
        >>> linalg.cho_solve(linalg.cho_factor(a), np.array([6.0, 7.0]))
        array([1., 1.])
    """
    c, lower = c_and_lower
    c, b = operands(c, b, check_finite=check_finite)
    lower = bool(lower)
    _require_rows(square(c, "c"), b)
    first, second = (c, adjoint(c)) if lower else (adjoint(c), c)
    return with_vectors(lambda b: _solved(second, _solved(first, b, lower=True), lower=False), b)


def _solved(a: Any, b: Any, lower: bool, unit_diagonal: bool = False) -> Any:
    """The solution of triangular systems."""
    return bind(systems.solve_triangular, a, b, lower=lower, unit_diagonal=unit_diagonal)


def _require_rows(a: Any, b: Any) -> None:
    rows = shape_of(b)[0 if is_vector(b) else -2]
    if rows != shape_of(a)[-1]:
        raise ValueError(f"The dimensions do not match: {shape_of(a)} and {shape_of(b)}")


# LU


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """The factors L and U in one matrix, and the row with which each row was exchanged.

    Args:
        a: Shape (..., m, n).
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> from functrace.scipy import linalg
        >>> lu, exchanged = linalg.lu_factor([[1.0, 3.0], [2.0, 1.0]])
        >>> lu
        array([[2. , 1. ],
               [0.5, 2.5]])
        >>> exchanged.tolist()
        [1, 1]
    """
    factors, pivots, _ = bind(exchanges.lu_by_lapack, operands(a, check_finite=check_finite))
    return factors, pivots


def lu_solve(
    lu_and_piv: tuple[Any, Any],
    b: Any,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve ``a x = b`` by what `lu_factor` gives.

    Args:
        lu_and_piv: The factors, shape (..., n, n), and the exchanges.
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        trans: 0 for ``a``, 1 for its transpose, 2 for the conjugate of that.
        overwrite_b: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> factors = linalg.lu_factor(np.array([[1.0, 2.0], [3.0, 1.0]]))
        >>> linalg.lu_solve(factors, np.array([3.0, 4.0]))
        array([1., 1.])
    """
    factors, pivots = lu_and_piv
    factors, b = operands(factors, b, check_finite=check_finite)
    if trans not in (0, 1, 2):
        raise ValueError(f"trans is 0, 1 or 2, not {trans}")
    rows = shape_of(b)[0 if is_vector(b) else -2]
    if shape_of(square(factors, "lu"))[-2] != rows:
        raise ValueError(f"Shapes of lu {factors.shape} and b {b.shape} are incompatible")
    order = bind(exchanges.permutation, as_operand(pivots), count=rows)

    def solved(b: Any) -> Any:
        matrix, right, at = together(factors, b, order[..., None])
        if not trans:
            right = np.take_along_axis(right, at, axis=-2)
            half = _solved(matrix, right, lower=True, unit_diagonal=True)
            return _solved(matrix, half, lower=False)
        matrix = matrix.mT if trans == 1 else adjoint(matrix)
        x = _solved(matrix, _solved(matrix, right, lower=True), lower=False, unit_diagonal=True)
        return np.take_along_axis(x, np.argsort(at, axis=-2), axis=-2)

    return with_vectors(solved, b)


def lu(
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> tuple[Any, ...]:
    """The factors of ``a = P @ L @ U``.

    Args:
        a: Shape (..., m, n).
        permute_l: Whether the pair of ``P @ L`` and U is returned.
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.
        p_indices: Whether P is given by indices: ``a = L[p] @ U``.

    Returns:
        P, L and U, of shapes (..., m, m), (..., m, k) and (..., k, n) with the smaller side k.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.lu(np.array([[1.0, 2.0], [2.0, 2.0]]), permute_l=True)[0]
        array([[0.5, 1. ],
               [1. , 0. ]])
    """
    a = operands(a, check_finite=check_finite)
    if len(shape_of(a)) < 2:
        raise ValueError("The input array must be at least two-dimensional.")
    rows, columns = shape_of(a)[-2:]
    count = min(rows, columns)
    factors, _, order = bind(exchanges.lu_by_lapack, a)
    lower = np.tril(factors[..., :count], -1) + np.eye(rows, count, dtype=dtype_of(factors))
    upper = np.triu(factors[..., :count, :])
    place = np.argsort(order, axis=-1).astype(order.dtype)
    if permute_l:
        return np.take_along_axis(lower, place[..., None], axis=-2), upper
    if p_indices:
        return place, lower, upper
    permutation = np.equal(place[..., :, None], np.arange(rows))
    return permutation.astype(dtype_of(a).char.lower()), lower, upper


# Orthonormal factors


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Any, ...]:
    """The factors Q, with orthonormal columns, and R, upper triangular.

    Args:
        a: Shape (..., m, n).
        overwrite_a: Taken, and without effect; as is ``lwork``.
        lwork: See there.
        mode: "full" for a square Q, "economic" for one with as many columns as R has rows, "r" for
            R alone. The columns of a square Q that belong to none of the matrix have no derivative.
        pivoting: Whether columns change places, so that the diagonal of R falls in size.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        Q and R, or R; and the order of the columns under ``pivoting``.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> np.abs(linalg.qr(np.array([[3.0, 1.0], [4.0, 2.0]]), mode="r")[0]).round(1)
        array([[5. , 2.2],
               [0. , 0.4]])
    """
    if mode not in ("full", "qr", "r", "economic", "raw"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    a = operands(a, check_finite=check_finite)
    if mode == "raw":
        raise ArgumentError(
            "qr takes the mode 'full', 'economic' or 'r' here: the reflections that LAPACK works "
            "with are not traced.",
            source_of(user_place(2)),
            "Write qr(a, mode='economic'), which gives the factors that they make.",
        )
    order: tuple[Any, ...] = ()
    if pivoting:
        order = (bind(exchanges.column_order, a),)
        a = np.take_along_axis(a, order[0][..., None, :], axis=-1)
    rows, columns = shape_of(a)[-2:]
    if mode == "r":  # that of "full", which is the other one and zeros
        r = bind(factoring.qr, a, full=False)[1]
        if rows > columns:
            below = np.zeros((*shape_of(r)[:-2], rows - columns, columns), dtype_of(r))
            r = np.concatenate([r, below], axis=-2)
        return r, *order
    return *bind(factoring.qr, a, full=mode != "economic"), *order


def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Any, ...]:
    """The product of Q of a `qr` with another matrix, and R.

    Args:
        a: Shape (..., m, n).
        c: A matrix with m columns, or with min(m, n) rows under "left"; or such a vector.
        mode: "right" for ``c @ Q``, "left" for ``Q @ c``.
        pivoting: As in `qr`.
        conjugate: Whether the conjugate of Q is taken.
        overwrite_a: Taken, and without effect; as is ``overwrite_c``.
        overwrite_c: See there.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> product, r = linalg.qr_multiply(np.array([[3.0], [4.0]]), np.array([[1.0, 0.0]]))
        >>> np.abs(product * r).round(3)
        array([[3.]])
    """
    if mode not in ("left", "right"):
        raise ValueError(f"Mode argument can only be 'left' or 'right' but not '{mode}'")
    a, c = operands(a, c)
    q, *rest = qr(a, mode="economic", pivoting=pivoting)
    q = np.conj(q) if conjugate else q
    if mode == "left" and shape_of(q)[-1] != shape_of(c)[0 if is_vector(c) else -2]:
        raise ValueError(
            f"Array shapes are not compatible for Q @ c operation: {shape_of(a)} vs {shape_of(c)}"
        )
    if mode == "right" and shape_of(c)[-1] != shape_of(q)[-2]:
        raise ValueError(
            f"Array shapes are not compatible for c @ Q operation: {shape_of(c)} vs {shape_of(a)}"
        )
    return (q @ c if mode == "left" else c @ q), *rest


def rq(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    check_finite: bool = True,
) -> Any:
    """The factors R, upper triangular, and Q, with orthonormal rows; by `qr` of the turned matrix.

    Args:
        a: Shape (..., m, n).
        overwrite_a: Taken, and without effect; as is ``lwork``.
        lwork: See there.
        mode: As in `qr`.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> a = np.array([[0.0, 2.0], [3.0, 4.0]])
        >>> r, q = linalg.rq(a)
        >>> np.abs(r).round(3)
        array([[1.2, 1.6],
               [0. , 5. ]])
        >>> np.allclose(r @ q, a)
        True
    """
    if mode not in ("full", "r", "economic"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic']")
    a = operands(a, check_finite=check_finite)
    turned = adjoint(a[..., ::-1, :])
    q, r = bind(factoring.qr, turned, full=mode != "economic")
    r, q = adjoint(r)[..., ::-1, ::-1], adjoint(q)[..., ::-1, :]
    return r if mode == "r" else (r, q)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """The singular value decomposition ``a = (u * s) @ vh``, as `numpy.linalg.svd`.

    Args:
        a: Shape (..., m, n).
        full_matrices: Whether u and vh are square. What belongs to no singular value has no
            derivative.
        compute_uv: Whether u and vh are wanted.
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.
        lapack_driver: Taken, and without effect.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> a = np.array([[0.0, 2.0], [3.0, 0.0]])
        >>> u, s, vh = linalg.svd(a)
        >>> s.round(3)
        array([3., 2.])
        >>> np.allclose((u * s) @ vh, a)
        True
    """
    if lapack_driver not in ("gesdd", "gesvd"):
        raise ValueError(f'lapack_driver must be "gesdd" or "gesvd", not "{lapack_driver}"')
    a = operands(a, check_finite=check_finite)
    if not compute_uv:
        return bind(spectral.svd, a, full=False)[1]
    return tuple(bind(spectral.svd, a, full=bool(full_matrices)))


def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The singular values, in descending order.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.svdvals([[0.0, 2.0], [3.0, 0.0]]).round(3)
        array([3., 2.])
    """
    return svd(a, compute_uv=False, check_finite=check_finite)


def diagsvd(s: Any, M: int, N: int) -> Any:  # noqa: N803  (SciPy's names)
    """The matrices with singular values on their diagonal.

    Args:
        s: Shape (..., k), k the smaller one of
        M: the number of rows
        N: and the number of columns.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.diagsvd([3, 2], 2, 3)
        array([[3, 0, 0],
               [0, 2, 0]])
    """
    s = as_operand(s)
    count = shape_of(s)[-1]
    if count not in (M, N):
        raise ValueError("Length of s must be M or N.")
    return (
        s[..., :, None] * np.eye(count, N, dtype=dtype_of(s))
        if count == M
        else (np.eye(M, count, dtype=dtype_of(s)) * s[..., None, :])
    )


def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """The polar decomposition ``a = u @ p``, or ``p @ u``.

    Args:
        a: Shape (..., m, n).
        side: On which side the positive semidefinite factor stands.

    Returns:
        u, of the shape of ``a``, with orthonormal columns (or rows); and p. They have a
        derivative where ``a`` has full rank.

    Source: Higham, Functions of Matrices (2008), chapter 8.

    Example:
        >>> from functrace.scipy import linalg
        >>> u, p = linalg.polar([[0.4, -1.0], [2.2, 2.0]])
        >>> u.round(3)
        array([[ 0.6, -0.8],
               [ 0.8,  0.6]])
        >>> p.round(3)
        array([[2., 1.],
               [1., 2.]])
    """
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    a = operands(a, check_finite=False)
    w, s, vh = np.linalg.svd(a, full_matrices=False)
    right = side == "right"
    p = (adjoint(vh) * s[..., None, :]) @ vh if right else (w * s[..., None, :]) @ adjoint(w)
    return w @ vh, p


def orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> tuple[Any, Any]:  # noqa: N803
    """The orthogonal matrix that brings one matrix closest to another, and the sum of the scale.

    Args:
        A: Shape (..., m, n).
        B: The same shape.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> turn, scale = linalg.orthogonal_procrustes(np.eye(2), [[1.2, -1.6], [1.6, 1.2]])
        >>> turn.round(3)
        array([[ 0.6, -0.8],
               [ 0.8,  0.6]])
        >>> scale.round(3)
        np.float64(4.0)
    """
    a, b = operands(A, B, check_finite=check_finite)
    if shape_of(a)[-2:] != shape_of(b)[-2:]:
        raise ValueError(f"the shapes of A and B differ ({a.shape} vs {b.shape})")
    u, w, vh = np.linalg.svd(adjoint(a) @ b)
    return u @ vh, np.sum(w, axis=-1)


# Eigenvalues


def _subset(values: Any, subset_by_index: Any, subset_by_value: Any) -> Any:
    """Which of sorted eigenvalues are wanted: a slice."""
    size = shape_of(values)[-1]
    if subset_by_index is not None and subset_by_value is not None:
        raise ValueError("Either index or value subset can be requested.")
    if subset_by_index is not None:
        low, high = map(int, subset_by_index)
        if not 0 <= low <= high < size:
            raise ValueError(
                f"Requested eigenvalue indices are not valid. Valid range is [0, {size - 1}] and "
                f"start <= end, but start={low}, end={high} is given"
            )
        return slice(low, high + 1)
    if subset_by_value is None:
        return slice(None)
    low, high = subset_by_value
    known = known_value(values)
    if isinstance(known, Tracer) or known.ndim > 1:
        raise ArgumentError(
            "How many eigenvalues lie between two numbers is not known here, and so not the shape "
            "of the result.",
            source_of(user_place(2)),
            "Write subset_by_index, or choose with np.where among all eigenvalues.",
        )
    return slice(int(np.sum(known <= low)), int(np.sum(known <= high)))


def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Sequence[int] | None = None,
    subset_by_value: Sequence[float] | None = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices.

    Args:
        a: Shape (..., n, n), of which one triangle is read. The derivative with respect to the
            other one is zero; as is that of
        b: The positive definite matrix of a generalized problem, of the same shape, or None.
        lower: Which triangle is read.
        eigvals_only: Whether the eigenvalues are returned alone.
        overwrite_a: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        type: Of the generalized problem: 1 for ``a v = w b v``, 2 for ``a b v = w v``, 3 for
            ``b a v = w v``.
        check_finite: Whether to look for infinities and nans among known values.
        subset_by_index: The numbers of the first and the last eigenvalue that are wanted.
        subset_by_value: Between which numbers they are, of a matrix whose values are known.
        driver: Taken, and without effect. The signs of vectors may be other ones than SciPy's.

    Raises:
        LinAlgError: ``b`` is not positive definite.

    Eigenvectors of equal eigenvalues have no derivative (nan); what does not depend on their
    choice has one. The generalized problem is brought to the other one by Cholesky's factor of
    ``b`` (Golub and Van Loan, Matrix Computations, 4th edition, section 8.7.2).

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.eigh(np.diag([2.0, 6.0]), np.diag([1.0, 2.0]), eigvals_only=True)
        array([2., 3.])
    """
    if b is None:
        a = square(operands(a, check_finite=check_finite))
        values, vectors = bind(spectral.eigh, a, lower=bool(lower))
    else:
        if type not in (1, 2, 3):
            raise ValueError('"type" keyword only accepts 1, 2, and 3.')
        a, b = operands(a, b, check_finite=check_finite)
        if shape_of(square(a))[-2:] != shape_of(square(b, "b"))[-2:]:
            raise ValueError(f"wrong b dimensions {b.shape}, should be {a.shape}")
        a, b = together(a, b)
        a, factor = from_triangle(a, bool(lower)), np.linalg.cholesky(from_triangle(b, bool(lower)))
        turned = adjoint(factor)
        if type == 1:
            half = _solved(factor, a, lower=True)
            seen = adjoint(_solved(factor, adjoint(half), lower=True))
        else:
            seen = turned @ a @ factor
        values, vectors = bind(spectral.eigh, seen, lower=True)
        vectors = factor @ vectors if type == 3 else _solved(turned, vectors, lower=False)
    part = _subset(values, subset_by_index, subset_by_value)
    if part == slice(None):
        return values if eigvals_only else (values, vectors)
    return values[..., part] if eigvals_only else (values[..., part], vectors[..., part])


def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Sequence[int] | None = None,
    subset_by_value: Sequence[float] | None = None,
    driver: str | None = None,
) -> Any:
    """The eigenvalues of `eigh`.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(3)
        array([1., 3.])
    """
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        check_finite=check_finite,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
    )


def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: Sequence[float] | None = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues and eigenvectors of real symmetric matrices with three diagonals, by `eigh`.

    Args:
        d: Shape (..., n), the diagonal.
        e: Shape (..., n - 1), beside it.
        eigvals_only: Whether the eigenvalues are returned alone.
        select: "a" for all, "i" for those with numbers, "v" for those with values in
        select_range: Its first and last.
        check_finite: Whether to look for infinities and nans among known values.
        tol: Taken, and without effect; as is ``lapack_driver``.
        lapack_driver: See there.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> w, v = linalg.eigh_tridiagonal([2.0, 2.0], [1.0])
        >>> w.round(3)
        array([1., 3.])
        >>> np.abs(v).round(3)
        array([[0.707, 0.707],
               [0.707, 0.707]])
    """
    d, e = operands(d, e, check_finite=check_finite)
    if is_complex(d):
        raise TypeError("Only real arrays currently supported")
    d, e = together(d, e, core=1)
    size = shape_of(d)[-1]
    below = e[..., :, None] * np.eye(size - 1, size, dtype=dtype_of(e))
    above = np.zeros_like(below[..., :1, :])
    a = d[..., :, None] * np.eye(size, dtype=dtype_of(d)) + np.concatenate([above, below], -2)
    options = {
        "subset_by_index": select_range if select == "i" else None,
        "subset_by_value": select_range if select == "v" else None,
    }
    return eigh(a, eigvals_only=eigvals_only, **options)  # pyright: ignore[reportArgumentType]


def eigvalsh_tridiagonal(
    d: Any,
    e: Any,
    select: str = "a",
    select_range: Sequence[float] | None = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """The eigenvalues of `eigh_tridiagonal`.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.eigvalsh_tridiagonal([2.0, 2.0], [1.0]).round(3)
        array([1., 3.])
    """
    return eigh_tridiagonal(d, e, True, select, select_range, check_finite)


def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues, in no order, and eigenvectors of square matrices.

    Args:
        a: Shape (..., n, n).
        b: The regular matrix of a generalized problem ``a v = w b v``, of the same shape, or None.
        left: Whether left eigenvectors are wanted.
        right: Whether right eigenvectors are wanted.
        overwrite_a: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        check_finite: Whether to look for infinities and nans among known values.
        homogeneous_eigvals: Must be False: such a pair of numbers for each eigenvalue has no
            derivative.

    Returns:
        The eigenvalues, which are complex; and the left and the right vectors where they are
        wanted, each with norm 1 and a largest component that is real. Vectors of a real matrix are
        real where all eigenvalues are known to be. Where eigenvalues are equal, they and their
        vectors have the derivative nan.

    Raises:
        LinAlgError: ``b`` is singular.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> w, v = linalg.eig([[2.0, 1.0], [0.0, 3.0]])
        >>> w.round(3)
        array([2.+0.j, 3.+0.j])
        >>> np.abs(v).round(3)
        array([[1.   , 0.707],
               [0.   , 0.707]])
    """
    if homogeneous_eigvals:
        raise ArgumentError(
            "eig takes no homogeneous_eigvals here: how the two numbers for an eigenvalue are "
            "scaled is not determined, so that they have no derivative.",
            source_of(user_place(2)),
            "Leave it out, for eigenvalues as they are.",
        )
    given = (a,) if b is None else (a, b)
    found = operands(*given, check_finite=check_finite)
    if b is None:
        matrix = square(found)
    else:
        a, b = found
        if shape_of(square(a))[-2:] != shape_of(square(b, "b"))[-2:]:
            raise ValueError("a and b must have the same shape")
        matrix = np.linalg.solve(*together(b, a))
    values, vectors = bind(eigen.eig, matrix)
    if not (left or right):
        return values
    is_real = not is_complex(real_where_known(values, matrix))

    def shown(x: Any) -> Any:
        return np.real(x) if is_real else x

    result: list[Any] = [values]
    if left:
        rows = np.linalg.inv(vectors)
        others = adjoint(rows if b is None else rows @ np.linalg.inv(b))
        others = others / np.linalg.norm(others, axis=-2, keepdims=True)
        largest = np.argmax(np.abs(others), axis=-2, keepdims=True)
        component = np.take_along_axis(others, largest, axis=-2)
        result.append(shown(others * (np.conj(component) / np.abs(component))))
    if right:
        result.append(shown(vectors))
    return tuple(result)


def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """The eigenvalues of `eig`.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.eigvals([[2.0, 1.0], [0.0, 3.0]]).round(3)
        array([2.+0.j, 3.+0.j])
    """
    return eig(
        a,
        b,
        right=False,
        check_finite=check_finite,
        homogeneous_eigvals=homogeneous_eigvals,
    )


def schur(
    a: Any,
    output: str = "real",
    lwork: int | None = None,
    overwrite_a: bool = False,
    sort: Any = None,
    check_finite: bool = True,
) -> tuple[Any, Any]:
    """Schur's decomposition ``a = Z @ T @ Z^H``.

    Args:
        a: Shape (..., n, n).
        output: "real" for real factors of real matrices, with blocks of two rows for pairs of
            complex eigenvalues; "complex" for a triangular T.
        lwork: Taken, and without effect; as is ``overwrite_a``.
        overwrite_a: See there.
        sort: Must be None: the order of eigenvalues jumps.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        T and Z. Where T is triangular and its eigenvalues differ, they have the derivative that
        holds the phase of each column of Z; elsewhere the derivative is nan.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> a = np.array([[2.0, 1.0], [1.0, 2.0]])
        >>> t, z = linalg.schur(a)
        >>> np.sort(np.diag(t)).round(3)
        array([1., 3.])
        >>> np.allclose(z @ t @ z.T, a)
        True
    """
    if output not in ("real", "complex", "r", "c"):
        raise ValueError("argument must be 'real', or 'complex'")
    if sort is not None:
        raise ArgumentError(
            "schur takes no sort here: eigenvalues that change their places make the factors jump.",
            source_of(user_place(2)),
            "Leave it out.",
        )
    a = square(operands(a, check_finite=check_finite, dtype=_of_schur))
    if output[0] == "c":
        a = in_dtype(a, np.result_type(dtype_of(a), np.complex64))
    return tuple(bind(schurs.schur, a))


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Any, Any]:  # noqa: N803
    """The complex triangular factors of Schur's decomposition from the real ones.

    Args:
        T: Shape (..., n, n): the real factor of `schur`, with blocks of two rows.
        Z: The same shape: the orthogonal one.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        The factors, which are complex, by one rotation for each block.

    Source: Golub and Van Loan, Matrix Computations, section 7.4.1.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> t, z = linalg.schur([[1.0, 2.0], [-2.0, 1.0]])
        >>> np.diag(linalg.rsf2csf(t, z)[0]).round(3)
        array([1.+2.j, 1.-2.j])
    """
    t, z = operands(T, Z, check_finite=check_finite)
    for name, x in (("Z", z), ("T", t)):
        square(x, name)
    if shape_of(t) != shape_of(z):
        raise ValueError(f"Input array shapes must match: Z: {shape_of(z)} vs. T: {shape_of(t)}")
    t, z = (in_dtype(x, np.result_type(dtype_of(x), np.complex64)) for x in (t, z))
    t, z = together(t, z)
    size, eps = shape_of(t)[-1], np.finfo(dtype_of(t)).eps
    for m in range(size - 1, 0, -1):
        (a, b), (c, d) = ([t[..., i, j] for j in (m - 1, m)] for i in (m - 1, m))
        is_block = np.greater(np.abs(c), eps * (np.abs(a) + np.abs(d)))
        b, c = np.where(is_block, b, 1.0), np.where(is_block, c, 1.0)
        half = (a - d) / 2
        shift = half + np.sqrt(half * half + b * c)  # an eigenvalue less d
        length = np.sqrt(np.abs(shift) ** 2 + np.abs(c) ** 2)
        cosine = np.where(is_block, shift / length, 1.0)
        sine = np.where(is_block, c / length, 0.0)
        rotation = np.stack(
            [np.stack([np.conj(cosine), sine], -1), np.stack([-sine, cosine], -1)], -2
        )
        turned = np.concatenate(
            [t[..., : m - 1, :], rotation @ t[..., m - 1 : m + 1, :], t[..., m + 1 :, :]], axis=-2
        )
        t, z = (
            np.concatenate(
                [x[..., : m - 1], x[..., m - 1 : m + 1] @ adjoint(rotation), x[..., m + 1 :]], -1
            )
            for x in (turned, z)
        )
    return np.triu(t), z


def hessenberg(
    a: Any, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """Hessenberg's form ``a = Q @ H @ Q^H``, with zeros below the diagonal below the main one.

    Args:
        a: Shape (..., n, n).
        calc_q: Whether the unitary factor is wanted.
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Returns:
        H, or H and Q. Where the lower diagonal of H holds a zero before its end, the factors jump,
        and the derivative is nan.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> a = np.array([[2.0, 5.0, 8.0], [3.0, 2.0, 2.0], [4.0, 2.0, 1.0]])
        >>> linalg.hessenberg(a).round(2)
        array([[ 2.  , -9.4 ,  0.8 ],
               [-5.  ,  3.28,  1.04],
               [ 0.  ,  1.04, -0.28]])
    """
    a = square(operands(a, check_finite=check_finite, dtype=_of_schur))
    if shape_of(a)[-1] > 2:
        h, q = bind(schurs.hessenberg, a)
    else:
        h, q = a, np.broadcast_to(np.eye(shape_of(a)[-1]), shape_of(a))
    return (h, q) if calc_q else h


def _of_schur(a: Any) -> np.dtype[Any]:
    return double(a) if dtype_of(a).kind in "iu" else precision(a)


# What has no derivative


_ARBITRARY = (
    "its columns are any basis of a space, and how many there are depends on the values, so that "
    "neither the shape nor a derivative of the result is determined."
)
_PROJECTOR = (
    "Where the projector is meant, write a @ linalg.pinv(a) for that on the range of a, or "
    "np.eye(n) - linalg.pinv(a) @ a."
)


def null_space(
    A: Any,  # noqa: N803  (SciPy's name)
    rcond: float | None = None,
    *,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """An orthonormal basis of what a matrix maps to zero, of a matrix that is not traced.

    Raises:
        UnsupportedFunctionError: It is traced.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> np.abs(linalg.null_space([[1.0, -1.0]])).round(3)
        array([[0.707],
               [0.707]])
    """
    only_values("null_space", _ARBITRARY, _PROJECTOR, A)
    linalg = scipy_module("linalg", "functrace.scipy.linalg.null_space")
    return linalg.null_space(A, rcond)


def orth(A: Any, rcond: float | None = None) -> Any:  # noqa: N803  (SciPy's name)
    """An orthonormal basis of the range of a matrix that is not traced.

    Raises:
        UnsupportedFunctionError: It is traced.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> np.abs(linalg.orth([[1.0, 2.0], [1.0, 2.0]])).round(3)
        array([[0.707],
               [0.707]])
    """
    only_values("orth", _ARBITRARY, _PROJECTOR, A)
    return scipy_module("linalg", "functrace.scipy.linalg.orth").orth(A, rcond)


globals().update(entrances(globals()))
