"""Linear systems, inverses, determinants and norms: the names of ``scipy.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.matrices import banded, least_squares, spectral, systems
from functrace.matrices.stacks import adjoint, diagonal, from_triangle, is_complex
from functrace.matrices.toeplitz import toeplitz_solve
from functrace.primitives.linear import cast_to, dtype_of, known_choice, known_value, shape_of
from functrace.primitives.requiring import require
from functrace.scipy.linalg.operands import (
    double,
    inexact,
    is_vector,
    operands,
    square,
    together,
    with_vectors,
)
from functrace.scipy.linalg.structured import column_and_row
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.refusals import STATIC
from functrace.tracing.tracer import Tracer, bind

_KINDS = {
    None: "general", "general": "general", "gen": "general", "banded": "general",
    "tridiagonal": "tridiagonal", "diagonal": "diagonal",
    "upper triangular": "upper", "lower triangular": "lower",
    "symmetric": "symmetric", "sym": "symmetric", "hermitian": "hermitian", "her": "hermitian",
    "positive definite": "positive", "pos": "positive",
}  # fmt: skip
"""What ``assume_a`` may say, and what it means."""


def _kind(assume_a: Any) -> str:
    if assume_a not in _KINDS:
        raise ValueError(f"{assume_a} is not a recognized matrix structure")
    return _KINDS[assume_a]


def _assumed(a: Any, kind: str, lower: bool) -> Any:
    """The matrices of which a structure reads one triangle."""
    if kind == "symmetric" and is_complex(a):
        part = np.tril(a) if lower else np.triu(a)
        return part + (np.tril(a, -1) if lower else np.triu(a, 1)).mT
    return from_triangle(a, lower) if kind in ("symmetric", "hermitian", "positive") else a


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """Solve ``a x = b`` for square matrices.

    Args:
        a: Shape (..., n, n).
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        lower: Which triangle is read, where one is: under "symmetric", "hermitian" and "positive
            definite". The derivative with respect to the other one is zero.
        overwrite_a: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        check_finite: Whether to look for infinities and nans among known values.
        assume_a: The structure of the matrix, as SciPy names it.
        transposed: Whether ``a.T x = b`` is solved; not for complex matrices.

    Returns:
        The solution, of the shape of ``b`` with the leading axes of both.

    Raises:
        LinAlgError: The matrix is singular, or not positive definite where that is assumed.
        ValueError: The shapes do not fit, or something is not finite.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.solve(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([3.0, 4.0]), assume_a="pos")
        array([1., 1.])
    """
    kind = _kind(assume_a)
    a, b = operands(np.atleast_2d(a), np.atleast_1d(b), check_finite=check_finite, dtype=inexact)
    square(a)
    if transposed:
        if is_complex(a):
            raise NotImplementedError(
                "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex "
                "matrices."
            )
        a, kind = a.mT, {"upper": "lower", "lower": "upper"}.get(kind, kind)
        lower = not lower
    if a.shape == (1, 1) and b.shape[-2:-1] != (1,) and b.shape != (1,):  # a number for SciPy
        return b / _regular(a[0, 0])
    if shape_of(b)[0 if is_vector(b) else -2] != shape_of(a)[-1]:
        raise ValueError(f"incompatible shapes: {a.shape} and {b.shape}")
    return with_vectors(lambda b: _solved(a, b, kind, lower), b)


def _solved(a: Any, b: Any, kind: str, lower: bool) -> Any:
    if kind == "diagonal":
        return b / _regular(diagonal(a)[..., None])
    if kind in ("upper", "lower"):
        params = {"lower": kind == "lower", "unit_diagonal": False}
        return bind(systems.solve_triangular, a, b, **params)
    if kind == "tridiagonal":
        size = shape_of(a)[-1]
        a, b = together(a, b)
        if size < 2:
            return _solved(a, b, "diagonal", lower)
        parts = [np.diagonal(a, offset, -2, -1) for offset in (1, 0, -1)]
        nothing = np.zeros_like(parts[1][..., :1])
        rows = np.stack(
            [
                np.concatenate([nothing, parts[0]], -1),
                parts[1],
                np.concatenate([parts[2], nothing], -1),
            ],
            -2,
        )
        return bind(banded.banded_solve, rows, b, lower=1, upper=1)
    a = _assumed(a, kind, lower)
    if kind == "positive":
        factor = np.linalg.cholesky(a)
        half = bind(systems.solve_triangular, factor, b, lower=True, unit_diagonal=False)
        upper = adjoint(factor)
        return bind(systems.solve_triangular, upper, half, lower=False, unit_diagonal=False)
    return bind(systems.solve, a, b)


def _regular(pivots: Any) -> Any:
    """What is to be divided by, or the error where it is zero."""
    message = "A singular matrix detected."
    return require(pivots, np.not_equal(pivots, 0), message, np.linalg.LinAlgError)


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve ``a x = b`` for triangular matrices, whose other triangle is not read.

    Args:
        a: Shape (..., n, n).
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        trans: 0 or "N" for ``a``, 1 or "T" for its transpose, 2 or "C" for the conjugate of that.
        lower: Whether the lower triangle is meant.
        unit_diagonal: Whether the diagonal is taken as 1.
        overwrite_b: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Raises:
        LinAlgError: There is a zero on the diagonal.
        ValueError: The shapes do not fit, or something is not finite.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.solve_triangular([[2.0, 0.0], [1.0, 1.0]], [2.0, 3.0], lower=True)
        array([1., 2.])
    """
    a, b = operands(a, b, check_finite=check_finite)
    square(a)
    numbers: dict[Any, int] = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}
    if trans not in numbers:
        raise ValueError(f"trans is 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")
    if shape_of(b)[0 if is_vector(b) else -2] != shape_of(a)[-1]:
        raise ValueError(f"shapes of a {a.shape} and b {b.shape} are incompatible")
    if numbers[trans]:
        a, lower = (adjoint(a) if numbers[trans] == 2 else a.mT), not lower
    params = {"lower": bool(lower), "unit_diagonal": bool(unit_diagonal)}
    return with_vectors(lambda b: bind(systems.solve_triangular, a, b, **params), b)


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve systems whose matrices have few diagonals.

    Args:
        l_and_u: The numbers of diagonals below and above the main one.
        ab: Shape (..., l + u + 1, n): ``ab[u + i - j, j]`` is element ``(i, j)``.
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        overwrite_ab: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        check_finite: Whether to look for infinities and nans among known values.

    Raises:
        LinAlgError: The matrix is singular.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import linalg
        >>> linalg.solve_banded((1, 1), [[0.0, 1, 1], [2, 2, 2], [1, 1, 0]], [3.0, 4.0, 3.0])
        array([1., 1., 1.])
    """
    lower, upper = map(int, l_and_u)
    ab, b = operands(ab, b, check_finite=check_finite, dtype=inexact)
    return _banded(banded.banded_solve, ab, b, lower=lower, upper=upper)


def _banded(primitive: Any, ab: Any, b: Any, **params: int) -> Any:
    def solved(b: Any) -> Any:
        ab_, b_ = together(ab, b)
        return bind(primitive, ab_, b_, **params)

    return with_vectors(solved, b)


def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve systems of positive definite matrices with few diagonals.

    Args:
        ab: Shape (..., u + 1, n): the diagonals on one side, as in `solve_banded`, and the main
            one.
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        overwrite_ab: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        lower: On which side.
        check_finite: Whether to look for infinities and nans among known values.

    Raises:
        LinAlgError: The matrix is not positive definite.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solveh_banded([[0.0, 1.0], [2.0, 2.0]], [4.0, 5.0]).round(3)
        array([1., 2.])
    """
    ab, b = operands(ab, b, check_finite=check_finite)
    count = shape_of(ab)[-2] - 1
    if not lower:
        rows = [np.conj(np.roll(ab[..., count - d, :], -d, -1)) for d in range(count + 1)]
        ab = np.stack(rows, -2)
    return _banded(banded.hermitian_banded_solve, ab, b, lower=count, upper=0)


def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """Solve systems of Toeplitz matrices, by Levinson's recursion: in ``n**2`` steps.

    Args:
        c_or_cr: The first column, shape (..., n), or the pair of it and the first row.
        b: Shape (n,), or (..., n, k); leading axes broadcast.
        check_finite: Whether to look for infinities and nans among known values.

    Raises:
        LinAlgError: The matrix is singular.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_toeplitz(([2.0, 1.0], [2.0, 0.0]), [2.0, 5.0]).round(3)
        array([1., 2.])
    """
    c, r, b = operands(*column_and_row(c_or_cr), b, check_finite=check_finite, dtype=double)
    if (
        shape_of(c)[-1] != shape_of(r)[-1]
        or shape_of(b)[0 if is_vector(b) else -2] != (shape_of(r)[-1])
    ):
        raise ValueError("Incompatible dimensions.")
    c, r = together(c, r, core=1)
    return with_vectors(lambda b: bind(toeplitz_solve, *together(np.stack([c, r], -2), b)), b)


def matmul_toeplitz(
    c_or_cr: Any, x: Any, check_finite: bool = False, workers: int | None = None
) -> Any:
    """The product of a Toeplitz matrix with a vector or a matrix, by Fourier transforms.

    Args:
        c_or_cr: The first column, shape (..., m), or the pair of it and the first row, (..., n).
        x: Shape (n,), or (..., n, k); leading axes broadcast.
        check_finite: Whether to look for infinities and nans among known values.
        workers: Taken, and without effect.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.matmul_toeplitz(([1.0, 2.0, 3.0], [1.0, 4.0]), [1.0, 10.0]).round(3)
        array([41., 12., 23.])
    """
    c, r, x = operands(*column_and_row(c_or_cr), x, check_finite=check_finite, dtype=double)
    if shape_of(x)[0 if is_vector(x) else -2] != shape_of(r)[-1]:
        raise ValueError("Incompatible dimensions.")
    c, r = together(c, r, core=1)
    rows, columns = shape_of(c)[-1], shape_of(r)[-1]
    length = rows + columns - 1
    column = np.concatenate([c, r[..., :0:-1]], axis=-1)[..., None]

    def product(x: Any) -> Any:
        if is_complex(c):
            found = np.fft.fft(column, axis=-2) * np.fft.fft(x, length, axis=-2)
            return np.fft.ifft(found, axis=-2)[..., :rows, :]
        found = np.fft.rfft(column, axis=-2) * np.fft.rfft(x, length, axis=-2)
        return np.fft.irfft(found, length, axis=-2)[..., :rows, :]

    return with_vectors(product, x)


def solve_circulant(
    c: Any,
    b: Any,
    singular: str = "raise",
    tol: float | None = None,
    caxis: int = -1,
    baxis: int = 0,
    outaxis: int = 0,
) -> Any:
    """Solve systems of circulant matrices, by Fourier transforms.

    Args:
        c: The first columns, along an axis.
        b: The right-hand sides, along an axis.
        singular: "raise", or "lstsq" for the solution of least norm.
        tol: Below which size an eigenvalue counts as zero.
        caxis: The axis of ``c``.
        baxis: The axis of ``b``.
        outaxis: The axis of the result.

    Raises:
        LinAlgError: An eigenvalue counts as zero, under "raise".

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_circulant([2.0, 1.0, 0.0], [5.0, 5.0, 8.0]).round(3)
        array([1., 2., 3.])
    """
    c, b = np.atleast_1d(as_operand(c)), np.atleast_1d(as_operand(b))
    length, other = shape_of(c)[caxis], shape_of(b)[baxis]
    if length != other:
        raise ValueError(f"Shapes of c {c.shape} and b {b.shape} are incompatible")
    is_real = not (is_complex(c) or is_complex(b))
    values = np.fft.fft(np.moveaxis(c, caxis, -1), axis=-1)
    sizes = np.abs(values)
    if tol is None:
        tol = np.max(sizes, axis=-1, keepdims=True) * length * np.finfo(np.float64).eps
    is_zero = sizes <= tol
    if singular == "raise":
        message = "near singular circulant matrix."
        values = require(values, ~np.any(is_zero), message, np.linalg.LinAlgError)
    values = np.where(is_zero, 1, values).astype(dtype_of(values))
    found = np.fft.fft(np.moveaxis(b, baxis, -1), axis=-1) / values
    found = np.where(is_zero, 0, found).astype(dtype_of(found))
    x = np.fft.ifft(found, axis=-1)
    return np.moveaxis(np.real(x) if is_real else x, -1, outaxis)


def inv(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: str | None = None,
    lower: bool = False,
) -> Any:
    """The inverses of square matrices.

    Args:
        a: Shape (..., n, n).
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.
        assume_a: The structure, as in `solve`.
        lower: Which triangle is read, where one is.

    Raises:
        LinAlgError: A matrix is singular, or not positive definite where that is assumed.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.inv([[2.0, 1.0], [3.0, 2.0]]).round(3)
        array([[ 2., -1.],
               [-3.,  2.]])
    """
    kind = _kind(assume_a)
    a = square(operands(a, check_finite=check_finite))
    if kind in ("general", "tridiagonal"):
        return bind(systems.inverse, a)
    if kind in ("upper", "lower"):
        return bind(systems.inverse_of_triangle, a, lower=kind == "lower")
    eye = np.broadcast_to(np.eye(shape_of(a)[-1], dtype=dtype_of(a)), shape_of(a))
    return _solved(a, eye, kind, lower)


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The determinants of square matrices, in double precision.

    Args:
        a: Shape (..., n, n).
        overwrite_a: Taken, and without effect.
        check_finite: Whether to look for infinities and nans among known values.

    Raises:
        TypeError: They are in extended precision.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import linalg
        >>> linalg.det([[2.0, 1.0], [1.0, 3.0]]).round(3)
        np.float64(5.0)
        >>> ft.grad(linalg.det)(np.array([[2.0, 1.0], [1.0, 3.0]])).round(3)
        array([[ 3., -1.],
               [-1.,  2.]])
    """
    a = as_operand(a)
    if dtype_of(a).char in "gG":
        raise TypeError(f"The dtype {dtype_of(a)} cannot be cast to float(32, 64) or complex.")
    return np.linalg.det(square(operands(a, check_finite=check_finite, dtype=double)))


def lstsq(
    a: Any,
    b: Any,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> tuple[Any, Any, Any, Any]:
    """Least-squares solutions, which have a derivative where the matrix has full rank.

    Args:
        a: Shape (..., m, n).
        b: Shape (m,), or (..., m, k); leading axes broadcast.
        cond: Below which share of the largest singular value others count as zero.
        overwrite_a: Taken, and without effect; as is ``overwrite_b``.
        overwrite_b: See there.
        check_finite: Whether to look for infinities and nans among known values.
        lapack_driver: Taken; under "gelsy" there are no residues and singular values.

    Returns:
        The solution; the sums of squared residuals, if the rank is full and there are more rows
        than columns (where only types are known, if there are more rows); the rank; the singular
        values.

    Raises:
        LinAlgError: It is differentiated where the rank is not full.

    Example:
        >>> from functrace.scipy import linalg
        >>> line, residues, rank, _ = linalg.lstsq([[1, 0], [1, 1], [1, 2]], [1.0, 3.0, 5.0])
        >>> line.round(3)
        array([1., 2.])
    """
    if lapack_driver not in (None, "gelsd", "gelsy", "gelss"):
        raise ValueError(f'LAPACK driver "{lapack_driver}" is not found')
    a, b = operands(a, b, check_finite=check_finite)
    rows, columns = shape_of(a)[-2:]
    if shape_of(b)[0 if is_vector(b) else -2] != rows:
        raise ValueError(
            "Shape mismatch: a and b should have the same number of rows "
            f"({rows} != {shape_of(b)[0 if is_vector(b) else -2]})."
        )
    matrix, right = together(a, b[:, None] if is_vector(b) else b)
    tolerance = np.finfo(dtype_of(a)).eps if cond is None else cond
    tolerance = float(known_choice(tolerance, "The tolerance of singular values", STATIC))
    x, residuals, rank = bind(least_squares.least_squares, matrix, right, tolerance=tolerance)
    if is_vector(b):
        x, residuals = x[..., 0], residuals[..., 0]
    has_none = lapack_driver == "gelsy"
    if has_none or rows <= columns or _is_deficient(rank, columns):
        residuals = np.empty(0, dtype_of(x))
    values = None if has_none else bind(spectral.svd, matrix, full=False)[1]
    return x, residuals, cast_to(rank, np.dtype(np.int64)), values


def _is_deficient(rank: Any, columns: int) -> bool:
    known = known_value(rank)
    return not isinstance(known, Tracer) and bool(np.any(known < columns))


def _tolerances(a: Any, atol: Any, rtol: Any) -> tuple[float, float]:
    rtol = max(shape_of(a)[-2:]) * np.finfo(dtype_of(a)).eps if rtol is None else rtol
    found = [
        float(known_choice(0.0 if x is None else x, "The tolerance of singular values", STATIC))
        for x in (atol, rtol)
    ]
    if min(found) < 0:
        raise ValueError("atol and rtol values must be positive.")
    return found[0], found[1]


def pinv(
    a: Any,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """The Moore-Penrose inverses; their derivative is that among matrices of the same rank.

    Args:
        a: Shape (..., m, n).
        atol: Up to which size singular values count as zero, added to
        rtol: such a share of the largest one.
        return_rank: Whether the rank is returned too.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.pinv([[1.0], [1.0]]).round(3)
        array([[0.5, 0.5]])
    """
    a = operands(a, check_finite=check_finite)
    by_default = atol is None and rtol is None
    atol, rtol = _tolerances(a, atol, rtol)
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    is_large = s > atol + rtol * np.max(s, axis=-1, keepdims=True, initial=0)
    if by_default:
        inverse = bind(least_squares.pseudo_inverse, a, tolerance=rtol, hermitian=False)
    else:
        weights = np.where(is_large, 1 / np.where(is_large, s, 1), 0).astype(dtype_of(s))
        inverse = adjoint(vh) @ (weights[..., :, None] * adjoint(u))
    return (inverse, np.sum(is_large, axis=-1)) if return_rank else inverse


def pinvh(
    a: Any,
    atol: float | None = None,
    rtol: float | None = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """The Moore-Penrose inverses of Hermitian matrices, of which one triangle is read.

    Args:
        a: Shape (..., n, n).
        atol: Up to which size eigenvalues count as zero, added to
        rtol: such a share of the largest one.
        lower: Which triangle is read.
        return_rank: Whether the rank is returned too.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.pinvh([[1.0, 1.0], [1.0, 1.0]]).round(3)
        array([[0.25, 0.25],
               [0.25, 0.25]])
    """
    a = from_triangle(square(operands(a, check_finite=check_finite)), bool(lower))
    return pinv(a, atol=atol, rtol=rtol, return_rank=return_rank, check_finite=False)


def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """Norms of vectors and matrices, as `numpy.linalg.norm`.

    Args:
        a: An array.
        ord: Which norm.
        axis: The axis of vectors, the two axes of matrices, or None.
        keepdims: Whether these axes stay, with length 1.
        check_finite: Whether to look for infinities and nans among known values.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import linalg
        >>> linalg.norm([3.0, 4.0])
        np.float64(5.0)
        >>> ft.grad(linalg.norm)(np.array([3.0, 4.0])).round(3)
        array([0.6, 0.8])
    """
    a = as_operand(a)
    a = operands(a, check_finite=check_finite, dtype=dtype_of)
    return np.linalg.norm(a, ord=ord, axis=axis, keepdims=keepdims)


globals().update(entrances(globals()))
