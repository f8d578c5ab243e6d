"""Discrete cosine and sine transforms, whose matrices are orthogonal.

Other norms scale what goes in and out, which is left to `functrace.scipy.fft`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.ir.primitive import Values
from functrace.ir.types import ArrayType
from functrace.primitives.linear import Linear, in_front
from functrace.tracing.optional import scipy_module
from functrace.tracing.tracer import bind

INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type of the inverse of a transform of each type."""


class TrigonometricTransform(Linear):
    """An orthogonal transform along the last axis.

    Parameters: ``function``, "dct" or "dst"; ``type``, from 1 to 4.
    """

    is_fresh = True

    def run(self, x: Any, function: str, type: int) -> Any:
        """By SciPy."""
        transform = getattr(scipy_module("fft", f"functrace.scipy.fft.{function}"), function)
        if not x.size:
            return x.copy()
        if x.dtype.kind != "c":
            return transform(x, type, norm="ortho")
        result = np.empty_like(x)  # of complex numbers SciPy's would not be orthogonal
        result.real, result.imag = (transform(y, type, norm="ortho") for y in (x.real, x.imag))
        return result

    def infer(self, x: ArrayType, function: str, type: int) -> ArrayType:
        """The same type."""
        if not x.ndim or x.dtype.char not in "fdFD":
            raise ValueError(f"{function} takes arrays of double or single precision")
        if function == "dct" and type == 1 and x.shape[-1] < 2:
            raise ValueError("DCT-I is not defined for size < 2")
        if not x.shape[-1]:
            raise ValueError("Invalid number of data points (0) specified")
        return x

    def operations(
        self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], **params: Any
    ) -> int:
        """Half of a Fourier transform of real numbers (Van Loan, section 4.4)."""
        size = inputs[0].size
        return int(2.5 * size * math.log2(max(abs(inputs[0].shape[-1]), 2)))

    def transpose(self, cotangent: Any, input: ArrayType, *rest: Any, **params: Any) -> Any:
        """The inverse."""
        return bind(self, cotangent, **params | {"type": INVERSE[params["type"]]})

    def batch(
        self, size: int, inputs: Values, axes: Sequence[int | None], **params: Any
    ) -> tuple[Any, int]:
        """One more leading axis."""
        return bind(self, in_front(inputs[0], axes[0]), **params), 0


trigonometric_transform = TrigonometricTransform("trigonometric_transform")
