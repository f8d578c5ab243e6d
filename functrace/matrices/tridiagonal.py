"""Linear systems whose matrix has three diagonals.

Source: Golub and Van Loan, Matrix Computations, 4th edition, section 4.3: Gaussian elimination of
a band matrix with exchanges of rows, which bring in one more diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive
from functrace.ir.types import ArrayType
from functrace.matrices.stacks import factor_dtype
from functrace.primitives.linear import conform, in_each
from functrace.tracing.tracer import bind


class TridiagonalSolve(Primitive):
    """The solution of systems with the diagonals below, on and above the main one, and matrices.

    All have the same leading axes. The first element below and the last one above are not read.
    """

    is_fresh = True
    linear_in = (3,)

    def run(self, below: Any, on: Any, above: Any, b: Any) -> Any:
        """Eliminate row by row, for all systems of a stack at once.

        Raises:
            LinAlgError: A matrix is singular.
        """
        (type,) = [self.infer(*(ArrayType(x.shape, x.dtype) for x in (below, on, above, b)))]
        size = on.shape[-1]
        low, first, second = (
            np.moveaxis(x, -1, 0).astype(type.dtype)[..., None] for x in (below, on, above)
        )
        third, x = np.zeros_like(first), np.moveaxis(b, -2, 0).astype(type.dtype)
        if size:
            second[-1] = 0
        for i in range(size - 1):
            row = np.stack([first[i], second[i], third[i]])
            following = np.stack([low[i + 1], first[i + 1], second[i + 1]])
            swaps = np.abs(following[0]) > np.abs(row[0])
            row, following = np.where(swaps, following, row), np.where(swaps, row, following)
            x[i], x[i + 1] = np.where(swaps, x[i + 1], x[i]), np.where(swaps, x[i], x[i + 1])
            _require_regular(row[0])
            factor = following[0] / row[0]
            first[i], second[i], third[i] = row
            first[i + 1], second[i + 1] = following[1:] - factor * row[1:]
            x[i + 1] -= factor * x[i]
        for i in reversed(range(size)):
            _require_regular(first[i])
            for step, diagonal in ((1, second), (2, third)):
                if i + step < size:
                    x[i] -= diagonal[i] * x[i + step]
            x[i] /= first[i]
        return np.moveaxis(x, 0, -2)

    def infer(self, below: ArrayType, on: ArrayType, above: ArrayType, b: ArrayType) -> ArrayType:
        """The shape of the right-hand sides."""
        if not (below.shape == on.shape == above.shape == b.shape[:-1]) or b.ndim < 2:
            raise ValueError(
                "the three diagonals have one shape, and the right-hand sides one axis more"
            )
        return ArrayType(b.shape, factor_dtype(below, on, above, b))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Section 4.3.6."""
        return 10 * math.prod(map(abs, outputs[0].shape))

    def vjp(
        self,
        cotangent: Any,
        inputs: Sequence[Any],
        output: Any,
        needed: Sequence[Any],
        **params: Any,
    ) -> Sequence[Any]:
        """One more system, with the transposed matrix."""
        below, on, above, _ = inputs
        under, over = np.roll(above, 1, axis=-1), np.roll(below, -1, axis=-1)
        pulled = bind(self, under, on, over, cotangent)
        first = np.zeros_like(output[..., :1, :])
        before = np.concatenate([first, output[..., :-1, :]], axis=-2)
        after = np.concatenate([output[..., 1:, :], first], axis=-2)
        by_diagonals = (-np.sum(pulled * x, axis=-1) for x in (before, output, after))
        found = (*by_diagonals, pulled)
        return tuple(conform(x, given) for x, given in zip(found, inputs, strict=True))

    def batch(
        self, size: int, inputs: Sequence[Any], axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        """One more leading axis."""
        moved = [in_each(size, x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return bind(self, *moved, **params), 0


def _require_regular(pivots: Any) -> None:
    if not np.all(pivots):
        raise np.linalg.LinAlgError("Singular matrix")


tridiagonal_solve = TridiagonalSolve("tridiagonal_solve")
