"""Equations whose unknown is a matrix: the names of ``scipy.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.matrices.equations import (
    continuous_riccati,
    discrete_lyapunov,
    discrete_riccati,
    sylvester,
)
from functrace.matrices.stacks import adjoint
from functrace.primitives.linear import dtype_of, shape_of
from functrace.scipy.linalg.operands import double, operands, square, together
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


def _precision(*xs: Any) -> np.dtype[Any]:
    """Single precision of single precision alone: whole numbers are doubles."""
    is_single = all(dtype_of(x).char in "efF" for x in xs)
    return double(*xs) if not is_single else np.result_type(*map(dtype_of, xs), np.float32)


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """The solution of ``a x + x b = q``.

    Args:
        a: Shape (..., m, m).
        b: Shape (..., n, n).
        q: Shape (..., m, n); leading axes broadcast.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_sylvester([[1.0]], [[2.0]], [[6.0]])
        array([[2.]])
    """
    a, b, q = operands(a, b, q, dtype=_precision)
    square(a)
    square(b, "b")
    return bind(sylvester, *together(a, b, q))


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """The solution of ``a x + x a^H = q``.

    Args:
        a: Shape (..., n, n).
        q: The same shape; leading axes broadcast.

    Example:
        >>> from functrace.scipy import linalg
        >>> a, q = [[1.0, 0.0], [0.0, 3.0]], [[2.0, 4.0], [4.0, 6.0]]
        >>> linalg.solve_continuous_lyapunov(a, q).round(3)
        array([[1., 1.],
               [1., 1.]])
    """
    a, q = together(*operands(a, q, dtype=_precision))
    _require_alike(a, q)
    return bind(sylvester, a, adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """The solution of ``a x a^H - x + q = 0``, in double precision.

    Args:
        a: Shape (..., n, n).
        q: The same shape; leading axes broadcast.
        method: "direct" or "bilinear"; None for the first one where n is less than 10.

    Raises:
        LinAlgError: Two eigenvalues of ``a`` have the product 1.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_discrete_lyapunov([[0.5]], [[3.0]]).round(3)
        array([[4.]])
    """
    methods = {None: None, "direct": False, "bilinear": True}
    name = method if method is None else method.lower()
    if name not in methods:
        raise ValueError(f"Unknown solver {method}")
    a, q = together(*operands(a, q, dtype=double))
    _require_alike(a, q)
    return discrete_lyapunov(a, q, methods[name])


def _require_alike(a: Any, q: Any) -> None:
    if shape_of(square(a)) != shape_of(square(q, "q")):
        raise ValueError(f"Matrix a and q should have the same shape, not {a.shape} and {q.shape}.")


def solve_continuous_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """The stabilizing solution of a continuous-time algebraic Riccati equation.

    ``e^H x a + a^H x e - (e^H x b + s) inv(r) (b^H x e + s^H) + q = 0``, in double precision.

    Args:
        a: Shape (..., n, n).
        b: Shape (..., n, k).
        q: Shape (..., n, n), Hermitian.
        r: Shape (..., k, k), Hermitian and regular.
        e: Shape (..., n, n), regular; None for the identity.
        s: Shape (..., n, k); None for zeros.
        balanced: Taken, and without effect.

    Raises:
        LinAlgError: There is no such solution.

    Source: Kao and Hennequin, Automatic differentiation of Sylvester, Lyapunov, and algebraic
    Riccati equations (arXiv:2011.11430).

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_continuous_are([[0.0]], [[1.0]], [[4.0]], [[1.0]]).round(3)
        array([[2.]])
    """
    return _riccati(continuous_riccati, a, b, q, r, e, s)


def solve_discrete_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """The stabilizing solution of a discrete-time algebraic Riccati equation.

    ``a^H x a - e^H x e - (a^H x b + s) inv(r + b^H x b) (b^H x a + s^H) + q = 0``, in double
    precision.

    Args:
        a: Shape (..., n, n).
        b: Shape (..., n, k).
        q: Shape (..., n, n), Hermitian.
        r: Shape (..., k, k), Hermitian.
        e: Shape (..., n, n), regular; None for the identity.
        s: Shape (..., n, k); None for zeros.
        balanced: Taken, and without effect.

    Raises:
        LinAlgError: There is no such solution.

    Example:
        >>> from functrace.scipy import linalg
        >>> linalg.solve_discrete_are([[1.0]], [[1.0]], [[0.5]], [[1.0]]).round(3)
        array([[1.]])
    """
    return _riccati(discrete_riccati, a, b, q, r, e, s)


def _riccati(primitive: Any, a: Any, b: Any, q: Any, r: Any, e: Any, s: Any) -> Any:
    """The solution; ``e`` is multiplied into the other matrices."""
    others = [x for x in (e, s) if x is not None]
    given = [np.atleast_2d(as_operand(x)) for x in (a, b, q, r, *others)]
    a, b, q, r, *rest = operands(*given, dtype=double)
    matrix = None if e is None else rest.pop(0)
    s = np.zeros_like(b) if s is None else rest.pop(0)
    if matrix is not None:
        a = _divided(a, matrix)
        s = np.linalg.solve(adjoint(matrix), s)
        q = _divided(np.linalg.solve(adjoint(matrix), q), matrix)
        q = (q + adjoint(q)) / 2  # but for rounding it is Hermitian, and SciPy asks for that
    return bind(primitive, *together(a, b, q, r, s))


def _divided(x: Any, e: Any) -> Any:
    return np.linalg.solve(e.mT, x.mT).mT


globals().update(entrances(globals()))
