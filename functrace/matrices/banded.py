"""Linear systems whose matrix has few diagonals, solved by LAPACK.

The diagonals are stored as LAPACK has them: ``ab[upper + i - j, j]`` is element ``(i, j)``, and
what is outside of the matrix is not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.equations import OfSeveral, for_each
from functrace.matrices.stacks import conjugate, factor_dtype, require_matrix
from functrace.primitives.linear import conform, dtype_of, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


class BandedSolve(OfSeveral):
    """The solution of systems with the diagonals ``ab`` and matrices on the right.

    Parameters: ``lower`` and ``upper``, the numbers of diagonals on each side.
    """

    linear_in = (1,)

    def run(self, ab: Any, b: Any, **params: int) -> Any:
        """Factor by LAPACK."""
        solve = scipy_module("linalg", "functrace.scipy.linalg.solve_banded").solve_banded
        numbers = params["lower"], params["upper"]
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in (ab, b)), **params)
        b = b.astype(type.dtype, copy=False)  # of one row SciPy divides it in place
        return for_each(lambda ab, b: solve(numbers, ab, b, check_finite=False), type, ab, b)

    def infer(self, ab: ArrayType, b: ArrayType, **params: int) -> ArrayType:
        """The shape of the right-hand sides."""
        stack, rows, size = require_matrix(ab)
        count = sum(params.values()) + 1
        if count != rows:
            raise ValueError(
                f"invalid values for the number of lower and upper diagonals: l+u+1 ({count}) does "
                f"not equal ab.shape[0] ({rows})"
            )
        if b.ndim < 2 or b.shape[:-2] != stack or b.shape[-2] != size:
            raise ValueError("shapes of ab and b are not compatible.")
        return ArrayType(b.shape, factor_dtype(ab, b))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Golub and Van Loan, section 4.3.5."""
        *stack, size, columns = map(abs, outputs[0].shape)
        return math.prod(stack) * size * 2 * sum(params.values()) * (params["lower"] + columns)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: int,
    ) -> Sequence[Any]:
        """One more system, with the transposed matrix."""
        ab, b = inputs
        lower, upper = params["lower"], params["upper"]
        turned = [np.roll(ab[..., upper - d, :], -d, -1) for d in range(-lower, upper + 1)]
        pulled = bind(self, np.stack(turned, -2), cotangent, lower=upper, upper=lower)
        by_ab = None
        if needed[0] is not None:
            by_ab = conform(_on_diagonals(-pulled, output, range(-upper, lower + 1)), ab)
        return by_ab, None if needed[1] is None else conform(pulled, b)


class HermitianBandedSolve(BandedSolve):
    """As `BandedSolve`, of positive definite matrices: ``ab`` is the diagonal and those below."""

    def run(self, ab: Any, b: Any, **params: int) -> Any:
        """Factor by LAPACK."""
        solve = scipy_module("linalg", "functrace.scipy.linalg.solveh_banded").solveh_banded
        type = self.infer(*(ArrayType(x.shape, x.dtype) for x in (ab, b)), **params)
        return for_each(lambda ab, b: solve(ab, b, lower=True, check_finite=False), type, ab, b)

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: int,
    ) -> Sequence[Any]:
        """One more system, with the conjugate matrix."""
        ab, b = inputs
        pulled = bind(self, conjugate(ab), cotangent, **params)
        by_ab = None
        if needed[0] is not None:
            offsets = range(1, params["lower"] + 1)
            middle = _on_diagonals(-pulled, output, [0])
            below = _on_diagonals(-pulled, output, offsets)
            above = conjugate(_on_diagonals(-output, pulled, offsets))
            by_ab = conform(np.concatenate([np.real(middle), below + above], -2), ab)
        return by_ab, None if needed[1] is None else conform(pulled, b)


def _on_diagonals(x: Any, y: Any, offsets: Iterable[int]) -> Any:
    """The diagonals of ``x @ y.mT`` that lie so far below the main one, as they are stored."""
    place = np.arange(shape_of(x)[-2])
    kind = np.dtype(dtype_of(x).char.lower())
    rows = [
        np.sum(np.roll(x, -d, -2) * y, axis=-1)
        * ((place + d >= 0) & (place + d < len(place))).astype(kind)
        for d in offsets
    ]
    return np.stack(rows, -2) if rows else np.zeros((*shape_of(x)[:-2], 0, len(place)), dtype_of(x))


banded_solve = BandedSolve("banded_solve")
hermitian_banded_solve = HermitianBandedSolve("hermitian_banded_solve")
