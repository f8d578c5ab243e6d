"""Linear systems whose matrix has constant diagonals, solved in n**2 steps by SciPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.equations import OfSeveral, for_each
from functrace.matrices.stacks import factor_dtype, require_matrix
from functrace.primitives.linear import conform, dtype_of, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


class ToeplitzSolve(OfSeveral):
    """The solution of systems of Toeplitz matrices and matrices on the right.

    Inputs: the first column and the first row, shape (..., 2, n), where the row's first element is
    not read; and what is on the right, (..., n, k).
    """

    linear_in = (1,)

    def run(self, ends: Any, b: Any) -> Any:
        """Levinson's recursion; where a leading part of the matrix is singular, elimination."""
        linalg = scipy_module("linalg", "functrace.scipy.linalg.solve_toeplitz")
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in (ends, b)))

        def solved(ends: Any, b: Any) -> Any:
            try:
                return linalg.solve_toeplitz((ends[0], ends[1]), b, check_finite=False)
            except np.linalg.LinAlgError:
                return np.linalg.solve(linalg.toeplitz(ends[0], ends[1]), b)

        return for_each(solved, type, ends, b)

    def infer(self, ends: ArrayType, b: ArrayType) -> ArrayType:
        """The shape of the right-hand sides."""
        stack, _, size = require_matrix(ends)
        if b.ndim < 2 or b.shape[:-2] != stack or b.shape[-2] != size:
            raise ValueError("Incompatible dimensions.")
        return ArrayType(b.shape, factor_dtype(ends, b))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Golub and Van Loan, section 4.7.4."""
        *stack, size, columns = map(abs, outputs[0].shape)
        return math.prod(stack) * 4 * size * size * (1 + columns)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """One more system, with the transposed matrix."""
        ends, b = inputs
        turned = np.concatenate([ends[..., [0, 0], :1], ends[..., ::-1, 1:]], axis=-1)
        pulled = bind(self, turned, cotangent)
        by_ends = None
        if needed[0] is not None and shape_of(ends)[-1]:
            by_ends = conform(-_along_diagonals(pulled, output), ends)
        return by_ends, None if needed[1] is None else conform(pulled, b)


def _along_diagonals(x: Any, y: Any) -> Any:
    """The sums along the diagonals of ``x @ y.mT``: below the main one, and above it."""
    size = shape_of(x)[-2]
    length = 2 * size - 1
    # One after the other: stacked, what is linear in one of them would not be seen to be.
    pair = x, np.flip(y, -2)
    if "c" in (dtype_of(x).kind, dtype_of(y).kind):
        of_x, of_y = (np.fft.fft(each, length, axis=-2) for each in pair)
        sums = np.fft.ifft(np.sum(of_x * of_y, -1))
    else:
        of_x, of_y = (np.fft.rfft(each, length, axis=-2) for each in pair)
        sums = np.fft.irfft(np.sum(of_x * of_y, -1), length)
    above = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., : size - 1][..., ::-1]], -1)
    return np.stack([sums[..., size - 1 :], above], -2)


toeplitz_solve = ToeplitzSolve("toeplitz_solve")
