"""Sorting, by the names of ``jax.lax``."""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.errors import ArgumentError
from functrace.lax.shaping import axis_of
from functrace.lax.slicing import slice_in_dim
from functrace.numpy.sorting import lexsort
from functrace.primitives.linear import shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort along an axis. Of several arrays the first ``num_keys`` tell the order of all.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.sort((np.array([2, 1, 3]), np.array([0.2, 0.1, 0.3])))
        (array([1, 2, 3]), array([0.1, 0.2, 0.3]))
    """
    if not isinstance(operand, tuple | list):
        return np.sort(as_operand(operand), axis=dimension, stable=is_stable or None)
    arrays = [as_operand(x) for x in operand]  # pyright: ignore[reportUnknownArgumentType]
    if not 1 <= num_keys <= len(arrays):
        raise ArgumentError(f"sort was given {len(arrays)} arrays, and num_keys={num_keys}.")
    order = lexsort(arrays[num_keys - 1 :: -1], axis=dimension)
    return tuple(np.take_along_axis(x, order, axis=dimension) for x in arrays)


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> Any:
    """Sort keys along an axis, and values in the same order.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.sort_key_val(np.array([3, 1, 2]), np.array([30, 10, 20]))
        (array([1, 2, 3]), array([10, 20, 30]))
    """
    return sort((keys, values), dimension, is_stable)


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis, from the largest on, and their indices.

    Of equal elements the one that comes first is given first; nan counts as the largest.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.top_k(np.array([3.0, 1.0, 3.0, 2.0]), 3)
        (array([3., 3., 2.]), array([0, 2, 3]))
    """
    operand = as_operand(operand)
    length = shape_of(operand)[axis_of(axis, operand)] if shape_of(operand) else -1
    if not 0 <= k <= length:
        raise ArgumentError(f"top_k was asked for {k} elements of shape {shape_of(operand)}.")
    ascending = np.argsort(np.flip(operand, axis), axis=axis, stable=True)
    indices = slice_in_dim(length - 1 - np.flip(ascending, axis), 0, k, axis=axis)
    return np.take_along_axis(operand, indices, axis=axis), indices


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """As `top_k`, exactly, whatever the recall that is asked for.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.approx_max_k(np.array([3.0, 1.0, 2.0]), 2)
        (array([3., 2.]), array([0, 2]))
    """
    return top_k(operand, k, axis=reduction_dimension)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k smallest elements, exactly, from the smallest on, and their indices.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.approx_min_k(np.array([3.0, 1.0, 2.0]), 2)
        (array([1., 2.]), array([1, 2]))
    """
    largest, indices = top_k(np.negative(as_operand(operand)), k, axis=reduction_dimension)
    return np.negative(largest), indices


globals().update(entrances(globals()))
