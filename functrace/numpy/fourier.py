"""``numpy.fft``: Fourier transforms along one axis and several, and the order of frequencies."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from functrace.primitives.fourier import (
    OTHER_DIRECTION,
    Norm,
    fourier,
    fourier_of_real,
    fourier_to_real,
)
from functrace.primitives.linear import as_array, shape_of
from functrace.primitives.shaping import pad_primitive
from functrace.tracing.conversions import reject_out
from functrace.tracing.implementing import implements
from functrace.tracing.operands import strong_operand
from functrace.tracing.tracer import bind


def _norm(norm: Any) -> Norm:
    norm = "backward" if norm is None else norm
    if norm not in OTHER_DIRECTION:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return norm


def _points(n: Any) -> int:
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return operator.index(n)


def _with_length(x: Any, length: int, axis: int) -> Any:
    """The array cut, or followed by zeros, so that an axis has a length."""
    own = x.shape[axis]
    if length < own:
        return x[(*(slice(None),) * axis, slice(length))]
    if length > own:
        padding = [(0, 0)] * x.ndim
        padding[axis] = 0, length - own
        return bind(pad_primitive, x, padding=tuple(padding))
    return x


# Along one axis


def _along(a: Any, n: Any, axis: Any, norm: Any, inverse: bool) -> Any:
    a = strong_operand(a)
    n, norm = _points(shape_of(a)[axis] if n is None else n), _norm(norm)
    axis = normalize_axis_index(axis, np.ndim(a))
    return bind(fourier, _with_length(a, n, axis), along=(axis,), inverse=inverse, norm=norm)


@implements(np.fft.fft)
def fft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.fft`."""
    reject_out(out)
    return _along(a, n, axis, norm, inverse=False)


@implements(np.fft.ifft)
def ifft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.ifft`."""
    reject_out(out)
    return _along(a, n, axis, norm, inverse=True)


@implements(np.fft.rfft)
def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.rfft`."""
    reject_out(out)
    a = strong_operand(a)
    n, norm = _points(shape_of(a)[axis] if n is None else n), _norm(norm)
    axis = normalize_axis_index(axis, np.ndim(a))
    return bind(fourier_of_real, _with_length(a, n, axis), axis=axis, norm=norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.irfft`."""
    reject_out(out)
    a = strong_operand(a)
    n, norm = _points((shape_of(a)[axis] - 1) * 2 if n is None else n), _norm(norm)
    axis = normalize_axis_index(axis, np.ndim(a))
    frequencies = _with_length(a, n // 2 + 1, axis)
    return bind(fourier_to_real, frequencies, axis=axis, n=n, norm=norm)


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.hfft`."""
    reject_out(out)
    a = strong_operand(a)
    n = (shape_of(a)[axis] - 1) * 2 if n is None else n
    return np.fft.irfft(np.conjugate(a), n, axis, OTHER_DIRECTION[_norm(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.ihfft`."""
    reject_out(out)
    a = strong_operand(a)
    n = shape_of(a)[axis] if n is None else n
    return np.conjugate(np.fft.rfft(a, n, axis, OTHER_DIRECTION[_norm(norm)]))


# Along several axes


def _lengths_and_axes(
    a: Any, s: Any, axes: Any, of_half: bool = False
) -> tuple[list[Any], list[int]]:
    """How long each of the axes is to be, and which these are.

    Args:
        a: The array.
        s: The lengths; None for those of the array.
        axes: The axes; None for as many of the last ones as there are lengths.
        of_half: Whether along the last axis the array has half of the frequencies.
    """
    shape = shape_of(a)
    if s is None:
        lengths = [shape[axis] for axis in (range(len(shape)) if axes is None else axes)]
    else:
        lengths = list(s)
        if axes is None:
            warnings.warn(
                "`axes` should not be `None` if `s` is not `None` (Deprecated in NumPy 2.0).",
                DeprecationWarning,
                stacklevel=4,
            )
    axes = list(range(-len(lengths), 0) if axes is None else axes)
    if len(lengths) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    if of_half and s is None:
        lengths[-1] = (shape[axes[-1]] - 1) * 2
    if None in lengths:
        warnings.warn(
            "Passing an array containing `None` values to `s` is deprecated in NumPy 2.0.",
            DeprecationWarning,
            stacklevel=4,
        )
    lengths = [
        shape[axis] if length == -1 else length for length, axis in zip(lengths, axes, strict=True)
    ]
    return lengths, axes


def _along_all(
    a: Any, lengths: Sequence[Any], axes: Sequence[int], norm: Any, inverse: bool
) -> Any:
    """Transform along axes, from the last one to the first, after bringing each to its length."""
    if not axes:
        return a if np.ndim(a) else as_array(a)
    places = tuple(normalize_axis_index(axis, np.ndim(a)) for axis in axes)
    if len(set(places)) < len(places):  # the second time, what was transformed is cut
        for n, axis in zip(reversed(lengths), reversed(places), strict=True):
            a = _along(a, n, axis, norm, inverse)
        return a
    for n, axis in zip(lengths, places, strict=True):
        a = _with_length(a, _points(shape_of(a)[axis] if n is None else n), axis)
    return bind(fourier, a, along=places, inverse=inverse, norm=_norm(norm))


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.fftn`."""
    reject_out(out)
    a = strong_operand(a)
    return _along_all(a, *_lengths_and_axes(a, s, axes), norm, inverse=False)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.ifftn`."""
    reject_out(out)
    a = strong_operand(a)
    return _along_all(a, *_lengths_and_axes(a, s, axes), norm, inverse=True)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.rfftn`."""
    reject_out(out)
    a = strong_operand(a)
    lengths, axes = _lengths_and_axes(a, s, axes)
    half = np.fft.rfft(a, lengths[-1], axes[-1], norm)
    return _along_all(half, lengths[:-1], axes[:-1], norm, inverse=False)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.irfftn`."""
    reject_out(out)
    a = strong_operand(a)
    lengths, axes = _lengths_and_axes(a, s, axes, of_half=True)
    half = _along_all(a, lengths[-2::-1], axes[-2::-1], norm, inverse=True)
    return np.fft.irfft(half, lengths[-1], axes[-1], norm)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.fft2`."""
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.ifft2`."""
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.rfft2`."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """As `numpy.fft.irfft2`."""
    return irfftn(a, s, axes, norm, out)


# The order of frequencies


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    x = strong_operand(x)
    shape = shape_of(x)
    if axes is None:
        axes = tuple(range(len(shape)))
    if isinstance(axes, int | np.integer):
        return np.roll(x, sign * (shape[axes] // 2), axes)
    return np.roll(x, [sign * (shape[axis] // 2) for axis in axes], axes)


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """As `numpy.fft.fftshift`."""
    return _shifted(x, axes, 1)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """As `numpy.fft.ifftshift`."""
    return _shifted(x, axes, -1)
