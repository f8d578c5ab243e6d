"""Systems with sparse matrices: the names of ``scipy.sparse.linalg``.

`spsolve` factors; `cg`, `bicgstab` and `gmres` need products alone. These are differentiated by
the system that they solve, never by their iterations: as exactly as it is solved, so with the
tolerance that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functrace import tree
from functrace.control.loops import fori_loop, while_loop
from functrace.errors import ArgumentError
from functrace.matrices.sparse import sparse_solve
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.rules.implicit import custom_linear_solve
from functrace.scipy.sparse.arrays import SparseArray, as_sparse
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.places import source_of, user_place
from functrace.tracing.tracer import bind
from functrace.transforms.linearizing import linear_transpose


def spsolve(A: Any, b: Any, permc_spec: Any = None, use_umfpack: bool = True) -> Any:  # noqa: N803
    """Solve ``A x = b`` for a sparse matrix, by its factors.

    They are kept: the way back, which solves the transposed system, factors nothing.

    Args:
        A: One of SciPy's sparse matrices; or one of `functrace.scipy.sparse`, whose elements may be
            traced: ``csr_array((data, indices, indptr), shape)``. Shape (n, n).
        b: Shape (n,) or (n, k).
        permc_spec: Taken, and without effect; as is ``use_umfpack``.
        use_umfpack: See there.

    Returns:
        The solution, of the shape of ``b``; of one column, shape (n,). Where the matrix is
        singular, nan with a warning, as in SciPy.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import sparse
        >>> from functrace.scipy.sparse.linalg import spsolve
        >>> def solution(data):
        ...     a = sparse.csr_array((data, [0, 1], [0, 1, 2]), shape=(2, 2))
        ...     return spsolve(a, np.array([1.0, 1.0]))
        >>> ft.jacrev(solution)(np.array([2.0, 4.0]))
        array([[-0.25  , -0.    ],
               [-0.    , -0.0625]])
    """
    matrix, b = as_sparse(A), as_operand(b)
    if matrix is None:
        return np.linalg.solve(as_operand(A), b)
    rows, columns = matrix.shape
    shape = shape_of(b)
    if rows != columns:
        raise ValueError(f"matrix must be square (has shape {(rows, columns)})")
    if len(shape) not in (1, 2) or shape[0] != rows:
        raise ValueError(f"matrix - rhs dimension mismatch ({(rows, columns)} - {shape})")
    found = bind(
        sparse_solve,
        *matrix.rows[:3],
        b if len(shape) == 2 else b[:, None],
        shape=matrix.rows.shape,
        transposed=matrix.is_transposed,
    )
    return found[:, 0] if len(shape) == 1 or shape[1] == 1 else found


def factorized(A: Any) -> Callable[[Any], Any]:  # noqa: N803  (SciPy's name)
    """The function of ``b`` that solves ``A x = b``, by `spsolve`: the factors are kept.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import sparse
        >>> from functrace.scipy.sparse.linalg import factorized
        >>> solve = factorized(sparse.csc_array(np.array([[2.0, 0.0], [0.0, 4.0]])))
        >>> solve(np.array([2.0, 4.0])), solve(np.array([4.0, 4.0]))
        (array([1., 1.]), array([2., 1.]))
    """
    return lambda b: spsolve(A, b)


# Solvers that need products alone


Map = Callable[[Any], Any]
"""A linear function of vectors."""


def _operator(a: Any) -> Map:
    """A matrix, a sparse one, or a function, as a function."""
    sparse = as_sparse(a)
    if sparse is not None:
        return lambda x: sparse @ x
    if callable(a):
        return a
    if hasattr(a, "matvec"):
        return a.matvec
    matrix = as_operand(a)
    if len(shape_of(matrix)) != 2 or shape_of(matrix)[0] != shape_of(matrix)[1]:
        raise ValueError(f"expected square matrix, but got shape={shape_of(matrix)}")
    return lambda x: matrix @ x


def _turned(a: Any, example: Any) -> Map:
    """The transposed function."""
    if isinstance(a, SparseArray) or hasattr(a, "T"):
        return _operator(a.T)
    return lambda x: linear_transpose(_operator(a), example)(x)[0]


Iteration = Callable[[Map, Map, Any, Any, Any, int], tuple[Any, Any, Any]]
"""Takes the function, the preconditioner, the right-hand side, a guess, the tolerance and the
largest number of steps; returns the solution, the number of steps and the residual's norm."""


def _of_vectors(function: Map, back: Map) -> Map:
    """A function of trees as one of vectors."""
    return lambda x: tree.ravel(function(back(x)))[0]


def _solved(
    iteration: Iteration,
    A: Any,  # noqa: N803  (SciPy's names)
    b: Any,
    x0: Any,
    rtol: float,
    atol: float,
    maxiter: int | None,
    M: Any,  # noqa: N803
    callback: Any,
) -> tuple[Any, Any]:
    if callback is not None:
        raise ArgumentError(
            "Solvers take no callback here: their steps may be compiled.",
            source_of(user_place(2)),
            "Leave it out.",
        )
    right, back = tree.ravel(b)
    kind = np.result_type(dtype_of(right), np.float32 if dtype_of(right).char in "efF" else float)
    of_tree = _operator(A)
    is_function = callable(A) and as_sparse(A) is None
    product = _of_vectors(of_tree, back) if is_function else of_tree
    found = dtype_of(product(np.zeros(shape_of(right), kind)))
    kind = np.result_type(kind, found)
    right, back = (cast_to(right, kind), tree.ravel(_as_kind(b, kind))[1])
    guess = np.zeros_like(right) if x0 is None else cast_to(tree.ravel(x0)[0], kind)
    most = 10 * shape_of(right)[0] if maxiter is None else int(maxiter)
    preconditioned = M is not None

    def precondition(transposed: bool) -> Map:
        if not preconditioned:
            return lambda x: x
        given = _turned(M, b) if transposed else _operator(M)
        return _of_vectors(given, back) if callable(M) and as_sparse(M) is None else given

    def solve(function: Map, b: Any, transposed: bool = False) -> tuple[Any, Any]:
        limit = np.maximum(rtol * _norm(b), atol)
        start = np.zeros_like(b) if transposed else guess
        inverse = precondition(transposed)
        x, steps, residual = iteration(function, inverse, b, start, limit, most)
        return x, np.where(residual <= limit, 0, np.maximum(steps, 1))

    def transpose_solve(function: Map, b: Any) -> Any:
        return solve(function, b, transposed=True)[0]

    x, info = custom_linear_solve(product, right, solve, transpose_solve, has_aux=True)
    return back(x), info


def _as_kind(b: Any, kind: np.dtype[Any]) -> Any:
    return tree.map(lambda x: cast_to(as_operand(x), kind), b)


def _norm(x: Any) -> Any:
    return np.sqrt(np.real(np.vdot(x, x)))


def _conjugate_gradients(
    product: Map, precondition: Map, b: Any, x: Any, limit: Any, most: int
) -> Any:
    """Golub and Van Loan, Matrix Computations, 4th edition, algorithm 11.5.1."""
    r = b - product(x)
    z = precondition(r)

    def step(carry: Any) -> Any:
        x, r, p, gamma, count = carry
        q = product(p)
        alpha = gamma / np.vdot(p, q)
        x, r = x + alpha * p, r - alpha * q
        z = precondition(r)
        following = np.vdot(r, z)
        return x, r, z + following / gamma * p, following, count + 1

    def goes_on(carry: Any) -> Any:
        return np.logical_and(_norm(carry[1]) > limit, carry[4] < most)

    x, r, _, _, count = while_loop(goes_on, step, (x, r, z, np.vdot(r, z), 0))
    return x, count, _norm(r)


def _bicgstab(product: Map, precondition: Map, b: Any, x: Any, limit: Any, most: int) -> Any:
    """Van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992)."""
    r = b - product(x)
    shadow = r
    one = np.ones_like(np.vdot(r, r))

    def quotient(x: Any, y: Any) -> Any:
        is_zero = np.equal(y, 0)
        return np.where(is_zero, 0, x / np.where(is_zero, 1, y)).astype(dtype_of(b))

    def step(carry: Any) -> Any:
        x, r, p, v, rho, alpha, omega, count = carry
        following = np.vdot(shadow, r)
        beta = quotient(following, rho) * quotient(alpha, omega)
        p = r + beta * (p - omega * v)
        seen = precondition(p)
        v = product(seen)
        alpha = quotient(following, np.vdot(shadow, v))
        s = r - alpha * v
        turned = precondition(s)
        t = product(turned)
        omega = quotient(np.vdot(t, s), np.vdot(t, t))
        return (
            x + alpha * seen + omega * turned,
            s - omega * t,
            p,
            v,
            following,
            alpha,
            omega,
            count + 1,
        )

    def goes_on(carry: Any) -> Any:
        return np.logical_and(_norm(carry[1]) > limit, carry[7] < most)

    zero = np.zeros_like(b)
    x, r, *_, count = while_loop(goes_on, step, (x, r, zero, zero, one, one, one, 0))
    return x, count, _norm(r)


def _gmres(restart: int) -> Any:
    """Saad and Schultz, SIAM J. Sci. Stat. Comput. 7 (1986), preconditioned on the right."""

    def iteration(product: Map, precondition: Map, b: Any, x: Any, limit: Any, most: int) -> Any:
        size, kind = shape_of(b)[0], dtype_of(b)
        count = min(restart, size)
        numbers = np.arange(count + 1)

        def expand(j: Any, carry: Any) -> Any:
            basis, products = carry
            w = product(precondition(basis[j]))
            h = np.conj(basis) @ w
            w = w - h @ basis
            again = np.conj(basis) @ w  # once more, for what rounding has left
            w, h = w - again @ basis, h + again
            length = _norm(w)
            is_new = length > 10 * np.finfo(kind).eps * _norm(h)
            length = np.where(is_new, length, 0)
            unit = w / np.where(is_new, length, 1).astype(kind)
            unit = unit * is_new
            at = (numbers == j + 1).astype(kind)
            basis = basis + at[:, None] * unit
            column = h + at * length
            return basis, products + column[:, None] * (numbers[:-1] == j).astype(kind)

        def cycle(carry: Any) -> Any:
            x, r, done = carry
            length = _norm(r).astype(kind)
            first = (numbers == 0).astype(kind)
            basis = first[:, None] * (r / length)
            start = (basis, np.zeros((count + 1, count), kind))
            basis, products = fori_loop(0, count, expand, start)
            y = np.linalg.lstsq(products, first * length, rcond=None)[0]
            x = x + precondition(y @ basis[:-1])
            return x, b - product(x), done + 1

        def goes_on(carry: Any) -> Any:
            return np.logical_and(_norm(carry[1]) > limit, carry[2] < most)

        x, r, done = while_loop(goes_on, cycle, (x, b - product(x), 0))
        return x, done, _norm(r)

    return iteration


def cg(
    A: Any,  # noqa: N803  (SciPy's names)
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Any = None,
    tol: float | None = None,
) -> tuple[Any, Any]:
    """Solve ``A x = b`` by conjugate gradients, for Hermitian positive definite A.

    Args:
        A: A matrix, a sparse one, or a linear function of a tree like ``b``.
        b: The right-hand side, a vector; for a function any tree of arrays.
        x0: Where to begin; None for zeros. Derivatives do not depend on it.
        rtol: How small the residual is to be, by the norm of ``b``.
        atol: How small it is to be.
        maxiter: The largest number of steps; None for ten times the number of unknowns.
        M: What is near to the inverse of A, as A is given.
        callback: Must be None.
        tol: Another name of ``rtol``, which JAX has.

    Returns:
        The solution, and 0 if it is as exact as was asked for, else the number of steps.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy.sparse.linalg import cg
        >>> cg(lambda x: 4 * x, np.array([4.0, 8.0]))[0]
        array([1., 2.])
        >>> ft.grad(lambda d: np.sum(cg(lambda x: d * x, np.ones(2))[0]))(np.array([2.0, 4.0]))
        array([-0.25  , -0.0625])
    """
    rtol = rtol if tol is None else tol
    return _solved(_conjugate_gradients, A, b, x0, rtol, atol, maxiter, M, callback)


def bicgstab(
    A: Any,  # noqa: N803  (SciPy's names)
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Any = None,
    tol: float | None = None,
) -> tuple[Any, Any]:
    """Solve ``A x = b`` by stabilized biconjugate gradients; as `cg`, for any regular A.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.sparse.linalg import bicgstab
        >>> x, info = bicgstab(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]))
        >>> x.round(3), info
        (array([1., 2.]), array(0))
    """
    rtol = rtol if tol is None else tol
    return _solved(_bicgstab, A, b, x0, rtol, atol, maxiter, M, callback)


def gmres(
    A: Any,  # noqa: N803  (SciPy's names)
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    restart: int | None = None,
    maxiter: int | None = None,
    M: Any = None,  # noqa: N803
    callback: Any = None,
    callback_type: Any = None,
    tol: float | None = None,
    solve_method: str = "batched",
) -> tuple[Any, Any]:
    """Solve ``A x = b`` by least residuals over Krylov's spaces; as `cg`, for any regular A.

    Args:
        A: As in `cg`; as are the others.
        b: See there.
        x0: See there.
        rtol: See there.
        atol: See there.
        restart: After how many products the search begins anew; None for 20.
        maxiter: The largest number of such searches.
        M: See there.
        callback: Must be None.
        callback_type: Taken, and without effect; as is ``solve_method``, which JAX has.
        tol: Another name of ``rtol``.
        solve_method: See there.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy.sparse.linalg import gmres
        >>> x, info = gmres(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]))
        >>> x.round(3), info
        (array([1., 2.]), array(0))
    """
    rtol = rtol if tol is None else tol
    return _solved(_gmres(restart or 20), A, b, x0, rtol, atol, maxiter, M, callback)


globals().update(entrances(globals()))
