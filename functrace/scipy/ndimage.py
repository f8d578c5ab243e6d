"""Functions of ``scipy.ndimage`` on traced values: filters, and interpolation by splines.

Images, weights and coordinates may be traced. ``output`` must be None or a dtype; results have the
dtype of the image where nothing else is said, computed in double precision.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from itertools import product as choices
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.matrices.stacks import conjugate
from functrace.numpy.taking import take
from functrace.primitives.linear import dtype_of, in_dtype, known_choice, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.optional import names_of_scipy, scipy_module
from functrace.tracing.places import source_of, user_place
from functrace.tracing.refusals import STATIC

_PADDED = {
    "reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect", "nearest": "edge",
    "constant": "constant", "grid-constant": "constant", "wrap": "wrap", "grid-wrap": "wrap",
}  # fmt: skip
"""The modes, and what `numpy.pad` calls them."""


def _mode(mode: str) -> str:
    if mode not in _PADDED:
        raise RuntimeError("boundary mode not supported")
    return mode


def _image(x: Any, *weights: Any) -> tuple[Any, np.dtype[Any]]:
    """An image in double precision, and the dtype of the result."""
    x = as_operand(x)
    own = dtype_of(x)
    is_complex = any(dtype_of(w).kind == "c" for w in (x, *weights))
    result = np.result_type(own, np.complex64) if is_complex else own
    return in_dtype(x, np.result_type(own, np.float64)), result


def _output(x: Any, dtype: np.dtype[Any], output: Any) -> Any:
    if output is None:
        return in_dtype(x, dtype)
    if isinstance(output, type | str | np.dtype):
        return in_dtype(x, np.dtype(output))
    raise ArgumentError(
        "The result is returned here, and written into no array `output`.",
        source_of(user_place(2)),
        "Leave it out, or give a dtype.",
    )


def _for_each(x: Any, count: int) -> list[Any]:
    """One value for each axis, of one for all or of a sequence."""
    if isinstance(x, str) or np.ndim(x) == 0:
        return [x] * count
    if len(x) != count:
        raise RuntimeError("sequence argument must have length equal to input rank")
    return list(x)


def _axes(axes: Any, rank: int) -> list[int]:
    given = range(rank) if axes is None else np.atleast_1d(axes).tolist()
    return [operator.index(axis) % rank for axis in given]


def _beyond(length: int, origin: int) -> tuple[int, int]:
    """How far a window reaches before and after its place."""
    before = length // 2 + operator.index(origin)
    if not 0 <= before < length:
        raise ValueError(
            "Invalid origin; origin must satisfy -(len(weights) // 2) <= origin <= "
            "(len(weights)-1) // 2"
        )
    return before, length - 1 - before


def _padded(x: Any, pads: Sequence[tuple[int, int]], mode: str, cval: Any) -> Any:
    how: Any = _PADDED[mode]
    options: dict[str, Any] = {"constant_values": cval} if how == "constant" else {}
    return np.pad(x, pads, how, **options)


def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """The correlation of an image with weights along one axis.

    Args:
        input: The image.
        weights: One axis of them.
        axis: Along which.
        output: A dtype, or None for that of the image.
        mode: What is beyond the edges, as SciPy names it.
        cval: What is there, in the mode "constant".
        origin: By how much windows are moved.

    Raises:
        RuntimeError: There are no weights, or there is no such mode.
        ValueError: The origin lies outside of the window.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.correlate1d([0, 0, 1, 0, 0], [1, 2, 3])
        array([0, 3, 2, 1, 0])
    """
    weights = as_operand(weights)
    if len(shape_of(weights)) != 1 or not shape_of(weights)[0]:
        raise RuntimeError("no filter weights given")
    x, dtype = _image(input, weights)
    weights = conjugate(weights)
    length = shape_of(weights)[0]
    x = np.moveaxis(x, axis, -1)
    pads = [(0, 0)] * (len(shape_of(x)) - 1) + [_beyond(length, origin)]
    padded = _padded(x, pads, _mode(mode), cval)
    count = shape_of(x)[-1]
    found: Any
    if length <= 32:
        found = sum(weights[k] * padded[..., k : k + count] for k in range(length))
    else:
        found = np.lib.stride_tricks.sliding_window_view(padded, length, -1) @ weights
    return _output(np.moveaxis(found, -1, axis), dtype, output)


def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """The convolution of an image with weights along one axis; as `correlate1d`.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.convolve1d([0, 0, 1, 0, 0], [1, 2, 3])
        array([0, 1, 2, 3, 0])
    """
    weights = as_operand(weights)
    origin = -origin - (0 if shape_of(weights)[0] % 2 else 1)
    weights = conjugate(np.flip(weights))
    return correlate1d(input, weights, axis, output, mode, cval, origin)


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """The correlation of an image with weights.

    Args:
        input: The image.
        weights: An array with an axis for each of ``axes``.
        output: A dtype, or None for that of the image.
        mode: What is beyond the edges, as SciPy names it.
        cval: What is there, in the mode "constant".
        origin: By how much windows are moved, along each axis.
        axes: The axes of the image; None for all.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import ndimage
        >>> ndimage.correlate(np.eye(2), np.ones((1, 2)), mode="constant")
        array([[1., 1.],
               [0., 1.]])
    """
    weights = as_operand(weights)
    x, dtype = _image(input, weights)
    rank = len(shape_of(x))
    along = _axes(axes, rank)
    if len(shape_of(weights)) != len(along):
        raise RuntimeError(
            f"weights.ndim ({len(shape_of(weights))}) must match len(axes) ({len(along)})"
        )
    origins = _for_each(origin, len(along))
    weights = conjugate(weights)
    pads = [(0, 0)] * rank
    for axis, length, start in zip(along, shape_of(weights), origins, strict=True):
        pads[axis] = _beyond(length, start)
    padded = _padded(x, pads, _mode(mode), cval)
    seen = np.lib.stride_tricks.sliding_window_view(padded, shape_of(weights), tuple(along))
    ends = tuple(range(rank, rank + len(along)))
    return _output(np.tensordot(seen, weights, (ends, tuple(range(len(along))))), dtype, output)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """The convolution of an image with weights; as `correlate`.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.convolve([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
        array([[1, 2, 3],
               [4, 5, 6],
               [7, 8, 9]])
    """
    weights = as_operand(weights)
    origins = _for_each(origin, len(shape_of(weights)))
    lengths = shape_of(weights)
    origins = [-o - (0 if n % 2 else 1) for o, n in zip(origins, lengths, strict=True)]
    weights = conjugate(np.flip(weights))
    return correlate(input, weights, output, mode, cval, origins, axes=axes)


_WIDTH = "The standard deviation, which says where a Gaussian ends,"


def _gaussian(sigma: Any, order: int, radius: int) -> Any:
    """A Gaussian or its derivative at whole numbers, whose sum before that is 1."""
    if order < 0:
        raise ValueError("order must be non-negative")
    x = np.arange(-radius, radius + 1)
    phi = np.exp(-0.5 / (sigma * sigma) * x**2)
    phi = phi / np.sum(phi)
    # Each derivative is a polynomial times the Gaussian: q' - x q / sigma**2 after q.
    q: list[Any] = [1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(q)][1:]
        falling = [0.0, *(-c / (sigma * sigma) for c in q)]
        slope += [0.0] * (len(falling) - len(slope))
        q = [s + f for s, f in zip(slope, falling, strict=True)]
    return phi * sum(c * x**k for k, c in enumerate(q)) if order else phi


def gaussian_filter1d(
    input: Any,
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """An image smoothed by a Gaussian along one axis, or a derivative of it.

    Args:
        input: The image.
        sigma: The standard deviation. It is known, or there is a ``radius``.
        axis: Along which.
        order: Which derivative.
        output: A dtype, or None for that of the image.
        mode: What is beyond the edges, as SciPy names it.
        cval: What is there, in the mode "constant".
        truncate: Where the Gaussian ends, in standard deviations.
        radius: Where it ends.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 1.0, radius=1).round(3)
        array([0.   , 0.274, 0.452, 0.274, 0.   ])
    """
    if radius is None:
        known = float(known_choice(as_operand(sigma), _WIDTH, STATIC))
        radius = int(truncate * known + 0.5)
    if operator.index(radius) < 0:
        raise ValueError("Radius must be a nonnegative integer.")
    weights = np.flip(_gaussian(sigma, order, radius))
    return correlate1d(input, weights, axis, output, mode, cval)


def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """An image smoothed by a Gaussian; as `gaussian_filter1d`, with one value or one for each axis.

    Example:
        >>> import numpy as np
        >>> from functrace.scipy import ndimage
        >>> ndimage.gaussian_filter(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), 0.5).round(3)
        array([0.   , 0.106, 0.787, 0.106, 0.   ])
    """
    x = as_operand(input)
    dtype = dtype_of(x)
    kind = dtype_of(_output(x, dtype, output))  # that of each step, as in SciPy
    along = _axes(axes, len(shape_of(x)))
    lists = [_for_each(v, len(along)) for v in (sigma, order, mode, radius)]
    for axis, width, degree, how, end in zip(along, *lists, strict=True):
        known = 1.0 if end is not None else known_choice(as_operand(width), _WIDTH, STATIC)
        if float(known) <= 1e-15:
            continue
        x = gaussian_filter1d(x, width, axis, degree, kind, how, cval, truncate, radius=end)
    return _output(x, dtype, output)


def uniform_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """The means of windows of an image along one axis; as `correlate1d`.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.uniform_filter1d([3.0, 6.0, 9.0], 3).round(3)
        array([4., 6., 8.])
    """
    size = operator.index(size)
    if size < 1:
        raise RuntimeError("incorrect filter size")
    x = as_operand(input)
    kind = np.result_type(dtype_of(x), np.float64)
    # The sum is divided: of whole numbers a whole mean stays one when it is cut off.
    total = correlate1d(x, np.ones(size), axis, kind, mode, cval, origin)
    return _output(total / size, dtype_of(x), output)


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """The means of windows of an image; as `uniform_filter1d`, with values for all or each axis.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.uniform_filter([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 0.0]], 3).round(3)
        array([[1., 1., 1.],
               [1., 1., 1.],
               [1., 1., 1.]])
    """
    x = as_operand(input)
    dtype = dtype_of(x)
    kind = dtype_of(_output(x, dtype, output))  # that of each step, as in SciPy
    along = _axes(axes, len(shape_of(x)))
    lists = [_for_each(v, len(along)) for v in (size, mode, origin)]
    for axis, length, how, start in zip(along, *lists, strict=True):
        if length > 1:
            x = uniform_filter1d(x, length, axis, kind, how, cval, start)
    return _output(x, dtype, output)


# Interpolation


def _folded(x: Any, length: int, mode: str) -> Any:
    """Coordinates within an axis, of any."""
    last = length - 1
    if mode in ("constant", "nearest"):
        return np.clip(x, 0, last)
    if mode == "mirror":
        if not last:
            return x * 0
        x = np.mod(np.abs(x), 2 * last)
        return last - np.abs(x - last)
    if mode == "wrap":
        if not last:
            return x * 0
        around = np.where(x < 0, x + last * (np.floor(-x / last) + 1), np.mod(x, last))
        return np.where((x < 0) | (x > last), around, x)
    return x


def _number(index: Any, length: int, mode: str) -> Any:
    """The numbers of elements, of whole numbers that may lie beyond the axis."""
    if mode == "grid-wrap":
        return np.mod(index, length)
    if mode in ("reflect", "grid-mirror"):
        turned = np.mod(index, 2 * length)
        return np.where(turned < length, turned, 2 * length - 1 - turned)
    if mode in ("mirror", "constant", "wrap") and length > 1:
        turned = np.mod(index, 2 * length - 2)
        return np.where(turned < length, turned, 2 * length - 2 - turned)
    return np.clip(index, 0, length - 1)


PADDED = 12
"""By so many elements an image is continued where the spline beyond its edge is not that of it."""


@lru_cache(maxsize=32)
def _filter(length: int, order: int, mode: str) -> Any:
    """The matrix of the coefficients of the splines through the elements along an axis."""
    module = scipy_module("ndimage", "functrace.scipy.ndimage.map_coordinates")
    return module.spline_filter1d(np.eye(length), order, axis=0, mode=mode)


def _coefficients(x: Any, order: int, mode: str, cval: Any) -> tuple[Any, int]:
    """The coefficients of the splines through an image, and by how many it was continued."""
    before = PADDED if mode in ("nearest", "grid-constant") else 0
    if before:
        x = _padded(x, [(before, before)] * len(shape_of(x)), mode, cval)
    for axis, length in enumerate(shape_of(x)):
        if length > 1:
            x = np.moveaxis(np.tensordot(_filter(length, order, mode), x, (1, axis)), 0, axis)
    return x, before


def _basis(x: Any, order: int) -> Any:
    """The spline of an order around 0 (Schoenberg 1946, theorem 3)."""
    steps = range(order + 2)
    parts = [
        (-1) ** k * math.comb(order + 1, k) * np.maximum(x + ((order + 1) / 2 - k), 0.0) ** order
        for k in steps
    ]
    return sum(parts[1:], parts[0]) / math.factorial(order)


def _weights(at: Any, order: int) -> list[tuple[Any, Any]]:
    """The elements around places, as whole numbers, and their weights; None for 1."""
    if order == 0:
        return [(np.floor(at + 0.5), None)]
    low = np.floor(at if order % 2 else at + 0.5) - order // 2
    if order == 1:
        return [(low, 1 - (at - low)), (low + 1, at - low)]
    return [(low + k, _basis(at - (low + k), order)) for k in range(order + 1)]


def map_coordinates(
    input: Any,
    coordinates: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """An image between its elements.

    Args:
        input: The image.
        coordinates: For each axis an array of places; these have one shape.
        output: A dtype, or None for that of the image. A number is the order, which JAX has here.
        order: Of the splines, up to 5; 1 for linear interpolation, 0 for the nearest element,
            which has no derivative in the coordinates.
        mode: What is beyond the edges, as SciPy names it.
        cval: What is there, in the modes "constant" and "grid-constant".
        prefilter: Whether the splines go through the image; else its elements are taken for their
            coefficients.

    Returns:
        An array of the shape of the places.

    Raises:
        RuntimeError: The order is another one, or there is no place for each axis.

    Example:
        >>> import numpy as np
        >>> import functrace as ft
        >>> from functrace.scipy import ndimage
        >>> image = np.array([[0.0, 1.0], [2.0, 3.0]])
        >>> ndimage.map_coordinates(image, [[0.5], [0.5]], order=1)
        array([1.5])
        >>> ft.grad(lambda p: ndimage.map_coordinates(image, p, order=1)[0])(np.full((2, 1), 0.5))
        array([[2.],
               [1.]])
    """
    if isinstance(output, int) and not isinstance(output, bool):  # as JAX's third argument
        output, order = None, output
    if order not in range(6):
        raise RuntimeError("spline order not supported")
    _mode(mode)
    x, dtype = _image(input)
    given = as_operand(coordinates) if hasattr(coordinates, "shape") else np.stack([*map(as_operand, coordinates)])  # fmt: skip  # noqa: E501
    shape = shape_of(x)
    if shape_of(given)[0] != len(shape):
        raise RuntimeError("invalid shape for coordinate array")
    places = [in_dtype(given[axis], np.dtype(np.float64)) for axis in range(len(shape))]
    outside: Any = False
    if mode == "constant":
        for place, length in zip(places, shape, strict=True):
            outside = outside | (place < 0) | (place > length - 1)
    before = 0
    if order > 1 and prefilter:
        x, before = _coefficients(x, order, mode, cval)
    of_axes: list[list[tuple[Any, Any, Any]]] = []
    for place, own, length in zip(places, shape, shape_of(x), strict=True):
        at = _folded(place + before, own if mode == "constant" else length, mode)
        parts: list[tuple[Any, Any, Any]] = []
        for whole, weight in _weights(at, order):
            index = whole.astype(np.intp)
            beyond = (index < 0) | (index >= length) if mode == "grid-constant" else None
            parts.append((_number(index, length, mode), weight, beyond))
        of_axes.append(parts)
    shape = shape_of(x)
    total: Any = 0.0
    flat, steps = np.reshape(x, -1), [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    for corner in choices(*of_axes):
        at = sum(step * index for step, (index, _, _) in zip(steps, corner, strict=True))
        term = take(flat, at)
        for _, _, beyond in corner:
            if beyond is not None:
                term = np.where(beyond, cval, term)
        for _, weight, _ in corner:
            if weight is not None:
                term = term * weight
        total = total + term
    if mode == "constant":
        total = np.where(outside, cval, total)
    if dtype.kind in "iu" and output is None:
        total = np.round(total)
    return _output(total, dtype, output)


def shift(
    input: Any,
    shift: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """An image moved along its axes, by a number of elements that need not be whole.

    Args:
        input: The image.
        shift: How far along each axis, or along all; it may be traced.
        output: As in `map_coordinates`, as are those that follow.
        order: See there.
        mode: See there.
        cval: See there.
        prefilter: See there.

    Returns:
        An image of the same shape.

    Example:
        >>> import functrace as ft
        >>> from functrace.scipy import ndimage
        >>> ndimage.shift([0.0, 1.0, 4.0, 9.0], 0.5, order=1)
        array([0. , 0.5, 2.5, 6.5])
        >>> ft.grad(lambda s: ndimage.shift([0.0, 1.0, 4.0, 9.0], s)[2])(0.5).round(3)
        np.float64(-2.7)
    """
    shape = shape_of(as_operand(input))
    far = as_operand(shift)
    if shape_of(far) not in ((), (len(shape),)):
        raise RuntimeError("sequence argument must have length equal to input rank")
    far = np.broadcast_to(far, (len(shape),))
    axes = [np.arange(float(length)) - far[axis] for axis, length in enumerate(shape)]
    return _on_a_grid(input, axes, output, order, mode, cval, prefilter)


def zoom(
    input: Any,
    zoom: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
    *,
    grid_mode: bool = False,
) -> Any:
    """An image with more elements, or fewer, between the same ends.

    Args:
        input: The image.
        zoom: How many times as many along each axis, or along all; it must be known.
        output: As in `map_coordinates`, as are those that follow.
        order: See there.
        mode: See there.
        cval: See there.
        prefilter: See there.
        grid_mode: Whether elements have a width, so that the ends are the edges of the outer ones.

    Returns:
        An image whose shape is rounded.

    Example:
        >>> from functrace.scipy import ndimage
        >>> ndimage.zoom([0.0, 1.0, 4.0], 5 / 3, order=1)
        array([0. , 0.5, 1. , 2.5, 4. ])
    """
    shape = shape_of(as_operand(input))
    factors = _for_each(known_choice(zoom, "The zoom", STATIC), len(shape))
    axes: list[Any] = []
    for length, factor in zip(shape, factors, strict=True):
        count = round(length * float(factor))
        if grid_mode:
            axes.append((np.arange(count) + 0.5) * (length / max(count, 1)) - 0.5)
        else:
            axes.append(np.linspace(0.0, length - 1.0, count))
    return _on_a_grid(input, axes, output, order, mode, cval, prefilter)


def _on_a_grid(input: Any, axes: Sequence[Any], output: Any, *options: Any) -> Any:
    """An image at all combinations of places along its axes."""
    grid = np.meshgrid(*axes, indexing="ij")
    return map_coordinates(input, np.stack(grid), output, *options)


globals().update(entrances(globals()))
__getattr__ = names_of_scipy("ndimage")
