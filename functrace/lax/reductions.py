"""Reductions and running reductions of ``jax.lax``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from functrace import tree
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.lax.elementwise import bitwise_xor
from functrace.lax.shaping import axis_of, convert_element_type
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.transforms.batch import vmap


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
) -> Any:
    """Combine all elements along axes by an associative and commutative function of two.

    It takes a logarithmic number of steps, in each of which all pairs are combined at once.

    Args:
        operands: An array, or a tree of arrays of one shape.
        init_values: The scalar, or the tree of scalars, to begin with.
        computation: Takes two scalars, or trees of scalars, and returns the like.
        dimensions: The axes that go.

    Returns:
        A tree like ``operands``.

    Raises:
        ShapeMismatchError: The shapes of the operands differ.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce(np.arange(6.0).reshape(2, 3), 0.0, lax.add, (1,))
        array([ 3., 12.])
    """
    leaves, structure = tree.flatten(operands)
    leaves = [as_operand(x) for x in leaves]
    shapes = {shape_of(x) for x in leaves}
    if len(shapes) != 1:
        raise ShapeMismatchError(f"reduce was given arrays of the shapes {sorted(shapes)}.")
    (shape,) = shapes
    axes = [axis_of(axis, leaves[0]) for axis in dimensions]
    kept = [n for axis, n in enumerate(shape) if axis not in axes]
    count = prod(shape[axis] for axis in axes)
    firsts = structure.flatten_up_to(init_values)
    whole = prod(kept)
    each = vmap(computation)

    def combine(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        """All pairs of two stacks of rows."""
        rows = shape_of(a[0])[0]
        flat = [[np.reshape(x, (rows * whole,)) for x in part] for part in (a, b)]
        found = structure.flatten_up_to(each(*(structure.unflatten(part) for part in flat)))
        return [
            np.reshape(convert_element_type(x, dtype_of(leaf)), (rows, whole))
            for x, leaf in zip(found, leaves, strict=True)
        ]

    parts = [np.reshape(np.moveaxis(x, axes, range(len(axes))), (count, whole)) for x in leaves]
    starts = [
        np.broadcast_to(convert_element_type(first, dtype_of(x)), (1, whole))
        for first, x in zip(firsts, leaves, strict=True)
    ]
    while count > 1:
        half = count // 2
        pairs = combine([x[:half] for x in parts], [x[half : 2 * half] for x in parts])
        rest = [x[2 * half :] for x in parts]
        parts = [np.concatenate(both) for both in zip(pairs, rest, strict=True)]
        count -= half
    found = combine(starts, parts) if count else starts
    return structure.unflatten([np.reshape(x, tuple(kept))[()] for x in found])


def reduce_sum(operand: Any, axes: Sequence[int]) -> Any:
    """The sum over axes."""
    return np.sum(as_operand(operand), axis=tuple(axes))


def reduce_prod(operand: Any, axes: Sequence[int]) -> Any:
    """The product over axes."""
    return np.prod(as_operand(operand), axis=tuple(axes))


def reduce_max(operand: Any, axes: Sequence[int]) -> Any:
    """The maximum over axes."""
    return np.max(as_operand(operand), axis=tuple(axes))


def reduce_min(operand: Any, axes: Sequence[int]) -> Any:
    """The minimum over axes."""
    return np.min(as_operand(operand), axis=tuple(axes))


def reduce_and(operand: Any, axes: Sequence[int]) -> Any:
    """Whether all booleans along axes are true."""
    return np.all(_booleans(operand, "reduce_and"), axis=tuple(axes))


def reduce_or(operand: Any, axes: Sequence[int]) -> Any:
    """Whether any boolean along axes is true."""
    return np.any(_booleans(operand, "reduce_or"), axis=tuple(axes))


def reduce_xor(operand: Any, axes: Sequence[int]) -> Any:
    """The exclusive or, along axes: of booleans, or bit by bit of integers."""
    return reduce(operand, dtype_of(as_operand(operand)).type(0), bitwise_xor, axes)


def _booleans(x: Any, name: str) -> Any:
    x = as_operand(x)
    if dtype_of(x).kind != "b":
        raise ArgumentError(f"{name} takes booleans here, not {dtype_of(x)}.")
    return x


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first largest element along an axis, in a dtype."""
    return cast_to(np.argmax(as_operand(operand), axis=axis), np.dtype(index_dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first smallest element along an axis, in a dtype."""
    return cast_to(np.argmin(as_operand(operand), axis=axis), np.dtype(index_dtype))


def _so_far(ufunc: np.ufunc, operand: Any, axis: int, reverse: bool) -> Any:
    """What a ufunc makes of all elements up to each one, or from each one on."""
    operand = as_operand(operand)
    if reverse:
        return np.flip(ufunc.accumulate(np.flip(operand, axis), axis), axis)
    return ufunc.accumulate(operand, axis)


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The sums so far, along an axis."""
    return _so_far(np.add, operand, axis, reverse)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The products so far, along an axis."""
    return _so_far(np.multiply, operand, axis, reverse)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The maxima so far, along an axis."""
    return _so_far(np.maximum, operand, axis, reverse)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The minima so far, along an axis."""
    return _so_far(np.minimum, operand, axis, reverse)


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The logarithms of the sums of exponentials so far, along an axis."""
    return _so_far(np.logaddexp, operand, axis, reverse)


globals().update(entrances(globals()))
