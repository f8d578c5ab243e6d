"""Linear algebra on traced matrices: `numpy.linalg` but for products and norms.

Two functions of NumPy's have results that depend on the values in dtype or shape. ``eig`` and
``eigvals`` give real numbers where all of them are real, and ``lstsq`` leaves the residuals out
where the rank is not full. So they do where values are known; where only types are, the eigenvalues
are complex, and the residuals are there wherever there are more rows than columns.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.ir.primitive import Primitive
from functrace.matrices import determinants, eigen, factoring, least_squares, spectral, systems
from functrace.matrices.stacks import adjoint
from functrace.primitives.linear import (
    as_scalar,
    cast_to,
    dtype_of,
    known_choice,
    known_value,
    shape_of,
)
from functrace.primitives.shaping import reshape_primitive
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import STATIC
from functrace.tracing.tracer import Tracer, bind

# NumPy's named tuples have no public names.
_EigResult: Any = type(np.linalg.eig(np.eye(1)))
_EighResult: Any = type(np.linalg.eigh(np.eye(1)))
_SVDResult: Any = type(np.linalg.svd(np.eye(1)))
_QRResult: Any = type(np.linalg.qr(np.eye(1)))
_SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


def _matrix(x: Any) -> Any:
    """An operand in a precision that LAPACK has: NumPy computes with integers in double."""
    x = as_operand(x)
    return cast_to(x, np.dtype(np.float64)) if dtype_of(x).kind in "biu" else x


def _lower(UPLO: str) -> bool:  # noqa: N803  (NumPy's name)
    letter = UPLO.upper()
    if letter not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return letter == "L"


# Systems and inverses


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As `numpy.linalg.solve`: ``b`` is a vector if it has one axis, else a stack of matrices."""
    return _solved(systems.solve, a, b)


def _solved(primitive: Primitive, a: Any, b: Any, **params: Any) -> Any:
    """The solution of systems with matrices on the right, or with one vector."""
    a, b = _matrix(a), _matrix(b)
    if len(shape_of(b)) != 1:
        return bind(primitive, a, b, **params)
    x = bind(primitive, a, b[:, None], **params)
    return bind(reshape_primitive, x, shape=x.shape[:-1])


def solve_triangular(a: Any, b: Any, *, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """Solve ``a x = b`` where ``a`` is triangular; its other triangle is not read.

    Args:
        a: Shape (..., n, n).
        b: Shape (n,), or (..., n, k).
        lower: Whether the lower triangle is meant.
        unit_diagonal: Whether the diagonal is taken as 1, whatever stands there.

    Returns:
        The solution, of the shape of ``b``, with the leading axes broadcast.

    Raises:
        LinAlgError: There is a zero on the diagonal.

    Example:
        >>> import numpy as np
        >>> solve_triangular(np.array([[2.0, 9.0], [1.0, 1.0]]), np.array([2.0, 3.0]), lower=True)
        array([1., 2.])
    """
    params = {"lower": bool(lower), "unit_diagonal": bool(unit_diagonal)}
    return _solved(systems.solve_triangular, a, b, **params)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """As `numpy.linalg.inv`."""
    return bind(systems.inverse, _matrix(a))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """As `numpy.linalg.pinv`, of tolerances that are known.

    The derivative is the one among matrices of the same rank.
    """
    given = _matrix(a)
    tolerance = _tolerance(rcond if rtol is None or rtol is getattr(np, "_NoValue", None) else rtol)
    if 0 in shape_of(given)[-2:] or tolerance is None:
        found = bind(least_squares.pseudo_inverse, given, tolerance=None, hermitian=bool(hermitian))
        # Of nothing NumPy gives an array of the same dtype, whole numbers among them.
        return cast_to(found, dtype_of(as_operand(a))) if 0 in found.shape[-2:] else found
    # What is left out may be anything but zero, and then it is no inverse that is differentiated.
    u, values, vh = svd(given, full_matrices=False, hermitian=bool(hermitian))
    smallest = np.asarray(tolerance)[..., None] * np.max(values, axis=-1, keepdims=True)
    is_large = values > smallest.astype(dtype_of(values))
    inverses = np.where(is_large, 1 / np.where(is_large, values, 1), 0)
    return adjoint(vh) @ (inverses[..., :, None] * adjoint(u))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """As `numpy.linalg.lstsq`; the singular values and the rank come from the matrix alone.

    The solution and the residuals have a derivative where the matrix has full rank. It is refused
    where it has not, with a `numpy.linalg.LinAlgError`.
    """
    a, b = _matrix(a), _matrix(b)
    is_vector = len(shape_of(b)) == 1
    if is_vector:
        b = b[:, None]
    for x in (a, b):
        if len(shape_of(x)) != 2:
            raise np.linalg.LinAlgError(
                f"{len(shape_of(x))}-dimensional array given. Array must be two-dimensional"
            )
    x, residuals, rank = bind(least_squares.least_squares, a, b, tolerance=_tolerance(rcond))
    rows, columns = shape_of(a)
    known_rank = known_value(rank)
    if rows <= columns or not (isinstance(known_rank, Tracer) or known_rank == columns):
        residuals = np.empty(0, dtype_of(residuals))
    # NumPy computes in the precision of both.
    values = svdvals(cast_to(a, np.result_type(dtype_of(a), dtype_of(residuals))))
    return x[:, 0] if is_vector else x, residuals, rank, values


def _tolerance(x: Any) -> Any:
    """A tolerance of singular values, which must be known; one for each matrix as a tuple."""
    if x is None or x is getattr(np, "_NoValue", None):
        return None
    x = np.asarray(known_choice(x, "The tolerance of singular values", STATIC), float)
    return _as_tuple(x.tolist())


def _as_tuple(x: Any) -> Any:
    return tuple(map(_as_tuple, x)) if isinstance(x, list) else x


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """As `numpy.linalg.tensorsolve`."""
    a, b = as_operand(a), as_operand(b)
    if axes is not None:
        order = [axis for axis in range(a.ndim) if axis not in axes]
        a = np.transpose(a, [*order, *axes])
    shape = a.shape[np.ndim(b) :]
    size = int(np.prod(shape))
    if a.size != size**2:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == "
            "prod(a.shape[:b.ndim])"
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (size, size)), np.ravel(b)), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """As `numpy.linalg.tensorinv`."""
    ind = operator.index(ind)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = (*a.shape[ind:], *a.shape[:ind])
    rows = int(np.prod(a.shape[ind:]))
    return np.reshape(np.linalg.inv(np.reshape(a, (rows, -1))), shape)


# Products of several matrices


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Any:
    """As `numpy.linalg.multi_dot`, in the order that takes the fewest multiplications."""
    reject_out(out)
    arrays = [as_operand(x) for x in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    if len(arrays) == 2:
        return np.dot(*arrays)
    is_row, is_column = (len(shape_of(x)) == 1 for x in (arrays[0], arrays[-1]))
    if is_row:
        arrays[0] = np.reshape(arrays[0], (1, -1))
    if is_column:
        arrays[-1] = np.reshape(arrays[-1], (-1, 1))
    for x in arrays:
        if len(shape_of(x)) != 2:
            raise np.linalg.LinAlgError(
                f"{len(shape_of(x))}-dimensional array given. Array must be two-dimensional"
            )
    lengths = (*(shape_of(x)[0] for x in arrays), shape_of(arrays[-1])[1])

    def product(first: int, last: int) -> Any:
        if first == last:
            return arrays[first]
        _, split = _cheapest(lengths[first : last + 2])
        return np.matmul(product(first, first + split), product(first + split + 1, last))

    result = product(0, len(arrays) - 1)
    if is_row and is_column:
        return result[0, 0]
    return np.reshape(result, -1) if is_row or is_column else result


@lru_cache(maxsize=1024)
def _cheapest(lengths: tuple[int, ...]) -> tuple[int, int]:
    """The multiplications that a chain of matrices takes, and after which of them to split it.

    Source: Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, 3rd edition, section
    15.2.
    """
    if len(lengths) == 2:
        return 0, 0
    outer = lengths[0] * lengths[-1]
    costs = (
        (_cheapest(lengths[: k + 1])[0] + _cheapest(lengths[k:])[0] + outer * lengths[k], k - 1)
        for k in range(1, len(lengths) - 1)
    )
    return min(costs)


# Factorizations


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As `numpy.linalg.cholesky`; the derivative by the triangle that is not read is zero."""
    a = _matrix(a)
    if upper:
        return adjoint(bind(factoring.cholesky, adjoint(a)))
    return bind(factoring.cholesky, a)


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """As `numpy.linalg.eig`; complex where the values are not known.

    Each eigenvector has norm 1 and a largest component that is real, as LAPACK chooses them, and
    so have the derivatives. Eigenvalues that are equal, within rounding, and their vectors have the
    derivative nan.
    """
    values, vectors = bind(eigen.eig, _matrix(a))
    if _are_real(a, values):
        values, vectors = np.real(values), np.real(vectors)
    return _EigResult(values, vectors)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """As `numpy.linalg.eigvals`; the dtype and the derivative are those of `eig`."""
    return eig(a).eigenvalues


def _are_real(a: Any, values: Any) -> bool:
    """Whether NumPy gives real eigenvalues back: those of a real matrix, if they are known."""
    known = known_value(values)
    return (
        dtype_of(a).kind != "c" and not isinstance(known, Tracer) and bool(np.all(known.imag == 0))
    )


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.linalg.eigh`; the derivative by the triangle that is not read is zero.

    Eigenvectors of equal eigenvalues have no derivative (nan); what does not depend on their
    choice has one.
    """
    return _EighResult(*bind(spectral.eigh, _matrix(a), lower=_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  (NumPy's name)
    """As `numpy.linalg.eigvalsh`."""
    return bind(spectral.eigh, _matrix(a), lower=_lower(UPLO))[0]


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """As `numpy.linalg.svd`; of matrices that are not square the thin factors have a derivative."""
    a = _matrix(a)
    if hermitian:
        values, vectors = np.linalg.eigh(a)
        signs = np.sign(values)
        values = np.abs(values)
        order = np.argsort(values, axis=-1)[..., ::-1]
        values = np.take_along_axis(values, order, axis=-1)
        if not compute_uv:
            return values
        signs = np.take_along_axis(signs, order, axis=-1)
        vectors = np.take_along_axis(vectors, order[..., None, :], axis=-1)
        return _SVDResult(vectors, values, adjoint(vectors * signs[..., None, :]))
    if not compute_uv:
        return bind(spectral.svd, a, full=False)[1]
    return _SVDResult(*bind(spectral.svd, a, full=bool(full_matrices)))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As `numpy.linalg.svdvals`."""
    return svd(x, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """As `numpy.linalg.qr`; of tall matrices the reduced factors have a derivative."""
    if mode not in ("reduced", "complete", "r"):
        if mode not in ("raw", "economic", "e", "full", "f"):
            raise ValueError(f"Unrecognized mode {mode!r}")
        raise ArgumentError(
            f"qr of a traced matrix takes the mode 'reduced', 'complete' or 'r', not {mode!r}: the "
            "reflections that LAPACK works with are not traced.",
            source_of(user_place(2)),
            "Write np.linalg.qr(x), which gives the factors that they make.",
        )
    q, r = bind(factoring.qr, _matrix(a), full=mode == "complete")
    return r if mode == "r" else _QRResult(q, r)


# Numbers


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """As `numpy.linalg.det`; singular matrices have a derivative too."""
    return bind(determinants.determinant, _matrix(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """As `numpy.linalg.slogdet`."""
    return _SlogdetResult(*bind(determinants.sign_and_log_determinant, _matrix(a)))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:  # noqa: N803
    """As `numpy.linalg.matrix_rank`, of tolerances that are known."""
    a = _matrix(A)
    if len(shape_of(a)) < 2:
        return cast_to(np.any(np.not_equal(a, 0)), np.dtype(np.intp))
    if tol is not None and rtol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    tolerance = tol if rtol is None else rtol
    return bind(
        least_squares.matrix_rank,
        a,
        tolerance=_tolerance(tolerance),
        relative=rtol is not None,
        hermitian=bool(hermitian),
    )


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """As `numpy.linalg.cond`."""
    x = _matrix(x)
    if 0 in shape_of(x)[-2:]:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    with np.errstate(divide="ignore", invalid="ignore"):
        if p in (None, 2, -2):
            values = spectral.settled(svdvals(x))
            first, last = spectral.extreme(values, 0), spectral.extreme(values, -1)
            ratio = last / first if p == -2 else first / last
        else:
            # The inverse of a singular matrix would raise. The sign is 0 just where a pivot is.
            is_singular = np.equal(np.linalg.slogdet(x).sign, 0)[..., None, None]
            safe = np.where(is_singular, np.eye(shape_of(x)[-1], dtype=dtype_of(x)), x)
            inverse = np.where(is_singular, np.inf, np.linalg.inv(safe)).astype(dtype_of(x))
            ratio = np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(inverse, p, (-2, -1))
    is_infinite = np.isnan(ratio) & ~np.any(np.isnan(x), axis=(-2, -1))
    return as_scalar(np.where(is_infinite, dtype_of(ratio).type(np.inf), ratio))


@implements(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """As `numpy.linalg.matrix_transpose`."""
    return np.matrix_transpose(x)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """As `numpy.linalg.trace`."""
    return np.trace(x, offset, -2, -1, dtype=dtype)


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """As `numpy.linalg.diagonal`."""
    return np.diagonal(x, offset, -2, -1)
