"""Products of ``jax.lax``: which axes are summed, and which are counted along."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.lax.shaping import convert_element_type
from functrace.primitives.linear import cast_to, dtype_of, known_value, shape_of
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import Tracer

DotDimensionNumbers = tuple[
    tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]
]
"""((contracted axes of lhs, of rhs), (batch axes of lhs, of rhs))."""


class Precision(Enum):
    """How precisely JAX computes products on some devices. NumPy's are of the dtype's precision.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]), precision=lax.Precision.HIGHEST)
        np.float64(11.0)
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The product of vectors and matrices: of the last axis of one with the first of the other.

    With ``dimension_numbers`` it is `dot_general`, which tells what the options mean.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
        array([21., 43.])
    """
    if dimension_numbers is not None:
        return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)
    lhs, rhs = in_type_of_product(lhs, rhs, preferred_element_type)
    if not 1 <= len(shape_of(lhs)) <= 2 or not 1 <= len(shape_of(rhs)) <= 2:
        raise ShapeMismatchError(
            f"dot takes vectors and matrices, not shapes {shape_of(lhs)} and {shape_of(rhs)}.",
            advice="Use dot_general or batch_matmul.",
        )
    return product_in_type(np.dot(lhs, rhs), preferred_element_type)


def in_type_of_product(lhs: Any, rhs: Any, dtype: Any) -> tuple[Any, Any]:
    """The operands, in the wanted dtype where that holds what they hold and more."""
    lhs, rhs = as_operand(lhs), as_operand(rhs)
    if dtype is not None and np.result_type(dtype_of(lhs), dtype_of(rhs), dtype) == dtype:
        return cast_to(lhs, np.dtype(dtype)), cast_to(rhs, np.dtype(dtype))
    return lhs, rhs


def product_in_type(product: Any, dtype: Any) -> Any:
    """The product in the wanted dtype."""
    return product if dtype is None else convert_element_type(product, dtype)


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: DotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The sum of products over contracted axes, for each index of the batch axes.

    Args:
        lhs: An array.
        rhs: An array.
        dimension_numbers: ``((lhs contracted, rhs contracted), (lhs batch, rhs batch))``.
        precision: Taken for the sake of JAX's signature; it does not change the result.
        preferred_element_type: The dtype of the result, and that in which products are summed, if
            it is wider than those of the operands.

    Returns:
        An array with the batch axes, then the other axes of ``lhs``, then those of ``rhs``.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.dot_general(np.ones((2, 3, 4)), np.ones((2, 4)), (((2,), (1,)), ((0,), (0,)))).shape
        (2, 3)
    """
    lhs, rhs = in_type_of_product(lhs, rhs, preferred_element_type)
    (lhs_contracted, rhs_contracted), (lhs_batch, rhs_batch) = dimension_numbers
    letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    names: list[list[str]] = [[""] * len(shape_of(x)) for x in (lhs, rhs)]
    batch: list[str] = []
    pairs = [(lhs_batch, rhs_batch, True), (lhs_contracted, rhs_contracted, False)]
    for lhs_axes, rhs_axes, is_batch in pairs:
        for i, j in zip(lhs_axes, rhs_axes, strict=True):
            if shape_of(lhs)[i] != shape_of(rhs)[j]:
                raise ShapeMismatchError(
                    f"dot_general pairs axis {i} of shape {shape_of(lhs)} with axis {j} of shape "
                    f"{shape_of(rhs)}."
                )
            names[0][i] = names[1][j] = letter = next(letters)
            if is_batch:
                batch.append(letter)
    free: list[str] = []
    for own in names:
        for axis, name in enumerate(own):
            if not name:
                own[axis] = next(letters)
                free.append(own[axis])
    inputs = ",".join("".join(own) for own in names)
    product = np.einsum(f"{inputs}->{''.join(batch + free)}", lhs, rhs)
    return product_in_type(product, preferred_element_type)


def ragged_dot(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """The product of each group of rows with a matrix of its own.

    Args:
        lhs: Shape (m, k): the rows of the first group, then those of the second one, and so on.
        rhs: Shape (g, k, n): a matrix for each group.
        group_sizes: Shape (g,): how many rows each group has; may be traced. Rows after the last
            group give zeros.
        precision: Taken, and without effect.
        preferred_element_type: The dtype of the result, and that in which products are summed, if
            it is wider than those of the operands.
        group_offset: Must be None, as in JAX.

    Returns:
        An array of shape (m, n).

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        ArgumentError: There is a ``group_offset``.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.ragged_dot(np.ones((3, 1)), np.array([[[2.0]], [[5.0]]]), np.array([2, 1]))
        array([[2.],
               [2.],
               [5.]])
    """
    if group_offset is not None:
        raise ArgumentError("ragged_dot takes no group_offset.")
    lhs, rhs = in_type_of_product(lhs, rhs, preferred_element_type)
    sizes, shape = known_value(as_operand(group_sizes)), shape_of(rhs)
    if len(shape) != 3 or shape_of(lhs)[1:] != shape[1:2] or shape_of(sizes) != shape[:1]:
        raise ShapeMismatchError(
            f"ragged_dot was given rows of shape {shape_of(lhs)}, matrices of shape {shape} and "
            f"sizes of shape {shape_of(sizes)}."
        )
    count, (length, _) = shape[0], shape_of(lhs)
    ends = np.cumsum(sizes)
    if isinstance(sizes, Tracer):
        # Each row stands in the columns of its group, and zeros in all others.
        group = np.searchsorted(ends, np.arange(length), "right")
        is_own = np.equal(np.expand_dims(group, 1), np.arange(count))
        wide = np.where(np.expand_dims(is_own, 2), np.expand_dims(lhs, 1), dtype_of(lhs).type(0))
        product = np.einsum("mgk,gkn->mn", wide, rhs)
    else:
        stops = np.minimum(ends, length).tolist()
        parts = [
            np.matmul(lhs[start:stop], rhs[number])
            for number, (start, stop) in enumerate(pairwise([0, *stops]))
        ]
        dtype = np.result_type(dtype_of(lhs), dtype_of(rhs))
        rest = np.zeros((length - (stops[-1] if stops else 0), shape[2]), dtype)
        product = np.concatenate([*parts, rest])
    return product_in_type(product, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """The product of matrices of the same batch shape. ``precision`` does not change it.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> lax.batch_matmul(np.ones((10, 2, 3)), np.ones((10, 3, 4))).shape
        (10, 2, 4)
    """
    lhs, rhs = as_operand(lhs), as_operand(rhs)
    if shape_of(lhs)[:-2] != shape_of(rhs)[:-2] or len(shape_of(lhs)) < 2:
        raise ShapeMismatchError(
            f"batch_matmul was given the shapes {shape_of(lhs)} and {shape_of(rhs)}."
        )
    return np.matmul(lhs, rhs)


globals().update(entrances(globals()))
