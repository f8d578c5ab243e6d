"""Functions of ``scipy.signal`` on traced values: convolutions, filters and spectra.

Windows and sizes are known. Signals, coefficients of filters and kernels may be traced.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.matrices.stacks import conjugate
from functrace.primitives.filtering import delayed, recursion
from functrace.primitives.linear import cast_to, dtype_of, in_dtype, known_choice, shape_of
from functrace.solvers.functions import array_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import STATIC
from functrace.tracing.tracer import bind

# Convolutions

DIRECT = 64
"""Up to so many elements a kernel is multiplied with windows; larger ones by Fourier transforms."""


def _of_two(in1: Any, in2: Any) -> tuple[Any, Any]:
    x, y = as_operand(in1), as_operand(in2)
    if len(shape_of(x)) != len(shape_of(y)):
        raise ValueError("in1 and in2 should have the same dimensionality")
    return x, y


def _require_mode(mode: str, first: Sequence[int], second: Sequence[int]) -> None:
    if mode not in ("full", "same", "valid"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    if mode == "valid":
        pairs = list(zip(first, second, strict=True))
        if any(m < n for m, n in pairs) and any(m > n for m, n in pairs):
            raise ValueError(
                "For 'valid' mode, one must be at least as large as the other in every dimension"
            )


def _cropped(x: Any, first: Sequence[int], second: Sequence[int], mode: str, axes: Any) -> Any:
    """The part of a full convolution that a mode asks for."""
    part = [slice(None)] * len(first)
    for axis in axes:
        m, n, length = first[axis], second[axis], shape_of(x)[axis]
        size = {"full": length, "same": m, "valid": abs(m - n) + 1}[mode]
        start = (length - size) // 2
        part[axis] = slice(start, start + size)
    return x[tuple(part)]


def _windowed(x: Any, kernel: Any) -> Any:
    """The full convolution, by products of windows."""
    window = shape_of(kernel)
    if len(window) == 1:
        return np.convolve(x, kernel)
    padded = np.pad(x, [(length - 1, length - 1) for length in window])
    seen = np.lib.stride_tricks.sliding_window_view(padded, window)
    rank = len(window)
    return np.tensordot(seen, np.flip(kernel), (tuple(range(rank, 2 * rank)), tuple(range(rank))))


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """The convolution of two arrays, by Fourier transforms.

    Args:
        in1: An array.
        in2: One with as many axes.
        mode: "full", "same" for as many elements as the first has, "valid" for those of windows
            within it.
        axes: Along which they are convolved; None for all. Others broadcast.

    Raises:
        ValueError: The shapes or the mode do not fit.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.fftconvolve([1.0, 2.0, 3.0], [1.0, 1.0]).round(3)
        array([1., 3., 5., 3.])
    """
    x, y = _of_two(in1, in2)
    rank = len(shape_of(x))
    if not rank:
        return x * y
    if 0 in (*shape_of(x), *shape_of(y)):
        return np.empty(0)
    given = range(rank) if axes is None else np.atleast_1d(axes).tolist()
    axes = [operator.index(axis) % rank for axis in given]
    first, second = shape_of(x), shape_of(y)
    for axis in range(rank):
        if (
            axis not in axes
            and first[axis] != second[axis]
            and 1 not in (first[axis], second[axis])
        ):
            raise ValueError(f"incompatible shapes for in1 and in2: {first} and {second}")
    _require_mode(mode, [first[a] for a in axes], [second[a] for a in axes])
    x, y = (v if dtype_of(v).kind in "fc" else cast_to(v, np.dtype(float)) for v in (x, y))
    lengths = [first[axis] + second[axis] - 1 for axis in axes]
    is_real = dtype_of(x).kind == dtype_of(y).kind == "f"
    fast = scipy_module("fft", "functrace.scipy.signal.fftconvolve").next_fast_len
    sizes = [fast(length, is_real) for length in lengths]
    transform, inverse = (np.fft.rfftn, np.fft.irfftn) if is_real else (np.fft.fftn, np.fft.ifftn)
    found = inverse(transform(x, sizes, axes) * transform(y, sizes, axes), sizes, axes)
    part = [slice(None)] * rank
    for axis, length in zip(axes, lengths, strict=True):
        part[axis] = slice(length)
    found = found[tuple(part)]
    return _cropped(found, first, second, mode, axes)


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """As `fftconvolve`: how it is computed makes no difference to the result.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.oaconvolve([1.0, 2.0, 3.0], [1.0, 1.0]).round(3)
        array([1., 3., 5., 3.])
    """
    return fftconvolve(in1, in2, mode, axes)


def convolve(
    in1: Any,
    in2: Any,
    mode: str = "full",
    method: str = "auto",
    *,
    axes: Any = None,
    dot_axes: Any = ((), ()),
    precision: Any = None,
) -> Any:
    """The convolution of two arrays.

    Args:
        in1: An array.
        in2: One with as many axes, unless ``axes`` says along which to convolve.
        mode: As in `fftconvolve`.
        method: "direct", "fft", or "auto" for the first one of small kernels.
        axes: As in autograd: the axes of each that are convolved, by default all.
        dot_axes: The axes of each along which products are added up.
        precision: Of JAX's; taken, and without effect, here and in what follows.

    Returns:
        An array of the dtype of both; under ``axes`` it has the other axes of the first one, those
        of the second one, and then those that were convolved.

    Raises:
        ValueError: The shapes, the mode or the method do not fit.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.convolve([1, 2, 3], [0, 1], mode="same")
        array([0, 1, 2])
        >>> images, filters = np.ones((10, 3, 8, 8)), np.ones((3, 16, 5, 5))
        >>> seen = signal.convolve(
        ...     images, filters, "valid", axes=([2, 3], [2, 3]), dot_axes=([1], [0])
        ... )
        >>> seen.shape
        (10, 16, 4, 4)
    """
    if method not in ("auto", "direct", "fft"):
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    if axes is not None:
        return _convolved_along(in1, in2, mode, axes, dot_axes)
    x, y = _of_two(in1, in2)
    first, second = shape_of(x), shape_of(y)
    if not first:
        return x * y
    _require_mode(mode, first, second)
    dtype = np.result_type(dtype_of(x), dtype_of(y))
    small = math.prod(second) <= math.prod(first)
    kernel = y if small else x
    size = math.prod(shape_of(kernel))
    is_direct = method == "direct" or (method == "auto" and (size <= DIRECT or dtype.kind in "biu"))
    if is_direct and 0 not in (*first, *second):
        found = _windowed(x if small else y, kernel)
        return _cropped(found, first, second, mode, range(len(first)))
    found = fftconvolve(x, y, mode)
    return in_dtype(np.round(found) if dtype.kind in "iu" else found, dtype)


def _convolved_along(in1: Any, in2: Any, mode: str, axes: Any, dot_axes: Any) -> Any:
    """The convolution along some axes, by products of windows."""
    x, y = as_operand(in1), as_operand(in2)
    (of_x, of_y), (sum_x, sum_y) = axes, dot_axes
    count, summed = len(of_x), len(sum_x)
    x = np.moveaxis(x, (*sum_x, *of_x), range(-summed - count, 0))
    y = np.moveaxis(y, (*sum_y, *of_y), range(summed + count))
    first, second = shape_of(x)[len(shape_of(x)) - count :], shape_of(y)[summed : summed + count]
    _require_mode(mode, first, second)
    within = mode == "valid" and all(m >= n for m, n in zip(first, second, strict=True))
    widths = [(0, 0)] * (len(shape_of(x)) - count)
    padded = x if within else np.pad(x, [*widths, *((n - 1, n - 1) for n in second)])
    places = range(len(widths), len(widths) + count)
    seen = np.lib.stride_tricks.sliding_window_view(padded, second, tuple(places))
    windows = range(len(widths) + count, len(widths) + 2 * count)
    kernel = np.flip(y, tuple(range(summed, summed + count)))
    pairs = (*range(len(widths) - summed, len(widths)), *windows), (*range(summed + count),)
    found = np.tensordot(seen, kernel, pairs)
    found = np.moveaxis(
        found, range(len(widths) - summed, len(widths) - summed + count), range(-count, 0)
    )
    if within:
        return found
    rest = (1,) * (len(shape_of(found)) - count)
    return _cropped(
        found, (*rest, *first), (*rest, *second), mode, range(len(rest), len(rest) + count)
    )


def _turned(x: Any) -> Any:
    return conjugate(np.flip(x))


def correlate(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", *, precision: Any = None
) -> Any:
    """The correlation of two arrays: the convolution with the second one reversed and conjugate.

    The arguments, the result and the errors are those of `convolve`.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
        array([0.5, 2. , 3.5, 3. , 0. ])
    """
    x, y = _of_two(in1, in2)
    if not shape_of(x):
        return x * conjugate(y)
    return convolve(x, _turned(y), mode, method)


_PADDED = {"fill": "constant", "pad": "constant", "wrap": "wrap", "circular": "wrap",
           "symm": "symmetric", "symmetric": "symmetric"}  # fmt: skip


def convolve2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    precision: Any = None,
) -> Any:
    """The convolution of two matrices, with what is beyond the first one.

    Args:
        in1: A matrix.
        in2: Another one.
        mode: As in `fftconvolve`.
        boundary: "fill" for a number, "wrap" for the matrix again, "symm" for its reflection.
        fillvalue: The number.
        precision: Taken, and without effect.

    Raises:
        ValueError: The shapes, the mode or the boundary do not fit.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.convolve2d([[1, 2], [3, 4]], [[1, 1]])
        array([[1, 3, 2],
               [3, 7, 4]])
    """
    x, y = _of_matrices(in1, in2, mode)
    found = _beyond_edges(x, y, mode, boundary, fillvalue)
    return _cropped(found, shape_of(x), shape_of(y), mode, (0, 1))


def _of_matrices(in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    x, y = as_operand(in1), as_operand(in2)
    if not len(shape_of(x)) == len(shape_of(y)) == 2:
        raise ValueError("inputs must both be 2-D arrays")
    _require_mode(mode, shape_of(x), shape_of(y))
    return x, y


def _beyond_edges(x: Any, y: Any, mode: str, boundary: str, fillvalue: Any) -> Any:
    """The full convolution of matrices."""
    if boundary not in _PADDED:
        raise ValueError(f"Acceptable boundary flags are {', '.join(map(repr, _PADDED))}.")
    if mode == "valid":
        return _windowed(x, y)
    pads = [(length - 1, length - 1) for length in shape_of(y)]
    how: Any = _PADDED[boundary]
    options: dict[str, Any] = {"constant_values": fillvalue} if how == "constant" else {}
    padded = np.pad(x, pads, how, **options)
    return _cropped(_windowed(padded, y), shape_of(padded), shape_of(y), "valid", (0, 1))


def correlate2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    *,
    precision: Any = None,
) -> Any:
    """The correlation of two matrices; the arguments are those of `convolve2d`.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.correlate2d([[1, 2], [3, 4]], [[0, 1]])
        array([[1, 2, 0],
               [3, 4, 0]])
    """
    x, y = _of_matrices(in1, in2, mode)
    found = _beyond_edges(x, _turned(y), mode, boundary, fillvalue)
    if mode != "same":
        return _cropped(found, shape_of(x), shape_of(y), mode, (0, 1))
    (m, n), (first, second) = shape_of(x), shape_of(y)  # the middle of a kernel of even length
    return found[first // 2 : first // 2 + m, second // 2 : second // 2 + n]


# Filters


def _floating(*xs: Any) -> list[Any]:
    found = [as_operand(x) for x in xs]
    dtype = np.result_type(*map(dtype_of, found))
    if dtype.char not in "fdgFDG":
        raise NotImplementedError(f"input type '{dtype}' not supported")
    return [in_dtype(x, dtype) for x in found]


def _smoothed(b: Any, x: Any) -> Any:
    """``sum(b[k] * x[n - k])`` along the last axis."""
    count = shape_of(b)[0]
    if count <= 16 or not shape_of(x)[-1]:
        return sum(b[k] * delayed(x, k) for k in range(min(count, max(shape_of(x)[-1], 1))))
    before = np.zeros_like(x, shape=(*shape_of(x)[:-1], count - 1))
    padded = np.concatenate([before, x], axis=-1)
    return np.lib.stride_tricks.sliding_window_view(padded, count, -1) @ np.flip(b)


def _filtered(b: Any, a: Any, x: Any, zi: Any) -> tuple[Any, Any]:
    """The output along the last axis, and what the filter holds at the end if ``zi`` is given."""
    count = max(shape_of(a)[0], shape_of(b)[0]) - 1
    length = shape_of(x)[-1]
    if zi is not None:  # which is of the filter with 1 in this place
        b, a = b / a[0], a / a[0]
    v = _smoothed(b, x)
    if zi is not None:
        zi = np.broadcast_to(zi, (*shape_of(x)[:-1], count))
        rest = max(length - count, 0)
        after = np.zeros_like(x, shape=(*shape_of(x)[:-1], rest))
        v = v + np.concatenate([zi, after], axis=-1)[..., :length]
    y = v / a[0] if shape_of(a)[0] == 1 else bind(recursion, a, v)
    if zi is None:
        return y, None
    nothing = np.zeros_like(x, shape=(*shape_of(x)[:-1], count))
    held = _smoothed(b, np.concatenate([x, nothing], -1))
    held = held - _smoothed(a, np.concatenate([y, nothing], -1))
    early = np.concatenate([zi, np.zeros_like(x)], -1)[..., length:]
    return y, held[..., length:] + early


def _coefficients(x: Any, name: str) -> Any:
    x = np.atleast_1d(array_of(x))
    if len(shape_of(x)) != 1 or not shape_of(x)[0]:
        raise ValueError(
            f"Parameter {name} is not a non-empty 1d array, since {name}.shape={x.shape}!"
        )
    return x


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter signals, by ``sum(a[k] * y[n - k]) = sum(b[k] * x[n - k])``.

    Args:
        b: Shape (m,): the coefficients of the input.
        a: Shape (k,): those of the output.
        x: The signals.
        axis: Along which.
        zi: What the filter holds at the beginning, of length ``max(m, k) - 1`` along the axis; None
            for nothing.

    Returns:
        The filtered signals; with ``zi`` also what the filter holds at the end. The gradient is a
        filter over the reversed cotangent.

    Raises:
        ValueError: The shapes do not fit.
        NotImplementedError: All are whole numbers.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import signal
        >>> signal.lfilter([1.0], [1.0, -0.5], np.array([1.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
        >>> ft.grad(lambda x: signal.lfilter([1.0], [1.0, -0.5], x)[2])(np.zeros(3))
        array([0.25, 0.5 , 1.  ])
    """
    b, a = _coefficients(b, "b"), _coefficients(a, "a")
    x = np.atleast_1d(as_operand(x))
    given = _floating(b, a, x) if zi is None else _floating(b, a, x, zi)
    b, a, x, *rest = given
    x = np.moveaxis(x, axis, -1)
    if zi is None:
        return np.moveaxis(_filtered(b, a, x, None)[0], -1, axis)
    held = np.moveaxis(rest[0], axis, -1)
    count = max(shape_of(a)[0], shape_of(b)[0]) - 1
    if len(shape_of(held)) != len(shape_of(x)) or shape_of(held)[-1] != count:
        raise ValueError(
            f"Unexpected shape for parameter zi: expected {(*shape_of(x)[:-1], count)}, found "
            f"{shape_of(held)}."
        )
    y, after = _filtered(b, a, x, held)
    return np.moveaxis(y, -1, axis), np.moveaxis(after, -1, axis)


def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter signals by sections of second order, one after the other.

    Args:
        sos: Shape (k, 6): of each section three coefficients of its input and three of its output,
            the first of which is 1.
        x: The signals.
        axis: Along which.
        zi: What the sections hold at the beginning, shape (k, ..., 2, ...) with 2 along the axis;
            None for nothing.

    Returns:
        The filtered signals; with ``zi`` also what the sections hold at the end.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.sosfilt([[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]], [1.0, 2.0, 3.0]).round(3)
        array([1., 3., 5.])
    """
    sos, x = np.atleast_2d(as_operand(sos)), np.atleast_1d(as_operand(x))
    if len(shape_of(sos)) != 2 or shape_of(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    sos, x, *rest = _floating(sos, x) if zi is None else _floating(sos, x, zi)
    axis = axis % len(shape_of(x))
    x = np.moveaxis(x, axis, -1)
    held = None
    if zi is not None:
        held = np.moveaxis(rest[0], axis + 1, -1)
        if shape_of(held) != (shape_of(sos)[0], *shape_of(x)[:-1], 2):
            raise ValueError(f"Invalid zi shape: {shape_of(rest[0])}")
    ends: list[Any] = []
    for number in range(shape_of(sos)[0]):
        before = None if held is None else held[number]
        x, after = _filtered(sos[number, :3], sos[number, 3:], x, before)
        ends.append(after)
    y = np.moveaxis(x, -1, axis)
    return y if zi is None else (y, np.moveaxis(np.stack(ends), -1, axis + 1))


def lfilter_zi(b: Any, a: Any) -> Any:
    """What a filter holds after a step has come in for ever: for `lfilter`, shape (m - 1,).

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> zi = signal.lfilter_zi([0.5, 0.5], [1.0])
        >>> signal.lfilter([0.5, 0.5], [1.0], np.ones(3), zi=zi)[0]
        array([1., 1., 1.])
    """
    b, a = _floating(_coefficients(b, "b"), _coefficients(a, "a"))
    count = max(shape_of(a)[0], shape_of(b)[0])
    b, a = (
        np.concatenate([v / a[0], np.zeros(count - shape_of(v)[0], dtype_of(v))]) for v in (b, a)
    )
    size = count - 1
    above = np.eye(size - 1, size, 1, dtype=dtype_of(a))
    below = np.zeros((1, size), dtype_of(a))
    first = -a[1:, None] * np.eye(1, size, dtype=dtype_of(a))
    matrix = np.eye(size, dtype=dtype_of(a)) - first - np.concatenate([above, below], 0)
    return np.linalg.solve(matrix, b[1:] - a[1:] * b[0])


def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Any:
    """Filter signals forward and backward, so that no phase is moved.

    Args:
        b: As in `lfilter`; as is ``a``.
        a: See there.
        x: The signals.
        axis: Along which.
        padtype: How they are continued: "odd", "even", "constant" or None.
        padlen: How far; None for three times the length of the filter.
        method: Must be "pad".
        irlen: Must be None.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.filtfilt([0.5, 0.5], [1.0], [0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0]).round(3)
        array([0., 0., 1., 2., 1., 0., 0.])
    """
    if method != "pad" or irlen is not None:
        raise ArgumentError("filtfilt takes the method 'pad' alone.", source_of(user_place(2)))
    b, a = _coefficients(b, "b"), _coefficients(a, "a")
    b, a, x = _floating(b, a, np.atleast_1d(as_operand(x)))
    x = np.moveaxis(x, axis, -1)
    beyond = 3 * max(shape_of(a)[0], shape_of(b)[0]) if padlen is None else operator.index(padlen)
    beyond = 0 if padtype is None else beyond
    if shape_of(x)[-1] <= beyond:
        raise ValueError(
            f"The length of the input vector x must be greater than padlen, which is {beyond}."
        )
    longer = _continued(x, beyond, padtype or "constant")
    zi = lfilter_zi(b, a)
    y = _filtered(b, a, longer, zi * longer[..., :1])[0]
    y = np.flip(y, -1)
    y = np.flip(_filtered(b, a, y, zi * y[..., :1])[0], -1)
    y = y[..., beyond : shape_of(y)[-1] - beyond]
    return np.moveaxis(y, -1, axis)


def _continued(x: Any, count: int, how: str) -> Any:
    """A signal along the last axis, with so many values before and after."""
    if not count:
        return x
    if how == "zeros":
        return np.pad(x, [(0, 0)] * (len(shape_of(x)) - 1) + [(count, count)])
    if how == "constant":
        ends = x[..., :1], x[..., -1:]
        shape = (*shape_of(x)[:-1], count)
        left, right = (np.broadcast_to(end, shape) for end in ends)
    else:
        left, right = np.flip(x[..., 1 : count + 1], -1), np.flip(x[..., -count - 1 : -1], -1)
        if how == "odd":
            left, right = 2 * x[..., :1] - left, 2 * x[..., -1:] - right
        elif how != "even":
            raise ValueError(f"Unknown value '{how}' given to a boundary.")
    return np.concatenate([left, x, right], axis=-1)


def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:  # noqa: N803  (SciPy's name)
    """The analytic signal, whose real part is the signal.

    Args:
        x: Real signals.
        N: How many of their values, or with zeros after them; None for all.
        axis: Along which.

    Raises:
        ValueError: They are complex, or N is not positive.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> np.abs(signal.hilbert([3.0, 0.0, -3.0, 0.0])).round(3)
        array([3., 3., 3., 3.])
    """
    x = as_operand(x)
    if dtype_of(x).kind == "c":
        raise ValueError("x must be real.")
    count = shape_of(x)[axis] if N is None else operator.index(N)
    if count <= 0:
        raise ValueError("N must be positive.")
    spectrum = np.moveaxis(np.fft.fft(x, count, axis=axis), axis, -1)
    weights = np.zeros(count, dtype_of(spectrum).char.lower())
    weights[0] = weights[count // 2] = 1
    weights[1 : (count + 1) // 2] = 2
    return np.fft.ifft(np.moveaxis(spectrum * weights, -1, axis), axis=axis)


def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """Signals less their mean, or less the lines that are closest to them.

    Args:
        data: The signals.
        axis: Along which.
        type: "constant" for the mean, "linear" for lines.
        bp: Where one line ends and the next one begins.
        overwrite_data: Taken, and without effect.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.detrend([1.0, 2.0, 6.0], type="constant").round(3)
        array([-2., -1.,  3.])
    """
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x = as_operand(data)
    if type[0] == "c":
        return x - np.mean(x, axis=axis, keepdims=True)
    x = x if dtype_of(x).char in "fdFD" else cast_to(x, np.dtype(float))
    x = np.moveaxis(x, axis, -1)
    length = shape_of(x)[-1]
    ends = sorted({0, length, *map(int, np.atleast_1d(bp))})
    if ends[-1] > length:
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    parts: list[Any] = []
    for start, stop in pairwise(ends):
        line = np.stack([np.arange(1, stop - start + 1) / (stop - start), np.ones(stop - start)])
        basis = np.linalg.qr(line.T).Q.astype(dtype_of(x))
        part = x[..., start:stop]
        parts.append(part - (part @ basis) @ basis.T)
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, axis)


# Spectra


def get_window(window: Any, Nx: int, fftbins: bool = True) -> Any:  # noqa: N803  (SciPy's name)
    """As ``scipy.signal.get_window``: a window of known size.

    Example:
        >>> from functrace.scipy import signal
        >>> signal.get_window("hann", 4).round(3)
        array([0. , 0.5, 1. , 0.5])
    """
    return scipy_module("signal", "functrace.scipy.signal.get_window").get_window(
        window, Nx, fftbins
    )


def _window(window: Any, nperseg: Any, length: int) -> Any:
    if isinstance(window, str | tuple):
        nperseg = 256 if nperseg is None else operator.index(nperseg)
        if nperseg < 1:
            raise ValueError("nperseg must be a positive integer")
        if nperseg > length:
            warnings.warn(
                f"nperseg = {nperseg} is greater than input length  = {length}, using nperseg = "
                f"{length}",
                stacklevel=4,
            )
        return get_window(window, min(nperseg, length))
    found = np.asarray(known_choice(as_operand(window), "A window", STATIC))
    if found.ndim != 1:
        raise ValueError("window must be 1-D")
    if len(found) > length:
        raise ValueError("window is longer than input signal")
    if nperseg is not None and nperseg != len(found):
        raise ValueError("value specified for nperseg is different from length of window")
    return found


def _lengthened(x: Any, count: int) -> Any:
    """Signals with so many zeros after them."""
    return np.pad(x, [(0, 0)] * (len(shape_of(x)) - 1) + [(0, count)]) if count else x


def _segments(
    x: Any,
    y: Any,
    fs: float,
    window: Any,
    nperseg: int | None,
    noverlap: int | None,
    nfft: int | None,
    detrended: Any,
    return_onesided: bool,
    scaling: str,
    axis: int,
    mode: str,
    boundary: str | None = None,
    padded: bool = False,
) -> tuple[Any, Any, Any]:
    """Frequencies, times, and the spectra of segments, along the axis and the last one.

    ``y`` is None for spectra of ``x`` alone. Source: Welch, The use of fast Fourier transform for
    the estimation of power spectra (1967).
    """
    signals = [as_operand(v) for v in ((x,) if y is None else (x, y))]
    dtype = np.result_type(*map(dtype_of, signals), np.complex64)
    signals = [np.moveaxis(v, axis, -1) for v in signals]
    longest = max(shape_of(v)[-1] for v in signals)
    signals = [_lengthened(v, longest - shape_of(v)[-1]) for v in signals]
    win = _window(window, nperseg, longest)
    size = len(win)
    count = size if nfft is None else operator.index(nfft)
    if count < size:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if overlap >= size:
        raise ValueError("noverlap must be less than nperseg.")
    step = size - overlap
    if boundary is not None:
        signals = [_continued(v, size // 2, boundary) for v in signals]
    if padded:
        more = -(shape_of(signals[0])[-1] - size) % step % size
        signals = [_lengthened(v, more) for v in signals]
    length = shape_of(signals[0])[-1]
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"Unknown scaling: {scaling!r}")
    scale = 1.0 / (fs * np.sum(win * win)) if scaling == "density" else 1.0 / np.sum(win) ** 2
    if mode == "stft":
        scale = np.sqrt(scale)
    is_one_sided = return_onesided and all(dtype_of(v).kind != "c" for v in signals)
    transform = np.fft.rfft if is_one_sided else np.fft.fft
    frequencies = (np.fft.rfftfreq if is_one_sided else np.fft.fftfreq)(count, 1 / fs)
    win = win.astype(dtype.char.lower())

    def spectrum(v: Any) -> Any:
        seen = np.lib.stride_tricks.sliding_window_view(v, size, -1)[..., ::step, :]
        if callable(detrended):
            seen = detrended(seen)
        elif detrended:
            seen = detrend(seen, type=detrended)
        return transform(win * seen, count)

    found = spectrum(signals[0])
    if mode == "psd":
        other = found if y is None else spectrum(signals[1])
        found = np.conj(found) * other
    found = found * scale
    if is_one_sided and mode == "psd":
        twice = np.full(shape_of(found)[-1], 2.0)
        twice[0] = 1
        if not count % 2:
            twice[-1] = 1
        found = found * twice
    times = np.arange(size / 2, length - size / 2 + 1, step) / float(fs)
    if boundary is not None:
        times = times - size / 2 / fs
    found = in_dtype(found, dtype)
    if mode == "psd" and y is None:
        found = np.real(found)
    return frequencies, times, np.moveaxis(found, -1, axis - 1 if axis < 0 else axis)


def stft(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Any, Any, Any]:
    """Fourier transforms of overlapping segments; the arguments are SciPy's.

    Returns:
        Frequencies, times, and the transforms: frequencies along the axis, times along the last.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> wave = np.cos(2 * np.pi * np.arange(32) / 4)
        >>> frequencies, times, z = signal.stft(wave, nperseg=8)
        >>> z.shape
        (5, 9)
        >>> frequencies[np.abs(z[:, 4]).argmax()]
        np.float64(0.25)
    """
    if scaling not in ("spectrum", "psd"):
        raise ValueError(f"Parameter scaling={scaling!r} not in ['spectrum', 'psd']!")
    scaling = "density" if scaling == "psd" else scaling
    return _segments(
        x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
        "stft", boundary, padded,
    )  # fmt: skip


def istft(
    Zxx: Any,  # noqa: N803  (SciPy's name)
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Any, Any]:
    """The signals whose `stft` is closest to what is given; the arguments are SciPy's.

    Returns:
        Times, and the signals.

    Raises:
        ValueError: The arguments do not fit together.

    Example:
        >>> from functrace.scipy import signal
        >>> z = signal.stft([1.0, 2.0, 3.0, 4.0], nperseg=4)[2]
        >>> signal.istft(z, nperseg=4)[1].round(3)
        array([1., 2., 3., 4.])
    """
    z = as_operand(Zxx) + 0j
    rank = len(shape_of(z))
    if rank < 2:
        raise ValueError("Input stft must be at least 2d!")
    if freq_axis % rank == time_axis % rank:
        raise ValueError("Must specify differing time and frequency axes!")
    z = np.moveaxis(z, (freq_axis, time_axis), (-1, -2))
    segments, rows = shape_of(z)[-2:]
    default = 2 * (rows - 1) if input_onesided else rows
    size = default if nperseg is None else operator.index(nperseg)
    if nfft is None:
        count = size if input_onesided and size == default + 1 else default
    else:
        count = operator.index(nfft)
        if count < size:
            raise ValueError("nfft must be greater than or equal to nperseg.")
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if overlap >= size:
        raise ValueError("noverlap must be less than nperseg.")
    step = size - overlap
    win = get_window(window, size) if isinstance(window, str | tuple) else np.asarray(window)
    if win.shape != (size,):
        raise ValueError(f"window must have length of {size}")
    if scaling not in ("spectrum", "psd"):
        raise ValueError(f"Parameter scaling={scaling!r} not in ['spectrum', 'psd']!")
    parts = (np.fft.irfft if input_onesided else np.fft.ifft)(z, count)[..., :size]
    win = win.astype(dtype_of(parts).char.lower())
    parts = parts * (np.sum(win) if scaling == "spectrum" else np.sqrt(fs * np.sum(win**2)))
    length = size + (segments - 1) * step
    # Where each value of each segment is added: a constant matrix would be as large as both.
    places = (np.arange(segments)[:, None] * step + np.arange(size)).reshape(-1)
    flat = np.reshape(parts * win, (*shape_of(parts)[:-2], segments * size))
    x = np.zeros((*shape_of(flat)[:-1], length), dtype_of(flat))
    x = _added(x, places, flat)
    norm = np.bincount(places, np.tile(win**2, segments), length)
    if boundary:
        inside = slice(size // 2, length - size // 2)
        x, norm = x[..., inside], norm[inside]
    x = x / np.where(norm > 1e-10, norm, 1.0).astype(win.dtype)
    x = np.real(x) if input_onesided else x
    times = np.arange(shape_of(x)[0]) / float(fs)
    if len(shape_of(x)) > 1 and time_axis % rank != rank - 1:
        at = time_axis % rank
        x = np.moveaxis(x, -1, at - 1 if freq_axis % rank < at else at)
    return times, x


def _added(x: Any, places: Any, values: Any) -> Any:
    """An array to which values are added at places of its last axis."""
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places, minlength=shape_of(x)[-1])
    most = int(np.max(counts, initial=0))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    total = x
    for number in range(most):  # few: how many segments meet at one place
        has = counts > number
        at = order[np.where(has, starts + number, 0)]
        total = total + values[..., at] * has.astype(dtype_of(x).char.lower())
    return total


def csd(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """The cross power spectral density, by Welch's method; the arguments are SciPy's.

    Returns:
        Frequencies, and the spectra along the axis.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> wave = np.cos(2 * np.pi * np.arange(32) / 4)
        >>> frequencies, density = signal.csd(wave, 2 * wave, nperseg=16)
        >>> frequencies[np.abs(density).argmax()]
        np.float64(0.25)
    """
    frequencies, _, found = _segments(
        x, None if y is x else y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided,
        scaling, axis, "psd",
    )  # fmt: skip
    if average == "mean":
        return frequencies, np.mean(found, axis=-1)
    if average != "median":
        raise ValueError(f"Parameter average={average!r} must be 'median' or 'mean'!")
    pairs = 2 * np.arange(1.0, (shape_of(found)[-1] - 1) // 2 + 1)
    bias = 1 + np.sum(1.0 / (pairs + 1) - 1.0 / pairs)
    if dtype_of(found).kind == "c":
        middle = np.median(np.real(found), axis=-1) + 1j * np.median(np.imag(found), axis=-1)
    else:
        middle = np.median(found, axis=-1)
    return frequencies, middle / bias


def welch(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """The power spectral density, by Welch's method: `csd` of signals with themselves.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> wave = np.cos(2 * np.pi * np.arange(32) / 4)
        >>> frequencies, density = signal.welch(wave, nperseg=16)
        >>> frequencies[density.argmax()]
        np.float64(0.25)
    """
    return csd(
        x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )


def periodogram(
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Any]:
    """The power spectral density of one segment, the whole signal; the arguments are SciPy's.

    Example:
        >>> from functrace.scipy import signal
        >>> frequencies, power = signal.periodogram([1.0, 0.0, -1.0, 0.0], scaling="spectrum")
        >>> frequencies
        array([0.  , 0.25, 0.5 ])
        >>> power.round(3)
        array([0. , 0.5, 0. ])
    """
    x = as_operand(x)
    length = shape_of(x)[axis]
    size = length if nfft is None else min(operator.index(nfft), length)
    if size < length:
        x = np.moveaxis(np.moveaxis(x, axis, -1)[..., :size], -1, axis)
        nfft = None
    window = "boxcar" if window is None else window
    return welch(x, fs, window, size, 0, nfft, detrend, return_onesided, scaling, axis)


def coherence(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    axis: int = -1,
) -> tuple[Any, Any]:
    """The magnitude squared coherence of two signals; the arguments are SciPy's.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> wave = np.arange(32.0) ** 2 % 7
        >>> frequencies, coherence = signal.coherence(wave, 2 * wave, nperseg=8)
        >>> coherence.round(3)
        array([1., 1., 1., 1., 1.])
    """
    options = (fs, window, nperseg, noverlap, nfft, detrend, True, "density", axis)
    frequencies, own = welch(x, *options)
    other = welch(y, *options)[1]
    both = csd(x, y, *options)[1]
    return frequencies, np.abs(both) ** 2 / own / other


def spectrogram(
    x: Any,
    fs: float = 1.0,
    window: Any = ("tukey", 0.25),
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    mode: str = "psd",
) -> tuple[Any, Any, Any]:
    """Spectra of overlapping segments; the arguments are SciPy's.

    Returns:
        Frequencies, times, and the spectra: frequencies along the axis, times along the last.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import signal
        >>> wave = np.cos(2 * np.pi * np.arange(32) / 4)
        >>> frequencies, times, density = signal.spectrogram(wave, nperseg=8)
        >>> frequencies[density.argmax(axis=0)]
        array([0.25, 0.25, 0.25, 0.25])
    """
    modes = ["psd", "complex", "magnitude", "angle", "phase"]
    if mode not in modes:
        raise ValueError(f"unknown value for mode {mode}, must be one of {modes}")
    win = _window(window, nperseg, shape_of(as_operand(x))[axis])
    noverlap = len(win) // 8 if noverlap is None else noverlap
    kind = "psd" if mode == "psd" else "stft"
    frequencies, times, found = _segments(
        x, None, fs, win, None, noverlap, nfft, detrend, return_onesided, scaling, axis, kind
    )
    if mode == "magnitude":
        found = np.abs(found)
    elif mode in ("angle", "phase"):
        found = np.angle(found)
        if mode == "phase":
            found = np.unwrap(found, axis=axis - 1 if axis < 0 else axis)
    return frequencies, times, found


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("signal")
