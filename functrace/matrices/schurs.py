"""Unitary similarities ``a = z t z^H``: Schur's, with a triangular ``t``, and Hessenberg's.

With ``dz = z w``, w skew-Hermitian, ``dt = z^H da z + t w - w t`` must stay triangular. That
determines the part of w below the diagonal, by a linear system that is triangular itself
(`Commutator`), if the eigenvalues differ. The diagonal of w, which turns the phases of the columns
of z, is held at zero. Of real matrices with complex eigenvalues, whose ``t`` has blocks of two
rows, there is no derivative here.

Where ``t`` has a diagonal below the main one, Hessenberg's form, the first column of z is fixed,
and w follows from it column by column (Golub and Van Loan, Matrix Computations, theorem 7.4.2).

Source: Konstantinov, Petkov and Christov, Nonlocal perturbation analysis of the Schur system of a
matrix (SIAM J. Matrix Anal. Appl. 15, 1994).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.equations import OfSeveral
from functrace.matrices.stacks import (
    OfMatrices,
    adjoint,
    conjugate,
    counted,
    factor_dtype,
    require_square,
    triangle_like,
    undefined,
)
from functrace.primitives.linear import conform, dtype_of, shape_of, stop_gradient
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


class Commutator(OfSeveral):
    """The strictly lower x of which ``x t - t x`` has a certain part below the diagonal.

    Inputs: ``t``, upper triangular, and what that part is. Parameters: ``transposed``, whether the
    transposed system is solved: that of ``x t.mT - t.mT x``.
    """

    linear_in = (1,)

    def run(self, t: Any, e: Any, *, transposed: bool) -> Any:
        """Solve for one column after the other."""
        dtype = self.infer(*(ArrayType(x.shape, x.dtype) for x in (t, e))).dtype
        x = np.zeros(t.shape, dtype)
        size = t.shape[-1]
        columns = range(size - 1)
        eye = np.eye(size, dtype=dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            for j in reversed(columns) if transposed else columns:
                rest = slice(j + 1, None)
                block = np.triu(t[..., rest, rest])
                if transposed:
                    block = block.mT
                    known = x[..., rest, rest] @ t[..., j, rest, None]
                else:
                    known = x[..., rest, :j] @ t[..., :j, j, None]
                matrix = t[..., j, j, None, None] * eye[rest, rest] - block
                right = e[..., rest, j, None] - known
                x[..., rest, j] = np.linalg.solve(matrix, right)[..., 0]
        return x

    def infer(self, t: ArrayType, e: ArrayType, **params: Any) -> ArrayType:
        """The same shape."""
        require_square(t)
        if t.shape != e.shape:
            raise ValueError(f"matrices of shapes {t.shape} and {e.shape} have no commutator")
        return ArrayType(t.shape, factor_dtype(t, e))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A triangular system for each column."""
        return counted(inputs, lambda m, n: n**3)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        *,
        transposed: bool,
    ) -> Sequence[Any]:
        """One more system, with the transposed one."""
        t, e = inputs
        pulled = bind(self, t, cotangent, transposed=not transposed)
        by_t = None
        if needed[0] is not None:
            moved = pulled @ output.mT - output.mT @ pulled
            moved = moved.mT if transposed else moved
            by_t = conform(moved * triangle_like(moved, False, 1.0), t)
        return by_t, None if needed[1] is None else conform(pulled, e)


class Similarity(OfMatrices):
    """A factorization ``a = z t z^H`` by SciPy's function of the same name."""

    multiple_outputs = True

    def run(self, a: Any, **options: Any) -> Any:
        """Factor by LAPACK, one matrix after the other."""
        factor = getattr(scipy_module("linalg", f"functrace.scipy.linalg.{self.name}"), self.name)
        t, z = (np.empty(a.shape, factor_dtype(ArrayType(a.shape, a.dtype))) for _ in range(2))
        if a.size:
            for index in np.ndindex(a.shape[:-2]):
                t[index], z[index] = factor(a[index], check_finite=False, **options)
        return t, z

    def infer(self, a: ArrayType) -> tuple[ArrayType, ArrayType]:
        """Two matrices of the same shape."""
        require_square(a)
        type = ArrayType(a.shape, factor_dtype(a))
        return type, type


class Schur(Similarity):
    """The triangular factor (of real matrices with blocks of two rows) and the unitary one."""

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Golub and Van Loan, section 7.5.6."""
        return counted(inputs, lambda m, n: 25 * n**3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """See the head of this file."""
        if tangents[0] is None:
            return None, None
        tangent, (t, z) = tangents[0], output
        size, dtype = shape_of(t)[-1], dtype_of(t)
        known = stop_gradient(t)
        on = np.diagonal(known, 0, -2, -1)
        equal = np.equal(on[..., :, None], on[..., None, :]) & ~np.eye(size, dtype=bool)
        blocks = np.any(np.not_equal(np.diagonal(known, -1, -2, -1), 0), axis=-1)
        none = (np.any(equal, axis=(-2, -1)) | blocks)[..., None, None]
        safe = np.where(none, np.diag(np.arange(size)).astype(dtype), np.triu(t))
        seen = adjoint(z) @ tangent @ z
        below = bind(commutator, safe, np.tril(seen, -1), transposed=False)
        turn = below - adjoint(below)
        by_t = np.triu(seen + safe @ turn - turn @ safe)
        missing = undefined(tangent, inputs[0])
        return np.where(none, missing, by_t), np.where(none, missing, z @ turn)


class Hessenberg(Similarity):
    """The factor that is zero below its lower diagonal, and the unitary one that begins with 1."""

    def run(self, a: Any, **options: Any) -> Any:
        """As for each similarity; SciPy is asked for both factors."""
        return super().run(a, calc_q=True, **options)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Golub and Van Loan, section 7.4.3."""
        return counted(inputs, lambda m, n: 5 * n**3)

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """See the head of this file; the lower diagonal stays real."""
        if tangents[0] is None:
            return None, None
        tangent, (t, z) = tangents[0], output
        size, dtype = shape_of(t)[-1], dtype_of(t)
        is_complex = dtype.kind == "c"
        lower = np.diagonal(stop_gradient(t), -1, -2, -1)[..., : None if is_complex else -1]
        none = np.any(np.equal(lower, 0), axis=-1)[..., None, None]
        safe = np.where(none, np.ones_like(t), t)
        seen = adjoint(z) @ tangent @ z
        turn = np.zeros_like(seen[..., :1])
        for j in range(size - 1):
            moved = (
                seen[..., j]
                + (safe @ turn[..., j, None] - turn @ safe[..., : j + 1, j, None])[..., 0]
            )
            column = moved[..., j + 1 :] / safe[..., j + 1, j, None]
            phase = 1j * np.imag(column[..., :1]) if is_complex else 0 * column[..., :1]
            above = -conjugate(turn[..., j + 1, :])
            column = np.concatenate([above, phase.astype(dtype), column[..., 1:]], axis=-1)
            turn = np.concatenate([turn, column[..., None]], axis=-1)
        by_t = np.triu(seen + safe @ turn - turn @ safe, -1)
        missing = undefined(tangent, inputs[0])
        return np.where(none, missing, by_t), np.where(none, missing, z @ turn)


commutator = Commutator("commutator")
schur = Schur("schur")
hessenberg = Hessenberg("hessenberg")
