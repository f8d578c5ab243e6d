"""Attention, as ``jax.nn`` has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.primitives.linear import dtype_of, shape_of
from functrace.scipy import special
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: Any = None,
    return_residual: bool = False,
) -> Any:
    """Means of values, with the softmax of the products of queries and keys as weights.

    Args:
        query: Of shape ([batch,] queries, heads, features).
        key: Of shape ([batch,] keys, heads of keys, features), where the number of heads is a
            multiple of the number of heads of keys: consecutive heads share one of them.
        value: Of the shape of ``key``.
        bias: What is added to the scaled products, of a shape that broadcasts to
            ([batch,] heads, queries, keys).
        mask: Which products count, of such a shape.
        scale: What products are multiplied by; None for one over the root of the features.
        is_causal: Whether a query sees the keys up to its own place only.
        query_seq_lengths: For each example how many queries there are; the others give zeros.
        key_value_seq_lengths: For each example how many keys count.
        local_window_size: How many places a query sees before and after its own; one number for
            both.
        implementation: Taken, and without effect.
        return_residual: Whether to return the logarithm of the sum of exponentials as well, of
            shape ([batch,] queries, heads).

    Returns:
        An array of the shape of ``query``. A query that sees no key gives nan.

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        ArgumentError: Lengths are given for arrays without an axis for examples.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> query, key = np.zeros((1, 1, 2)), np.zeros((2, 1, 2))
        >>> nn.dot_product_attention(query, key, np.arange(4.0).reshape(2, 1, 2))
        array([[[1., 2.]]])
    """
    query, key, value = as_operand(query), as_operand(key), as_operand(value)
    shapes = shape_of(query), shape_of(key), shape_of(value)
    if len(shapes[0]) == 3:
        if query_seq_lengths is not None or key_value_seq_lengths is not None:
            raise ArgumentError("Lengths of sequences are given where there is an axis for each.")
        query, key, value = query[np.newaxis], key[np.newaxis], value[np.newaxis]
    batch, queries, heads, features = _checked(shapes, query, key, value)
    keys, shared = shape_of(key)[1:3]
    if scale is None:
        scale = 1 / math.sqrt(features)

    # Heads that share keys stand together: (batch, heads of keys, heads of each, queries, keys).
    group = heads // shared
    grouped = np.reshape(query, (batch, queries, shared, group, features))
    products = np.einsum("btkgh,bskh->bkgts", grouped, key) * scale
    products = np.reshape(products, (batch, heads, queries, keys))
    if bias is not None:
        products = products + _with_batch(bias)
    sees = _seen(queries, keys, is_causal, local_window_size)
    if mask is not None:
        sees = _both(sees, _with_batch(mask))
    if key_value_seq_lengths is not None:
        counts = np.reshape(as_operand(key_value_seq_lengths), (batch, 1, 1, 1))
        sees = _both(sees, np.less(np.arange(keys), counts))
    if sees is not None:
        products = np.where(sees, products, dtype_of(products).type(-np.inf))
    weights = special.softmax(products, -1)
    weights = np.reshape(weights, (batch, shared, group, queries, keys))
    result = np.reshape(np.einsum("bkgts,bskh->btkgh", weights, value), shape_of(query))
    residual = None
    if return_residual:
        residual = np.moveaxis(special.logsumexp(products, axis=-1), 1, 2)
    if query_seq_lengths is not None:
        counts = np.reshape(as_operand(query_seq_lengths), (batch, 1, 1, 1))
        is_there = np.less(np.reshape(np.arange(queries), (queries, 1, 1)), counts)
        result = np.where(is_there, result, dtype_of(result).type(0))
    if len(shapes[0]) == 3:
        result = result[0]
        residual = None if residual is None else residual[0]
    return (result, residual) if return_residual else result


def _checked(shapes: Any, query: Any, key: Any, value: Any) -> tuple[int, ...]:
    """The lengths of the query's axes, if all fit together."""
    first, second, third = shape_of(query), shape_of(key), shape_of(value)
    fits = (
        len(first) == len(second) == 4
        and second == third
        and (first[0], first[3]) == (second[0], second[3])
        and second[2] > 0
        and first[2] % second[2] == 0
    )
    if not fits:
        raise ShapeMismatchError(
            "A query, key and value of shapes {}, {} and {} do not fit together.".format(*shapes),
            advice="They have axes for examples, places, heads and features, in this order.",
        )
    return first


def _with_batch(x: Any) -> Any:
    """What has axes for heads, queries and keys, with one for examples before them."""
    x = as_operand(x)
    return x[np.newaxis] if len(shape_of(x)) == 3 else x


def _both(x: Any, y: Any) -> Any:
    return y if x is None else np.logical_and(x, y)


def _seen(queries: int, keys: int, is_causal: bool, window: int | tuple[int, int] | None) -> Any:
    """Which keys a query sees by its place; None for all."""
    if not is_causal and window is None:
        return None
    ahead = np.arange(keys) - np.arange(queries)[:, np.newaxis]
    sees = ahead <= 0 if is_causal else np.ones((queries, keys), bool)
    if window is not None:
        before, after = (window, window) if isinstance(window, int) else window
        sees = sees & (-before <= ahead) & (ahead <= after)
    return sees


globals().update(entrances(globals()))
