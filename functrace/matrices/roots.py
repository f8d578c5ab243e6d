"""The roots of polynomials.

A simple root moves with the coefficients as the implicit function theorem says. Roots that rounding
does not tell apart, as computed multiple roots, have the derivative nan: to first order rounding
moves a root by what it changes the value of the polynomial, divided by the slope there.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.types import ArrayType
from functrace.matrices.stacks import OfMatrices, factor_dtype
from functrace.primitives.linear import dtype_of, stop_gradient
from functrace.primitives.zero_products import product_or_zero


class Roots(OfMatrices):
    """The complex roots of polynomials, whose coefficients begin with that of the highest power.

    Parameters: ``leading``, how many of the first coefficients are zero. A change of these brings
    in roots far away, and moves the others.
    """

    def run(self, coefficients: Any, *, leading: int) -> Any:
        """Find those of one polynomial after the other, as NumPy does.

        Raises:
            LinAlgError: The coefficient after these is zero, so that there are not as many roots.
        """
        *stack, count = coefficients.shape
        dtype = np.result_type(coefficients.dtype, np.complex64)
        found = np.empty((*stack, count - 1 - leading), dtype)
        for index in np.ndindex(*stack):
            if not coefficients[index][leading]:
                raise np.linalg.LinAlgError(
                    "The first coefficient of a polynomial is zero: it has fewer roots than its "
                    "shape says."
                )
            found[index] = np.roots(coefficients[index])
        return found

    def infer(self, coefficients: ArrayType, *, leading: int) -> ArrayType:
        """One less than there are coefficients that count."""
        *stack, count = coefficients.shape
        dtype = np.result_type(factor_dtype(coefficients), np.complex64)
        return ArrayType((*stack, count - 1 - leading), dtype)

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """The eigenvalues of the companion matrix."""
        *_, count = map(abs, inputs[0].shape)
        return 10 * count**2 * outputs[0].size

    def jvp(
        self, inputs: Sequence[Any], tangents: Sequence[Any], output: Any, **params: Any
    ) -> Any:
        """The change of the polynomial's value at the root, divided by its slope there."""
        if tangents[0] is None:
            return None
        coefficients, tangent, roots = inputs[0], tangents[0], output
        count = coefficients.shape[-1]
        downward = np.arange(count - 1, 0, -1).astype(coefficients.dtype)
        slope = _value(coefficients[..., :-1] * downward, roots)
        is_simple = ~_confused(*map(stop_gradient, (coefficients, roots, slope)))
        moved = -_value(tangent, roots) / np.where(is_simple, slope, 1)
        nan = dtype_of(roots).type(complex(np.nan, np.nan))
        undefined = np.sum(product_or_zero(tangent, nan), axis=-1, keepdims=True)
        return np.where(is_simple, moved, undefined)


def _value(coefficients: Any, x: Any) -> Any:
    """The values of polynomials at several numbers each, by Horner's scheme."""
    total = np.zeros_like(x)
    for number in range(coefficients.shape[-1]):
        total = total * x + coefficients[..., number, None]
    return total


def _confused(coefficients: Any, roots: Any, slope: Any) -> Any:
    """Which roots lie so close to others that rounding does not tell them apart."""
    count = roots.shape[-1]
    eps = float(np.finfo(dtype_of(roots)).eps)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moves = _value(np.abs(coefficients), np.abs(roots)) / np.abs(slope)
    gaps = np.abs(roots[..., None, :] - roots[..., :, None])
    together = ~(gaps > 8 * count * eps * moves[..., None, :]) & ~np.eye(count, dtype=bool)
    return np.any(together, axis=-2)


roots = Roots("roots")
