"""Fourier transforms, by the name of ``jax.lax``."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.primitives.linear import dtype_of, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand


class FftType(enum.IntEnum):
    """Which transform `fft` does: of complex numbers or real ones, forward or inverse.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.fft(np.array([1.0, 0.0, 0.0]), lax.FftType.RFFT, [3])
        array([1.+0.j, 1.+0.j])
    """

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """Transform along the last axes; the factor of the inverse is one by the number of points.

    Args:
        x: An array. Where its numbers are real, all but RFFT take them for complex ones.
        fft_type: Which transform, as a `FftType` or by its name.
        fft_lengths: The lengths of these axes: those of the array, but for the last one of
            IRFFT, which is the number of real numbers.

    Raises:
        ArgumentError: There is no such transform, or the lengths are not those of the array.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.fft(np.array([1.0, 0.0, 0.0]), "RFFT", [3])
        array([1.+0.j, 1.+0.j])
    """
    name = fft_type.upper() if isinstance(fft_type, str) else fft_type
    kinds = {key: kind for kind in FftType for key in (kind, kind.name)}
    if name not in kinds:
        raise ArgumentError(
            f"There is no transform {fft_type!r}: {', '.join(FftType.__members__)}."
        )
    kind, x, lengths = kinds[name], as_operand(x), tuple(fft_lengths)
    count = len(lengths)
    if count == 0:
        return x
    own = shape_of(x)[-count:]
    if kind is FftType.RFFT and dtype_of(x).kind == "c":
        raise ArgumentError(f"RFFT takes real numbers, and was given {dtype_of(x)}.")
    expected = (*lengths[:-1], lengths[-1] // 2 + 1) if kind is FftType.IRFFT else lengths
    if own != expected:
        raise ArgumentError(
            f"fft was given an array of shape {shape_of(x)}, and fft_lengths={lengths}: for "
            f"{kind.name} its last lengths are {expected}."
        )
    transform = {
        FftType.FFT: np.fft.fftn,
        FftType.IFFT: np.fft.ifftn,
        FftType.RFFT: np.fft.rfftn,
        FftType.IRFFT: np.fft.irfftn,
    }[kind]
    return transform(x, s=lengths, axes=tuple(range(-count, 0)))


globals().update(entrances(globals()))
