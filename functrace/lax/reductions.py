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
    """The sum over axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_sum(np.array([[1, 5], [4, 2]]), (1,))
        array([6, 6])
    """
    return np.sum(as_operand(operand), axis=tuple(axes))


def reduce_prod(operand: Any, axes: Sequence[int]) -> Any:
    """The product over axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_prod(np.array([[1, 5], [4, 2]]), (1,))
        array([5, 8])
    """
    return np.prod(as_operand(operand), axis=tuple(axes))


def reduce_max(operand: Any, axes: Sequence[int]) -> Any:
    """The maximum over axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_max(np.array([[1, 5], [4, 2]]), (1,))
        array([5, 4])
    """
    return np.max(as_operand(operand), axis=tuple(axes))


def reduce_min(operand: Any, axes: Sequence[int]) -> Any:
    """The minimum over axes.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_min(np.array([[1, 5], [4, 2]]), (1,))
        array([1, 2])
    """
    return np.min(as_operand(operand), axis=tuple(axes))


def reduce_and(operand: Any, axes: Sequence[int]) -> Any:
    """Whether all booleans along axes are true.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_and(np.array([[True, True], [True, False]]), (1,))
        array([ True, False])
    """
    return np.all(_booleans(operand, "reduce_and"), axis=tuple(axes))


def reduce_or(operand: Any, axes: Sequence[int]) -> Any:
    """Whether any boolean along axes is true.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_or(np.array([[False, False], [True, False]]), (1,))
        array([False,  True])
    """
    return np.any(_booleans(operand, "reduce_or"), axis=tuple(axes))


def reduce_xor(operand: Any, axes: Sequence[int]) -> Any:
    """The exclusive or, along axes: of booleans, or bit by bit of integers.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.reduce_xor(np.array([0b101, 0b110]), (0,))  # 0b011
        np.int64(3)
    """
    return reduce(operand, dtype_of(as_operand(operand)).type(0), bitwise_xor, axes)


def _booleans(x: Any, name: str) -> Any:
    x = as_operand(x)
    if dtype_of(x).kind != "b":
        raise ArgumentError(f"{name} takes booleans here, not {dtype_of(x)}.")
    return x


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first largest element along an axis, in a dtype.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.argmax(np.array([3.0, 7.0, 5.0]), 0, np.int32)
        np.int32(1)
    """
    return cast_to(np.argmax(as_operand(operand), axis=axis), np.dtype(index_dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the first smallest element along an axis, in a dtype.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.argmin(np.array([3.0, 1.0, 5.0]), 0, np.int32)
        np.int32(1)
    """
    return cast_to(np.argmin(as_operand(operand), axis=axis), np.dtype(index_dtype))


def _so_far(ufunc: np.ufunc, operand: Any, axis: int, reverse: bool) -> Any:
    """What a ufunc makes of all elements up to each one, or from each one on."""
    operand = as_operand(operand)
    if reverse:
        return np.flip(ufunc.accumulate(np.flip(operand, axis), axis), axis)
    return ufunc.accumulate(operand, axis)


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The sums so far, along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.cumsum(np.array([1, 2, 3]))
        array([1, 3, 6])
        >>> lax.cumsum(np.array([1, 2, 3]), reverse=True)
        array([6, 5, 3])
    """
    return _so_far(np.add, operand, axis, reverse)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The products so far, along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.cumprod(np.array([1, 2, 3, 4]))
        array([ 1,  2,  6, 24])
    """
    return _so_far(np.multiply, operand, axis, reverse)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The maxima so far, along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.cummax(np.array([1, 3, 2, 5]))
        array([1, 3, 3, 5])
    """
    return _so_far(np.maximum, operand, axis, reverse)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The minima so far, along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.cummin(np.array([4, 2, 3, 1]))
        array([4, 2, 2, 1])
    """
    return _so_far(np.minimum, operand, axis, reverse)


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The logarithms of the sums of exponentials so far, along an axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> np.exp(lax.cumlogsumexp(np.log([1.0, 2.0, 3.0]))).round(3)
        array([1., 3., 6.])
    """
    return _so_far(np.logaddexp, operand, axis, reverse)


globals().update(entrances(globals()))
