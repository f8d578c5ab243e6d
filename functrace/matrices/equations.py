"""Equations whose unknown is a matrix: Sylvester's, Lyapunov's and Riccati's, solved by SciPy.

Of a solution the derivative solves a linear equation of the same kind, with the same matrices.

Sources: Kao and Hennequin, Automatic differentiation of Sylvester, Lyapunov, and algebraic Riccati
equations (arXiv:2011.11430).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.matrices.stacks import adjoint, factor_dtype, require_matrix, require_square
from functrace.primitives.linear import conform, in_each, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


def for_each(function: Callable[..., Any], type: ArrayType, *inputs: Any, **options: Any) -> Any:
    """What a function of single matrices gives for each of a stack.

    Args:
        function: Takes one matrix of each input.
        type: That of the result.
        inputs: Arrays with the same leading axes.
        options: What the function is called with besides.
    """
    result = np.empty(type.shape, type.dtype)
    if result.size:
        for index in np.ndindex(inputs[0].shape[:-2]):
            result[index] = function(*(x[index] for x in inputs), **options)
    return result


class OfSeveral(Primitive):
    """A function of several stacks of matrices with the same leading axes."""

    is_fresh = True

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """One more leading axis."""
        moved = [in_each(size, x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return bind(self, *moved, **params), 0


class Sylvester(OfSeveral):
    """The solution of ``a x + x b = q``."""

    linear_in = (2,)

    def run(self, a: Any, b: Any, q: Any) -> Any:
        """Bring the matrices to Schur's form (Bartels and Stewart)."""
        linalg = scipy_module("linalg", "functrace.scipy.linalg.solve_sylvester")
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in (a, b, q)))
        # Of one dtype: SciPy takes real Schur forms for triangular where q alone is complex.
        given = (x.astype(type.dtype, copy=False) for x in (a, b, q))
        return for_each(linalg.solve_sylvester, type, *given)

    def infer(self, a: ArrayType, b: ArrayType, q: ArrayType) -> ArrayType:
        """The shape of the right-hand side."""
        (stack, rows), (other, columns) = require_square(a), require_square(b)
        if not stack == other == q.shape[:-2] or q.shape[-2:] != (rows, columns):
            raise ValueError(
                f"a x + x b = q has no solution for matrices of shapes {a.shape}, {b.shape} and "
                f"{q.shape}"
            )
        return ArrayType(q.shape, factor_dtype(a, b, q))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Golub and Van Loan, section 7.6.3."""
        rows, columns = outputs[0].shape[-2:]
        return outputs[0].size // max(rows * columns, 1) * (25 * (rows**3 + columns**3))

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """One more equation, with the transposed matrices (Kao and Hennequin, section 2)."""
        a, b, q = inputs
        pulled = bind(self, a.mT, b.mT, cotangent)
        by_a = by_b = None
        if needed[0] is not None:
            by_a = conform(-pulled @ output.mT, a)
        if needed[1] is not None:
            by_b = conform(-output.mT @ pulled, b)
        return by_a, by_b, None if needed[2] is None else conform(pulled, q)


sylvester = Sylvester("sylvester")


def discrete_lyapunov(a: Any, q: Any, by_transform: bool | None = None) -> Any:
    """The solution of ``a x a^H - x + q = 0``.

    Args:
        a: Shape (..., n, n).
        q: The same shape.
        by_transform: Whether it is brought to the form of Lyapunov's other equation, which takes
            ``n**3`` operations in place of ``n**6``; None for yes where n is 10 or more.
    """
    *stack, size, _ = shape_of(a)
    if by_transform is None:
        by_transform = size >= 10
    eye = np.eye(size, dtype=a.dtype)
    if by_transform:
        inverse = np.linalg.inv(adjoint(a) + eye)
        b = adjoint((adjoint(a) - eye) @ inverse)
        return bind(sylvester, b, adjoint(b), -2 * (np.linalg.inv(a + eye) @ q @ inverse))
    outer = a[..., :, None, :, None] * np.conj(a)[..., None, :, None, :]
    whole = np.reshape(outer, (*stack, size**2, size**2))
    right = np.reshape(q, (*stack, size**2, 1))
    x = np.linalg.solve(np.eye(size**2, dtype=a.dtype) - whole, right)
    return np.reshape(x, (*stack, size, size))


class Riccati(OfSeveral):
    """The stabilizing solution of an algebraic Riccati equation with matrices a, b, q, r and s.

    The first and the last matrices are those of ``x' = a x + b u`` (or of the next ``x``) and of
    the cost ``x^H q x + u^H r u + 2 x^H s u``.

    Attributes:
        function: The name of SciPy's.
    """

    function: str

    def run(self, *inputs: Any) -> Any:
        """By SciPy."""
        name = self.function
        solve = getattr(scipy_module("linalg", f"functrace.scipy.linalg.{name}"), name)
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in inputs))
        return for_each(lambda a, b, q, r, s: solve(a, b, q, r, s=s), type, *inputs)

    def infer(self, *types: ArrayType) -> ArrayType:
        """The shape of a."""
        a, b, q, r, s = types
        stack, size = require_square(a)
        _, rows, columns = require_matrix(b)
        fitting = [(rows, b.shape[-2:]), (size, a.shape[-2:])]
        if (
            any(type.shape[:-2] != stack for type in types)
            or rows != size
            or q.shape[-2:] != (size, size)
            or r.shape[-2:] != (columns, columns)
            or s.shape[-2:] != (size, columns)
        ):
            raise ValueError(f"the shapes of a, b, q, r and s do not fit: {fitting}")
        dtype = np.result_type(factor_dtype(*types), np.float64)
        return ArrayType(a.shape, dtype)

    def gain(self, inputs: Sequence[Any], x: Any) -> Any:
        """The matrix k of the optimal control ``u = -k x``."""
        raise NotImplementedError

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The equation of Lyapunov's that comes of the differential (Kao and Hennequin)."""
        a, b, *_ = inputs
        by_a, by_b, by_q, by_r, by_s = tangents
        k = self.gain(inputs, output)
        closed = a - b @ k
        total = np.zeros_like(output)
        if by_a is not None or by_b is not None:
            moved = np.zeros_like(a) if by_a is None else by_a
            moved = moved if by_b is None else moved - by_b @ k
            half = self.weight(output, closed) @ moved
            total = total + half + adjoint(half)
        if by_s is not None:
            half = by_s @ k
            total = total - half - adjoint(half)
        if by_r is not None:
            total = total + adjoint(k) @ by_r @ k
        if by_q is not None:
            total = total + by_q
        return self.moved(closed, total)

    def weight(self, x: Any, closed: Any) -> Any:
        """What the tangents of a and b are multiplied with."""
        raise NotImplementedError

    def moved(self, closed: Any, total: Any) -> Any:
        """The tangent of the solution."""
        raise NotImplementedError


class ContinuousRiccati(Riccati):
    """``a^H x + x a - (x b + s) inv(r) (b^H x + s^H) + q = 0``."""

    function = "solve_continuous_are"

    def gain(self, inputs: Sequence[Any], x: Any) -> Any:
        """``inv(r) (b^H x + s^H)``."""
        _, b, _, r, s = inputs
        return np.linalg.solve(r, adjoint(b) @ x + adjoint(s))

    def weight(self, x: Any, closed: Any) -> Any:
        """The solution."""
        return x

    def moved(self, closed: Any, total: Any) -> Any:
        """From ``closed^H dx + dx closed = -total``."""
        return bind(sylvester, adjoint(closed), closed, -total)


class DiscreteRiccati(Riccati):
    """``a^H x a - x - (a^H x b + s) inv(r + b^H x b) (b^H x a + s^H) + q = 0``."""

    function = "solve_discrete_are"

    def gain(self, inputs: Sequence[Any], x: Any) -> Any:
        """``inv(r + b^H x b) (b^H x a + s^H)``."""
        a, b, _, r, s = inputs
        seen = adjoint(b) @ x
        return np.linalg.solve(r + seen @ b, seen @ a + adjoint(s))

    def weight(self, x: Any, closed: Any) -> Any:
        """The solution, where the step after this one leads."""
        return adjoint(closed) @ x

    def moved(self, closed: Any, total: Any) -> Any:
        """From ``closed^H dx closed - dx = -total``."""
        return discrete_lyapunov(adjoint(closed), total)


continuous_riccati = ContinuousRiccati("continuous_riccati")
discrete_riccati = DiscreteRiccati("discrete_riccati")
