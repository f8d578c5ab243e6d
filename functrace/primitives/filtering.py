"""Recursive filters, whose output depends on what came out before: run by SciPy.

Source of the derivatives: Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd edition,
section 6.3: the transpose of a filter is the filter over the reversed signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Primitive, Values
from functrace.ir.types import ArrayType
from functrace.primitives.linear import add_tangents, conform, in_each, in_front, shape_of
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind


def delayed(x: Any, count: int) -> Any:
    """A signal along the last axis that begins so many steps later, after zeros."""
    if not count:
        return x
    nothing = np.zeros_like(x[..., :count])
    return np.concatenate([nothing, x[..., : max(shape_of(x)[-1] - count, 0)]], axis=-1)


class Recursion(Primitive):
    """The signals y for which ``sum(a[k] * y[n - k]) = x[n]``.

    Inputs: ``a``, of shape (m,), or (..., m) for each signal its own; and x, of shape (..., n).
    """

    is_fresh = True
    linear_in = (1,)

    def run(self, a: Any, x: Any) -> Any:
        """Filter along the last axis."""
        lfilter = scipy_module("signal", "functrace.scipy.signal.lfilter").lfilter
        type = self.infer(*(ArrayType(value.shape, value.dtype) for value in (a, x)))
        a, x = (value.astype(type.dtype, copy=False) for value in (a, x))
        one = np.ones(1, type.dtype)
        if a.ndim == 1:
            return lfilter(one, a, x) if x.size else np.empty(*type[:2])
        result = np.empty(type.shape, type.dtype)
        for index in np.ndindex(a.shape[:-1]) if x.size else ():
            result[index] = lfilter(one, a[index], x[index])
        return result

    def infer(self, a: ArrayType, x: ArrayType) -> ArrayType:
        """The type of the signals."""
        if not a.ndim or not x.ndim or (a.ndim > 1 and a.shape[:-1] != x.shape[:-1]):
            raise ValueError(f"coefficients of shape {a.shape} do not filter {x.shape}")
        return ArrayType(x.shape, np.result_type(a.dtype, x.dtype))

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """A product and a sum for each coefficient."""
        return 2 * abs(outputs[0].size) * abs(inputs[0].shape[-1])

    def jvp(self, inputs: Values, tangents: Values, output: Any, **params: Any) -> Any:
        """The recursion of what the equation's differential leaves."""
        (a, _), (by_a, by_x) = inputs, tangents
        moved = by_x
        if by_a is not None:
            terms = (
                by_a[..., k, None] * delayed(output, k)
                if len(shape_of(a)) > 1
                else by_a[k] * delayed(output, k)
                for k in range(shape_of(a)[-1])
            )
            moved = add_tangents(moved, -sum(terms))
        return None if moved is None else bind(self, a, moved)

    def vjp(
        self, cotangent: Any, inputs: Values, output: Any, needed: Values, **params: Any
    ) -> Values:
        """The recursion over the reversed cotangent, and its products with the output."""
        a, x = inputs
        pulled = np.flip(bind(self, a, np.flip(cotangent, -1)), -1)
        by_a = None
        if needed[0] is not None:
            axes = None if len(shape_of(a)) == 1 else -1
            rows = [-np.sum(pulled * delayed(output, k), axis=axes) for k in range(shape_of(a)[-1])]
            by_a = conform(np.stack(rows, -1), a)
        return by_a, None if needed[1] is None else conform(pulled, x)

    def batch(self, size: int, inputs: Values, axes: Sequence[int | None]) -> Any:
        """One more leading axis of the signals; of the coefficients where each has its own."""
        a, x = inputs
        if axes[0] is None and len(shape_of(a)) == 1:
            return bind(self, a, in_front(x, axes[1])), 0
        a, x = in_each(size, a, axes[0]), in_each(size, x, axes[1])
        stack = shape_of(x)[:-1]
        if len(shape_of(a)) - 1 < len(stack):
            own = (size, *(1,) * (len(stack) - len(shape_of(a)) + 1), *shape_of(a)[1:])
            a = np.broadcast_to(np.reshape(a, own), (*stack, shape_of(a)[-1]))
        return bind(self, a, x), 0


recursion = Recursion("recursion")
