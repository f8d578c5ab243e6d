"""Functions along an axis: softmax and its family, standardizing, and one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from functrace.primitives.linear import dtype_of, shape_of, stop_gradient
from functrace.scipy import special
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand

Axes = int | Sequence[int] | None


def _axes(axis: Axes) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def softmax(x: Any, axis: Axes = -1, where: Any = None, initial: Any = None) -> Any:
    """Exponentials, divided by their sum along an axis.

    Args:
        x: An array of real numbers.
        axis: The axis or the axes, None for all.
        where: Which elements count; of the others the result is 0.
        initial: Taken for older programs, and without effect.

    Returns:
        An array of the shape of ``x``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.softmax(np.array([0.0, np.log(3.0)]))
        array([0.25, 0.75])
    """
    if where is None:
        return special.softmax(x, _axes(axis))
    return _masked(x, where, lambda x: special.softmax(x, _axes(axis)), 0)


def sparsemax(x: Any) -> Any:
    """The nearest probabilities along the last axis, most of them 0 (Martins and Astudillo, 2016).

    Held et al. (1974) find what is subtracted: the sorted elements tell how many are above it.

    Example:
        >>> import numpy as np
        >>> from functrace.nn.normalizing import sparsemax
        >>> sparsemax(np.array([0.9, -3.0, 0.5]))
        array([0.7, 0. , 0.3])
    """
    x = special.floating(x)
    falling = np.flip(np.sort(x, axis=-1), -1)
    counts = np.arange(1, shape_of(x)[-1] + 1, dtype=dtype_of(x))
    levels = (np.cumsum(falling, axis=-1) - 1) / counts
    last = np.sum(np.greater(falling, levels), axis=-1, keepdims=True) - 1
    level = np.take_along_axis(levels, last, axis=-1)
    return np.where(np.greater(x, level), x - level, dtype_of(x).type(0))


def log_softmax(x: Any, axis: Axes = -1, where: Any = None, initial: Any = None) -> Any:
    """The logarithm of `softmax`; minus infinity of elements that do not count.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.log_softmax(np.log(np.array([1.0, 3.0]))).round(3), np.log([0.25, 0.75]).round(3)
        (array([-1.386, -0.288]), array([-1.386, -0.288]))
    """
    if where is None:
        return special.log_softmax(x, _axes(axis))
    return _masked(x, where, lambda x: special.log_softmax(x, _axes(axis)), -np.inf)


def _masked(x: Any, where: Any, function: Any, rest: float) -> Any:
    """A function of the elements that count."""
    x = as_operand(x)
    dtype = dtype_of(x) if dtype_of(x).kind == "f" else np.dtype(np.float64)
    found = function(np.where(where, x, dtype.type(-np.inf)))
    return np.where(where, found, dtype.type(rest))


def logsumexp(
    a: Any,
    axis: Axes = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """The logarithm of the sum of exponentials: see `functrace.scipy.special.logsumexp`.

    With ``where`` only the elements count that it marks.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.logsumexp(np.array([1000.0, 1000.0])).round(3)
        np.float64(1000.693)
        >>> nn.logsumexp(np.array([0.0, 5.0]), where=np.array([True, False]))
        np.float64(0.0)
    """
    if where is not None:
        a = np.where(where, a, dtype_of(as_operand(a)).type(-np.inf))
    return special.logsumexp(a, _axes(axis), b, keepdims, return_sign)


def logmeanexp(x: Any, axis: Axes = None, where: Any = None, keepdims: bool = False) -> Any:
    """The logarithm of the mean of exponentials.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.logmeanexp(np.array([1000.0, 1000.0])).round(3)
        np.float64(1000.0)
    """
    x = as_operand(x)
    total = logsumexp(x, axis, None, keepdims, where=where)
    counted = np.ones(shape_of(x), bool) if where is None else np.broadcast_to(where, shape_of(x))
    count = np.sum(counted, axis=_axes(axis), keepdims=keepdims)
    return total - np.log(count.astype(total.dtype))


def standardize(
    x: Any,
    axis: Axes = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon)``, with mean and variance along an axis.

    Args:
        x: An array.
        axis: The axis or the axes, None for all.
        mean: The mean; None for that of ``x``.
        variance: The variance; None for that of ``x``, and not less than 0.
        epsilon: What keeps the root from 0.
        where: Which elements count for the mean and the variance.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.standardize(np.array([[1.0, 3.0], [10.0, 30.0]])).round(3)
        array([[-1.,  1.],
               [-1.,  1.]])
    """
    x = as_operand(x)
    options: dict[str, Any] = {"axis": _axes(axis), "keepdims": True}
    if where is not None:
        options["where"] = where
    if mean is None:
        mean = np.mean(x, **options)
    if variance is None:
        variance = np.mean(np.square(x - mean), **options)
    return (x - mean) / np.sqrt(variance + epsilon)


def one_hot(x: Any, num_classes: int, *, dtype: Any = np.float64, axis: int = -1) -> Any:
    """For each number a row of zeros with a one in its place; of one out of range only zeros.

    Args:
        x: An array of integers.
        num_classes: The length of the rows.
        dtype: Of the result.
        axis: Where the new axis is put.

    Returns:
        An array with one axis more than ``x``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.one_hot(np.array([2, 0, 5]), 3)
        array([[0., 0., 1.],
               [1., 0., 0.],
               [0., 0., 0.]])
    """
    x = stop_gradient(as_operand(x))
    numbers = np.arange(num_classes)
    rows = np.equal(np.reshape(x, (*shape_of(x), 1)), numbers)
    return np.moveaxis(rows.astype(dtype), -1, axis)


globals().update(entrances(globals()))
