"""The solution of an equation that a solver found on values, with its derivatives.

`custom_root` gives the derivatives, by the implicit function theorem. The linear systems are
solved by their matrices, up to a size; beyond, where they are symmetric, by conjugate gradients.

Sources: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), chapter 15; Blondel et
al., Efficient and modular implicit differentiation (arXiv:2105.15183).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.control.loops import while_loop
from functrace.errors import ConvergenceWarning
from functrace.ir.types import ArrayType
from functrace.rules.implicit import custom_linear_solve, custom_root
from functrace.solvers.functions import DOUBLE, on_values
from functrace.transforms.batch import vmap

LARGEST_DENSE_SYSTEM = 1000
"""Up to so many unknowns a symmetric system is solved by its matrix."""


def solution(
    residual: Callable[[Any], Any],
    host: Callable[..., Sequence[Any]],
    guess: Any,
    captured: Sequence[Any],
    types: Sequence[ArrayType] = (),
    tangent_solve: Callable[..., Any] | None = None,
) -> tuple[Any, list[Any]]:
    """What a solver finds, a vector, with derivatives by what it solves.

    Args:
        residual: Zero at the solution; a function of vectors, which may close over traced values.
        host: The solver: takes plain values of ``guess`` and of ``captured``; returns the solution
            and what else it has to say of it.
        guess: Where it begins.
        captured: What it needs to know of traced values.
        types: The types of what it says else, which has no derivative.
        tangent_solve: Solves a linear equation, as for `custom_root`; by default by its matrix.

    Returns:
        The solution, and what the solver says else.
    """
    vector = ArrayType(np.shape(guess), DOUBLE)

    def solve(_: Any, guess: Any) -> tuple[Any, list[Any]]:
        found, *said = on_values(host, [vector, *types], [guess, *captured])
        return found, said

    return custom_root(residual, guess, solve, tangent_solve or by_matrix, has_aux=True)


def by_matrix(g: Callable[[Any], Any], y: Any) -> Any:
    """The solution ``x`` of ``g(x) = y``, for a linear function of vectors."""
    columns = vmap(g)(np.eye(np.shape(y)[0]))
    return np.linalg.solve(columns.T, y)


def elementwise(g: Callable[[Any], Any], y: Any) -> Any:
    """As `by_matrix`, for a function that takes each element on its own."""
    return y / g(np.ones(np.shape(y)))


def symmetric(g: Callable[[Any], Any], y: Any) -> Any:
    """As `by_matrix`, for a function that is its own transpose, of many elements too."""
    if np.shape(y)[0] <= LARGEST_DENSE_SYSTEM:
        return by_matrix(g, y)
    return custom_linear_solve(g, y, _conjugate_gradients, symmetric=True)


def _conjugate_gradients(g: Callable[[Any], Any], y: Any) -> Any:
    """Hestenes and Stiefel's method, to a relative residual of 1e-10."""
    limit = 1e-20 * np.sum(y * y)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        x, r, p, size, count = state
        q = g(p)
        length = size / np.sum(p * q)
        x, r = x + length * p, r - length * q
        after = np.sum(r * r)
        return x, r, r + after / size * p, after, count + 1

    first = (np.zeros(np.shape(y)), y, y, np.sum(y * y), np.int64(0))
    most = 10 * np.shape(y)[0]
    return while_loop(lambda s: np.logical_and(s[3] > limit, s[4] < most), step, first)[0]


def warn_of_failure(solver: str, message: str) -> None:
    """Tell that a solver failed, where nobody sees what it says, or asks for derivatives."""
    warnings.warn(
        f"{solver} did not converge: {message.rstrip('.')}. Derivatives are those of a solution, "
        "and hold as far as this is one.",
        ConvergenceWarning,
        stacklevel=2,
    )
