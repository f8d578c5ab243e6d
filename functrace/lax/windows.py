"""Reductions of windows, as pooling is, of ``jax.lax``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.lax import elementwise
from functrace.lax.reductions import reduce
from functrace.lax.shaping import convert_element_type, pad
from functrace.numpy.reducing import lowest
from functrace.primitives.linear import dtype_of, shape_of
from functrace.primitives.windowing import windows
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer, bind

Padding = str | Sequence[tuple[int, int]]


def padding_of(
    padding: Padding, lengths: Sequence[int], windows: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """How much to put before and after, along each axis.

    Args:
        padding: The numbers; or "VALID", "SAME", or "SAME_LOWER".
        lengths: The lengths of the axes.
        windows: How far a window reaches along each axis.
        strides: How far it is from one window to the next.

    Raises:
        ArgumentError: There is no such padding, or not one pair for each axis.
    """
    if not isinstance(padding, str):
        pairs = [(int(before), int(after)) for before, after in padding]
        if len(pairs) != len(lengths):
            raise ArgumentError(
                f"padding has {len(pairs)} pairs where windows move along {len(lengths)} axes."
            )
        return pairs
    name = padding.upper()
    if name == "VALID":
        return [(0, 0)] * len(lengths)
    if name not in ("SAME", "SAME_LOWER"):
        raise ArgumentError(
            f"padding is {padding!r}; it may be 'SAME', 'SAME_LOWER', 'VALID', or pairs of numbers."
        )
    pairs = []
    for length, window, stride in zip(lengths, windows, strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + window - length, 0)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if name == "SAME" else (large, small))
    return pairs


_KNOWN: dict[Any, tuple[Callable[..., Any], Callable[[np.dtype[Any]], Any]]] = {
    function: known
    for functions, known in {
        (elementwise.add, np.add): (np.sum, lambda dtype: 0),
        (elementwise.mul, np.multiply): (np.prod, lambda dtype: 1),
        (elementwise.max, np.maximum): (np.max, lambda dtype: lowest(dtype, 1)),
        (elementwise.min, np.minimum): (np.min, lambda dtype: lowest(dtype, -1)),
    }.items()
    for function in functions
}
"""What reduces by a function of two, and the value that changes nothing, for some functions."""


def for_each_axis(name: str, values: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """One positive number for each axis along which windows move; 1 where none is given.

    Raises:
        ArgumentError: They are fewer or more, or one is not positive.
    """
    found = (1,) * rank if values is None else tuple(int(value) for value in values)
    if len(found) != rank or min(found, default=1) < 1:
        raise ArgumentError(f"{name} is {values!r} where {rank} positive numbers are expected.")
    return found


def spread(lengths: Sequence[int], steps: Sequence[int]) -> list[int]:
    """How far so many elements reach that are such steps apart."""
    return [max((n - 1) * step + 1, 0) for n, step in zip(lengths, steps, strict=True)]


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Padding,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Combine the elements of each window by an associative and commutative function of two.

    The sum, maximum, minimum and product of `functrace.lax` or of NumPy are done at once, others
    in a logarithmic number of steps, as by `functrace.lax.reduce`.

    Args:
        operand: An array.
        init_value: The scalar to begin with, which also stands around the array.
        computation: Takes two scalars and returns one.
        window_dimensions: The lengths of a window, along each axis.
        window_strides: How far it is from one window to the next.
        padding: How many elements to put before and after; or "SAME", "SAME_LOWER", or "VALID",
            as for `functrace.lax.conv_general_dilated`.
        base_dilation: One more than how many elements to put between two of the array.
        window_dilation: How far two elements of a window are apart.

    Returns:
        An array with one element for each window.

    Raises:
        ArgumentError: An option has not one number for each axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
        >>> lax.reduce_window(x, -np.inf, lax.max, (2,), (2,), "VALID")
        array([3., 4.])
    """
    x = as_operand(operand)
    rank = len(shape_of(x))
    lengths = for_each_axis("window_dimensions", window_dimensions, rank)
    strides = for_each_axis("window_strides", window_strides, rank)
    between = for_each_axis("base_dilation", base_dilation, rank)
    dilations = for_each_axis("window_dilation", window_dilation, rank)
    first = convert_element_type(init_value, dtype_of(x))
    # As in JAX, of lengths before elements are put between.
    pairs = padding_of(padding, shape_of(x), spread(lengths, dilations), strides)
    edges = [(*pair, step - 1) for pair, step in zip(pairs, between, strict=True)]
    if any(edge != (0, 0, 0) for edge in edges):
        x = pad(x, first, edges)
    along = [axis for axis in range(rank) if (lengths[axis], strides[axis]) != (1, 1)]
    if along:
        x = bind(
            windows,
            x,
            along=tuple(along),
            lengths=tuple(lengths[axis] for axis in along),
            steps=tuple(strides[axis] for axis in along),
            dilations=tuple(dilations[axis] for axis in along),
        )
    axes = tuple(range(len(along)))
    if computation not in _KNOWN:
        return reduce(x, first, computation, axes)
    combine, neutral = _KNOWN[computation]
    combined = convert_element_type(combine(x, axis=axes), dtype_of(x)) if along else x
    changes_nothing = not isinstance(first, Tracer) and first == neutral(dtype_of(x))
    return combined if changes_nothing else computation(combined, first)


globals().update(entrances(globals()))
